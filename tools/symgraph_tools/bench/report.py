"""Results of a benchmark as text: a table with ratios, and the comparison of two results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any  # JSON

OURS = "symgraph"
WARM = 15  # milliseconds that building and a first call may take where code is in the cache
Json = Mapping[str, Any]
_HEAD = (
    f"{'workload':26}{'engine':10}{'call us':>11}{'spread':>8}{'cold s':>8}{'warm s':>8}{'MB':>6}"
)


def table(found: Json) -> Iterator[str]:
    """Lines: for each workload its engines, the best peer's time over ours, the share."""
    yield f"{_HEAD}{'peer/ours':>11}{'of limit':>10}"
    for name, row in found["results"].items():
        for place, (engine, one) in enumerate(row.items()):
            yield _line(name if place == 0 else "", engine, one, row, found["shares"].get(name))
    ratios = [r for r in map(ratio, found["results"].values()) if r is not None]
    if ratios:
        slower = sum(r < 1 for r in ratios)
        yield f"best peer's time over ours: geometric mean {mean(ratios):.2f} of {len(ratios)}"
        yield f"workloads on which a peer is faster: {slower}"
    yield from _starts(found["results"])
    yield from _memory(found["results"])


def _starts(results: Mapping[str, Json]) -> Iterator[str]:
    """What building and a first call take us, without and with caches."""
    ours = {name: row[OURS] for name, row in results.items() if "call_s" in row.get(OURS, {})}
    cold = [one["import_s"] + one["build_s"] + one["first_s"] for one in ours.values()]
    if cold:
        yield f"cold, with import: median {median(cold):.2f} s, at most {max(cold):.2f}"
    warm = {name: one["warm_s"] * 1e3 for name, one in ours.items() if "warm_s" in one}
    if warm:
        late = {name: time for name, time in warm.items() if time > WARM}
        yield f"warm: median {median(warm.values()):.1f} ms, above {WARM} ms: {_listed(late, 'ms')}"


def _memory(results: Mapping[str, Json]) -> Iterator[str]:
    """Where our process needs more memory than the leanest peer's."""
    more = {}
    for name, row in results.items():
        most = {engine: one["peak_mb"] for engine, one in row.items() if one.get("peak_mb")}
        ours = most.pop(OURS, None)
        if ours is not None and most and ours > min(most.values()):
            more[name] = ours - min(most.values())
    if any(len(row) > 1 for row in results.values()):
        yield f"peak memory above the leanest peer's: {_listed(more, 'MB')}"


def _listed(values: Mapping[str, float], unit: str) -> str:
    order = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:.0f} {unit}" for name, value in order) or "none"


def _line(name: str, engine: str, one: Json, row: Json, share: float | None) -> str:
    if "error" in one:
        return f"{name:26}{engine:10}{one['error']}"
    cold = one["build_s"] + one["first_s"]
    warm = f"{one['warm_s']:8.3f}" if "warm_s" in one else f"{'':8}"
    text = f"{name:26}{engine:10}{one['call_s'] * 1e6:11.1f}{one['spread']:8.0%}{cold:8.3f}{warm}"
    text += f"{one.get('peak_mb', 0):6.0f}"
    if engine == OURS:
        better = ratio(row)
        text += f"{f'{better:.2f}' if better is not None else '':>11}"
        text += f"{f'{share:.0%}' if share is not None else '':>10}"
    return text if one["agrees"] else f"{text}  DISAGREES"


def ratio(row: Json) -> float | None:
    """The fastest peer's time over ours; None where one of the two is missing."""
    calls = {engine: one["call_s"] for engine, one in row.items() if "call_s" in one}
    peers = [time for engine, time in calls.items() if engine != OURS]
    return min(peers) / calls[OURS] if peers and OURS in calls else None


def mean(values: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def wrong(found: Json) -> list[str]:
    """Workloads on which our result differs from the others', or is missing."""
    return [
        name
        for name, row in found["results"].items()
        if OURS in row and not row[OURS].get("agrees", False)
    ]


def comparison(old: Json, new: Json) -> dict[str, float]:
    """Workload -> our time then over our time now, where both have one: above 1 is faster."""
    pairs = {
        name: (old["results"][name].get(OURS, {}), row.get(OURS, {}))
        for name, row in new["results"].items()
        if name in old["results"]
    }
    return {
        name: before["call_s"] / now["call_s"]
        for name, (before, now) in pairs.items()
        if "call_s" in before and "call_s" in now
    }


def comparison_lines(changes: Mapping[str, float]) -> Iterator[str]:
    """Lines of a comparison, what became slower first."""
    yield f"{'workload':32}{'before/now':>11}"
    for name, change in sorted(changes.items(), key=lambda item: item[1]):
        yield f"{name:32}{change:11.2f}"
    if changes:
        yield f"geometric mean {mean(list(changes.values())):.3f} of {len(changes)}"


def slower_than(changes: Mapping[str, float], factor: float) -> list[str]:
    """Workloads that now take more than ``factor`` times as long."""
    return [name for name, change in changes.items() if change * factor < 1]
