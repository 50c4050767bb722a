"""scan, while_loop and cond, compiled: values, gradients, the branch that is not taken."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

BACKENDS = ["llvm", "numba", "interp"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scan_and_its_gradient(backend, rng):
    x, w = sg.vector("x"), sg.scalar("w")
    last, states = sg.scan(lambda s, v: ((t := sg.tanh(w * s + v)), t), sg.constant(0.0), x)
    f = sg.function([x, w], [last, states, *sg.grad(last, [x, w])], mode=sg.Mode(backend=backend))
    a, u = rng.normal(size=5), 0.7
    got_last, got_states, dx, dw = f(a, u)
    state, wanted, slope_w, slope_x = 0.0, [], 0.0, np.zeros(5)
    for k, v in enumerate(a):
        before, state = state, np.tanh(u * state + v)
        inner = 1 - state**2
        slope_w = inner * (before + u * slope_w)
        slope_x *= inner * u
        slope_x[k] = inner
        wanted.append(state)
    np.testing.assert_allclose(got_states, wanted, rtol=1e-14)
    np.testing.assert_allclose(got_last, state, rtol=1e-14)
    np.testing.assert_allclose(dw, slope_w, rtol=1e-12)
    np.testing.assert_allclose(dx, slope_x, rtol=1e-12)


def test_a_scan_over_nothing_and_in_reverse():
    x = sg.vector("x")
    last, sums = sg.scan(lambda s, v: (s + v, s + v), sg.constant(1.0), x, reverse=True)
    f = sg.function([x], [last, sums])
    got, every = f(np.empty(0))
    assert got == 1.0
    assert every.shape == (0,)
    got, every = f([1.0, 2.0, 3.0])
    assert got == 7.0
    np.testing.assert_array_equal(every, [7.0, 6.0, 4.0])


def test_a_scan_of_trees_by_length():
    state, _ = sg.scan(
        lambda s, _: ({"a": s["b"], "b": s["a"] + s["b"]}, None),
        {"a": sg.constant(0.0), "b": sg.constant(1.0)},
        length=30,
    )
    assert sg.function([], state)() == {"a": 832040.0, "b": 1346269.0}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_while_loop(backend):
    x = sg.scalar("x")
    found = sg.while_loop(lambda v: v < 100.0, lambda v: v * 2.0, x)
    f = sg.function([x], found, mode=sg.Mode(backend=backend))
    assert [float(f(v)) for v in (3.0, 99.0, 100.0, 1e6)] == [192.0, 198.0, 100.0, 1e6]


def test_the_gradient_of_a_bounded_while_loop():
    x = sg.scalar("x")
    found = sg.while_loop(lambda v: v < 100.0, lambda v: v * v, x, max_length=8)
    f = sg.function([x], [found, sg.grad(found, x)])
    for v in (2.0, 3.0, 200.0):
        value, slope, power = v, 1.0, 1
        while value < 100.0:
            value, slope, power = value * value, slope * 2 * value, power * 2
        np.testing.assert_allclose(f(v), [value, slope], rtol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cond_runs_only_the_branch_taken(backend):
    x = sg.vector("x")
    i = sg.scalar("i", dtype="int64")
    inside = i < x.shape[0]
    found = sg.cond(inside, lambda: x[i], lambda: sg.constant(-1.0))
    f = sg.function([x, i], found, mode=sg.Mode(backend=backend))
    assert f([5.0, 6.0], 1) == 6.0
    assert f([5.0, 6.0], 7) == -1.0, "the branch not taken would index out of bounds"
    eager = sg.function([x, i], sg.where(inside, x[i], -1.0), mode=sg.Mode(backend=backend))
    with pytest.raises(sg.BoundsError, match="7"):
        eager([5.0, 6.0], 7)


def test_the_gradient_of_cond():
    x = sg.vector("x")
    p = sg.scalar("p", dtype="bool")
    found = sg.cond(p, lambda v: (v**2).sum(), lambda v: (3 * v).sum(), x)
    f = sg.function([x, p], [found, sg.grad(found, x)])
    value, slope = f([1.0, 2.0], True)
    assert value == 5.0
    np.testing.assert_array_equal(slope, [2.0, 4.0])
    value, slope = f([1.0, 2.0], False)
    assert value == 9.0
    np.testing.assert_array_equal(slope, [3.0, 3.0])


def test_a_loop_takes_no_longer_branch_into_account():
    x = sg.scalar("x")

    def work(v):
        return sg.while_loop(lambda s: s < 1e300, lambda s: s, v)  # never ends

    f = sg.function([x], sg.cond(x > 0, lambda v: v + 1, work, x))
    assert f(1.0) == 2.0


def test_loops_update_shared_state():
    x = sg.vector("x")
    s = sg.shared(1.0)
    last, _ = sg.scan(lambda c, v: (c * v, None), s, x)
    f = sg.function([x], None, updates={s: last})
    f([2.0, 3.0])
    f([2.0])
    assert s.get_value() == 12.0
