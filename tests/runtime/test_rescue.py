"""The interpreter of slow lanes is loaded when a lane is in doubt, on whatever thread that is."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.externals import CELL
from symgraph.runtime import rescue

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


LADDER = """
import numpy as np
import symgraph as sg
from symgraph.runtime import rescue

high = sg.Mode(accuracy="high")
x = sg.vector("x")
difference = sg.function([x], x * x - 2 * x * 0.75 + 0.5625 + (x - 1) * 0, mode=high)
near = np.array([0.75 * (1 + 2.0**-30)])
first = difference(near).item()
print(sorted(rescue._tiers), first == 0.75**2 * 2.0**-60)
logarithm = sg.function([x], sg.log(x) - 0.5, mode=high)
print(f"{logarithm(np.array([1.6487212707001282])).item():.9e}", sorted(rescue._tiers))
sines = sg.function([x], sg.log(x) - sg.sin(x), mode=high)
print(f"{sines(np.array([2.219107148913746])).item():.9e}", sorted(rescue._tiers))
print(difference(near).item() == first)
"""


ZERO, ROOT = "-9.595406855e-17", "2.869841351e-17"  # by 40 digits


def test_an_interpreter_with_more_operations_comes_when_one_is_needed(tmp_path: Path) -> None:
    """Kept on disk, the largest serves from the start."""
    paths = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "SYMGRAPH_CACHE_DIR": str(tmp_path), "PYTHONPATH": paths}
    results = [
        subprocess.run(
            [sys.executable, "-c", LADDER],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout.split("\n")
        for _ in range(2)
    ]
    assert results[0] == ["[0] True", f"{ROOT} [0, 1]", f"{ZERO} [0, 1, 2]", "True", ""]
    assert results[1] == ["[2] True", f"{ROOT} [2]", f"{ZERO} [2]", "True", ""]


@pytest.mark.parametrize(
    ("size", "backend"), [(4, "llvm"), (8192, "llvm"), pytest.param(4, "numba")]
)
def test_an_interpreter_that_cannot_be_loaded_is_an_error_of_the_call(
    size: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = sg.shared(np.array(1.0), "state")
    x = sg.vector("x")
    mode = sg.Mode(accuracy="high", backend=backend)
    f = sg.function([x], sg.log(x) - sg.sin(x), mode=mode, updates={state: state + 1})
    sure, unsure = np.linspace(0.5, 1.0, size), np.full(size, 2.219107148913746)
    for _ in range(3):
        f(sure)
    assert state.get_value() == 4.0

    def nothing(code: int) -> int:
        raise MemoryError("no room for code")

    cell = ctypes.c_void_p.from_address(rescue.address(CELL))
    loaded = cell.value
    callback = ctypes.cast(rescue._callback, ctypes.c_void_p).value
    with monkeypatch.context() as patch:
        patch.setattr(rescue, "load", nothing)
        patch.setattr(cell, "value", callback)
        for _ in range(2):
            with pytest.raises(sg.SymgraphError, match="MemoryError: no room for code") as caught:
                f(unsure)
            assert isinstance(caught.value.__cause__, MemoryError)
        f(sure)
    assert state.get_value() == 5.0  # a call that fails changes nothing
    cell.value = loaded
    assert f(unsure)[0] == pytest.approx(-9.595406855e-17, rel=1e-9)
