"""Loops over axes that lie side by side in memory are one loop."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

rng = np.random.default_rng(7)
SHAPES = [(5, 3), (40, 7, 3), (2, 3, 4, 5), (1, 9, 1, 2), (0, 4), (6, 0)]
X, V = "x", "v"

FORMULAS = {
    "elementwise": lambda x, v, xp: xp.exp(x) * 2,
    "two results": lambda x, v, xp: [x + 1, x * x],
    "sum": lambda x, v, xp: xp.sum(x * x),
    "sum of columns": lambda x, v, xp: xp.sum(x, axis=0),
    "sum of rows": lambda x, v, xp: xp.sum(x, axis=-1),
    "sum of all but the first": lambda x, v, xp: xp.sum(x, axis=tuple(range(1, x.ndim))),
    "broadcast row": lambda x, v, xp: x + v,
    "sum with a row": lambda x, v, xp: xp.sum(x + v),
    "around the mean": lambda x, v, xp: x - xp.sum(x) / 7,
    "turned": lambda x, v, xp: xp.permute_dims(x, tuple(range(x.ndim))[::-1]) * 2,
    "with its reverse": lambda x, v, xp: x + xp.flip(x, axis=1),
    "part": lambda x, v, xp: x[:1] * 3,
    "shifted": lambda x, v, xp: x[..., 1:] - x[..., :-1],
    "places": lambda x, v, xp: x * xp.reshape(xp.arange(x.shape[-1]), (-1,)),
}


def function(name: str, shape: tuple[int | None, ...], last: int | None = None) -> sg.Function:
    x, v = sg.tensor(X, shape=shape), sg.tensor(V, shape=(last,))
    made = FORMULAS[name](x, v, sg)
    return sg.function([x, v], made, on_unused_input="ignore", mode=sg.Mode(accuracy="as-written"))


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_those_of_numpy(name, shape):
    f = function(name, (None,) * len(shape))
    x, v = rng.normal(size=shape), rng.normal(size=shape[-1])
    found, expected = f(x, v), FORMULAS[name](x, v, np)
    pairs = zip(found, expected, strict=True) if isinstance(expected, list) else [(found, expected)]
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("elementwise", "x0_x: float64[840]"),
        ("two results", "x0_x: float64[840]"),
        ("sum", "x0_x: float64[840]"),
        ("sum of all but the first", "x0_x: float64[40, 21]"),
        ("sum of columns", "x0_x: float64[40, 21]"),
        ("broadcast row", "x0_x: float64[280, 3]"),
        ("turned", "x0_x: float64[40, 7, 3]"),
        ("with its reverse", "x0_x: float64[40, 7, 3]"),
        ("places", "x0_x: float64[280, 3]"),
    ],
)
def test_only_axes_whose_indices_stand_side_by_side_are_one(name, seen):
    f = function(name, (40, 7, 3), 3)
    f(rng.normal(size=(40, 7, 3)), rng.normal(size=3))
    assert seen in f.kernels[0].source


def test_lengths_that_are_symbols_are_multiplied():
    x = sg.tensor(X, shape=(None, None))
    f = sg.function([x], sg.exp(x))
    for shape in [(3, 5), (2, 7), (1, 4), (4, 1)]:
        given = rng.normal(size=shape)
        np.testing.assert_allclose(f(given), np.exp(given), rtol=1e-15)


def test_sums_of_short_rows_are_as_accurate_as_those_of_long_ones():
    given = rng.normal(size=(5000, 3)).astype("float32")
    x = sg.tensor(X, dtype="float32", shape=(None, None))
    exact = given.astype("float64").sum()
    assert abs(float(sg.function([x], sg.sum(x))(given)) - exact) <= 6e-8 * abs(exact) + 1e-10


def test_blocks_of_rows_have_sums_in_as_many_axes_as_the_rows():
    given = rng.normal(size=(1000, 2, 2))  # more rows than one block, of two axes side by side
    x = sg.tensor(X, shape=(None, None, None))
    found = sg.function([x], [sg.sum(x, axis=0), sg.sum(x * x, axis=0)])(given)
    for one, other in zip(found, (given.sum(axis=0), (given * given).sum(axis=0)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
