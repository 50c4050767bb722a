"""Runs of kernels and products done for a block of rows at a time."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph.loop.forms import form_of
from symgraph.loop.ir import Call, Const, Library, Repeat, Var
from symgraph.loop.parse import parse
from symgraph.loop.text import same, show
from symgraph.loop.traverse import steps_of
from symgraph.lower.program import Lowered
from symgraph.lower.schedule import Schedule
from tests.lower.lowered import assert_right, calls, program_of

rng = np.random.default_rng(11)
# Blocks of 16 or 32 rows in up to 3 chunks, however small the arrays.
SMALL = Schedule(tile_bytes=2000, most_tiles=3, least_gain=1)
CHAINED = Schedule(tile_bytes=1 << 16, most_tiles=3, least_gain=1)


def runs(lowered: Lowered) -> list[Repeat]:
    found = [s for s in steps_of(lowered.program.steps) if isinstance(s, Repeat)]
    return [s for s in found if s.kind == "parallel"]


def products_outside(lowered: Lowered) -> int:
    return sum(isinstance(s, Library) for s in lowered.program.steps)


def softmax(z):
    e = sg.exp(z - sg.max(z, axis=-1, keepdims=True))
    return e / sg.sum(e, axis=-1, keepdims=True)


def logistic(n):
    x, w = sg.tensor("x", shape=(n, 7)), sg.tensor("w", shape=(7, 4))
    b, y = sg.tensor("b", shape=(4,)), sg.tensor("y", shape=(n, 4))
    z = x @ w + b
    z = z - sg.max(z, axis=1, keepdims=True)
    logp = z - sg.log(sg.sum(sg.exp(z), axis=1, keepdims=True))
    loss = -sg.sum(y * logp) / n
    return [loss, *sg.grad(loss, [w, b])], [x, w, b, y]


def mixture(n):
    mu, x = sg.tensor("mu", shape=(5, 3)), sg.tensor("x", shape=(n, 3))
    q = (x * x) @ (mu * mu).T - 2 * (x @ mu.T)
    r = softmax(-q)
    weight = sg.expand_dims(sg.sum(r, axis=0), 1)
    return [(r.T @ x) / weight, (r.T @ (x * x)) / weight, sg.sum(sg.max(q, axis=1))], [mu, x]


def kernel_sums(n):
    x, y = sg.tensor("x", shape=(n, 3)), sg.tensor("y", shape=(50, 3))
    d = sg.sum(x * x, axis=1, keepdims=True) + sg.sum(y * y, axis=1) - 2 * (x @ y.T)
    return [sg.sum(sg.exp(-0.5 * d), axis=1)], [x, y]


def attention(n):
    q, k, v = (sg.tensor(name, shape=(2, n // 4, 6, 5)) for name in "qkv")
    p = softmax(q @ k.mT / 2.0)
    o = p @ v
    loss = sg.sum(o * o)
    return [loss, *sg.grad(loss, [q, k, v])], [q, k, v]


def two_layers(n):
    x, v, w = (
        sg.tensor("x", shape=(n, 4)),
        sg.tensor("v", shape=(4, 6)),
        sg.tensor("w", shape=(6, 3)),
    )
    loss = sg.mean((sg.tanh(x @ v) @ w) ** 2)
    return [loss, *sg.grad(loss, [v, w])], [x, v, w]


def output_inside(n):
    x, w = sg.tensor("x", shape=(n, 4)), sg.tensor("w", shape=(4, 6))
    h = sg.tanh(x @ w)
    return [h, h @ w.T, sg.sum(h, axis=0), sg.max(h)], [x, w]


def products_alone(n):
    x, w = sg.tensor("x", shape=(n, 4)), sg.tensor("w", shape=(4, 6))
    return [x.T @ (x @ w)], [x, w]


GRAPHS = {
    f.__name__: f
    for f in (
        logistic,
        mixture,
        kernel_sums,
        attention,
        two_layers,
        output_inside,
        products_alone,
    )
}


@pytest.mark.parametrize("rows", [64, 100, 17])
@pytest.mark.parametrize("name", GRAPHS)
def test_blocks_give_the_same_values(name, rows):
    rows = 20 if name == "attention" else rows
    outputs, inputs = GRAPHS[name](rows)
    given = {v: rng.normal(size=v.shape) for v in inputs}
    lowered = assert_right(outputs, given, rtol=1e-10, schedule=SMALL)
    assert same(parse(show(lowered.program)), lowered.program)
    assert len(runs(lowered)) == (1 if rows > 17 else 0)


@pytest.mark.parametrize("name", ["logistic", "mixture", "kernel_sums", "attention", "two_layers"])
def test_no_product_and_no_large_array_is_left_outside(name):
    outputs, inputs = GRAPHS[name](100)
    given = {v: rng.normal(size=v.shape) for v in inputs}
    lowered = assert_right(outputs, given, rtol=1e-10, schedule=SMALL)
    assert products_outside(lowered) == 0


def test_a_sum_of_products_with_few_columns_has_transposed_parts():
    x, w = sg.tensor("x", shape=(100, 12)), sg.tensor("w", shape=(12, 3))
    given = {x: rng.normal(size=(100, 12)), w: rng.normal(size=(12, 3))}
    lowered = assert_right([x.T @ softmax(x @ w)], given, rtol=1e-10, schedule=SMALL)
    inner = [s for s in steps_of(lowered.program.steps) if isinstance(s, Library)]
    sizes = [[d.value for d in s.sizes if isinstance(d, Const)] for s in inner]
    assert sizes == [[3, 12], [3, 12]]  # rows times w, and its gradient's transpose
    assert dict(inner[1].attrs)["trans_a"]


@pytest.mark.parametrize("rows", [100, 65, 240, 33])
def test_chunks_differ_by_one_block_at_most(rows):
    """Seven blocks in three chunks are two, two and three: a thread waits for the longest."""
    outputs, inputs = two_layers(rows)
    given = {v: rng.normal(size=v.shape) for v in inputs}
    lowered = assert_right(outputs, given, rtol=1e-10, schedule=SMALL)
    (chunks,) = runs(lowered)
    (blocks,) = (s for s in chunks.steps if isinstance(s, Repeat))
    assert isinstance(chunks.extent, Const)
    counts = [blocks_in(blocks.extent, {chunks.var: c}) for c in range(int(chunks.extent.value))]
    assert max(counts) - min(counts) <= 1
    assert min(counts) > 0


def blocks_in(x, scope):
    """The value of an expression of whole numbers."""
    if isinstance(x, Const):
        return int(x.value)
    if isinstance(x, Var):
        return scope[x.name]
    a, b = (blocks_in(arg, scope) for arg in x.args)
    return {"add": a + b, "sub": a - b, "mul": a * b, "floordiv": a // max(b, 1)}[x.name]


def test_rows_that_are_read_as_a_whole_are_made_before():
    """Norms of as many rows y as there are rows x: same length, but not the same rows."""
    x, y = sg.tensor("x", shape=(50, 3)), sg.tensor("y", shape=(50, 3))
    d = sg.sum(x * x, axis=1, keepdims=True) + sg.sum(y * y, axis=1) - 2 * (x @ y.T)
    given = {x: rng.normal(size=(50, 3)), y: rng.normal(size=(50, 3))}
    lowered = assert_right([sg.sum(sg.exp(-d), axis=1)], given, rtol=1e-10, schedule=SMALL)
    assert len(runs(lowered)) == 1


def test_small_programs_are_left_alone():
    outputs, inputs = logistic(100)
    lowered = assert_right(outputs, {v: rng.normal(size=v.shape) for v in inputs}, rtol=1e-10)
    assert not runs(lowered)
    assert len(calls(lowered)) > 3


def test_the_number_of_rows_may_be_a_symbol():
    n = sg.Dim("n")
    x, w = sg.tensor("x", shape=(n, 30)), sg.tensor("w", shape=(30, 20))
    y = softmax(x @ w)
    f = sg.function([x, w], [sg.sum(y, axis=0), x.T @ y], mode=sg.Mode(accuracy="as-written"))
    weights = rng.normal(size=(30, 20))
    for rows in (5, 6, 1000, 3001):
        data = rng.normal(size=(rows, 30))
        total, product = f(data, weights)
        e = np.exp(data @ weights)
        p = e / e.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(total, p.sum(axis=0), rtol=1e-11)
        np.testing.assert_allclose(product, data.T @ p, rtol=1e-10, atol=1e-12)
    (symbolic,) = (s for s in f._special.values() if s.executable.lowered.program.sizes)
    assert len(runs(symbolic.executable.lowered)) == 1


def test_a_turned_product_is_a_product_of_turned_operands():
    x, y = sg.tensor("x", shape=(2, 3, 4)), sg.tensor("y", shape=(2, 5, 4))
    given = {x: rng.normal(size=(2, 3, 4)), y: rng.normal(size=(2, 5, 4))}
    lowered = assert_right([(x @ y.mT).mT], given)
    assert len(calls(lowered)) == 1
    assert_right([(x @ y.mT).mT, x @ y.mT], given)
    assert_right([(x @ y[0].T).mT * 2], given)


def test_blocks_of_a_batch_and_of_rows_have_several_rows():
    """A product of all rows, then one for each row."""
    x, y = sg.tensor("x", shape=(50, 8)), sg.tensor("y", shape=(50, 20, 2))
    w = sg.tensor("w", shape=(8, 180))
    given = {v: rng.normal(size=v.shape) for v in (x, w, y)}
    wide = Schedule(tile_bytes=40_000, most_tiles=3, least_gain=1)
    found = sg.reshape(x @ w, (50, 9, 20)) @ y
    lowered = assert_right([found], given, 1e-12, wide)
    assert len(runs(lowered)) == 1
    heights = {s.sizes[0] for s in steps_of(lowered.program.steps) if isinstance(s, Library)}
    assert not any(isinstance(h, Const) and h.value == 1 for h in heights)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("m", "n", "k"), [(2, 3, 4), (1, 1, 5), (4, 1, 4), (3, 3, 3)])
def test_tiny_products_of_a_batch_are_loops(m, n, k, dtype):
    x, y = (
        sg.tensor("x", shape=(9, m, k), dtype=dtype),
        sg.tensor("y", shape=(9, k, n), dtype=dtype),
    )
    given = {v: rng.normal(size=v.shape).astype(dtype) for v in (x, y)}
    tiny = 16 * float(np.finfo(dtype).eps)
    lowered = assert_right([x @ y, 3 * (x @ y)], given, tiny, atol=tiny)
    assert not any(isinstance(s, Library) for s in steps_of(lowered.program.steps))
    lowered = assert_right([x[0] @ y[0]], given, tiny, atol=tiny)  # a single one is no batch
    assert any(isinstance(s, Library) for s in steps_of(lowered.program.steps))


def chain(n, steps, width=()):
    """A chain of functions that is too long for one kernel, its sum and the sum's gradient."""
    x = sg.tensor("x", shape=(n, *width))
    y = x
    for k in range(steps):
        y = sg.tanh(1.1 * y + 0.1 * k)
    total = sg.sum(y)
    return [total, *sg.grad(total, [x])], [x]


@pytest.mark.parametrize("n", [64, 39])
@pytest.mark.parametrize("width", [(), (3,)])
def test_a_long_chain_of_elementwise_kernels_is_done_block_by_block(n, width):
    outputs, inputs = chain(n, 80, width)
    lowered = assert_right(
        outputs, {v: rng.normal(size=v.shape) for v in inputs}, rtol=1e-10, schedule=CHAINED
    )
    assert same(parse(show(lowered.program)), lowered.program)
    (loop,) = runs(lowered)
    inside = [s for s in steps_of((loop,)) if isinstance(s, Call)]
    outside = [s for s in lowered.program.steps if isinstance(s, Call)]
    assert len(inside) > 8
    assert len(outside) <= 1  # what joins the parts of the sum


def test_a_chain_worth_threads_has_them_though_its_kernels_have_not():
    outputs, inputs = chain(400, 100)
    lowered = program_of(outputs, inputs)
    assert len(runs(lowered)) == 1


def test_kernels_of_equal_layers_are_equal_on_blocks_too():
    """Whether they read scratch or the rows of a whole buffer: layers in between are one form."""
    x = sg.tensor("x", shape=(400,))
    y = x
    for _ in range(100):
        y = sg.tanh(1.1 * y + 0.25)
    lowered = assert_right([y, *sg.grad(sg.sum(y), [x])], {x: rng.normal(size=400)}, rtol=1e-9)
    assert len(runs(lowered)) == 1
    kernels = lowered.program.kernels
    assert len(kernels) > 20
    assert len({form_of(k).key() for k in kernels}) <= 9


def test_a_chain_of_little_work_is_left_alone():
    outputs, inputs = chain(20, 100)
    assert not runs(program_of(outputs, inputs))


def test_long_sums_stay_out_of_chains():
    """A block of a sum that is added exactly has at most 1,024 terms; a chunk may have more."""
    outputs, inputs = chain(20_000, 100)
    sums = [s for s in program_of(outputs, inputs).program.steps if isinstance(s, Call)]
    assert len(runs(program_of(outputs, inputs))) == 2
    assert sums


@pytest.mark.parametrize("accuracy", ["default", "as-written"])
def test_a_chain_has_the_same_bits_on_one_thread(accuracy):
    (total, slope), (x,) = chain(1000, 60)
    given = rng.normal(size=1000)
    f = sg.function([x], [total, slope], mode=sg.Mode(accuracy=accuracy))
    many = [np.array(v) for v in f(given)]
    with sg.config(threads=1):
        one = f(given)
    assert all(a.tobytes() == np.asarray(b).tobytes() for a, b in zip(many, one, strict=True))


def test_tiny_products_of_a_turn_are_part_of_its_kernel():
    x = sg.tensor("x", dtype="float64", shape=(2, 2))
    y = sg.tensor("y", dtype="float64", shape=(5, 2, 3))

    def step(s, now):
        return (x @ s[0] + now[0],), s[0] @ now[0].mT

    (last,), outs = sg.scan(step, (y[0],), (y,))
    rng = np.random.default_rng(3)
    given = {x: rng.standard_normal((2, 2)), y: rng.standard_normal((5, 2, 3))}
    lowered = assert_right([last, outs, x @ last], given)
    assert [s.name for s in calls(lowered) if isinstance(s, Library)] == ["gemm"]
    assert sum("scan" in k.name for k in lowered.program.kernels) == 1
