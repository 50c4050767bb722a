"""How long processes take to start: Python, NumPy, symgraph, and a program with code from disk.

Each is a process of its own, and they take turns; least times of some rounds. All have .pyc files,
and the program has run once before, so that its code is in the cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from .runner import environment

PROGRAM = """
import numpy as np
import symgraph as sg
from time import perf_counter as now
start = now()
x, y = sg.vectors("x", "y")
cost = sg.sum(sg.log(1 + sg.exp(x * y)))
f = sg.function([x, y], [cost, *sg.grad(cost, [x, y])])
built = now()
f(np.ones(10), np.ones(10))
print(built - start, now() - built)
"""
PARTS = ("of it: graph, function", "of it: first call")  # what the program prints
# name -> what a process runs
PROCESSES = {
    "python": "pass",
    "import numpy": "import numpy",
    "import symgraph": "import symgraph",
    "warm program": PROGRAM,
}


def measure(rounds: int) -> dict[str, float]:
    """Process -> least seconds from its start to its end, and those of the program's parts."""
    with tempfile.TemporaryDirectory() as caches:
        known = environment(caches)
        known.pop("PYTHONDONTWRITEBYTECODE", None)
        for text in PROCESSES.values():
            _seconds(text, known)
        turns = [_turn(known) for _ in range(rounds)]
    return {name: min(turn[name] for turn in turns) for name in turns[0]}


def _turn(known: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for name, text in PROCESSES.items():
        found[name], printed = _seconds(text, known)
        found |= zip(PARTS, map(float, printed.split()), strict=False)
    return found


def table(found: Mapping[str, float]) -> list[str]:
    """The times in milliseconds, and what symgraph's import adds to NumPy's."""
    lines = [f"{name:24}{seconds * 1e3:8.1f} ms" for name, seconds in found.items()]
    added = found["import symgraph"] - found["import numpy"]
    return [*lines, f"{'added to NumPy':24}{added * 1e3:8.1f} ms"]


def _seconds(text: str, known: Mapping[str, str]) -> tuple[float, str]:
    """The seconds of a process, and what it printed."""
    command = [sys.executable, "-c", text]
    began = time.perf_counter()
    done = subprocess.run(
        command, env=dict(known), check=True, cwd=os.sep, stdout=subprocess.PIPE, text=True
    )
    return time.perf_counter() - began, done.stdout
