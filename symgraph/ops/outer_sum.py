"""Sums over the steps of a scan of matrix products, which leave the loop as one product.

    sum over t of a[t].T @ b[t] --> a.reshape(T * p, m).T @ b.reshape(T * p, n)

The gradient of a weight matrix is of this form; one product of T * p rows runs many times faster
than T products that each add to a large accumulator.
"""

from __future__ import annotations

from symgraph.ir.node import Node
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of a product, as rows over what is summed: (p, n), or (n, p) where ``is_turned``.

    A vector (n,) is one row.
    """

    value: Variable
    is_turned: bool

    def stacked(self, xs: Variable) -> Variable:
        """The rows of all steps, (T * p, n), of a sequence of values."""
        if xs.ndim == 2:
            return xs
        xs = find_op("permute_dims")(xs, (0, 2, 1)) if self.is_turned else xs
        steps, p, n = xs.shape
        return find_op("reshape")(xs, (steps * p, n))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class OuterSum:
    """A contribution left.T @ right, summed over all steps by one product outside the loop."""

    left: Factor
    right: Factor

    def total(self, lefts: Variable, rights: Variable) -> Variable:
        """sum over t of left[t].T @ right[t], of the sequences of both factors."""
        rows = find_op("permute_dims")(self.left.stacked(lefts), (1, 0))
        return find_op("matmul")(rows, self.right.stacked(rights))  # type: ignore[no-any-return]


def outer_sum(part: Variable, inner: set[Node]) -> OuterSum | None:
    """The factors of a contribution that is a matrix product of values computed in the step."""
    node = part.node
    if part.ndim != 2 or not all(i in inner for i in node.inputs):
        return None
    if node.op.name == "matmul" and all(i.tensor.ndim == 2 for i in node.inputs):
        left, right = node.inputs
        return OuterSum(_factor(left, is_turned=True), _factor(right, is_turned=False))
    if node.op.name == "multiply":  # a column times a row, in either order
        sides = {_single_axis(i): i for i in node.inputs}
        if sides.keys() == {0, 1}:
            return OuterSum(_factor(sides[1], is_turned=True), _factor(sides[0], is_turned=False))
    return None


def _single_axis(node: Node) -> int | None:
    """The axis of length 1 of a row (0) or a column (1); beside a matrix a vector is a row."""
    shape = node.tensor.shape
    if len(shape) == 1 or shape[0] == 1:
        return 0
    return 1 if shape[1] == 1 else None


def _new_axis(node: Node) -> int | None:
    """The axis that makes a vector a row (0) or a column (1)."""
    if node.op.name == "expand_dims" and node.tensor.ndim == 2 and len(node.attrs["axes"]) == 1:
        return int(node.attrs["axes"][0])
    return None


def _factor(node: Node, is_turned: bool) -> Factor:
    """A factor without what only turns it or makes a matrix of a vector."""
    if node.op.name == "permute_dims" and node.attrs["axes"] == (1, 0):
        node, is_turned = node.inputs[0], not is_turned
    if node.tensor.ndim == 1:
        return Factor(Variable(node), False)
    if _new_axis(node) == (1 if is_turned else 0):
        return Factor(Variable(node.inputs[0]), False)
    return Factor(Variable(node), is_turned)
