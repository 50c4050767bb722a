"""Gamma functions that cancel: the logarithm of the beta function, ratios at whole distances."""

from __future__ import annotations

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import PRODUCTS, SUMS
from symgraph.rewrite.build import call, fraction
from symgraph.rewrite.conditions import positive
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import fn, is_number, less, num, where
from symgraph.rewrite.polynomial import difference
from symgraph.rewrite.rule import Rule, rule

DIDONATO = "DiDonato & Morris 1992, ACM Trans. Math. Softw. 18(3), algorithm 708"
DLMF = "NIST Digital Library of Mathematical Functions"
MOST_STEPS = 4


@rule.compute(
    SUMS,
    needs="gammaln",
    why="three large numbers cancel to a small one",
    source=DIDONATO,
)
def log_beta(node: Node) -> Node | None:
    """gammaln(x) + gammaln(y) - gammaln(x + y) --> lbeta(x, y), for positive x and y."""
    parts = t.terms(node)
    found = [
        (k, c, p) for k, (c, p) in enumerate(parts) if p is not None and p.op.name == "gammaln"
    ]
    if len(found) < 3 or len(found) > 6:
        return None
    for i, (j, c, a) in enumerate(found):
        for k, d, b in found[i + 1 :]:
            if c != d:
                continue
            whole = t.add([a.inputs[0], b.inputs[0]], flat=True)
            for at, e, total in found:
                if e == -c and is_number(difference(total.inputs[0], whole)[0], 0):
                    made = _lbeta(a, b, t.minus(t.plus(a, b), total))
                    return t.replace_terms(node, {j: t.scaled(c, made), k: None, at: None})
    return None


def _ordered(x: Node, y: Node) -> tuple[Node, Node]:
    """One order for both: the results are then one node."""
    return (x, y) if x.number < y.number else (y, x)


def _lbeta(a: Node, b: Node, plain: Node) -> Node:
    x, y = _ordered(a.inputs[0], b.inputs[0])
    made = call("lbeta", x, y)
    if positive(x) and positive(y):
        return made
    return where(less(num(0, x), call("minimum", x, y)), made, plain)


@rule.compute(
    SUMS,
    needs="gammaln digamma",
    why="the function at two near points cancels",
    source=DIDONATO,
)
def gamma_difference(node: Node) -> Node | None:
    """gammaln(x + h) - gammaln(x) --> gammaln_difference(x, h), digamma too, where positive."""
    parts = t.terms(node)
    found = [
        (k, c, p)
        for k, (c, p) in enumerate(parts)
        if p is not None and p.op.name in ("gammaln", "digamma")
    ]
    for i, (j, c, a) in enumerate(found):
        for k, d, b in found[i + 1 :]:
            gap, cancelled = difference(a.inputs[0], b.inputs[0])
            if a.op is not b.op or c != -d or not cancelled or is_number(gap, 0):
                continue
            x, y = a.inputs[0], b.inputs[0]
            made = t.neg(call(f"{a.op.name}_difference", x, t.neg(gap)))
            if len(t.terms(x)) > len(t.terms(y)):
                made = call(f"{a.op.name}_difference", y, gap)
            if not (positive(x) and positive(y)):
                plain = t.minus(a, b)
                made = where(less(num(0, x), call("minimum", x, y)), made, plain)
            return t.replace_terms(node, {j: t.scaled(c, made), k: None})
    return None


@rule.compute(
    SUMS,
    needs="gammaln",
    why="gammaln at points a whole number apart differs by logarithms",
    source=DLMF + " 5.5.1",
)
def log_factorial_ratio(node: Node) -> Node | None:
    """gammaln(x + 1) - gammaln(x) --> log(abs(x)), and so up to four steps."""
    parts = t.terms(node)
    found = [
        (k, c, p) for k, (c, p) in enumerate(parts) if p is not None and p.op.name == "gammaln"
    ]
    for i, (j, c, a) in enumerate(found):
        for k, d, b in found[i + 1 :]:
            gap = difference(a.inputs[0], b.inputs[0])[0]
            steps = fraction(gap)
            if (
                c != -d
                or steps is None
                or steps.denominator != 1
                or not 0 < abs(steps) <= MOST_STEPS
            ):
                continue
            lower = (b if steps > 0 else a).inputs[0]
            made = fn("log", fn("abs", _rising(lower, abs(int(steps)))))
            return t.replace_terms(node, {j: t.scaled(c if steps > 0 else -c, made), k: None})
    return None


@rule.compute(
    PRODUCTS,
    needs="gamma",
    why="both overflow above 171",
    source=DLMF + " 5.5.1",
)
def factorial_ratio(node: Node) -> Node | None:
    """gamma(x + 1) / gamma(x) --> x, and so up to four steps."""
    scale, found = t.factors(node)
    above = [b for b, e in found if b.op.name == "gamma" and e == 1]
    below = [b for b, e in found if b.op.name == "gamma" and e == -1]
    for top in above:
        for bottom in below:
            steps = fraction(difference(top.inputs[0], bottom.inputs[0])[0])
            if steps is None or steps.denominator != 1 or not 0 < abs(steps) <= MOST_STEPS:
                continue
            lower = (bottom if steps > 0 else top).inputs[0]
            rising = (_rising(lower, abs(int(steps))), 1 if steps > 0 else -1)
            rest = [(b, e) for b, e in found if b is not top and b is not bottom]
            return t.from_factors(scale, [rising, *rest], node.tensor.dtype)
    return None


def _rising(x: Node, steps: int) -> Node:
    """x * (x + 1) * ... of so many factors."""
    return t.mul([t.add([x, num(Fraction(k), x)]) if k else x for k in range(steps)])


@rule.compute(
    PRODUCTS,
    needs="gamma",
    why="the gamma functions overflow above 171",
    source=DIDONATO,
)
def beta_quotient(node: Node) -> Node | None:
    """gamma(x) * gamma(y) / gamma(x + y) --> exp(lbeta(x, y)) for positive x and y."""
    scale, found = t.factors(node)
    above = [b for b, e in found if b.op.name == "gamma" and e == 1]
    below = [b for b, e in found if b.op.name == "gamma" and e == -1]
    for bottom in below:
        for i, a in enumerate(above):
            for b in above[i + 1 :]:
                x, y = _ordered(a.inputs[0], b.inputs[0])
                whole = t.add([x, y], flat=True)
                if not is_number(difference(bottom.inputs[0], whole)[0], 0):
                    continue
                inside = less(num(0, x), call("minimum", x, y))
                plain = t.from_factors(Fraction(1), [(a, 1), (b, 1), (bottom, -1)], x.tensor.dtype)
                made = where(inside, fn("exp", call("lbeta", x, y)), plain)
                rest = [f for f in found if f[0] not in (a, b, bottom)]
                return t.from_factors(scale, [(made, 1), *rest], node.tensor.dtype)
    return None


GAMMAS: tuple[Rule, ...] = (
    log_beta,
    log_factorial_ratio,
    gamma_difference,
    factorial_ratio,
    beta_quotient,
)
