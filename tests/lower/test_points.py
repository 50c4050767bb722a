"""Scans whose points are alone: block by block, all turns at a time, with the same values."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.loop.ir import For, Repeat
from symgraph.loop.parse import parse
from symgraph.loop.text import same, show
from symgraph.loop.traverse import steps_of
from symgraph.lower.program import Lowered
from symgraph.lower.schedule import Schedule
from tests.lower.lowered import assert_right

rng = np.random.default_rng(31)
SMALL = Schedule(point_rows=5)


def is_by_points(lowered: Lowered) -> bool:
    repeats = any(isinstance(s, Repeat) for s in steps_of(lowered.program.steps))
    return not repeats and any("scan_points" in k.name for k in lowered.program.kernels)


def iterated(x, y):
    """A state of one number a point, which no other point sees."""
    return list(sg.scan(lambda s, _: ((3.7 * s[0] * (1 - s[0]),), None), (x,), length=4)[0])


def exchanged(x, y):
    """States that are each other's next values, one of them only kept."""
    (a, b, _), _ = sg.scan(
        lambda s, _: ((s[1] + 0.1 * s[0], s[0] * y[0], s[2]), None), (x, 2 * x, x), length=5
    )
    return [a, b]


def delayed(x, y):
    (a, b), _ = sg.scan(lambda s, _: ((2 * s[0] - s[1], s[0]), None), (x, x * x), length=3)
    return [a, b]


def series(x, y):
    """Sequences in and out, and an array that all turns read."""
    (last,), outs = sg.scan(lambda s, now: ((0.9 * s[0] + now[0] * x,), s[0] + now[0]), (x,), (y,))
    return [last, outs]


def smoothed(x, y):
    """A next value that is a result of its turn too."""

    def step(s, now):
        new = 0.9 * s[0] + 0.1 * now[0]
        return (new,), new

    (last,), outs = sg.scan(step, (x,), (y,))
    return [last, outs]


def planes(x, y):
    """Points are the last of two axes; a turn mixes the first."""
    start = sg.stack([x, x + 1])

    def step(s, _):
        (q,) = s
        radius = q[0] * q[0] + q[1] * q[1]
        return (q - 0.1 * q[::-1] / (1 + radius),), None

    return list(sg.scan(step, (start,), length=3)[0])


def rows(x, y):
    """Points are the first of two axes; a turn sums over the second."""
    start = sg.stack([x, x + 1, x - 1], axis=1)

    def step(s, _):
        (q,) = s
        return (q / (1 + sg.sum(q * q, axis=1, keepdims=True)),), None

    return list(sg.scan(step, (start,), length=3)[0])


def gradient(x, y):
    return [sg.grad(sg.sum(sg.exp(series(x, y)[1])), x)]


ALONE = {
    f.__name__: f for f in (iterated, exchanged, delayed, series, smoothed, planes, rows, gradient)
}


def shifted(x, y):
    return list(sg.scan(lambda s, _: ((s[0] + sg.roll(s[0], 1),), None), (x,), length=3)[0])


def summed(x, y):
    return list(sg.scan(lambda s, _: ((s[0] / sg.sum(s[0] * s[0]),), None), (x,), length=3)[0])


def running(x, y):
    return list(sg.scan(lambda s, _: ((sg.cumulative_sum(s[0]),), None), (x,), length=3)[0])


def turned(x, y):
    """Square states, of which a turn exchanges the axes."""
    start = sg.outer(x, x)
    return list(sg.scan(lambda s, _: ((0.5 * s[0] + s[0].T,), None), (start,), length=3)[0])


TOGETHER = {f.__name__: f for f in (shifted, summed, running, turned)}


def given(points, turns=4):
    x, y = sg.tensor("x", shape=(points,)), sg.tensor("y", shape=(turns, points))
    return (x, y), {x: rng.uniform(0.1, 0.9, points), y: rng.normal(size=(turns, points))}


@pytest.mark.parametrize("points", [7, 16, 45, 1100])
@pytest.mark.parametrize("name", ALONE)
def test_points_that_are_alone_go_block_by_block(name, points):
    inputs, values = given(points)
    lowered = assert_right(ALONE[name](*inputs), values, rtol=1e-12, schedule=SMALL)
    assert is_by_points(lowered) or name == "gradient"
    assert same(parse(show(lowered.program)), lowered.program)


@pytest.mark.parametrize("name", TOGETHER)
def test_points_that_see_each_other_go_turn_by_turn(name):
    inputs, values = given(9)
    assert not is_by_points(assert_right(TOGETHER[name](*inputs), values, schedule=SMALL))


FEW = (iterated, exchanged, delayed, series, smoothed)


@pytest.mark.parametrize("points", [2, 4])
@pytest.mark.parametrize("f", FEW, ids=lambda f: f.__name__)
def test_few_points_are_one_block(f, points):
    """Without a loop over blocks, so that registers may hold the state."""
    inputs, values = given(points)
    lowered = assert_right(f(*inputs), values, rtol=1e-12, schedule=SMALL)
    assert is_by_points(lowered)
    loops = [s for k in lowered.program.kernels for s in k.body if isinstance(s, For)]
    assert not any(s.var.startswith("b_") for s in loops)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("points", [0, 64, 1000, 5003])
def test_compiled_code_agrees_with_numpy(points, dtype):
    """Whole blocks and a rest, strides, no turn at all; the same bits with one thread."""
    x, y = sg.vector("x", dtype=dtype), sg.matrix("y", dtype=dtype)
    f = sg.function([x, y], series(x, y))
    for turns in (6, 1, 0):
        one = rng.uniform(0.1, 0.9, 2 * points).astype(dtype)[::2]
        many = rng.normal(size=(turns, points)).astype(dtype)
        last, outs = f(one, many)
        state = one
        for t in range(turns):
            tiny = 8 * np.finfo(dtype).eps
            np.testing.assert_allclose(outs[t], state + many[t], rtol=tiny, atol=tiny)
            state = np.asarray(0.9, dtype) * state + many[t] * one
        np.testing.assert_allclose(last, state, rtol=8 * np.finfo(dtype).eps, atol=1e-6)
        with sg.threads(1):
            np.testing.assert_array_equal(f(one, many)[0], last)
