"""How many lanes a call of a graph could compute slowly: the elements of its guarded values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symgraph.ir.dim import Atom, evaluate, product
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node


def lanes(outputs: Iterable[Node], sizes: Mapping[Atom, int]) -> int:
    """Elements of guarded values in one call with these sizes.

    A loop's count once for each turn; one whose turns depend on values, as one turn.
    """
    total = 0
    for node in toposort(outputs):
        if node.op.name == "guarded":
            total += evaluate(product(node.tensor.shape), sizes)
        elif node.op.name == "cond" and _is_guard(node):
            total += evaluate(product(node.attrs["then"].outputs[0].tensor.shape), sizes)
        else:
            turns = evaluate(node.attrs["length"], sizes) if node.op.name == "scan" else 1
            bodies = [v for v in node.attrs.values() if isinstance(v, Graph)]
            total += turns * sum(lanes(b.outputs, sizes) for b in bodies)
    return total


def _is_guard(node: Node) -> bool:
    """Is it a branch that does sums again (``rewrite/guarded_sums.py``)?"""
    (output, *more) = node.attrs["then"].outputs
    return not more and output.op.name == "guarded"
