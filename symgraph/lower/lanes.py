"""Short rows turned: points become lanes, where a loop over many rows holds loops of a few turns.

    for i < n: m = -inf; for k < 10: m = max(m, x[i, k]); ...
    --> for blocks of rows: for l: for k: x_l[k, l] = x[first + l, k]
                            for l: m[l] = -inf
                            for k < 10: for l: m[l] = max(m[l], x_l[k, l]); ...

A row of ten numbers fills no vector twice, each of its sums ends with a dozen shuffles, and what is
done once a row (a logarithm, a division) is done one by one. With rows as lanes all of that is
plain vector code, at the price of copying what is stored row by row into a tile, and back. Turns of
the outer loop are independent, so each statement may be done for all rows of a block before the
next one; sums of a row are then added in their own order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from symgraph.ir.dtype import INT64, DType
from symgraph.loop.ir import (
    Assign,
    Const,
    Expr,
    For,
    Let,
    Load,
    Local,
    Stmt,
    Store,
    Update,
    Var,
    Word,
)
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import expressions, postorder, rebuild, statements, substitute
from symgraph.loop.words import WORDS
from symgraph.lower.demand import COSTLY
from symgraph.lower.rows import accesses, with_expressions
from symgraph.lower.schedule import Schedule, guess_extent
from symgraph.lower.sums import joined_element
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass, field

FEWEST_TURNS = 3
ROW_BYTES = 160  # of a short row: beyond, vectors along it are as good
TILE_BYTES = 96 << 10  # of all tiles of a block
FOLD_COST, COSTLY_COST, COPY_COST = 10, 30, 1  # cycles, about
Key = tuple[str, ...]  # of a tile: the buffer, how many turns, and the index as text
Keys = dict[str, list[Key | None]]
_TRAPS = frozenset(("floordiv", "mod", "div"))  # of whole numbers
_INDEX = "k"  # the name of any inner loop's variable in keys


def with_lanes(block: Iterable[Stmt], b: WordBuilder, schedule: Schedule) -> list[Stmt]:
    """Statements whose loops over many short rows take rows as lanes, where that pays."""
    if not schedule.lane_rows:
        return list(block)
    out: list[Stmt] = []
    for s in block:
        made = _turned(s, b, schedule) if isinstance(s, For) else None
        if made is None and isinstance(s, For):
            made = replace(s, body=tuple(with_lanes(s.body, b, schedule)))
        out.append(made or s)
    return out


def _turned(loop: For, b: WordBuilder, schedule: Schedule) -> For | None:
    """A loop over short rows with rows as lanes; None where it is none, or nothing is gained."""
    if loop.kind == "serial" or guess_extent(loop.extent) < schedule.lane_rows:
        return None
    shorts = [s for s in loop.body if isinstance(s, For)]
    if not shorts or not all(map(_is_short, shorts)):
        return None
    if not all(isinstance(s, Let | Assign | Store | Update | Local | For) for s in loop.body):
        return None
    found = _Rows(loop, b, schedule.lane_bytes)
    if not found.settle() or not found.pays(shorts):
        return None
    return found.written()


def _is_short(s: For) -> bool:
    plain = all(isinstance(x, Let | Assign | Store | Update) for x in s.body)
    return plain and isinstance(s.extent, Const) and guess_extent(s.extent) >= FEWEST_TURNS


@dataclass(slots=True)
class _Tile:
    """What an element of each turn of short loops is in a block: one copy of it for each row."""

    name: str
    buffer: str
    index: tuple[Expr, ...]  # in terms of the row and of ``_INDEX``
    dtype: DType
    turns: int
    first: For  # the loop that uses it first
    is_copied: bool  # is it read before it is stored?
    is_stored: bool = False


@dataclass(slots=True)
class _Rows:
    """A loop over rows on its way to blocks of rows."""

    loop: For
    b: WordBuilder
    block_bytes: int
    places: dict[str, Let] = field(default_factory=dict)  # integers that are only indices
    numbers: dict[str, Let] = field(default_factory=dict)  # what else a row computes once
    changed: set[str] = field(default_factory=set)  # of these, those that are assigned to
    rows: dict[str, Local] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)  # numbers that several loops over lanes use
    tiles: dict[Key, _Tile] = field(default_factory=dict)
    sums: set[str] = field(default_factory=set)  # buffers that add up over rows
    length: int = 0

    # ------------------------------------------------------------ what there is

    def settle(self) -> bool:
        """Find numbers, tiles and sums; False where something forbids lanes."""
        changed = {t.name for t in statements(self.loop.body) if isinstance(t, Assign)}
        for s in self.loop.body:
            if isinstance(s, Let):
                is_place = s.value.dtype == INT64 and s.name not in changed
                is_place &= not any(
                    isinstance(e, Load) or (isinstance(e, Var) and e.name in self.numbers)
                    for e in postorder(s.value)
                )
                (self.places if is_place else self.numbers)[s.name] = s
            elif isinstance(s, Local):
                self.rows[s.name] = s
        self.changed = changed & set(self.numbers)
        sizes = [x.value.dtype.itemsize for x in self.numbers.values()]
        sizes += [x.dtype.itemsize for x in self.rows.values()]
        self.length = self.block_bytes // min((s for s in sizes if s >= 4), default=8)
        self.shared = self._shared() | self.changed
        return self._settle_buffers()

    def _shared(self) -> set[str]:
        """Numbers that another loop over lanes uses than the one that makes them."""
        found: set[str] = set()
        made: set[str] = set()
        for s in self.loop.body:
            if isinstance(s, For):
                made = set()
            used = {
                e.name
                for t in (s.body if isinstance(s, For) else (s,))
                for e in postorder(*expressions(t))
                if isinstance(e, Var)
            }
            found |= (used & set(self.numbers)) - made
            if isinstance(s, Let):
                made.add(s.name)
        return found

    def _settle_buffers(self) -> bool:
        shorts = [s for s in self.loop.body if isinstance(s, For)]
        stored = {t.buffer for s in shorts for t in s.body if isinstance(t, Store | Update)} - set(
            self.rows
        )
        written: Keys = {name: [] for name in stored}
        if not all(self._settle_statement(s, t, written) for s in shorts for t in s.body):
            return False
        others = [s for s in self.loop.body if not isinstance(s, For)]
        outside = {n for n, _ in accesses(others)}
        changed = {s.buffer for s in others if isinstance(s, Store | Update)}
        if any(t.buffer in changed for t in self.tiles.values()):
            return False
        return all(self._is_settled(n, keys, n in outside) for n, keys in written.items())

    def _is_settled(self, name: str, keys: Sequence[Key | None], is_outside: bool) -> bool:
        """Is what short loops store in one tile, or one sum, or all in its place?"""
        if name in self.sums:
            return len(keys) == 1 and not is_outside
        return not any(keys) or (len(set(keys)) == 1 and not is_outside)

    def _settle_statement(self, s: For, t: Stmt, written: Keys) -> bool:
        """Tiles and sums of a statement of a short loop."""
        own: Load | None = None
        if isinstance(t, Store | Update) and t.buffer in written:
            row, turn, local = self._parts(t.index, s)
            if not row:
                joined = joined_element(t)
                if joined is None or local:
                    return False
                self.sums.add(t.buffer)
                written[t.buffer].append(None)
                own = joined[1]
            elif local or not turn:
                return False
        for e in postorder(*expressions(t)):
            if isinstance(e, Load) and e is not own and e.buffer not in self.rows:
                if self._is_looked_up(e.index, s):
                    return False
                key = self._tiled(s, e.buffer, e.index, e.dtype, is_load=True)
                if e.buffer in written:
                    written[e.buffer].append(key)
        if isinstance(t, Store | Update) and t.buffer in written and t.buffer not in self.sums:
            is_load = isinstance(t, Update)
            key = self._tiled(s, t.buffer, t.index, t.value.dtype, is_load)
            if key is not None:
                self.tiles[key].is_stored = True
            written[t.buffer].append(key)
        return True

    def _is_looked_up(self, index: Sequence[Expr], s: For) -> bool:
        """Is it in a row that is found by values? Along it elements are neighbours, not across."""
        names = {e.name for e in postorder(*index) if isinstance(e, Var)}
        return s.var in names and bool(names & set(self.numbers))

    def _parts(self, index: Sequence[Expr], s: For) -> tuple[bool, bool, bool]:
        """Does an index depend on the row, on the turn of a short loop, on its locals?"""
        names = {e.name for e in postorder(*index) if isinstance(e, Var)}
        row = bool(names & {self.loop.var, *self.places, *self.numbers})
        local = bool(names & {t.name for t in s.body if isinstance(t, Let)})
        return row, s.var in names, local

    def _tiled(
        self, s: For, buffer: str, index: tuple[Expr, ...], dtype: DType, is_load: bool
    ) -> Key | None:
        """The key of the tile of an element; None where it is read or written in its place."""
        row, turn, local = self._parts(index, s)
        if not row or not turn or local:
            return None
        if self._parts(index[-1:], s)[0] and not self._parts(index[:-1], s)[0]:
            return None  # neighbours are neighbouring rows
        to_key = {s.var: self.b.var(_INDEX)}
        found = tuple(substitute(x, to_key) for x in index)
        key = (buffer, str(guess_extent(s.extent)), *map(show_expr, found))
        if key not in self.tiles:
            name = f"lanes{len(self.tiles)}_{buffer}"
            turns = guess_extent(s.extent)
            self.tiles[key] = _Tile(name, buffer, found, dtype, turns, s, is_load)
        return key

    def pays(self, shorts: Sequence[For]) -> bool:
        """Do lanes cost less than shuffles, and numbers that are computed one by one?

        Points that have no sums of their own, but add to others, are worth it for those numbers.
        """
        widest = max(guess_extent(s.extent) for s in shorts) * self.block_bytes // self.length
        tiles = [t.turns * t.dtype.itemsize for t in self.tiles.values()]
        tiles += [r.shape[0] * r.dtype.itemsize for r in self.rows.values() if r.shape]
        if sum(tiles) * self.length > TILE_BYTES or widest > ROW_BYTES:
            return False
        folds = sum(isinstance(t, Assign) for s in shorts for t in s.body)
        once = sum(_costly(s) for s in self.loop.body if not isinstance(s, For))
        copies = sum(t.turns * (t.is_copied + t.is_stored) for t in self.tiles.values())
        return FOLD_COST * folds + COSTLY_COST * once > COPY_COST * copies

    # ------------------------------------------------------------ how it is written

    def written(self) -> For:
        """The loop over blocks of rows."""
        b, loop = self.b, self.loop
        block = b.var(f"b_{loop.var}")
        length = b.const(self.length)
        first = f"first_b_{loop.var}"
        blocks = b.word("floordiv", (b.add(loop.extent, self.length - 1), length), INT64)
        body: list[Stmt] = [Let(first, b.mul(block, length))]
        body += [replace(r, shape=(*r.shape, self.length)) for r in self.rows.values()]
        body += [Local(t.name, t.dtype, (t.turns, self.length)) for t in self.tiles.values()]
        for name in self.numbers:
            if name in self.shared:
                body.append(Local(f"lanes_{name}", self.numbers[name].value.dtype, (self.length,)))
        body += self._segments()
        body += [self._copy(t, out=True) for t in self.tiles.values() if t.is_stored]
        return For(f"b_{loop.var}", blocks, tuple(body), loop.kind)

    def _segments(self) -> list[Stmt]:
        out: list[Stmt] = []
        run: list[Stmt] = []
        for s in self.loop.body:
            if isinstance(s, For):
                out += self._lanes(run)
                run = []
                out += [self._copy(t) for t in self.tiles.values() if t.first is s and t.is_copied]
                out.append(self._short(s))
            elif not isinstance(s, Local) and not (isinstance(s, Let) and s.name in self.places):
                run.append(s)
        return out + self._lanes(run)

    def _short(self, s: For) -> Stmt:
        """A short loop with a loop over lanes inside."""
        before: list[Stmt] = []
        after: list[Stmt] = []
        inner: list[Stmt] = []
        for t in s.body:
            joined = joined_element(t) if isinstance(t, Store | Update) else None
            if isinstance(t, Store | Update) and t.buffer in self.sums and joined is not None:
                word, own, value = joined
                name = f"sum_{t.buffer}"
                dtype = t.value.dtype
                before.append(Let(name, own))
                new = self.b.word(word, (self.b.var(name, dtype), value), dtype)
                inner.append(Assign(name, new))
                after.append(Store(t.buffer, t.index, self.b.var(name, dtype)))
            else:
                inner.append(t)
        loops = self._lanes(inner, s)
        return For(s.var, s.extent, (*before, *loops, *after), "serial")

    def _lanes(self, block: Sequence[Stmt], short: For | None = None) -> list[Stmt]:
        """A loop over the rows of a block."""
        if not block:
            return []
        own = {s.name for s in block if isinstance(s, Let)} - self.changed
        inner: list[Stmt] = []
        for s in block:
            inner += self._statement(s, own, short)
        return [self._loop(inner)]

    def _loop(self, inner: Sequence[Stmt], kind: str = "vector") -> For:
        b, var = self.b, self.loop.var
        needed = {e.name for s in inner for e in _variables(s)}
        places: list[Stmt] = []
        for name, let in reversed(self.places.items()):
            if name in needed:
                places.insert(0, let)
                needed |= {e.name for e in _variables(let)}
        if var in needed:
            row = b.add(b.var(f"first_b_{var}"), b.var(f"l_{var}"))
            places.insert(0, Let(var, row))
        body = (*places, *inner)
        length = b.const(self.length)
        if self._may_idle(body):
            return For(f"l_{var}", length, body, kind)
        left = b.sub(self.loop.extent, b.var(f"first_b_{var}"))
        return For(f"l_{var}", b.word("minimum", (length, left), INT64), body, kind)

    def _may_idle(self, body: Sequence[Stmt]) -> bool:
        """May lanes without a row be computed too? Nobody reads them, and no lane is left over.

        So it is where all that depends on the lane stays in the block, and no word could stop the
        program or take long for what happens to be in memory.
        """
        inside = {f"lanes_{n}" for n in self.numbers} | set(self.rows)
        inside |= {t.name for t in self.tiles.values()}
        own = {f"l_{self.loop.var}", *(s.name for s in body if isinstance(s, Let))}
        stores = [s for s in body if not isinstance(s, Let)]
        if not all(isinstance(s, Store) and s.buffer in inside for s in stores):
            return False
        nodes = list(postorder(*(x for s in body for x in expressions(s))))
        if any(isinstance(e, Word) and _may_stop(e) for e in nodes):
            return False
        outside = [e for e in nodes if isinstance(e, Load) and e.buffer not in inside]
        places = postorder(*(x for e in outside for x in e.index))
        return not any(isinstance(x, Var) and x.name in own for x in places)

    def _statement(self, s: Stmt, own: set[str], short: For | None) -> list[Stmt]:
        """A statement for one lane; numbers of the row that other loops use are stored."""
        lane = self.b.var(f"l_{self.loop.var}")
        if isinstance(s, Store | Update):
            index = tuple(self._expr(x, own, short) for x in s.index)
            value = self._expr(s.value, own, short)
            tile = self._tile_of(s.buffer, s.index, short)
            if s.buffer in self.rows:
                return [replace(s, index=(*index, lane), value=value)]
            if tile is not None and short is not None:
                return [
                    replace(s, buffer=tile.name, index=(self.b.var(short.var), lane), value=value)
                ]
            return [replace(s, index=index, value=value)]
        made = with_expressions(s, lambda x: self._expr(x, own, short))
        if isinstance(made, Let | Assign) and made.name in self.shared:
            if made.name in self.changed:
                return [Store(f"lanes_{made.name}", (lane,), made.value)]
            return [made, Store(f"lanes_{made.name}", (lane,), Var(made.name, made.value.dtype))]
        return [made]

    def _tile_of(self, buffer: str, index: tuple[Expr, ...], short: For | None) -> _Tile | None:
        if short is None:
            return None
        to_key = {short.var: self.b.var(_INDEX)}
        shown = (show_expr(substitute(x, to_key)) for x in index)
        return self.tiles.get((buffer, str(guess_extent(short.extent)), *shown))

    def _expr(self, x: Expr, own: set[str], short: For | None) -> Expr:
        b = self.b
        lane = b.var(f"l_{self.loop.var}")

        def change(e: Expr) -> Expr:
            if isinstance(e, Var) and e.name in self.shared and e.name not in own:
                return b.load(f"lanes_{e.name}", (lane,), e.dtype)
            if not isinstance(e, Load):
                return e
            if e.buffer in self.rows:
                return b.load(e.buffer, (*e.index, lane), e.dtype)
            tile = self._tile_of(e.buffer, e.index, short)
            if tile is not None and short is not None:
                return b.load(tile.name, (b.var(short.var), lane), e.dtype)
            return e

        return rebuild(x, change)

    def _copy(self, tile: _Tile, out: bool = False) -> Stmt:
        """A tile from its buffer, or back."""
        b = self.b
        turn, lane = b.var(_INDEX + "_" + tile.name), b.var(f"l_{self.loop.var}")
        at = {_INDEX: turn}
        index = tuple(self._expr(substitute(x, at), set(), None) for x in tile.index)
        place = (turn, lane)
        if out:
            copied: Stmt = Store(tile.buffer, index, b.load(tile.name, place, tile.dtype))
        else:
            copied = Store(tile.name, place, b.load(tile.buffer, index, tile.dtype))
        inner = For(f"{_INDEX}_{tile.name}", b.const(tile.turns), (copied,), "serial")
        return self._loop([inner], "serial")


def _variables(s: Stmt) -> list[Var]:
    """Variables in a statement and in the loop that it may be."""
    inner = s.body if isinstance(s, For) else (s,)
    return [e for t in inner for e in postorder(*expressions(t)) if isinstance(e, Var)]


def _may_stop(e: Word) -> bool:
    """Is it a slow form, or a division that a processor refuses?"""
    return e.name not in WORDS or (e.name in _TRAPS and e.dtype.kind != "f")


def _costly(s: Stmt) -> int:
    """Divisions and elementary functions of a statement."""
    nodes = postorder(*expressions(s))
    return sum(isinstance(e, Word) and (e.name in COSTLY or e.name == "div") for e in nodes)
