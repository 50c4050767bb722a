"""Compiling, calling and dropping functions gives all memory back."""

import gc
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg

STATUS = Path("/proc/self/statm")
PAGE = 4096  # bytes


def _resident() -> int:
    gc.collect()
    return int(STATUS.read_text().split()[1]) * PAGE


def _chain(number):
    x, y = sg.vectors("x", "y")
    cost = sg.sum(sg.tanh(x * y + number))
    return sg.function([x, y], [cost, *sg.grad(cost, [x])]), [np.ones(10), np.ones(10)]


def _product(number):
    x, w = sg.matrices("x", "w")
    cost = sg.mean(sg.tanh(x @ w) * number)
    return sg.function([x, w], [cost, *sg.grad(cost, [w])]), [np.ones((5, 5)), np.ones((5, 5))]


def _scan(number):
    x = sg.vector("x")
    last, outs = sg.scan(lambda c, v: (c * 0.5 + v * number, c), sg.constant(0.0), x)
    cost = sg.sum(outs) * last
    return sg.function([x], [cost, *sg.grad(cost, [x])]), [np.ones(20)]


def _guards(number):
    x = sg.vector("x")
    near = np.full(10, 2.219107148913746)
    made = sg.log(x) - sg.sin(x) * number
    return sg.function([x], made, mode=sg.Mode(accuracy="high")), [near]


def _state(number):
    x = sg.vector("x")
    w = sg.shared(np.zeros(10))
    cost = sg.sum((w - x * number) ** 2)
    return sg.function([x], cost, updates={w: w - 0.1 * sg.grad(cost, w)}), [np.ones(10)]


def _in_place(number):
    x = sg.vector("x")
    return sg.function([sg.In(x, mutable=True)], sg.tanh(x) * number), [np.ones(10)]


KINDS = {k.__name__[1:]: k for k in (_chain, _product, _scan, _guards, _state, _in_place)}


def _turn(kind, number):
    f, arrays = KINDS[kind](number)
    f(*arrays)


@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from Linux's /proc")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("turns", "most", "cache"),
    [
        (60, 1_000_000, True),
        pytest.param(1_000, 5_000_000, True, marks=pytest.mark.slow),
        pytest.param(200, 1_000_000, False, marks=pytest.mark.slow),
    ],
)
def test_rounds_of_compile_call_drop_need_no_memory(tmp_path, kind, turns, most, cache):
    """``cache``: one graph, found on disk; without it each turn compiles a new one.

    5 MB in a thousand turns are asked, so 1 MB in 200.
    """
    with sg.config(cache=cache, cache_dir=str(tmp_path)):
        for k in range(30):
            _turn(kind, 1.0 if cache else 1.0 + k)
        before = _resident()
        for k in range(turns):
            _turn(kind, 1.0 if cache else 100.0 + k)
        assert _resident() - before < most


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from Linux's /proc")
def test_a_thousand_new_functions_need_no_memory(tmp_path):
    """Of small numbers: from 703 on the first call computes slowly, which loads 17 MB, once."""
    with sg.config(cache=False, cache_dir=str(tmp_path)):
        for k in range(30):
            _turn("chain", -1.0 - k)
        before = _resident()
        for k in range(1_000):
            _turn("chain", k / 1_000)
        assert _resident() - before < 5_000_000
