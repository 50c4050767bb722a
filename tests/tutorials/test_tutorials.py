"""Tutorials run from beginning to end, and each notebook is its script with outputs.

``pytest tests/tutorials --update-golden`` writes the notebooks anew from the scripts.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from time import perf_counter

import pytest

jupytext = pytest.importorskip("jupytext", reason="needs the extra `tutorials`")
nbformat = pytest.importorskip("nbformat", reason="needs the extra `tutorials`")
nbclient = pytest.importorskip("nbclient", reason="needs the extra `tutorials`")

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "tutorials").glob("[0-9]*.py"))
LONGEST_S = 45
# The file that a kernel gives to a cell has the number of a process in it.
CELL_FILE = re.compile(r"/[^\s\"']*ipykernel_\d+/\d+\.py")


def source_cells(notebook) -> list[tuple[str, str]]:
    """Kind and text of every cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_notebook_is_its_script(script, request):
    if request.config.getoption("--update-golden"):
        pytest.skip("the notebooks are being written")
    stored = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert source_cells(stored) == source_cells(jupytext.read(script))
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_tutorial_runs_and_what_it_asserts_holds(script, request, monkeypatch):
    roots = [str(ROOT / name) for name in ("", "kernels", "tools")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(roots))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    notebook = jupytext.read(script)
    assert sum("assert " in cell.source for cell in notebook.cells) >= 5
    started = perf_counter()
    nbclient.NotebookClient(
        notebook, timeout=LONGEST_S, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    ).execute()
    elapsed = perf_counter() - started
    print(f"{script.stem}: {elapsed:.1f} s")
    if request.config.getoption("--update-golden"):
        write(notebook, script.with_suffix(".ipynb"))
    assert elapsed < LONGEST_S


def write(notebook, path: Path) -> None:
    """Store an executed notebook without what changes at every run: times, ids, files of cells."""
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if "text" in output:
                output.text = CELL_FILE.sub("<this cell>", output.text)
            picture = output.get("data", {}).get("image/svg+xml")
            if picture is not None:
                output.data["image/svg+xml"] = CELL_FILE.sub("this cell", picture)
    notebook.metadata.pop("language_info", None)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
