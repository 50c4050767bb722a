"""Small squares of a matrix transposed in registers: whole lines of memory in, whole lines out.

    for a in width: for b in width: y[..., a, ..., q + b] = x[..., b, ..., p + a]
    --> width vectors are loaded, shuffled in four lanes of 16 bytes each, and stored

``lower/turned.py`` writes such loops, which mean what they say on every backend; here they are
recognised by their form. A square is a line of memory wide, 16 or 8 numbers, so that it needs each
line it touches once, however far apart in memory they lie: no cache has to keep what two rows of a
matrix share (columns whose distance is a power of two all fall into one set of it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symgraph.codegen.llvm_text import INDEX, Builder, Value, constant
from symgraph.loop.ir import Const, Expr, For, Load, Store
from symgraph.loop.traverse import runs_along

if TYPE_CHECKING:
    from symgraph.codegen.llvm_statement import Statements

LINE = 64  # bytes of a line of memory
_LANES = 4  # of 16 bytes, in which shuffles are cheapest on every processor


def is_square(s: For) -> bool:
    """Is the loop the transposition of a square of a line's width?"""
    inner = s.body[0]
    if len(s.body) != 1 or not isinstance(inner, For) or len(inner.body) != 1:
        return False
    store = inner.body[0]
    if {s.kind, inner.kind} != {"parallel"} or not isinstance(store, Store):
        return False
    x = store.value
    if not isinstance(x, Load) or x.buffer == store.buffer or x.dtype.itemsize not in (4, 8):
        return False
    width = LINE // x.dtype.itemsize
    return (
        all(isinstance(e, Const) and e.value == width for e in (s.extent, inner.extent))
        and runs_along(x.index, s.var)
        and runs_along(store.index, inner.var)
    )


def write_square(writer: Statements, s: For) -> None:
    """Writes a loop of which ``is_square`` holds."""
    inner = s.body[0]
    assert isinstance(inner, For)
    store = inner.body[0]
    assert isinstance(store, Store)
    x = store.value
    assert isinstance(x, Load)
    b, e, size = writer.b, writer.e, x.dtype.itemsize
    width = LINE // size
    kind, align = f"<{width} x i{8 * size}>", f", align {x.dtype.alignment}"

    def address(buffer: str, index: tuple[Expr, ...], outer: int, turn: int) -> Value:
        e.values |= {s.var: constant(INDEX, outer), inner.var: constant(INDEX, turn)}
        at = [found for found in e.write(*index, indices=len(index)) if isinstance(found, Value)]
        return e.place(e.memory[buffer], tuple(at))

    values = e.values
    e.values = dict(values)
    rows = [b.load(kind, address(x.buffer, x.index, 0, k), align) for k in range(width)]
    for k, row in enumerate(transposed(b, rows, width)):
        b.store(row, address(store.buffer, store.index, k, 0), align)
    e.values = values


def transposed(b: Builder, rows: Sequence[Value], width: int) -> list[Value]:
    """The columns of a square whose rows are vectors."""
    part = width // _LANES  # numbers of a lane
    groups = [_columns(b, rows[k : k + part], width, 1) for k in range(0, width, part)]
    even, odd = (
        [lane * part + k for lane in (half, half + 2, half + 4, half + 6) for k in range(part)]
        for half in (0, 1)
    )
    found = list(rows)
    for k, (first, second, third, fourth) in enumerate(zip(*groups, strict=True)):
        for lane, mask in enumerate((even, odd)):
            upper, lower = _shuffled(b, first, second, mask), _shuffled(b, third, fourth, mask)
            found[lane * part + k] = _shuffled(b, upper, lower, even)
            found[(lane + 2) * part + k] = _shuffled(b, upper, lower, odd)
    return found


def _columns(b: Builder, rows: Sequence[Value], width: int, step: int) -> list[Value]:
    """Rows of as many numbers as a lane has, transposed inside all lanes at once.

    Runs of ``step`` numbers of each two rows follow each other: those of the lower half of a lane,
    then those of its upper half.
    """
    if len(rows) == 1:
        return list(rows)
    part = width // _LANES
    found: list[Value] = []
    for half in (0, part // 2):
        starts = [
            lane + half + k for lane in range(0, width, part) for k in range(0, part // 2, step)
        ]
        mask = [i + j for k in starts for i in (k, width + k) for j in range(step)]
        pairs = zip(rows[::2], rows[1::2], strict=True)
        found += _columns(b, [_shuffled(b, x, y, mask) for x, y in pairs], width, 2 * step)
    return found


def _shuffled(b: Builder, x: Value, y: Value, mask: Sequence[int]) -> Value:
    """Numbers of two vectors by their places."""
    places = ", ".join(f"i32 {k}" for k in mask)
    return b.value(x.type, f"shufflevector {x}, {y}, <{len(mask)} x i32> <{places}>")
