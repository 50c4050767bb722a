"""Workloads that reduce: sums, extremes, moments, softmax and its family, running sums."""

from __future__ import annotations

from typing import Any  # arrays of every library

from .workload import Workload, floats

ROWS_, COLUMNS = 4096, 1000
_MATRIX = floats((ROWS_, COLUMNS))
_BYTES = 4 * ROWS_ * COLUMNS


def total(E: Any, x: Any) -> Any:
    """The sum of a vector."""
    return E.xp.sum(x)


def sums_of_rows(E: Any, x: Any) -> Any:
    """Sums over the last axis."""
    return E.xp.sum(x, axis=1)


def sums_of_columns(E: Any, x: Any) -> Any:
    """Sums over the first axis."""
    return E.xp.sum(x, axis=0)


def moments(E: Any, x: Any) -> Any:
    """Mean and variance of all elements, as written in books."""
    mean = E.xp.mean(x)
    return [mean, E.xp.mean((x - mean) ** 2)]


def mean_and_variance(E: Any, x: Any) -> Any:
    """Mean, variance and largest of float64 numbers that no cache holds."""
    mean = E.xp.mean(x)
    return [mean, E.xp.mean((x - mean) * (x - mean)), E.xp.max(x)]


def extremes(E: Any, x: Any) -> Any:
    """Smallest and largest element of each row."""
    return [E.xp.min(x, axis=1), E.xp.max(x, axis=1)]


def best_of_rows(E: Any, x: Any) -> Any:
    """Where each row is largest."""
    return E.xp.argmax(x, axis=1)


def how_many(E: Any, x: Any) -> Any:
    """How many elements of each column are above 1."""
    return E.xp.sum(E.astype(x > 1, "int64"), axis=0)


def distances(E: Any, x: Any, y: Any) -> Any:
    """Euclidean distances of rows."""
    return E.xp.sqrt(E.xp.sum((x - y) ** 2, axis=1))


def logsumexp_rows(E: Any, x: Any) -> Any:
    """log(sum(exp(x))) of rows, as written."""
    return E.xp.log(E.xp.sum(E.xp.exp(x), axis=1))


def softmax_rows(E: Any, x: Any) -> Any:
    """exp(x) / sum(exp(x)) of rows, with the largest subtracted."""
    e = E.xp.exp(x - E.xp.max(x, axis=1, keepdims=True))
    return e / E.xp.sum(e, axis=1, keepdims=True)


def layer_norm(E: Any, x: Any) -> Any:
    """Rows with mean 0 and variance 1."""
    centred = x - E.xp.mean(x, axis=1, keepdims=True)
    return centred / E.xp.sqrt(E.xp.mean(centred * centred, axis=1, keepdims=True) + 1e-5)


def running_sums(E: Any, x: Any) -> Any:
    """Running sums along rows."""
    return E.cumsum(x, 1)


def running_products(E: Any, x: Any) -> Any:
    """Running products of numbers near 1, along columns."""
    return E.cumprod(1 + 0.001 * x, 0)


def short_rows(E: Any, x: Any) -> Any:
    """The sum of all of a matrix of ten columns."""
    return E.xp.sum(x)


def channel_sums(E: Any, x: Any) -> Any:
    """Sums over the first and the last axis."""
    return E.xp.sum(x, axis=(0, 2))


def best_of_all(E: Any, x: Any) -> Any:
    """Where the largest of a matrix is."""
    return E.xp.argmax(x)


ROWS = (
    Workload("total", floats((4_000_000,)), total, nbytes=16e6),
    Workload("sums_of_rows", _MATRIX, sums_of_rows, nbytes=_BYTES),
    Workload("sums_of_columns", _MATRIX, sums_of_columns, nbytes=_BYTES),
    Workload("moments", floats((8_000_000,)), moments, nbytes=32e6),
    Workload(
        "mean_and_variance",
        floats((10_000_000,), dtype="float64"),
        mean_and_variance,
        nbytes=8e7,
        dtype="float64",
    ),
    Workload("extremes", _MATRIX, extremes, nbytes=_BYTES),
    Workload("best_of_rows", _MATRIX, best_of_rows, nbytes=_BYTES),
    Workload("short_rows", floats((400_000, 10)), short_rows, nbytes=16e6),
    Workload("channel_sums", floats((100, 200, 200)), channel_sums, nbytes=16e6, rtol=1e-3),
    Workload("best_of_all", _MATRIX, best_of_all, nbytes=_BYTES),
    Workload("how_many", _MATRIX, how_many, nbytes=_BYTES),
    Workload("distances", floats((ROWS_, 512), (ROWS_, 512)), distances, nbytes=8 * ROWS_ * 512),
    Workload("logsumexp_rows", _MATRIX, logsumexp_rows, nbytes=_BYTES),
    Workload("softmax_rows", _MATRIX, softmax_rows, nbytes=2 * _BYTES),
    Workload("layer_norm", _MATRIX, layer_norm, nbytes=2 * _BYTES),
    Workload("running_sums", _MATRIX, running_sums, nbytes=2 * _BYTES),
    Workload("running_products", _MATRIX, running_products, nbytes=2 * _BYTES, rtol=1e-3),
)
