"""Angles with eighths and quarters of a turn added: tan(x + pi/4), pi/2 - atan(x)."""

from __future__ import annotations

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.build import call, number
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import fn, is_half_turn, less, num, where
from symgraph.rewrite.rule import Rule, rule

DLMF = "NIST Digital Library of Mathematical Functions"
EIGHTH = Fraction(1, 4)


def without_eighth_turn(x: Node) -> tuple[Node, int] | None:
    """y and the sign of pi/4, where x is y + pi/4 or y - pi/4."""
    parts = t.terms(x)
    for k, (c, part) in enumerate(parts):
        if part is None and len(parts) > 1:
            turn = number(c, x.tensor.dtype)
            for sign in (1, -1):
                if is_half_turn(turn, sign * EIGHTH):
                    return t.replace_terms(x, {k: None}), sign
    return None


@rule.compute(
    "tan",
    needs="+",
    why="the rounding of an eighth of a turn added is larger than a small argument",
    source=DLMF + " 4.21.4",
)
def eighth_turn(node: Node) -> Node | None:
    """tan(x + pi/4) --> (1 + tan(x)) / (1 - tan(x))."""
    found = without_eighth_turn(node.inputs[0])
    if found is None:
        return None
    y, sign = found
    tangent, one = fn("tan", y), num(1, y)
    more, less_ = t.add([one, tangent]), t.sub(one, tangent)
    return t.div(more, less_) if sign > 0 else t.neg(t.div(less_, more))


@rule.compute(
    "log",
    needs="tan",
    early=True,
    why="the tangent near pi/4 is near 1, and its logarithm near 0",
    source=DLMF + " 4.23.42, the inverse of the Gudermannian function",
)
def inverse_gudermannian(node: Node) -> Node | None:
    """log(tan(x/2 + pi/4)) --> asinh(tan(x)), NaN where the first tangent is negative."""
    inner = node.inputs[0]
    if inner.op.name == "abs":
        inner = inner.inputs[0]
    if inner.op.name != "tan":
        return None
    found = without_eighth_turn(inner.inputs[0])
    if found is None:
        return None
    y, sign = found
    whole = t.scaled(Fraction(2), y)
    made, other = fn("asinh", fn("tan", whole)), num(float("nan"), y)
    if node.inputs[0].op.name == "abs":
        made, other = (made, t.neg(made)) if sign > 0 else (t.neg(made), made)
        return where(less(num(0, y), fn("cos", whole)), made, other)
    zero, cosine = num(0, y), fn("cos", whole)
    return where(less(zero, cosine) if sign > 0 else less(cosine, zero), made, other)


@rule.compute(
    SUMS,
    needs="atan",
    why="far out the angle keeps few digits of its distance from a quarter turn",
    source=DLMF + " 4.23.16",
)
def angle_beyond_quarter_turn(node: Node) -> Node | None:
    """atan(x) + pi/2 --> atan2(1, -x); pi/2 - atan(x) --> atan2(1, x)."""
    parts = t.terms(node)
    at = next((k for k, (_, p) in enumerate(parts) if p is None), None)
    if at is None:
        return None
    constant = parts[at][0]
    for k, (c, part) in enumerate(parts):
        if part is None or part.op.name != "atan":
            continue
        turn = number(constant / c, node.tensor.dtype)
        x, one = part.inputs[0], num(1, node)
        if is_half_turn(turn, Fraction(1, 2)):
            made = t.scaled(c, call("atan2", one, t.neg(x)))
        elif is_half_turn(turn, Fraction(-1, 2)):
            made = t.scaled(-c, call("atan2", one, x))
        else:
            continue
        return t.replace_terms(node, {k: made, at: None})
    return None


ANGLES: tuple[Rule, ...] = (inverse_gudermannian, eighth_turn, angle_beyond_quarter_turn)
