"""erf, erfc, erfcx and their inverses.

erfc, ndtr and erfcx use (w + x) exp(x^2) erfc(x), a smooth function of t = (x - k) / (x + k)
(Shepherd & Laframboise 1981, Math. Comp. 36), with exp(-x^2) from the exact square of x. The
rounding that costs most, that of exp, is avoided by pairs; float32 takes float64 for a part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from symgraph_kernels.coefficients import (
    ERF_LARGE,
    ERF_SMALL,
    ERFC,
    ERFC_SINGLE,
    ERFCINV_FAR,
    ERFCINV_MIDDLE,
    ERFCINV_NEAR,
    ERFCX,
    ERFCX_SLOPE,
    ERFINV,
    EXP,
    NDTR,
    NDTR_SINGLE,
)
from symgraph_kernels.exponential import (
    LN2_HIGH,
    LN2_LOW,
    LOG2E,
    bounded,
    exp,
    exp_pair,
    reduce_sum,
    scale,
)
from symgraph_kernels.logarithm import log_pair
from symgraph_kernels.pairs import (
    Pair,
    Value,
    divide,
    fast_sum,
    full_sum,
    multiply,
    product,
    root,
)
from symgraph_kernels.words import Table

RSQRT_PI = 0.5641895835477563
MIDDLE = 0.3  # where the derivative of erfcx is 3/5 of -2 / sqrt(pi)
SQRT2 = (1.4142135623730951, -9.667293313452913e-17)
# sqrt(1/2) in two parts: high for float64 and float32, low for both
ROOT_HALF = (
    0.7071067811865476,
    0.70710676908493042,
    -4.833646656726457e-17,
    1.2101617152815436e-08,
)
ROOT_HALF_PI = (1.2533141373155003, -9.164289990229583e-17)  # what the next table begins with
ERFINV_SQRT2 = Table(tuple(c * SQRT2[0] for c in ERFINV.float64[1:]), ())
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


def _single_tail(s: Any, a: Value, square: Pair, table: Table) -> Value:
    """exp(-square) g(a), float32: g(a) (a + 3) a polynomial in t = (a - 3) / (a + 3), a >= 0.

    g is computed in float64, which costs less than pairs; the exponential in float32.
    """
    n = s.rint(-LOG2E * square[0])
    r = s.fma(n, -LN2_LOW[1], s.fma(n, -LN2_HIGH[1], -square[0])) - square[1]
    above_one = s.widen(s.fma(r * r, s.fma(r, s.poly(EXP, r), 0.5), r))
    d, a = s.double(), s.widen(a)
    inverse = 1.0 / (a + 3.0)
    g = d.poly(table, (a - 3.0) * inverse) * inverse
    return scale(s, s.narrow(d.fma(g, above_one, g)), n)


class _Tail(NamedTuple):
    """(a + weight) exp(share a^2) f(a) = first + table(t), t = (a - center) / (a + center)."""

    table: Table
    first: float  # short, so that what the table gives is small
    weight: float
    center: float
    share: float


_ERFC = _Tail(ERFC, 0.703125, 0.875, 4.0, 1.0)
_NORMAL = _Tail(NDTR, 0.5, 1.25, 6.0, 0.5)


def _tail(s: Any, a: Value, row: _Tail) -> Value:
    """f(a) of a row in float64, 0 <= a <= 40, with one division for t and for the weight."""
    below, center = a + row.weight, a + row.center
    lost = a - (below - row.weight)
    inverse = 1.0 / (below * center)
    slope = s.poly(row.table, (a - row.center) * (below * inverse))
    above, less = fast_sum(s, row.first, slope)
    inverse = center * inverse
    high = above * inverse
    low = (s.fma(-high, lost, s.fma(-high, below, above)) + less) * inverse
    square, rest = product(s, a, a)
    n, r, rest = reduce_sum(s, -row.share * square, -row.share * rest)
    p = r + s.fma(r * r, s.fma(r, s.poly(EXP, r), 0.5), rest)
    return scale(s, high + s.fma(high, p, s.fma(low, p, low)), n)


def erfc(s: Any, x: Value) -> Value:
    a = s.abs(x)
    top = s.number(30.0, 11.0)
    a = s.select(a > top, top, a)
    found = _tail(s, a, _ERFC) if s.wide else _single_tail(s, a, product(s, a, a), ERFC_SINGLE)
    return s.select(x < 0.0, 2.0 - found, found)


def _normal_tail(s: Any, a: Value) -> Pair:
    """exp(a^2 / 2) P(X > a) as a pair, for a normal X and 1 <= a <= 1e10."""
    z, low = product(s, a, s.number(*ROOT_HALF[:2]))
    low = s.fma(a, s.number(*ROOT_HALF[2:]), low)
    t = (z - 4.0) / (z + 4.0)
    above = fast_sum(s, ERFCX.float64[0], s.poly(tail(ERFCX), t) * t)
    whole, rest = full_sum(s, z + z, 1.0)
    high, more = divide(s, above, (whole, rest + 2.0 * low))
    return 0.5 * high, 0.5 * more


def _normal_middle(s: Any, x: Value) -> Pair:
    """P(X < x) as a pair, |x| < 1.06."""
    z, low = product(s, x, s.number(*ROOT_HALF[:2]))
    low = s.fma(x, s.number(*ROOT_HALF[2:]), low)
    slope = s.poly(ERF_SMALL, z * z)
    inner = s.fma(z, slope, low)
    high, lost = fast_sum(s, 0.5, 0.5 * z)
    return fast_sum(s, high, s.fma(0.5, inner, lost))


def ndtr(s: Any, x: Value) -> Value:
    """P(X < x) for a standard normal X: exp(-x^2 / 2) from the exact square."""
    a = s.abs(x)
    top = s.number(40.0, 16.0)
    a = s.select(a > top, top, a)
    if s.wide:
        found = _tail(s, a, _NORMAL)
    else:
        high, low = product(s, a, a)
        found = _single_tail(s, a, (0.5 * high, 0.5 * low), NDTR_SINGLE)
    return s.select(x > 0.0, 1.0 - found, found)


def log_ndtr(s: Any, x: Value) -> Value:
    """log(P(X < x)), float64: -x^2 / 2 apart from the logarithm of the rest, log1p on the right."""
    a = s.abs(x)
    middle, right = a < 1.06, x > 0.0
    huge = a > 1e10  # the logarithm is less than half an ulp there
    held = s.select(middle, 1.06, s.select(huge, 1e10, a))
    factor = _normal_tail(s, held)
    square, rest = product(s, held, held)
    power, n = exp_pair(s, bounded(s, -0.5 * square), s.select(a < 40.0, -0.5 * rest, 0.0))
    tail_high, tail_low = multiply(s, power, factor)
    p = s.select(right & ~middle, scale(s, tail_high + tail_low, n), 0.0)
    one, lost = fast_sum(s, 1.0, -p)
    near, more = _normal_middle(s, s.select(middle, x, 0.0))
    u = s.select(middle, near, s.select(right, one, factor[0]))
    c = s.select(middle, more, s.select(right, lost, factor[1]))
    m, k = s.frexp(u)
    high, low = log_pair(s, m, k, c / u)
    left = ~middle & (x < 0.0)
    shift = s.select(left, -0.5 * square, 0.0)
    total, error = fast_sum(s, shift, high)
    plain = high + low
    found = s.select(left, total + (error + (low - 0.5 * rest)), plain)
    found = s.select(~middle & right & (p < 2.0**-60), -p, found)
    found = s.select(huge, s.select(right, 0.0, -0.5 * x * x), found)
    return s.select(x == x, found, x)


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


def erfcx_slope(s: Any, x: Value) -> Value:
    """2 x erfcx(x) - 2 / sqrt(pi), float64; from `MIDDLE` on -P(t) / (x + 7/8)^2."""
    right = s.select(x < MIDDLE, MIDDLE, x)
    tail_only = right > 2.0**60
    held = s.select(tail_only, 2.0**60, right)
    t = (held - 4.0) / (held + 4.0)
    above = fast_sum(s, ERFCX_SLOPE.float64[0], s.poly(tail(ERFCX_SLOPE), t) * t)
    weight = full_sum(s, held, 0.875)
    high, low = divide(s, above, multiply(s, weight, weight))
    far = s.select(tail_only, -(RSQRT_PI / right) / right, -(high + low))
    left = s.select(x > MIDDLE, MIDDLE, x)
    near = s.fma(left + left, erfcx(s, left), -2.0 * RSQRT_PI)
    return s.select(x < MIDDLE, near, far)


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
    z = s.select(outer, 0.0, x * x)
    slope = s.fma(z, s.poly(ERFINV_SQRT2, z), ROOT_HALF_PI[1])
    near = s.fma(x, ROOT_HALF_PI[0], x * slope)
    far = s.select(upper, high + low, -(high + low))
    y = s.select(inside, s.select(outer, far, near), NAN + p)
    return s.select(p == 0.0, -INF, s.select(p == 1.0, INF, y))
