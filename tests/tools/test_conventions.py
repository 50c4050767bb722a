"""What all commands have in common: schemas, pipes, colours, names that are nearly right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph.trace.read import read_trace
from symgraph_tools.cli import COMMANDS, main
from symgraph_tools.commands.completion import SHELLS
from symgraph_tools.schemas import SCHEMAS, check_schema

ROOT = Path(__file__).parents[2]
ROOTS = os.pathsep.join(str(ROOT / name) for name in ("", "kernels", "tools"))
RUN = "from symgraph_tools.cli import main; main()"
PROGRAM = """
import symgraph as sg

x = sg.vector("x")
f = sg.function([x], sg.log(1 - sg.sigmoid(x)), mode=sg.Mode("interp"))
"""
TRACED = """
import numpy as np
import symgraph as sg

x = sg.vector("x")
for k in range(4):
    sg.function([x], sg.exp(x) * k, name="f", mode=sg.Mode("interp"))(np.ones(3))
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "program.py"


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return {**kept, "PYTHONPATH": ROOTS, **more}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("print", ("print", "{}")),
        ("passes", ("passes", "{}")),
        ("step", ("passes", "{}", "--at", 1)),
        ("verify", ("passes", "{}", "--verify")),
        ("bisect", ("passes", "{}", "--bisect", "verify")),
        ("diff", ("diff", "{}")),
        ("diff-several", ("diff", "{}", "{}", "{}")),
        ("explain", ("explain", "{}")),
        ("kernels", ("kernels", "{}")),
        ("kernel", ("kernels", "{}", "show", "k0")),
        ("kernels-grep", ("kernels", "{}", "show", "--grep", "x")),
        ("check", ("check", "{}", "--only", "inputs")),
        ("cache", ("cache", "info")),
        ("cache-entries", ("cache", "ls")),
        ("cache-change", ("cache", "prune")),
        ("ops", ("ops", "exp")),
        ("rewrites", ("rewrites", "softmax")),
    ],
)
def test_json_is_as_its_schema_says_and_the_same_twice(program, tmp_path, name, arguments):
    with sg.config(cache_dir=str(tmp_path / "cache")):
        texts = [run(*(str(a).format(program) for a in arguments), "--json") for _ in range(2)]
    first, second = (json.loads(found.stdout) for found in texts)
    assert first["schema"] == f"symgraph.{name}/1"
    check_schema(name, first)
    timed = {"passes", "step"}  # which say how long a step took
    assert name in timed or first == second


def test_every_schema_is_told_and_one_that_lacks_a_key_is_refused():
    text = run("--schemas").stdout
    assert all(f"symgraph.{name}/1\n" in text for name in SCHEMAS)
    with pytest.raises(AssertionError, match="lacks"):
        check_schema("explain", {"name": "f"})


def test_every_command_with_json_says_so_in_its_help():
    for name, _, _ in COMMANDS:
        if name in ("show", "demo", "new", "completion", "cache"):  # -f json; or files and scripts
            continue
        assert "--json" in run(name, "--help").stdout, name


def test_another_name_of_show_draws_too(program):
    assert run("viz", program, "-o", "a.svg").exit_code == 0
    assert Path("a.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "guess"),
    [
        (("pases", "program.py"), "'passes'"),
        (("show", "program.py", "--staeg", "built"), "--stage"),
        (("passes", "program.py", "--why", "log(sigmoid(x)) -> softplus"), "log(sigmoid(x)) -> -"),
        (("print", "program.py:g"), "compiled functions there: f"),
        (("explain", "program.py", "sofplus"), "'softplus'"),
        (("kernels", "program.py", "show", "k7"), "kernels: k0_negative"),
    ],
)
def test_what_is_nearly_right_gets_a_guess(program, arguments, guess):
    found = run(*arguments)
    assert found.exit_code in (1, 2, 3)
    assert guess in found.stderr
    assert len(found.stderr.splitlines()) <= 2


def test_a_reader_that_leaves_early_hears_nothing(program):
    for arguments in (("passes", program, "--all", "--json"), ("ops",), ("rewrites",)):
        done = subprocess.run(
            f"{sys.executable} -c '{RUN}' {' '.join(arguments)} | head -n 1",
            shell=True,
            executable="/bin/bash" if Path("/bin/bash").exists() else None,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert len(done.stdout.splitlines()) == 1
        assert "Traceback" not in done.stderr
        assert "Broken" not in done.stderr


@pytest.mark.parametrize(
    ("options", "variables", "painted"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_who_asks(program, options, variables, painted):
    done = subprocess.run(
        [sys.executable, "-c", RUN, "passes", program, *options],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("\x1b[" in done.stdout) == painted


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_scripts_ask_the_command(shell):
    script = run("completion", shell).stdout
    assert "_SYMGRAPH_COMPLETE" in script
    assert shell == "zsh" or f"_SYMGRAPH_COMPLETE={shell}_complete" in script


def test_completion_finds_commands_and_options():
    for words, wanted in (("symgraph pa", "passes"), ("symgraph show --sta", "--stage")):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from symgraph_tools.cli import main; main(prog_name='symgraph')",
            ],
            env=environment(
                _SYMGRAPH_COMPLETE="bash_complete",
                COMP_WORDS=words,
                COMP_CWORD=str(len(words.split()) - 1),
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert wanted in done.stdout


def test_standard_input_is_a_trace_or_a_graph(program):
    text = json.dumps(json.loads(trace_text()))
    for arguments, wanted in (
        (("print", "-"), "-softplus(x)"),
        (("explain", "-", "softplus"), "softplus"),
        (("show", "-", "-f", "mmd", "-o", "-"), "flowchart"),
    ):
        found = CliRunner().invoke(main, list(arguments), input=text)
        assert found.exit_code == 0, found.output
        assert wanted in found.stdout
    bad = CliRunner().invoke(main, ["print", "-"], input="{}")
    assert (bad.exit_code, bad.stdout, len(bad.stderr.splitlines())) == (3, "", 1)


def trace_text() -> str:
    from symgraph.trace.write import trace_json

    x = sg.vector("x")
    naive = sg.log(1 - sg.sigmoid(x))
    return trace_json(sg.function([x], naive, mode=sg.Mode("interp")).trace)


def test_notebooks_run_only_when_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [
        {"cell_type": "markdown", "source": ["# not code"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import symgraph as sg\n"]},
        {"cell_type": "code", "source": [line + "\n" for line in PROGRAM.splitlines()[3:]]},
    ]
    Path("n.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert run("print", "n.ipynb").exit_code == 3
    found = run("explain", "n.ipynb:f", "--exec")
    assert found.exit_code == 0, found.output
    assert "n.ipynb#cell" in found.stdout


def test_traces_of_several_processes_and_threads_have_files_of_their_own(tmp_path):
    folder = tmp_path / "traces"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TRACED],
            env=environment(SYMGRAPH_TRACE=str(folder)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    assert [p.communicate()[1] for p in started] == [b""] * 3

    def compile_one() -> None:
        with sg.config(trace=str(folder)):
            x = sg.vector("x")
            sg.function([x], sg.exp(x), name="f", mode=sg.Mode("interp"))(np.ones(2))

    threads = [threading.Thread(target=compile_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = sorted(folder.iterdir())
    assert len(files) == 16
    assert all(re.fullmatch(r"f(-\d+)?\.sgtrace", file.name) for file in files)
    assert {read_trace(file).name for file in files} == {"f"}
