"""Register-blocked kernels of matrix products: a block of C in registers, in LLVM assembly.

    rows      C[r, v] (+)= A[r, k] B[k, v]: elements of A broadcast from any strides, B in rows
    dots      C[r, c] (+)= sum over k of A[r, k] B[c, k]: both contiguous along k, lanes along k
    axpy      C[v] (+)= sum over r of x[r] B[r, v]: several rows of B streamed into one row of C

A vector has ``lanes`` elements. The last vector of a row is masked (only ``tail`` lanes of it are
there), so no shape needs padding. All strides are in bytes. Sums run in the type of the operands,
by fused multiplications and additions.
"""

from __future__ import annotations

import numpy as np

from symgraph.codegen.product_code import INT, POINTER, Function, Value
from symgraph.records import dataclass

DType = np.dtype[np.generic]

# vectors in a row of the block -> rows of a block, the largest first; the accumulators, the vectors
# of B and one of A must fit the registers. By registers there are.
ROW_BLOCKS: dict[int, dict[int, tuple[int, ...]]] = {
    32: {4: (6, 4, 2, 1), 3: (8, 4, 2, 1), 2: (12, 4, 2, 1), 1: (12, 4, 1)},
    16: {3: (4, 2, 1), 2: (6, 3, 1), 1: (8, 4, 1)},
}

# rows and columns of the kernels ``dots``, by registers
DOT_BLOCKS = {32: ((4, 5), (4, 4), (1, 4), (1, 1)), 16: ((4, 4), (1, 4), (1, 1))}
FOUR = 4  # rows of most of them, and results of a row that are stored at once
AXPY_ROWS = (8, 2, 1)
CACHE_LINE = 64  # bytes
LATENCY = 8  # independent fused multiplications that keep the processor busy


@dataclass(frozen=True, slots=True)
class Shape:
    """The element type and the vector registers that kernels are made for."""

    dtype: DType
    lanes: int
    registers: int

    @property
    def element(self) -> str:
        """LLVM's name of the element type."""
        return "float" if self.size == 4 else "double"

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return int(self.dtype.itemsize)

    @property
    def vector(self) -> str:
        """LLVM's name of the vector type."""
        return f"<{self.lanes} x {self.element}>"

    @property
    def suffix(self) -> str:
        """How overloaded intrinsics name the vector type."""
        return f"v{self.lanes}f{8 * self.size}"

    @property
    def nbytes(self) -> int:
        """Bytes of a vector."""
        return self.lanes * self.size

    @property
    def blocks(self) -> dict[int, tuple[int, ...]]:
        """The kernels ``rows`` there are: vectors -> numbers of rows."""
        return ROW_BLOCKS[self.registers]

    @property
    def dot_blocks(self) -> tuple[tuple[int, int], ...]:
        """The kernels ``dots`` there are: rows and columns."""
        return DOT_BLOCKS[self.registers]

    @property
    def widest(self) -> int:
        """Vectors in a row of the widest kernel."""
        return max(self.blocks)


def dot_columns(n: int) -> int:
    """Columns of a block of ``dots``, of several rows: five where fewer are left idle than by four.

    On 32 registers; ``product_forms.dots`` computes the same.
    """
    return 5 if -(-n // 5) * 5 < -(-n // 4) * 4 else 4


def splat(f: Function, shape: Shape, x: Value) -> Value:
    """A scalar in all lanes."""
    empty = f.constant(shape.vector, "poison")
    one = f.emit(shape.vector, f"insertelement {empty.typed}, {x.typed}, i32 0")
    order = f"<{shape.lanes} x i32> zeroinitializer"
    return f.emit(shape.vector, f"shufflevector {one.typed}, {empty.typed}, {order}")


def zero(f: Function, shape: Shape) -> Value:
    """The vector of zeros."""
    return f.constant(shape.vector, "zeroinitializer")


def fma(f: Function, shape: Shape, x: Value, y: Value, z: Value) -> Value:
    """x * y + z, rounded once."""
    return f.value_of(shape.vector, f"llvm.fma.{shape.suffix}", x, y, z)


def mask_of(f: Function, shape: Shape, active: Value) -> Value:
    """The mask of the first ``active`` lanes."""
    wide = f"<{shape.lanes} x i64>"
    one = f.emit(wide, f"insertelement {wide} poison, {active.typed}, i32 0")
    order = f"<{shape.lanes} x i32> zeroinitializer"
    all_lanes = f.emit(wide, f"shufflevector {one.typed}, {wide} poison, {order}")
    count = ", ".join(f"i64 {i}" for i in range(shape.lanes))
    return f.emit(f"<{shape.lanes} x i1>", f"icmp slt {wide} <{count}>, {all_lanes.text}")


def load_masked(f: Function, shape: Shape, pointer: Value, mask: Value | None) -> Value:
    """A vector; lanes that the mask leaves out are zero and not read."""
    if mask is None:
        return f.load(shape.vector, pointer, shape.size)
    align = f.constant("i32", str(shape.size))
    name = f"llvm.masked.load.{shape.suffix}.p0"
    return f.value_of(shape.vector, name, pointer, align, mask, zero(f, shape))


def store_masked(
    f: Function, shape: Shape, value: Value, pointer: Value, mask: Value | None
) -> None:
    """Puts a vector; lanes that the mask leaves out are not written."""
    if mask is None:
        f.store(value, pointer, shape.size)
        return
    align = f.constant("i32", str(shape.size))
    f.call(f"llvm.masked.store.{shape.suffix}.p0", value, pointer, align, mask)


def declarations(shape: Shape) -> str:
    """The intrinsics that kernels use."""
    v, e, s, mask = shape.vector, shape.element, shape.suffix, f"<{shape.lanes} x i1>"
    return "\n".join(
        [
            "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
            f"declare {v} @llvm.fma.{s}({v}, {v}, {v})",
            f"declare {v} @llvm.masked.load.{s}.p0(ptr, i32, {mask}, {v})",
            f"declare void @llvm.masked.store.{s}.p0({v}, ptr, i32, {mask})",
            f"declare {e} @llvm.fma.f{8 * shape.size}({e}, {e}, {e})",
        ]
    )


# ---------------------------------------------------------------- rows


def rows_kernel(shape: Shape, rows: int, vectors: int) -> Function:
    """``rows_RxV(k, a, a_row, a_k, b, b_k, c, c_row, tail, alpha, beta)``."""
    e = shape.element
    kinds = [("k", INT), ("a", POINTER), ("a_row", INT), ("a_k", INT), ("b", POINTER)]
    kinds += [("b_k", INT), ("c", POINTER), ("c_row", INT), ("tail", INT)]
    f = Function(f"rows_{rows}x{vectors}", [*kinds, ("alpha", e), ("beta", e)], "internal")
    k, a, a_row, a_k, b, b_k, c, c_row, tail, alpha, beta = f.parameters
    mask = mask_of(f, shape, tail)
    masks = [None] * (vectors - 1) + [mask]
    sums = [[f.variable(zero(f, shape)) for _ in range(vectors)] for _ in range(rows)]
    steps = [a_row * i for i in range(rows)]
    place_a, place_b = f.variable(a), f.variable(b)
    for i in range(rows):  # C is on its way from memory while its sums are computed
        for j in range(0, vectors * shape.nbytes, CACHE_LINE):
            place = c + c_row * i + j
            f.line(f"call void @llvm.prefetch.p0({place.typed}, i32 1, i32 3, i32 1)")
    with f.when(k > 0), f.counted(k):
        left, right = place_a.get(), place_b.get()
        line = [load_masked(f, shape, right + shape.nbytes * j, m) for j, m in enumerate(masks)]
        for i in range(rows):
            x = splat(f, shape, f.load(shape.element, left + steps[i], shape.size))
            for total, y in zip(sums[i], line, strict=True):
                total.set(fma(f, shape, x, y, total.get()))
        place_a.set(left + a_k)
        place_b.set(right + b_k)
    parts = [
        (c + c_row * i + shape.nbytes * j, sums[i][j].get(), masks[j])
        for i in range(rows)
        for j in range(vectors)
    ]
    _blend(f, shape, parts, alpha, beta)
    return f


def _blend(
    f: Function,
    shape: Shape,
    parts: list[tuple[Value, Value, Value | None]],
    alpha: Value,
    beta: Value,
) -> None:
    """c = alpha * total + beta * c, at (address, total, mask); c is not read where beta is 0."""
    scale, factor = splat(f, shape, alpha), splat(f, shape, beta)
    bits = f"<{shape.lanes} x i1>"
    keep = f.emit(bits, f"fcmp une {factor.typed}, zeroinitializer")
    for place, total, mask in parts:
        scaled = f.emit(shape.vector, f"fmul {scale.typed}, {total.text}")
        read = keep if mask is None else keep & mask
        old = load_masked(f, shape, place, read)
        store_masked(f, shape, fma(f, shape, factor, old, scaled), place, mask)


# ---------------------------------------------------------------- dots


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


# ---------------------------------------------------------------- axpy


def axpy_kernel(shape: Shape, rows: int) -> Function:
    """``axpy_R(n, x, x_k, b, b_k, c, alpha, beta)``: one row of C from R rows of B."""
    e = shape.element
    kinds = [("n", INT), ("x", POINTER), ("x_k", INT), ("b", POINTER), ("b_k", INT)]
    f = Function(f"axpy_{rows}", [*kinds, ("c", POINTER), ("alpha", e), ("beta", e)], "internal")
    n, x, x_k, b, b_k, c, alpha, beta = f.parameters
    factors = [splat(f, shape, f.load(e, x + x_k * i, shape.size)) for i in range(rows)]
    sources = [b + b_k * i for i in range(rows)]

    def step(j: Value, mask: Value | None) -> None:
        total = zero(f, shape)
        offset = j * shape.size
        for factor, source in zip(factors, sources, strict=True):
            total = fma(f, shape, factor, load_masked(f, shape, source + offset, mask), total)
        _blend(f, shape, [(c + offset, total, mask)], alpha, beta)

    whole = n // shape.lanes * shape.lanes
    with f.loop(0, whole, shape.lanes) as j:
        step(j, None)
    with f.when(whole < n):
        step(whole, mask_of(f, shape, n - whole))
    return f
