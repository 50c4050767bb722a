"""Gradients that are written when somebody looks at them.

``sg.grad`` checks its arguments at once. Its results are variables of known types, whose nodes are
made at the first look; what is computed with them waits too, as nodes over stand-ins. A function of
such is found on disk by what they are gradients of, without being differentiated again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, NoReturn
from weakref import WeakKeyDictionary

from symgraph.ir.dtype import DType
from symgraph.ir.graph import subgraphs, substitute_nodes, toposort
from symgraph.ir.node import Node, add_lines, add_name, make_node
from symgraph.ir.op import Op
from symgraph.ir.origin import Line, user_line
from symgraph.ir.type import Shape, TensorType
from symgraph.ir.variable import Variable

_EAGER = ("while_loop",)  # its gradient depends on options; errors are told at once


def _refuse(*args: object, **attrs: object) -> NoReturn:
    raise TypeError("a stand-in is replaced before anything is computed")


# Inputs: the cost, what it is differentiated by, what is constant. No row of the table: nobody but
# this module, and names of cached code, ever sees one.
STAND_IN = Op(
    "pending_gradient",
    "leaf",
    "A gradient that is not written yet: number ``index`` of those by ``wrt`` of the inputs.",
    infer=lambda types, attrs, context: types[1 + attrs["index"]],
    front=_refuse,
    reference=_refuse,
)
_of: WeakKeyDictionary[Node, tuple[Pending, int]] = WeakKeyDictionary()


class Pending:
    """The gradients of one cost, not yet written."""

    __slots__ = ("__weakref__", "_find", "_found", "_lock", "below", "cost", "stop", "wrt")

    def __init__(
        self,
        cost: Node,
        wrt: Sequence[Node],
        stop: Sequence[Node],
        find: Callable[[], Sequence[Variable]],
        below: Sequence[Node] = (),
    ) -> None:
        """``below``: all nodes of the cost, inputs first, for who knows them."""
        self.below = below
        self.cost, self.wrt, self.stop = cost, tuple(wrt), tuple(stop)
        self._find: Callable[[], Sequence[Variable]] | None = find
        self._found: tuple[Node, ...] = ()
        self._lock = threading.RLock()

    @property
    def is_written(self) -> bool:
        """Has somebody looked?"""
        return self._find is None

    def stand_in(self, index: int) -> Node:
        """The node that stands for a gradient."""
        inputs = (self.cost, *self.wrt, *self.stop)
        node = make_node(STAND_IN, inputs, {"index": index, "wrt": len(self.wrt)}, lines=())
        _of[node] = self, index
        return node

    def nodes(self) -> tuple[Node, ...]:
        """The gradients' nodes; the first call differentiates."""
        with self._lock:
            if self._find is not None:
                self._found = tuple(v.node for v in self._find())
                self._find = None
        return self._found


def written(raw: Node) -> Node:
    """A node with gradients for the stand-ins below it."""
    found = [n for n in toposort([raw]) if n.op is STAND_IN]
    return substitute_nodes([raw], {n: _of[n][0].nodes()[_of[n][1]] for n in found})[0]


class Waiting(Variable):
    """What is computed with gradients that are not written; ``node`` writes them."""

    waits: ClassVar[bool] = True

    def __init__(self, raw: Node, line: Line | None) -> None:
        self._raw, self._node = raw, None
        self.weak, self._name, self.line = False, None, line

    _node: Node | None

    @property
    def node(self) -> Node:  # type: ignore[override]
        """Its node, with the gradients."""
        if self._node is None:
            self._node = self._written()
            if self._name is not None:
                add_name(self._node, self._name)
        return self._node

    def _written(self) -> Node:
        return written(self._raw)

    @property
    def raw(self) -> Node:
        """Its node with stand-ins, as long as nobody looked."""
        return self._raw if self._node is None else self._node

    def over(self, node: Node, line: Line | None) -> Variable:
        """What is computed with this waits too."""
        return Waiting(node, line)

    @property
    def name(self) -> str | None:
        """The user's name of this expression; may be set."""
        return self._name

    @name.setter
    def name(self, value: str | None) -> None:
        self._name = value
        if value is not None and self._node is not None:
            add_name(self._node, value)

    @property
    def type(self) -> TensorType:
        """dtype and shape; those of what is differentiated by, for gradients."""
        return self.raw.tensor

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


class Deferred(Waiting):
    """One of the gradients of a ``Pending``."""

    def __init__(self, pending: Pending, index: int) -> None:
        super().__init__(pending.stand_in(index), user_line())
        self.pending, self.index = pending, index

    def _written(self) -> Node:
        is_first = not self.pending.is_written
        node = self.pending.nodes()[self.index]
        if is_first:
            add_lines(node, (self.line,) if self.line else ())
        return node


def can_wait(
    cost: Node,
    wrt: Iterable[Node],
    stop: Iterable[Node] = (),
    below: Sequence[Node] | None = None,
) -> bool:
    """Is it sure that the cost has these gradients, without differentiating it?

    ``below``: all nodes of the cost, inputs first, for who knows them.
    """
    ended = set(stop)
    wanted = set(wrt)
    active: set[Node] = set()
    if ended or below is None:
        below = toposort([cost], stop=ended.__contains__ if ended else None)
    for node in below:
        found = node.type
        if isinstance(found, TensorType) and found.dtype.kind not in "fc":  # exact: no slope
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
        if n.inputs and (not isinstance(n.type, TensorType) or n.type.dtype.kind in "fc")
    )
