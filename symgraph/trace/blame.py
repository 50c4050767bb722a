"""Which line a value that reads no input belongs to: that of what reads it.

Nodes are shared by all programs of a process: ``1.0`` is one node, whoever wrote it first, and so
is ``zeros(n)``. Constants have no lines for that reason; here they get those of their readers, and
what is made of constants alone keeps only such lines as its readers have too, if there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.node import Node
from symgraph.ir.origin import Line
from symgraph.trace.format import Row, StepRow

FROM_OUTSIDE = ("input", "shared", "param")
Lines = tuple[Line, ...]
K = TypeVar("K", bound=Hashable)


def blamed(rows: Sequence[Row], steps: Sequence[StepRow]) -> list[Row]:
    """Rows with the lines of the program whose trace this is."""
    reads: dict[int, tuple[int, ...]] = {k: row.inputs for k, row in enumerate(rows)}
    for step in steps:
        for key, inputs in step.delta.inputs.items():
            reads[key] = (*reads[key], *inputs)
    closed: list[bool] = []
    for row in rows:  # which read rows before them
        inner = all(closed[i] for i in row.inputs) and not row.bodies
        closed.append(inner and row.op not in FROM_OUTSIDE)
    found = _settled(range(len(rows)), reads, closed.__getitem__, lambda k: rows[k].lines)
    return [replace(row, lines=found[k]) if closed[k] else row for k, row in enumerate(rows)]


def lines_of(graph: Graph) -> dict[Node, Lines]:
    """The lines of all nodes of a graph, and of those inside it, as a part of this program."""
    order: dict[Node, None] = {}
    pending = [graph]
    for inner in pending:  # grows while it is read
        nodes = toposort((*inner.params, *inner.outputs))
        order |= dict.fromkeys(nodes)
        pending += [body for node in nodes for body in subgraphs(node)]
    known = sorted(order, key=lambda node: node.number)
    closed: dict[Node, bool] = {}
    for node in known:
        inner_ones = all(closed[i] for i in node.inputs) and not any(subgraphs(node))
        closed[node] = inner_ones and node.op.name not in FROM_OUTSIDE
    reads = {node: node.inputs for node in known}
    return _settled(known, reads, closed.__getitem__, lambda node: node.lines)


def _settled(
    order: Iterable[K],
    reads: Mapping[K, Sequence[K]],
    is_closed: Callable[[K], bool],
    own: Callable[[K], Lines],
) -> dict[K, Lines]:
    """Lines by key; ``order`` has what is read before what reads it."""
    found: dict[K, Lines] = {}
    theirs: dict[K, dict[Line, None]] = {}
    for key in reversed(list(order)):
        lines = own(key)
        if is_closed(key) and key in theirs:
            lines = tuple(x for x in lines if x in theirs[key]) or tuple(theirs[key]) or lines
        found[key] = lines
        for read in reads[key]:
            theirs.setdefault(read, {}).update(dict.fromkeys(lines))
    return found
