"""Gradients that are written when somebody looks at them.

``sg.grad`` checks its arguments at once. Its results are variables of known types, whose nodes are
made at the first look: any arithmetic on them, or printing. A function that merely gives them is
found on disk by what they are gradients of, without being differentiated again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from symgraph.ir.dtype import DType, is_inexact
from symgraph.ir.graph import subgraphs, toposort
from symgraph.ir.node import Node, add_lines, add_name
from symgraph.ir.origin import user_line
from symgraph.ir.type import Shape, TensorType
from symgraph.ir.variable import Variable

_EAGER = ("while_loop",)  # its gradient depends on options; errors are told at once


class Pending:
    """The gradients of one cost, not yet written."""

    __slots__ = ("_find", "_found", "_lock", "cost", "stop", "wrt")

    def __init__(
        self,
        cost: Node,
        wrt: Sequence[Node],
        stop: Sequence[Node],
        find: Callable[[], Sequence[Variable]],
    ) -> None:
        self.cost, self.wrt, self.stop = cost, tuple(wrt), tuple(stop)
        self._find: Callable[[], Sequence[Variable]] | None = find
        self._found: tuple[Node, ...] = ()
        self._lock = threading.RLock()

    @property
    def is_written(self) -> bool:
        """Has somebody looked?"""
        return self._find is None

    def nodes(self) -> tuple[Node, ...]:
        """The gradients' nodes; the first call differentiates."""
        with self._lock:
            if self._find is not None:
                self._found = tuple(v.node for v in self._find())
                self._find = None
        return self._found


class Deferred(Variable):
    """One of the gradients of a ``Pending``."""

    def __init__(self, pending: Pending, index: int, wrt: Variable) -> None:
        self.pending, self.index = pending, index
        self.weak, self._name, self.line = False, None, user_line()
        self._type = wrt.type

    @property
    def node(self) -> Node:  # type: ignore[override]
        """The gradient's node."""
        written = self.pending.is_written
        node = self.pending.nodes()[self.index]
        if not written:
            add_lines(node, (self.line,) if self.line else ())
        if self._name is not None:
            add_name(node, self._name)
        return node

    @property
    def name(self) -> str | None:
        """The user's name of this expression; may be set."""
        return self._name

    @name.setter
    def name(self, value: str | None) -> None:
        self._name = value

    @property
    def type(self) -> TensorType:
        """dtype and shape: those of the variable differentiated by."""
        return self._type if not self.pending.is_written else self.node.tensor

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.type.dtype

    @property
    def shape(self) -> Shape:
        """Dimensions."""
        return self.type.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.type.shape)

    def __reduce__(self) -> tuple[object, ...]:
        return Variable, (self.node, self._name)


def can_wait(cost: Node, wrt: Iterable[Node], stop: Iterable[Node] = ()) -> bool:
    """Is it sure that the cost has these gradients, without differentiating it?"""
    ended = set(stop)
    wanted = set(wrt)
    active: set[Node] = set()
    for node in toposort([cost], stop=ended.__contains__ if ended else None):
        found = node.type
        if isinstance(found, TensorType) and found.dtype.kind not in "fc":
            continue
        if not active.isdisjoint(node.inputs):
            active.add(node)
            if not _has_gradient(node):
                return False
        elif node in wanted:
            active.add(node)
    return all(isinstance(n.type, TensorType) for n in wanted)


def _has_gradient(node: Node) -> bool:
    if node.op.name in _EAGER:
        return False
    if node.op.name not in ("proj", "where") and node.op.vjp is None and node.op.expand is None:
        return False
    if not node.attrs:
        return True
    inner = (n for graph in subgraphs(node) for n in toposort(graph.outputs))
    return all(
        _has_gradient(n)
        for n in inner
        if n.inputs and (not isinstance(n.type, TensorType) or is_inexact(n.type.dtype))
    )
