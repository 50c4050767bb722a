"""Loops with sums in chunks, which threads may run in any order.

    for i < n: s += f(i)
    --> parallel c < C: { p = 0; for i in chunk c: p += f(i); partial[c] = p };  s += partial[c] ...

The number of chunks depends on sizes alone and partial sums are added in order, and exactly
(``long_sums``), so the bits are the same for any number of threads. Sums are scalars (``Assign``)
or, over leading axes, buffers that a loop before has filled with the start (``Store``). A loop that
does anything else across its turns stays as it is.
"""

from __future__ import annotations

from typing import Protocol

from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import FLOAT64, INT64, DType
from symgraph.loop.ir import Assign, Const, Expr, For, Let, Stmt, Store, Var
from symgraph.lower.long_sums import added, settled
from symgraph.lower.schedule import Schedule, guess_extent, work_of
from symgraph.lower.stage import Storage
from symgraph.lower.sums import Sums, joining, redirected, renamed_locals, sums_of
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass

LINE = 64  # elements: chunks of flat loops start at whole cache lines
SUMS_PER_CHUNK = 8  # a chunk of rows is that many times longer than what it adds to


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
        sums = sums_of(self.before, self.loop, (self.loop.var,))
        if sums is None:
            return None
        turns = guess_extent(self.loop.extent)
        inner = work_of(self.loop.body)
        most = self.place.schedule.most_chunks
        if sums.buffers:
            most = min(most, turns // SUMS_PER_CHUNK)
        count = min(most, turns * inner // self.place.schedule.chunk_work)
        return self._written(sums, count, turns) if count > 1 else None

    def _written(self, sums: Sums, count: int, turns: int) -> list[Stmt]:
        b, loop = self.place.b, self.loop
        length = -(-turns // count)
        is_flat = not any(isinstance(s, For) for s in loop.body)
        length = -(-length // LINE) * LINE if is_flat else length
        count = -(-turns // length)
        is_number = isinstance(loop.extent, Const)
        size: Expr = b.const(length)
        if not is_number:  # a symbol: as many chunks, of its own length
            size = b.word("floordiv", (b.add(loop.extent, count - 1), b.const(count)), INT64)
        chunk, first, turn = (b.var(f"{x}_{loop.var}") for x in ("c", "first", "j"))
        inner: list[Stmt] = [Let(f"first_{loop.var}", b.mul(chunk, size))]
        body: list[Stmt] = list(loop.body)
        after: list[Stmt] = []
        joined: list[Stmt] = []
        ends: list[Stmt] = []
        for name, fill in sums.fills.items():
            whole = self.place.storage(name)
            box = self.place.partial((count, *whole.shape), whole.dtype).name
            inner.append(redirected(fill, box, name, (chunk,)))
            body = [redirected(s, box, name, (chunk,)) for s in body]
            join = joining(fill, box, sums.buffers[name], (chunk,), b)
            joined.append(For(f"c_{loop.var}", b.const(count), (join,), "serial"))
        own = {name: f"part_{name}" for name in sums.locals}
        inner += [Let(own[name], sums.starts[name].value) for name in own]
        body = [renamed_locals(s, own) for s in body]
        body.insert(0, Let(loop.var, b.add(first, turn)))
        exact = is_number and turns == count * length
        left = b.word("minimum", (size, b.sub(loop.extent, first)), INT64)
        inner.append(For(f"j_{loop.var}", size if exact else left, tuple(body), loop.kind))
        for name, word in sums.locals.items():
            dtype = sums.starts[name].value.dtype
            box = self.place.partial((count,), dtype).name
            inner.append(Store(box, (chunk,), Var(own[name], dtype)))
            part = b.load(box, (chunk,), dtype)
            if word == "add" and dtype == FLOAT64:
                joined.append(Let(f"lost_{name}", b.const(0.0, FLOAT64)))
                after += added(name, f"lost_{name}", part, b)
                ends += settled(name, f"lost_{name}", b)
            else:
                after.append(Assign(name, b.word(word, (Var(name, dtype), part), dtype)))
        if after:
            joined.append(For(f"c_{loop.var}", b.const(count), tuple(after), "serial"))
        parallel = For(f"c_{loop.var}", b.const(count), tuple(inner), "parallel")
        return [*self.before, parallel, *joined, *ends]
