"""Nodes that become library calls: matrix products, sorting. One function per op, in ``LIBRARY``.

A product reads ``x.mT`` without copying: the transposition becomes an attribute. Leading axes are a
batch; an operand whose batch is all ones is used for every product (its stride is 0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from symgraph.ir.dim import mul, product
from symgraph.ir.node import Node
from symgraph.loop.ir import Library
from symgraph.lower.demand import swaps_last_axes, transposed_base
from symgraph.lower.stage import Storage

WIDE = 8  # bytes of a number whose halves are sorted one after the other

if TYPE_CHECKING:
    from symgraph.lower.program import Segment


def matmul(segment: Segment, node: Node, target: Storage) -> None:
    """x (..., m, k) @ y (..., k, n) by a routine for matrix products."""
    left, right = node.inputs
    b = segment.b
    *batch, m, n = node.tensor.shape
    k = left.tensor.shape[-1]
    x, y = (segment.stored(transposed_base(i)) for i in (left, right))
    flags = (("trans_a", swaps_last_axes(left)), ("trans_b", swaps_last_axes(right)))
    sizes = [b.size(m), b.size(n), b.size(k)]
    batches = [i.tensor.shape[:-2] for i in (left, right)]
    base = segment.clusters.base  # products count elements: a reshaped buffer is the buffer itself
    buffers = (base(x.name), base(y.name), target.name)
    is_one = all(d == 1 for d in batches[1]) and not swaps_last_axes(left)
    if is_one and batches[0] == tuple(batch):  # x (..., m, k) @ y (k, n): all rows at once
        sizes[0] = b.size(mul(product(tuple(batch)), m))
        call = Library("gemm", buffers, tuple(sizes), flags)
    elif all(d == 1 for d in batch):
        call = Library("gemm", buffers, tuple(sizes), flags)
    else:
        shared = tuple(
            (f"shared_{x}", all(d == 1 for d in dims))
            for x, dims in zip("ab", batches, strict=True)
        )
        call = Library(
            "gemm_batched", buffers, (b.size(product(tuple(batch))), *sizes), (*flags, *shared)
        )
    segment.step(call, buffers[:2], buffers[2:])


def argsort(segment: Segment, node: Node, target: Storage) -> None:
    """Indices that sort the last axis, ties in order."""
    tensor = node.inputs[0].tensor
    if tensor.dtype.itemsize < WIDE:
        _rows(segment, "argsort", node, (target,))
        return
    more = segment.lowering.temporary(node, tensor.shape, target.dtype)
    _rows(segment, "argsort_wide", node, (target, more))


def sort(segment: Segment, node: Node, target: Storage) -> None:
    """The last axis in order."""
    _rows(segment, "sort", node, (target,))


def _rows(segment: Segment, name: str, node: Node, written: tuple[Storage, ...]) -> None:
    """A routine that goes through the rows of its operand."""
    (source,) = node.inputs
    b, *rest = segment.b, *source.tensor.shape
    x, made = segment.clusters.base(segment.stored(source).name), tuple(s.name for s in written)
    sizes = (b.size(product(tuple(rest[:-1]))), b.size(rest[-1]))
    segment.step(Library(name, (x, *made), sizes), (x,), made)


LIBRARY: dict[str, Callable[[Segment, Node, Storage], None]] = {
    "matmul": matmul,
    "argsort": argsort,
    "sort": sort,
}
