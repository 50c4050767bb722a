"""Builders of sums and products: equal parts collected, the rest kept in order, roundings few.

``add`` and ``mul`` look into their operands (``views.py``); ``plus``, ``minus``, ``scaled`` make
one node each. Rules import all of it as one: ``from symgraph.rewrite import terms as t``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgraph.ir.node import Node
from symgraph.rewrite.build import call, fraction, number
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.views import (
    FAMILIES,
    MOST,
    MOVEMENTS,
    ONE,
    PRODUCTS,
    Factor,
    ProductView,
    SumView,
    Term,
    coef,
    constant_term,
    core,
    factors,
    family,
    forget,
    integer_power,
    is_real,
    product_view,
    sum_view,
    terms,
)

__all__ = [
    "FAMILIES",
    "MOST",
    "MOVEMENTS",
    "Factor",
    "ProductView",
    "SumView",
    "Term",
    "add",
    "coef",
    "collect",
    "constant_term",
    "core",
    "div",
    "factors",
    "family",
    "forget",
    "from_factors",
    "from_terms",
    "integer_power",
    "is_real",
    "minus",
    "mul",
    "neg",
    "plus",
    "power",
    "product_view",
    "replace_terms",
    "scaled",
    "sub",
    "sum_view",
    "terms",
]


def replace_terms(node: Node, changes: Mapping[int, Node | None]) -> Node:
    """The sum with some terms replaced (None: left out); the other terms keep their grouping."""
    view = sum_view(node)
    made = _rebuild(view.tree, view, changes, node, ONE)
    return number(0, node.tensor.dtype) if made is None else made


def _rebuild(
    cell: Any, view: SumView, changes: Mapping[int, Node | None], node: Node, sign: Fraction
) -> Node | None:
    """A cell as it stands in the sum; ``sign``: of the way to it, which its leaves contain."""
    if isinstance(cell[0], int):
        index = cell[0]
        if index in changes:
            made = changes[index]
            return made if made is None or sign > 0 else neg(made)
        scale, part = view.leaves[index]
        return scaled(sign * scale, part, node.tensor.dtype)
    if cell[0] == "negative":
        inner = _rebuild(cell[1], view, changes, node, -sign)
        return None if inner is None else neg(inner)
    left = _rebuild(cell[1], view, changes, node, sign)
    right = _rebuild(cell[2], view, changes, node, sign if cell[0] == "add" else -sign)
    if right is None:
        return left
    if left is None:
        return right if cell[0] == "add" else neg(right)
    return plus(left, right) if cell[0] == "add" else minus(left, right)


def scaled(scale: Fraction, node: Node | None, dtype: Any = None) -> Node:
    """scale * node, as negative, product or quotient: whichever rounds least."""
    if node is None:
        return number(scale, dtype)
    inner, base = coef(node)
    if base is None:
        return number(scale * inner, node.tensor.dtype)
    if inner != 1:
        scale, node = scale * inner, base
    dtype = node.tensor.dtype
    if scale == 1:
        return node
    if scale == 0:
        return number(0, dtype)
    if scale == -1:
        return _negated(node)
    size = abs(scale.numerator).bit_length() - scale.denominator.bit_length()
    if abs(size) >= _RANGE[dtype.itemsize]:
        part = Fraction(2) ** (size // 2)  # no number of the dtype: two that are
        return call(
            "multiply", call("multiply", node, number(part, dtype)), number(scale / part, dtype)
        )
    exact = Fraction(float(dtype.type(float(scale)))) == scale
    if not exact and _divides(1 / scale, dtype):
        return call("divide", node, number(1 / scale, dtype))
    if not exact and _is_whole(scale.denominator, dtype) and _is_whole(scale.numerator, dtype):
        top = scaled(Fraction(scale.numerator), node)
        return call("divide", top, number(scale.denominator, dtype))
    return call("multiply", node, number(scale, dtype))


_RANGE = {4: 124, 8: 1020}  # exponents that float32 and float64 have, less a few


def _divides(value: Fraction, dtype: Any) -> bool:
    """Is it a number of the dtype? Then x * (2**52 / 6369051672525773) is x / 1.41."""
    return Fraction(float(dtype.type(float(value)))) == value


def _is_whole(value: int, dtype: Any) -> bool:
    """Is an integer a number of the dtype for sure?"""
    return abs(value) < 2 ** (24 if dtype.itemsize == 4 else 53)


def _negated(node: Node) -> Node:
    if node.op.name == "subtract":
        return call("subtract", node.inputs[1], node.inputs[0])
    return call("negative", node)


def neg(node: Node) -> Node:
    """-node, without double negations; a - b becomes b - a."""
    return scaled(Fraction(-1), node)


def plus(left: Node, right: Node) -> Node:
    """left + right as one node; a negated operand becomes a subtraction."""
    if _is(left, 0):
        return right
    if _is(right, 0):
        return left
    if _leading(right) < 0:
        return call("subtract", left, neg(right))
    if _leading(left) < 0:
        return call("subtract", right, neg(left))
    if fraction(left) is not None:
        left, right = right, left
    return call("add", left, right)


def minus(left: Node, right: Node) -> Node:
    """left - right as one node."""
    if _is(right, 0):
        return left
    if _is(left, 0):
        return neg(right)
    return plus(left, neg(right)) if _leading(right) < 0 else call("subtract", left, right)


def _leading(node: Node) -> int:
    scale, _ = coef(node)
    return -1 if scale < 0 else 1


def _is(node: Node, value: int) -> bool:
    return node.op.name == "constant" and fraction(node) == value and is_real(node)


def add(nodes: Sequence[Node], *, flat: bool = False) -> Node:
    """The sum of nodes, like terms collected where that leaves fewer; else in the order given."""
    dtype = nodes[0].tensor.dtype
    deep = [t for n in nodes for t in terms(n)]
    collected = collect(deep)
    if flat or len(collected) < len(deep):
        return from_terms(collected, dtype)
    total = nodes[0]
    for node in nodes[1:]:
        total = plus(total, node)
    return total


def sub(left: Node, right: Node) -> Node:
    """left - right, like terms collected."""
    return add([left, neg(right)])


def collect(parts: Iterable[Term]) -> list[Term]:
    """Terms with equal nodes added up; zeros left out."""
    found: dict[Node | None, Fraction] = {}
    for scale, node in parts:
        found[node] = found.get(node, Fraction(0)) + scale
    return [(c, n) for n, c in found.items() if c]


def from_terms(parts: Sequence[Term], dtype: Any) -> Node:
    """The sum of terms: positive ones first, so that it begins without a negation."""
    if not parts:
        return number(0, dtype)
    order = (
        sorted(parts, key=lambda t: (t[1] is None, t[0] < 0))
        if parts[0][0] < 0 or parts[0][1] is None
        else parts
    )
    first, *rest = order
    total = scaled(first[0], first[1], dtype)
    for scale, node in rest:
        part = scaled(abs(scale), node, dtype)
        total = plus(total, part) if scale > 0 else minus(total, part)
    return total


def mul(nodes: Sequence[Node]) -> Node:
    """The product of nodes, equal bases collected, products of exponentials merged."""
    dtype = nodes[0].tensor.dtype
    scale = ONE
    bases: dict[Node, int] = {}
    exponents: list[Node] = []
    for node in nodes:
        part, found = factors(node)
        scale *= part
        for base, exponent in found:
            if base.op.name == "exp":
                exponents.append(scaled(Fraction(exponent), base.inputs[0]))
            else:
                bases[base] = bases.get(base, 0) + exponent
    if exponents:
        total = add(exponents)
        if not _is(total, 0):
            bases[call("exp", total)] = 1
    return from_factors(scale, list(bases.items()), dtype)


def from_factors(scale: Fraction, found: Sequence[Factor], dtype: Any) -> Node:
    """scale * product of base ** exponent, in this order; roots squared are undone."""
    parts: list[Factor] = []
    for base, exponent in found:
        if base.op.name == "sqrt" and exponent % 2 == 0 and exponent:
            more, inner = factors(base.inputs[0])
            scale *= more ** (exponent // 2)
            parts += [(b, e * exponent // 2) for b, e in inner]
        elif base.op.name == "abs" and exponent % 2 == 0:
            parts.append((base.inputs[0], exponent))
        else:
            parts.append((base, exponent))
    parts = [(b, e) for b, e in _collected(parts) if e]
    if scale == 0:
        return number(0, dtype)
    if len(parts) == 1 and parts[0][1] == 1 and abs(scale) == 1 and scale < 0:
        return neg(parts[0][0])
    if not parts:
        return number(scale, dtype)
    return _emit(scale, parts, dtype)


def _collected(parts: Sequence[Factor]) -> list[Factor]:
    found: dict[Node, int] = {}
    for base, exponent in parts:
        found[base] = found.get(base, 0) + exponent
    return list(found.items())


def _emit(scale: Fraction, parts: Sequence[Factor], dtype: Any) -> Node:
    """Factors in order over the joined denominators; powers are divided before they are raised.

    x*x / y is (x / y) * x, and x*x / (y*y) is (x / y) squared: the range of the intermediates is
    that of the result.
    """
    below = [(b, -e) for b, e in parts if e < 0]
    total: Node | None = None
    for base, exponent in parts:
        while exponent > 0:
            power_below = below[0][1] if below and max(exponent, below[0][1]) > 1 else 0
            count = min(exponent, power_below) if 0 < power_below <= 4 and exponent <= 4 else 0
            if count:
                made = _power_of_quotient(base, below[0][0], count)
                below = (
                    [(below[0][0], power_below - count), *below[1:]]
                    if power_below > count
                    else below[1:]
                )
            else:
                made, count = power(base, exponent), exponent
            total = made if total is None else call("multiply", total, made)
            exponent -= count
    if total is None:
        return call("divide", number(scale, dtype), _joined(below))
    total = scaled(scale, total)
    return call("divide", total, _joined(below)) if below else total


def _power_of_quotient(top: Node, bottom: Node, exponent: int) -> Node:
    quotient = call("divide", top, bottom)
    if exponent == 1:
        return quotient
    if exponent == 2:
        return call("multiply", quotient, quotient)
    return call("pow", quotient, number(exponent, quotient.tensor.dtype))


def _joined(parts: Sequence[Factor]) -> Node:
    total = power(*parts[0])
    for base, exponent in parts[1:]:
        total = call("multiply", total, power(base, exponent))
    return total


def power(base: Node, exponent: int) -> Node:
    """base ** exponent for an integer; exponentials by their argument."""
    dtype = base.tensor.dtype
    if exponent == 1:
        return base
    if exponent == 0:
        return number(1, dtype)
    name = base.op.name
    if name == "exp":
        return call("exp", scaled(Fraction(exponent), base.inputs[0]))
    if name in ("sqrt", "abs") and exponent % 2 == 0:
        return from_factors(ONE, [(base, exponent)], dtype)
    if name in PRODUCTS or name == "constant":
        scale, found = factors(base)
        raised = [(b, e * exponent) for b, e in found]
        if (scale or exponent > 0) and raised != [(base, exponent)]:
            return from_factors(scale**exponent, raised, dtype)
    if exponent < 0:
        return call("divide", number(1, dtype), power(base, -exponent))
    if exponent == 2:
        return call("multiply", base, base)
    return call("pow", base, number(exponent, dtype))


def div(top: Node, bottom: Node) -> Node:
    """top / bottom, equal bases cancelled."""
    return mul([top, power(bottom, -1)]) if not _is(bottom, 1) else top
