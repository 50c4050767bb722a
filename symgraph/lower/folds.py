"""What folds need of lowering: the dtype they accumulate in, and accumulators set together."""

from __future__ import annotations

from symgraph.ir.dtype import FLOAT64, DType, as_dtype
from symgraph.ir.node import Node
from symgraph.loop.ir import ACCUMULATE, Assign, Expr, Let, Stmt, Var, Word
from symgraph.loop.traverse import postorder
from symgraph.ops.kinds import Fold

_WIDE = {as_dtype("float32"): FLOAT64, as_dtype("complex64"): as_dtype("complex128")}
_SUMS = frozenset(("sum", "prod", "cumulative_sum", "cumulative_prod"))


def fold_of(node: Node) -> Fold:
    """The fold of a reduction."""
    assert isinstance(node.op.fold, Fold)
    return node.op.fold


def accumulator(node: Node) -> DType:
    """Sums and products of float32 are accumulated in float64: error must not grow with length."""
    own = node.inputs[0].tensor.dtype if node.op.name not in _SUMS else node.tensor.dtype
    return _WIDE.get(own, own) if node.op.name in _SUMS else own


def assign_all(names: list[str], values: tuple[Expr, ...], number: int) -> list[Stmt]:
    """Accumulators set together: all new values are computed before the first is assigned.

    Where each depends on itself alone, the order does not matter, and they are sums like any other.
    """
    if all(_is_own(values[k], names[k], names) for k in range(len(names))):
        return [Assign(n, v) for n, v in zip(names, values, strict=True)]
    fresh = [f"next{number}_{k}" for k in range(len(names))]
    lets: list[Stmt] = [Let(n, v) for n, v in zip(fresh, values, strict=True)]
    return lets + [Assign(n, Var(f, v.dtype)) for n, f, v in zip(names, fresh, values, strict=True)]


def _is_own(value: Expr, name: str, names: list[str]) -> bool:
    """Does a new value join something to one accumulator alone?"""
    found = [e.name for e in postorder(value) if isinstance(e, Var) and e.name in names]
    return isinstance(value, Word) and value.name in ACCUMULATE and found == [name]
