"""Loops around the kernels of matrix products: rows of a panel, packing, transposing.

    span    all rows of C by as many columns as the widest panel has, or fewer
    turn    target[j, i] = source[i, j], a matrix transposed through registers
    pack    rows of B, copied to the distance of a panel

All strides are in bytes, but that of elements of a row, which are neighbours.
"""

from __future__ import annotations

from collections.abc import Container

from symgraph.codegen.product_code import INT, POINTER, Function, Value
from symgraph.codegen.product_kernel import (
    Shape,
    load_masked,
    mask_of,
    store_masked,
)


def _parameters(shape: Shape, *names: str) -> list[tuple[str, str]]:
    kinds = dict.fromkeys("abcxy", POINTER) | dict.fromkeys(("source", "target"), POINTER)
    kinds |= dict.fromkeys(("alpha", "beta"), shape.element)
    return [(name, kinds.get(name, INT)) for name in names]


def tables(shape: Shape, names: Container[str], missing: str) -> str:
    """For each number of vectors: heights of its kernels, the largest first, and the kernels.

    ``missing`` is in the place of those that are not among ``names``.
    """
    most = max(map(len, shape.blocks.values()))
    heights, kernels = [], []
    for vectors in range(1, shape.widest + 1):
        rows = shape.blocks[vectors]
        for height in (*rows, *rows[-1:] * (most - len(rows))):  # the last has one row
            heights.append(f"i64 {height}")
            name = f"rows_{height}x{vectors}"
            kernels.append(f"ptr @{name if name in names else missing}")
    kind = f"[{len(heights)} x"
    return (
        f"@heights = internal constant {kind} i64] [{', '.join(heights)}]\n"
        f"@kernels = internal constant {kind} ptr] [{', '.join(kernels)}]"
    )


def span(shape: Shape) -> Function:
    """``span(m, n, k, a, a_row, a_k, b, b_k, c, c_row, ahead, alpha, beta)``: n up to a panel."""
    operands = ("m", "n", "k", "a", "a_row", "a_k", "b", "b_k", "c", "c_row")
    names = (*operands, "ahead", "alpha", "beta")
    f = Function("span", _parameters(shape, *names), "internal")
    m, n, k, a, a_row, a_k, b, b_k, c, c_row, ahead, alpha, beta = f.parameters
    most = max(map(len, shape.blocks.values()))
    before = (n - 1) // shape.lanes  # whole vectors before the last
    tail = n - before * shape.lanes
    i = f.variable(f.number(0))
    with f.loop(before * most, (before + 1) * most) as row:
        height = f.load(INT, f.constant(POINTER, "@heights") + row * 8)
        kernel = f.load(POINTER, f.constant(POINTER, "@kernels") + row * 8)
        with f.loop(i.get(), m - (height - 1), height) as start:
            left, result = a + a_row * start, c + c_row * start
            sizes = (k, left, a_row, a_k, b, b_k, result, c_row, tail, ahead)
            f.call_at(kernel, *sizes, alpha, beta)
            i.set(start + height)
    return f


def turn(shape: Shape) -> Function:
    """``turn(m, n, source, source_row, target, target_row)``: an (m, n) matrix to (n, m)."""
    names = ("m", "n", "source", "source_row", "target", "target_row")
    f = Function("turn", _parameters(shape, *names), "internal")
    m, n, source, source_row, target, target_row = f.parameters
    lanes = shape.lanes
    with f.loop(0, m, lanes) as i, f.loop(0, n, lanes) as j:
        rows, columns = (m - i).at_most(lanes), (n - j).at_most(lanes)
        inside, below = mask_of(f, shape, columns), mask_of(f, shape, rows)
        first = source + source_row * i + j * shape.size
        vectors = []
        for r in range(lanes):  # rows that are not there: the last one again
            place = first + source_row * (rows - 1).at_most(r)
            vectors.append(load_masked(f, shape, place, inside))
        corner = target + target_row * j + i * shape.size
        for r, vector in enumerate(_turned(f, shape, vectors)):
            with f.when(columns > r):
                store_masked(f, shape, vector, corner + target_row * r, below)
    return f


def _turned(f: Function, shape: Shape, rows: list[Value]) -> list[Value]:
    """Columns of a square of vectors: halves change places, then quarters within them, ..."""
    lanes, step = shape.lanes, shape.lanes // 2
    while step:
        found = list(rows)
        low = [j if not j & step else lanes + (j ^ step) for j in range(lanes)]
        high = [j ^ step if not j & step else lanes + j for j in range(lanes)]
        for i in range(lanes):
            if not i & step:
                pair = f"{rows[i].typed}, {rows[i + step].typed}"
                for place, order in ((i, low), (i + step, high)):
                    text = ", ".join(f"i32 {x}" for x in order)
                    mask = f"<{lanes} x i32> <{text}>"
                    found[place] = f.emit(shape.vector, f"shufflevector {pair}, {mask}")
        rows, step = found, step // 2
    return rows


def pack(shape: Shape) -> Function:
    """``pack(k, n, source, source_row, target)``: rows of n elements, a panel's width apart."""
    f = Function("pack", _parameters(shape, "k", "n", "source", "source_row", "target"), "internal")
    k, n, source, source_row, target = f.parameters
    width = shape.widest * shape.nbytes
    masks = [mask_of(f, shape, n - shape.lanes * v) for v in range(shape.widest)]
    with f.loop(0, k) as p:
        for v, mask in enumerate(masks):
            offset = shape.nbytes * v
            row = load_masked(f, shape, source + source_row * p + offset, mask)
            f.store(row, target + p * width + offset, shape.size)
    return f
