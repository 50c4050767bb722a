"""Programs with every kind of step, on each backend, against NumPy."""

from __future__ import annotations

import inspect
import threading

import numpy as np
import pytest

from symgraph.codegen.backend import backend
from symgraph.codegen.python_kernel import kernel_source, python_function
from symgraph.codegen.python_program import program_source
from symgraph.errors import ArgumentError
from symgraph.loop.build import buffer, const, i64, mul, word
from symgraph.loop.ir import Call, Check, Program
from tests.loop import examples as ex

EXAMPLES = ex.examples()


def assert_near(found: np.ndarray, expected: np.ndarray, ulp: int = 8) -> None:
    np.testing.assert_array_max_ulp(found, expected.astype(found.dtype), maxulp=ulp)


@pytest.mark.parametrize("name", ex.BACKENDS)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_program_answers_as_numpy(example: ex.Example, name: str) -> None:
    (code, _), outputs = ex.execute(name, example.program, example.inputs, example.sizes)
    assert code == 0
    for found, expected in zip(outputs, example.expected, strict=True):
        assert found.shape == expected.shape
        assert_near(found, expected)


@pytest.mark.parametrize("name", ex.BACKENDS)
@pytest.mark.parametrize(("n", "m"), [(0, 4), (3, 0), (0, 0), (1, 1)])
def test_empty_arrays_run(name: str, n: int, m: int) -> None:
    with np.errstate(all="ignore"):
        example = ex.softmax_example(n, m)
    (code, _), outputs = ex.execute(name, example.program, example.inputs, example.sizes)
    assert code == 0
    assert [o.shape for o in outputs] == [(n, m), (n,)]
    np.testing.assert_allclose(outputs[1], example.expected[1], rtol=1e-15)


@pytest.mark.parametrize("name", ex.BACKENDS)
@pytest.mark.parametrize(("bad", "facts"), [(5, (5, 2, 0, 0)), (-1, (-1, 2, 0, 0))])
def test_kernel_fails_with_code_and_facts(name: str, bad: int, facts: tuple[int, ...]) -> None:
    x, at = np.arange(5.0), np.array([0, 4, bad, 1])
    outcome, outputs = ex.execute(name, ex.gather_program(), (x, at), (4, 5))
    assert outcome == (3, facts)
    assert list(outputs[0]) == [0.0, 4.0, 77.0, 77.0]  # nothing ran after the failure


@pytest.mark.parametrize("name", ex.BACKENDS)
def test_check_stops_before_later_steps(name: str) -> None:
    example = ex.branch_example(True)
    n = i64("n")
    stop = Check(word("lt", n, const(7)), 11, (n, mul(n, n)))
    call = Call("total", ("x", "out"), (n,))
    program = Program(
        example.program.inputs,
        example.program.outputs,
        (),
        ("n",),
        (stop, call),
        example.program.kernels,
    )
    outcome, outputs = ex.execute(name, program, example.inputs, (7,))
    assert outcome == (11, (7, 49, 0, 0))
    assert outputs[0] == 77
    outcome, outputs = ex.execute(name, program, (np.arange(5.0), np.array(True)), (5,))
    assert outcome[0] == 0
    assert outputs[0] == 10


def test_view_reads_no_memory_beyond_its_base() -> None:
    example = ex.scan_example(1, 3)  # the tail ys[1:] is empty
    for name in ex.BACKENDS:
        (code, _), outputs = ex.execute(name, example.program, example.inputs, example.sizes)
        assert code == 0
        assert outputs[1].shape == (0, 3)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float32", "complex64", "complex128"])
@pytest.mark.parametrize("name", ex.BACKENDS)
def test_product_in_every_kind_of_dtype(name: str, dtype: str) -> None:
    example = ex.product_example(dtype)
    (code, _), (found,) = ex.execute(name, example.program, example.inputs, example.sizes)
    assert code == 0
    np.testing.assert_array_equal(found, example.expected[0])


def test_two_threads_call_one_program_at_once() -> None:
    example = ex.softmax_example(40, 200)
    compiled = backend("llvm").compile(example.program)
    failures: list[str] = []

    def work(seed: int) -> None:
        x = np.random.default_rng(seed).normal(size=(40, 200))
        first = None
        for _ in range(300):
            _, outputs = ex.execute_compiled(compiled, example.program, (x,), (40, 200))
            if first is None:
                first = outputs
            if any((a != b).any() for a, b in zip(first, outputs, strict=True)):
                failures.append(f"thread {seed} got different bits")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    compiled.close()


WITHOUT_BLAS = [e for e in EXAMPLES if not program_source(e.program).needs]


@pytest.mark.parametrize("example", WITHOUT_BLAS, ids=lambda e: e.name)
def test_source_runs_in_plain_python(example: ex.Example) -> None:
    """What a person reads is what is compiled: it runs, on addresses, with the same answer."""
    source = program_source(example.program)
    space: dict[str, object] = {}
    exec(source.text(), space)
    inputs = [np.ascontiguousarray(x) for x in example.inputs]
    outputs = [np.zeros_like(x) for x in example.expected]
    sizes = dict(zip(example.program.sizes, example.sizes, strict=True))
    from symgraph.loop.interp import Scope, integer

    scope = Scope({}, {k: np.int64(v) for k, v in sizes.items()})
    temporaries = [
        np.zeros([integer(d, scope) for d in b.shape], b.dtype) for b in example.program.temporaries
    ]
    addresses = [a.ctypes.data for a in (*inputs, *outputs, *temporaries)]
    run = space["run"]
    assert run(addresses, list(example.sizes), [0] * 4) == 0  # type: ignore[operator]
    for found, expected in zip(outputs, example.expected, strict=True):
        assert_near(found, expected)


def test_kernel_source_stands_alone() -> None:
    text = kernel_source(ex.row_softmax())
    space: dict[str, object] = {}
    exec(text, space)
    x = np.random.default_rng(3).normal(size=(2, 4))
    y, s = np.empty_like(x), np.empty(2)
    space["row_softmax"](x, y, s, 2, 4)  # type: ignore[operator]
    e = np.exp(x - x.max(axis=1, keepdims=True))
    assert_near(y, e / e.sum(axis=1, keepdims=True))
    assert text.startswith('# a "model".py:12\n')
    assert "reads x: float64[n, m]; writes y: float64[n, m]" in text


def test_a_kernel_can_be_stepped_through() -> None:
    """The function's lines are found by traceback and debugger; a bad index says where."""
    function = python_function(ex.gather_kernel())
    x, out, facts = np.arange(3.0), np.zeros(2), [0] * 4
    assert function(x, np.array([2, 0]), out, 2, 3, facts) == 0
    assert list(out) == [2.0, 0.0]
    assert function(x, np.array([2, 5]), out, 2, 3, facts) == 3
    assert facts == [5, 1, 0, 0]
    lines = inspect.getsource(function)
    assert "out[i] = x[at(k)]" in lines


def test_kernels_of_equal_names_and_hostile_names() -> None:
    """Buffers named like words, sizes named like functions: the source renames them."""
    x, out = buffer("exp", "float64", "range"), buffer("facts", "float64", "range")
    from symgraph.loop.build import load
    from symgraph.loop.ir import For, Kernel, Store

    i = i64("float64")
    value = word("exp", load(x, i))
    body = (For("float64", i64("range"), (Store("facts", (i,), value),)),)
    kernel = Kernel("sum", (x, out), ("range",), frozenset(("facts",)), body)
    program = Program(
        (x,), (out,), (), ("range",), (Call("sum", ("exp", "facts"), (i64("range"),)),), (kernel,)
    )
    (code, _), (found,) = ex.execute("llvm", program, (np.array([0.0, 1.0]),), (2,))
    assert code == 0
    assert_near(found, np.exp([0.0, 1.0]), 1)


def test_unknown_backend_names_the_nearest() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'numba'"):
        backend("nubma")
