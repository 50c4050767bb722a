"""exp, exp2, expm1, the hyperbolic functions, and the logistic family built from exp and log1p.

All reduce x = n ln2 + r with ln2 in two parts, |r| <= ln2/2, and scale by 2**n in two factors, so
that subnormal results round once and overflow gives inf. Where a caller needs more than an ulp it
takes exp as a pair (`exp_pair`, `expm1_quarter`) and never multiplies a rounded exp.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import EXP, EXP2, EXPM1, TANH
from symgraph_kernels.logarithm import log1p_pair, log_sum
from symgraph_kernels.pairs import Pair, Value, clamp, fast_sum, full_sum

LOG2E = 1.4426950408889634
LN2_HIGH = (0.6931471805601177, 0.69317626953125)  # 40 and 14 bits: n * high is exact
LN2_LOW = (-1.7239444525614835e-13, -2.9088971132296138e-05)
INF, NAN = float("inf"), float("nan")


def reduce(s: Any, x: Value) -> tuple[Value, Value, Value]:
    """(n, r, c): x = n ln2 + r + c, |r| <= ln2/2, c the rounding of r."""
    n = s.rint(x * LOG2E)
    first = s.fma(n, -s.number(*LN2_HIGH), x)
    low = -s.number(*LN2_LOW)
    r = s.fma(n, low, first)
    return n, r, s.fma(n, low, first - r)


def reduce_sum(s: Any, x: Value, c: Value) -> tuple[Value, Value, Value]:
    """(n, r, rest): x + c = n ln2 + r + rest for a small correction c, |r| <= ln2/2 about."""
    n = s.rint(x * LOG2E)
    first = s.fma(n, -s.number(*LN2_HIGH), x)  # exact
    return n, *fast_sum(s, first, s.fma(n, -s.number(*LN2_LOW), c))


def scale(s: Any, x: Value, n: Value) -> Value:
    """x * 2**n, rounded once: x in [1/4, 4], |n| up to twice the exponent range.

    In two factors where the processor has no instruction for it.
    """
    if s.scales:
        return s.ldexp(x, n)
    half = s.rint(n * 0.5)
    return (x * s.pow2(half)) * s.pow2(n - half)


def bounded(s: Any, x: Value) -> Value:
    """x held to where exp is neither all overflow nor all underflow."""
    return clamp(s, x, s.number(-760.0, -110.0), s.number(720.0, 100.0))


def exp(s: Any, x: Value) -> Value:
    x = bounded(s, x)
    n = s.rint(x * LOG2E)
    r = s.fma(n, -s.number(*LN2_LOW), s.fma(n, -s.number(*LN2_HIGH), x))
    return scale(s, 1.0 + s.fma(r * r, s.fma(r, s.poly(EXP, r), 0.5), r), n)


def exp_sum(s: Any, x: Value, c: Value) -> Value:
    """exp(x + c) for a bounded x and a small correction c: the last rounding is nearly all."""
    n, r, rest = reduce_sum(s, x, c)
    high, low = fast_sum(s, 1.0, r)
    return scale(s, high + (low + s.fma(r * r, s.fma(r, s.poly(EXP, r), 0.5), rest)), n)


def exp_pair(s: Any, x: Value, c: Value | None = None) -> tuple[Pair, Value]:
    """((high, low), n): exp(x + c) = (high + low) 2**n for a bounded x and a small c.

    Relative error about 2**-4 ulp.
    """
    n, r, rest = reduce(s, x)
    if c is not None:
        r, rest = full_sum(s, r, rest + c)
    tail = s.fma(r * r, s.fma(r, s.poly(EXPM1, r), 0.5), rest)
    high, low = fast_sum(s, 1.0, r)
    return fast_sum(s, high, low + tail), n


def exp2(s: Any, x: Value) -> Value:
    x = clamp(s, x, s.number(-1100.0, -160.0), s.number(1030.0, 130.0))
    n = s.rint(x)
    r = x - n
    return scale(s, 1.0 + s.fma(r * r, s.poly(EXP2, r), r * 0.6931471805599453), n)


def expm1_quarter(s: Any, x: Value) -> Pair:
    """expm1(x) / 4 as a pair, for x in [-50, 710.5] (float32: 89.5).

    A quarter, so that sinh does not overflow early.
    """
    n, r, rest = reduce(s, x)
    tail = s.fma(r * r, s.fma(r, s.poly(EXPM1, r), 0.5), rest)
    factor = s.pow2(n - 2.0)
    whole = factor - 0.25
    high, low = fast_sum(s, whole, factor * r)
    low = low + ((factor - whole) - 0.25)
    return fast_sum(s, high, s.fma(factor, tail, low))


def expm1(s: Any, x: Value) -> Value:
    held = clamp(s, x, -50.0, s.number(709.9, 88.9))
    n = s.rint(held * LOG2E)
    r = s.fma(n, -s.number(*LN2_LOW), s.fma(n, -s.number(*LN2_HIGH), held))
    q = s.fma(r * r, s.fma(r, s.poly(EXPM1, r), 0.5), r)
    factor = s.pow2(n - 1.0)  # half of 2**n never overflows
    y = 2.0 * s.fma(factor, q, factor - 0.5)
    return s.select(x == 0.0, x, s.select(n == 0.0, q, y))  # q is exact for tiny x, but for -0


def sinh(s: Any, x: Value) -> Value:
    """E + E / (E + 1), halved, with E = expm1(|x|)."""
    a = s.abs(x)
    top = s.number(711.0, 90.0)
    high, low = expm1_quarter(s, clamp(s, a, 0.0, s.number(710.5, 89.5)))
    y = 2.0 * (high + s.fma(0.25, high / (high + 0.25), low))
    y = s.select(a < tiny(s), a, s.select(a > top, INF, y))
    return s.copysign(y, x)


def cosh(s: Any, x: Value) -> Value:
    a = s.abs(x)
    (high, low), n = exp_pair(s, clamp(s, a, 0.0, s.number(710.5, 89.5)))
    factor = s.pow2(n - 2.0)
    high, low = high * factor, low * factor
    y = 2.0 * (high + (0.0625 / high + low))
    return s.select(a > s.number(711.0, 90.0), INF, y)


def tanh(s: Any, x: Value) -> Value:
    """A polynomial up to 0.6; 1 - 2 / (exp(2 |x|) + 1) beyond."""
    a = s.abs(x)
    z = a * a
    near = s.fma(a * z, s.poly(TANH, z), a)
    held = s.select(a > 25.0, 25.0, a)
    n = s.rint(held * (2.0 * LOG2E))
    r = s.fma(n, -s.number(*LN2_LOW), s.fma(n, -s.number(*LN2_HIGH), held + held))
    tail = s.fma(r * r, s.fma(r, s.poly(EXP, r), 0.5), r)
    factor = s.pow2(n)
    far = s.fma(-2.0, 1.0 / s.fma(factor, tail, factor + 1.0), 1.0)
    return s.copysign(s.select(a < 0.6, near, far), x)


def sigmoid(s: Any, x: Value) -> Value:
    """1 / (1 + exp(-x)): e / (1 + e) on the left, e = exp(-|x|) never overflows."""
    (high, low), n = exp_pair(s, clamp(s, -s.abs(x), s.number(-760.0, -110.0), 0.0))
    e = scale(s, high + low, n)  # rounded once, not exp's twice: the sum and the quotient follow
    return s.select(x < 0.0, e, 1.0) / (1.0 + e)


def softplus(s: Any, x: Value) -> Value:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)) (Maechler 2012)."""
    a = -s.abs(x)
    high, low = log1p_exp(s, a)
    y = s.select(x > 0.0, x + (high + low), high + low)
    return s.select(a > -INF, y, s.select(x > 0.0, x, s.select(x < 0.0, 0.0, x)))


def log1p_exp(s: Any, a: Value, c: Value | None = None) -> Pair:
    """log1p(exp(a + c)) for a <= 0 and a correction c."""
    pair, n = exp_pair(s, clamp(s, a, s.number(-760.0, -110.0), 0.0), c)
    small = n < s.number(-60.0, -30.0)  # then log1p(e) is e, maybe subnormal
    factor = s.pow2(s.select(small, 0.0, n))
    high, low = log1p_pair(s, pair[0] * factor, pair[1] * factor)
    return s.select(small, scale(s, pair[0] + pair[1], n), high), s.select(small, 0.0, low)


def log1mexp(s: Any, x: Value) -> Value:
    """log(1 - exp(x)), x <= 0 (Maechler 2012): of -expm1(x) near 0, else log1p of -exp(x)."""
    near = x > -0.6931471805599453
    high, low = expm1_quarter(s, clamp(s, x, -0.75, 0.0))
    (e, rest), n = exp_pair(s, clamp(s, x, s.number(-760.0, -110.0), 0.0))
    small = n < s.number(-60.0, -30.0)
    factor = s.pow2(s.select(small, 0.0, n))
    e, rest = e * factor, rest * factor
    far, correction = full_sum(s, 1.0, -e)
    u = s.select(near, -4.0 * high, far)
    c = s.select(near, -4.0 * low, correction - rest)
    subnormal = s.abs(x) < s.number(2.0**-1000, 2.0**-100)  # a quarter of it may have lost bits
    y = log_sum(s, s.select(subnormal, s.abs(x), u), s.select(subnormal, 0.0, c))
    y = s.select(small, -scale(s, e + rest, n), y)
    return s.select(x < 0.0, y, s.select(x == 0.0, -INF, NAN + x))


def logaddexp(s: Any, x: Value, y: Value) -> Value:
    """max(x, y) + log1p(exp(-|x - y|))."""
    low_first = x < y
    top, bottom = s.select(low_first, y, x), s.select(low_first, x, y)
    gap, error = full_sum(s, bottom, -top)
    high, low = log1p_exp(s, gap, s.select(gap > -100.0, error, 0.0))
    result = s.select(x == y, x + 0.6931471805599453, top + (high + low))
    return s.select(s.abs(top) == INF, top + nan_only(s, bottom), result)


def tiny(s: Any) -> float:
    """Below this, x + O(x^3) is x."""
    return s.number(2.0**-30, 2.0**-14)


def nan_only(s: Any, x: Value) -> Value:
    """x if it is NaN, else 0."""
    return s.select(x == x, 0.0, x)
