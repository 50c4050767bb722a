"""asin, acos, atan, atan2 and asinh, acosh, atanh.

Arc tangents reduce by pi/4 and pi/2 to |t| <= tan(pi/8) with one division; the others go through
sqrt or log1p. What the divisions and roots round off is carried as a low part to the last
addition.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import ASIN, ATAN
from symgraph_kernels.logarithm import log_core, log_sum
from symgraph_kernels.pairs import Pair, Value, divide, fast_sum, full_sum, multiply, product, root

HALF_PI = (
    (1.5707963267948966, 1.5707963705062866),
    (6.123233995736766e-17, -4.371138828673793e-08),
)
TAN_EIGHTH = 0.41421356237309503  # of pi
INF, NAN = float("inf"), float("nan")


def angle(s: Any, a: Value, b: Value | float) -> Pair:
    """The angle in [0, pi/2] whose tangent is a / b, for a, b >= 0 finite, scaled, not both 0."""
    steep = a > b * (1.0 / TAN_EIGHTH)
    diagonal = (a > b * TAN_EIGHTH) & ~steep
    over, over_rest = full_sum(s, a, -b)
    under, under_rest = full_sum(s, a, b)
    above = s.select(steep, -b, s.select(diagonal, over, a)), s.select(diagonal, over_rest, 0.0)
    below = s.select(steep, a, s.select(diagonal, under, b)), s.select(diagonal, under_rest, 0.0)
    t, rest = divide(s, above, below)
    z = t * t
    curve = s.fma(t * z, s.poly(ATAN, z), rest)
    high, low = (s.number(*x) for x in HALF_PI)
    start = s.select(steep, high, s.select(diagonal, 0.5 * high, 0.0))
    start_rest = s.select(steep, low, s.select(diagonal, 0.5 * low, 0.0))
    total, lost = fast_sum(s, start, t)
    return total, lost + (start_rest + curve)


def atan(s: Any, x: Value) -> Value:
    a = s.abs(x)
    top = s.number(2.0**60, 2.0**30)
    high, low = angle(s, s.select(a > top, top, a), 1.0)
    return s.copysign(high + low, x)


def atan2(s: Any, y: Value, x: Value) -> Value:
    """The angle of (x, y) in [-pi, pi], signed zeros and infinities as in C."""
    a, b = s.abs(y), s.abs(x)
    top = s.select(a > b, a, b)
    factor = s.select(top > s.number(2.0**900, 2.0**100), s.number(2.0**-64, 2.0**-32), 1.0)
    factor = s.select(top < s.number(2.0**-900, 2.0**-80), s.number(2.0**64, 2.0**40), factor)
    infinite = top == INF
    above = s.select(infinite, s.select(a == INF, 1.0, 0.0), a * factor)
    below = s.select(infinite, s.select(b == INF, 1.0, 0.0), b * factor)
    below = s.select(top == 0.0, 1.0, below)
    high, low = angle(s, above, below)
    pi, pi_rest = (2.0 * s.number(*part) for part in HALF_PI)
    mirror, lost = fast_sum(s, pi, -high)
    left = s.bits(x) < 0
    result = s.select(left, mirror + (lost + (pi_rest - low)), high + low)
    return s.select((x == x) & (y == y), s.copysign(result, y), x + y)


def _arc_sine(s: Any, a: Value) -> tuple[Value, Value, Value]:
    """(big, w, p): asin(a) = w + p for a <= 1/2; big: a > 1/2, asin(a) = pi/2 - 2 (w + p)."""
    big = a > 0.5
    half = s.fma(a, -0.5, 0.5)
    z = s.select(big, half, a * a)
    w = s.select(big, s.sqrt(half), a)
    rest = s.fma(-w, w, half) / (w + w + s.number(1e-300, 1e-30))  # of the root; w may be 0
    return big, w, s.fma(w * z, s.poly(ASIN, z), s.select(big, rest, 0.0))


def asin(s: Any, x: Value) -> Value:
    big, w, p = _arc_sine(s, s.abs(x))
    high, low = (s.number(*part) for part in HALF_PI)
    total, lost = fast_sum(s, high, -2.0 * w)
    return s.copysign(s.select(big, total + (lost + s.fma(-2.0, p, low)), w + p), x)


def acos(s: Any, x: Value) -> Value:
    big, w, p = _arc_sine(s, s.abs(x))
    high, low = (s.number(*part) for part in HALF_PI)
    left = x < 0.0
    near, lost = fast_sum(s, high, s.select(left, w, -w))
    near = near + (lost + (low + s.select(left, p, -p)))
    far, lost = fast_sum(s, 2.0 * high, -2.0 * w)
    far = far + (lost + s.fma(-2.0, p, 2.0 * low))
    return s.select(big, s.select(left, far, 2.0 * (w + p)), near)


def _log1p(s: Any, x: Value, c: Value, large: Value, a: Value) -> Value:
    """log(1 + x + c), x >= 0; where `large`, log(2 a)."""
    u, lost = full_sum(s, x, 1.0)
    m, k = s.frexp(s.select(large, a, u))
    c = s.select(large, 0.0, (lost + c) / u)
    return log_core(s, m, k + s.select(large, 1.0, 0.0), c)


def asinh(s: Any, x: Value) -> Value:
    """log1p(a + a^2 / (1 + sqrt(1 + a^2))), a = |x|."""
    a = s.abs(x)
    large = a > s.number(2.0**28, 2.0**13)
    held = s.select(large, 1.0, a)
    square = product(s, held, held)
    one, rest = full_sum(s, square[0], 1.0)
    high, low = root(s, (one, rest + square[1]))
    bottom, rest = fast_sum(s, high, 1.0)
    ratio, rest = divide(s, square, (bottom, rest + low))
    total, lost = fast_sum(s, held, ratio)
    y = s.copysign(_log1p(s, total, lost + rest, large, a), x)
    return s.select(a < INF, y, x)


def acosh(s: Any, x: Value) -> Value:
    """log1p(t + sqrt(t (x + 1))), t = x - 1."""
    large = x > s.number(2.0**28, 2.0**13)
    held = s.select(large, 2.0, x)
    t = full_sum(s, held, -1.0)
    high, low = root(s, multiply(s, t, full_sum(s, held, 1.0)))
    total, lost = full_sum(s, t[0], high)
    y = _log1p(s, total, lost + (low + t[1]), large, x)
    return s.select(x < INF, s.select(x >= 1.0, y, NAN), x)


def atanh(s: Any, x: Value) -> Value:
    """log1p(2 a / (1 - a)) / 2, a = |x|."""
    a = s.abs(x)
    high, low = divide(s, (a + a, 0.0), full_sum(s, 1.0, -a))
    u, lost = full_sum(s, high, 1.0)
    y = 0.5 * log_sum(s, u, lost + low)
    y = s.select(a < s.number(2.0**-30, 2.0**-14), a, y)
    y = s.select(a < 1.0, y, s.select(a == 1.0, INF, NAN + a))
    return s.copysign(y, x)
