"""Floats that stand for an irrational number: what a slow form computes with instead.

``log(2)`` or ``2 / sqrt(pi)`` are folded to a float long before a value is guarded. Where the value
cancels, the rounding of that float is all that is left of it: ``|x| + softplus(-2|x|) - log(2)`` of
a small x. No float with a full significand is next to one of these by chance, up to its sign and
powers of two, so in double-double it is computed again from whole numbers. A neighbour counts too:
``1 / log(10)`` is rounded twice.

``meant(b, value, dtype)`` gives the expression, None for a float that only means itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

MOST_ROOT, MOST_LOG = 15, 15  # whole numbers whose roots and logarithms are known
Made = Callable[[Any, Any], Any]  # (builder, whole number -> constant) -> expression


def meant(b: Any, value: Any, dtype: np.dtype[Any]) -> Any | None:
    """The number that a float constant stands for, as operations on whole numbers."""
    number = float(value)
    if not math.isfinite(number) or number == 0:
        return None
    significand, exponent = math.frexp(abs(number))
    made = _known(dtype.name).get(significand)
    if made is None:
        return None
    own, form = made

    def whole(n: float) -> Any:
        return b.const(n, dtype)

    scale = math.copysign(math.ldexp(1.0, exponent - own), number)
    return b.mul(whole(scale), form(b, whole))


@cache
def _known(dtype: str) -> Mapping[float, tuple[int, Made]]:
    """Forms by the significands of floats next to them, with its exponent."""
    found: dict[float, tuple[int, Made]] = {}
    for value, form in _forms():
        near = np.dtype(dtype).type(value)
        for x in (near, np.nextafter(near, 0), np.nextafter(near, near + near)):
            significand, exponent = math.frexp(float(x))
            found[significand] = (exponent, form)
    return found


def _forms() -> list[tuple[float, Made]]:
    """Values in float64 with their forms: roots and logarithms of whole numbers and of pi."""
    roots = [k for k in range(2, MOST_ROOT + 1) if math.isqrt(k) ** 2 != k]
    rows: list[tuple[float, Made]] = [(math.pi, _pi), (1 / math.pi, _inverse(_pi))]
    for k in roots:
        rows += [(k**0.5, _root(k)), (k**-0.5, _inverse(_root(k)))]
    for k in range(2, MOST_LOG + 1):
        rows += [(math.log(k), _log(k)), (1 / math.log(k), _inverse(_log(k)))]
    for k in (1, 2):  # pi and 2 pi: the normal distribution
        rows += [
            ((k * math.pi) ** 0.5, _root_pi(k)),
            ((k * math.pi) ** -0.5, _inverse(_root_pi(k))),
            (math.log(k * math.pi), _log_pi(k)),
        ]
    return rows


def _pi(b: Any, whole: Callable[[float], Any]) -> Any:
    return b.mul(whole(4), b.atan(whole(1)))


def _root(k: int) -> Made:
    return lambda b, whole: b.sqrt(whole(k))


def _log(k: int) -> Made:
    return lambda b, whole: b.log(whole(k))


def _root_pi(k: int) -> Made:
    return lambda b, whole: b.sqrt(b.mul(whole(k), _pi(b, whole)))


def _log_pi(k: int) -> Made:
    return lambda b, whole: b.log(b.mul(whole(k), _pi(b, whole)))


def _inverse(form: Made) -> Made:
    return lambda b, whole: b.div(whole(1), form(b, whole))
