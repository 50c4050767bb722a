"""Which kernels and products can be done for a few rows at a time, and what they do with buffers.

A step is a member of a run over ``rows`` (an extent) if it goes through rows independently: a
product whose left operand has the rows, a product that sums over them (``x.T @ dz``), products of a
batch, and a kernel whose outer loops are the rows. ``blocks`` makes runs of members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symgraph.ir.dim import DimLike
from symgraph.loop.ir import Assign, Const, Expr, For, Let, Library, Step, Stmt, Store, Var
from symgraph.lower.nest import buffers_written
from symgraph.lower.rows import accesses
from symgraph.lower.stage import Stage, Storage
from symgraph.lower.sums import Sums, sums_of
from symgraph.lower.words import WordBuilder
from symgraph.lower.words import whole as number
from symgraph.records import dataclass, field

Index = tuple[Expr, ...]

FEW_COLUMNS = 32  # of a sum of products: those of the transposed one, its rows, fill vectors


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A kernel to be (``statements``), or steps that are none, with what it reads and writes.

    Nothing that looks up places by values (``looks_up``) may come before what ``checks`` them.
    """

    reads: frozenset[str]
    writes: frozenset[str]
    stages: tuple[Stage, ...] = ()
    statements: tuple[Stmt, ...] = ()
    steps: tuple[Step, ...] = ()
    checks: bool = False
    looks_up: bool = False

    def conflicts(self, others: Sequence[Item]) -> bool:
        """Must it keep its order with one of some items?"""
        touched = self.reads | self.writes
        if any(self.writes & (o.reads | o.writes) or o.writes & touched for o in others):
            return True
        return any((self.checks and o.looks_up) or (o.checks and self.looks_up) for o in others)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """An item that goes through rows.

    ``rows``: buffers read or written at its own row alone; ``whole``: others that are read;
    ``sums``: those that hold sums over all rows.
    """

    item: Item
    rows: frozenset[str]
    whole: frozenset[str]
    sums: frozenset[str] = frozenset()
    product: Library | None = None
    nest: Nest | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Nest:
    """A kernel taken apart: statements before, the loops over rows, their body, what follows."""

    before: tuple[Stmt, ...]
    indices: tuple[str, ...]
    extents: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    after: tuple[Stmt, ...]
    sums: Sums = field(default_factory=Sums)


def member_of(
    item: Item, rows: Expr, b: WordBuilder, storage: Callable[[str], Storage | None]
) -> Member | None:
    """An item as a member of a run over an extent; None if it cannot be one."""
    if item.statements:
        return _kernel_member(item, rows, b, storage)
    if len(item.steps) == 1 and isinstance(item.steps[0], Library):
        return _product_member(item, item.steps[0], rows)
    return None


def rows_of(item: Item) -> list[Expr]:
    """The extents over which a product may be done in rows."""
    if len(item.steps) != 1 or not isinstance(item.steps[0], Library):
        return []
    step = item.steps[0]
    attrs = dict(step.attrs)
    if step.name == "gemm_batched":
        return [step.sizes[0]]
    if step.name == "gemm":
        return [] if attrs.get("trans_a") else [step.sizes[0]]
    return []


def points_of(item: Item) -> Expr | None:
    """The outermost extent of a kernel that computes elements alone, without loops for each."""
    loops = [s for s in item.statements if isinstance(s, For)]
    if len(loops) != 1:
        return None
    body: tuple[Stmt, ...] = (loops[0],)
    while len(body) == 1 and isinstance(body[0], For):
        if body[0].kind == "serial":
            return None
        body = body[0].body
    return loops[0].extent if all(isinstance(s, Let | Assign | Store) for s in body) else None


def has_few_columns(step: Library) -> bool:
    """Has a product few columns and more rows? As a sum it is better the transposed one."""
    m, n, _ = step.sizes if step.name == "gemm" else (None, None, None)
    if not (isinstance(m, Const) and isinstance(n, Const)):
        return False
    return 2 <= number(n) <= FEW_COLUMNS and number(m) >= 2 * number(n)


def _product_member(item: Item, step: Library, rows: Expr) -> Member | None:
    attrs = dict(step.attrs)
    if step.name not in ("gemm", "gemm_batched") or attrs.get("beta"):
        return None
    x, y, out = step.buffers
    if step.name == "gemm_batched":
        shared = {n for n, flag in ((x, "shared_a"), (y, "shared_b")) if attrs.get(flag)}
        if step.sizes[0] is not rows or out in shared:
            return None
        return Member(item, frozenset((x, y, out)) - shared, frozenset(shared), product=step)
    m, _, k = step.sizes
    if not attrs.get("trans_a") and m is rows and x != y:
        return Member(item, frozenset((x, out)), frozenset((y,)), product=step)
    if attrs.get("trans_a") and not attrs.get("trans_b") and k is rows:
        return Member(item, frozenset((x, y)), frozenset(), frozenset((out,)), product=step)
    return None


def _kernel_member(
    item: Item, rows: Expr, b: WordBuilder, storage: Callable[[str], Storage | None]
) -> Member | None:
    loops = [k for k, s in enumerate(item.statements) if isinstance(s, For)]
    for place in loops:
        nest = _nest(item.statements, place, rows, b)
        if nest is None:
            continue
        uses: dict[str, bool] = {}
        for name, index in accesses(nest.body):
            box = storage(name)
            if box is None:  # a row on the stack
                continue
            is_row = row_index(box.shape, index, nest.indices) is not None
            uses[name] = uses.get(name, True) and is_row
        stored = {n for s in nest.body for n in _stores(s)}
        if any(not uses[n] and n not in nest.sums.buffers for n in stored if n in uses):
            return None
        others = {n for n, _ in accesses((*nest.before, *nest.after))}
        ends = {n for s in nest.after for n in _stores(s)}
        row = frozenset(n for n, ok in uses.items() if ok and n not in nest.sums.buffers)
        if row & others:
            return None
        whole = frozenset(uses) - row | others
        sums = frozenset(nest.sums.buffers) | ends
        return Member(item, row, whole - sums, sums, nest=nest)
    return None


def _stores(s: Stmt) -> set[str]:
    return buffers_written([s])


def _nest(statements: Sequence[Stmt], place: int, rows: Expr, b: WordBuilder) -> Nest | None:
    """The kernel around one of its loops, if that goes through the rows and through all of them."""
    indices: list[str] = []
    extents: list[Expr] = []
    total: Expr = b.const(1)
    body: tuple[Stmt, ...] = (statements[place],)
    while total is not rows:
        if len(body) != 1 or not isinstance(body[0], For) or body[0].kind == "serial":
            return None
        loop = body[0]
        indices.append(loop.var)
        extents.append(loop.extent)
        total = b.mul(total, loop.extent)
        body = loop.body
    before, after = tuple(statements[:place]), tuple(statements[place + 1 :])
    found = sums_of(before, For("", rows, body), indices)
    if found is None or not all(isinstance(s, Let) or s in found.fills.values() for s in before):
        return None
    starts = [s.value for s in found.starts.values()]
    starts += [_value_filled(s) for s in found.fills.values()]
    if not all(isinstance(x, Const) for x in starts):
        return None
    return Nest(before, tuple(indices), tuple(extents), body, after, found)


def _value_filled(s: Stmt) -> Expr:
    while isinstance(s, For):
        (s,) = s.body
    assert isinstance(s, Store)
    return s.value


def row_index(
    shape: Sequence[DimLike], index: Index, indices: Sequence[str]
) -> tuple[Index, tuple[DimLike, ...]] | None:
    """The index and the shape within a row, if the loops' indices are the leading ones in order."""
    depth = 0
    for axis, (dim, x) in enumerate(zip(shape, index, strict=True)):
        if depth == len(indices):
            return index[axis:], tuple(shape[axis:])
        if dim == 1:
            continue
        if not isinstance(x, Var) or x.name != indices[depth]:
            return None
        depth += 1
    return ((), ()) if depth == len(indices) else None
