"""Graphs as programs for the tests of lowering: their steps, kernels, and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.codegen.library import MEANINGS
from symgraph.ir.graph import toposort
from symgraph.ir.variable import Variable
from symgraph.loop.ir import Call, For, Library, Step, Stmt
from symgraph.loop.run import run_program
from symgraph.loop.traverse import statements, steps_of
from symgraph.loop.verify import verify_program
from symgraph.lower.expand import expand
from symgraph.lower.program import Lowered, lower
from symgraph.lower.schedule import CPU, Schedule
from symgraph.ops.evaluate import evaluate
from symgraph.rewrite.loops import tidy_loops


def program_of(
    outputs: Sequence[Variable], inputs: Sequence[Variable], schedule: Schedule = CPU
) -> Lowered:
    """The lowered program of outputs as they are written, without rewriting."""
    nodes = expand(tidy_loops(tuple(o.node for o in outputs)))
    below = toposort(nodes)
    leaves = [v.node for v in inputs if v.node in below]
    leaves += [n for n in below if n.op.name == "constant" and n.tensor.shape != ()]
    return lower(leaves, nodes, schedule)


def assert_right(
    outputs: Sequence[Variable],
    given: Mapping[Variable, Any],
    rtol: float = 1e-13,
    schedule: Schedule = CPU,
    atol: float = 1e-14,
) -> Lowered:
    """A program verifies, and gives the values that the ops' references give."""
    arrays = {v.node: np.asarray(x, v.dtype) for v, x in given.items()}
    nodes = tuple(o.node for o in outputs)
    expected = evaluate(nodes, arrays)
    lowered = program_of(outputs, list(given), schedule)
    verify_program(lowered.program)
    values = [arrays[n] if n in arrays else n.attrs["value"] for n in lowered.inputs]
    found = [np.empty(np.shape(x), x.dtype) for x in expected]
    run_program(lowered.program, values, found, (), MEANINGS)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=rtol, atol=atol)
    return lowered


def calls(lowered: Lowered) -> list[Step]:
    """The steps that run a kernel or a library routine, in the order of the text."""
    return [s for s in steps_of(lowered.program.steps) if isinstance(s, Call | Library)]


def loops(lowered: Lowered) -> list[For]:
    """All loops of all kernels."""
    found: list[Stmt] = [s for k in lowered.program.kernels for s in statements(k.body)]
    return [s for s in found if isinstance(s, For)]
