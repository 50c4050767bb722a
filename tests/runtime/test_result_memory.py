"""Large results lie in blocks that the next ones use again; nobody sees another's numbers."""

from __future__ import annotations

import gc
import pickle
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg
from symgraph.runtime import layout
from symgraph.runtime.result_memory import LEAST, MOST_BLOCKS

N = LEAST // 8
pytestmark = pytest.mark.skipif(layout.find() is None, reason="entries need a known layout")


def _doubled():
    x = sg.vector("x")
    return sg.function([x], 2 * x)


def _address(array):
    return array.ctypes.data


def test_what_a_dropped_result_leaves_is_the_next_ones():
    f, x = _doubled(), np.arange(float(N))
    f(x)
    first = f(x)
    where = _address(first)
    del first
    assert _address(f(x)) == where


def test_results_that_live_have_memory_of_their_own():
    f = _doubled()
    results = [f(np.full(N, float(k))) for k in range(2 * MOST_BLOCKS)]
    assert len({_address(r) for r in results}) == len(results)
    for k, r in enumerate(results):
        assert r[0] == r[-1] == 2 * k
    view = results[3][5:]
    del results
    gc.collect()
    again = [f(np.full(N, -1.0)) for _ in range(2 * MOST_BLOCKS)]
    assert view[0] == 6
    assert all(r[-1] == -2 for r in again)


_HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not _HUGE.exists() or "[never]" in _HUGE.read_text(), reason="the system has no huge pages"
)
def test_new_blocks_lie_in_huge_pages_from_their_first_byte():
    import resource

    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    f, x = _doubled(), np.ones(1 << 20)
    held = [f(x)]
    found = []
    for _ in range(2 * MOST_BLOCKS + 1):  # dropped results of other tests have left fewer
        before = faults()
        held.append(f(x))
        found.append(faults() - before)
    assert statistics.median(found) < 200  # of 2,048 pages; 519 where the first is touched too soon


def test_large_results_are_usual_arrays():
    r = sg.function([x := sg.matrix("x")], x + 1)(np.zeros((N // 16, 16)))
    assert type(r) is np.ndarray
    assert r.flags.c_contiguous
    assert r.flags.writeable
    assert r.flags.aligned
    assert _address(r) % 64 == 0
    r[3] = 7
    assert pickle.loads(pickle.dumps(r))[3, 0] == 7
    assert r.reshape(-1).base is not None


def test_other_sizes_dtypes_and_empty_axes():
    x = sg.tensor("x", dtype="float32", shape=("n", "m"))
    f = sg.function([x], [x + 1, x.astype("float64"), x[:1]])
    for shape in ((LEAST // 4, 1), (3, LEAST), (LEAST, 0), (2, 2), (5, LEAST // 8)):
        given = np.random.default_rng(1).random(shape).astype("float32")
        one, wide, row = f(given)
        np.testing.assert_array_equal(one, given + 1)
        np.testing.assert_array_equal(wide, given.astype("float64"))
        np.testing.assert_array_equal(row, given[:1])


def test_threads_have_results_of_their_own():
    f = _doubled()

    def run(k):
        return all((f(np.full(N, float(k + i))) == 2.0 * (k + i)).all() for i in range(8))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(0, 80, 10)))
