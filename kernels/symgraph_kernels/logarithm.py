"""log, log2, log10, log1p, and the forms of log that other definitions build on.

x = m 2**k with m in [sqrt(1/2), sqrt(2)); log(m) = 2 atanh(q), q = f / (2 + f), f = m - 1 (the
fdlibm form): the polynomial multiplies q f, so that a rounding there costs little, and k ln2 is
added in two parts, high first.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import LOG, LOG_THIRD
from symgraph_kernels.pairs import Pair, Value, fast_sum

LN2_HIGH = (0.6931471805601177, 0.69317626953125)  # 40 and 14 bits: k * high is exact
LN2_LOW = (-1.7239444525614835e-13, -2.9088971132296138e-05)
LOG2E = ((1.4426950408889634, 2.0355273740931033e-17), (1.4426950216293335, 1.9259629911783834e-08))
LOG10E = (
    (0.4342944819032518, 1.098319650216765e-17),
    (0.43429449200630188, -1.010305011874925e-08),
)
LOG10_2 = (
    (0.30102999566395283, 2.8363394551042264e-14),
    (0.301025390625, 4.605038981195214e-06),
)  # high: 42, 14 bits
Constant = tuple[tuple[float, float], tuple[float, float]]  # (high, low) in float64, float32
INF, NAN = float("inf"), float("nan")


def log_core(s: Any, m: Value, k: Value, c: Value | float) -> Value:
    """log(m 2**k) + c, rounding once at the end; c is a small correction."""
    f = m - 1.0
    q = f / (2.0 + f)
    z = q * q
    h = 0.5 * f * f
    tail = s.fma(k, s.number(*LN2_LOW), c)
    return s.fma(k, s.number(*LN2_HIGH), f - (h - s.fma(q, s.fma(z, s.poly(LOG, z), h), tail)))


def log_pair(s: Any, m: Value, k: Value, c: Value | float) -> Pair:
    """log(m 2**k) + c as a pair, relative error about 2**-8 ulp."""
    f = m - 1.0
    q = f / (2.0 + f)
    z = q * q
    half = 0.5 * f
    h = half * f
    first, rest = fast_sum(s, k * s.number(*LN2_HIGH), f)
    high, low = fast_sum(s, first, -h)
    low = low + (rest - s.fma(half, f, -h))
    tail = s.fma(q, s.fma(z, s.poly(LOG, z), h), s.fma(k, s.number(*LN2_LOW), c))
    return fast_sum(s, high, low + tail)


def log_sum(s: Any, u: Value, c: Value) -> Value:
    """log(u + c), u > 0 finite and c a correction of u."""
    m, k = s.frexp(u)
    return log_core(s, m, k, c / u)


def finish(s: Any, x: Value, y: Value) -> Value:
    """y = log(x) with the special values of the logarithm: x zero, negative, +inf, NaN."""
    y = s.select(x < INF, y, x)
    return s.select(x > 0.0, y, s.select(x == 0.0, -INF, NAN + x))


def log(s: Any, x: Value) -> Value:
    m, k = s.frexp(x)
    return finish(s, x, log_core(s, m, k, 0.0))


def log1p(s: Any, x: Value) -> Value:
    u = 1.0 + x
    lost = s.select(x > 1.0, 1.0 - (u - x), x - (u - 1.0))  # by the rounding of u
    y = s.select(x < INF, log_sum(s, u, lost), x)
    y = s.select(s.abs(x) < s.number(2.0**-60, 2.0**-30), x, y)  # keeps -0
    return s.select(x > -1.0, y, s.select(x == -1.0, -INF, NAN + x))


def log1p_pair(s: Any, x: Value, c: Value) -> Pair:
    """log(1 + x + c) as a pair, for 0 <= x <= 1 and a correction c of x.

    2 atanh(x / (2 + x)): of numbers up to 1 there is no exponent to split off.
    """
    below, lost = fast_sum(s, 2.0, x)
    inverse = 1.0 / below
    q = x * inverse
    rest = s.fma(-q, below, x) + s.fma(-q, lost + c, c)
    z = q * q
    return q + q, s.fma(q * z, s.poly(LOG_THIRD, z), (rest + rest) * inverse)


def log2(s: Any, x: Value) -> Value:
    m, k = s.frexp(x)
    return finish(s, x, _rebased(s, m, LOG2E, k))


def log10(s: Any, x: Value) -> Value:
    m, k = s.frexp(x)
    high, low = (s.number(*_split(LOG10_2, part)) for part in (0, 1))
    return finish(s, x, _rebased(s, m, LOG10E, k * high, k * low))


def _rebased(s: Any, m: Value, base: Constant, whole: Value, rest: Value | None = None) -> Value:
    """whole + rest + log(m) base, where whole is 0 or larger than the product.

    log(m) = f - curve as in `log_core`; only f base, which is exact but for its last bits, needs
    two parts of `base`.
    """
    f = m - 1.0
    q = f / (2.0 + f)
    z = q * q
    half = 0.5 * f
    h = half * f
    curve = h - q * s.fma(z, s.poly(LOG, z), h)
    high, low = (s.number(*_split(base, part)) for part in (0, 1))
    y = f * high
    error = s.fma(f, low, s.fma(f, high, -y))
    total, lost = fast_sum(s, whole, y)
    error = s.fma(-high, curve, s.fma(-high, s.fma(half, f, -h), error))
    return total + (lost + (error if rest is None else error + rest))


def _split(pairs: Constant, part: int) -> tuple[float, float]:
    return pairs[0][part], pairs[1][part]
