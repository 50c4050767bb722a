"""Rows scattered by several threads: each part of the target has one owner, who goes through all.

    serial i < n: r = at[i]; for j: y[r, j] += x[i, j]
    --> parallel p < P: serial i < n: r = at[i]; if r is in part p: for j: y[r, j] += x[i, j]

A row gets its terms in the same order as before, so the bits are the same, on any number of
threads; no atomics, no copies of the target. Each owner reads all indices, which is worth it where
a row is longer than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from symgraph.ir.dtype import INT64
from symgraph.loop.ir import Expr, For, If, Let, Load, Stmt, Store, Update, Var
from symgraph.loop.traverse import expressions, postorder, statements
from symgraph.lower.schedule import guess_extent, work_of
from symgraph.lower.words import WordBuilder

OWNERS = 8
LEAST_ROW = 32  # cheap operations of a row: reading and comparing an index costs about ten
LEAST_WORK = 1 << 18  # of all rows; waking a thread takes a few microseconds


def with_owners(
    block: Iterable[Stmt], rows_of: Callable[[str], Expr], b: WordBuilder
) -> list[Stmt]:
    """Statements whose serial loops over rows are done by owners; ``rows_of`` a buffer."""
    return [_owned(s, rows_of, b) or s for s in block]


def _owned(loop: Stmt, rows_of: Callable[[str], Expr], b: WordBuilder) -> For | None:
    if not isinstance(loop, For) or loop.kind != "serial":
        return None
    written = [s for s in statements(loop.body) if isinstance(s, Store | Update)]
    if len(written) != 1 or not all(isinstance(s, Let | For | Store | Update)
                                    for s in statements(loop.body)):  # fmt: skip
        return None
    (store,) = written
    lets = {s.name: s.value for s in loop.body if isinstance(s, Let)}
    place = store.index[0] if store.index else None
    row = place.name if isinstance(place, Var) else ""
    if row not in lets or lets[row].dtype != INT64 or _reads(loop, store.buffer):
        return None
    work = work_of([s for s in loop.body if isinstance(s, For)])
    if work < LEAST_ROW or work * guess_extent(loop.extent) < LEAST_WORK:
        return None
    return _written(loop, b.var(row), _needed(row, lets), rows_of(store.buffer), b)


def _reads(loop: For, buffer: str) -> bool:
    nodes = (x for s in statements(loop.body) for e in expressions(s) for x in postorder(e))
    return any(isinstance(x, Load) and x.buffer == buffer for x in nodes)


def _needed(name: str, lets: dict[str, Expr]) -> set[str]:
    """The locals that a local is computed from, and itself."""
    found, wanted = set[str](), [name]
    while wanted:
        name = wanted.pop()
        if name in lets and name not in found:
            found.add(name)
            wanted += [x.name for x in postorder(lets[name]) if isinstance(x, Var)]
    return found


def _written(loop: For, row: Expr, needed: set[str], rows: Expr, b: WordBuilder) -> For:
    first: list[Stmt] = [s for s in loop.body if isinstance(s, Let) and s.name in needed]
    rest = tuple(s for s in loop.body if not (isinstance(s, Let) and s.name in needed))
    owner, start, end = (b.var(f"{x}_{loop.var}") for x in ("owner", "start", "end"))
    length = b.word("floordiv", (b.add(rows, OWNERS - 1), b.const(OWNERS)), INT64)
    is_mine = b.and_(b.ge(row, start), b.lt(row, end))
    inner = replace(loop, body=(*first, If(is_mine, rest, ())))
    body = (
        Let(f"start_{loop.var}", b.mul(owner, length)),
        Let(f"end_{loop.var}", b.add(start, length)),
        inner,
    )
    return For(f"owner_{loop.var}", b.const(OWNERS), body, "parallel")
