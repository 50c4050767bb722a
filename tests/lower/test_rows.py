"""Rows on the stack, loops in chunks, and numbers computed where loops can read them."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.loop.ir import For
from symgraph.loop.traverse import statements
from symgraph.lower.schedule import Schedule
from tests.lower.lowered import assert_right, calls, loops

rng = np.random.default_rng(5)
SMALL = Schedule(chunk_work=16)


def softmax(x):
    e = sg.exp(x - sg.max(x, axis=-1, keepdims=True))
    return e / sg.sum(e, axis=-1, keepdims=True)


def test_softmax_is_one_visit_of_a_row_and_stores_no_array():
    x = sg.tensor("x", shape=(6, 9))
    lowered = assert_right([softmax(x)], {x: rng.normal(size=(6, 9))})
    assert len(calls(lowered)) == 1
    assert all(len(t.shape) < 2 for t in lowered.program.temporaries)


def test_batched_softmax_keeps_one_row():
    x = sg.tensor("x", shape=(2, 3, 4, 5))
    lowered = assert_right([softmax(x)], {x: rng.normal(size=(2, 3, 4, 5))})
    assert all(len(t.shape) < 4 for t in lowered.program.temporaries)


def test_layer_norm_and_its_gradient_are_one_visit_of_a_row():
    x, g = sg.tensor("x", shape=(6, 9)), sg.tensor("g", shape=(9,))
    c = x - sg.mean(x, axis=1, keepdims=True)
    y = c / sg.sqrt(sg.mean(c * c, axis=1, keepdims=True) + 1e-5) * g
    loss = sg.sum(y * y) / x.shape[0]
    given = {x: rng.normal(size=(6, 9)), g: rng.normal(size=9)}
    lowered = assert_right([loss, *sg.grad(loss, [x, g])], given, rtol=1e-11)
    rows = [k for k in lowered.program.kernels if any(isinstance(s, For) for s in k.body)]
    long = [k for k in rows if any(len(buf.shape) == 2 for buf in k.buffers)]
    assert len(long) == 1


SUMS = {
    "whole": lambda x: [sg.sum(sg.exp(x)), sg.max(x), sg.min(x), sg.prod(1 + x / 9)],
    "rows": lambda x: [sg.sum(x, axis=1), sg.sum(x * x)],
    "columns": lambda x: [sg.sum(x, axis=0), sg.max(x, axis=0), sg.sum(x)],
    "middle": lambda x: [sg.sum(sg.reshape(x, (4, 13, 4)), axis=(0, 2))],
    "any": lambda x: [sg.any(x > 1), sg.all(x > -9), sg.any(x > 2, axis=0)],
    "flat": lambda x: [sg.exp(sg.reshape(x, (-1,))), sg.sum(sg.reshape(x, (-1,)))],
    "largest": lambda x: [sg.argmax(x), sg.argmax(x, axis=0)],
    "running": lambda x: [sg.cumulative_sum(sg.reshape(x, (-1,)))],
    "from float32": lambda x: [sg.sum(sg.astype(x, "float32"), axis=0)],
}


@pytest.mark.parametrize("name", SUMS)
def test_chunks_give_the_same_values(name):
    x = sg.tensor("x", shape=(26, 8))
    assert_right(SUMS[name](x), {x: rng.normal(size=(26, 8))}, rtol=1e-6, schedule=SMALL)


@pytest.mark.parametrize("name", ["whole", "columns", "flat", "any"])
def test_long_loops_with_sums_run_in_chunks(name):
    x = sg.tensor("x", shape=(200, 8))
    lowered = assert_right(
        SUMS[name](x)[:1] if name != "columns" else SUMS[name](x),
        {x: rng.normal(size=(200, 8))},
        rtol=1e-12,
        schedule=SMALL,
    )
    assert any(s.kind == "parallel" and s.var.startswith("c_") for s in loops(lowered))
    for kernel in lowered.program.kernels:
        chunks = [s for s in kernel.body if isinstance(s, For) and s.kind == "parallel"]
        changed = {s.name for c in chunks for s in statements(c.body) if hasattr(s, "name")}
        assert not changed & {s.name for s in kernel.body if hasattr(s, "name")}


def test_a_buffer_made_before_a_loop_is_no_row_inside_it():
    x, w = sg.tensor("x", shape=(3, 2, 4)), sg.tensor("w", shape=(2, 4))
    table = sg.exp(w)

    def step(state, turn):
        e = turn[0] * table
        return (state[0] + sg.sum(e / sg.sum(e, axis=1, keepdims=True)),), None

    (last,), _ = sg.scan(step, (sg.constant(0.0),), (x,))
    assert_right([last], {x: rng.uniform(1, 2, (3, 2, 4)), w: rng.normal(size=(2, 4))})


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_places_of_the_largest_are_found_without_a_serial_loop(dtype):
    x = sg.tensor("x", dtype=dtype, shape=(5, 7))
    data = rng.integers(0, 4, (5, 7)).astype(dtype)
    if dtype.startswith("float"):
        data[1, 3] = data[1, 5] = np.nan
        data[2] = np.inf
        data[3] = [0.0, -0.0, 0.0, -0.0, -1, -1, -2]
    outputs = [sg.argmax(x, axis=1), sg.argmin(x, axis=0), sg.argmin(x), sg.argmax(x * 2, axis=1)]
    lowered = assert_right(outputs, {x: data})
    assert all(s.kind != "serial" for s in loops(lowered))
