"""What is left when a leading term is taken away, in double-double; see `defects` for the words.

Near the point where the leading term vanishes a Taylor series keeps the relative accuracy that the
difference of two triples would lose.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from symgraph_kernels.wide import HALF, ONE, Wide, drop, neg, pick, scaled
from symgraph_kernels.wide_functions import ROOT_HALF, exact

NEAR = 2.0**-8


def _polynomial(w: Any, x: Wide, coefficients: list[Fraction]) -> Wide:
    total = exact(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = w.add(w.mul(total, x), exact(c))
    return total


def log1pmx(w: Any, a: Wide) -> Wide:
    """log(1 + a) - a = -a**2 / 2 + a**3 / 3 - ...."""
    s = w.s
    small = s.abs(drop(s, a)) < NEAR
    series = [Fraction((-1) ** (k + 1), k) for k in range(2, 15)]
    near = w.mul(w.mul(a, a), _polynomial(w, a, series))
    return pick(s, small, near, w.sub(w.log1p(a), a))


def exprel(w: Any, a: Wide) -> Wide:
    """(exp(a) - 1) / a, 1 at 0."""
    found = w.div(w.expm1(a), a)
    return pick(w.s, a.high == 0.0, ONE, found)


def cosm1(w: Any, a: Wide) -> Wide:
    """-2 sin(a / 2)**2."""
    half = w.sin(scaled(a, -1.0))
    return neg(w, scaled(w.mul(half, half), 1.0))


def sinhc(w: Any, a: Wide) -> Wide:
    """sinh(a) / a, 1 at 0."""
    return pick(w.s, a.high == 0.0, ONE, w.div(w.sinh(a), a))


def sqrt1pm1(w: Any, a: Wide) -> Wide:
    """a / (1 + sqrt(1 + a))."""
    return w.div(a, w.add(ONE, w.sqrt(w.add(ONE, a))))


def pow1p(w: Any, a: Wide, b: Wide) -> Wide:
    """(1 + a) ** b."""
    s = w.s
    base = w.add(ONE, a)
    near = w.exp(w.mul(b, w.log1p(a)))
    return pick(s, base.high > 0.0, near, w.pow(base, b))


def pow1pm1(w: Any, a: Wide, b: Wide) -> Wide:
    """(1 + a) ** b - 1."""
    s = w.s
    base = w.add(ONE, a)
    near = w.expm1(w.mul(b, w.log1p(a)))
    return pick(s, base.high > 0.0, near, w.sub(w.pow(base, b), ONE))


def softplus_inverse(w: Any, a: Wide) -> Wide:
    """log(exp(a) - 1) = a + log(1 - exp(-a))."""
    return w.add(a, w.log1mexp(neg(w, a)))


def exp_product(w: Any, a: Wide, b: Wide) -> Wide:
    """exp(a * b)."""
    return w.exp(w.mul(a, b))


def log_quotient(w: Any, a: Wide, b: Wide) -> Wide:
    """log(a / b): of 1 + (a - b) / b where that is near 1."""
    s = w.s
    quotient = w.div(a, b)
    near = s.abs(drop(s, w.sub(quotient, ONE))) < 0.25
    close = w.log1p(w.div(w.sub(a, b), b))
    return pick(s, near, close, w.log(quotient))


def log_near(w: Any, a: Wide, b: Wide) -> Wide:
    """log(a), given b = a - 1."""
    s = w.s
    near = s.abs(drop(s, b)) < 0.25
    return pick(s, near, w.log1p(b), w.log(a))


def ndtr(w: Any, a: Wide) -> Wide:
    """erfc(-a / sqrt(2)) / 2."""
    return scaled(w.erfc(neg(w, w.mul(a, ROOT_HALF))), -1.0)


def log_ndtr(w: Any, a: Wide) -> Wide:
    """log(erfcx(t) / 2) - t**2, t = -a / sqrt(2) > 0, on the left; else log1p(-erfc(-t) / 2)."""
    s = w.s
    t = neg(w, w.mul(a, ROOT_HALF))
    left = t.high > 0.0
    safe = pick(s, left, t, ONE)
    tail = w.sub(w.log(w.mul(w.erfcx(safe), HALF)), w.mul(safe, safe))
    other = w.log1p(neg(w, w.mul(w.erfc(neg(w, pick(s, left, neg(w, ONE), t))), HALF)))
    return pick(s, left, tail, other)
