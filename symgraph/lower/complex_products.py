"""Products of complex matrices as one product of real ones, which our own routine does.

    x @ y --> c = [re x, im x] @ [[re y, im y], [-im y, re y]];  c[:, :n] + i c[:, n:]

The same multiplications and additions as in complex arithmetic: each part of an element is one sum
of 2 k products. Three products of parts in place of four would lose the digits of small parts.
"""

from __future__ import annotations

from symgraph.ir.dim import product
from symgraph.ir.node import Node
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable

LEAST_SIDE = 8  # rows and columns: fewer read memory, which parts written apart do once more
LEAST_WORK = 1 << 12  # complex multiplications of one product


def is_by_parts(node: Node) -> bool:
    """Is a product of complex matrices worth it? Lengths that are not known are."""
    if node.op.name != "matmul" or node.tensor.dtype.kind != "c":
        return False
    m, n = node.tensor.shape[-2:]
    work = product((m, n, node.inputs[0].tensor.shape[-1]))
    is_large = not isinstance(work, int) or work >= LEAST_WORK
    return is_large and all(not isinstance(d, int) or d >= LEAST_SIDE for d in (m, n))


def by_parts(x: Variable, y: Variable) -> Variable:
    """x @ y of complex matrices."""
    real, imag, concat = find_op("real"), find_op("imag"), find_op("concat")
    n = y.shape[-1]
    left = concat([real(x), imag(x)], axis=-1)
    upper = concat([real(y), imag(y)], axis=-1)
    lower = concat([-imag(y), real(y)], axis=-1)
    found = find_op("matmul")(left, concat([upper, lower], axis=-2))
    return find_op("complex")(found[..., :n], found[..., n:])  # type: ignore[no-any-return]
