"""A counted loop whose turns treat each point alone: all turns of a block of points at a time.

    repeat t: for i < n: fresh[i] = f(state[i], x[t, i]); state = fresh
    --> parallel blocks of points: s[l] = state[first + l]
                                   for t: for l: s[l] = f(s[l], x[t, first + l])
                                   state[first + l] = s[l]

Elementwise steps (iterations, integrators, filters of many series) then keep their state in the
first cache through all turns, and threads meet once instead of once a turn. Points are one axis of
the state; along the others steps may do what they like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from symgraph.ir.dtype import INT64
from symgraph.loop.ir import (
    Assign,
    Call,
    Const,
    Copy,
    Expr,
    For,
    Kernel,
    Let,
    Load,
    Local,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    View,
)
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import expressions, postorder, rebuild, statements, substitute
from symgraph.lower.kernels import call_instead, kernels_called
from symgraph.lower.nest import forwarded
from symgraph.lower.rows import accesses, with_expressions
from symgraph.lower.schedule import guess_extent
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.lower.program import Lowering

MOST_POINTS, FEWEST_POINTS, UNIT = 512, 32, 16  # of a block; a multiple of vectors
STATE_BYTES = 24 << 10  # of all that a block carries: half of a first cache
Pair = tuple[str, str]  # the buffers of a state and of its next value


def by_points(
    lowering: Lowering,
    first: int,
    steps: Sequence[Step],
    turn: str,
    length: Expr,
    pairs: Sequence[Pair],
) -> Call | None:
    """The call of one kernel that does all turns, block by block; None where points are not alone.

    ``first``: the number of the first kernel that only these steps use.
    """
    least = lowering.schedule.point_rows
    bodies = kernels_called(lowering, first, steps) if least and pairs else None
    if bodies is None:
        return None
    kernels = {k.name: k for k in bodies}
    shape = lowering.storages[pairs[0][0]].shape
    for axis in range(len(shape) - 1, -1, -1):
        extent = lowering.b.size(shape[axis])
        is_few = guess_extent(extent) < least
        if is_few and not isinstance(extent, Const):
            continue
        made = _Points(lowering, steps, kernels, turn, pairs, extent, is_few).statements(length)
        if made is not None:
            return call_instead(lowering, first, bodies, lowering.in_lanes(made), "scan_points")
    return None


@dataclass(slots=True)
class _Points:
    lowering: Lowering
    steps: Sequence[Step]
    kernels: Mapping[str, Kernel]
    turn: str
    pairs: Sequence[Pair]
    extent: Expr
    is_few: bool  # one block, which may be kept in registers
    views: dict[str, View] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)  # buffers that turns write, and states
    axes: dict[str, int] = field(default_factory=dict)  # of these, which axis points are
    merged: dict[str, str] = field(default_factory=dict)  # next value -> state, if one will do
    length: int = 0

    def statements(self, turns: Expr) -> list[Stmt] | None:
        """The statements of the kernel; None where something sees more than its own point."""
        body: list[Stmt] = []
        for step in self.steps:
            if isinstance(step, View):
                self.views[step.name] = step
            elif isinstance(step, Copy):
                body.append(self._copied(step.target, step.source))
            elif isinstance(step, Call):
                body += self.kernels[step.kernel].body
        body = self._joined(body)
        inner = list(statements(tuple(body)))
        if any(not isinstance(s, For | Let | Assign | Store | Update | Local) for s in inner):
            return None
        self.carried = {s.buffer for s in inner if isinstance(s, Store | Update)}
        self.carried -= {s.name for s in inner if isinstance(s, Local)}
        self.carried |= {state for state, _ in self.pairs}
        nests = [self._nest(s) for s in body]
        if not any(nests) or None in nests or not self.axes.keys() >= self.carried:
            return None
        self._merge(body)
        if self.is_few and not all(isinstance(s, For) and self._is_flat(s) for s in body):
            return None
        if not self._fits():
            return None
        return self._written(body, [n for n in nests if n is not None], turns)

    def _joined(self, body: Sequence[Stmt]) -> list[Stmt]:
        """Plain loops over points, one after the other, as one: a point sees none but itself."""
        out: list[Stmt] = []
        for s in body:
            last = out[-1] if out else None
            if isinstance(s, For) and isinstance(last, For) and self._is_flat(s, last):
                at: dict[str, Expr] = {s.var: self.lowering.b.var(last.var)}
                more = [_moved_to(x, at) for x in s.body]
                out[-1] = replace(last, body=(*last.body, *more))
            else:
                out.append(s)
        return forwarded(out, self.lowering.b) if len(out) < len(body) else out

    def _is_flat(self, *loops: For) -> bool:
        return all(
            s.extent is self.extent and all(isinstance(x, Let | Store) for x in s.body)
            for s in loops
        )

    # ------------------------------------------------------------ what there is

    def _nest(self, s: Stmt) -> str | None:
        """The loop over points of a statement, "" for one that has none and touches no state."""
        uses = [(n, i) for n, i in accesses([s]) if n in self.carried]
        if not isinstance(s, For):
            return "" if isinstance(s, Let) and not uses else None
        for loop in statements((s,)):
            if not isinstance(loop, For) or loop.extent is not self.extent:
                continue
            axes = dict(self.axes)
            alone = [_axis(i, loop.var) for _, i in uses]
            same = [
                axes.setdefault(n, a) == a
                for (n, _), a in zip(uses, alone, strict=True)
                if a is not None
            ]
            if None not in alone and all(same) and _is_whole(s, loop):
                self.axes = axes
                return loop.var
        return None

    def _merge(self, body: Sequence[Stmt]) -> None:
        """States that need no second buffer: read only where their next value is stored.

        Stores of next values then wait for the end of the loop, so nothing may read those.
        """
        loops = [s for s in body if isinstance(s, For)]
        if len(loops) != 1 or any(isinstance(s, For) for s in loops[0].body):
            return  # not one loop of plain statements, whose stores may wait for its loads
        places: dict[str, set[str]] = {}
        for name, index in accesses(loops):
            places.setdefault(name, set()).add(",".join(map(show_expr, index)))
        news = [new for _, new in self.pairs]
        nodes = postorder(*[x for s in statements((loops[0],)) for x in expressions(s)])
        loaded = {e.buffer for e in nodes if isinstance(e, Load)}
        for state, new in self.pairs:
            if (
                new not in loaded
                and len(places.get(state, set()) | places[new]) == 1
                and news.count(new) == 1
            ):
                self.merged[new] = state

    def _fits(self) -> bool:
        """Choose the length of blocks; False where a point carries too much."""
        total = 0
        for name in self._kept():
            rest = list(self.lowering.storages[name].shape)
            del rest[self.axes[name]]
            if not all(isinstance(d, int) for d in rest):
                return False
            lengths = [d for d in rest if isinstance(d, int)]
            total += prod(lengths) * self.lowering.storages[name].dtype.itemsize
        most = min(MOST_POINTS, STATE_BYTES // max(1, total) // UNIT * UNIT)
        if most < FEWEST_POINTS:
            return False
        count = guess_extent(self.extent)
        if self.is_few:
            self.length = count
            return True
        blocks = -(-count // most)
        blocks += blocks % 2  # an equal share for two threads where blocks are few
        self.length = min(most, -(-count // (blocks * UNIT)) * UNIT)
        return True

    def _kept(self) -> list[str]:
        """Buffers that a block holds: not results of turns, nor next values that need none."""
        return sorted(self.carried - self.views.keys() - self.merged.keys())

    # ------------------------------------------------------------ how it is written

    def _written(self, body: Sequence[Stmt], nests: Sequence[str], turns: Expr) -> list[Stmt]:
        b = self.lowering.b
        size = b.const(self.length)
        inside = [self._statement(s, var) for s, var in zip(body, nests, strict=True)]
        states = [(s, self._own(s)) for s, _ in self.pairs]
        news = [(self._own(n), self._own(s)) for s, n in self.pairs if n not in self.merged]
        inside += [self._moved(new, state, False) for new, state in news]
        found: list[Stmt] = [
            *(self._local(name) for name in self._kept()),
            *(self._moved(state, own, True) for state, own in states),
            For(self.turn, turns, tuple(inside), "serial"),
            *(self._moved(own, state, True) for state, own in states),
        ]
        if self.is_few:
            return found
        left = b.sub(self.extent, self._first())
        block: list[Stmt] = [
            Let(f"first_{self.turn}", b.mul(b.var(f"b_{self.turn}"), size)),
            Let(f"points_{self.turn}", b.word("minimum", (size, left), INT64)),
            *found,
        ]
        count = b.word("floordiv", (b.add(self.extent, self.length - 1), size), INT64)
        return [For(f"b_{self.turn}", count, tuple(block), "parallel")]

    def _first(self) -> Expr:
        """The number of the first point of a block."""
        b = self.lowering.b
        return b.const(0) if self.is_few else b.var(f"first_{self.turn}")

    def _count(self) -> Expr:
        """The number of points of a block."""
        b = self.lowering.b
        return b.const(self.length) if self.is_few else b.var(f"points_{self.turn}")

    def _own(self, name: str) -> str:
        return f"own_{self.merged.get(name, name)}"

    def _local(self, name: str) -> Local:
        box = self.lowering.storages[name]
        axis = self.axes[name]
        shape = [d for k, d in enumerate(box.shape) if k != axis and isinstance(d, int)]
        return Local(self._own(name), box.dtype, (*shape, self.length))

    def _moved(self, source: str, target: str, is_global: bool) -> Stmt:
        """A loop that copies a state of a block; ``is_global``: from or to the whole state."""
        b = self.lowering.b
        state = next(s for s, n in self.pairs if {s, self._own(s)} & {source, target})
        box, axis = self.lowering.storages[state], self.axes[state]
        far = [b.var(f"i{d}") for d in range(len(box.shape))]
        near = [*far[:axis], *far[axis + 1 :], far[axis]]  # points are the last axis of a block
        if is_global:
            far[axis] = b.add(self._first(), far[axis])
        at = {name: tuple(far if name == state else near) for name in (source, target)}
        loop: Stmt = Store(target, at[target], b.load(source, at[source], box.dtype))
        for depth in range(len(box.shape) - 1, -1, -1):
            extent = self._count() if depth == axis else b.size(box.shape[depth])
            loop = For(f"i{depth}", extent, (loop,), "vector")
        return loop

    def _statement(self, s: Stmt, var: str) -> Stmt:
        """A statement on the points of a block; ``var``: the loop over points."""
        if isinstance(s, Store | Update):
            value = self._expr(s.value, var)
            element = self._expr(Load(s.buffer, s.index, s.value.dtype), var)
            assert isinstance(element, Load)
            return replace(s, buffer=element.buffer, index=element.index, value=value)
        made = with_expressions(s, lambda x: self._expr(x, var))
        if not isinstance(made, For):
            return made
        body = [self._statement(x, var) for x in made.body]
        if made.var == var:
            made = replace(made, extent=self._count())
            body = self._late(body)
        kind = "vector" if made.kind == "parallel" else made.kind
        return replace(made, body=tuple(body), kind=kind)

    def _late(self, body: Sequence[Stmt]) -> list[Stmt]:
        """Statements that store into states whose old values they read: stores at the end."""
        owns = {self._own(new) for new in self.merged}
        out: list[Stmt] = []
        late: list[Stmt] = []
        for s in body:
            if isinstance(s, Store) and s.buffer in owns:
                name = f"next_{s.buffer}"
                out.append(Let(name, s.value))
                late.append(replace(s, value=Var(name, s.value.dtype)))
            else:
                out.append(s)
        return [*out, *late]

    def _expr(self, x: Expr, var: str) -> Expr:
        b = self.lowering.b

        def change(e: Expr) -> Expr:
            if isinstance(e, Var) and e.name == var:
                return b.add(self._first(), e)
            if not isinstance(e, Load):
                return e
            if e.buffer in self.carried and e.buffer not in self.views:
                rest = [x for k, x in enumerate(e.index) if k != self.axes[e.buffer]]
                return b.load(self._own(e.buffer), (*rest, b.var(var)), e.dtype)
            view = self.views.get(e.buffer)
            return e if view is None else b.load(view.base, (*view.index, *e.index), e.dtype)

        return rebuild(x, change)

    def _copied(self, target: str, source: str) -> Stmt:
        b, box = self.lowering.b, self.lowering.storages[target]
        index = tuple(b.var(f"i{d}") for d in range(len(box.shape)))
        moved = f"moved_{target}"
        value = Let(moved, b.load(source, index, box.dtype))
        body: tuple[Stmt, ...] = (value, Store(target, index, b.var(moved, box.dtype)))
        for depth in range(len(box.shape) - 1, -1, -1):
            body = (For(f"i{depth}", b.size(box.shape[depth]), body, "vector"),)
        return body[0]


def _axis(index: Sequence[Expr], var: str) -> int | None:
    """Which index a variable is; None where it is none, or in another one too."""
    having = [
        k
        for k, x in enumerate(index)
        if any(isinstance(e, Var) and e.name == var for e in postorder(x))
    ]
    return having[0] if len(having) == 1 and isinstance(index[having[0]], Var) else None


def _moved_to(s: Stmt, at: dict[str, Expr]) -> Stmt:
    """A statement of a loop in another one, whose variable takes the place of its own."""
    return with_expressions(s, lambda x: substitute(x, at))


def _is_whole(s: For, loop: For) -> bool:
    """Does a nest do all its work inside a loop, and add up nothing across that loop's turns?"""
    around = s
    while around is not loop:
        if len(around.body) != 1 or not isinstance(around.body[0], For):
            return False
        around = around.body[0]
    own = {x.name for x in statements(loop.body) if isinstance(x, Let)}
    return all(x.name in own for x in statements(loop.body) if isinstance(x, Assign))
