"""Kernels of matrix products whose operands are both contiguous along k: lanes along k.

    dots      C[r, c] (+)= sum over k of A[r, k] B[c, k], a block of rows by columns
    pairs     C[j] (+)= sum over k of A[j, k] B[j, k]: rows by rows, as many at once as a vector
              has lanes; A may be one row for all. For short rows, whose sums are most of the work

Sums of lanes are taken for as many vectors at once as there are, in a tree that is the same for
each: a result does not depend on its place.
"""

from __future__ import annotations

from symgraph.codegen.product_code import INT, POINTER, Function, Value
from symgraph.codegen.product_kernel import (
    FOUR,
    LATENCY,
    Shape,
    blend,
    fma,
    load_masked,
    mask_of,
    zero,
)

PAIRS, ROW_PAIRS = "pairs", "row_pairs"


def dots_kernel(shape: Shape, rows: int, columns: int) -> Function:
    """``dots_RxC(m, n, k, a, a_row, b, b_row, c, c_row, alpha, beta)``, m up to R, n up to C.

    Rows that are not there are read as the last one that is, and not stored.
    """
    e = shape.element
    kinds = [("m", INT), ("n", INT), ("k", INT), ("a", POINTER), ("a_row", INT), ("b", POINTER)]
    kinds += [("b_row", INT), ("c", POINTER), ("c_row", INT), ("alpha", e), ("beta", e)]
    f = Function(f"dots_{rows}x{columns}", kinds, "internal")
    m, n, k, a, a_row, b, b_row, c, c_row, alpha, beta = f.parameters
    turns = max(1, LATENCY // (rows * columns))  # independent sums, to hide the latency of an fma
    sums = [[f.variable(zero(f, shape)) for _ in range(turns)] for _ in range(rows * columns)]
    lefts = [a + a_row * (m - 1).at_most(i) for i in range(rows)]
    rights = [b + b_row * (n - 1).at_most(j) for j in range(columns)]

    def step(p: Value, turn: int, mask: Value | None) -> None:
        offset = p * shape.size
        if mask is None and rows > 1:
            for left in lefts:  # the rows of the next block, which the processor does not foresee
                ahead = left + a_row * rows + offset
                f.line(f"call void @llvm.prefetch.p0({ahead.typed}, i32 0, i32 3, i32 1)")
        xs = [load_masked(f, shape, left + offset, mask) for left in lefts]
        ys = [load_masked(f, shape, right + offset, mask) for right in rights]
        for i, x in enumerate(xs):
            for j, y in enumerate(ys):
                total = sums[i * columns + j][turn]
                total.set(fma(f, shape, x, y, total.get()))

    span = turns * shape.lanes
    whole = k // span * span
    with f.loop(0, whole, span) as p:
        for turn in range(turns):
            step(p + turn * shape.lanes, turn, None)
    with f.loop(whole, k, shape.lanes) as p:
        step(p, 0, mask_of(f, shape, k - p))
    whole_rows = [(i, j) for i in range(rows) for j in range(columns) if j < FOUR]
    order = whole_rows + [(i, j) for i in range(rows) for j in range(FOUR, columns)]
    parts = [[s.get() for s in sums[i * columns + j]] for i, j in order]
    places = dict(
        zip(order, _lane_sums(f, shape, [_total(f, shape, p) for p in parts]), strict=True)
    )
    keep = f.emit("i1", f"fcmp une {beta.typed}, 0.0")
    if len(whole_rows) % shape.lanes or shape.lanes % FOUR or columns < FOUR:
        _store_each(f, shape, places, (m, n, c, c_row, alpha, beta, keep))
        return f
    is_whole = (m >= rows) & (n >= columns) & f.emit("i1", f"xor {keep.typed}, true")
    with f.when(is_whole):
        for i in range(rows):
            _store_row(f, shape, [places[i, j] for j in range(columns)], c + c_row * i, alpha)
    with f.unless(is_whole):
        _store_each(f, shape, places, (m, n, c, c_row, alpha, beta, keep))
    return f


def pairs_kernel(shape: Shape, name: str) -> Function:
    """``NAME(n, k, a, a_n, b, b_n, c, alpha, beta)``: c[j] from row j of A and of B.

    There are at least as many rows as lanes. The last group of rows ends with the last one and
    stores what was not done yet. ``NAME``: ``pairs``, or ``row_pairs`` where A has one row.
    """
    e = shape.element
    kinds = [("n", INT), ("k", INT), ("a", POINTER), ("a_n", INT), ("b", POINTER), ("b_n", INT)]
    f = Function(name, [*kinds, ("c", POINTER), ("alpha", e), ("beta", e)], "internal")
    n, k, a, a_n, b, b_n, c, alpha, beta = f.parameters
    lanes = shape.lanes
    final, whole = n - lanes, k // lanes * lanes
    sums = [f.variable(zero(f, shape)) for _ in range(lanes)]

    def step(left: Value, right: Value, mask: Value | None) -> None:
        x = load_masked(f, shape, left, mask)
        for i, total in enumerate(sums):
            if i and name == PAIRS:
                x = load_masked(f, shape, left + a_n * i, mask)
            y = load_masked(f, shape, right + b_n * i, mask)
            total.set(fma(f, shape, x, y, total.get()))

    with f.loop(0, n, lanes) as j:
        start = j.at_most(final)
        left, right = a + a_n * start, b + b_n * start
        for total in sums:
            total.set(zero(f, shape))
        with f.loop(0, whole, lanes) as p:
            step(left + p * shape.size, right + p * shape.size, None)
        with f.when(whole < k):
            step(
                left + whole * shape.size, right + whole * shape.size, mask_of(f, shape, k - whole)
            )
        (found, _), *_ = _lane_sums(f, shape, [total.get() for total in sums])
        is_done = mask_of(f, shape, j - start)
        bits = f"<{lanes} x i1>"
        ones = ", ".join(["i1 true"] * lanes)
        is_new = f.emit(bits, f"xor {is_done.typed}, <{ones}>") & mask_of(f, shape, n - start)
        blend(f, shape, [(c + start * shape.size, found, is_new)], alpha, beta)
    return f


def _store_row(
    f: Function, shape: Shape, places: list[tuple[Value, int]], target: Value, alpha: Value
) -> None:
    """alpha times the results of a row: four of one vector at once, then one by one."""
    (vector, first), four = places[0], f"<{FOUR} x {shape.element}>"
    lanes = ", ".join(f"i32 {first + j}" for j in range(FOUR))
    some = f.emit(four, f"shufflevector {vector.typed}, {vector.typed}, <{FOUR} x i32> <{lanes}>")
    one = f.emit(four, f"insertelement {four} poison, {alpha.typed}, i32 0")
    order = f"<{FOUR} x i32> zeroinitializer"
    factor = f.emit(four, f"shufflevector {one.typed}, {four} poison, {order}")
    scaled = f.emit(four, f"fmul {factor.typed}, {some.text}")
    # as beta * 0 + scaled: a zero is positive
    f.store(f.emit(four, f"fadd {scaled.typed}, zeroinitializer"), target, shape.size)
    for j, (vector, lane) in enumerate(places[FOUR:], FOUR):
        total = _lane(f, shape, vector, lane)
        scaled = f.emit(shape.element, f"fmul {alpha.typed}, {total.text}")
        found = f.emit(shape.element, f"fadd {scaled.typed}, 0.0")
        f.store(found, target + shape.size * j, shape.size)


def _store_each(
    f: Function,
    shape: Shape,
    places: dict[tuple[int, int], tuple[Value, int]],
    about: tuple[Value, ...],
) -> None:
    """alpha * total + beta * c for the results that are there."""
    m, n, c, c_row, alpha, beta, keep = about
    e = shape.element
    for (i, j), (vector, lane) in places.items():
        with f.when((m > i) & (n > j)):
            place = c + c_row * i + shape.size * j
            old = f.variable(f.constant(e, "0.0"))
            with f.when(keep):
                old.set(f.load(e, place, shape.size))
            scaled = f.emit(e, f"fmul {alpha.typed}, {_lane(f, shape, vector, lane).text}")
            name = f"llvm.fma.f{8 * shape.size}"
            f.store(f.value_of(e, name, beta, old.get(), scaled), place, shape.size)


def _total(f: Function, shape: Shape, parts: list[Value]) -> Value:
    """The sum of vectors, in pairs."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [f.emit(shape.vector, f"fadd {x.typed}, {y.text}") for x, y in pairs]
    return parts[0]


def _lane_sums(f: Function, shape: Shape, vectors: list[Value]) -> list[tuple[Value, int]]:
    """The sum of the lanes of each vector, as a lane of one: two become one of half sums, ..."""
    found: list[tuple[Value, int]] = []
    for start in range(0, len(vectors), shape.lanes):
        group = vectors[start : start + shape.lanes]
        count = 1 << (len(group) - 1).bit_length()
        parts, width = group + group[-1:] * (count - len(group)), shape.lanes
        while width > 1:
            half = max(1, len(parts) // 2)
            pairs = zip(parts[:half], parts[-half:], strict=True)
            parts = [_folded(f, shape, x, y, width) for x, y in pairs]
            width //= 2
        stride = shape.lanes // count
        found += [(parts[0], i * stride) for i in range(len(group))]
    return found


def _folded(f: Function, shape: Shape, x: Value, y: Value, width: int) -> Value:
    """Groups of ``width`` lanes of x and y to groups of half of it: lane j plus lane j + half.

    The groups of x come before those of y: x's number i becomes 2i, y's 2i + 1.
    """
    half = width // 2
    starts = [g * width + side for g in range(shape.lanes // width) for side in (0, shape.lanes)]
    low = [start + j for start in starts for j in range(half)]
    parts = []
    for order in (low, [i + half for i in low]):
        text = ", ".join(f"i32 {i}" for i in order)
        mask = f"<{shape.lanes} x i32> <{text}>"
        parts.append(f.emit(shape.vector, f"shufflevector {x.typed}, {y.typed}, {mask}"))
    return f.emit(shape.vector, f"fadd {parts[0].typed}, {parts[1].text}")


def _lane(f: Function, shape: Shape, x: Value, i: int) -> Value:
    return f.emit(shape.element, f"extractelement {x.typed}, i32 {i}")
