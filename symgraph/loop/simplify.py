"""Exact simplification of expressions: integer index arithmetic and constant folding.

Nothing here changes a value, not even a bit: int64 sums and products are brought to a linear
normal form (arithmetic modulo 2**64 is a ring, so this holds with wrap-around), constants are
folded only for words that are exact or correctly rounded everywhere, and floats keep their order,
their zeros and their NaN (x + 0.0 and 0.0 * x stay).

    simplify(mod(i * 3 + j, 3), {"j": 3})   -->   j          (0 <= j < 3)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # NumPy scalars of any dtype

import numpy as np

from symgraph.loop import words
from symgraph.loop.ir import Cast, Const, Expr, Load, Var, Word
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import children, postorder, with_children
from symgraph.loop.words import BOOL, INT64

# Words whose value on constants is the same in every backend.
FOLDED = frozenset(
    [
        *["add", "sub", "mul", "div", "floordiv", "mod", "neg", "abs", "sign", "minimum"],
        *["maximum", "floor", "ceil", "trunc", "rint", "sqrt", "square", "reciprocal", "copysign"],
        *["signbit", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not", "shl", "shr"],
        *["select", "isnan", "isinf", "isfinite", "bitcast", "mulhi", "real", "imag", "conj"],
        "complex",
    ]
)
_MASK = (1 << 64) - 1
Terms = dict[tuple[str, ...], int]  # product of factors (by text) -> coefficient


def simplify(x: Expr, extents: Mapping[str, int] | None = None) -> Expr:
    """An expression of equal value, never larger; ``extents``: variable -> its exclusive bound.

    A variable with an extent lies in 0 .. extent - 1 (a loop index of constant extent).
    """
    worker = _Simplifier(extents or {})
    done: dict[int, Expr] = {}
    for node in postorder(x):
        operands = tuple(done[id(child)] for child in children(node))
        done[id(node)] = worker.node(with_children(node, operands))
    return done[id(x)]


class _Simplifier:
    def __init__(self, extents: Mapping[str, int]) -> None:
        self.extents = extents
        self.factors: dict[str, Expr] = {}  # text of a factor -> the factor
        self.linear: dict[int, tuple[Expr, Terms]] = {}  # by id; the node is kept alive

    def node(self, x: Expr) -> Expr:
        """A node whose operands are simplified already."""
        match x:
            case Word():
                return self._word(x)
            case Cast(inner, dtype):
                if inner.dtype == dtype:
                    return inner
                return _folded(x, inner) if isinstance(inner, Const) else x
        return x

    def _word(self, x: Word) -> Expr:
        if x.name in FOLDED and all(isinstance(a, Const) for a in x.args):
            return _evaluated(x)
        if x.dtype == INT64 and x.name in ("add", "sub", "mul", "neg", "square", "fma"):
            return self._linear(x)
        if x.dtype == INT64 and x.name in ("floordiv", "mod"):
            return self._divided(x)
        if x.name == "select":
            return _selected(x)
        if x.dtype == BOOL:
            return self._truth(x)
        if x.name in ("minimum", "maximum") and x.dtype == INT64 and _alike(*x.args):
            return x.args[0]
        return x

    def _truth(self, x: Word) -> Expr:
        """and, or with a constant; not(not(a)); comparisons of integers by their difference."""
        if x.name in ("and", "or"):
            for one, other in (x.args, x.args[::-1]):
                if isinstance(one, Const):
                    return other if bool(one.value) == (x.name == "and") else one
        if x.name == "not" and isinstance(x.args[0], Word) and x.args[0].name == "not":
            return x.args[0].args[0]
        if x.name in ("eq", "ne") and x.args[0].dtype == INT64:
            difference = _sum(self.terms(x.args[0]), self.terms(x.args[1]), -1)
            if set(difference) <= {()}:
                same = difference.get((), 0) == 0
                return Const(np.bool_(same == (x.name == "eq")), BOOL)
        return x

    # ------------------------------------------------------------ linear forms

    def terms(self, x: Expr) -> Terms:
        """x as a sum of products, coefficients modulo 2**64."""
        known = self.linear.get(id(x))
        if known is not None:
            return known[1]
        if isinstance(x, Const):
            value = int(x.value.real) & _MASK
            return {(): value} if value else {}
        text = x.name if isinstance(x, Var) else show_expr(x)
        self.factors[text] = x
        return {(text,): 1}

    def _linear(self, x: Word) -> Expr:
        a = self.terms(x.args[0])
        b = self.terms(x.args[1]) if len(x.args) > 1 else a
        if x.name == "neg":
            found = _sum({}, a, -1)
        elif x.name in ("add", "sub"):
            found = _sum(a, b, 1 if x.name == "add" else -1)
        else:
            if len(a) * len(b) > 16:  # a product of long sums stays a product
                return x
            found = _product(a, b)
            if x.name == "fma":
                found = _sum(found, self.terms(x.args[2]), 1)
        return self._built(found)

    def _built(self, terms: Terms) -> Expr:
        """The expression of a linear form: positive terms, negative ones, the constant."""
        total: Expr | None = None
        constant = _signed(terms.get((), 0))
        ordered = sorted((k for k in terms if k), key=lambda k: _signed(terms[k]) < 0)
        for factors in ordered:
            coefficient = _signed(terms[factors])
            term = self._term(factors, abs(coefficient))
            if total is None:
                total = term if coefficient > 0 else Word("neg", (term,), INT64)
            else:
                total = Word("add" if coefficient > 0 else "sub", (total, term), INT64)
        found = _with_constant(total, constant)
        self.linear[id(found)] = found, terms
        return found

    def _term(self, factors: tuple[str, ...], coefficient: int) -> Expr:
        found = self.factors[factors[0]]
        for factor in factors[1:]:
            found = Word("mul", (found, self.factors[factor]), INT64)
        if coefficient == 1:
            return found
        return Word("mul", (found, _const(_signed(coefficient & _MASK))), INT64)

    # ------------------------------------------------------------ floor division

    def _divided(self, x: Word) -> Expr:
        """(d * a + r) // d = a and (d * a + r) % d = r, where 0 <= r < d is proved by extents."""
        top, bottom = x.args
        if not isinstance(bottom, Const) or int(bottom.value.real) <= 0:
            return x
        divisor = int(bottom.value.real)
        if divisor == 1:
            return top if x.name == "floordiv" else _const(0)
        terms = self.terms(top)
        bounds = {k: self._bound(k, _signed(c)) for k, c in terms.items()}
        unknown = any(high is None for high in bounds.values())
        if unknown or sum(map(_number, bounds.values())) >= 2**62:
            return x  # the sum might be negative or wrap around
        rest = {k: c for k, c in terms.items() if _signed(c) % divisor}
        if sum(_number(bounds[k]) for k in rest) >= divisor:
            return x
        if x.name == "mod":
            return self._built(rest)
        return self._built(
            {k: (_signed(c) // divisor) & _MASK for k, c in terms.items() if k not in rest}
        )

    def _bound(self, factors: tuple[str, ...], coefficient: int) -> int | None:
        """The largest value of a term that is known to be >= 0, else None."""
        if coefficient < 0:
            return None
        high = coefficient
        for factor in factors:
            if factor not in self.extents:
                return None
            high *= max(0, self.extents[factor] - 1)
        return high


def _number(bound: int | None) -> int:
    return bound or 0


def _sum(a: Terms, b: Terms, sign: int) -> Terms:
    found = dict(a)
    for key, coefficient in b.items():
        value = (found.get(key, 0) + sign * coefficient) & _MASK
        if value:
            found[key] = value
        else:
            found.pop(key, None)
    return found


def _product(a: Terms, b: Terms) -> Terms:
    found: Terms = {}
    for left, x in a.items():
        for right, y in b.items():
            found = _sum(found, {tuple(sorted(left + right)): (x * y) & _MASK}, 1)
    return found


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _const(value: int) -> Const:
    return Const(np.int64(value), INT64)


def _with_constant(total: Expr | None, constant: int) -> Expr:
    if total is None:
        return _const(constant)
    if constant == 0:
        return total
    if constant > 0 or constant == -(2**63):
        return Word("add", (total, _const(constant)), INT64)
    return Word("sub", (total, _const(-constant)), INT64)


def _evaluated(x: Word) -> Expr:
    with np.errstate(all="ignore"):
        args = tuple(words.convert(a.value, a.dtype) for a in x.args if isinstance(a, Const))
        return Const(words.evaluate(x.name, args, x.dtype), x.dtype)


def _folded(x: Cast, inner: Const) -> Expr:
    value = words.convert(inner.value, inner.dtype)
    if inner.dtype.kind in "fc" and x.dtype.kind in "iu" and not _fits(value, x.dtype):
        return x  # unspecified: leave it to the machine
    with np.errstate(all="ignore"):
        return Const(words.convert(value, x.dtype), x.dtype)


def _fits(value: Any, dtype: np.dtype[Any]) -> bool:
    info = np.iinfo(dtype)
    real = float(value.real)
    return bool(np.isfinite(real)) and info.min <= int(real) <= info.max


def _selected(x: Word) -> Expr:
    condition, one, other = x.args
    if isinstance(condition, Const):
        return one if condition.value else other
    return one if _alike(one, other) else x


def _alike(x: Expr, y: Expr) -> bool:
    """The same node, or equal variables or constants bit for bit."""
    if x is y:
        return True
    if isinstance(x, Load | Word | Cast) or type(x) is not type(y):
        return False
    return x.dtype == y.dtype and show_expr(x) == show_expr(y)
