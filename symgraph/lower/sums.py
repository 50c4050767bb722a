"""What a loop accumulates across its turns, and how partial results of parts of it are joined.

``sums_of`` recognizes locals (``s = s + x``) and buffers that a loop before has filled
(``t[j] = t[j] + x``), under one of the words that may be regrouped. ``chunks`` and ``blocks`` write
loops in parts with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from symgraph.loop.ir import (
    Assign,
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
from symgraph.loop.traverse import postorder, rebuild, statements
from symgraph.lower.rows import with_expressions
from symgraph.lower.words import WordBuilder
from symgraph.records import dataclass, field

COMBINED = frozenset(("add", "mul", "minimum", "maximum", "and", "or"))
_UPDATES = {"add": "add", "mul": "mul", "min": "minimum", "max": "maximum"}


@dataclass(slots=True)
class Sums:
    """The word that joins two partial results, for each local and buffer that accumulates.

    ``starts`` are the statements before the loop that give locals their first value, ``fills``
    those that fill buffers with it.
    """

    locals: dict[str, str] = field(default_factory=dict)
    buffers: dict[str, str] = field(default_factory=dict)
    starts: dict[str, Let] = field(default_factory=dict)
    fills: dict[str, Stmt] = field(default_factory=dict)


def sums_of(before: Sequence[Stmt], loop: For, indices: Sequence[str]) -> Sums | None:
    """What a loop accumulates; None if it does more across its turns.

    ``indices``: the loop's variables, of which an element that is no sum has one in its index.
    """
    found = Sums()
    outside = {s.name: s for s in before if isinstance(s, Let)}
    inner = list(statements(loop.body))
    if any(isinstance(s, Fail | While | If) for s in inner):
        return None
    rows = {s.name for s in inner if isinstance(s, Local)}
    for s in inner:
        if isinstance(s, Assign) and s.name in outside:
            word = _joins_local(s)
            if word is None or found.locals.setdefault(s.name, word) != word:
                return None
            found.starts[s.name] = outside[s.name]
        elif isinstance(s, Store | Update) and s.buffer not in rows:
            if mentions(s.index, indices):
                continue
            word = _UPDATES.get(s.op) if isinstance(s, Update) else _joins_element(s)
            if word is None or found.buffers.setdefault(s.buffer, word) != word:
                return None
    found.fills = {name: s for s in before if (name := _filled(s)) in found.buffers and name}
    return found if found.fills.keys() == found.buffers.keys() else None


def _joins(value: Expr, is_old: Callable[[Expr], bool]) -> str | None:
    """The word that combines the old value with another: ``old + x``."""
    if isinstance(value, Word) and value.name in COMBINED and len(value.args) == 2:
        old = [is_old(a) for a in value.args]
        return value.name if sum(old) == 1 else None
    return None


def _joins_local(s: Assign) -> str | None:
    return _joins(s.value, lambda e: isinstance(e, Var) and e.name == s.name)


def _joins_element(s: Store) -> str | None:
    return _joins(s.value, lambda e: _is_old(e, s))


def _is_old(e: Expr, s: Store) -> bool:
    return isinstance(e, Load) and e.buffer == s.buffer and e.index == s.index


def joined_element(s: Store | Update) -> tuple[str, Load, Expr] | None:
    """The word, the element and the value of ``t[j] = t[j] + x``; None of another statement."""
    if isinstance(s, Update):
        return _UPDATES[s.op], Load(s.buffer, s.index, s.value.dtype), s.value
    word = _joins_element(s)
    if word is None or not isinstance(s.value, Word):
        return None
    old, value = s.value.args
    if not _is_old(old, s):
        old, value = value, old
    return (word, old, value) if isinstance(old, Load) else None


def mentions(index: Iterable[Expr], names: Sequence[str]) -> bool:
    """Does an index depend on one of some variables?"""
    return any(isinstance(e, Var) and e.name in names for e in postorder(*index))


def _filled(s: Stmt) -> str | None:
    """The buffer that a loop over its elements, or one store, fills and does nothing else."""
    while isinstance(s, For) and len(s.body) == 1:
        s = s.body[0]
    is_fill = isinstance(s, Store) and not any(isinstance(e, Load) for e in postorder(s.value))
    return s.buffer if isinstance(s, Store) and is_fill else None


def redirected(s: Stmt, box: str, name: str, lead: tuple[Expr, ...] = ()) -> Stmt:
    """A statement on another buffer instead of ``name``, under further leading indices."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Load) and e.buffer == name:
            return Load(box, (*lead, *e.index), e.dtype)
        return e

    if isinstance(s, Store | Update) and s.buffer == name:
        s = replace(s, buffer=box, index=(*lead, *s.index))
    made = with_expressions(s, lambda x: rebuild(x, change))
    if isinstance(made, For):
        return replace(made, body=tuple(redirected(x, box, name, lead) for x in made.body))
    return made


def renamed_locals(s: Stmt, names: Mapping[str, str]) -> Stmt:
    """A statement on other locals."""

    def change(e: Expr) -> Expr:
        return Var(names[e.name], e.dtype) if isinstance(e, Var) and e.name in names else e

    made = with_expressions(s, lambda x: rebuild(x, change))
    if isinstance(made, Assign):
        return replace(made, name=names.get(made.name, made.name))
    if isinstance(made, For):
        return replace(made, body=tuple(renamed_locals(x, names) for x in made.body))
    return made


def joining(fill: Stmt, box: str, word: str, lead: tuple[Expr, ...], b: WordBuilder) -> Stmt:
    """The statement that filled a buffer as one that joins a part ``box[lead]`` to it."""
    if isinstance(fill, For):
        return replace(fill, body=tuple(joining(x, box, word, lead, b) for x in fill.body))
    assert isinstance(fill, Store)
    dtype = fill.value.dtype
    old = b.load(fill.buffer, fill.index, dtype)
    part = b.load(box, (*lead, *fill.index), dtype)
    return Store(fill.buffer, fill.index, b.word(word, (old, part), dtype))
