"""CUDA kernels in numba's simulator (or on a device), against the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from symgraph.codegen import numba_cuda_api
from symgraph.codegen.backend import backend
from symgraph.codegen.numba_cuda import CudaProgram, ptx, to_device
from symgraph.codegen.numba_cuda_kernel import identity
from symgraph.codegen.numba_cuda_split import split
from symgraph.errors import ArgumentError, DeviceError
from symgraph.loop import words
from symgraph.loop.build import (
    add,
    bitcast,
    buffer,
    cast,
    const,
    i64,
    load,
    lt,
    mul,
    var,
    word,
)
from symgraph.loop.ir import (
    ACCUMULATE,
    Assign,
    Buffer,
    Call,
    Expr,
    For,
    If,
    Kernel,
    Let,
    Library,
    Local,
    Program,
    Stmt,
    Store,
    Update,
)
from symgraph.loop.traverse import is_const
from symgraph.loop.verify import verify_program
from tests.loop import examples as ex

pytestmark = pytest.mark.cuda
N, M, ROW, COL = i64("n"), i64("m"), i64("i"), i64("j")
BLOCKS = 2


def kernel_of(buffers: Sequence[Buffer], written: str, body: Sequence[Stmt]) -> Kernel:
    """A kernel over sizes n and m that writes the buffers named by letters."""
    return Kernel("k", tuple(buffers), ("n", "m"), frozenset(written), tuple(body))


def program_of(kernel: Kernel) -> Program:
    """The kernel as a program: what it writes are outputs."""
    inputs = tuple(b for b in kernel.buffers if b.name not in kernel.writes)
    outputs = tuple(b for b in kernel.buffers if b.name in kernel.writes)
    call = Call("k", tuple(b.name for b in kernel.buffers), (N, M))
    program = Program(inputs, outputs, (), ("n", "m"), (call,), (kernel,))
    verify_program(program)
    return program


def agree(program: Program, inputs: Sequence[Any], sizes: Sequence[int], ulp: int = 4) -> None:
    """The backend gives what the interpreter gives."""
    expected = ex.execute("interp", program, inputs, sizes)
    found = ex.execute("cuda", program, inputs, sizes)
    assert found[0] == expected[0]
    for one, two in zip(found[1], expected[1], strict=True):
        if two.dtype.kind in "fc":
            parts = (one.real, two.real), (one.imag, two.imag)
            for a, b in parts:
                np.testing.assert_array_max_ulp(np.asarray(a), np.asarray(b), maxulp=ulp)
        else:
            np.testing.assert_array_equal(one, two)


def kinds(kernel: Kernel) -> list[str]:
    """The launches of a kernel."""
    return [part.kind for part in split(kernel, BLOCKS).parts]


def check(kernel: Kernel, expected: list[str], inputs: Sequence[Any], *sizes: int) -> None:
    """The kernel is launched so, and gives what the interpreter gives."""
    assert kinds(kernel) == expected
    agree(program_of(kernel), inputs, sizes)


@pytest.mark.parametrize("example", ex.examples(), ids=lambda e: e.name)
def test_program_answers_as_numpy(example: ex.Example) -> None:
    (code, _), outputs = ex.execute("cuda", example.program, example.inputs, example.sizes)
    assert code == 0
    for found, expected in zip(outputs, example.expected, strict=True):
        np.testing.assert_array_max_ulp(found, expected.astype(found.dtype), maxulp=8)


# ---------------------------------------------------------------- maps


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint32", "float32", "complex64"])
def test_nested_loops_give_a_thread_to_each_element(dtype: str, rng: np.random.Generator) -> None:
    x, y = buffer("x", dtype, "n", "m"), buffer("y", dtype, "n", "m")
    square = add(load(x, ROW, COL), mul(load(x, ROW, COL), load(x, ROW, COL)))
    inner = For("j", M, (Store("y", (ROW, COL), square),), "vector")
    values = rng.integers(0, 5, (3, 5)).astype(dtype)
    check(kernel_of([x, y], "y", [For("i", N, (inner,), "parallel")]), ["map"], [values], 3, 5)


@pytest.mark.parametrize("name", ["exp", "log1p", "tanh", "erf", "minimum", "fmin", "floordiv"])
def test_words_are_those_of_the_interpreter(name: str, rng: np.random.Generator) -> None:
    arity = words.WORDS[name].arity
    x, y = buffer("x", "float64", "n"), buffer("y", "float64", "n")
    args = [load(x, ROW), const(0.25, "float64")][:arity]
    body = [For("i", N, (Store("y", (ROW,), word(name, *args)),), "vector")]
    values = np.append(rng.normal(size=5) ** 2, np.nan)
    check(kernel_of([x, y], "y", body), ["map"], [values], 6, 0)


def gather(kind: str) -> Kernel:
    """y[i] = x[at[i]], failing outside."""
    body = ex.gather_kernel().body
    (loop,) = body
    assert isinstance(loop, For)
    k = ex.gather_kernel()
    return Kernel(k.name, k.buffers, k.sizes, k.writes, (For("i", N, loop.body, kind),))


@pytest.mark.parametrize("places", [[0, 4, 2, 1], [0, 9, -1, 1], [0, 1, 2, 5]])
@pytest.mark.parametrize("kind", ["serial", "parallel"])
def test_gather_fails_with_the_facts_of_the_first_failure(kind: str, places: list[int]) -> None:
    kernel = gather(kind)
    base = ex.gather_program()
    program = Program(
        base.inputs, base.outputs, base.temporaries, base.sizes, base.steps, (kernel,)
    )
    inputs = np.arange(5.0), np.array(places)
    expected, values = ex.execute("interp", program, inputs, (4, 5))
    outcome, found = ex.execute("cuda", program, inputs, (4, 5))
    assert outcome == expected
    if outcome[0] == 0:
        np.testing.assert_array_equal(found[0], values[0])


@pytest.mark.parametrize(
    ("dtype", "op", "expected"),
    [
        ("float64", "add", ["map", "map"]),  # atomics
        ("int32", "max", ["map", "map"]),
        ("float32", "min", ["map", "single"]),  # no atomic that lets NaN propagate
        ("int8", "add", ["map", "single"]),
        ("int64", "mul", ["map", "single"]),
    ],
)
def test_scatter_is_atomic_where_it_can_be(dtype: str, op: str, expected: list[str]) -> None:
    at, x, y = buffer("at", "int64", "n"), buffer("x", dtype, "n"), buffer("y", dtype, "m")
    body = [
        For("j", M, (Store("y", (COL,), const(1, dtype)),), "vector"),
        For("i", N, (Update("y", (load(at, ROW),), op, load(x, ROW)),), "vector"),
    ]
    inputs = np.array([0, 2, 2, 1, 0]), np.array([3, -4, 5, 1, 2]).astype(dtype)
    check(kernel_of([at, x, y], "y", body), expected, inputs, 5, 3)


@pytest.mark.parametrize(
    ("dtype", "expected"), [("float64", "map"), ("int64", "map"), ("int8", "single")]
)
def test_ordered_scatter_is_atomic_too(dtype: str, expected: str) -> None:
    at, x, y = buffer("at", "int64", "n"), buffer("x", dtype, "n"), buffer("y", dtype, "m")
    body = [
        For("j", M, (Store("y", (COL,), const(0, dtype)),), "vector"),
        For("i", N, (Update("y", (load(at, ROW),), "add", load(x, ROW)),), "serial"),
    ]
    check(kernel_of([at, x, y], "y", body), ["map", expected], [[1, 1, 0], [1, 7, 2]], 3, 2)


def test_scatter_without_atomics_gives_a_thread_to_each_column_in_order() -> None:
    at, x = buffer("at", "int64", "n"), buffer("x", "float64", "n")
    y = buffer("y", "float64", 2, "m")
    product = Update("y", (var("k", "int64"), COL), "mul", load(x, ROW))
    inner = For("j", M, (product,), "serial")
    fill = For("j", M, (Store("y", (ROW, COL), const(3.0, "float64")),), "vector")
    body = [
        For("i", const(2), (fill,), "parallel"),
        For("i", N, (Let("k", load(at, ROW)), inner), "serial"),
    ]
    kernel = kernel_of([at, x, y], "y", body)
    check(kernel, ["map", "map"], [[1, 1, 0], [1e300, 1e10, 1e-200]], 3, 4)
    nest = split(kernel, BLOCKS).parts[1].nest
    assert nest is not None
    assert [f.var for f in nest.loops] == ["j"]


# ---------------------------------------------------------------- reductions


def fold(op: str, dtype: str, start: Any) -> Kernel:
    """y = fold of all of x, from a start."""
    x, y, s = buffer("x", dtype, "n", "m"), buffer("y", dtype), var("s", dtype)
    inner = For("j", M, (Assign("s", word(op, s, load(x, ROW, COL))),), "vector")
    body = [Let("s", const(start, dtype)), For("i", N, (inner,), "vector"), Store("y", (), s)]
    return kernel_of([x, y], "y", body)


@pytest.mark.parametrize("op", ACCUMULATE)
@pytest.mark.parametrize("dtype", ["int32", "bool", "float64"])
def test_all_elements_fold_in_two_steps(op: str, dtype: str, rng: np.random.Generator) -> None:
    if dtype == "float64" and op in ("and", "or"):
        start = None
    else:
        start = {"mul": 1, "and": 1, "minimum": 1, "fmin": 1}.get(op, 0)
    if start is None:
        assert not words.WORDS[op].accepts(np.dtype(dtype))
        return
    values = rng.integers(-4, 5, (4, 5)).astype(dtype)
    expected = ["single", "reduce", "rows", "single"]
    check(fold(op, dtype, start), expected, [values], 4, 5)
    agree(program_of(fold(op, dtype, start)), [values[:0]], (0, 5))


@pytest.mark.parametrize("op", ["add", "minimum", "fmax"])
def test_nan_and_signed_zero_survive_a_fold(op: str) -> None:
    values = np.full((2, 3), -0.0)
    agree(program_of(fold(op, "float64", -0.0)), [values], (2, 3))
    values[1, 1] = np.nan
    agree(program_of(fold(op, "float64", 0.0)), [values], (2, 3))


def test_identity_changes_nothing() -> None:
    for op in ACCUMULATE:
        for dtype in words.DTYPES:
            if not words.WORDS[op].accepts(dtype) or (dtype.kind == "c" and "m" in op[:1] + "x"):
                continue
            unit = words.convert(identity(op, dtype).value, dtype)
            for value in np.array([0, 1, 1 if dtype.kind in "bu" else -3]).astype(dtype):
                assert words.evaluate(op, (value, unit), dtype) == value, (op, dtype)


def test_sum_of_each_row_takes_a_block() -> None:
    x, y, s = buffer("x", "float64", "n", "m"), buffer("y", "float64", "n"), var("s", "float64")
    inner = (
        Let("s", const(0.0, "float64")),
        For("j", M, (Assign("s", add(s, load(x, ROW, COL))),), "vector"),
        Store("y", (ROW,), s),
    )
    values = np.arange(21.0).reshape(3, 7)
    body = [For("i", N, inner, "parallel")]
    check(kernel_of([x, y], "y", body), ["rows"], [values], 3, 7)


@pytest.mark.parametrize("as_store", [True, False])
def test_sum_over_the_leading_axis_takes_a_thread_for_each_kept_element(as_store: bool) -> None:
    x, y = buffer("x", "float64", "n", "m"), buffer("y", "float64", "m")
    step: Stmt = Update("y", (COL,), "add", load(x, ROW, COL))
    if as_store:
        step = Store("y", (COL,), add(load(y, COL), load(x, ROW, COL)))
    body = [
        For("j", M, (Store("y", (COL,), const(0.0, "float64")),), "vector"),
        For("i", N, (For("j", M, (step,), "vector"),), "vector"),
    ]
    kernel = kernel_of([x, y], "y", body)
    check(kernel, ["map", "map"], [np.arange(15.0).reshape(5, 3)], 5, 3)
    nest = split(kernel, BLOCKS).parts[1].nest
    assert nest is not None
    assert [f.var for f in nest.loops] == ["j"]
    assert not nest.atomic


def test_locals_outlive_a_launch_in_memory() -> None:
    """The mean is folded by the grid, then read by every thread; a scratch array too."""
    x, y, s = buffer("x", "float64", "n"), buffer("y", "float64", "n"), var("s", "float64")
    scratch = Buffer("box", np.dtype("float64"), (const(2),))
    body = [
        Local("box", np.dtype("float64"), (2,)),
        Store("box", (const(1),), const(0.5, "float64")),
        Let("s", load(scratch, 1)),
        For("i", N, (Assign("s", add(s, load(x, ROW))),), "vector"),
        For("i", N, (Store("y", (ROW,), mul(add(load(x, ROW), s), load(scratch, 1))),), "vector"),
    ]
    expected = ["single", "reduce", "rows", "map"]
    check(kernel_of([x, y], "y", body), expected, [np.arange(9.0)], 9, 0)


def test_softmax_of_rows_is_one_launch() -> None:
    assert kinds(ex.row_softmax()) == ["rows"]
    example = ex.softmax_example(3, 10)
    agree(example.program, example.inputs, example.sizes)


@pytest.mark.parametrize(("n", "m"), [(0, 4), (3, 0)])
def test_empty_arrays_run(n: int, m: int) -> None:
    with np.errstate(all="ignore"):
        example = ex.softmax_example(n, m)
    agree(example.program, example.inputs, example.sizes)


def test_running_sum_runs_in_one_thread_for_each_row() -> None:
    x, y, s = buffer("x", "float64", "n", "m"), buffer("y", "float64", "n", "m"), var("s", "f8")
    step = (Assign("s", add(s, load(x, ROW, COL))), Store("y", (ROW, COL), s))
    inner = (Let("s", const(0.0, "float64")), For("j", M, step, "serial"))
    body = [For("i", N, inner, "parallel")]
    values = np.arange(12.0).reshape(3, 4)
    check(kernel_of([x, y], "y", body), ["map"], [values], 3, 4)


def test_random_bits_are_ordinary_words() -> None:
    """One round of a counter-based generator: a product's two halves and a key."""
    y, z = buffer("y", "uint32", "n"), buffer("z", "float32", "n")
    count, key = cast(ROW, "uint32"), const(0x9E3779B9, "uint32")
    bits: Expr = word("xor", word("mulhi", word("xor", count, key), key), mul(count, key))
    mantissa = word("or", word("shr", bits, const(9, "uint32")), const(0x3F800000, "uint32"))
    body = (
        Let("random", bits),
        Store("y", (ROW,), var("random", "uint32")),
        Store("z", (ROW,), bitcast(mantissa, "float32")),
    )
    check(kernel_of([y, z], "yz", [For("i", N, body, "vector")]), ["map"], [], 9, 0)


# ---------------------------------------------------------------- library, memory, errors


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex128"])
@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"trans_a": True, "alpha": 2},
        {"trans_b": True, "beta": 1},
        {"shared_b": True},
    ],
)
def test_tiled_product(dtype: str, attrs: dict[str, Any], rng: np.random.Generator) -> None:
    m, n, k, batch = 3, 5, 4, 2
    if dtype == "bool" and {"alpha", "beta"} & set(attrs):
        attrs = {key: value for key, value in attrs.items() if key.startswith("trans")}
    a = buffer("a", dtype, batch, *((k, m) if attrs.get("trans_a") else (m, k)))
    lead = () if attrs.get("shared_b") else (batch,)
    b = buffer("b", dtype, *lead, *((n, k) if attrs.get("trans_b") else (k, n)))
    c = buffer("c", dtype, batch, m, n)
    sizes = tuple(const(s) for s in (batch, m, n, k))
    step = Library("gemm_batched", ("a", "b", "c"), sizes, tuple(attrs.items()))
    program = Program((a, b), (c,), (), (), (step,), ())
    inputs = [rng.integers(-3, 4, [_dim(d) for d in s.shape]).astype(dtype) for s in (a, b)]
    agree(program, inputs, ())


def _dim(x: Expr) -> int:
    return next(n for n in range(100) if is_const(x, n))


def test_other_library_rows_are_loop_kernels(rng: np.random.Generator) -> None:
    a, x = buffer("a", "float64", 3, 4), buffer("x", "float64", 4)
    y, d, at = buffer("y", "float64", 3), buffer("d", "float64"), buffer("at", "int64", 1, 4)
    steps = (
        Library("gemv", ("a", "x", "y"), (const(3), const(4))),
        Library("dot", ("x", "x", "d"), (const(4),)),
        Library("argsort", ("x", "at"), (const(1), const(4))),
    )
    program = Program((a, x), (y, d, at), (), (), steps, ())
    agree(program, [rng.normal(size=(3, 4)), np.array([2.0, np.nan, -1.0, 2.0])], (), ulp=16)


def test_memory_stays_on_the_device() -> None:
    example = ex.scan_example(3, 4)
    compiled = backend("cuda").compile(example.program)
    assert isinstance(compiled, CudaProgram)
    h0, xs = (to_device(x) for x in example.inputs)
    outputs: list[Any] = [None, np.zeros((2, 4))]
    assert compiled.run([h0, xs], outputs, (3, 4))[0] == 0
    ys = outputs[0]
    assert not isinstance(ys, np.ndarray)
    np.testing.assert_array_max_ulp(ys.copy_to_host(), example.expected[0], maxulp=2)
    np.testing.assert_array_equal(outputs[1], ys.copy_to_host()[1:])
    again: list[Any] = [ys, None]  # written in place
    assert compiled.run([h0, to_device(np.zeros((3, 4)))], again, (3, 4))[0] == 0
    assert again[0] is ys
    np.testing.assert_array_equal(ys.copy_to_host()[0], example.inputs[0] * 0.5)
    with pytest.raises(ArgumentError, match="h0 must be float64"):
        compiled.run([to_device(np.zeros(2)), xs], outputs, (3, 4))


def test_source_shows_the_launches() -> None:
    text = backend("cuda").source(fold("add", "float64", 0.0))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# single",
        "# reduce",
        "# rows",
        "# single",
    ]
    assert "cuda.syncthreads()" in text


def test_condition_of_a_row_is_the_same_in_all_threads() -> None:
    x, y = buffer("x", "float64", "n", "m"), buffer("y", "float64", "n", "m")
    fill = For("j", M, (Store("y", (ROW, COL), load(x, ROW, COL)),), "vector")
    zero = For("j", M, (Store("y", (ROW, COL), const(0.0, "float64")),), "vector")
    negative = lt(load(x, ROW, const(0)), const(0.0, "float64"))
    last = For(
        "j", M, (Store("y", (ROW, COL), mul(load(y, ROW, COL), load(y, ROW, COL))),), "vector"
    )
    body = [For("i", N, (If(negative, (zero,), (fill,)), last), "parallel")]
    check(kernel_of([x, y], "y", body), ["rows"], [[[-1.0, 2, 3], [4, 5, 6]]], 2, 3)


def test_no_device_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        @staticmethod
        def is_available() -> bool:
            return False

    monkeypatch.setattr(numba_cuda_api, "module", lambda: Nothing)
    monkeypatch.setattr(numba_cuda_api, "simulated", lambda: False)
    with pytest.raises(DeviceError, match=r"no CUDA device(.|\n)*symgraph\[cuda\]"):
        numba_cuda_api.require_device()


def test_the_simulator_has_no_ptx() -> None:
    if not numba_cuda_api.simulated():
        pytest.skip("a device is there: the PTX test covers it")
    with pytest.raises(DeviceError, match="NUMBA_ENABLE_CUDASIM"):
        ptx(ex.row_softmax())


_PTX = """
import numpy as np
from symgraph.codegen.numba_cuda import ptx
from symgraph.codegen.numba_cuda_library import product_ptx
from symgraph.errors import DeviceError
from tests.loop import examples as ex
import symgraph as sg
from symgraph.compile import run_stages
from symgraph.ir.graph import toposort
from symgraph.lower.program import is_leaf_argument, lower
from symgraph.lower.schedule import DEVICE
from symgraph.trace.record import Record
guarded = []
for dtype in ("float64", "float32"):
    x, y = sg.tensor("x", shape=(8,), dtype=dtype), sg.tensor("y", shape=(8,), dtype=dtype)
    nodes = tuple(v.node for v in (x * x - 2 * y + 1, sg.log(1 + (x * x - y)), x @ y))
    made = run_stages(nodes, sg.Mode(backend="cuda"), Record())
    leaves = [n for n in toposort(made) if is_leaf_argument(n)]
    guarded += [k for k in lower(leaves, made, DEVICE).program.kernels if k.functions]
try:
    text = ptx(ex.row_softmax(), cc=(9, 0)) + ptx(ex.gather_kernel(), cc=(9, 0))
    slow = [ptx(kernel, cc=(9, 0)) for kernel in guarded]
    assert slow and all("slow_" in one for one in slow)
    for dtype in ("bool", "int32", "float32", "complex128"):
        text += product_ptx(np.dtype(dtype), cc=(9, 0))
except DeviceError as problem:
    print("none", problem)
else:
    print("ptx", ".target sm_90" in text, text.count(".entry"), "bar.sync" in text)
"""


def test_kernels_become_ptx() -> None:
    space = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PTX]
    done = subprocess.run(command, env=space, capture_output=True, text=True, check=True)
    if done.stdout.startswith("none"):
        pytest.skip(f"no NVVM here: {done.stdout.splitlines()[0]}")
    assert done.stdout.split() == ["ptx", "True", "6", "True"]
