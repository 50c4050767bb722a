"""One number at which what was written and what runs differ most tellingly."""

from __future__ import annotations

import numpy as np

from symgraph.errors import SymgraphError
from symgraph.ir.graph import Graph, leaves
from symgraph.ir.node import Node
from symgraph.ops.evaluate import evaluate
from symgraph.trace.trace import Trace

CANDIDATES = (40.0, -40.0, 800.0, -800.0, 1e-10, -1e-10, 1e-20, 20.0, 1e200, 1e-200, 1e10)
LARGE = 1e-3  # a relative difference worth telling


def telling_example(trace: Trace) -> str:
    """``At x = 40 what you wrote gives -inf; what runs gives -40.``, or nothing."""
    first, last = trace.at("built"), trace.at("stable")
    inputs = [_only_input(g) for g in (first, last)]
    if inputs[0] is None or inputs[1] is None or len(first.outputs) != 1:
        return ""
    for value in CANDIDATES:
        try:
            pair = [_at(g, n, value) for g, n in zip((first, last), inputs, strict=True) if n]
        except (SymgraphError, ValueError, IndexError):
            continue
        written, runs = pair
        if not np.isfinite(runs):
            continue
        if not np.isfinite(written) or abs(written - runs) > LARGE * abs(runs):
            name = inputs[0].name or "its input"
            return (
                f"At {name} = {value:g} what you wrote gives {written:.4g}; "
                f"what runs gives {runs:.4g}."
            )
    return ""


def _only_input(graph: Graph) -> Node | None:
    nodes = leaves(graph.outputs, "input")
    if len(nodes) != 1 or leaves(graph.outputs, "shared"):
        return None
    return nodes[0] if nodes[0].tensor.dtype.kind == "f" else None


def _at(graph: Graph, node: Node, value: float) -> float:
    shape = [d if isinstance(d, int) else 1 for d in node.tensor.shape]
    array = np.full(shape, value, node.tensor.dtype)
    (found,) = evaluate(graph.outputs, {node: array})
    return float(np.asarray(found).reshape(-1)[0])
