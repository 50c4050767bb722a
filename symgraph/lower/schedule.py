"""The cost model: numbers that decide what is stored, chunked and tiled, and guesses of lengths.

Decisions are made when a program is lowered, from lengths that are numbers by then, or else from a
guess; they change speed, never what is computed for which sizes.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.ir.dim import Dim, DimLike, evaluate, symbols
from symgraph.loop.ir import Assign, Cast, Const, Expr, For, Let, Load, Stmt, Store, Update, Word
from symgraph.loop.traverse import expressions
from symgraph.lower.demand import COSTLY
from symgraph.records import dataclass

USUAL_LENGTH = 256  # of an axis whose length nobody has told yet


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a target wants. The defaults are for a CPU; sizes in bytes, work in cheap operations."""

    row_bytes: int = 32 << 10  # of a row that lives on the stack: it should stay in L1
    chunk_work: int = 1 << 17  # of a chunk of a loop with sums: 10 us or more, a fork takes 1 us
    most_chunks: int = 64
    tile_bytes: int = 512 << 10  # of what one block of rows touches: half of an L2
    whole_bytes: int = 512 << 10  # of what a product reads again for each block
    partial_bytes: int = 256 << 10  # of one sum over rows that is kept for each chunk
    partials_bytes: int = 2 << 20  # of all such sums of all chunks
    most_tiles: int = 8  # chunks of blocks: each has scratch of its own
    inline_work: int = 4096  # of a turn of a loop that is one kernel: a microsecond, or 100 calls
    lane_rows: int = 256  # from so many short rows on they are lanes; 0: never
    lane_bytes: int = 512  # of a number of each row of a block of such rows: eight vectors
    point_rows: int = 64  # a scan over so many points goes block by block; 0: never
    chains: bool = True  # long affine recurrences run as several chains
    least_gain: int = 1 << 20  # bytes that blocks keep from memory: more than caches hold anyway
    sum_blocks: bool = True  # long sums in blocks that are added exactly
    cached_bytes: int = 24 << 20  # arguments and results of a call that caches may keep; 0: all
    wide_sums: bool = True  # what only sums of float32 read is float64, where that is no slower


CPU = Schedule()
DEVICE = Schedule(
    row_bytes=0,
    most_chunks=1,
    tile_bytes=0,
    inline_work=0,
    lane_rows=0,
    point_rows=0,
    sum_blocks=False,
    cached_bytes=0,
    wide_sums=False,
)  # splits and tiles by itself


def guess(dim: DimLike) -> int:
    """A length as a number: itself, or what it is where all symbols are usual."""
    if not isinstance(dim, Dim):
        return dim
    return evaluate(dim, dict.fromkeys(symbols(dim), USUAL_LENGTH))


def guess_extent(x: Expr) -> int:
    """The number of turns of a loop, guessed where it is no number."""
    if isinstance(x, Const):
        return max(0, int(x.value.real))
    return USUAL_LENGTH


def work_of(statements: Iterable[Stmt]) -> int:
    """Cheap operations that statements do, loops counted with their turns."""
    total = 0
    for s in statements:
        if isinstance(s, For):
            total += guess_extent(s.extent) * work_of(s.body)
        elif isinstance(s, Let | Assign | Store | Update):
            total += sum(_cost(x) for x in expressions(s))
    return total


def _cost(x: Expr) -> int:
    total, stack = 0, [x]
    while stack:
        e = stack.pop()
        if type(e) is Word:
            total += 10 if e.name in COSTLY or e.name == "div" else 1
            stack += e.args
        elif type(e) is Load:
            total += 1
        elif type(e) is Cast:
            stack.append(e.x)
    return max(total, 1)
