"""Patterns: written with the ops themselves, matched on sums and products as lists.

    x, y = holes("x y")
    log(1 + x)                     # an op called with a pattern gives a pattern

A name (hole) binds a node, or an attribute where it stands for one (``sum_(x, axes=a)``); the
same hole twice must bind the same. Numbers match constants of any dtype by value. Sums and products
match in any order and grouping: at the root a subset of the terms is enough (the rest is carried
over, and everything may be scaled: ``1 - sigmoid(x)`` matches in ``y + 2*sigmoid(x) - 2``); inside,
one hole takes all that is left. A reduction inside matches through ``expand_dims`` and
``broadcast_to`` where its axes line up as with ``keepdims``.

What is not here: matching itself (``match.py``), when a rule may fire (``facts.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from symgraph.ir.op import Op, find_op
from symgraph.ir.variable import Operators
from symgraph.records import dataclass
from symgraph.rewrite import terms as t
from symgraph.rewrite.exact import Fraction

ONE = Fraction(1)


class Pat(Operators):
    """A pattern: a hole, a number, or an op on patterns."""

    __slots__ = ()
    __array_ufunc__: ClassVar[None] = None  # NumPy scalars leave operators to patterns

    def __pattern__(self, op: Op, args: tuple[Any, ...], attrs: Mapping[str, Any]) -> Call:
        return Call(op.name, tuple(as_pattern(a) for a in args), dict(attrs))


@dataclass(frozen=True, slots=True, eq=False)
class Hole(Pat):
    """A name that matches anything."""

    name: str

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class Number(Pat):
    """A constant of any dtype with this value."""

    value: float | int

    def __repr__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True, eq=False)
class Call(Pat):
    """An op on patterns; attributes not named match anything."""

    op: str
    args: tuple[Pat, ...]
    attrs: Mapping[str, Any]

    def __repr__(self) -> str:
        sign = _SIGNS.get(self.op)
        if sign is not None and len(self.args) == 2:
            left, right = (_inside(a, sign, k) for k, a in enumerate(self.args))
            return f"{left} {sign} {right}"
        if self.op == "negative":
            return f"-{_inside(self.args[0], '*', 0)}"
        inside = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.attrs.items())]
        return f"{self.op}({', '.join(inside)})"


_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def _inside(pattern: Pat, sign: str, place: int) -> str:
    """An operand as text, in brackets where the sign around it binds closer."""
    inner = _SIGNS.get(pattern.op) if isinstance(pattern, Call) else None
    closer = inner in ("+", "-") and (sign in "*/" or (sign == "-" and place))
    return (
        f"({pattern!r})"
        if closer or (inner is not None and sign == "/" and place)
        else repr(pattern)
    )


def holes(names: str) -> Any:
    """Holes by name; one name gives one hole, several a tuple."""
    found = tuple(Hole(n) for n in names.split())
    return found[0] if len(found) == 1 else found


def ops(names: str) -> tuple[Op, ...]:
    """Ops of the table by name, to write patterns with."""
    return tuple(find_op(n) for n in names.split())


def as_pattern(value: Any) -> Pat:
    """A pattern from a pattern or a number."""
    return value if isinstance(value, Pat) else Number(value)


# Patterns as they are matched ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class SumPattern:
    """Terms ``coefficient * pattern``, specific ones first, and a constant term."""

    terms: tuple[tuple[Fraction, Matcher], ...]
    constant: Fraction
    needs: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class ProductPattern:
    """A coefficient and factors ``pattern ** exponent``, specific ones first."""

    coefficient: Fraction
    factors: tuple[tuple[Matcher, int], ...]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class OpPattern:
    """An op that is no sum or product."""

    op: str
    args: tuple[Matcher, ...]
    attrs: tuple[tuple[str, Any], ...]
    swaps: bool
    needs: tuple[str | None, ...]  # the families that the inputs must have


Matcher = SumPattern | ProductPattern | OpPattern | Hole | Number
SWAPS = frozenset(
    [
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "logaddexp",
        "hypot",
        "equal",
        "not_equal",
        "logical_and",
        "logical_or",
    ]
)


def compiled(pattern: Pat) -> Matcher:
    """A pattern in the form that is matched: sums and products flattened."""
    if isinstance(pattern, Hole | Number):
        return pattern
    assert isinstance(pattern, Call)
    family = t.FAMILIES.get(pattern.op, "*" if _power_of(pattern) else pattern.op)
    if family == "+":
        return _sum_pattern(pattern)
    if family == "*":
        return _product_pattern(pattern)
    args = tuple(compiled(a) for a in pattern.args)
    needs = tuple(family_of(a) for a in args)
    return OpPattern(pattern.op, args, tuple(pattern.attrs.items()), pattern.op in SWAPS, needs)


def family_of(matcher: Matcher) -> str | None:
    """What an input must be for this to match; None: anything."""
    if isinstance(matcher, SumPattern):
        return "+"
    if isinstance(matcher, ProductPattern):
        # -x and 2*x match any node, whose half or negation the hole then is
        return None if lone_hole(matcher) else "*"
    if isinstance(matcher, OpPattern):
        return matcher.op
    return "constant" if isinstance(matcher, Number) else None


def lone_hole(matcher: ProductPattern) -> bool:
    """Is it a number times a hole?"""
    return (
        len(matcher.factors) == 1
        and isinstance(matcher.factors[0][0], Hole)
        and matcher.factors[0][1] == 1
    )


def _power_of(pattern: Pat) -> int | None:
    if not isinstance(pattern, Call) or pattern.op != "pow":
        return None
    exponent = pattern.args[1]
    whole = isinstance(exponent, Number) and exponent.value == int(exponent.value)
    return int(exponent.value) if whole and isinstance(exponent, Number) else None


def _sum_pattern(root: Pat) -> SumPattern:
    found: list[tuple[Fraction, Pat]] = []
    _flatten_sum(root, ONE, found)
    constant = sum((c * Fraction(p.value) for c, p in found if isinstance(p, Number)), Fraction(0))
    parts = [(c, compiled(p)) for c, p in found if not isinstance(p, Number)]
    parts.sort(key=lambda p: _vagueness(p[1]))
    needs = {family_of(p) or "" for _, p in parts} - {""}
    return SumPattern(
        tuple(parts), constant, frozenset(needs | ({"constant"} if constant else set()))
    )


def _vagueness(matcher: Matcher) -> int:
    """Specific patterns are matched first: ops, then -x and the like, then holes."""
    if isinstance(matcher, Hole):
        return 2
    return 1 if isinstance(matcher, ProductPattern) and lone_hole(matcher) else 0


def _flatten_sum(pattern: Pat, scale: Fraction, out: list[tuple[Fraction, Pat]]) -> None:
    if isinstance(pattern, Call) and pattern.op in ("add", "subtract", "negative"):
        for index, arg in enumerate(pattern.args):
            flips = pattern.op == "negative" or (pattern.op == "subtract" and index == 1)
            _flatten_sum(arg, -scale if flips else scale, out)
        return
    if isinstance(pattern, Call) and pattern.op in ("multiply", "divide"):
        left, right = pattern.args
        if isinstance(right, Number):
            value = Fraction(right.value)
            _flatten_sum(left, scale * value if pattern.op == "multiply" else scale / value, out)
            return
        if isinstance(left, Number) and pattern.op == "multiply":
            _flatten_sum(right, scale * Fraction(left.value), out)
            return
    out.append((scale, pattern))


def _product_pattern(root: Pat) -> ProductPattern:
    scale = ONE
    bases: dict[str, Pat] = {}  # by text: patterns that look alike are alike
    exponents: dict[str, int] = {}
    stack: list[tuple[Pat, int]] = [(root, 1)]
    while stack:
        pattern, exponent = stack.pop()
        op = pattern.op if isinstance(pattern, Call) else ""
        args = pattern.args if isinstance(pattern, Call) else ()
        power = _power_of(pattern)
        if op in ("multiply", "divide"):
            stack += [(args[1], -exponent if op == "divide" else exponent), (args[0], exponent)]
        elif op == "negative":
            scale = -scale if exponent % 2 else scale
            stack.append((args[0], exponent))
        elif op == "square" or power is not None:
            stack.append((args[0], exponent * (2 if op == "square" else power or 0)))
        elif isinstance(pattern, Number):
            scale *= Fraction(pattern.value) ** exponent
        else:
            bases[repr(pattern)] = pattern
            exponents[repr(pattern)] = exponents.get(repr(pattern), 0) + exponent
    found = [(compiled(p), exponents[text]) for text, p in bases.items()]
    found.sort(key=lambda p: _vagueness(p[0]))
    needs = frozenset(f for f in (family_of(p) for p, _ in found) if f)
    return ProductPattern(scale, tuple(found), needs)
