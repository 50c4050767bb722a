"""Elementary functions in double-double with a wide exponent; see `wide` for the arithmetic.

Exponentials reduce by ln2 and square back; logarithms and arc tangents correct the float64 value
by one step of their inverse; sin and cos reduce by pi/2 in three words (beyond 2**30 with the
pairs of `trigonometric`). Functions without a definition of their own (`first_order`) take the
float64 function of the rounded argument, corrected by their derivative times what was rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import factorial
from typing import Any

from symgraph_kernels import logarithm, roots, trigonometric, twooverpi
from symgraph_kernels.inverse import atan2 as short_atan2
from symgraph_kernels.wide import (
    HALF,
    INF,
    ONE,
    ZERO,
    Value,
    Wide,
    drop,
    lift,
    neg,
    normal,
    pick,
    scaled,
)


def exact(number: Fraction) -> Wide:
    """A rational number as plain floats, to 106 bits."""
    if number == 0:
        return ZERO
    size = abs(number)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    part = number / Fraction(2) ** exponent
    if abs(part) >= Fraction(181, 128):
        part, exponent = part / 2, exponent + 1
    if abs(part) < Fraction(181, 256):
        part, exponent = part * 2, exponent - 1
    high = float(part)
    return Wide(high, float(part - Fraction(high)), float(exponent))


LN2_BITS = (
    "0.693147180559945309417232121458176568075500134360255254120680009493393621969694715605863"
    "326996418687"
)
LN10_TEXT = (
    "2.302585092994045684017991454684364207601101488628772976033327900967572609677352480235997"
)
PI_TEXT = (
    "3.141592653589793238462643383279502884197169399375105820974944592307816406286208998628034"
)
RSQRT_PI2 = exact(Fraction("1.128379167095512573896158903121545171688101258657997713688171443421"))

ROOT_HALF = exact(Fraction("0.7071067811865475244008443621048490392848359376884740365883398689953"))
ROOT_TWO_PI = exact(
    Fraction("2.506628274631000502415765284811045253006986740609938316629923576342")
)


def _parts(number: Fraction) -> tuple[Wide, Wide]:
    """A number as two triples: 212 bits."""
    first = exact(number)
    kept = (Fraction(first.high) + Fraction(first.low)) * Fraction(2) ** int(first.exponent)
    return first, exact(number - kept)


LN2, LN2_REST = _parts(Fraction(LN2_BITS))
HALF_PI, HALF_PI_REST = _parts(Fraction(PI_TEXT) / 2)
LN10 = exact(Fraction(LN10_TEXT))
TERMS = tuple(exact(Fraction(1, factorial(k))) for k in range(28))


def _series(w: Any, r: Wide, last: int) -> Wide:
    """(exp(r) - 1) / r = sum r**(k-1) / k!, to the term of r**last."""
    total = TERMS[last]
    for k in range(last - 1, 0, -1):
        total = w.add(w.mul(total, r), TERMS[k])
    return total


def _doubled(w: Any, p: Wide, times: int) -> Wide:
    """expm1(2**times r) from p = expm1(r): 2 p + p**2 at each step."""
    for _ in range(times):
        p = w.add(scaled(p, 1.0), w.mul(p, p))
    return p


def exp(w: Any, a: Wide) -> Wide:
    """e ** a; where that leaves any use, a huge or tiny finite number: 0 * inf never arises."""
    s = w.s
    x = drop(s, a)
    far = s.abs(x) > 2.0**40
    regular = s.abs(x) <= 2.0**40
    n = s.rint(s.select(regular, x, 0.0) * 1.4426950408889634)
    k = lift(s, n)
    r = w.sub(w.sub(a, w.mul(k, LN2)), w.mul(k, LN2_REST))
    r = pick(s, regular, scaled(r, -5.0), ZERO)
    m = w.add(ONE, _doubled(w, w.mul(r, w.series(r)), 5))
    m = Wide(m.high, m.low, m.exponent + n)
    edge = Wide(s.select(x > 0.0, 1.0, 1.0), 0.0, s.select(x > 0.0, 2.0**42, -(2.0**42)))
    found = pick(s, far, edge, m)
    return pick(s, x == x, found, a)


def series(w: Any, r: Wide) -> Wide:
    """(exp(r) - 1) / r for |r| < 0.05."""
    return _series(w, r, 15)


def expm1(w: Any, a: Wide) -> Wide:
    """e ** a - 1."""
    s = w.s
    small = s.abs(drop(s, a)) < 0.35
    r = scaled(pick(s, small, a, ZERO), -3.0)
    p = _doubled(w, w.mul(r, w.series(r)), 3)
    return pick(s, small, pick(s, a.high == 0.0, a, p), w.sub(w.exp(a), ONE))


def exp2(w: Any, a: Wide) -> Wide:
    """2 ** a."""
    return w.exp(w.mul(a, LN2))


def log(w: Any, a: Wide) -> Wide:
    """The natural logarithm: -inf at 0, NaN below."""
    s = w.s
    regular = (a.high > 0.0) & (a.high < INF)
    m = Wide(s.select(regular, a.high, 1.0), s.select(regular, a.low, 0.0), 0.0)
    near = w.log1p(w.sub(m, ONE))
    k = lift(s, s.select(regular, a.exponent, 0.0))
    found = w.add(w.add(w.mul(k, LN2), near), w.mul(k, LN2_REST))
    nan = (a.high - a.high) / (a.high - a.high)
    edge = s.select(a.high == 0.0, -INF, s.select(a.high == INF, INF, nan))
    return pick(s, regular, pick(s, k.high == 0.0, near, found), Wide(edge, 0.0, 0.0))


def log1p(w: Any, a: Wide) -> Wide:
    """log(1 + a)."""
    s = w.s
    x = drop(s, a)
    close = (x < 0.45) & (x > -0.35)
    b = pick(s, close, a, ZERO)
    y = lift(s, logarithm.log1p(s, s.select(close, x, 0.0)))
    # what is left: (1 + b) exp(-y) - 1 = r, and log(1 + r) = r - r**2 / 2 for r of 1e-16
    p = w.expm1(neg(w, y))
    r = w.add(p, w.add(b, w.mul(b, p)))
    found = w.add(y, w.sub(r, w.mul(w.mul(r, r), HALF)))
    tiny = w.sub(b, w.mul(HALF, w.mul(b, b)))
    found = pick(s, s.abs(x) < 1e-300, tiny, found)
    return pick(s, close, found, w.log_far(w.add(ONE, pick(s, close, ONE, a))))


def log_far(w: Any, a: Wide) -> Wide:
    """log(a), for any a but with few correct bits where a is near 1."""
    s = w.s
    regular = (a.high > 0.0) & (a.high < INF)
    high = s.select(regular, a.high, 1.0)
    m = Wide(high, s.select(regular, a.low, 0.0), 0.0)
    y = lift(s, logarithm.log(s, high))
    r = w.sub(w.mul(m, w.exp(neg(w, y))), ONE)
    near = w.add(y, w.sub(r, w.mul(w.mul(r, r), HALF)))
    k = lift(s, s.select(regular, a.exponent, 0.0))
    found = w.add(w.add(w.mul(k, LN2), near), w.mul(k, LN2_REST))
    nan = (a.high - a.high) / (a.high - a.high)
    edge = s.select(a.high == 0.0, -INF, s.select(a.high == INF, INF, nan))
    return pick(s, regular, found, Wide(edge, 0.0, 0.0))


def log2(w: Any, a: Wide) -> Wide:
    """The logarithm to base 2."""
    return w.div(w.log(a), LN2)


def log10(w: Any, a: Wide) -> Wide:
    """The logarithm to base 10."""
    return w.div(w.log(a), LN10)


# Trigonometric functions -------------------------------------------------------------------------


FARTHEST = 3000.0  # exponent of an argument whose digits of 2/pi are in the table
WHOLE, WHOLE_BITS = 6755399441055744.0, 0x4338000000000000  # float + WHOLE has its integer in bits


def _quarter_turns(w: Any, a: Wide) -> tuple[Wide, Value]:
    """(r, n): a = n pi/2 + r, |r| <= pi/4 or so; n is right modulo 4.

    Each word is reduced by itself: the low one may be far beyond a turn too.
    """
    s = w.s
    high, turns = _reduced(w, Wide(a.high, 0.0, a.exponent))
    low, more = _reduced(w, normal(s, a.low, 0.0, a.exponent))
    total = w.add(high, low)
    last = s.rint(drop(s, total) * 0.6366197723675814)
    k = lift(s, last)
    r = w.sub(w.sub(total, w.mul(k, HALF_PI)), w.mul(k, HALF_PI_REST))
    return r, turns - 4.0 * s.rint(turns * 0.25) + more + last


def _reduced(w: Any, x: Wide) -> tuple[Wide, Value]:
    """The same of one word with its exponent; tiny ones are left as they are."""
    s = w.s
    beyond = (x.exponent >= 30.0) & (x.exponent <= FARTHEST)
    near = drop(s, Wide(s.select(beyond, 0.0, x.high), 0.0, s.select(beyond, 0.0, x.exponent)))
    n = s.rint(near * 0.6366197723675814)
    k = lift(s, n)
    r = w.sub(w.sub(lift(s, near), w.mul(k, HALF_PI)), w.mul(k, HALF_PI_REST))
    high, exponent = s.select(beyond, x.high, 1.0), s.select(beyond, x.exponent, 30.0)
    whole = s.bits(exponent + WHOLE) - WHOLE_BITS
    y, c, turns = trigonometric.huge(s, high, whole, twooverpi.WIDE)
    return pick(s, beyond, normal(s, y, c, 0.0), r), s.select(beyond, turns, n)


def sine(w: Any, r: Wide) -> Wide:
    """sin(r) for |r| <= 0.8."""
    z = w.mul(r, r)
    total = TERMS[27]
    for k in range(25, 0, -2):
        total = w.sub(TERMS[k], w.mul(total, z))
    return w.mul(total, r)


def cosine(w: Any, r: Wide) -> Wide:
    """cos(r) for |r| <= 0.8."""
    z = w.mul(r, r)
    total = TERMS[26]
    for k in range(24, -1, -2):
        total = w.sub(TERMS[k], w.mul(total, z))
    return total


def _circular(w: Any, a: Wide, shift: float) -> Wide:
    s = w.s
    r, n = _quarter_turns(w, a)
    odd, negative = s.quadrant(n + shift)
    found = pick(s, odd, w.cosine(r), w.sine(r))
    found = pick(s, negative, neg(w, found), found)
    nan = (a.high - a.high) / (a.high - a.high)
    valid = (s.abs(a.high) < INF) & (a.exponent <= FARTHEST)
    return pick(s, valid, found, Wide(nan, 0.0, 0.0))


def sin(w: Any, a: Wide) -> Wide:
    """The sine."""
    return _circular(w, a, 0.0)


def cos(w: Any, a: Wide) -> Wide:
    """The cosine."""
    return _circular(w, a, 1.0)


def tan(w: Any, a: Wide) -> Wide:
    """The tangent."""
    return w.div(w.sin(a), w.cos(a))


def atan2(w: Any, y: Wide, x: Wide) -> Wide:
    """The angle of the point (x, y): the float64 angle, turned by what is left of the point."""
    s = w.s
    ahead = s.select(x.high == 0.0, y.exponent, x.exponent)
    beside = s.select(y.high == 0.0, x.exponent, y.exponent)
    e = s.select(ahead > beside, ahead, beside)
    b, a = Wide(y.high, y.low, y.exponent - e), Wide(x.high, x.low, x.exponent - e)
    rough = short_atan2(s, drop(s, b), drop(s, a))
    # a float64 angle keeps no digits of tiny y / x: the correction then starts from 0
    keep = (s.abs(rough) > 1e-200) & (s.abs(rough) < INF)
    angle = lift(s, s.select(keep, rough, 0.0))
    sine_, cosine_ = w.sin(angle), w.cos(angle)
    t = w.div(w.sub(w.mul(b, cosine_), w.mul(a, sine_)), w.add(w.mul(a, cosine_), w.mul(b, sine_)))
    cube = w.mul(w.mul(t, t), w.mul(t, exact(Fraction(1, 3))))
    found = w.add(angle, w.sub(t, cube))
    whole = (s.abs(x.high) < INF) & (s.abs(y.high) < INF) & (y.high != 0.0)
    return pick(s, whole, found, lift(s, rough))


def atan(w: Any, a: Wide) -> Wide:
    """The inverse tangent."""
    return w.atan2(a, ONE)


def asin(w: Any, a: Wide) -> Wide:
    """The inverse sine."""
    return w.atan2(a, w.sqrt(w.mul(w.sub(ONE, a), w.add(ONE, a))))


def acos(w: Any, a: Wide) -> Wide:
    """The inverse cosine."""
    return scaled(w.atan2(w.sqrt(w.sub(ONE, a)), w.sqrt(w.add(ONE, a))), 1.0)


# Hyperbolic functions ----------------------------------------------------------------------------


def sinh(w: Any, a: Wide) -> Wide:
    """(p + p / (1 + p)) / 2 with p = expm1(|a|)."""
    p = w.expm1(w.abs(a))
    return _signed(w, scaled(w.add(p, w.div(p, w.add(ONE, p))), -1.0), a)


def cosh(w: Any, a: Wide) -> Wide:
    """(e + 1 / e) / 2 with e = exp(|a|)."""
    e = w.exp(w.abs(a))
    return scaled(w.add(e, w.div(ONE, e)), -1.0)


def tanh(w: Any, a: Wide) -> Wide:
    """-p / (p + 2) with p = expm1(-2 |a|)."""
    p = w.expm1(scaled(neg(w, w.abs(a)), 1.0))
    return _signed(w, neg(w, w.div(p, w.add(p, scaled(ONE, 1.0)))), a)


def asinh(w: Any, a: Wide) -> Wide:
    """log1p(x + x**2 / (1 + sqrt(1 + x**2))) of x = |a|."""
    x = w.abs(a)
    q = w.mul(x, x)
    found = w.log1p(w.add(x, w.div(q, w.add(ONE, w.sqrt(w.add(ONE, q))))))
    return _signed(w, found, a)


def acosh(w: Any, a: Wide) -> Wide:
    """log1p(t + sqrt(t (a + 1))) with t = a - 1."""
    t = w.sub(a, ONE)
    return w.log1p(w.add(t, w.sqrt(w.mul(t, w.add(a, ONE)))))


def atanh(w: Any, a: Wide) -> Wide:
    """log1p(2 a / (1 - a)) / 2."""
    x = w.abs(a)
    return _signed(w, scaled(w.log1p(w.div(scaled(x, 1.0), w.sub(ONE, x))), -1.0), a)


def _signed(w: Any, found: Wide, like: Wide) -> Wide:
    """An odd function's value at |a|, with the sign of a; zeros as they are."""
    s = w.s
    turned = pick(s, like.high < 0.0, neg(w, found), found)
    return pick(s, like.high == 0.0, like, turned)


# Roots and powers ----------------------------------------------------------------------------


def cbrt(w: Any, a: Wide) -> Wide:
    """The cube root: one step of Newton from the float64 one."""
    s = w.s
    third = s.floor(a.exponent * (1.0 / 3.0) + 0.1)
    inside = Wide(a.high, a.low, a.exponent - 3.0 * third)
    y = lift(s, roots.cbrt(s, drop(s, inside)))
    error = w.sub(w.mul(y, w.mul(y, y)), inside)
    root = w.sub(y, w.div(error, w.mul(w.mul(y, y), Wide(0.75, 0.0, 2.0))))
    regular = (a.high != 0.0) & (s.abs(a.high) < INF)
    return pick(s, regular, Wide(root.high, root.low, root.exponent + third), a)


def hypot(w: Any, a: Wide, b: Wide) -> Wide:
    """sqrt(a a + b b)."""
    found = w.sqrt(w.add(w.mul(a, a), w.mul(b, b)))
    infinite = (w.s.abs(a.high) == INF) | (w.s.abs(b.high) == INF)
    return pick(w.s, infinite, Wide(INF, 0.0, 0.0), found)


def pow_(w: Any, a: Wide, b: Wide) -> Wide:
    """a ** b, with the signs and limits of C's pow."""
    s = w.s
    n = drop(s, b)
    whole = w.floor(b)
    integer = w.sub(b, whole).high == 0.0
    half = scaled(b, -1.0)
    odd = integer & (w.sub(half, w.floor(half)).high != 0.0)
    log_ = w.log(w.abs(a))
    found = w.exp(w.mul(b, log_))
    found = pick(s, (a.high < 0.0) & odd, neg(w, found), found)
    nan = (n - n) * INF
    found = pick(s, (a.high < 0.0) & ~integer, Wide(nan, 0.0, 0.0), found)
    at_zero = s.select(n > 0.0, 0.0, INF)
    signed = s.select(odd, s.copysign(at_zero, a.high), at_zero)
    found = pick(s, a.high == 0.0, Wide(signed, 0.0, 0.0), found)
    squared = pick(s, n == 2.0, w.mul(a, a), found)
    return pick(s, n == 0.0, ONE, squared)


# Sums of exponentials ------------------------------------------------------------------------


def sigmoid(w: Any, a: Wide) -> Wide:
    """1 / (1 + exp(-a))."""
    return w.div(ONE, w.add(ONE, w.exp(neg(w, a))))


def softplus(w: Any, a: Wide) -> Wide:
    """max(a, 0) + log1p(exp(-|a|))."""
    s = w.s
    return w.add(pick(s, a.high > 0.0, a, ZERO), w.log1p(w.exp(neg(w, w.abs(a)))))


def log1mexp(w: Any, a: Wide) -> Wide:
    """log(1 - exp(a)): of -expm1(a) near 0, log1p(-exp(a)) below."""
    s = w.s
    near = drop(s, a) > -0.6931471805599453
    first = w.log(neg(w, w.expm1(pick(s, near, a, neg(w, ONE)))))
    return pick(s, near, first, w.log1p(neg(w, w.exp(pick(s, near, neg(w, ONE), a)))))


def logaddexp(w: Any, a: Wide, b: Wide) -> Wide:
    """max(a, b) + log1p(exp(-|a - b|))."""
    s = w.s
    top = w.maximum(a, b)
    found = w.add(top, w.log1p(w.exp(neg(w, w.abs(w.sub(a, b))))))
    return pick(s, s.abs(top.high) < INF, found, top)


# Functions of float64 with a first-order correction ------------------------------------------


def first_order(
    function: Callable[..., Value], slope: Callable[[Any, Wide, Wide], Wide]
) -> Callable[[Any, Wide], Wide]:
    """f(x) + f'(x) (a - x), x the float64 nearest to a; ``slope(w, x, y)`` is f'(x), y = f(x)."""

    def definition(w: Any, a: Wide) -> Wide:
        s = w.s
        x = drop(s, a)
        y = lift(s, function(s, x))
        at = lift(s, x)
        step = w.mul(slope(w, at, y), w.sub(a, at))
        usable = (s.abs(y.high) < INF) & (s.abs(step.high) < INF) & (s.abs(x) < INF)
        return pick(s, usable, w.add(y, step), y)

    return definition
