"""The LLVM route: what it imports, and what the machine code of key kernels looks like."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLD = """
import sys
sys.path[:0] = [{root!r}, {root!r} + "/kernels"]
import numpy as np
import symgraph as sg
sg.config.cache = False
x, w, k = sg.matrix("x"), sg.matrix("w"), sg.vector("k", dtype="int64")
loss = sg.nn.log_softmax(sg.tanh(x @ w), axis=1)[:, k].sum() + sg.gammaln(sg.sort(x)).mean()
f = sg.function([x, w, k], [loss, sg.grad(loss, w), (k[:, None] * k[None, :]) @ k])
out = f(np.full((4, 3), 0.5), np.eye(3), np.array([0, 2]))
print(all(np.isfinite(np.asarray(o)).all() for o in out))
print(sorted(m for m in ("numba", "scipy") if m in sys.modules))
"""


def test_a_cold_process_imports_neither_numba_nor_scipy() -> None:
    code = COLD.format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True", "[]"]
