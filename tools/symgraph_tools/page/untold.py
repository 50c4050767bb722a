"""A trace of variables that nobody compiled: the stages of the compiler, without code."""

from __future__ import annotations

from collections.abc import Sequence

from symgraph.compile import Mode, run_stages
from symgraph.ir.graph import Graph, substitute_nodes
from symgraph.ir.resolve import requirements, resolve
from symgraph.trace.record import Record, chapters_of
from symgraph.trace.story import tell
from symgraph.trace.trace import Trace


def trace_graph(graph: Graph, name: str, output_names: Sequence[str] = ()) -> Trace:
    """What rewriting makes of a graph, step by step; no kernels, no memory."""
    dims = resolve(requirements(graph.outputs), {})
    outputs = substitute_nodes(graph.outputs, {}, dims)
    record = Record(inputs=graph.params)
    run_stages(outputs, Mode(), record)
    story = tell(record, chapters_of(graph.outputs))
    names = [
        (output_names[k] if k < len(output_names) else "") or node.name or f"output {k}"
        for k, node in enumerate(graph.outputs)
    ]
    params = tuple(p.name or f"input {k}" for k, p in enumerate(graph.params))
    return Trace(
        name, params, tuple(names), story.weave.rows, story.steps, story.stages, story.passes
    )
