"""erf, erfc, erfcx and their inverses.

erfc and erfcx use (1 + 2x) exp(x^2) erfc(x), a smooth function of t = (x - k) / (x + k) (Shepherd
& Laframboise 1981, Math. Comp. 36), with exp(-x^2) from the exact square of x. The rounding that
costs most, that of exp, is avoided by pairs.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import (
    ERF_LARGE,
    ERF_SMALL,
    ERFC,
    ERFCINV_FAR,
    ERFCINV_MIDDLE,
    ERFCINV_NEAR,
    ERFCX,
    ERFINV,
)
from symgraph_kernels.exponential import bounded, exp, exp_pair, scale
from symgraph_kernels.logarithm import log_pair
from symgraph_kernels.pairs import Pair, Value, divide, fast_sum, full_sum, multiply, product, root
from symgraph_kernels.words import Table

RSQRT_PI = 0.5641895835477563
SQRT2 = (1.4142135623730951, -9.667293313452913e-17)
ERFINV_SQRT2 = Table(tuple(c * SQRT2[0] for c in ERFINV.float64), ())
INF, NAN = float("inf"), float("nan")


def erf(s: Any, x: Value) -> Value:
    a = s.abs(x)
    top = s.number(6.5, 4.5)
    a = s.select(a > top, top, a)
    small = s.fma(a, s.poly(ERF_SMALL, a * a), a)
    if s.wide:
        tail = exp(s, -a * a) * s.poly(ERF_LARGE, (a - 3.0) / (a + 3.0))
    else:
        tail = exp(s, s.poly(ERF_LARGE, a))
    return s.copysign(s.select(a < 1.0, small, 1.0 - tail), x)


def erfc(s: Any, x: Value) -> Value:
    a = s.abs(x)
    top = s.number(30.0, 11.0)
    a = s.select(a > top, top, a)
    small = 1.0 - s.fma(x, s.poly(ERF_SMALL, x * x), x)
    square, rest = product(s, a, a)
    power, n = exp_pair(s, bounded(s, -square), -rest)
    center = s.number(4.0, 2.0)
    first = ERFC.float64[0], ERFC.float32[0]
    t = (a - center) / (a + center)
    slope = s.poly(tail(ERFC), t) * t
    above = multiply(s, power, fast_sum(s, s.number(*first), slope))
    high, low = divide(s, above, fast_sum(s, a + a, 1.0))
    large = scale(s, high + low, n)
    large = s.select(x < 0.0, 2.0 - large, large)
    return s.select(a < 0.75, small, large)


def erfcx(s: Any, x: Value) -> Value:
    """exp(x^2) erfc(x), float64: 2 exp(x^2) - erfcx(-x) for x < 0, exp(x^2) (1 - erf(x)) near 0."""
    a = s.abs(x)
    far = a > 2.0**60  # then 1 / (sqrt(pi) a)
    held = s.select(far, 1.0, a)
    t = (held - 4.0) / (held + 4.0)
    above = fast_sum(s, ERFCX.float64[0], s.poly(tail(ERFCX), t) * t)
    high, low = divide(s, above, full_sum(s, held + held, 1.0))
    right = s.select(far, (1.0 / a) * RSQRT_PI, high + low)
    short = s.select(a < 27.0, x, 0.0)
    square, rest = product(s, short, short)
    over = square > 709.1
    power, n = exp_pair(s, s.select(over, 0.0, square), rest)
    factor = s.pow2(n)  # n <= 1023 below 709.1
    power = power[0] * factor, power[1] * factor
    left = 2.0 * (s.fma(-0.5, high, power[0]) + s.fma(-0.5, low, power[1]))
    left = s.select(over | (a >= 27.0), INF, left)
    rest = fast_sum(s, 1.0, -s.fma(short, s.poly(ERF_SMALL, square), short))
    center, low = multiply(s, power, rest)
    return s.select(a < 0.75, center + low, s.select(x < 0.0, left, right))


def tail(table: Table) -> Table:
    """The polynomial without its constant term, divided by the variable."""
    return Table(table.float64[1:], table.float32[1:])


def erfc_inverse(s: Any, y: Value) -> Pair:
    """x with erfc(x) = y as a pair, 0 < y <= 1/2, float64.

    s p(s) with s = sqrt(-log(y)), p in three ranges of s.
    """
    m, k = s.frexp(y)
    high, low = log_pair(s, m, k, 0.0)
    r, rest = root(s, (-high, -low))
    parts = []
    for table, center in ((ERFCINV_NEAR, 1.6), (ERFCINV_MIDDLE, 3.5), (ERFCINV_FAR, 11.0)):
        t = (r - center) / (r + center)
        parts.append((table.float64[0], s.poly(tail(table), t) * t))
    middle, far = r > 2.25, r > 6.5
    start = s.select(far, parts[2][0], s.select(middle, parts[1][0], parts[0][0]))
    slope = s.select(far, parts[2][1], s.select(middle, parts[1][1], parts[0][1]))
    return multiply(s, (r, rest), full_sum(s, start, slope))


def erfinv(s: Any, x: Value) -> Value:
    """y with erf(y) = x, in float64: erfcinv(1 - |x|) beyond 1/2, where 1 - |x| is exact."""
    a = s.abs(x)
    outer = a > 0.5
    high, low = erfc_inverse(s, s.select(outer & (a < 1.0), 1.0 - a, 0.5))
    near = s.poly(ERFINV, s.select(outer, 0.0, a * a)) * a
    y = s.select(outer, high + low, near)
    return s.copysign(s.select(a < 1.0, y, s.select(a == 1.0, INF, NAN + a)), x)


def ndtri(s: Any, p: Value) -> Value:
    """The standard normal quantile, float64: -sqrt(2) erfcinv(2 p), by symmetry above 1/2."""
    upper = p > 0.5
    rest = s.select(upper, 1.0 - p, p)  # exact
    inside = (rest > 0.0) & (p < 1.0)
    outer = rest < 0.25
    pair = erfc_inverse(s, s.select(inside & outer, rest + rest, 0.5))
    high, low = multiply(s, pair, SQRT2)
    x = p + p - 1.0  # exact where it is used
    near = s.poly(ERFINV_SQRT2, s.select(outer, 0.0, x * x)) * x
    far = s.select(upper, high + low, -(high + low))
    y = s.select(inside, s.select(outer, far, near), NAN + p)
    return s.select(p == 0.0, -INF, s.select(p == 1.0, INF, y))
