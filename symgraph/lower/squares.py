"""Loops over two axes, of which what is read has the other order, in squares of a line's width.

    for i: for j: y[i, j] = f(x[j, i])
    --> for squares of i, of j: for i, j in square: t[i, j] = x[j, i]
                                for i, j in square: y[i, j] = f(t[i, j])

The first loops of a square are a form that backends know (``codegen/llvm_square.py``). A plain copy
needs no t. What is left over beside and below the squares are loops as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgraph.loop.ir import Const, Expr, For, Let, Load, Local, Stmt, Store, Var
from symgraph.loop.text import show_expr
from symgraph.loop.traverse import rebuild, substitute
from symgraph.lower.rows import with_expressions
from symgraph.lower.schedule import guess_extent
from symgraph.lower.sums import mentions
from symgraph.lower.words import WordBuilder

LINE = 64  # bytes of a line of memory
SIZES = (4, 8)  # bytes of numbers that vectors shuffle


def has_squares(outer: For, inner: For, turned: Sequence[Load]) -> bool:
    """Are both loops long enough, and can the elements they read be turned in registers?"""
    size = turned[0].dtype.itemsize
    if size not in SIZES or any(x.dtype.itemsize != size for x in turned):
        return False
    if any(mentions(x.index[:-1], (outer.var,)) for x in turned):
        return False
    return all(
        isinstance(s.extent, Const) and guess_extent(s.extent) >= LINE // size
        for s in (outer, inner)
    )


def in_squares(
    outer: For, inner: For, turned: Sequence[Load], body: Sequence[Stmt], b: WordBuilder
) -> tuple[Stmt, ...]:
    """Loops over squares, and over the strips that are left; ``turned``: elements that have them.

    Neighbours of these elements lie along ``outer``, which need not be around ``inner``.
    """
    width = LINE // turned[0].dtype.itemsize
    loops = outer, inner
    counts = [guess_extent(s.extent) // width for s in loops]
    names = (f"j_{outer.var}", f"j_{inner.var}")
    places: dict[str, Expr] = {
        s.var: b.add(b.mul(b.var(f"q_{s.var}"), width), b.var(j))
        for s, j in zip(loops, names, strict=True)
    }
    inside = _square(body, turned, places, names, width, b)
    for s, count in reversed(tuple(zip(loops, counts, strict=True))):
        inside = (For(f"q_{s.var}", b.const(count), inside, "parallel"),)
    below, beside = (
        guess_extent(s.extent) - count * width for s, count in zip(loops, counts, strict=True)
    )
    made = [*inside]
    if beside:
        made.append(_strip(outer, inner, 0, counts[1] * width, body, b))
    if below:
        short = For(inner.var, b.const(counts[1] * width), inner.body, inner.kind)
        made.append(_strip(outer, short, counts[0] * width, 0, body, b))
    return tuple(made)


def _strip(
    outer: For, inner: For, top: int, left: int, body: Sequence[Stmt], b: WordBuilder
) -> Stmt:
    """Both loops, without their first turns."""
    starts = {outer.var: top, inner.var: left}
    places: dict[str, Expr] = {name: b.add(b.var(name), k) for name, k in starts.items()}
    made = tuple(_moved(body, places))
    for s in (inner, outer):
        left_over = b.const(guess_extent(s.extent) - starts[s.var])
        made = (For(s.var, left_over, made, "parallel"),)
    return made[0]


def _square(
    body: Sequence[Stmt],
    turned: Sequence[Load],
    places: Mapping[str, Expr],
    turns: tuple[str, str],
    width: int,
    b: WordBuilder,
) -> tuple[Stmt, ...]:
    """What is done for one square."""
    copied = _copy_of(body)
    if copied is not None:
        return (_loops(_moved([copied], places), turns, width, b),)
    inside = tuple(map(b.var, turns))
    names: dict[str, str] = {}
    made: list[Stmt] = []
    for x in turned:
        text = show_expr(x)
        if text not in names:
            names[text] = f"turned_{turns[0]}_{len(names)}"
            made.append(Local(names[text], x.dtype, (width, width)))
            copy = Store(names[text], inside, substitute(x, dict(places)))
            made.append(_loops([copy], turns, width, b))

    def change(e: Expr) -> Expr:
        name = names.get(show_expr(e)) if isinstance(e, Load) else None
        return e if name is None else Load(name, inside, e.dtype)

    local = [with_expressions(s, lambda e: rebuild(e, change)) for s in body]
    return (*made, _loops(_moved(local, places), turns, width, b))


def _copy_of(body: Sequence[Stmt]) -> Store | None:
    """The statement that a body is where it copies an element, and no more."""
    *lets, last = body
    if not isinstance(last, Store):
        return None
    if not lets:
        return last if isinstance(last.value, Load) else None
    first, value = lets[0], last.value
    if len(lets) > 1 or not isinstance(first, Let) or not isinstance(first.value, Load):
        return None
    same = isinstance(value, Var) and value.name == first.name
    return Store(last.buffer, last.index, first.value) if same else None


def _moved(body: Sequence[Stmt], places: Mapping[str, Expr]) -> list[Stmt]:
    return [with_expressions(s, lambda e: substitute(e, dict(places))) for s in body]


def _loops(body: Sequence[Stmt], turns: tuple[str, str], width: int, b: WordBuilder) -> Stmt:
    """The turns of a square."""
    row, column = turns
    inner = For(column, b.const(width), tuple(body), "parallel")
    return For(row, b.const(width), (inner,), "parallel")
