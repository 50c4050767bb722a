"""The digits that come with the project are the source's, and their split never moves."""

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from symgraph_tools.datasets import CLASSES, load_digits

# Of the counts (1797, 64) and labels (1797,) as uint8, taken from scikit-learn 1.9.1's copy.
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_digits_are_the_source_bit_for_bit():
    digits = load_digits()
    counts = (digits.images * 16).astype(np.uint8)
    assert np.array_equal(counts / np.float32(16), digits.images)
    stored = counts.tobytes() + digits.labels.astype(np.uint8).tobytes()
    assert hashlib.sha256(stored).hexdigest() == SHA256


def test_digits_have_the_documented_shapes_dtypes_and_range():
    digits = load_digits()
    assert (digits.images.shape, digits.images.dtype) == ((1797, 64), np.float32)
    assert (digits.labels.shape, digits.labels.dtype) == ((1797,), np.int64)
    assert (digits.images.min(), digits.images.max()) == (0.0, 1.0)
    assert np.bincount(digits.labels).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip


def test_split_covers_all_examples_once_and_keeps_the_order():
    digits = load_digits()
    assert (len(digits.train.labels), len(digits.test.labels)) == (1433, 364)
    everything = np.vstack([digits.train.images, digits.test.images])
    assert sorted(map(bytes, everything)) == sorted(map(bytes, digits.images))
    assert np.array_equal(digits.test.images, digits.images[digits.held_out])


def test_split_holds_out_a_fifth_of_each_class():
    digits = load_digits()
    for label in range(CLASSES):
        held_out = digits.held_out[digits.labels == label]
        assert np.array_equal(np.flatnonzero(held_out), np.arange(0, len(held_out), 5))


def test_split_is_pinned():
    digits = load_digits()
    assert np.flatnonzero(digits.held_out)[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 35, 39]


def test_loading_again_gives_the_same_object_and_nobody_can_change_it():
    digits = load_digits()
    assert load_digits() is digits
    with pytest.raises(ValueError, match="read-only"):
        digits.images[0, 0] = 1.0


def test_examples_unpack():
    images, labels = load_digits().train
    assert len(images) == len(labels)


def test_file_is_small_and_its_licence_lies_beside_it():
    data = files("symgraph_tools") / "data"
    assert len((data / "digits.npz").read_bytes()) <= 100_000
    licence = (data / "digits.LICENSE.txt").read_text(encoding="utf-8")
    assert "CC BY 4.0" in licence
    assert "10.24432/C50P49" in licence
