"""The last touch: exponentials of products take the exact product. Run once, after all rules.

Other rules look for ``exp``; so this is not one of theirs. Only where the operands are exact
(inputs and numbers): otherwise their rounding costs as much as that of the product.
"""

from __future__ import annotations

from fractions import Fraction

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
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


POLISH: tuple[Rule, ...] = (exp_of_product,)
