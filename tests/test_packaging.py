"""The wheel holds what it must and nothing else; importing symgraph is quick and loads little."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("symgraph", "kernels", "tools", "pyproject.toml", "README.md", "LICENSE")
IMPORT_NAMES = {"symgraph", "symgraph_kernels", "symgraph_tools"}
# numba and scipy come with the first compile, the others with the first command or picture.
LATE = {"numba", "llvmlite", "scipy", "click", "matplotlib", "symgraph_kernels", "symgraph_tools"}

BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
MODULES = "import sys, symgraph; print(*sorted({name.split('.')[0] for name in sys.modules}))"
ADDED = """
import sys, numpy
before = set(sys.modules)
import symgraph
print(*sorted(set(sys.modules) - before))
"""
# Each takes a millisecond or more, and building graphs needs none of them.
COSTLY = {
    *("dataclasses", "hashlib", "ipaddress", "json", "pathlib", "signal", "string", "sysconfig"),
    *("numpy.ma", "numpy.polynomial", "numpy.typing", "symgraph.autodiff.vjp"),
    *("symgraph.compile", "symgraph.lower", "symgraph.rewrite", "symgraph.runtime.recipes"),
}
TIMES = """
from time import perf_counter as now
a = now(); import numpy; b = now(); import symgraph; c = now()
print(b - a, c - b)
"""


def python(code: str, *args: str, cwd: Path) -> str:
    """The output of a fresh interpreter that sees the three source roots."""
    roots = os.pathsep.join(str(ROOT / name) for name in ("", "kernels", "tools"))
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": roots},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=skip)
        else:
            shutil.copy(ROOT / name, copy / name)
    python(BUILD, str(folder), cwd=copy)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_wheel_has_three_import_names_and_no_other(wheel: zipfile.ZipFile):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == IMPORT_NAMES


def test_wheel_has_every_module(wheel: zipfile.ZipFile):
    roots = (ROOT, ROOT / "kernels", ROOT / "tools")
    expected = {
        path.relative_to(root).as_posix()
        for root in roots
        for name in IMPORT_NAMES
        for path in (root / name).rglob("*.py")
    }
    assert expected - set(wheel.namelist()) == set()


@pytest.mark.parametrize(
    "name",
    [
        "symgraph/py.typed",
        "symgraph_kernels/py.typed",
        "symgraph_tools/py.typed",
        "symgraph_tools/data/digits.npz",
        "symgraph_tools/data/digits.LICENSE.txt",
        *(
            f"symgraph_tools/page/assets/{path.name}"
            for path in (ROOT / "tools/symgraph_tools/page/assets").iterdir()
        ),
    ],
)
def test_wheel_has_data(wheel: zipfile.ZipFile, name: str):
    assert name in wheel.namelist()


def test_wheel_carries_both_licences_and_the_command(wheel: zipfile.ZipFile):
    info = next(n.split("/")[0] for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    licences = {Path(n).name for n in wheel.namelist() if n.startswith(f"{info}/licenses/")}
    assert licences == {"LICENSE", "digits.LICENSE.txt"}
    assert "symgraph = symgraph_tools.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_wheel_is_small(wheel: zipfile.ZipFile):
    nbytes = sum(info.compress_size for info in wheel.infolist())
    assert nbytes < 2_000_000


def test_importing_symgraph_loads_neither_numba_nor_scipy(tmp_path: Path):
    loaded = set(python(MODULES, cwd=tmp_path).split())
    assert "symgraph" in loaded
    assert loaded & LATE == set()


def test_importing_symgraph_adds_nothing_costly_to_numpy(tmp_path: Path):
    added = set(python(ADDED, cwd=tmp_path).split())
    assert "symgraph.ops.math" in added
    assert added & COSTLY == set()


def test_importing_symgraph_is_measured_against_numpy(tmp_path: Path):
    """Prints the times, which depend on the machine; ``-rP`` shows them. Fails only far off."""
    runs = [tuple(map(float, python(TIMES, cwd=tmp_path).split())) for _ in range(5)]
    numpy_s, symgraph_s = (statistics.median(run[i] for run in runs) for i in (0, 1))
    print(
        f"import numpy {numpy_s * 1e3:.0f} ms, then import symgraph {symgraph_s * 1e3:.0f} ms"
        f" ({symgraph_s / numpy_s:.2f} of numpy's)"
    )
    assert symgraph_s < 10 * numpy_s
