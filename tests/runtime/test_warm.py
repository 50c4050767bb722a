"""A second process finds code by the graph as the user built it, and does no rewriting."""

import gc
import os
import pickle
import subprocess
import sys
import textwrap
import weakref

import numpy as np
import pytest

import symgraph as sg
from symgraph.autodiff.deferred import STAND_IN, Deferred
from symgraph.ir.digest import Digest, NotPortable
from symgraph.ir.graph import toposort
from symgraph.ops import BUILT_IN

HEAVY = (
    "numba",
    "scipy",
    "llvmlite",
    "symgraph.rewrite.engine",
    "symgraph.lower.program",
    "symgraph.compile",
    "symgraph.autodiff.vjp",
    "numpy.ma",
    "dataclasses",
    "pathlib",
    "tempfile",
)

PROGRAMS = {
    "values": """
        x, y = sg.vectors("x", "y")
        f = sg.function([x, y], [sg.sum(x * y + 1.0), x - y])
        out = f(a, b)
    """,
    "gradients": """
        x, y = sg.vectors("x", "y")
        cost = sg.sum(sg.log(1 + sg.exp(x * y)))
        f = sg.function([x, y], [cost, *sg.grad(cost, [x, y])])
        out = f(a, b)
    """,
    "constants": """
        x = sg.vector("x")
        w = sg.constant(np.arange(10.0))
        f = sg.function([x], {"p": x * w + sg.constant(np.linspace(0, 1, 10)), "s": sg.max(w)})
        found = f(a)
        out = [found["p"], found["s"]]
    """,
    "a loop": """
        x = sg.vector("x")
        last, every = sg.scan(lambda c, v: (c * 0.5 + v, c * c), sg.constant(0.0), x)
        f = sg.function([x], [last, every, *sg.grad(last + sg.sum(every), [x])])
        out = f(a)
    """,
    "states": """
        x, s = sg.vector("x"), sg.shared(np.ones(10), "s")
        f = sg.function([x], sg.sum(x * s), updates={s: s + x})
        out = [f(a), f(a), s.get_value()]
    """,
    "a product": """
        x, w = sg.matrix("x"), sg.matrix("w")
        cost = sg.mean(sg.tanh(x @ w))
        f = sg.function([x, w], [cost, *sg.grad(cost, [w])])
        out = f(a.reshape(2, 5), b.reshape(5, 2))
    """,
    "slow lanes": """
        x = sg.vector("x")
        f = sg.function([x], sg.log(x) - sg.sin(x), mode=sg.Mode(accuracy="high"))
        out = f(np.full(10, 2.219107148913746))
    """,
    "complex products": """
        x, w = sg.matrix("x", dtype="complex128"), sg.matrix("w", dtype="complex128")
        f = sg.function([x, w], x @ w)
        out = f(a.reshape(2, 5) * 1j, b.reshape(5, 2) + 2j).view("float64")
    """,
    "threads": """
        x = sg.vector("x")
        f = sg.function([x], [sg.tanh(x) * 2, sg.sum(sg.exp(-x))])
        large = np.linspace(0, 1, 300_000)
        y, total = f(large)
        out = [y[::10_000], total]
    """,
    "order": """
        x = sg.matrix("x")
        f = sg.function([x], [sg.sort(x, axis=1), sg.argsort(x, axis=1), sg.cumsum(x, axis=0)])
        out = f(a.reshape(2, 5))
    """,
    "changing lengths": """
        x, y = sg.vectors("x", "y")
        f = sg.function([x, y], x * y)
        out = [f(a, b), f(a[:4].copy(), b[:4].copy()), f(a, b[:1]), f(b, a)]
    """,
}
SCRIPT = """
import sys
import numpy as np
a, b = np.random.default_rng(0).random((2, 10))
before = set(sys.modules)
import symgraph as sg
{program}
heavy = [m for m in {heavy} if m in sys.modules and m not in before]
print(repr([np.asarray(v).tolist() for v in out]))
print(heavy)
"""


def _run(program, folder):
    text = SCRIPT.format(program=textwrap.dedent(program), heavy=HEAVY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"SYMGRAPH_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    out, heavy = done.stdout.strip().splitlines()
    return out, heavy


_QUICK = ("gradients",)


@pytest.mark.parametrize(
    "name", [n if n in _QUICK else pytest.param(n, marks=pytest.mark.slow) for n in PROGRAMS]
)
def test_a_second_process_neither_rewrites_nor_lowers(name, tmp_path):
    cold, heavy = _run(PROGRAMS[name], tmp_path)
    assert "symgraph.compile" in heavy
    warm, heavy = _run(PROGRAMS[name], tmp_path)
    assert warm == cold
    assert heavy == "[]"


@pytest.fixture
def folder(tmp_path):
    with sg.config(cache_dir=str(tmp_path), cache=True):
        yield tmp_path


def test_what_was_not_compiled_is_compiled_when_looked_at(folder):
    x = sg.vector("x")

    def make():
        cost = sg.sum(sg.log(1 + sg.exp(x)))
        return sg.function([x], [cost, *sg.grad(cost, [x])])

    a = np.linspace(-1, 1, 7)
    make()(a)
    f = make()
    want = f(a)
    assert f._p.outline._compiler is None
    assert f.kernels
    assert f.stage("stable")
    assert f.graph.outputs[1].type == x.type
    np.testing.assert_array_equal(f(a)[1], want[1])
    out = [np.empty(()), np.empty(7)]
    f(a, out=out)
    np.testing.assert_array_equal(out[1], want[1])


def test_an_index_outside_is_told_by_code_from_disk(folder):
    def make():
        x, i = sg.vector("values"), sg.vector("i", dtype="int64")
        return sg.function([x, i], x[i])

    a, i = np.arange(4.0), np.array([1, 9])
    make()(a, np.array([0, 1]))
    f = make()
    assert f(a, np.array([2, 3])).tolist() == [2.0, 3.0]
    assert f._p.outline._compiler is None
    with pytest.raises(sg.BoundsError, match=r"index 9 is outside axis 0(.|\n)*values"):
        f(a, i)


def _name(build, mode=None):
    outline = build()._p.outline
    return outline.name({})


def _graphs():
    """Functions, no two of which may share code."""
    x, y, n = sg.vector("x"), sg.vector("y"), sg.tensor("n", shape=("n",))
    m, w = sg.tensor("m", shape=("n",)), sg.vector("w", dtype="float32")
    s, t = sg.shared(np.ones(3), "s"), sg.shared(np.ones(3), "t")
    cost = sg.sum(x * x * sg.tanh(y))
    both = sg.grad(cost, [x, y])
    yield lambda: sg.function([x, y], x + y)
    yield lambda: sg.function([x, y], x - y)
    yield lambda: sg.function([y, x], x - y)
    yield lambda: sg.function([x, y], [x - y])
    yield lambda: sg.function([x, y], (x - y,))
    yield lambda: sg.function([x], x + x)
    yield lambda: sg.function([n, m], n + m)
    yield lambda: sg.function([w], w + w)
    yield lambda: sg.function([x], x + 1.0)
    yield lambda: sg.function([x], x + 2.0)
    yield lambda: sg.function([sg.In(x, mutable=True)], x + 2.0)
    yield lambda: sg.function([x], x * -0.0)
    yield lambda: sg.function([x], x * 0.0)
    yield lambda: sg.function([x], x + sg.constant(np.arange(3.0)))
    yield lambda: sg.function([x], x + sg.constant(np.arange(1, 4.0)))
    yield lambda: sg.function([x, y], [cost, both[0]])
    yield lambda: sg.function([x, y], [cost, both[1]])
    yield lambda: sg.function([x, y], [cost, *sg.grad(cost, [x], stop=[y])])
    yield lambda: sg.function([x], sg.sum(x) + s, updates={s: s + t})
    yield lambda: sg.function([x], sg.sum(x) + s, updates={t: s + t})
    yield lambda: sg.function([x], sg.exp(x), mode="quick")
    yield lambda: sg.function([x], sg.exp(x), mode=sg.Mode(accuracy="as-written"))
    yield lambda: sg.function([x], sg.exp(x))
    yield lambda: sg.function([x], sg.abs(x))
    p = sg.vector("p", domain="positive")
    yield lambda: sg.function([p], sg.abs(p))
    yield lambda: sg.function([x], sg.scan(lambda c, v: (c + v, None), sg.constant(0.0), x)[0])
    yield lambda: sg.function([x], sg.scan(lambda c, v: (c - v, None), sg.constant(0.0), x)[0])


def test_functions_that_differ_have_names_that_differ():
    names = [_name(build) for build in _graphs()]
    assert None not in names
    assert len(set(names)) == len(names)


def test_functions_that_are_equal_have_one_name():
    def build(first, second):
        x, y = sg.tensor(first, shape=(None, "d")), sg.tensor(second, shape=("d",))
        cost = sg.sum(sg.exp(x @ y))
        return sg.function([x, y], [cost, *sg.grad(cost, [x, y])])

    assert _name(lambda: build("a", "b")) == _name(lambda: build("features", "weights"))


def test_what_only_this_process_can_read_has_no_name():
    with pytest.raises(NotPortable):
        Digest(BUILT_IN).add(object())
    x = sg.vector("x")
    f = sg.function([x], sg.exp(x), mode=sg.Mode(passes=()))
    assert f._p.outline.name({}) is None
    np.testing.assert_allclose(f([0.0, 1.0]), np.exp([0.0, 1.0]))


def test_gradients_wait_until_somebody_looks():
    x, y = sg.vectors("x", "y")
    cost = sg.sum(sg.exp(x) * y)
    g, h = sg.grad(cost, [x, y])
    assert isinstance(g, Deferred)
    assert not g.pending.is_written
    assert (g.dtype, g.ndim, g.shape) == (x.dtype, 1, x.shape)
    g.name = "slope"
    assert not h.pending.is_written
    step = x - 0.1 * sg.sqrt(g * g)
    assert (step.dtype, step.shape) == (x.dtype, x.shape)
    f = sg.function([x, y], [cost, step, h])
    assert not h.pending.is_written
    a, b = np.array([0.0, 1.0]), np.array([2.0, 3.0])
    np.testing.assert_allclose(f(a, b)[1], a - 0.1 * np.exp(a) * b)
    assert h.pending.is_written
    assert g.node.name == "slope"
    assert not any(n.op is STAND_IN for n in toposort([step.node]))
    assert step.node is (x - 0.1 * sg.sqrt(g * g)).node


def _steps(adam):
    """Three steps of an optimizer, and whether its gradients were written."""
    x, w = sg.vector("x"), sg.shared(np.ones(5), name="w")
    cost = sg.sum(sg.log(1 + sg.exp(x * w)))
    g = sg.grad(cost, w)
    updates = sg.optim.adam(cost, [w], 0.1) if adam else {w: w - 0.1 * g}
    f = sg.function([x], cost, updates=updates)
    costs = [float(f(np.arange(5.0))) for _ in range(3)]
    return costs, w.get_value().tolist(), g.pending.is_written


@pytest.mark.parametrize("adam", [False, True])
def test_a_training_step_is_found_without_differentiating(folder, adam):
    *cold, was_written = _steps(adam)
    assert was_written or adam  # the optimizer has a gradient of its own
    *warm, was_written = _steps(adam)
    assert warm == cold
    assert not was_written


def test_gradients_that_wait_are_checked_as_written_ones(folder):
    x, y = sg.vectors("x", "y")
    cost = sg.sum(x * x) + sg.sum(y)
    (g,) = sg.grad(cost, [x])
    for _ in range(2):
        with pytest.raises(sg.UnusedInputError, match="y"):
            sg.function([x, y], 2 * g)  # the cost depends on y, its slope by x does not
    (h,) = sg.grad(cost, [x])
    assert sg.function([x, y], [2 * h, cost])([1.0], [2.0])[0].tolist() == [4.0]
    slopes = sg.grad(sg.sum(2 * sg.grad(sg.sum(x**3), [x])[0]), [x])
    np.testing.assert_allclose(sg.function([x], slopes)([2.0])[0], [24.0])


def test_what_waits_is_a_variable_like_others(folder):
    x = sg.vector("x")
    (g,) = sg.grad(sg.sum(sg.exp(x)), [x])
    made = sg.concat([g[1:], g[:1]]) * 2
    assert np.exp(made).eval({x: [0.0, 1.0]}).shape == (2,)
    twice = pickle.loads(pickle.dumps(sg.function([x], 2 * g)))
    np.testing.assert_allclose(twice([0.0, 1.0]), 2 * np.exp([0.0, 1.0]))
    assert (2 * g).node.op.name == "multiply"
    total, _ = sg.scan(lambda c, v: (c + v, None), sg.constant(0.0), 3 * g)
    np.testing.assert_allclose(total.eval({x: [0.0, 1.0]}), 3 * np.exp([0.0, 1.0]).sum())
    clone = sg.clone(2 * g, {x: x + 1})
    np.testing.assert_allclose(clone.eval({x: [0.0]}), [2 * np.e])


def test_gradients_alone_name_the_inputs_that_they_use():
    x, y = sg.tensor("x", shape=("n",)), sg.tensor("y", shape=("n",))
    (g,) = sg.grad(sg.sum(x * x + y), [x])
    with pytest.raises(sg.UnusedInputError):
        sg.function([x, y], g)
    f = sg.function([x], g)
    np.testing.assert_array_equal(f([1.0, 2.0]), [2.0, 4.0])


def _row(number):
    x = sg.matrix("x")
    f = sg.function([x], sg.sum(x * number, axis=1))
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(f(a), (a * number).sum(axis=1))
    (ready,) = f._entries.values()
    return f, ready.entry


def test_equal_functions_have_one_code_in_memory(folder):
    (f, one), (g, two), (_, other) = _row(2.0), _row(2.0), _row(3.0)
    assert one.code.addresses(0) == two.code.addresses(0)
    assert one.native.entry == two.native.entry
    assert one.native.block != two.native.block
    assert other.code.addresses(0) != one.code.addresses(0)
    assert g._p.outline._compiler is None
    seen = weakref.ref(one.code._library)
    del f, one
    gc.collect()
    assert seen() is not None
    np.testing.assert_array_equal(g(np.ones((2, 3))), [6, 6])
    del g, two
    gc.collect()
    assert seen() is None


def test_slow_lanes_are_counted_from_the_first_call(folder):
    def make():
        x = sg.vector("x")
        return sg.function([x], sg.log(x) - sg.sin(x), mode=sg.Mode(accuracy="high"))

    near = np.full(10, 2.219107148913746)
    f, g = make(), make()
    for _ in range(3):
        f(near)
    g(near)
    assert f.lanes[0] == 4 * g.lanes[0] > 0  # equal functions count together
