"""The gamma functions in double-double: Stirling's series, by recurrence and reflection.

A positive argument goes up by 1 until it is at least `FROM`, where `TERMS` terms of the series
leave 2**-110; what that adds is a product, or a sum of terms of one sign. Below 0 the reflection
formula, with the sine of pi times the distance from a whole number.
Source: NIST Digital Library of Mathematical Functions 5.5, 5.11.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from symgraph_kernels.wide import HALF, INF, ONE, ZERO, Wide, drop, lift, neg, pick, scaled
from symgraph_kernels.wide_functions import HALF_PI, exact

FROM = 32
BERNOULLI = tuple(
    map(
        Fraction,
        (
            "1/6", "-1/30", "1/42", "-1/30", "5/66", "-691/2730", "7/6", "-3617/510", "43867/798",
            "-174611/330", "854513/138", "-236364091/2730", "8553103/6", "-23749461029/870",
            "8615841276005/14322",
        ),
    )
)  # fmt: skip
# of the series in 1 / y**2: log gamma y**-1, digamma y**-2, trigamma y**-3
STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1))
DIGAMMA = tuple(b / (2 * k) for k, b in enumerate(BERNOULLI, 1))
HALF_LOG_TAU = exact(
    Fraction("0.9189385332046727417803297364056176398613974736377834128171515404827657")
)
PI = scaled(HALF_PI, 1.0)
FAR = 2.0**90  # beyond, the first term of the series is all there is


def _poly(w: Any, z: Wide, coefficients: Sequence[Fraction]) -> Wide:
    total = exact(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = w.add(w.mul(total, z), exact(c))
    return total


def _raised(w: Any, a: Wide, start: Wide, join: Callable[[Wide, Wide], Wide]) -> tuple[Wide, Wide]:
    """a + n >= FROM, and what ``join`` makes of start and a, a + 1, ..., a + n - 1; a > 0."""
    s = w.s
    found, y, x = start, a, drop(s, a)
    for step in range(FROM):
        low = x < float(FROM - step)
        found = pick(s, low, join(found, y), found)
        y = pick(s, low, w.add(y, ONE), y)
    return y, found


def _positive_gammaln(w: Any, a: Wide) -> Wide:
    """(y - 1/2) log y - y + log(2 pi) / 2 + ..., less the log of a (a + 1) ... (y - 1)."""
    y, product = _raised(w, a, ONE, w.mul)
    inverse = w.div(ONE, y)
    series = w.mul(_poly(w, w.mul(inverse, inverse), STIRLING), inverse)
    main = w.sub(w.mul(w.sub(y, HALF), w.sub(w.log(y), ONE)), HALF)
    return w.sub(w.add(w.add(main, HALF_LOG_TAU), series), w.log(product))


def _positive_digamma(w: Any, a: Wide) -> Wide:
    """log y - 1 / (2 y) - ..., less 1 / a + 1 / (a + 1) + ... + 1 / (y - 1)."""
    y, total = _raised(w, a, lift(w.s, 0.0), lambda t, x: w.add(t, w.div(ONE, x)))
    inverse = w.div(ONE, y)
    square = w.mul(inverse, inverse)
    series = w.mul(_poly(w, square, DIGAMMA), square)
    main = w.sub(w.log(y), scaled(inverse, -1.0))
    return w.sub(w.sub(main, series), total)


def _positive_trigamma(w: Any, a: Wide) -> Wide:
    """1 / y + 1 / (2 y**2) + ..., and 1 / a**2 + 1 / (a + 1)**2 + ... + 1 / (y - 1)**2."""
    y, total = _raised(w, a, lift(w.s, 0.0), lambda t, x: w.add(t, w.div(ONE, w.mul(x, x))))
    inverse = w.div(ONE, y)
    square = w.mul(inverse, inverse)
    series = w.mul(w.mul(_poly(w, square, BERNOULLI), square), inverse)
    return w.add(total, w.add(w.add(series, scaled(square, -1.0)), inverse))


def _mirrored(w: Any, a: Wide) -> tuple[Any, Wide, Wide]:
    """Is a below 1/2? 1 - a there, else a; and a's distance from the nearest whole number."""
    left = drop(w.s, a) < 0.5
    return left, pick(w.s, left, w.sub(ONE, a), a), w.sub(a, w.rint(a))


def _usual(w: Any, a: Wide, found: Wide, short: Callable[[Any, Any], Any]) -> Wide:
    """What was found; at poles, at infinities and far out what float64 has."""
    s = w.s
    x = drop(s, a)
    pole = (w.sub(a, w.rint(a)).high == 0.0) & (x <= 0.0)
    usable = (s.abs(x) < FAR) & (x == x) & (s.abs(found.high) < INF)
    return pick(s, usable & ~pole, found, lift(s, short(s, x)))


def gammaln(short: Callable[[Any, Any], Any]) -> Callable[[Any, Wide], Wide]:
    """log(|gamma(a)|)."""

    def definition(w: Any, a: Wide) -> Wide:
        left, b, near = _mirrored(w, a)
        right = _positive_gammaln(w, b)
        sine = w.abs(w.sin(w.mul(near, PI)))
        other = w.sub(w.log(w.div(PI, pick(w.s, sine.high > 0.0, sine, ONE))), right)
        one = w.sub(a, ONE)
        root = (one.high == 0.0) | (w.sub(one, ONE).high == 0.0)
        found = pick(w.s, root, ZERO, pick(w.s, left, other, right))
        return _usual(w, a, found, short)

    return definition


def digamma(short: Callable[[Any, Any], Any]) -> Callable[[Any, Wide], Wide]:
    """The derivative of gammaln."""

    def definition(w: Any, a: Wide) -> Wide:
        left, b, near = _mirrored(w, a)
        right = _positive_digamma(w, b)
        angle = w.mul(near, PI)
        other = w.sub(right, w.mul(PI, w.div(w.cos(angle), w.sin(angle))))
        return _usual(w, a, pick(w.s, left, other, right), short)

    return definition


def trigamma(short: Callable[[Any, Any], Any]) -> Callable[[Any, Wide], Wide]:
    """The derivative of digamma."""

    def definition(w: Any, a: Wide) -> Wide:
        left, b, near = _mirrored(w, a)
        right = _positive_trigamma(w, b)
        ratio = w.div(PI, w.sin(w.mul(near, PI)))
        other = w.sub(w.mul(ratio, ratio), right)
        return _usual(w, a, pick(w.s, left, other, right), short)

    return definition


def gamma(short: Callable[[Any, Any], Any]) -> Callable[[Any, Wide], Wide]:
    """The gamma function: exp of its logarithm, with the sign of an odd interval below 0."""

    def definition(w: Any, a: Wide) -> Wide:
        s = w.s
        size = w.exp(w.gammaln(a))
        whole = drop(s, w.floor(a))
        odd = s.floor(whole * 0.5) * 2.0 != whole
        signed = pick(s, odd & (whole < 0.0), neg(w, size), size)
        return _usual(w, a, signed, short)

    return definition
