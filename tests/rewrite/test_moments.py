"""Means and squares about them: one visit of float32 rows, digits kept, sums of deviations gone."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort

CENTERS = (0.0, 1.0, 1e4, -3e7)


def _rules(f):
    return {step.rule for step in f.trace}


def _row_function(formula, dtype="float32", length=12):
    x = sg.tensor("x", shape=("n", length), dtype=dtype)
    return sg.function([x], formula(x))


def _rows(rng, center, length=12, dtype="float32"):
    """Rows about a center, the last with a first number that is far from all others."""
    rows = (center + rng.normal(size=(5, length))).astype(dtype)
    rows[-1, 0] = center + 3e5
    return rows


def _exact(row):
    numbers = [mp.mpf(float(v)) for v in row]
    mean = mp.fsum(numbers) / len(numbers)
    return mean, mp.fsum((v - mean) ** 2 for v in numbers)


SQUARES = [
    lambda x: sg.sum((x - x.mean(axis=1, keepdims=True)) ** 2, axis=1),
    lambda x: sg.mean(sg.square(x.mean(axis=1, keepdims=True) - x), axis=1) * x.shape[1],
    lambda x: sg.var(x, axis=1, correction=1) * (x.shape[1] - 1),
]


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("formula", SQUARES)
def test_squares_about_the_mean_in_one_visit_are_right_to_2_ulp(formula, center, rng):
    f = _row_function(formula)
    assert "squares about mean" in _rules(f)
    rows = _rows(rng, center)
    for row, got in zip(rows, f(rows), strict=True):
        with mp.workdps(60):
            truth = float(_exact(row)[1])
        assert abs(float(got) - truth) <= 2 * np.spacing(np.float32(truth))


def test_long_rows_lose_nothing_where_the_first_number_is_the_farthest(rng):
    f = _row_function(SQUARES[0], length=4096)
    rows = rng.normal(size=(2, 4096)).astype("float32")
    rows[:, 0] = [1e6, -1e30]
    for row, got in zip(rows, f(rows), strict=True):
        with mp.workdps(60):
            truth = float(_exact(row)[1])
        wanted = np.float32(truth) if truth < 3e38 else np.inf
        assert got == wanted or abs(float(got) - truth) <= 2 * np.spacing(wanted)


@pytest.mark.parametrize("value", [0.0, 3.25, -7e8])
def test_equal_numbers_have_no_squares(value):
    f = _row_function(SQUARES[0])
    assert np.array_equal(f(np.full((3, 12), value, "float32")), np.zeros(3, "float32"))


def test_leading_axes_and_computed_rows(rng):
    x = sg.tensor("x", shape=(9, "m"), dtype="float32")
    y = x * 2 + 1
    f = sg.function([x], sg.var(y, axis=0))
    assert "squares about mean" in _rules(f)
    values = (100 + rng.normal(size=(9, 4))).astype("float32")
    wanted = (values.astype("f8") * 2 + 1).var(axis=0)
    np.testing.assert_allclose(f(values), wanted, rtol=1e-5)


@pytest.mark.parametrize("center", CENTERS)
def test_float32_differences_from_the_mean_need_no_second_mean(center, rng):
    f = _row_function(lambda x: x - x.mean(axis=1, keepdims=True))
    assert not any(n.op.name == "mean" for n in toposort(f.stage("ranged")))
    rows = _rows(rng, center)
    for row, found in zip(rows, f(rows), strict=True):
        with mp.workdps(60):
            mean, _ = _exact(row)
            for v, got in zip(row, found, strict=True):
                truth = float(mp.mpf(float(v)) - mean)
                assert abs(float(got) - truth) <= 2 * np.spacing(abs(np.float32(truth)))


def test_float64_and_long_rows_are_as_before():
    assert "squares about mean" not in _rules(_row_function(SQUARES[0], "float64"))
    assert "squares about mean" not in _rules(_row_function(SQUARES[0], length=5000))
    written = sg.Mode(accuracy="as-written")
    x = sg.tensor("x", shape=("n", 12), dtype="float32")
    assert not _rules(sg.function([x], SQUARES[0](x), mode=written)) & {"squares about mean"}


def test_infinite_and_nan_rows():
    f = _row_function(SQUARES[0])
    rows = np.ones((3, 12), "float32")
    rows[0, 0], rows[1, 4], rows[2, 11] = np.inf, -np.inf, np.nan
    assert np.isnan(f(rows)).all()


def test_deviations_add_up_to_nothing(rng):
    x, a = (sg.tensor(name, shape=("n", "m"), dtype="float64") for name in "xa")
    c = sg.tensor("c", shape=("n", 1), dtype="float64")
    centred = x - x.mean(axis=1, keepdims=True)
    f = sg.function([x, a, c], sg.sum(a - 3 * c * centred, axis=1))
    assert "deviations cancel" in _rules(f)
    assert {n.op.name for n in toposort(f.stage("stable")) if n.op.kind != "leaf"} == {"sum"}
    values = [1e9 + rng.normal(size=(4, 7)), rng.normal(size=(4, 7)), rng.normal(size=(4, 1))]
    np.testing.assert_allclose(f(*values), values[1].sum(axis=1), rtol=1e-14)


def test_sums_over_other_axes_and_of_weighted_deviations_stay(rng):
    x, w = (sg.tensor(name, shape=(3, 4), dtype="float64") for name in "xw")
    centred = x - x.mean(axis=1, keepdims=True)
    values = [rng.normal(size=(3, 4)) for _ in "xw"]
    about = values[0] - values[0].mean(axis=1, keepdims=True)
    for formula, wanted in (
        (sg.sum(centred, axis=0), about.sum(axis=0)),
        (sg.sum(w * centred, axis=1), (values[1] * about).sum(axis=1)),
        (sg.sum(centred * centred, axis=1), (about**2).sum(axis=1)),
    ):
        f = sg.function([x, w], formula, on_unused_input="ignore")
        assert "deviations cancel" not in _rules(f)
        np.testing.assert_allclose(f(*values), wanted, rtol=1e-12, atol=1e-14)


def test_quotients_of_a_row_are_added_before_they_are_divided(rng):
    x = sg.tensor("x", shape=("n", 6), dtype="float32")
    c = sg.tensor("c", shape=("n", 1), dtype="float32")
    f = sg.function([x, c], sg.sum(x / c, axis=1))
    assert "quotient of sum" in _rules(f)
    rows = np.array([[2e38] * 6, [1e-44] * 6, rng.normal(size=6)], "float32")
    below = np.array([[1e5], [1e-40], [3.0]], "float32")
    wanted = (rows.astype("f8") / below).sum(axis=1).astype("float32")
    np.testing.assert_array_max_ulp(f(rows, below), wanted, 1)


def test_gradient_of_a_layer_norm_is_right(rng):
    x = sg.tensor("x", shape=("n", 24), dtype="float32")
    g, b = (sg.tensor(name, shape=(24,), dtype="float32") for name in "gb")
    centred = x - x.mean(axis=1, keepdims=True)
    spread = sg.sqrt(sg.mean(centred * centred, axis=1, keepdims=True) + 1e-5)
    loss = sg.sum((centred / spread * g + b) ** 2)
    f = sg.function([x, g, b], sg.grad(loss, [x, g, b]))
    values = [(5 + rng.normal(size=(6, 24))).astype("f4"), *rng.normal(size=(2, 24)).astype("f4")]
    wide = [v.astype("f8") for v in values]
    hat = wide[0] - wide[0].mean(axis=1, keepdims=True)
    root = np.sqrt((hat**2).mean(axis=1, keepdims=True) + 1e-5)
    hat = hat / root
    up = 2 * (hat * wide[1] + wide[2])
    inner = up * wide[1]
    share = inner.mean(axis=1, keepdims=True) + hat * (inner * hat).mean(axis=1, keepdims=True)
    wanted = [(inner - share) / root, (up * hat).sum(axis=0), up.sum(axis=0)]
    for got, right in zip(f(*values), wanted, strict=True):
        np.testing.assert_allclose(got, right, rtol=2e-5, atol=2e-6)
