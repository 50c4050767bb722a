"""Parameters in ``.npz`` files: NumPy reads what we write, and we read what it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symgraph.errors import ArgumentError, DTypeError, ShapeError
from symgraph.ops.leaves import tensor
from symgraph.runtime.shared import shared
from symgraph.saving import load_parameters, save_parameters

PARAMETERS = {
    "layer/0.w": np.arange(6.0).reshape(2, 3),
    "file": np.array([1, 2], "int8"),
    "empty": np.zeros((0, 3), "float32"),
    "scalar": np.array(True),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3) * 1j),
}


def test_parameters_come_back_and_numpy_reads_them(tmp_path: Path):
    path = tmp_path / "p.npz"
    save_parameters(path, PARAMETERS)
    found = load_parameters(path)
    with np.load(path, allow_pickle=False) as theirs:
        for name, value in PARAMETERS.items():
            for array in (found[name], theirs[name]):
                assert array.dtype == value.dtype
                assert np.array_equal(array, value)
    assert found.keys() == PARAMETERS.keys()


def test_files_of_numpy_are_read(tmp_path: Path):
    path = tmp_path / "p.npz"
    big_endian = np.arange(4, dtype=">f8")
    np.savez_compressed(path, a=np.eye(2), b=big_endian, c=np.asfortranarray(np.ones((2, 3))))
    found = load_parameters(path)
    assert np.array_equal(found["b"], [0, 1, 2, 3])
    assert found["b"].dtype == np.dtype("float64")
    assert found["c"].flags.c_contiguous


def test_parameters_are_set_in_shared_variables(tmp_path: Path):
    path = tmp_path / "p.npz"
    w, b = shared(np.ones((2, 3)), "W"), shared(np.zeros(3, "float32"), "b")
    save_parameters(path, [w, b])
    w.set_value(np.zeros((2, 3)))
    load_parameters(path, [b, w])
    assert np.array_equal(w.get_value(), np.ones((2, 3)))
    load_parameters(path, {"W": w, "b": b})


def test_parameters_are_set_all_or_none(tmp_path: Path):
    path = tmp_path / "p.npz"
    save_parameters(path, {"a": np.ones(2), "b": np.ones(3)})
    a, b = shared(np.zeros(2), "a"), shared(np.zeros(4), "b")
    with pytest.raises(ShapeError):
        load_parameters(path, [a, b])
    assert np.array_equal(a.get_value(), [0, 0])
    c = shared(np.zeros(3, "int8"), "b")
    save_parameters(path, {"a": np.ones(2), "b": np.full(3, 0.5)})
    with pytest.raises(DTypeError):
        load_parameters(path, [a, c])
    assert np.array_equal(a.get_value(), [0, 0])


def test_other_parameters_are_an_error_that_lists_them(tmp_path: Path):
    path = tmp_path / "p.npz"
    save_parameters(path, {"a": np.ones(2), "c": np.ones(3)})
    with pytest.raises(ArgumentError) as error:
        load_parameters(path, [shared(np.zeros(2), "a"), shared(np.zeros(2), "b")])
    assert "only in the file: c" in str(error.value)
    assert "not in the file: b" in str(error.value)


def test_parameters_need_names_and_values(tmp_path: Path):
    path = tmp_path / "p.npz"
    with pytest.raises(ArgumentError, match="has no name"):
        save_parameters(path, [shared(np.zeros(2))])
    with pytest.raises(ArgumentError, match="two are named 'a'"):
        save_parameters(path, [shared(np.zeros(2), "a"), shared(np.zeros(2), "a")])
    with pytest.raises(ArgumentError, match="has no value to save"):
        save_parameters(path, [tensor("x", ("n",))])
    with pytest.raises(ArgumentError, match="cannot save an array of object"):
        save_parameters(path, {"a": [None, "x"]})
    assert not path.exists()
    with pytest.raises(FileNotFoundError):
        load_parameters(path)
