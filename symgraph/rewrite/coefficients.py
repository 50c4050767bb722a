"""Power series as lists of coefficients: exact fractions, or floats in a first look.

``FUNCTIONS`` has what a function makes of the series of its argument; ``series.py`` says which
expressions have one, and what for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from symgraph.rewrite.exact import Fraction, dot

Coefficients = list[Any]  # fractions; floats in the first look, which only asks what cancels
Series = tuple[int, Coefficients]  # order of the first term, coefficients from there on
TOLERANCE = 1e-11  # of the first look: what is below counts as cancelled, until fractions tell
ZERO_ORDER = 10**6  # the order of a series that is 0


class NoSeries(Exception):
    """The expression has no power series there that can be told."""


def times(a: Coefficients, b: Coefficients) -> Coefficients:
    """a * b, as far as both are known."""
    n = len(a)
    if isinstance(a[0], Fraction):
        turned = b[::-1]
        return [dot(a[: i + 1], turned[n - 1 - i :]) for i in range(n)]
    out = [a[0] * 0] * n
    for i, x in enumerate(a):
        if x:
            for j, y in enumerate(b[: n - i]):
                if y:
                    out[i + j] += x * y
    return out


def quotient(a: Coefficients, b: Coefficients) -> Coefficients:
    """a / b, for b[0] != 0."""
    out: Coefficients = []
    if isinstance(a[0], Fraction):
        for i, value in enumerate(a):
            out.append((value - dot(b[1 : i + 1], out[::-1])) / b[0])
        return out
    for i, value in enumerate(a):
        for j in range(1, i + 1):
            if b[j]:
                value -= b[j] * out[i - j]
        out.append(value / b[0])
    return out


def powered(a: Coefficients, exponent: Any) -> Coefficients:
    """a ** exponent for a[0] == 1."""
    out = [a[0]]
    if isinstance(a[0], Fraction):
        slopes = _derivative(a)[:-1]
        for i in range(1, len(a)):
            # (exponent * j - (i - j)) * a[j] = (exponent + 1) * j * a[j] - i * a[j]
            whole = (exponent + 1) * dot(slopes, out[::-1]) - i * dot(a[1 : i + 1], out[::-1])
            out.append(whole / i)
        return out
    for i in range(1, len(a)):
        total = a[0] * 0
        for j in range(1, i + 1):
            if a[j]:
                total += (exponent * j - (i - j)) * a[j] * out[i - j]
        out.append(total / i)
    return out


def _integral(a: Coefficients) -> Coefficients:
    return [a[0] * 0, *(x / (i + 1) for i, x in enumerate(a))][: len(a)]


def _derivative(a: Coefficients) -> Coefficients:
    return [*(i * x for i, x in enumerate(a[1:], 1)), a[0] * 0]


def _convolved(a: Coefficients, b: Coefficients, i: int) -> Any:
    """Coefficient i of the integral of a' * b, times i."""
    if isinstance(a[0], Fraction):
        return dot([j * x for j, x in enumerate(a[1 : i + 1], 1)], b[i - 1 :: -1])
    total = a[0] * 0
    for j in range(1, i + 1):
        if a[j]:
            total += j * a[j] * b[i - j]
    return total


def _exp(a: Coefficients) -> Coefficients:
    out = [a[0] + 1]
    for i in range(1, len(a)):
        out.append(_convolved(a, out, i) / i)
    return out


def _sine_cosine(a: Coefficients, sign: int) -> tuple[Coefficients, Coefficients]:
    s, c = [a[0]], [a[0] + 1]
    for i in range(1, len(a)):
        s.append(_convolved(a, c, i) / i)
        c.append(sign * _convolved(a, s, i) / i)
    return s, c


def normal(order: int, a: Coefficients) -> Series:
    """The series from its first term that is not 0."""
    least = TOLERANCE * max(map(abs, a)) if isinstance(a[0], float) else 0
    first = next((k for k, c in enumerate(a) if (abs(c) > least if least else c)), None)
    if first is None:
        return ZERO_ORDER, [a[0] * 0] * len(a)
    return order + first, a[first:] + [a[0] * 0] * first


def plain(found: Series) -> Coefficients:
    """Coefficients from the constant term on."""
    order, a = found
    if order < 0:
        raise NoSeries
    return ([a[0] * 0] * min(order, len(a)) + a)[: len(a)]


def _require(a: Coefficients, value: int) -> Coefficients:
    if abs(a[0] - value) > (TOLERANCE if isinstance(a[0], float) else 0):
        raise NoSeries
    return [a[0] * 0 + value, *a[1:]]


def _log(a: Coefficients) -> Coefficients:
    a = _require(a, 1)
    return _integral(quotient(_derivative(a), a))


def _of_exp(a: Coefficients) -> Coefficients:
    return _exp(_require(a, 0))


def _sigmoid(a: Coefficients) -> Coefficients:
    e = _of_exp(a)
    return quotient(e, [e[0] + 1, *e[1:]])


def _circular(part: int, sign: int) -> Callable[[Coefficients], Coefficients]:
    def of(a: Coefficients) -> Coefficients:
        s, c = _sine_cosine(_require(a, 0), sign)
        return quotient(s, c) if part == 2 else (s, c)[part]

    return of


def _inverse(sign: int, exponent: Fraction) -> Callable[[Coefficients], Coefficients]:
    """The integral of (1 + sign * x*x) ** exponent."""

    def of(a: Coefficients) -> Coefficients:
        squares = times(_require(a, 0), a)
        slope = powered([a[0] * 0 + 1, *(sign * c for c in squares[1:])], type(a[0])(exponent))
        return _integral(times(_derivative(a), slope))

    return of


def _relative(function: Callable[[Coefficients], Coefficients]) -> Any:
    """f(x) / x of a series x without constant term, for f(0) = 0."""

    def of(a: Coefficients) -> Coefficients:
        a = _require(a, 0)
        first = next((k for k, c in enumerate(a) if c), None)
        if first is None:
            return [a[0] * 0 + 1, *a[1:]]
        n = len(a)
        longer = a + [a[0] * 0] * first
        top, bottom = function(longer)[first:], longer[first:]
        return quotient(top[:n], bottom[:n])

    return of


def _softplus(a: Coefficients) -> Coefficients:
    """softplus - log(2), whose constant is in ``AT_ZERO``."""
    return _integral(times(_derivative(a), _sigmoid(a)))


def _log1p(a: Coefficients) -> Coefficients:
    return _log([a[0] + 1, *a[1:]])


FUNCTIONS: dict[str, Callable[[Coefficients], Coefficients]] = {
    "log": _log,
    "log1p": _log1p,
    "log1pmx": lambda a: [x - y for x, y in zip(_log1p(a), a, strict=True)],
    "exp": _of_exp,
    "expm1": lambda a: [a[0] * 0, *_of_exp(a)[1:]],
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "cosm1": lambda a: [a[0] * 0, *_circular(1, -1)(a)[1:]],
    "sin": _circular(0, -1),
    "cos": _circular(1, -1),
    "tan": _circular(2, -1),
    "sinh": _circular(0, 1),
    "cosh": _circular(1, 1),
    "tanh": _circular(2, 1),
    "exprel": _relative(lambda a: [a[0] * 0, *_of_exp(a)[1:]]),
    "sinhc": _relative(_circular(0, 1)),
    "sinc_radians": _relative(_circular(0, -1)),
    "atan": _inverse(1, Fraction(-1)),
    "atanh": _inverse(-1, Fraction(-1)),
    "asin": _inverse(-1, Fraction(-1, 2)),
    "asinh": _inverse(1, Fraction(-1, 2)),
}
# what a function adds to its series at 0, as the float that a formula has for it
AT_ZERO: Mapping[str, float] = {"softplus": math.log(2)}
