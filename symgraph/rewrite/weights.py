"""Weighted sums whose weights nearly cancel: interpolation, and two exponentials near each other.

What the weights add up to is found by algebra, where rounding them first would lose it.
"""

from __future__ import annotations

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import MOST_PARTS, SUMS
from symgraph.rewrite.build import call
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import fn, less, num, where
from symgraph.rewrite.polynomial import difference, expand, from_polynomial, vanished
from symgraph.rewrite.rule import Rule, rule

MOST_TERMS = 4  # of what weights add up to
ONE = Fraction(1)


@rule.compute(
    SUMS,
    needs="*",
    why="what is near the other end is measured from there: the weights of both ends add up to 1",
    source="Shoemake's interpolation; Goldberg 1991, section 1.4, on cancellation",
)
def interpolation(node: Node) -> Node | None:
    """x + w * (y - x) --> y + (1 - w) * (x - y) for w > 1/2, where 1 - w simplifies."""
    parts = t.terms(node)
    if len(parts) > MOST_PARTS:
        return None
    for k, (c, part) in enumerate(parts):
        own = t.factors(part)[1] if part is not None else ()
        if len(own) < 2 or not any(e < 0 for _, e in own):
            continue
        for gap, exponent in own:
            if exponent != 1 or t.family(gap) != "+":
                continue
            for j, (d, start) in enumerate(parts):
                made = _from_the_end(node, (c, part), gap, (d, start)) if j != k else None
                if made is not None:
                    return t.replace_terms(node, {j: made, k: None})
    return None


def _from_the_end(node: Node, moved: t.Term, gap: Node, origin: t.Term) -> Node | None:
    """d x + c w (y - x) as a branch on the weight, where 1 - weight loses a monomial."""
    (c, part), (d, start), dtype = moved, origin, node.tensor.dtype
    inside = [e for e, p in t.terms(gap) if p is start]
    if start is None or part is None or len(inside) != 1:
        return None
    # d x + c rest (y + e x) = d [x + w (y/-e - x)] with w = -c rest e / d
    scale, own = t.factors(part)
    rest = [(b, e) for b, e in own if b is not gap]
    weight_scale = -c * scale * inside[0] / d
    above = t.from_factors(weight_scale, [f for f in rest if f[1] > 0], dtype)
    below = t.from_factors(ONE, [(b, -e) for b, e in rest if e < 0], dtype)
    total = expand(t.sub(below, above))
    if total is None or not 0 < len(total[0]) <= MOST_TERMS:
        return None
    if not vanished([below, t.neg(above)], total[0]):
        return None
    end = t.from_terms([(-e / inside[0], p) for e, p in t.terms(gap) if p is not start], dtype)
    weight = t.from_factors(weight_scale, rest, dtype)
    other = t.div(from_polynomial(total[0], node), below)
    near = node if len(t.terms(node)) == 2 else t.from_terms([origin, moved], dtype)
    far = t.scaled(d, call("fma", other, t.sub(start, end), end))  # no sum, which this would turn
    return where(less(weight, num(Fraction(1, 2), node)), near, far)


@rule.compute(
    SUMS,
    needs="* exp",
    why="weights that nearly cancel are added by algebra, not after rounding",
    source="Hamming 1987, Numerical Methods for Scientists and Engineers, 6.1",
)
def near_exponentials(node: Node) -> Node | None:
    """a*exp(x) + b*exp(y) --> exp(y) * (a*expm1(x - y) + a + b) for x near y, a + b simplified."""
    parts = t.terms(node)
    found = [(k, *_exponential(c, p, node)) for k, (c, p) in enumerate(parts) if _has_exp(p)]
    if len(found) != 2 or len(parts) > MOST_PARTS:
        return None
    (j, a, x), (k, b, y) = found
    if all(t.factors(w)[1] == () for w in (a, b)):
        return None
    total = expand(t.add([a, b], flat=True))
    if total is None or not 0 < len(total[0]) <= 2 or not vanished([a, b], total[0]):
        return None
    gap, _ = difference(x, y)
    inner = t.plus(t.mul([a, fn("expm1", gap)]), from_polynomial(total[0], node))
    close = less(fn("abs", gap), num(1, node))
    plain = t.plus(t.mul([a, fn("exp", x)]), t.mul([b, fn("exp", y)]))
    made = where(close, t.mul([fn("exp", y), inner]), plain)
    return t.replace_terms(node, {j: made, k: None})


def _has_exp(part: Node | None) -> bool:
    found = t.factors(part)[1] if part is not None else ()
    return [e for b, e in found if b.op.name == "exp"] == [1] and len(found) > 1


def _exponential(scale: Fraction, part: Node | None, like: Node) -> tuple[Node, Node]:
    """(weight, argument) of scale * part, a product with one exponential."""
    assert part is not None
    own, found = t.factors(part)
    rest = [f for f in found if f[0].op.name != "exp"]
    (base,) = (b for b, _ in found if b.op.name == "exp")
    return t.from_factors(scale * own, rest, like.tensor.dtype), base.inputs[0]


WEIGHTS: tuple[Rule, ...] = (interpolation, near_exponentials)
