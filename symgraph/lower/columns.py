"""Sums over a leading axis of long rows: some columns at a time, so that the sums stay in a cache.

    for i: for j: s[j] += f(i, j)
    --> parallel tiles of j: for i: for j in tile: s[j] += f(i, j)

Each sum gets its terms in the same order, so the bits are the same. Rows that are short are left to
``chunks``, which gives each thread some of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.ir.dtype import INT64
from symgraph.loop.ir import Const, For, Let, Load, Stmt, Store, Var
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import expressions, postorder
from symgraph.lower.schedule import guess_extent
from symgraph.lower.words import WordBuilder

LEAST = 1 << 14  # columns: sums of so many leave the first cache
WIDTH = 2048  # columns of a tile: 16 kB of sums


def with_columns(statements: Iterable[Stmt], b: WordBuilder) -> list[Stmt]:
    """Statements whose sums over leading axes go through tiles of columns."""
    return [_tiled(s, b) if isinstance(s, For) else s for s in statements]


def _tiled(loop: For, b: WordBuilder) -> For:
    if loop.kind != "vector" or len(loop.body) != 1:
        return loop
    (inner,) = loop.body
    if not isinstance(inner, For) or not isinstance(inner.extent, Const):
        return loop
    count = guess_extent(inner.extent)
    if count < LEAST or not _adds_columns(loop, inner):
        return loop
    first, turn = b.var(f"first_{inner.var}"), b.var(f"j_{inner.var}")
    left = b.word("minimum", (b.const(WIDTH), b.sub(inner.extent, first)), INT64)
    index = Let(inner.var, b.add(first, turn))
    columns = For(f"j_{inner.var}", left, (index, *inner.body), inner.kind)
    rows = For(loop.var, loop.extent, (columns,), loop.kind)
    start = Let(f"first_{inner.var}", b.mul(b.var(f"c_{inner.var}"), WIDTH))
    return For(f"c_{inner.var}", b.const(-(-count // WIDTH)), (start, rows), "parallel")


def _adds_columns(loop: For, inner: For) -> bool:
    """Is all that the loops write an element of each column's own?"""
    stores = [s for s in inner.body if isinstance(s, Store)]
    if len(stores) + sum(isinstance(s, Let) for s in inner.body) != len(inner.body):
        return False
    places = {s.buffer: [show_expr(i) for i in s.index] for s in stores}
    if len(places) != len(stores) or not all(_is_column(s, loop, inner) for s in stores):
        return False
    nodes = (x for s in inner.body for e in expressions(s) for x in postorder(e))
    return all(
        [show_expr(i) for i in x.index] == places[x.buffer]
        for x in nodes
        if isinstance(x, Load) and x.buffer in places
    )


def _is_column(s: Store, loop: For, inner: For) -> bool:
    """Has an element a place for each column: the sum of it, or something in each row?"""
    last = s.index[-1] if s.index else None
    return isinstance(last, Var) and last.name == inner.var
