"""Clusters as kernels and steps: groups top-level entries, settles buffers, drops dead stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import DType
from symgraph.ir.node import Node
from symgraph.loop.ir import Library, Local, Step, Stmt
from symgraph.lower.blocks import Blocking, Run, runs_of
from symgraph.lower.chunks import chunked
from symgraph.lower.cluster import Barrier, Clusters, Entry, Nest, Text
from symgraph.lower.columns import with_columns
from symgraph.lower.flat import flattened
from symgraph.lower.kernels import call_of
from symgraph.lower.late import with_late_squares
from symgraph.lower.leading_sums import in_row_blocks
from symgraph.lower.long_sums import in_blocks
from symgraph.lower.members import Item
from symgraph.lower.memory import names_in
from symgraph.lower.nest import body_of, buffers_read, buffers_written, flat, sweep
from symgraph.lower.owners import with_owners
from symgraph.lower.pairs import in_pairs
from symgraph.lower.rows import with_rows
from symgraph.lower.schedule import Schedule
from symgraph.lower.stage import Stage, Storage
from symgraph.lower.tiles import tiled
from symgraph.lower.turned import with_tiles
from symgraph.lower.wide import widened
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.lower.program import Lowering

Group = list[Entry]
Uses = tuple[set[str], set[str]]  # buffers that a kernel reads, and those that it writes


def assemble(
    clusters: Clusters, lowering: Lowering, kept: Iterable[str] = (), is_outermost: bool = False
) -> list[Step]:
    """The steps of a segment; its kernels are added to the program's.

    ``kept``: the buffers of its results. Rows are done in blocks where nothing is around it.
    """
    groups = _grouped(clusters.entries)
    bodies = [
        None if isinstance(g[0], Barrier) else body_of(g, clusters.stages, lowering.b)
        for g in groups
    ]
    uses = [
        (buffers_read(body.statements), buffers_written(body.statements))
        for body in bodies
        if body is not None
    ]
    dead = _dead_buffers(uses, clusters, lowering)
    private = _private_buffers(uses, lowering)
    items: list[Item] = []
    for group, body in zip(groups, bodies, strict=True):
        first = group[0]
        if isinstance(first, Barrier):
            items.append(_steps_item(first.step, lowering))
            continue
        assert body is not None
        statements = sweep(body.statements, lambda name: name in dead)
        statements = with_rows(statements, private.get, lowering.schedule.row_bytes)
        if statements:
            items.append(_kernel_item(statements, body.stages, lowering))
    if lowering.schedule.most_chunks > 1:
        items = with_late_squares(
            items,
            lambda item: _Partials(lowering, item.stages[-1].node),
            lambda made, of: _kernel_item(made, [s for i in of for s in i.stages], lowering),
        )
        items = with_owners(
            items,
            lambda item: _Partials(lowering, item.stages[-1].node),
            lambda made, of: _kernel_item(made, [s for i in of for s in i.stages], lowering),
        )
    schedule = lowering.schedule if is_outermost else replace(lowering.schedule, tile_bytes=0)
    about = Blocking(
        lowering.b,
        schedule,
        lowering.storages.get,
        lowering.actual,
        frozenset(t.name for t in lowering.temporaries),
        frozenset(kept),
    )
    return [s for found in runs_of(items, about) for s in _written(found, lowering, is_outermost)]


def _written(found: Item | Run, lowering: Lowering, is_outermost: bool) -> Sequence[Step]:
    """The steps of an item or a run."""
    if isinstance(found, Run):
        return tiled(found, lowering)
    if not found.statements:
        return found.steps
    stages = found.stages
    statements = list(found.statements)
    seen: dict[str, Storage] = {}  # buffers that this kernel sees in fewer axes
    if lowering.schedule.most_chunks > 1 and is_outermost:  # others may become parts of one kernel
        statements, seen = flattened(statements, lowering.storages, lowering.b)
    if lowering.schedule.most_chunks > 1:
        statements = with_columns(statements, lowering.b)
    if lowering.schedule.wide_sums:
        statements = widened(statements, lowering.b)
    statements = chunked(statements, _Partials(lowering, stages[-1].node, seen))
    if lowering.schedule.most_chunks > 1:
        statements = in_pairs(with_tiles(statements, lowering.b), lowering.b)
    if lowering.schedule.sum_blocks:
        statements = in_row_blocks(statements, _Partials(lowering, stages[-1].node, seen))
        statements = in_blocks(statements, lowering.b)
    if is_outermost:  # a turn of a loop is part of a larger kernel, perhaps
        statements = lowering.in_lanes(statements)
    return [call_of(lowering, statements, stages, {**lowering.storages, **seen}, lowering.actual)]


def _kernel_item(statements: list[Stmt], stages: list[Stage], lowering: Lowering) -> Item:
    rows = {s.name for s in flat(statements) if isinstance(s, Local)}
    reads = {lowering.actual(n) for n in buffers_read(statements) - rows}
    writes = {lowering.actual(n) for n in buffers_written(statements) - rows}
    checks = any(s.is_check for s in stages)
    looks_up = bool(lowering.failures) and any(s.looks_up for s in stages)
    return Item(
        frozenset(reads),
        frozenset(writes),
        tuple(stages),
        tuple(statements),
        checks=checks,
        looks_up=looks_up,
    )


def _steps_item(made: object, lowering: Lowering) -> Item:
    """Steps that are no kernel: all that control flow names is taken as read and written."""
    steps: list[Step] = made if isinstance(made, list) else [made]  # type: ignore[list-item]
    if len(steps) == 1 and isinstance(steps[0], Library):
        *reads, out = map(lowering.actual, steps[0].buffers)
        return Item(frozenset(reads), frozenset((out,)), steps=tuple(steps))
    names = frozenset(lowering.actual(n) for s in steps for n in names_in(s))
    return Item(names, names, steps=tuple(steps))


def _grouped(entries: Iterable[Entry]) -> list[Group]:
    """One group per kernel: a nest with the text around it that belongs to it, or loose text."""
    groups: list[Group] = []
    leading: Group = []
    for entry in entries:
        if isinstance(entry, Barrier):
            groups.append([entry])
        elif isinstance(entry, Nest):
            groups.append([*leading, entry])
            leading = []
        elif entry.leads:
            leading.append(entry)
        elif groups and _belongs(entry, groups[-1]):
            groups[-1].append(entry)
        else:
            groups.append([entry])
    assert not leading
    return groups


def _belongs(text: Text, group: Group) -> bool:
    nests = [e for e in group if isinstance(e, Nest)]
    if nests:
        return text.stages <= nests[0].stages
    return isinstance(group[0], Text)


def _dead_buffers(uses: Iterable[Uses], clusters: Clusters, lowering: Lowering) -> set[str]:
    """Buffers of this segment that are stored but that no kernel and no other step reads."""
    read = set(lowering.persistent)
    written: set[str] = set()
    for own_read, own_written in uses:
        read.update(map(clusters.base, own_read))
        written |= own_written
    return written - read


def _private_buffers(uses: Iterable[Uses], lowering: Lowering) -> dict[str, Storage]:
    """Temporaries that one kernel alone writes and reads, under one name."""
    seen: set[str] = set()
    written: set[str] = set()
    shared = set(lowering.persistent) | {lowering.actual(n) for n in lowering.aliases}
    for own_read, own_written in uses:
        names = own_read | own_written
        shared |= seen & names
        seen |= names
        written |= own_written
    return {t.name: t for t in lowering.temporaries if t.name in written - shared}


@dataclass(frozen=True, slots=True)
class _Partials:
    """What chunks need of a program: buffers, and new ones for a node's partial sums."""

    lowering: Lowering
    node: Node
    seen: Mapping[str, Storage] = field(default_factory=dict)

    @property
    def b(self) -> WordBuilder:
        """The builder of expressions."""
        return self.lowering.b

    @property
    def schedule(self) -> Schedule:
        """The cost model."""
        return self.lowering.schedule

    def storage(self, name: str) -> Storage:
        """A buffer by its name."""
        return self.seen.get(name) or self.lowering.storages[name]

    def partial(self, shape: tuple[DimLike, ...], dtype: DType) -> Storage:
        """A new buffer for partial sums."""
        return self.lowering.temporary(self.node, shape, dtype)
