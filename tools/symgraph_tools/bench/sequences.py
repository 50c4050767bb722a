"""Workloads of loops and random numbers: scans, their gradients, iterations, draws."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats, uniform


def smoothed(E: Any, x: Any) -> Any:
    """Exponential smoothing of many series."""

    def step(state: Any, now: Any) -> Any:
        state = (0.9 * state[0] + 0.1 * now[0],)
        return state, state[0]

    return E.scan(step, (x[0],), (x,))[1]


def logistic_map(E: Any, x: Any) -> Any:
    """200 steps of x <- 3.7 x (1 - x) without outputs."""

    def step(state: Any, _: Any) -> Any:
        (now,) = state
        return (3.7 * now * (1 - now),), None

    return E.scan(step, (x,), None, 200)[0][0]


def recurrent_grad(E: Any, x: Any, weight: Any, loop: Any) -> Any:
    """A plain recurrent network and the gradient of its last state."""

    def step(state: Any, now: Any) -> Any:
        (h,) = state
        return (E.xp.tanh(now[0] @ weight + h @ loop),), None

    start = 0 * (x[0] @ weight)
    return E.xp.sum(E.scan(step, (start,), (x,))[0][0] ** 2)


def garch_grad(E: Any, returns: Any, omega: Any, alpha: Any, beta: Any) -> Any:
    """The likelihood of a GARCH(1, 1) model: a scalar recurrence."""

    def step(state: Any, now: Any) -> Any:
        (variance,) = state
        return (omega + alpha * now[0] ** 2 + beta * variance,), variance

    start = omega + 0 * returns[0]
    variances = E.scan(step, (start,), (returns,))[1]
    return 0.5 * E.xp.sum(E.xp.log(variances) + returns**2 / variances)


def newton_roots(E: Any, x: Any) -> Any:
    """Ten steps of Newton's method for cube roots, unrolled."""
    root = x
    for _ in range(10):
        root = root - (root * root * root - x) / (3 * root * root)
    return root


def random_uniform(E: Any, seed: Any) -> Any:
    """The mean of a million uniform numbers."""
    return E.xp.mean(E.uniform(seed, (1_000_000,)))


def monte_carlo(E: Any, seed: Any) -> Any:
    """The price of an option by a million normal numbers."""
    price = 100 * E.xp.exp(0.2 * E.normal(seed, (1_000_000,)) - 0.02)
    return E.xp.mean(E.xp.maximum(price - 100, 0.0))


def _garch(rng: np.random.Generator) -> list[Array]:
    numbers = (np.asarray(v) for v in (0.1, 0.1, 0.8))
    return [rng.standard_normal(5000), *numbers]


def _recurrent(rng: np.random.Generator) -> list[Array]:
    shapes = ((50, 32, 64), (64, 128), (128, 128))
    return [(rng.standard_normal(s) * 0.1).astype("float32") for s in shapes]


def _seed(rng: np.random.Generator) -> list[Array]:
    return [rng.integers(0, 2**31, ())]


ROWS = (
    Workload(
        "smoothed",
        floats((500, 1000)),
        smoothed,
        nbytes=8 * 500 * 1000,
        skip=("pytensor",),  # its weak numbers make the state float64
    ),
    Workload("logistic_map", uniform((20000,), low=0.1, high=0.9), logistic_map, rtol=float("inf")),
    Workload(
        "recurrent_grad",
        _recurrent,
        recurrent_grad,
        wrt=(1, 2),
        flops=6 * 50 * 32 * 192 * 128,
        rtol=1e-3,
    ),
    Workload("garch_grad", _garch, garch_grad, wrt=(1, 2, 3), rtol=1e-6, skip=("torch",)),
    Workload("newton_roots", uniform((1_000_000,), low=1, high=9), newton_roots, nbytes=16e6),
    Workload("random_uniform", _seed, random_uniform, rtol=1e-2, skip=("torch", "pytensor")),
    Workload("monte_carlo", _seed, monte_carlo, rtol=2e-2, skip=("torch", "pytensor")),
)
