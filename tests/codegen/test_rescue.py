"""Functions of kernels: lanes in doubt get the accurate value, all others keep their bits."""

from __future__ import annotations

import re
from importlib import import_module

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.backend import backend
from symgraph.codegen.python_kernel import python_function
from symgraph.errors import VerifyError
from symgraph.loop.build import add, buffer, const, div, i64, load, mul, sub, var, word
from symgraph.loop.ir import Assign, Call, Expr, For, Function, Kernel, Let, Program, Store, Word
from symgraph.loop.parse import parse
from symgraph.loop.text import same, show
from symgraph.loop.verify import verify_kernel, verify_program

BACKENDS = ("interp", "numba", "llvm")
DTYPES = ("float64", "float32")


def difference(x: Expr) -> Expr:
    """sqrt(x + 1) - sqrt(x)."""
    return sub(word("sqrt", add(x, const(1.0, x.dtype))), word("sqrt", x))


def kernel(dtype: str, total: bool = False) -> Kernel:
    """y = sqrt(x + 1) - sqrt(x), in doubt where x > 1000; its sum in y[0]."""
    x, y = buffer("x", dtype, "n"), buffer("y", dtype, "n")
    root = var("root", dtype)
    body = (Let("root", word("sqrt", add(var("x", dtype), const(1.0, dtype)))),)
    function = Function("slow", (var("x", dtype),), body, sub(root, word("sqrt", var("x", dtype))))
    v = var("v", dtype)
    doubt = sub(v, const(1000.0, dtype))
    value = Word("slow", (difference(v), doubt, v), np.dtype(dtype))
    turn: tuple = (Let("v", load(x, "i")), Store("y", (i64("i"),), value))
    statements: tuple = (For("i", i64("n"), turn, "vector"),)
    if total:
        summed = Assign("s", Word("add", (var("s", dtype), value), np.dtype(dtype)))
        statements = (
            Let("s", const(0.0, dtype)),
            For("i", i64("n"), (turn[0], summed), "vector"),
            Store("y", (const(0),), var("s", dtype)),
        )
    return Kernel("k", (x, y), ("n",), frozenset(["y"]), statements, functions=(function,))


def run(made: Kernel, name: str, x: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """What a backend computes, and how many lanes it counted."""
    program = Program(
        made.buffers[:1],
        made.buffers[1:],
        (),
        ("n",),
        (Call("k", ("x", "y"), (i64("n"),)),),
        (made,),
    )
    verify_program(program)
    out = np.zeros_like(x)
    code = backend(name).compile(program)
    assert code.call([x.ctypes.data, out.ctypes.data], [x.size])[0] == 0
    return out, getattr(code, "counts", dict)()


def truth(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    return (1 / (np.sqrt(wide + 1) + np.sqrt(wide))).astype(x.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("size", [0, 1, 3, 37])
def test_only_lanes_in_doubt_are_computed_again(name: str, dtype: str, size: int) -> None:
    x = np.linspace(0, 4000, size).astype(dtype)
    found, counts = run(kernel(dtype), name, x)
    fast = np.sqrt(x + x.dtype.type(1)) - np.sqrt(x)
    unsure = x > 1000
    assert np.array_equal(found[~unsure], fast[~unsure])
    np.testing.assert_allclose(found[unsure], truth(x)[unsure], rtol=2 * np.finfo(dtype).eps)
    if name != "interp":
        assert counts == {"slow": int(unsure.sum())}


@pytest.mark.parametrize("name", BACKENDS)
def test_arguments_that_are_not_finite_keep_the_fast_value(name: str) -> None:
    x = np.array([np.inf, np.nan, -np.inf, 1e8, -5.0])
    with np.errstate(all="ignore"):
        found, _ = run(kernel("float64"), name, x)
    assert np.isnan(found[[0, 1, 2, 4]]).all()
    np.testing.assert_allclose(found[3], truth(x[3:4])[0], rtol=4e-16)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_doubt_that_is_nan_is_a_doubt(name: str) -> None:
    made = kernel("float64")
    x = made.buffers[0]
    v = var("v", "float64")
    nan = div(sub(v, v), sub(v, v))
    value = Word("slow", (difference(v), nan, v), np.dtype("float64"))
    body = (For("i", i64("n"), (Let("v", load(x, "i")), Store("y", (i64("i"),), value)), "vector"),)
    made = Kernel("k", made.buffers, ("n",), made.writes, body, functions=made.functions)
    found, _ = run(made, name, np.array([1e10, 1e12]))
    np.testing.assert_allclose(found, truth(np.array([1e10, 1e12])), rtol=4e-16)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_guarded_value_feeds_a_sum(name: str) -> None:
    x = np.linspace(0, 1e9, 101)
    found, _ = run(kernel("float64", total=True), name, x)
    np.testing.assert_allclose(found[0], truth(x).sum(), rtol=1e-13)


@pytest.mark.parametrize("name", ["llvm", "numba"])
def test_loops_over_functions_are_vectorized(name: str) -> None:
    assembly = import_module(f"symgraph.codegen.{name}_cpu").assembly
    made = kernel("float64")
    call = Call("k", ("x", "y"), (i64("n"),))
    text, _ = assembly(Program(made.buffers[:1], made.buffers[1:], (), ("n",), (call,), (made,)))
    assert re.search(r"call (fastcc )?<\d+ x double> @\"?sg\.slow\.", text)


def test_lanes_that_are_not_in_doubt_call_nothing() -> None:
    """Once loops are vectors the compare stands in them, and forms that nothing calls are gone."""
    made = kernel("float64")
    call = Call("k", ("x", "y"), (i64("n"),))
    program = Program(made.buffers[:1], made.buffers[1:], (), ("n",), (call,), (made,))
    text, _ = import_module("symgraph.codegen.llvm_cpu").assembly(program)
    called = set(re.findall(r"call [^@\n]*@\"?(sg\.slow[.\w]*)", text))
    assert called
    assert all(name.endswith(".far") for name in called)
    assert set(re.findall(r"^define [^@\n]*@\"?(sg\.slow[.\w]*)", text, re.M)) == called


def test_functions_are_read_back_and_run_as_python() -> None:
    made = kernel("float64")
    assert same(parse(show(made)), made)
    x = np.array([1.0, 1e12])
    out = np.zeros(2)
    python_function(made)(x, out, 2)
    np.testing.assert_allclose(out, truth(x), rtol=4e-16)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (word("nextafter", var("x", "float64"), var("x", "float64")), "no word of double-double"),
        (var("z", "float64"), "not in scope"),
        (load(buffer("x", "float64", "n"), 0), "reads a buffer"),
        (word("lt", var("x", "float64"), var("x", "float64")), "not a float"),
    ],
)
def test_wrong_functions_are_refused(body: Expr, message: str) -> None:
    made = kernel("float64")
    function = Function("slow", (var("x", "float64"),), (), body)
    wrong = Kernel("k", made.buffers, ("n",), made.writes, made.body, functions=(function,))
    with pytest.raises(VerifyError, match=message):
        verify_kernel(wrong)


def test_wrong_arguments_are_refused() -> None:
    made = kernel("float64")
    value = Word("slow", (const(1.0, "float64"),), np.dtype("float64"))
    wrong = Kernel(
        "k", made.buffers, ("n",), made.writes, (Store("y", (const(0),), mul(value, value)),),
        functions=made.functions,
    )  # fmt: skip
    with pytest.raises(VerifyError, match="slow takes"):
        verify_kernel(wrong)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("lanes", [1, 32])
def test_float32_goes_on_to_double_double_where_float64_cancels_too(name: str, lanes: int) -> None:
    """9 x**4 - y**4 + 2 y**2, of which 17 digits cancel at Rump's point."""
    x, y = var("x", "float32"), var("y", "float32")
    xx, yy = mul(x, x), mul(y, y)
    value = sub(mul(const(9.0, "float32"), mul(xx, xx)), mul(yy, sub(yy, const(2.0, "float32"))))
    function = Function("slow", (x, y), (), value)
    a, b, c = (buffer(n, "float32", "n") for n in "abc")
    guarded = Word("slow", (value, mul(yy, yy), x, y), np.dtype("float32"))
    lets = (Let("x", load(a, "i")), Let("y", load(b, "i")))
    body = (For("i", i64("n"), (*lets, Store("c", (i64("i"),), guarded)), "vector"),)
    made = Kernel("k", (a, b, c), ("n",), frozenset(["c"]), body, functions=(function,))
    call = Call("k", ("a", "b", "c"), (i64("n"),))
    program = Program(made.buffers[:2], made.buffers[2:], (), ("n",), (call,), (made,))
    verify_program(program)
    code = backend(name).compile(program)
    xs, ys = (np.full(lanes, v, np.float32) for v in (10864.0, 18817.0))
    out = np.zeros(lanes, np.float32)
    assert code.call([v.ctypes.data for v in (xs, ys, out)], [lanes])[0] == 0
    assert np.array_equal(out, np.ones(lanes, np.float32))
    if name != "interp":
        assert code.counts() == {"slow": lanes}


@pytest.mark.parametrize("length", [5, 9, 10, 13, 18, 23])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_idle_lanes_of_short_rows_are_not_computed_slowly(dtype: str, length: int) -> None:
    x, y = (sg.tensor(n, shape=(6, length), dtype=dtype) for n in "xy")
    f = sg.function([x, y], y - sg.exp(x) / y)  # 1 / 0 in lanes that hold nothing
    f(np.full((6, length), 2.0, dtype), np.full((6, length), 1.0, dtype))
    slow, possible = f.lanes
    assert slow == 0
    assert possible == 6 * length
