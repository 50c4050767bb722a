"""What recording costs: references and times, under 5 % of the time that compiling takes."""

from __future__ import annotations

from time import perf_counter_ns

import pytest

import symgraph as sg
from symgraph.compile import Compiler, Mode
from symgraph.rewrite.journal import Application, Journal
from tests.trace.workloads import build


@pytest.mark.parametrize("name", ["mlp_grad", "garch_grad", "layernorm_grad"])
def test_recording_costs_less_than_5_percent_of_compiling(name):
    """The cost of one entry, times the entries that compiling makes, against the whole."""
    inputs, outputs, _ = build(name)
    nodes = tuple(v.node for v in outputs)
    mode = Mode(backend="interp")

    def compiling() -> int:
        start = perf_counter_ns()
        Compiler(tuple(v.node for v in inputs), nodes, mode).specialise({})
        return perf_counter_ns() - start

    total = min(compiling() for _ in range(3))
    compiler = Compiler(tuple(v.node for v in inputs), nodes, mode)
    compiler.specialise({})
    journals = compiler.record.journals
    entries = [entry for journal in journals for entry in journal.entries]
    applied = [entry for entry in entries if isinstance(entry, Application)]
    assert entries

    def writing_down() -> int:
        start = perf_counter_ns()
        for journal in journals:
            copy = Journal(journal.table, journal.outputs)
            for entry in journal.entries:
                if isinstance(entry, Application):
                    made = Application(
                        entry.table,
                        entry.rule,
                        entry.why,
                        entry.source,
                        entry.changes,
                        entry.before,
                        entry.after,
                        entry.lines,
                    )
                    copy.entries.append(made)
                else:
                    copy.entries.append((entry[0], entry[1]))
            perf_counter_ns()
        return perf_counter_ns() - start

    cost = min(writing_down() for _ in range(5))
    print(
        f"\n{name}: {len(entries)} entries, {len(applied)} of them rewrites, are written down in "
        f"{cost / 1e3:.0f} us, {cost / total:.2%} of compiling without machine code"
    )
    assert cost < 0.05 * total


def test_a_trace_is_made_when_it_is_asked_for():
    x = sg.vector("x")
    f = sg.function([x], sg.log(1 - sg.sigmoid(x)), mode=sg.Mode(backend="interp")).compile()
    assert f._trace is None
    assert f.trace is f.trace
