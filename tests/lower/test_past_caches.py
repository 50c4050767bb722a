"""Large results past the caches: the values, where they lie, and where it is done."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.library import MEANINGS
from symgraph.loop.ir import For
from symgraph.loop.parse import parse
from symgraph.loop.run import run_program
from symgraph.loop.text import same, show
from symgraph.loop.verify import verify_program
from symgraph.lower.past_caches import with_streams
from symgraph.lower.schedule import CPU

from .lowered import loops, program_of

ANY = replace(CPU, cached_bytes=1)
X86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="reads the assembly of x86"
)
Build = Callable[[sg.Variable], list[sg.Variable]]


def softmax(x: sg.Variable) -> sg.Variable:
    e = sg.exp(x - sg.max(x, axis=1, keepdims=True))
    return e / sg.sum(e, axis=1, keepdims=True)


def norm_gradient(x: sg.Variable) -> sg.Variable:
    c = x - sg.mean(x, axis=1, keepdims=True)
    y = c / sg.sqrt(sg.mean(c * c, axis=1, keepdims=True) + 1e-5)
    return sg.grad(sg.sum(y * y * y), x)


CASES: dict[str, tuple[tuple[int, ...], Build, int]] = {
    # shape, results, streams of the program
    "rows": ((5, 256), lambda x: [softmax(x)], 1),
    "rows that are no lines": ((5, 250), lambda x: [softmax(x)], 0),
    "functions": ((5, 250), lambda x: [sg.exp(x) * sg.sum(x, axis=1, keepdims=True)], 1),
    "long": ((5000,), lambda x: [x * 2 + 1], 1),
    "long functions": ((5000,), lambda x: [sg.exp(x), x * x], 2),
    "short": ((40, 10), lambda x: [softmax(x)], 0),
    "wide and narrow": ((5, 256), lambda x: [x * 2, x.astype("float64") / 3], 1),
    "read again": ((300, 20), lambda x: [sg.exp(x), sg.exp(x) @ x.T], 0),
    "integers": ((5000,), lambda x: [(x * 8).astype("int64")], 1),
    "turned": ((40, 300), lambda x: [x.T * 2], 0),
}


@pytest.mark.parametrize("name", CASES)
def test_streams_mean_what_loops_did(name: str, rng: np.random.Generator) -> None:
    shape, build, count = CASES[name]
    x = sg.tensor("x", dtype="float32", shape=shape)
    lowered = program_of(build(x), [x])
    made = with_streams(lowered, ANY)
    verify_program(made.program)
    assert sum(s.kind == "stream" for s in loops(made)) >= count
    assert count or not any(s.kind == "stream" for s in loops(made))
    assert same(parse(show(made.program)), made.program)
    value = rng.normal(size=shape).astype("float32")
    found = []
    for program in (lowered.program, made.program):
        shapes = [tuple(int(d.value.real) for d in s.shape) for s in program.outputs]  # type: ignore[union-attr]  # known
        found.append([np.empty(s, o.dtype) for s, o in zip(shapes, program.outputs, strict=True)])
        run_program(program, [value], found[-1], (), MEANINGS)
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_only_what_caches_cannot_keep_goes_past_them() -> None:
    x = sg.tensor("x", dtype="float32", shape=(1024,))
    lowered = program_of([x * 2], [x])
    assert with_streams(lowered, CPU) is lowered
    assert with_streams(lowered, replace(CPU, cached_bytes=0)) is lowered
    assert any(isinstance(s, For) and s.kind == "stream" for s in loops(with_streams(lowered, ANY)))


def large(value: Callable[[sg.Variable], sg.Variable], rows: int = 33) -> sg.Function:
    x = sg.tensor("x", dtype="float32", shape=(rows, 100 * 1024))
    return sg.function([x], value(x))


def stores(f: sg.Function) -> int:
    """Stores past the caches, and calls of the function that has them."""
    return sum(k.asm.count("movnt") + k.asm.count("sg.past_caches") for k in f.kernels)


@X86
@pytest.mark.parametrize("offset", [0, 1, 3, 8, 15])
def test_memory_may_begin_anywhere(offset: int, rng: np.random.Generator) -> None:
    shape = (33, 100 * 1024)
    x = rng.normal(size=shape).astype("float32")
    memory = np.zeros(x.size + 64, "float32")
    start = (-memory.ctypes.data % 64) // 4 + offset
    for value, right in ((lambda x: x * 2 + 1, x * 2 + 1), (lambda x: sg.rint(x), np.rint(x))):
        f, out = large(value), memory[start : start + x.size].reshape(shape)
        np.testing.assert_array_equal(f(x, out=out), right)
        np.testing.assert_array_equal(f(x), right)
        assert not memory[:start].any()
        assert not memory[start + x.size :].any()
        assert stores(f) > 0
        assert any("sfence" in k.asm for k in f.kernels)


@X86
def test_small_results_stay_in_the_caches() -> None:
    f = large(lambda x: x * 2, 2)
    f(np.ones((2, 100 * 1024), "float32"))
    assert stores(f) == 0


@X86
def test_rows_in_pairs_are_stored_from_registers() -> None:
    """Both rows of a pair are stored in one loop of vectors, without a row in between."""
    x = sg.tensor("x", dtype="float32", shape=(4200, 768))
    w = sg.tensor("w", dtype="float32", shape=(768,))
    c = x - sg.mean(x, axis=1, keepdims=True)
    y = c / sg.sqrt(sg.mean(c * c, axis=1, keepdims=True) + 1e-5) * w
    f = sg.function([x, w], sg.grad(sg.sum(y * y), [x, w]))
    f(np.ones((4200, 768), "float32"), np.ones(768, "float32"))
    (code,) = [k.asm for k in f.kernels if "movnt" in k.asm]
    assert "also_" in "".join(k.source for k in f.kernels)
    assert "sg.past_caches" not in code


@X86
def test_softmax_and_the_gradient_of_a_norm(rng: np.random.Generator) -> None:
    """Rows of kernels with sums, for several threads: the same numbers as of fewer rows."""
    value = rng.normal(size=(3300, 1024)).astype("float32")
    for build in (softmax, norm_gradient):
        found = []
        for rows in (3300, 100):
            x = sg.tensor("x", dtype="float32", shape=(rows, 1024))
            f = sg.function([x], build(x))
            found.append(f(value[:rows]))
            assert (stores(f) > 0) == (rows == 3300)
        np.testing.assert_allclose(found[0][:100], found[1], rtol=2e-6, atol=1e-7)
