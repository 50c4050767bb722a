"""``f.accuracy``: bits of error before and after, the line to blame, what mended it."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.accuracy.report import bits_of_error
from symgraph.accuracy.wide_values import rounded, wide_values


def test_a_naive_formula_loses_all_bits_and_the_compiled_one_none() -> None:
    x = sg.vector("x")
    y = sg.log(1 - sg.sigmoid(x))
    found = sg.function([x], y).accuracy(np.linspace(-5, 60, 50))
    (row,) = found.outputs
    assert row.before.worst > 50
    assert row.after.worst <= 2
    assert row.lost > 5
    assert row.blame is not None
    assert row.blame.file == __file__
    assert any("softplus" in text for text in row.mended)
    assert "as written" in str(found)
    assert "bits are lost at" in str(found)


def test_guarded_lanes_are_counted() -> None:
    x, y = sg.tensor("x", shape=(64,)), sg.tensor("y", shape=(64,))
    f = sg.function([x, y], x * y - y * 3.0 * x)
    x_value = np.linspace(1, 2, 64)
    found = f.accuracy(x_value, np.full(64, 0.1))
    assert found.share == 0
    cancelling = sg.function([x, y], x * x - y * y)
    found = cancelling.accuracy(x_value, x_value * (1 + 1e-15))
    assert found.outputs[0].after.worst <= 1


def test_inputs_are_made_up_where_none_are_given() -> None:
    x = sg.vector("x")
    found = sg.function([x], sg.sqrt(x * x)).accuracy()
    assert found.synthetic
    assert "made up" in str(found)


def test_outputs_that_are_no_floats_have_no_row() -> None:
    x = sg.vector("x")
    found = sg.function([x], [x > 0, x + 1]).accuracy(np.array([1.0, 2.0]))
    assert len(found.outputs) == 1


def test_state_stays() -> None:
    state = sg.shared(np.array(1.0), "state")
    x = sg.vector("x")
    f = sg.function([x], x * state, updates={state: state + 1})
    f.accuracy(np.array([2.0]))
    assert state.get_value() == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_error(dtype: str) -> None:
    one = np.array([1.0], dtype)
    assert bits_of_error(one, one) == 0
    assert bits_of_error(np.nextafter(one, 2).astype(dtype), one) == 1
    assert bits_of_error(np.array([np.nan], dtype), one) == 8 * one.dtype.itemsize
    assert bits_of_error(np.array([-0.0], dtype), np.array([0.0], dtype)) <= 1
    assert bits_of_error(np.array([np.nan], dtype), np.array([np.nan], dtype)) == 0


def test_graphs_in_double_double() -> None:
    x = sg.matrix("x")
    y = sg.sum(sg.exp(x) - 1, axis=1) - sg.max(x, axis=1)
    value = np.array([[1e-17, 2e-17], [3e-9, -1e-9]])
    found = wide_values([y.node], {x.node: value})[y.node]
    wanted = [1e-17, (3e-9 + 4.5e-18) + (-1e-9 + 5e-19) - 3e-9]
    np.testing.assert_allclose(rounded(found), wanted, rtol=1e-12)
