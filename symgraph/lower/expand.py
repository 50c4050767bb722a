"""Composite ops written out with simpler ones, in graphs and in the bodies that they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node, rebuild
from symgraph.ir.origin import as_if_at
from symgraph.ir.variable import Variable

MOST_ROUNDS = 32  # an expansion may use composites again; none of ours nests deeper than five


DIRECT: dict[str, Callable[[Node], bool]] = {
    "matmul": lambda node: node.tensor.dtype.kind not in "biu",
    "argsort": lambda node: bool(node.attrs["axis"] == node.tensor.ndim - 1),
    "sort": lambda node: False,
}
"""Library ops with an expansion: where the routine does the node as it is."""


def needs_expansion(node: Node) -> bool:
    """Is it written with other ops before lowering?"""
    if node.op.name in DIRECT:
        return not DIRECT[node.op.name](node)
    return node.op.kind == "composite"


def expand(outputs: Sequence[Node]) -> tuple[Node, ...]:
    """Outputs without composite ops. Lines pass on to what replaces them."""
    bodies: dict[Graph, Graph] = {}
    nodes = tuple(outputs)
    for _ in range(MOST_ROUNDS):
        changed = _round(nodes, bodies)
        if changed == nodes:
            return nodes
        nodes = changed
    raise AssertionError("an expansion does not end")


def _round(outputs: tuple[Node, ...], bodies: dict[Graph, Graph]) -> tuple[Node, ...]:
    made: dict[Node, Node] = {}
    several: dict[Node, tuple[Node, ...]] = {}
    for node in toposort(outputs):
        if node.op.name == "proj" and node.inputs[0] in several:
            made[node] = several[node.inputs[0]][node.attrs["index"]]
            continue
        inputs = tuple(made[i] if i not in several else i for i in node.inputs)
        if not needs_expansion(node):
            made[node] = rebuild(node, inputs, _attrs(node, bodies))
            continue
        found = _expanded(node, inputs)
        if isinstance(found, tuple):
            several[node] = found
        else:
            made[node] = found
    return tuple(made[o] for o in outputs)


def _expanded(node: Node, inputs: tuple[Node, ...]) -> Node | tuple[Node, ...]:
    assert node.op.expand is not None, f"{node.op.name} has no expansion"
    outside = as_if_at(node.lines)
    try:
        found = node.op.expand(*[Variable(i) for i in inputs], **node.attrs)
    finally:
        as_if_at(outside)
    if isinstance(found, tuple | list):
        return tuple(v.node for v in found)
    result: Node = found.node
    assert result.type == node.type or _alike(result, node), (
        f"{node.op.name} expands to {result.type}, not {node.type}"
    )
    return result


def _alike(a: Node, b: Node) -> bool:
    """Same dtype and rank: dims may be written differently."""
    return a.tensor.dtype == b.tensor.dtype and a.tensor.ndim == b.tensor.ndim


def _attrs(node: Node, bodies: dict[Graph, Graph]) -> Any:
    held = {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
    if not held:
        return None
    changed = dict(node.attrs)
    for key, graph in held.items():
        if graph not in bodies:
            bodies[graph] = Graph(graph.params, expand(graph.outputs))
        changed[key] = bodies[graph]
    return changed if any(changed[k] is not node.attrs[k] for k in held) else None
