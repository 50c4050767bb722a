"""Products of matrices by our own kernels: error bounds, every form, layout, tail and thread count.

The reference is a product in extended precision. The bound is the one for sums in any order,
gamma(k) |A| |B| (Higham 2002, section 3.5), with two more roundings for alpha and beta.
"""

from __future__ import annotations

import ctypes
import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import llvmlite.binding as llvm
import numpy as np
import pytest

from symgraph.codegen import externals
from symgraph.codegen.loader import library
from symgraph.codegen.objects import compile_straight, straight_assembly
from symgraph.codegen.product_build import ENTRY, assembly, host_shape, shape_for
from symgraph.codegen.product_choice import is_single
from symgraph.codegen.product_code import MISSING, POINTER, Function
from symgraph.codegen.product_entry import planned
from symgraph.codegen.product_kernel import ROW_BLOCKS, Shape
from symgraph.codegen.product_parts import Sizes, everything, needed, parts
from symgraph.loop.build import const, mul, sub, var, word
from symgraph.loop.ir import Buffer, Library, Program, Repeat

DTYPES = ("float32", "float64")
# m, n, k: tails in every direction, each form of product_entry, several blocks of k
SIZES = [
    *[(1, 1, 1), (3, 5, 7), (5, 4, 3), (9, 300, 513)],  # direct
    *[(1, 1, 300), (2, 3, 700), (3, 3, 5000), (1, 1, 40000)],  # dotted, cut along k
    *[(1, 50, 33), (1, 257, 21), (50, 1, 33), (40, 1, 200)],  # streamed
    *[(1, 3, 5), (21, 1, 16), (1, 40, 13), (16, 1, 16), (300, 1, 15), (40, 1, 1)],  # paired
    *[(20, 10, 150), (37, 16, 784), (33, 3, 2500), (100, 10, 300)],  # skinny, swapped
    *[(37, 53, 71), (130, 128, 300), (65, 65, 600), (200, 31, 90)],  # packed
]


def caller(address: int, dtype: str) -> Callable[..., None]:
    """The function at an address as one of Python numbers."""
    size, place = ctypes.c_int64, ctypes.c_void_p
    factor = ctypes.c_float if dtype == "float32" else ctypes.c_double
    kinds = [*[size] * 5, factor, place, place, factor, place, place]
    return ctypes.CFUNCTYPE(None, *kinds)(address)


def product(
    run: Callable[..., None],
    a: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    flags: tuple[bool, bool] = (False, False),
    factors: tuple[float, float] = (1, 0),
    parallel: int | None = None,
) -> np.ndarray:
    """c = alpha * op(a) @ op(b) + beta * c."""
    shared = (a.ndim < c.ndim, b.ndim < c.ndim)
    bits = sum(on << i for i, on in enumerate((*flags, *shared)))
    batch = c.shape[0] if c.ndim > 2 else 1
    k = a.shape[-2] if flags[0] else a.shape[-1]
    places = [x.ctypes.data for x in (a, b, c)]
    sizes = (batch, *c.shape[-2:], k, bits)
    run(*sizes, factors[0], *places[:2], factors[1], places[2], parallel)
    return c


@pytest.fixture(params=DTYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(dtype: str) -> Callable[..., None]:
    return caller(externals.address(f"product.{dtype}"), dtype)


def stored(rng: np.random.Generator, dtype: str, turned: bool, *shape: int) -> np.ndarray:
    """Random numbers, with the last two axes exchanged where the operand is stored transposed."""
    order = (*shape[:-2], shape[-1], shape[-2]) if turned else shape
    return rng.standard_normal(order).astype(dtype)


def check(run: Callable[..., None], a: np.ndarray, b: np.ndarray, old: np.ndarray, **how) -> None:
    """The result is within the bound; with beta = 0 the old result is not read."""
    alpha, beta = how.get("factors", (1, 0))
    flip_a, flip_b = how.get("flags", (False, False))
    x = (a.swapaxes(-1, -2) if flip_a else a).astype(np.longdouble)
    y = (b.swapaxes(-1, -2) if flip_b else b).astype(np.longdouble)
    c = old.copy() if beta else np.full_like(old, np.nan)
    product(run, a, b, c, **how)
    exact = alpha * (x @ y) + beta * old
    unit = np.finfo(old.dtype).eps / 2
    size = abs(alpha) * (abs(x) @ abs(y)) + abs(beta * old)
    wrong = ~(abs(c - exact) <= (x.shape[-1] + 3) * unit * size)
    assert not wrong.any(), (old.shape, x.shape[-1], how, np.argwhere(wrong)[:4])


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_results_are_within_the_error_bound(run, dtype: str, sizes: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(sizes)
    m, n, k = sizes
    for flags in itertools.product((False, True), repeat=2):
        for factors in ((1, 0), (-1, 1), (2, 0.5)):
            a, b = stored(rng, dtype, flags[0], m, k), stored(rng, dtype, flags[1], k, n)
            old = rng.standard_normal((m, n)).astype(dtype)
            check(run, a, b, old, flags=flags, factors=factors)


@pytest.mark.parametrize("shared", list(itertools.product((False, True), repeat=2)))
def test_batches_share_operands(run, dtype: str, shared: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(7)
    for (m, n, k), flags in itertools.product([(5, 9, 4), (70, 80, 90)], [(0, 0), (1, 0), (0, 1)]):
        lead_a, lead_b = (() if s else (6,) for s in shared)
        a = stored(rng, dtype, bool(flags[0]), *lead_a, m, k)
        b = stored(rng, dtype, bool(flags[1]), *lead_b, k, n)
        old = rng.standard_normal((6, m, n)).astype(dtype)
        check(run, a, b, old, flags=flags, factors=(1, 1))


@pytest.mark.parametrize("shared", [(False, False), (True, False), (False, True)])
def test_batches_of_short_vectors_are_done_together(run, dtype: str, shared: list[bool]) -> None:
    rng = np.random.default_rng(21)
    for batch, k in itertools.product((2, 7, 8, 16, 45, 3000), (1, 5, 16, 30, 200)):
        lead_a, lead_b = (() if s else (batch,) for s in shared)
        old = rng.standard_normal((batch, 1, 1)).astype(dtype)
        for flags in itertools.product((False, True), repeat=2):
            a, b = (
                stored(rng, dtype, flags[0], *lead_a, 1, k),
                stored(rng, dtype, flags[1], *lead_b, k, 1),
            )
            check(run, a, b, old, flags=flags, factors=(2, 0.5))


def test_every_width_and_height_of_a_block(run, dtype: str) -> None:
    rng = np.random.default_rng(8)
    for m, n in [(m, 17) for m in range(1, 27)] + [(7, n) for n in range(1, 150, 3)]:
        a, b = stored(rng, dtype, False, m, 5), stored(rng, dtype, False, 5, n)
        check(run, a, b, np.zeros((m, n), dtype))


@pytest.mark.parametrize("factors", [(1, 0), (-1.5, 0), (2, 0.5)], ids=str)
def test_every_width_of_a_block_of_long_sums(run, dtype: str, factors: tuple[float, float]) -> None:
    rng = np.random.default_rng(17)
    for m, n, turned in itertools.product((2, 4, 9), range(1, 17), (False, True)):
        a, b = stored(rng, dtype, False, m, 150), stored(rng, dtype, turned, 150, n)
        old = rng.normal(size=(m, n)).astype(dtype)
        check(run, a, b, old, flags=(False, turned), factors=factors)


def test_zeros_are_positive_in_every_block(run, dtype: str) -> None:
    a, b = np.zeros((9, 150), dtype), np.ones((150, 11), dtype)
    found = product(run, a, b, np.empty((9, 11), dtype), factors=(-1, 0))
    assert not np.signbit(found).any()


def test_a_column_left_over_by_a_cut_is_computed(run, dtype: str) -> None:
    """Few rows, long sums: pieces of columns, of which the last is a single one."""
    rng = np.random.default_rng(13)
    for m, n, k in ((8, 129, 4096), (3, 129, 9000), (5, 65, 9000)):
        a, b = stored(rng, dtype, False, m, k), stored(rng, dtype, True, k, n)
        check(run, a, b, np.zeros((m, n), dtype), flags=(False, True))


def test_empty_sums_are_zero_and_empty_results_are_left_alone(run, dtype: str) -> None:
    for m, n in ((4, 5), (1, 5), (5, 1), (1, 1), (70, 40)):
        for flags in itertools.product((False, True), repeat=2):
            a = np.empty((0, m) if flags[0] else (m, 0), dtype)
            b = np.empty((n, 0) if flags[1] else (0, n), dtype)
            found = product(run, a, b, np.full((m, n), np.nan, dtype), flags=flags)
            np.testing.assert_array_equal(found, np.zeros((m, n)))
            kept = product(run, a, b, np.full((m, n), 7, dtype), flags=flags, factors=(1, 1))
            np.testing.assert_array_equal(kept, np.full((m, n), 7))
    for shape in ((0, 3, 2), (3, 0, 2), (0, 0, 0)):
        m, n, k = shape
        product(run, np.ones((m, k), dtype), np.ones((k, n), dtype), np.ones((m, n), dtype))


def test_nothing_around_the_result_is_touched(run, dtype: str) -> None:
    rng = np.random.default_rng(9)
    for m, n, k in SIZES:
        for flags in itertools.product((False, True), repeat=2):
            a, b = stored(rng, dtype, flags[0], m, k), stored(rng, dtype, flags[1], k, n)
            room = np.full(m * n + 64, 77, dtype)
            product(run, a, b, room[32:-32].reshape(m, n), flags=flags)
            around = np.concatenate((room[:32], room[-32:]))
            assert (around == 77).all(), (m, n, k, flags)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_specials_reach_their_row_and_column_alone(run, dtype: str, special: float) -> None:
    rng = np.random.default_rng(10)
    for m, n, k in SIZES:
        for flags in itertools.product((False, True), repeat=2):
            a = abs(stored(rng, dtype, flags[0], m, k)) + 1
            b = abs(stored(rng, dtype, flags[1], k, n)) + 1
            i, p = int(rng.integers(m)), int(rng.integers(k))
            a[(p, i) if flags[0] else (i, p)] = special
            found = product(run, a, b, np.zeros((m, n), dtype), flags=flags)
            np.testing.assert_array_equal(found[i], np.full(n, special, dtype))
            assert np.isfinite(np.delete(found, i, 0)).all()


def test_zero_times_infinity_is_nan(run, dtype: str) -> None:
    for m, n, k in SIZES:
        b = np.ones((k, n), dtype)
        b[0, -1] = np.inf
        found = product(run, np.zeros((m, k), dtype), b, np.zeros((m, n), dtype))
        assert np.isnan(found[:, -1]).all()
        assert (found[:, :-1] == 0).all()


def test_the_same_bits_on_any_number_of_threads(run, dtype: str) -> None:
    rng = np.random.default_rng(11)
    pool = externals.address(externals.PARALLEL)
    for m, n, k in [(300, 200, 257), (20000, 10, 40), (300, 10, 20000), (1, 3000, 500)]:
        for flags in itertools.product((False, True), repeat=2):
            a, b = stored(rng, dtype, flags[0], m, k), stored(rng, dtype, flags[1], k, n)
            one, many = (
                product(run, a, b, np.empty((m, n), dtype), flags=flags, parallel=p)
                for p in (None, pool)
            )
            np.testing.assert_array_equal(one.view("u1"), many.view("u1"))


@pytest.mark.parametrize("features", [{}, {"avx": True}, {"avx512f": True}], ids=str)
def test_other_vector_lengths_give_right_results(dtype: str, features: dict[str, bool]) -> None:
    """Code for narrower vectors runs here too; LLVM splits or joins what the processor lacks."""
    shape = shape_for(dtype, features, "x86_64-unknown")
    loaded = library(compile_straight(assembly(shape)), [ENTRY])
    run = caller(loaded.address[ENTRY], dtype)
    rng = np.random.default_rng(12)
    for m, n, k in [(37, 53, 71), (20, 10, 150), (2, 3, 700), (1, 50, 33), (100, 10, 300)]:
        for flags in itertools.product((False, True), repeat=2):
            a, b = stored(rng, dtype, flags[0], m, k), stored(rng, dtype, flags[1], k, n)
            check(run, a, b, np.zeros((m, n), dtype), flags=flags)
    loaded.close()


def watched(shape: Shape) -> tuple[str, list[str]]:
    """The code with a variable for each function, set when it is called; their names."""
    text = assembly(shape)
    names = [n for n in re.findall(r"define internal void @(\w+)", text) if n != MISSING]
    for name in names:
        mark = rf"define internal void @{name}\([^\n]*{{\n"
        text = re.sub(mark, lambda head, n=name: f"{head[0]}  store i64 1, ptr @seen.{n}\n", text)
    return "\n".join([text, *(f"@seen.{n} = global i64 0" for n in names)]), names


def test_a_product_that_is_not_cut_would_be_one_piece(dtype: str) -> None:
    """Small products skip the computation of pieces, and keep the bits that it would give."""
    shape, rng, alone = host_shape(dtype), np.random.default_rng(2), 0
    for _ in range(300):
        batch, m, n, k = (int(2 ** rng.uniform(0, most)) for most in (4, 9, 9, 11))
        f = Function("sizes", [], "")
        work = {
            x: f.number(v) for x, v in zip(("batch", "m", "n", "k"), (batch, m, n, k), strict=True)
        }
        work |= {"flags": f.number(int(rng.integers(0, 4)))}
        work |= {x: f.constant(POINTER, x) for x in "ab"}
        made = planned(f, shape, work)
        if is_single(work).known:
            alone += 1
            assert made["pieces"].known == 1, (batch, m, n, k)
            assert made["count_k"].known == 1
    assert 30 < alone < 270


@pytest.mark.parametrize("features", [{}, {"avx": True}, {"avx512f": True}], ids=str)
def test_what_sizes_call_is_foreseen(dtype: str, features: dict[str, bool]) -> None:
    """Every function that a product calls is among those that its sizes say it needs."""
    shape = shape_for(dtype, features, "x86_64-unknown")
    text, names = watched(shape)
    loaded = library(compile_straight(text), [ENTRY, *(f"seen.{n}" for n in names)])
    run = caller(loaded.address[ENTRY], dtype)
    seen = {n: ctypes.c_int64.from_address(loaded.address[f"seen.{n}"]) for n in names}
    optional, rng, called = everything(shape), np.random.default_rng(14), set()
    for _ in range(400):
        m, n, k = (int(2 ** rng.uniform(0, rng.choice([4, 8, 13]))) for _ in range(3))
        if rng.random() < 0.05:
            m = n = 1
        k, batch = (
            min(k, 1 + 2**22 // (m * n)),
            1 if m * n * k > 2**16 else int(rng.choice([1, 20])),
        )
        flags = tuple(bool(x) for x in rng.integers(0, 2, 2))
        for flag in seen.values():
            flag.value = 0
        a = np.zeros((batch, k, m) if flags[0] else (batch, m, k), dtype)
        b = np.zeros((batch, n, k) if flags[1] else (batch, k, n), dtype)
        product(run, a, b, np.empty((batch, m, n), dtype), flags=flags)
        found = {name for name, flag in seen.items() if flag.value} & optional
        sizes = Sizes(batch, m, n, k, sum(on << i for i, on in enumerate(flags)))
        assert found <= parts(shape, sizes), sizes
        called |= found
    assert called == optional
    loaded.close()


def test_code_for_some_sizes_has_the_bits_of_code_for_all(run, dtype: str) -> None:
    rng, shape = np.random.default_rng(15), host_shape(dtype)
    for (m, n, k), turned in [
        ((130, 128, 300), True),
        ((3, 3, 5000), True),
        ((100, 10, 300), False),
    ]:
        a, b = stored(rng, dtype, False, m, k), stored(rng, dtype, turned, k, n)
        names = parts(shape, Sizes(1, m, n, k, 2 * turned))
        loaded = library(compile_straight(assembly(shape, names)), [ENTRY])
        few = caller(loaded.address[ENTRY], dtype)
        found, whole = (
            product(f, a, b, np.empty((m, n), dtype), (False, turned)) for f in (few, run)
        )
        np.testing.assert_array_equal(found.view("u1"), whole.view("u1"))
        loaded.close()


def test_a_program_is_given_what_its_blocks_of_rows_call() -> None:
    """Sizes that change with the turns of a loop are seen one by one; symbols take everything."""
    rows = word("minimum", const(144), sub(const(300), mul(var("block", "int64"), const(144))))
    spec = [Buffer(x, np.dtype("f4"), (const(784), const(784))) for x in "abc"]
    step = Library("gemm", ("a", "b", "c"), (rows, const(10), const(784)))
    shape = host_shape("float32")
    loop = Repeat("block", const(3), (step,))
    program = Program(tuple(spec[:2]), (spec[2],), (), ("n",), (loop,), ())
    each = [parts(shape, Sizes(1, m, 10, 784, 0)) for m in (144, 12)]
    assert needed(program, host_shape) == {"float32": each[0] | each[1]}
    open_loop = Repeat("block", var("n", "int64"), (step,))
    assert needed(replace(program, steps=(open_loop,)), host_shape) == {
        "float32": everything(shape)
    }


def test_arm_gets_short_vectors_and_many_registers() -> None:
    assert shape_for("float64", {}, "aarch64-apple-darwin") == Shape(np.dtype("float64"), 2, 32)


def test_blocks_fit_the_registers() -> None:
    for registers, blocks in ROW_BLOCKS.items():
        for vectors, heights in blocks.items():
            assert heights[-1] == 1
            assert max(heights) * vectors + vectors + 1 <= registers


def test_kernels_keep_their_block_in_registers(dtype: str) -> None:
    """The loop of the largest kernel has a multiply-add for each accumulator and no spills."""
    features = llvm.get_host_cpu_features()
    if not features.get("avx512f"):
        pytest.skip("reads the assembly of x86 with AVX-512")
    code = straight_assembly(assembly(shape_for(dtype, features, llvm.get_process_triple())))
    body = re.search(r"^rows_6x4:(.*?)^\.Lfunc_end", code, re.S | re.M)
    assert body
    loop = max(re.split(r"^\.LBB\w+:", body[1], flags=re.M), key=lambda t: t.count("vfmadd231p"))
    assert loop.count("vfmadd231p") == 24
    assert "rsp" not in loop.split("jg")[0]
