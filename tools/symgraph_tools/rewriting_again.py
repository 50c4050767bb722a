"""A function rewritten and compiled again: without some rules, or as it is after each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter_ns
from typing import TYPE_CHECKING

from symgraph.errors import ArgumentError, nearest
from symgraph.ir.graph import Graph, leaves
from symgraph.ir.variable import handle
from symgraph.trace.format import REWRITE, StepRow

from .given import Given
from .inputs import arrays_for

if TYPE_CHECKING:
    from symgraph.runtime.function import Function
    from symgraph.trace.trace import Trace

    from .target import Target

REPEAT = 7


def trace_without(subject: Target, names: Sequence[str]) -> Trace:
    """The trace of a target compiled without some rules. Raises: ArgumentError for no rule."""
    from symgraph import Mode
    from symgraph.rewrite.pipeline import PIPELINE

    known = {rule.name for step in PIPELINE for rule in step.rules}
    for name in names:
        if name not in known:
            near = nearest(name, list(known))
            guess = f"; did you mean {near!r}?" if near else ""
            raise ArgumentError(f"there is no rule {name!r}{guess}")
    passes = tuple(
        replace(step, rules=tuple(r for r in step.rules if r.name not in names))
        for step in PIPELINE
    )
    mode = Mode(backend="interp", passes=passes)
    return function_of(subject.built(), subject.name, mode).trace


def function_of(graph: Graph, name: str, mode: object) -> Function:
    """A compiled function of all inputs of a graph."""
    import symgraph as sg

    nodes = dict.fromkeys((*graph.params, *leaves(graph.outputs, "input")))
    inputs = [handle(node, node.name) for node in nodes]
    outputs = [handle(node, node.name) for node in graph.outputs]
    assert isinstance(mode, sg.Mode)
    return sg.function(inputs, outputs, mode=mode, name=name, on_unused_input="ignore")


def time_steps(
    trace: Trace, given: Given, wanted: set[str]
) -> Iterator[tuple[int, StepRow, float]]:
    """The least microseconds of a call after each wanted step, compiled as the graph is then."""
    from symgraph import Mode

    first = trace.find_stage("built").step
    for number in range(first, len(trace.steps)):
        row = trace.steps[number]
        if row.kind == REWRITE and row.rule.name not in wanted:
            continue
        graph = trace.at(number)
        function = function_of(graph, f"step {number}", Mode(passes=()))
        arrays = arrays_for(graph, given)
        function(*arrays)
        times = []
        for _ in range(REPEAT):
            start = perf_counter_ns()
            function(*arrays)
            times.append(perf_counter_ns() - start)
        yield number, row, min(times) / 1e3
