"""Regions: elementwise operations whose errors are bounded together; what leaves the range there.

An intermediate that overflows is infinite, which most results show; ``overflowing`` finds those
that hide it. One that underflows has lost its digits, which none shows: ``underflowed`` is the
condition for that, of products, quotients and exponentials that an operation brings back.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence

import numpy as np

from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import call, number
from symgraph.rewrite.error_bounds import BOUNDS
from symgraph.rewrite.facts import fact

MOST_INPUTS = 24  # of a slow form
LEAST = {8: 2.0**-1022, 4: 2.0**-126}  # normal numbers, by the width of the dtype
EPS = {8: 2.0**-52, 4: 2.0**-23}
OVERFLOWS = frozenset((
    "add", "subtract", "multiply", "square", "divide", "reciprocal", "exp", "exp2", "expm1", "sinh",
    "cosh", "pow", "pow1p", "pow1pm1", "exp_product", "fma", "polynomial", "gamma",
    "scaled_product",
))  # fmt: skip
# ops that give a finite value for an infinite input, by the position of the input
HIDING: dict[str, tuple[int, ...]] = {
    "divide": (1,), "reciprocal": (0,), "atan": (0,), "tanh": (0,), "sigmoid": (0,), "erf": (0,),
    "erfc": (0,), "ndtr": (0,), "atan2": (0, 1), "maximum": (0, 1), "minimum": (0, 1),
    "where": (1, 2), "scaled_product": tuple(range(MOST_INPUTS)),
}  # fmt: skip
# of these, those that have the same limit for what is huge
SATURATING = frozenset(("atan", "tanh", "sigmoid", "erf", "erfc", "ndtr"))
# ops whose result may be finite though an input overflows where it should not
RETURNING = frozenset((
    "divide", "reciprocal", "sqrt", "cbrt", "log", "log2", "log10", "log1p", "sin", "cos", "tan",
    "asinh", "acosh", "softplus", "logaddexp", "hypot", "log_quotient", "scaled_product", "pow",
    "log_ndtr", "exp_product",
))  # fmt: skip
SHRINKING = frozenset(("multiply", "square", "divide", "reciprocal", "exp", "exp2", "exp_product"))
# ops whose result may be of ordinary size though an input was next to nothing
REGAINING = frozenset((
    "multiply", "divide", "reciprocal", "sqrt", "cbrt", "log", "log2", "log10", "pow", "hypot",
    "scaled_product",
))  # fmt: skip
MOVES = frozenset(("expand_dims", "squeeze", "broadcast_to", "reshape", "slice", "where"))
PASSING = frozenset(("where", "maximum", "minimum", "fmax", "fmin", "abs", "negative", "copysign"))


def in_region(node: Node) -> bool:
    """Is it an operation whose errors are bounded together with those of its inputs?"""
    if node.op.name not in BOUNDS or not isinstance(node.type, TensorType):
        return False
    own = node.type.dtype
    if own.kind not in "fb":
        return False
    size = own.itemsize if own.kind == "f" else 0
    for i in node.inputs:
        if i.type is node.type:
            continue
        dtype = i.tensor.dtype
        if dtype is own:
            continue
        if dtype.kind == "c":
            return False
        if dtype.kind == "f":
            size = size or dtype.itemsize
            if dtype.itemsize != size:
                return False
    return size in (0, 4, 8)


def is_larger(root: Node, most: int) -> bool:
    """Has the region that ends in a node more operations? Looks at no more than so many."""
    seen, stack = {root}, [root]
    while stack and len(seen) <= most:
        for i in stack.pop().inputs:
            if i not in seen and in_region(i):
                seen.add(i)
                stack.append(i)
    return len(seen) > most


def region_of(root: Node) -> tuple[list[Node], list[Node]]:
    """The operations of the region that ends in a node, and the values that it reads."""
    region, others = within(root)  # of a sum: the sum itself
    return region, [n for n in others if not _is_number(n)]


def within(root: Node, known: Container[Node] = ()) -> tuple[list[Node], list[Node]]:
    """A value and all below, inputs first: operations of its region, and where the walk ends.

    It ends at what is in no region, and at what is ``known``.
    """
    region: list[Node] = []
    others: list[Node] = []
    own: dict[Node, bool] = {}
    done: set[Node] = set()
    stack = [root]
    while stack:
        node = stack[-1]
        if node not in done:
            inside = own.get(node)
            if inside is None:
                inside = own[node] = node not in known and in_region(node)
            if inside and not done.issuperset(node.inputs):
                stack += [n for n in reversed(node.inputs) if n not in done]
                continue
            done.add(node)
            (region if inside else others).append(node)
        stack.pop()
    return region, others


def leaves_out_largest(leaves: Iterable[Node]) -> bool:
    """Is there the largest of values that are computed, and a sum of all that do not equal it?

    What are equal as they are rounded differ with more digits: then no term is the one left out.
    """
    found = [_unmoved(x) for x in leaves]
    if not any(x.op.name in ("max", "min") and in_region(x.inputs[0]) for x in found):
        return False
    below = [_unmoved(i) for x in found if in_region(x) for i in region_of(x)[1]]
    return any(x.op.name == "sum" and _is_choice(x.inputs[0]) for x in (*found, *below))


def _unmoved(node: Node) -> Node:
    while node.op.name in MOVES or node.op.name == "guarded":
        node = node.inputs[-2 if node.op.name == "where" else 0]
    return node


def _is_choice(terms: Node) -> bool:
    return terms.op.name in ("where", "astype") and terms.inputs[0].op.name == "equal"


def _is_number(node: Node) -> bool:
    return node.op.name == "constant" and node.tensor.shape == ()


def overflowing(root: Node, order: Sequence[Node]) -> tuple[bool, list[Node]]:
    """May something overflow on the way to a value? And where would the value not show it?

    ``order``: its region.
    """
    wild = {n for n in order if n is not root and may_overflow(n)}
    returns = any(i in wild and _returns(n, i) for n in order for i in n.inputs)
    hidden = {
        i
        for n in order
        for k, i in enumerate(n.inputs)
        if k in HIDING.get(n.op.name, ()) and i in wild
    }
    hidden -= {i for i in hidden if _shows_at_once(i, order, wild)}
    return returns, sorted(hidden, key=lambda n: n.number)


def _shows_at_once(node: Node, order: Sequence[Node], wild: Container[Node]) -> bool:
    """Is it of one value, huge where it is infinite, and read by what has its limit there?"""
    readers = {n.op.name for n in order if node in n.inputs}
    below = within(node)[0]
    chain = all(sum(i.op.name != "constant" for i in n.inputs) <= 1 for n in below)
    back = any(i in wild and _returns(n, i) for n in below for i in n.inputs)
    return readers <= SATURATING and chain and not back


def _returns(node: Node, wild: Node) -> bool:
    """May a value be finite though an input overflowed? A sum that overflows is huge indeed."""
    if node.op.name in ("multiply", "subtract"):
        return wild.op.name not in ("add", "subtract")
    return node.op.name in RETURNING


def may_overflow(node: Node) -> bool:
    """May it be infinite where its inputs are not?"""
    if node.op.name not in OVERFLOWS:
        return False
    known = fact(node)
    return not known.finite and (known.lo == -math.inf or known.hi == math.inf)


def underflowed(order: Iterable[Node], only: Container[Node] | None = None) -> Node | None:
    """True in lanes where an intermediate underflowed that the value of a region may need.

    ``only``: those that count; all by default.
    """
    read = [i for n in order if n.op.name in REGAINING and not _is_power(n) for i in n.inputs]
    lost = {n for n in toposort(read, stop=lambda n: n.op.name not in PASSING) if _may_underflow(n)}
    lost = {n for n in lost if only is None or n in only}
    found: Node | None = None
    for node in sorted(lost, key=lambda n: n.number):
        least = number(LEAST[node.tensor.dtype.itemsize], node.tensor.dtype)
        small = call("less", call("abs", node), least)
        for x in _whole(node):
            small = call("logical_and", small, x)
        found = small if found is None else call("logical_or", found, small)
    return found


def _is_power(node: Node) -> bool:
    """Is it c x**k? It is nearer to 0 than what it is made of: nothing comes back."""
    if node.op.name != "multiply":
        return False
    scale, found = t.factors(node)
    return len(found) == 1 and found[0][1] >= 2 and abs(scale) <= 1


def _may_underflow(node: Node) -> bool:
    if node.op.name not in SHRINKING or not in_region(node):
        return False
    known = fact(node)
    least = LEAST[node.tensor.dtype.itemsize]
    return max(known.lo, -known.hi) < least and not _step(node) >= least


def _step(node: Node) -> float:
    """A number that values are not nearer to 0 than, unless they are 0; 0 where none is known.

    x - c of floats is 0, or at least a quarter of the last place of c: where x is not small beside
    c, both are multiples of that.
    """
    scale = 1.0
    while node.op.name in ("multiply", "divide") and node.inputs[1].op.name == "constant":
        sizes = np.abs(node.inputs[1].attrs["value"].astype(np.float64))
        if sizes.size == 0 or not (np.isfinite(sizes).all() and sizes.all()):
            return 0.0
        scale = scale * sizes.min() if node.op.name == "multiply" else scale / sizes.max()
        node = node.inputs[0]
    if node.op.name not in ("add", "subtract"):
        return 0.0
    eps = EPS[node.tensor.dtype.itemsize]
    known = [i.attrs["value"] for i in node.inputs if i.op.name == "constant"]
    steps = [float(np.abs(c).min()) * eps / 4 for c in known if c.size]
    return max(steps, default=0.0) * float(scale)


def _whole(node: Node) -> list[Node]:
    """Conditions under which a result next to 0 is not 0 by right."""
    dtype = node.tensor.dtype
    if node.op.name in ("exp", "exp2"):
        return [call("greater", node.inputs[0], number(-math.inf, dtype))]
    factors = node.inputs[:1] if node.op.name in ("divide", "square") else node.inputs
    if node.op.name in ("reciprocal", "exp_product"):
        return []
    return [call("not_equal", x, number(0.0, dtype)) for x in factors if not fact(x).nonzero]
