"""The linear part of a recurrence: what a turn does to a difference of its states.

    h = (x[t] - h) * a + h   -->  d = -d * a + d          where the state differs by d

A turn that is affine in its states, new = A state + b, moves differences by A alone. They are
followed through the very operations of the turn, so A is never formed: 1 - a would be rounded once
and then be wrong in the same direction in every turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from symgraph.ir.dtype import DType
from symgraph.loop.ir import Assign, Expr, Let, Load, Stmt, Store, Var, Word
from symgraph.loop.traverse import expressions, postorder
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass

Value = Let | Assign
_FREE: dict[str, Callable[[Sequence[bool]], bool]] = {  # may these operands depend on a state?
    "add": lambda free: True,
    "sub": lambda free: True,
    "neg": lambda free: True,
    "mul": any,
    "div": lambda free: free[1],
    "select": lambda free: free[0],
}


@dataclass(frozen=True, slots=True)
class Affine:
    """A turn that is affine in its states."""

    b: WordBuilder
    body: tuple[Stmt, ...]
    states: Mapping[str, DType]
    moved: frozenset[str]  # locals that depend on a state
    needed: tuple[Value, ...]  # the statements that next states depend on

    def is_fixed(self, turn: str) -> bool:
        """Does a turn do the same to a difference whatever its number is?"""
        changing = {turn}
        for s in self.needed:
            if s.name not in self.moved and mentions(s.value, changing):
                changing.add(s.name)
        nodes = postorder(*[s.value for s in self.needed if mentions(s.value, self.moved)])
        scaled = [e for e in nodes if isinstance(e, Word) and e.name in ("mul", "div", "select")]
        factors = [
            a
            for e in scaled
            if mentions(e, self.moved)
            for a in e.args
            if not mentions(a, self.moved)
        ]
        return not any(mentions(a, changing) for a in factors)

    def reached(self, start: str) -> list[str]:
        """The states whose next values a difference in one of them changes, sooner or later."""
        found, before = {start}, 0
        while before < len(found):
            before = len(found)
            live = set(found)
            for s in self.needed:
                if mentions(s.value, live):
                    live.add(s.name)
            found |= live & self.states.keys()
        return [s for s in self.states if s in found]

    def difference(self, start: str) -> list[Stmt]:
        """What a turn does to a difference that began in one state (see ``name_of``)."""
        reached = self.reached(start)
        known: dict[str, Expr] = {s: Var(name_of(s, start), self.states[s]) for s in reached}
        found: list[Stmt] = []
        for s in self.needed:
            value, name = self._part(s.value, known), name_of(s.name, start)
            if isinstance(s, Let) and value is not None:
                found.append(Let(name, value))
                known[s.name] = Var(name, value.dtype)
            elif isinstance(s, Assign) and s.name in reached:
                found.append(
                    Assign(name, self.b.const(0, s.value.dtype) if value is None else value)
                )
        return found

    def _part(self, root: Expr, known: Mapping[str, Expr]) -> Expr | None:
        """The difference of an expression, given those of locals; None where there is none."""
        done: dict[Expr, Expr | None] = {}
        for e in postorder(root):
            if isinstance(e, Word):
                parts = [done[a] for a in e.args]
                done[e] = self._word(e, parts) if any(p is not None for p in parts) else None
            else:
                done[e] = known.get(e.name) if isinstance(e, Var) else None
        return done[root]

    def _word(self, e: Word, parts: Sequence[Expr | None]) -> Expr:
        b = self.b
        if e.name in ("mul", "div"):  # of which one operand is as it was
            args = tuple(a if p is None else p for a, p in zip(e.args, parts, strict=True))
            return b.word(e.name, args, e.dtype)
        zero = b.const(0, e.dtype)
        if e.name == "select":
            first, second = (zero if p is None else p for p in parts[1:])
            return b.select(e.args[0], first, second)
        left, right = parts if len(parts) == 2 else (None, parts[0])  # neg: 0 - x
        if right is None:
            return zero if left is None else left
        if left is not None:
            return b.word(e.name, (left, right), e.dtype)
        return right if e.name == "add" else b.neg(right)


def affine(body: Sequence[Stmt], b: WordBuilder) -> Affine | None:
    """A turn as an affine function of the states that it assigns to; None where it is none."""
    if any(not isinstance(s, Let | Assign | Store) for s in body):
        return None
    states = {s.name: s.value.dtype for s in body if isinstance(s, Assign)}
    stored = {s.buffer for s in body if isinstance(s, Store)}
    nodes = postorder(*[x for s in body for x in expressions(s)])
    if any(isinstance(e, Load) and e.buffer in stored for e in nodes):
        return None
    if not states or any(dtype.kind != "f" for dtype in states.values()):
        return None
    moved = set(states)
    wanted = set(states)
    needed: list[Value] = []
    for s in body:
        if isinstance(s, Let) and mentions(s.value, moved):
            moved.add(s.name)
    for s in reversed(body):
        if isinstance(s, Let | Assign) and s.name in wanted:
            needed.append(s)
            wanted |= {e.name for e in postorder(s.value) if isinstance(e, Var)}
    if not all(_is_affine(s.value, moved) for s in needed):
        return None
    return Affine(b, tuple(body), states, frozenset(moved), tuple(needed[::-1]))


def name_of(local: str, start: str) -> str:
    """The local that holds the difference of another, which began in a state."""
    return f"{local}_by_{start}"


def mentions(x: Expr, names: Iterable[str]) -> bool:
    """Does an expression depend on one of some locals?"""
    return any(isinstance(e, Var) and e.name in names for e in postorder(x))


def _is_affine(x: Expr, moved: set[str]) -> bool:
    for e in postorder(x):
        if isinstance(e, Var) or not mentions(e, moved):
            continue
        free = [not mentions(a, moved) for a in e.args] if isinstance(e, Word) else []
        if not isinstance(e, Word) or e.name not in _FREE or not _FREE[e.name](free):
            return False
    return True
