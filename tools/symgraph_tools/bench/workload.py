"""What a workload is: inputs, a formula over any array library, and the least it has to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any  # arrays of every library

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Inputs = Callable[[np.random.Generator], list[Array]]


@dataclass(frozen=True, slots=True)
class Workload:
    """A formula with inputs.

    ``formula(E, *inputs)`` gives an array or a list of arrays; ``E`` is an engine: ``E.xp`` has the
    functions of the array API, ``E`` itself those that libraries name differently. ``wrt``: inputs
    whose gradients are asked for beside the value. ``nbytes`` and ``flops`` are the least traffic
    with memory, and arithmetic of float products, that any program needs; 0: not what limits it.
    ``skip``: engines that cannot express it; NumPy has no gradients.
    """

    name: str
    inputs: Inputs
    formula: Callable[..., Any]
    wrt: tuple[int, ...] = ()
    nbytes: float = 0
    flops: float = 0
    dtype: str = "float32"
    rtol: float = 1e-4
    skip: tuple[str, ...] = ()

    def suits(self, engine: str) -> bool:
        """Can the engine of that name express it?"""
        return engine not in self.skip and not (engine == "numpy" and self.wrt)

    @property
    def about(self) -> str:
        """The first line of the formula's description."""
        return (self.formula.__doc__ or "").strip().partition("\n")[0]


def floats(*shapes: tuple[int, ...], dtype: str = "float32", scale: float = 1.0) -> Inputs:
    """Normal numbers of these shapes."""

    def make(rng: np.random.Generator) -> list[Array]:
        return [(rng.standard_normal(shape) * scale).astype(dtype) for shape in shapes]

    return make


def uniform(*shapes: tuple[int, ...], low: float, high: float, dtype: str = "float64") -> Inputs:
    """Uniform numbers of these shapes."""

    def make(rng: np.random.Generator) -> list[Array]:
        return [rng.uniform(low, high, shape).astype(dtype) for shape in shapes]

    return make
