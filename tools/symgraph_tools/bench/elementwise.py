"""Workloads without reductions: arithmetic, elementary functions, integers, conversions."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Workload, floats, uniform

MEGA = 1_000_000


def axpy_chain(E: Any, x: Any, y: Any) -> Any:
    """2x + 3y - xy + 1: one pass over two inputs."""
    return 2 * x + 3 * y - x * y + 1


def polynomial(E: Any, x: Any) -> Any:
    """A polynomial of degree 7 by Horner's rule."""
    total = 0.1 * x + 0.2
    for factor in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        total = total * x + factor
    return total


def gelu(E: Any, x: Any) -> Any:
    """x Phi(x), with erf."""
    return 0.5 * x * (1 + E.erf(x / 2**0.5))


def black_scholes(E: Any, price: Any, strike: Any, years: Any) -> Any:
    """Prices of European calls and puts."""
    xp, rate, volatility = E.xp, 0.02, 0.3
    spread = volatility * xp.sqrt(years)
    d1 = (xp.log(price / strike) + (rate + volatility**2 / 2) * years) / spread
    below = [0.5 + 0.5 * E.erf(d / 2**0.5) for d in (d1, d1 - spread)]
    discounted = strike * xp.exp(-rate * years)
    call = price * below[0] - discounted * below[1]
    return [call, discounted - price + call]


def waves(E: Any, x: Any) -> Any:
    """sin and cos of one argument."""
    return E.xp.sin(3 * x) * E.xp.cos(x) + E.xp.sin(x)


def naive_softplus(E: Any, x: Any) -> Any:
    """log(1 + exp(x)), as written."""
    return E.xp.log(1 + E.xp.exp(x))


def tanh_gate(E: Any, x: Any, y: Any) -> Any:
    """tanh(x) sigmoid(y), the gate of a recurrent cell."""
    return E.xp.tanh(x) * E.sigmoid(y)


def log_gamma(E: Any, x: Any) -> Any:
    """gammaln, as in the logarithm of a binomial coefficient."""
    return E.gammaln(x + 1)


def clipped(E: Any, x: Any, y: Any) -> Any:
    """Comparisons and selections, no arithmetic to speak of."""
    xp = E.xp
    return xp.where(x > y, xp.minimum(x, 1.0), xp.maximum(y, -1.0))


def powers(E: Any, x: Any) -> Any:
    """Real powers and roots."""
    return x**2.5 + E.xp.sqrt(x)


def hashed(E: Any, x: Any) -> Any:
    """Shifts, exclusive ors and products of integers: a hash function's finish."""
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        x = (x ^ (x >> shift)) * factor
    return x ^ (x >> 15)


def dequantized(E: Any, x: Any, scale: Any) -> Any:
    """int8 with a scale for each row to float32."""
    return E.astype(x, "float32") * scale


def broadcasted(E: Any, x: Any, row: Any, column: Any) -> Any:
    """A matrix with a row and a column."""
    return (x - row) * column


def _integers(rng: np.random.Generator) -> list[np.ndarray[Any, np.dtype[Any]]]:
    return [rng.integers(0, 2**30, 4 * MEGA).astype("int32")]


def _quantized(rng: np.random.Generator) -> list[np.ndarray[Any, np.dtype[Any]]]:
    return [
        rng.integers(-127, 128, (4096, 1024)).astype("int8"),
        rng.uniform(0.1, 1, (4096, 1)).astype("float32"),
    ]


ROWS = (
    Workload("axpy_chain", floats((4 * MEGA,), (4 * MEGA,)), axpy_chain, nbytes=48e6),
    Workload("polynomial", floats((MEGA,), dtype="float64"), polynomial, nbytes=16e6),
    Workload("gelu", floats((4 * MEGA,)), gelu, nbytes=32e6),
    Workload(
        "black_scholes",
        uniform((MEGA,), (MEGA,), (MEGA,), low=0.2, high=50),
        black_scholes,
        nbytes=40e6,
        rtol=1e-6,
    ),
    Workload("waves", floats((4 * MEGA,)), waves, nbytes=32e6),
    Workload("naive_softplus", floats((MEGA,), dtype="float64"), naive_softplus, nbytes=16e6),
    Workload("tanh_gate", floats((4 * MEGA,), (4 * MEGA,)), tanh_gate, nbytes=48e6),
    Workload("log_gamma", uniform((MEGA,), low=0.1, high=50), log_gamma, nbytes=16e6),
    Workload("clipped", floats((4 * MEGA,), (4 * MEGA,)), clipped, nbytes=48e6),
    Workload("powers", uniform((MEGA,), low=0.1, high=9), powers, nbytes=16e6),
    Workload("hashed", _integers, hashed, nbytes=32e6),
    Workload("dequantized", _quantized, dequantized, nbytes=5 * 4096 * 1024),
    Workload(
        "broadcasted",
        floats((4096, 1024), (1024,), (4096, 1)),
        broadcasted,
        nbytes=8 * 4096 * 1024,
    ),
)
