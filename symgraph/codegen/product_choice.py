"""Which form a matrix product takes, and into which pieces it is cut: from sizes and strides alone.

Pieces never depend on the number of threads, so results have the same bits on any. A product is
cut along the batch, then, where the result is small and the sums are long, along k (each piece has
its own partial result, and these are added in order), then along rows, then along columns.
"""

from __future__ import annotations

from symgraph.codegen.product_code import Function, Value
from symgraph.codegen.product_forms import PACKED_ROWS, SHALLOW, SHALLOW_ROWS
from symgraph.codegen.product_kernel import Shape

FORMS = ("direct", "packed", "dotted", "skinny", "swapped", "streamed", "paired")
Work = dict[str, Value]

# What a piece costs at least, in multiplications: this many take some two microseconds.
PIECE = 256 * 1024
MOST_PIECES = 64
ELEMENT_COST = 8  # multiplications that take as long as moving an element from the third cache
PACK_ROWS = 48  # fewer rows do not pay for packing B
DIRECT_BYTES = 128 * 1024  # of B: what the second cache keeps needs no packing
ROW_UNIT = 12  # rows of a piece are whole blocks of most kernels
SKINNY_ROWS = 96  # of a piece: turning B is a few percent of using it
SWAPPED_VECTORS = 32  # rows of a piece, in vectors: memory is read in runs of 2 KB
SHORT_DOT = 4  # vectors of a row that is multiplied by a vector: sums of lanes take longer
SHORT_PAIR = 16  # vectors of a pair that others are done with at once
OUTER_ROW = 16  # vectors of a row of an outer product that is worth being written in one run
LEAST_DEPTH = 1024  # of a piece that is cut along k
MOST_DEPTHS = 16
PARTIAL_BYTES = 256 * 1024  # of all partial results


def choose_form(f: Function, shape: Shape, work: Work) -> Value:
    """The number of the best form for these sizes and strides."""
    m, n, k = (work[x] for x in "mnk")
    size, lanes = shape.size, shape.lanes
    in_rows = work["b_n"].equals(size)
    along_k = work["a_k"].equals(size) | k.equals(1)
    along_m = work["a_row"].equals(size)
    turned = work["b_k"].equals(size)
    is_row = turned & along_k & m.equals(1)
    is_long = k >= 4 * lanes
    rules = [
        (k <= 0, "direct"),
        (work["is_pairs"] | (is_row & (k <= SHORT_DOT * lanes) & (n >= lanes)), "paired"),
        (turned & along_k & is_long & ((m * n <= 64) | (m <= 8) | (n <= lanes)), "dotted"),
        (is_row, "dotted"),
        (in_rows & (m.equals(1) | (k.equals(1) & (n >= OUTER_ROW * lanes))), "streamed"),
        (in_rows & along_k & is_long & (n <= lanes) & (m >= 8), "skinny"),
        (in_rows & along_m & (n <= 2 * lanes) & (m >= n * 2), "swapped"),
        (in_rows & ((m < PACK_ROWS) | (k < SHALLOW) | (n * k <= DIRECT_BYTES // size)), "direct"),
    ]
    found = f.number(FORMS.index("packed"))
    for condition, name in reversed(rules):
        found = f.select(condition, FORMS.index(name), found)
    return found


def choose_pieces(f: Function, shape: Shape, work: Work) -> Value:
    """Sets ``step_x`` and ``count_x`` for each direction x; gives the number of pieces."""
    m, n, k, batch = (work[x] for x in ("m", "n", "k", "batch"))
    rest = (_cost(work) // PIECE).at_most(MOST_PIECES).at_least(1)
    width = shape.widest * shape.lanes
    fitting = (f.number(PARTIAL_BYTES // shape.size) // (m * n)).at_most(MOST_DEPTHS)
    depths = f.select(batch.equals(1), fitting, 1).at_most(k // LEAST_DEPTH).at_least(1)
    cuts = [
        ("batch", rest, 1, f.number(1)),
        ("k", depths, shape.lanes, f.number(1)),
        ("m", None, ROW_UNIT, _least_rows(f, shape, work)),
        ("n", None, width, f.number(width)),
    ]
    pieces = f.number(1)
    for name, most, unit, least in cuts:
        wanted = rest if most is None else most.at_most(rest)
        count = _shares(work[name], least).at_most(wanted).at_least(1)
        step = _shares(work[name], count).up_to_multiple(unit).at_least(1)
        count = _shares(work[name], step).at_least(1)
        work[f"step_{name}"], work[f"count_{name}"] = step, count
        rest, pieces = _shares(rest, count), pieces * count
    return pieces


def is_single(work: Work) -> Value:
    """Is it one piece for sure? Then no cuts, a dozen divisions, need be computed."""
    return _cost(work) < 2 * PIECE


def _cost(work: Work) -> Value:
    m, n, k, batch = (work[x] for x in ("m", "n", "k", "batch"))
    return (m * n * k + (m * k + k * n + m * n) * ELEMENT_COST) * batch


def _least_rows(f: Function, shape: Shape, work: Work) -> Value:
    """Rows that a piece has at least, or all."""
    rows: dict[str, Value | int] = {
        "packed": f.select(work["k"] < SHALLOW, SHALLOW_ROWS, PACKED_ROWS),
        "skinny": SKINNY_ROWS,
        "swapped": SWAPPED_VECTORS * shape.lanes,
    }
    least = f.number(ROW_UNIT)
    for name, count in rows.items():
        least = f.select(work["form"].equals(FORMS.index(name)), count, least)
    return least


def _shares(total: Value, parts: Value) -> Value:
    return (total + parts - 1) // parts
