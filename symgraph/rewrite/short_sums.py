"""Sums over a few elements of each row, spelled out where they may cancel, so that guards see them.

A guard bounds operations of elements; a sum ends its region, and counts as exact. For rows of a few
numbers (points in space, the four logits of a formula) the sum is as well written as additions,

    sum(t, axis)  ->  squeeze(t[..., 0:1] + t[..., 1:2] + ...)

whose terms are the elementwise operations of ``t`` on pieces of what these read. What is made of
such sums element by element, and spread over their rows again, stays in the region. A sum whose
terms have one sign, and which only meets what it cannot cancel, is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symgraph.ir.dim import product
from symgraph.ir.dtype import FLOAT32, FLOAT64
from symgraph.ir.graph import substitute_nodes, toposort
from symgraph.ir.node import Node, constant_node, rebuild
from symgraph.ir.type import TensorType
from symgraph.rewrite.build import call, made_for, number
from symgraph.rewrite.error_bounds import BOUNDS, EXACT, Bound
from symgraph.rewrite.facts import fact
from symgraph.rewrite.regions import in_region, is_larger, region_of

LONGEST = 8  # elements of a row
MOST_TERMS = 24  # operations in a term
SPREADS = frozenset(("expand_dims", "squeeze", "broadcast_to"))
CANCELLING = frozenset(("add", "subtract", "fma", "log", "log2", "log10", "asin", "acos", "atanh"))
OFF = Bound(1.0)
Kept = tuple[Node, int]  # a value with its axis of one element, and which that is


def spelled_out(outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Outputs with short sums that may cancel as additions; a sum that is one number stays."""
    outputs = _narrowed(outputs)
    order = toposort(outputs)
    wanted = _wanted(order)
    if not wanted:
        return outputs
    made = _Spelled(wanted)
    for node in order:
        made.add(node)
    return tuple(made.found[o] for o in outputs)


def _wanted(order: Sequence[Node]) -> set[Node]:
    sums = {n for n in order if _is_short(n)}
    return _cancelling(order, sums) if sums else set()


def _narrowed(outputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Sums of float32 in float64 in float32 again, where what is made of them may cancel.

    A norm of float32 is computed in float64; rounded to float32 it would be exact to a guard.
    """
    found: dict[Node, Node] = {}
    for node in toposort(outputs):
        if node.op.name == "astype" and node.tensor.dtype is FLOAT32:
            narrow = _narrow(node.inputs[0], {})
            if narrow is not None and any(_is_short(n) for n in toposort([narrow])):
                found[node] = narrow
    if not found:
        return outputs
    wanted = _wanted(toposort(substitute_nodes(outputs, found)))
    kept = {n: m for n, m in found.items() if not wanted.isdisjoint(toposort([m]))}
    return substitute_nodes(outputs, kept) if kept else outputs


def _narrow(node: Node, made: dict[Node, Node | None]) -> Node | None:
    """A float64 value made of float32 ones, in float32; None for other values."""
    if node not in made:
        made[node] = _narrow_value(node, made)
    return made[node]


def _narrow_value(node: Node, made: dict[Node, Node | None]) -> Node | None:
    if not isinstance(node.type, TensorType) or node.tensor.dtype is not FLOAT64:
        return None
    if node.op.name == "constant" and node.tensor.shape == ():
        return number(float(node.attrs["value"]), FLOAT32)
    if node.op.name == "astype":
        (x,) = node.inputs
        return x if x.tensor.dtype is FLOAT32 else None
    if node.op.name != "sum" and (not in_region(node) or is_larger(node, MOST_TERMS)):
        return None
    inputs = tuple(i for i in (_narrow(i, made) for i in node.inputs) if i is not None)
    return rebuild(node, inputs) if len(inputs) == len(node.inputs) else None


def _is_short(node: Node) -> bool:
    if node.op.name != "sum" or len(node.attrs["axes"]) != 1:
        return False
    (axis,) = node.attrs["axes"]
    terms = node.inputs[0]
    length = terms.tensor.shape[axis]
    is_float = node.tensor.dtype.kind == "f" and terms.tensor.dtype is node.tensor.dtype
    short = isinstance(length, int) and 2 <= length <= LONGEST
    rows = product(node.tensor.shape) != 1
    usual = short and is_float and rows and not is_larger(terms, MOST_TERMS)
    return usual and not any(_is_choice(n) for n in region_of(terms)[0] + [terms])


def _is_choice(node: Node) -> bool:
    """Does it look for equal values? Those are rounded, as a slow form has them not."""
    return node.op.name in ("equal", "not_equal", "astype")


def _cancelling(order: Iterable[Node], sums: set[Node]) -> set[Node]:
    """The sums that may cancel, or that a value is made of that may."""
    below: dict[Node, frozenset[Node]] = {}  # sums that a value is made of
    found: set[Node] = set()
    none: frozenset[Node] = frozenset()
    for node in order:
        region = in_region(node)
        if node in sums:
            below[node] = below.get(node.inputs[0], none) | {node}
            known = fact(node.inputs[0])
            if known.lo < 0 < known.hi:
                found.add(node)
        elif region or node.op.name in SPREADS:
            below[node] = none.union(*(below.get(i, none) for i in node.inputs))
            if region and below[node] and _cancels(node):
                found |= below[node]
    return found


def _cancels(node: Node) -> bool:
    """May it be far smaller than inputs that are off by little?"""
    if node.op.name not in CANCELLING:
        return False
    known = [EXACT if i.op.name == "constant" else OFF for i in node.inputs]
    return BOUNDS[node.op.name](node, known).extra is not None


class _Spelled:
    def __init__(self, wanted: set[Node]) -> None:
        self.wanted = wanted
        self.found: dict[Node, Node] = {}
        self.kept: dict[Node, Kept] = {}  # values of rows with the axis that the sum took
        self.wide: dict[Node, int] = {}  # values that have that axis of one element again
        self.pieces: dict[tuple[Node, int, int], Node] = {}

    def add(self, node: Node) -> None:
        """What a node becomes, its inputs having been added."""
        before = made_for(node.lines)
        kept = self._kept(node)
        if kept is not None:
            self.kept[node] = kept
            self.found[node] = call("squeeze", kept[0], axes=(kept[1],))
        elif node.op.name == "expand_dims" and self._again(node) is not None:
            self.found[node], self.wide[node] = self.kept[node.inputs[0]]
        else:
            self.found[node] = rebuild(node, tuple(self.found[i] for i in node.inputs))
            if in_region(node):
                self._widen(node)
        made_for(before)

    def _widen(self, node: Node) -> None:
        """Notes the axis of one element that a value of such values has."""
        rank = node.tensor.ndim
        axes = [self.wide[i] for i in node.inputs if i in self.wide and i.tensor.ndim == rank]
        if axes and node.tensor.shape[axes[0]] == 1:
            self.wide[node] = axes[0]

    def _again(self, node: Node) -> Kept | None:
        """What an axis is put back into, as the sum took it."""
        kept = self.kept.get(node.inputs[0])
        return kept if kept is not None and node.attrs["axes"] == (kept[1],) else None

    def _kept(self, node: Node) -> Kept | None:
        """A sum that is spelled out, or what is made of such sums, with the axis of one element."""
        if node in self.wanted:
            return self._sum(node)
        if node.op.name == "squeeze" and node.attrs["axes"] == (self.wide.get(node.inputs[0]),):
            return self.found[node.inputs[0]], self.wide[node.inputs[0]]
        if not in_region(node):
            return None
        axes = {self.kept[i][1] for i in node.inputs if i in self.kept}
        usual = all(i.tensor.ndim in (0, node.tensor.ndim) for i in node.inputs)
        if len(axes) != 1 or not usual:
            return None
        (axis,) = axes
        return rebuild(node, tuple(self._lifted(i, axis) for i in node.inputs)), axis

    def _lifted(self, node: Node, axis: int) -> Node:
        """A value of rows with the axis of one element, its region with it."""
        if node in self.kept and self.kept[node][1] == axis:
            return self.kept[node][0]
        if node.tensor.shape == ():
            return self.found[node]
        if node.op.name == "squeeze" and node.attrs["axes"] == (axis,):
            return self.found[node.inputs[0]]
        usual = all(i.tensor.ndim in (0, node.tensor.ndim) for i in node.inputs)
        if in_region(node) and usual and not is_larger(node, MOST_TERMS):
            return rebuild(node, tuple(self._lifted(i, axis) for i in node.inputs))
        return call("expand_dims", self.found[node], axes=(axis,))

    def _sum(self, node: Node) -> Kept:
        (axis,) = node.attrs["axes"]
        terms = node.inputs[0]
        length = terms.tensor.shape[axis]
        assert isinstance(length, int)
        made = self._piece(terms, axis, 0)
        for k in range(1, length):
            made = call("add", made, self._piece(terms, axis, k))
        return made, axis

    def _piece(self, node: Node, axis: int, k: int) -> Node:
        """node[..., k:k+1, ...] made of such pieces."""
        key = (node, axis, k)
        if key not in self.pieces:
            self.pieces[key] = self._made_piece(node, axis, k)
        return self.pieces[key]

    def _made_piece(self, node: Node, axis: int, k: int) -> Node:
        if node.tensor.shape[axis] == 1:
            return self.found[node]
        if in_region(node):
            rank = node.tensor.ndim
            inputs = []
            for i in node.inputs:
                own = axis - rank + i.tensor.ndim  # shapes meet at their ends
                inputs.append(self._piece(i, own, k) if own >= 0 else self.found[i])
            return rebuild(node, tuple(inputs))
        return _cut(self.found[node], axis, k)


def _cut(node: Node, axis: int, k: int) -> Node:
    """The slice node[..., k:k+1, ...]."""
    if node.op.name == "constant":
        place = (slice(None),) * axis + (slice(k, k + 1),)
        return constant_node(node.attrs["value"][place])
    shape = node.tensor.shape
    starts = tuple(k if a == axis else 0 for a in range(len(shape)))
    lengths = tuple(1 if a == axis else d for a, d in enumerate(shape))
    return call("slice", node, starts=starts, steps=(1,) * len(shape), lengths=lengths)
