"""Operations and bytes of a graph, node by node, to see what each rewrite saves or costs.

Operations: those on floating numbers, weighted as ``symgraph.trace.cost`` weighs them. Bytes: of
what operations make, as if each result were stored; views and leaves have none. A graph is no
program: fusion, which stores less, comes later, and ``symgraph kernels`` counts what is left. The
body of a scan counts once for each turn, that of a while loop once, of branches the dearer one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from symgraph.errors import ShapeError, SymgraphError
from symgraph.ir.dim import Atom, DimLike, evaluate, symbols
from symgraph.ir.graph import toposort
from symgraph.ir.node import Node, make_node
from symgraph.ir.op import Op, find_op
from symgraph.ir.type import TensorType, Type
from symgraph.loop.ir import Expr, Word
from symgraph.loop.traverse import postorder
from symgraph.lower.expand import expand, needs_expansion
from symgraph.lower.words import SizeNames, WordBuilder
from symgraph.trace.cost import ELEMENTARY, word_flops
from symgraph.trace.format import Body, Row
from symgraph.trace.trace import State, Trace

from .given import Given
from .inputs import USUAL_LENGTH, sizes_for

UNSTORED = ("leaf", "index", "tuple", "control")  # names for values that others have made


@dataclass(frozen=True, slots=True)
class Cost:
    """Operations, and bytes."""

    flops: int = 0
    nbytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.nbytes + other.nbytes)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.flops - other.flops, self.nbytes - other.nbytes)

    def times(self, count: int) -> Cost:
        """So many of it."""
        return Cost(count * self.flops, count * self.nbytes)


@dataclass(slots=True)
class GraphCost:
    """The cost of the graphs of a trace, for lengths of dimensions; nodes are looked at once."""

    trace: Trace
    sizes: Mapping[Atom, int]
    _known: dict[int, Cost] = field(default_factory=dict)

    @staticmethod
    def of(trace: Trace, given: Given) -> GraphCost:
        """For the lengths that are given, ``USUAL_LENGTH`` for all others."""
        return GraphCost(trace, sizes_for(trace.at("built"), given))

    def total(self, state: State, graph: int = 0) -> Cost:
        """All of a graph, as it is in a state."""
        ends, total = state.ends[graph], Cost()
        for key in state.order((*ends.params, *ends.outputs), bodies=False):
            row = self.trace.rows[key]
            total += self._bodies(state, row) if row.bodies else self._cost(key)
        return total

    def _bodies(self, state: State, row: Row) -> Cost:
        parts = [self.total(state, number) for number in row.bodies]
        if row.op == "cond":
            return max(parts, key=lambda cost: cost.flops)
        return sum(parts, Cost()).times(self._number(row.attrs.get("length", 1)))

    def _cost(self, key: int) -> Cost:
        if key not in self._known:
            row = self.trace.rows[key]
            op, types = find_op(row.op), [self.trace.rows[i].type for i in row.inputs]
            stored = 0 if op.kind in UNSTORED else self._nbytes(row.type)
            self._known[key] = Cost(self._flops(op, types, row.type, row.attrs), stored)
        return self._known[key]

    def _flops(
        self, op: Op, inputs: Sequence[Type], made: Type, attrs: Mapping[str, object]
    ) -> int:
        """Operations of one node; 0 where nothing is computed on floating numbers."""
        types = [t for t in inputs if isinstance(t, TensorType)]
        if not isinstance(made, TensorType) or len(types) < len(inputs) or not types:
            return 0
        if op.kind == "elementwise":
            return element_flops(op, types, attrs) * self._size(made)
        if op.kind in ("reduction", "prefix", "scatter"):
            return (types[0].dtype.kind in "fc") * self._size(types[-1])
        if op.kind == "composite":
            return self._expanded(op, types, attrs)
        if op.name == "matmul" and made.dtype.kind in "fc":
            return 2 * self._size(made) * self._number(types[0].shape[-1])
        return 0

    def _expanded(self, op: Op, types: Sequence[TensorType], attrs: Mapping[str, object]) -> int:
        """Those of the operations that a composite one is written with."""
        if any(isinstance(value, Body) for value in attrs.values()):
            return 0
        leaves = [_leaf(k, kind) for k, kind in enumerate(types)]
        try:
            node = make_node(op, leaves, attrs)
            parts = toposort(expand((node,)))
        except SymgraphError:  # a file may say what does not fit
            return 0
        return sum(self._of_node(part) for part in parts if not needs_expansion(part))

    def _of_node(self, node: Node) -> int:
        return self._flops(node.op, [i.type for i in node.inputs], node.type, node.attrs)

    def _nbytes(self, found: Type) -> int:
        if isinstance(found, TensorType):
            return found.dtype.itemsize * self._size(found)
        return sum(map(self._nbytes, found.items))

    def _size(self, found: TensorType) -> int:
        return prod(map(self._number, found.shape))

    def _number(self, dim: DimLike) -> int:
        """A length; of dims of the compiler's own that cannot be what they are taken for, usual."""
        try:
            return evaluate(dim, {a: self.sizes.get(a, USUAL_LENGTH) for a in symbols(dim)})
        except ShapeError:
            return USUAL_LENGTH


def element_flops(op: Op, types: Sequence[TensorType], attrs: Mapping[str, object]) -> int:
    """Operations for one element, counted in the code that the op's row writes for it."""
    if op.element is None or op.name == "guarded":
        return 0
    b = WordBuilder(SizeNames())
    given = [b.var(f"x{k}", kind.dtype) for k, kind in enumerate(types)]
    try:
        found: Expr = op.element(b, *given, **attrs)
    except (SymgraphError, AttributeError, TypeError):  # code that asks for more than an element
        return ELEMENTARY
    return sum(word_flops(x) for x in postorder(found) if isinstance(x, Word))


def _leaf(number: int, kind: TensorType) -> Node:
    return make_node(find_op("input"), (), {"serial": f"counted {number}", "type": kind})
