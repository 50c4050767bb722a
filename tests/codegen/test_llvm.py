"""The LLVM route: what it imports, and what the machine code of key kernels looks like."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.backend import backend
from symgraph.codegen.externals import PARALLEL
from symgraph.codegen.llvm_program import program_text
from symgraph.codegen.target import vector_bytes
from symgraph.loop.build import add, buffer, cast, const, i64, load, mul, sub, var, word
from symgraph.loop.ir import Assign, Call, Expr, For, Kernel, Let, Load, Local, Program, Store
from symgraph.loop.verify import verify_program
from tests.loop.examples import execute, execute_compiled

F64 = np.dtype("float64")
ROOT = Path(__file__).parents[2]
COLD = """
import sys
sys.path[:0] = [{root!r}, {root!r} + "/kernels"]
import numpy as np
import symgraph as sg
sg.config.cache = False
x, w, k = sg.matrix("x"), sg.matrix("w"), sg.vector("k", dtype="int64")
loss = sg.nn.log_softmax(sg.tanh(x @ w), axis=1)[:, k].sum() + sg.gammaln(sg.sort(x)).mean()
f = sg.function([x, w, k], [loss, sg.grad(loss, w), (k[:, None] * k[None, :]) @ k])
out = f(np.full((4, 3), 0.5), np.eye(3), np.array([0, 2]))
print(all(np.isfinite(np.asarray(o)).all() for o in out))
print(sorted(m for m in ("numba", "scipy") if m in sys.modules))
"""


def test_a_cold_process_imports_neither_numba_nor_scipy() -> None:
    code = COLD.format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True", "[]"]


def rows_program(rows: Expr, columns: Expr, sizes: tuple[str, ...]) -> Program:
    """y[i, j] = exp(x[i, j] - x[0, 0]) * (sum of row i) + 2, the 2 from scratch memory."""
    x, y = buffer("x", F64, rows, columns), buffer("y", F64, rows, columns)
    total, i, j = var("total", F64), i64("i"), i64("j")
    body = (
        Local("row", F64, (3,)),
        For("j", const(3), (Store("row", (j,), cast(j, F64)),), "vector"),
        Let("c", load(x, 0, 0)),
        For(
            "i",
            rows,
            (
                Let("total", const(0.0, F64)),
                For("j", columns, (Assign("total", add(total, load(x, i, j))),), "vector"),
                For(
                    "j",
                    columns,
                    (
                        Store(
                            "y",
                            (i, j),
                            add(
                                mul(word("exp", sub(load(x, i, j), var("c", F64))), total),
                                Load("row", (const(2),), F64),
                            ),
                        ),
                    ),
                    "vector",
                ),
            ),
            "parallel",
        ),
    )
    kernel = Kernel("rows", (x, y), sizes, frozenset("y"), body)
    call = Call("rows", ("x", "y"), tuple(i64(n) for n in sizes))
    program = Program((x,), (y,), (), sizes, (call,), (kernel,))
    verify_program(program)
    return program


@pytest.mark.parametrize("shape", [(3, 5), (700, 301), (1, 90_000), (0, 4)])
@pytest.mark.parametrize("known", [True, False])
def test_any_number_of_threads_gives_the_same_bits(shape: tuple[int, int], known: bool) -> None:
    sizes = () if known else ("n", "m")
    dims = [const(n) for n in shape] if known else [i64("n"), i64("m")]
    program = rows_program(dims[0], dims[1], sizes)
    x = np.random.default_rng(1).normal(size=shape)
    given = () if known else shape
    found = []
    for threads in (1, 2, 5):
        with sg.threads(threads):
            _, (y,) = execute("llvm", program, (x,), given)
        found.append(y)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    if x.size:
        meant = np.exp(x - x[0, 0]) * x.sum(axis=1, keepdims=True) + 2.0
        np.testing.assert_allclose(found[0], meant, rtol=1e-9, atol=1e-9)


def test_only_long_loops_take_the_threads() -> None:
    def needs(rows: int) -> tuple[str, ...]:
        return program_text(rows_program(const(rows), const(50), ())).needs

    assert needs(10) == ()
    assert needs(10_000) == (PARALLEL,)


def affine(name: str, factor: float, offset: float, threads: bool = False) -> Kernel:
    """y = factor * x + offset."""
    n = 1_000_000 if threads else 5
    x, y, i = buffer(f"x_{name}", F64, n), buffer(f"y_{name}", F64, n), i64(f"i_{name}")
    value = add(mul(load(x, i), const(factor, F64)), const(offset, F64))
    body = (For(i.name, const(n), (Store(y.name, (i,), value),), "parallel"),)
    return Kernel(name, (x, y), (), frozenset((y.name,)), body)


@pytest.mark.parametrize("threads", [False, True])
def test_kernels_that_differ_in_numbers_share_one_function(threads: bool) -> None:
    numbers = [(2.0, 1.0), (2.0, -0.5), (3.0, 0.25), (2.0, 1.0)]
    kernels = [affine(f"k{k}", *pair, threads) for k, pair in enumerate(numbers)]
    n = kernels[0].buffers[0].shape[0]
    x = buffer("x", F64, n)
    outputs = tuple(buffer(f"out{k}", F64, n) for k in range(4))
    steps = tuple(Call(f"k{k}", ("x", f"out{k}"), ()) for k in range(4))
    program = Program((x,), outputs, (), (), steps, tuple(kernels))
    verify_program(program)
    text = program_text(program)
    # the numbers of a loop for threads would have to travel with it: only equal ones are shared
    assert text.assembly.count('define internal void @"kernel.') == (3 if threads else 1)
    assert text.names["k3"] == "k0"
    given = np.arange(1_000_000.0 if threads else 5.0)
    _, found = execute("llvm", program, (given,), ())
    for (factor, offset), y in zip(numbers, found, strict=True):
        np.testing.assert_array_equal(y, factor * given + offset)


def test_quick_code_gives_the_same_answers() -> None:
    made, call = affine("k", 3.0, 0.5), Call("k", ("x_k", "y_k"), ())
    whole = Program(made.buffers[:1], made.buffers[1:], (), (), (call,), (made,))
    codes = [backend("llvm").compile(whole, quick) for quick in (False, True)]
    x = np.arange(5.0)
    for code in codes:
        _, (y,) = execute_compiled(code, whole, (x,), ())
        np.testing.assert_array_equal(y, 3.0 * x + 0.5)
    fast, quick = (len(code.to_bytes() or b"") for code in codes)
    assert fast != quick
    for code in codes:
        code.close()


def machine_code(outputs: object, inputs: list[sg.Variable], shapes: list[tuple[int, ...]]) -> str:
    """The assembly of all kernels of a function that was called with arrays of given shapes."""
    f = sg.function(inputs, outputs)
    f(*(np.zeros(shape, x.dtype) for x, shape in zip(inputs, shapes, strict=True)))
    return "\n".join(kernel.asm for kernel in f.kernels)


X32, Y32 = sg.vector("x", dtype="float32"), sg.vector("y", dtype="float32")
X64 = sg.vector("x", dtype="float64")
M32, W32 = sg.matrix("m", dtype="float32"), sg.matrix("w", dtype="float32")
KEY_KERNELS = {
    "axpy": (2 * X32 + Y32 * sg.sqrt(sg.abs(X32)), [X32, Y32], [(100_000,), (100_000,)]),
    "softmax": (sg.nn.softmax(M32, axis=1), [M32], [(200, 1000)]),
    "exp": (sg.exp(sg.exp(sg.exp(X64) - 1) - 1), [X64], [(100_000,)]),
    "sum": ((X64 * X64).sum(), [X64], [(100_000,)]),
    "epilogue": (sg.tanh(M32 @ W32 + X32), [M32, W32, X32], [(300, 64), (64, 500), (500,)]),
}


@pytest.mark.parametrize("name", KEY_KERNELS)
def test_key_kernels_are_made_of_vector_instructions(name: str) -> None:
    """Arithmetic in the widest registers of the processor, and no call of the C library."""
    if vector_bytes() < 32:
        pytest.skip("the names of wide registers are those of x86 with AVX")
    code = machine_code(*KEY_KERNELS[name])
    wide = {64: "zmm", 32: "ymm"}[vector_bytes()]
    packed = [line for line in code.splitlines() if wide in line and re.search(r"p[sd]\s", line)]
    assert len(packed) > 5, code
    called = set(re.findall(r"\bcall\w*\s+\"?([\w.$@]+)", code))
    assert not {name for name in called if re.fullmatch(r"(exp|tanh|sqrt|pow)f?(@PLT)?", name)}


@pytest.mark.parametrize("columns", [1, 2, 7, 9, 10, 15, 17, 20, 33, 50, 95, 100, 112, 199, 300])
def test_rows_of_any_length_are_complete(columns: int) -> None:
    """Short rows are done with masks instead of scalar turns at the end."""
    x = sg.tensor("x", dtype="float32", shape=(37, columns))
    f = sg.function([x], [sg.nn.softmax(x, axis=1), x.max(axis=1), sg.exp(x).sum(axis=1)])
    given = np.random.default_rng(columns).normal(size=(37, columns)).astype("float32")
    given[3, -1] = np.nan
    soft, most, total = f(given)
    wide = np.exp(given.astype(float))
    np.testing.assert_allclose(soft, wide / wide.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(most, given.max(axis=1))
    np.testing.assert_allclose(total, wide.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("columns", [10, 100, 1000])
def test_what_whole_vectors_leave_of_a_row_is_masked(columns: int) -> None:
    if vector_bytes() < 64:
        pytest.skip("masks are registers of AVX-512")
    x = sg.tensor("x", dtype="float32", shape=(37, columns))
    f = sg.function([x], sg.exp(x).sum(axis=1))
    f(np.zeros((37, columns), "float32"))
    code = "\n".join(kernel.asm for kernel in f.kernels)
    assert re.search(r"zmm\d+ \{%k\d\}", code), code
    assert not re.search(r"vfmadd\d+ss", code), "exp is left as scalar code"


def test_chunks_of_long_loops_take_several_vectors_a_turn() -> None:
    """A chunk is at most so long, as a block of rows is, but is not done with masks as that is."""
    x = sg.tensor("x", shape=(1_000_000,))
    f = sg.function([x], sg.exp(x) * sg.log(x))
    f(np.ones(1_000_000))
    (kernel,) = f.kernels
    stores = r"vmovup[ds]\s+%[yz]mm\d+, -?\d*\(%r\w+,%r\w+,8\)$"
    assert len(re.findall(stores, kernel.asm, re.MULTILINE)) > 1


def assembly(output: sg.Variable, *inputs: sg.Variable) -> str:
    """The machine code of a formula of arrays of a known shape."""
    f = sg.function(list(inputs), output)
    f(*(np.ones(v.shape, v.dtype) for v in inputs))
    return "\n".join(kernel.asm for kernel in f.kernels)


def test_elements_are_picked_one_by_one_unless_a_function_follows() -> None:
    if vector_bytes() < 64:
        pytest.skip("gathers of other processors are chosen by LLVM")
    x, k = sg.tensor("x", shape=(1000,)), sg.tensor("k", dtype="int64", shape=(5000,))
    assert "vgather" not in assembly(x[k] * 2, x, k)
    assert re.search(r"vfmadd\d+pd.*zmm", assembly(sg.exp(x[k]), x, k))


@pytest.mark.parametrize("columns", [25, 30, 31])
def test_rows_of_a_few_vectors_and_a_rest_are_not_scattered(columns: int) -> None:
    """Unrolled first, each of their columns was a vector of rows: ten times as slow."""
    if vector_bytes() < 64:
        pytest.skip("scatters are instructions of AVX-512")
    x, y = sg.tensor("x", shape=(1000,)), sg.tensor("y", shape=(columns,))
    assert "vscatter" not in assembly(sg.linalg.outer(x, y), x, y)
    f = sg.function([x, y], sg.linalg.outer(x, y))
    a, b = np.random.default_rng(1).normal(size=1000), np.arange(1.0, columns + 1)
    np.testing.assert_array_equal(f(a, b), np.outer(a, b))


def test_functions_of_columns_are_vectors_and_copies_are_not() -> None:
    x = sg.tensor("x", shape=(300, 200))
    assert "vgather" not in assembly(x.T * 2, x)
    assert re.search(r"vfmadd\d+pd.*[yz]mm", assembly(sg.exp(x.T), x))


def test_what_llvm_cannot_widen_is_not_reported_to_the_user(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """LLVM prints where it cannot follow a given width: such loops are given none."""
    x, k = sg.vector("x", dtype="float32"), sg.vector("k", dtype="int64")
    t = sg.vector("t", dtype="float32")
    cases = [
        ([x], (sg.fmod(x, 3.0) * 2).sum()),
        ([x], (x**3.7).sum() + sg.maximum(x, 1.0).prod()),
        ([x, k, t], t.at[k].add(x * 2)),
        ([x], sg.nextafter(x, x + 1).sum()),
        ([x], sg.cumsum(x * x)[::-1]),
        ([x], sg.sin(x).sum() + sg.gammaln(x).sum() + sg.where(x > 0, x, -x).max()),
    ]
    values = np.linspace(0.5, 2.0, 50, dtype="float32")
    given = {"x": values, "k": np.arange(50) % 7, "t": values}
    for inputs, output in cases:
        sg.function(inputs, output)(*[given[str(n.name)] for n in inputs])
    assert capfd.readouterr().err == ""


def test_columns_and_neighbours_are_left_to_llvm(capfd: pytest.CaptureFixture[str]) -> None:
    x = sg.tensor("x", dtype="float32", shape=(512, 20))
    y = sg.tensor("y", dtype="float32", shape=(9, 511))
    g = sg.function([y], sg.exp(y[:, 1:] + y[:, :-1]) * y[:, 1:])
    other = np.linspace(-1, 1, 9 * 511, dtype="float32").reshape(9, 511)
    right = np.exp(other[:, 1:] + other[:, :-1].astype("float64")) * other[:, 1:]
    np.testing.assert_allclose(g(other), right, rtol=1e-6)
    f = sg.function([x], x[:510, 3] + x[1:511, 3] + x[2:, 3])
    given = np.random.default_rng(1).normal(size=(512, 20)).astype("float32")
    wanted = given[:510, 3] + given[1:511, 3] + given[2:, 3]
    np.testing.assert_array_equal(f(given), wanted)
    assert capfd.readouterr().err == ""


def test_lanes_of_integers_are_left_to_llvm(capfd: pytest.CaptureFixture[str]) -> None:
    """Rows of integers, and checks of indices: no width is given that LLVM cannot follow."""
    x = sg.tensor("x", dtype="int8", shape=(37, 300))
    k = sg.tensor("k", dtype="int64", shape=(300,))
    f = sg.function([x, k], [x.max(axis=1), (x > 0).sum(axis=1), (x & 3) + 1, x[0][k]])
    given = np.random.default_rng(1).integers(-100, 100, (37, 300)).astype("int8")
    index = np.arange(300)[::-1].copy()
    most, count, low, turned = f(given, index)
    np.testing.assert_array_equal(most, given.max(axis=1))
    np.testing.assert_array_equal(count, (given > 0).sum(axis=1))
    np.testing.assert_array_equal(low, (given & 3) + 1)
    np.testing.assert_array_equal(turned, given[0][::-1])
    assert capfd.readouterr().err == ""


def test_what_vectors_leave_is_added_first() -> None:
    """Its sum is joined while whole vectors go by."""
    x, total = buffer("x", F64, 1000), buffer("total", F64)
    i, s = i64("i"), var("s", F64)
    body = (
        Let("s", const(0.0, F64)),
        For("i", const(1000), (Assign("s", add(s, mul(load(x, i), load(x, i)))),), "vector"),
        Store("total", (), s),
    )
    kernel = Kernel("k", (x, total), (), frozenset(("total",)), body)
    program = Program((x,), (total,), (), (), (Call("k", ("x", "total"), ()),), (kernel,))
    verify_program(program)
    starts = re.findall(r"phi i64 \[(\d+), %", program_text(program).assembly)
    lanes = vector_bytes() // 8
    assert starts in (["0"], [str(max(map(int, starts))), "0"])
    assert len(starts) == 1 or int(starts[0]) % lanes == 0
    given = np.arange(1000.0)
    _, (found,) = execute("llvm", program, (given,), ())
    assert found == np.sum(given * given)
