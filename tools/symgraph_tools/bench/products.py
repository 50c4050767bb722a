"""Workloads of matrix products: some for every run, and a grid of 30 shapes in two dtypes.

The grid covers what programs multiply: large, small, skinny and batched matrices, vectors, outer
products, odd sizes, and operands that are stored transposed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Inputs, Workload, floats

# batch (0: none), m, n, k, whether the left and the right operand are stored transposed
GRID = (
    (0, 1024, 1024, 1024, False, False),
    (0, 512, 512, 512, False, False),
    (0, 512, 512, 512, True, False),
    (0, 512, 512, 512, False, True),
    (0, 256, 512, 784, False, False),
    (0, 256, 784, 512, False, True),
    (0, 784, 512, 256, True, False),
    (0, 128, 128, 128, False, False),
    (0, 100, 100, 100, False, True),
    (0, 64, 64, 64, False, False),
    (0, 37, 71, 53, False, False),
    (0, 32, 32, 32, False, False),
    (0, 8, 8, 8, False, False),
    (0, 32, 512, 256, False, False),
    (0, 2000, 2000, 32, False, False),
    (0, 2000, 2000, 32, False, True),
    (0, 50000, 16, 8, False, False),
    (0, 20000, 10, 784, False, False),
    (0, 784, 10, 20000, True, False),
    (0, 5000, 3, 300, False, False),
    (0, 1000, 1, 1000, False, False),
    (0, 1000, 1, 1000, True, False),
    (0, 1, 1000, 1000, False, False),
    (0, 1, 1000, 1000, False, True),
    (0, 1000, 1000, 1, False, False),
    (0, 3, 3, 10000, False, False),
    (32, 256, 256, 64, False, False),
    (32, 256, 64, 256, False, True),
    (1000, 8, 8, 8, False, False),
    (64, 64, 32, 50, True, False),
)


def _product(left_turned: bool, right_turned: bool) -> Callable[..., Any]:
    def formula(E: Any, a: Any, b: Any) -> Any:
        """A product of matrices."""
        left = E.turned(a) if left_turned else a
        return E.xp.matmul(left, E.turned(b) if right_turned else b)

    return formula


def _operands(batch: int, m: int, n: int, k: int, left: bool, right: bool, dtype: str) -> Inputs:
    lead = (batch,) if batch else ()
    a = (*lead, k, m) if left else (*lead, m, k)
    b = (*lead, n, k) if right else (*lead, k, n)
    return floats(a, b, dtype=dtype)


def _row(dtype: str, shape: tuple[int, int, int, int, bool, bool]) -> Workload:
    batch, m, n, k, left, right = shape
    letters = "NT"[left] + "NT"[right]
    name = f"{dtype}_{f'{batch}x' if batch else ''}{m}x{n}x{k}_{letters}"
    count, size = max(batch, 1), np.dtype(dtype).itemsize
    return Workload(
        name,
        _operands(*shape, dtype),
        _product(left, right),
        nbytes=count * (m * n + m * k + n * k) * size,
        flops=2 * count * m * n * k,
        dtype=dtype,
    )


GRID_ROWS = tuple(_row(dtype, shape) for dtype in ("float32", "float64") for shape in GRID)


def gram(E: Any, x: Any) -> Any:
    """x.T @ x of many rows."""
    return E.xp.matmul(E.turned(x), x)


def rbf_rowsum(E: Any, x: Any, y: Any) -> Any:
    """Sums of a Gaussian kernel between two sets of points."""
    xp = E.xp
    squares = xp.sum(x * x, axis=1)[:, None] + xp.sum(y * y, axis=1)[None, :]
    return xp.sum(xp.exp(-0.05 * (squares - 2 * xp.matmul(x, E.turned(y)))), axis=1)


def bilinear(E: Any, x: Any, weight: Any, y: Any) -> Any:
    """x[i, a] w[k, a, b] y[i, b] by einsum."""
    return E.xp.einsum("ia,kab,ib->ik", x, weight, y)


def power_step(E: Any, matrix: Any, vector: Any) -> Any:
    """A step of power iteration."""
    image = E.xp.matmul(matrix, vector)
    return image / E.xp.sqrt(E.xp.sum(image * image))


def complex_product(E: Any, a: Any, b: Any) -> Any:
    """A product of complex matrices."""
    return E.xp.matmul(a, b)


def integer_product(E: Any, a: Any, b: Any) -> Any:
    """A product of integer matrices."""
    return E.xp.matmul(a, b)


def _complex(rng: np.random.Generator) -> list[Array]:
    shape = (2, 200, 200)
    return list(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def _integers(rng: np.random.Generator) -> list[Array]:
    return list(rng.integers(-9, 9, (2, 200, 200)))


def _named(wanted: str, name: str) -> Workload:
    row = next(row for row in GRID_ROWS if row.name == wanted)
    return Workload(
        name, row.inputs, row.formula, nbytes=row.nbytes, flops=row.flops, dtype=row.dtype
    )


ROWS = (
    _named("float32_512x512x512_NN", "product_large"),
    _named("float64_64x64x64_NN", "product_small"),
    _named("float32_20000x10x784_NN", "product_skinny"),
    _named("float32_32x256x256x64_NN", "product_batched"),
    _named("float64_1000x1x1000_NN", "matrix_vector"),
    _named("float32_1000x1000x1_NN", "outer"),
    Workload("gram", floats((20000, 64)), gram, nbytes=4 * 20000 * 64, flops=2 * 20000 * 4096),
    Workload("rbf_rowsum", floats((2000, 32), (2000, 32)), rbf_rowsum, flops=2 * 4e6 * 32),
    Workload("bilinear", floats((500, 40), (20, 40, 40), (500, 40)), bilinear, rtol=1e-3),
    Workload("power_step", floats((1500, 1500), (1500,)), power_step, nbytes=4 * 1500**2),
    Workload("complex_product", _complex, complex_product, flops=8 * 200**3, dtype="float64"),
    Workload("integer_product", _integers, integer_product),
)
