"""``f.profile``: time per kernel and per user line."""

import numpy as np
import pytest

import symgraph as sg


@pytest.mark.parametrize("backend", ["llvm", "numba", "interp"])
def test_profile_times_every_step_and_changes_nothing(backend, rng):
    x = sg.matrix("x")
    w = sg.shared(rng.normal(size=(4, 3)), "w")
    z = x @ w
    cost = sg.sum(sg.tanh(z))
    f = sg.function([x], cost, updates={w: w + 1.0}, mode=sg.Mode(backend=backend))
    before = w.get_value()
    found = f.profile(rng.normal(size=(5, 4)), repeat=2)
    assert [r.name for r in found.rows if r.name == "gemm"] == ["gemm"]
    assert len(found.rows) == len(f.kernels) + 1
    assert all(r.elapsed_ns > 0 for r in found.rows)
    assert sum(r.share for r in found.rows) == pytest.approx(1.0)
    numbers = [line.number for line in found.by_line() if line.file == __file__]
    assert numbers, "no time is told by user line"
    assert "us in all" in str(found)
    np.testing.assert_array_equal(w.get_value(), before)


def test_profile_of_a_loop_is_one_step():
    x = sg.tensor("x", shape=("n", "k", "k"))
    last, _ = sg.scan(lambda s, a: (s @ a, None), sg.ones((8, 8)), x)
    found = sg.function([x], last).profile(np.ones((3, 8, 8)))
    assert "loop" in [r.name for r in found.rows]


def test_time_of_a_kernel_belongs_to_the_lines_that_do_most(rng):
    x = sg.matrix("x")
    dear = sg.tanh(sg.exp(x) * sg.sin(x))
    cheap = dear + 1.0
    f = sg.function([x], cheap, mode=sg.Mode(accuracy="as-written"))  # no guards
    found = f.profile(rng.normal(size=(50, 40)), repeat=2)
    assert [len(r.parts) for r in found.rows] == [2]
    by_line = found.by_line()
    assert by_line[dear.node.lines[0]] > 5 * by_line[cheap.node.lines[0]]
    assert set(by_line) == {dear.node.lines[0], cheap.node.lines[0]}
    assert sum(by_line.values()) == pytest.approx(found.elapsed_ns, abs=2)
