"""``device="cuda"`` without a GPU and without its simulator is a clear error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import symgraph

PROGRAM = """
import symgraph as sg

x = sg.vector("x")
try:
    sg.function([x], x + 1, device="cuda")
except sg.DeviceError as error:
    assert isinstance(error, RuntimeError)
    print(error)
assert sg.function([x], x + 1)([1.0]) == 2.0
"""


def test_cuda_without_a_device_says_what_to_do() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    folders = [str(Path(symgraph.__file__).parents[1]), *sys.path]
    environment |= {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for part in ("CUDA", "help:", "symgraph[cuda]"):
        assert part in done.stdout
