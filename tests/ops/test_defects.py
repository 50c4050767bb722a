"""sg.special's differences against mpmath at 50 digits, in both dtypes, compiled; and gradients."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph_tools.rules.truth import bits

TRUTH = {
    "log1pmx": lambda x: mp.log(1 + x) - x,
    "cosm1": lambda x: mp.cos(x) - 1,
    "exprel": lambda x: (mp.exp(x) - 1) / x,
    "sinc_radians": lambda x: mp.sin(x) / x,
    "sinhc": lambda x: mp.sinh(x) / x,
    "sqrt1pm1": lambda x: mp.sqrt(1 + x) - 1,
    "ndtr": lambda x: mp.ncdf(x),
    "log_ndtr": lambda x: mp.log(mp.ncdf(x)),
    "softplus_inverse": lambda x: mp.log(mp.exp(x) - 1),
    "log1mexp": lambda x: mp.log(1 - mp.exp(x)),
    "log1pexp": lambda x: mp.log(1 + mp.exp(x)),
    "logit": lambda x: mp.log(x / (1 - x)),
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x),
}
POSITIVE = {"softplus_inverse"}
NEGATIVE = {"log1mexp"}
UNIT = {"logit"}
TWO_ULP = 1.585  # bits: log2(1 + 2)


def _points(name, dtype, rng):
    sizes = np.exp(rng.uniform(np.log(1e-12), np.log(5.0), 60))
    if name in UNIT:
        points = np.concatenate([sizes / 6, 1 - sizes / 6]).astype(dtype)
        return points[points < 1]
    if name in POSITIVE or name in NEGATIVE:
        return (sizes if name in POSITIVE else -sizes).astype(dtype)
    low = 0.9 if name in {"log1pmx", "sqrt1pm1"} else 5.0
    return np.concatenate([sizes, -np.minimum(sizes, low), [-0.5, 0.25]]).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TRUTH)
def test_function_is_good_to_two_ulp(name, dtype, rng):
    x = sg.vector("x", dtype=dtype)
    points = _points(name, dtype, rng)
    found = sg.function([x], getattr(sg.special, name)(x))(points)
    for point, value in zip(points, found, strict=True):
        with mp.workdps(60):
            truth = TRUTH[name](mp.mpf(float(point)))
        if dtype == "float32":
            gap = abs(float(value) - float(truth)) / float(np.spacing(np.float32(abs(truth))))
            assert gap <= 2, (point, value, truth)
        else:
            assert bits(float(value), truth) <= TWO_ULP + 1e-9, (point, value, truth)


@pytest.mark.parametrize("name", [*TRUTH])
def test_gradient_has_the_digits_of_the_function(name, rng):
    """Near 0 too, where the textbook derivative is a quotient of differences."""
    x = sg.vector("x")
    points = _points(name, "float64", rng)
    found = sg.function([x], sg.grad(getattr(sg.special, name)(x).sum(), x))(points)
    for point, value in zip(points, found, strict=True):
        with mp.workdps(120):
            truth = mp.diff(TRUTH[name], mp.mpf(float(point)), h=mp.mpf("1e-50"))
        assert bits(float(value), truth) <= 5, (point, value, truth)


def test_compound_growth_keeps_small_rates():
    r, n = sg.vectors("r", "n")
    f = sg.function([r, n], [sg.special.pow1p(r, n), sg.special.pow1pm1(r, n)])
    rates, counts = np.array([1e-12, 3e-9, 0.05, -0.5]), np.array([365.0, 1e6, 30.0, 2.5])
    for value, function in zip(f(rates, counts), (lambda t: mp.exp(t), lambda t: mp.expm1(t)),
                               strict=True):  # fmt: skip
        for rate, count, got in zip(rates, counts, value, strict=True):
            with mp.workdps(60):
                truth = function(mp.mpf(float(count)) * mp.log1p(mp.mpf(float(rate))))
            assert bits(float(got), truth) <= TWO_ULP


def test_log_near_takes_the_excess_near_one_and_the_value_elsewhere():
    from symgraph.ops.defects import log_near

    u, d = sg.vectors("u", "d")
    f = sg.function([u, d], log_near(u, d))
    values = np.array([1.0, 1.0, 0.1, 9.0, 0.0, -1.0])
    excess = np.array([1e-20, -3e-17, -0.9, 8.0, -1.0, -2.0])
    with np.errstate(all="ignore"):
        wanted = np.array([1e-20, -3e-17, np.log(0.1), np.log(9.0), -np.inf, np.nan])
    np.testing.assert_allclose(f(values, excess), wanted, rtol=4e-16)
