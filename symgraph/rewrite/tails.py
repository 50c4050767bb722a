"""Tails of the error function and of the normal distribution.

``erfc(x / sqrt(2))`` is ``2 * ndtr(-x)``, whose argument is not rounded: in its tail that costs
x**2 ulp. Differences of two values are taken on the side where they are small.
"""

from __future__ import annotations

import math

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import PRODUCTS, SUMS
from symgraph.rewrite.build import call
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import less, num, where
from symgraph.rewrite.polynomial import difference
from symgraph.rewrite.rule import Rule, rule
from symgraph.rewrite.views import coef

DLMF = "NIST Digital Library of Mathematical Functions"
NEAR = {4: Fraction(1, 2**21), 8: Fraction(1, 2**50)}  # so near, two numbers are one rounded
HALF = Fraction(1, 2)
ROOT_HALF = math.sqrt(0.5)


def _unscaled(x: Node) -> Node | None:
    """y where x is y / sqrt(2): the constant stands beside y, or among its factors."""
    near = NEAR[x.tensor.dtype.itemsize]
    scale, whole = coef(x)
    if whole is not None and abs(scale * scale - HALF) <= near:
        return whole if scale > 0 else t.neg(whole)
    scale, found = t.factors(x)
    if not found or abs(scale * scale - HALF) > near:
        return None
    return t.from_factors(Fraction(1 if scale > 0 else -1), found, x.tensor.dtype)


@rule.compute(
    "erfc",
    needs="*",
    why="the rounding of x * sqrt(1/2) is magnified by x**2 in the tail",
    changes="the rounding of sqrt(1/2) counts as none",
    source=DLMF + " 7.18.1",
)
def normal_tail(node: Node) -> Node | None:
    """erfc(x / sqrt(2)) --> 2 * ndtr(-x)."""
    x = _unscaled(node.inputs[0])
    return None if x is None else t.scaled(Fraction(2), call("ndtr", t.neg(x)))


@rule.compute(
    PRODUCTS,
    needs="erfc ndtr",
    why="0 / 0 far in the tail",
    changes="the rounding of sqrt(1/2) counts as none",
    source=DLMF + " 7.2.3",
)
def normal_over_tail(node: Node) -> Node | None:
    """exp(-x*x) / erfc(x) --> 1 / erfcx(x) and exp(-x*x/2) / ndtr(-x) likewise, for x >= 0."""
    near = NEAR[node.tensor.dtype.itemsize]
    scale, raw = t.factors(node)
    found = dict(raw)
    for top in [b for b, e in raw if b.op.name == "exp" and e > 0]:
        for tail in [b for b, e in raw if b.op.name in ("erfc", "ndtr") and e == -1]:
            z = tail.inputs[0]
            a, x = t.factors(z)
            b, square = t.factors(top.inputs[0])
            wanted = a * a if tail.op.name == "erfc" else a * a / 2
            if {p: 2 * e for p, e in x} != dict(square) or abs(b + wanted) > near * wanted:
                continue
            found[top] -= 1
            found[tail] += 1
            if tail.op.name == "erfc":
                right, made = less(z, num(0, z)), t.div(num(1, z), call("erfcx", z))
                made = where(right, t.div(top, tail), made)
            else:
                scaled = call("multiply", z, num(-ROOT_HALF, z))
                made = t.div(num(2, z), call("erfcx", scaled))
                made = where(less(num(0, z), z), t.div(top, tail), made)
            return t.from_factors(scale, [*found.items(), (made, 1)], node.tensor.dtype)
    return None


@rule.compute(
    SUMS,
    needs="erf erfc ndtr",
    why="the function at two near points cancels, and both are 1 far out",
    source=DLMF + " 7.2.1",
)
def erf_difference(node: Node) -> Node | None:
    """erf(x) - erf(y) --> erf_interval(y, x, x - y); erfc and ndtr likewise."""
    parts = t.terms(node)
    found = [(k, c, p) for k, (c, p) in enumerate(parts) if p is not None and p.op.name in _KINDS]
    for i, (j, c, a) in enumerate(found):
        for k, d, b in found[i + 1 :]:
            if c == -d and a.op is b.op:
                low, high = (a, b) if a.op.name == "erfc" else (b, a)
                made = t.scaled(c, _between(low, high))
                return t.replace_terms(node, {j: made, k: None})
    return None


_KINDS = ("erf", "erfc", "ndtr")


def _between(low: Node, high: Node) -> Node:
    """f(high) - f(low) for f one of erf, -erfc, ndtr."""
    name, a, b = low.op.name, low.inputs[0], high.inputs[0]
    if name == "ndtr":
        return _interval("ndtr_interval", a, b)
    first, second = _unscaled(a), _unscaled(b)
    if first is not None and second is not None:
        return t.scaled(Fraction(2), _interval("ndtr_interval", first, second))
    return _interval("erf_interval", a, b)


def _interval(name: str, a: Node, b: Node) -> Node:
    """From a to b; the end that is not a sum comes first, since its square is the more exact."""
    gap, _ = difference(b, a)
    if len(t.terms(a)) <= len(t.terms(b)):
        return call(name, a, b, gap)
    return call(name, t.neg(b), t.neg(a), gap)


TAILS: tuple[Rule, ...] = (normal_tail, normal_over_tail, erf_difference)
