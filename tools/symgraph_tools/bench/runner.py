"""Engines taking turns on workloads, each run in a process of its own.

In a round every engine runs once (A B C, A B C, ...), so a machine that drifts drifts for all. A
cold run has empty caches; a warm one, right after it, has those that the cold one left.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any  # JSON

from .child import MARK
from .workload import Workload

TIMES = ("import_s", "build_s", "first_s", "call_s", "peak_mb")
Log = Callable[[str], None]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: ``seconds`` is how long calls are repeated, ``warm`` whether to run again."""

    workloads: Sequence[Workload]
    engines: Sequence[str]
    rounds: int = 3
    seconds: float = 0.3
    warm: bool = True
    timeout: float = 300


def run(plan: Plan, log: Log) -> Json:
    """workload -> engine -> medians, spread, warm times and whether results agree."""
    return {row.name: _workload(row, plan, log) for row in plan.workloads}


def machine() -> Json:
    """What results depend on: processor, system, versions."""
    import llvmlite.binding as llvm

    from symgraph import __version__

    return {
        "processor": llvm.get_host_cpu_name(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "symgraph": __version__,
    }


def _workload(row: Workload, plan: Plan, log: Log) -> Json:
    runs: dict[str, list[Json]] = {e: [] for e in plan.engines if row.suits(e)}
    failed: dict[str, str] = {}
    for _ in range(plan.rounds):
        for engine in runs:
            if engine in failed:
                continue
            found = _turn(engine, row, plan)
            if "error" in found:
                failed[engine] = found["error"]
                log(f"{row.name} on {engine}: {found['error']}")
            else:
                runs[engine].append(found)
    results = {engine: _medians(found) for engine, found in runs.items() if found}
    _compare(results, row.rtol)
    for engine, error in failed.items():
        results[engine] = {"error": error}
    log(f"{row.name}: done")
    return results


def _turn(engine: str, row: Workload, plan: Plan) -> Json:
    """A cold run and, where asked for, a warm one."""
    with tempfile.TemporaryDirectory() as caches:
        found = _process(engine, row, plan.seconds, caches, plan.timeout)
        if plan.warm and "error" not in found:
            again = _process(engine, row, 0.0, caches, plan.timeout)
            found["warm_s"] = again.get("build_s", 0) + again.get("first_s", 0)
            if "error" in again:
                return again
    return found


def _process(engine: str, row: Workload, seconds: float, caches: str, timeout: float) -> Json:
    command = [sys.executable, "-m", "symgraph_tools.bench.child", engine, row.name, str(seconds)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(caches),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer in {timeout:.0f} s"}
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            found: Json = json.loads(line.removeprefix(MARK))
            return found
    return {"error": (done.stderr.strip().splitlines() or ["it printed no result"])[-1][:200]}


def environment(caches: str) -> dict[str, str]:
    """This process's environment, with all caches in one folder and our packages found."""
    found = [find_spec(name) for name in ("symgraph", "symgraph_kernels", "symgraph_tools")]
    folders = {str(Path(spec.origin).parents[1]) for spec in found if spec and spec.origin}
    path = [*sorted(folders), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONWARNINGS": "ignore",
        "HOME": caches,
        "XDG_CACHE_HOME": caches,
        "SYMGRAPH_CACHE_DIR": caches,
        "NUMBA_CACHE_DIR": caches,
        "PYTENSOR_FLAGS": f"base_compiledir={caches}",
        "TORCHINDUCTOR_CACHE_DIR": caches,
    }


def _medians(runs: list[Json]) -> Json:
    """Medians of rounds; ``spread``: how much slower the slowest round's best call was."""
    found: Json = {"digest": runs[0]["digest"]}
    for key in (*TIMES, "warm_s"):
        values = [one[key] for one in runs if one.get(key) is not None]
        if values:
            found[key] = statistics.median(values)
    calls = [one["call_s"] for one in runs]
    found["spread"] = max(calls) / min(calls) - 1
    return found


def _compare(results: dict[str, Json], rtol: float) -> None:
    """Marks results that differ from NumPy's, or from those of the first engine that has some."""
    order = sorted(results, key=lambda engine: engine != "numpy")
    if not order:
        return
    right = results[order[0]]["digest"]
    for found in results.values():
        found["agrees"] = agree(found.pop("digest"), right, rtol)


def agree(one: list[Any], other: list[Any], rtol: float) -> bool:
    """Equal shapes, and norms that are close."""
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        norms = float(a[3]), float(b[3])
        if a[0] != b[0] or not abs(norms[0] - norms[1]) <= rtol * (abs(norms[1]) + 1e-12):
            return False
    return True
