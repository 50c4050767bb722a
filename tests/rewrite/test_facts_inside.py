"""Rules in bodies of loops and branches: facts from outside, by induction, and stated inside."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import Graph, toposort

HIGH = sg.Mode(accuracy="rules")


def _ops(outputs):
    """The ops of a graph and of all graphs inside it."""
    found = set()
    for node in toposort(outputs):
        found.add(node.op.name)
        for graph in node.attrs.values():
            if isinstance(graph, Graph):
                found |= _ops(graph.outputs)
    return found


def _stable(inputs, outputs):
    f = sg.function(inputs, outputs, mode=HIGH)
    return f, _ops(f.stage("stable"))


def _root_of_square(s):
    """sqrt(s * s): s where it is known to be positive, |s| elsewhere."""
    return sg.sqrt(s * s)


def test_elements_and_captured_values_are_known_from_outside():
    xs, w = sg.vector("xs", domain="positive"), sg.scalar("w", domain="positive")
    step = lambda s, x: (s + _root_of_square(x), sg.sqrt((x * w) * (x * w)) * s)  # noqa: E731
    state, outs = sg.scan(step, 0.0, xs)
    f, ops = _stable([xs, w], [state, outs])
    assert not ops & {"abs", "sqrt"}
    np.testing.assert_allclose(f(np.array([1.0, 2.0]), 3.0)[0], 3.0)

    anything = sg.vector("xs")
    state, _ = sg.scan(lambda s, x: (s + _root_of_square(x), None), 0.0, anything)
    f, ops = _stable([anything], state)
    assert "abs" in ops
    assert f(np.array([-1.0, 2.0])) == 3.0


def test_a_state_that_starts_positive_and_stays_so_is_positive():
    xs, start = sg.vector("xs"), sg.scalar("start", domain="positive")
    step = lambda s, x: (s * sg.exp(-x), _root_of_square(s))  # noqa: E731
    state, outs = sg.scan(step, start, xs)
    f, ops = _stable([start, xs], [outs, _root_of_square(state)])
    assert not ops & {"abs", "sqrt"}
    np.testing.assert_allclose(f(2.0, np.array([0.5, 0.5]))[0], [2.0, 2 * np.exp(-0.5)])


def test_a_state_that_may_leave_is_not():
    xs, start = sg.vector("xs"), sg.scalar("start", domain="positive")
    state, outs = sg.scan(lambda s, x: (s - x, _root_of_square(s)), start, xs)
    f, ops = _stable([start, xs], [outs, _root_of_square(state)])
    assert "abs" in ops
    np.testing.assert_allclose(f(1.0, np.array([3.0, 1.0]))[0], [1.0, 2.0])


def test_states_that_need_each_other_are_known_together():
    xs = sg.vector("xs", domain="nonnegative")
    step = lambda s, x: ((s[0] + s[1], s[1] * x + s[0]), _root_of_square(s[0]))  # noqa: E731
    _, outs = sg.scan(step, (1.0, 2.0), xs)
    _, ops = _stable([xs], outs)
    assert not ops & {"abs", "sqrt"}
    step = lambda s, x: ((s[0] + s[1], s[1] * x - s[0]), _root_of_square(s[0]))  # noqa: E731
    _, outs = sg.scan(step, (1.0, 2.0), xs)
    _, ops = _stable([xs], outs)
    assert "abs" in ops


def _stated(s):
    sg.assume(s > 0)
    return s


def test_what_is_stated_in_a_step_holds_in_that_step_alone():
    xs, ys = sg.vectors("xs", "ys")
    _, first = sg.scan(lambda s, x: (s, _root_of_square(_stated(x))), 0.0, xs)
    f, ops = _stable([xs], first)
    assert not ops & {"abs", "sqrt"}
    np.testing.assert_array_equal(f(np.array([1.0, 2.0])), [1.0, 2.0])
    _, second = sg.scan(lambda s, x: (s, _root_of_square(x)), 0.0, ys)  # an equal body
    f, ops = _stable([ys], second)
    assert "abs" in ops
    np.testing.assert_array_equal(f(np.array([-1.0, 2.0])), [1.0, 2.0])


def test_what_is_stated_of_an_intermediate_value_of_a_step_is_used():
    xs, m = sg.vector("xs"), sg.scalar("m")
    step = lambda s, x: (s + _root_of_square(_stated(x - m)), None)  # noqa: E731
    state, _ = sg.scan(step, 0.0, xs)
    f, ops = _stable([xs, m], state)
    assert not ops & {"abs", "sqrt"}
    assert f(np.array([3.0, 5.0]), 2.0) == 4.0


def test_gradients_of_steps_know_it_too():
    xs = sg.vector("xs")
    step = lambda s, x: (s * _root_of_square(_stated(x)), None)  # noqa: E731
    state, _ = sg.scan(step, 1.0, xs)
    f, ops = _stable([xs], sg.grad(state, xs))
    assert not ops & {"abs", "sqrt", "sign"}
    np.testing.assert_allclose(f(np.array([2.0, 3.0, 4.0])), [12.0, 8.0, 6.0])


@pytest.mark.parametrize("value", [2.0, -3.0])
def test_branches_know_what_is_stated_in_them(value):
    x = sg.scalar("x")

    def negative(v):
        sg.assume(v <= 0)
        return _root_of_square(v)

    f, ops = _stable([x], sg.cond(x > 0, lambda v: _root_of_square(_stated(v)) + 0.5, negative, x))
    assert not ops & {"abs", "sqrt"}
    assert f(value) == (value + 0.5 if value > 0 else -value)
    outside, ops = _stable([x], _root_of_square(x))
    assert "abs" in ops
    assert outside(value) == abs(value)


def test_the_condition_of_a_loop_does_not_know_what_its_steps_do():
    x = sg.scalar("x")

    def body(s):
        sg.assume(s > 0)
        return _root_of_square(s) - 1.5

    f, ops = _stable([x], sg.while_loop(lambda s: s > 0, body, x))
    assert not ops & {"abs", "sqrt"}
    assert f(4.0) == -0.5


def test_results_of_loops_are_known_outside():
    xs = sg.vector("xs", domain="positive")
    state, outs = sg.scan(lambda s, x: (s + x, sg.exp(s) * x), 1.0, xs)
    f, ops = _stable([xs], _root_of_square(state) + sg.sum(_root_of_square(outs)))
    assert not ops & {"abs", "sqrt"}
    np.testing.assert_allclose(f(np.array([1.0])), 2.0 + np.e)


def test_a_fact_that_a_step_breaks_is_an_error_in_debug_mode_as_before():
    xs = sg.vector("xs")
    state, _ = sg.scan(lambda s, x: (s + _stated(x), None), 0.0, xs)
    f = sg.function([xs], state, mode="debug")
    assert f(np.array([1.0, 2.0])) == 3.0
    with pytest.raises(sg.SymgraphError):
        f(np.array([1.0, -2.0]))
