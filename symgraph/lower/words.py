"""``WordBuilder``: the object with which op rows write elements as loop-IR expressions.

Its methods are the words of the vocabulary (``b.add(x, y)``, ``b.exp(x)``); plain numbers take the
dtype of the first expression beside them. Integer index arithmetic is folded on the way, so that
``i + 0`` and ``i * 1`` never reach a kernel. Equal expressions of one builder are one object, so
that index tuples compare by identity.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from symgraph.ir.dim import Atom, Dim, DimLike
from symgraph.ir.dtype import BOOL, INT64, DType, complex_of, real_of
from symgraph.ir.graph import Graph
from symgraph.loop.ir import Cast, Const, Expr, Function, Load, Var, Word

_TO_BOOL = frozenset(["eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit"])
EXPRESSIONS = (Word, Var, Const, Load, Cast)
_TO_REAL = frozenset(("abs", "real", "imag"))


class SizeNames:
    """The names that dimension symbols have inside one program: ``n``, ``x_0``, ...."""

    def __init__(self) -> None:
        self.names: dict[Atom, str] = {}
        self._taken: set[str] = set()

    def name(self, atom: Atom) -> str:
        """The size name of a symbol; made on first use."""
        if atom not in self.names:
            base = "".join(c if c.isalnum() else "_" for c in atom.label.strip("?!")) or "size"
            name, count = f"n_{base}", 1
            while name in self._taken:
                count += 1
                name = f"n_{base}_{count}"
            self._taken.add(name)
            self.names[atom] = name
        return self.names[atom]


def whole(x: Const) -> int:
    """The number that an integer constant is."""
    value: Any = x.value
    return int(value)


class WordBuilder:
    """Builds expressions; ``b.word(...)`` for every word of the vocabulary."""

    def __init__(
        self, sizes: SizeNames, slow_form: Callable[[Graph], Function] | None = None
    ) -> None:
        self.sizes, self._slow_form = sizes, slow_form
        self._made: dict[tuple[Any, ...], Expr] = {}
        self._dims: dict[Expr, DimLike] = {}
        self._bodies: dict[Graph, Function] = {}
        self.functions: dict[str, Function] = {}  # slow forms of guarded values

    def const(self, value: Any, dtype: DType = INT64) -> Expr:
        """A constant of a dtype."""
        is_plain = type(value) is int or (type(value) is float and value != 0)  # -0.0 == 0.0
        found = self._made.get((value, dtype)) if is_plain else None
        if found is None:
            number: Any = np.asarray(value).astype(dtype)[()]
            key = ("const", dtype, number.tobytes())
            found = self._made.get(key)
            if found is None:
                found = self._made[key] = Const(number, dtype)
            if is_plain:
                self._made[value, dtype] = found
        return found

    def var(self, name: str, dtype: DType = INT64) -> Expr:
        """A loop index, a size or a scalar local."""
        found = self._made.get(("var", name, dtype))
        if found is None:
            found = self._made["var", name, dtype] = Var(name, dtype)
        return found

    def load(self, buffer: str, index: tuple[Expr, ...], dtype: DType) -> Expr:
        """buffer[index]."""
        found = self._made.get(("load", buffer, index))
        if found is None:
            found = self._made["load", buffer, index] = Load(buffer, index, dtype)
        return found

    def word(self, name: str, args: tuple[Expr, ...], dtype: DType) -> Expr:
        """A word with its result dtype."""
        key = (name, args, dtype)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Word(name, args, dtype)
        return found

    def cast(self, x: Expr, dtype: DType) -> Expr:
        """x converted to a dtype."""
        if x.dtype == dtype:
            return x
        if isinstance(x, Const):
            with np.errstate(all="ignore"):
                return self.const(x.value, dtype)
        found = self._made.get(("cast", x, dtype))
        if found is None:
            found = self._made["cast", x, dtype] = Cast(x, dtype)
        return found

    def size(self, dim: DimLike) -> Expr:
        """A dimension as an int64 expression over the program's sizes."""
        found = self._size(dim)
        self._dims.setdefault(found, dim)
        return found

    def dim(self, size: Expr) -> DimLike:
        """The dimension that an expression made by ``size`` stands for."""
        return self._dims[size]

    def _size(self, dim: DimLike) -> Expr:
        if not isinstance(dim, Dim):
            return self.const(dim)
        total: Expr | None = None
        for monomial, coefficient in dim.terms.items():
            term: Expr = self.const(coefficient)
            for atom in monomial:
                term = self.mul(term, self._atom(atom))
            total = term if total is None else self.add(total, term)
        assert total is not None
        return total

    def _atom(self, atom: Atom) -> Expr:
        if atom.is_symbol:
            return self.var(self.sizes.name(atom))
        if atom.kind == "broadcast":  # expressions that entry checks have found equal
            return self.size(min(atom.args, key=lambda a: (isinstance(a, Dim), len(str(a)))))
        args = [self.size(a) for a in atom.args]
        word = {"min": "minimum", "max": "maximum", "floordiv": "floordiv", "mod": "mod"}[atom.kind]
        found = args[0]
        for other in args[1:]:
            found = self.word(word, (found, other), INT64)
        return found

    def add(self, x: Any, y: Any) -> Expr:
        """x + y."""
        a, b = self._same(x, y)
        if a.dtype == INT64:
            if _is_const(a, 0):
                return b
            if _is_const(b, 0):
                return a
            if isinstance(a, Const) and isinstance(b, Const):
                return self.const(whole(a) + whole(b))
            if isinstance(a, Const):
                a, b = b, a
            if isinstance(b, Const) and isinstance(a, Word) and a.name == "add":
                start, shift = a.args
                if isinstance(shift, Const):
                    return self.add(start, whole(shift) + whole(b))
        return self.word("add", (a, b), a.dtype)

    def sub(self, x: Any, y: Any) -> Expr:
        """x - y."""
        a, b = self._same(x, y)
        if a.dtype == INT64:
            if _is_const(b, 0):
                return a
            if isinstance(a, Const) and isinstance(b, Const):
                return self.const(whole(a) - whole(b))
            if isinstance(b, Const) and _shifts(a):
                return self.add(a, -whole(b))
        return self.word("sub", (a, b), a.dtype)

    def mul(self, x: Any, y: Any) -> Expr:
        """x * y."""
        a, b = self._same(x, y)
        if a.dtype == INT64:
            if _is_const(a, 1):
                return b
            if _is_const(b, 1):
                return a
            if _is_const(a, 0) or _is_const(b, 0):
                return self.const(0)
            if isinstance(a, Const) and isinstance(b, Const):
                return self.const(whole(a) * whole(b))
        return self.word("mul", (a, b), a.dtype)

    def select(self, condition: Any, x: Any, y: Any) -> Expr:
        """x where condition, else y."""
        a, b = self._same(x, y)
        return self.word("select", (condition, a, b), a.dtype)

    def complex(self, re: Any, im: Any) -> Expr:
        """re + 1j * im."""
        a, b = self._same(re, im)
        return self.word("complex", (a, b), complex_of(a.dtype))

    def guarded(self, body: Graph, fast: Expr, doubt: Expr, args: tuple[Expr, ...]) -> Expr:
        """fast, or where doubt > 0 the body on the arguments in double-double."""
        if body not in self._bodies:
            assert self._slow_form is not None, "a slow form has no guards inside"
            function = self._bodies[body] = self._slow_form(body)
            self.functions[function.name] = function
        found = self._bodies[body]
        given = tuple(self.cast(a, p.dtype) for a, p in zip(args, found.params, strict=True))
        return self.word(found.name, (fast, doubt, *given), fast.dtype)

    def bitcast(self, x: Expr, dtype: DType) -> Expr:
        """The bits of x as another dtype of the same width."""
        return self.word("bitcast", (x,), dtype)

    def __getattr__(self, word: str) -> Callable[..., Expr]:
        if word.startswith("_"):
            raise AttributeError(word)
        name = word.rstrip("_")  # and_, or_, not_: Python keywords

        def apply(self: WordBuilder, *args: Any) -> Expr:
            exprs = self._same(*args)
            first = exprs[0].dtype
            dtype = BOOL if name in _TO_BOOL else real_of(first) if name in _TO_REAL else first
            return self.word(name, exprs, dtype)

        # found there from now on; a function of one builder would keep that in memory
        setattr(WordBuilder, word, apply)
        return partial(apply, self)

    def _same(self, *args: Any) -> tuple[Expr, ...]:
        dtype = next((a.dtype for a in args if isinstance(a, EXPRESSIONS)), INT64)
        return tuple([a if isinstance(a, EXPRESSIONS) else self.const(a, dtype) for a in args])


def _shifts(x: Expr) -> bool:
    """Is it an index, or an index plus a number? Then a number taken away is one added."""
    if isinstance(x, Word) and x.name == "add" and isinstance(x.args[1], Const):
        x = x.args[0]
    return isinstance(x, Var)


def _is_const(x: Expr, value: int) -> bool:
    return isinstance(x, Const) and bool(x.value == value)
