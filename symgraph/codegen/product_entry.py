"""The entry of matrix products: which form, which pieces, on which threads.

    product(batch, m, n, k, flags, alpha, a, b, beta, c, parallel)

computes c = alpha * op(a) @ op(b) + beta * c for each item of a batch. Operands are C-contiguous;
the bits of ``flags`` (``FLAGS``) say which are stored transposed, and which all items share. The
work is cut into pieces by its sizes alone (items, rows of C, columns of C; no sum is cut), so
results have the same bits on any number of threads. Pieces run by ``parallel``, the address of
``symgraph_parallel``; one after the other where it is null.
"""

from __future__ import annotations

from symgraph.codegen.product_code import INT, POINTER, Function, Value
from symgraph.codegen.product_forms import NAMES
from symgraph.codegen.product_kernel import Shape

FLAGS = ("trans_a", "trans_b", "shared_a", "shared_b")
FORMS = ("direct", "packed", "dotted", "skinny", "swapped", "streamed")
# What a piece costs, in multiplications: this many take some two microseconds.
PIECE = 256 * 1024
MOST_PIECES = 64
ELEMENT_COST = 8  # multiplications that take as long as moving an element from the third cache
PACK_ROWS = 48  # fewer rows do not pay for packing B
DIRECT_BYTES = 128 * 1024  # of B: what the second cache keeps needs no packing
PACKED_ROWS = 240  # of a piece: packing a panel of B is a few percent of using it
ROW_UNIT = 12  # rows of a piece are whole blocks of most kernels

_ARGUMENTS = ("batch", "m", "n", "k", "flags", "alpha", "a", "b", "beta", "c", "parallel")
_STRIDES = ("a_item", "a_row", "a_k", "b_item", "b_k", "b_n", "c_item", "c_row")
_CUTS = tuple(f"{what}_{x}" for x in ("item", "m", "n") for what in ("step", "count"))
SLOTS = (*_ARGUMENTS, *_STRIDES, *_CUTS, "form")
Work = dict[str, Value]


def kind_of(shape: Shape, name: str) -> str:
    """The type of an argument or of a field of the description of the work."""
    if name in ("a", "b", "c", "parallel"):
        return POINTER
    return shape.element if name in ("alpha", "beta") else INT


def entry(shape: Shape, name: str) -> Function:
    """The function that compiled programs call."""
    f = Function(name, [(n, kind_of(shape, n)) for n in _ARGUMENTS], "")
    work = dict(zip(_ARGUMENTS, f.parameters, strict=True))
    some = (work["batch"] > 0) & (work["m"] > 0) & (work["n"] > 0)
    with f.when(some):
        work = _as_row(f, shape, work | _strides(f, shape, work))
        work["form"] = _form(f, shape, work)
        pieces = _cut(f, shape, work)
        context = f.scratch(8 * len(SLOTS))
        for place, slot in enumerate(SLOTS):
            f.store(work[slot], context + 8 * place)
        parallel = work["parallel"]
        alone = (pieces <= 1) | f.emit("i1", f"icmp eq ptr {parallel.text}, null")
        with f.when(alone), f.loop(0, pieces) as i:
            f.call("piece", context, i)
        with f.unless(alone):
            arguments = f"ptr @piece, {context.typed}, {pieces.typed}"
            f.line(f"call void {parallel.text}({arguments})")
    return f


def piece(shape: Shape) -> Function:
    """``piece(work, i)``: one piece of the work that a context describes."""
    f = Function("piece", [("work", POINTER), ("i", INT)], "internal")
    context, i = f.parameters
    work = {slot: f.load(kind_of(shape, slot), context + 8 * p) for p, slot in enumerate(SLOTS)}
    column = i % work["count_n"]
    row = i // work["count_n"] % work["count_m"]
    first = i // work["count_n"] // work["count_m"] * work["step_item"]
    last = (first + work["step_item"]).at_most(work["batch"])
    top, left = row * work["step_m"], column * work["step_n"]
    part = dict(work)
    part["m"] = (work["m"] - top).at_most(work["step_m"])
    part["n"] = (work["n"] - left).at_most(work["step_n"])
    with f.loop(first, last) as item:
        part["a"] = work["a"] + work["a_item"] * item + work["a_row"] * top
        part["b"] = work["b"] + work["b_item"] * item + work["b_n"] * left
        part["c"] = work["c"] + work["c_item"] * item + work["c_row"] * top + left * shape.size
        for number, form in enumerate(FORMS):
            with f.when(work["form"].equals(number)):
                f.call(form, *(part[name] for name in NAMES))
    return f


def _strides(f: Function, shape: Shape, work: Work) -> Work:
    """The distances of items, rows and columns of all operands in bytes."""
    m, n, k = (work[x] * shape.size for x in "mnk")
    one = f.number(shape.size)
    is_set = {name: _bit(work["flags"], i) for i, name in enumerate(FLAGS)}
    return {
        "a_item": f.select(is_set["shared_a"], 0, work["m"] * k),
        "a_row": f.select(is_set["trans_a"], one, k),
        "a_k": f.select(is_set["trans_a"], m, one),
        "b_item": f.select(is_set["shared_b"], 0, work["n"] * k),
        "b_k": f.select(is_set["trans_b"], one, n),
        "b_n": f.select(is_set["trans_b"], k, one),
        "c_item": work["m"] * n,
        "c_row": n,
    }


def _bit(flags: Value, place: int) -> Value:
    return (flags // (1 << place) % 2).equals(1)


def _as_row(f: Function, shape: Shape, work: Work) -> Work:
    """A single column, which is contiguous, as the row of the transposed product."""
    column = work["n"].equals(1)
    found = dict(work)
    for x, y in (("m", "n"), ("a", "b"), ("a_item", "b_item"), ("a_row", "b_n"), ("a_k", "b_k")):
        found[x] = f.select(column, work[y], work[x])
        found[y] = f.select(column, work[x], work[y])
    return found


def _form(f: Function, shape: Shape, work: Work) -> Value:
    """The number of the best form for these sizes and strides."""
    m, n, k = (work[x] for x in "mnk")
    size, lanes = shape.size, shape.lanes
    in_rows = work["b_n"].equals(size)
    along_k = work["a_k"].equals(size) | k.equals(1)
    along_m = work["a_row"].equals(size)
    turned = work["b_k"].equals(size)
    is_long = k >= 4 * lanes
    rules = [
        (k <= 0, "direct"),
        (turned & along_k & is_long & ((m * n <= 64) | (m <= 8) | (n <= 4)), "dotted"),
        (in_rows & m.equals(1), "streamed"),
        (in_rows & along_k & is_long & (n <= lanes) & (m >= 8), "skinny"),
        (in_rows & along_m & (n <= 2 * lanes) & (m >= n * 2), "swapped"),
        (in_rows & ((m < PACK_ROWS) | (n * k <= DIRECT_BYTES // size)), "direct"),
    ]
    found = f.number(FORMS.index("packed"))
    for condition, name in reversed(rules):
        found = f.select(condition, FORMS.index(name), found)
    return found


def _cut(f: Function, shape: Shape, work: Work) -> Value:
    """Says into how many pieces of what size each direction is cut; gives the number of pieces."""
    m, n, k, batch = (work[x] for x in ("m", "n", "k", "batch"))
    cost = m * n * k + (m * k + k * n + m * n) * ELEMENT_COST
    wanted = (cost * batch // PIECE).at_most(MOST_PIECES).at_least(1)
    is_packed = work["form"].equals(FORMS.index("packed"))
    pieces = _cut_one(f, work, "item", batch, wanted, 1, f.number(1))
    rest = _shares(wanted, pieces)
    least = f.select(is_packed, PACKED_ROWS, ROW_UNIT)
    pieces = _cut_one(f, work, "m", m, rest, ROW_UNIT, least)
    rest = _shares(rest, pieces)
    width = shape.widest * shape.lanes
    _cut_one(f, work, "n", n, rest, width, f.number(width))
    return work["count_item"] * work["count_m"] * work["count_n"]


def _shares(wanted: Value, found: Value) -> Value:
    return (wanted + found - 1) // found


def _cut_one(
    f: Function, work: Work, name: str, extent: Value, wanted: Value, unit: int, least: Value
) -> Value:
    """Cuts an extent into at most so many equal pieces of whole units, and of ``least`` or more."""
    count = _shares(extent, least).at_most(wanted)
    step = _shares(extent, count).up_to_multiple(unit)
    work[f"step_{name}"] = step
    work[f"count_{name}"] = _shares(extent, step)
    return work[f"count_{name}"]
