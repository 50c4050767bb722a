"""After a call that failed, shared state is as it was, inputs are untouched, the function works."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symgraph as sg

DATA = np.array([1.0, 2.0, 4.0])


def counter(mode: str | None = None):
    """A function that reads an element, takes a logarithm, and counts calls in shared state."""
    x, k = sg.tensor("x", shape=("n",)), sg.scalar("k", dtype="int64")
    calls = sg.shared(np.int64(0), "calls")
    total = sg.shared(np.zeros(3), "total")
    updates = {calls: calls + 1, total: total + sg.log(x)}
    return sg.function([x, k], x[k], updates=updates, mode=mode), calls, total


FAILING_CALLS: dict[str, tuple[type[sg.SymgraphError], Callable[[sg.Function], object]]] = {
    "index outside": (sg.BoundsError, lambda f: f(DATA, 3)),
    "another length": (sg.ShapeError, lambda f: f(np.ones(4), 0)),
    "another rank": (sg.ShapeError, lambda f: f(np.ones((1, 3)), 0)),
    "lossy argument": (sg.DTypeError, lambda f: f(DATA, 0.5)),
    "text": (sg.DTypeError, lambda f: f("abc", 0)),
    "missing argument": (sg.ArgumentError, lambda f: f(DATA)),
    "misspelt argument": (sg.ArgumentError, lambda f: f(DATA, kk=0)),
    "out= of another shape": (sg.ShapeError, lambda f: f(DATA, 0, out=np.zeros(2))),
    "out= of another dtype": (sg.DTypeError, lambda f: f(DATA, 0, out=np.zeros((), "int64"))),
}


@pytest.mark.parametrize("case", FAILING_CALLS)
@pytest.mark.parametrize("mode", ["fast", "debug"])
@pytest.mark.parametrize("warm", [False, True], ids=["first call", "later call"])
def test_failed_call_changes_nothing(case: str, mode: str, warm: bool) -> None:
    f, calls, total = counter(mode)
    if warm:
        assert f(DATA, 2) == 4.0
    before = calls.get_value(), total.get_value()
    error, fail = FAILING_CALLS[case]
    with pytest.raises(error):
        fail(f)
    assert calls.get_value() == before[0]
    assert np.array_equal(total.get_value(), before[1])
    assert f(DATA, 1) == 2.0
    assert calls.get_value() == before[0] + 1
    assert np.array_equal(total.get_value(), before[1] + np.log(DATA))


def test_nan_found_in_debug_mode_changes_nothing() -> None:
    f, calls, total = counter("debug")
    with pytest.raises(sg.NumericError, match="NaN made by log"):
        f(np.array([1.0, -1.0, 1.0]), 0)
    assert calls.get_value() == 0
    assert not total.get_value().any()
    assert f(DATA, 0) == 1.0
    assert calls.get_value() == 1


def test_failure_leaves_arguments_alone() -> None:
    f, _, _ = counter()
    x = DATA.copy()
    with pytest.raises(sg.BoundsError):
        f(x, -4)
    assert np.array_equal(x, DATA)


def test_two_functions_share_state_across_a_failure() -> None:
    w = sg.shared(np.arange(3.0), "w")
    k = sg.scalar("k", dtype="int64")
    step = sg.function([k], updates={w: w + w[k]})
    read = sg.function([], w * 2)
    with pytest.raises(sg.BoundsError):
        step(7)
    assert np.array_equal(read(), [0.0, 2.0, 4.0])
    step(1)
    assert np.array_equal(read(), [2.0, 4.0, 6.0])


@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros((3, 1)), np.ones(3) * 1j, ["a", "b", "c"]])
def test_refused_value_keeps_the_old_one(wrong: object) -> None:
    w = sg.shared(DATA.copy(), "w")
    with pytest.raises(sg.SymgraphError):
        w.set_value(wrong)
    assert np.array_equal(w.get_value(), DATA)


def test_graph_that_was_refused_can_be_mended() -> None:
    x, w = sg.vectors("x", "w")
    with pytest.raises(sg.MissingInputError):
        sg.function([x], (x * w).sum())
    assert sg.function([x, w], (x * w).sum())(DATA, DATA) == 21.0


def test_refused_setting_keeps_the_old_one() -> None:
    before = repr(sg.config)
    with pytest.raises(sg.ConfigError):
        sg.config.floatX = "half"
    with pytest.raises(sg.ConfigError), sg.config(threads=1, floatX="half"):
        pytest.fail("the block ran")
    assert repr(sg.config) == before
