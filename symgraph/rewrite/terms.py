"""Sums and products as lists: the n-ary view that rules match, and builders that simplify.

``sum_view`` flattens add, subtract and negative into terms ``coefficient * node``;
``product_view`` flattens multiply, divide and integer powers into factors ``base ** exponent``.
Coefficients are exact fractions. Views stop at ``MOST`` leaves, so that a chain of any length costs
a bounded time per node. They are for real floating dtypes only: integers wrap, and complex
products have other overflows.

The builders (``add``, ``mul``, ``power``, ...) collect equal parts and keep the order of the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgraph.ir.node import Node
from symgraph.rewrite.build import call, fraction, number

MOST = 16
MOST_POWER = 64  # integer powers up to here are exponents, others stay `pow`
ONE = Fraction(1)

Term = tuple[Fraction, Node | None]  # coefficient, node; None: the constant term
Factor = tuple[Node, int]  # base, exponent
Tree = Any  # int (a leaf's index) or ("add" | "subtract" | "negative", *trees)


@dataclass(frozen=True, slots=True)
class SumView:
    """Terms of a sum in order of appearance, and how they were put together."""

    leaves: tuple[Term, ...]
    tree: Tree
    ops: frozenset[str]


@dataclass(frozen=True, slots=True)
class ProductView:
    """A coefficient and factors, equal bases collected."""

    coefficient: Fraction
    factors: tuple[Factor, ...]
    ops: frozenset[str]


class _Memo(threading.local):
    def __init__(self) -> None:
        self.sums: dict[Node, SumView] = {}
        self.products: dict[Node, ProductView] = {}


_memo = _Memo()


def forget() -> None:
    """Drop the views remembered for this thread; the engine calls it after each run."""
    _memo.sums.clear()
    _memo.products.clear()


def is_real(node: Node) -> bool:
    """Is it one floating array (not integers, complex numbers, several results)?"""
    dtype = getattr(node.type, "dtype", None)
    return dtype is not None and dtype.kind == "f"


def coef(node: Node) -> Term:
    """The rational factor of a node and the rest: 3*x -> (3, x), -x -> (-1, x), 2 -> (2, None)."""
    scale = ONE
    while True:
        name = node.op.name
        if name == "constant":
            value = fraction(node)
            return (scale * value, None) if value is not None else (scale, node)
        if name == "negative":
            scale, node = -scale, node.inputs[0]
            continue
        if name == "multiply":
            left, right = node.inputs
            value = fraction(right)
            if value is not None:
                scale, node = scale * value, left
                continue
            value = fraction(left)
            if value is not None:
                scale, node = scale * value, right
                continue
        if name == "divide":
            value = fraction(node.inputs[1])
            if value:
                scale, node = scale / value, node.inputs[0]
                continue
        return scale, node


_SUMS = ("add", "subtract")


def sum_view(node: Node) -> SumView:
    """The terms of a node; a node that is no sum is one term."""
    found = _memo.sums.get(node)
    if found is None:
        found = _memo.sums[node] = _sum_view(node)
    return found


def _sum_view(root: Node) -> SumView:
    leaves: list[Node] = [root]
    tree: list[Any] = [0]  # cells: [leaf index] or [name, cell, cell]
    queue = [(tree, root)] if is_real(root) else []
    open_cells: list[tuple[list[Any], Node]] = []
    count = 1
    while queue:
        cell, node = queue.pop(0)
        name = node.op.name
        splits = name in _SUMS or (name == "negative" and node.inputs[0].op.name in _SUMS)
        if not splits or count >= MOST:
            open_cells.append((cell, node))
            continue
        children: list[list[Any]] = [[0] for _ in node.inputs]
        cell[:] = [name, *children]
        count += len(children) - 1
        queue = [*zip(children, node.inputs, strict=True), *queue]
    leaves.clear()
    for cell, node in open_cells:
        cell[0] = len(leaves)
        leaves.append(node)
    parts = tuple(coef(n) for n in leaves)
    if not queue and not open_cells:
        parts = ((ONE, root),)
    return SumView(parts, tree, frozenset(_name(t) for _, t in parts))


def _name(node: Node | None) -> str:
    return "constant" if node is None else family(core(node))


def core(node: Node) -> Node:
    """The node below insertions of axes of length 1 and broadcasts."""
    while node.op.name in ("expand_dims", "broadcast_to"):
        node = node.inputs[0]
    return node


FAMILIES = {"add": "+", "subtract": "+", "multiply": "*", "divide": "*", "negative": "*", "square": "*"}


def family(node: Node) -> str:
    """What a pattern is indexed by: `+` for sums, `*` for products, the op's name otherwise."""
    return FAMILIES.get(node.op.name, node.op.name)


def terms(node: Node) -> tuple[Term, ...]:
    """The terms of a sum, not collected."""
    return sum_view(node).leaves


def constant_term(node: Node) -> Fraction:
    """The constant term of a sum, 0 if there is none."""
    return sum((c for c, t in terms(node) if t is None), Fraction(0))


def replace_terms(node: Node, changes: Mapping[int, Node | None]) -> Node:
    """The sum with some terms replaced (None: left out); the other terms keep their grouping."""
    view = sum_view(node)
    made = _rebuild(view.tree, view, changes, node)
    return number(0, node.tensor.dtype) if made is None else made


def _rebuild(cell: Any, view: SumView, changes: Mapping[int, Node | None], node: Node) -> Node | None:
    if isinstance(cell[0], int):
        index = cell[0]
        if index in changes:
            return changes[index]
        scale, part = view.leaves[index]
        return number(scale, node.tensor.dtype) if part is None else scaled(scale, part)
    parts = [_rebuild(c, view, changes, node) for c in cell[1:]]
    if cell[0] == "negative":
        return None if parts[0] is None else neg(parts[0])
    left, right = parts
    if right is None:
        return left
    if left is None:
        return right if cell[0] == "add" else neg(right)
    return plus(left, right) if cell[0] == "add" else minus(left, right)


# Builders --------------------------------------------------------------------------------------


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
    if Fraction(float(dtype.type(float(scale)))) != scale and _exact(scale.denominator, dtype):
        if _exact(scale.numerator, dtype):
            top = scaled(Fraction(scale.numerator), node)
            return call("divide", top, number(scale.denominator, dtype))
    return call("multiply", node, number(scale, dtype))


def _exact(value: int, dtype: Any) -> bool:
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
    scale, part = coef(node)
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
    order = sorted(parts, key=lambda t: (t[1] is None, t[0] < 0)) if parts[0][0] < 0 or parts[0][1] is None else parts
    first, *rest = order
    total = scaled(first[0], first[1], dtype)
    for scale, node in rest:
        part = scaled(abs(scale), node, dtype)
        total = plus(total, part) if scale > 0 else minus(total, part)
    return total


_PRODUCTS = ("multiply", "divide", "negative", "square", "pow", "reciprocal")


def product_view(node: Node) -> ProductView:
    """Coefficient and factors of a node; a node that is no product is one factor."""
    found = _memo.products.get(node)
    if found is None:
        found = _memo.products[node] = _product_view(node)
    return found


def integer_power(node: Node) -> int | None:
    """k where the node is base ** k for a small integer constant k."""
    if node.op.name != "pow":
        return None
    value = fraction(node.inputs[1])
    return int(value) if value is not None and value.denominator == 1 and abs(value) <= MOST_POWER else None


def _product_view(root: Node) -> ProductView:
    scale = ONE
    found: dict[Node, int] = {}
    stack: list[Factor] = [(root, 1)]
    room = MOST
    while stack:
        node, exponent = stack.pop()
        name = node.op.name
        if name in _PRODUCTS and room > 0 and is_real(root):
            children = _split(node, exponent)
            if children is not None:
                room -= len(children) - 1
                scale = -scale if name == "negative" and exponent % 2 else scale
                stack.extend(reversed(children))
                continue
        value = fraction(node) if name == "constant" else None
        if value is not None and (value or exponent > 0) and is_real(root):
            scale *= value**exponent
        else:
            found[node] = found.get(node, 0) + exponent
    return ProductView(scale, tuple((b, e) for b, e in found.items() if e), frozenset(_name(b) for b in found))


def _split(node: Node, exponent: int) -> list[Factor] | None:
    name, inputs = node.op.name, node.inputs
    if name == "multiply":
        return [(inputs[0], exponent), (inputs[1], exponent)]
    if name == "divide":
        return [(inputs[0], exponent), (inputs[1], -exponent)]
    if name == "negative":
        return [(inputs[0], exponent)]
    if name == "square":
        return [(inputs[0], 2 * exponent)]
    if name == "reciprocal":
        return [(inputs[0], -exponent)]
    power_of = integer_power(node)
    return None if power_of is None else [(inputs[0], power_of * exponent)]


def factors(node: Node) -> tuple[Fraction, tuple[Factor, ...]]:
    """Coefficient and factors of a product, equal bases collected."""
    view = product_view(node)
    return view.coefficient, view.factors


def mul(nodes: Sequence[Node]) -> Node:
    """The product of nodes, equal bases collected, products of exponentials merged."""
    dtype = nodes[0].tensor.dtype
    scale, bases = ONE, {}
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
    """Factors in order; neighbouring denominators make one quotient. A fraction goes on top."""
    if all(e < 0 for _, e in parts):
        top = number(scale, dtype)
        return call("divide", top, _joined([(b, -e) for b, e in parts]))
    total: Node | None = None
    pending: list[Factor] = []
    for base, exponent in parts:
        if exponent < 0:
            pending.append((base, -exponent))
            continue
        if pending and total is not None:
            total, pending = call("divide", total, _joined(pending)), []
        total = power(base, exponent) if total is None else call("multiply", total, power(base, exponent))
    assert total is not None
    total = scaled(scale, total)
    return call("divide", total, _joined(pending)) if pending else total


def _joined(parts: Sequence[Factor]) -> Node:
    total = power(*parts[0])
    for base, exponent in parts[1:]:
        total = call("multiply", total, power(base, exponent))
    return total


def power(base: Node, exponent: int) -> Node:
    """base ** exponent for an integer: squares by multiplication, exponentials by their argument."""
    dtype = base.tensor.dtype
    if exponent == 1:
        return base
    if exponent == 0:
        return number(1, dtype)
    name = base.op.name
    if name == "exp":
        return call("exp", scaled(Fraction(exponent), base.inputs[0]))
    if name in _PRODUCTS or name == "constant" or (name in ("sqrt", "abs") and exponent % 2 == 0):
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
