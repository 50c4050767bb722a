"""The last touch: exponentials of products take the exact product. Run once, after all rules.

Other rules look for ``exp``; so this is not one of theirs. Only where the operands are exact
(inputs and numbers): otherwise their rounding costs as much as that of the product.
"""

from __future__ import annotations

from fractions import Fraction

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.axes import kept_reduction
from symgraph.rewrite.build import call, number
from symgraph.rewrite.facts import fact
from symgraph.rewrite.rule import Rule, rule

HARMLESS = 4.0  # an exponent below this magnifies a rounding to 2 ulp at most


def is_exact(node: Node) -> bool:
    """Is it given, not computed?"""
    core = t.core(node)
    return core.op.kind == "leaf" and core.op.name != "constant"


@rule.compute(
    "exp",
    needs="*",
    lifts=False,
    why="exp magnifies the rounding of its argument by the argument, up to 700 times",
    source="error-free product: Dekker 1971, Numer. Math. 18",
)
def exp_of_product(node: Node) -> Node | None:
    """exp(x * y) --> exp_product(x, y) for inputs x and y; exp(-x*x/2) likewise."""
    x = node.inputs[0]
    known = fact(x)
    if known.lo >= -HARMLESS and known.hi <= HARMLESS:
        return None
    scale, found = t.factors(x)
    if not all(is_exact(b) and e > 0 for b, e in found) or sum(e for _, e in found) > 2:
        return None
    bases = [b for b, e in found for _ in range(e)]
    if len(bases) == 1:
        value = number(scale, x.tensor.dtype)
        if _is_power_of_two(scale) or Fraction(float(value.attrs["value"])) != scale:
            return None
        return call("exp_product", bases[0], value)
    if len(bases) == 2 and _is_power_of_two(scale):
        return call("exp_product", bases[0], t.scaled(scale, bases[1]))
    return None


def _is_power_of_two(scale: Fraction) -> bool:
    top, bottom = abs(scale.numerator), scale.denominator
    return top & (top - 1) == 0 and bottom & (bottom - 1) == 0


@rule.compute(
    SUMS,
    needs="update_slice scatter",
    lifts=False,
    why="a share near 1 keeps few digits of its distance from 1",
    source="Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41(4)",
)
def gradient_of_one_share(node: Node) -> Node | None:
    """u - softmax(x) * sum(u) --> u * (1 - softmax(x)) - softmax(x) * (sum(u) - u), u sparse."""
    parts = t.terms(node)
    if len(parts) != 2:
        return None
    for k in (0, 1):
        (c, u), (d, other) = parts[k], parts[1 - k]
        if u is None or other is None or u.op.name not in ("update_slice", "scatter"):
            continue
        scale, found = t.factors(other)
        shares = [b for b, e in found if b.op.name == "softmax" and e == 1]
        sums = [b for b, e in found if e == 1 and _sums(b, u)]
        if len(found) != 2 or not shares or not sums or c != -d * scale:
            continue
        p, total = shares[0], sums[0]
        reduced = kept_reduction(total)
        if reduced is None or reduced.attrs["axes"] != p.attrs["axes"]:
            continue
        rest = call("softmax_complement", p.inputs[0], axes=p.attrs["axes"])
        made = t.minus(call("multiply", u, rest), call("multiply", p, call("subtract", total, u)))
        return t.scaled(c, made)
    return None


def _sums(node: Node, u: Node) -> bool:
    found = kept_reduction(node)
    return found is not None and found.op.name == "sum" and found.inputs[0] is u


POLISH: tuple[Rule, ...] = (exp_of_product, gradient_of_one_share)
