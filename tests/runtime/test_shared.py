"""Shared variables: values in and out, borrowing, what fits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import symgraph as sg


def test_get_value_copies_and_borrow_is_read_only():
    s = sg.shared(np.arange(3.0), "s")
    got = s.get_value()
    got[0] = 9.0
    assert s.get_value()[0] == 0.0
    borrowed = s.get_value(borrow=True)
    assert not borrowed.flags.writeable
    assert borrowed is s.get_value(borrow=True)


def test_the_first_value_is_copied():
    a = np.arange(3.0)
    s = sg.shared(a)
    a[0] = 5.0
    assert s.get_value()[0] == 0.0


def test_set_value_copies():
    s = sg.shared(np.zeros(3))
    a = np.arange(3.0)
    s.set_value(a)
    a[0] = 5.0
    assert s.get_value()[0] == 0.0
    assert a.flags.writeable


def test_set_value_borrowed_keeps_the_array():
    s = sg.shared(np.zeros(3))
    a = np.arange(3.0)
    s.set_value(a, borrow=True)
    assert np.shares_memory(s.get_value(borrow=True), a)
    assert a.flags.writeable


@pytest.mark.parametrize(
    "value", [[1, 2, 3], np.array([1, 2, 3], ">f8"), np.arange(1.0, 7.0)[::2] * 0 + [1, 2, 3]]
)
def test_set_value_takes_what_fits(value):
    s = sg.shared(np.zeros(3))
    s.set_value(value)
    np.testing.assert_array_equal(s.get_value(), [1.0, 2.0, 3.0])
    assert s.get_value().dtype == "float64"
    assert s.get_value().dtype.isnative


@pytest.mark.parametrize("layout", ["strided", "byte-swapped", "float32"])
def test_a_borrowed_array_that_does_not_fit_is_converted(layout):
    a = {
        "strided": np.repeat(np.arange(3.0), 2)[::2],
        "byte-swapped": np.arange(3.0).astype(">f8"),
        "float32": np.arange(3.0, dtype="float32"),
    }[layout]
    s = sg.shared(np.zeros(3))
    s.set_value(a, borrow=True)
    assert not np.shares_memory(s.get_value(borrow=True), a)
    np.testing.assert_array_equal(sg.function([], s * 2)(), [0.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (np.zeros(4), sg.ShapeError),
        (np.zeros((3, 1)), sg.ShapeError),
        (np.zeros(3, complex) + 1j, sg.DTypeError),
    ],
)
def test_set_value_refuses_what_does_not_fit(value, error):
    s = sg.shared(np.arange(3.0), "s")
    with pytest.raises(error, match="s"):
        s.set_value(value)
    np.testing.assert_array_equal(s.get_value(), np.arange(3.0))


def test_a_shape_may_be_left_open():
    s = sg.shared(np.zeros(3), shape=(None,))
    f = sg.function([], s.sum())
    assert f() == 0.0
    s.set_value(np.ones(5))
    assert f() == 5.0


@pytest.mark.parametrize(
    ("value", "dtype"), [(1, "int64"), (1.0, "float64"), (True, "bool"), (1j, "complex128")]
)
def test_dtypes_of_python_numbers(value, dtype):
    assert sg.shared(value).dtype == dtype


def test_a_dtype_may_be_given():
    assert sg.shared(1, dtype="float32").dtype == "float32"


def test_pickled_shared_variables_that_meet_stay_one():
    s = sg.shared(np.arange(3.0), "s")
    a, b = pickle.loads(pickle.dumps((s, s * 2)))
    a.set_value(np.ones(3))
    np.testing.assert_array_equal(b.eval(), np.full(3, 2.0))
    np.testing.assert_array_equal(s.get_value(), np.arange(3.0))


def test_updated_values_are_not_written_to():
    s = sg.shared(np.zeros(2))
    f = sg.function([], None, updates={s: s + 1})
    f()
    held = s.get_value(borrow=True)
    f()
    np.testing.assert_array_equal(held, [1.0, 1.0])
    np.testing.assert_array_equal(s.get_value(), [2.0, 2.0])
