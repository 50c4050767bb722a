"""``f.accuracy``: bits of error before and after, the line to blame, what mended it."""

from __future__ import annotations

from pathlib import Path

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


def test_outputs_on_one_line_are_told_their_own_repairs() -> None:
    x = sg.vector("x", domain="positive")
    a, b = sg.log(1 - sg.sigmoid(x)), sg.sqrt(x + 1) - sg.sqrt(x)
    first, second = sg.function([x], [a, b]).accuracy(np.linspace(1, 9, 5)).outputs
    assert any("softplus" in text for text in first.mended)
    assert any("sqrt" in text or "root" in text for text in second.mended)
    assert not set(first.mended) & set(second.mended)


def test_repairs_in_a_loop_are_told_of_the_output_that_loops() -> None:
    xs = sg.vector("xs")
    step = lambda s, x: (s, sg.log(1 - sg.sigmoid(x)))  # noqa: E731
    (_, a), b = sg.scan(step, 0.0, xs), sg.exp(xs) - 1
    first, second = sg.function([xs], [a, b]).accuracy(np.linspace(1, 9, 5)).outputs
    assert any("softplus" in text for text in first.mended)
    assert not any("softplus" in text for text in second.mended)
    assert any("expm1" in text for text in second.mended)


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


def test_calls_by_machine_code_are_counted_cold_and_warm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYMGRAPH_CACHE_DIR", str(tmp_path))
    value = np.array([0.25, 1 + 1e-9, 3.0, 1 - 1e-9])
    for _ in range(2):  # compiled, then from disk
        x = sg.tensor("x", shape=(4,))
        f = sg.function([x], x * x - 2 * x + 1)
        for _ in range(9):
            f(value)
        found = f.accuracy(value)
        assert found.share == 0.5
        assert found.guarded == 10 * 2
        assert found.share_so_far == 0.5
    assert "20 so far (50%)" in str(found)


def test_the_share_so_far_is_of_all_calls() -> None:
    x = sg.tensor("x", shape=(4,))
    f = sg.function([x], x * x - 2 * x + 1)
    for _ in range(7):
        f(np.array([4.0, 5.0, 6.0, 7.0]))
    found = f.accuracy(np.array([1 + 1e-9, 5.0, 6.0, 7.0]))
    assert (found.share, found.share_so_far) == (1 / 4, 1 / 32)


def test_limits_that_a_rule_gives_are_told() -> None:
    x = sg.vector("x")
    (row,) = sg.function([x], x * sg.log(x)).accuracy(np.array([0.0, 2.0])).outputs
    assert any("0 instead of NaN where x is 0" in text for text in row.changed)
    assert "now 0 instead of NaN" in str(row)


def test_products_are_measured_by_their_terms() -> None:
    a, b = sg.matrix("a"), sg.matrix("b")
    x, y = np.array([[1.0, 1.0, 1.0]]), np.array([[1.0], [1e-20], [-1.0]])
    (row,) = sg.function([a, b], a @ b, mode=sg.Mode(accuracy="as-written")).accuracy(x, y).outputs
    assert row.before.worst > 50
    (row,) = sg.function([a, b], a @ b, mode=sg.Mode(accuracy="high")).accuracy(x, y).outputs
    assert row.after.worst <= 1
