"""Rows scattered by several threads: each part of the target has one owner, who goes through all.

    y[...] = start;  serial i < n: r = at[i]; for j: y[r, j] += x[i, j];  s = sum of f(i, j)
    --> parallel p < P: y[rows of p] = start; t = 0
            for each block of turns: mine = those i whose r is of p
                serial i in mine: r = at[i]; t += sum of f(i, j); for j: y[r, j] += x[i, j]
            part[p] = t;  s = sum of part[p]

A row gets its terms in the same order as before, so the bits are the same, on any number of
threads; no atomics, no copies of the target. Each owner reads all indices, which is worth it where
a row is longer than that. An owner fills its part first, while it fits into a cache; and what is
added up over the same indices (a loss, of which this is the gradient) is added where its operands
are at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from symgraph.ir.dim import product
from symgraph.ir.dtype import FLOAT64, INT64
from symgraph.loop.ir import Assign, Expr, Fail, For, Let, Load, Local, Stmt, Store, Update, Var
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import expressions, postorder, statements
from symgraph.lower.chunks import Place
from symgraph.lower.long_sums import added, settled
from symgraph.lower.members import Item
from symgraph.lower.nest import buffers_written
from symgraph.lower.rows import accesses
from symgraph.lower.schedule import guess_extent, work_of
from symgraph.lower.sums import Sums, renamed_locals, sums_of
from symgraph.records import dataclass

OWNERS, FEW_OWNERS, TWO_OWNERS = 8, 4, 2
SHORT_ROW = 2048  # cheap operations of a row for which fewer owners read all indices
NARROW_ROW = 32  # elements of a row, where that is known: four owners read indices for as long
LEAST_ROW = 32  # cheap operations of a row: reading and comparing an index costs a few
BLOCK = 512  # turns looked through at once; their numbers stay in the first cache
LEAST_WORK = 1 << 18  # of all rows; waking a thread takes a few microseconds


@dataclass(frozen=True, slots=True)
class _Scatter:
    """A serial loop that writes rows of one buffer, at the value of a local."""

    loop: For
    store: Store | Update
    row: Var
    needed: frozenset[str]  # locals that the row is computed from, and itself
    owners: int


@dataclass(frozen=True, slots=True)
class _Total:
    """A kernel that adds up locals over a loop."""

    before: tuple[Stmt, ...]
    loop: For
    after: tuple[Stmt, ...]
    sums: Sums


def with_owners(
    items: Sequence[Item],
    place: Callable[[Item], Place],
    remade: Callable[[list[Stmt], Sequence[Item]], Item],
) -> list[Item]:
    """Items in which serial loops over rows are done by owners, with what can go along."""
    made: list[Item | None] = list(items)
    for k, item in enumerate(items):
        found = [(s, _scatter_of(s)) for s in item.statements]
        scatters = [(s, f) for s, f in found if f is not None]
        if len(scatters) != 1:
            continue
        ((loop, scatter),) = scatters
        is_alone = len(item.statements) == 1
        fill = _fill_before(made, k, scatter) if is_alone else None
        total = _total_before(made, k, scatter, fill) if is_alone else None
        joined = [made[j] for j in (total, fill) if j is not None]
        others = [i for i in joined if i is not None]
        writer = _Writer(
            place(item),
            scatter,
            None if fill is None else _fill_loop(made[fill], scatter),
            None if total is None else _total_of(made[total]),
        )
        owned = writer.statements()
        new = [x for s in item.statements for x in (owned if s is loop else [s])]
        made[k] = remade(new, (*others, item))
        for j in (fill, total):
            if j is not None:
                made[j] = None
    return [i for i in made if i is not None]


# ---------------------------------------------------------------- what there is


def _scatter_of(loop: Stmt) -> _Scatter | None:
    if not isinstance(loop, For) or loop.kind != "serial":
        return None
    written = [s for s in statements(loop.body) if isinstance(s, Store | Update)]
    if len(written) != 1 or not all(isinstance(s, Let | For | Store | Update)
                                    for s in statements(loop.body)):  # fmt: skip
        return None
    (store,) = written
    lets = {s.name: s.value for s in loop.body if isinstance(s, Let)}
    row = store.index[0] if store.index else None
    if not isinstance(row, Var) or row.name not in lets or row.dtype != INT64:
        return None
    if _reads(loop, store.buffer):
        return None
    work = work_of([s for s in loop.body if isinstance(s, For)])
    if work < LEAST_ROW or work * guess_extent(loop.extent) < LEAST_WORK:
        return None
    owners = FEW_OWNERS if work < SHORT_ROW else OWNERS
    return _Scatter(loop, store, row, _needed(row.name, lets), owners)


def _reads(loop: For, buffer: str) -> bool:
    nodes = (x for s in statements(loop.body) for e in expressions(s) for x in postorder(e))
    return any(isinstance(x, Load) and x.buffer == buffer for x in nodes)


def _needed(name: str, lets: dict[str, Expr]) -> frozenset[str]:
    """The locals that a local is computed from, and itself."""
    found, wanted = set[str](), [name]
    while wanted:
        name = wanted.pop()
        if name in lets and name not in found:
            found.add(name)
            wanted += [x.name for x in postorder(lets[name]) if isinstance(x, Var)]
    return frozenset(found)


def _fill_before(items: Sequence[Item | None], k: int, scatter: _Scatter) -> int | None:
    """The item before that does nothing but fill the target, row by row."""
    for j in range(k - 1, -1, -1):
        item = items[j]
        if item is not None and scatter.store.buffer in item.writes:
            if _fill_loop(item, scatter) is None or _is_needed_between(items, j, k, item):
                return None
            return j
    return None


def _fill_loop(item: Item | None, scatter: _Scatter) -> For | None:
    if item is None or len(item.statements) != 1 or item.steps:
        return None
    (loop,) = item.statements
    buffer = scatter.store.buffer
    if not isinstance(loop, For) or buffers_written((loop,)) != {buffer}:
        return None
    if any(not isinstance(s, Let | For | Store) for s in statements(loop.body)):
        return None
    uses = [index for name, index in accesses((loop,)) if name == buffer]
    is_row = len(uses) == 1 and isinstance(uses[0][0], Var) and uses[0][0].name == loop.var
    return loop if is_row else None


def _total_before(
    items: Sequence[Item | None], k: int, scatter: _Scatter, fill: int | None
) -> int | None:
    """The item before that adds up locals over the same turns, and that can wait for them."""
    for j in range(k - 1, -1, -1):
        item = items[j]
        total = None if j == fill else _total_of(item)
        if total is None or item is None or not _is_equal(total.loop.extent, scatter.loop.extent):
            continue
        reads = {x.buffer for s in statements((scatter.loop,)) for e in expressions(s)
                 for x in postorder(e) if isinstance(x, Load)}  # fmt: skip
        if item.writes & reads or scatter.store.buffer in item.reads | item.writes:
            continue
        shared = {e.buffer for s in statements(total.loop.body) for x in expressions(s)
                  for e in postorder(x) if isinstance(e, Load)}  # fmt: skip
        if shared & reads and not _is_needed_between(items, j, k, item):
            return j
    return None


def _total_of(item: Item | None) -> _Total | None:
    if item is None or item.steps:
        return None
    loops = [n for n, s in enumerate(item.statements) if isinstance(s, For)]
    if len(loops) != 1:
        return None
    loop = item.statements[loops[0]]
    assert isinstance(loop, For)
    before, after = item.statements[: loops[0]], item.statements[loops[0] + 1 :]
    sums = sums_of(before, loop, (loop.var,)) if loop.kind == "vector" else None
    is_plain = sums is not None and sums.locals and not sums.buffers
    if not is_plain or sums is None or buffers_written(loop.body):
        return None
    if any(not isinstance(s, Let | For | Assign) for s in statements(loop.body)):
        return None
    if any(isinstance(s, Fail) for s in statements(after)):
        return None  # a check of indices: those of no row have no owner, and others read by them
    return _Total(before, loop, after, sums)


def _is_needed_between(items: Sequence[Item | None], first: int, last: int, item: Item) -> bool:
    """Must an item come before one of those after it?"""
    between = [i for i in items[first + 1 : last] if i is not None]
    return item.conflicts(between)


# ---------------------------------------------------------------- what is made of it


@dataclass(slots=True)
class _Writer:
    """The loop over owners."""

    place: Place
    scatter: _Scatter
    fill: For | None
    total: _Total | None

    @property
    def count(self) -> int:
        """How many owners: known, so that loops over owners are short ones of known length."""
        row = product(self.place.storage(self.scatter.store.buffer).shape[1:])
        is_narrow = isinstance(row, int) and row <= NARROW_ROW
        return TWO_OWNERS if is_narrow else self.scatter.owners

    def statements(self) -> list[Stmt]:
        """All that replaces the scatter, the fill and the sums."""
        b, loop, count = self.place.b, self.scatter.loop, self.count
        owner, start, end = (b.var(f"{x}_{loop.var}") for x in ("owner", "start", "end"))
        rows = b.size(self.place.storage(self.scatter.store.buffer).shape[0])
        length = b.word("floordiv", (b.add(rows, count - 1), b.const(count)), INT64)
        body: list[Stmt] = [
            Let(f"start_{loop.var}", b.mul(owner, length)),
            Let(f"end_{loop.var}", b.word("minimum", (b.add(start, length), rows), INT64)),
        ]
        if self.fill is not None:
            body.append(self._filled(self.fill, start, end))
        turns, stored, joined = self._summed(owner)
        is_mine = b.and_(b.ge(self.scatter.row, start), b.lt(self.scatter.row, end))
        first = [s for s in loop.body if self._is_needed(s)]
        rest = [s for s in loop.body if not self._is_needed(s)]
        starts, inner = turns
        mine = _one_after_other(inner, rest, self.scatter.store)
        body += [*starts, *self._picked(first, is_mine, mine), *stored]
        before = self.total.before if self.total else ()
        after = self.total.after if self.total else ()
        owners = For(f"owner_{loop.var}", b.const(count), tuple(body), "parallel")
        return [*before, owners, *joined, *after]

    def _picked(
        self, first: Sequence[Stmt], is_mine: Expr, then: Sequence[Stmt]
    ) -> tuple[Stmt, Stmt]:
        """The loop over all turns: of each block, those that are the owner's, and then they alone.

        Which turn is whose is as good as random, so a branch is missed at every second row; here
        there is none: a turn's number is always stored, and counted where it is the owner's.
        """
        b, loop = self.place.b, self.scatter.loop
        block, turn, one, many, box, start = (
            f"{x}_{loop.var}" for x in ("b", "t", "k", "many", "mine", "from")
        )
        length = b.word("minimum", (b.const(BLOCK), b.sub(loop.extent, b.var(start))), INT64)
        look = (
            Let(loop.var, b.add(b.var(start), b.var(turn))),
            *first,
            Store(box, (b.var(many),), b.var(loop.var)),
            Assign(many, b.add(b.var(many), b.cast(is_mine, INT64))),
        )
        do = (Let(loop.var, b.load(box, (b.var(one),), INT64)), *first, *then)
        each = (
            Let(start, b.mul(b.var(block), BLOCK)),
            Let(many, b.const(0)),
            For(turn, length, look),
            For(one, b.var(many), do),
        )
        blocks = b.word("floordiv", (b.add(loop.extent, BLOCK - 1), b.const(BLOCK)), INT64)
        return Local(box, INT64, (BLOCK,)), For(block, blocks, each)

    def _is_needed(self, s: Stmt) -> bool:
        return isinstance(s, Let) and s.name in self.scatter.needed

    def _filled(self, fill: For, start: Expr, end: Expr) -> For:
        b = self.place.b
        count = b.word("maximum", (b.sub(end, start), b.const(0)), INT64)
        turn = f"f_{fill.var}"
        index = Let(fill.var, b.add(start, b.var(turn)))
        return For(turn, count, (index, *fill.body), fill.kind)

    def _summed(self, owner: Expr) -> tuple[tuple[list[Stmt], list[Stmt]], list[Stmt], list[Stmt]]:
        """Of the sums: what starts them and adds a turn, what stores them, what joins them."""
        if self.total is None:
            return ([], []), [], []
        b, total, var = self.place.b, self.total, self.scatter.loop.var
        own = {name: f"part_{name}" for name in total.sums.locals}
        starts: list[Stmt] = [Let(own[n], total.sums.starts[n].value) for n in own]
        inner: list[Stmt] = [renamed_locals(s, own) for s in total.loop.body]
        if total.loop.var != var:
            inner.insert(0, Let(total.loop.var, b.var(var)))
        stored: list[Stmt] = []
        turn: list[Stmt] = []
        lost: list[Stmt] = []
        ends: list[Stmt] = []
        for name, word in total.sums.locals.items():
            dtype = total.sums.starts[name].value.dtype
            box = self.place.partial((self.count,), dtype).name
            stored.append(Store(box, (owner,), b.var(own[name], dtype)))
            part = b.load(box, (owner,), dtype)
            if word == "add" and dtype == FLOAT64:
                lost.append(Let(f"lost_{name}", b.const(0.0, FLOAT64)))
                turn += added(name, f"lost_{name}", part, b)
                ends += settled(name, f"lost_{name}", b)
            else:
                turn.append(Assign(name, b.word(word, (Var(name, dtype), part), dtype)))
        join = For(f"owner_{var}", b.const(self.count), tuple(turn), "serial")
        return (starts, inner), stored, [*lost, join, *ends]


def _one_after_other(
    first: Sequence[Stmt], then: Sequence[Stmt], store: Store | Update
) -> tuple[Stmt, ...]:
    """Statements of which the last and the first loop are one, where they have the same turns.

    A turn of the second loop stores one element of a row: the order of its turns is free.
    """
    loops = [s for s in then if isinstance(s, For)]
    last = first[-1] if first else None
    if len(loops) != 1 or not isinstance(last, For) or not _is_same_loop(last, loops[0]):
        return (*first, *then)
    *_, place = store.index
    if not isinstance(place, Var) or place.name != last.var:
        return (*first, *then)
    joined = replace(last, body=(*last.body, *loops[0].body))
    lets = [s for s in then if s is not loops[0]]
    return (*first[:-1], *lets, joined)


def _is_same_loop(x: For, y: For) -> bool:
    inner = any(isinstance(s, For) for s in (*x.body, *y.body))
    return x.var == y.var and x.kind == "vector" and _is_equal(x.extent, y.extent) and not inner


def _is_equal(x: Expr, y: Expr) -> bool:
    return show_expr(x) == show_expr(y)
