"""A graph of the compiler as a drawing: what each node is called, and which nodes need no box.

Numbers and dims are written inside the operations that read them, as in ``_ * 2.0``. Graphs inside
nodes (bodies of loops) are drawn in a frame of their own, with arrows to the node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.literal import Writer
from symgraph.ir.node import Node
from symgraph.ir.text import attribute_texts
from symgraph.ir.type import TensorType
from symgraph.ir.views import INFIX, leaf_text
from symgraph.printing.notes import nbytes
from symgraph.trace.blame import Lines, lines_of

from .drawing import Cluster, Drawing, DrawnEdge, DrawnNode, Kind

HOLE = "_"  # stands for an input that has an arrow
LONGEST_ATTRIBUTES = 48  # characters below the name of an op; the whole is in the details
LEAVES: dict[str, Kind] = {
    "input": "input",
    "param": "input",
    "shared": "shared",
    "constant": "constant",
    "dim": "constant",
}


Note = Callable[[Node], Sequence[tuple[str, str]]]


def graph_drawing(
    graph: Graph,
    *,
    title: str = "",
    output_names: Sequence[str] = (),
    depth: int | None = None,
    edge_types: bool = False,
    note: Note = lambda node: (),
) -> Drawing:
    """The drawing of a graph, with a box for each output; ``output_names`` in their order.

    ``depth``: how many levels of graphs inside nodes are drawn; None draws all. ``edge_types``:
    dtype and shape on edges, not in boxes. ``note``: further details of a node.
    """
    found = _Parts(edge_types, note, lines_of(graph))
    pending: list[tuple[Graph, str | None, str | None]] = [(graph, None, None)]
    levels: dict[str | None, int] = {None: 0}
    for inner, cluster, owner in pending:  # grows while it is read
        is_open = depth is None or levels[cluster] < depth
        bodies = found.add(inner, cluster, is_open)
        levels |= {frame: levels[cluster] + 1 for _, frame, _ in bodies}
        pending += bodies
        for number, node in enumerate(inner.outputs):
            if owner is None:
                label = output_names[number] if number < len(output_names) else ""
                found.output(number, node, label or node.name or f"output {number}")
            else:
                found.edges.append(DrawnEdge(found.box(node, cluster), owner, label=f"{number}"))
    return Drawing(tuple(found.nodes), tuple(found.edges), tuple(found.clusters), title)


class _Parts:
    """Nodes, edges and frames as they are found."""

    def __init__(self, edge_types: bool, note: Note, lines: Mapping[Node, Lines]) -> None:
        self.edge_types, self.note, self.of_program = edge_types, note, lines
        self.nodes: list[DrawnNode] = []
        self.edges: list[DrawnEdge] = []
        self.clusters: list[Cluster] = []
        self.boxes: dict[tuple[Node, str | None], str] = {}
        self.writer = Writer(exact=False, elide=4)

    def add(
        self, graph: Graph, cluster: str | None, is_open: bool
    ) -> list[tuple[Graph, str | None, str | None]]:
        """Draw the nodes of a graph; gives the graphs inside them, with frame and owner."""
        inner: list[tuple[Graph, str | None, str | None]] = []
        for node in toposort(graph.params + graph.outputs):
            if _is_written_inside(node):
                continue
            own = self.box(node, cluster)
            for body in subgraphs(node) if is_open else ():
                frame = f"g{len(self.clusters)}"
                self.clusters.append(Cluster(frame, f"inside {node.op.name}", cluster))
                self.writer.graphs.setdefault(body, len(self.writer.graphs))
                inner.append((body, frame, own))
        return inner

    def box(self, node: Node, cluster: str | None) -> str:
        """The id of a node's box, drawn if it is not yet there."""
        key = (node, cluster)
        if key not in self.boxes:
            self.boxes[key] = f"n{len(self.boxes)}"
            self._draw(node, self.boxes[key], cluster)
        return self.boxes[key]

    def output(self, number: int, node: Node, label: str) -> None:
        """Draw the box of an output of the whole graph."""
        lines = (label,) if self.edge_types else (label, _type(node))
        self.nodes.append(DrawnNode(f"out{number}", lines, "output"))
        self.edges.append(DrawnEdge(self.box(node, None), f"out{number}", None, self._on(node)))

    def _on(self, node: Node) -> str:
        """What is written on the edges from a node."""
        return _type(node) if self.edge_types else ""

    def _draw(self, node: Node, own: str, cluster: str | None) -> None:
        kind = LEAVES.get(node.op.name, "op")
        attributes = [(k, v) for k, v in attribute_texts(node, self.writer) if k != "value"]
        lines = [self._head(node, kind)]
        if kind == "op":
            shown = ", ".join(f"{k}={v}" for k, v in attributes if v not in ("False", "None"))
            if shown and len(shown) <= LONGEST_ATTRIBUTES:
                lines.append(shown)
        if not self.edge_types:
            lines.append(_type(node))
        if kind == "op" and node.name is not None:
            lines.insert(0, f"{node.name} =")
        details = (*attributes, *_facts(node), *self._from(node), *self.note(node))
        self.nodes.append(
            DrawnNode(own, tuple(lines), kind, cluster, lines[0], details, node.op.name)
        )
        commutes = "commutative" in node.op.properties
        drawn = [i for i in node.inputs if not _is_written_inside(i)]
        for port, source in enumerate(drawn):
            slot = None if commutes else port
            self.edges.append(DrawnEdge(self.box(source, cluster), own, slot, self._on(source)))

    def _from(self, node: Node) -> list[tuple[str, str]]:
        """The lines of the program that made it."""
        return [("line", str(line)) for line in self.of_program[node]]

    def _head(self, node: Node, kind: Kind) -> str:
        """A leaf's name or value; an op's name, as a call if numbers are written inside."""
        if kind != "op":
            return leaf_text(node, self.writer)
        parts = [leaf_text(i, self.writer) if _is_written_inside(i) else HOLE for i in node.inputs]
        if all(part == HOLE for part in parts):
            return node.op.name
        if node.op.name in INFIX and len(parts) == 2:
            return f"{parts[0]} {INFIX[node.op.name][0]} {parts[1]}"
        return f"{node.op.name}({', '.join(parts)})"


def _is_written_inside(node: Node) -> bool:
    """Numbers and dims, which are read at many places and would draw arrows across the picture."""
    if node.op.name == "dim":
        return True
    return node.op.name == "constant" and node.tensor.shape == ()


def _facts(node: Node) -> list[tuple[str, str]]:
    """Dtype, and bytes where they are known, for views that ask."""
    facts = []
    if isinstance(node.type, TensorType):
        facts.append(("dtype", str(node.type.dtype)))
    size = nbytes(node.type)
    if isinstance(size, int):
        facts.append(("bytes", str(size)))
    return facts


def _type(node: Node) -> str:
    return str(node.type)
