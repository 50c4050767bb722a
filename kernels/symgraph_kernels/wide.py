"""Double-double arithmetic with a wide exponent: (high + low) * 2**exponent, about 100 bits.

A value is a `Wide` triple of float64: sqrt(1/2) <= |high| < sqrt(2), |low| <= ulp(high) / 2, and
the exponent an integer kept in a float, so that 1e300 * 1e300 / 1e300 neither overflows nor loses
a bit. Zero, infinities and NaN are in `high`, with exponent 0.

Definitions take an arithmetic `w` first: `w.s` are the float64 words of `words`, and `w.add(a, b)`
any other row of `wide_table`, which NumPy evaluates (`wide_plain`) and LLVM calls (`wide_llvm`).
This module has arithmetic and comparison; `wide_functions` has the elementary functions.
Sources: Dekker 1971, Numer. Math. 18; Hida, Li & Bailey 2001, ARITH-15.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from symgraph_kernels.pairs import full_sum, product

Value = Any  # a float64 of whichever interpreter runs the definition
INF = float("inf")
APART = -1000.0  # exponents so far apart that the smaller term is nothing beside the other


class Wide(NamedTuple):
    """(high + low) * 2**exponent."""

    high: Value
    low: Value
    exponent: Value


ZERO, ONE, HALF = Wide(0.0, 0.0, 0.0), Wide(1.0, 0.0, 0.0), Wide(1.0, 0.0, -1.0)


def normal(s: Any, high: Value, low: Value, exponent: Value) -> Wide:
    """The triple of (high + low) * 2**exponent, |low| <= |high|; low is dropped beside inf."""
    finite = s.abs(high) < INF
    low = s.select(finite, low, 0.0)
    total = high + low
    rest = low - (total - high)
    regular = finite & (total != 0.0)
    mantissa, shift = s.frexp(s.select(regular, s.abs(total), 1.0))
    scale = s.pow2(-shift)
    return Wide(
        s.select(
            regular, s.copysign(mantissa, total), s.select(finite & (high != 0.0), total, high)
        ),
        s.select(regular, rest * scale, 0.0),
        s.select(regular, exponent + shift, 0.0),
    )


def lift(s: Any, x: Value) -> Wide:
    """A float64, exactly."""
    regular = (s.abs(x) < INF) & (x != 0.0)
    mantissa, exponent = s.frexp(s.select(regular, s.abs(x), 1.0))
    return Wide(
        s.select(regular, s.copysign(mantissa, x), x), 0.0, s.select(regular, exponent, 0.0)
    )


def drop(s: Any, a: Wide) -> Value:
    """The nearest float64 (in the subnormal range, but for a double rounding)."""
    e = s.select(a.exponent > 2100.0, 2100.0, s.select(a.exponent < -2100.0, -2100.0, a.exponent))
    third = s.rint(e * (1.0 / 3.0))
    step = s.pow2(third)
    total = s.select(s.abs(a.low) > 0.0, a.high + a.low, a.high)  # -0.0 + 0.0 is 0.0
    return (total * step) * step * s.pow2(e - (third + third))


def pick(s: Any, c: Any, a: Wide, b: Wide) -> Wide:
    """a where c, else b."""
    return Wide(*(s.select(c, x, y) for x, y in zip(a, b, strict=True)))


def scaled(a: Wide, power: float) -> Wide:
    """a * 2**power, for a finite and not 0 (zeros stay zeros)."""
    return Wide(a.high, a.low, a.exponent + power)


def neg(w: Any, a: Wide) -> Wide:
    """-a."""
    return Wide(-a.high, -a.low, a.exponent)


def abs_(w: Any, a: Wide) -> Wide:
    """|a|."""
    return pick(w.s, a.high < 0.0, neg(w, a), a)


def add(w: Any, a: Wide, b: Wide) -> Wide:
    """a + b, relative error 2**-104 or so of the larger part that is left."""
    s = w.s
    first = s.select(a.high == 0.0, b.exponent, a.exponent)
    second = s.select(b.high == 0.0, a.exponent, b.exponent)
    e = s.select(first > second, first, second)
    x, y = _shifted(s, a, e), _shifted(s, b, e)
    high, error = full_sum(s, x[0], y[0])
    low, rest = full_sum(s, x[1], y[1])
    low = error + low
    total = high + low
    rest = rest + (low - (total - high))
    special = s.select((s.abs(a.high) < INF) & (s.abs(b.high) < INF), total, a.high + b.high)
    return normal(s, special, rest, e)


def _shifted(s: Any, a: Wide, e: Value) -> tuple[Value, Value]:
    down = a.exponent - e
    near = down > APART
    scale = s.select(near, s.pow2(s.select(near, down, 0.0)), 0.0)
    return a.high * scale, a.low * scale


def sub(w: Any, a: Wide, b: Wide) -> Wide:
    """a - b."""
    return w.add(a, neg(w, b))


def mul(w: Any, a: Wide, b: Wide) -> Wide:
    """a * b."""
    s = w.s
    high, low = product(s, a.high, b.high)
    return normal(s, high, low + (a.high * b.low + a.low * b.high), a.exponent + b.exponent)


def div(w: Any, a: Wide, b: Wide) -> Wide:
    """a / b: two quotients of one word, the second of what the first leaves."""
    s = w.s
    q = a.high / b.high
    top = s.fma(-q, b.high, a.high) + (a.low - q * b.low)
    rest = top / b.high
    high = q + rest
    low = rest - (high - q)
    back, error = product(s, high, b.high)
    left = ((a.high - back) - error) + (a.low - high * b.low)
    return normal(
        s, s.select(s.abs(q) < INF, high, q), low + (left / b.high - low), a.exponent - b.exponent
    )


def sqrt(w: Any, a: Wide) -> Wide:
    """The square root; NaN below 0."""
    s = w.s
    half = s.floor(a.exponent * 0.5)
    odd = a.exponent - (half + half) > 0.5
    high, low = s.select(odd, a.high + a.high, a.high), s.select(odd, a.low + a.low, a.low)
    root = s.sqrt(high)
    positive = root > 0.0
    safe = s.select(positive, root, 1.0)
    rest = (s.fma(-root, root, high) + low) / (safe + safe)
    return normal(s, root, s.select(positive, rest, 0.0), half)


def square(w: Any, a: Wide) -> Wide:
    """a * a."""
    return w.mul(a, a)


def reciprocal(w: Any, a: Wide) -> Wide:
    """1 / a."""
    return w.div(ONE, a)


def fma(w: Any, a: Wide, b: Wide, c: Wide) -> Wide:
    """a * b + c."""
    return w.add(w.mul(a, b), c)


# Comparisons give 1.0 or 0.0, as conditions do in a `Wide` --------------------------------------


def _flag(w: Any, c: Any) -> Wide:
    return Wide(w.s.select(c, 1.0, 0.0), 0.0, 0.0)


def _same_infinity(w: Any, a: Wide, b: Wide) -> Any:
    return (w.s.abs(a.high) == INF) & (a.high == b.high)


def eq(w: Any, a: Wide, b: Wide) -> Wide:
    """a == b."""
    return _flag(w, (w.sub(a, b).high == 0.0) | _same_infinity(w, a, b))


def ne(w: Any, a: Wide, b: Wide) -> Wide:
    """a != b."""
    return _flag(w, (w.sub(a, b).high != 0.0) & ~_same_infinity(w, a, b))


def lt(w: Any, a: Wide, b: Wide) -> Wide:
    """a < b."""
    return _flag(w, w.sub(a, b).high < 0.0)


def le(w: Any, a: Wide, b: Wide) -> Wide:
    """a <= b."""
    return _flag(w, (w.sub(a, b).high <= 0.0) | _same_infinity(w, a, b))


def gt(w: Any, a: Wide, b: Wide) -> Wide:
    """a > b."""
    return _flag(w, w.sub(a, b).high > 0.0)


def ge(w: Any, a: Wide, b: Wide) -> Wide:
    """a >= b."""
    return _flag(w, (w.sub(a, b).high >= 0.0) | _same_infinity(w, a, b))


def and_(w: Any, a: Wide, b: Wide) -> Wide:
    """Logical and of two conditions."""
    return _flag(w, (a.high != 0.0) & (b.high != 0.0))


def or_(w: Any, a: Wide, b: Wide) -> Wide:
    """Logical or of two conditions."""
    return _flag(w, (a.high != 0.0) | (b.high != 0.0))


def xor(w: Any, a: Wide, b: Wide) -> Wide:
    """Exclusive or of two conditions."""
    return _flag(w, ((a.high != 0.0) | (b.high != 0.0)) & ((a.high == 0.0) | (b.high == 0.0)))


def not_(w: Any, a: Wide) -> Wide:
    """Logical not of a condition."""
    return _flag(w, a.high == 0.0)


def select(w: Any, c: Wide, a: Wide, b: Wide) -> Wide:
    """a where the condition c, else b."""
    return pick(w.s, c.high != 0.0, a, b)


def isnan(w: Any, a: Wide) -> Wide:
    """Is a NaN?"""
    return _flag(w, a.high != a.high)


def isinf(w: Any, a: Wide) -> Wide:
    """Is a infinite?"""
    return _flag(w, w.s.abs(a.high) == INF)


def isfinite(w: Any, a: Wide) -> Wide:
    """Is a neither infinite nor NaN?"""
    return _flag(w, w.s.abs(a.high) < INF)


def signbit(w: Any, a: Wide) -> Wide:
    """Is the sign bit of a set?"""
    return _flag(w, w.s.copysign(1.0, a.high) < 0.0)


# Choice and rounding ----------------------------------------------------------------------------


def maximum(w: Any, a: Wide, b: Wide) -> Wide:
    """The larger one; NaN propagates."""
    return _extreme(w, w.sub(a, b).high > 0.0, a, b)


def minimum(w: Any, a: Wide, b: Wide) -> Wide:
    """The smaller one; NaN propagates."""
    return _extreme(w, w.sub(a, b).high < 0.0, a, b)


def _extreme(w: Any, first: Any, a: Wide, b: Wide) -> Wide:
    return pick(w.s, first | (a.high != a.high), a, b)


def fmax(w: Any, a: Wide, b: Wide) -> Wide:
    """The larger one; NaN only if both are."""
    return pick(w.s, (w.sub(a, b).high > 0.0) | (b.high != b.high), a, b)


def fmin(w: Any, a: Wide, b: Wide) -> Wide:
    """The smaller one; NaN only if both are."""
    return pick(w.s, (w.sub(a, b).high < 0.0) | (b.high != b.high), a, b)


def copysign(w: Any, a: Wide, b: Wide) -> Wide:
    """|a| with the sign of b."""
    s = w.s
    differs = s.copysign(1.0, a.high) != s.copysign(1.0, b.high)
    return pick(s, differs, neg(w, a), a)


def sign(w: Any, a: Wide) -> Wide:
    """-1, 0 or 1; NaN stays."""
    s = w.s
    nonzero = (a.high != 0.0) & (a.high == a.high)
    return Wide(s.select(nonzero, s.copysign(1.0, a.high), a.high), 0.0, 0.0)


def floor(w: Any, a: Wide) -> Wide:
    """The largest integer that is not larger; a beyond 2**52 or not finite stays."""
    s = w.s
    x = drop(s, a)
    whole = s.floor(x)
    # x is a rounded to 53 bits: where it is an integer, the rest says on which side a lies
    rest = w.sub(a, lift(s, whole))
    found = lift(s, s.select(rest.high < 0.0, whole - 1.0, whole))
    return pick(s, s.abs(x) < 2.0**52, found, a)


def ceil(w: Any, a: Wide) -> Wide:
    """The smallest integer that is not smaller."""
    return neg(w, w.floor(neg(w, a)))


def trunc(w: Any, a: Wide) -> Wide:
    """Towards zero."""
    return pick(w.s, a.high < 0.0, w.ceil(a), w.floor(a))


def rint(w: Any, a: Wide) -> Wide:
    """The nearest integer, ties to even."""
    s = w.s
    down = w.floor(a)
    rest = w.sub(w.sub(a, down), HALF)
    number = drop(s, down)
    odd = s.floor(number * 0.5) * 2.0 != number
    up = (rest.high > 0.0) | ((rest.high == 0.0) & odd)
    return pick(s, up & (s.abs(number) < 2.0**52), w.add(down, ONE), down)


def mod(w: Any, a: Wide, b: Wide) -> Wide:
    """a - b * floor(a / b)."""
    return w.sub(a, w.mul(b, w.floor(w.div(a, b))))
