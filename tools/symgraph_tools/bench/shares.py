"""The share of the machine's limit that workloads reach, each beside the limit in one process.

A workload that memory limits takes turns with a plain kernel that reads as many bytes as it is
given and writes as many as it returns; one that products limit, with multiply-adds on registers.
The fastest call of each counts, and the share is the limit's time over ours. So a machine that
drifts, or has other things to do, drifts for both. What stores past the caches would make of the
plain kernel is told beside it; the limit has usual ones, since who reads the result next pays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any  # JSON

import numpy as np

from . import limits
from .accuracy_cost import alternating
from .workload import Workload

# workload -> the share that it is to reach
ASKED: Mapping[str, float] = {
    "axpy_chain": 0.7,
    "mean_and_variance": 0.7,
    "softmax_rows": 0.7,
    "norm_grad": 0.7,
    "logistic_grad": 0.5,
    "network_grad": 0.75,
}
Json = dict[str, Any]


def measure(rows: Iterable[Workload], seconds: float, log: Callable[[str], None]) -> Iterator[Json]:
    """For each workload that has a limit: its time, the limit's, what that is, and the share."""
    for row in rows:
        if row.nbytes or row.flops:
            log(row.name)
            yield {"name": row.name, **_workload(row, seconds)}


def _workload(row: Workload, seconds: float) -> Json:
    from .engines import Symgraph

    arrays = row.inputs(np.random.default_rng(0))
    function = Symgraph().compiled(row, arrays)
    found = function(*arrays)
    results = found if isinstance(found, list | tuple) else [found]
    read, written = (sum(np.asarray(a).nbytes for a in group) for group in (arrays, results))
    runs = limits.plain_traffic(read, written) if row.nbytes else {}
    if row.flops:
        runs["product"], operations = limits.multiplication(row.dtype)
    del found, results
    best = alternating({"ours": lambda: function(*arrays), **runs}, seconds)
    times = {"memory": best.get("plain", 0.0)}
    if row.flops:
        times["products"] = best["product"] * row.flops / operations
    what, limit = max(times.items(), key=lambda item: item[1])
    return {
        "call_s": best["ours"],
        "limit": what,
        "limit_s": limit,
        "share": limit / best["ours"],
        "streaming_s": best.get("streaming"),
        "read_mb": read / 1e6,
        "written_mb": written / 1e6,
    }


def table(found: Iterable[Json]) -> Iterator[str]:
    """Lines: times, the share, and the share that is asked for."""
    yield f"{'workload':24}{'call us':>10}{'limit us':>10}{'share':>7}{'asked':>7}  limit"
    for row in found:
        asked = ASKED.get(row["name"])
        text = f"{row['name']:24}{row['call_s'] * 1e6:10.1f}{row['limit_s'] * 1e6:10.1f}"
        text += f"{row['share']:7.0%}{f'{asked:.0%}' if asked else '':>7}"
        yield f"{text}  {_about(row)}"


def _about(row: Json) -> str:
    """What the limit is."""
    if row["limit"] == "products":
        return "products"
    text = f"{row['read_mb']:.0f} MB read, {row['written_mb']:.0f} MB written"
    if row["streaming_s"] is not None:
        text += f" ({row['streaming_s'] * 1e6:.0f} us past the caches)"
    return text
