"""``symgraph passes`` and ``diff``: what they say of programs, right ones and broken ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph.ir.graph import Graph
from symgraph.rewrite.pipeline import PIPELINE
from symgraph.rewrite.rule import rule
from symgraph_tools.cli import main
from symgraph_tools.given import Given
from symgraph_tools.graph_cost import Cost, GraphCost
from symgraph_tools.matching import match
from symgraph_tools.stepping import shown_steps, with_costs
from symgraph_tools.verifying import first_bad, same_values, verify_steps
from tests.trace.workloads import WORKLOADS, build

ROOT = Path(__file__).parents[2]
INTERPRETED = sg.Mode(backend="interp")
PROGRAM = """
import symgraph as sg

x = sg.vector("x")
f = sg.function([x], sg.log(1 - sg.sigmoid(x)) * (x + 0), mode=sg.Mode(backend="interp"))
g = sg.function([x], sg.log(1 - sg.sigmoid(x)) - x, mode=sg.Mode(backend="interp"))

def no_log(graph):
    from symgraph.ir.graph import toposort
    return any(node.op.name == "log" for node in toposort(graph.outputs))
"""
COSTS = """
import symgraph as sg

x = sg.tensor("x", shape=("n", 3))
w = sg.tensor("w", shape=(3, 5))
f = sg.function([x, w], sg.log(sg.exp(x @ w)).sum(), mode=sg.Mode(backend="interp"))
"""
REVISED = """
from weights import RATE

import symgraph as sg

x = sg.vector("x")
f = sg.function([x], sg.exp(x) * RATE, mode=sg.Mode(backend="interp"))
"""
CHECK = """
import sys
import symgraph as sg
y = sg.load(sys.argv[1])["outputs"][0]
sys.exit("softplus" in str(sg.printing.ssa(y)))
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "program.py:f"


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_passes_lists_what_changed_and_hides_what_tidies(program):
    found = run("passes", program)
    assert found.exit_code == 0
    assert found.stdout.startswith("f: 4 rewrites, 8 nodes as built, 4 in the end\n")
    assert "1 - sigmoid(x) -> sigmoid(-x)  program.py:5: f = sg.function" in found.stdout
    assert "2 steps that only tidy are hidden" in found.stderr
    everything = run("passes", program, "--all")
    assert len(everything.stdout.splitlines()) > len(found.stdout.splitlines())


def test_passes_finds_steps_by_text_and_explains_rules(program):
    found = run("passes", program, "--grep", "underflows").stdout
    assert "log(sigmoid(x)) -> -softplus(-x)" in found
    assert "1 - sigmoid" not in found.replace("f = sg.function([x], sg.log(1 - sg", "")
    why = run("passes", program, "--why", "log(sigmoid(x)) -> -softplus(-x)").stdout
    assert "log(sigmoid(-x)) --> -softplus(x)" in why
    assert "why: sigmoid underflows below x = -745" in why
    missing = run("passes", program, "--why", "log(sigmoid(x)) -> softplus(-x)")
    assert missing.exit_code == 1
    assert "did you mean 'log(sigmoid(x)) -> -softplus(-x)'?" in missing.stderr


def test_passes_shows_the_graph_after_a_step(program):
    steps = json.loads(run("passes", program, "--json", "--all").stdout)["steps"]
    number = next(s["step"] for s in steps if s["rule"].startswith("1 - sigmoid"))
    assert "log(sigmoid(-x))" in run("passes", program, "--at", number).stdout
    found = json.loads(run("passes", program, "--at", number, "--json").stdout)
    assert found["schema"] == "symgraph.step/1"
    assert "sigmoid" in found["graph"]
    between = run("passes", program, "--between", 0, number).stdout
    assert "- " in between
    assert "+ " in between
    assert run("passes", program, "--at", 99).exit_code == 1


def test_passes_are_verified_and_nothing_breaks_them(program):
    found = run("passes", program, "--verify")
    assert found.exit_code == 0
    assert "steps keep the value" in found.stdout
    assert "no step breaks it" in run("passes", program, "--bisect", "verify").stdout


def test_passes_bisects_by_a_function_and_by_a_command(program, tmp_path, monkeypatch):
    found = run("passes", program, "--bisect", "program.py:no_log")
    assert found.exit_code == 4
    assert "log(sigmoid(x)) -> -softplus(-x)" in found.stdout
    (tmp_path / "check.py").write_text(CHECK, encoding="utf-8")
    roots = (ROOT, ROOT / "kernels", ROOT / "tools")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, roots)))
    command = f"{sys.executable} check.py {{}}"
    again = run("passes", program, "--bisect", command, "--json")
    assert again.exit_code == 4
    assert json.loads(again.stdout)["rule"] == "log(sigmoid(x)) -> -softplus(-x)"
    assert run("passes", program, "--bisect", "false").exit_code == 3


def test_passes_without_a_rule(program):
    found = run("passes", program, "--without", "log(sigmoid(x)) -> -softplus(-x)")
    assert "softplus" not in found.stdout
    assert run("passes", program, "--without", "nonsense").exit_code == 1


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n == "deep_chain_grad" else []) for n in WORKLOADS],
)
def test_every_rewrite_of_every_workload_keeps_the_value(name):
    inputs, outputs, _ = build(name)
    f = sg.function(inputs, outputs, mode=INTERPRETED)
    assert list(verify_steps(f.trace)) == []


def _wrong_tanh():
    @rule.compute("tanh", why="broken on purpose", source="this test")
    def tanh_is_almost_the_sine(node):
        from symgraph.rewrite.build import call

        return call("sin", node.inputs[0])

    return tanh_is_almost_the_sine


def test_a_rule_broken_on_purpose_is_found():
    first, *rest = PIPELINE
    broken = (replace(first, rules=(*first.rules, _wrong_tanh())), *rest)
    x = sg.vector("x")
    y = sg.log(1 - sg.sigmoid(x)) * sg.tanh(x + 0) + sg.exp(x) * sg.exp(-x)
    f = sg.function([x], y, mode=sg.Mode(backend="interp", passes=broken))
    trace = f.trace
    (wrong,) = verify_steps(trace)
    assert wrong.rule == "tanh is almost the sine"
    found = first_bad(trace, same_values(trace.at("built")))
    assert found is not None
    assert trace.steps[found].rule.name == "tanh is almost the sine"


def test_a_difference_below_what_the_formula_determines_is_none():
    x = sg.vector("x")
    pairs = [
        (sg.log(1 - sg.sigmoid(x)), -sg.softplus(x)),
        (sg.log(1 + sg.exp(x)), sg.softplus(x)),
        (x / (x * x), 1 / x),
        ((1 - sg.cos(x)) / (x * x), 0.5 * (sg.sin(x / 2) / (x / 2)) ** 2),
    ]
    for naive, stable in pairs:
        assert same_values(Graph((), (naive.node,)))(Graph((), (stable.node,)))
        assert not same_values(Graph((), (naive.node,)))(Graph((), ((stable * (1 + 1e-9)).node,)))


def test_a_long_chain_of_quotients_stays_finite_where_it_was():
    x, w = sg.vectors("x", "w")
    y = x
    for _ in range(60):
        y = sg.tanh(y * w)
    f = sg.function([x, w], sg.grad(sg.sum(y), x), mode=INTERPRETED)
    assert np.isfinite(f(np.array([1.0, 2.0, 1e-3]), np.array([900.0, -1e9, 1e9]))).all()


def test_diff_of_two_stages_and_of_two_targets(program):
    found = run("diff", program)
    assert found.exit_code == 0
    assert any(line.startswith("- ") and "log(" in line for line in found.stdout.splitlines())
    assert any(line.startswith("+ ") and "softplus" in line for line in found.stdout.splitlines())
    other = run("diff", program, "program.py:g", "--exit-code")
    assert other.exit_code == 4
    same = run("diff", program, program, "--exit-code", "--json")
    assert same.exit_code == 0
    assert json.loads(same.stdout)["equal"] is True
    side = run("diff", program, "--format", "side")
    assert " | " in side.stdout


def test_matching_finds_what_stayed():
    x, y = sg.vectors("x", "y")
    common = sg.exp(x) * y
    first = Graph((), (sg.sum(sg.tanh(common)).node,))
    second = Graph((), (sg.sum(sg.sin(common)).node,))
    found = match(first, second)
    assert (found.same, found.changed, found.removed, found.added) == (4, 1, 1, 1)
    assert match(first, first).is_equal


def test_passes_say_what_a_step_saves_in_operations_bytes_and_time(tmp_path, monkeypatch):
    (tmp_path / "cost.py").write_text(COSTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = json.loads(run("passes", "cost.py", "--dim", "n=10", "--all", "--json").stdout)
    start, *steps = found["steps"]
    # matmul 10x3 @ 3x5: 2*10*5*3; exp: 20 each; log: 20 each; of 50 results each; sum of 50
    assert start["flops"] == 300 + 50 * 20 + 50 * 20 + 50
    assert start["bytes"] == 8 * (50 + 50 + 50 + 1)
    gone = next(s for s in steps if s["rule"] == "log(exp(x)) -> x")
    assert gone["flops"] == -(50 * 20 + 50 * 20)
    assert gone["bytes"] == -8 * 100
    assert gone["ms"] > 0
    text = run("passes", "cost.py", "--dim", "n=10", "--all").stdout
    assert "before fusion: 2.35k and " in text
    assert re.search(r"-2 +-2k +-800 +\d+\.\d\d  log\(exp\(x\)\) -> x", text)
    one = run("passes", "cost.py", "--dim", "n=10", "--at", gone["step"]).stdout
    assert "operations: -2k; bytes of results before fusion: -800" in one


def test_the_body_of_a_scan_costs_its_turns():
    xs = sg.vector("xs")
    last, _ = sg.scan(lambda s, v: (s * v + 1.0, None), sg.constant(0.0), xs=xs)
    trace = sg.function([xs], last, mode=INTERPRETED).trace
    costs = GraphCost.of(trace, Given(shapes={"xs": (7,)}))
    assert costs.total(trace.state(trace.find_stage("built").step)) == Cost(7 * 2, 7 * 16)


@pytest.mark.parametrize("name", WORKLOADS)
def test_costs_of_workloads_are_those_of_their_steps(name):
    inputs, outputs, _ = build(name)
    trace = sg.function(inputs, outputs, mode=INTERPRETED).trace
    costs = GraphCost.of(trace, Given())
    rows = list(with_costs(trace, shown_steps(trace, lambda row: True), costs))
    first = max(k for k, row in enumerate(rows) if row.row.kind == "start")
    total = sum((row.cost for row in rows[first:]), Cost())
    assert total == costs.total(trace.state(rows[-1].number))
    assert costs.total(trace.state(trace.find_stage("built").step)).flops > 0


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="compares revisions of git")
def test_diff_of_revisions_compares_a_program_with_its_past(tmp_path, monkeypatch):
    folder = tmp_path / "sub"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "weights.py").write_text("RATE = 0.5\n", encoding="utf-8")
    (folder / "program.py").write_text(REVISED, encoding="utf-8")
    git(tmp_path, "init", "-q")
    for rate in ("0.5", "0.25"):  # in a module of its own, which has the same name in both
        (folder / "weights.py").write_text(f"RATE = {rate}\n", encoding="utf-8")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", rate)
    same = run("diff", "program.py", "--rev", "HEAD", "--exit-code")
    assert (same.exit_code, same.stdout) == (0, "--- f at HEAD, final\n+++ f, final\n")
    past = run("diff", "program.py:f", "--rev", "HEAD~1", "--exit-code")
    assert past.exit_code == 4
    assert re.search(r"^- .*0\.5", past.stdout, flags=re.MULTILINE)
    assert re.search(r"^\+ .*0\.25", past.stdout, flags=re.MULTILINE)
    both = run("diff", "program.py", "--rev", "HEAD~1", "--rev", "HEAD")
    assert "+++ f at HEAD, final" in both.stdout
    for arguments, text in (
        (("program.py", "--rev", "nothing"), "not a valid object name"),
        (("program.py:f", "program.py:f", "--rev", "HEAD"), "name no other"),
    ):
        refused = run("diff", *arguments)
        assert refused.exit_code in (2, 3)
        assert text in refused.stderr
        assert len(refused.stderr.splitlines()) <= 2


def test_diff_of_several_says_who_has_what(program):
    found = run("diff", program, "program.py:g", "program.py:f")
    assert found.exit_code == 0, found.output
    heads, rows = found.stdout.splitlines()[:3], found.stdout.splitlines()[3:]
    assert heads == ["A  f, final", "B  g, final", "C  f, final"]
    assert rows
    assert {row.split()[0] for row in rows} == {"A.C", ".B."}
    as_json = json.loads(run("diff", program, "program.py:g", program, "--json").stdout)
    assert as_json["schema"] == "symgraph.diff-several/1"
    assert not as_json["equal"]
    assert run("diff", program, program, program, "--exit-code").exit_code == 0


def test_diff_as_a_page_marks_what_differs_and_asks_for_nothing(program):
    assert run("diff", program, "program.py:g", "-o", "d.html").exit_code == 0
    text = Path("d.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"<script|src=|@import|url\(", text)
    assert text.count("<svg") == 2
    first, second = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert "- multiply" in first or "- _" in first
    assert "+ subtract" in second or "+ _" in second
    same = run("diff", program, program, "--format", "html").stdout
    assert "no difference" in same
    assert not re.search(r">[-+~] \w", re.search(r"<svg.*</svg>", same, flags=re.DOTALL)[0])
