"""Workloads that move data: transposing, joining, gathering, scattering, stencils, sorting."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats


def turned(E: Any, x: Any) -> Any:
    """A transposed matrix, in memory: read in a row, or NumPy would give a view's strides."""
    return E.xp.reshape(E.xp.permute_dims(x, (1, 0)), (-1,))


def turned_stack(E: Any, x: Any) -> Any:
    """A stack of small matrices, each transposed in memory."""
    return E.xp.reshape(E.xp.permute_dims(x, (0, 2, 1)), (-1,))


def heads(E: Any, x: Any) -> Any:
    """(batch, time, heads, width) to (batch, heads, time, width)."""
    return E.xp.permute_dims(x, (0, 2, 1, 3)) * 2


def heads_joined(E: Any, x: Any) -> Any:
    """(batch, heads, time, width) to (batch, time, heads * width)."""
    b, h, t, w = x.shape
    return E.xp.reshape(E.xp.permute_dims(x, (0, 2, 1, 3)), (b, t, h * w))


def planes(E: Any, x: Any) -> Any:
    """Images of bytes to planes of floats."""
    return E.xp.permute_dims(E.astype(x, "float32") / 255 - 0.5, (0, 3, 1, 2))


def tiled(E: Any, x: Any) -> Any:
    """A matrix repeated four times in each direction."""
    return E.xp.tile(x, (4, 4))


def joined(E: Any, x: Any, y: Any) -> Any:
    """Two matrices side by side, and their sum below."""
    xp = E.xp
    return xp.concat([xp.concat([x, y], axis=1), xp.concat([x + y, x - y], axis=1)], axis=0)


def laplacian(E: Any, x: Any) -> Any:
    """The five-point stencil by slices."""
    around = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]
    return around - 4 * x[1:-1, 1:-1]


def differences(E: Any, x: Any) -> Any:
    """Second differences of neighbours in time."""
    return x[2:] - 2 * x[1:-1] + x[:-2]


def gathered(E: Any, table: Any, index: Any) -> Any:
    """Rows of a table by number."""
    return table[index]


def picked(E: Any, x: Any, index: Any) -> Any:
    """One element of each row."""
    return E.xp.take_along_axis(x, index, axis=1)


def scattered(E: Any, x: Any, index: Any) -> Any:
    """Sums of rows by number, into a table."""
    return E.scatter_add(2000, index, x)


def histogram(E: Any, index: Any) -> Any:
    """How often each number occurs."""
    return E.scatter_add(256, index, E.xp.ones_like(E.astype(index, "float32")))


def reversed_rows(E: Any, x: Any) -> Any:
    """Rows from the last element to the first."""
    return E.xp.flip(x, axis=1) * 1.5


def sorted_rows(E: Any, x: Any) -> Any:
    """Rows in order."""
    return E.xp.sort(x, axis=1)


def ranks(E: Any, x: Any) -> Any:
    """Which index each place of a sorted row has."""
    return E.xp.argsort(x, axis=1)


def medians(E: Any, x: Any) -> Any:
    """The middle element of sorted rows."""
    return E.xp.sort(x, axis=1)[:, x.shape[1] // 2]


def translations_grad(E: Any, entity: Any, link: Any, head: Any, of: Any, tail: Any) -> Any:
    """Distances of translated entities of a graph: narrow rows of two tables, with gradients."""
    away = entity[head] + link[of] - entity[tail]
    return E.xp.mean(E.xp.sqrt(E.xp.sum(away * away, axis=1) + 1e-9))


def ratings_grad(E: Any, user: Any, item: Any, who: Any, what: Any, rating: Any) -> Any:
    """Ratings as products of rows of two tables, with gradients."""
    error = E.xp.sum(user[who] * item[what], axis=1) - rating
    return E.xp.sum(error * error)


def classes_grad(E: Any, score: Any, at: Any) -> Any:
    """Cross-entropy by hand, with the class by its place in the flat scores."""
    xp = E.xp
    high = xp.max(score, axis=1, keepdims=True)
    total = high + xp.log(xp.sum(xp.exp(score - high), axis=1, keepdims=True))
    return xp.mean(xp.reshape(total, (-1,)) - xp.reshape(score, (-1,))[at])


def _graph(rng: np.random.Generator) -> list[Array]:
    tables = [rng.standard_normal((n, 16)).astype("float32") for n in (2000, 500)]
    return [*tables, *(rng.integers(0, n, 8000) for n in (2000, 500, 2000))]


def _ratings(rng: np.random.Generator) -> list[Array]:
    tables = [rng.standard_normal((n, 32)).astype("float32") for n in (2000, 3000)]
    places = [rng.integers(0, n, 50_000) for n in (2000, 3000)]
    return [*tables, *places, rng.standard_normal(50_000).astype("float32")]


def _classes(rng: np.random.Generator) -> list[Array]:
    score = rng.standard_normal((4000, 200)).astype("float32")
    return [score, rng.integers(0, 200, 4000) + 200 * np.arange(4000)]


def _table(rng: np.random.Generator) -> list[Array]:
    table = rng.standard_normal((20000, 64)).astype("float32")
    return [table, rng.integers(0, 20000, 30000)]


def _rows(rng: np.random.Generator) -> list[Array]:
    return [rng.standard_normal((30000, 64)).astype("float32"), rng.integers(0, 2000, 30000)]


def _pick(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((20000, 100)).astype("float32")
    return [x, rng.integers(0, 100, (20000, 1))]


def _labels(rng: np.random.Generator) -> list[Array]:
    return [rng.integers(0, 256, 1_000_000)]


def _images(rng: np.random.Generator) -> list[Array]:
    return [rng.integers(0, 256, (16, 224, 224, 3)).astype("uint8")]


ROWS = (
    Workload("turned", floats((2048, 1500)), turned, nbytes=8 * 2048 * 1500),
    Workload("turned_stack", floats((64, 128, 128)), turned_stack, nbytes=8 * 2**20),
    Workload("heads", floats((16, 256, 8, 64)), heads, nbytes=8 * 16 * 256 * 512),
    Workload("heads_joined", floats((8, 8, 256, 64)), heads_joined, nbytes=8 * 64 * 256 * 64),
    Workload("planes", _images, planes, nbytes=5 * 16 * 224 * 224 * 3),
    Workload("tiled", floats((500, 500)), tiled, nbytes=17e6),
    Workload("joined", floats((1000, 800), (1000, 800)), joined, nbytes=24 * 1000 * 800),
    Workload("laplacian", floats((2000, 1500)), laplacian, nbytes=8 * 2000 * 1500),
    Workload("differences", floats((2000, 1000), dtype="float64"), differences, nbytes=32e6),
    Workload("gathered", _table, gathered, nbytes=8 * 30000 * 64),
    Workload("translations_grad", _graph, translations_grad, wrt=(0, 1), rtol=1e-3),
    Workload("ratings_grad", _ratings, ratings_grad, wrt=(0, 1), rtol=1e-3),
    Workload("classes_grad", _classes, classes_grad, wrt=(0,), rtol=1e-3),
    Workload("picked", _pick, picked, nbytes=16 * 20000),
    Workload("scattered", _rows, scattered, nbytes=4 * 32000 * 64, rtol=1e-3),
    Workload("histogram", _labels, histogram, nbytes=8e6),
    Workload("reversed_rows", floats((2000, 1000)), reversed_rows, nbytes=16e6),
    Workload("sorted_rows", floats((2000, 256)), sorted_rows),
    Workload("ranks", floats((2000, 256)), ranks),
    Workload("medians", floats((4000, 101)), medians),
)
