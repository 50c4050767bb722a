"""What rules may do with NaN, infinities and signed zeros: DESIGN.md 8a, on compiled functions."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

INF, NAN = np.inf, np.nan
NAIVE = {
    "softplus": lambda x: sg.log(1 + sg.exp(x)),
    "sigmoid": lambda x: 1 / (1 + sg.exp(-x)),
    "expm1": lambda x: sg.exp(x) - 1,
    "conjugate": lambda x: sg.sqrt(x + 1) - sg.sqrt(x),
    "log1p": lambda x: sg.log(1 + x),
    "norm": lambda x: sg.sqrt(x * x + 1),
    "sine": lambda x: (1 - sg.cos(x)) / x,
    "asinh": lambda x: sg.log(x + sg.sqrt(x * x + 1)),
    "quotient": lambda x: x * x / (x + 1),
    "fractions": lambda x: 1 / x - 1 / (x + 1),
}


def _both(formula, values):
    x = sg.vector("x")
    f = [sg.function([x], formula(x), mode=sg.Mode(accuracy=a)) for a in ("as-written", "rules")]
    with np.errstate(all="ignore"):
        return [g(np.asarray(values, "float64")) for g in f]


@pytest.mark.parametrize("name", NAIVE)
def test_nan_stays_nan(name):
    assert np.isnan(_both(NAIVE[name], [NAN])[1]).all()


@pytest.mark.parametrize("name", NAIVE)
def test_what_was_finite_and_right_stays_so(name):
    points = [0.5, 1.0, 2.0, 3.5, 7.0]
    written, ruled = _both(NAIVE[name], points)
    np.testing.assert_allclose(ruled, written, rtol=1e-12)


@pytest.mark.parametrize(
    ("formula", "at", "limit"),
    [
        (lambda x: x * sg.log(x), 0.0, 0.0),
        (lambda x: (sg.exp(x) - 1) / x, 0.0, 1.0),
        (lambda x: sg.sin(x) / x, 0.0, 1.0),
        (lambda x: sg.exp(x) / (1 + sg.exp(x)), 1000.0, 1.0),
        (lambda x: sg.log(sg.exp(x) + 1), 1e300, 1e300),
    ],
)
def test_an_undefined_intermediate_gives_the_limit(formula, at, limit):
    written, ruled = _both(formula, [at])
    assert not np.isfinite(written[0]) or written[0] == limit
    assert ruled[0] == limit


@pytest.mark.parametrize(
    ("formula", "outside"),
    [
        (lambda x: sg.sqrt(x + 1) - sg.sqrt(x), -0.5),
        (lambda x: sg.log(1 + x), -2.0),
        (lambda x: sg.log(x) - sg.log(x + 1), -0.5),
        (lambda x: sg.log(x + 1) - sg.log(x), -3.0),
        (lambda x: x * sg.log(x), -1.0),
        (lambda x: sg.log(sg.tan(x / 2 + np.pi / 4)), 2.0),
        (lambda x: x**0.5, -1.0),
        (lambda x: sg.acos(1 + x), 0.5),
    ],
)
def test_outside_its_domain_a_formula_is_nan_as_before(formula, outside):
    written, ruled = _both(formula, [outside])
    assert np.isnan(written[0])
    assert np.isnan(ruled[0])


@pytest.mark.parametrize("name", NAIVE)
def test_signs_of_numbers_stay(name):
    points = [-0.75, -0.25, -1e-9, 1e-9, 0.25, 4.0]
    written, ruled = _both(NAIVE[name], points)
    known = np.isfinite(written) & (written != 0)
    assert (np.sign(written[known]) == np.sign(ruled[known])).all()


def test_infinite_inputs_give_the_limit_or_nan():
    limits = {"softplus": (INF, 0.0), "sigmoid": (1.0, 0.0), "expm1": (INF, -1.0),
              "norm": (INF, INF), "asinh": (INF, -INF)}  # fmt: skip
    for name, wanted in limits.items():
        ruled = _both(NAIVE[name], [INF, -INF])[1]
        assert all(np.isnan(r) or r == w for r, w in zip(ruled, wanted, strict=True)), name


def test_as_written_changes_no_bit(rng):
    """Also where the formula is at its worst."""
    x = sg.vector("x")
    values = np.concatenate([rng.normal(size=50), [1e-300, -1e300, 1e-9, 0.0, -0.0]])
    f = sg.function([x], sg.exp(x) - 1, mode=sg.Mode(accuracy="as-written"))
    g = sg.function([x], sg.exp(x), mode=sg.Mode(accuracy="as-written"))
    np.testing.assert_array_equal(f(values), g(values) - 1)
