"""Workloads of unusual shapes: other axes, masks, strides, mixed dtypes, likelihoods, segments."""

from __future__ import annotations

import math
from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats, uniform

# ---------------------------------------------------------------- reductions over other axes


def batch_norm(E: Any, x: Any) -> Any:
    """Columns with mean 0 and variance 1."""
    centered = x - E.xp.mean(x, axis=0, keepdims=True)
    return centered / E.xp.sqrt(E.xp.mean(centered * centered, axis=0, keepdims=True) + 1e-5)


def whitened(E: Any, x: Any) -> Any:
    """All numbers with mean 0 and variance 1."""
    centered = x - E.xp.mean(x)
    return centered / E.xp.sqrt(E.xp.mean(centered * centered))


def logsumexp_columns(E: Any, x: Any) -> Any:
    """log(sum(exp(x))) of columns."""
    top = E.xp.max(x, axis=0, keepdims=True)
    return E.xp.log(E.xp.sum(E.xp.exp(x - top), axis=0)) + top[0]


def softmax_middle(E: Any, x: Any) -> Any:
    """Softmax over the middle of three axes."""
    e = E.xp.exp(x - E.xp.max(x, axis=1, keepdims=True))
    return e / E.xp.sum(e, axis=1, keepdims=True)


def masked_softmax(E: Any, x: Any, mask: Any) -> Any:
    """Softmax of rows where a mask allows it."""
    held = E.xp.where(mask, x, -1e30)
    e = E.xp.exp(held - E.xp.max(held, axis=2, keepdims=True))
    return e / E.xp.sum(e, axis=2, keepdims=True)


def rms_norm(E: Any, x: Any, gain: Any) -> Any:
    """Rows over their root mean square."""
    return x / E.xp.sqrt(E.xp.mean(x * x, axis=1, keepdims=True) + 1e-6) * gain


def group_norm(E: Any, x: Any) -> Any:
    """Groups of channels with mean 0 and variance 1."""
    centered = x - E.xp.mean(x, axis=(2, 3), keepdims=True)
    scale = E.xp.sqrt(E.xp.mean(centered * centered, axis=(2, 3), keepdims=True) + 1e-5)
    return centered / scale


def covariance_diagonal(E: Any, x: Any) -> Any:
    """Means and variances of columns."""
    mean = E.xp.mean(x, axis=0)
    return [mean, E.xp.mean((x - mean) * (x - mean), axis=0)]


def skewness(E: Any, x: Any) -> Any:
    """The third standardized moment of all numbers."""
    centered = x - E.xp.mean(x)
    square = E.xp.mean(centered * centered)
    return E.xp.mean(centered * centered * centered) / (square * E.xp.sqrt(square))


def column_extremes(E: Any, x: Any) -> Any:
    """Smallest and largest of columns, and where the largest is."""
    return [E.xp.min(x, axis=0), E.xp.max(x, axis=0), E.xp.argmax(x, axis=0)]


def sums_down(E: Any, x: Any) -> Any:
    """Running sums along columns."""
    return E.cumsum(x, axis=0)


def row_norms(E: Any, x: Any) -> Any:
    """Euclidean norms of short rows."""
    return E.xp.sqrt(E.xp.sum(x * x, axis=1))


# ---------------------------------------------------------------- likelihoods


def student_grad(E: Any, x: Any, center: Any, scale: Any) -> Any:
    """Student's t with 4 degrees of freedom: log-likelihood and gradients."""
    z = (x - center) / scale
    return E.xp.sum(-2.5 * E.xp.log(1 + z * z / 4) - E.xp.log(scale))


def gamma_grad(E: Any, x: Any, shape: Any, rate: Any) -> Any:
    """Gamma log-likelihood and gradients, one shape and rate for each number."""
    xp = E.xp
    each = shape * xp.log(rate) - E.gammaln(shape) + (shape - 1) * xp.log(x) - rate * x
    return xp.sum(each)


def cross_entropy(E: Any, x: Any, label: Any) -> Any:
    """Mean cross-entropy of class numbers: rows picked, not a one-hot product."""
    xp = E.xp
    top = xp.max(x, axis=1, keepdims=True)
    lse = xp.log(xp.sum(xp.exp(x - top), axis=1)) + top[:, 0]
    return xp.mean(lse - xp.take_along_axis(x, label, axis=1)[:, 0])


def huber_grad(E: Any, x: Any, y: Any) -> Any:
    """Huber's loss and gradient."""
    r = x - y
    a = E.xp.abs(r)
    return E.xp.sum(E.xp.where(a < 1.0, 0.5 * r * r, a - 0.5))


def adam(E: Any, weight: Any, grad: Any, first: Any, second: Any) -> Any:
    """One step of Adam: three arrays from four."""
    m, v = 0.9 * first + 0.1 * grad, 0.999 * second + 0.001 * grad * grad
    return [weight - 1e-3 * (m / 0.9) / (E.xp.sqrt(v / 0.5) + 1e-8), m, v]


def normal_cdf(E: Any, x: Any) -> Any:
    """The distribution function of the normal."""
    return 0.5 * (1 + E.erf(x / math.sqrt(2)))


# ---------------------------------------------------------------- pairs, windows, strides


def pairwise(E: Any, x: Any, y: Any) -> Any:
    """Distances in the plane between all pairs of points."""
    d = x[:, None, :] - y[None, :, :]
    return E.xp.sqrt(E.xp.sum(d * d, axis=2))


def outer_tanh(E: Any, x: Any, y: Any) -> Any:
    """tanh of all sums of two vectors."""
    return E.xp.tanh(x[:, None] + y[None, :])


def moving_average(E: Any, x: Any) -> Any:
    """Means of 8 neighbours, by slices."""
    n = x.shape[0] - 7
    total = x[:n]
    for k in range(1, 8):
        total = total + x[k : n + k]
    return total / 8


def sobel(E: Any, x: Any) -> Any:
    """Edges of an image: two 3 x 3 windows."""
    a, b, c = x[:-2], x[1:-1], x[2:]
    across = (a[:, 2:] - a[:, :-2]) + 2 * (b[:, 2:] - b[:, :-2]) + (c[:, 2:] - c[:, :-2])
    smooth = [row[:, :-2] + 2 * row[:, 1:-1] + row[:, 2:] for row in (a, c)]
    down = smooth[1] - smooth[0]
    return E.xp.sqrt(across * across + down * down)


def every_other(E: Any, x: Any) -> Any:
    """Pairs of columns added: strided reads."""
    return x[:, ::2] + x[:, 1::2]


def turned_sum(E: Any, x: Any) -> Any:
    """A matrix plus its transpose."""
    return 0.5 * (x + E.turned(x))


def channels_last(E: Any, x: Any) -> Any:
    """Images with channels last, scaled."""
    return E.xp.permute_dims(x, (0, 2, 3, 1)) * 2.0 - 1.0


# ---------------------------------------------------------------- integers, segments, order


def normalized_bytes(E: Any, x: Any) -> Any:
    """Bytes to floats between -1 and 1."""
    return E.astype(x, "float32") / 127.5 - 1.0


def counts_where(E: Any, x: Any, y: Any) -> Any:
    """How often two conditions hold together."""
    return E.xp.sum((x > 0.5) & (y < 0.5))


def segment_means(E: Any, x: Any, index: Any) -> Any:
    """Means of segments given by number."""
    ones = E.xp.ones_like(x)
    return E.scatter_add(1000, index, x) / (E.scatter_add(1000, index, ones) + 1e-9)


def top_ten(E: Any, x: Any) -> Any:
    """The ten largest of each row."""
    return E.xp.sort(x, axis=1)[:, -10:]


def sorted_all(E: Any, x: Any) -> Any:
    """A long vector in order."""
    return E.xp.sort(x, axis=0)


def gathered_sum(E: Any, table: Any, index: Any) -> Any:
    """Sums of rows of a table, 8 rows each."""
    return E.xp.sum(table[index], axis=1)


def small_softmax(E: Any, x: Any) -> Any:
    """Softmax of ten numbers a row, 100,000 rows."""
    e = E.xp.exp(x - E.xp.max(x, axis=1, keepdims=True))
    return e / E.xp.sum(e, axis=1, keepdims=True)


def hundred(E: Any, x: Any, y: Any) -> Any:
    """A hundred numbers: arithmetic, an exponential, a sum."""
    return E.xp.sum(E.xp.exp(-x * x) * y)


def _masked(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((64, 128, 256)).astype("float32")
    return [x, rng.random((64, 128, 256)) < 0.7]


def _student(rng: np.random.Generator) -> list[Array]:
    return [rng.standard_normal(1_000_000), np.array(0.1), np.array(1.3)]


def _labelled(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((8000, 1000)).astype("float32")
    return [x, rng.integers(0, 1000, (8000, 1))]


def _image(rng: np.random.Generator) -> list[Array]:
    return [rng.integers(0, 256, (64, 256, 256)).astype("uint8")]


def _segments(rng: np.random.Generator) -> list[Array]:
    return [rng.standard_normal(1_000_000), rng.integers(0, 1000, 1_000_000)]


def _bags(rng: np.random.Generator) -> list[Array]:
    table = rng.standard_normal((20000, 64)).astype("float32")
    return [table, rng.integers(0, 20000, (5000, 8))]


def _adam(rng: np.random.Generator) -> list[Array]:
    return [abs(rng.standard_normal(2_000_000)).astype("float32") for _ in range(4)]


_TALL, _F64 = floats((100_000, 32)), "float64"
ROWS = (
    Workload("batch_norm", floats((4096, 512)), batch_norm, nbytes=8 * 4096 * 512),
    Workload("whitened", floats((4_000_000,)), whitened, nbytes=32e6),
    Workload("logsumexp_columns", floats((4000, 500)), logsumexp_columns, nbytes=8e6),
    Workload("softmax_middle", floats((32, 128, 256)), softmax_middle, nbytes=8 * 2**20),
    Workload("masked_softmax", _masked, masked_softmax, nbytes=9 * 2**21),
    Workload("rms_norm", floats((4096, 1024), (1024,)), rms_norm, nbytes=8 * 2**22),
    Workload("group_norm", floats((16, 32, 64, 64)), group_norm, nbytes=8 * 2**21),
    Workload("covariance_diagonal", _TALL, covariance_diagonal, nbytes=128e5),
    Workload("skewness", floats((4_000_000,), dtype=_F64), skewness, nbytes=32e6, dtype=_F64),
    Workload("column_extremes", floats((2000, 1000)), column_extremes, nbytes=8e6),
    Workload("sums_down", floats((2000, 1000)), sums_down, nbytes=16e6, rtol=1e-3),
    Workload("row_norms", floats((200_000, 3)), row_norms, nbytes=32e5),
    Workload("student_grad", _student, student_grad, wrt=(1, 2), nbytes=8e6, dtype=_F64),
    Workload(
        "gamma_grad",
        uniform((300_000,), (300_000,), (300_000,), low=0.5, high=5),
        gamma_grad,
        wrt=(1, 2),
        dtype=_F64,
        rtol=1e-3,
    ),
    Workload("cross_entropy", _labelled, cross_entropy, nbytes=32e6),
    Workload("huber_grad", floats((2_000_000,), (2_000_000,)), huber_grad, wrt=(0,), nbytes=24e6),
    Workload("adam", _adam, adam, nbytes=28 * 2_000_000),
    Workload("normal_cdf", floats((2_000_000,), dtype=_F64), normal_cdf, nbytes=32e6, dtype=_F64),
    Workload("pairwise", floats((1500, 2), (1500, 2)), pairwise, nbytes=4 * 1500**2),
    Workload("outer_tanh", floats((2000,), (1000,)), outer_tanh, nbytes=8e6),
    Workload("moving_average", floats((4_000_000,)), moving_average, nbytes=32e6),
    Workload("sobel", floats((1500, 2000)), sobel, nbytes=24e6),
    Workload("every_other", floats((2000, 2000)), every_other, nbytes=24e6),
    Workload("turned_sum", floats((1500, 1500)), turned_sum, nbytes=8 * 1500**2),
    Workload("channels_last", floats((16, 3, 256, 256)), channels_last, nbytes=24 * 2**20),
    Workload("normalized_bytes", _image, normalized_bytes, nbytes=5 * 2**22),
    Workload("counts_where", floats((4_000_000,), (4_000_000,)), counts_where, nbytes=32e6),
    Workload("segment_means", _segments, segment_means, nbytes=16e6, dtype=_F64),
    Workload("top_ten", floats((2000, 1000)), top_ten),
    Workload("sorted_all", floats((500_000,), dtype=_F64), sorted_all, dtype=_F64),
    Workload("gathered_sum", _bags, gathered_sum, nbytes=4 * 64 * 45000),
    Workload("small_softmax", floats((100_000, 10)), small_softmax, nbytes=8e6),
    Workload("hundred", floats((100,), (100,), dtype=_F64), hundred, dtype=_F64),
)
