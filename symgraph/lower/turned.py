"""Copies with axes exchanged, in tiles: each line of memory is read once, not once per element.

    for i: for j: y[i, j] = f(x[j, i])
    --> for squares of i, of j: for i, j in square: t[i, j] = x[j, i]
                                for i, j in square: y[i, j] = f(t[i, j])

A square is a line of memory wide, and its transposition is a form that backends know
(``codegen/llvm_square.py``); a plain copy needs no t. It works on loops whose turns are
independent, whatever they compute: a sum of a matrix and its transpose as well as a permutation of
axes. Strips that are no whole squares are loops as before. Where lengths are not known, or numbers
not of 4 or 8 bytes, a tile of i is a line of x, which stays in the first cache while a tile of 32 j
goes through it. A loop of a few turns whose elements are neighbours in what is read (channels that
become planes) is written out instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from symgraph.ir.dtype import INT64
from symgraph.loop.ir import Const, Expr, For, Let, Load, Stmt, Store, Var
from symgraph.loop.traverse import expressions, loads, postorder, substitute
from symgraph.lower.rows import with_expressions
from symgraph.lower.schedule import guess_extent
from symgraph.lower.squares import LINE, has_squares, in_squares
from symgraph.lower.sums import mentions
from symgraph.lower.words import WordBuilder

COLUMNS = 32  # lines of a tile: few enough for one set of a cache where they all fall into it
FEW = 4  # turns of a loop that is written out: channels of an image, coordinates
LEAST = 64  # turns of both loops: smaller matrices stay in a cache


def with_tiles(statements: Iterable[Stmt], b: WordBuilder) -> list[Stmt]:
    """Statements whose outermost loops read lines of memory once."""
    return [t for s in statements for t in (_tiled(s, b) if isinstance(s, For) else (s,))]


def _tiled(loop: For, b: WordBuilder) -> tuple[Stmt, ...]:
    nest, body = _nest(loop)
    if len(nest) < 2:
        return (loop,)
    inner = nest[-1]
    strided = [
        x for s in body for e in expressions(s) for x in loads(e) if _row_of(x, nest) is not None
    ]
    if not strided or not _is_independent(nest, body):
        return (loop,)
    outer = _row_of(strided[0], nest)
    assert outer is not None
    turned = [x for x in strided if _row_of(x, nest) is outer]
    others = [s for s in nest if s is not outer and s is not inner]
    found: tuple[Stmt, ...]
    if has_squares(outer, inner, turned):
        found = in_squares(outer, inner, turned, body, b)
    elif guess_extent(inner.extent) < LEAST:
        return (loop,)
    elif isinstance(outer.extent, Const) and guess_extent(outer.extent) <= FEW:
        return (_written_out([s for s in nest if s is not outer], outer, body, b),)
    elif guess_extent(outer.extent) < LEAST:
        return (loop,)
    else:
        width = LINE // strided[0].dtype.itemsize
        found = (_written((outer, width), (inner, COLUMNS), body, b),)
    for around in reversed(others):
        found = (For(around.var, around.extent, found, "parallel"),)
    return found


def _nest(loop: For) -> tuple[list[For], tuple[Stmt, ...]]:
    """Loops that contain nothing but the next one, and what is in the last."""
    nest = [loop]
    while len(nest[-1].body) == 1 and isinstance(nest[-1].body[0], For):
        nest.append(nest[-1].body[0])
    return nest, nest[-1].body


def _is_independent(nest: Sequence[For], body: tuple[Stmt, ...]) -> bool:
    """Does each turn of all loops compute elements of its own, from what is not written here?"""
    if not all(isinstance(s, Let | Store) for s in body):
        return False
    if any(s.kind == "serial" for s in nest) or not all(_is_fixed(s, nest) for s in nest):
        return False
    written = {s.buffer for s in body if isinstance(s, Store)}
    if any(x.buffer in written for s in body for e in expressions(s) for x in loads(e)):
        return False
    wanted = {s.var for s in nest}
    return all(
        wanted <= {x.name for e in s.index for x in postorder(e) if isinstance(x, Var)}
        for s in body
        if isinstance(s, Store)
    )


def _is_fixed(loop: For, nest: Sequence[For]) -> bool:
    """Is a loop's extent the same in all turns of those around it?"""
    names = {s.var for s in nest}
    return not any(
        isinstance(x, Load) or (isinstance(x, Var) and x.name in names)
        for x in postorder(loop.extent)
    )


def _row_of(x: Load, nest: Sequence[For]) -> For | None:
    """The loop along whose turns an element's neighbours lie, where that is not the innermost."""
    if len(x.index) < 2:
        return None
    last, inner = x.index[-1], nest[-1].var
    if not isinstance(last, Var) or not mentions(x.index[:-1], (inner,)):
        return None
    return next((s for s in nest[:-1] if s.var == last.name), None)


def _written(
    outer: tuple[For, int], inner: tuple[For, int], body: tuple[Stmt, ...], b: WordBuilder
) -> Stmt:
    """Loops over tiles, and those inside a tile."""
    made: tuple[Stmt, ...] = body
    for loop, width in (inner, outer):
        turn, first = (b.var(f"{x}_{loop.var}") for x in ("j", "first"))
        index = Let(loop.var, b.add(first, turn))
        left = b.word("minimum", (b.const(width), b.sub(loop.extent, first)), INT64)
        made = (For(f"j_{loop.var}", left, (index, *made), "parallel"),)
    for loop, width in (inner, outer):
        start = Let(f"first_{loop.var}", b.mul(b.var(f"c_{loop.var}"), width))
        count = _tiles(loop.extent, width, b)
        made = (For(f"c_{loop.var}", count, (start, *made), "parallel"),)
    return made[0]


def _written_out(loops: Sequence[For], outer: For, body: tuple[Stmt, ...], b: WordBuilder) -> For:
    """Loops whose body does all turns of a short one: whole vectors are read and taken apart."""
    made: list[Stmt] = []
    for turn in range(guess_extent(outer.extent)):
        values: dict[str, Expr] = {outer.var: b.const(turn)}
        for s in body:
            changed = with_expressions(s, lambda x, v=values: substitute(x, v))  # type: ignore[misc]
            if isinstance(changed, Let):
                changed = replace(changed, name=f"{changed.name}_{turn}")
                values[changed.name.removesuffix(f"_{turn}")] = Var(
                    changed.name, changed.value.dtype
                )
            made.append(changed)
    for loop in reversed(loops):
        made = [replace(loop, body=tuple(made))]
    (found,) = made
    assert isinstance(found, For)
    return replace(found, kind="parallel")


def _tiles(extent: Expr, width: int, b: WordBuilder) -> Expr:
    if isinstance(extent, Const):
        return b.const(-(-int(extent.value.real) // width))
    return b.word("floordiv", (b.add(extent, width - 1), b.const(width)), INT64)
