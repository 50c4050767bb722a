"""``doctor``, ``cache``, ``ops``, ``rewrites``, ``new``, ``completion``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph.ir.op import OPS
from symgraph.runtime import cache
from symgraph_tools import catalogue, health
from symgraph_tools.cli import main

ROOT = Path(__file__).parents[2]


def run(*arguments: object):
    """The result of a command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def found_json(*arguments: object):
    """What a command prints as JSON."""
    found = run(*arguments, "--json")
    return json.loads(found.stdout)


def test_doctor_tells_all_sections():
    found = run("doctor")
    assert found.exit_code in (0, 4), found.output
    for word in ("versions", "processor", "vector bits", "blas", "threads", "cache", "cuda"):
        assert word in found.stdout
    assert sg.__version__ in found.stdout


def test_doctors_json_has_no_paths(tmp_path):
    with sg.config(cache_dir=str(tmp_path / "secret")):
        found = found_json("doctor")
    assert found["schema"] == "symgraph.doctor/1"
    assert {"versions", "processor", "blas", "settings", "problems"} <= found.keys()
    text = json.dumps(found)
    for word in ("secret", str(Path.home()) + "/", str(ROOT), os.sep + "tmp"):
        assert word not in text
    assert found["settings"]["cache_dir"].startswith("set")
    assert found["processor"]["vector_bits"] in (128, 256, 512)


def test_doctor_finds_too_many_threads_and_a_cache_that_is_closed(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    monkeypatch.setattr(health, "_is_writable", lambda folder: False)
    found = run("doctor")
    assert found.exit_code == 4
    assert "OMP_NUM_THREADS=4096 asks for more threads" in found.stdout
    assert "the cache folder cannot be written to" in found.stdout
    assert len(found_json("doctor")["problems"]) >= 2


@pytest.fixture
def folder(tmp_path):
    """A cache of its own."""
    with sg.config(cache_dir=str(tmp_path / "cache"), cache=True):
        yield tmp_path / "cache"


def test_cache_is_listed_pruned_and_cleared(folder):
    for number in range(4):
        cache.write(f"{number}" * 64, bytes(600_000))
        os.utime(folder / (f"{number}" * 64 + cache.SUFFIX), (number, number))
    info = found_json("cache", "info")
    assert (info["entries"], info["bytes"]) == (4, 4 * 600_032)
    assert "4 entries, 2.4 MB" in run("cache", "info").stdout
    rows = found_json("cache", "ls")["entries"]
    assert [row["name"][0] for row in rows] == ["3", "2", "1", "0"]
    assert all(row["whole"] for row in rows)
    assert run("cache", "prune", "--max-size", "2").stdout == "1 of 4 entries deleted\n"
    assert [entry.name[0] for entry in cache.entries()] == ["1", "2", "3"]
    assert run("cache", "clear").stdout == "3 of 3 entries deleted\n"
    assert run("cache", "ls").stdout == ""


def test_cache_verify_finds_a_damaged_entry(folder):
    cache.write("a" * 64, b"good")
    cache.write("b" * 64, b"bad")
    path = folder / ("b" * 64 + cache.SUFFIX)
    path.write_bytes(path.read_bytes()[:-1])
    found = run("cache", "verify")
    assert found.exit_code == 4
    assert found.stdout == "bbbbbbbbbbbb  damaged\n1 of 2 entries are whole\n"
    assert run("cache", "verify", "--delete").exit_code == 0
    assert run("cache", "verify").exit_code == 0


def test_cache_warm_compiles_once(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = "import symgraph as sg\nx = sg.vector('x')\nf = sg.function([x], sg.exp(x) * 3.25)\n"
    (tmp_path / "warm_me.py").write_text(program, encoding="utf-8")
    for _ in range(2):
        assert run("cache", "warm", "warm_me.py:f").stdout == "f is compiled; 1 entries are kept\n"
    assert len(cache.entries()) == 1


def test_every_op_is_in_the_catalogue_with_what_it_does():
    entries = {entry.name: entry for entry in catalogue.ops()}
    assert entries.keys() == OPS.keys()
    assert all(entry.first for entry in entries.values())
    assert entries["softplus"].gradient == "dx = g * sigmoid(x)"
    assert entries["matmul"].gradient == "yes"
    formulas = [e for e in entries.values() if e.gradient.startswith("d")]
    assert len(formulas) > 60


def test_ops_are_searched_and_one_is_shown_whole():
    found = run("ops", "without", "overflow")
    assert "softplus" in found.stdout
    assert "ops; symgraph ops NAME" in found.stderr
    assert "gradient:  dx = g / x" in run("ops", "log").stdout
    assert [row["name"] for row in found_json("ops", "log")["ops"]] == ["log"]
    kinds = {row["kind"] for row in found_json("ops", "--kind", "reduction")["ops"]}
    assert kinds == {"reduction"}
    assert run("ops", "--kind", "odd").exit_code == 2
    assert run("ops", "no", "such", "thing").exit_code == 1


def test_every_rule_has_a_reason_and_patterns_both_sides():
    entries = catalogue.rules()
    assert len(entries) > 150
    assert all(entry.why and entry.source for entry in entries)
    assert sum(bool(entry.before and entry.after) for entry in entries) > 60


def test_rewrites_are_searched():
    found = run("rewrites", "sigmoid", "softplus")
    assert "log(sigmoid(x)) --> -softplus(-x)" in found.stdout
    assert "why: " in found.stdout
    tables = {row["table"] for row in found_json("rewrites", "--table", "linalg")["rewrites"]}
    assert tables == {"linalg"}
    assert run("rewrites", "--table", "odd").exit_code == 2


@pytest.mark.parametrize(("kind", "name"), [("op", "xlogx"), ("rewrite", "half_angle")])
def test_new_files_pass_their_own_tests(kind, name, tmp_path):
    assert run("new", kind, name, "--folder", tmp_path).exit_code == 0
    roots = os.pathsep.join(str(ROOT / part) for part in ("", "kernels", "tools"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": roots, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert ("4 passed" if kind == "op" else "3 passed") in done.stdout
    again = run("new", kind, name, "--folder", tmp_path)
    assert again.exit_code == 1
    assert "exists" in again.stderr


def test_new_refuses_names_that_are_taken_or_none(tmp_path):
    assert "there is an op named 'exp' already" in run("new", "op", "exp").stderr
    assert "'a b' is no name" in run("new", "rewrite", "a b").stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    text = run("completion", shell).stdout
    assert "_SYMGRAPH_COMPLETE" in text
    assert "symgraph" in text


def test_completion_knows_commands_and_options():
    code = "from symgraph_tools.cli import main; main(prog_name='symgraph')"
    roots = os.pathsep.join(str(ROOT / part) for part in ("", "kernels", "tools"))
    env = {**os.environ, "PYTHONPATH": roots, "_SYMGRAPH_COMPLETE": "bash_complete"}
    for words, wanted in (("symgraph rew", "rewrites"), ("symgraph show --col", "--collapse")):
        count = str(len(words.split()) - 1)
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**env, "COMP_WORDS": words, "COMP_CWORD": count},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"plain,{wanted}" in done.stdout, done.stderr
