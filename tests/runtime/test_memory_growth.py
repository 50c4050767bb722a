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


def _turn(number: float) -> None:
    x, y = sg.vectors("x", "y")
    cost = sg.sum(sg.tanh(x * y + number))
    f = sg.function([x, y], [cost, *sg.grad(cost, [x])])
    f(np.ones(10), np.ones(10))


@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from Linux's /proc")
@pytest.mark.parametrize(
    ("turns", "most", "cache"),
    [
        (60, 1_000_000, True),
        pytest.param(1_000, 5_000_000, True, marks=pytest.mark.slow),
        pytest.param(1_000, 5_000_000, False, marks=pytest.mark.slow),
    ],
)
def test_rounds_of_compile_call_drop_need_no_memory(tmp_path, turns, most, cache):
    """``cache``: one graph, found on disk; without it each turn compiles a new one."""
    with sg.config(cache=cache, cache_dir=str(tmp_path)):
        for k in range(30):
            _turn(1.0 if cache else float(k))
        before = _resident()
        for k in range(turns):
            _turn(1.0 if cache else 100.0 + k)
        assert _resident() - before < most
