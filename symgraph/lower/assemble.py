"""Clusters as kernels and steps: groups top-level entries, settles buffers, drops dead stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgraph.ir.dim import DimLike
from symgraph.ir.dtype import DType
from symgraph.ir.node import Node
from symgraph.loop.ir import Call, For, Kernel, Load, Local, Step, Stmt, Store, Update, Var
from symgraph.lower.chunks import chunked
from symgraph.lower.cluster import Barrier, Clusters, Entry, Nest, Text
from symgraph.lower.nest import (
    Body,
    body_of,
    buffers_read,
    buffers_written,
    expressions,
    flat,
    leaves,
    sweep,
)
from symgraph.lower.rows import accesses, with_rows
from symgraph.lower.schedule import Schedule
from symgraph.lower.stage import Stage, Storage
from symgraph.lower.words import WordBuilder

if TYPE_CHECKING:
    from symgraph.lower.program import Lowering

Group = list[Entry]


def assemble(clusters: Clusters, lowering: Lowering) -> list[Step]:
    """The steps of a segment; its kernels are added to the program's."""
    groups = _grouped(clusters.entries)
    bodies = [
        None if isinstance(g[0], Barrier) else body_of(g, clusters.stages, lowering.b)
        for g in groups
    ]
    dead = _dead_buffers(bodies, clusters, lowering)
    private = _private_buffers(bodies, lowering)
    steps: list[Step] = []
    for group, body in zip(groups, bodies, strict=True):
        first = group[0]
        if isinstance(first, Barrier):
            steps.extend(first.step if isinstance(first.step, list) else [first.step])  # type: ignore[list-item]
            continue
        assert body is not None
        statements = sweep(body.statements, lambda name: name in dead)
        statements = with_rows(statements, private.get, lowering.schedule.row_bytes)
        statements = chunked(statements, _Partials(lowering, body.stages[-1].node))
        if statements:
            steps.append(_kernel(Body(statements, body.stages), lowering))
    return steps


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


def _dead_buffers(bodies: list[Body | None], clusters: Clusters, lowering: Lowering) -> set[str]:
    """Buffers of this segment that are stored but that no kernel and no other step reads."""
    read = set(lowering.persistent)
    written: set[str] = set()
    for body in bodies:
        if body is not None:
            read |= {clusters.base(n) for n in buffers_read(body.statements)}
            written |= buffers_written(body.statements)
    return written - read


def _private_buffers(bodies: list[Body | None], lowering: Lowering) -> dict[str, Storage]:
    """Temporaries that one kernel alone writes and reads, under one name."""
    seen: set[str] = set()
    written: set[str] = set()
    shared = set(lowering.persistent) | {lowering.actual(n) for n in lowering.aliases}
    for body in bodies:
        if body is not None:
            names = {n for n, _ in accesses(body.statements)}
            shared |= seen & names
            seen |= names
            written |= buffers_written(body.statements)
    return {t.name: t for t in lowering.temporaries if t.name in written - shared}


@dataclass(frozen=True, slots=True)
class _Partials:
    """What chunks need of a program: buffers, and new ones for a node's partial sums."""

    lowering: Lowering
    node: Node

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
        return self.lowering.storages[name]

    def partial(self, shape: tuple[DimLike, ...], dtype: DType) -> Storage:
        """A new buffer for partial sums."""
        return self.lowering.temporary(self.node, shape, dtype)


def _kernel(body: Body, lowering: Lowering) -> Call:
    reads = buffers_read(body.statements)
    writes = buffers_written(body.statements)
    rows = {s.name for s in flat(body.statements) if isinstance(s, Local)}
    reads, writes = reads - rows, writes - rows
    names = [n for n in _in_order(body.statements) if n in reads or n in writes]
    storages = [lowering.storages[n] for n in names]
    buffers = tuple(lowering.buffer(s) for s in storages)
    size_names = set(lowering.sizes.names.values())
    roots = [*expressions(body.statements), *(d for buf in buffers for d in buf.shape)]
    used = {e.name for e in leaves(roots) if isinstance(e, Var)}
    sizes = tuple(sorted(n for n in used if n in size_names))
    kernel = Kernel(
        f"k{len(lowering.kernels)}_{_title(body.stages)}",
        buffers,
        sizes,
        frozenset(writes),
        tuple(body.statements),
        tuple(s.node.number for s in body.stages),
        tuple(
            dict.fromkeys((line.file, line.number) for s in body.stages for line in s.node.lines)
        ),
    )
    lowering.kernels.append(kernel)
    actual = tuple(lowering.actual(n) for n in names)
    return Call(kernel.name, actual, tuple(lowering.b.var(n) for n in sizes))


def _in_order(statements: Iterable[Stmt]) -> list[str]:
    """Buffers in the order in which they first appear: what is read, then what is written."""
    read: dict[str, None] = {}
    written: dict[str, None] = {}

    def visit(block: Iterable[Stmt]) -> None:
        for s in block:
            if isinstance(s, For):
                visit(s.body)
                continue
            for e in leaves(expressions([s])):
                if isinstance(e, Load):
                    read.setdefault(e.buffer)
            if isinstance(s, Store | Update):
                written.setdefault(s.buffer)

    visit(statements)
    return [*read, *(n for n in written if n not in read)]


def _title(stages: list[Stage]) -> str:
    names = list(dict.fromkeys(s.node.op.name for s in stages))
    return "_".join(names[:3]) if names else "empty"
