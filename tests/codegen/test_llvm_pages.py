"""LLVM's pages go back to the system when it has compiled; its code runs again when it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen import llvm_pages, lone_faults

on_linux = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory by kind is read from Linux's /proc"
)
SCRIPT = """
import sys
import numpy as np
import symgraph as sg
def told(what):
    with open("/proc/self/status") as file:
        return [int(s.split()[1]) for s in file if s.startswith(what)][0]
x, y = sg.matrices("x", "y")
f = sg.function([x, y], [sg.sum(x * y), sg.tanh(x @ y)])
files, most = told("RssFile"), told("VmHWM")
f(np.ones((5, 5)), np.ones((5, 5)))
assert "llvmlite" in sys.modules
print(told("RssFile") - files, told("VmHWM") - most)
"""


def told(script: str, **settings: str) -> list[str]:
    """The words that a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **settings},
    )
    return done.stdout.split()


@on_linux
def test_a_process_that_has_compiled_holds_no_llvm(tmp_path):
    """Without, 72 MB of files stay, and the peak is 90 MB higher than before (November 2026).

    75 MB of it are left where pages come 16 at once, 45 where they come alone (48 where the
    thread that loads the library was quicker than who watches it).
    """
    files, most = map(int, told(SCRIPT, SYMGRAPH_CACHE_DIR=str(tmp_path)))
    assert files < 12_000  # kB
    assert most < (80_000 if lone_faults.begun() is None else 60_000)


@on_linux
def test_only_what_nothing_writes_is_given_back():
    import llvmlite.binding  # noqa: F401 - maps the library

    found = llvm_pages._segments()
    assert sum(size for _, size in found) > 10_000_000
    with open("/proc/self/maps", encoding="utf-8") as file:
        rows = [line.split() for line in file]
    places = [[int(x, 16) for x in row[0].split("-")] for row in rows]
    for start, size in found:
        inside = [
            r for r, (a, b) in zip(rows, places, strict=True) if a < start + size and b > start
        ]
        assert inside
        assert all("w" not in row[1] and row[5].endswith(".so") for row in inside)


def test_code_is_compiled_after_a_release():
    x = sg.vector("x")
    with sg.config(cache=False):
        for k in range(3):
            llvm_pages.release()
            f = sg.function([x], sg.sin(x) * k)
            np.testing.assert_allclose(f(np.ones(3)), np.sin(np.ones(3)) * k)


STARTED = """
import sys
from symgraph.codegen import llvm_pages
llvm_pages.begin()
assert "llvmlite" not in sys.modules
assert llvm_pages._loads
llvm_pages.begin()
assert len(llvm_pages._loads) == 1
from symgraph.codegen import objects
assert not llvm_pages._loads[0].is_alive()
places = llvm_pages._segments()
assert places
text = "define i64 @seven() {\\n ret i64 7\\n}"
assert objects.compile_text(text, ["seven"])
assert llvm_pages._segments() == places
print(bool(llvm_pages._lean))
"""


@on_linux
def test_the_library_is_loaded_by_another_thread_and_is_the_one_that_llvmlite_takes():
    assert told(STARTED) == [str(lone_faults.begun() is not None)]


def test_nothing_is_begun_where_llvm_is_there():
    import llvmlite.binding  # noqa: F401 - loads the library

    before = list(llvm_pages._loads)
    llvm_pages.begin()
    assert llvm_pages._loads == before
