"""Differences of one function at two points whose distance is known exactly: f(x + h) - f(x).

The rows of ``NEARBY`` write f(a) - f(b) with the factor a - b, which does not cancel: addition
theorems, mostly. They apply where the distance simplifies by algebra, or is that of two given
numbers; elsewhere it is rounded as much as the difference itself. sin, cos, tan, atan are in
``roots.py``, logarithms in ``logarithms.py``, erf and the gamma functions in ``tails.py`` and
``gammas.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.build import call
from symgraph.rewrite.conditions import positive
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import fn, half, is_number, less, num, where
from symgraph.rewrite.polynomial import difference
from symgraph.rewrite.rule import Rule, rule

DLMF = "NIST Digital Library of Mathematical Functions"
MOST_PARTS = 6
TWO = Fraction(2)
Row = Callable[[Node, Node, Node, Node], Node]  # a, b, a - b, f(a) - f(b) as it stands


def _middle(a: Node, b: Node) -> Node:
    return half(t.add([a, b], flat=True))


def _small(gap: Node) -> Node:
    """Is the distance below 1? Else its exponential may overflow."""
    return less(fn("abs", gap), num(1, gap))


def _same_sign(a: Node, b: Node) -> Node:
    return less(num(0, a), t.mul([a, b]))


def _sinh(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    return t.scaled(TWO, t.mul([fn("cosh", _middle(a, b)), fn("sinh", half(gap))]))


def _cosh(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    return t.scaled(TWO, t.mul([fn("sinh", _middle(a, b)), fn("sinh", half(gap))]))


def _tanh(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    twice = [t.scaled(TWO, x) for x in (a, b, gap)]
    return t.scaled(TWO, _sigmoid(twice[0], twice[1], twice[2], plain))


def _legs(a: Node, b: Node, leg: Callable[[Node], Node], gap: Node) -> Node:
    """(a - b) (a + b) / (a leg(b) + b leg(a)), which is a leg(b) - b leg(a)."""
    below = t.add([t.mul([a, leg(b)]), t.mul([b, leg(a)])])
    return t.div(t.mul([gap, t.add([a, b], flat=True)]), below)


def _asinh(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    made = fn("asinh", _legs(a, b, lambda x: call("hypot", num(1, x), x), gap))
    return where(_same_sign(a, b), made, plain)


def _root_of_product(x: Node, y: Node) -> Node:
    return call("sqrt", t.mul([x, y]))


def _acosh(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    def leg(x: Node) -> Node:
        return _root_of_product(t.add([x, num(-1, x)]), t.add([x, num(1, x)]))

    return where(less(num(1, a), call("minimum", a, b)), fn("asinh", _legs(a, b, leg, gap)), plain)


def _asin(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    def leg(x: Node) -> Node:
        return _root_of_product(t.sub(num(1, x), x), t.add([num(1, x), x]))

    return where(_same_sign(a, b), fn("asin", _legs(a, b, leg, gap)), plain)


def _acos(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    made = _asin(a, b, gap, t.neg(plain))
    return t.neg(made)


def _atanh(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    inside = less(call("maximum", fn("abs", a), fn("abs", b)), num(1, a))
    return where(inside, fn("atanh", t.div(gap, t.sub(num(1, a), t.mul([a, b])))), plain)


def _cbrt(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    p, q = fn("cbrt", a), fn("cbrt", b)
    return t.div(gap, t.add([t.mul([p, p]), t.mul([p, q]), t.mul([q, q])]))


def _sigmoid(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    """(1 - exp(-|a - b|)) / ((1 + exp(-high)) (1 + exp(low))), with the sign of a - b."""
    high, low = call("maximum", a, b), call("minimum", a, b)
    shares = [call("sigmoid", high), call("sigmoid", t.neg(low))]
    size = t.neg(fn("expm1", t.neg(fn("abs", gap))))
    return t.mul([call("copysign", size, gap), *shares])


def _softplus(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    near = fn("log1p", t.mul([call("sigmoid", b), fn("expm1", gap)]))
    return where(_small(gap), near, plain)


def _exp2(a: Node, b: Node, gap: Node, plain: Node) -> Node:
    scaled = call("multiply", gap, num(math.log(2), gap))
    return where(_small(gap), t.mul([call("exp2", b), fn("expm1", scaled)]), plain)


def _logarithm(base: float) -> Row:
    def row(a: Node, b: Node, gap: Node, plain: Node) -> Node:
        natural = t.minus(fn("log", a), fn("log", b))
        return call("multiply", natural, num(1 / math.log(base), a))

    return row


NEARBY: dict[str, Row] = {
    "sinh": _sinh,
    "cosh": _cosh,
    "tanh": _tanh,
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
    "asin": _asin,
    "acos": _acos,
    "cbrt": _cbrt,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "exp2": _exp2,
    "log2": _logarithm(2),
    "log10": _logarithm(10),
}


@rule.compute(
    SUMS,
    needs=" ".join(NEARBY),
    why="a function at two near points cancels",
    source=DLMF + " 4.22, 4.35, 4.38",
)
def nearby_values(node: Node) -> Node | None:
    """sinh(x + h) - sinh(x) --> 2 * cosh(x + h/2) * sinh(h/2); tanh, asinh, asin, ... likewise."""
    parts = t.terms(node)
    named = [(k, c, p) for k, (c, p) in enumerate(parts) if p is not None and p.op.name in NEARBY]
    if len(named) > MOST_PARTS:
        return None
    for i, (j, c, a) in enumerate(named):
        for k, d, b in named[i + 1 :]:
            if a.op is not b.op or c != -d:
                continue
            gap, cancelled = difference(a.inputs[0], b.inputs[0])
            known = cancelled or (_is_given(a.inputs[0]) and _is_given(b.inputs[0]))
            if not known or is_number(gap, 0) or _is_plain(gap, a, b):
                continue
            made = NEARBY[a.op.name](a.inputs[0], b.inputs[0], gap, t.minus(a, b))
            return t.replace_terms(node, {j: t.scaled(c, made), k: None})
    return None


def _is_given(x: Node) -> bool:
    """Is it a number that was not computed, and so was not rounded?"""
    return t.core(x).op.kind == "leaf"


def _is_plain(gap: Node, a: Node, b: Node) -> bool:
    """Is the distance no simpler than the points: 2*x of x and -x?"""
    return gap.op.name == "constant" and a.inputs[0].op.name == b.inputs[0].op.name == "constant"


@rule.compute(
    SUMS,
    needs="pow",
    why="a power at two near points cancels",
    source="Higham 2002, Accuracy and Stability of Numerical Algorithms, 1.14",
)
def nearby_powers(node: Node) -> Node | None:
    """(x + h)**p - x**p --> x**p * expm1(p * log1p(h/x)), for positive x and x + h."""
    parts = t.terms(node)
    named = [(k, c, p) for k, (c, p) in enumerate(parts) if p is not None and p.op.name == "pow"]
    for i, (j, c, a) in enumerate(named):
        for k, d, b in named[i + 1 :]:
            if c != -d or a.inputs[1] is not b.inputs[1] or t.integer_power(a) is not None:
                continue
            x, y = a.inputs[0], b.inputs[0]
            gap, cancelled = difference(x, y)
            if not cancelled or is_number(gap, 0):
                continue
            ratio = fn("log1p", t.div(gap, y))
            near = t.mul([b, fn("expm1", t.mul([a.inputs[1], ratio]))])
            if not (positive(x) and positive(y)):
                near = where(less(num(0, x), call("minimum", x, y)), near, t.minus(a, b))
            return t.replace_terms(node, {j: t.scaled(c, near), k: None})
    return None


NEARBY_RULES: tuple[Rule, ...] = (nearby_values, nearby_powers)
