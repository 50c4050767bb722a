"""Unevaluated sums (high, low) of two floats: the error-free steps that buy the last ulp.

Names after Dekker 1971 and Ogita, Rump & Oishi 2005. Every function takes the words `s` first;
see words.py.
"""

from __future__ import annotations

from typing import Any

Value = Any  # a float of whichever interpreter runs the definition
Pair = tuple[Value, Value]


def fast_sum(s: Any, x: Value, y: Value) -> Pair:
    """x + y = high + low exactly, given |x| >= |y| or x == 0."""
    high = x + y
    return high, (x - high) + y


def full_sum(s: Any, x: Value, y: Value) -> Pair:
    """x + y = high + low exactly, for any x and y (Knuth)."""
    high = x + y
    back = high - x
    return high, (x - (high - back)) + (y - back)


def product(s: Any, x: Value, y: Value) -> Pair:
    """x * y = high + low exactly, unless it underflows."""
    high = x * y
    return high, s.fma(x, y, -high)


def multiply(s: Any, x: Pair, y: Pair) -> Pair:
    """x * y of two pairs, relative error about 2**-2p (p the precision)."""
    high, low = product(s, x[0], y[0])
    return fast_sum(s, high, low + s.fma(x[0], y[1], x[1] * y[0]))


def divide(s: Any, x: Pair, y: Pair) -> Pair:
    """x / y of two pairs with one division; y must have a finite reciprocal."""
    inverse = 1.0 / y[0]
    q = x[0] * inverse
    rest = s.fma(-q, y[0], x[0]) + s.fma(-q, y[1], x[1])
    return fast_sum(s, q, rest * inverse)


def root(s: Any, x: Pair) -> Pair:
    """sqrt(x) of a nonnegative pair."""
    high = s.sqrt(x[0])
    rest = s.fma(-high, high, x[0]) + x[1]
    return high, s.select(high > 0.0, rest / (high + high), 0.0)


def clamp(s: Any, x: Value, low: float, high: float) -> Value:
    """x held to [low, high]; NaN stays. In this order each comparison is one instruction."""
    x = s.select(x < low, low, x)
    return s.select(x > high, high, x)
