"""Complex matrices are multiplied as real ones, to the accuracy of complex arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


@pytest.mark.parametrize(
    "shapes", [((40, 30), (30, 50)), ((3, 20, 33), (33, 17)), ((9, 64, 8), (9, 8, 12))]
)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_products_of_complex_matrices_by_real_ones(shapes, dtype, rng):
    arrays = [(rng.normal(size=s) + 1j * rng.normal(size=s)).astype(dtype) for s in shapes]
    x, y = (sg.tensor(f"x{k}", shape=s, dtype=dtype) for k, s in enumerate(shapes))
    f = sg.function([x, y], [x @ y, sg.matrix_transpose(y) @ sg.matrix_transpose(x)])
    expected = arrays[0].astype("complex128") @ arrays[1]
    scale = (abs(arrays[0]) @ abs(arrays[1])) * np.finfo(dtype).eps
    for found, one in zip(f(*arrays), (expected, expected.swapaxes(-1, -2)), strict=True):
        assert found.dtype == dtype
        size = scale if one is expected else scale.swapaxes(-1, -2)
        assert np.all(abs(found - one) <= 2 * size)


def test_small_products_and_vectors_go_to_blas(rng) -> None:
    for m, n, k in ((4, 4, 4), (300, 1, 300), (1, 300, 300)):
        a, c = (rng.normal(size=s) + 1j * rng.normal(size=s) for s in ((m, k), (k, n)))
        x, y = (
            sg.tensor(name, shape=v.shape, dtype="complex128")
            for name, v in zip("xy", (a, c), strict=True)
        )
        f = sg.function([x, y], x @ y)
        np.testing.assert_allclose(f(a, c), a @ c, rtol=1e-12)
        assert not f.kernels
