"""Turns of a counted loop whose state lives in two sets of buffers, and is never copied.

    repeat t < 2 * n:  fresh = step(state); copy state = fresh
    --> repeat u < n:  fresh = step(state) at 2 * u; state = step(fresh) at 2 * u + 1

An odd number of turns begins with one turn from the fresh buffers, into which the caller then puts
the first state; where the number is a symbol, the turn left over is at the end and copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from symgraph.ir.dim import DimLike, floordiv, mod, sub
from symgraph.loop.ir import (
    Bind,
    Branch,
    Call,
    Check,
    Copy,
    Expr,
    Library,
    Loop,
    Repeat,
    Step,
    View,
)
from symgraph.loop.traverse import substitute
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass

Pair = tuple[str, str]  # the buffers of a state and of its next value


@dataclass(frozen=True, slots=True)
class Renaming:
    """Other buffers and other values of size variables for steps."""

    names: Mapping[str, str]
    values: dict[str, Expr]

    def name(self, name: str) -> str:
        """The buffer to use instead."""
        return self.names.get(name, name)

    def expr(self, x: Expr) -> Expr:
        """An expression with variables replaced."""
        return substitute(x, self.values)

    def exprs(self, xs: Sequence[Expr]) -> tuple[Expr, ...]:
        """Expressions with variables replaced."""
        return tuple(self.expr(x) for x in xs)


def renamed(steps: Sequence[Step], to: Renaming) -> tuple[Step, ...]:
    """Steps on other buffers, at other values of variables."""
    return tuple(_RENAMED[type(s)](s, to) for s in steps)


_RENAMED: dict[type, Callable[..., Step]] = {
    Call: lambda s, to: replace(s, buffers=tuple(map(to.name, s.buffers)), sizes=to.exprs(s.sizes)),
    Library: lambda s, to: replace(
        s, buffers=tuple(map(to.name, s.buffers)), sizes=to.exprs(s.sizes)
    ),
    View: lambda s, to: View(
        to.name(s.name),
        to.name(s.base),
        to.exprs(s.index),
        None if s.start is None else to.expr(s.start),
    ),
    Bind: lambda s, to: Bind(s.name, to.name(s.buffer)),
    Check: lambda s, to: Check(to.expr(s.cond), s.code, to.exprs(s.args)),
    Repeat: lambda s, to: Repeat(s.var, to.expr(s.extent), renamed(s.steps, to)),
    Loop: lambda s, to: Loop(to.name(s.cond), renamed(s.steps, to)),
    Branch: lambda s, to: Branch(to.name(s.cond), renamed(s.then, to), renamed(s.orelse, to)),
    Copy: lambda s, to: Copy(to.name(s.target), to.name(s.source)),
}


def views_in(steps: Sequence[Step]) -> set[str]:
    """Names that are introduced by the steps themselves, and not by steps inside them."""
    return {s.name for s in steps if isinstance(s, View)}


def alternating(
    steps: Sequence[Step], turn: str, length: DimLike, pairs: Sequence[Pair], b: WordBuilder
) -> list[Step]:
    """All turns of a loop; ``steps`` compute one turn from the first of each pair to the second.

    The last state is in the first of each pair. The first state is expected in the second of each
    where ``starts_in_second`` says so.
    """
    there = dict(pairs) | {q: p for p, q in pairs}
    there |= {v: f"{v}_{turn}b" for v in views_in(steps)}
    first = {v: f"{v}_{turn}a" for v in views_in(steps)}
    begin = 1 if starts_in_second(length) else 0
    twice = b.mul(b.var(turn), 2)
    even = Renaming({}, {turn: b.add(twice, begin)})
    odd = Renaming(there, {turn: b.add(twice, begin + 1)})
    out: list[Step] = []
    if begin:
        one = Renaming(there | {v: f"{v}_{turn}c" for v in first}, {turn: b.const(0)})
        out.extend(renamed(steps, one))
    pairs_of_turns = floordiv(sub(length, begin), 2)
    if pairs_of_turns != 0:
        body = renamed(steps, even) + renamed(steps, odd)
        out.append(Repeat(turn, b.size(pairs_of_turns), body))
    left_over = 0 if isinstance(length, int) else mod(length, 2)
    if left_over != 0:
        at_end = Renaming(first, {turn: b.sub(b.size(length), 1)})
        copies = [Copy(p, q) for p, q in pairs]
        out.append(Repeat(f"{turn}_end", b.size(left_over), (*renamed(steps, at_end), *copies)))
    return out


def starts_in_second(length: DimLike) -> bool:
    """Is the first state expected in the second buffers of ``alternating``?"""
    return isinstance(length, int) and length % 2 == 1
