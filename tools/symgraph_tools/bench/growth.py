"""How compile time grows with the graph: a network with its gradient, of more and more layers.

Each size is two processes of their own, the second with the code of the first on disk. Time is the
processor's (of all threads), from building the graph to the end of the first call, so that other
programs on the machine count little.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from symgraph.records import dataclass

from .runner import environment

PROGRAM = """
import json, sys, time
import numpy as np
import symgraph as sg
start = time.process_time()
x = sg.tensor("x", shape=(8, 16))
weights = [sg.tensor(f"w{k}", shape=(16, 16)) for k in range(LAYERS)]
biases = [sg.tensor(f"b{k}", shape=(16,)) for k in range(LAYERS)]
h = x
for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
    z = h @ w + b
    h = z * sg.sigmoid(z) / (1 + sg.exp(-z)) + 0.5 * sg.tanh(z + h) * sg.cos(z)
loss = sg.mean((h - x) ** 2)
params = [x, *weights, *biases]
f = sg.function(params, [loss, *sg.grad(loss, params[1:])])
f(*(np.full(tuple(p.type.shape), 0.01) for p in params))
seconds = time.process_time() - start
nodes = 0
if COUNT:
    from symgraph.ir.graph import toposort
    nodes = len(toposort(f.graph.outputs))
print(json.dumps({"seconds": seconds, "nodes": nodes}))
"""


@dataclass(frozen=True, slots=True)
class Growth:
    """One size: layers, nodes of the graph as built, and seconds without and with caches."""

    layers: int
    nodes: int
    cold: float
    warm: float

    @property
    def per_node(self) -> float:
        """Milliseconds of a cold compilation for each node."""
        return self.cold * 1e3 / self.nodes

    def fields(self) -> dict[str, float]:
        """As JSON has it."""
        times = {"cold_s": self.cold, "warm_s": self.warm, "ms_per_node": self.per_node}
        return {"layers": self.layers, "nodes": self.nodes} | times


def measure(layers: Sequence[int]) -> list[Growth]:
    """The times of networks of so many layers."""
    return [_measured(count) for count in layers]


def _measured(layers: int) -> Growth:
    with tempfile.TemporaryDirectory() as caches:
        known = environment(caches)
        known.pop("PYTHONDONTWRITEBYTECODE", None)
        cold = _run(layers, False, known)
        warm = _run(layers, False, known)
        counted = _run(layers, True, known)
    return Growth(layers, int(counted["nodes"]), cold["seconds"], warm["seconds"])


def _run(layers: int, count: bool, known: Mapping[str, str]) -> dict[str, float]:
    text = PROGRAM.replace("LAYERS", str(layers)).replace("COUNT", str(count))
    command = [sys.executable, "-c", text]
    done = subprocess.run(
        command, env=dict(known), check=True, cwd=os.sep, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def table(found: Sequence[Growth]) -> list[str]:
    """One line for each size."""
    rows = [
        f"{g.layers:7}{g.nodes:8}{g.cold:9.2f} s{g.warm:9.3f} s{g.per_node:11.3f} ms" for g in found
    ]
    return [" layers   nodes       cold       warm  cold per node", *rows]
