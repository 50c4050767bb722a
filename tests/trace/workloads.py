"""Seventeen programs as people write them, naive formulas and all, on small arrays.

``WORKLOADS[name](rng)`` gives arrays, a function of variables, and which inputs to differentiate
by. ``build`` makes the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import symgraph as sg

Array = np.ndarray[Any, Any]
Case = tuple[list[Array], Callable[..., Any], tuple[int, ...]]
WORKLOADS: dict[str, Callable[[np.random.Generator], Case]] = {}


def workload(make: Callable[[np.random.Generator], Case]) -> Callable[[np.random.Generator], Case]:
    """Add a row."""
    WORKLOADS[make.__name__] = make
    return make


def build(name: str, seed: int = 0) -> tuple[list[sg.Variable], list[sg.Variable], list[Array]]:
    """Inputs, outputs and arrays of a workload; with gradients where it has some."""
    arrays, function, wrt = WORKLOADS[name](np.random.default_rng(seed))
    inputs = [
        sg.tensor(f"x{k}", dtype=a.dtype.name, shape=(None,) * a.ndim) for k, a in enumerate(arrays)
    ]
    made = function(*inputs)
    outputs = list(made) if isinstance(made, tuple | list) else [made]
    if wrt:
        outputs += sg.grad(outputs[0], [inputs[k] for k in wrt])
    return inputs, outputs, arrays


def _single(rng: np.random.Generator, *shape: int) -> Array:
    return rng.normal(size=shape).astype("float32")


def _classes(rng: np.random.Generator, rows: int, count: int) -> Array:
    return np.eye(count, dtype="float32")[rng.integers(0, count, rows)]


def _cross_entropy(z: Any, y: Any) -> Any:
    z = z - sg.max(z, axis=1, keepdims=True)
    logp = z - sg.log(sg.sum(sg.exp(z), axis=1, keepdims=True))
    return -sg.sum(y * logp) / z.shape[0]


@workload
def axpy_chain(rng):
    return [_single(rng, 50), _single(rng, 50)], lambda x, y: 2 * x + 3 * y - x * y + 1, ()


@workload
def black_scholes(rng):
    def prices(s, k, t):
        r, v = 0.02, 0.3
        d1 = (sg.log(s / k) + (r + v * v / 2) * t) / (v * sg.sqrt(t))
        d2 = d1 - v * sg.sqrt(t)
        first, second = (0.5 + 0.5 * sg.special.erf(z / 2**0.5) for z in (d1, d2))
        discounted = k * sg.exp(-r * t)
        call = s * first - discounted * second
        return [call, discounted - s + call]

    return [rng.uniform(10, 50, 40), rng.uniform(10, 50, 40), rng.uniform(0.2, 2, 40)], prices, ()


@workload
def softmax_rows(rng):
    def softmax(x):
        e = sg.exp(x - sg.max(x, axis=1, keepdims=True))
        return e / sg.sum(e, axis=1, keepdims=True)

    return [_single(rng, 7, 9)], softmax, ()


@workload
def layernorm_grad(rng):
    def loss(x, g, b):
        c = x - sg.mean(x, axis=1, keepdims=True)
        v = sg.mean(c * c, axis=1, keepdims=True)
        y = c / sg.sqrt(v + 1e-5) * g + b
        return sg.sum(y * y) / x.shape[0]

    return [_single(rng, 6, 12), _single(rng, 12), _single(rng, 12)], loss, (0, 1, 2)


@workload
def mean_var(rng):
    def moments(x):
        m = sg.mean(x)
        return [m, sg.mean((x - m) * (x - m)), sg.max(x)]

    return [rng.normal(size=100)], moments, ()


@workload
def rbf_rowsum(rng):
    def rows(x, y):
        xx, yy = sg.sum(x * x, axis=1, keepdims=True), sg.sum(y * y, axis=1)
        return sg.sum(sg.exp(-0.5 / 8 * (xx + sg.reshape(yy, (1, -1)) - 2 * x @ y.T)), axis=1)

    return [_single(rng, 10, 8), _single(rng, 12, 8)], rows, ()


@workload
def logreg_grad(rng):
    arrays = [_single(rng, 8, 4), _single(rng, 4), _single(rng, 15, 8), _classes(rng, 15, 4)]
    return arrays, lambda w, b, x, y: _cross_entropy(x @ w + b, y), (0, 1)


@workload
def mlp_grad(rng):
    def loss(w1, b1, w2, b2, w3, b3, x, y):
        h = sg.maximum(x @ w1 + b1, 0)
        h = sg.maximum(h @ w2 + b2, 0)
        return _cross_entropy(h @ w3 + b3, y)

    sizes, arrays = [9, 8, 8, 4], []
    for rows, columns in pairwise(sizes):
        arrays += [_single(rng, rows, columns), np.zeros(columns, "float32")]
    return [*arrays, _single(rng, 6, 9), _classes(rng, 6, 4)], loss, tuple(range(6))


@workload
def attention_grad(rng):
    def loss(q, k, v):
        s = q @ sg.permute_dims(k, (0, 1, 3, 2)) / 8.0
        e = sg.exp(s - sg.max(s, axis=3, keepdims=True))
        o = (e / sg.sum(e, axis=3, keepdims=True)) @ v
        return sg.sum(o * o)

    return [_single(rng, 2, 2, 5, 4) for _ in range(3)], loss, (0, 1, 2)


@workload
def embedding_grad(rng):
    def loss(table, index, target):
        d = table[index] - target
        return sg.sum(d * d)

    return [_single(rng, 20, 4), rng.integers(0, 20, 15), _single(rng, 15, 4)], loss, (0,)


@workload
def gmm_em(rng):
    def step(mu, var, logpi, x):
        q = (x * x) @ (1 / var).T - 2 * x @ (mu / var).T + sg.sum(mu * mu / var, axis=1)
        logp = logpi - 0.5 * (q + sg.sum(sg.log(2 * np.pi * var), axis=1))
        m = sg.max(logp, axis=1, keepdims=True)
        lse = m + sg.log(sg.sum(sg.exp(logp - m), axis=1, keepdims=True))
        resp = sg.exp(logp - lse)
        nk = sg.reshape(sg.sum(resp, axis=0), (-1, 1))
        mu2 = resp.T @ x / nk
        return [mu2, resp.T @ (x * x) / nk - mu2 * mu2, sg.log(nk / x.shape[0]), sg.sum(lse)]

    arrays = [rng.normal(size=(3, 4)), rng.uniform(0.5, 2, (3, 4)), np.full(3, -np.log(3.0))]
    return [*arrays, rng.normal(size=(20, 4))], step, ()


@workload
def garch_grad(rng):
    def likelihood(p, y):
        one = sg.sum(p) * 0 + 1.0

        def step(state, x):
            h, total = state
            new = p[0] + p[1] * x * x + p[2] * h
            return (new, total - 0.5 * (sg.log(new) + x * x / new)), None

        (_, total), _ = sg.scan(step, (one, one * 0), y)
        return total

    return [np.array([0.1, 0.1, 0.8]), rng.normal(size=30)], likelihood, (0,)


@workload
def lstm_grad(rng):
    def loss(w, b, x):
        zero = x[0] * 0

        def step(state, element):
            h, c = state
            z = sg.concat([element, h], axis=1) @ w + b
            i, f, g, o = z[:, :3], z[:, 3:6], z[:, 6:9], z[:, 9:]
            c = sg.sigmoid(f) * c + sg.sigmoid(i) * sg.tanh(g)
            return (sg.sigmoid(o) * sg.tanh(c), c), None

        (h, _), _ = sg.scan(step, (zero, zero), x)
        return sg.sum(h * h)

    return [_single(rng, 6, 12), _single(rng, 12), _single(rng, 5, 4, 3)], loss, (0, 1)


@workload
def heat2d(rng):
    def heat(u):
        def step(v, _):
            up, down = (sg.concat(p, axis=0) for p in ([v[1:], v[:1]], [v[-1:], v[:-1]]))
            left = sg.concat([v[:, 1:], v[:, :1]], axis=1)
            right = sg.concat([v[:, -1:], v[:, :-1]], axis=1)
            return v + 0.1 * (up + down + left + right - 4 * v), None

        return sg.scan(step, u, None, length=5)[0]

    return [rng.normal(size=(6, 6))], heat, ()


@workload
def tiny_call(rng):
    return [rng.normal(size=10), rng.normal(size=10)], lambda a, b: sg.sum(a * b + 1.0), ()


@workload
def eight_schools(rng):
    def density(q):
        y = sg.constant(np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]))
        s = sg.constant(np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]))
        mu, logtau, z = q[0], q[1], q[2:]
        tau = sg.exp(logtau)
        e = (y - mu - tau * z) / s
        prior = 0.5 * sg.sum(z * z) + 0.5 * (mu / 5) * (mu / 5)
        return -0.5 * sg.sum(e * e) - prior - sg.log1p((tau / 5) * (tau / 5)) + logtau

    return [rng.normal(size=10)], density, (0,)


@workload
def deep_chain_grad(rng):
    def chain(x, w):
        for k in range(400):
            x = sg.tanh(x * w + 0.01 * k)
        return sg.sum(x)

    return [rng.normal(size=6), rng.normal(size=6)], chain, (0,)


def names() -> Sequence[str]:
    """All of them."""
    return list(WORKLOADS)
