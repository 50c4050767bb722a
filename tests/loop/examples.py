"""Loop-IR programs that several tests use: each with its inputs and what NumPy answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.codegen.backend import Outcome, backend
from symgraph.loop.build import (
    add,
    buffer,
    cast,
    const,
    div,
    i64,
    index,
    load,
    lt,
    maximum,
    mul,
    sub,
    var,
    word,
)
from symgraph.loop.interp import Scope, integer
from symgraph.loop.ir import (
    Assign,
    Bind,
    Branch,
    Call,
    Check,
    Copy,
    Fail,
    For,
    If,
    Kernel,
    Let,
    Library,
    Load,
    Local,
    Loop,
    Program,
    Repeat,
    Store,
    Update,
    View,
    While,
)
from symgraph.loop.verify import verify_program

F64 = np.dtype("float64")
COMPILED = ("llvm", "numba")
BACKENDS = ("interp", *COMPILED)


@dataclass(frozen=True)
class Example:
    """A program, sizes, inputs, and the outputs that are right."""

    name: str
    program: Program
    sizes: tuple[int, ...]
    inputs: tuple[np.ndarray, ...]
    expected: tuple[np.ndarray, ...]


def execute(
    name: str, program: Program, inputs: Sequence[Any], sizes: Sequence[int]
) -> tuple[Outcome, list[np.ndarray]]:
    """Runs a program on a backend, on outputs and temporaries filled with 77."""
    compiled = backend(name).compile(program)
    try:
        return execute_compiled(compiled, program, inputs, sizes)
    finally:
        compiled.close()


def execute_compiled(
    compiled: Any, program: Program, inputs: Sequence[Any], sizes: Sequence[int]
) -> tuple[Outcome, list[np.ndarray]]:
    """The same on a program that is compiled already."""
    scope = Scope({}, {n: np.int64(v) for n, v in zip(program.sizes, sizes, strict=True)})
    given = [np.ascontiguousarray(x) for x in inputs]
    made = [
        np.full([integer(d, scope) for d in spec.shape], 77, spec.dtype)
        for spec in program.outputs + program.temporaries
    ]
    outcome = compiled.call([a.ctypes.data for a in (*given, *made)], sizes)
    return outcome, made[: len(program.outputs)]


# ---------------------------------------------------------------- kernels

N, M, ROW, COL = i64("n"), i64("m"), i64("i"), i64("j")


def row_softmax() -> Kernel:
    """y = exp(x - max) / sum, row by row; s = sum."""
    x, y, s = buffer("x", F64, "n", "m"), buffer("y", F64, "n", "m"), buffer("s", F64, "n")
    top, total, e = var("top", F64), var("total", F64), var("e", F64)
    rows = (
        Let("top", const(-np.inf, F64)),
        For("j", M, (Assign("top", maximum(top, load(x, ROW, COL))),), "vector"),
        Let("total", const(0.0, F64)),
        For(
            "j",
            M,
            (
                Let("e", word("exp", sub(load(x, ROW, COL), top))),
                Store("y", (ROW, COL), e),
                Assign("total", add(total, e)),
            ),
            "vector",
        ),
        For("j", M, (Store("y", (ROW, COL), div(load(y, ROW, COL), total)),), "vector"),
        Store("s", (ROW,), total),
    )
    return Kernel(
        "row_softmax",
        (x, y, s),
        ("n", "m"),
        frozenset("ys"),
        (For("i", N, rows, "parallel"),),
        (3, 5),
        (('a "model".py', 12),),
    )


def step_kernel() -> Kernel:
    """out = 0.5 * h + x."""
    h, x, out = (buffer(name, F64, "m") for name in ("h", "x", "out"))
    value = add(mul(const(0.5, F64), load(h, COL)), load(x, COL))
    body = (For("j", M, (Store("out", (COL,), value),), "vector"),)
    return Kernel("step", (h, x, out), ("m",), frozenset(("out",)), body)


def gather_kernel() -> Kernel:
    """out[i] = x[at[i]], failing with (index, place) outside."""
    x, at, out = buffer("x", F64, "m"), buffer("at", "int64", "n"), buffer("out", F64, "n")
    k = i64("k")
    outside = word("or", lt(k, const(0)), word("ge", k, M))
    body = (
        Let("k", load(at, ROW)),
        If(outside, (Fail(3, (k, ROW)),)),
        Store("out", (ROW,), load(x, k)),
    )
    return Kernel("gather", (x, at, out), ("n", "m"), frozenset(("out",)), (For("i", N, body),))


def histogram_kernel() -> Kernel:
    """counts[at[i]] += 1 after zeroing, low[at[i]] = min, through a scratch array."""
    at, counts, low = buffer("at", "int64", "n"), buffer("counts", F64, 4), buffer("low", F64, 4)
    scratch = Load("scratch", (ROW,), F64)
    here = load(at, ROW)
    body = (
        Local("scratch", F64, (4,)),
        For("i", index(4), (Store("scratch", (ROW,), const(0.0, F64)),)),
        For("i", index(4), (Store("low", (ROW,), const(np.inf, F64)),)),
        For(
            "i",
            N,
            (
                Update("scratch", (here,), "add", const(1.0, F64)),
                Update("low", (here,), "min", cast(ROW, F64)),
            ),
        ),
        For("i", index(4), (Store("counts", (ROW,), scratch),)),
    )
    return Kernel("histogram", (at, counts, low), ("n",), frozenset(("counts", "low")), body)


def halve_kernel() -> Kernel:
    """x = x / 2 in place; go = x > 1."""
    x, go = buffer("x", F64), buffer("go", "bool")
    half = mul(load(x), const(0.5, F64))
    body = (
        Let("half", half),
        Store("x", (), var("half", F64)),
        Store("go", (), lt(const(1.0, F64), var("half", F64))),
    )
    return Kernel("halve", (x, go), (), frozenset(("x", "go")), body)


def collatz_kernel() -> Kernel:
    """count[i] = steps of the Collatz walk from i + 1."""
    count = buffer("count", "int64", "n")
    x, k = i64("v"), i64("k")
    odd = word("eq", word("mod", x, const(2)), const(1))
    following = word("select", odd, add(mul(const(3), x), const(1)), word("floordiv", x, const(2)))
    body = (
        Let("v", add(ROW, const(1))),
        Let("k", const(0)),
        While(word("ne", x, const(1)), (Assign("v", following), Assign("k", add(k, const(1))))),
        Store("count", (ROW,), k),
    )
    return Kernel("collatz", (count,), ("n",), frozenset(("count",)), (For("i", N, body),))


def compact_kernel() -> Kernel:
    """kept[0:count] = the positive elements of x, in order."""
    x, kept, count = buffer("x", F64, "n"), buffer("kept", F64, "n"), buffer("count", "int64")
    k = i64("k")
    body = (
        Let("k", const(0)),
        For(
            "i",
            N,
            (
                If(
                    lt(const(0.0, F64), load(x, ROW)),
                    (Store("kept", (k,), load(x, ROW)), Assign("k", add(k, const(1)))),
                ),
            ),
        ),
        Store("count", (), k),
    )
    return Kernel("compact", (x, kept, count), ("n",), frozenset(("kept", "count")), body)


def total_kernel() -> Kernel:
    """out = sum(x)."""
    x, out, total = buffer("x", F64, "n"), buffer("out", F64), var("total", F64)
    body = (
        Let("total", const(0.0, F64)),
        For("i", N, (Assign("total", add(total, load(x, ROW))),), "vector"),
        Store("out", (), total),
    )
    return Kernel("total", (x, out), ("n",), frozenset(("out",)), body)


# ---------------------------------------------------------------- programs


def softmax_example(n: int = 5, m: int = 37) -> Example:
    """One call."""
    kernel = row_softmax()
    x = np.random.default_rng(0).normal(size=(n, m))
    program = Program(
        kernel.buffers[:1],
        kernel.buffers[1:],
        (),
        ("n", "m"),
        (Call("row_softmax", ("x", "y", "s"), (N, M)),),
        (kernel,),
    )
    e = np.exp(x - x.max(axis=1, keepdims=True, initial=-np.inf))
    s = e.sum(axis=1)
    return Example("softmax", program, (n, m), (x,), (e / s[:, None], s))


def scan_example(n: int = 6, m: int = 9) -> Example:
    """A scan: Copy of the first state, Repeat over views, a tail by ``start``."""
    kernel = step_kernel()
    t = i64("t")
    steps = (
        Copy("h", "h0"),
        Repeat(
            "t",
            N,
            (
                View("x_t", "xs", (t,)),
                View("y_t", "ys", (t,)),
                Call("step", ("h", "x_t", "y_t"), (M,)),
                Copy("h", "y_t"),
            ),
        ),
        View("rest", "ys", (), const(1)),
        Copy("tail", "rest"),
    )
    program = Program(
        (buffer("h0", F64, "m"), buffer("xs", F64, "n", "m")),
        (buffer("ys", F64, "n", "m"), buffer("tail", F64, sub(N, const(1)), "m")),
        (buffer("h", F64, "m"),),
        ("n", "m"),
        steps,
        (kernel,),
    )
    rng = np.random.default_rng(1)
    h0, xs = rng.normal(size=m), rng.normal(size=(n, m))
    ys, h = [], h0
    for x in xs:
        h = 0.5 * h + x
        ys.append(h)
    found = np.array(ys).reshape(n, m)
    return Example("scan", program, (n, m), (h0, xs), (found, found[1:]))


def while_example() -> Example:
    """A Loop on a bool buffer and a kernel with a While."""
    halve, collatz = halve_kernel(), collatz_kernel()
    steps = (
        Copy("x", "start"),
        Call("halve", ("x", "go"), ()),
        Loop("go", (Call("halve", ("x", "go"), ()),)),
        Call("collatz", ("count",), (N,)),
    )
    program = Program(
        (buffer("start", F64),),
        (buffer("x", F64), buffer("count", "int64", "n")),
        (buffer("go", "bool"),),
        ("n",),
        steps,
        (halve, collatz),
    )
    counts = np.array([0, 1, 7, 2, 5, 8, 16, 3, 19, 6])
    return Example("while", program, (10,), (np.array(100.0),), (np.array(0.78125), counts))


def branch_example(taken: bool) -> Example:
    """A Branch: only one side runs; the other would fail."""
    kernel = total_kernel()
    stop = Check(word("lt", N, const(0)), 9, (N,))
    call = Call("total", ("x", "out"), (N,))
    sides = ((call,), (stop,)) if taken else ((stop,), (call,))
    program = Program(
        (buffer("x", F64, "n"), buffer("flag", "bool")),
        (buffer("out", F64),),
        (),
        ("n",),
        (Branch("flag", *sides),),
        (kernel,),
    )
    x = np.arange(7.0)
    return Example(f"branch_{taken}", program, (7,), (x, np.array(taken)), (np.array(21.0),))


def bind_example() -> Example:
    """A data-dependent extent: the kept elements are summed with their bound count."""
    steps = (
        Call("compact", ("x", "kept", "count"), (N,)),
        Bind("k", "count"),
        Call("total", ("kept", "out"), (i64("k"),)),
        Check(word("le", i64("k"), N), 4, (i64("k"), N)),
    )
    program = Program(
        (buffer("x", F64, "n"),),
        (buffer("out", F64), buffer("count", "int64")),
        (buffer("kept", F64, "n"),),
        ("n",),
        steps,
        (compact_kernel(), total_kernel()),
    )
    x = np.array([1.0, -2.0, 3.5, 0.0, 4.0])
    return Example("bind", program, (5,), (x,), (np.array(8.5), np.array(3)))


def update_example() -> Example:
    """Updates through indices read from memory, and a scratch array."""
    kernel = histogram_kernel()
    program = Program(
        kernel.buffers[:1],
        kernel.buffers[1:],
        (),
        ("n",),
        (Call("histogram", ("at", "counts", "low"), (N,)),),
        (kernel,),
    )
    at = np.array([3, 1, 3, 0, 3])
    counts, low = np.array([1.0, 1, 0, 3]), np.array([3.0, 1, np.inf, 0])
    return Example("update", program, (5,), (at,), (counts, low))


def reshape_example() -> Example:
    """A buffer seen with another shape by the kernel it is passed to."""
    kernel = total_kernel()
    size = mul(N, M)
    program = Program(
        (buffer("x", F64, "n", "m"),),
        (buffer("out", F64),),
        (),
        ("n", "m"),
        (Call("total", ("x", "out"), (size,)),),
        (kernel,),
    )
    x = np.arange(12.0).reshape(3, 4)
    return Example("reshape", program, (3, 4), (x,), (np.array(66.0),))


def product_example(dtype: str = "float64", n: int = 4, m: int = 3) -> Example:
    """A library call between two matrices, the first one transposed, scaled."""
    k = 5
    program = Program(
        (buffer("a", dtype, "k", "n"), buffer("b", dtype, "k", "m")),
        (buffer("c", dtype, "n", "m"),),
        (),
        ("n", "m", "k"),
        (
            Library(
                "gemm",
                ("a", "b", "c"),
                (N, M, i64("k")),
                (("alpha", 2), ("trans_a", True), ("trans_b", False)),
            ),
        ),
        (),
    )
    rng = np.random.default_rng(2)
    a = rng.integers(-5, 5, size=(k, n)).astype(dtype)
    b = rng.integers(-5, 5, size=(k, m)).astype(dtype)
    expected = np.array(2).astype(dtype) * (a.T @ b)
    return Example(f"product_{dtype}", program, (n, m, k), (a, b), (expected,))


def gather_program() -> Program:
    """A call that can fail."""
    kernel = gather_kernel()
    return Program(
        kernel.buffers[:2],
        kernel.buffers[2:],
        (),
        ("n", "m"),
        (Call("gather", ("x", "at", "out"), (N, M)),),
        (kernel,),
    )


def examples() -> list[Example]:
    """All examples, each verified."""
    found = [
        softmax_example(),
        scan_example(),
        while_example(),
        branch_example(True),
        branch_example(False),
        bind_example(),
        update_example(),
        reshape_example(),
        product_example(),
    ]
    for example in found:
        verify_program(example.program)
    return found
