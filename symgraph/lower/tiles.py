"""The steps of a run (see ``blocks``): a parallel loop over chunks, and blocks of rows inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from symgraph.ir.dim import DimLike, add, divide_exactly, floordiv, product
from symgraph.ir.dtype import INT64, DType
from symgraph.loop.ir import (
    Assign,
    Const,
    Expr,
    For,
    Let,
    Library,
    Load,
    Repeat,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    View,
)
from symgraph.loop.traverse import has_load, rebuild
from symgraph.lower.blocks import Run
from symgraph.lower.kernels import call_of
from symgraph.lower.members import Member, Nest, has_few_columns, row_index
from symgraph.lower.nest import sweep
from symgraph.lower.rows import accesses, with_expressions
from symgraph.lower.stage import Stage, Storage
from symgraph.lower.sums import joining, redirected
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.lower.program import Lowering


def tiled(run: Run, lowering: Lowering) -> list[Step]:
    """The steps of a run."""
    return _Tiles(run, lowering).steps()


@dataclass(slots=True)
class _Tiles:
    run: Run
    lowering: Lowering
    number: int = 0
    scratch: dict[str, str] = field(default_factory=dict)  # buffer -> all chunks' scratch
    views: dict[str, str] = field(default_factory=dict)  # buffer -> its rows of the block
    parts: dict[str, Storage] = field(default_factory=dict)  # local or buffer -> its parts
    starts: list[Stmt] = field(default_factory=list)  # of the parts of one chunk
    inner: list[Step] = field(default_factory=list)
    ends: list[Step] = field(default_factory=list)

    def steps(self) -> list[Step]:
        """Chunks of blocks, then what joins the parts of sums."""
        self.number = self.lowering.namer.next()
        run, b = self.run, self.lowering.b
        for name in sorted(run.scratch):
            box = self.lowering.storages[name]
            shape = (run.chunks, run.height, self._row(box.shape))
            self.scratch[name] = self._temporary(shape, box.dtype).name
        for member in run.members:
            if member.product is not None:
                self._product(member, member.product)
            else:
                assert member.nest is not None
                self._kernel(member, member.nest)
        chunk = self._var("c")
        steps: list[Step] = [
            View(self._own(name), box, (chunk,)) for name, box in self.scratch.items()
        ]
        steps += [View(self._own(n), box.name, (chunk,)) for n, box in self.parts.items()]
        if self.starts:
            boxes = {self._own(n): replace(x, shape=x.shape[1:]) for n, x in self.parts.items()}
            steps.append(self._call("start", self.starts, boxes, (), ()))
        steps.append(Repeat(f"b{self.number}", self._turns(chunk), tuple(self.inner)))
        loop = Repeat(f"c{self.number}", b.const(run.chunks), tuple(steps), "parallel")
        return [loop, *self.ends]

    # ------------------------------------------------------------ names and extents

    def _var(self, letter: str) -> Expr:
        return self.lowering.b.var(f"{letter}{self.number}")

    def _own(self, name: str) -> str:
        """The name of a chunk's own part of a buffer."""
        return f"{name}_c{self.number}"

    def _first(self) -> Expr:
        """The first row of a block."""
        place = self.lowering.b.add(self._block_of(self._var("c")), self._var("b"))
        return self.lowering.b.mul(place, self.run.height)

    def _block_of(self, chunk: Expr) -> Expr:
        """The first block of a chunk."""
        b, each = self.lowering.b, self._equal_chunks()
        if each is not None:
            return b.mul(chunk, each)
        place = b.mul(chunk, b.size(self._blocks()))
        return b.word("floordiv", (place, b.const(self.run.chunks)), INT64)

    def _turns(self, chunk: Expr) -> Expr:
        """The blocks of a chunk: chunks differ by one at most, since threads wait for the last."""
        b, each = self.lowering.b, self._equal_chunks()
        if each is not None:
            return b.const(each)
        return b.sub(self._block_of(b.add(chunk, 1)), self._block_of(chunk))

    def _blocks(self) -> DimLike:
        rows = self.lowering.b.dim(self.run.rows)
        return floordiv(add(rows, self.run.height - 1), self.run.height)

    def _equal_chunks(self) -> int | None:
        """The blocks of each chunk, where all have as many."""
        blocks, chunks = self._blocks(), self.run.chunks
        return blocks // chunks if isinstance(blocks, int) and blocks % chunks == 0 else None

    def _height(self) -> Expr:
        """The rows of a block: fewer in the last."""
        b, run = self.lowering.b, self.run
        rows = b.dim(run.rows)
        if isinstance(rows, int) and rows % run.height == 0:
            return b.const(run.height)
        left = b.sub(run.rows, self._first())
        return b.word("minimum", (b.const(run.height), left), INT64)

    def _row(self, shape: tuple[DimLike, ...]) -> DimLike:
        """Elements of a row of a buffer."""
        found = divide_exactly(product(shape), self.lowering.b.dim(self.run.rows))
        assert found is not None
        return found

    def _temporary(self, shape: tuple[DimLike, ...], dtype: DType) -> Storage:
        """Memory of the run, said to be of the first value that it computes."""
        first = min(self.run.members[0].item.writes)
        return self.lowering.temporary(self.lowering.sources[first], shape, dtype)

    # ------------------------------------------------------------ products

    def _product(self, member: Member, step: Library) -> None:
        names = []
        is_turned = bool(member.sums) and has_few_columns(step)
        for name in step.buffers:
            if name in member.sums:
                names.append(self._sum_of_product(name, step if is_turned else None))
            elif name in member.rows:
                names.append(self.block(name))
            else:
                names.append(name)
        height = self._height()
        sizes = list(step.sizes)
        attrs = step.attrs
        if step.name == "gemm_batched":
            sizes[0] = height
        elif member.sums:
            sizes[2] = height
            if is_turned:  # (x.T @ y).T is y.T @ x: the flags are those of the product itself
                names[:2], sizes[:2] = names[1::-1], sizes[1::-1]
            attrs = (*(a for a in attrs if a[0] != "beta"), ("beta", 1.0))
        else:
            sizes[0] = height
        self.inner.append(Library(step.name, tuple(names), tuple(sizes), attrs))

    def block(self, name: str) -> str:
        """The rows of a block of a buffer."""
        if name in self.scratch:
            return self._own(name)
        if name not in self.views:
            view = self.views[name] = f"w{self.number}_{len(self.views)}"
            self.inner.append(self._view(view, self.lowering.storages[name]))
        return self.views[name]

    def _view(self, view: str, box: Storage) -> View:
        b, first = self.lowering.b, self._first()
        real = self.leading(box)
        if real is not None:
            return View(view, box.name, (b.const(0),) * real, first)
        index: list[Expr] = []  # one row alone: a place in axes that together are the rows
        for dim in reversed(self._lead(box.shape)):
            index.insert(0, b.word("mod", (first, b.size(dim)), INT64))
            first = b.word("floordiv", (first, b.size(dim)), INT64)
        return View(view, box.name, tuple(index))

    def leading(self, box: Storage) -> int | None:
        """The first axis that is not 1 long, where it alone is the rows."""
        real = next(k for k, d in enumerate(box.shape) if d != 1)
        return real if self.lowering.b.size(box.shape[real]) is self.run.rows else None

    def _lead(self, shape: tuple[DimLike, ...]) -> tuple[DimLike, ...]:
        """The leading axes that together are the rows."""
        for depth in range(len(shape) + 1):
            if self.lowering.b.size(product(shape[:depth])) is self.run.rows:
                return shape[:depth]
        raise AssertionError(f"{shape} has no leading axes of {self.run.rows}")

    def _sum_of_product(self, name: str, turned: Library | None) -> str:
        """A chunk's part of a product that sums over rows: zero, added to, joined at the end.

        ``turned``: the product, where parts are transposed.
        """
        b, box = self.lowering.b, self.lowering.storages[name]
        size = product(box.shape)
        part = self.parts[name] = self._temporary((self.run.chunks, size), box.dtype)
        place = (b.var("i0"),)
        zero = b.const(0, box.dtype)
        own = self._own(name)
        self.starts.append(For("i0", b.size(size), (Store(own, place, zero),), "vector"))
        total = self._temporary((size,), box.dtype).name if turned else name
        fill = For("i0", b.size(size), (Store(total, place, zero),), "vector")
        join = joining(fill, part.name, "add", (b.var("c"),), b)
        body: list[Stmt] = [fill, For("c", b.const(self.run.chunks), (join,), "serial")]
        boxes = {x: replace(box, name=x, shape=(size,)) for x in (name, total)}
        boxes[part.name] = part
        if turned:
            m, n, i, j = *turned.sizes[:2], b.var("i"), b.var("j")
            value = b.load(total, (b.add(b.mul(j, m), i),), box.dtype)
            store = Store(name, (b.add(b.mul(i, n), j),), value)
            body.append(For("i", m, (For("j", n, (store,), "vector"),), "vector"))
        self.ends.append(self._call("join", body, boxes, (), ()))
        return own

    # ------------------------------------------------------------ kernels

    def _kernel(self, member: Member, nest: Nest) -> None:
        b = self.lowering.b
        part_of: dict[str, str] = {}
        for name, fill in nest.sums.fills.items():
            box = self.lowering.storages[name]
            self.parts[name] = self._temporary((self.run.chunks, *box.shape), box.dtype)
            part_of[name] = self._own(name)
            self.starts.append(redirected(fill, self._own(name), name))
        for name, start in nest.sums.starts.items():
            self.parts[name] = self._temporary((self.run.chunks,), start.value.dtype)
            self.starts.append(Store(self._own(name), (), start.value))
        body, seen = self._rows(member, nest, part_of)
        lets = [s for s in nest.before if isinstance(s, Let) and s.name not in nest.sums.starts]
        loaded = [
            Let(n, b.load(self._own(n), (), s.value.dtype)) for n, s in nest.sums.starts.items()
        ]
        stored = [
            Store(self._own(n), (), Var(n, s.value.dtype)) for n, s in nest.sums.starts.items()
        ]
        for name, s in nest.sums.starts.items():
            seen.boxes[self._own(name)] = Storage(self._own(name), s.value.dtype, ())
        height = self._height()  # a number, where all blocks have as many rows
        turns = height if isinstance(height, Const) else b.var("height")
        loop = For("r", turns, tuple(body), "vector")
        statements: list[Stmt] = [*lets, *loaded, loop, *stored]
        extra = ("first", "height")
        values = (self._first(), height)
        stages = member.item.stages
        call = self._call("", statements, seen.boxes, extra, values, stages, seen.blocks)
        self.inner.append(call)
        if nest.after or nest.sums.buffers or nest.sums.locals:
            self._joined(member, nest)

    def _rows(
        self, member: Member, nest: Nest, part_of: dict[str, str]
    ) -> tuple[list[Stmt], _Seen]:
        """The body of the loop over the rows of a block, and how it sees buffers."""
        b = self.lowering.b
        seen = _Seen(self, member, nest, part_of)
        body = [seen.statement(s) for s in nest.body]
        lets: list[Stmt] = [Let("row", b.add(b.var("first"), b.var("r")))]
        place: Expr = b.var("row")
        for name, extent in zip(nest.indices[:0:-1], nest.extents[:0:-1], strict=True):
            lets.append(Let(name, b.word("mod", (place, extent), INT64)))
            place = b.word("floordiv", (place, extent), INT64)
        lets.append(Let(nest.indices[0], place))
        for name, _ in accesses(nest.before):
            if name not in part_of:
                seen.boxes.setdefault(name, self.lowering.storages[name])
        return [*lets, *body], seen

    def _joined(self, member: Member, nest: Nest) -> None:
        """The kernel after all blocks: parts joined in order, and what follows the loop."""
        b, storages = self.lowering.b, self.lowering.storages
        chunk = (b.var("c"),)
        joins: list[Stmt] = []
        boxes: dict[str, Storage] = {}
        for name, fill in nest.sums.fills.items():
            part = self.parts[name]
            joins.append(joining(fill, part.name, nest.sums.buffers[name], chunk, b))
            boxes[part.name] = part
        for name, word in nest.sums.locals.items():
            part = self.parts[name]
            old = Var(name, part.dtype)
            joins.append(
                Assign(name, b.word(word, (old, b.load(part.name, chunk, part.dtype)), part.dtype))
            )
            boxes[part.name] = part
        loop = For("c", b.const(self.run.chunks), tuple(joins), "serial")
        statements = [*nest.before, *([loop] if joins else []), *nest.after]
        for name, _ in accesses(statements):
            if name not in boxes:
                boxes[name] = storages[name]
        self.ends.append(self._call("join", statements, boxes, (), (), member.item.stages))

    def _call(
        self,
        title: str,
        statements: Sequence[Stmt],
        boxes: dict[str, Storage],
        sizes: tuple[str, ...],
        values: tuple[Expr, ...],
        stages: Sequence[Stage] = (),
        passed: Mapping[str, str] | None = None,
    ) -> Step:
        """A call of a new kernel; ``passed``: what is passed for its buffers, if not themselves."""
        swept = self.lowering.in_lanes(sweep(list(statements), lambda name: False))
        own = dict(zip(sizes, values, strict=True))
        blocks = passed or {}

        def actual(name: str) -> str:
            return blocks.get(name) or self.lowering.actual(name)

        call = call_of(self.lowering, swept, stages, boxes, actual, own, title)
        kernel = self.lowering.kernels[-1]
        if blocks and not isinstance(own["height"], Const):  # there are fewer rows in the last
            height = (self.lowering.b.var("height"),)
            buffers = [
                replace(x, shape=height + x.shape[1:]) if x.name in blocks else x
                for x in kernel.buffers
            ]
            self.lowering.kernels[-1] = replace(kernel, buffers=tuple(buffers))
        return call


@dataclass(slots=True)
class _Seen:
    """How a kernel on a block of rows sees buffers, whose shapes it collects in ``boxes``.

    By the row in the block, which is scratch or a view: so kernels that do the same are the same,
    wherever their buffers are. Where several axes are the rows, by the row of all. Sums as the part
    of the chunk. ``blocks``: what is passed for a buffer.
    """

    tiles: _Tiles
    member: Member
    nest: Nest
    part_of: dict[str, str]
    boxes: dict[str, Storage] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)

    def element(self, name: str, index: tuple[Expr, ...]) -> tuple[str, tuple[Expr, ...]]:
        """The buffer and index instead of those in the kernel on all rows."""
        tiles, storages = self.tiles, self.tiles.lowering.storages
        b = tiles.lowering.b
        if name in self.part_of:
            own = self.part_of[name]
            self.boxes[own] = replace(storages[name], name=own)
            return own, index
        if name not in storages:  # a row on the stack
            return name, index
        box = storages[name]
        is_row = name in self.member.rows
        found = row_index(box.shape, index, self.nest.indices) if is_row else None
        if found is None:
            self.boxes[name] = box
            return name, index
        rest, shape = found
        actual = tiles.lowering.actual(name)
        is_block = actual in tiles.scratch or tiles.leading(storages[actual]) is not None
        if is_block:
            self.blocks[name] = tiles.block(actual)
        rows = tiles.run.height if is_block else b.dim(tiles.run.rows)
        self.boxes[name] = replace(box, shape=(rows, *shape))
        return name, (b.var("r" if is_block else "row"), *rest)

    def expr(self, x: Expr) -> Expr:
        """An expression with its loads from other elements."""
        return rebuild(x, self._moved) if has_load(x) else x

    def _moved(self, e: Expr) -> Expr:
        if isinstance(e, Load):
            name, index = self.element(e.buffer, e.index)
            return Load(name, index, e.dtype)
        return e

    def statement(self, s: Stmt) -> Stmt:
        """A statement with its loads and stores at other elements."""
        if isinstance(s, Store | Update):
            name, index = self.element(s.buffer, tuple(map(self.expr, s.index)))
            return replace(s, buffer=name, index=index, value=self.expr(s.value))
        made = with_expressions(s, self.expr)
        if isinstance(made, For):
            kind = "vector" if made.kind == "parallel" else made.kind
            return replace(made, body=tuple(map(self.statement, made.body)), kind=kind)
        return made
