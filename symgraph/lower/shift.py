"""Joined arrays read in place: an element of ``concat`` or ``update_slice`` without the array.

    concat([v[1:], v[:1]])[i]  -->  v[i + 1] for i < n - 1,  v[i - (n - 1)] for the last

Which part an index lies in is decided in this order: by the range of the index; by cutting the
innermost loop of the stage at the part's edge, so that each piece of the loop is plain shifted
loads (``Bounds.cuts``; whoever builds the stage builds it again in pieces); by a choice of the
index, where all parts are elements of one buffer; by a choice of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import INT64
from symgraph.ir.node import Node
from symgraph.loop.ir import Const, Expr, Load, Var, Word
from symgraph.lower.words import whole
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.lower.stage import Index, Scalars

MOST_PARTS = 8  # arrays joined in place: each cuts the loops that read the result once more

Interval = tuple[int, int]


@dataclass(slots=True)
class Bounds:
    """The extents of a stage's loops where they are numbers, and where it must be cut.

    ``cut`` is the number of the loop that may be cut: the innermost; its turns start at ``first``.
    """

    extents: tuple[DimLike, ...] = ()
    cut: int | None = None
    cuts: set[int] = field(default_factory=set)

    def interval(self, x: Expr) -> Interval | None:
        """The least and greatest value of an index expression; None where that is not known."""
        if isinstance(x, Const):
            number = whole(x)
            return number, number
        if isinstance(x, Var):
            depth = loop_number(x)
            extent = self.extents[depth] if depth is not None and depth < self.depth else None
            return (0, extent - 1) if isinstance(extent, int) else None
        if isinstance(x, Word) and x.name in _INTERVALS:
            parts = [self.interval(a) for a in x.args[-2:]]
            known = [p for p in parts if p is not None]
            return _INTERVALS[x.name](*known) if len(known) == 2 else None
        return None

    @property
    def depth(self) -> int:
        """The number of loops."""
        return len(self.extents)


_INTERVALS: dict[str, Callable[[Interval, Interval], Interval]] = {
    "add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "select": lambda a, b: (min(a[0], b[0]), max(a[1], b[1])),
    "minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
}


def loop_number(x: Expr) -> int | None:
    """The number of the loop whose index an expression is."""
    if isinstance(x, Var) and x.name[0] == "i" and x.name[1:].isdigit():
        return int(x.name[1:])
    return None


def _shifted(x: Expr) -> tuple[int, int] | None:
    """(loop, offset) of an index ``i + offset``."""
    if isinstance(x, Word) and x.name == "add" and isinstance(x.args[1], Const):
        depth = loop_number(x.args[0])
        return None if depth is None else (depth, whole(x.args[1]))
    depth = loop_number(x)
    return None if depth is None else (depth, 0)


def is_joined(node: Node) -> bool:
    """Is it an array of a few parts whose edges are known numbers?"""
    if node.op.name == "concat":
        lengths = [i.tensor.shape[node.attrs["axis"]] for i in node.inputs]
        return len(lengths) <= MOST_PARTS and all(isinstance(d, int) for d in lengths)
    if node.op.name == "update_slice" and node.attrs["how"] in _COMBINED:
        return all(
            s == 1 and (a == d or all(isinstance(x, int) for x in (start, a, d)))
            for s, start, a, d in zip(
                node.attrs["steps"],
                node.attrs["starts"],
                node.inputs[1].tensor.shape,
                node.tensor.shape,
                strict=True,
            )
        )
    return False


_COMBINED = {"set": None, "add": "add", "multiply": "mul", "min": "minimum", "max": "maximum"}


def is_cut_inside(node: Node) -> bool:
    """Are the edges between a joined array's parts on its last axis alone?"""
    last = node.tensor.ndim - 1
    if node.op.name == "concat":
        return bool(node.attrs["axis"] == last)
    parts = zip(node.inputs[1].tensor.shape, node.tensor.shape, strict=True)
    return all(a == d for axis, (a, d) in enumerate(parts) if axis != last)


def joined_value(scalars: Scalars, node: Node, index: Index) -> Expr:
    """Element ``index`` of a joined array."""
    if node.op.name == "concat":
        return _concat_value(scalars, node, index)
    return _updated_value(scalars, node, index)


def _concat_value(scalars: Scalars, node: Node, index: Index) -> Expr:
    axis = node.attrs["axis"]
    edges = [0]
    for source in node.inputs:
        length = source.tensor.shape[axis]
        assert isinstance(length, int)
        edges.append(edges[-1] + length)
    place = index[axis]
    numbers = _parts_at(scalars.bounds, place, edges)
    if not numbers:
        numbers = [next(k for k in range(len(node.inputs)) if edges[k] < edges[k + 1])]

    def element(k: int, is_safe: bool) -> Expr:
        within = scalars.b.sub(place, edges[k])
        if is_safe:
            within = _clamped(scalars, within, edges[k + 1] - edges[k])
        return scalars.value(node.inputs[k], (*index[:axis], within, *index[axis + 1 :]))

    found = _one_load(scalars, place, edges, [element(k, False) for k in numbers], numbers)
    if found is not None:
        return found
    return _chosen(scalars, place, edges, [element(k, True) for k in numbers], numbers)


def _parts_at(bounds: Bounds, place: Expr, edges: Sequence[int]) -> list[int]:
    """The parts that an index may lie in; one, where the loop can be cut between them."""
    known = bounds.interval(place)
    low, high = known or (edges[0], edges[-1] - 1)
    found = [k for k in range(len(edges) - 1) if max(edges[k], low) < min(edges[k + 1], high + 1)]
    shift = _shifted(place)
    if len(found) > 1 and known and shift is not None and shift[0] == bounds.cut:
        bounds.cuts.update(edges[k] - shift[1] for k in found[1:])
        return found[:1]
    return found


def _clamped(scalars: Scalars, place: Expr, length: int) -> Expr:
    """An index that is inside of a part, whatever the index into the whole."""
    b = scalars.b
    found = scalars.bounds.interval(place)
    if found is None or found[0] < 0:
        place = b.word("maximum", (place, b.const(0)), INT64)
    if found is None or found[1] >= length:
        place = b.word("minimum", (place, b.const(length - 1)), INT64)
    return place


def _chosen(
    scalars: Scalars, place: Expr, edges: Sequence[int], values: list[Expr], numbers: list[int]
) -> Expr:
    """The value of the part that the index lies in."""
    b, found = scalars.b, values[-1]
    for value, k in zip(values[-2::-1], numbers[-2::-1], strict=True):
        if value is not found:
            found = b.select(b.lt(place, edges[k + 1]), value, found)
    return scalars.let(found)


def _one_load(
    scalars: Scalars, place: Expr, edges: Sequence[int], values: list[Expr], numbers: list[int]
) -> Expr | None:
    """One load at a chosen index, where every part is an element of the same buffer."""
    if len(values) == 1:
        return values[0]
    loads = [scalars.defined(v) for v in values]
    first = loads[0]
    if not isinstance(first, Load):
        return None
    index = []
    for axis in range(len(first.index)):
        places = [x.index[axis] for x in loads if isinstance(x, Load) and x.buffer == first.buffer]
        if len(places) < len(loads):
            return None
        index.append(_chosen_index(scalars, place, edges, places, numbers))
    return scalars.let(scalars.b.load(first.buffer, tuple(index), first.dtype))


def _chosen_index(
    scalars: Scalars, place: Expr, edges: Sequence[int], places: list[Expr], numbers: list[int]
) -> Expr:
    b, found = scalars.b, places[-1]
    for other, k in zip(places[-2::-1], numbers[-2::-1], strict=True):
        if other is not found:
            found = b.select(b.lt(place, edges[k + 1]), other, found)
    return found


def _updated_value(scalars: Scalars, node: Node, index: Index) -> Expr:
    """The new value inside of the part, combined with the old one; outside the old one."""
    b, (base, values) = scalars.b, node.inputs
    inside: list[Expr] = []
    place = list(index)
    for axis, (length, dim) in enumerate(zip(values.tensor.shape, node.tensor.shape, strict=True)):
        if length == dim:
            continue
        start = node.attrs["starts"][axis]
        assert isinstance(start, int)
        assert isinstance(length, int)
        assert isinstance(dim, int)
        edges = [0, start, start + length, dim]
        parts = _parts_at(scalars.bounds, index[axis], edges)
        place[axis] = b.sub(index[axis], start)
        if 1 not in parts:
            return scalars.value(base, index)
        if len(parts) > 1:
            inside += [b.ge(index[axis], start), b.lt(index[axis], start + length)]
            place[axis] = _clamped(scalars, place[axis], length)
    word = _COMBINED[node.attrs["how"]]
    if not inside and word is None:
        return scalars.value(values, tuple(place))
    old, value = scalars.value(base, index), scalars.value(values, tuple(place))
    if word is not None:
        value = b.word(word, (old, value), value.dtype)
    if not inside:
        return scalars.let(value)
    condition = inside[0]
    for other in inside[1:]:
        condition = b.and_(condition, other)
    return scalars.let(b.select(condition, value, old))
