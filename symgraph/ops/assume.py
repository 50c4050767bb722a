"""``assume(condition)``: a fact about inputs or intermediates that rewriting may use.

Facts are kept beside the graph, not in it: a node's identity and value stay the same. What can be
stated is a comparison with a constant (`x > 0`, `n <= 10`), several joined by `&`, and
`isfinite(x)`; debug mode checks them on the values.
"""

from __future__ import annotations

import weakref
from typing import Any

from symgraph.errors import UnsupportedError, message
from symgraph.ir.node import Node
from symgraph.ir.origin import user_line
from symgraph.ir.variable import Variable, node_of

Row = tuple[str, float]  # relation (">", ">=", "<", "<=", "==", "finite"), bound

_rows: weakref.WeakKeyDictionary[Node, tuple[Row, ...]] = weakref.WeakKeyDictionary()
_RELATIONS = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
}
_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "=="}
_generation = [0]


def assume(condition: Variable) -> Variable:
    """State that a condition holds for all elements, whenever the graph runs; gives it back.

    Raises: UnsupportedError for a condition that is no comparison with a constant.
    """
    pending = [node_of(condition)]
    while pending:
        node = pending.pop()
        if node.op.name in ("logical_and", "bitwise_and", "all"):
            pending += node.inputs
            continue
        about, row = _row_of(node)
        _rows[about] = (*assumptions(about), row)
        _generation[0] += 1
    return condition


def assumptions(node: Node) -> tuple[Row, ...]:
    """What was stated of a node: rows of relation and bound."""
    return _rows.get(node, ()) if _rows else ()


def generation() -> int:
    """A number that grows with every assumption: what is remembered of facts is stale after."""
    return _generation[0]


def _row_of(node: Node) -> tuple[Node, Row]:
    if node.op.name == "isfinite":
        return node.inputs[0], ("finite", 0.0)
    relation = _RELATIONS.get(node.op.name)
    if relation is not None:
        left, right = node.inputs
        bound = _constant(right)
        if bound is not None:
            return left, (relation, bound)
        bound = _constant(left)
        if bound is not None:
            return right, (_TURNED[relation], bound)
    line = user_line()
    raise UnsupportedError(
        message(
            f"assume does not understand {node.op.name}",
            line=str(line) if line else None,
            hint="compare one expression with a number: sg.assume(x > 0); join several with &",
        )
    )


def _constant(node: Node) -> float | None:
    while node.op.name in ("astype", "broadcast_to", "expand_dims"):
        node = node.inputs[0]
    if node.op.name != "constant":
        return None
    value: Any = node.attrs["value"]
    return float(value) if value.ndim == 0 and value.dtype.kind in "biuf" else None
