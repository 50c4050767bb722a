"""Rows instead of arrays: a temporary that only one turn of a loop reads lives on the stack.

    for i: for j: t[i, j] = ...; for j: ... t[i, j] ...  -->  for i: local t[n]; ...

A buffer that is used in one kernel alone, always at the indices of the loops around, needs no more
than one row, which stays in L1 and may be different memory for each thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

from symgraph.loop.ir import (
    Assign,
    Cast,
    Expr,
    Fail,
    For,
    If,
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
from symgraph.loop.traverse import blocks, expressions, rebuild
from symgraph.lower.stage import Storage

Index = tuple[Expr, ...]
Uses = dict[str, list[Index]]


def with_rows(
    statements: list[Stmt], is_private: Callable[[str], Storage | None], most: int
) -> list[Stmt]:
    """Statements with rows for the buffers that are private to them and read in one turn alone."""
    uses: Uses = {}
    for name, index in accesses(statements):
        uses.setdefault(name, []).append(index)
    homes: dict[For, list[Local]] = {}
    dropped: dict[str, int] = {}
    for name, indices in uses.items():
        box = is_private(name)
        found = None if box is None else _home(statements, name, indices, 0, None)
        if box is None or found is None:
            continue
        loop, depth = found
        lengths = tuple(d for d in box.shape[depth:] if isinstance(d, int))
        whole = len(lengths) == len(box.shape) - depth
        if lengths and whole and 0 < prod(lengths) * box.dtype.itemsize <= most:
            homes.setdefault(loop, []).append(Local(f"row_{name}", box.dtype, lengths))
            dropped[name] = depth
    if not dropped:
        return statements
    return _moved(statements, homes, dropped)


def _home(
    block: Sequence[Stmt], name: str, uses: Sequence[Index], depth: int, around: For | None
) -> tuple[For, int] | None:
    """The innermost loop in one turn of which all uses lie, and how many indices its loops are."""
    holders = [s for s in block if any(n == name for n, _ in accesses([s]))]
    if len(holders) == 1 and isinstance(holders[0], For):
        loop = holders[0]
        if all(depth < len(i) and _is_index(i[depth], loop.var) for i in uses):
            return _home(loop.body, name, uses, depth + 1, loop)
    return None if around is None else (around, depth)


def _is_index(x: Expr, name: str) -> bool:
    return isinstance(x, Var) and x.name == name


def _moved(
    block: Iterable[Stmt], homes: Mapping[For, list[Local]], dropped: Mapping[str, int]
) -> list[Stmt]:
    """Statements in which buffers are their rows, which are declared in the loops they live in."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Load) and e.buffer in dropped:
            return Load(f"row_{e.buffer}", e.index[dropped[e.buffer] :], e.dtype)
        return e

    def moved(s: Stmt) -> Stmt:
        if isinstance(s, Store | Update) and s.buffer in dropped:
            s = replace(s, buffer=f"row_{s.buffer}", index=s.index[dropped[s.buffer] :])
        made = with_expressions(s, lambda x: rebuild(x, change))
        if isinstance(made, For):
            assert isinstance(s, For)
            inner = _moved(s.body, homes, dropped)
            return replace(made, body=(*homes.get(s, ()), *inner))
        if isinstance(made, If):
            then, orelse = (tuple(_moved(x, homes, dropped)) for x in (made.then, made.orelse))
            return replace(made, then=then, orelse=orelse)
        return made

    return [moved(s) for s in block]


def with_expressions(s: Stmt, change: Callable[[Expr], Expr]) -> Stmt:
    """A statement with the expressions that stand directly in it changed."""
    if isinstance(s, Let):
        return Let(s.name, change(s.value))
    if isinstance(s, Store):
        return Store(s.buffer, tuple(map(change, s.index)), change(s.value))
    if isinstance(s, For):
        return For(s.var, change(s.extent), s.body, s.kind)
    if isinstance(s, Assign):
        return Assign(s.name, change(s.value))
    if isinstance(s, Update):
        return Update(s.buffer, tuple(map(change, s.index)), s.op, change(s.value))
    if isinstance(s, If | While):
        return replace(s, cond=change(s.cond))
    if isinstance(s, Fail):
        return replace(s, args=tuple(map(change, s.args)))
    return s


def accesses(block: Iterable[Stmt]) -> list[tuple[str, Index]]:
    """Every element of a buffer that statements load, store or update."""
    found: list[tuple[str, Index]] = []
    pending = list(block)
    while pending:
        s = pending.pop()
        if type(s) is Store or type(s) is Update:
            found.append((s.buffer, s.index))
        stack = list(expressions(s))
        while stack:
            e = stack.pop()
            if type(e) is Word:
                stack += e.args
            elif type(e) is Load:
                found.append((e.buffer, e.index))
                stack += e.index
            elif type(e) is Cast:
                stack.append(e.x)
        for inner in blocks(s):
            pending.extend(inner)
    return found
