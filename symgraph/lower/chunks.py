"""Loops with sums in chunks, which threads may run in any order.

    for i < n: s += f(i)
    --> parallel c < C: { p = 0; for i in chunk c: p += f(i); partial[c] = p };  s += partial[c] ...

The number of chunks depends on sizes alone and partial sums are added in order, so the bits are the
same for any number of threads. Sums are scalars (``Assign``) or, over leading axes, buffers that a
loop before has filled with the start (``Store``). A loop that does anything else across its turns
stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import INT64, DType
from symgraph.loop.ir import (
    Assign,
    Expr,
    Fail,
    For,
    If,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    Update,
    Var,
    While,
    Word,
)
from symgraph.loop.traverse import postorder, rebuild, statements
from symgraph.lower.rows import with_expressions
from symgraph.lower.schedule import Schedule, guess_extent, work_of
from symgraph.lower.stage import Storage
from symgraph.lower.words import WordBuilder

COMBINED = frozenset(("add", "mul", "minimum", "maximum", "and", "or"))
LINE = 64  # elements: chunks of flat loops start at whole cache lines
SUMS_PER_CHUNK = 8  # a chunk of rows is that many times longer than what it adds to


@dataclass(slots=True)
class Sums:
    """What a loop accumulates: locals and buffers, with the word that joins two partial results."""

    locals: dict[str, str] = field(default_factory=dict)
    buffers: dict[str, str] = field(default_factory=dict)


class Place(Protocol):
    """What chunks need of the program that they are written into."""

    @property
    def b(self) -> WordBuilder:
        """The builder of expressions."""
        ...

    @property
    def schedule(self) -> Schedule:
        """The cost model."""
        ...

    def storage(self, name: str) -> Storage:
        """A buffer by its name."""
        ...

    def partial(self, shape: tuple[DimLike, ...], dtype: DType) -> Storage:
        """A new buffer for partial sums."""
        ...


def chunked(block: list[Stmt], place: Place) -> list[Stmt]:
    """Statements of a kernel whose long outermost loops run in chunks."""
    out: list[Stmt] = []
    for s in block:
        made = None
        if isinstance(s, For) and s.kind == "vector":
            made = _Chunking(out, s, place).run()
        if made is None:
            out.append(s)
        else:
            out = made
    return out


@dataclass(slots=True)
class _Chunking:
    before: list[Stmt]
    loop: For
    place: Place

    def run(self) -> list[Stmt] | None:
        """The statements before the loop and the loop, in chunks; None where it stays whole."""
        sums = self._sums()
        if sums is None:
            return None
        fills = {s: name for s in self.before if (name := _filled(s)) in sums.buffers}
        if set(fills.values()) != set(sums.buffers):
            return None
        turns = guess_extent(self.loop.extent)
        inner = work_of(self.loop.body)
        most = self.place.schedule.most_chunks
        if sums.buffers:
            most = min(most, turns // SUMS_PER_CHUNK)
        count = min(most, turns * inner // self.place.schedule.chunk_work)
        if count < 2:
            return None
        return self._written(sums, fills, count, turns)

    def _sums(self) -> Sums | None:
        """What the loop accumulates; None if it does more across its turns."""
        found = Sums()
        outside = {s.name: s for s in self.before if isinstance(s, Let)}
        inner = list(statements(self.loop.body))
        if any(isinstance(s, Fail | While | If) for s in inner):
            return None
        for s in inner:
            if isinstance(s, Assign) and s.name in outside:
                word = _joins_local(s)
                if word is None or found.locals.setdefault(s.name, word) != word:
                    return None
            elif isinstance(s, Store | Update) and not _mentions(s.index, self.loop.var):
                word = _UPDATES.get(s.op) if isinstance(s, Update) else _joins_element(s)
                if word is None or found.buffers.setdefault(s.buffer, word) != word:
                    return None
        rows = {s.name for s in inner if isinstance(s, Local)}
        found.buffers = {n: w for n, w in found.buffers.items() if n not in rows}
        return found

    def _written(self, sums: Sums, fills: dict[Stmt, str], count: int, turns: int) -> list[Stmt]:
        b, loop = self.place.b, self.loop
        length = -(-turns // count)
        is_flat = not any(isinstance(s, For) for s in loop.body)
        length = -(-length // LINE) * LINE if is_flat else length
        count = -(-turns // length)
        chunk, first = f"c_{loop.var}", f"first_{loop.var}"
        size: Expr = b.const(length)
        if not isinstance(loop.extent, type(size)):  # a symbol: as many chunks, of its own length
            size = b.word("floordiv", (b.add(loop.extent, count - 1), b.const(count)), INT64)
        start = b.mul(b.var(chunk), size)
        left = b.sub(loop.extent, b.var(first))
        inner: list[Stmt] = [Let(first, start)]
        boxes: dict[str, Storage] = {}
        for fill, name in fills.items():
            whole = self.place.storage(name)
            boxes[name] = self.place.partial((count, *whole.shape), whole.dtype)
            inner.append(_redirected(fill, name, boxes[name].name, b.var(chunk)))
        lets = {s.name: s for s in self.before if isinstance(s, Let)}
        own = {name: f"part_{name}" for name in sums.locals}
        inner += [Let(own[name], lets[name].value) for name in sums.locals]
        turn = f"j_{loop.var}"
        body: list[Stmt] = [Let(loop.var, b.add(b.var(first), b.var(turn)))]
        for s in loop.body:
            for name, box in boxes.items():
                s = _redirected(s, name, box.name, b.var(chunk))
            body.append(_renamed(s, own))
        extent = b.word("minimum", (size, left), INT64)
        exact = isinstance(loop.extent, type(size)) and turns == count * length
        inner.append(For(turn, size if exact else extent, tuple(body), loop.kind))
        after: list[Stmt] = []
        for name, word in sums.locals.items():
            dtype = lets[name].value.dtype
            box = self.place.partial((count,), dtype)
            inner.append(Store(box.name, (b.var(chunk),), Var(own[name], dtype)))
            part = b.load(box.name, (b.var(chunk),), dtype)
            after.append(Assign(name, b.word(word, (Var(name, dtype), part), dtype)))
        joined = [For(chunk, b.const(count), tuple(after), "serial")] if after else []
        for fill, name in fills.items():
            join = _joined(fill, name, boxes[name].name, sums.buffers[name], b, chunk)
            joined.append(For(chunk, b.const(count), (join,), "serial"))
        return [*self.before, For(chunk, b.const(count), tuple(inner), "parallel"), *joined]


_UPDATES = {"add": "add", "mul": "mul", "min": "minimum", "max": "maximum"}


def _joins(value: Expr, is_old: Callable[[Expr], bool]) -> str | None:
    """The word that combines the old value with another: ``old + x``."""
    if isinstance(value, Word) and value.name in COMBINED and len(value.args) == 2:
        old = [is_old(a) for a in value.args]
        return value.name if sum(old) == 1 else None
    return None


def _joins_local(s: Assign) -> str | None:
    return _joins(s.value, lambda e: isinstance(e, Var) and e.name == s.name)


def _joins_element(s: Store) -> str | None:
    def is_old(e: Expr) -> bool:
        return isinstance(e, Load) and e.buffer == s.buffer and e.index == s.index

    return _joins(s.value, is_old)


def _mentions(index: Sequence[Expr], name: str) -> bool:
    return any(isinstance(e, Var) and e.name == name for e in postorder(*index))


def _filled(s: Stmt) -> str | None:
    """The buffer that a loop over its elements, or one store, fills and does nothing else."""
    while isinstance(s, For) and len(s.body) == 1:
        s = s.body[0]
    is_fill = isinstance(s, Store) and not any(isinstance(e, Load) for e in postorder(s.value))
    return s.buffer if isinstance(s, Store) and is_fill else None


def _redirected(s: Stmt, name: str, box: str, lead: Expr) -> Stmt:
    """A statement on a chunk's own copy of a buffer."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Load) and e.buffer == name:
            return Load(box, (lead, *e.index), e.dtype)
        return e

    if isinstance(s, Store | Update) and s.buffer == name:
        s = replace(s, buffer=box, index=(lead, *s.index))
    made = with_expressions(s, lambda x: rebuild(x, change))
    if isinstance(made, For):
        body = tuple(_redirected(x, name, box, lead) for x in made.body)
        return replace(made, body=body)
    return made


def _renamed(s: Stmt, names: dict[str, str]) -> Stmt:
    """A statement on a chunk's own locals."""

    def change(e: Expr) -> Expr:
        return Var(names[e.name], e.dtype) if isinstance(e, Var) and e.name in names else e

    made = with_expressions(s, lambda x: rebuild(x, change))
    if isinstance(made, Assign):
        return replace(made, name=names.get(made.name, made.name))
    if isinstance(made, For):
        return replace(made, body=tuple(_renamed(x, names) for x in made.body))
    return made


def _joined(s: Stmt, name: str, box: str, word: str, b: WordBuilder, chunk: str) -> Stmt:
    """The loop that filled a buffer as one that adds a chunk's part to it."""
    if isinstance(s, For):
        return replace(s, body=tuple(_joined(x, name, box, word, b, chunk) for x in s.body))
    assert isinstance(s, Store)
    dtype = s.value.dtype
    old = b.load(name, s.index, dtype)
    part = b.load(box, (b.var(chunk), *s.index), dtype)
    return Store(name, s.index, b.word(word, (old, part), dtype))
