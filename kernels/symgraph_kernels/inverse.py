"""asin, acos, atan, atan2 and asinh, acosh, atanh.

Arc tangents reduce by pi/4 and pi/2 to |t| <= tan(pi/8) with one division; the others take a
polynomial near 0 (acosh: near 1) and a root or logarithm beyond. What divisions and roots round
off is carried as a low part to the last addition.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import ACOSH, ASIN, ASINH, ATAN, ATANH, LOG
from symgraph_kernels.logarithm import LN2_HIGH, LN2_LOW, log_core
from symgraph_kernels.pairs import Pair, Value, divide, fast_sum, full_sum

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


def asinh(s: Any, x: Value) -> Value:
    """A polynomial up to 1/2; log(a + sqrt(a^2 + 1)), a = |x|, beyond."""
    a = s.abs(x)
    z = a * a
    near = s.fma(a * z, s.poly(ASINH, z), a)
    total, rest = fast_sum(s, s.select(a > 1.0, z, 1.0), s.select(a > 1.0, 1.0, z))
    y = _log_of_sum(s, a, total, s.sqrt(total), rest + s.fma(a, a, -z), 0.43)
    return s.select(a < INF, s.copysign(s.select(a < 0.5, near, y), x), x)


def acosh(s: Any, x: Value) -> Value:
    """The root of 2 t times a polynomial up to t = x - 1 = 1/2; log(x + sqrt(x^2 - 1)) beyond."""
    t = x - 1.0
    close = t < 0.5
    double = t + t
    z = x * x
    total, rest = fast_sum(s, z, -1.0)
    square = s.select(close, s.fma(double * t, s.poly(ACOSH, t), double), total)
    root = s.sqrt(square)
    y = s.select(close, root, _log_of_sum(s, x, square, root, rest + s.fma(x, x, -z), 0.55))
    return s.select(x < INF, s.select(x >= 1.0, y, NAN), x)


def _log_of_sum(s: Any, a: Value, square: Value, root: Value, rest: Value, half: float) -> Value:
    """log(a + sqrt(square + rest)), square = a^2 +- 1 and its rounded root, a >= 1/2.

    The logarithm is corrected by what root and sum round off, over the sum u. As 1/u = |a - root|
    and 1/(2 root) is nearly `half`/u, no division is needed for so small a number; and none at
    all for large a, where the difference cancels.
    """
    huge = a > s.number(2.0**500, 2.0**60)
    inverse = s.abs(root - a)
    u, lost = full_sum(s, a, root)
    m, k = s.frexp(s.select(huge, a, u))
    missed = s.fma(-root, root, square) + rest
    c = s.fma(missed * (2.0 * half), inverse, lost) * inverse
    c = s.select(a < s.number(256.0, 64.0), c, 0.0)
    return log_core(s, m, k + s.select(huge, 1.0, 0.0), c)


def atanh(s: Any, x: Value) -> Value:
    """A polynomial up to a = |x| = 1/2; log((1 + a) / (1 - a)) / 2 beyond, with one division."""
    a = s.abs(x)
    z = a * a
    near = s.fma(a * z, s.poly(ATANH, z), a)
    m, k = s.frexp(1.0 - a)
    n = s.fma(0.5, a, 0.5)
    lost = s.fma(0.5, a, 0.5 - n)
    low = n < m * 0.70710678118654752
    n, lost = s.select(low, n + n, n), lost
    count = s.select(low, 0.0, 1.0) - k
    q = (n - m) / (n + m)
    z = q * q
    curve = s.fma(0.5 * (q * z), s.poly(LOG, z), lost * 0.57)
    y = s.fma(count, s.number(*LN2_HIGH) * 0.5, q + s.fma(count, s.number(*LN2_LOW) * 0.5, curve))
    y = s.select(a < 0.5, near, y)
    y = s.select(a < 1.0, y, s.select(a == 1.0, INF, NAN + a))
    return s.copysign(y, x)
