"""erf, ndtr, gammaln and digamma at two near points, against mpmath; compiled, with gradients."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph.ops.convert import make
from symgraph_tools.rules.truth import bits

TRUTH = {
    "erf_interval": lambda x, h: mp.erfc(x) - mp.erfc(x + h),
    "ndtr_interval": lambda x, h: mp.ncdf(-x) - mp.ncdf(-x - h),
    "gammaln_difference": lambda x, h: mp.loggamma(x + h) - mp.loggamma(x),
    "digamma_difference": lambda x, h: mp.digamma(x + h) - mp.digamma(x),
}
FEW = 3.2  # bits: 8 ulp


def _points(name, rng):
    h = np.exp(rng.uniform(np.log(1e-12), np.log(3.0), 80))
    if name.startswith(("erf", "ndtr")):
        x = np.round(rng.uniform(-20, 20, 80), 3)
        return x, np.where(rng.random(80) < 0.2, -h, h)
    return np.exp(rng.uniform(np.log(0.05), np.log(1e6), 80)), h


def _promise(name, x):
    """Bits: 8 ulp; 32 where the recurrence of gammaln cancels; 9 bits in tails, by rounded b."""
    if name == "gammaln_difference" and x < 10:
        return 5.05
    return FEW + 6 * (name.endswith("interval") and abs(x) > 10)


def _formula(name):
    x, h = sg.vectors("x", "h")
    args = [x, x + h, h] if name.endswith("interval") else [x, h]
    return [x, h], make(name, args)


@pytest.mark.parametrize("name", TRUTH)
def test_difference_keeps_its_digits(name, rng):
    inputs, formula = _formula(name)
    x, h = _points(name, rng)
    for a, b, got in zip(x, h, sg.function(inputs, formula)(x, h), strict=True):
        with mp.workdps(400):
            truth = TRUTH[name](mp.mpf(float(a)), mp.mpf(float(b)))
        if name == "gammaln_difference" and abs(truth) < 0.3 * b:
            continue  # near its zeros
        assert bits(float(got), truth) <= _promise(name, a), (a, b, got, truth)


@pytest.mark.parametrize("name", ["gammaln_difference", "digamma_difference"])
def test_differences_of_gamma_functions_are_right_to_two_ulp_in_float32(name, rng):
    x, h = (sg.vector(n, dtype="float32") for n in "xh")
    points = [v.astype("float32") for v in _points(name, rng)]
    for a, b, got in zip(*points, sg.function([x, h], make(name, [x, h]))(*points), strict=True):
        with mp.workdps(400):
            truth = TRUTH[name](mp.mpf(float(a)), mp.mpf(float(b)))
        assert abs(mp.mpf(float(got)) - truth) <= 2 * float(np.spacing(np.float32(abs(truth))))


@pytest.mark.parametrize("name", TRUTH)
def test_gradient_is_the_slope(name, rng):
    inputs, formula = _formula(name)
    x, h = _points(name, rng)
    if name == "digamma_difference":
        x = np.minimum(x, 30)  # of trigamma at two points, which may cancel
    found = sg.function(inputs, sg.grad(formula.sum(), inputs))(x, h)
    for k, slopes in enumerate(found):
        for a, b, got in zip(x, h, slopes, strict=True):
            with mp.workdps(120):
                point = [mp.mpf(float(a)), mp.mpf(float(b))]
                order = (1, 0) if k == 0 else (0, 1)
                truth = mp.diff(TRUTH[name], tuple(point), order, h=mp.mpf("1e-40"))
            assert np.isclose(float(got), float(truth), rtol=1e-3 if k == 0 else 1e-9, atol=1e-300)


@pytest.mark.parametrize(
    ("naive", "name"),
    [
        (lambda x, h: sg.special.erf(x + h) - sg.special.erf(x), "erf_interval"),
        (lambda x, h: sg.special.gammaln(x + h) - sg.special.gammaln(x), "gammaln_difference"),
        (lambda x, h: sg.special.digamma(x + h) - sg.special.digamma(x), "digamma_difference"),
    ],
)
def test_naive_difference_becomes_it(naive, name):
    x, h = sg.vectors("x", "h")
    f = sg.function([x, h], naive(x, h))
    points = np.array([0.5, 3.0]), np.array([1e-10, 1e-7])
    for a, b, got in zip(*points, f(*points), strict=True):
        with mp.workdps(60):
            truth = TRUTH[name](mp.mpf(float(a)), mp.mpf(float(b)))
        assert bits(float(got), truth) <= FEW
