"""Rows of the library table: every form, dtype and empty extent, on both backends against NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from symgraph.codegen import blas
from symgraph.codegen.artefact import Artefact, load
from symgraph.codegen.backend import backend
from symgraph.loop import words
from symgraph.loop.build import buffer, i64
from symgraph.loop.ir import Buffer, Library, Program
from symgraph.loop.verify import verify_program
from tests.loop.examples import BACKENDS, execute

FLOATING = ("float32", "float64", "complex64", "complex128")
OTHERS = ("int8", "uint64", "int32", "bool")


def numbers(rng: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    """Small whole numbers, whose products and sums are exact in every dtype."""
    found = rng.integers(-4, 5, size=shape)
    if dtype.startswith("complex"):
        return (found + 1j * rng.integers(-4, 5, size=shape)).astype(dtype)
    return found.astype(dtype)


def library_program(
    name: str, buffers: list[Buffer], sizes: tuple[str, ...], attrs: dict[str, object]
) -> Program:
    call = Library(
        name,
        tuple(b.name for b in buffers),
        tuple(i64(s) for s in sizes),
        tuple(attrs.items()),  # type: ignore[arg-type]
    )
    program = Program(tuple(buffers[:-1]), (buffers[-1],), (), sizes, (call,), ())
    verify_program(program)
    return program


def answer(dtype: str, attrs: dict[str, object], product: np.ndarray) -> np.ndarray:
    """alpha * product + beta * 77: outputs are filled with 77 before a run."""
    kind = np.dtype(dtype).type
    old = kind(77) * kind(attrs.get("beta", 0))  # type: ignore[arg-type, call-arg]
    with np.errstate(over="ignore"):
        return (kind(attrs.get("alpha", 1)) * product + old).astype(dtype)  # type: ignore[arg-type, call-arg]


SCALES = [{}, {"alpha": 2}, {"alpha": 3, "beta": 1}]


@pytest.mark.parametrize("dtype", FLOATING + OTHERS)
@pytest.mark.parametrize("name", BACKENDS)
def test_gemm(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    flips = list(itertools.product((False, True), repeat=2))
    scales = SCALES[:1] if dtype == "bool" else SCALES
    for (trans_a, trans_b), scale in itertools.product(flips, scales):
        attrs: dict[str, object] = {"trans_a": trans_a, "trans_b": trans_b, **scale}
        a = buffer("a", dtype, *(("k", "m") if trans_a else ("m", "k")))
        b = buffer("b", dtype, *(("n", "k") if trans_b else ("k", "n")))
        c = buffer("c", dtype, "m", "n")
        program = library_program("gemm", [a, b, c], ("m", "n", "k"), attrs)
        x, y = numbers(rng, dtype, 4, 3), numbers(rng, dtype, 3, 5)
        inputs = (x.T if trans_a else x, y.T if trans_b else y)
        _, (found,) = execute(name, program, inputs, (4, 5, 3))
        np.testing.assert_array_equal(found, answer(dtype, attrs, x @ y), err_msg=str(attrs))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "int32"])
@pytest.mark.parametrize("sizes", [(0, 5, 3), (4, 0, 3), (4, 5, 0), (0, 0, 0), (1, 1, 1)])
def test_gemm_of_empty_matrices(name: str, dtype: str, sizes: tuple[int, int, int]) -> None:
    m, n, k = sizes
    specs = [
        buffer("a", dtype, "m", "k"),
        buffer("b", dtype, "k", "n"),
        buffer("c", dtype, "m", "n"),
    ]
    program = library_program("gemm", specs, ("m", "n", "k"), {})
    x, y = np.ones((m, k), dtype), np.ones((k, n), dtype)
    _, (found,) = execute(name, program, (x, y), sizes)
    np.testing.assert_array_equal(found, x @ y)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "complex128", "int8"])
@pytest.mark.parametrize("shared", [(False, False), (True, False), (False, True)])
def test_batched_gemm(name: str, dtype: str, shared: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(1)
    lead_a, lead_b = ((() if s else ("batch",)) for s in shared)
    a = buffer("a", dtype, *lead_a, "k", "m")
    b = buffer("b", dtype, *lead_b, "k", "n")
    c = buffer("c", dtype, "batch", "m", "n")
    attrs: dict[str, object] = {"trans_a": True, "shared_a": shared[0], "shared_b": shared[1]}
    program = library_program("gemm_batched", [a, b, c], ("batch", "m", "n", "k"), attrs)
    x = numbers(rng, dtype, *([] if shared[0] else [3]), 2, 4)
    y = numbers(rng, dtype, *([] if shared[1] else [3]), 2, 5)
    _, (found,) = execute(name, program, (x, y), (3, 4, 5, 2))
    np.testing.assert_array_equal(found, np.broadcast_to(x.swapaxes(-1, -2) @ y, (3, 4, 5)))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", [*FLOATING, "int32", "bool"])
@pytest.mark.parametrize("shape", [(4, 3), (0, 3), (4, 0), (1, 1)])
@pytest.mark.parametrize("trans", [False, True])
def test_gemv(name: str, dtype: str, shape: tuple[int, int], trans: bool) -> None:
    rng = np.random.default_rng(2)
    rows, columns = ("n", "m") if trans else ("m", "n")
    specs = [buffer("a", dtype, "m", "n"), buffer("x", dtype, columns), buffer("y", dtype, rows)]
    program = library_program("gemv", specs, ("m", "n"), {"trans_a": trans})
    a = numbers(rng, dtype, *shape)
    op = a.T if trans else a
    x = numbers(rng, dtype, op.shape[1])
    _, (found,) = execute(name, program, (a, x), shape)
    np.testing.assert_array_equal(found, op @ x)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", FLOATING + OTHERS)
@pytest.mark.parametrize("n", [0, 1, 7])
def test_dot(name: str, dtype: str, n: int) -> None:
    rng = np.random.default_rng(3)
    specs = [buffer("x", dtype, "n"), buffer("y", dtype, "n"), buffer("out", dtype)]
    program = library_program("dot", specs, ("n",), {})
    x, y = numbers(rng, dtype, n), numbers(rng, dtype, n)
    _, (found,) = execute(name, program, (x, y), (n,))
    np.testing.assert_array_equal(found, x @ y)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", [d for d in words.DTYPES if d.kind != "c"], ids=str)
def test_argsort_is_stable_with_nan_last(name: str, dtype: np.dtype) -> None:
    specs = [buffer("x", dtype, "rows", "n"), buffer("out", "int64", "rows", "n")]
    program = library_program("argsort", specs, ("rows", "n"), {})
    for x in _unsorted(dtype):
        _, (found,) = execute(name, program, (x,), x.shape)
        np.testing.assert_array_equal(found, np.argsort(x, axis=-1, kind="stable"))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", ["uint64", "float64"])
def test_argsort_of_wide_numbers_sorts_by_halves(name: str, dtype: str) -> None:
    shapes = [buffer(b, t, "rows", "n") for b, t in (("x", dtype), ("out", "int64"))]
    more = buffer("more", "int64", "rows", "n")
    sizes = (i64("rows"), i64("n"))
    call = Library("argsort_wide", ("x", "out", "more"), sizes)
    program = Program((shapes[0],), (shapes[1], more), (), ("rows", "n"), (call,), ())
    rng = np.random.default_rng(6)
    near = (rng.integers(0, 50, (4, 300)) << 20) + rng.integers(0, 9, (4, 300))  # in low halves
    for x in (*_unsorted(np.dtype(dtype)), near.astype(dtype), near[::-1].astype(dtype)):
        _, (found, _) = execute(name, program, (np.ascontiguousarray(x),), x.shape)
        np.testing.assert_array_equal(found, np.argsort(x, axis=-1, kind="stable"))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("kind", ["float32", "int64", "bool"])
def test_sort_puts_nan_last(name: str, kind: str) -> None:
    dtype = np.dtype(kind)
    specs = [buffer("x", dtype, "rows", "n"), buffer("out", dtype, "rows", "n")]
    program = library_program("sort", specs, ("rows", "n"), {})
    for x in _unsorted(dtype):
        _, (found,) = execute(name, program, (x,), x.shape)
        np.testing.assert_array_equal(found, np.sort(x, axis=-1))


def _unsorted(dtype: np.dtype) -> list[np.ndarray]:
    rng, made = np.random.default_rng(4), []
    for rows, n in ((5, 33), (3, 1), (2, 2), (2, 0), (0, 4)):
        x = numbers(rng, str(dtype), rows, n)
        if dtype.kind == "f":
            x[rng.random(x.shape) < 0.2] = np.nan
            x[rng.random(x.shape) < 0.2] *= -0.0
        made.append(x)
    return made


def test_beta_zero_does_not_read_the_result() -> None:
    specs = [buffer(c, "float64", 2, 2) for c in "abc"]
    call = Library("gemm", ("a", "b", "c"), (*specs[0].shape, specs[0].shape[0]))
    program = Program(tuple(specs[:2]), (specs[2],), (), (), (call,), ())
    x, found = np.eye(2), np.full((2, 2), np.nan)
    compiled = backend("llvm").compile(program)
    compiled.call([x.ctypes.data, x.ctypes.data, found.ctypes.data], [])
    compiled.close()
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_scipy_stands_in_where_numpy_brings_no_blas(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same object code, given adapters over SciPy's Fortran pointers."""
    specs = [
        buffer("a", dtype, "k", "m"),
        buffer("b", dtype, "k", "n"),
        buffer("c", dtype, "m", "n"),
    ]
    attrs: dict[str, object] = {"trans_a": True, "alpha": 2, "beta": 1}
    program = library_program("gemm", specs, ("m", "n", "k"), attrs)
    data = backend("llvm").compile(program).to_bytes()
    assert data is not None
    blas.clear()
    monkeypatch.setattr(blas, "_openblas", lambda: ())
    rng = np.random.default_rng(5)
    x, y = numbers(rng, dtype, 3, 4), numbers(rng, dtype, 3, 5)
    found = np.full((4, 5), 77, dtype)
    loaded = load(Artefact.from_bytes(data))
    loaded.call([v.ctypes.data for v in (x, y, found)], [4, 5, 3])
    loaded.close()
    blas.clear()
    np.testing.assert_array_equal(found, answer(dtype, attrs, x.T @ y))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_scipy_stands_in_for_vectors_too(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blas.clear()
    monkeypatch.setattr(blas, "_openblas", lambda: ())
    rng = np.random.default_rng(6)
    a, y = numbers(rng, dtype, 4, 3), numbers(rng, dtype, 4)
    specs = [buffer("a", dtype, "m", "n"), buffer("x", dtype, "m"), buffer("y", dtype, "n")]
    program = library_program("gemv", specs, ("m", "n"), {"trans_a": True})
    _, (found,) = execute("llvm", program, (a, y), (4, 3))
    np.testing.assert_array_equal(found, a.T @ y)
    blas.clear()
