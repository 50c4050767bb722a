"""Functions of nodes for computed rules: calls that fold what is always right to fold.

Each gives a node. They know signs (``facts.py``), parity and values at 0 and 1, so that the rules
that build expressions with them need not.
"""

from __future__ import annotations

import math

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import call, fraction, number
from symgraph.rewrite.conditions import nonnegative, nonpositive
from symgraph.rewrite.exact import Fraction

_ODD = frozenset(["sin", "tan", "sinh", "tanh", "atan", "asin", "asinh", "atanh", "erf", "cbrt"])
_EVEN = frozenset(("cos", "cosh"))
_ZERO_AT_ZERO = frozenset(
    [
        "log1p",
        "expm1",
        "sin",
        "tan",
        "sinh",
        "tanh",
        "atan",
        "asin",
        "asinh",
        "atanh",
        "erf",
        "cbrt",
        "sqrt",
    ]
)


def fn(op: str, *inputs: Node) -> Node:
    """A function of nodes, folded where its argument says so."""
    x = inputs[0]
    value = fraction(x) if len(inputs) == 1 and x.op.name == "constant" else None
    if value == 0 and op in _ZERO_AT_ZERO:
        return number(0, x.tensor.dtype)
    if (value == 0 and op in ("exp", "cos", "cosh")) or (value == 1 and op == "sqrt"):
        return number(1, x.tensor.dtype)
    if value == 1 and op == "log":
        return number(0, x.tensor.dtype)
    if len(inputs) == 1 and leading(x) < 0:
        if op in _ODD:
            return t.neg(call(op, t.neg(x)))
        if op in _EVEN:
            return call(op, t.neg(x))
    if op == "abs":
        return absolute(x)
    if op == "sqrt":
        return square_root(x)
    if op == "exp" and x.op.name == "log":
        return x.inputs[0]
    if op == "log" and x.op.name == "exp":
        return x.inputs[0]
    return call(op, *inputs)


def leading(x: Node) -> int:
    """-1 for a negated node: a negative coefficient, or a sum of only such terms."""
    parts = t.terms(x)
    return -1 if parts and all(c < 0 for c, _ in parts) else 1


def absolute(x: Node) -> Node:
    """abs(x), without the abs where the sign is known; of each factor."""
    if nonnegative(x):
        return x
    if nonpositive(x):
        return t.neg(x)
    scale, found = t.factors(x)
    if scale != 1 or len(found) > 1 or (found and found[0][1] != 1):
        parts = [t.power(b if e % 2 == 0 else absolute(b), e) for b, e in found]
        return t.mul([number(abs(scale), x.tensor.dtype), *parts])
    return call("abs", x)


def square_root(x: Node) -> Node:
    """sqrt(x); exact squares give abs."""
    root = exact_root(fraction(x)) if x.op.name == "constant" else None
    if root is not None:
        return number(root, x.tensor.dtype)
    scale, found = t.factors(x)
    root = exact_root(scale)
    if found and all(e % 2 == 0 for _, e in found) and root is not None:
        parts = [t.power(absolute(b), e // 2) for b, e in found]
        return t.mul([number(root, x.tensor.dtype), *parts])
    return call("sqrt", x)


def exact_root(value: Fraction | None) -> Fraction | None:
    """The square root of a fraction, where it is a fraction."""
    if value is None or value < 0:
        return None
    root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
    return root if root * root == value else None


def num(value: Fraction | float, like: Node) -> Node:
    """A number in the dtype of a node."""
    return number(value, like.tensor.dtype)


def half(x: Node) -> Node:
    """x / 2."""
    return t.scaled(Fraction(1, 2), x)


def less(left: Node, right: Node) -> Node:
    """left < right."""
    return call("less", left, right)


def where(condition: Node, then: Node, otherwise: Node) -> Node:
    """then where the condition holds."""
    if then is otherwise:
        return then
    return call("where", condition, then, otherwise)


def is_number(x: Node, value: int) -> bool:
    """Is it a constant with this value?"""
    return x.op.name == "constant" and fraction(x) == value


def is_half_turn(x: Node | None, multiple: Fraction) -> bool:
    """Is it the constant pi * multiple, rounded to its dtype?"""
    if x is None or x.op.name != "constant":
        return False
    return fraction(x) == fraction(number(math.pi * float(multiple), x.tensor.dtype))
