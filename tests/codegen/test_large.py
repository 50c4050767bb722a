"""Long kernels: compile time grows with the length, and nothing recurses."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen.llvm_kernel import function_calls
from symgraph.loop.build import buffer, const, i64, load, mul, var, word
from symgraph.loop.ir import Call, Expr, For, Kernel, Let, Program, Stmt, Store
from symgraph.loop.verify import verify_program
from tests.codegen.test_words import assert_same
from tests.loop.examples import COMPILED, execute

F64 = np.dtype("float64")


def chain(length: int, function: str) -> Program:
    """y = f(f(... f(x) * c ...) * c): one local for each step."""
    x, y, i = buffer("x", F64, "n"), buffer("y", F64, "n"), i64("i")
    body: list[Stmt] = [Let("v0", load(x, i))]
    for k in range(length):
        v = var(f"v{k}", F64)
        step: Expr = word(function, v) if k % 2 else mul(v, const(1.0009, F64))
        body.append(Let(f"v{k + 1}", step))
    body.append(Store("y", (i,), var(f"v{length}", F64)))
    kernel = Kernel("chain", (x, y), ("n",), frozenset("y"), (For("i", i64("n"), tuple(body)),))
    program = Program((x,), (y,), (), ("n",), (Call("chain", ("x", "y"), (i64("n"),)),), (kernel,))
    verify_program(program)
    return program


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("length", [150, 600])
def test_long_chains_compile(length: int, backend: str) -> None:
    """600 steps are beyond what is inlined, 150 are not; both answer alike."""
    program = chain(length, "tanh")
    calls = function_calls(program.kernels[0])
    assert calls == length // 2
    x = np.linspace(-2, 2, 9)
    (_, (found,)), (_, (meant,)) = (execute(b, program, (x,), (9,)) for b in (backend, "interp"))
    assert_same(found, meant, 64, "chain")


@pytest.mark.parametrize("backend", COMPILED)
def test_deep_expression_compiles(backend: str) -> None:
    """An expression 1,500 levels deep, which neither Python's parser nor its stack would take."""
    x, y = buffer("x", F64), buffer("y", F64)
    deep: Expr = load(x)
    for _ in range(1500):
        deep = word("add", deep, const(1.0, F64))
    kernel = Kernel("deep", (x, y), (), frozenset("y"), (Store("y", (), deep),))
    program = Program((x,), (y,), (), (), (Call("deep", ("x", "y"), ()),), (kernel,))
    _, (found,) = execute(backend, program, (np.array(0.5),), ())
    assert found == 1500.5


def test_shared_subexpressions_are_computed_once() -> None:
    """40 doublings of a shared node: as a tree it would have 2**40 nodes."""
    x, y = buffer("x", F64), buffer("y", F64)
    shared: Expr = load(x)
    for _ in range(40):
        shared = word("add", shared, shared)
    kernel = Kernel("shared", (x, y), (), frozenset("y"), (Store("y", (), shared),))
    program = Program((x,), (y,), (), (), (Call("shared", ("x", "y"), ()),), (kernel,))
    for backend in (*COMPILED, "interp"):
        _, (found,) = execute(backend, program, (np.array(1.0),), ())
        assert found == 2.0**40
