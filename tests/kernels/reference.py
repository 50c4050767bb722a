"""True values by mpmath at 200 bits, sample points, errors in ulp: what the tests share."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from symgraph_kernels.table import Row

Array = NDArray[Any]
PRECISION = 200
FLOATS = (np.float64, np.float32)


def logaddexp(x: Any, y: Any) -> Any:
    """log(exp(x) + exp(y))."""
    return max(x, y) + mp.log1p(mp.exp(-abs(x - y)))


def log1mexp(x: Any) -> Any:
    """log(1 - exp(x))."""
    if x > 0:
        return mp.nan
    return mp.log(-mp.expm1(x)) if x > -1 else mp.log1p(-mp.exp(x))


def erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x)."""
    if x < 1e4:
        return mp.exp(x * x) * mp.erfc(x)
    v = 1 / (2 * x * x)
    return (1 - v + 3 * v**2 - 15 * v**3 + 105 * v**4) / (x * mp.sqrt(mp.pi))


def erfcx_slope(x: Any) -> Any:
    """2 x erfcx(x) - 2 / sqrt(pi)."""
    if x < 1e4:
        return 2 * x * erfcx(x) - 2 / mp.sqrt(mp.pi)
    v = 1 / (2 * x * x)
    return -(1 - 3 * v + 15 * v**2 - 105 * v**3 + 945 * v**4) / (x * x * mp.sqrt(mp.pi))


def erfcinv(y: Any) -> Any:
    """x with erfc(x) = y, 0 < y <= 1/2, by Newton's method on the logarithms."""
    x = mp.sqrt(-mp.log(y)) if y < 0.1 else mp.mpf(0.5)
    for _ in range(200):
        e = mp.erfc(x)
        step = (mp.log(e) - mp.log(y)) / (-2 / mp.sqrt(mp.pi) * mp.exp(-x * x) / e)
        x -= step
        if abs(step) < mp.mpf("1e-40") * abs(x):
            break
    return x


def erfinv(x: Any) -> Any:
    """y with erf(y) = x."""
    if abs(x) > 1:
        return mp.nan
    if abs(x) == 1:
        return mp.inf * x
    return mp.erfinv(x) if abs(x) <= 0.5 else mp.sign(x) * erfcinv(1 - abs(x))


def ndtri(p: Any) -> Any:
    """x with normal cumulative distribution p."""
    if not 0 <= p <= 1:
        return mp.nan
    if p in (0, 1):
        return mp.inf * (2 * p - 1)
    if 0.25 <= p <= 0.75:
        return mp.sqrt(2) * mp.erfinv(2 * p - 1)
    return mp.sqrt(2) * (erfcinv(2 * (1 - p)) if p > 0.5 else -erfcinv(2 * p))


def gamma(x: Any) -> Any:
    """Gamma function, NaN at its negative poles; far outside float range any huge or tiny value."""
    if x < 0 and mp.isint(x):
        return mp.nan
    if abs(x) > 500:
        return mp.ldexp(1, 5000 if x > 0 else -5000)
    return mp.gamma(x)


def gammaln(x: Any) -> Any:
    """log(|gamma(x)|)."""
    if x <= 0 and mp.isint(x):
        return mp.inf
    if x > 0:
        return mp.loggamma(x)
    return mp.log(mp.pi / abs(x * mp.sinpi(x))) - mp.loggamma(-x)


def digamma(x: Any) -> Any:
    """Logarithmic derivative of gamma."""
    if x <= 0 and mp.isint(x):
        return mp.nan
    return mp.digamma(x) if x > 0 else mp.digamma(-x) - 1 / x - mp.pi * mp.cospi(x) / mp.sinpi(x)


def trigamma(x: Any) -> Any:
    """Derivative of digamma."""
    if x <= 0 and mp.isint(x):
        return mp.inf
    if x > 1e6:
        return 1 / x + 1 / (2 * x**2) + 1 / (6 * x**3) - 1 / (30 * x**5) + 1 / (42 * x**7)
    if x > 0:
        return mp.zeta(2, x)
    return (mp.pi / mp.sinpi(x)) ** 2 - trigamma(-x) + 1 / (x * x)


def erfc(x: Any) -> Any:
    """Complementary error function; its first asymptotic term where that is far below any float."""
    if x > 1e4:  # mpmath converts x**2 to a float on the way, which overflows
        return mp.exp(-x * x) / (x * mp.sqrt(mp.pi))
    return mp.erfc(x) if x > -1e4 else mp.mpf(2)


def ndtr(x: Any) -> Any:
    """Normal cumulative distribution."""
    return erfc(-x / mp.sqrt(2)) / 2


def log_ndtr(x: Any) -> Any:
    """Its logarithm; far to the left by the first terms of the asymptotic series."""
    if x < -1e4:
        return -x * x / 2 - mp.log(-x * mp.sqrt(2 * mp.pi)) + mp.log1p(-1 / (x * x))
    return mp.log(ndtr(x)) if x < 0 else mp.log1p(-ndtr(-x))


def log1pmx(x: Any) -> Any:
    """log(1 + x) - x."""
    if x < -1:
        return mp.nan
    if x == -1:
        return -mp.inf
    if abs(x) < mp.mpf("1e-12"):
        return sum((-1) ** (k + 1) * x**k / k for k in range(2, 20))
    return mp.log1p(x) - x


def exprel(x: Any) -> Any:
    """(exp(x) - 1) / x."""
    return mp.expm1(x) / x if x else mp.mpf(1)


def sinhc(x: Any) -> Any:
    """sinh(x) / x."""
    return mp.sinh(x) / x if x else mp.mpf(1)


def sqrt1pm1(x: Any) -> Any:
    """sqrt(1 + x) - 1."""
    return x / (1 + mp.sqrt(1 + x)) if x >= -1 else mp.nan


def pow1p(x: Any, y: Any) -> Any:
    """(1 + x)**y."""
    if x < -1:
        return mp.nan
    if x == -1:
        return mp.inf if y < 0 else mp.mpf(0 if y else 1)
    return mp.exp(y * mp.log1p(x))


def pow1pm1(x: Any, y: Any) -> Any:
    """(1 + x)**y - 1."""
    if x < -1:
        return mp.nan
    if x == -1:
        return mp.inf if y < 0 else mp.mpf(-1 if y else 0)
    return mp.expm1(y * mp.log1p(x))


NAMES = {name: getattr(mp, name) for name in dir(mp) if not name.startswith("_")} | {
    f.__name__: f
    for f in (
        logaddexp, log1mexp, erfc, erfcx, erfinv, ndtri, gamma, gammaln, digamma, trigamma,
        ndtr, log_ndtr, log1pmx, exprel, sinhc, sqrt1pm1, pow1p, pow1pm1,
        erfcx_slope,
    )
}  # fmt: skip


def samples(row: Row, dtype: type, count: int, seed: int = 0) -> list[Array]:
    """For each argument `count` points in each of its ranges, of all and of middle magnitudes."""
    random_numbers = np.random.default_rng([seed, *row.name.encode()])
    info = np.finfo(dtype)
    sweep = np.log([float(info.smallest_subnormal), float(info.max)])
    arrays = []
    for ranges in row.ranges:
        parts = [random_numbers.uniform(a, b, count) for a, b in ranges]
        for low, high in (sweep, (-8.0, 8.0)):
            sign = random_numbers.choice([-1.0, 1.0], count)
            parts.append(sign * np.exp(random_numbers.uniform(low, high, count)))
        arrays.append(random_numbers.permutation(np.concatenate(parts).astype(dtype)))
    return arrays


def true_value(expression: str, args: tuple[float, ...]) -> Any:
    """The expression in x and y, or None where mpmath has no real value."""
    with mp.workprec(PRECISION):
        values = [mp.mpf(a) for a in args]
        try:
            found = eval(expression, NAMES | {"x": values[0], "y": values[-1]})
        except (ZeroDivisionError, ValueError):
            return None
        found = mp.mpmathify(found)
        return None if isinstance(found, mp.mpc) else found


def errors(row: Row, dtype: type, args: list[Array], got: Array) -> Array:
    """|got - true| in ulp of max(|true|, scale) at each point; inf where got is of a wrong kind."""
    return np.array(
        [
            _error(row, dtype, point, y)
            for *point, y in zip(*(a.tolist() for a in (*args, got)), strict=True)
        ]
    )


def _error(row: Row, dtype: type, point: list[float], got: float) -> float:
    info = np.finfo(dtype)
    want = true_value(row.reference, tuple(point))
    if want is None or mp.isnan(want):
        return 0.0 if np.isnan(got) else np.inf
    limit = mp.mpf(float(info.max)) * (1 + mp.mpf(2) ** -(info.nmant + 2))
    if abs(want) >= limit:  # rounds to infinity
        return 0.0 if got == float(mp.sign(want)) * np.inf else np.inf
    if not np.isfinite(got):
        return np.inf
    size = abs(want)
    if row.scale:
        size = max(size, abs(true_value(row.scale, tuple(point))))
    exponent = int(mp.floor(mp.log(size, 2))) if size else -10000
    unit = mp.mpf(2) ** max(exponent - info.nmant, int(info.minexp) - info.nmant)
    with mp.workprec(PRECISION):
        return float(abs(mp.mpf(got) - want) / unit)
