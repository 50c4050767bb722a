"""The interpreter of slow lanes is loaded when a lane is in doubt, on whatever thread that is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# 8,192 elements are enough for two threads, and few enough that the GIL would be held; the lanes in
# doubt are in the last chunks, which a worker takes first
SCRIPT = """
import numpy as np
import symgraph as sg
from symgraph.runtime import rescue

sg.config.threads = 2
x = sg.vector("x")
f = sg.function([x], sg.log(x) - sg.sin(x), mode=sg.Mode(accuracy="high"))
sure = np.linspace(0.5, 1.0, SIZE)
unsure = sure.copy()
unsure[-SIZE // 4:] = 2.219107148913746
for _ in range(20):
    f(sure)
before = len(rescue._loaded)
got = f(unsure)
kept = np.array_equal(got[: SIZE // 2], f(sure)[: SIZE // 2])
print(before, len(rescue._loaded), f"{got[-1]:.9e}", kept)
"""


@pytest.mark.parametrize("size", [4, 8192])
def test_the_interpreter_comes_with_the_first_lane_in_doubt(size: int, tmp_path: Path) -> None:
    paths = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "SYMGRAPH_CACHE_DIR": str(tmp_path), "PYTHONPATH": paths}
    script = SCRIPT.replace("SIZE", str(size))
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    # by 40 digits; the double nearest to the zero
    assert done.stdout.split() == ["0", "1", "-9.595406855e-17", "True"]
