"""A kernel cut into parts that each run as one launch: where the whole grid has to wait.

Each ``For`` at the top of a kernel that may be spread is a part of its own; other statements
between them run in one thread. Locals that live from part to part become scratch memory, so that
a part is a kernel too, over the buffers and the scratch.

    map     one thread for each turn of its loops
    rows    one block for each turn; loops inside are spread over its threads
    reduce  the grid folds locals; each block leaves partial results, which a "rows" part folds
    single  one thread
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from symgraph.codegen.numba_cuda_nests import (
    Nest,
    fixed,
    reads,
    spread,
    variables,
)
from symgraph.loop.build import const, i64
from symgraph.loop.ir import (
    Assign,
    Buffer,
    Expr,
    Fail,
    For,
    If,
    Kernel,
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
from symgraph.loop.traverse import rebuild, statements, substitute
from symgraph.records import dataclass

DType = np.dtype[np.generic]
MAX_SHARED = 32 * 1024  # bytes of scratch arrays that a block may hold; 48 KiB with its folds


@dataclass(frozen=True, slots=True)
class Fold:
    """A local that a grid reduction folds: where it lives, and where blocks leave their part."""

    name: str
    word: str
    dtype: DType
    partial: str


@dataclass(frozen=True, slots=True)
class Part:
    """One launch."""

    kind: str
    kernel: Kernel
    nest: Nest | None = None
    folds: tuple[Fold, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a kernel in order; ``scratch`` are the last buffers of each."""

    parts: tuple[Part, ...]
    scratch: tuple[Buffer, ...]


def split(kernel: Kernel, blocks: int) -> Split:
    """The parts of a kernel; reductions leave ``blocks`` partial results."""
    return _Splitter(kernel, blocks).run()


def can_spread_rows(nest: Nest) -> bool:
    """Is there work inside for the threads of a block, and nothing that would part them?"""
    inner = [s for s in nest.body if isinstance(s, For) and spread(s) is not None]
    loose = any(isinstance(s, While) for s in nest.body)
    shared = sum(
        s.dtype.itemsize * prod(s.shape) for s in statements(nest.body) if isinstance(s, Local)
    )
    return bool(inner) and not loose and shared <= MAX_SHARED and not _can_fail(nest.body)


def _can_fail(body: tuple[Stmt, ...]) -> bool:
    return any(isinstance(s, Fail) for s in statements(body))


class _Splitter:
    def __init__(self, kernel: Kernel, blocks: int) -> None:
        self.kernel, self.blocks = kernel, blocks
        self.values: dict[str, Expr] = {}  # locals that are computed anew where they are used
        self.scratch: dict[str, Buffer] = {}
        self.parts: list[Part] = []

    def run(self) -> Split:
        groups = self._groups()
        self._find_shared(groups)
        for nest, group in groups:
            self._part(nest, group)
        scratch = tuple(self.scratch.values())
        parts = tuple(
            Part(p.kind, _with_buffers(p.kernel, scratch), p.nest, p.folds) for p in self.parts
        )
        return Split(parts, scratch)

    def _groups(self) -> list[tuple[bool, list[Stmt]]]:
        """Runs of statements; True: one loop that may be spread."""
        assigned = {s.name for s in statements(self.kernel.body) if isinstance(s, Assign)}
        groups: list[tuple[bool, list[Stmt]]] = []
        for s in self.kernel.body:
            if isinstance(s, Let) and s.name not in assigned and fixed([s.value]):
                self.values[s.name] = substitute(s.value, self.values)
            elif isinstance(s, For) and self._spreads(s):
                groups.append((True, [s]))
            elif groups and not groups[-1][0]:
                groups[-1][1].append(s)
            else:
                groups.append((False, [s]))
        return groups

    def _spreads(self, s: For) -> bool:
        nest = spread(s, over_grid=True)
        if nest is None or (nest.sums and _can_fail((s,))):
            return False
        extents = [substitute(f.extent, self.values) for f in nest.loops]
        return fixed(extents) and variables(*extents) <= set(self.kernel.sizes)

    def _find_shared(self, groups: list[tuple[bool, list[Stmt]]]) -> None:
        """Locals of the top that another group reads or changes become scratch memory."""
        for k, (_, group) in enumerate(groups):
            for s in group:
                if not isinstance(s, Let | Local):
                    continue
                others = [x for j, (_, g) in enumerate(groups) if j != k for x in g]
                if s.name not in _mentioned(others):
                    continue
                if isinstance(s, Local):
                    shape: tuple[Expr, ...] = tuple(const(n) for n in s.shape)
                    self.scratch[s.name] = Buffer(s.name, s.dtype, shape)
                else:
                    self.scratch[s.name] = Buffer(s.name, s.value.dtype, ())

    def _part(self, is_loop: bool, group: list[Stmt]) -> None:
        if not is_loop:
            self._add("single", _Rewrite(self, frozenset()).block(group))
            return
        (loop,) = group
        assert isinstance(loop, For)
        nest = spread(loop, over_grid=True)
        assert nest is not None
        (loop,) = _Rewrite(self, frozenset(nest.sums)).block([loop])
        assert isinstance(loop, For)
        nest = spread(loop, over_grid=True)
        assert nest is not None, self.kernel.name
        if nest.sums:
            self._reduce(loop, nest)
        else:
            self._add("rows" if can_spread_rows(nest) else "map", (loop,), nest)

    def _add(
        self,
        kind: str,
        body: tuple[Stmt, ...],
        nest: Nest | None = None,
        folds: tuple[Fold, ...] = (),
    ) -> None:
        k = self.kernel
        name = k.name if not self.parts else f"{k.name}_{len(self.parts)}"
        writes = k.writes | frozenset(self.scratch)
        part = Kernel(name, k.buffers, k.sizes, writes, body, k.origin, k.lines, k.functions)
        self.parts.append(Part(kind, part, nest, folds))

    def _reduce(self, loop: For, nest: Nest) -> None:
        folds: list[Fold] = []
        body: list[Stmt] = []
        for name, word in nest.sums.items():
            dtype = self.scratch[name].dtype
            partial = f"{name}_partial{len(self.parts)}"
            self.scratch[partial] = Buffer(partial, dtype, (const(self.blocks),))
            folds.append(Fold(name, word, dtype, partial))
            total, each = Var(f"{name}_all", dtype), f"{name}_block"
            load = Load(partial, (i64(each),), dtype)
            step = Assign(total.name, Word(word, (total, load), dtype))
            body += [
                Let(total.name, Load(name, (), dtype)),
                For(each, const(self.blocks), (step,), "vector"),
                Store(name, (), total),
            ]
        self._add("reduce", (loop,), nest, tuple(folds))
        self._add("rows", tuple(body), Nest((), tuple(body), {}, frozenset()))


def _with_buffers(kernel: Kernel, more: tuple[Buffer, ...]) -> Kernel:
    writes = kernel.writes | {b.name for b in more}
    buffers = kernel.buffers + more
    return Kernel(
        kernel.name,
        buffers,
        kernel.sizes,
        writes,
        kernel.body,
        kernel.origin,
        kernel.lines,
        kernel.functions,
    )


def _mentioned(body: Iterable[Stmt]) -> set[str]:
    """Names of variables and buffers that statements use."""
    body = list(body)
    found = {x.name for x in reads(body) if isinstance(x, Var)}
    found |= {x.buffer for x in reads(body) if isinstance(x, Load)}
    for s in statements(tuple(body)):
        if isinstance(s, Assign):
            found.add(s.name)
        elif isinstance(s, Store | Update):
            found.add(s.buffer)
    return found


class _Rewrite:
    """Statements with the locals that outlive a part in memory; ``kept`` ones stay locals."""

    def __init__(self, splitter: _Splitter, kept: frozenset[str]) -> None:
        self.values = splitter.values
        self.stored = {n: b for n, b in splitter.scratch.items() if n not in kept}

    def block(self, body: Iterable[Stmt]) -> tuple[Stmt, ...]:
        return tuple(new for s in body for new in self._one(s))

    def expr(self, x: Expr) -> Expr:
        def change(node: Expr) -> Expr:
            if not isinstance(node, Var):
                return node
            if node.name in self.values:
                return self.expr(self.values[node.name])  # may use what outlives its part
            return Load(node.name, (), node.dtype) if node.name in self.stored else node

        return rebuild(x, change)

    def _one(self, s: Stmt) -> list[Stmt]:
        match s:
            case Let(name, value):
                new = self.expr(value)
                return [Store(name, (), new) if name in self.stored else Let(name, new)]
            case Assign(name, value):
                new = self.expr(value)
                return [Store(name, (), new) if name in self.stored else Assign(name, new)]
            case Local(name):
                return [] if name in self.stored else [s]
            case Store(buffer, index, value):
                return [Store(buffer, tuple(map(self.expr, index)), self.expr(value))]
            case Update(buffer, index, op, value):
                return [Update(buffer, tuple(map(self.expr, index)), op, self.expr(value))]
            case Fail(code, args):
                return [Fail(code, tuple(map(self.expr, args)))]
        return [self._around(s)]

    def _around(self, s: Stmt) -> Stmt:
        match s:
            case For(var, extent, body, kind):
                return For(var, self.expr(extent), self.block(body), kind)
            case While(cond, body):
                return While(self.expr(cond), self.block(body))
            case If(cond, then, orelse):
                return If(self.expr(cond), self.block(then), self.block(orelse))
        raise AssertionError(s)
