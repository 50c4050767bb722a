"""Lengths that stay the same are numbers in the code; one that changes becomes a symbol."""

import numpy as np

import symgraph as sg


def _programs(f):
    return [s.executable.lowered.program for s in f._special.values()]


def test_a_length_is_a_number_until_it_changes():
    x, w = sg.tensor("x", shape=("n", "d")), sg.tensor("w", shape=("d",))
    f = sg.function([x, w], sg.sum(x * w, axis=1))
    weights = np.arange(5.0)
    for rows in (3, 3, 4, 6, 7):
        data = np.arange(rows * 5.0).reshape(rows, 5)
        np.testing.assert_array_equal(f(data, weights), data @ weights)
    assert [p.sizes for p in _programs(f)] == [(), ("n_n",)]


def test_lengths_zero_and_one_are_never_numbers_in_the_code():
    x = sg.tensor("x", shape=("n",))
    f = sg.function([x], sg.exp(x))
    for length in (1, 0, 2):
        assert f(np.zeros(length)).shape == (length,)
    assert len(_programs(f)) == 1
