"""Every function of sg.special against mpmath over its whole range, compiled: 2 ulp in both dtypes.

Points are of all magnitudes, of middle ones, next to the ends of the range, and, for two arguments,
next to each other, or within 1e-5 of where lbeta and logsubexp are 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from tests.kernels import reference as r

COUNT = 40  # of each kind of point
MOST = 2.0  # ulp
Draw = Callable[[np.random.Generator, Any], list[np.ndarray]]


def _sizes(rng, dtype):
    """Numbers of all magnitudes, of middle ones, and small ones; in any order."""
    info = np.finfo(dtype)
    every = np.exp(rng.uniform(np.log(float(info.tiny)), np.log(float(info.max)) * 0.999, COUNT))
    middle, small = np.exp(rng.uniform(-9, 7, COUNT)), rng.uniform(0, 4, COUNT)
    return rng.permutation(np.concatenate([every, middle, small]).astype(dtype))


def _signs(rng, dtype):
    return rng.choice([-1, 1], 3 * COUNT).astype(dtype)


def positive(rng, dtype):
    return [_sizes(rng, dtype)]


def gamma_places(rng, dtype):
    """Positive numbers, negative ones, and some within 1e-7 to 0.1 of where one of both is 0."""
    (x,) = positive(rng, dtype)
    x[:COUNT] = -rng.uniform(0, 20, COUNT)
    root = rng.choice(GAMMALN_ROOTS + DIGAMMA_ROOTS, COUNT)
    gap = 10.0 ** rng.uniform(-7, -1, COUNT) * rng.choice([-1, 1], COUNT)
    x[COUNT : 2 * COUNT] = root * (1 + gap)
    return [x]


# by mpmath; those of digamma are one between two integers
GAMMALN_ROOTS = [
    *(-2.4570247382208006, -2.7476826467274127, -3.14358088834998, -3.955294284858598),
    *(-4.039361839740537, -4.991544640560048, -5.008218168322593, -5.998607480080875),
]
DIGAMMA_ROOTS = [
    *(-0.5040830082644554, -1.5734984731623904, -2.6107208684441447, -3.635293366436901),
    *(-4.653237761743142, -5.667162441556886, -8.695764163816401, -15.730988906332882),
]


def negative(rng, dtype):
    return [-_sizes(rng, dtype)]


def real(rng, dtype):
    return [_sizes(rng, dtype) * _signs(rng, dtype)]


def unit(rng, dtype):
    """Between 0 and 1, next to both."""
    x = _sizes(rng, dtype)
    x = np.where(x < 1, x, dtype(1) / x)
    x = np.where(rng.random(x.size) < 0.5, x, dtype(1) - x)
    return [np.clip(x, np.finfo(dtype).tiny, dtype(1) - np.finfo(dtype).epsneg)]


def both_signs(rng, dtype):
    return [unit(rng, dtype)[0] * _signs(rng, dtype)]


def to_two(rng, dtype):
    (x,) = unit(rng, dtype)
    return [np.where(rng.random(x.size) < 0.5, x, dtype(2) - x).astype(dtype)]


def above_minus_one(rng, dtype):
    (x,), (below,) = positive(rng, dtype), unit(rng, dtype)
    return [np.where(rng.random(x.size) < 0.5, x, -below).astype(dtype)]


def two_reals(rng, dtype):
    """Of which some are near each other."""
    (x,), (y,) = real(rng, dtype), real(rng, dtype)
    near = x * (1 + np.clip(y, -0.5, 3))
    return [x, np.where(rng.random(x.size) < 0.4, near, y).astype(dtype)]


def falling(rng, dtype):
    """x >= y, of which some are near each other, and some where log(exp(x) - exp(y)) is near 0."""
    (x,), (gap,), (part,) = real(rng, dtype), positive(rng, dtype), unit(rng, dtype)
    y = x - np.where(rng.random(x.size) < 0.5, gap, np.abs(x) * part)
    at_zero = np.log1p(np.exp(np.clip(y, -30, 3))) * (1 + 1e-5 * rng.normal(size=x.size))
    with np.errstate(over="ignore"):
        x, y = np.where(gap < 0.02, at_zero, x), np.where(gap < 0.02, np.clip(y, -30, 3), y)
    return [x.astype(dtype), y.astype(dtype)]


def factor_and_argument(rng, dtype):
    (x,), (y,), (step,) = real(rng, dtype), positive(rng, dtype), real(rng, dtype)
    near = 1 + np.clip(step, -1e-3, 1e-3)
    return [x, np.where(rng.random(x.size) < 0.3, near, y).astype(dtype)]


def factor_and_excess(rng, dtype):
    return [*real(rng, dtype), *above_minus_one(rng, dtype)]


def growth(rng, dtype):
    """A rate and an exponent, whose power mostly is in range."""
    (x,) = above_minus_one(rng, dtype)
    log = np.abs(np.log1p(x.astype(float)))
    most = np.log(float(np.finfo(dtype).max)) / np.maximum(log, 1e-30)
    return [x, np.clip(rng.uniform(-1, 1, x.size) * most, -1e30, 1e30).astype(dtype)]


def two_shapes(rng, dtype):
    """Both of any size, or of usual ones; some where B(x, y) is near 1."""
    found = [
        np.where(rng.random(3 * COUNT) < 0.4, *pair)
        for pair in [(_sizes(rng, dtype), rng.uniform(0.1, 30, 3 * COUNT)) for _ in range(2)]
    ]
    x, y = (np.clip(v, 1e-30, 1e30) for v in found)
    root = x[:12] = rng.uniform(0.3, 1.0, 12)
    y[:12] = [float(_beta_root(v)) * (1 + 1e-5 * rng.normal()) for v in root]
    return [x.astype(dtype), y.astype(dtype)]


def _beta_root(x):
    return mp.findroot(lambda y: lbeta(mp.mpf(float(x)), y), (1 + 1e-9, 60), solver="anderson")


def lbeta(x, y):
    return mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y)


def logsubexp(x, y):
    return x + r.log1mexp(y - x) if x > y else (-mp.inf if x == y else mp.nan)


def softplus(x):
    return mp.log1p(mp.exp(x)) if x < 1e5 else x


class Case(NamedTuple):
    """A function in mpmath, and where to look."""

    truth: Callable[..., Any]
    draw: Draw


CASES = {
    "cosm1": Case(lambda x: -2 * mp.sin(x / 2) ** 2, real),
    "digamma": Case(r.digamma, gamma_places),
    "erf": Case(mp.erf, real),
    "erfc": Case(r.erfc, real),
    "erfcinv": Case(lambda y: r.erfcinv(y) if y <= 0.5 else r.erfinv(1 - y), to_two),
    "erfcx": Case(r.erfcx, real),
    "erfinv": Case(r.erfinv, both_signs),
    "exprel": Case(r.exprel, real),
    "gamma": Case(r.gamma, real),
    "gammaln": Case(r.gammaln, gamma_places),
    "hypot": Case(lambda x, y: mp.sqrt(x * x + y * y), two_reals),
    "lbeta": Case(lbeta, two_shapes),
    "log1mexp": Case(r.log1mexp, negative),
    "log1pexp": Case(softplus, real),
    "log1pmx": Case(r.log1pmx, above_minus_one),
    "log_ndtr": Case(r.log_ndtr, real),
    "logaddexp": Case(r.logaddexp, two_reals),
    "logit": Case(lambda x: mp.log(x / (1 - x)), unit),
    "logsubexp": Case(logsubexp, falling),
    "ndtr": Case(r.ndtr, real),
    "ndtri": Case(r.ndtri, unit),
    "polygamma": Case(lambda x: mp.psi(2, x), positive),
    "pow1p": Case(r.pow1p, growth),
    "pow1pm1": Case(r.pow1pm1, growth),
    "sinc": Case(lambda x: mp.sinpi(x) / (mp.pi * x), real),
    "sinc_radians": Case(lambda x: mp.sin(x) / x, real),
    "sinhc": Case(r.sinhc, real),
    "softplus": Case(softplus, real),
    "softplus_inverse": Case(lambda x: mp.log(mp.expm1(x)), positive),
    "sqrt1pm1": Case(r.sqrt1pm1, above_minus_one),
    "trigamma": Case(r.trigamma, real),
    "xlog1py": Case(lambda x, y: x * mp.log1p(y), factor_and_excess),
    "xlogy": Case(lambda x, y: x * mp.log(y), factor_and_argument),
}


def _ulp(got: float, truth: Any, dtype: type) -> float:
    """The error in units of the last place of the truth; infinite for another kind of value."""
    info = np.finfo(dtype)
    if mp.isnan(truth):
        return 0.0 if np.isnan(got) else np.inf
    if abs(truth) >= mp.mpf(float(info.max)) * (1 + mp.mpf(2) ** -(info.nmant + 2)):
        return 0.0 if got == float(mp.sign(truth)) * np.inf else np.inf
    if not np.isfinite(got):
        return np.inf
    exponent = int(mp.floor(mp.log(abs(truth), 2))) if truth else -10000
    unit_of_last = mp.mpf(2) ** max(exponent - info.nmant, int(info.minexp) - info.nmant)
    return float(abs(mp.mpf(float(got)) - truth) / unit_of_last)


def _function(name):
    if name == "polygamma":
        return lambda x: sg.special.polygamma(2, x)
    return getattr(sg.special, name)


def test_every_function_has_a_case():
    public = {n for n in dir(sg.special) if not n.startswith("_")}
    assert public == set(CASES)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_function_is_right_to_two_ulp_over_its_whole_range(name, dtype):
    case = CASES[name]
    rng = np.random.default_rng([5, *name.encode()])
    points = case.draw(rng, dtype)
    inputs = [sg.vector(n, dtype=np.dtype(dtype).name) for n, _ in zip("xy", points, strict=False)]
    with np.errstate(all="ignore"):
        found = sg.function(inputs, _function(name)(*inputs))(*points)
    worst = 0.0, []
    with mp.workprec(320):
        for k, got in enumerate(found):
            at = [float(p[k]) for p in points]
            truth = mp.mpmathify(case.truth(*map(mp.mpf, at)))
            truth = truth.real if isinstance(truth, mp.mpc) else truth
            worst = max(worst, (_ulp(got, truth, dtype), [*at, float(got), float(truth)]))
    assert worst[0] <= MOST, worst


def test_log_beta_of_counts_has_no_lane_in_doubt():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(3, 12, 600), rng.uniform(2, 40, 600)
    x, y = np.maximum(x, 3.0), np.maximum(y, 3.0)
    f = sg.function([p := sg.vector("p"), q := sg.vector("q")], sg.special.lbeta(p, q))
    assert f.accuracy(x, y).guarded == 0
    with mp.workprec(320):
        for a, b, got in zip(x, y, f(x, y), strict=True):
            assert _ulp(got, lbeta(mp.mpf(a), mp.mpf(b)), np.float64) <= MOST, (a, b)
