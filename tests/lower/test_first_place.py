"""argmax and argmin: the best of rows in one loop, of long vectors by blocks."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

rng = np.random.default_rng(2)


@pytest.mark.parametrize("length", [5000, 8191, 8192, 12_288, 20_001])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64"])
def test_the_first_of_the_best_of_a_long_vector(length, dtype):
    x = sg.tensor("x", dtype=dtype, shape=(length,))
    f = sg.function([x], [sg.argmax(x), sg.argmin(x)])
    given = rng.uniform(-100, 100, length).astype(dtype)
    for place in (0, 4095, 4096, length // 2, length - 1):
        here = given.copy()
        here[place] = here[length - 1] = 125
        assert int(f(here)[0]) == np.argmax(here) == place
        assert int(f(here)[1]) == np.argmin(here)


def test_the_first_nan_is_the_best_of_all():
    x = sg.tensor("x", shape=(10_000,))
    f = sg.function([x], [sg.argmax(x), sg.argmin(x)])
    for places in [(9_999,), (5_000, 4_999), (0, 9_999), (4_096,)]:
        given = rng.normal(size=10_000)
        given[list(places)] = np.nan
        given[7] = np.inf
        assert [int(v) for v in f(given)] == [min(places)] * 2
    infinite = np.full(10_000, -np.inf)
    assert [int(v) for v in f(infinite)] == [0, 0]


def test_rows_are_read_once():
    x = sg.tensor("x", shape=(30, 50))
    f = sg.function([x], sg.argmax(x, axis=1))
    given = rng.normal(size=(30, 50))
    np.testing.assert_array_equal(f(given), given.argmax(axis=1))
    assert len(f.kernels) == 1


def test_rows_and_columns_of_unknown_length():
    x = sg.tensor("x", shape=(None, None))
    f = sg.function([x], [sg.argmax(x, axis=1), sg.argmin(x, axis=0), sg.argmax(x)])
    for shape in [(3, 4), (5, 1), (1, 6), (200, 300)]:
        given = np.round(rng.normal(size=shape))
        expected = given.argmax(1), given.argmin(0), given.argmax()
        for one, other in zip(f(given), expected, strict=True):
            np.testing.assert_array_equal(one, other)
