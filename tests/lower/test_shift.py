"""Joined arrays that are read in place: shifted loads, cut loops, and no copies."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from tests.lower.lowered import assert_right, calls, loops

rng = np.random.default_rng(3)


def heat(v):
    up, down = sg.concat([v[1:], v[:1]]), sg.concat([v[-1:], v[:-1]])
    left, right = sg.concat([v[:, 1:], v[:, :1]], 1), sg.concat([v[:, -1:], v[:, :-1]], 1)
    return v + 0.1 * (up + down + left + right - 4 * v)


def test_a_periodic_stencil_is_one_kernel_without_temporaries():
    x = sg.tensor("x", shape=(5, 7))
    lowered = assert_right([heat(x)], {x: rng.normal(size=(5, 7))})
    assert len(calls(lowered)) == 1
    assert not lowered.program.temporaries
    assert len(loops(lowered)) == 4  # rows, and the first, middle and last columns


def test_a_scan_of_a_stencil_exchanges_two_buffers_and_copies_nothing_between_turns():
    x = sg.tensor("x", shape=(4, 6))
    for length in (1, 2, 5, 6):
        (last,), _ = sg.scan(lambda s, _: ((heat(s[0]),), None), (x,), None, length=length)
        lowered = assert_right([last], {x: rng.normal(size=(4, 6))})
        assert len(lowered.program.temporaries) == 1
        assert len(lowered.program.kernels) <= 3


def test_differences_are_shifted_loads():
    x = sg.tensor("x", shape=(9,))
    lowered = assert_right([x[1:] - x[:-1]], {x: rng.normal(size=9)})
    assert len(calls(lowered)) == 1


JOINED = {
    "halves": lambda x, y: sg.concat([x, y]) * 2,
    "columns": lambda x, y: sg.exp(sg.concat([x, y], 1)) + 1,
    "three": lambda x, y: 1 / (2 + sg.concat([x[:1], y, x[2:]]) ** 2),
    "nested": lambda x, y: sg.concat([sg.concat([x, y], 1)[:, 1:], x[:, :1]], 1) - 1,
    "nested rows": lambda x, y: sg.concat([sg.concat([x, y])[1:], x[:1]]) - 1,
    "empty part": lambda x, y: sg.concat([x[:0], y, x]) + 1,
    "padded": lambda x, y: sg.pad(x * y, ((1, 2), (0, 3))) * 3,
    "padded wrap": lambda x, y: sg.pad(x * y, 1, "wrap") * 3,
    "stacked": lambda x, y: sg.stack([x, y], 2) * 3,
    "turned": lambda x, y: sg.concat([x, y], 1).T * 3,
    "reversed": lambda x, y: sg.concat([x, y], 1)[:, ::-1] * 3,
    "summed": lambda x, y: sg.sum(sg.concat([x, y], 1) * 2, axis=1),
    "row sums": lambda x, y: sg.sum(sg.concat([x, y], 1) * 2, axis=0),
    "set": lambda x, y: x.at[:, 1:3].set(y[:, 1:3] * 2) + 1,
    "set rows": lambda x, y: x.at[1:2].set(y[1:2] * 2) + 1,
    "set inside": lambda x, y: x.at[1:2, 2:].set(sg.sin(y[:1, 2:])) + 1,
    "added": lambda x, y: x.at[:, 1:3].add(y[:, 1:3]) * 2,
    "maximum": lambda x, y: x.at[:2, 1:3].max(y[:2, 1:3]) * 2,
    "strided": lambda x, y: x.at[:, ::2].set(y[:, ::2]) * 2,
    "one": lambda x, y: (x * y).at[2, 3].set(7.0) * 2,
    "product": lambda x, y: sg.matmul(sg.concat([x, y], 1), sg.concat([x, y], 1).T),
}


@pytest.mark.parametrize("name", JOINED)
def test_joined_arrays_have_the_values_of_their_parts(name):
    x, y = sg.tensor("x", shape=(3, 4)), sg.tensor("y", shape=(3, 4))
    made = JOINED[name](x, y)
    given = {x: rng.normal(size=(3, 4)), y: rng.normal(size=(3, 4))}
    assert_right([made, *sg.grad(sg.sum(sg.sin(made)), [x, y])], given)


def test_gradients_of_slices_meet_in_one_loop():
    x = sg.tensor("x", shape=(8, 12))
    parts = [x[:, k : k + 4] for k in (0, 4, 8)]
    loss = sg.sum(sg.tanh(parts[0]) * sg.exp(parts[1]) + parts[2] ** 3)
    lowered = assert_right([sg.grad(loss, x)], {x: rng.normal(size=(8, 12))})
    assert len(calls(lowered)) == 1
    assert not lowered.program.temporaries
