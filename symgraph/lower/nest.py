"""A group of cluster entries as a ``Kernel``; what was just stored is not loaded again.

``forward`` replaces a load by the local that was stored at the same index in the same turn of the
loops, and shares equal loads and equal words. ``sweep`` then drops stores to buffers that nobody
reads, and scalar code that nothing uses. Both work on statements, so they know nothing of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from symgraph.loop.ir import (
    Assign,
    Cast,
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
from symgraph.lower.cluster import Entry, Nest, Text
from symgraph.lower.stage import Stage
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass

Available = dict[tuple[str, tuple[Expr, ...]], Expr]


@dataclass(slots=True)
class Body:
    """Statements of a kernel before its buffers are settled, and the stages in it."""

    statements: list[Stmt]
    stages: list[Stage]


def body_of(entries: list[Entry], stages: dict[int, Stage], b: WordBuilder) -> Body:
    """The statements of a group of entries, loads forwarded."""
    numbers = sorted(set().union(*[e.stages for e in entries]))
    raw = _statements(entries, stages, b)
    statements = _Forward(b).run(raw, {})
    return Body(statements, [stages[n] for n in numbers])


def _statements(entries: Iterable[Entry], stages: dict[int, Stage], b: WordBuilder) -> list[Stmt]:
    out: list[Stmt] = []
    for entry in entries:
        if isinstance(entry, Text):
            out.extend(entry.statements)
        elif isinstance(entry, Nest):
            inner = tuple(_statements(entry.block, stages, b))
            out.append(For(f"i{entry.depth}", b.size(entry.dim), inner, _kind(entry, stages)))
    return out


def _kind(nest: Nest, stages: dict[int, Stage]) -> str:
    """What may be promised about the turns of a loop (see ``For``)."""
    members = [stages[n] for n in nest.stages]
    if any(s.sequential is not None and nest.depth >= s.sequential for s in members):
        return "serial"
    folds = [s for s in members if s.kept <= nest.depth]
    if any(len(s.before) > 1 and any(isinstance(x, Let) for x in s.inside) for s in folds):
        return "serial"  # several accumulators that depend on each other, as in argmax
    innermost = not any(isinstance(e, Nest) for e in nest.block)
    return "vector" if folds or innermost else "parallel"


def forwarded(statements: Iterable[Stmt], b: WordBuilder) -> list[Stmt]:
    """Statements that load nothing again that they have stored or loaded at the same index."""
    return _Forward(b).run(statements, {})


class _Forward:
    def __init__(self, b: WordBuilder) -> None:
        self.b = b
        self.renamed: dict[str, Expr] = {}
        self.changing: list[set[str]] = []  # locals that the blocks around assign to

    def run(self, statements: Iterable[Stmt], outer: Available) -> list[Stmt]:
        here: Available = dict(outer)
        statements = list(statements)
        self.changing.append({s.name for s in statements if isinstance(s, Assign)})
        out: list[Stmt] = []
        for statement in statements:
            kept = self._one(statement, here)
            if kept is not None:
                out.append(kept)
        self.changing.pop()
        return out

    def _one(self, s: Stmt, here: Available) -> Stmt | None:
        if isinstance(s, Let):
            return self._let(s, here)
        if isinstance(s, Store):
            index = tuple(self.expr(i) for i in s.index)
            value = self.expr(s.value)
            if isinstance(value, Var | Const):
                here[(s.buffer, index)] = value
            return Store(s.buffer, index, value)
        if isinstance(s, For):
            return For(s.var, self.expr(s.extent), tuple(self.run(s.body, here)), s.kind)
        if isinstance(s, If):
            return If(
                self.expr(s.cond), tuple(self.run(s.then, here)), tuple(self.run(s.orelse, here))
            )
        if isinstance(s, Update):
            return Update(s.buffer, tuple(self.expr(i) for i in s.index), s.op, self.expr(s.value))
        if isinstance(s, Assign):
            return Assign(s.name, self.expr(s.value))
        if isinstance(s, Fail):
            return Fail(s.code, tuple(self.expr(a) for a in s.args))
        return s

    def _let(self, s: Let, here: Available) -> Stmt | None:
        value = self.expr(s.value)
        if isinstance(value, Load):
            key = (value.buffer, value.index)
            if key in here:
                self.renamed[s.name] = here[key]
                return None
            here[key] = self.b.var(s.name, value.dtype)
        elif isinstance(value, Word | Cast) and self._is_fixed(value):
            known = ("", (value,))
            if known in here:
                self.renamed[s.name] = here[known]
                return None
            here[known] = self.b.var(s.name, value.dtype)
        return Let(s.name, value)

    def _is_fixed(self, value: Word | Cast) -> bool:
        """Has a word the same value wherever it stands in this block and in those inside?"""
        changing = set().union(*self.changing)
        return all(isinstance(e, Var) and e.name not in changing for e in leaves((value,)))

    def expr(self, e: Expr) -> Expr:
        """An expression with renamed locals; expressions are shallow (a word has its own local)."""
        if type(e) is Var:
            return self.renamed.get(e.name, e)
        if type(e) is Word:
            args = tuple([self.expr(a) for a in e.args])
            return e if args == e.args else self.b.word(e.name, args, e.dtype)
        if type(e) is Load:
            index = tuple([self.expr(i) for i in e.index])
            return e if index == e.index else self.b.load(e.buffer, index, e.dtype)
        if type(e) is Cast:
            x = self.expr(e.x)
            return e if x is e.x else self.b.cast(x, e.dtype)
        return e


def expressions(statements: Iterable[Stmt]) -> list[Expr]:
    """All expressions of statements and of the blocks inside, outermost of each tree."""
    found: list[Expr] = []
    for s in statements:
        if type(s) is Let or type(s) is Assign:
            found.append(s.value)
        elif type(s) is Store or type(s) is Update:
            found += s.index
            found.append(s.value)
        elif type(s) is For:
            found.append(s.extent)
            found += expressions(s.body)
        elif type(s) is If:
            found.append(s.cond)
            found += expressions(s.then)
            found += expressions(s.orelse)
        elif type(s) is While:
            found.append(s.cond)
            found += expressions(s.body)
        elif type(s) is Fail:
            found += s.args
    return found


def leaves(roots: Iterable[Expr]) -> list[Var | Load]:
    """Every ``Load`` and ``Var`` inside expressions."""
    found: list[Var | Load] = []
    stack = [*roots]
    while stack:
        e = stack.pop()
        if type(e) is Var:  # a fifth of lowering was ``isinstance``
            found.append(e)
        elif type(e) is Word:
            stack += e.args
        elif type(e) is Load:
            found.append(e)
            stack += e.index
        elif type(e) is Cast:
            stack.append(e.x)
    return found


def buffers_read(statements: Iterable[Stmt]) -> set[str]:
    """Names of the buffers that statements load from (or update)."""
    statements = list(statements)
    found = {e.buffer for e in leaves(expressions(statements)) if type(e) is Load}
    return found | {s.buffer for s in flat(statements) if type(s) is Update}


def buffers_written(statements: Iterable[Stmt]) -> set[str]:
    """Names of the buffers that statements store to."""
    return {s.buffer for s in flat(statements) if type(s) is Store or type(s) is Update}


def flat(statements: Iterable[Stmt]) -> list[Stmt]:
    """Statements and those in the blocks inside."""
    found: list[Stmt] = []
    for s in statements:
        found.append(s)
        if type(s) is For or type(s) is While:
            found += flat(s.body)
        elif type(s) is If:
            found += flat(s.then)
            found += flat(s.orelse)
    return found


_CHANGING = frozenset((Assign, If, While))


def sweep(statements: list[Stmt], dead: Callable[[str], bool]) -> list[Stmt]:
    """Statements without stores to dead buffers, and without locals and loops then useless."""
    kept = _drop_stores(statements, dead)
    if not any(type(s) in _CHANGING for s in flat(kept)):
        return _live(kept, set())  # what is used is used by what follows
    while True:
        used = {e.name for e in leaves(expressions(kept)) if isinstance(e, Var)}
        # An accumulator that only feeds itself counts as used: folds always store their result.
        swept = _drop_unused(kept, used)
        if _count(swept) == _count(kept):
            return swept
        kept = swept


def _live(statements: Iterable[Stmt], used: set[str]) -> list[Stmt]:
    """Statements without locals that nothing after them uses; ``used`` gets the names they use."""
    out: list[Stmt] = []
    for s in reversed([*statements]):
        if isinstance(s, Let) and s.name not in used:
            continue
        if isinstance(s, For):
            body = tuple(_live(s.body, used))
            if not body:
                continue
            s = For(s.var, s.extent, body, s.kind)
            used.update([e.name for e in leaves((s.extent,)) if isinstance(e, Var)])
        else:
            used.update([e.name for e in leaves(expressions((s,))) if isinstance(e, Var)])
        out.append(s)
    return out[::-1]


def _count(statements: list[Stmt]) -> int:
    return sum(1 for _ in flat(statements))


def _drop_stores(statements: Iterable[Stmt], dead: Callable[[str], bool]) -> list[Stmt]:
    out: list[Stmt] = []
    for s in statements:
        if isinstance(s, Store) and dead(s.buffer):
            continue
        if isinstance(s, For):
            s = replace(s, body=tuple(_drop_stores(s.body, dead)))
        out.append(s)
    return out


def _drop_unused(statements: Iterable[Stmt], used: set[str]) -> list[Stmt]:
    out: list[Stmt] = []
    for s in statements:
        if isinstance(s, Let) and s.name not in used:
            continue
        if isinstance(s, Assign) and s.name not in used:
            continue
        if isinstance(s, For):
            body = tuple(_drop_unused(s.body, used))
            if not body:
                continue
            s = replace(s, body=body)
        out.append(s)
    return out
