"""erf, erfc, erfcx and their inverses.

erfc and erfcx use (1 + 2x) exp(x^2) erfc(x), a smooth function of t = (x - k) / (x + k) (Shepherd & Laframboise 1981, Math. Comp.
36), with exp(-x^2) from the exact square of x. The rounding that costs most, that of exp, is avoided by pairs.
"""

from __future__ import annotations

from typing import Any

from symgraph_kernels.coefficients import ERF_LARGE, ERF_SMALL, ERFC
from symgraph_kernels.exponential import bounded, exp, exp_pair, scale
from symgraph_kernels.pairs import Value, divide, fast_sum, product, multiply


def erf(s: Any, x: Value) -> Value:
    a = s.abs(x)
    top = s.number(6.5, 4.5)
    a = s.select(a > top, top, a)
    small = s.fma(a, s.poly(ERF_SMALL, a * a), a)
    if s.wide:
        tail = exp(s, -a * a) * s.poly(ERF_LARGE, (a - 3.0) / (a + 3.0))
    else:
        tail = exp(s, s.poly(ERF_LARGE, a))
    return s.copysign(s.select(a < 1.0, small, 1.0 - tail), x)


def erfc(s: Any, x: Value) -> Value:
    a = s.abs(x)
    top = s.number(30.0, 11.0)
    a = s.select(a > top, top, a)
    small = 1.0 - s.fma(x, s.poly(ERF_SMALL, x * x), x)
    square, rest = product(s, a, a)
    power, n = exp_pair(s, bounded(s, -square), -rest)
    center = s.number(4.0, 2.0)
    first = ERFC.float64[0], ERFC.float32[0]
    t = (a - center) / (a + center)
    slope = s.poly(ERFC._replace(float64=ERFC.float64[1:], float32=ERFC.float32[1:]), t) * t
    above = multiply(s, power, fast_sum(s, s.number(*first), slope))
    high, low = divide(s, above, fast_sum(s, a + a, 1.0))
    large = scale(s, high + low, n)
    large = s.select(x < 0.0, 2.0 - large, large)
    return s.select(a < 0.75, small, large)


