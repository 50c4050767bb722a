"""One workload on one engine: ``python -m symgraph_tools.bench.child ENGINE WORKLOAD SECONDS``.

Prints one line of JSON: seconds for the import of the library, for building, for the first call and
for a call (the best of many), peak memory in MB, and a digest of the results to compare engines by.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any  # arrays and functions of every library

import numpy as np

MARK = "RESULT "
REPEAT_SECONDS = 2e-3  # calls are timed in groups that take at least this long


def main(arguments: list[str]) -> None:
    """Run the workload and print what was measured."""
    engine_name, workload_name, seconds = arguments
    from .collections import workload
    from .engines import ENGINES

    row = workload(workload_name)
    arrays = row.inputs(np.random.default_rng(0))
    times = [time.perf_counter()]
    engine = ENGINES[engine_name]()
    times.append(time.perf_counter())
    run = engine.compiled(row, arrays)
    times.append(time.perf_counter())
    outputs = run(*arrays)
    times.append(time.perf_counter())
    found: dict[str, Any] = dict(
        zip(("import_s", "build_s", "first_s"), np.diff(times).tolist(), strict=True)
    )
    listed = outputs if isinstance(outputs, list | tuple) else [outputs]
    found["digest"] = [digest(x) for x in listed]
    found["call_s"] = best_call(lambda: run(*arrays), float(seconds))
    found["peak_mb"] = peak_megabytes()
    print(MARK + json.dumps(found))


def digest(x: Any) -> list[Any]:
    """Shape, dtype, sum and norm of an array, as numbers that JSON can write."""
    array = np.asarray(x)
    wide = array.astype("complex128" if array.dtype.kind == "c" else "float64")
    total, norm = np.sum(wide).real, np.linalg.norm(wide.ravel())
    return [list(array.shape), str(array.dtype), repr(float(total)), repr(float(norm))]


def best_call(run: Any, seconds: float) -> float:
    """Seconds of the fastest call in so much time; at least three calls."""
    start = time.perf_counter()
    run()
    once = max(1e-7, time.perf_counter() - start)
    group = max(1, int(REPEAT_SECONDS / once))
    best, spent, groups = float("inf"), 0.0, 0
    while spent < seconds or groups < 3:
        start = time.perf_counter()
        for _ in range(group):
            run()
        elapsed = time.perf_counter() - start
        best, spent, groups = min(best, elapsed / group), spent + elapsed, groups + 1
    return best


def peak_megabytes() -> float | None:
    """The most memory this process has held; None where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage gives the peak of the process that started this one, if larger
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(sys.argv[1:])
