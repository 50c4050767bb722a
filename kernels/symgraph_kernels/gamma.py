"""gamma, gammaln, digamma, trigamma, in float64; float32 goes through it.

For x >= 8 Stirling's series with a minimax tail; below, the recurrence moves x into [3/2, 5/2]
(or up to 8), as one product or one fraction, so that a single division or logarithm follows.
Negative x by reflection, with sin(pi x) and cos(pi x) of the exactly reduced x. Poles: gamma and
digamma at negative integers are NaN (they have no sign there), at +-0 infinite; gammaln and
trigamma are +inf at both.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import (
    DIGAMMA,
    DIGAMMA_TAIL,
    GAMMALN,
    RGAMMA,
    STIRLING,
    TRIGAMMA_TAIL,
)
from symgraph_kernels.exponential import exp_pair, scale
from symgraph_kernels.logarithm import log_pair
from symgraph_kernels.pairs import Pair, Value, clamp, divide, fast_sum, full_sum, multiply, product
from symgraph_kernels.roots import log_exact
from symgraph_kernels.trigonometric import cos_pair, sin_pair
from symgraph_kernels.words import Table

PI = (3.141592653589793, 1.2246467991473532e-16)
LOG_PI = (1.1447298858494002, 1.0265951162707826e-17)
HALF_LOG_TAU = (0.9189385332046728, -3.878294158067242e-17)
SQRT_TAU = (2.5066282746310007, -1.8328579980459167e-16)
DIGAMMA_ZERO = (1.4616321449683622, 9.549995429965697e-17)
SERIES_FROM = 8.0
TINY = 2.0**-60  # below, the pole at 0 is all there is
GAMMALN_MAX = 2.556348163871690586e305  # beyond, gammaln overflows
INF, NAN = float("inf"), float("nan")


def sin_cos_pi(s: Any, x: Value) -> tuple[Pair, Pair, Value]:
    """(sin(pi r), cos(pi r), n) for x = n + r exactly, |r| <= 1/2."""
    n = s.rint(x)
    r = x - n
    flip = s.abs(r) > 0.25  # then of 1/2 - |r|, with sin and cos exchanged
    near = s.select(flip, 0.5 - s.abs(r), s.abs(r))
    y, low = product(s, near, PI[0])
    low = s.fma(near, PI[1], low)
    sine, cosine = fast_sum(s, *sin_pair(s, y, low)), fast_sum(s, *cos_pair(s, y, low))
    above = [s.select(flip, b, a) for a, b in zip(sine, cosine, strict=True)]
    below = [s.select(flip, a, b) for a, b in zip(sine, cosine, strict=True)]
    negative = r < 0.0
    return (
        (s.select(negative, -above[0], above[0]), s.select(negative, -above[1], above[1])),
        (below[0], below[1]),
        n,
    )


def is_odd(s: Any, n: Value) -> Value:
    """Whether the integer in the float n is odd."""
    return s.rint(n * 0.5) * 2.0 != n


def _into_strip(s: Any, x: Value) -> tuple[Value, Pair, Value]:
    """(z, p, up): gamma(x) = gamma(2 + z) p, or gamma(2 + z) / p where up; 0 < x < 8.5."""
    up = x < 1.5
    tiny = x < 0.5
    z = s.select(tiny, x, s.select(up, x - 1.0, x - s.floor(x + 0.5)))
    high = s.select(up, x, 1.0)
    low = 0.0 * x
    next_high, next_low = product(s, x, x)  # x (x + 1) = x^2 + x
    total, lost = fast_sum(s, x, next_high)
    high = s.select(tiny, total, high)
    low = s.select(tiny, lost + next_low, low)
    for step in range(1, 7):  # times (x - 1) (x - 2) ... while the factor is >= 3/2
        factor = x - float(step)
        more = factor >= 1.5
        taller, error = product(s, high, factor)
        high, low = s.select(more, taller, high), s.select(more, s.fma(low, factor, error), low)
    return z, (high, low), up


def gamma(s: Any, x: Value) -> Value:
    """Stirling's formula with log(x) in two floats, or the reciprocal of 1 / gamma(2 + z)."""
    a = s.abs(x)
    series = a >= SERIES_FROM
    z, shift, up = _into_strip(s, s.select(series | (a == 0.0), 2.0, a))
    one = (1.0 + 0.0 * z, 0.0 * z)
    reciprocal = full_sum(s, RGAMMA.float64[0], s.poly(_tail(RGAMMA.float64), z) * z)
    inner = _choose(s, up, multiply(s, shift, reciprocal), shift)
    above = _choose(s, up, one, inner)
    below = _choose(s, up, inner, reciprocal)
    large = clamp(s, s.select(series, a, SERIES_FROM), SERIES_FROM, 190.0)
    power, n = _stirling(s, large)
    n = s.select(series, n, 0.0)
    above, below = _choose(s, series, power, above), _choose(s, series, one, below)
    left = x < 0.0
    sine, _, turns = sin_cos_pi(s, s.select(left, a, 0.5))
    # gamma(-a) = -pi / (a sin(pi a) gamma(a)), and sin(pi a) is (-1)**turns of `sine`
    mirror = multiply(s, multiply(s, sine, (a, 0.0)), above)
    top = _choose(s, left, multiply(s, below, PI), above)
    bottom = _choose(s, left, mirror, below)
    y, rest = divide(s, top, bottom)
    y = scale(s, y + rest, s.select(left, -n, n))
    y = s.select(left ^ (left & is_odd(s, turns)), -y, y)
    y = s.select(a < TINY, 1.0 / x, y)
    y = s.select(
        x > 180.0, INF, s.select(x < -190.0, s.select(is_odd(s, s.floor(x)), -0.0, 0.0), y)
    )
    return s.select((left & (s.rint(x) == x)) | (x != x), NAN + x, y)


def _stirling(s: Any, x: Value) -> tuple[Pair, Value]:
    """((high, low), n): gamma(x) = (high + low) 2**n for 8 <= x <= 190."""
    log_high, log_low = log_exact(s, x)
    half = x - 0.5
    main, rest = product(s, half, log_high)
    rest = s.fma(half, log_low, rest)
    exponent, lost = fast_sum(s, main, -x)
    inverse = 1.0 / x
    series = s.poly(STIRLING, inverse * inverse) * inverse
    power, n = exp_pair(s, exponent, rest + (lost + series))
    return multiply(s, power, SQRT_TAU), n


def gammaln(s: Any, x: Value) -> Value:
    """log(|gamma(x)|)."""
    a = s.abs(x)
    series = a >= SERIES_FROM
    z, shift, up = _into_strip(s, s.select(series | (a == 0.0), 2.0, a))
    finite = s.select(a < INF, a, 1.0)
    subnormal = a < 2.0**-1000
    argument = s.select(series | subnormal, finite, shift[0])
    m, k = s.frexp(s.select(a == 0.0, 1.0, argument))
    high, low = log_pair(s, m, k, s.select(series | subnormal, 0.0, shift[1] / argument))
    inner = full_sum(s, GAMMALN.float64[0], s.poly(_tail(GAMMALN.float64), z) * z)
    strip, strip_low = product(s, z, inner[0])
    strip_low = s.fma(z, inner[1], strip_low)
    sign = s.select(up, -1.0, 1.0)
    small, error = full_sum(s, sign * high, strip)
    small_low = error + (sign * low + strip_low)
    held = clamp(s, a, SERIES_FROM, GAMMALN_MAX)
    main, rest = product(s, held - 0.5, high - 1.0)
    inverse = 1.0 / held
    rest = rest + s.fma(
        held - 0.5,
        low + ((high - (high - 1.0)) - 1.0),
        s.poly(STIRLING, inverse * inverse) * inverse,
    )
    big, lost = fast_sum(s, main, HALF_LOG_TAU[0] - 0.5)
    y, y_low = _choose(s, series, (big, lost + rest), (small, small_low))
    left = x < 0.0
    sine, _, _ = sin_cos_pi(s, s.select(left, a, 0.5))
    mirror, mirror_low = multiply(s, sine, (s.select(a < 2.0**53, a, 1.0), 0.0))
    mirror, mirror_low = (
        s.select(mirror < 0.0, -mirror, mirror),
        s.select(mirror < 0.0, -mirror_low, mirror_low),
    )
    safe = s.select(mirror > 0.0, mirror, 1.0)
    m, k = s.frexp(safe)
    log_high, log_low = log_pair(s, m, k, mirror_low / safe)
    reflected, lost = full_sum(s, LOG_PI[0], -log_high)
    total, error = full_sum(s, reflected, -y)
    reflected = total + (error + (lost + (LOG_PI[1] - log_low) - y_low))
    y = s.select(left & (a >= TINY), reflected, y + y_low)
    y = s.select(a > GAMMALN_MAX, INF, y)
    pole = (a == 0.0) | (left & (s.rint(x) == x))
    return s.select(pole, INF, s.select(x == x, y, x))


def digamma(s: Any, x: Value) -> Value:
    """d/dx gammaln(x)."""
    a = s.abs(x)
    series = a >= SERIES_FROM
    held = s.select(series | (a == 0.0), 1.5, a)
    up = held < 1.0
    moved = s.select(up, held, held - s.floor(held) + 1.0)
    base, base_low = _digamma_middle(s, moved, up)
    top, bottom = s.select(up, -1.0, 0.0), s.select(up, held, 1.0)
    for step in range(1, 7):  # plus 1 / (x - 1) + 1 / (x - 2) ... while the term is >= 1
        term = held - float(step)
        more = term >= 1.0
        top = s.select(more, s.fma(top, term, bottom), top)
        bottom = s.select(more, bottom * term, bottom)
    high, low = divide(s, (top, 0.0), (bottom, 0.0))
    total, lost = full_sum(s, high, base)
    small, small_low = total, lost + (low + base_low)
    large = s.select(series, a, SERIES_FROM)
    inverse = 1.0 / large
    m, k = s.frexp(s.select(large < INF, large, 1.0))
    log_high, log_low = log_pair(s, m, k, 0.0)
    square = inverse * inverse
    series_low = log_low - s.fma(0.5, inverse, s.poly(DIGAMMA_TAIL, square) * square)
    y, y_low = _choose(s, series, (log_high, series_low), (small, small_low))
    left = x < 0.0
    sine, cosine, _ = sin_cos_pi(s, s.select(left, a, 0.5))
    cotangent = divide(s, multiply(s, cosine, PI), _choose(s, sine[0] == 0.0, (1.0, 0.0), sine))
    own = divide(s, (1.0, 0.0), (s.select(left, a, 1.0), 0.0))
    first, lost = full_sum(s, cotangent[0], own[0])
    total, error = full_sum(s, first, y)
    reflected = total + (error + (lost + (cotangent[1] + own[1] + y_low)))
    y = s.select(left, reflected, y + y_low)
    y = s.select(x == INF, INF, y)
    y = s.select(a < TINY, -1.0 / x, y)
    return s.select((left & (s.rint(x) == x)) | (x != x), NAN + x, y)


def _digamma_middle(s: Any, x: Value, up: Value) -> Pair:
    """digamma on [1, 2] of x, or of x + 1 where `up`, as (x - zero) * P(x - 3/2)."""
    z = x - s.select(up, 0.5, 1.5)
    first, lost = full_sum(s, x, s.select(up, 1.0 - DIGAMMA_ZERO[0], -DIGAMMA_ZERO[0]))
    distance = fast_sum(s, first, lost - DIGAMMA_ZERO[1])
    slope = full_sum(s, DIGAMMA.float64[0], s.poly(_tail(DIGAMMA.float64), z) * z)
    return multiply(s, distance, slope)


def trigamma(s: Any, x: Value) -> Value:
    """d/dx digamma(x): 1/x^2 + trigamma(1 + x), and pi^2 / sin(pi x)^2 less that for x < 0."""
    a = s.abs(x)
    below = a < SERIES_FROM
    own = 1.0 / s.select(a > 2.0**-1000, a, 2.0**-1000)
    top, bottom = 0.0 * own, 1.0 + 0.0 * own
    moved = s.select(below, a + 1.0, a)
    for _ in range(7):  # plus 1 / (x + 1)^2 + 1 / (x + 2)^2 ... up to 8
        more = moved < SERIES_FROM
        square = moved * moved
        top = s.select(more, s.fma(top, square, bottom), top)
        bottom = s.select(more, bottom * square, bottom)
        moved = s.select(more, moved + 1.0, moved)
    inverse, rest = divide(
        s, (1.0 + 0.0 * own, 0.0 * own), (clamp(s, moved, 1.0, 1.7e308), 0.0 * own)
    )
    square = inverse * inverse
    tail = s.fma(0.5, square, s.fma(square * inverse, s.poly(TRIGAMMA_TAIL, square), rest))
    series = inverse + (tail + top / bottom)
    left = x < 0.0
    sine, _, _ = sin_cos_pi(s, s.select(left, a, 0.5))
    ratio, low = divide(s, PI, _choose(s, sine[0] == 0.0, (1.0, 0.0), sine))
    square, error = product(s, ratio, ratio)
    shifted = s.select(below, series, series - own * own)
    reflected = square + (s.fma(2.0 * ratio, low, error) - shifted)
    y = s.select(below, s.fma(own, own, series), series)
    y = s.select(left & (a >= TINY), reflected, y)
    y = s.select(left & (s.rint(x) == x), s.select(a < INF, INF, NAN), y)
    return s.select(x == x, s.select(x == INF, 0.0, y), x)


def _choose(s: Any, c: Value, x: Pair, y: Pair) -> Pair:
    return s.select(c, x[0], y[0]), s.select(c, x[1], y[1])


def _tail(coefficients: tuple[float, ...]) -> Table:
    return Table(coefficients[1:], ())
