"""Guards and sums hold wherever a formula stands: in loops, behind movements, in gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import symgraph as sg

SIZE = 6
BACKENDS = ("llvm", "numba", pytest.param("cuda", marks=pytest.mark.cuda))
Formula = Callable[[sg.Variable], sg.Variable]


def square_of_one_less(x: sg.Variable) -> sg.Variable:
    """(x - 1)**2, written so that near 1 nothing of it is left; as a sum, so that no rule sees."""
    y = x + 0 * sg.sum(x)
    return x * y - 2 * y + 1


def cancelling_sum(x: sg.Variable) -> sg.Variable:
    """sum(x) of terms that cancel."""
    return sg.sum(sg.concat([x * 1e16, x, -x * 1e16]))


def values() -> np.ndarray:
    return np.array([1 + 1e-9, 2.0, 1 - 3e-8, 5.0, -3.0, 1 + 1e-12])


def squares(x: np.ndarray) -> np.ndarray:
    return ((x.astype("longdouble") - 1) ** 2).astype("float64")


def looped(formula: Formula, x: sg.Variable) -> sg.Variable:
    _, out = sg.scan(lambda s, row: (s + 1.0, formula(row)), sg.constant(0.0), sg.stack([x, x]))
    return out[1]


PLACES: dict[str, Callable[[Formula, sg.Variable], sg.Variable]] = {
    "alone": lambda f, x: f(x),
    "loop": looped,
    "reshaped": lambda f, x: sg.reshape(f(sg.reshape(x, (2, 3))), (-1,)),
    "indexed": lambda f, x: f(sg.concat([x[3:], x[:3]])[::-1])[::-1][
        sg.constant([3, 4, 5, 0, 1, 2])
    ],
    "broadcast": lambda f, x: f(x[:, None] + sg.constant(np.zeros((1, 2))))[:, 1],
    "batched": lambda f, x: sg.map(f, sg.stack([x, 2 * x]))[0],
    "branch": lambda f, x: sg.cond(sg.max(x) > 0, f, lambda v: v, x),
    "network": lambda f, x: sg.relu(f(x)) @ sg.constant(np.eye(SIZE)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("place", PLACES)
def test_lanes_are_repaired_everywhere(place: str, backend: str) -> None:
    x = sg.vector("x")
    mode = sg.Mode(accuracy="high", backend=backend)
    f = sg.function([x], PLACES[place](square_of_one_less, x), mode=mode)
    np.testing.assert_array_max_ulp(np.asarray(f(values())), squares(values()), 8)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("place", ["alone", "loop", "batched", "branch"])
def test_sums_are_repaired_everywhere(place: str, backend: str) -> None:
    x = sg.vector("x")
    mode = sg.Mode(accuracy="high", backend=backend)
    f = (
        sg.function([x], PLACES[place](cancelling_sum, x), mode=mode)
        if place != "branch"
        else (sg.function([x], sg.cond(sg.max(x) > 0, cancelling_sum, sg.sum, x), mode=mode))
    )
    assert float(f(values())) == pytest.approx(float(values().sum()), rel=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_are_repaired_too(backend: str) -> None:
    x = sg.vector("x")
    cost = sg.sum(x * x * x - 3 * x * x + 3 * x - 1)  # (x - 1)**3
    mode = sg.Mode(accuracy="high", backend=backend)
    found = sg.function([x], sg.grad(cost, x), mode=mode)(values())
    np.testing.assert_array_max_ulp(np.asarray(found), 3 * squares(values()), 8)
