"""Powers near 1 and products with logarithms: (1 + x)**y, x**y - 1, x * log(x)."""

from __future__ import annotations

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import PRODUCTS, SUMS
from symgraph.rewrite.build import call, fraction
from symgraph.rewrite.conditions import positive
from symgraph.rewrite.facts import fact
from symgraph.rewrite.functions import fn, less, num, where
from symgraph.rewrite.rule import Rule, rule

HIGHAM = "Higham 2002, Accuracy and Stability of Numerical Algorithms, 1.14"
LARGE_POWER = 8  # a power multiplies the rounding of its base; below this that is 3 bits at most


def excess(base: Node) -> Node | None:
    """x where the base is 1 + x; None for other sums and for all else."""
    if t.family(base) != "+" or t.constant_term(base) != 1:
        return None
    at = next(j for j, (_, p) in enumerate(t.terms(base)) if p is None)
    return t.replace_terms(base, {at: None})


@rule.compute(SUMS, needs="pow pow1p", why="a power near 1 minus 1 cancels", source=HIGHAM)
def power_minus_one(node: Node) -> Node | None:
    """x**y - 1 --> expm1(y * log(x)); (1 + x)**y - 1 --> pow1pm1(x, y)."""
    parts = t.terms(node)
    constant = t.constant_term(node)
    for k, (c, part) in enumerate(parts):
        if part is None or c != -constant or part.op.name not in ("pow", "pow1p"):
            continue
        at = next(j for j, (_, p) in enumerate(parts) if p is None)
        made = _less_one(part)
        if made is not None:
            return t.replace_terms(node, {k: t.scaled(c, made), at: None})
    return None


def _less_one(power: Node) -> Node | None:
    """base ** exponent - 1 without cancellation."""
    base, exponent = power.inputs
    if power.op.name == "pow1p":
        return call("pow1pm1", base, exponent)
    x, far = excess(base), t.plus(power, num(-1, power))
    if x is not None:
        near = call("pow1pm1", x, exponent)
        if fact(x).lo >= -1:
            return near
        return where(less(fn("abs", x), num(0.25, x)), near, far)
    if t.integer_power(power) is not None:
        return None
    near = fn("expm1", t.mul([exponent, fn("log", base)]))
    # x may be negative for the original: x**2 has a value there, log(x) has none
    return near if positive(base) else where(less(num(0, base), base), near, far)


@rule.compute(
    "pow", needs="+", why="1 + x drops digits of x, which the exponent brings back", source=HIGHAM
)
def power_near_one(node: Node) -> Node | None:
    """(1 + x) ** y --> pow1p(x, y) where x is small."""
    base, exponent = node.inputs
    value = fraction(exponent)
    if value is not None and abs(value) < LARGE_POWER:
        return None
    x = excess(base)
    if x is None or t.integer_power(node) is not None:
        return None
    made = call("pow1p", x, exponent)
    return made if fact(x).lo >= -1 else where(less(fn("abs", x), num(0.25, x)), made, node)


@rule.compute("log", needs="pow1p", why="the power would overflow or underflow", source="identity")
def log_of_power_near_one(node: Node) -> Node | None:
    """log(pow1p(x, y)) --> y * log1p(x)."""
    x = node.inputs[0]
    if x.op.name != "pow1p":
        return None
    return t.mul([x.inputs[1], fn("log1p", x.inputs[0])])


@rule.compute(
    PRODUCTS,
    needs="expm1 sinh sin",
    why="the limit at 0 is 1, not NaN, and the derivative of the quotient cancels",
    source="definition",
    changes="1 instead of NaN where x is 0",
)
def relative_difference(node: Node) -> Node | None:
    """expm1(x) / x --> exprel(x); sinh(x*y) / x --> y * sinhc(x*y); sin(x)**2 / x**2 likewise."""
    scale, found = t.factors(node)
    for base, exponent in found:
        made = _RELATIVE.get(base.op.name)
        if made is None:
            continue
        own, argument = t.factors(base.inputs[0])
        exponents = dict(found)
        # one factor of x * y below is enough: expm1(x*y) / x is y * exprel(x*y);
        # y * expm1(x / y) needs no repair, since y is not near 0 where x / y is
        if not any(e > 0 and exponents.get(b, 0) * exponent < 0 for b, e in argument):
            continue
        rest = [(b, e) for b, e in found if b is not base]
        rest += [(b, e * exponent) for b, e in argument]
        factor = (call(made, base.inputs[0]), exponent)
        return t.from_factors(scale * own**exponent, [factor, *rest], node.tensor.dtype)
    return None


@rule.compute(
    "multiply divide",
    needs="log",
    why="the limit of x * log(x) at 0 is 0, not NaN",
    source="SciPy: xlogy; the convention of information theory, Cover & Thomas 2006, 2.1",
    changes="0 instead of NaN where x is 0",
)
def x_log_x(node: Node) -> Node | None:
    """x * log(x) --> xlogy(x, x)."""
    scale, found = t.factors(node)
    for base, exponent in found:
        if base.op.name == "log" and exponent == 1 and (base.inputs[0], 1) in found:
            x = base.inputs[0]
            rest = [(b, e) for b, e in found if b is not base and b is not x]
            return t.from_factors(scale, [(call("xlogy", x, x), 1), *rest], node.tensor.dtype)
    return None


_RELATIVE = {"expm1": "exprel", "sinh": "sinhc", "sin": "sinc_radians"}

POWERS: tuple[Rule, ...] = (
    power_minus_one,
    power_near_one,
    log_of_power_near_one,
    relative_difference,
    x_log_x,
)
