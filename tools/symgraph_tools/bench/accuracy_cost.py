"""What accuracy costs: a workload as written, by default, and guarded everywhere, in one process.

Calls of the modes take turns, so that a machine that drifts drifts for all, and the fastest call of
each counts. The share of lanes is that of guarded values that were computed slowly, on the
workload's own data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .workload import Workload

BASE = "as-written"
GROUP_SECONDS = 1e-3  # calls are timed in groups that take at least this long
FEWEST = 5  # groups
Json = dict[str, Any]


def measure(
    rows: Iterable[Workload], levels: Sequence[str], seconds: float, log: Callable[[str], None]
) -> Iterator[Json]:
    """For each workload: seconds of a call, time over that as written, share of slow lanes."""
    for row in rows:
        log(row.name)
        yield {"name": row.name, **_workload(row, levels, seconds)}


def _workload(row: Workload, levels: Sequence[str], seconds: float) -> Json:
    import symgraph as sg

    from .engines import Symgraph

    arrays = row.inputs(np.random.default_rng(0))
    inputs, outputs = Symgraph().traced(row, arrays)
    made = {
        level: sg.function(inputs, outputs, mode=sg.Mode(accuracy=level))
        for level in (BASE, *levels)
    }
    best = alternating({k: _call(f, arrays) for k, f in made.items()}, seconds)
    found: Json = {"as_written_s": best[BASE]}
    for level in levels:
        slow, possible = made[level].lanes
        share = slow / possible if possible else 0.0
        found[level] = {"ratio": best[level] / best[BASE], "share": share}
    return found


def _call(function: Any, arrays: Sequence[Any]) -> Callable[[], Any]:
    return lambda: function(*arrays)


def alternating(runs: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Seconds of the fastest call of each, taking turns for so many seconds each."""
    group = {}
    for name, run in runs.items():
        run()
        start = time.perf_counter()
        run()
        once = max(1e-8, time.perf_counter() - start)
        group[name] = max(1, int(GROUP_SECONDS / once))
    best, turns = dict.fromkeys(runs, float("inf")), 0
    end = time.perf_counter() + seconds * len(runs)
    while turns < FEWEST or time.perf_counter() < end:
        turns += 1
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(group[name]):
                run()
            best[name] = min(best[name], (time.perf_counter() - start) / group[name])
    return best


def table(found: Sequence[Json], levels: Sequence[str]) -> Iterator[str]:
    """Lines: the time as written, then for each level the factor and the share of slow lanes."""
    titles = "".join(f"{level:>10}{'lanes':>9}" for level in levels)
    yield f"{'workload':24}{'as written':>12}{titles}"
    for row in found:
        cells = "".join(f"{row[k]['ratio']:9.2f}x{100 * row[k]['share']:8.3f}%" for k in levels)
        yield f"{row['name']:24}{row['as_written_s'] * 1e6:9.2f} us{cells}"
    for level in levels:
        mean = float(np.exp(np.mean([np.log(row[level]["ratio"]) for row in found])))
        yield f"{level}: {mean:.3f} times as written in the geometric mean of {len(found)}"


def dearer_than(found: Sequence[Json], level: str, factor: float) -> list[str]:
    """Workloads that a level makes more than ``factor`` times as slow."""
    return [row["name"] for row in found if row[level]["ratio"] > factor]
