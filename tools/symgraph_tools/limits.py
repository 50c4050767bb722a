"""What this machine can do at most, measured here and now: bytes a second, operations a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

COPIED = 2**26  # bytes of a copy: more than caches hold
SIDE = 768  # of the matrices that are multiplied
LEAST_REPEAT, MEASURED_NS = 5, 80_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and operations a nanosecond, which are GB/s and GFLOP/s."""

    bandwidth: float
    compute: float

    def share(self, nbytes: int, flops: int, elapsed_ns: int) -> float:
        """The least time that bytes and operations need here, over the time that they took."""
        return max(nbytes / self.bandwidth, flops / self.compute) / max(1, elapsed_ns)


def measure_limits() -> Limits:
    """By a copy of memory and a product of matrices, the best of a few; takes 0.2 s."""
    source = np.ones(COPIED // 8)
    target = np.empty_like(source)
    a = np.ones((SIDE, SIDE))
    copy_ns = _least(lambda: np.copyto(target, source))
    product_ns = _least(lambda: a @ a)
    return Limits(2 * COPIED / copy_ns, 2 * SIDE**3 / product_ns)


def _least(function: Callable[[], object]) -> int:
    times: list[int] = []
    while len(times) < LEAST_REPEAT or sum(times) < MEASURED_NS:
        start = perf_counter_ns()
        function()
        times.append(perf_counter_ns() - start)
    return max(1, min(times))
