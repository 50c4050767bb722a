"""A step's values for all turns at once: ``y[t] = f(x[t])`` as ``y = f(x)`` over one more axis.

``Batch`` maps nodes of a scan's step, given what some of them are over all turns, to nodes outside.
It knows elementwise ops, movements, reductions, and products with a matrix that does not change,
which become one large product. What else there is stays in the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from symgraph.ir.dim import DimLike
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.records import dataclass, field


@dataclass(slots=True)
class Batch:
    """Nodes of a step over all turns: ``known`` has a leading axis of ``length`` more."""

    length: DimLike
    known: dict[Node, Node] = field(default_factory=dict)

    def can(self, node: Node, inner: set[Node]) -> bool:
        """Is there a rule for a node, of whose inputs those in ``inner`` change with the turn?"""
        if not isinstance(node.type, TensorType):
            return False
        if node.op.kind == "elementwise":
            return True
        if node.op.name == "matmul":
            left, right = node.inputs
            if left.tensor.ndim != 2 or right.tensor.ndim != 2:
                return False
            return right not in inner or (left not in inner and _is_column(right))
        if node.op.name == "concat":
            return all(i in inner for i in node.inputs)
        is_reduction = node.op.kind == "reduction" and node.op.name in ("sum", "max", "min", "prod")
        return (node.op.name in _MOVED or is_reduction) and len(node.inputs) == 1

    def nodes(self, wanted: Iterable[Node]) -> list[Node]:
        """Nodes over all turns; everything below them is known, cannot change, or has a rule."""
        wanted = list(wanted)
        for node in toposort(wanted, stop=self.known.__contains__):
            if node not in self.known and any(i in self.known for i in node.inputs):
                self.known[node] = self._made(node)
        return [self.known[n] for n in wanted]

    def _made(self, node: Node) -> Node:
        if node.op.kind == "elementwise":
            inputs = [self._aligned(i, node.tensor.ndim) for i in node.inputs]
            return make_node(node.op, inputs, node.attrs, lines=node.lines)
        if node.op.name == "matmul":
            return self._product(node)
        inputs = [self.known[i] for i in node.inputs]
        attrs = dict(node.attrs)
        if node.op.name == "squeeze" and inputs[0].op.name == "expand_dims":
            (before,), axes = inputs[0].inputs, inputs[0].attrs["axes"]
            if axes == _axes(attrs, self.length)["axes"]:
                return before
        if node.op.name == "concat":
            attrs["axis"] += 1
        elif node.op.name in _MOVED:
            attrs = _MOVED[node.op.name](attrs, self.length)
        else:
            attrs["axes"] = tuple(a + 1 for a in attrs["axes"])
        return make_node(node.op, inputs, attrs, lines=node.lines)

    def _product(self, node: Node) -> Node:
        """One product of all rows; w @ columns is that of the columns as rows, and of w.mT."""
        left, right = node.inputs
        if left in self.known:
            inputs = [self.known[left], right]
            return make_node(node.op, inputs, node.attrs, lines=node.lines)
        found = self.known[right]
        if found.op.name == "expand_dims" and found.attrs["axes"] == (2,):
            (rows,) = found.inputs
        else:
            rows = make_node(find_op("squeeze"), (found,), {"axes": (2,)}, lines=())
        turned = make_node(find_op("permute_dims"), (left,), {"axes": (1, 0)}, lines=())
        made = make_node(node.op, (rows, turned), node.attrs, lines=node.lines)
        return make_node(find_op("expand_dims"), (made,), {"axes": (2,)}, lines=())

    def _aligned(self, node: Node, rank: int) -> Node:
        """An operand with axes of length 1 after that of the turns, so that it broadcasts."""
        if node not in self.known:
            return node
        found = self.known[node]
        missing = rank - node.tensor.ndim
        if not missing:
            return found
        axes = tuple(range(1, 1 + missing))
        return make_node(find_op("expand_dims"), (found,), {"axes": axes}, lines=())


def _is_column(node: Node) -> bool:
    return node.tensor.shape[1] == 1


def _axes(attrs: Mapping[str, object], length: DimLike) -> dict[str, object]:
    axes = attrs["axes"]
    assert isinstance(axes, tuple)
    return {**attrs, "axes": tuple(a + 1 for a in axes)}


def _permuted(attrs: Mapping[str, object], length: DimLike) -> dict[str, object]:
    return {**attrs, "axes": (0, *_axes(attrs, length)["axes"])}  # type: ignore[misc]


def _cut(attrs: Mapping[str, object], length: DimLike) -> dict[str, object]:
    lead = {"starts": 0, "steps": 1, "lengths": length}
    return {**attrs, **{k: (first, *attrs[k]) for k, first in lead.items()}}  # type: ignore[misc]


def _shaped(attrs: Mapping[str, object], length: DimLike) -> dict[str, object]:
    return {**attrs, "shape": (length, *attrs["shape"])}  # type: ignore[misc]


_MOVED: dict[str, Callable[..., dict[str, object]]] = {
    "expand_dims": _axes,
    "squeeze": _axes,
    "permute_dims": _permuted,
    "slice": _cut,
    "reshape": _shaped,
}
