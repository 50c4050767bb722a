"""Products and quotients that may leave the range of their dtype on the way to a result inside it.

``x * y / z`` is infinite where ``x * y`` is, though the quotient may be 1. Such chains become one
``scaled_product``, whose factors have exponents of their own. A chain stays where what is known of
its factors excludes that: ``2 * x / 3``, ``cos(x) * y * log(z)``, ``x * x * x``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from weakref import WeakKeyDictionary

from symgraph.ir.dim import product
from symgraph.ir.node import Node
from symgraph.ops.scaled import MOST_POWERS, THEN
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import call, number
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.facts import Fact, fact
from symgraph.rewrite.guard_cost import is_few
from symgraph.rewrite.regions import is_larger
from symgraph.rewrite.rule import Rule, rule

RANGE = {4: 126.0, 8: 1022.0}  # largest size of a binary exponent
MOST_FACTORS = 8
MOST_GUARDED = 100  # operations below a product; a guard is for a region of at most 200
TAME = 0.08  # of the range: what a factor within 1e-24 .. 1e24 takes up
ROOTS = {"sqrt": 0.5, "cbrt": 1 / 3}
# functions that are 0 or at least an ulp of 1 in size, and at most 1100
BOUNDED = frozenset(["log", "log2", "log10", "cos", "acos"])


def spread(node: Node) -> float:
    """Which part of the range of exponents the values of a node may take up: 0 to 1, and 0 itself.

    1 for what nothing is known of; 0 for 2 and cos(x); 1/2 for sqrt(x).
    """
    name = node.op.name
    if name in BOUNDED:
        return 0.0
    if name in ROOTS:
        return ROOTS[name] * spread(node.inputs[0])
    known = fact(node)
    size = min(1.0, _size(known, RANGE[node.tensor.dtype.itemsize]))
    return min(size, TAME) if known.whole and known.finite else size


def _size(known: Fact, most: float) -> float:
    """Of a range that does not contain numbers near 0 or far out."""
    low, high = (known.lo, known.hi) if known.lo >= 0 else (-known.hi, -known.lo)
    if low <= 0 or not math.isfinite(high):
        return 1.0
    size = max(abs(math.log2(low)), abs(math.log2(high))) / most
    return 0.0 if size <= TAME else size


def escapes(node: Node, after: str = "") -> bool:
    """May an intermediate of this product leave the range where the result does not?

    ``after``: the function that is taken of the product, whose result is then meant.
    """
    wild = _wild(node)
    return _leave(wild, after) or bool(_exponentials(node, wild))


def wild_exponentials(node: Node) -> list[Node]:
    """exp(x) in a product with what is wild too: it may leave the range where that does not."""
    return _exponentials(node, _wild(node))


def _wild(node: Node) -> list[tuple[float, int]]:
    """(Which part of the range they take up, exponent) of the factors of which that is any."""
    scale, found = t.factors(node)
    if not found or len(found) > MOST_FACTORS or sum(abs(e) for _, e in found) > MOST_POWERS:
        return []
    most = RANGE[node.tensor.dtype.itemsize]
    own = abs(math.log2(abs(scale.numerator)) - math.log2(scale.denominator)) if scale else 0.0
    sizes = [(own / most if own > TAME * most else 0.0, 1)]
    sizes += [(spread(b), e) for b, e in found]
    return [(size, e) for size, e in sizes if size > 0]


def _exponentials(node: Node, wild: list[tuple[float, int]]) -> list[Node]:
    if len(wild) <= 1:
        return []
    return [b for b, _ in t.factors(node)[1] if b.op.name == "exp" and spread(b) > 0.5]


def _leave(wild: list[tuple[float, int]], after: str) -> bool:
    """May a product of these do so, each of which is in range?"""
    if len(wild) <= 1:
        return bool(after) and bool(wild) and wild[0][0] * abs(wild[0][1]) > 1
    if after:
        return sum(size * abs(e) for size, e in wild) > 1
    if len(wild) == 2 and abs(wild[0][1]) == abs(wild[1][1]):
        return False  # x * y, x / y, and (x / y)**2
    above = [(size, e) for size, e in wild if e > 0]
    below = [(size, -e) for size, e in wild if e < 0]
    return _outgrows(above, bool(below)) or _outgrows(below, bool(above))


def _outgrows(parts: list[tuple[float, int]], more: bool) -> bool:
    """Does a partial product of these exceed the range, before all have been taken?"""
    total = 0.0
    steps = [size for size, e in parts for _ in range(e)]
    for size in steps if more else steps[:-1]:
        total += size
        if total > 1:
            return True
    return False


@rule.compute(
    "multiply divide pow sqrt log log1p",
    early=True,
    lifts=False,
    why="an intermediate product overflows or underflows where the result does not",
    source="scaling by powers of 2 is exact in IEEE 754",
    changes="finite where an intermediate overflowed, not 0 where one underflowed",
)
def product_in_range(node: Node) -> Node | None:
    """x * y / z --> scaled_product(x, y, z); sqrt and log of such products likewise."""
    after = node.op.name if node.op.name in THEN else ""
    inner = node.inputs[0] if after else node
    if inner.tensor.dtype.itemsize not in RANGE or not escapes(inner, after):
        return None
    scale, found = t.factors(inner)
    if scale == 0 or (after in ("sqrt", "log") and scale < 0):
        return None
    dtype = node.tensor.dtype
    inputs = [b.inputs[0] if b.op.name == "exp" else b for b, _ in found]
    exponents = [e for _, e in found]
    exponentials = [b.op.name == "exp" for b, _ in found]
    for value, exponent in ((scale.numerator, 1), (scale.denominator, -1)):
        if value != 1:
            inputs.append(number(Fraction(value), dtype))
            exponents.append(exponent)
            exponentials.append(False)
    return call(
        "scaled_product",
        *inputs,
        exponents=tuple(exponents),
        exponentials=tuple(exponentials),
        then=after,
    )


@rule.compute(
    "cbrt",
    early=True,
    lifts=False,
    why="a product overflows or underflows where its cube root does not",
    source="identity; cube roots keep their sign",
    changes="finite where an intermediate overflowed, not 0 where one underflowed",
)
def cube_root_in_range(node: Node) -> Node | None:
    """cbrt(x / y) --> cbrt(x) / cbrt(y)."""
    inner = node.inputs[0]
    if inner.tensor.dtype.itemsize not in RANGE or not escapes(inner, "cbrt"):
        return None
    scale, found = t.factors(inner)
    if not scale or any(b.op.name == "exp" for b, _ in found):
        return None
    sign = 1 if scale > 0 else -1
    root = number(abs(float(scale)) ** (1 / 3) * sign, node.tensor.dtype)
    parts = [(call("cbrt", b), e) for b, e in found]
    made = t.from_factors(Fraction(1), parts, node.tensor.dtype)
    return made if scale == 1 else call("multiply", made, root)


def of_few(row: Rule) -> Rule:
    """The row for arrays whose length is known and small: elsewhere its code costs too much.

    Numbers are left out: in the body of a loop they are computed many times. So are products of
    smaller arrays, as in ``(x / y)[:, None] * z``: their factors are, which are fewer, and what
    sums them up over the turns of a loop can still see that they are outer products. And those that
    an exponential alone takes out of range: a guard sees that for less.
    """

    def only(node: Node) -> Node | None:
        shape = node.tensor.shape
        is_meant = shape and is_few(product(shape)) and not _is_outer(node)
        made = row.apply(node) if is_meant else None
        return made if made is not None and not _is_guarded(node) else None

    return replace(row, rhs=only)


def _is_guarded(node: Node) -> bool:
    """Is it out of range by an exponential alone, where guards are certain: outside of loops?"""
    after = node.op.name if node.op.name in THEN else ""
    inner = node.inputs[0] if after else node
    by_itself = _leave(_wild(inner), after)
    return not (by_itself or is_larger(node, MOST_GUARDED) or _is_in_body(node))


def _is_in_body(node: Node) -> bool:
    """Is it a part of a graph with parameters? Those read nothing else but constants."""
    above: dict[Node, Node | None] = {node: None}
    stack = [node]
    while stack:
        found = stack.pop()
        answer = _IN_BODY.get(found)
        if answer is None and found.op.kind == "leaf" and found.op.name != "constant":
            answer = found.op.name == "param"
        if answer is not None:
            way: Node | None = found
            while way is not None:  # so that a deep graph is not walked for each of its products
                _IN_BODY[way], way = answer, above[way]
            return answer
        below = [i for i in found.inputs if i not in above]
        above.update(dict.fromkeys(below, found))
        stack += below
    return False


_IN_BODY: WeakKeyDictionary[Node, bool] = WeakKeyDictionary()


def _is_outer(node: Node) -> bool:
    """Has every factor fewer elements than the product?"""
    size = product(node.tensor.shape)
    return all(product(base.tensor.shape) != size for base, _ in t.factors(node)[1])


RANGES: tuple[Rule, ...] = (product_in_range, cube_root_in_range)
RANGES_OF_FEW: tuple[Rule, ...] = (of_few(product_in_range), cube_root_in_range)
