"""Loops over neighbouring axes that together are one: short rows are one long row.

    for i: for j: y[i, j] = f(x[i, j])  -->  for i: y[i] = f(x[i])

with x and y seen as vectors. A loop of ten turns has no vectors and is begun a hundred thousand
times; the one it is part of is neither short nor nested. Two loops become one where the second is
all that the first contains, and wherever their indices stand, they stand side by side, as the whole
of an axis and of the one before it. All accesses of a kernel to a buffer have to agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from symgraph.ir.dim import mul
from symgraph.loop.ir import Assign, Expr, For, Let, Load, Local, Stmt, Store, Var
from symgraph.loop.traverse import blocks, children, expressions, loads, rebuild
from symgraph.lower.rows import with_expressions
from symgraph.lower.stage import Storage
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass

Index = tuple[Expr, ...]
Boxes = Mapping[str, Storage]


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two loops that may be one, how often they use a buffer, and at which axis."""

    outer: For
    inner: For
    uses: Counter[str]
    axes: dict[str, int]


def flattened(
    statements: Sequence[Stmt], boxes: Boxes, b: WordBuilder
) -> tuple[list[Stmt], dict[str, Storage]]:
    """Statements with fewer loops, and the buffers that they see in fewer axes."""
    made = list(statements)
    seen: dict[str, Storage] = {}
    found = _joined(made, boxes, b)
    while found:
        made = [_rewritten(s, found, b) for s in made]
        for name, axis in {n: a for pair in found.values() for n, a in pair.axes.items()}.items():
            box = seen.get(name) or boxes[name]
            whole = mul(box.shape[axis], box.shape[axis + 1])
            shape = (*box.shape[:axis], whole, *box.shape[axis + 2 :])
            seen[name] = replace(box, shape=shape)
        found = _joined(made, {**boxes, **seen}, b)
    return made, seen


def _joined(statements: Sequence[Stmt], boxes: Boxes, b: WordBuilder) -> dict[For, _Pair]:
    """Pairs that become one loop now, by their outer loops: the innermost that can."""
    pairs = [p for s in statements for p in _pairs(s, boxes, b)]
    if not pairs:
        return {}
    total = Counter(name for s in _all(statements) for name, _ in _accesses(s))
    while True:
        taken: dict[For, _Pair] = {}
        for pair in pairs:  # inner ones come first
            if pair.inner not in taken:
                taken[pair.outer] = pair
        uses: Counter[str] = Counter()
        axes: dict[str, set[int]] = {}
        for pair in taken.values():
            uses.update(pair.uses)
            for name, axis in pair.axes.items():
                axes.setdefault(name, set()).add(axis)
        bad = {n for n in uses if uses[n] != total[n] or len(axes[n]) > 1}
        dropped = {o for o, pair in taken.items() if not bad.isdisjoint(pair.uses)}
        if not dropped:
            return taken
        pairs = [p for p in pairs if taken.get(p.outer) is not p or p.outer not in dropped]


def _all(statements: Sequence[Stmt]) -> Iterator[Stmt]:
    for s in statements:
        yield s
        for block in blocks(s):
            yield from _all(block)


def _pairs(s: Stmt, boxes: Boxes, b: WordBuilder) -> Iterator[_Pair]:
    for block in blocks(s):
        for inside in block:
            if type(inside) is not Let:
                yield from _pairs(inside, boxes, b)
    if isinstance(s, For) and len(s.body) == 1 and isinstance(s.body[0], For):
        inner = s.body[0]
        if inner.kind == s.kind or (s.kind == "parallel" and _is_free(inner)):
            pair = _pair(s, inner, boxes, b)
            if pair is not None:
                yield pair


def _is_free(loop: For) -> bool:
    """Is each turn of a loop alone, as those of the loop around it are said to be?"""
    return loop.kind == "vector" and all(isinstance(s, Let | Store) for s in loop.body)


def _pair(outer: For, inner: For, boxes: Boxes, b: WordBuilder) -> _Pair | None:
    """Two loops, if all that uses their indices has them side by side in known buffers."""
    uses: Counter[str] = Counter()
    axes: dict[str, int] = {}
    both = outer.var, inner.var
    if _mentions(inner.extent, both[:1]):
        return None
    for s in _all(inner.body):
        if not isinstance(s, Let | Assign | Store | For | Local):
            return None
        for name, index in _accesses(s):
            axis = next((k for k, i in enumerate(index) if _is(i, outer.var)), None)
            if axis is None:
                continue
            box = boxes.get(name)
            if box is None or not _is_whole(index, axis, box, inner, b):
                return None
            if axes.setdefault(name, axis) != axis:
                return None
            uses[name] += 1
        if any(_mentions(e, both) for e in _outside_of_pairs(s, both)):
            return None
    return _Pair(outer, inner, uses, axes) if uses else None


def _is_whole(index: Index, axis: int, box: Storage, inner: For, b: WordBuilder) -> bool:
    following = axis + 1
    return (
        following < len(index)
        and _is(index[following], inner.var)
        and b.size(box.shape[following]) is inner.extent
    )


def _is(x: Expr, name: str) -> bool:
    return isinstance(x, Var) and x.name == name


def _accesses(s: Stmt) -> Iterator[tuple[str, Index]]:
    """Every element that a statement itself uses; one that stands there twice counts once."""
    if isinstance(s, Store):
        yield s.buffer, s.index
    for x in loads(*expressions(s)):
        yield x.buffer, x.index


def _mentions(x: Expr, names: Sequence[str]) -> bool:
    """Does an expression use one of some variables, otherwise than side by side in an index?"""
    seen: set[int] = set()
    stack = [x]
    while stack:
        e = stack.pop()
        if id(e) in seen:
            continue
        seen.add(id(e))
        if isinstance(e, Var):
            if e.name in names:
                return True
        elif isinstance(e, Load):
            stack.extend(_others(e.index, names))
        else:
            stack.extend(children(e))
    return False


def _others(index: Index, names: Sequence[str]) -> Index:
    """An index without the two variables, where they stand side by side."""
    for k in range(len(index) - 1):
        if len(names) > 1 and _is(index[k], names[0]) and _is(index[k + 1], names[1]):
            return (*index[:k], *index[k + 2 :])
    return index


def _outside_of_pairs(s: Stmt, names: Sequence[str]) -> list[Expr]:
    """What a statement computes, and where it stores that but for the two variables."""
    if isinstance(s, Store):
        return [*_others(s.index, names), s.value]
    return list(expressions(s))


def _rewritten(s: Stmt, found: Mapping[For, _Pair], b: WordBuilder) -> Stmt:
    """A statement with some pairs of loops as one."""
    axes = {n: a for pair in found.values() for n, a in pair.axes.items()}

    def without(name: str, index: Index) -> Index:
        axis = axes.get(name)
        return index if axis is None else (*index[: axis + 1], *index[axis + 2 :])

    def element(x: Expr) -> Expr:
        return Load(x.buffer, without(x.buffer, x.index), x.dtype) if isinstance(x, Load) else x

    if isinstance(s, Store):
        index = tuple(rebuild(i, element) for i in without(s.buffer, s.index))
        return replace(s, index=index, value=rebuild(s.value, element))
    if not isinstance(s, For):
        return with_expressions(s, lambda x: rebuild(x, element))
    pair = found.get(s)
    body = s.body if pair is None else pair.inner.body
    extent = s.extent if pair is None else b.mul(s.extent, pair.inner.extent)
    return replace(s, extent=extent, body=tuple(_rewritten(x, found, b) for x in body))
