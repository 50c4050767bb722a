"""Which loops may be spread over threads, and how: analysis of loop IR, no text.

A ``Nest`` is perfectly nested loops whose turns may run in any order, and a body. Turns of a
"vector" loop may still meet in an element ``b[i] = b[i] op e``: then the loops that the index does
not contain stay serial inside (each thread owns elements), or the update becomes atomic. Of
"serial" loops only a scatter is a nest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from symgraph.loop.ir import (
    ACCUMULATE,
    UPDATES,
    Assign,
    Expr,
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
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import expressions, postorder, statements
from symgraph.records import dataclass

DType = np.dtype[np.generic]
_UPDATE_OF = {word: op for op, word in UPDATES.items()}
_WIDE = ("int32", "int64", "uint32", "uint64")
_ATOMIC = {"add": (*_WIDE, "float32", "float64"), "min": _WIDE, "max": _WIDE}


@dataclass(frozen=True, slots=True)
class Nest:
    """Loops whose turns are spread; ``sums`` maps locals outside to the word that folds them."""

    loops: tuple[For, ...]
    body: tuple[Stmt, ...]
    sums: dict[str, str]
    atomic: frozenset[int]  # ids of the Updates in the body that several turns may run on one place


def spread(loop: For, over_grid: bool = False) -> Nest | None:
    """The loop as a nest, if its turns may run at once; None if they may not.

    ``over_grid``: it stands at the top of a kernel, where an ordered scatter is worth it.
    """
    if loop.kind == "serial":
        return _scatter(loop) if over_grid else None
    sums = _sums(loop)
    if sums is None:
        return None
    chain = _perfect(_normal(loop))
    for depth in range(len(chain), 0, -1):
        nest = _at_depth(chain, depth, sums)
        if not nest.atomic:
            return nest
    if not sums and (turned := _owners(loop)) is not None:
        return turned
    for depth in range(len(chain), 0, -1):
        nest = _at_depth(chain, depth, sums)
        if not sums and all(_has_atomic(s) for s in _meeting(nest.loops, nest.body)):
            return nest
    return None


def fixed(exprs: Iterable[Expr]) -> bool:
    """Do expressions read no memory?"""
    return not any(isinstance(x, Load) for x in postorder(*exprs))


def variables(*exprs: Expr) -> set[str]:
    """Names of the variables in expressions."""
    return {x.name for x in postorder(*exprs) if isinstance(x, Var)}


def reads(body: Iterable[Stmt]) -> Iterator[Expr]:
    """All nodes of the expressions of statements."""
    roots = [x for s in statements(tuple(body)) for x in expressions(s)]
    return postorder(*roots)


def written(body: Iterable[Stmt]) -> set[str]:
    """Buffers that statements store to."""
    return {s.buffer for s in statements(tuple(body)) if isinstance(s, Store | Update)}


def introduced(body: Iterable[Stmt]) -> set[str]:
    """Names of the locals and loop indices that statements introduce."""
    found = set()
    for s in statements(tuple(body)):
        if isinstance(s, Let | Local):
            found.add(s.name)
        elif isinstance(s, For):
            found.add(s.var)
    return found


def _sums(loop: For) -> dict[str, str] | None:
    """Locals of the outside that the loop folds; None where it changes one in another way."""
    inside = introduced([loop])
    found: dict[str, str] = {}
    folds = 0
    for s in statements((loop,)):
        if not isinstance(s, Assign) or s.name in inside:
            continue
        v = s.value
        if not (isinstance(v, Word) and v.name in ACCUMULATE and loop.kind == "vector"):
            return None
        first, rest = v.args[0], v.args[1:]
        if not isinstance(first, Var) or first.name != s.name or s.name in variables(*rest):
            return None
        if found.setdefault(s.name, v.name) != v.name:
            return None
        folds += 1
    used = [x.name for x in _mentions(loop) if x.name in found]
    return found if len(used) == folds else None


def _mentions(loop: For) -> Iterator[Var]:
    for s in statements((loop,)):
        for x in expressions(s):
            yield from (node for node in postorder(x) if isinstance(node, Var))


def _normal(loop: For) -> For:
    """The loop with ``b[i] = b[i] op e`` written as an update."""
    return For(loop.var, loop.extent, tuple(map(_normal_one, loop.body)), loop.kind)


def _normal_one(s: Stmt) -> Stmt:
    if isinstance(s, For):
        return _normal(s)
    if isinstance(s, If):
        return If(s.cond, tuple(map(_normal_one, s.then)), tuple(map(_normal_one, s.orelse)))
    if isinstance(s, While):
        return While(s.cond, tuple(map(_normal_one, s.body)))
    if not isinstance(s, Store) or not isinstance(s.value, Word):
        return s
    op, args = _UPDATE_OF.get(s.value.name), s.value.args
    if op is None or not isinstance(args[0], Load) or args[0].buffer != s.buffer:
        return s
    if _texts(args[0].index) != _texts(s.index):
        return s
    return Update(s.buffer, s.index, op, args[1])


def _texts(index: tuple[Expr, ...]) -> list[str]:
    return [show_expr(i) for i in index]


def _perfect(loop: For) -> list[For]:
    """The loop and those that alone fill it, as long as extents do not depend on them."""
    chain, seen = [loop], {loop.var}
    while len(chain[-1].body) == 1:
        inner = chain[-1].body[0]
        if not isinstance(inner, For) or inner.kind == "serial" or variables(inner.extent) & seen:
            break
        if not fixed([inner.extent]):
            break
        chain.append(inner)
        seen.add(inner.var)
    return chain


def _at_depth(chain: list[For], depth: int, sums: dict[str, str]) -> Nest:
    loops, body = tuple(chain[:depth]), chain[depth - 1].body
    meeting = _meeting(loops, body)
    return Nest(loops, body, sums, frozenset(id(s) for s in meeting))


def _meeting(loops: tuple[For, ...], body: tuple[Stmt, ...]) -> list[Store | Update]:
    """Folds into elements that turns of different loop indices may share."""
    vectors = {loop.var for loop in loops if loop.kind == "vector"}
    local = {s.name for s in statements(body) if isinstance(s, Local)}
    return [
        s
        for s in statements(body)
        if isinstance(s, Store | Update)
        and s.buffer not in local
        and _folds(s)
        and not vectors <= _direct(s.index)
    ]


def _folds(s: Store | Update) -> bool:
    if isinstance(s, Update):
        return True
    if not isinstance(s.value, Word) or s.value.name not in ACCUMULATE:
        return False
    first = s.value.args[0]
    return isinstance(first, Load) and first.buffer == s.buffer


def _direct(index: tuple[Expr, ...]) -> set[str]:
    """The variables that are an index by themselves: distinct ones give distinct elements."""
    return {i.name for i in index if isinstance(i, Var)}


def _has_atomic(s: Store | Update) -> bool:
    return isinstance(s, Update) and str(s.value.dtype) in _ATOMIC.get(s.op, ())


def _owners(loop: For) -> Nest | None:
    """The nest turned inside out, so that each turn owns the elements that it folds into."""
    lets: list[Stmt] = []
    chain = [_normal(loop)]
    while True:
        *head, last = chain[-1].body
        if not all(isinstance(s, Let) for s in head) or not isinstance(last, For):
            break
        if last.kind == "serial":
            break
        lets += head
        chain.append(last)
    body = (*lets, *chain[-1].body)
    meeting = _meeting(tuple(chain), body)
    kept = [f for f in chain if all(f.var in _direct(s.index) for s in meeting)]
    inner = [f for f in chain if f not in kept]
    forbidden = {f.var for f in inner} | {s.name for s in lets if isinstance(s, Let)}
    if not kept or any(variables(f.extent) & forbidden or not fixed([f.extent]) for f in kept):
        return None
    names = {s.name for s in lets if isinstance(s, Let)} | {f.var for f in kept}
    if any(variables(f.extent) & names for f in inner) or _loaded(lets) & written(body):
        return None
    for f in reversed(inner):
        body = (For(f.var, f.extent, body),)
    return Nest(tuple(kept), body, {}, frozenset())


def _scatter(loop: For) -> Nest | None:
    """Ordered loops around one update of memory that they do not read: its turns commute.

    With an atomic operation all turns run at once (floats are then added in any order). Without,
    each turn of the loops that the index contains owns its elements, and the order stays.
    """
    chain, lets = [loop], list[Stmt]()
    while True:
        *head, last = chain[-1].body or (loop,)
        if not all(isinstance(s, Let) for s in head):
            return None
        lets += head
        if not isinstance(last, For) or last in chain:
            break
        chain.append(last)
    names = {f.var for f in chain} | {s.name for s in lets if isinstance(s, Let)}
    extents = [f.extent for f in chain]
    if not isinstance(last, Update) or variables(*extents) & names or not fixed(extents):
        return None
    if last.buffer in _loaded([loop]):
        return None
    body = (*lets, last)
    if _has_atomic(last):
        return Nest(tuple(chain), body, {}, frozenset([id(last)]))
    kept = [f for f in chain if f.var in _direct(last.index)]
    for f in reversed([f for f in chain if f not in kept]):
        body = (For(f.var, f.extent, body),)
    return Nest(tuple(kept), body, {}, frozenset()) if kept else None


def _loaded(body: Iterable[Stmt]) -> set[str]:
    return {x.buffer for x in reads(body) if isinstance(x, Load)}
