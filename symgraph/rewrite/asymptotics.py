"""Series at infinity, and of logarithms at their zeros: what ``series.py`` does at 0 for sums.

``1 - x / sqrt(1 + x*x)`` is a difference of nearly equal numbers for large x. Its exact series in
1 / x takes its place there, and so does the one in x for ``log(sinh(x) / x)`` near 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.build import call
from symgraph.rewrite.coefficients import ZERO_ORDER, Coefficients, Series
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.facts import fact
from symgraph.rewrite.functions import fn, less, num, where
from symgraph.rewrite.rule import Rule, rule
from symgraph.rewrite.series import (
    ORDER,
    PROBE,
    RADII,
    all_series,
    below,
    cancelling,
    converges,
    evaluated,
)

TAYLOR = "Taylor's theorem, exact coefficients"
GROWS = frozenset(["sqrt", "hypot", "divide", "pow", "reciprocal"])
MOST_PARTS = 6
MOST_PLACES = 2


def _leaves(node: Node) -> list[Node]:
    """Inputs below a sum, where something there may tend to a limit at infinity."""
    items = below(node) or []
    names = {i.op.name for i in items}
    if not names & GROWS or names & {"where", "polynomial"}:
        return []
    found = [i for i in items if i.op.kind == "leaf" and i.op.name != "constant" and t.is_real(i)]
    return found[:MOST_PLACES]


@rule.compute(
    SUMS,
    needs="* sqrt hypot pow",
    why="the leading terms of the sum cancel far out",
    source=TAYLOR,
    lifts=False,
)
def cancellation_at_infinity(node: Node) -> Node | None:
    """1 - x / sqrt(1 + x*x) --> where(x > r, polynomial(1/x), the same), and for x < -r."""
    parts = t.terms(node)
    if not 2 <= len(parts) <= MOST_PARTS:
        return None
    for place in _leaves(node):
        made = node
        for sign in (1, -1):
            if (sign > 0 and fact(place).hi <= 0) or (sign < 0 and fact(place).lo >= 0):
                continue
            found = _far_form(node, place, sign)
            if found is not None:
                made = where(found[0], found[1], made)
        if made is not node:
            return made
    return None


def _far_form(node: Node, place: Node, sign: int) -> tuple[Node, Node] | None:
    """The condition sign * x > r, and the series in 1 / x there."""

    def start(zero: Any, count: int) -> Series:
        return -1, [zero + sign, *[zero] * (count - 1)]

    if cancelling(node, all_series(node, place, start, PROBE, float)) is None:
        return None
    made = all_series(node, place, start, ORDER, Fraction)
    found = cancelling(node, made)
    if found is None or found[1] >= ZERO_ORDER:
        return None
    low, order = found
    a = made[node][1][: min(ORDER - PROBE, ORDER - (order - low)) - 1]
    radius = next((r for r in RADII if converges(a, r)), None)
    if radius is None:
        return None
    inverse = t.div(num(sign, place), place)
    limit = num(1 / radius, place)
    far = less(limit, place) if sign > 0 else less(place, t.neg(limit))
    return far, evaluated(a, order, inverse)


@rule.compute(
    "log",
    needs="* + sinhc exprel sinc_radians",
    why="the argument is near 1, and rounded, where the logarithm is near 0",
    source=TAYLOR,
    lifts=False,
)
def logarithm_at_its_zero(node: Node) -> Node | None:
    """log(sinh(x) / x) --> where(abs(x) < r, x**2 * polynomial(x*x), log(sinh(x) / x))."""
    for place in _arguments(node.inputs[0]):
        made = _near_form(node, place)
        if made is not None:
            return made
    return None


def _arguments(node: Node) -> list[Node]:
    items = below(node) or []
    if any(i.op.name in ("where", "polynomial") for i in items) or t.constant_term(node) == 1:
        return []
    found = [i for i in items if i.op.kind == "leaf" and i.op.name != "constant" and t.is_real(i)]
    return found[:MOST_PLACES]


def _near_form(node: Node, place: Node) -> Node | None:
    def order_of(kind: Callable[..., Any], count: int) -> tuple[int, Coefficients] | None:
        found = all_series(node, place, 0, count, kind).get(node)
        return None if found is None or not 0 < found[0] < ZERO_ORDER else found

    if order_of(float, PROBE) is None:
        return None
    found = order_of(Fraction, ORDER)
    if found is None or found[0] >= PROBE:
        return None
    order, coefficients = found
    a = coefficients[: ORDER - PROBE - 1]
    radius = next((r for r in RADII if converges(a, r)), None)
    if radius is None:
        return None
    near = less(fn("abs", place), num(radius, place))
    return where(near, evaluated(a, order, place), _beyond(node))


def _beyond(node: Node) -> Node:
    """log(sinhc(x)) where sinhc overflows: abs(x) + log1mexp(-2*abs(x)) - log(2*abs(x))."""
    inner = node.inputs[0]
    if inner.op.name not in ("sinhc", "exprel"):
        return node
    x = inner.inputs[0]
    size = fn("abs", x) if inner.op.name == "sinhc" else x
    twice = Fraction(2) if inner.op.name == "sinhc" else Fraction(1)
    rest = call("log1mexp", t.scaled(-twice, size))
    far = t.minus(t.plus(size, rest), fn("log", t.scaled(twice, size)))
    return where(less(num(4, x), size), far, node)


ASYMPTOTICS: tuple[Rule, ...] = (
    logarithm_at_its_zero,
    cancellation_at_infinity,
)
