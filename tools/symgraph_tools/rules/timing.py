"""How long rewriting takes a formula: ``python -m symgraph_tools.rules time``.

From the graph as written, or from asking for the gradient, to what is lowered: differentiation and
all stages, in the memory of a process that has seen other formulas. Nothing is compiled. It is the
processor's time, which others that use the machine do not lengthen much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from time import thread_time_ns
from typing import NamedTuple

import symgraph as sg
from symgraph.compile import STAGES
from symgraph.mode import Mode
from symgraph.trace.record import Record

from .formulas import Formula
from .scoring import differentiable, inputs_of, value_of

ROUNDS = 3  # the fastest counts


class Time(NamedTuple):
    """Milliseconds of a formula, all and by stage."""

    name: str
    total: float
    stages: dict[str, float]


def times(
    formulas: Iterable[Formula], dtype: str, gradient: bool, accuracy: str = "default"
) -> list[Time]:
    """The fastest of a few rounds of each formula."""
    mode = Mode(accuracy=accuracy)
    found = []
    for formula in formulas:
        rounds = [_time(formula, dtype, gradient, mode) for _ in range(ROUNDS)]
        found.append(min(rounds, key=lambda t: t.total))
    return found


def _time(formula: Formula, dtype: str, gradient: bool, mode: Mode) -> Time:
    inputs = inputs_of(formula, dtype)
    value = value_of(formula, dtype, inputs)
    record, stages, start = Record(), dict[str, float](), thread_time_ns()
    outputs = [value]
    if gradient:
        wanted = [inputs[k] for k in differentiable(formula)]
        outputs = list(sg.grad(sg.sum(value), wanted, disconnected="zero"))
    nodes = tuple(v.node for v in outputs)
    last = thread_time_ns()
    if gradient:
        stages["gradient"] = (last - start) / 1e6
    for name, stage in STAGES:
        nodes = stage(nodes, mode, record)
        now = thread_time_ns()
        stages[name], last = (now - last) / 1e6, now
    return Time(formula.name, (last - start) / 1e6, stages)


def table(rows: Sequence[Time], worst: int) -> list[str]:
    """Lines: the median, where it goes, and the slowest formulas."""
    ordered = sorted(rows, key=lambda t: t.total)
    totals = [t.total for t in ordered]
    ninth = totals[9 * len(totals) // 10]
    lines = [f"{len(rows)} formulas: median {median(totals):.2f} ms, nine of ten below {ninth:.2f}"]
    names = list(dict.fromkeys(name for t in rows for name in t.stages))
    shares = [f"{name} {median(t.stages.get(name, 0.0) for t in rows):.2f}" for name in names]
    lines.append(f"medians of stages: {', '.join(shares)}")
    lines += [f"{t.total:8.2f}  {t.name}" for t in ordered[: -worst - 1 : -1]]
    return lines
