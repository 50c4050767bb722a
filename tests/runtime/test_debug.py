"""``mode="debug"``: where the first NaN or infinity was made; bounds; every stage by value."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest

import symgraph as sg
from symgraph import compile as driver
from symgraph.mode import as_mode


def _line() -> int:
    return inspect.currentframe().f_back.f_lineno


def test_right_programs_give_the_usual_results(rng):
    x = sg.matrix("x")
    cost = (sg.log_softmax(x, axis=1) ** 2).sum()
    outputs = [cost, sg.grad(cost, x)]
    a = rng.normal(size=(3, 4))
    for got, wanted in zip(
        sg.function([x], outputs, mode="debug")(a), sg.function([x], outputs)(a), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


def test_the_origin_of_the_first_nan_is_named():
    x = sg.vector("x")
    y = x - 2.0
    z, line = sg.log(y), _line()
    f = sg.function([x], (z * 3 + 1).sum(), mode="debug")
    np.testing.assert_allclose(f([3.0, 4.0]), np.log([1.0, 2.0]).sum() * 3 + 2)
    with pytest.raises(sg.NumericError) as caught:
        f([3.0, 1.0])
    text = str(caught.value)
    assert "NaN made by log" in text
    assert f"test_debug.py:{line}" in text
    assert "(1,)" in text, "the first bad element is named"


def test_the_origin_of_an_infinity_is_named():
    x = sg.vector("x")
    z, line = sg.exp(x), _line()
    f = sg.function([x], (1 / z).sum(), mode="debug")
    with pytest.raises(sg.NumericError, match="inf made by exp") as caught:
        f([1.0, 1000.0])
    assert f"test_debug.py:{line}" in str(caught.value)


def test_what_comes_in_as_nan_is_not_blamed_on_the_program():
    x = sg.vector("x")
    f = sg.function([x], x + 1, mode="debug")
    np.testing.assert_array_equal(f([1.0, np.nan]), [2.0, np.nan])


def test_an_index_out_of_bounds_names_the_line():
    x = sg.vector("x")
    i = sg.vector("i", dtype="int64")
    y, line = x[i], _line()
    f = sg.function([x, i], y, mode="debug")
    np.testing.assert_array_equal(f([1.0, 2.0], [1, 0]), [2.0, 1.0])
    with pytest.raises(sg.BoundsError) as caught:
        f([1.0, 2.0], [1, 2])
    assert f"test_debug.py:{line}" in str(caught.value)


def test_nothing_is_updated_when_a_check_fails():
    x = sg.scalar("x")
    s = sg.shared(0.0)
    f = sg.function([x], sg.log(x), updates={s: s + 1}, mode="debug")
    with pytest.raises(sg.NumericError):
        f(-1.0)
    assert s.get_value() == 0.0
    f(1.0)
    assert s.get_value() == 1.0


def test_a_stage_that_changes_a_value_is_found(monkeypatch):
    x = sg.vector("x")

    def wrong(outputs, mode, record):
        return tuple((sg.Variable(o) * 1.001).node for o in outputs)

    stages = tuple((name, wrong if name == "stable" else run) for name, run in driver.STAGES)
    monkeypatch.setattr(driver, "STAGES", stages)
    f = sg.function([x], sg.exp(x), mode="debug")
    with pytest.raises(sg.NumericError, match="'stable' changes output 0"):
        f([1.0, 2.0])


@pytest.mark.parametrize("accuracy", ["default", "as-written"])
def test_checks_work_with_loops_lengths_and_branches(accuracy):
    x = sg.vector("x")
    n = sg.scalar("n", dtype="int64")
    last, every = sg.scan(lambda c, v: (c + v, c * v), sg.constant(1.0), x)
    found = sg.cond(last > 0, lambda: sg.log(last), lambda: last)
    mode = replace(as_mode("debug"), accuracy=accuracy)
    f = sg.function([x, n], [found, every, sg.arange(n) * 2], mode=mode)
    for values, wanted in [([1.0, -4.0, 2.5], np.log(0.5)), ([1.0, -4.0, 1.0], -1.0)]:
        got = f(values, 3)
        np.testing.assert_allclose(got[0], wanted, rtol=1e-15)
        np.testing.assert_array_equal(got[1], [1.0, -8.0, -2.0 * values[2]])
        np.testing.assert_array_equal(got[2], [0, 2, 4])
