"""Large results go past the caches, a row or a block of a row at a time.

    for i: for j < 768: y[i, j] = t[j] / s
    --> for i: stream j < 768: y[i, j] = t[j] / s
    for i: for j < 768: y[i, j] = exp(x[i, j])
    --> for i: { local t[768];  for j: t[j] = exp(x[i, j]);  stream j < 768: y[i, j] = t[j] }

A usual store first reads the line that it changes, and then keeps it where something else was: of
what does not fit into the caches, a result moves twice its bytes, and a burst of stores waits for
the lines. So where a call touches more than caches keep, results that nothing reads again are
stored in a way that leaves the caches alone (``codegen/llvm_stream.py``). What is computed by
functions is gathered in a row that stays in L1 before: in a row of the kernel's own that the loop
reads for the last time, or in one more.

It runs on the program, when lengths are numbers: last of all, so that no other pass meets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from symgraph.loop.build import add, const, i64, mul, sub, word
from symgraph.loop.ir import (
    Assign,
    Buffer,
    Call,
    Const,
    Expr,
    For,
    Kernel,
    Load,
    Local,
    Program,
    Stmt,
    Store,
    Var,
)
from symgraph.loop.streams import is_stream, resolved
from symgraph.loop.traverse import (
    blocks,
    expressions,
    is_const,
    postorder,
    runs_along,
    statements,
    steps_of,
    substitute,
)
from symgraph.lower.memory import names_in
from symgraph.lower.program import Lowered
from symgraph.lower.rows import Index, accesses, with_expressions
from symgraph.lower.schedule import Schedule, guess_extent
from symgraph.records import dataclass, field

ROW_BYTES = 16 << 10  # of a row that is gathered as a whole
BLOCK_BYTES = 4 << 10  # of the blocks of a longer one
LEAST_BYTES = 512  # of a row: eight lines, of which the first and the last may be shared
LINE = 64  # bytes: a store of less would be put together with others first, or memory read
_SIZES = (4, 8)


def with_streams(lowered: Lowered, schedule: Schedule) -> Lowered:
    """The program with large results stored past the caches, where it touches so much."""
    program = lowered.program
    touched = sum(map(_nbytes, (*program.inputs, *program.outputs)))
    if not 0 < schedule.cached_bytes < touched:
        return lowered
    inputs = {spec.name for spec in program.inputs}
    kernels = {kernel.name: kernel for kernel in program.kernels}
    targets: dict[str, set[str]] = {}
    for spec in program.outputs:
        if spec.name not in inputs and 8 * _nbytes(spec) >= touched:
            found = _only_user(program, spec.name)
            if found is not None:
                buffer = kernels[found.kernel].buffers[found.buffers.index(spec.name)]
                targets.setdefault(found.kernel, set()).add(buffer.name)
    for name, buffers in targets.items():
        kernels[name] = _Kernel(frozenset(buffers)).streamed(kernels[name])
    return replace(lowered, program=replace(program, kernels=tuple(kernels.values())))


def _nbytes(spec: Buffer) -> int:
    """The size of a buffer; 0 where it is not known."""
    if not all(isinstance(d, Const) for d in spec.shape):
        return 0
    return prod(int(d.value.real) for d in spec.shape if isinstance(d, Const)) * spec.dtype.itemsize


def _only_user(program: Program, name: str) -> Call | None:
    """The call that writes a buffer, where nothing else names it, and its kernel has no other."""
    users = [s for s in program.steps if name in names_in(s)]
    found = users[0] if len(users) == 1 else None
    if not isinstance(found, Call):
        return None
    calls = [s for s in steps_of(program.steps) if isinstance(s, Call)]
    alone = sum(s.kernel == found.kernel for s in calls) == 1
    return found if alone and found.buffers.count(name) == 1 else None


@dataclass(slots=True)
class _Kernel:
    """One kernel while stores to some of its buffers are written as streams."""

    targets: frozenset[str]
    count: int = field(default=0)  # of names made so far

    def streamed(self, kernel: Kernel) -> Kernel:
        """The kernel, with streams where it stores rows of the buffers."""
        nodes = postorder(*(x for s in statements(kernel.body) for x in expressions(s)))
        loads = {x.buffer for x in nodes if isinstance(x, Load)}
        kinds = {spec.name: spec.dtype for spec in kernel.buffers}
        self.targets = frozenset(
            name
            for name in self.targets - loads
            if kinds[name].kind in "fiu" and kinds[name].itemsize in _SIZES
        )
        return replace(kernel, body=tuple(self._block(kernel.body)))

    def _block(self, body: Sequence[Stmt]) -> list[Stmt]:
        """Statements with streams."""
        out: list[Stmt] = []
        here = {s.name for s in body if isinstance(s, Local)}
        for k, s in enumerate(body):
            if not isinstance(s, For):
                out.append(s)
            elif any(blocks(inner) for inner in s.body):
                out.append(replace(s, body=tuple(self._block(s.body))))
            else:
                later = {name for name, _ in accesses(body[k + 1 :])}
                out += self._loop(s, here - later, body)
        return out

    def _loop(self, s: For, free: Collection[str], around: Sequence[Stmt]) -> list[Stmt]:
        """An innermost loop; ``free``: arrays of the block that nothing reads after it."""
        stores = [t for t in s.body if isinstance(t, Store) and t.buffer in self.targets]
        places = {t: resolved(t.index, s) for t in stores}
        if not stores or not all(runs_along(index, s.var) for index in places.values()):
            return [s]
        sizes = [t.value.dtype.itemsize for t in stores]
        nbytes = guess_extent(s.extent) * min(sizes)
        is_alone = all(t in places for t in s.body if isinstance(t, Store))
        is_simple = is_alone and is_stream(s)
        if nbytes < LEAST_BYTES:
            return [s]
        is_row = isinstance(s.extent, Const) and s.kind == "vector"
        if is_simple and is_row and nbytes % LINE == 0:
            return [replace(s, kind="stream")]
        if is_row and not is_simple and nbytes <= ROW_BYTES:
            rows = [t for t in around if isinstance(t, Local) and t.name in free]
            return self._gathered(s, places, rows)
        if (is_row and nbytes <= ROW_BYTES) or any(isinstance(t, Assign) for t in s.body):
            return [s]
        return self._in_blocks(s, places, BLOCK_BYTES // max(sizes), is_simple)

    def _gathered(self, s: For, places: Mapping[Store, Index], rows: Sequence[Local]) -> list[Stmt]:
        """The loop over a whole row, and the copies of what it has gathered."""
        turns = guess_extent(s.extent)
        left = [r for r in rows if _is_read_in_place(r.name, s)]
        found: list[Stmt] = []
        homes: dict[Store, str] = {}
        for t in places:
            after = {name for name, _ in accesses(s.body[s.body.index(t) + 1 :])}
            alike = [r for r in left if (r.dtype, r.shape) == (t.value.dtype, (turns,))]
            fitting = [r for r in alike if r.name not in after]
            if fitting:
                left.remove(fitting[0])
                homes[t] = fitting[0].name
            else:
                homes[t] = self._new("row")
                found.append(Local(homes[t], t.value.dtype, (turns,)))
        return [*found, *_copied(s, places, homes)]

    def _in_blocks(
        self, s: For, places: Mapping[Store, Index], width: int, is_simple: bool
    ) -> list[Stmt]:
        """A long loop by blocks, and what is left over."""
        if isinstance(s.extent, Const):
            whole: Expr = const(guess_extent(s.extent) // width)
            rest: Expr = const(guess_extent(s.extent) % width)
        else:
            whole = word("floordiv", s.extent, const(width))
            rest = sub(s.extent, mul(whole, const(width)))
        if is_const(whole, 0):
            return [s]
        block, turn = self._new("block"), self._new("turn")
        first = mul(i64(block), const(width))
        inner = _from(s, first, const(width), turn)
        moved = {
            t: tuple(substitute(x, {s.var: add(first, i64(turn))}) for x in index)
            for t, index in zip(
                (t for t in inner.body if isinstance(t, Store) and t.buffer in self.targets),
                places.values(),
                strict=True,
            )
        }
        homes = {t: self._new("row") for t in moved}
        rows = [Local(name, t.value.dtype, (width,)) for t, name in homes.items()]
        copied = (*rows, *_copied(inner, moved, homes))
        body = (replace(inner, kind="stream"),) if is_simple else copied
        made: list[Stmt] = [For(block, whole, body, s.kind)]
        if not is_const(rest, 0):
            made.append(_from(s, mul(whole, const(width)), rest, turn))
        return made

    def _new(self, about: str) -> str:
        self.count += 1
        return f"{about}_{self.count}_past"


def _copied(s: For, places: Mapping[Store, Index], homes: Mapping[Store, str]) -> Iterator[Stmt]:
    """A loop that stores to rows instead, and the streams from there."""
    turn = (i64(s.var),)
    body = (
        Store(homes[t], turn, t.value) if isinstance(t, Store) and t in places else t
        for t in s.body
    )
    yield replace(s, body=tuple(body), kind="vector")
    for t, index in places.items():
        copy = Store(t.buffer, index, Load(homes[t], turn, t.value.dtype))
        yield For(s.var, s.extent, (copy,), "stream")


def _from(s: For, first: Expr, turns: Expr, name: str) -> For:
    """So many turns of a loop, under another name."""
    values: dict[str, Expr] = {s.var: add(first, i64(name))}
    body = (with_expressions(t, lambda e: substitute(e, values)) for t in s.body)
    return For(name, turns, tuple(body), s.kind)


def _is_read_in_place(name: str, s: For) -> bool:
    """Does a loop touch an array at most by reading the element of its own turn?"""
    if any(isinstance(t, Store) and t.buffer == name for t in s.body):
        return False
    found = [index for buffer, index in accesses((s,)) if buffer == name]
    return all(len(i) == 1 and isinstance(i[0], Var) and i[0].name == s.var for i in found)
