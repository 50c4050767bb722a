"""Workloads of statistics and networks: clusters, regressions, kernels, layers, attention."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats


def k_means(E: Any, x: Any, centers: Any) -> Any:
    """A step of k-means: nearest centers, and the means of what is nearest to each."""
    xp = E.xp
    far = xp.sum(centers * centers, axis=1)[None, :] - 2 * xp.matmul(x, E.turned(centers))
    best = xp.min(far, axis=1, keepdims=True)
    mine = E.astype(far == best, "float32")
    return xp.matmul(E.turned(mine), x) / (xp.sum(mine, axis=0)[:, None] + 1e-6)


def mixture_step(E: Any, x: Any, means: Any, scale: Any, weight: Any) -> Any:
    """Responsibilities of a mixture of spheres, and the new means."""
    xp = E.xp
    far = xp.sum((x[:, None, :] - means[None, :, :]) ** 2, axis=2)
    score = xp.log(weight) - 0.5 * far / scale**2 - 3 * xp.log(scale)
    top = xp.max(score, axis=1, keepdims=True)
    part = xp.exp(score - top)
    part = part / xp.sum(part, axis=1, keepdims=True)
    return xp.matmul(E.turned(part), x) / xp.sum(part, axis=0)[:, None]


def least_squares_grad(E: Any, x: Any, weight: Any, y: Any) -> Any:
    """Linear regression with a ridge."""
    error = E.xp.matmul(x, weight) - y
    return E.xp.mean(error * error) + 0.01 * E.xp.sum(weight * weight)


def counts_grad(E: Any, x: Any, weight: Any, y: Any) -> Any:
    """Poisson regression."""
    rate = E.xp.matmul(x, weight)
    return E.xp.mean(E.xp.exp(rate) - y * rate)


def robust_grad(E: Any, x: Any, weight: Any, y: Any) -> Any:
    """Regression with Student's distribution."""
    error = E.xp.matmul(x, weight) - y
    return E.xp.sum(E.xp.log(1 + error * error / 4))


def softmax_few(E: Any, x: Any) -> Any:
    """The logarithm of the softmax over ten classes."""
    x = x - E.xp.max(x, axis=1, keepdims=True)
    return x - E.xp.log(E.xp.sum(E.xp.exp(x), axis=1, keepdims=True))


def pairs(E: Any, x: Any, y: Any) -> Any:
    """Distances between points in space."""
    return E.xp.sqrt(E.xp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=2))


def nearest(E: Any, x: Any, y: Any) -> Any:
    """The least distance from each point to others."""
    return E.xp.min(E.xp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=2), axis=1)


def bodies(E: Any, x: Any) -> Any:
    """The forces among 1,000 bodies."""
    apart = x[None, :, :] - x[:, None, :]
    square = E.xp.sum(apart * apart, axis=2) + 0.01
    return E.xp.sum(apart / (square * E.xp.sqrt(square))[:, :, None], axis=1)


def gaussian_kernel(E: Any, x: Any, scale: Any) -> Any:
    """A Gaussian kernel of points with scales, and its gradient."""
    xp = E.xp
    x = x / scale
    square = xp.sum(x * x, axis=1)
    far = square[:, None] + square[None, :] - 2 * xp.matmul(x, E.turned(x))
    return xp.mean(xp.exp(-0.5 * far))


def covariance(E: Any, x: Any) -> Any:
    """The matrix of covariances of 64 variables."""
    x = x - E.xp.mean(x, axis=0, keepdims=True)
    return E.xp.matmul(E.turned(x), x) / (x.shape[0] - 1)


def principal(E: Any, x: Any, v: Any) -> Any:
    """20 steps of the power method on a covariance that is never formed."""

    def step(state: Any, _: Any) -> Any:
        w = E.turned(x) @ (x @ state[0])
        return (w / E.xp.sqrt(E.xp.sum(w * w)),), None

    return E.scan(step, (v,), None, 20)[0][0]


def factors_grad(E: Any, left: Any, right: Any, target: Any) -> Any:
    """A matrix as a product of thin ones, with gradients."""
    error = E.xp.matmul(left, E.turned(right)) - target
    return E.xp.sum(error * error)


def log_products(E: Any, x: Any, y: Any) -> Any:
    """log(exp(x) @ exp(y)) without overflow."""
    xp = E.xp
    high, wide = xp.max(x, axis=1, keepdims=True), xp.max(y, axis=0, keepdims=True)
    return xp.log(xp.matmul(xp.exp(x - high), xp.exp(y - wide))) + high + wide


def masked_attention(E: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
    """Attention of four heads with a mask, without gradients."""
    xp = E.xp
    score = xp.matmul(q, E.turned(k)) / 32**0.5 + mask
    score = xp.exp(score - xp.max(score, axis=-1, keepdims=True))
    return xp.matmul(score / xp.sum(score, axis=-1, keepdims=True), v)


def tanh_grad(E: Any, x: Any, one: Any, two: Any, three: Any, y: Any) -> Any:
    """A small network of three layers, batch 32, tanh."""
    h = E.xp.tanh(E.xp.tanh(x @ one) @ two) @ three
    return E.xp.mean((h - y) ** 2)


def swish_grad(E: Any, x: Any, one: Any, two: Any, three: Any, y: Any) -> Any:
    """The same network with x * sigmoid(x), batch 512."""
    h = x @ one
    h = (h * E.sigmoid(h)) @ two
    h = (h * E.sigmoid(h)) @ three
    return E.xp.mean((h - y) ** 2)


def coder_grad(E: Any, x: Any, down: Any, up: Any) -> Any:
    """An autoencoder with a squared loss."""
    error = E.sigmoid(E.sigmoid(x @ down) @ up) - x
    return E.xp.mean(error * error)


def block_grad(E: Any, x: Any, one: Any, two: Any) -> Any:
    """The feed-forward half of a transformer block: norm, GELU by erf, residual."""
    xp = E.xp
    m = xp.mean(x, axis=1, keepdims=True)
    c = x - m
    h = c / xp.sqrt(xp.mean(c * c, axis=1, keepdims=True) + 1e-5)
    h = h @ one
    h = x + (0.5 * h * (1 + E.erf(h / 2**0.5))) @ two
    return xp.sum(h * h)


def triple(E: Any, a: Any, b: Any, c: Any) -> Any:
    """sum over j, k of a[i, j] b[j, k] c[i, k]."""
    return E.xp.einsum("ij,jk,ik->i", a, b, c)


def mixed_heads(E: Any, x: Any, weight: Any) -> Any:
    """x[b, t, h, d] w[h, d, e] -> [b, t, h, e]."""
    return E.xp.einsum("bthd,hde->bthe", x, weight)


def small_products(E: Any, a: Any, b: Any, x: Any) -> Any:
    """Many products of small matrices with vectors, twice."""
    return E.xp.matmul(a, E.xp.matmul(b, x[:, :, None]))[:, :, 0]


def outer_mean(E: Any, x: Any, y: Any) -> Any:
    """The mean of outer products' tanh."""
    return E.xp.mean(E.xp.tanh(x[:, None] * y[None, :]), axis=1)


def sinkhorn(E: Any, cost: Any) -> Any:
    """30 turns of Sinkhorn's scaling in log space."""
    xp = E.xp

    def lse(x: Any, axis: int) -> Any:
        top = xp.max(x, axis=axis, keepdims=True)
        return top + xp.log(xp.sum(xp.exp(x - top), axis=axis, keepdims=True))

    def step(state: Any, _: Any) -> Any:
        f, g = state
        f = -lse(g - cost, 1)
        return (f, -lse(f - cost, 0)), None

    start = 0 * cost[:, :1], 0 * cost[:1, :]
    return list(E.scan(step, start, None, 30)[0])


def root_of_many(E: Any, x: Any) -> Any:
    """20 Newton steps for w * exp(w) = x in a loop."""

    def step(state: Any, _: Any) -> Any:
        (w,) = state
        e = E.xp.exp(w)
        return (w - (w * e - x) / (e * (w + 1)),), None

    return E.scan(step, (E.xp.log(x + 1),), None, 20)[0][0]


def _floats(*shapes: tuple[int, ...], dtype: str = "float32") -> Any:
    """Normal numbers, smaller where a matrix has many rows that are summed."""
    return floats(*shapes, dtype=dtype, scale=0.1)


def _mixture(rng: np.random.Generator) -> list[Array]:
    shapes = (20000, 3), (12, 3)
    return [*(rng.standard_normal(s) for s in shapes), np.ones(12), np.full(12, 1 / 12)]


def beta_binomial_grad(E: Any, x: Any, counts: Any) -> Any:
    """A beta-binomial likelihood of 20 trials each, one logarithm of a shape for each count."""
    g, a, b, k = E.gammaln, E.xp.exp(x), 2.0, E.astype(counts, "float64")
    return E.xp.sum(g(k + a) + g(20 - k + b) - g(20 + a + b) - g(a) + g(a + b))


def responses_grad(E: Any, ability: Any, difficulty: Any, slope: Any, right: Any) -> Any:
    """Item response theory: 2,000 persons, 50 questions, a difficulty and a slope of each."""
    z = E.xp.exp(slope) * (ability[:, None] - difficulty)
    return E.xp.sum(right * z - E.xp.log(1 + E.xp.exp(z)))


def triplet_grad(E: Any, anchor: Any, near: Any, far: Any) -> Any:
    """A loss of triplets: distances to one that is alike and to one that is not."""
    closer = E.xp.sum((anchor - near) ** 2, axis=1) - E.xp.sum((anchor - far) ** 2, axis=1)
    margin = closer + 1.0
    return E.xp.sum(E.xp.where(margin > 0, margin, 0 * margin))


def _trials(rng: np.random.Generator) -> list[Array]:
    return [rng.standard_normal(20_000) * 0.3, rng.integers(0, 20, 20_000)]


def _persons(rng: np.random.Generator) -> list[Array]:
    ability, difficulty, slope = (rng.standard_normal(n) for n in (2000, 50, 50))
    return [ability, difficulty, slope, rng.integers(0, 2, (2000, 50)).astype("float64")]


def _regression(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((20000, 50))
    return [x, 0.1 * rng.standard_normal(50), rng.poisson(2.0, 20000).astype(float)]


def _masked(rng: np.random.Generator) -> list[Array]:
    heads = [rng.standard_normal((8, 4, 128, 32)).astype("float32") for _ in range(3)]
    mask = np.where(np.tri(128) > 0, 0, -1e9).astype("float32")
    return [*heads, mask]


def _costs(rng: np.random.Generator) -> list[Array]:
    return [rng.uniform(0, 10, (200, 300))]


def _positive(rng: np.random.Generator) -> list[Array]:
    return [rng.uniform(0.1, 10, 50_000)]


_64 = "float64"
ROWS = (
    Workload("k_means", floats((50_000, 8), (20, 8)), k_means, rtol=1e-3),
    Workload("mixture_step", _mixture, mixture_step, dtype=_64, rtol=1e-6),
    Workload("least_squares_grad", _regression, least_squares_grad, wrt=(1,), dtype=_64),
    Workload("counts_grad", _regression, counts_grad, wrt=(1,), dtype=_64),
    Workload("robust_grad", _regression, robust_grad, wrt=(1,), dtype=_64),
    Workload("beta_binomial_grad", _trials, beta_binomial_grad, wrt=(0,), dtype=_64, rtol=1e-6),
    Workload("responses_grad", _persons, responses_grad, wrt=(0, 1, 2), dtype=_64, rtol=1e-6),
    Workload("triplet_grad", floats(*[(2000, 64)] * 3), triplet_grad, wrt=(0, 1, 2), rtol=1e-3),
    Workload("softmax_few", floats((100_000, 10)), softmax_few),
    Workload("pairs", floats((1000, 3), (1000, 3)), pairs),
    Workload("nearest", floats((2000, 3), (2000, 3), dtype=_64), nearest, dtype=_64),
    Workload("bodies", floats((1000, 3), dtype=_64), bodies, dtype=_64),
    Workload(
        "gaussian_kernel",
        floats((500, 5), (5,), dtype=_64),
        gaussian_kernel,
        wrt=(1,),
        dtype=_64,
        rtol=1e-3,
    ),
    Workload("covariance", floats((20_000, 64)), covariance, rtol=1e-3),
    Workload("principal", floats((2000, 100), (100,)), principal, rtol=1e-2),
    Workload(
        "factors_grad",
        _floats((500, 10), (400, 10), (500, 400)),
        factors_grad,
        wrt=(0, 1),
        rtol=1e-3,
    ),
    Workload("log_products", floats((300, 200), (200, 300), dtype=_64), log_products, dtype=_64),
    Workload("masked_attention", _masked, masked_attention, rtol=1e-3),
    Workload(
        "tanh_grad",
        _floats((32, 20), (20, 64), (64, 64), (64, 5), (32, 5)),
        tanh_grad,
        wrt=(1, 2, 3),
        rtol=1e-3,
    ),
    Workload(
        "swish_grad",
        _floats((512, 100), (100, 128), (128, 128), (128, 10), (512, 10)),
        swish_grad,
        wrt=(1, 2, 3),
        rtol=1e-3,
    ),
    Workload(
        "coder_grad",
        _floats((256, 784), (784, 64), (64, 784)),
        coder_grad,
        wrt=(1, 2),
        rtol=1e-3,
    ),
    Workload(
        "block_grad",
        _floats((512, 128), (128, 512), (512, 128)),
        block_grad,
        wrt=(0, 1, 2),
        rtol=1e-2,
    ),
    Workload("triple", floats((500, 60), (60, 70), (500, 70)), triple, rtol=1e-3),
    Workload("mixed_heads", floats((16, 64, 4, 32), (4, 32, 32)), mixed_heads, rtol=1e-3),
    Workload(
        "small_products",
        floats((5000, 4, 4), (5000, 4, 4), (5000, 4), dtype=_64),
        small_products,
        dtype=_64,
    ),
    Workload("outer_mean", floats((1000,), (1500,)), outer_mean),
    Workload("sinkhorn", _costs, sinkhorn, dtype=_64),
    Workload("root_of_many", _positive, root_of_many, dtype=_64, rtol=1e-6),
)
