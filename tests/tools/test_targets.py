"""What commands can be pointed at, and what all commands do alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph_tools.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
PROGRAM = """
import symgraph as sg

def model(x, scale=2.0):
    return sg.log(1 - sg.sigmoid(x * scale))

def deep(n):
    x = sg.vector("x")
    for _ in range(n):
        x = sg.tanh(x)
    return x

x = sg.vector("x")
f = sg.function([x], sg.log(1 - sg.sigmoid(x)), mode=sg.Mode(backend="interp"))
"""


@pytest.fixture
def program(tmp_path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def run(*arguments: object, given: str | None = None):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=given)


def alone(*arguments: object, code: str = "", **options):
    roots = os.pathsep.join(str(ROOT / name) for name in ("", "kernels", "tools"))
    start = code or "from symgraph_tools.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": roots},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_factories_get_arguments_and_inputs(program):
    assert run("print", f"{program}:deep", "--arg", "n=2").output == "tanh(tanh(x))\n"
    found = run("print", f"{program}:model", "--shape", "x=n,3", "--arg", "scale=1", "--types")
    assert "-softplus(x)" in found.output
    missing = run("print", f"{program}:deep")
    assert (missing.exit_code, missing.stdout) == (3, "")
    assert "give --arg n=VALUE" in missing.stderr
    assert run("print", f"{program}:f", "--arg", "n").exit_code == 2


def test_a_dtype_may_be_short(program):
    found = run("print", f"{program}:model", "--shape", "x=n", "--dtype", "x=f32", "--style", "ssa")
    assert "float32[n]" in found.output


def test_traces_are_read_from_files_and_standard_input(program, tmp_path):
    x = sg.vector("x")
    f = sg.function([x], sg.log(1 - sg.sigmoid(x)), mode=sg.Mode(backend="interp"))
    f.trace.save(tmp_path / "t.sgtrace")
    f.trace.save(tmp_path / "t.json")
    sg.save(tmp_path / "t.sg", sg.log(1 - sg.sigmoid(x)))
    for name in ("t.sgtrace", "t.json", "t.sg"):
        assert run("print", tmp_path / name).output == "-softplus(x)\n"
        assert run("print", tmp_path / name, "--stage", "built").output == "log(1 - sigmoid(x))\n"
    text = (tmp_path / "t.json").read_text()
    assert run("print", "-", given=text).output == "-softplus(x)\n"
    assert run("print", "-", given="{}").exit_code == 3


def test_graphs_are_read_from_standard_input(tmp_path):
    import zipfile

    x = sg.vector("x")
    sg.save(tmp_path / "t.sg", sg.exp(x) - 1)
    with zipfile.ZipFile(tmp_path / "t.sg") as archive:
        text = archive.read("graph.json").decode()
    assert run("print", "-", given=text).output == "expm1(x)\n"


def test_notebooks_run_only_when_asked_to(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# words"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import symgraph as sg\n"]},
        {"cell_type": "code", "source": "x = sg.vector('x')\ny = sg.exp(x) - 1\n"},
    ]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}), encoding="utf-8")
    refused = run("print", f"{path}:y")
    assert refused.exit_code == 3
    assert "--exec" in refused.stderr
    assert run("print", f"{path}:y", "--exec").output == "expm1(x)\n"
    shown = run("print", f"{path}:y", "--exec", "--style", "ssa", "--lines").output
    assert "n.ipynb#cell1" in shown
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": "1/0"}]}))
    assert "ZeroDivisionError" in run("print", f"{path}:y", "--exec").stderr


def test_names_close_to_a_right_one_are_guessed(program):
    for arguments, guess in ((("shwo", program), "'show'"), (("print", "--sytle", "x"), "--style")):
        found = run(*arguments)
        assert found.exit_code == 2
        assert f"{guess}" in found.stderr


def test_a_traceback_is_shown_where_it_is_asked_for(program):
    found = alone("print", f"{program}:deep", "--traceback")
    assert found.returncode != 0
    assert "Traceback" in found.stderr


def test_a_reader_that_stops_early_is_no_error(program):
    command = f"{sys.executable} -c 'from symgraph_tools.cli import main; main()'"
    text = f"{command} print {program}:deep --arg n=3000 --style ssa | head -1"
    roots = os.pathsep.join(str(ROOT / name) for name in ("", "kernels", "tools"))
    found = subprocess.run(
        text,
        shell=True,
        env={**os.environ, "PYTHONPATH": roots},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("symgraph 1\n", "")


def test_files_are_read_without_numba(tmp_path):
    x = sg.vector("x")
    sg.save(tmp_path / "t.sg", sg.log(1 - sg.sigmoid(x)))
    mode = sg.Mode(backend="interp")
    sg.function([x], sg.exp(x), mode=mode).trace.save(tmp_path / "t.sgtrace")
    code = (
        "import sys\nfrom symgraph_tools.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(sorted({'numba', 'scipy', 'llvmlite', 'socket'} & set(sys.modules)))"
    )
    for name in ("t.sg", "t.sgtrace"):
        found = alone("print", tmp_path / name, code=code)
        assert found.stdout.splitlines()[-1] == "[]", found.stdout + found.stderr


def test_stages_of_commands_are_those_of_the_compiler():
    from symgraph.compile import STAGES
    from symgraph_tools import conventions

    assert ("built", *(name for name, _ in STAGES)) == conventions.STAGES


def test_every_command_has_help_and_an_example():
    for name, _, about in COMMANDS:
        found = run(name, "--help")
        assert found.exit_code == 0
        assert f"symgraph {name}" in found.output
        assert about.endswith(".")
