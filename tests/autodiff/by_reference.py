"""Graphs run by the references of their ops, so that no compiler takes part in these tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import symgraph.ops  # noqa: F401  # fills the op table
from symgraph.autodiff.check import check_grad
from symgraph.ir.variable import Variable
from symgraph.ops.evaluate import evaluate


def values(outputs: Sequence[Variable], given: Mapping[Variable, Any]) -> list[Any]:
    """The values of outputs for given inputs."""
    return evaluate([o.node for o in outputs], {v.node: x for v, x in given.items()})


def compile(inputs: list[Variable], outputs: list[Variable]) -> Callable[..., list[Any]]:
    """A function from arrays to arrays."""

    def call(*arrays: Any) -> list[Any]:
        return values(outputs, dict(zip(inputs, arrays, strict=True)))

    return call


def assert_gradient(function: Callable[..., Any], *arrays: Any, rtol: float = 1e-6) -> None:
    """First derivatives agree with differences of values."""
    check_grad(function, *arrays, compile=compile, rtol=rtol)


def assert_second(function: Callable[..., Any], *arrays: Any, rtol: float = 1e-6) -> None:
    """First derivatives do, and the derivatives of a nonlinear function of them."""
    from symgraph.autodiff.transform import grad

    def of_gradients(*xs: Variable) -> Variable:
        found = grad(function(*xs), list(xs))
        return sum(((g * g * 0.5 + g).sum() for g in found), start=found[0].sum() * 0.0)

    assert_gradient(function, *arrays, rtol=rtol)
    assert_gradient(of_gradients, *arrays, rtol=rtol)


def normal(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Normal numbers, the same at every call."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)
