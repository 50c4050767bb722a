"""The interpreter: every access is checked, uninitialised memory shows, nothing recurses."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen.library import MEANINGS
from symgraph.errors import BoundsError, SymgraphError
from symgraph.loop.build import add, buffer, const, i64, load, var, word
from symgraph.loop.interp import Failed, run_kernel
from symgraph.loop.ir import Call, Fail, For, Kernel, Let, Load, Local, Program, Store, View
from symgraph.loop.run import run_program
from tests.loop import examples as ex

F64 = np.dtype("float64")


def copy_kernel(shift: int) -> Kernel:
    x, y, i = buffer("x", F64, "n"), buffer("y", F64, "n"), i64("i")
    body = (For("i", i64("n"), (Store("y", (i,), load(x, add(i, const(shift)))),)),)
    return Kernel("shifted", (x, y), ("n",), frozenset("y"), body)


@pytest.mark.parametrize("shift", [-1, 1])
def test_index_outside_raises(shift: int) -> None:
    with pytest.raises(BoundsError, match=r"x\[(-1|3)\] is outside \(3,\)"):
        run_kernel(copy_kernel(shift), [np.zeros(3), np.zeros(3)], [3])


def test_too_little_memory_raises() -> None:
    with pytest.raises(BoundsError, match=r"x has 2 elements, too few for \(3,\)"):
        run_kernel(copy_kernel(0), [np.zeros(2), np.zeros(3)], [3])


def test_strided_or_foreign_arrays_raise() -> None:
    with pytest.raises(SymgraphError, match="x must be contiguous float64"):
        run_kernel(copy_kernel(0), [np.zeros(6)[::2], np.zeros(3)], [3])
    with pytest.raises(SymgraphError, match="x must be contiguous float64"):
        run_kernel(copy_kernel(0), [np.zeros(3, "float32"), np.zeros(3)], [3])


def test_reading_a_fresh_local_gives_nan() -> None:
    out = buffer("out", F64)
    body = (Local("t", F64, (2,)), Store("out", (), Load("t", (const(1),), F64)))
    found = np.zeros(())
    run_kernel(Kernel("k", (out,), (), frozenset(("out",)), body), [found], [])
    assert np.isnan(found)


def test_fail_carries_code_and_facts() -> None:
    body = (Let("v", const(4)), Fail(7, (i64("v"), const(-1))))
    with pytest.raises(Failed) as caught:
        run_kernel(Kernel("k", (), (), frozenset(), body), [], [])
    assert (caught.value.code, caught.value.facts) == (7, (4, -1))


def test_view_outside_its_base_raises() -> None:
    x, out = buffer("x", F64, "n"), buffer("out", F64)
    steps = (View("v", "x", (), const(4)),)
    program = Program((x,), (out,), (), ("n",), steps, ())
    with pytest.raises(BoundsError, match="view v starts at 4, outside"):
        run_program(program, [np.zeros(3)], [np.zeros(())], [3], MEANINGS)


def test_view_of_one_element_writes_through() -> None:
    halve = ex.halve_kernel()
    x, go = buffer("xs", F64, "n"), buffer("go", "bool")
    steps = (View("v", "xs", (const(1),)), Call("halve", ("v", "go"), ()))
    program = Program((), (x, go), (), ("n",), steps, (halve,))
    found = np.array([8.0, 8.0, 8.0])
    run_program(program, [], [found, np.zeros((), bool)], [3], MEANINGS)
    assert list(found) == [8.0, 4.0, 8.0]


def test_inputs_are_read_only() -> None:
    kernel = copy_kernel(0)
    program = Program(
        kernel.buffers, (), (), ("n",), (Call("shifted", ("x", "y"), (i64("n"),)),), (kernel,)
    )
    with pytest.raises(ValueError, match="read-only"):
        run_program(program, [np.zeros(2), np.zeros(2)], [], [2], MEANINGS)


def test_observer_sees_every_step() -> None:
    example = ex.scan_example(2, 3)
    seen: list[str] = []
    outputs = [np.zeros_like(e) for e in example.expected]
    run_program(
        example.program,
        example.inputs,
        outputs,
        example.sizes,
        MEANINGS,
        lambda step, arrays: seen.append(type(step).__name__),
    )
    turn = ["View", "View", "Call", "Copy"]
    assert seen == ["Copy", *turn, *turn, "Repeat", "View", "Copy"]


def test_deep_expressions_evaluate() -> None:
    deep = var("v", F64)
    for _ in range(4000):
        deep = word("add", deep, const(1.0, F64))  # type: ignore[assignment]
    out = buffer("out", F64)
    body = (Let("v", const(0.0, F64)), Store("out", (), deep))
    found = np.zeros(())
    run_kernel(Kernel("k", (out,), (), frozenset(("out",)), body), [found], [])
    assert found == 4000
