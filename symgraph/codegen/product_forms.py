"""Ways to do a matrix product on one thread, each best for some shapes and layouts.

    direct     B read in place, in rows: small products, and those with few rows
    packed     panels of B copied or turned first, then kept near the processor: large products
    dotted     A and B both contiguous along k: few results, long sums
    skinny     few columns: B is turned once, then as ``dotted``
    swapped    few columns and A contiguous along m: the product of the transposes, then turned
    streamed   one row of A, or of B: rows of B are streamed into rows of C
    paired     a vector and short rows, or many pairs of short vectors: lanes along k

All have one signature (``parameters``): c = alpha * a @ b + beta * c, where c is not read if beta
is 0 and becomes zeros if k is 0. Strides are in bytes; a row of C is contiguous.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symgraph.codegen.product_code import INT, POINTER, Function, Value
from symgraph.codegen.product_dots import PAIRS, ROW_PAIRS
from symgraph.codegen.product_kernel import AXPY_ROWS, Shape

NAMES = ("m", "n", "k", "a", "a_row", "a_k", "b", "b_k", "b_n", "c", "c_row", "alpha", "beta")
Names = frozenset[str]  # of functions that code has (``product_parts``)
SCRATCH = 64 * 1024  # bytes on the stack: a packed panel, which the second cache holds
DIRECT_DEPTH = 512  # steps of k before a block of C is left: a panel of B stays in the second cache
# Rows of C that use a panel of B once packed, from a block of A that the second cache holds. Where
# sums are short the result is most of the traffic: fewer rows, so that it is written in long runs.
PACKED_DEPTH, PACKED_ROWS = 128, 240
SHALLOW, SHALLOW_ROWS, SHALLOW_DIRECT_ROWS = 96, 96, 24
SWAPPED_DEPTH = 64


def parameters(shape: Shape) -> list[tuple[str, str]]:
    """What every form takes."""
    kinds = dict.fromkeys("abc", POINTER) | dict.fromkeys(("alpha", "beta"), shape.element)
    return [(name, kinds.get(name, INT)) for name in NAMES]


def forms(shape: Shape, names: Names) -> list[Function]:
    """The forms that are in ``names``, and the function ``dots`` that two of them share."""
    made = {"direct": direct, "dotted": dotted, "skinny": skinny}
    made |= {"swapped": swapped, "streamed": streamed}
    found = [make(shape) for name, make in made.items() if name in names]
    found += [paired(shape, names)] if "paired" in names else []
    found += [packed(shape, names)] if "packed" in names else []
    return found + ([dots(shape, names)] if names & {"dotted", "skinny"} else [])


def _beta(f: Function, shape: Shape, start: Value, beta: Value) -> Value:
    """The caller's beta for the first block of k, then 1."""
    return f.select(start > 0, f.constant(shape.element, "1.0"), beta)


@contextmanager
def _panels(f: Function, shape: Shape, n: Value) -> Iterator[tuple[Value, Value]]:
    """For panels of columns: where each starts, and its width.

    A panel of one vector is slow (an element of A is read for each multiplication): where one more
    vector than the widest panel has is left, both panels that come get some.
    """
    width = shape.widest * shape.lanes
    start = f.variable(f.number(0))
    with f.loop(0, n, width) as _:
        j = start.get()
        rest = n - j
        is_odd = (rest > width) & (rest <= width + shape.lanes)
        columns = f.select(is_odd, width - shape.lanes, rest.at_most(width))
        yield j, columns
        start.set(j + columns)


def direct(shape: Shape) -> Function:
    """B in place: for blocks of k, for panels of columns."""
    f = Function("direct", parameters(shape), "internal")
    m, n, k, a, a_row, a_k, b, b_k, _, c, c_row, alpha, beta = f.parameters
    height = f.select(k < SHALLOW, SHALLOW_DIRECT_ROWS, m)
    with f.loop(0, m, height) as i, f.loop(0, k.at_least(1), DIRECT_DEPTH) as p:
        rows, top = (m - i).at_most(height), c + c_row * i
        depth, factor = (k - p).at_most(DIRECT_DEPTH), _beta(f, shape, p, beta)
        left, right = a + a_row * i + a_k * p, b + b_k * p
        with _panels(f, shape, n) as (j, columns):
            offset = j * shape.size
            sources = (depth, left, a_row, a_k, right + offset, b_k)
            f.call("span", rows, columns, *sources, top + offset, c_row, 0, alpha, factor)
    return f


def packed(shape: Shape, names: Names) -> Function:
    """Panels of B in scratch memory, turned where B is contiguous along k."""
    f = Function("packed", parameters(shape), "internal")
    m, n, k, a, a_row, a_k, b, b_k, b_n, c, c_row, alpha, beta = f.parameters
    row = shape.widest * shape.nbytes
    memory = f.scratch(PACKED_DEPTH * row)
    in_rows = b_n.equals(shape.size)
    height = f.select(k < SHALLOW, SHALLOW_ROWS, PACKED_ROWS)
    with f.loop(0, m, height) as i, f.loop(0, k.at_least(1), PACKED_DEPTH) as p:
        rows = (m - i).at_most(height)
        depth, factor = (k - p).at_most(PACKED_DEPTH), _beta(f, shape, p, beta)
        left, right, top = a + a_row * i + a_k * p, b + b_k * p, c + c_row * i
        ahead = f.select(p + depth < k, a_k * PACKED_DEPTH, 0)
        with _panels(f, shape, n) as (j, columns):
            place = right + b_n * j
            with f.when(in_rows):
                f.call_among(names, "pack", depth, columns, place, b_k, memory)
            with f.unless(in_rows):
                f.call_among(names, "turn", columns, depth, place, b_n, memory, row)
            result = top + j * shape.size
            arguments = (left, a_row, a_k, memory, row, result, c_row, ahead, alpha, factor)
            f.call("span", rows, columns, depth, *arguments)
    return f


def dots(shape: Shape, names: Names) -> Function:
    """``dots(m, n, k, a, a_row, b, b_row, c, c_row, alpha, beta)``: b is (n, k)."""
    taken = ("m", "n", "k", "a", "a_row", "b", "b_row", "c", "c_row", "alpha", "beta")
    kinds = dict(parameters(shape))
    f = Function("dots", [(name, kinds.get(name, INT)) for name in taken], "internal")
    m, n, k, a, a_row, b, b_row, c, c_row, alpha, beta = f.parameters
    rows, columns = f.variable(f.number(4)), f.variable(f.number(4))
    if (4, 5) in shape.dot_blocks:  # ten columns are twice five: no column of a block is idle
        columns.set(f.select(n.up_to_multiple(5) < n.up_to_multiple(4), 5, 4))
    with f.when(m.equals(1)):
        rows.set(m)
        columns.set(f.number(4))
        with f.when(n.equals(1)):  # a column of several rows takes the kernel of four by four
            columns.set(n)
    with f.loop(0, m, rows.get()) as i, f.loop(0, n, columns.get()) as j:
        place = c + c_row * i + j * shape.size
        sizes = ((m - i).at_most(rows.get()), (n - j).at_most(columns.get()), k)
        arguments = (*sizes, a + a_row * i, a_row, b + b_row * j, b_row, place, c_row, alpha, beta)
        for height, width in shape.dot_blocks:
            fits = rows.get().equals(height) & columns.get().equals(width)
            with f.when(fits):
                f.call_among(names, f"dots_{height}x{width}", *arguments)
    return f


def dotted(shape: Shape) -> Function:
    """Both operands in place, lanes along k."""
    f = Function("dotted", parameters(shape), "internal")
    m, n, k, a, a_row, _, b, _, b_n, c, c_row, alpha, beta = f.parameters
    f.call("dots", m, n, k, a, a_row, b, b_n, c, c_row, alpha, beta)
    return f


def skinny(shape: Shape) -> Function:
    """At most as many columns as a vector has lanes: B turned into scratch, then ``dots``."""
    f = Function("skinny", parameters(shape), "internal")
    m, n, k, a, a_row, a_k, b, b_k, _, c, c_row, alpha, beta = f.parameters
    memory = f.scratch(SCRATCH)
    fits = f.number(SCRATCH // shape.nbytes) // n * shape.lanes  # elements, whole vectors
    with f.loop(0, k.at_least(1), fits) as p:
        depth, factor = (k - p).at_most(fits), _beta(f, shape, p, beta)
        row = depth.up_to_multiple(shape.lanes) * shape.size
        f.call("turn", depth, n, b + b_k * p, b_k, memory, row)
        left = a + a_k * p
        f.call("dots", m, n, depth, left, a_row, memory, row, c, c_row, alpha, factor)
    return f


def swapped(shape: Shape) -> Function:
    """C.T = B.T A.T by ``direct``, as many columns of C.T at once as scratch memory takes."""
    f = Function("swapped", parameters(shape), "internal")
    m, n, k, a, _, a_k, b, b_k, b_n, c, c_row, alpha, beta = f.parameters
    memory = f.scratch(SCRATCH)
    fits = f.number(SCRATCH // shape.nbytes) // n * shape.lanes
    keep = f.emit("i1", f"fcmp une {beta.typed}, 0.0")
    with f.loop(0, m, fits) as i:
        rows = (m - i).at_most(fits)
        width, target = rows.up_to_multiple(shape.lanes) * shape.size, c + c_row * i
        with f.when(keep):
            f.call("turn", rows, n, target, c_row, memory, width)
        with f.loop(0, k.at_least(1), SWAPPED_DEPTH) as p:
            depth, factor = (k - p).at_most(SWAPPED_DEPTH), _beta(f, shape, p, beta)
            left, right = b + b_k * p, a + a_k * p + i * shape.size
            strides = (b_n, b_k, right, a_k, shape.size, memory, width)
            f.call("direct", n, rows, depth, left, *strides, alpha, factor)
        f.call("turn", n, rows, memory, width, target, c_row)
    return f


def streamed(shape: Shape) -> Function:
    """Row by row, k at least 1: rows of B are added to the row of C, eight at a time."""
    f = Function("streamed", parameters(shape), "internal")
    m, n, k, a, a_row, a_k, b, b_k, _, c, c_row, alpha, beta = f.parameters
    p, factor = f.variable(f.number(0)), f.variable(beta)
    one = f.constant(shape.element, "1.0")
    with f.loop(0, m) as i:
        p.set(f.number(0))
        factor.set(beta)
        for rows in AXPY_ROWS:
            with f.loop(p.get(), k - (rows - 1), rows) as start:
                left, right = a + a_row * i + a_k * start, b + b_k * start
                place = c + c_row * i
                f.call(f"axpy_{rows}", n, left, a_k, right, b_k, place, alpha, factor.get())
                factor.set(one)
                p.set(start + rows)
    return f


def paired(shape: Shape, names: Names) -> Function:
    """A single row of A, or for each column one (``a_row`` apart), with columns of B in place."""
    f = Function("paired", parameters(shape), "internal")
    _, n, k, a, a_row, _, b, _, b_n, c, _, alpha, beta = f.parameters
    is_single = a_row.equals(0)
    for kernel, condition in ((ROW_PAIRS, f.when), (PAIRS, f.unless)):
        with condition(is_single):
            f.call_among(names, kernel, n, k, a, a_row, b, b_n, c, alpha, beta)
    return f
