"""What a guard costs beside the code it guards, in floating operations of one lane of a vector.

A loop takes the time of its memory traffic or of its arithmetic, whichever is longer.
``Budget.affords`` says that with a guard it takes at most ``ALLOWED`` of that: where memory is what
the loop waits for, where functions cost far more than the bound of their errors, or where there is
too little to compute to matter. Memory is what comes from outside and what goes there, each counted
for the first region that moves it: other values may well stay in the cache.

The numbers are for one of several cores of a server with AVX2 or AVX-512 (Xeon, 2026): 50 GB/s and
3e10 operations/s in float64. They decide which loops are guarded, never a value.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.ir.dim import DimLike, product
from symgraph.ir.node import Node

ALLOWED = 1.1
CALL = 8.0  # the compare, the call and what it keeps from staying in registers
PER_BYTE = {8: 0.6, 4: 1.2}  # operations in the time of a byte, by the width of a number
AGAIN = 0.3  # the slow form of an operation, in operations, times the usual share of its lanes
COSTS = {
    **dict.fromkeys(("divide", "reciprocal", "sqrt"), 10.0),
    **dict.fromkeys(("where", "negative", "abs", "stop_gradient", "constant"), 0.5),
}
FUNCTIONS = frozenset((
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh",
    "tanh", "asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh", "cbrt", "hypot", "pow",
    "sigmoid", "softplus", "log1mexp", "logaddexp", "erf", "erfc", "erfcx", "ndtr", "log_ndtr",
    "gamma", "gammaln", "digamma", "trigamma", "pow1p", "pow1pm1", "exp_product", "log_quotient",
    "log_near", "log1pmx", "cosm1", "exprel", "sinhc", "sqrt1pm1", "softplus_inverse",
    "exp_monomial", "sigmoid_difference", "expm1_difference", "pow_sum", "pow1p_sum", "erfcx_slope",
    "share_of_two", "cospi",
))  # fmt: skip
FUNCTION = 30.0
SCALED = 40.0  # a scaled product
FEW = 2048  # elements: a call of any function takes longer than all of them


def operations(nodes: Iterable[Node]) -> float:
    """The cost of computing these nodes once."""
    return sum(_cost(n) for n in nodes)


def _cost(node: Node) -> float:
    name = node.op.name
    if name in FUNCTIONS:
        return FUNCTION
    if name == "scaled_product":
        return SCALED
    if name == "polynomial":
        return 1.0 * len(node.attrs["coefficients"])
    return COSTS.get(name, 1.0)


def is_few(size: DimLike) -> bool:
    """Is so little computed that its cost does not matter?"""
    return isinstance(size, int) and size <= FEW


class Budget:
    """What has been paid for in one graph, and what memory it moves."""

    def __init__(self, outputs: Iterable[Node], inside: bool) -> None:
        self.outputs, self.inside = set(outputs), inside
        self.paid: set[Node] = set()  # nodes of bounds that are computed anyway
        self.moved: set[Node] = set()  # arrays whose traffic some guard counts on

    def affords(
        self, root: Node, region: list[Node], leaves: list[Node], extra: list[Node]
    ) -> bool:
        """May a loop over ``region`` be guarded by computing ``extra`` too?"""
        size = product(root.tensor.shape)
        new = [n for n in extra if n not in self.paid]
        moved = {n for n in (*leaves, root) if self._moves(n, size)} - self.moved
        width = root.tensor.dtype.itemsize
        traffic = sum(n.tensor.dtype.itemsize for n in moved) * PER_BYTE[width]
        plain = operations(region)
        guarded = plain + operations(new) + AGAIN * plain + CALL
        few = is_few(size) and not self.inside
        if not few and guarded > ALLOWED * max(plain, traffic):
            return False
        self.paid.update(new)
        self.moved.update(moved)
        return True

    def _moves(self, node: Node, size: DimLike) -> bool:
        """Is it an array of this size that comes from outside or goes there?"""
        outside = node in self.outputs or node.op.name in ("input", "shared")
        return outside and not self.inside and product(node.tensor.shape) == size
