"""First derivatives of sg.special and of elementary functions against mpmath, by a table.

A row has the derivative by each argument in mpmath's terms, where to look (as in
``test_special_functions``), and what is promised, in ulp. A derivative that crosses 0 where no
float hits it is promised in units of the last place of the sum of what cancels there: ``scale``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from tests.kernels import reference as r
from tests.ops import test_special_functions as t

MP = Callable[..., Any]
HUGE = 1e10  # of an exponent: beyond every float
PI = mp.pi
ROUGH = 32


def _exp(x):
    """e ** x, infinite or 0 far beyond all floats, where mpmath would need a long exponent."""
    return mp.exp(x) if abs(x) < HUGE else mp.inf if x > 0 else mp.mpf(0)


def _expm1(x):
    return mp.expm1(x) if abs(x) < HUGE else mp.inf if x > 0 else mp.mpf(-1)


def _logistic(x):
    return 1 / (1 + _exp(-x))


def _density(x):
    return _exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def _erfcx(x):
    return r.erfcx_slope(x) if x > -300 else -mp.inf


def _exprel(x):
    if abs(x) < 1e-30:
        return mp.mpf(1) / 2 + x / 3
    return (_exp(x) * (x - 1) + 1) / (x * x) if x < HUGE else mp.inf


def _sinhc(x):
    if abs(x) < 1e-30:
        return x / 3
    return (mp.cosh(x) - mp.sinh(x) / x) / x if abs(x) < HUGE else mp.inf * mp.sign(x)


def _sinc(x):
    return (mp.cospi(x) - mp.sinpi(x) / (mp.pi * x)) / x if abs(x) > 1e-30 else -(mp.pi**2) * x / 3


def _sinc_radians(x):
    return (mp.cos(x) - mp.sin(x) / x) / x if abs(x) > 1e-30 else -x / 3


def _psi(x):
    if x < 1e5:
        return mp.digamma(x)
    terms = (mp.bernoulli(2 * k) / (2 * k * x ** (2 * k)) for k in range(1, 40))
    return mp.log(x) - 1 / (2 * x) - mp.fsum(terms)


def _beta(x, y):
    with mp.workprec(700):
        return _psi(x) - _psi(x + y)


def _psi3(x):
    if x < 1e5:
        return mp.psi(3, x)
    terms = [
        mp.bernoulli(2 * k) * (2 * k + 1) * (2 * k + 2) / x ** (2 * k + 3) for k in range(1, 9)
    ]
    return 2 / x**3 + 3 / x**4 + mp.fsum(terms)


def _psi2(x):
    """psi'' by reflection, and by its series far out, where mpmath takes long."""
    if x < 0:
        s, c = mp.sinpi(x), mp.cospi(x)
        return _psi2(1 - x) - 2 * mp.pi**3 * c / s**3 if s else mp.nan
    if x < 1e5:
        return mp.psi(2, x)
    terms = [mp.bernoulli(2 * k) * (2 * k + 1) / x ** (2 * k + 2) for k in range(1, 9)]
    return -1 / x**2 - 1 / x**3 - mp.fsum(terms)


def _power1p(x, y):
    return _exp(y * mp.log1p(x))


def _log_ndtr(x):
    return _density(x) / r.ndtr(x) if x > -1e4 else -x - 1 / x + 2 / x**3


def _softsign(x):
    return 1 / (1 + abs(x)) ** 2


def _mish(x):
    soft = t.softplus(x)
    return mp.tanh(soft) + x * _logistic(x) / mp.cosh(soft) ** 2 if abs(x) < HUGE else mp.mpf(x > 0)


def _silu(x):
    return _logistic(x) * (1 + x * _logistic(-x)) if abs(x) < HUGE else mp.mpf(x > 0)


def _silu_parts(x):
    return _logistic(x) * (1 + abs(x) * _logistic(-x))


def _sech2(x):
    return 4 * _exp(-2 * abs(x)) / (1 + _exp(-2 * abs(x))) ** 2


def base_and_exponent(rng, dtype):
    """A positive base and an exponent, whose power mostly is in range."""
    (x,) = t.positive(rng, dtype)
    most = np.log(float(np.finfo(dtype).max)) / np.maximum(np.abs(np.log(x.astype(float))), 1e-30)
    return [x, np.clip(rng.uniform(-1, 1, x.size) * most, -1e30, 1e30).astype(dtype)]


def above_one(rng, dtype):
    (x,) = t.positive(rng, dtype)
    return [np.where(x > 1, x, 1 + x).astype(dtype)]


def not_too_far(rng, dtype):
    """Where x**4 is a number: beyond, some terms of the sum underflow before it does."""
    (x,) = t.positive(rng, dtype)
    return [np.minimum(x, dtype(float(np.finfo(dtype).max) ** 0.24))]


class Row(NamedTuple):
    """Derivatives by each argument, where to look, the promise for float64 and float32."""

    slopes: tuple[MP, ...]
    draw: t.Draw | None = None
    ulp: tuple[float, float] = (3.0, 3.0)
    scale: MP | None = None


SPECIAL = {
    "cosm1": Row((lambda x: -mp.sin(x),)),
    "digamma": Row((r.trigamma,)),
    "erf": Row((lambda x: 2 / mp.sqrt(PI) * _exp(-x * x),)),
    "erfc": Row((lambda x: -2 / mp.sqrt(PI) * _exp(-x * x),)),
    "erfcinv": Row((lambda y: -mp.sqrt(PI) / 2 * mp.exp(t.CASES["erfcinv"].truth(y) ** 2),)),
    "erfcx": Row((_erfcx,)),
    "erfinv": Row((lambda x: mp.sqrt(PI) / 2 * mp.exp(r.erfinv(x) ** 2),), ulp=(4.0, 3.0)),
    "exprel": Row((_exprel,)),
    "gamma": Row((lambda x: r.gamma(x) * r.digamma(x),)),
    "gammaln": Row((r.digamma,)),
    "hypot": Row((lambda x, y: x / mp.hypot(x, y), lambda x, y: y / mp.hypot(x, y))),
    "lbeta": Row((_beta, lambda x, y: _beta(y, x)), ulp=(4.0, 3.0)),
    "log1mexp": Row((lambda x: -1 / _expm1(-x),)),
    "log1pexp": Row((_logistic,)),
    "log1pmx": Row((lambda x: -x / (1 + x),)),
    "log_ndtr": Row((_log_ndtr,), ulp=(4.0, 3.0)),
    "logaddexp": Row((lambda x, y: _logistic(x - y), lambda x, y: _logistic(y - x))),
    "logit": Row((lambda x: 1 / (x * (1 - x)),)),
    "logsubexp": Row(
        (
            lambda x, y: -1 / _expm1(y - x) if x != y else mp.inf,
            lambda x, y: -1 / _expm1(x - y) if x != y else -mp.inf,
        )
    ),
    "ndtr": Row((_density,)),
    "ndtri": Row((lambda p: mp.sqrt(2 * PI) * mp.exp(r.ndtri(p) ** 2 / 2),), ulp=(4.0, 3.0)),
    "polygamma": Row((_psi3,), not_too_far),
    "pow1p": Row((lambda x, y: y * _power1p(x, y - 1), lambda x, y: _power1p(x, y) * mp.log1p(x))),
    "pow1pm1": Row(
        (lambda x, y: y * _power1p(x, y - 1), lambda x, y: _power1p(x, y) * mp.log1p(x))
    ),
    "sinc": Row((_sinc,), scale=lambda x: (abs(mp.cospi(x)) + abs(mp.sinc(PI * x))) / abs(x)),
    "sinc_radians": Row(
        (_sinc_radians,), scale=lambda x: (abs(mp.cos(x)) + abs(mp.sinc(x))) / abs(x)
    ),
    "sinhc": Row((_sinhc,), ulp=(3.0, 4.0)),
    "softplus": Row((_logistic,)),
    "softplus_inverse": Row((lambda x: -1 / _expm1(-x),)),
    "sqrt1pm1": Row((lambda x: 1 / (2 * mp.sqrt(1 + x)),)),
    "trigamma": Row((_psi2,), draw=t.positive),
    "xlog1py": Row((lambda x, y: mp.log1p(y), lambda x, y: x / (1 + y))),
    "xlogy": Row((lambda x, y: mp.log(y), lambda x, y: x / y)),
}

LN2, LN10 = mp.log(2), mp.log(10)
ELEMENTARY = {
    "exp": Row((_exp,), t.real),
    "exp2": Row((lambda x: _exp(x * mp.log(2)) * mp.log(2),), t.real),
    "expm1": Row((_exp,), t.real),
    "log": Row((lambda x: 1 / x,), t.positive),
    "log2": Row((lambda x: 1 / (x * mp.log(2)),), t.positive),
    "log10": Row((lambda x: 1 / (x * mp.log(10)),), t.positive),
    "log1p": Row((lambda x: 1 / (1 + x),), t.above_minus_one),
    "sqrt": Row((lambda x: 1 / (2 * mp.sqrt(x)),), t.positive),
    "cbrt": Row((lambda x: 1 / (3 * mp.cbrt(x * x)),), t.real),
    "square": Row((lambda x: 2 * x,), t.real),
    "reciprocal": Row((lambda x: -1 / x**2,), t.real),
    "sin": Row((mp.cos,), t.real),
    "cos": Row((lambda x: -mp.sin(x),), t.real),
    "tan": Row((lambda x: 1 / mp.cos(x) ** 2,), t.real, ulp=(4.0, 4.0)),
    "asin": Row((lambda x: 1 / mp.sqrt(1 - x * x),), t.both_signs),
    "acos": Row((lambda x: -1 / mp.sqrt(1 - x * x),), t.both_signs),
    "atan": Row((lambda x: 1 / (1 + x * x),), t.real),
    "sinh": Row((lambda x: mp.cosh(x) if abs(x) < HUGE else mp.inf,), t.real),
    "cosh": Row((lambda x: mp.sinh(x) if abs(x) < HUGE else mp.sign(x) * mp.inf,), t.real),
    "tanh": Row((_sech2,), t.real, ulp=(5.0, 5.0)),
    "asinh": Row((lambda x: 1 / mp.sqrt(1 + x * x),), t.real),
    "acosh": Row((lambda x: 1 / mp.sqrt(x * x - 1) if x > 1 else mp.inf,), above_one),
    "atanh": Row((lambda x: 1 / (1 - x * x),), t.both_signs),
    "sigmoid": Row((lambda x: _logistic(x) * _logistic(-x),), t.real, ulp=(4.0, 4.0)),
    "divide": Row((lambda x, y: 1 / y, lambda x, y: -x / y**2), t.two_reals),
    "pow": Row(
        (lambda x, y: y * _exp((y - 1) * mp.log(x)), lambda x, y: _exp(y * mp.log(x)) * mp.log(x)),
        base_and_exponent,
    ),
    "atan2": Row(
        (lambda y, x: x / (x * x + y * y), lambda y, x: -y / (x * x + y * y)), t.two_reals
    ),
    "logaddexp2": Row(
        (
            lambda x, y: _logistic((x - y) * mp.log(2)),
            lambda x, y: _logistic((y - x) * mp.log(2)),
        ),
        t.two_reals,
    ),
    "nn.silu": Row((_silu,), t.real, (4.0, 4.0), _silu_parts),
    "nn.mish": Row((_mish,), t.real, (6.0, 6.0), _silu_parts),
    "nn.gelu": Row(
        (lambda x: r.ndtr(x) + x * _density(x),),
        t.real,
        (4.0, 4.0),
        lambda x: r.ndtr(x) + abs(x) * _density(x),
    ),
    "nn.elu": Row((lambda x: _exp(min(x, 0)),), t.real),
    "nn.softsign": Row((_softsign,), t.real),
    "nn.log_sigmoid": Row((lambda x: _logistic(-x),), t.real),
}
ROWS = {f"special.{name}": row for name, row in SPECIAL.items()} | ELEMENTARY
QUICK = ("special.erfcx", "special.logaddexp", "special.pow1p", "special.sinc", "pow", "tanh")


def _function(name):
    if name == "special.polygamma":
        return lambda x: sg.special.polygamma(2, x)
    found = sg
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _error(got, truth, dtype, scale):
    """In ulp of the truth, or of what cancels to it where that is more.

    Below the normal numbers one ulp is ``ROUGH`` of the smallest: products of numbers there.
    """
    error, info = t._ulp(got, truth, dtype), np.finfo(dtype)
    if not error or not np.isfinite(error) or not truth:
        return error
    size = max(abs(truth), scale or 0)
    unit = mp.mpf(2) ** (int(mp.floor(mp.log(size, 2))) - info.nmant)
    if size < float(info.tiny):
        unit = mp.mpf(2) ** (int(info.minexp) - info.nmant) * ROUGH
    return float(abs(mp.mpf(float(got)) - truth) / unit)


def _truth(slope, at):
    found = mp.mpmathify(slope(*map(mp.mpf, at)))
    return found.real if isinstance(found, mp.mpc) else found


def test_every_special_function_has_a_row():
    assert {n for n in dir(sg.special) if not n.startswith("_")} == set(SPECIAL)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in ROWS]
)
def test_slope_is_right_over_the_whole_range(name, dtype):
    row = ROWS[name]
    rng = np.random.default_rng([7, *name.encode()])
    draw = row.draw or t.CASES[name.removeprefix("special.")].draw
    points = draw(rng, dtype)
    inputs = [sg.vector(n, dtype=np.dtype(dtype).name) for n, _ in zip("xy", points, strict=False)]
    slopes = sg.grad(sg.sum(_function(name)(*inputs)), inputs)
    with np.errstate(all="ignore"):
        found = sg.function(inputs, slopes, on_unused_input="ignore")(*points)
    promise = row.ulp[dtype is np.float32]
    with mp.workprec(320):
        for number, (slope, values) in enumerate(zip(row.slopes, found, strict=True)):
            worst = 0.0, []
            for k, got in enumerate(values):
                at = [float(p[k]) for p in points]
                truth = _truth(slope, at)
                scale = None if row.scale is None else row.scale(*map(mp.mpf, at))
                error = _error(got, truth, dtype, scale)
                worst = max(worst, (error, [*at, float(got), float(truth)]))
            assert worst[0] <= promise, (number, worst)


def test_far_left_the_slow_form_of_log_ndtr_is_right_too():
    x = sg.vector("x")
    found = sg.function([x], sg.grad(sg.sum(sg.special.log_ndtr(x)), x))(np.array([-3e19, -1e6]))
    np.testing.assert_allclose(found, [3e19, 1e6 + 1e-6], rtol=4e-16)
