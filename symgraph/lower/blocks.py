"""Runs of kernels and products that are done for a block of rows at a time: which, and how many.

    z = x @ w; p = softmax(z); dw = x.T @ p
    --> parallel chunk: for rows of a block: z = x[rows] @ w; p = softmax(z)
                                             dw[chunk] += x[rows].T @ p
        dw = dw[0] + dw[1] + ...

What only members of a run use is scratch of a block's size, which stays in cache and is never
written to memory; what a run sums over rows has a part for each chunk, joined in order. The number
of chunks depends on sizes alone. Items that a run cannot hold go before or after it. ``tiles``
writes the steps. A chain of elementwise kernels, too long for one, is a run without products: its
values stay in a cache, and its threads start once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise

from symgraph.ir.dim import Dim, DimLike, divide_exactly, mul, product
from symgraph.loop.ir import Const, Expr
from symgraph.lower.members import Item, Member, member_of, points_of, rows_of
from symgraph.lower.schedule import Schedule, guess, guess_extent, work_of
from symgraph.lower.stage import Storage
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass, field

WINDOW = 32  # items from the first of a run on: keeps the work linear in the program
MOST_POSTPONED = 8
USUAL_ROWS = 4096  # where their number is a symbol: a batch, which differs from call to call
WIDEST = 4  # times the bytes that are wanted: a block of the fewest rows may take that much
MULTIPLE = 16  # rows of a block: whole tiles of a product, whole vectors of a chain of kernels
LEAST_CHAIN = 3  # kernels
CHAIN_WINDOW = 8 * WINDOW
CHAIN_CHUNKS = 4  # as much work as so many chunks of a loop is worth threads
MOST_SUMMED = (
    8192  # points of a chain that also adds up: a chunk is no longer than a block of a sum
)


@dataclass(slots=True)
class Run:
    """Members in order, what is done before them, and what after."""

    rows: Expr
    members: list[Member] = field(default_factory=list)
    before: list[Item] = field(default_factory=list)
    after: list[Item] = field(default_factory=list)
    scratch: frozenset[str] = frozenset()
    height: int = 1
    chunks: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """The rows, whole buffers and sums of a member, by the names of their buffers."""

    rows: frozenset[str]
    whole: frozenset[str]
    sums: frozenset[str]


@dataclass(frozen=True, slots=True)
class Blocking:
    """What forming runs needs to know.

    ``storage``: of a name; ``actual``: the buffer behind one; ``temporaries``: the program's own
    buffers; ``kept``: those that are read later.
    """

    b: WordBuilder
    schedule: Schedule
    storage: Callable[[str], Storage | None]
    actual: Callable[[str], str]
    temporaries: frozenset[str]
    kept: frozenset[str]
    known: dict[tuple[int, int], Member | None] = field(default_factory=dict)
    named: dict[Member, Named] = field(default_factory=dict)
    works: dict[Item, int] = field(default_factory=dict)

    def work(self, item: Item) -> int:
        """Cheap operations of an item, counted once."""
        found = self.works.get(item)
        if found is None:
            found = self.works[item] = work_of(item.statements)
        return found

    def member(self, item: Item, rows: Expr) -> Member | None:
        """``member_of``, asked once: windows overlap."""
        key = id(item), id(rows)
        if key not in self.known:
            self.known[key] = member_of(item, rows, self.b, self.storage)
        return self.known[key]

    def named_of(self, member: Member) -> Named:
        """The buffers behind a member's names, looked up once."""
        found = self.named.get(member)
        if found is None:
            groups = (member.rows, member.whole, member.sums)
            found = self.named[member] = Named(*(frozenset(map(self.actual, g)) for g in groups))
        return found

    def box(self, name: str) -> Storage:
        """A buffer by its name."""
        found = self.storage(name)
        assert found is not None, name
        return found

    def nbytes(self, name: str) -> int:
        """Bytes of a buffer, guessed where its lengths are symbols."""
        box = self.box(name)
        return guess(product(box.shape)) * box.dtype.itemsize


def runs_of(items: Sequence[Item], about: Blocking) -> list[Item | Run]:
    """Items in order, with those that gain by it gathered in runs."""
    if not about.schedule.tile_bytes:
        return list(items)
    out: list[Item | Run] = []
    uses = Counter(n for item in items for n in item.reads | item.writes)
    gains = [0, *accumulate(_most_gained(item, about) for item in items)]
    works = [0, *accumulate(map(about.work, items))]
    place = 0
    while place < len(items):
        near = items[place : place + CHAIN_WINDOW]
        end, far = min(place + WINDOW, len(items)), place + len(near)
        found = None
        if gains[end] - gains[place] >= about.schedule.least_gain:
            found = _run_at(near, uses, about)
        elif works[far] - works[place] >= CHAIN_CHUNKS * about.schedule.chunk_work:
            found = _chain_at(near, uses, about)
        if found is None:
            out.append(items[place])
            place += 1
        else:
            run, used = found
            out += [*run.before, run, *run.after]
            place += used
    return out


def _most_gained(item: Item, about: Blocking) -> int:
    """Bytes of memory traffic that an item may save in a run, at most: small programs save none.

    Enough for a run where a length is a symbol.
    """
    boxes = [box for name in item.reads | item.writes if (box := about.storage(name)) is not None]
    if any(isinstance(dim, Dim) for box in boxes for dim in box.shape):
        return about.schedule.least_gain
    return sum(about.nbytes(box.name) for box in boxes)


def _run_at(
    near: Sequence[Item], uses: Mapping[str, int], about: Blocking
) -> tuple[Run, int] | None:
    """A run that begins with an item, if there is a good one, and how many items it orders.

    ``uses`` says how many items of the program use a buffer.
    """
    tried: set[Expr] = set()
    chain, near = near, near[:WINDOW]
    for seed in near:
        for rows in rows_of(seed):
            if rows in tried or about.member(near[0], rows) is None:
                continue
            tried.add(rows)
            run, used = _gathered(near, rows, about)
            if _divide(run, uses, about):
                return run, used
    return None if tried else _chain_at(chain, uses, about)


def _chain_at(
    near: Sequence[Item], uses: Mapping[str, int], about: Blocking
) -> tuple[Run, int] | None:
    """A run of elementwise kernels over the same points, each of which reads the one before."""
    rows = points_of(near[0])
    if not isinstance(rows, Const):
        return None
    count = int(_is_link(near[0], rows, about))
    for item, following in pairwise(near):
        if not (item.writes & following.reads and _is_link(following, rows, about)):
            break
        count += 1
    while count >= LEAST_CHAIN:
        run, used = _gathered(near[:count], rows, about)
        if used == count and _divide(run, uses, about):
            return run, used
        count //= 2  # what is too much for a cache as a whole
    return None


def _is_link(item: Item, rows: Const, about: Blocking) -> bool:
    if points_of(item) is not rows:
        return False
    member = about.member(item, rows)
    return member is not None and not (member.sums and guess_extent(rows) > MOST_SUMMED)


def _gathered(items: Sequence[Item], rows: Expr, about: Blocking) -> tuple[Run, int]:
    run = Run(rows)
    last = 0
    for number, item in enumerate(items):
        member = about.member(item, rows)
        if member is not None and not item.conflicts(run.after) and _admit(run, member, about):
            run.members.append(member)
            last = number + 1
        elif not item.conflicts([m.item for m in run.members]) and not item.conflicts(run.after):
            run.before.append(item)
        else:
            run.after.append(item)
        if len(run.after) > MOST_POSTPONED:
            break
    kept = set(items[:last])  # what stands after the last member stays where it is
    run.before = [i for i in run.before if i in kept]
    run.after = [i for i in run.after if i in kept]
    return run, last


def _admit(run: Run, member: Member, about: Blocking) -> bool:
    """May a member join? A member that makes what it reads as a whole may have to leave first."""
    limits = about.schedule
    if member.product is not None and any(
        about.nbytes(n) > limits.whole_bytes for n in member.whole
    ):
        return False
    if sum(map(about.nbytes, member.sums)) > limits.partial_bytes:
        return False
    mine = about.named_of(member)
    used = mine.rows | mine.whole | mine.sums
    for other in list(run.members):
        theirs = about.named_of(other)
        if theirs.sums & used or member.item.writes & theirs.whole:
            return False
        if other.item.writes & mine.whole:
            rest = [m.item for m in run.members if m is not other]
            if other.item.conflicts(rest):
                return False
            run.members.remove(other)
            run.before.append(other.item)
        elif other.item.writes & member.item.writes:
            return False
    return True


def _divide(run: Run, uses: Mapping[str, int], about: Blocking) -> bool:
    """Settle scratch, heights and chunks of a run; False where it does not pay."""
    products = [m for m in run.members if m.product is not None]
    if len(run.members) < 2:
        return False
    inside = Counter(n for m in run.members for n in m.item.reads | m.item.writes)
    outside = about.kept | {n for n, count in inside.items() if uses[n] > count}
    rows = {n for m in run.members for n in about.named_of(m).rows}
    written = {n for m in run.members for n in m.item.writes}
    scratch = frozenset((rows & written & about.temporaries) - outside)
    count = guess_extent(run.rows) if isinstance(run.rows, Const) else USUAL_ROWS
    widths = {n: _row_bytes(about.box(n), about.b.dim(run.rows)) for n in rows}
    widths_known = [w for w in widths.values() if w is not None]
    if len(widths_known) < len(widths) or not count:
        return False
    per_row = sum(widths_known)
    readers = Counter(n for m in run.members for n in about.named_of(m).rows)
    gained = [n for n in rows if n in scratch or readers[n] > 1]
    gain = count * sum(w for n, w in widths.items() if n in gained and w)
    height = about.schedule.tile_bytes // max(1, per_row)
    is_batch = all(m.product is not None and m.product.name == "gemm_batched" for m in products)
    unit = 1 if products and is_batch else MULTIPLE
    height = max(unit, height // unit * unit)
    if not products:  # smaller blocks, where there are few points: each thread has some
        height = min(height, -(-count // (about.schedule.most_tiles * unit)) * unit)
        gain = max(gain, about.schedule.least_gain * _is_worth_threads(run, about))
    if gain < about.schedule.least_gain or count < 2 * height:
        return False
    if height * per_row > WIDEST * about.schedule.tile_bytes:
        return False
    sums = sum(about.nbytes(n) for m in run.members for n in m.sums)
    blocks = -(-count // height)
    most = max(1, min(about.schedule.most_tiles, about.schedule.partials_bytes // max(1, sums)))
    chunks = min(most, blocks)
    each = -(-blocks // chunks)
    share = -(-count // (chunks * each))  # equal work: a thread that is done with its own waits
    height = min(height, -(-share // unit) * unit)
    blocks = -(-count // height)
    run.scratch, run.height, run.chunks = scratch, height, -(-blocks // each)
    return True


def _is_worth_threads(run: Run, about: Blocking) -> bool:
    """Is a chain worth starting threads for, whose kernels are not?"""
    work = sum(about.work(m.item) for m in run.members)
    return work >= CHAIN_CHUNKS * about.schedule.chunk_work


def _row_bytes(box: Storage, rows: DimLike) -> int | None:
    """Bytes of a row; None where that is no number: then nothing tells how many fit a cache."""
    found = divide_exactly(mul(product(box.shape), box.dtype.itemsize), rows)
    return found if isinstance(found, int) else None
