"""Each rule of the loop IR: a kernel or program that breaks it alone is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symgraph.errors import VerifyError
from symgraph.loop.build import buffer, const, i64, load, var, word
from symgraph.loop.ir import (
    Assign,
    Bind,
    Branch,
    Buffer,
    Call,
    Cast,
    Check,
    Const,
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
    Stmt,
    Store,
    Update,
    Var,
    View,
    While,
    Word,
)
from symgraph.loop.verify import verify_kernel, verify_program
from tests.loop import examples as ex

F64 = np.dtype("float64")
X, Y = buffer("x", F64, "n"), buffer("y", F64, "n")
I0, N = const(0), i64("n")
ONE = const(1.0, F64)


def kernel_of(*body: Stmt) -> Kernel:
    return Kernel("k", (X, Y), ("n",), frozenset("y"), body)


BAD_STATEMENTS: list[tuple[str, tuple[Stmt, ...]]] = [
    ("v is not in scope", (Let("w", var("v", F64)),)),
    ("v is not in scope", (If(const(True, bool), (Let("v", ONE),)), Let("w", var("v", F64)))),
    ("i is not in scope", (For("i", N, ()), Let("w", i64("i")))),
    ("v is float64, not float32", (Let("v", ONE), Let("w", var("v", "float32")))),
    ("v is declared twice", (Let("v", ONE), Let("v", ONE))),
    ("n is declared twice", (Let("n", ONE),)),
    ("x is declared twice", (Local("x", F64, (3,)),)),
    ("'a b' is not an identifier", (Let("a b", ONE),)),
    ("'nan' is not an identifier", (Let("nan", ONE),)),
    ("v is assigned but not introduced", (Assign("v", ONE),)),
    ("n is a size or an index", (Assign("n", I0),)),
    ("i is a size or an index", (For("i", N, (Assign("i", I0),)),)),
    ("0 is int64 where float64 is needed", (Let("v", ONE), Assign("v", I0))),
    ("buffer z is not declared", (Store("z", (I0,), ONE),)),
    ("x is written but not declared as written", (Store("x", (I0,), ONE),)),
    ("x is written but not declared", (Update("x", (I0,), "add", ONE),)),
    ("y has rank 1, not 0", (Store("y", (), ONE),)),
    ("y is float64, not int64", (Store("y", (I0,), I0),)),
    ("an index of y is float64", (Store("y", (ONE,), ONE),)),
    ("x is float64, not float32", (Let("v", Load("x", (I0,), np.dtype("float32"))),)),
    ("there is no update 'sub'", (Update("y", (I0,), "sub", ONE),)),
    ("there is no word 'sine'", (Let("v", Word("sine", (ONE,), F64)),)),
    ("word add takes 2 arguments, not 1", (Let("v", Word("add", (ONE,), F64)),)),
    ("word add has arguments of dtypes", (Let("v", Word("add", (ONE, I0), F64)),)),
    ("word exp does not take int64", (Let("v", Word("exp", (I0,), np.dtype("int64"))),)),
    ("word lt gives bool, not float64", (Let("v", Word("lt", (ONE, ONE), F64)),)),
    ("select needs a bool condition", (Let("v", Word("select", (ONE, ONE, ONE), F64)),)),
    ("cannot bitcast float64 to int32", (Let("v", Word("bitcast", (ONE,), np.dtype("int32"))),)),
    ("unsupported dtype float16", (Let("v", Cast(ONE, np.dtype("float16"))),)),
    ("constant 1.0 is not float32", (Let("v", Const(np.float64(1), np.dtype("float32"))),)),
    ("is float64 where bool is needed", (If(ONE, ()),)),
    ("is int64 where bool is needed", (While(I0, ()),)),
    ("is float64 where int64 is needed", (For("i", ONE, ()),)),
    ("there is no kind of loop 'swift'", (For("i", N, (), "swift"),)),
    ("failure code 0 is not", (Fail(0),)),
    ("more than 4 facts", (Fail(1, (I0,) * 5),)),
    ("is float64 where int64 is needed", (Fail(1, (ONE,)),)),
    ("local t has the shape", (Local("t", F64, (0,)),)),
    ("local t takes 800000 bytes", (Local("t", F64, (1000, 100)),)),
]


@pytest.mark.parametrize(("match", "body"), BAD_STATEMENTS, ids=[m for m, _ in BAD_STATEMENTS])
def test_bad_statement_is_refused(match: str, body: tuple[Stmt, ...]) -> None:
    with pytest.raises(VerifyError, match=match):
        verify_kernel(kernel_of(*body))


def test_a_good_kernel_passes_and_scopes_end_with_their_block() -> None:
    inner = (Let("v", load(X, i64("i"))), Store("y", (i64("i"),), var("v", F64)))
    verify_kernel(kernel_of(For("i", N, inner), For("i", N, inner)))


def test_bad_buffers_are_refused() -> None:
    with pytest.raises(VerifyError, match="x is declared twice"):
        verify_kernel(replace(kernel_of(), buffers=(X, X)))
    with pytest.raises(VerifyError, match=r"writes unknown buffers \['z'\]"):
        verify_kernel(replace(kernel_of(), writes=frozenset("z")))
    shaped = Buffer("z", F64, (Load("x", (I0,), np.dtype("int64")),))
    with pytest.raises(VerifyError, match="shape of z reads a buffer"):
        verify_kernel(replace(kernel_of(), buffers=(X, shaped)))
    with pytest.raises(VerifyError, match="m is not in scope"):
        verify_kernel(replace(kernel_of(), buffers=(buffer("x", F64, "m"),)))


def program_with(*steps: object) -> object:
    flag, count = buffer("flag", "bool"), buffer("count", "int64")
    base = ex.branch_example(True).program
    inputs = (*base.inputs[:1], flag, count)
    return replace(base, inputs=inputs, steps=steps, temporaries=(buffer("t", F64, "n", "n"),))


BAD_STEPS = [
    ("there is no kernel z", (Call("z", (), ()),)),
    ("wrong number of arguments", (Call("total", ("x",), (N,)),)),
    ("buffer z is not declared", (Call("total", ("z", "out"), (N,)),)),
    ("input x is written", (Call("total", ("out", "x"), (N,)),)),
    ("out is written and passed twice", (Call("total", ("out", "out"), (N,)),)),
    ("total takes x as float64, flag is bool", (Call("total", ("flag", "out"), (N,)),)),
    ("is float64 where int64", (Call("total", ("x", "out"), (ONE,)),)),
    ("input x is written", (Library("gemm", ("t", "t", "x"), (N, N, N)),)),
    ("view v has too many indices", (View("v", "x", (I0, I0)),)),
    ("view v has too many indices", (View("v", "x", (I0,), I0),)),
    ("x is declared twice", (View("x", "t", (I0,)),)),
    ("input v is written", (View("v", "x"), Call("total", ("x", "v"), (N,)))),
    ("flag is bool, not int64", (Bind("k", "flag"),)),
    ("x is float64, not int64", (Bind("k", "x"),)),
    ("k is not in scope", (Branch("flag", (Bind("k", "count"),)), Check(N_IS_ONE := word(
        "eq", i64("k"), const(1)), 1))),
    ("is int64 where bool", (Check(I0, 1),)),
    ("failure code -1", (Check(const(True, bool), -1),)),
    ("count is int64, not bool", (Loop("count", ()),)),
    ("copy of x to t changes dtype or rank", (Copy("t", "x"),)),
    ("input x is written", (Copy("x", "x"),)),
]  # fmt: skip


@pytest.mark.parametrize(("match", "steps"), BAD_STEPS, ids=[m for m, _ in BAD_STEPS])
def test_bad_step_is_refused(match: str, steps: tuple[object, ...]) -> None:
    with pytest.raises(VerifyError, match=match):
        verify_program(program_with(*steps))  # type: ignore[arg-type]


def test_two_kernels_of_one_name_are_refused() -> None:
    program = ex.branch_example(True).program
    with pytest.raises(VerifyError, match="two kernels are named total"):
        verify_program(replace(program, kernels=program.kernels * 2))


def test_unknown_variable_dtype_is_refused() -> None:
    with pytest.raises(VerifyError, match="n is int64, not float64"):
        verify_kernel(kernel_of(Let("v", Var("n", F64))))
