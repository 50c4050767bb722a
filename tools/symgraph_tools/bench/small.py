"""Workloads that a call or the compiler dominates: a few numbers, deep chains, many outputs."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats


def tiny_call(E: Any, x: Any, y: Any) -> Any:
    """x y + 1 of two numbers."""
    return x * y + 1


def tiny_vector(E: Any, x: Any) -> Any:
    """The norm of three numbers."""
    return E.xp.sqrt(E.xp.sum(x * x))


def tiny_sum(E: Any, x: Any, y: Any) -> Any:
    """sum(x y + 1) of ten numbers: little but the call."""
    return E.xp.sum(x * y + 1.0)


EFFECTS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
DEVIATIONS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def eight_schools(E: Any, q: Any) -> Any:
    """Log density of the non-centred eight-schools model, and its gradient."""
    xp = E.xp
    mu, logtau, z = q[0], q[1], q[2:]
    tau = xp.exp(logtau)
    rest = (xp.asarray(EFFECTS) - (mu + tau * z)) / xp.asarray(DEVIATIONS)
    prior = 0.5 * xp.sum(z * z) + 0.5 * (mu / 5) * (mu / 5) + xp.log1p((tau / 5) * (tau / 5))
    return -0.5 * xp.sum(rest * rest) - prior + logtau


def tiny_grad(E: Any, x: Any, y: Any) -> Any:
    """Rosenbrock's function and its gradient."""
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def small_regression(E: Any, x: Any, weight: Any, y: Any) -> Any:
    """Least squares of 100 rows."""
    return E.xp.mean((x @ weight - y) ** 2)


def deep_chain(E: Any, x: Any) -> Any:
    """300 elementwise steps on a small vector."""
    for i in range(300):
        x = 0.5 * x + 0.1 * E.xp.sin(x + i)
    return x


def deep_grad(E: Any, x: Any) -> Any:
    """The gradient of 100 elementwise steps."""
    for _ in range(100):
        x = E.xp.tanh(1.1 * x)
    return E.xp.sum(x)


def many_outputs(E: Any, x: Any) -> Any:
    """Ten statistics of a small matrix."""
    xp = E.xp
    found = [xp.sum(x), xp.mean(x), xp.max(x), xp.min(x), xp.sum(x * x)]
    return [*found, *(xp.sum(x, axis=axis) for axis in (0, 1)), xp.exp(x), x + 1, xp.abs(x)]


def _numbers(rng: np.random.Generator) -> list[Array]:
    return [np.asarray(1.5), np.asarray(-0.5)]


ROWS = (
    Workload("tiny_call", _numbers, tiny_call, dtype="float64"),
    Workload("tiny_vector", floats((3,), dtype="float64"), tiny_vector),
    Workload("tiny_sum", floats((10,), (10,), dtype="float64"), tiny_sum, dtype="float64"),
    Workload("eight_schools", floats((10,), dtype="float64"), eight_schools, (0,), dtype="float64"),
    Workload("tiny_grad", _numbers, tiny_grad, wrt=(0, 1)),
    Workload(
        "small_regression",
        floats((100, 5), (5,), (100,), dtype="float64"),
        small_regression,
        wrt=(1,),
    ),
    Workload("deep_chain", floats((1000,), dtype="float64"), deep_chain),
    Workload("deep_grad", floats((1000,), dtype="float64"), deep_grad, wrt=(0,)),
    Workload("many_outputs", floats((64, 64), dtype="float64"), many_outputs),
)
