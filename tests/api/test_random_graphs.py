"""Graphs made by hypothesis, compiled with and without rewriting, against references of ops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
from symgraph.ops.evaluate import evaluate
from tests.tables.elementwise import ROWS, accepted, apply, arity

UNARY = [sg.tanh, sg.sin, sg.abs, sg.negative, sg.atan, lambda v: v * 0.5, lambda v: v * v / 8]
BINARY = [sg.add, sg.subtract, sg.maximum, lambda a, b: a * b / 4]
MOVES = [lambda v: v.T, lambda v: v[::-1], lambda v: sg.roll(v, 1, axis=0), lambda v: v.T.T + 0]
REDUCED = [lambda v: v.sum(axis=0), lambda v: v.max(axis=0), lambda v: v.mean(axis=0)]


@st.composite
def _graphs(draw):
    """One output of a graph over two square matrices, and its inputs."""
    x = sg.tensor("x", shape=("n", "n"))
    y = sg.tensor("y", shape=("n", "n"))
    pool = [x, y]
    for _ in range(draw(st.integers(1, 7))):
        a, b = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        kind = draw(st.sampled_from(["unary", "binary", "move", "reduce"]))
        if kind == "unary":
            made = draw(st.sampled_from(UNARY))(a)
        elif kind == "binary":
            made = draw(st.sampled_from(BINARY))(a, b)
        elif kind == "move":
            made = draw(st.sampled_from(MOVES))(a)
        else:
            made = a - draw(st.sampled_from(REDUCED))(b)
        pool.append(made)
    return x, y, pool[-1]


MODES = [
    sg.Mode(backend=backend, **how)
    for backend in ("interp", "llvm", "numba")
    for how in ({}, {"accuracy": "as-written"}, {"passes": ()})
]


@settings(max_examples=12)
@given(graph=_graphs(), number=st.integers(1, 4), seed=st.integers(0, 99))
def test_compiled_graphs_mean_what_their_ops_mean(graph, number, seed):
    x, y, result = graph
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, number, number))
    (wanted,) = evaluate([result.node], {x.node: a, y.node: b})
    for mode in MODES:
        got = sg.function([x, y], result, mode=mode, on_unused_input="ignore")(a, b)
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-13, err_msg=str(mode))


def _wanted_rows(dtype, inputs):
    return [op for op in ROWS.values() if arity(op) == inputs and accepted(op, np.dtype(dtype))]


@pytest.mark.parametrize(("dtype", "inputs"), [("float64", 1), ("float64", 2), ("int64", 2)])
def test_elementwise_rows_compiled_together(dtype, inputs):
    rows = _wanted_rows(dtype, inputs)
    assert len(rows) > 8
    grid = np.array([0.25, 0.5, 1.5, 2.75, 4.0]) if dtype == "float64" else np.array([1, 2, 3, 5])
    pairs = list(pairwise([*grid, grid[0]]))
    values = [np.array(column, dtype) for column in zip(*pairs, strict=True)][:inputs]
    xs = [sg.vector(name, dtype=dtype) for name in "ab"[:inputs]]
    with np.errstate(all="ignore"):
        results = [apply(op, xs) for op in rows]
        wanted = evaluate(
            [r.node for r in results], {x.node: v for x, v in zip(xs, values, strict=True)}
        )
    got = sg.function(xs, results, mode=sg.Mode(accuracy="as-written"))(*values)
    for op, ours, theirs in zip(rows, got, wanted, strict=True):
        assert ours.dtype == theirs.dtype, op.name
        np.testing.assert_allclose(ours, theirs, rtol=4e-15, atol=1e-15, err_msg=op.name)
