"""Workloads of windows and contractions: convolutions as sums of slices, pooling, einsum."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats


def convolution(E: Any, x: Any, w: Any) -> Any:
    """Sequences with 8 channels and 16 filters of 5, as a sum over the filters' places."""
    n = x.shape[2] - 4
    return sum(E.xp.einsum("bct,oc->bot", x[:, :, k : n + k], w[:, :, k]) for k in range(5))


def convolution_grad(E: Any, x: Any, w: Any) -> Any:
    """A loss of a convolution, and both gradients."""
    return E.xp.sum(E.xp.tanh(convolution(E, x, w)))


def images(E: Any, x: Any, w: Any) -> Any:
    """Images with 3 channels and 8 filters of 3 x 3, and a rectifier."""
    h = x.shape[2] - 2
    total = 0
    for i in range(3):
        for j in range(3):
            window = x[:, :, i : h + i, j : h + j]
            total = total + E.xp.einsum("bchw,oc->bohw", window, w[:, :, i, j])
    return E.xp.where(total > 0, total, 0 * total)


def depthwise(E: Any, x: Any, w: Any) -> Any:
    """Each channel with a filter of its own."""
    h = x.shape[2] - 2
    total = 0
    for i in range(3):
        for j in range(3):
            total = total + x[:, :, i : h + i, j : h + j] * w[None, :, i, j, None, None]
    return total


def pooled(E: Any, x: Any) -> Any:
    """The largest of each 2 x 2 window."""
    b, c, h, w = x.shape
    return E.xp.max(E.xp.reshape(x, (b, c, h // 2, 2, w // 2, 2)), axis=(3, 5))


def outer_of_each(E: Any, x: Any, y: Any) -> Any:
    """The outer product of each pair of rows."""
    return E.xp.einsum("bi,bj->bij", x, y)


def trace_of_product(E: Any, x: Any, y: Any) -> Any:
    """The trace of a product that is not formed."""
    return E.xp.einsum("ij,ji->", x, y)


def complex_pair(E: Any, x: Any, y: Any) -> Any:
    """A product of complex matrices of 32 bits each part."""
    return E.xp.matmul(x, y)


def digits(E: Any, x: Any) -> Any:
    """Minutes and seconds of times: whole numbers divided by a known one."""
    return [x // 60, x % 60]


def turned_points(E: Any, points: Any, turn: Any, shift: Any) -> Any:
    """Points in space turned by a matrix, and moved."""
    return E.xp.matmul(points, turn) + shift


def few_columns(E: Any, x: Any) -> Any:
    """Means of ten columns."""
    return E.xp.mean(x, axis=0)


def filters_last_grad(E: Any, x: Any, filters: Any, mix: Any) -> Any:
    """A filter of 3 x 3 for each channel, channels moved last and mixed, a rectifier."""
    n = x.shape[2] - 2
    total = 0
    for i in range(3):
        for j in range(3):
            total = total + x[:, :, i : n + i, j : n + j] * filters[None, :, i, j, None, None]
    last = E.xp.reshape(E.xp.permute_dims(total, (0, 2, 3, 1)), (-1, mix.shape[0]))
    return E.xp.mean(E.xp.maximum(last @ mix, 0.0) ** 2)


def pair_forces(E: Any, points: Any) -> Any:
    """Energies of all pairs by powers of distances (Lennard-Jones), and forces."""
    gap = points[:, None, :] - points[None, :, :]
    squares = 1 + E.xp.sum(gap * gap, axis=2)
    cubes = 1 / (squares * squares * squares)
    return E.xp.sum(4 * (cubes * cubes - cubes))


def _complex(rng: np.random.Generator) -> list[Array]:
    x, y = (rng.standard_normal((2, 300, 300)) for _ in range(2))
    return [(a + 1j * b).astype("complex64") for a, b in (x, y)]


def _times(rng: np.random.Generator) -> list[Array]:
    return [rng.integers(-(10**12), 10**12, 1_000_000)]


_F64 = "float64"
ROWS = (
    Workload("convolution", floats((32, 8, 2000), (16, 8, 5)), convolution, rtol=1e-3),
    Workload(
        "convolution_grad",
        floats((32, 8, 1000), (16, 8, 5)),
        convolution_grad,
        wrt=(0, 1),
        rtol=1e-2,
    ),
    Workload("images", floats((8, 3, 64, 64), (8, 3, 3, 3)), images, rtol=1e-3),
    Workload("depthwise", floats((16, 32, 64, 64), (32, 3, 3)), depthwise, rtol=1e-3),
    Workload(
        "filters_last_grad",
        floats((2, 64, 32, 32), (64, 3, 3), (64, 64)),
        filters_last_grad,
        wrt=(1, 2),
        rtol=1e-2,
    ),
    Workload(
        "pair_forces",
        floats((1000, 3), dtype=_F64),
        pair_forces,
        wrt=(0,),
        rtol=1e-6,
        dtype=_F64,
    ),
    Workload("pooled", floats((16, 16, 128, 128)), pooled, nbytes=5 * 2**22),
    Workload("outer_of_each", floats((2000, 30), (2000, 40)), outer_of_each, nbytes=96e5),
    Workload("trace_of_product", floats((1000, 1000), (1000, 1000)), trace_of_product, rtol=1e-2),
    Workload("complex_pair", _complex, complex_pair, flops=8 * 300**3, rtol=1e-3),
    Workload("turned_points", floats((300_000, 3), (3, 3), (3,)), turned_points, nbytes=72e5),
    Workload("digits", _times, digits, nbytes=24e6, dtype="int64"),
    Workload(
        "few_columns", floats((200_000, 10), dtype=_F64), few_columns, nbytes=16e6, dtype=_F64
    ),
)
