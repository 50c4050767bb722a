"""The innermost loops of a kernel, and what keeps each from being done in vectors, if anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from symgraph.loop.ir import (
    Assign,
    Const,
    Expr,
    Fail,
    For,
    If,
    Let,
    Load,
    Stmt,
    Store,
    Update,
    Var,
    While,
    Word,
)
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import blocks, expressions, postorder, statements
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class InnerLoop:
    """A loop without loops inside: its kind, its extent, and why it may stay scalar."""

    var: str
    extent: str
    kind: str
    obstacles: tuple[str, ...]

    def __str__(self) -> str:
        what = f"for {self.var} < {self.extent} ({self.kind})"
        return f"{what}: {'; '.join(self.obstacles) or 'nothing in the way of vectors'}"


def inner_loops(body: Iterable[Stmt]) -> Iterator[InnerLoop]:
    """The innermost loops of a body, in order."""
    for s in body:
        if isinstance(s, For) and not any(isinstance(x, For | While) for x in statements(s.body)):
            yield InnerLoop(s.var, show_expr(s.extent), s.kind, tuple(_obstacles(s)))
        else:
            for block in blocks(s):
                yield from inner_loops(block)


def loop_lines(body: Iterable[Stmt]) -> list[str]:
    """The innermost loops of a body as text, each once, with how many there are."""
    count = Counter(map(str, inner_loops(body)))
    return [text + (f" ({times} loops)" if times > 1 else "") for text, times in count.items()]


def _obstacles(loop: For) -> Iterator[str]:
    if loop.kind == "serial":
        yield "a turn may need what the turn before made"
    if isinstance(loop.extent, Const) and int(loop.extent.value.real) < 4:
        yield f"it has only {int(loop.extent.value.real)} turns"
    inside = list(statements(loop.body))
    if any(isinstance(s, Fail) for s in inside):
        yield "indices are checked in it, and the first bad one stops it"
    if any(isinstance(s, If) for s in inside):
        yield "it has branches"
    told = _from_memory(inside)
    if any(_is_computed(s.index, told) for s in inside if isinstance(s, Store | Update)):
        yield "it stores at computed places"
    loads = [e for s in inside for e in postorder(*expressions(s)) if isinstance(e, Load)]
    if any(_is_computed(e.index, told) for e in loads):
        yield "it loads from computed places"
    far = [e.buffer for e in loads if _strides(e, loop.var)]
    if far:
        yield f"it steps through {', '.join(dict.fromkeys(far))} across rows"


def _from_memory(inside: Iterable[Stmt]) -> set[str]:
    """Locals that depend on data."""
    found: set[str] = set()
    for s in inside:
        if isinstance(s, Let | Assign) and _is_computed((s.value,), found):
            found.add(s.name)
    return found


def _is_computed(index: tuple[Expr, ...], told: set[str]) -> bool:
    """Does an index depend on data?"""
    return any(
        isinstance(e, Load) or (isinstance(e, Var) and e.name in told) for e in postorder(*index)
    )


def _strides(load: Load, var: str) -> bool:
    """Is the loop's index anywhere but in the last axis of an element?"""
    return any(
        isinstance(e, Var) and e.name == var for e in postorder(*load.index[:-1])
    ) and not any(isinstance(e, Word) and e.name == "floordiv" for e in postorder(*load.index))
