"""The demo's two classifiers in plain NumPy: gradients by hand, the stable form of the loss.

What a careful person writes without a compiler; the demo's times are measured beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
Step = Callable[[Array, Labels], float]


def softmax_step(params: list[Array], rate: float, momentum: float) -> Step:
    """One step of gradient descent with momentum for ``x @ w + b``; writes to ``params``."""
    w, b = params
    velocities = [np.zeros_like(p) for p in params]

    def step(x: Array, labels: Labels) -> float:
        loss, slope = _cross_entropy(x @ w + b, labels)
        for p, v, g in zip(params, velocities, (x.T @ slope, slope.sum(0)), strict=True):
            v *= momentum
            v += g
            p -= rate * v
        return loss

    return step


def network_step(params: list[Array], rate: float) -> Step:
    """One step of Adam for ``relu(x @ w1 + b1) @ w2 + b2``; writes to ``params``.

    Source: Kingma & Ba 2015, Adam: a method for stochastic optimization.
    """
    first, first_bias, second, second_bias = params
    means = [np.zeros_like(p) for p in params]
    squares = [np.zeros_like(p) for p in params]
    count = 0

    def step(x: Array, labels: Labels) -> float:
        nonlocal count
        count += 1
        hidden = np.maximum(x @ first + first_bias, 0)
        loss, slope = _cross_entropy(hidden @ second + second_bias, labels)
        below = (slope @ second.T) * (hidden > 0)
        gradients = (x.T @ below, below.sum(0), hidden.T @ slope, slope.sum(0))
        for p, m, v, g in zip(params, means, squares, gradients, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            root = np.sqrt(v / (1 - 0.999**count)) + 1e-8
            p -= rate * (m / (1 - 0.9**count)) / root
        return loss

    return step


def _cross_entropy(logits: Array, labels: Labels) -> tuple[float, Array]:
    """Mean of -log softmax at the labels, and its gradient by the logits."""
    rows = np.arange(len(labels))
    centred = logits - logits.max(1, keepdims=True)
    powers = np.exp(centred)
    totals = powers.sum(1, keepdims=True)
    loss: Any = np.mean(np.log(totals[:, 0]) - centred[rows, labels])  # Any: a NumPy scalar
    slope = powers / totals
    slope[rows, labels] -= 1
    return float(loss), slope / np.float32(len(labels))
