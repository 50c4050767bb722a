"""``assume(condition)`` and ``domain=``: facts about inputs or intermediates that rules may use.

Facts are kept beside the graph, not in it: a node's identity and value stay the same. What can be
stated is a comparison of two expressions (``x > 0``, ``x < y``), several joined by ``&``,
``isfinite(x)``, and ``x == floor(x)``; debug mode checks all of it on the values of a call.

    sg.assume((p >= 0) & (p <= 1))
    p = sg.vector("p", domain="probability")
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, UnsupportedError, message, nearest
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.origin import Line, at_line, user_line
from symgraph.ir.variable import Variable, node_of
from symgraph.records import dataclass

RELATIONS = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}
_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_ROUNDINGS = ("floor", "ceil", "trunc", "round")
_MOVES = ("astype", "broadcast_to", "expand_dims")
CHECKS: dict[str, Callable[[Any, float], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "whole": lambda x, bound: x == np.floor(x),
    "finite": lambda x, bound: np.isfinite(x),
}
"""When a relation of values to a bound holds; NaN, about which facts say nothing, always does."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing stated of a node: relation to a bound, and where the user said so."""

    relation: str
    bound: float = 0.0
    line: Line | None = None

    def __str__(self) -> str:
        if self.relation in ("whole", "finite"):
            return f"is {self.relation}"
        return f"{self.relation} {self.bound:g}"

    def broken(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Where it does not hold, as a mask."""
        with np.errstate(invalid="ignore"):
            holds = np.asarray(CHECKS[self.relation](values, self.bound))
        known = (
            ~np.isnan(values) if values.dtype.kind == "f" and self.relation != "finite" else True
        )
        return ~holds & known


_rows: weakref.WeakKeyDictionary[Node, tuple[Assumption, ...]] = weakref.WeakKeyDictionary()
_held: list[Node] = []  # expressions that facts were stated of: nothing else may hold them yet
_generation = [0]

DOMAINS: dict[str, tuple[tuple[str, float], ...]] = {
    "positive": ((">", 0.0),),
    "nonnegative": ((">=", 0.0),),
    "negative": (("<", 0.0),),
    "nonpositive": (("<=", 0.0),),
    "nonzero": (("!=", 0.0),),
    "probability": ((">=", 0.0), ("<=", 1.0)),
    "unit": ((">=", 0.0), ("<=", 1.0)),
    "integer": (("whole", 0.0),),
    "finite": (("finite", 0.0),),
}
"""Names that ``domain=`` takes, and what each states. ``unit`` is the closed unit interval."""


def assume(condition: Variable) -> Variable:
    """State that a condition holds for all elements, whenever the graph runs; gives it back.

    Raises: UnsupportedError for a condition that is not made of comparisons.
    """
    line = user_line()
    pending = [node_of(condition)]
    while pending:
        node = pending.pop()
        if node.op.name in ("logical_and", "bitwise_and", "all"):
            pending += node.inputs
            continue
        about, relation, bound = _row_of(node)
        state(about, [Assumption(relation, bound, line)])
        if about.inputs:
            hold(about)
    return condition


def hold(node: Node) -> None:
    """Keep an expression that facts were stated of, which nothing else may hold yet."""
    _held.append(node)


def state(node: Node, rows: Sequence[Assumption]) -> None:
    """Add assumptions about a node."""
    known = assumptions(node)
    new = [
        r for r in rows if not any((r.relation, r.bound) == (k.relation, k.bound) for k in known)
    ]
    if new:
        _rows[node] = (*known, *new)
        _generation[0] += 1


def withdraw(node: Node, rows: Sequence[Assumption]) -> None:
    """Take assumptions about a node back."""
    left = tuple(r for r in assumptions(node) if r not in rows)
    _rows.pop(node, None)
    if left:
        _rows[node] = left
    _generation[0] += 1


def everything_stated() -> dict[Node, tuple[Assumption, ...]]:
    """All assumptions, by node."""
    return dict(_rows)


def assumptions(node: Node) -> tuple[Assumption, ...]:
    """What was stated of a node."""
    return _rows.get(node, ()) if _rows else ()


def carry(before: Node, after: Node) -> None:
    """What was stated of a node, of the node that takes its place with the same value, too."""
    if _rows and after is not before and before in _rows:
        state(after, _rows[before])


def assumed_of(leaves: Sequence[Node]) -> list[Node]:
    """All nodes that something was stated of and that these leaves determine."""
    known = set(leaves)
    return [
        node
        for node in list(_rows)
        if all(n in known for n in toposort([node]) if n.op.name in ("input", "shared", "param"))
    ]


def generation() -> int:
    """A number that grows with every assumption: what is remembered of facts is stale after."""
    return _generation[0]


def set_domain(node: Node, domain: Any) -> None:
    """State of an input what ``domain=`` says.

    A name of ``DOMAINS``, several names (``("positive", "finite")``), or a closed interval
    ``(lo, hi)``, where None is no bound.
    Raises: ArgumentError for anything else.
    """
    line = user_line()
    state(node, [Assumption(relation, bound, line) for relation, bound in _domain_rows(domain)])


def _domain_rows(domain: Any) -> list[tuple[str, float]]:
    if isinstance(domain, str):
        if domain not in DOMAINS:
            near = nearest(domain, list(DOMAINS))
            guess = f"did you mean {near!r}? " if near else ""
            hint = f"{guess}use one of {', '.join(DOMAINS)}, or an interval such as (0, 1)"
            raise ArgumentError(at_line(f"there is no domain {domain!r}", hint=hint))
        return list(DOMAINS[domain])
    if isinstance(domain, tuple | list | set | frozenset):
        parts = list(domain)
        if parts and all(isinstance(p, str) for p in parts):
            return [row for part in parts for row in _domain_rows(part)]
        numbers = [p is None or isinstance(p, int | float | np.number) for p in parts]
        if len(parts) == 2 and all(numbers):
            return _interval_rows(parts[0], parts[1])
    hint = f"a name ({', '.join(DOMAINS)}), names, or an interval such as (0, 1) or (0, None)"
    raise ArgumentError(at_line(f"{domain!r} is no domain", hint=hint))


def _interval_rows(low: Any, high: Any) -> list[tuple[str, float]]:
    if low is not None and high is not None and not low <= high:
        hint = "the lower end comes first"
        raise ArgumentError(at_line(f"the interval ({low}, {high}) is empty", hint=hint))
    rows = [] if low is None else [(">=", float(low))]
    return rows if high is None else [*rows, ("<=", float(high))]


def _row_of(node: Node) -> tuple[Node, str, float]:
    """The node, relation and bound that a condition states."""
    if node.op.name == "isfinite":
        return node.inputs[0], "finite", 0.0
    relation = RELATIONS.get(node.op.name)
    if relation is not None:
        left, right = (_inside(i) for i in node.inputs)
        if relation == "==" and _is_rounded(left, right):
            return left, "whole", 0.0
        if relation == "==" and _is_rounded(right, left):
            return right, "whole", 0.0
        for about, other, found in ((left, right, relation), (right, left, _TURNED[relation])):
            bound = _constant(other)
            if bound is not None:
                return about, found, bound
        if node.inputs[0].tensor.dtype.kind in "iuf":
            return make_node(find_op("subtract"), node.inputs, {}), relation, 0.0
    line = user_line()
    raise UnsupportedError(
        message(
            f"assume does not understand {node.op.name}",
            line=str(line) if line else None,
            hint="compare two expressions: sg.assume(x > 0); join several with &",
        )
    )


def _is_rounded(x: Node, y: Node) -> bool:
    return y.op.name in _ROUNDINGS and y.inputs[0] is x


def _inside(node: Node) -> Node:
    while node.op.name in _MOVES and node.inputs[0].tensor.dtype.kind == node.tensor.dtype.kind:
        node = node.inputs[0]
    return node


def _constant(node: Node) -> float | None:
    while node.op.name in _MOVES:
        node = node.inputs[0]
    if node.op.name != "constant":
        return None
    value: Any = node.attrs["value"]
    return float(value) if value.ndim == 0 and value.dtype.kind in "biuf" else None
