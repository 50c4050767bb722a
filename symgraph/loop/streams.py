"""Which loops may have the kind "stream": whole rows of results that nobody reads again soon.

    stream j < n: y[..., j] = f(t[j], x[..., j], s)

Every store is to neighbours in following turns, and what is stored is made of neighbours, and of
what does not change, by words that every processor has for vectors.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.loop.ir import Cast, Const, Expr, For, Let, Load, Store, Var, Word
from symgraph.loop.traverse import expressions, postorder, runs_along, substitute
from symgraph.loop.words import INT64

SIMPLE = frozenset(("add", "sub", "mul", "div", "neg", "fma", "sqrt"))
_FLOATS = frozenset(("f", "d"))


def is_stream(s: For) -> bool:
    """Is a loop of that form? Its locals are integers of indices, or floats."""
    stores = [t for t in s.body if isinstance(t, Store)]
    if not stores or any(not isinstance(t, Let | Store) for t in s.body):
        return False
    if any(t.value.dtype.itemsize not in (4, 8) for t in stores):
        return False
    written = {t.buffer for t in stores}
    if not all(runs_along(resolved(t.index, s), s.var) for t in stores):
        return False
    if len(s.body) == 1 and isinstance(stores[0].value, Load):
        return _is_simple(stores[0].value, s, written)
    values = [
        x for t in s.body for x in expressions(t)[-1:] if not isinstance(t, Let) or x.dtype != INT64
    ]
    return all(x.dtype.char in _FLOATS and _is_simple(x, s, written) for x in values)


def resolved(index: Iterable[Expr], s: For) -> tuple[Expr, ...]:
    """An index in which integer locals of a loop are what they stand for."""
    known: dict[str, Expr] = {}
    for t in s.body:
        if isinstance(t, Let) and t.value.dtype == INT64:
            known[t.name] = substitute(t.value, known)
    return tuple(substitute(x, known) for x in index)


def is_fixed(index: Iterable[Expr], s: For) -> bool:
    """Is an element the same one in all turns of a loop?"""
    nodes = postorder(*resolved(index, s))
    return not any(isinstance(x, Var) and x.name == s.var for x in nodes)


def _is_simple(x: Expr, s: For, written: set[str]) -> bool:
    """Is a value made of neighbours and what does not change, by simple words?"""
    pending = [x]
    while pending:
        x = pending.pop()
        if isinstance(x, Load):
            is_row = runs_along(resolved(x.index, s), s.var)
            if x.buffer in written or not (is_row or is_fixed(x.index, s)):
                return False
        elif isinstance(x, Word | Cast):
            below = x.args if isinstance(x, Word) else (x.x,)
            if isinstance(x, Word) and x.name not in SIMPLE:
                return False
            if any(y.dtype.char not in _FLOATS for y in (x, *below)):
                return False
            pending += below
        elif not isinstance(x, Const) and x.name == s.var:
            return False
    return True
