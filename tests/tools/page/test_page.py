"""The page: one file that fetches nothing, of bounded size, with all of the trace in it."""

from __future__ import annotations

import json
import re

import pytest

import symgraph as sg
from symgraph_tools.bench.goals import chain
from symgraph_tools.drawing import DrawingError
from symgraph_tools.page.build import page_html
from symgraph_tools.page.content import Heat, page_content
from tests.tools.page.corpus import hostile, network, recurrent, traced

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "worker-src blob:"
)


def content_of(text: str):
    """The JSON in a page."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found)


def story():
    """The trace of log(1 - sigmoid(x)) and its gradient."""
    x = sg.vector("x")
    y = sg.log(1 - sg.sigmoid(x))
    return traced([x], [y, sg.grad(y.sum(), x)], "story")


def test_page_is_the_same_each_time_and_fetches_nothing():
    trace = story()
    text = page_html(trace)
    assert text == page_html(trace)
    assert f'content="{POLICY}"' in text
    assert not re.search(r"""(src|href)=["'](?!data:|#)[^"']""", text.split("</head>")[0])
    assert not re.search(r"\{\{\w", text.split("<script")[0])
    for word in ("http://", "https://"):
        found = set(re.findall(rf"{word}[\w./-]+", text))
        assert found <= {"http://www.w3.org/2000/svg"}, found


def test_names_cannot_leave_their_place():
    text = page_html(hostile())
    assert text.count("</script>") == text.count("<script") == 3
    assert "<img src=x" not in text
    assert "<title>&lt;b&gt;" in text
    assert any("</script>" in word for word in content_of(text)["words"])


def test_steps_say_what_changed_why_and_where():
    content = page_content(story(), {})
    texts = [step[11] for step in content["steps"] if step[11]]
    assert ["1 - sigmoid(x)", "sigmoid(-x)"] in texts
    assert ["log(sigmoid(-x))", "-softplus(x)"] in texts
    rules = {rule["name"]: rule for rule in content["rules"]}
    assert all(rules[n]["why"] for n in rules)
    (number,) = {step[6] for step in content["steps"] if step[11] and "log" in step[11][0]}
    where, line = content["lines"][number]
    file = content["files"][where]
    assert file["name"] == "test_page.py"
    assert "y = sg.log(1 - sg.sigmoid(x))" in file["text"][line - file["first"]]


def test_kernels_have_sources_nodes_and_lines():
    content = page_content(network(1), {})
    assert content["kernels"]
    for kernel in content["kernels"]:
        assert {"py", "ir"} <= kernel["sources"].keys()
        assert kernel["nodes"]
        assert kernel["lines"]


def test_every_line_of_a_kernel_leads_to_lines_of_the_program():
    content = page_content(network(1), {})
    for kernel in content["kernels"]:
        for how, text in kernel["sources"].items():
            runs = kernel["at"][how]
            assert sum(runs[::2]) == len(text.rstrip("\n").split("\n"))
            assert max(runs[1::2]) < len(content["places"])
    assert any("hidden @ w" in line for file in content["files"] for line in file["text"])


def test_heat_is_by_node_with_bytes_always():
    trace = story()
    content = page_content(trace, {"time": Heat("time", "ns", {0: 5.0}, {0: "5 ns"})})
    assert content["heat"]["time"]["of"] == {0: 5.0}
    (x,) = [n for n, row in enumerate(trace.rows) if row.op == "input"]
    assert content["heat"]["bytes"]["texts"][x] == "8*?x.0 B"
    assert content["heat"]["bytes"]["of"][x] == 800.0
    assert "<option" in page_html(trace)


def test_bodies_of_loops_are_there_with_their_own_ends():
    content = page_content(recurrent(False), {})
    scans = [n for n in content["nodes"] if content["words"][n[0]] == "scan"]
    assert scans
    assert all(node[6] for node in scans)


def test_machine_code_stands_beside_the_source():
    trace = network(1)
    name = trace.parts.kernels[0].name
    content = page_content(trace, {}, {name: {"llvm": "define", "asm": "vfmadd"}})
    assert content["kernels"][0]["sources"]["asm"] == "vfmadd"
    assert {"py", "ir"} <= content["kernels"][0]["sources"].keys()


def test_an_unknown_theme_is_refused():
    with pytest.raises(DrawingError, match="no theme 'pink'"):
        page_html(story(), theme="pink")


def test_programs_of_the_page_are_small():
    """At most 60 kB as they are sent, with names that can be read."""
    text = page_html(story())
    programs = re.findall(r"<script(?: id=.layout-program.)?>(.*?)</script>", text, re.S)
    assert len(programs) == 2
    size = sum(len(program.encode()) for program in programs)
    print(f"JavaScript: {size} bytes")
    assert size <= 60_000


@pytest.mark.slow
def test_ten_thousand_nodes_in_5_megabytes():
    """Goal V2: prints the size; ``symgraph bench --goals`` times it."""
    trace = chain(10_000)
    assert len(trace.state(0).order()) >= 9_900
    size = len(page_html(trace).encode()) / 1e6
    print(f"{len(trace.rows)} rows, {len(trace.steps)} steps: {size:.2f} MB")
    assert size <= 5.0
