"""Workloads from statistics and learning: values with gradients of whole models."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats


def _log_softmax(E: Any, x: Any) -> Any:
    shifted = x - E.xp.max(x, axis=1, keepdims=True)
    return shifted - E.xp.log(E.xp.sum(E.xp.exp(shifted), axis=1, keepdims=True))


def logistic_grad(E: Any, x: Any, weight: Any, bias: Any, labels: Any) -> Any:
    """Softmax regression of many images."""
    return -E.xp.mean(E.xp.sum(labels * _log_softmax(E, x @ weight + bias), axis=1))


def binary_grad(E: Any, x: Any, weight: Any, label: Any) -> Any:
    """Binary logistic regression with the naive likelihood."""
    p = 1 / (1 + E.xp.exp(-(x @ weight)))
    return -E.xp.mean(label * E.xp.log(p) + (1 - label) * E.xp.log(1 - p))


def network_grad(E: Any, x: Any, first: Any, second: Any, labels: Any) -> Any:
    """A network with one hidden layer."""
    hidden = E.xp.maximum(x @ first, 0.0)
    return -E.xp.mean(E.xp.sum(labels * _log_softmax(E, hidden @ second), axis=1))


def attention_grad(E: Any, q: Any, k: Any, v: Any) -> Any:
    """Softmax attention of eight heads."""
    xp = E.xp
    scores = xp.matmul(q, E.turned(k)) / 8.0
    weights = xp.exp(scores - xp.max(scores, axis=2, keepdims=True))
    weights = weights / xp.sum(weights, axis=2, keepdims=True)
    return xp.sum(xp.matmul(weights, v) ** 2)


def norm_grad(E: Any, x: Any, gain: Any, shift: Any) -> Any:
    """Layer norm with gain and shift."""
    centred = x - E.xp.mean(x, axis=1, keepdims=True)
    spread = E.xp.sqrt(E.xp.mean(centred * centred, axis=1, keepdims=True) + 1e-5)
    return E.xp.sum((centred / spread * gain + shift) ** 2)


def embedding_grad(E: Any, table: Any, index: Any, weight: Any) -> Any:
    """A bag of words: gathered rows, a product, a square."""
    return E.xp.mean((table[index] @ weight) ** 2)


def mixture(E: Any, x: Any, means: Any, weights: Any) -> Any:
    """The likelihood of a mixture of Gaussians, by the naive formula."""
    xp = E.xp
    squares = xp.sum((x[:, None, :] - means[None, :, :]) ** 2, axis=2)
    return xp.sum(xp.log(xp.sum(weights * xp.exp(-0.5 * squares), axis=1)))


def poisson_grad(E: Any, x: Any, weight: Any, count: Any) -> Any:
    """Poisson regression with its normalization."""
    rate = E.xp.exp(x @ weight)
    return E.xp.sum(rate - count * E.xp.log(rate) + E.gammaln(count + 1))


def _one_hot(rng: np.random.Generator, rows: int, classes: int) -> Array:
    return np.eye(classes, dtype="float32")[rng.integers(0, classes, rows)]


def _classes(*shapes: tuple[int, ...]) -> Any:
    def make(rng: np.random.Generator) -> list[Array]:
        found = [(rng.standard_normal(s) * 0.1).astype("float32") for s in shapes]
        return [*found, _one_hot(rng, shapes[0][0], 10)]

    return make


def _binary(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((20000, 50))
    return [x, rng.standard_normal(50) * 0.3, (rng.random(20000) < 0.5).astype("float64")]


def _bag(rng: np.random.Generator) -> list[Array]:
    table = rng.standard_normal((20000, 32)).astype("float32")
    weight = rng.standard_normal((32, 4)).astype("float32")
    return [table, rng.integers(0, 20000, 20000), weight]


def _mixture(rng: np.random.Generator) -> list[Array]:
    weights = rng.uniform(0.1, 1, 16)
    return [rng.standard_normal((20000, 3)), rng.standard_normal((16, 3)), weights / weights.sum()]


def _counts(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((20000, 20)) * 0.2
    return [x, rng.standard_normal(20) * 0.2, rng.poisson(1.0, 20000).astype("float64")]


ROWS = (
    Workload(
        "logistic_grad",
        _classes((20000, 784), (784, 10), (10,)),
        logistic_grad,
        wrt=(1, 2),
        nbytes=4 * 20000 * 784,
        flops=4 * 20000 * 7840,
        rtol=1e-3,
    ),
    Workload(
        "binary_grad",
        _binary,
        binary_grad,
        wrt=(1,),
        nbytes=8 * 20000 * 50,
        rtol=1e-6,
    ),
    Workload(
        "network_grad",
        _classes((256, 784), (784, 512), (512, 10)),
        network_grad,
        wrt=(1, 2),
        flops=4 * 256 * 512 * 784 + 6 * 256 * 5120,
        rtol=1e-3,
    ),
    Workload(
        "attention_grad",
        floats((8, 512, 64), (8, 512, 64), (8, 512, 64)),
        attention_grad,
        wrt=(0, 1, 2),
        flops=12 * 8 * 512 * 512 * 64,
        rtol=2e-3,
    ),
    Workload(
        "norm_grad",
        floats((4096, 768), (768,), (768,)),
        norm_grad,
        wrt=(0, 1, 2),
        nbytes=8 * 4096 * 768,
        rtol=2e-3,
    ),
    Workload("embedding_grad", _bag, embedding_grad, wrt=(0, 2), rtol=1e-3),
    Workload("mixture_grad", _mixture, mixture, wrt=(1, 2), rtol=1e-6),
    Workload("poisson_grad", _counts, poisson_grad, wrt=(1,), rtol=1e-6),
)
