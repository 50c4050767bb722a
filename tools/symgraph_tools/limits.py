"""What this machine can do at most: bytes a second by how much is touched, operations a second.

Measured by the kernels of ``bench/limits.py`` in a quarter of a second, whenever it is asked for.
A busy machine measures too little, so the best of what was ever measured is kept beside the
compiled code, by processor and number of threads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SIZES_MB = (1, 4, 64)  # caches of a core, caches of all, memory
SECONDS = 0.02  # for each of eight measurements


@dataclass(frozen=True, slots=True)
class Limits:
    """``bandwidths``: (bytes, GB/s) from few bytes to many; ``compute``: GFLOP/s."""

    bandwidths: tuple[tuple[int, float], ...]
    compute: float

    @property
    def bandwidth(self) -> float:
        """GB/s of memory."""
        return self.bandwidths[-1][1]

    def least_ns(self, nbytes: int, flops: int) -> float:
        """The time that moving bytes or doing operations takes at least."""
        fits = (rate for size, rate in self.bandwidths if size >= nbytes)
        return max(nbytes / next(fits, self.bandwidth), flops / self.compute)

    def share(self, nbytes: int, flops: int, elapsed_ns: int) -> float:
        """The least time that bytes and operations need here, over the time that they took."""
        return self.least_ns(nbytes, flops) / max(1, elapsed_ns)


def measure_limits(dtype: str = "float64", threads: int = 0) -> Limits:
    """The best of now and before; operations on numbers of a dtype. ``threads``: 0 for all."""
    from symgraph.runtime import cache

    from .bench import limits

    path = cache.folder() / f"limits-{_machine(threads)}.json"
    found = {
        f"{what} {key}": rate
        for what, row in limits.measure(SECONDS, SIZES_MB).items()
        for key, rate in row.items()
    }
    for key, rate in _read(path).items():
        found[key] = max(rate, found.get(key, 0.0))
    _write(path, found)
    rates = [(n * 1_000_000, max(found[f"{w} {n}"] for w in ("read", "copy"))) for n in SIZES_MB]
    return Limits(tuple(rates), found[f"multiply {dtype}"])


def _machine(threads: int) -> str:
    """A name for the processor and the threads in use."""
    from symgraph.codegen.processor import processor_key
    from symgraph.runtime import pool

    text = f"{processor_key()}|{threads or pool.processors()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> Mapping[str, float]:
    """What was measured before; nothing where the file is not there, or no such file."""
    try:
        found = json.loads(path.read_bytes())
        return {str(k): float(v) for k, v in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(path: Path, found: Mapping[str, float]) -> None:
    """Keeps the limits, unless the folder cannot be written."""
    aside = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError:
        return
