"""``erf(b) - erf(a)`` and ``ndtr(b) - ndtr(a)``, given b - a too: what rules make of it.

Near each other by the density in the middle and its Hermite series, on one side of 0 by scaled
tails, so that neither the common part nor the rounding of b counts; else by the tails themselves.
"""

from __future__ import annotations

import math
from typing import Any

from symgraph.ir.op import Op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import make
from symgraph.ops.kinds import elementwise
from symgraph.ops.math import exp
from symgraph.ops.wide_words import wide

ROOT_HALF, ROOT_TAU = math.sqrt(0.5), math.sqrt(2 * math.pi)
TERMS = 8  # of the series: 5e-17 for width * (1 + |a|) <= 1
APART = 30.0  # an exponent from which on one of the two tails is negligible
DLMF = "NIST Digital Library of Mathematical Functions 7.2.1, 18.9"


def _hermite_sum(s: Any, m: Any, h: Any) -> Any:
    """Sum of He(2k, m) h**(2k) / (2k + 1)!: the mean of the density around m, over that at m."""
    square = s.mul(h, h)
    low, high = s.const(1, m.dtype), m
    total, power = low, s.const(1, m.dtype)
    for k in range(1, TERMS):
        even = s.sub(s.mul(m, high), s.mul(low, float(2 * k - 1)))
        odd = s.sub(s.mul(m, even), s.mul(high, float(2 * k)))
        low, high = even, odd
        power = s.mul(power, square)
        total = s.add(total, s.mul(s.mul(even, power), 1 / math.factorial(2 * k + 1)))
    return total


def _interval(s: Any, a: Any, b: Any, w: Any, half: bool) -> Any:
    share, stretch = (0.5, 1.0) if half else (1.0, math.sqrt(2))
    size = s.exp_product(a, s.mul(a, -share))
    exponent = s.mul(s.mul(w, s.add(a, b)), -share)
    close = s.le(s.mul(s.abs(w), s.add(s.mul(s.abs(a), stretch), 1)), 1 / stretch)
    width = s.select(close, w, s.const(0, w.dtype))
    middle = s.mul(s.add(a, s.mul(width, 0.5)), stretch)
    shift = s.exp(s.mul(s.mul(width, s.add(a, s.mul(width, 0.25))), -share))
    mean = _hermite_sum(s, middle, s.mul(width, 0.5 * stretch))
    density = 1 / ROOT_TAU if half else 2 / math.sqrt(math.pi)
    near = s.mul(s.mul(s.mul(width, density), s.mul(size, shift)), mean)

    right = s.gt(s.add(a, b), 0)
    side = s.mul(s.mul(a, b), s.const(1, a.dtype))
    one_side = s.and_(s.gt(side, 0), s.lt(s.abs(exponent), APART))
    first, second = (s.select(right, x, s.neg(x)) for x in (a, b))
    scale = ROOT_HALF if half else 1.0
    tails = [s.erfcx(s.mul(x, scale)) for x in (first, second)]
    ratio = s.exp(s.maximum(s.minimum(exponent, APART), -APART))
    gap = s.sub(tails[0], s.mul(ratio, tails[1]))
    middle_form = s.mul(s.mul(size, share), s.select(right, gap, s.neg(gap)))

    tail = s.ndtr if half else lambda x: s.erfc(s.neg(x))
    start, end = tail(s.neg(first)), tail(s.neg(second))
    apart = s.select(right, s.sub(start, end), s.sub(end, start))
    return s.select(close, near, s.select(one_side, middle_form, apart))


def _gradient(half: bool) -> Any:
    share, density = (0.5, 1 / ROOT_TAU) if half else (1.0, 2 / math.sqrt(math.pi))

    def gradient(
        g: Variable, y: Variable, a: Variable, b: Variable, w: Variable
    ) -> list[Variable | None]:
        """The density at either end; the width is not a third variable, but b - a."""
        low = make("exp_product", [a, a * -share]) * density
        return [-g * low, g * (low * exp((w * (a + b)) * -share)), None]

    return gradient


def _row(name: str, doc: str, half: bool) -> Op:
    def scalar(s: Any, a: Any, b: Any, w: Any) -> Any:
        return _interval(s, a, b, w, half)

    return elementwise(
        name,
        doc,
        arity=3,
        takes="floating",
        rule="float",
        reference=wide(scalar),
        scalar=scalar,
        grad=_gradient(half),
        samples=None,  # its arguments are not independent: tested by hand
        ulp=8.0,
        source=DLMF,
    )


erf_interval = _row("erf_interval", "erf(b) - erf(a), given w = b - a too.", half=False)
ndtr_interval = _row("ndtr_interval", "ndtr(b) - ndtr(a), given w = b - a too.", half=True)
