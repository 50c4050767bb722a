"""Matrix products on the device: tiles of both operands in shared memory, any dtype.

``c[b] = alpha * op(a[b]) @ op(b[b]) + beta * c[b]`` for each leading index. A block computes one
tile of c; each thread one element of it, in order of the inner index. Tuning is not done yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any  # kernels and arrays of numba's

import numpy as np

from symgraph.codegen.numba_cuda_api import module, simulated
from symgraph.codegen.numba_memory import numba_type

cuda: Any = module()  # a global, which the simulator replaces while a kernel runs


def tile() -> int:
    """Rows and columns of a tile."""
    return 2 if simulated() else 16


@cache
def product(dtype: np.dtype[Any], trans_a: bool, trans_b: bool, with_old: bool) -> Any:
    """The kernel, compiled when it is first launched."""
    return cuda.jit(_product(dtype, trans_a, trans_b, with_old))


def product_ptx(dtype: np.dtype[Any], cc: tuple[int, int] = (9, 0)) -> str:
    """PTX of c = alpha * a @ b + beta * c; needs NVVM but no GPU."""
    function = _product(dtype, False, True, True)
    text: str = cuda.compile_ptx(function, _signature(dtype), cc=cc)[0]
    return text


def _signature(dtype: np.dtype[Any]) -> tuple[Any, ...]:
    from symgraph.codegen.numba_api import types

    flat, scalar = types.Array(numba_type(dtype), 1, "C"), numba_type(dtype)
    return (flat, flat, flat, *[types.int64] * 5, scalar, scalar)


def _product(
    dtype: np.dtype[Any], trans_a: bool, trans_b: bool, with_old: bool
) -> Callable[..., None]:
    """The kernel for flat operands: (a, b, c, m, n, k, step_a, step_b, alpha, beta)."""
    size, kind = tile(), numba_type(dtype)
    is_bool = dtype.kind == "b"

    def gemm(a, b, c, m, n, k, step_a, step_b, alpha, beta):  # type: ignore[no-untyped-def]
        left = cuda.shared.array((size, size), kind)
        right = cuda.shared.array((size, size), kind)
        x, y = cuda.threadIdx.x, cuda.threadIdx.y
        i = cuda.blockIdx.y * size + y
        j = cuda.blockIdx.x * size + x
        item = cuda.blockIdx.z
        total = kind(0)
        for first in range(0, k, size):
            p, q = first + x, first + y
            left[y, x] = kind(0)
            right[y, x] = kind(0)
            if i < m and p < k:
                left[y, x] = a[item * step_a + (p * m + i if trans_a else i * k + p)]
            if q < k and j < n:
                right[y, x] = b[item * step_b + (j * k + q if trans_b else q * n + j)]
            cuda.syncthreads()
            for r in range(size):
                if is_bool:
                    total = total or (left[y, r] and right[r, x])
                else:
                    total += left[y, r] * right[r, x]
            cuda.syncthreads()
        if i < m and j < n:
            at = item * m * n + i * n + j
            if is_bool:
                c[at] = total
            elif with_old:
                c[at] = alpha * total + beta * c[at]
            else:
                c[at] = alpha * total

    return gemm


def multiply(
    a: Any, b: Any, c: Any, sizes: tuple[int, int, int, int], attrs: dict[str, Any]
) -> None:
    """Launches the product for flat device arrays; sizes are (batch, m, n, k)."""
    batch, m, n, k = sizes
    if batch <= 0 or m <= 0 or n <= 0:
        return
    dtype, beta = np.dtype(c.dtype), attrs.get("beta", 0)
    flags = bool(attrs.get("trans_a")), bool(attrs.get("trans_b"))
    kernel = product(dtype, *flags, beta != 0)
    size = tile()
    step_a = 0 if attrs.get("shared_a") else m * k
    step_b = 0 if attrs.get("shared_b") else k * n
    factors = dtype.type(attrs.get("alpha", 1)), dtype.type(beta)
    most = 65_535  # blocks along z
    for first in range(0, batch, most):
        grid = (-(-n // size), -(-m // size), min(most, batch - first))
        places = a[first * step_a :], b[first * step_b :], c[first * m * n :]
        kernel[grid, (size, size)](*places, m, n, k, step_a, step_b, *factors)
