"""Inputs for tests and accuracy measurements: each op's row names a generator per input.

``reals(0, 10, also=[1e-300])`` draws half of its values evenly and half evenly in magnitude, so
that small ones occur, and always contains the listed ones (special values, kinks, ends of ranges).
A generator draws values of any dtype that can hold its range; what does not fit is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.ir.dtype import DType
from symgraph.records import dataclass

INF, NAN = float("inf"), float("nan")
SPECIALS = (0.0, -0.0, 1.0, -1.0, INF, -INF, NAN)
"""What every function on the whole line should meet."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Values in ``lo .. hi`` of a kind (real, integer, bool, complex), and ``also`` these."""

    kind: str
    lo: float
    hi: float
    also: tuple[complex, ...] = ()

    def draw(
        self, generator: np.random.Generator, count: int, dtype: DType, specials: bool = True
    ) -> np.ndarray[Any, Any]:
        """``count`` values of a dtype; the listed ones come first unless ``specials`` is False."""
        if dtype.kind == "b":
            return generator.random(count) < 0.5
        if dtype.kind == "c":
            parts = self._reals(generator, count) + 1j * self._reals(generator, count)
        else:
            parts = self._reals(generator, count)
        with np.errstate(all="ignore"):
            found = self._converted(parts, dtype)
            listed = self._listed(dtype) if specials else found[:0]
        found[: min(count, listed.size)] = listed[:count]
        return found

    def _reals(self, generator: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
        even = generator.uniform(self.lo, self.hi, count)
        largest = max(abs(self.lo), abs(self.hi))
        sized = largest * np.exp2(-20 * generator.random(count))
        sized = np.where(generator.random(count) < 0.5, sized, -sized)
        fits = (sized > self.lo) & (sized < self.hi) & (generator.random(count) < 0.5)
        found = np.where(fits, sized, even)
        return np.floor(found) if self.kind == "integer" else found

    def _converted(self, values: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
        if dtype.kind in "iu":
            info = np.iinfo(dtype)  # type: ignore[type-var]  # an integer dtype, by the test above
            low, high = max(info.min, int(np.ceil(self.lo))), min(info.max, int(self.hi))
            values = np.clip(np.round(values), low, max(low, high))
        return np.asarray(values, dtype)

    def _listed(self, dtype: DType) -> np.ndarray[Any, Any]:
        if dtype.kind == "c":
            return np.array(self.also, dtype)
        listed = np.array([v for v in self.also if not isinstance(v, complex)], "float64")
        if dtype.kind in "iu":
            info = np.iinfo(dtype)  # type: ignore[type-var]  # an integer dtype, by the test above
            whole = np.isfinite(listed) & (listed == np.round(listed))
            return np.asarray(listed[whole & (listed >= info.min) & (listed <= info.max)], dtype)
        return listed.astype(dtype)


def reals(lo: float, hi: float, also: Sequence[complex] = ()) -> Samples:
    """Real numbers."""
    return Samples("real", lo, hi, tuple(also))


def integers(lo: int, hi: int, also: Sequence[int] = ()) -> Samples:
    """Whole numbers."""
    return Samples("integer", lo, hi, tuple(also))


def booleans() -> Samples:
    """Truth values (for other dtypes, 0 and 1)."""
    return Samples("bool", 0, 1)


ANY = reals(-10, 10, also=SPECIALS)
"""The line near zero, and every special value."""
POSITIVE = reals(0, 20, also=(0.0, -0.0, 1.0, 1e-300, 1e300, INF, NAN, -1.0))
"""For functions that are defined where x >= 0."""
