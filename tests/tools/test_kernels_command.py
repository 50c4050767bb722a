"""``symgraph kernels``, ``profile`` and ``check``: what they print, and that it is true."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph.codegen.llvm_debug import located
from symgraph.codegen.llvm_program import program_text
from symgraph.codegen.objects import optimized_assembly
from symgraph.trace.loop_facts import inner_loops
from symgraph.trace.provenance import coverage, source_lines
from symgraph_tools.cli import main
from symgraph_tools.limits import measure_limits
from symgraph_tools.machine_code import read_assembly
from tests.trace.workloads import WORKLOADS, build

ROOT = Path(__file__).parents[2]
INTERPRETED = sg.Mode(backend="interp")
PROGRAM = """
import symgraph as sg

x = sg.tensor("x", shape=("rows", "columns"))
z = sg.tanh(x)
y = z / sg.sum(z, axis=1, keepdims=True)
f = sg.function([x], y)
cost = sg.sum(sg.log(1 + sg.exp(x)))
g = sg.function([x], [cost, sg.grad(cost, x)])
bad = sg.function([x], sg.sum(sg.exp(x) - sg.exp(x * 1.5)), mode=sg.Mode(passes=()))
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_98_percent_of_kernel_lines_come_from_a_line_of_the_program():
    covered = every = 0
    for name in WORKLOADS:
        if name == "deep_chain_grad":
            continue
        inputs, outputs, _ = build(name)
        one, all_ = coverage(sg.function(inputs, outputs, mode=INTERPRETED).trace)
        covered, every = covered + one, every + all_
    print(f"\n{covered} of {every} kernel lines have a line of the program")
    assert covered >= 0.98 * every


def test_kernel_lines_come_from_the_right_line():
    x = sg.vector("x")
    first = sg.tanh(x)
    second = sg.exp(first) * 3
    trace = sg.function([x], second, mode=INTERPRETED).trace
    (kernel,) = trace.parts.kernels
    for how in ("py", "ir"):
        found = {
            text.strip(): {line.text for line in lines}
            for text, lines in source_lines(trace, kernel, how)
        }
        assert [v for k, v in found.items() if "tanh(v" in k] == [{"first = sg.tanh(x)"}]
        assert [v for k, v in found.items() if "exp(v" in k] == [{"second = sg.exp(first) * 3"}]


def test_bytes_and_operations_are_counted():
    x = sg.tensor("x", shape=("n", "m"))
    (kernel,) = sg.function([x], sg.exp(x) + x * 2).kernels
    assert kernel.bytes(n=10, m=20) == 2 * 8 * 200
    assert kernel.flops(n=10, m=20) == 200 * (20 + 2)
    with pytest.raises(sg.ArgumentError, match="needs the dimensions m"):
        kernel.bytes(n=10)


def test_kernels_are_listed_with_lines_loops_and_code(program):
    found = run("kernels", "program.py:f", "--code")
    assert found.exit_code == 0, found.output
    assert "from program.py:5: z = sg.tanh(x)" in found.stdout
    assert "nothing in the way of vectors" in found.stdout
    assert "FMA" in found.stdout
    rows = json.loads(run("kernels", "program.py:f", "--json", "--code").stdout)["kernels"]
    assert rows[0]["code"]["instructions"] > 10


@pytest.mark.parametrize(
    ("form", "text"), [("py", "def k0"), ("ir", "kernel k0"), ("llvm", "define"), ("asm", "ret")]
)
def test_kernels_are_shown_in_every_form(program, form, text):
    found = run("kernels", "program.py:f", "show", "k0", "--as", form)
    assert text in found.stdout


def test_kernels_are_shown_beside_the_program(program):
    found = run("kernels", "program.py:f", "show", "k0", "--lines").stdout
    (line,) = [text for text in found.splitlines() if "= tanh(" in text]
    assert line.endswith("program.py:5")
    assert run("kernels", "program.py:f", "show", "k9").exit_code == 1


def test_an_extracted_kernel_runs_by_itself(program):
    found = run("kernels", "program.py:f", "extract", "k0", "-o", "alone")
    assert found.exit_code == 0, found.output
    roots = os.pathsep.join(str(ROOT / name) for name in ("", "kernels"))
    for how in ([], ["llvm"]):
        done = subprocess.run(
            [sys.executable, "alone/run.py", *how],
            env={**os.environ, "PYTHONPATH": roots},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "as expected" in done.stdout


def test_loops_say_what_keeps_them_from_vectors():
    x, i = sg.vector("x"), sg.vector("i", dtype="int64")
    kernels = sg.function([x, i], x[i] * 2, mode=INTERPRETED).kernels
    text = " ".join(str(loop) for k in kernels for loop in inner_loops(k.kernel.body))
    assert "indices are checked in it" in text
    assert "it has branches" in text
    assert "it loads from computed places" in text


def test_assembly_is_read():
    text = (
        "\tvfmadd231pd\t%zmm1, %zmm2, %zmm3\n\tvaddsd\t%xmm1, %xmm2, %xmm3\n"
        "\tcallq\texp@PLT\n\tvmovups\t%zmm1, (%rsp)  # 64-byte Spill\n.LBB0_1:\n"
    )
    facts = read_assembly(text)
    assert (facts.width, facts.packed, facts.scalar, facts.fma) == ("64 bytes", 1, 1, 1)
    assert (facts.spills, facts.calls, facts.instructions) == (1, ("exp@PLT",), 4)


def test_a_profile_says_where_time_memory_and_compiling_go(program):
    found = run("profile", "program.py:g", "--dim", "rows=200", "--repeat", "2")
    assert found.exit_code == 0, found.output
    for text in ("of limit", "GFLOP/s", "by line of the program", "temporaries", "lower"):
        assert text in found.stdout
    report = json.loads(run("profile", "program.py:g", "--json").stdout)
    assert report["schema"] == "symgraph.profile/1"
    assert report["us"] == pytest.approx(sum(s["us"] for s in report["steps"]))
    assert all(s["bytes"] >= 0 and s["flops"] >= 0 for s in report["steps"])
    assert sum(s["bytes"] for s in report["steps"]) >= 2 * 64 * 64 * 8


def test_a_profile_is_written_in_other_forms_and_compared(program):
    assert run("profile", "program.py:f", "--format", "chrome", "-o", "t.json").exit_code == 0
    events = json.loads((program / "t.json").read_text())["traceEvents"]
    assert {e["ph"] for e in events} >= {"X", "M"}
    svg = run("profile", "program.py:f", "--format", "svg").stdout
    assert svg.startswith("<svg")
    (program / "old.json").write_text(run("profile", "program.py:f", "--json").stdout)
    assert " x)" in run("profile", "program.py:f", "--compare", "old.json").stdout
    np.savez(program / "in.npz", x=np.ones((5, 6)))
    assert run("profile", "program.py:f", "--inputs", "in.npz").exit_code == 0
    assert run("profile", "program.py:f", "--dim", "depth=3").exit_code == 1
    (program / "old.json").write_text("{}")
    assert run("profile", "program.py:f", "--compare", "old.json").exit_code == 3


def test_check_finds_nothing_wrong_with_a_right_program(program):
    found = run("check", "program.py:g")
    assert found.exit_code == 0, found.output
    assert "off by" in found.stdout
    assert "BAD" not in found.stdout


def test_check_finds_what_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "wrong.py").write_text(
        "import symgraph as sg\n"
        "x, y = sg.vectors('x', 'y')\n"
        "@sg.custom_gradient\n"
        "def doubled(v):\n"
        "    return v * 2, lambda g: [g * 3]\n"
        "f = sg.function([x, y], sg.sum(doubled(x)), on_unused_input='ignore')\n"
        "a = sg.vector('a', dtype='float32')\n"
        "up = sg.function([a, y], a * y)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    found = run("check", "wrong.py:f", "--only", "inputs", "--only", "gradients", "--json")
    assert found.exit_code == 4
    texts = {row["check"]: row["text"] for row in json.loads(found.stdout)["findings"]}
    assert texts["inputs"] == "no output reads y"
    assert "gradient" in texts["gradients"]
    assert "float32 becomes float64" in run("check", "wrong.py:up", "--only", "dtypes").stdout


def test_machine_code_says_which_line_of_the_program_it_comes_from(program):
    rows = json.loads(
        run("kernels", "program.py:f", "show", "k0", "--as", "asm", "--lines", "--json").stdout
    )["lines"]
    texts = [text for text, _ in rows]
    assert any("tanh(" in text and text.strip().startswith("# ") for text in texts)
    found = {where for text, where in rows if "tanh(v" in text}
    assert found == {"program.py:5"}
    divided = [where for text, where in rows if " = div(v" in text]
    assert set(divided) <= {"program.py:6", ""}
    assert "program.py:6" in {where for _, where in rows}


def test_code_that_is_read_is_code_that_runs(program):
    """Debug locations change no instruction."""
    x = sg.tensor("x", shape=("rows", "columns"))
    z = sg.tanh(x)
    f = sg.function([x], [z / sg.sum(z, axis=1, keepdims=True), sg.log(1 + sg.exp(x)).sum()])
    (view, *_) = f.kernels
    lowered = view.executable.lowered.program
    _, plain = optimized_assembly(program_text(lowered).assembly)
    _, marked = optimized_assembly(located(program_text(lowered, marked=True).assembly))
    assert instructions(marked) == instructions(plain)
    assert len(instructions(plain)) > 100


def instructions(assembly: str) -> list[str]:
    """Instructions, without numbers of labels and of constants."""
    lines = [re.sub(r"\.L\w+", "L", x.partition("#")[0].strip()) for x in assembly.split("\n")]
    return [x for x in lines if x and not x.startswith(".") and not x.endswith(":")]


@pytest.mark.parametrize("name", ["mlp_grad", "lstm_grad", "embedding_grad", "rbf_rowsum"])
def test_98_percent_of_machine_code_comes_from_a_line_of_the_program(name):
    inputs, outputs, arrays = build(name)
    f = sg.function(inputs, outputs)
    f(*arrays)
    trace = f.trace.with_code()
    pairs = [p for k in trace.parts.kernels for p in source_lines(trace, k, "asm")]
    covered = sum(1 for _, lines in pairs if lines)
    groups = sum(1 for text, _ in pairs if text.lstrip().startswith("# "))
    print(f"\n{name}: {covered} of {len(pairs)} lines of assembly, in {groups} groups")
    assert covered >= 0.98 * len(pairs)
    assert groups >= len(trace.parts.kernels)


def test_code_is_searched_in_all_kernels(program):
    found = run("kernels", "program.py:g", "show", "--as", "asm", "--grep", r"v?mul[sp]d")
    assert found.exit_code == 0, found.output
    assert all(line.startswith("k") and "mul" in line for line in found.stdout.splitlines())
    assert "program.py:8" in found.stdout
    nothing = run("kernels", "program.py:g", "show", "--as", "asm", "--grep", "nonsense")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert run("kernels", "program.py:g", "show", "--grep", "(").exit_code == 2


@pytest.mark.skipif(platform.machine() != "x86_64", reason="code for kinds of x86-64")
def test_code_for_another_processor_uses_its_registers(program):
    shown = {
        cpu: run("kernels", "program.py:f", "show", "k0", "--as", "asm", "--cpu", cpu).stdout
        for cpu in ("x86-64", "x86-64-v3")
    }
    assert "ymm" not in shown["x86-64"]
    assert "vfmadd" in shown["x86-64-v3"]
    assert "zmm" not in shown["x86-64-v3"]


def test_blocks_and_jumps_are_drawn(program):
    found = run("kernels", "program.py:f", "show", "k0", "--as", "cfg", "-o", "flow.dot")
    assert found.exit_code == 0, found.output
    text = (program / "flow.dot").read_text(encoding="utf-8")
    blocks = set(re.findall(r'^    "([^"]+)" \[', text, flags=re.MULTILINE))
    ends = {end for pair in re.findall(r'"([^"]+)" -> "([^"]+)";', text) for end in pair}
    assert len(blocks) > 3
    assert ends <= blocks
    assert "tanh(" in text


def test_the_page_of_kernels_has_their_assembly(program):
    found = run("kernels", "program.py:f", "--html", "k.html")
    assert found.exit_code == 0, found.output
    assert "vector i" in (program / "k.html").read_text(encoding="utf-8")


def test_a_profile_as_a_page_asks_for_nothing_and_shows_all(program):
    assert run("profile", "program.py:g", "--dim", "rows=300", "-o", "p.html").exit_code == 0
    text = (program / "p.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"<script|https?://(?!www\.w3\.org/2000/svg)|src=|@import|url\(", text)
    report = json.loads(run("profile", "program.py:g", "--dim", "rows=300", "--json").stdout)
    for row in report["steps"]:
        assert text.count(row["name"]) >= 2  # in the table, and in the picture of memory
    assert "program.py:8" in text
    assert "temporaries over time" in text
    assert "rows = 300, columns = 64" in text
    ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])


def test_a_profile_adds_up_by_line_and_in_chrome(program):
    report = json.loads(run("profile", "program.py:g", "--dim", "rows=300", "--json").stdout)
    assert sum(x["us"] for x in report["lines"]) == pytest.approx(report["us"], rel=1e-6)
    assert sum(x["bytes"] for x in report["lines"]) == pytest.approx(
        sum(x["bytes"] for x in report["steps"]), rel=1e-3
    )
    assert all(x["of_limit"] > 0 for x in report["steps"] if x["bytes"])
    events = json.loads(run("profile", "program.py:g", "--format", "chrome").stdout)["traceEvents"]
    call = [e for e in events if e["ph"] == "X" and e["tid"] == 1]
    memory = [e for e in events if e["ph"] == "C"]
    assert [e["ts"] for e in memory[:-1]] == [e["ts"] for e in call]
    assert memory[-1]["args"]["bytes"] == 0


def test_limits_keep_the_best_that_was_measured(tmp_path):
    with sg.config(cache_dir=str(tmp_path)):
        first = measure_limits()
        (path,) = tmp_path.glob("limits-*.json")
        kept = {key: 10 * rate for key, rate in json.loads(path.read_text()).items()}
        path.write_text(json.dumps(kept))
        second = measure_limits()
        path.write_text("[1, 2")
        assert measure_limits().compute > 0
    assert second.compute > 2 * first.compute
    assert second.least_ns(10**6, 0) <= second.least_ns(10**6, 10**9)
    assert second.share(0, 1000, 0) > 0
