"""The demo's two classifiers of digits: each formula as the book has it, compiled by symgraph.

Nothing here is written with care for rounding or overflow: that is the compiler's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import symgraph as sg

from .datasets import CLASSES
from .plain_numpy import Array

PIXELS = 64
DTYPE = "float32"
HIDDEN = 128
SEED = 1
SOFTMAX_RATE, MOMENTUM = 0.3, 0.9
NETWORK_RATE = 0.005


@dataclass(frozen=True, slots=True)
class Classifier:
    """Two compiled functions, and the parameters that they share.

    ``step(images, labels)`` moves the parameters and gives the loss before; ``test(images,
    labels)`` gives the digits that are read in images, and the loss. Images (n, 64), labels (n,).
    ``output_names``: what the outputs of the step's graph are, updates included.
    """

    name: str
    params: tuple[Any, ...]  # Any: shared variables, and compiled functions
    step: Any
    test: Any
    output_names: tuple[str, ...]

    @property
    def values(self) -> list[Array]:
        """Copies of the parameters as they are."""
        return [param.get_value() for param in self.params]


def cross_entropy(logits: Any, labels: Any) -> Any:
    """mean(-log p[i, labels[i]]) with p = exp(logits) / sum(exp(logits)), written naively."""
    p = sg.exp(logits) / sg.sum(sg.exp(logits), axis=1, keepdims=True)
    return -sg.mean(sg.log(p[sg.arange(labels.shape[0]), labels]))


def softmax_classifier() -> Classifier:
    """``x @ w + b``, trained by gradient descent with momentum."""
    x, labels = _inputs()
    w = sg.shared(sg.init.zeros((PIXELS, CLASSES), DTYPE), "w")
    b = sg.shared(sg.init.zeros(CLASSES, DTYPE), "b")
    logits = x @ w + b
    loss = cross_entropy(logits, labels)

    updates = {}
    for param, slope in zip((w, b), sg.grad(loss, [w, b]), strict=True):
        velocity = sg.shared(np.zeros_like(param.get_value()), f"{param.name}.velocity")
        updates[velocity] = MOMENTUM * velocity + slope
        updates[param] = param - SOFTMAX_RATE * updates[velocity]

    return _compiled("softmax", (x, labels), logits, loss, (w, b), updates)


def network_classifier() -> Classifier:
    """``max(x @ w1 + b1, 0) @ w2 + b2``, trained by Adam."""
    x, labels = _inputs()
    drawn = np.random.default_rng(SEED)
    w1 = sg.shared(sg.init.he_normal((PIXELS, HIDDEN), drawn, DTYPE), "w1")
    b1 = sg.shared(sg.init.zeros(HIDDEN, DTYPE), "b1")
    w2 = sg.shared(sg.init.glorot_uniform((HIDDEN, CLASSES), drawn, DTYPE), "w2")
    b2 = sg.shared(sg.init.zeros(CLASSES, DTYPE), "b2")
    hidden = sg.maximum(x @ w1 + b1, 0)
    logits = hidden @ w2 + b2
    loss = cross_entropy(logits, labels)

    params = (w1, b1, w2, b2)
    updates = sg.optim.adam(sg.grad(loss, list(params)), params, lr=NETWORK_RATE)

    return _compiled("network", (x, labels), logits, loss, params, updates)


def _inputs() -> tuple[Any, Any]:
    return (
        sg.tensor("x", shape=("n", PIXELS), dtype=DTYPE),
        sg.tensor("labels", shape=("n",), dtype="int64"),
    )


def _compiled(
    name: str, inputs: Sequence[Any], logits: Any, loss: Any, params: tuple[Any, ...], updates: Any
) -> Classifier:
    step = sg.function(list(inputs), loss, updates=updates, name=f"{name}_step")
    read = sg.argmax(logits, axis=1)
    test = sg.function(list(inputs), [read, loss], name=f"{name}_test")
    names = ("loss", *(f"new {state.name}" for state in updates))
    return Classifier(name, params, step, test, names)
