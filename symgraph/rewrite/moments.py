"""Means, and squares about them: float32 rows are visited once, with sums in float64.

Sums of float32 numbers are accumulated in float64 anyway; so the mean is known to twice the digits
of a float32 number, and the squares about it need no second visit:

    y = x - x[0];  s = sum(y);  q = sum(y**2)  -->  mean = x[0] + s / n,  squares = q - s**2 / n

x[0] is one of the numbers, so (mean - x[0])**2 is at most the sum of squares: the difference loses
a factor of n at most, 12 of the 29 bits that float64 has beyond float32. So also Chan, Golub &
LeVeque 1983, Am. Stat. 37, on shifted data.
"""

from __future__ import annotations

import math

from symgraph.ir.dtype import FLOAT32, FLOAT64
from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.axes import kept_reduction
from symgraph.rewrite.build import call, number
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.linalg import REORDERS
from symgraph.rewrite.rule import Rule, rule

MOST_CENTRED = 4096  # elements of a row that is read again at the speed of a first cache
CHAN = "Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance"
Axes = tuple[int, ...]


def about_mean(node: Node) -> tuple[Fraction, Node, Axes] | None:
    """(c, x, axes) where the node is c * (x - mean(x, axes)), of known length short enough."""
    parts = t.terms(node)
    means = [(k, c, p) for k, (c, p) in enumerate(parts) if p is not None and _is_mean(p)]
    if len(means) != 1 or node.tensor.dtype.kind != "f":
        return None
    k, c, part = means[0]
    reduced = kept_reduction(part)
    if reduced is None or reduced.op.name != "mean":
        return None
    x, axes = reduced.inputs[0], reduced.attrs["axes"]
    if x.tensor.shape != node.tensor.shape or x.tensor.dtype != node.tensor.dtype:
        return None
    own, others = t.terms(x), [row for j, row in enumerate(parts) if j != k]
    if any(p is not None and _is_mean(p) for _, p in own) or t.collect(
        [*others, *((c * d, p) for d, p in own)]
    ):
        return None
    return -c, x, axes


def _is_mean(node: Node) -> bool:
    return t.core(node).op.name == "mean"


def _count(x: Node, axes: Axes) -> int | None:
    """Elements along axes, if they are few enough to stay in a cache."""
    sizes = [x.tensor.shape[a] for a in axes]
    known = [n for n in sizes if isinstance(n, int)]
    total = math.prod(known)
    return total if len(known) == len(sizes) and 0 < total <= MOST_CENTRED else None


@rule.compute(
    SUMS,
    needs="mean",
    lifts=False,
    why="the rounding of the mean stays in every difference from it",
    source=CHAN,
)
def centred_twice(node: Node) -> Node | None:
    """x - mean(x) --> d - mean(d) with d = x - mean(x); of float32 with a mean in two parts."""
    found = about_mean(node)
    if found is None:
        return None
    scale, x, axes = found
    count = _count(x, axes)
    if count is None:
        return None
    if node.tensor.dtype == FLOAT32:
        wide = _wide_mean(x, axes, count)
        high = call("astype", wide, dtype=FLOAT32)
        low = call("subtract", wide, call("astype", high, dtype=FLOAT64))
        near = call("subtract", x, high)
        return t.scaled(scale, call("subtract", near, call("astype", low, dtype=FLOAT32)))
    again = call("expand_dims", call("mean", node, axes=axes), axes=axes)
    return call("subtract", node, again)


def _shifted(x: Node, axes: Axes) -> tuple[Node, Node]:
    """The first number of each row, with kept axes, and what all are above it, in float64."""
    shape = x.tensor.shape
    rank = len(shape)
    lengths = tuple(1 if a in axes else n for a, n in enumerate(shape))
    first = call("slice", x, starts=(0,) * rank, steps=(1,) * rank, lengths=lengths)
    base = call("astype", first, dtype=FLOAT64)
    return base, call("subtract", call("astype", x, dtype=FLOAT64), base)


def _wide_mean(x: Node, axes: Axes, count: int) -> Node:
    """The mean in float64, with kept axes."""
    base, above = _shifted(x, axes)
    mean = call("divide", call("sum", above, axes=axes), number(count, FLOAT64))
    return call("add", base, call("expand_dims", mean, axes=axes))


@rule.compute(
    "sum mean var",
    early=True,
    lifts=False,
    why="squares about a mean are taken in the visit that takes the mean",
    source=CHAN,
)
def squares_about_mean(node: Node) -> Node | None:
    """sum((x - mean(x))**2) --> sum(y**2) - sum(y)**2 / n in float64, with y = x - x[0]."""
    axes = node.attrs["axes"]
    scale, x = Fraction(1), node.inputs[0]
    if node.tensor.dtype != FLOAT32 or x.tensor.dtype != FLOAT32:
        return None
    if node.op.name != "var":
        outer, found = t.factors(x)
        centred = about_mean(found[0][0]) if len(found) == 1 and found[0][1] == 2 else None
        if centred is None or centred[2] != axes:
            return None
        inner, x, _ = centred
        scale = outer * inner**2
    count = _count(x, axes)
    if count is None:
        return None
    _, above = _shifted(x, axes)
    total = call("sum", above, axes=axes)
    squares = call("sum", call("multiply", above, above), axes=axes)
    mean = call("divide", total, number(count, FLOAT64))
    made = call("subtract", squares, call("multiply", total, mean))
    if node.op.name != "sum":
        less = node.attrs["correction"] if node.op.name == "var" else 0.0
        made = call("divide", made, number(max(count - less, 0.0), FLOAT64))
    return t.scaled(scale, call("astype", made, dtype=FLOAT32))


@rule.compute(
    "sum mean",
    needs="*",
    lifts=False,
    why="a number of the row divides once, not each element; float64 has the range for both orders",
    source="distributivity",
    changes=REORDERS,
)
def quotient_of_sum(node: Node) -> Node | None:
    """sum(x / c) --> sum(x) / c in float64, for float32 x and c without the axes of the sum."""
    inner, axes = node.inputs[0], node.attrs["axes"]
    if inner.op.name != "divide" or node.tensor.dtype != FLOAT32:
        return None
    top, bottom = inner.inputs
    if not is_constant_along(bottom, axes, inner.tensor.ndim) or bottom.op.name == "constant":
        return None
    if top.tensor.shape != inner.tensor.shape or inner.tensor.dtype != FLOAT32:
        return None
    total = call(node.op.name, call("astype", top, dtype=FLOAT64), axes=axes)
    kept = call("expand_dims", total, axes=axes)
    made = call("divide", kept, call("astype", bottom, dtype=FLOAT64))
    return call("astype", call("squeeze", made, axes=axes), dtype=FLOAT32)


def is_constant_along(node: Node, axes: Axes, rank: int) -> bool:
    """Is a node that meets an array of so many axes the same number along some of them?"""
    offset = rank - node.tensor.ndim
    return all(a < offset or node.tensor.shape[a - offset] == 1 for a in axes)


@rule.compute(
    "sum mean",
    needs="+ *",
    why="differences from their mean add up to nothing but rounding errors",
    source="definition of the mean",
    changes=REORDERS,
)
def deviations_cancel(node: Node) -> Node | None:
    """sum(a + c * (x - mean(x))) --> sum(a), for c without the axes of the sum and the mean."""
    inner, axes = node.inputs[0], node.attrs["axes"]
    parts = t.terms(inner)
    gone = [k for k, (_, p) in enumerate(parts) if p is not None and _vanishes(p, inner, axes)]
    if not gone:
        return None
    left = t.replace_terms(inner, dict.fromkeys(gone))
    if left.tensor.shape != inner.tensor.shape:
        left = call("broadcast_to", left, shape=inner.tensor.shape)
    return call(node.op.name, left, axes=axes)


def _vanishes(term: Node, inner: Node, axes: Axes) -> bool:
    """Is a term a difference from its mean, times what is constant along axes?"""
    _, found = t.factors(term)
    constant = [is_constant_along(b, axes, inner.tensor.ndim) for b, _ in found]
    varying = [(b, e) for (b, e), c in zip(found, constant, strict=True) if not c]
    if len(varying) != 1 or varying[0][1] != 1:
        return False
    (base, _), *_ = varying
    centred = about_mean(base)
    return centred is not None and centred[2] == axes and base.tensor.shape == inner.tensor.shape


DEVIATIONS: tuple[Rule, ...] = (deviations_cancel,)
MOMENTS: tuple[Rule, ...] = (centred_twice, squares_about_mean, quotient_of_sum)
