"""Points of intervals: even, log-distributed, extreme; the same ones on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Interval = tuple[float, float]
ADVERSARIAL = (1e-9, -1e-9, 1e-20, 0.5, -0.5)


def points(domain: Mapping[str, Interval], count: int) -> list[dict[str, float]]:
    """``count`` and a half points of a box, half of them even, the others of all magnitudes."""
    generator = np.random.default_rng(7)
    columns: dict[str, list[float]] = {}
    for name, (lo, hi) in domain.items():
        even = generator.uniform(lo, hi, count // 2)
        small = min(abs(lo), abs(hi)) if lo * hi > 0 else 1e-12
        sizes = np.exp(generator.uniform(np.log(small), np.log(max(abs(lo), abs(hi))), count))
        signed = sizes * np.where(generator.random(count) < 0.5, -1, 1)
        inside = [v for v in signed if lo <= v <= hi] or [lo]
        extra = [v for v in ADVERSARIAL if lo <= v <= hi]
        pool = np.array([*inside, *extra, lo, hi])
        columns[name] = [*even, *generator.permutation(np.resize(pool, count))]
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
