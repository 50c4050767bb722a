"""What may be passed: any layout, lists, scalars, DLPack, ``out=``; nothing is written to."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

BASE = np.arange(24.0).reshape(4, 6) / 7


def _misaligned(array):
    raw = np.zeros(array.nbytes + 1, "uint8")[1:]
    found = raw.view(array.dtype).reshape(array.shape)
    found[...] = array
    return found


def _read_only(array):
    found = array.copy()
    found.flags.writeable = False
    return found


LAYOUTS = {
    "C": lambda a: a.copy(),
    "F": np.asfortranarray,
    "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "negative strides": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": _read_only,
    "misaligned": _misaligned,
    "byte-swapped": lambda a: a.astype(">f8"),
    "zero strides": lambda a: np.broadcast_to(a[:1], a.shape),
    "float32 that fits": lambda a: np.round(a).astype("float32"),
    "int32": lambda a: np.round(a).astype("int32"),
    "nested lists": lambda a: a.tolist(),
    "list of arrays": list,
    "memory view": lambda a: memoryview(a.copy()),
}


@pytest.fixture(scope="module")
def double():
    x = sg.matrix("x")
    return sg.function([x], x * 2 + x.sum(axis=0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(double, layout):
    given = LAYOUTS[layout](BASE)
    before = np.array(given, "float64")
    got = double(given)
    np.testing.assert_allclose(got, before * 2 + before.sum(axis=0), rtol=1e-14)
    np.testing.assert_array_equal(np.array(given, "float64"), before)


class _OnlyDLPack:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class _OnlyArray:
    def __array__(self, dtype=None, copy=None):
        return BASE.copy()


@pytest.mark.parametrize("make", [lambda: _OnlyDLPack(BASE.copy()), _OnlyArray])
def test_other_array_objects(double, make):
    np.testing.assert_allclose(double(make()), BASE * 2 + BASE.sum(axis=0), rtol=1e-14)


@pytest.mark.parametrize("value", [3, 3.0, True, np.float32(3), np.int8(3), np.array(3)])
def test_scalars(value):
    x = sg.scalar("x")
    assert sg.function([x], x + 1)(value) == float(value) + 1


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array([0.1]), "float32"),
        (np.array([1.5]), "int64"),
        (np.array([1j]), "float64"),
        (np.array([300]), "uint8"),
        (np.array([-1]), "uint32"),
        (np.array([2]), "bool"),
        (np.array([1e300]), "float32"),
    ],
)
def test_lossy_conversions_are_refused(value, dtype):
    x = sg.vector("x", dtype=dtype)
    with pytest.raises(sg.DTypeError, match="change values") as caught:
        sg.function([x], [x])(value)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array([0.5, np.nan, np.inf]), "float32"),
        (np.array([2.0]), "int64"),
        (np.array([200]), "uint8"),
        (np.array([1, 0]), "bool"),
        (np.array([1 + 0j]), "complex64"),
    ],
)
def test_exact_conversions_pass(value, dtype):
    x = sg.vector("x", dtype=dtype)
    (got,) = sg.function([x], [x])(value)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.astype(value.dtype), value)


def test_python_floats_may_round_to_float32():
    x = sg.scalar("x", dtype="float32")
    assert sg.function([x], x + 0)(0.1) == np.float32(0.1)


@pytest.mark.parametrize(
    "value",
    [np.array(["a"]), np.array([None]), [[1.0], [1.0, 2.0]], object(), np.array(["2020"], "M8[D]")],
)
def test_what_holds_no_numbers_is_refused(value):
    x = sg.vector("x")
    with pytest.raises(sg.SymgraphError):
        sg.function([x], x + 1)(value)


def test_masked_arrays_are_refused():
    x = sg.vector("x")
    with pytest.raises(sg.DTypeError, match="mask"):
        sg.function([x], x + 1)(np.ma.array([1.0, 2.0], mask=[0, 1]))


def test_a_variable_is_no_value():
    x = sg.vector("x")
    with pytest.raises(sg.ArgumentError, match="symbolic"):
        sg.function([x], x + 1)(x)


def test_wrong_rank_and_named_dims():
    x = sg.tensor("x", shape=("n",))
    y = sg.tensor("y", shape=("n",))
    f = sg.function([x, y], x + y)
    with pytest.raises(sg.ShapeError, match="2 axes"):
        f(np.ones((1, 2)), [1.0])
    with pytest.raises(sg.ShapeError, match="n"):
        f([1.0], [1.0, 2.0])
    np.testing.assert_array_equal(f([1.0], [2.0]), [3.0])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_empty_arrays(shape):
    x = sg.matrix("x")
    f = sg.function([x], [sg.exp(x), x.sum(axis=0), x.sum(), x.T @ x, x.prod(axis=1)])
    a = np.empty(shape)
    for got, wanted in zip(
        f(a), [np.exp(a), a.sum(axis=0), a.sum(), a.T @ a, a.prod(axis=1)], strict=True
    ):
        assert np.shape(got) == wanted.shape
        np.testing.assert_array_equal(got, wanted)


def test_zero_dimensional_results():
    x = sg.scalar("x")
    got = sg.function([x], x * 2)(np.array(4.0))
    assert np.shape(got) == ()
    assert got == 8.0


def test_out_receives_the_results():
    x = sg.vector("x")
    f = sg.function([x], [x + 1, x.sum()])
    a, b = np.empty(3), np.empty(())
    got = f([1.0, 2.0, 3.0], out=[a, b])
    assert got[0] is a
    np.testing.assert_array_equal(a, [2.0, 3.0, 4.0])
    assert b == 6.0


@pytest.mark.parametrize(
    "layout", ["strided", "reversed", "misaligned", "byte order of the machine"]
)
def test_out_of_any_layout(layout):
    x = sg.vector("x")
    target = {
        "strided": np.zeros(6)[::2],
        "reversed": np.zeros(3)[::-1],
        "misaligned": _misaligned(np.zeros(3)),
        "byte order of the machine": np.zeros(3, np.dtype("f8").newbyteorder("=")),
    }[layout]
    sg.function([x], x + 1)([1.0, 2.0, 3.0], out=target)
    np.testing.assert_array_equal(target, [2.0, 3.0, 4.0])


def test_out_may_be_an_input():
    x = sg.vector("x")
    f = sg.function([x], sg.cumulative_sum(x[::-1]) + x)
    a = np.array([1.0, 2.0, 4.0])
    wanted = np.cumsum(a[::-1]) + a
    assert f(a, out=a) is a
    np.testing.assert_array_equal(a, wanted)


def test_out_may_overlap_an_input():
    x = sg.vector("x")
    f = sg.function([x], x * 2)
    buffer = np.arange(5.0)
    f(buffer[:4], out=buffer[1:])
    np.testing.assert_array_equal(buffer, [0.0, 0.0, 2.0, 4.0, 6.0])


def test_out_that_does_not_fit_is_refused():
    x = sg.vector("x")
    f = sg.function([x], x * 2)
    for target, error in [
        (np.empty(2), sg.ShapeError),
        (np.empty(3, "float32"), sg.DTypeError),
        ([0.0] * 3, sg.ArgumentError),
        (_read_only(np.empty(3)), sg.ArgumentError),
    ]:
        with pytest.raises(error):
            f([1.0, 2.0, 3.0], out=target)


def test_two_results_into_one_array_are_refused():
    x = sg.vector("x")
    f = sg.function([x], [x + 1, x + 2])
    a = np.empty(3)
    with pytest.raises(sg.ArgumentError, match="overlap"):
        f([1.0, 2.0, 3.0], out=[a, a])
