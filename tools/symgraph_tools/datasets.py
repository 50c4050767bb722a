"""The data that comes with the project: 1,797 handwritten digits of 8 x 8 pixels.

Alpaydin, E. & Kaynak, C. (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, https://doi.org/10.24432/C50P49, CC BY 4.0; see ``data/digits.LICENSE.txt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LARGEST_COUNT = 16  # a pixel counts the dots set in a 4 x 4 block of the scanned bitmap
CLASSES = 10
HELD_OUT_EVERY = 5

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


class Examples(NamedTuple):
    """Images (n, 64) in [0, 1] and labels (n,), 0 to 9; unpacks: ``x, y = digits.train``."""

    images: Images
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """All digits, and the fixed split into examples to train on and examples held out.

    Held out are the 1st, 6th, 11th, ... example of each class, in the order of the source: 364 of
    1,797, as many of each class as there can be. The rule needs no random numbers, so it is the
    same everywhere. A writer's digits are in both parts: the held-out accuracy is for known hands.
    """

    images: Images
    labels: Labels
    held_out: NDArray[np.bool_]

    @property
    def train(self) -> Examples:
        """The 1,433 examples to train on, in the order of the source."""
        return Examples(self.images[~self.held_out], self.labels[~self.held_out])

    @property
    def test(self) -> Examples:
        """The 364 examples held out, in the order of the source."""
        return Examples(self.images[self.held_out], self.labels[self.held_out])


@cache
def load_digits() -> Digits:
    """The digits: images (1797, 64) float32 in [0, 1], labels (1797,) int64; both read-only.

    Pixels are exact multiples of 1/16, row by row from the top left. Read once, in milliseconds.
    """
    with (
        (files("symgraph_tools") / "data" / "digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        images = stored["images"].astype(np.float32) / np.float32(LARGEST_COUNT)
        labels = stored["labels"].astype(np.int64)
    digits = Digits(images, labels, _rank_in_class(labels) % HELD_OUT_EVERY == 0)
    for array in (digits.images, digits.labels, digits.held_out):
        array.flags.writeable = False
    return digits


def _rank_in_class(labels: Labels) -> Labels:
    """rank[i] = how many examples before i have the label of i."""
    before = np.cumsum(labels[:, None] == np.arange(CLASSES), axis=0)
    return before[np.arange(len(labels)), labels] - 1
