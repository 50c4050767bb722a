"""What this machine can do, measured on the spot by kernels of a few instructions.

    read, copy       GB/s of all threads at several sizes, from what a cache holds to what none does
    float32, float64 GFLOP/s of fused multiply-adds on registers, all threads

The share of a limit that a workload reaches is the time the limit alone would take, over its own.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import llvmlite.binding as llvm
import numpy as np

from symgraph.codegen import externals
from symgraph.codegen.loader import library
from symgraph.codegen.objects import compile_straight
from symgraph.codegen.product_build import shape_for
from symgraph.codegen.product_code import INT, POINTER, Function, Value
from symgraph.codegen.product_kernel import Shape, declarations, fma, splat, zero

from .workload import Array, Workload

SIZES_MB = (1, 4, 16, 64, 256)  # of all memory that is touched
PIECES = 64
CHAINS = 12  # independent sums: enough to hide the latency of an fma on any processor
STEPS = 20_000
_STREAMING = "!0 = !{i32 1}"
_ATTRIBUTES = "attributes #0 = { noinline nounwind }"

Limits = Mapping[str, Mapping[str, float]]


def measure(seconds: float = 0.05, sizes: Sequence[int] = SIZES_MB) -> dict[str, dict[str, float]]:
    """The limits: ``read`` and ``copy`` by size in MB, ``multiply`` by dtype."""
    shapes = {dtype: _shape(dtype) for dtype in ("float32", "float64")}
    found = {
        what: {str(size): _bandwidth(shapes["float64"], what, size, seconds) for size in sizes}
        for what in ("read", "copy")
    }
    return {**found, "multiply": {d: _rate(shape, seconds) for d, shape in shapes.items()}}


def least_seconds(row: Workload, limits: Limits) -> float | None:
    """The time that traffic or arithmetic alone would take; None where neither is the limit."""
    times = []
    if row.nbytes:
        size = next((s for s in SIZES_MB if s * 1e6 >= row.nbytes), SIZES_MB[-1])
        times.append(row.nbytes / (max(limits[w][str(size)] for w in ("read", "copy")) * 1e9))
    if row.flops:
        times.append(row.flops / (limits["multiply"][row.dtype] * 1e9))
    return max(times, default=None)


def plain_traffic(read: int, written: int) -> dict[str, Callable[[], None]]:
    """Runs of kernels that read so many bytes and write so many, with usual and streaming stores.

    Where more is written than read, as much is read.
    """
    shape, piece = _shape("float64"), PIECES * 8
    copied = _whole(written, piece * shape.nbytes)
    only_read = _whole(max(0, read - written), piece * shape.nbytes)
    source, target = _aligned(copied + only_read), _aligned(copied)
    job = np.zeros(8 + PIECES * 8, np.int64)  # then a line for each piece's sum
    parts = source.ctypes.data, only_read // PIECES, copied // PIECES, target.ctypes.data
    job[: len(parts)] = parts
    runs: dict[str, Callable[[], None]] = {}
    for name, is_streaming in (("plain", False), ("streaming", True)):
        if copied or not is_streaming:
            run = _compiled(_stream(shape, is_streaming), shape)
            runs[name] = partial(_hold, run, job, (source, target))
    return runs


def multiplication(dtype: str) -> tuple[Callable[[], None], float]:
    """A run of multiply-adds on registers by all threads, and how many operations it does."""
    shape = _shape(dtype)
    run, job = _compiled(_multiply(shape), shape), np.zeros(PIECES * 8)
    return partial(_hold, run, job, ()), 2.0 * STEPS * CHAINS * shape.lanes * PIECES


def _hold(run: Callable[[int], None], job: Array, kept: tuple[Array, ...]) -> None:
    """A run on a job; the memory that it names is kept by the caller's closure."""
    run(job.ctypes.data)


def _whole(nbytes: int, unit: int) -> int:
    return nbytes // unit * unit


def _aligned(nbytes: int) -> Array:
    """Memory in whole cache lines, which has been written."""
    memory = np.ones(nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + nbytes]


def _shape(dtype: str) -> Shape:
    return shape_for(dtype, llvm.get_host_cpu_features(), llvm.get_process_triple())


def _bandwidth(shape: Shape, what: str, megabytes: int, seconds: float) -> float:
    """GB/s of reading, or of reading and writing, so much memory."""
    nbytes = megabytes * 1_000_000
    touched = nbytes if what == "read" else nbytes // 2
    step = touched // PIECES // (8 * shape.nbytes) * 8 * shape.nbytes
    memory = np.ones(2 * nbytes // 8 + 64)
    job = np.array([memory.ctypes.data, step, memory.ctypes.data + touched], np.int64)
    run = _compiled(_read(shape) if what == "read" else _copy(shape), shape)
    total = step * PIECES * (1 if what == "read" else 2)
    return total / _best(lambda: run(job.ctypes.data), seconds) / 1e9


def _rate(shape: Shape, seconds: float) -> float:
    job = np.zeros(PIECES * 8)
    run = _compiled(_multiply(shape), shape)
    work = 2 * STEPS * CHAINS * shape.lanes * PIECES
    return work / _best(lambda: run(job.ctypes.data), seconds) / 1e9


def _best(run: Callable[[], None], seconds: float) -> float:
    best, end = float("inf"), time.perf_counter() + seconds
    run()
    while True:
        start = time.perf_counter()
        run()
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return best


# ---------------------------------------------------------------- kernels


def _body() -> tuple[Function, Value, Value]:
    f = Function("body", [("job", POINTER), ("piece", INT)], "")
    job, piece = f.parameters
    return f, job, piece


def _read(shape: Shape) -> Function:
    """The sum of a piece of memory, kept so that it is not left out."""
    f, job, piece = _body()
    start, step = f.load(POINTER, job), f.load(INT, job + 8)
    place = start + step * piece
    sums = [f.variable(zero(f, shape)) for _ in range(8)]
    with f.loop(0, step, 8 * shape.nbytes) as i:
        for j, total in enumerate(sums):
            x = f.load(shape.vector, place + i + shape.nbytes * j, shape.size)
            total.set(f.emit(shape.vector, f"fadd {x.typed}, {total.get().text}"))
    _keep(f, shape, [total.get() for total in sums], f.load(POINTER, job + 16))
    return f


def _copy(shape: Shape) -> Function:
    """A piece of memory copied to another place."""
    f, job, piece = _body()
    start, step = f.load(POINTER, job), f.load(INT, job + 8)
    place, target = start + step * piece, f.load(POINTER, job + 16) + step * piece
    with f.loop(0, step, 8 * shape.nbytes) as i:
        for j in range(8):
            offset = i + shape.nbytes * j
            f.store(f.load(shape.vector, place + offset, 8), target + offset, 8)
    return f


def _stream(shape: Shape, is_streaming: bool) -> Function:
    """A piece of memory, of which the first part is summed and the rest copied."""
    f, job, piece = _body()
    only_read, copied = f.load(INT, job + 8), f.load(INT, job + 16)
    place = f.load(POINTER, job) + (only_read + copied) * piece
    target = f.load(POINTER, job + 24) + copied * piece
    sums = [f.variable(zero(f, shape)) for _ in range(8)]
    with f.loop(0, only_read, 8 * shape.nbytes) as i:
        for j, total in enumerate(sums):
            x = f.load(shape.vector, place + i + shape.nbytes * j, shape.size)
            total.set(f.emit(shape.vector, f"fadd {x.typed}, {total.get().text}"))
    how = ", !nontemporal !0" if is_streaming else ""
    with f.loop(0, copied, 8 * shape.nbytes) as i:
        for j in range(8):
            offset = i + shape.nbytes * j
            x = f.load(shape.vector, place + only_read + offset, 8)
            f.line(f"store {x.typed}, ptr {(target + offset).text}, align {shape.nbytes}{how}")
    _keep(f, shape, [total.get() for total in sums], job + 64 + piece * 64)
    return f


def _multiply(shape: Shape) -> Function:
    """Chains of fused multiply-adds on registers."""
    f, job, piece = _body()
    seed = f.emit(shape.element, f"sitofp {piece.typed} to {shape.element}")
    x, y = splat(f, shape, seed), splat(f, shape, f.constant(shape.element, "0.5"))
    sums = [f.variable(x) for _ in range(CHAINS)]
    with f.loop(0, STEPS):
        for total in sums:
            total.set(fma(f, shape, total.get(), y, x))
    _keep(f, shape, [total.get() for total in sums], job + piece * 64)
    return f


def _keep(f: Function, shape: Shape, sums: list[Value], place: Value) -> None:
    """Stores one number of all sums."""
    total = sums[0]
    for x in sums[1:]:
        total = f.emit(shape.vector, f"fadd {total.typed}, {x.text}")
    lane = f.emit(shape.element, f"extractelement {total.typed}, i32 0")
    f.store(lane, place, shape.size)


def _compiled(function: Function, shape: Shape) -> Callable[[int], None]:
    """The function on all pieces, by the pool of threads."""
    text = "\n\n".join([declarations(shape), function.text(), _ATTRIBUTES, _STREAMING])
    loaded = library(compile_straight(text), ["body"])
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    parallel = kind(externals.address(externals.PARALLEL))

    def run(job: int) -> None:
        parallel(loaded.address["body"], job, PIECES)

    return run
