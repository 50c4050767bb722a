"""A counted loop of small kernels as one kernel with a loop, whose state is in locals.

    repeat t: call k0(state, x[t], fresh); state = fresh
    --> kernel: s = state; for t: { ... x[t] ... s ...; s = new }; state = s

A call takes as long as some dozens of operations, so a recurrence of scalars runs ten times faster.
State that is no number stays in memory, in both its buffers, and is copied over after each turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from symgraph.loop.ir import (
    Assign,
    Call,
    Copy,
    Expr,
    For,
    If,
    Kernel,
    Let,
    Load,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    View,
    While,
)
from symgraph.loop.traverse import rebuild
from symgraph.lower.chains import chained
from symgraph.lower.kernels import call_instead, kernels_called
from symgraph.lower.nest import forwarded, sweep
from symgraph.lower.rows import with_expressions
from symgraph.lower.schedule import work_of
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.lower.program import Lowering


def inlined(
    lowering: Lowering,
    first: int,
    steps: Sequence[Step],
    turn: str,
    length: Expr,
    pairs: Sequence[tuple[str, str]],
) -> Call | None:
    """The call of one kernel that does all turns; None where turns are too large or no kernels.

    ``first``: the number of the first kernel that only these steps use.
    """
    bodies = kernels_called(lowering, first, steps)
    if not bodies or any(map(_is_chunked, bodies)):
        return None
    if sum(work_of(k.body) for k in bodies) > lowering.schedule.inline_work:
        return None
    kernels = {k.name: k for k in bodies}
    found = _Inlining(lowering, steps, kernels, turn, dict(pairs)).statements(length)
    if found is None:
        return None
    return call_instead(lowering, first, bodies, found, "scan")


def _is_chunked(kernel: Kernel) -> bool:
    return any(isinstance(s, For) and s.var.startswith("c_") for s in kernel.body)


@dataclass(slots=True)
class _Inlining:
    lowering: Lowering
    steps: Sequence[Step]
    kernels: Mapping[str, Kernel]
    turn: str
    pairs: Mapping[str, str]  # state -> its next value
    views: dict[str, View] = field(default_factory=dict)
    locals: dict[str, str] = field(default_factory=dict)  # number in a buffer -> local

    def statements(self, length: Expr) -> list[Stmt] | None:
        """The statements of the kernel; None where a number is not made by one plain store."""
        b, storages = self.lowering.b, self.lowering.storages
        body: list[Stmt] = []
        for step in self.steps:
            if isinstance(step, View):
                self.views[step.name] = step
            elif isinstance(step, Copy):
                body += self._copy(step.target, step.source)
            elif isinstance(step, Call):
                body += self.kernels[step.kernel].body
        if not self._settle(body):
            return None
        numbers = [s for s in self.pairs if s in self.locals]
        inside = [self._statement(s) for s in body]
        for state, new in self.pairs.items():
            if state not in self.locals:
                inside += [self._statement(s) for s in self._copy(state, new)]
        ends = [Assign(self.locals[s], Var(self._new(s), storages[s].dtype)) for s in numbers]
        before = [Let(self.locals[s], b.load(s, (), storages[s].dtype)) for s in numbers]
        after = [Store(s, (), Var(self.locals[s], storages[s].dtype)) for s in numbers]
        found: list[Stmt] = [*before, For(self.turn, length, (*inside, *ends), "serial"), *after]
        kept = sweep(forwarded(found, b), lambda name: False)
        return (self.lowering.schedule.chains and chained(kept, self.turn, b)) or kept

    def _new(self, state: str) -> str:
        """The local of a state's next value, which may be another state's old one."""
        return self.locals[self.pairs[state]]

    def _settle(self, body: Sequence[Stmt]) -> bool:
        """Locals for numbers: states with their next values, and what only these steps use."""
        stored = [s.buffer for s in body if isinstance(s, Store)]
        everywhere = [n for s in body for n in _stored(s)]
        own = {t.name for t in self.lowering.temporaries} - self.lowering.persistent
        numbers = {n for n in everywhere if n in own and self._is_number(n)}
        for state, new in self.pairs.items():
            if self._is_number(state):
                numbers |= {new}
                self.locals[state] = f"s_{state}"
        for name in numbers:
            if stored.count(name) != 1 or everywhere.count(name) != 1:
                return False
            self.locals[name] = f"n_{name}"
        return True

    def _is_number(self, name: str) -> bool:
        return self.lowering.storages[name].shape == ()

    def _copy(self, target: str, source: str) -> list[Stmt]:
        b, box = self.lowering.b, self.lowering.storages[target]
        index = tuple(b.var(f"i{d}") for d in range(len(box.shape)))
        body: Stmt = Store(target, index, b.load(source, index, box.dtype))
        for depth in range(len(box.shape) - 1, -1, -1):
            body = For(f"i{depth}", b.size(box.shape[depth]), (body,), "vector")
        return [body]

    def _element(self, name: str, index: tuple[Expr, ...]) -> tuple[str, tuple[Expr, ...]]:
        view = self.views.get(name)
        return (name, index) if view is None else (view.base, (*view.index, *index))

    def _expr(self, x: Expr) -> Expr:
        def change(e: Expr) -> Expr:
            if not isinstance(e, Load):
                return e
            if e.buffer in self.locals:
                return Var(self.locals[e.buffer], e.dtype)
            name, index = self._element(e.buffer, e.index)
            return self.lowering.b.load(name, index, e.dtype)

        return rebuild(x, change)

    def _statement(self, s: Stmt) -> Stmt:
        if isinstance(s, Store) and s.buffer in self.locals:
            return Let(self.locals[s.buffer], self._expr(s.value))
        if isinstance(s, Store | Update):
            name, index = self._element(s.buffer, tuple(map(self._expr, s.index)))
            return replace(s, buffer=name, index=index, value=self._expr(s.value))
        made = with_expressions(s, self._expr)
        if isinstance(made, For | While):
            return replace(made, body=tuple(map(self._statement, made.body)))
        if isinstance(made, If):
            then, orelse = (tuple(map(self._statement, x)) for x in (made.then, made.orelse))
            return replace(made, then=then, orelse=orelse)
        return made


def _stored(s: Stmt) -> list[str]:
    """The buffers that a statement and those inside it store to, as often as they do."""
    found = [s.buffer] if isinstance(s, Store | Update) else []
    if isinstance(s, For | While):
        found += [n for x in s.body for n in _stored(x)]
    if isinstance(s, If):
        found += [n for x in (*s.then, *s.orelse) for n in _stored(x)]
    return found
