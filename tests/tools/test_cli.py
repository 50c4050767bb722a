"""The command line: what it prints, the files it writes, its errors and exit codes."""

from __future__ import annotations

import builtins
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph.ir.text import graph_text, parse_text
from symgraph_tools.cli import main
from symgraph_tools.drawing_json import from_json

ROOT = Path(__file__).parents[2]
COMMAND = "from symgraph_tools.cli import main; main()"
PROGRAM = """
import symgraph as sg

x = sg.vector("x")
y = sg.log(1 - sg.sigmoid(x))
both = {"value": y, "slope": sg.grad(y.sum(), x)}
f = sg.function([x], y)
number = 3
"""
BROKEN = """
import symgraph as sg

a = sg.tensor("a", shape=(2, 3))
b = a @ a
"""


@pytest.fixture
def program(tmp_path) -> Path:
    """A file with a formula."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def run(*arguments: object):
    """The result of a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_names_every_command():
    result = run("--help")
    assert result.exit_code == 0
    for command in ("demo", "print", "show"):
        assert re.search(rf"^  {command} ", result.output, flags=re.MULTILINE)
        assert run(command, "--help").exit_code == 0


def test_version_is_that_of_the_package():
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"symgraph {sg.__version__}\n")


def run_alone(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The result of a program in a process of its own, as from a shell."""
    roots = os.pathsep.join(str(ROOT / name) for name in ("", "kernels", "tools"))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": roots},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_is_quick_since_nothing_heavy_is_imported():
    code = (
        "import sys\nfrom symgraph_tools.cli import main\nmain(['--help'], standalone_mode=False)\n"
        "print(sorted({'numpy', 'numba', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert run_alone(code).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("attr", ["", ":f"], ids=["the only function", "by name"])
def test_print_shows_a_function_after_rewriting_and_before(program, attr):
    assert run("print", f"{program}{attr}").output == "-softplus(x)\n"
    built = run("print", f"{program}{attr}", "--stage", "built").output
    assert built == "log(1 - sigmoid(x))\n"


def test_print_takes_variables_and_rewrites_them(program):
    assert run("print", f"{program}:y").output == "-softplus(x)\n"
    assert run("print", f"{program}:y", "--stage", "built").output == "log(1 - sigmoid(x))\n"
    assert run("print", f"{program}:both").output.splitlines()[0] == "-softplus(x)"


def test_print_as_tree_has_inputs_below(program):
    lines = run("print", f"{program}:y", "--style", "tree", "--stage", "built").output.splitlines()
    assert lines[0].startswith("log: float64")
    assert lines[-1].strip().startswith("`-- x: float64")


def test_print_as_ssa_can_be_read_back(program):
    text = run("print", program, "--style", "ssa", "--stage", "built").output
    graph = parse_text(text)
    assert graph_text(graph) == text
    assert [node.op.name for node in graph.outputs] == ["log"]


def test_print_finds_an_attribute_of_a_module(program, monkeypatch):
    monkeypatch.chdir(program.parent)
    result = run("print", "program:f")
    sys.modules.pop("program")
    assert result.output == "-softplus(x)\n"


def test_print_reads_a_saved_graph_without_running_anything(tmp_path):
    x = sg.vector("x")
    path = tmp_path / "model.sg"
    sg.save(path, {"inputs": [x], "outputs": [sg.exp(x) - 1]})
    assert run("print", path, "--stage", "built").output == "exp(x) - 1\n"
    assert run("print", path).output == "expm1(x)\n"


def test_show_draws_svg_of_either_stage(program, tmp_path):
    texts = {}
    for stage in ("built", "final"):
        path = tmp_path / f"{stage}.svg"
        assert run("show", program, "-o", path, "--stage", stage).exit_code == 0
        root = ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg")
        texts[stage] = [e.text for e in root.iter() if e.tag.endswith("text")]
    assert {"x", "log", "1.0 - _", "sigmoid"} <= set(texts["built"])
    assert "softplus" in texts["final"]
    assert "log" not in texts["final"]


def test_show_writes_dot_json_text_and_other_themes(program, tmp_path):
    for name in ("a.dot", "a.json", "a.txt", "dark.svg"):
        theme = ("--theme", "dark") if name.startswith("dark") else ()
        assert run("show", f"{program}:both", "-o", tmp_path / name, *theme).exit_code == 0
    assert (tmp_path / "a.dot").read_text(encoding="utf-8").startswith("digraph")
    drawing = from_json((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [node.lines[0] for node in drawing.nodes if node.kind == "output"] == ["value", "slope"]
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").startswith("negative: float64")
    assert "#14181d" in (tmp_path / "dark.svg").read_text(encoding="utf-8")


def test_loops_are_drawn_in_a_frame(tmp_path):
    x = sg.vector("x")
    last, _ = sg.scan(lambda s, v: (s * 0.5 + v, None), sg.constant(0.0), xs=x)
    sg.save(tmp_path / "loop.sg", last)
    target = tmp_path / "loop.sg"
    assert run("show", target, "-o", tmp_path / "loop.json", "--stage", "built").exit_code == 0
    drawing = from_json((tmp_path / "loop.json").read_text(encoding="utf-8"))
    assert [cluster.label for cluster in drawing.clusters] == ["inside scan"]
    inside = {node.lines[0] for node in drawing.nodes if node.cluster == drawing.clusters[0].id}
    assert any("0.5" in line for line in inside)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("print", "missing.py"), 3, "cannot load missing.py: there is no such file"),
        (("print", "missing.sg"), 3, "cannot load missing.sg"),
        (("print", "word"), 3, "'word' is no target; a target is file.py[:attr]"),
        (("print", "no_such_module:f"), 3, "cannot import no_such_module: ModuleNotFoundError"),
        (("print", "{program}:g"), 3, "there is no 'g'; compiled functions there: f"),
        (("print", "{program}:number"), 3, "is of type int, not a compiled function"),
        (("print", "{broken}"), 3, "(line 5)"),
        (("print", "{empty}"), 3, "has no compiled function"),
        (("print",), 2, "Missing argument 'TARGET'"),
        (("print", "{program}", "--style", "prose"), 2, "'prose' is not one of"),
        (("show", "{program}"), 2, "Missing option '-o'"),
        (("show", "{program}", "-o", "x.gif"), 2, "the suffix is one of svg, html"),
        (("show", "{program}", "-o", "no/such/folder/x.svg"), 1, "No such file"),
        (("demo", "--epochs", "0"), 2, "0 is not in the range"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_errors_have_an_exit_code_and_one_line(program, arguments, code, text, monkeypatch):
    folder = program.parent
    names = {"program": program, "broken": folder / "broken.py", "empty": folder / "empty.py"}
    names["broken"].write_text(BROKEN, encoding="utf-8")
    names["empty"].write_text("", encoding="utf-8")
    monkeypatch.chdir(folder)
    result = run(*(argument.format(**names) for argument in arguments))
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert text in result.stderr
    first, *hints = result.stderr.splitlines()
    assert first.startswith("symgraph: ")
    assert len(hints) <= 1
    assert all(hint.startswith("hint: ") for hint in hints)


def test_png_without_matplotlib_says_what_to_install(program, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for arguments in (
        ("demo", "--png", "--out", tmp_path),
        ("show", program, "-o", tmp_path / "x.png"),
    ):
        result = run(*arguments)
        assert result.exit_code == 5
        assert result.stdout == ""
        assert "symgraph[viz]" in result.stderr


def test_demo_that_learns_too_little_fails_and_says_so():
    result = run_alone(COMMAND, "demo", "--epochs", "1")
    assert result.returncode == 1
    assert "MISSED" in result.stdout
    assert result.stderr == "symgraph: the demo missed the accuracy that it wants; see above\n"


def test_demo_reads_digits_explains_and_draws(tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra `viz`")
    result = run_alone(COMMAND, "demo", "--svg", "--png", "--out", tmp_path / "pictures")
    assert (result.returncode, result.stderr) == (0, "")
    read = [float(share) for share in re.findall(r"held out: ([\d.]+)%", result.stdout)]
    assert read[0] >= 95
    assert read[1] >= 97
    for rule in ("softmax by hand", "log of softmax"):
        assert rule in result.stdout
    assert "the same formula in NumPy: nan" in result.stdout
    distances = re.findall(r"distance of the weights from NumPy's: (\S+)", result.stdout)
    assert np.all(np.array(distances, float) < 1e-3)
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    pictures = {f"{c}_{w}.svg" for c in ("softmax", "network") for w in ("before", "after")}
    assert names == {*pictures, "loss.png"}
    after = (tmp_path / "pictures" / "softmax_after.svg").read_text(encoding="utf-8")
    assert "log_softmax" in after
    assert "new w.velocity" in after


def test_print_of_the_stable_stage_says_what_was_repaired_and_where(program):
    text = run("print", f"{program}:y", "--stage", "stable").output
    formula, *told = text.splitlines()
    assert formula == "-softplus(x)"
    assert told
    assert all(line.startswith("# ") for line in told)
    assert any("sigmoid underflows" in line and ".py:" in line for line in told)
    plain = run("print", f"{program}:y", "--stage", "stable", "--style", "ssa").output
    assert "#" not in plain
