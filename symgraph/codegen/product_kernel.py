"""Register-blocked kernels of matrix products: a block of C in registers, in LLVM assembly.

    rows      C[r, v] (+)= A[r, k] B[k, v]: elements of A broadcast from any strides, B in rows
    axpy      C[v] (+)= sum over r of x[r] B[r, v]: several rows of B streamed into one row of C

A vector has ``lanes`` elements. The last vector of a row is masked (only ``tail`` lanes of it are
there), so no shape needs padding. All strides are in bytes. Sums run in the type of the operands,
by fused multiplications and additions. ``product_dots`` has those with lanes along k.
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
    """``rows_RxV(k, a, a_row, a_k, b, b_k, c, c_row, tail, ahead, alpha, beta)``.

    ``ahead``: how far behind an element of A that is read is the one that is needed next from
    memory. Where A is contiguous along m, the processor does not foresee it.
    """
    e = shape.element
    kinds = [("k", INT), ("a", POINTER), ("a_row", INT), ("a_k", INT), ("b", POINTER)]
    kinds += [("b_k", INT), ("c", POINTER), ("c_row", INT), ("tail", INT), ("ahead", INT)]
    f = Function(f"rows_{rows}x{vectors}", [*kinds, ("alpha", e), ("beta", e)], "internal")
    k, a, a_row, a_k, b, b_k, c, c_row, tail, ahead, alpha, beta = f.parameters
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
        f.line(f"call void @llvm.prefetch.p0({(left + ahead).typed}, i32 0, i32 2, i32 1)")
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
    blend(f, shape, parts, alpha, beta)
    return f


def blend(
    f: Function,
    shape: Shape,
    parts: list[tuple[Value, Value, Value | None]],
    alpha: Value,
    beta: Value,
) -> None:
    """c = alpha * total + beta * c, at (address, total, mask); c is not read where beta is 0.

    Not even by a masked load of no lanes: it waits for the stores of rows before it.
    """
    scale, factor = splat(f, shape, alpha), splat(f, shape, beta)
    keep = f.emit("i1", f"fcmp une {beta.typed}, 0.0")
    scaled = [f.emit(shape.vector, f"fmul {scale.typed}, {total.text}") for _, total, _ in parts]
    with f.when(keep):
        for (place, _, mask), value in zip(parts, scaled, strict=True):
            old = load_masked(f, shape, place, mask)
            store_masked(f, shape, fma(f, shape, factor, old, value), place, mask)
    with f.unless(keep):
        for (place, _, mask), value in zip(parts, scaled, strict=True):
            # as beta * 0 + scaled: a zero is positive
            found = f.emit(shape.vector, f"fadd {value.typed}, zeroinitializer")
            store_masked(f, shape, found, place, mask)


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
        blend(f, shape, [(c + offset, total, mask)], alpha, beta)

    whole = n // shape.lanes * shape.lanes
    with f.loop(0, whole, shape.lanes) as j:
        step(j, None)
    with f.when(whole < n):
        step(whole, mask_of(f, shape, n - whole))
    return f
