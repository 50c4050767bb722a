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
x, y = sg.vectors("x", "y")
cost = sg.sum(sg.log(1 + sg.exp(x * y)))
f = sg.function([x, y], [cost, *sg.grad(cost, [x, y])])
f(np.ones(10), np.ones(10))
"""
# name -> what a process runs
PROCESSES = {
    "python": "pass",
    "import numpy": "import numpy",
    "import symgraph": "import symgraph",
    "warm program": PROGRAM,
}


def measure(rounds: int) -> dict[str, float]:
    """Process -> least seconds from its start to its end."""
    with tempfile.TemporaryDirectory() as caches:
        known = environment(caches)
        known.pop("PYTHONDONTWRITEBYTECODE", None)
        for text in PROCESSES.values():
            _seconds(text, known)
        turns = [{n: _seconds(text, known) for n, text in PROCESSES.items()} for _ in range(rounds)]
    return {name: min(turn[name] for turn in turns) for name in PROCESSES}


def table(found: Mapping[str, float]) -> list[str]:
    """The times in milliseconds, and what symgraph's import adds to NumPy's."""
    lines = [f"{name:18}{seconds * 1e3:8.1f} ms" for name, seconds in found.items()]
    added = found["import symgraph"] - found["import numpy"]
    return [*lines, f"{'added to NumPy':18}{added * 1e3:8.1f} ms"]


def _seconds(text: str, known: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", text], env=dict(known), check=True, cwd=os.sep)
    return time.perf_counter() - began
