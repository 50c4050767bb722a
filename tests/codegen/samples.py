"""Arguments for the words of the vocabulary: ordinary numbers and every special one."""

from __future__ import annotations

import numpy as np

from symgraph.loop.words import WordRow

# Where a function has a domain, or where NumPy and the definition differ only by the argument's
# conditioning (beside a zero, at poles), samples stay inside: accuracy is tested with the kernels.
RANGES: dict[str, tuple[float, float]] = {
    "acosh": (1.0, 50.0),
    "atanh": (-0.99, 0.99),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
    "erfinv": (-0.99, 0.99),
    "ndtri": (0.01, 0.4),
    "log1mexp": (-20.0, -0.01),
    "gamma": (0.1, 20.0),
    "gammaln": (2.5, 60.0),
    "digamma": (2.0, 60.0),
    "trigamma": (0.1, 60.0),
    "pow": (0.1, 6.0),
    "log": (0.01, 30.0),
    "log2": (0.01, 30.0),
    "log10": (0.01, 30.0),
    "log1p": (-0.9, 30.0),
    "erfc": (-3.0, 3.0),
    "erfcx": (-3.0, 30.0),
    "erfcx_slope": (-3.0, 30.0),
}
SPECIALS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -2.5, 1.5, np.inf, -np.inf, np.nan]


def arguments(row: WordRow, dtype: np.dtype, count: int = 40) -> list[np.ndarray]:
    """One array for each argument; for two or more, all pairs of special values come first."""
    rng = np.random.default_rng(len(row.name) + 7 * dtype.num)
    kind = dtype.kind
    if kind == "b":
        specials = np.array([False, True])
        ordinary = rng.integers(0, 2, count).astype(bool)
    elif kind in "iu":
        info = np.iinfo(dtype)
        edges = [0, 1, 2, 3, 7, info.min, info.max, info.max - 1, info.min + 1, 8, 31, 32, 63, 64]
        specials = np.array([e for e in edges if info.min <= e <= info.max], dtype)
        if kind == "i":
            specials = np.concatenate([specials, np.array([-1, -2, -7], dtype)])
        ordinary = rng.integers(-20 if kind == "i" else 0, 20, count).astype(dtype)
    else:
        specials = np.array(SPECIALS, dtype if kind == "f" else np.float64)
        low, high = RANGES.get(row.name, (-6.0, 6.0))
        ordinary = rng.uniform(low, high, count).astype(specials.dtype)
    if kind == "c":
        re, im = np.meshgrid(specials[np.isfinite(specials)], specials[np.isfinite(specials)])
        finite = np.empty(re.size, dtype)
        finite.real, finite.imag = re.ravel(), im.ravel()
        specials = finite
        ordinary = (ordinary + 1j * rng.uniform(-3, 3, count)).astype(dtype)
    return _grid(row, specials, ordinary, rng)


def _grid(
    row: WordRow, specials: np.ndarray, ordinary: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    values = row.arity - (row.name == "select")
    if values == 1:
        columns = [np.concatenate([specials, ordinary])]
    else:
        some = specials if len(specials) < 30 else rng.choice(specials, 30)
        left, right = np.meshgrid(some, some)
        columns = [np.concatenate([left.ravel(), ordinary])]
        columns += [
            np.concatenate(
                [rng.permutation(right.ravel()) if k else right.ravel(), rng.permutation(ordinary)]
            )
            for k in range(values - 1)
        ]
    if row.name == "select":
        columns.insert(0, rng.integers(0, 2, len(columns[0])).astype(bool))
    return columns
