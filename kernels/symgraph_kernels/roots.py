"""cbrt, hypot and pow.

pow takes log(|x|) in two floats of about 2**-65 relative error, so that y log(x), as large as
709, still has 55 bits after the point. In float32 one float64 logarithm is as good.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import LOG_TAIL, RCBRT
from symgraph_kernels.exponential import exp, exp_pair, scale
from symgraph_kernels.logarithm import log
from symgraph_kernels.pairs import Pair, Value, divide, fast_sum, full_sum, multiply, product, root

LN2 = (0.6931471805601177, -1.7239444525614835e-13)  # 40 bits, rest
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
INF, NAN = float("inf"), float("nan")


def cbrt(s: Any, x: Value) -> Value:
    """A guess y of |x|**(-1/3) by its bits, r = |x| y^2, and what the cube of r misses of |x|."""
    a = s.abs(x)
    small = a < s.number(2.0**-900, 2.0**-96)  # what is missed must not be subnormal
    a = s.select(small, a * s.number(2.0**168, 2.0**48), a)
    y = _reciprocal_guess(s, a)
    e = s.fma(-a * y, y * y, 1.0)
    y = s.fma(y * e, s.poly(RCBRT, e), y)
    square = y * y
    r = a * square
    if s.wide:
        r = s.fma(r * (2.0 / 3.0), s.fma(-r, y, 1.0), r)
    cube, error = product(s, r, r)
    miss = s.fma(-error, r, s.fma(-cube, r, a))
    result = s.fma(miss, square * (1.0 / 3.0), r)
    result = result * s.select(small, s.number(2.0**-56, 2.0**-16), 1.0)
    return s.select((a > 0.0) & (a < INF), s.copysign(result, x), x)


def _reciprocal_guess(s: Any, a: Value) -> Value:
    """a**(-1/3) for a > 0, its cube right to 10.3 %.

    The bits of a float are nearly its logarithm: those of the guess are a constant less a third.
    Only the upper ones are divided, in a float that holds them as its last.
    """
    shift, exponent = s.number(30, 12), s.number(0x433 << 52, 0x4B0 << 20)
    whole = s.from_bits((s.bits(a) >> shift) + exponent)
    third = s.fma(whole, -1.0 / 3.0, s.number(8256605037590638.0, 15725770.0))
    return s.from_bits(s.bits(third) << shift)


def hypot(s: Any, x: Value, y: Value) -> Value:
    """sqrt(x^2 + y^2), scaled so that no square leaves the range; inf beside NaN is inf."""
    a, b = s.abs(x), s.abs(y)
    first = a > b
    high, low = s.select(first, a, b), s.select(first, b, a)
    up, down = s.number(2.0**600, 2.0**70), s.number(2.0**-600, 2.0**-70)
    big, small = high > s.number(2.0**480, 2.0**60), high < s.number(2.0**-400, 2.0**-40)
    factor = s.select(big, down, s.select(small, up, 1.0))
    high, low = high * factor, low * factor
    (longer, rest), (shorter, error) = product(s, high, high), product(s, low, low)
    total, lost = fast_sum(s, longer, shorter)
    result, correction = root(s, (total, lost + (rest + error)))
    result = (result + correction) * s.select(big, up, s.select(small, down, 1.0))
    result = s.select(high == 0.0, high, result)
    return s.select((a == INF) | (b == INF), INF, s.select((x == x) & (y == y), result, x + y))


def log_exact(s: Any, x: Value, c: Value | None = None) -> Pair:
    """log(x + c) as a pair of relative error 2**-65, float64, x > 0 finite, c a correction."""
    m, k = s.frexp(x)
    if c is None:
        q = divide(s, (m - 1.0, 0.0), full_sum(s, m, 1.0))
    else:
        c = c * s.pow2(-k)
        below, rest = full_sum(s, m, 1.0)
        q = divide(s, full_sum(s, m - 1.0, c), (below, rest + c))
    z = multiply(s, q, q)
    factor, rest = fast_sum(s, TWO_THIRDS[0], z[0] * s.poly(LOG_TAIL, z[0]))
    cubic = multiply(s, multiply(s, q, z), (factor, rest + TWO_THIRDS[1]))
    series, low = fast_sum(s, 2.0 * q[0], cubic[0])
    low = low + (s.fma(2.0, q[1], cubic[1]) + k * LN2[1])
    high, rest = fast_sum(s, k * LN2[0], series)
    return fast_sum(s, high, rest + low)


def pow(s: Any, x: Value, y: Value) -> Value:
    a = s.abs(x)
    high, low = log_exact(s, s.select((a > 0.0) & (a < INF), a, 1.0))
    t, rest = product(s, y, high)
    fits = s.abs(t) < 760.0
    rest = s.select(fits, s.fma(y, low, rest), 0.0)
    t = s.select(t > 760.0, 760.0, s.select(t < -760.0, -760.0, t))
    power, n = exp_pair(s, t, rest)
    return _pow_special(s, x, y, scale(s, power[0] + power[1], n))


def pow_narrow(s: Any, x: Value, y: Value) -> Value:
    """In float64, to be rounded to float32."""
    a = s.abs(x)
    t = y * log(s, s.select((a > 0.0) & (a < INF), a, 1.0))
    return _pow_special(s, x, y, exp(s, t))


def _pow_special(s: Any, x: Value, y: Value, magnitude: Value) -> Value:
    """C's special cases over magnitude = |x|**y for finite nonzero x."""
    a = s.abs(x)
    edge = (a == 0.0) | (a == INF)
    magnitude = s.select(edge, s.select((a == 0.0) ^ (y < 0.0), 0.0, INF), magnitude)
    whole = s.rint(y) == y
    odd = whole & (s.rint(y * 0.5) * 2.0 != y)
    flipped = odd & (s.bits(x) < 0)
    result = s.select(flipped, -magnitude, magnitude)
    result = s.select((x < 0.0) & ~whole & (a < INF), NAN, result)
    result = s.select((a == 1.0) & (s.abs(y) == INF), 1.0, result)
    result = s.select((x == x) & (y == y), result, x + y)
    return s.select((x == 1.0) | (y == 0.0), 1.0, result)
