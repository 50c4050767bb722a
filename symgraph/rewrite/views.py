"""Sums and products as lists: the n-ary view that rules match, and builders that simplify.

``sum_view`` flattens add, subtract and negative into terms ``coefficient * node``;
``product_view`` flattens multiply, divide and integer powers into factors ``base ** exponent``.
Coefficients are exact fractions. Views stop at ``MOST`` leaves, so that a chain of any length costs
a bounded time per node. They are for real floating dtypes only: integers wrap, and complex
products have other overflows.

What makes sums and products is in ``terms.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from symgraph.ir.node import Node
from symgraph.records import dataclass
from symgraph.rewrite.build import fraction
from symgraph.rewrite.exact import Fraction

MOST = 12
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
        self.kept = 0  # blocks that keep them


_memo = _Memo()


def forget() -> None:
    """Drop the views remembered for this thread, if no block keeps them: after each run."""
    if not _memo.kept:
        _memo.sums.clear()
        _memo.products.clear()


@contextmanager
def kept_views() -> Iterator[None]:
    """Views are remembered from run to run meanwhile: most nodes are those of the run before."""
    _memo.kept += 1
    try:
        yield
    finally:
        _memo.kept -= 1
        forget()


def is_real(node: Node) -> bool:
    """Is it one floating array (not integers, complex numbers, several results)?"""
    dtype = getattr(node.type, "dtype", None)
    return dtype is not None and dtype.kind == "f"


def coef(node: Node) -> Term:
    """The rational factor of a node and the rest: 3*x -> (3, x), -x -> (-1, x), 2 -> (2, None)."""
    scale = ONE
    while True:
        name = node.op.name
        if name == "multiply":
            left, right = node.inputs
            if (value := fraction(right)) is not None:
                node = left
            elif (value := fraction(left)) is not None:
                node = right
            else:
                return scale, node
            scale = value if scale is ONE else scale * value
        elif name == "divide" and (value := fraction(node.inputs[1])):
            scale, node = scale / value, node.inputs[0]
        elif name == "negative":
            scale, node = -scale, node.inputs[0]
        elif name == "constant" and (value := fraction(node)) is not None:
            return (value if scale is ONE else scale * value), None
        else:
            return scale, node


_SUMS = ("add", "subtract")


def sum_view(node: Node) -> SumView:
    """The terms of a node; a node that is no sum is one term."""
    found = _memo.sums.get(node)
    if found is None:
        found = _memo.sums[node] = _sum_view(node)
    return found


def _sum_view(root: Node) -> SumView:
    tree: list[Any] = [0]  # cells: [leaf index] or [name, cell, cell]
    leaves: list[Term] = []
    stack = [(tree, root, ONE)] if is_real(root) else []
    count = 1
    while stack:
        cell, node, sign = stack.pop()
        name = node.op.name
        splits = name in _SUMS or (name == "negative" and node.inputs[0].op.name in _SUMS)
        if not splits or count >= MOST:
            cell[0] = len(leaves)
            scale, part = coef(node)
            leaves.append((scale if sign is ONE else sign * scale, part))
            continue
        last = sign if name == "add" else -sign
        if name == "negative":
            inner: list[Any] = [0]
            cell[:] = [name, inner]
            stack.append((inner, node.inputs[0], last))
            continue
        left: list[Any] = [0]
        right: list[Any] = [0]
        cell[:] = [name, left, right]
        count += 1
        stack.append((right, node.inputs[1], last))
        stack.append((left, node.inputs[0], sign))
    parts = tuple(leaves) or ((ONE, root),)
    return SumView(parts, tree, _families(n for _, n in parts))


def _families(nodes: Iterable[Node | None]) -> frozenset[str]:
    """Families met: of each node, and of what it moves."""
    found: set[str] = set()
    for node in nodes:
        if node is None:
            found.add("constant")
        else:
            found.update((family(node), family(core(node))))
    return frozenset(found)


MOVEMENTS = frozenset(
    [
        "reshape",
        "permute_dims",
        "expand_dims",
        "squeeze",
        "broadcast_to",
        "flip",
        "roll",
        "tile",
        "repeat",
        "slice",
        "take",
        "take_along_axis",
        "gather",
    ]
)


def core(node: Node) -> Node:
    """The node below movements (reshape, index, broadcast, ...)."""
    while node.op.name in MOVEMENTS:
        node = node.inputs[0]
    return node


FAMILIES = {
    "add": "+",
    "subtract": "+",
    "multiply": "*",
    "divide": "*",
    "negative": "*",
    "square": "*",
}


def family(node: Node) -> str:
    """What a pattern is indexed by: `+` for sums, `*` for products, the op's name otherwise."""
    return FAMILIES.get(node.op.name, node.op.name)


def terms(node: Node) -> tuple[Term, ...]:
    """The terms of a sum, not collected."""
    return sum_view(node).leaves


def constant_term(node: Node) -> Fraction:
    """The constant term of a sum, 0 if there is none."""
    return sum((c for c, t in terms(node) if t is None), Fraction(0))


PRODUCTS = ("multiply", "divide", "negative", "square", "pow", "reciprocal")


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
    return (
        int(value)
        if value is not None and value.denominator == 1 and abs(value) <= MOST_POWER
        else None
    )


def _product_view(root: Node) -> ProductView:
    scale = ONE
    found: dict[Node, int] = {}
    stack: list[Factor] = [(root, 1)]
    room = MOST
    while stack:
        node, exponent = stack.pop()
        name = node.op.name
        if name in PRODUCTS and room > 0 and is_real(root):
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
    return ProductView(scale, tuple((b, e) for b, e in found.items() if e), _families(found))


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
