"""What is left when the leading terms are taken away, and functions of products and quotients.

log1pmx is log(1 + x) - x, cosm1 is cos(x) - 1, sqrt1pm1 is sqrt(1 + x) - 1, pow1pm1 is
(1 + x)**y - 1, exprel is (exp(x) - 1) / x: differences that keep no digits when they are computed
as such. exp_product(x, y) and log_quotient(x, y) take the exact product and quotient, not the
rounded one. All by pairs (Dekker 1971).
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import LOG, LOG_RATIO
from symgraph_kernels.exponential import (
    bounded,
    exp_pair,
    exp_sum,
    expm1_quarter,
    log1mexp,
    scale,
)
from symgraph_kernels.logarithm import LN2_HIGH, LN2_LOW, finish, log_pair, log_sum
from symgraph_kernels.pairs import (
    Pair,
    Value,
    clamp,
    divide,
    fast_sum,
    full_sum,
    product,
    root,
)
from symgraph_kernels.roots import log_exact
from symgraph_kernels.trigonometric import LIMIT, Reduced, cos_pair, either, near, sin_pair
from symgraph_kernels.words import FAR, Far

INF, NAN = float("inf"), float("nan")


def _log1p_pair(s: Any, x: Value) -> Pair:
    """log(1 + x) as a pair, -1 < x < inf."""
    u, lost = full_sum(s, 1.0, x)
    m, k = s.frexp(u)
    high, low = log_pair(s, m, k, lost / u)
    small = s.abs(x) < s.number(2.0**-60, 2.0**-30)
    return s.select(small, x, high), s.select(small, -0.5 * x * x, low)


def log1pmx(s: Any, x: Value) -> Value:
    """Near 0 by what the logarithm subtracts from x, x**2 / 2 - q (q**2 P + x**2 / 2)."""
    close = s.abs(x) < 0.25
    f = s.select(close, x, 0.0)
    q = f / (2.0 + f)
    z = q * q
    h, rest = product(s, 0.5 * f, f)
    inner = -(h - s.fma(q, s.fma(z, s.poly(LOG, z), h), -rest))
    high, low = _log1p_pair(s, s.select(close | (x <= -1.0) | (x == INF), 1.0, x))
    gap, lost = full_sum(s, high, -x)
    outer = gap + (lost + low)
    outer = s.select(x > -1.0, s.select(x < INF, outer, -INF), s.select(x == -1.0, -INF, NAN + x))
    return s.select(close, inner, outer)


def _cosm1(s: Any, reduced: Reduced) -> Value:
    y, c, n = reduced
    odd, _ = s.quadrant(n)
    sine, cosine = fast_sum(s, *sin_pair(s, y, c)), fast_sum(s, *cos_pair(s, y, c))
    high, low = s.select(odd, cosine[0], sine[0]), s.select(odd, cosine[1], sine[1])
    square, rest = product(s, high, high)
    return -2.0 * (square + s.fma(2.0 * high, low, rest))


def cosm1(s: Any, x: Value) -> Value:
    """-2 sin(x / 2)**2."""
    return s.far("cosm1", _cosm1(s, near(s, 0.5 * x)), x)


FAR["cosm1"] = Far(lambda s, x: _cosm1(s, either(s, 0.5 * x)), LIMIT)


def _expm1_range(s: Any, x: Value) -> Value:
    return clamp(s, x, -50.0, s.number(710.5, 89.5))


def _exp_over(s: Any, a: Value, half: float) -> Value:
    """half * exp(a) / a for 1 <= a, which may be in range where exp(a) is not."""
    (high, low), n = exp_pair(s, bounded(s, a))
    q = high / a
    return scale(s, half * (q + (s.fma(-q, a, high) + low) / a), n)


def exprel(s: Any, x: Value) -> Value:
    """(exp(x) - 1) / x, 1 at 0."""
    tiny, large = s.abs(x) < s.number(2.0**-60, 2.0**-30), x > 50.0
    below = s.select(tiny | (s.abs(x) == INF) | large, 1.0, x)
    high, low = expm1_quarter(s, _expm1_range(s, below))
    high, low = 4.0 * high, 4.0 * low  # before the quotient, which may be subnormal
    q = high / below
    y = q + (s.fma(-q, below, high) + low) / below
    over = s.select(large & (x < 720.0), x, 1.0)
    y = s.select(large, s.select(x < 720.0, _exp_over(s, over, 1.0), INF), y)
    return s.select(tiny, 1.0 + 0.5 * x, s.select(x == -INF, 0.0, y))


def sinhc(s: Any, x: Value) -> Value:
    """sinh(x) / x, 1 at 0."""
    a = s.abs(x)
    tiny, large = a < s.number(2.0**-30, 2.0**-14), a > 50.0
    below = s.select(tiny | large, 1.0, a)
    high, low = expm1_quarter(s, _expm1_range(s, below))
    top, rest = fast_sum(s, high, s.fma(0.25, high / (high + 0.25), low))
    q = top / below
    y = 2.0 * (q + (s.fma(-q, below, top) + rest) / below)
    over = s.select(large & (a < 720.0), a, 1.0)
    y = s.select(large, s.select(a < 720.0, _exp_over(s, over, 0.5), INF), y)
    return s.select(tiny, 1.0, s.select(x == x, y, x))


def sqrt1pm1(s: Any, x: Value) -> Value:
    """x / (1 + sqrt(1 + x))."""
    u, lost = full_sum(s, 1.0, s.select(x < INF, x, 1.0))
    high, low = root(s, (u, lost))
    below, rest = full_sum(s, high, 1.0)
    y, more = divide(s, (x, 0.0), (below, rest + low))
    return s.select(x == 0.0, x, s.select(x < INF, y + more, x))


def _power(s: Any, x: Value, y: Value) -> Pair:
    """y * log(1 + x) as a pair, for -1 < x < inf, float64."""
    inside = (x > -1.0) & (x < INF)
    held = s.select(inside, x, 1.0)
    high, low = log_exact(s, *full_sum(s, 1.0, held))
    small = s.abs(held) < 2.0**-60
    high, low = s.select(small, held, high), s.select(small, -0.5 * held * held, low)
    t, rest = product(s, y, high)
    fits = s.abs(t) < 800.0
    return t, s.select(fits, s.fma(y, low, rest), 0.0)


def pow1p(s: Any, x: Value, y: Value) -> Value:
    """(1 + x)**y for x >= -1; NaN below."""
    t, rest = _power(s, x, y)
    power, n = exp_pair(s, bounded(s, t), rest)
    return _power_edges(s, x, y, scale(s, power[0] + power[1], n), 0.0)


def pow1pm1(s: Any, x: Value, y: Value) -> Value:
    """(1 + x)**y - 1 for x >= -1; NaN below."""
    t, rest = _power(s, x, y)
    held = _expm1_range(s, t)
    high, low = expm1_quarter(s, held)
    found = 4.0 * (high + s.fma(rest, high + 0.25, low))
    tiny = s.abs(t) < s.number(2.0**-60, 2.0**-30)
    return _power_edges(s, x, y, s.select(tiny, t + rest, found), 1.0)


def _power_edges(s: Any, x: Value, y: Value, inner: Value, less: float) -> Value:
    """(1 + x)**y - less where 1 + x is 0 or infinite, y is 0, or either is no number."""
    up = s.select(x == -1.0, y < 0.0, y > 0.0)
    edge = s.select(up, INF, -less + 0.0)
    y_infinite = (s.abs(y) == INF) & (x == 0.0)
    found = s.select((x == -1.0) | (x == INF), edge, inner)
    found = s.select(x < -1.0, NAN, found)
    found = s.select((y == 0.0) | y_infinite, 1.0 - less, found)
    return s.select((x == x) & (y == y), found, x + y)


def softplus_inverse(s: Any, y: Value) -> Value:
    """log(exp(y) - 1), y >= 0."""
    small = y < 1.0
    inside = small & (y > 0.0)
    high, low = expm1_quarter(s, s.select(inside, y, 1.0))
    tiny = y < s.number(2.0**-60, 2.0**-30)
    u, c = s.select(tiny & inside, y, 4.0 * high), s.select(tiny, 0.0, 4.0 * low)
    near_zero = log_sum(s, u, c)
    large = y + log1mexp(s, -s.select(small, 1.0, y))
    found = s.select(small, near_zero, s.select(y == INF, y, large))
    return s.select(y > 0.0, found, s.select(y == 0.0, -INF, NAN + y))


def exp_product(s: Any, x: Value, y: Value) -> Value:
    """exp(x * y) of the exact product."""
    t, rest = product(s, x, y)
    rest = s.select(rest < 1.0, rest, 1.0)  # where t overflows, rest is anything
    rest = s.select(rest > -1.0, rest, -1.0)
    return exp_sum(s, bounded(s, t), rest)


def log_quotient(s: Any, x: Value, y: Value) -> Value:
    """log(x / y) of the exact quotient, which need not be in range.

    2 atanh((a - b) / (a + b)) + k ln2, where x / y = a / b 2**k: a - b is exact.
    """
    y, x = s.abs(y), s.select(s.bits(y) < 0, -x, x)  # -0 too
    a, b, k = s.ratio(x, y)
    above, twice = a - b, b + b
    below, lost = fast_sum(s, twice, above)
    inverse = 1.0 / below
    q = above * inverse
    rest = s.fma(-q, lost, s.fma(-q, below, above))
    q2, z = q + q, q * q
    tail = s.fma(k, s.number(*LN2_LOW), (rest + rest) * inverse)
    inner = s.fma(q * z, s.poly(LOG_RATIO, z), tail)
    found = s.fma(k, s.number(*LN2_HIGH), q2 + inner)
    edge = s.select(x == 0.0, -INF, x) - s.select(y == 0.0, -INF, y)
    ordinary = (x > 0.0) & (x < INF) & (y > 0.0) & (y < INF)
    return s.select(ordinary, found, s.select(x >= 0.0, edge, NAN + x))


def log_near(s: Any, u: Value, d: Value) -> Value:
    """log(u), where d = u - 1 is known to more digits than u has near 1."""
    close = s.abs(d) < 0.5
    w, lost = fast_sum(s, 1.0, s.select(close, d, 0.0))
    w = s.select(close, w, u)
    ordinary = (w > 0.0) & (w < INF)
    held = s.select(ordinary, w, 1.0)
    found = log_sum(s, held, s.select(close, lost, 0.0))
    found = s.select(s.abs(d) < s.number(2.0**-60, 2.0**-30), d, found)
    return s.select((u == u) & (d == d), finish(s, w, found), u + d)
