"""Which axis became which: through insertions of axes of length 1, broadcasts and such reshapes.

Reductions never keep their axes in the graph; ``keepdims`` is an ``expand_dims`` (or a reshape)
around them. Rules see through that with ``kept_reduction``.
"""

from __future__ import annotations

from symgraph.ir.node import Node, rebuild


def axis_map(node: Node) -> tuple[Node, tuple[int | None, ...]]:
    """The node below expand_dims, broadcast_to and reshapes that add 1s; its axis for each axis."""
    chain: list[Node] = []
    while node.op.name in ("expand_dims", "broadcast_to") or (
        node.op.name == "reshape" and _adds_ones(node)
    ):
        chain.append(node)
        node = node.inputs[0]
    axes: tuple[int | None, ...] = tuple(range(node.tensor.ndim))
    for outer in reversed(chain):
        axes = _outer_axes(outer, axes)
    return node, axes


def _adds_ones(node: Node) -> bool:
    inner = [d for d in node.inputs[0].tensor.shape if d != 1]
    return inner == [d for d in node.tensor.shape if d != 1]


def _outer_axes(outer: Node, axes: tuple[int | None, ...]) -> tuple[int | None, ...]:
    shape, inner = outer.tensor.shape, outer.inputs[0].tensor.shape
    if outer.op.name == "broadcast_to":
        missing = len(shape) - len(inner)
        return (None,) * missing + axes
    if outer.op.name == "expand_dims":
        left = iter(axes)
        new = set(outer.attrs["axes"])
        return tuple(None if k in new else next(left) for k in range(len(shape)))
    kept = iter([a for a, d in zip(axes, inner, strict=True) if d != 1])
    return tuple(None if d == 1 else next(kept) for d in shape)


def kept_reduction(node: Node) -> Node | None:
    """The reduction that this node is, seen with its axes kept as 1; None if it is none.

    Axis k (counted from the end) of the node must be axis k of the reduction's input, so that the
    node meets that input elementwise as ``keepdims=True`` would.
    """
    inner, axes = axis_map(node)
    if (
        inner.op.kind not in ("reduction", "composite")
        or "axes" not in inner.attrs
        or len(inner.inputs) != 1
    ):
        return None
    given = inner.inputs[0].tensor
    if inner.tensor.ndim != given.ndim - len(inner.attrs["axes"]):
        return None  # softmax and its kin have axes, but keep their shape
    left = [k for k in range(given.ndim) if k not in inner.attrs["axes"]]
    offset = given.ndim - len(axes)
    if offset < 0:
        return None
    for position, axis in enumerate(axes):
        if axis is not None and left[axis] != position + offset and given.shape[left[axis]] != 1:
            return None
    return (
        inner
        if all(k in axes or inner.tensor.shape[k] == 1 for k in range(inner.tensor.ndim))
        else None
    )


def moved(outer: Node, inner: Node, made: Node) -> Node:
    """``made`` in the place of ``inner`` below the movements of ``outer``."""
    chain = []
    while outer is not inner:
        chain.append(outer)
        outer = outer.inputs[0]
    for step in reversed(chain):
        made = rebuild(step, (made, *step.inputs[1:]))
    return made
