"""Copies with axes exchanged go through memory in tiles."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


def compiled(formula, *shapes: tuple[int, ...], dtype: str = "float32") -> sg.Function:
    inputs = [sg.tensor(f"x{k}", dtype=dtype, shape=shape) for k, shape in enumerate(shapes)]
    return sg.function(inputs, formula(*inputs))


def has_tiles(f: sg.Function) -> bool:
    return any("j_i" in kernel.source for kernel in f.kernels)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
@pytest.mark.parametrize("shape", [(64, 64), (65, 131), (300, 97), (1000, 64)])
def test_transposes_of_any_size(dtype: str, shape: tuple[int, int], rng) -> None:
    f = compiled(lambda x: x.T, shape, dtype=dtype)
    x = (rng.normal(size=shape) * 50).astype(dtype)
    np.testing.assert_array_equal(f(x), x.T)
    assert has_tiles(f)


@pytest.mark.parametrize("axes", [(2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)])
def test_permutations_of_three_axes(axes: tuple[int, ...], rng) -> None:
    shape = (70, 3, 129)
    f = compiled(lambda x: sg.permute_dims(x, axes) * 2 + 1, shape)
    x = rng.normal(size=shape).astype("float32")
    np.testing.assert_array_equal(f(x), x.transpose(axes) * 2 + 1)


def test_a_matrix_and_its_transpose(rng) -> None:
    f = compiled(lambda x, y: sg.exp(-x) * x.T + y, (130, 130), (130, 130))
    x, y = (rng.normal(size=(130, 130)).astype("float32") for _ in range(2))
    np.testing.assert_allclose(f(x, y), np.exp(-x) * x.T + y, rtol=1e-5, atol=1e-6)
    assert has_tiles(f)


def test_lengths_that_are_not_known(rng) -> None:
    x = sg.tensor("x", dtype="float64", shape=(None, None))
    f = sg.function([x], x.T + 1)
    for shape in ((70, 90), (0, 5), (1, 300), (129, 64)):
        value = rng.normal(size=shape)
        np.testing.assert_array_equal(f(value), value.T + 1)


@pytest.mark.parametrize("shape", [(64, 3), (5, 200)])
def test_short_rows_and_columns_have_no_tiles(shape: tuple[int, int], rng) -> None:
    f = compiled(lambda x: x.T * 2, shape)
    x = rng.normal(size=shape).astype("float32")
    np.testing.assert_array_equal(f(x), x.T * 2)
    assert not has_tiles(f)


def test_sums_of_columns_are_as_they_were(rng) -> None:
    f = compiled(lambda x: sg.sum(x.T, axis=0), (100, 200), dtype="float64")
    x = rng.normal(size=(100, 200))
    np.testing.assert_allclose(f(x), x.sum(axis=1), atol=1e-12)


CHANNELS = {
    "planes of an image": lambda x, xp: xp.permute_dims(x, (2, 0, 1)) * 2 - 1,
    "columns": lambda x, xp: xp.exp(xp.permute_dims(xp.reshape(x, (-1, x.shape[2])), (1, 0))),
    "both": lambda x, xp: [xp.permute_dims(x, (2, 0, 1)) + 1, xp.permute_dims(x, (2, 1, 0))],
}


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("shape", [(70, 65, 3), (64, 64, 1), (3, 100, 4), (65, 66, 5), (100, 2, 2)])
def test_channels_become_planes(name, shape: tuple[int, ...], rng) -> None:
    f = compiled(lambda x: CHANNELS[name](x, sg), shape)
    x = rng.normal(size=shape).astype("float32")
    expected = CHANNELS[name](x, np)
    found = f(x) if name == "both" else [f(x)]
    for one, other in zip(found, expected if name == "both" else [expected], strict=True):
        np.testing.assert_allclose(one, other, rtol=3e-7)


def test_a_few_channels_are_done_in_one_turn() -> None:
    f = compiled(lambda x: sg.permute_dims(x, (2, 0, 1)) * 2.0, (80, 70, 3))
    assert ", 2]" in f.kernels[0].source
    assert not has_tiles(f)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "complex64"])
@pytest.mark.parametrize("shape", [(16, 16), (17, 40), (64, 31), (3, 50, 33), (2, 3, 24, 19)])
def test_squares_and_strips_of_any_size(dtype: str, shape: tuple[int, ...], rng) -> None:
    axes = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    f = compiled(
        lambda x, y: [sg.permute_dims(x, axes), y - sg.permute_dims(x, axes)],
        shape,
        tuple(shape[k] for k in axes),
        dtype=dtype,
    )
    x, y = (
        rng.normal(size=spec.shape) * 50
        for spec in (np.empty(shape), np.empty(shape).transpose(axes))
    )
    x, y = x.astype(dtype), y.astype(dtype)
    copied, rest = f(x, y)
    np.testing.assert_array_equal(copied, x.transpose(axes))
    np.testing.assert_array_equal(rest, y - x.transpose(axes))


def test_several_elements_of_a_square_are_turned(rng) -> None:
    def formula(x, xp):
        return (
            xp.permute_dims(x[1:, :-1], (1, 0)) * xp.permute_dims(x[:-1, 1:], (1, 0)) + x[1:, 1:].T
        )

    f = compiled(lambda x: formula(x, sg), (70, 90), dtype="float64")
    x = rng.normal(size=(70, 90))
    np.testing.assert_array_equal(f(x), formula(x, np))


def test_squares_of_a_matrix_that_is_given_away(rng) -> None:
    x, y = (sg.tensor(name, dtype="float64", shape=(40, 40)) for name in "xy")
    f = sg.function([x, sg.In(y, mutable=True)], y + x.T)
    a, c = rng.normal(size=(2, 40, 40))
    np.testing.assert_array_equal(f(a, c.copy()), c + a.T)


def test_a_square_is_transposed_in_registers() -> None:
    f = compiled(lambda x: x.T, (64, 64))
    assert f.kernels[0].llvm.count("shufflevector") >= 64


def test_what_reads_many_arrays_is_stored_before_its_axes_are_exchanged():
    """A sum of shifted slices with channels moved last: strided reads of one array, not of nine."""
    x = sg.tensor("x", dtype="float32", shape=(2, 16, 12, 12))
    w = sg.tensor("w", dtype="float32", shape=(16, 3))
    parts = [x[:, :, i : i + 9, j : j + 9] for i in range(3) for j in range(3)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    f = sg.function([x, w], sg.reshape(sg.permute_dims(total, (0, 2, 3, 1)), (-1, 16)) @ w)
    rng = np.random.default_rng(5)
    given = rng.normal(size=(2, 16, 12, 12)).astype("float32")
    matrix = rng.normal(size=(16, 3)).astype("float32")
    right = sum(given[:, :, i : i + 9, j : j + 9] for i in range(3) for j in range(3))
    right = np.moveaxis(right, 1, 3).reshape(-1, 16) @ matrix
    np.testing.assert_allclose(f(given, matrix), right, rtol=1e-4, atol=1e-4)
    assert any("x0_x[i0, i1, i2, i3]" in k.source for k in f.kernels)  # along rows
