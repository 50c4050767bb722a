"""x ** n for a known whole number n, in multiplications: what ``pow`` is there.

A tenth of the time of the function of two variables (four multiplications for a cube), rounded
once: each factor is a pair (high, low), whose low part is what was rounded off the product so far.
"""

from __future__ import annotations

from typing import Any

MOST = 64  # a power above takes as long as the function does
Pair = tuple[Any, Any]  # the second is None where the first is exact


def power(s: Any, x: Any, y: Any) -> Any:
    """x ** y of real numbers: by multiplications where y is a known whole number, or 1/2."""
    known = getattr(y, "value", None)  # of an expression that is a number
    if known is None or x.dtype.kind != "f":
        return s.pow(x, y)
    if known == 0.5:  # 0 of -0.0, and infinity of -inf, as pow has it
        return s.select(s.eq(x, -float("inf")), s.abs(x), s.add(s.sqrt(x), 0.0))
    if known != int(known) or not 2 <= abs(known) <= MOST:
        return s.pow(x, y)
    return _whole(s, x, int(known))


def _whole(s: Any, x: Any, n: int) -> Any:
    """By the binary digits of n; a plain product where the rest is none, or no number."""
    base: Pair = (x, None)
    if n < 0:
        inverse = s.reciprocal(x)
        base = inverse, s.mul(inverse, s.fma(s.neg(inverse), x, s.const(1.0, x.dtype)))
    factors = _factors(abs(n))
    found = base
    for squared in factors[:-1]:
        found = _times(s, found, found if squared else base)
    other = found if factors[-1] else base
    plain, rest = s.mul(found[0], other[0]), _rest(s, found, other)
    if rest is None:
        return plain
    once = s.fma(found[0], other[0], rest)
    return s.select(s.lt(s.abs(rest), s.abs(plain)), once, plain)


def _factors(n: int) -> list[bool]:
    """What is multiplied to get x ** n from x: True for itself, False for x."""
    found: list[bool] = []
    for digit in bin(n)[3:]:
        found += [True, False] if digit == "1" else [True]
    return found


def _times(s: Any, a: Pair, b: Pair) -> Pair:
    """The product of two pairs as a pair."""
    high = s.mul(a[0], b[0])
    low, rest = s.fma(a[0], b[0], s.neg(high)), _rest(s, a, b)
    return high, low if rest is None else s.add(low, rest)


def _rest(s: Any, a: Pair, b: Pair) -> Any:
    """What the low parts add to a product of the high ones; None where both are exact."""
    if a[1] is None and b[1] is None:
        return None
    if a[1] is None or b[1] is None:
        (high, low) = (a[0], b[1]) if a[1] is None else (b[0], a[1])
        return s.mul(high, low)
    if a is b:
        return s.mul(s.add(a[0], a[0]), a[1])
    return s.fma(a[0], b[1], s.mul(a[1], b[0]))
