"""``symgraph bench``: a smoke run, the collections, reports of results made by hand. No times."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph.ir.graph import toposort
from symgraph.ir.op import OPS
from symgraph_tools.bench import limits, report, roofline, runner, shares
from symgraph_tools.bench.child import digest
from symgraph_tools.bench.collections import COLLECTIONS
from symgraph_tools.bench.engines import Numpy, Symgraph
from symgraph_tools.bench.products import GRID
from symgraph_tools.bench.workload import Workload
from symgraph_tools.cli import main
from symgraph_tools.commands import bench
from symgraph_tools.conventions import STAGES
from symgraph_tools.target import load_target

LIMITS = {
    "read": dict.fromkeys(map(str, limits.SIZES_MB), 100.0),
    "copy": dict.fromkeys(map(str, limits.SIZES_MB), 50.0),
    "multiply": {"float32": 400.0, "float64": 200.0},
}


def one(call: float, **more: Any) -> dict[str, Any]:
    """What a run of an engine leaves."""
    times = {"import_s": 0.1, "build_s": 0.2, "first_s": 0.1, "spread": 0.05, "warm_s": 0.01}
    return {"call_s": call, "agrees": True, "peak_mb": 90.0, **times, **more}


FOUND: dict[str, Any] = {
    "schema": "symgraph.bench/1",
    "limits": LIMITS,
    "results": {
        "total": {"symgraph": one(1e-4), "numpy": one(4e-4), "jax": one(2e-4)},
        "outer": {
            "symgraph": one(2e-4),
            "jax": {"error": "no answer in 300 s"},
            "numpy": one(1e-4),
        },
    },
    "shares": {"total": 0.8},
}


@pytest.fixture
def run() -> Any:
    runner = CliRunner()
    return lambda *args: runner.invoke(main, ["bench", *map(str, args)])


def test_a_smoke_run_gives_json_and_a_picture(run: Any, tmp_path: Path) -> None:
    picture, results = tmp_path / "r.svg", tmp_path / "r.json"
    options = ("--engines", "symgraph,numpy", "--rounds", 1, "--seconds", 0, "--no-warm")
    done = run(
        "--only", "tiny_vector,matrix_vector", *options, "--svg", picture, "--json", "-o", results
    )
    assert done.exit_code == 0, done.output
    found = json.loads(results.read_text())
    assert found["schema"] == "symgraph.bench/1"
    assert set(found["results"]) == {"tiny_vector", "matrix_vector"}
    for row in found["results"].values():
        assert set(row) == {"symgraph", "numpy"}
        assert all(r["agrees"] and r["call_s"] > 0 and r["peak_mb"] > 1 for r in row.values())
    assert found["shares"]["matrix_vector"] > 0
    assert min(found["limits"]["multiply"].values()) > 0
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")


def test_shares_of_limits_are_measured_beside_the_limits(run: Any, tmp_path: Path) -> None:
    results = tmp_path / "r.json"
    done = run("--limits", "--only", "total,power_step", "--seconds", 0, "--json", "-o", results)
    assert done.exit_code == 0, done.output
    found = {row["name"]: row for row in json.loads(results.read_text())["results"]}
    assert set(found) == {"total", "power_step"}
    for row in found.values():
        assert row["share"] == pytest.approx(row["limit_s"] / row["call_s"])
        assert row["limit"] == "memory"
        assert row["limit_s"] > 0
    assert found["total"]["read_mb"] == 16
    lines = list(shares.table(found.values()))
    assert "16 MB read, 0 MB written" in lines[1]


def test_shares_that_are_asked_for_name_workloads() -> None:
    assert set(shares.ASKED) <= {row.name for row in COLLECTIONS["all"]}


@pytest.mark.parametrize(("read", "written"), [(1_000_000, 0), (2_000_000, 1_000_000)])
def test_plain_traffic_runs_with_both_kinds_of_stores(read: int, written: int) -> None:
    runs = limits.plain_traffic(read, written)
    assert set(runs) == ({"plain", "streaming"} if written else {"plain"})
    for one_run in runs.values():
        one_run()


def test_there_are_enough_workloads_of_every_kind() -> None:
    rows = COLLECTIONS["all"]
    assert set(COLLECTIONS) == set(bench.COLLECTIONS)
    assert len(rows) >= 40
    assert len({row.name for row in rows}) == len(rows)
    assert len(GRID) == 30
    kinds: set[str] = set()
    engine = Symgraph()
    for row in rows:
        arrays = row.inputs(np.random.default_rng(0))
        _, outputs = engine.traced(row, arrays)
        kinds |= {node.op.kind for node in toposort([v.node for v in outputs])}
    assert kinds >= {op.kind for op in OPS.values()} - {"tuple"}, "a kind of op has no workload"


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", COLLECTIONS["all"] + COLLECTIONS["functions"][::5], ids=lambda row: str(row.name)
)
def test_results_agree_with_numpy(row: Workload) -> None:
    if not row.suits("numpy"):
        pytest.skip("NumPy has no gradients, or takes long")
    arrays = row.inputs(np.random.default_rng(0))
    ours, right = (
        [digest(x) for x in _listed(engine.compiled(row, arrays)(*arrays))]
        for engine in (Symgraph(), Numpy())
    )
    assert runner.agree(ours, right, row.rtol)


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, list | tuple) else [found]


def test_an_engine_that_fails_is_reported_and_others_go_on() -> None:
    def formula(E: Any, x: Any) -> Any:
        return x + 1

    row = Workload("there is no such workload", lambda rng: [np.ones(3)], formula)
    lines: list[str] = []
    found = runner.run(runner.Plan([row], ["numpy"], rounds=2, warm=False), lines.append)
    assert "KeyError" in found[row.name]["numpy"]["error"]
    assert len([line for line in lines if "KeyError" in line]) == 1


def test_the_table_has_ratios_shares_and_errors() -> None:
    text = "\n".join(report.table(FOUND))
    assert "2.00" in text and "80%" in text  # noqa: PT018 (two parts of one line)
    assert "no answer in 300 s" in text
    assert "geometric mean 1.00 of 2" in text
    assert "a peer is faster: 1" in text


def test_late_starts_and_memory_above_the_leanest_peers_are_named() -> None:
    slow = {"symgraph": one(1e-4, warm_s=0.02, peak_mb=120.5), "numpy": one(4e-4)}
    results = FOUND["results"] | {"slow": slow, "alone": {"symgraph": one(1e-4, warm_s=0.012)}}
    text = "\n".join(report.table({"results": results, "shares": {}}))
    assert "cold, with import: median 0.40 s, at most 0.40" in text
    assert "warm: median 11.0 ms, above 15 ms: slow 20 ms" in text
    assert "peak memory above the leanest peer's: slow 30 MB" in text
    text = "\n".join(report.table({"results": FOUND["results"], "shares": {}}))
    assert "above 15 ms: none" in text
    assert "leanest peer's: none" in text


def test_results_that_differ_are_seen() -> None:
    right = [digest(np.arange(3.0))]
    assert runner.agree([digest(np.arange(3.0) * (1 + 1e-9))], right, 1e-6)
    assert not runner.agree([digest(np.arange(3.0) + 1)], right, 1e-6)
    assert not runner.agree([digest(np.arange(4.0))], right, 1e-6)
    assert not runner.agree([digest(np.array([0, 1, np.nan]))], right, 1e-6)
    wrong = {"results": {"total": {"symgraph": one(1e-4, agrees=False)}}}
    assert report.wrong(wrong) == ["total"]
    assert report.wrong(FOUND) == []


def test_the_least_time_is_that_of_traffic_or_arithmetic() -> None:
    row = COLLECTIONS["all"][0]
    assert limits.least_seconds(row, LIMITS) == pytest.approx(row.nbytes / 100e9)
    product = COLLECTIONS["products"][0]
    assert limits.least_seconds(product, LIMITS) == pytest.approx(2 * 1024**3 / 400e9)
    tiny = next(row for row in COLLECTIONS["all"] if row.name == "tiny_call")
    assert limits.least_seconds(tiny, LIMITS) is None


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_the_picture_has_a_bar_for_each_share(theme: str) -> None:
    picture = ElementTree.fromstring(roofline.roofline_svg(FOUND, theme))
    texts = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert "total" in texts
    assert "80%, 2.0 x best peer" in texts
    assert "outer" not in texts


def test_compare_names_what_became_slower(run: Any, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    changed = json.loads(json.dumps(FOUND))
    changed["results"]["outer"]["symgraph"]["call_s"] *= 2
    old.write_text(json.dumps(FOUND))
    new.write_text(json.dumps(changed))
    done = run("--compare", old, new)
    assert done.exit_code == 0
    assert done.output.splitlines()[1].split() == ["outer", "0.50"]
    done = run("--compare", old, new, "--fail-if-slower", 1.5)
    assert done.exit_code == 4
    assert "slower than 1.5 times as before: outer" in done.output
    assert run("--compare", old, new, "--fail-if-slower", 2.5).exit_code == 0


def test_errors_are_one_line_with_an_exit_code(run: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert run("--compare", other, other).exit_code == 3
    assert run("--fail-if-slower", 2).exit_code == 2
    done = run("--only", "totl", "--list")
    assert done.exit_code == 2
    assert "no workload 'totl'" in done.output
    assert "no engine 'theano'" in run("--engines", "theano").output


def test_list_shows_names_and_formulas(run: Any) -> None:
    lines = run("--list").output.splitlines()
    assert len(lines) == len(COLLECTIONS["all"])
    assert any(line.split(maxsplit=1) == ["gelu", "x Phi(x), with erf."] for line in lines)


def test_starting_is_timed_for_a_program_whose_code_is_on_disk(run: Any) -> None:
    found = run("--start", "--rounds", 1, "--json")
    assert found.exit_code == 0, found.output
    times = json.loads(found.output)
    times.pop("schema")
    processes = ["python", "import numpy", "import symgraph", "warm program"]
    assert list(times) == [*processes, "of it: graph, function", "of it: first call"]
    assert all(seconds > 0 for seconds in times.values())


def test_compile_time_is_told_for_each_node(run: Any) -> None:
    done = run("--growth", "1,2", "--json")
    assert done.exit_code == 0, done.output
    small, large = json.loads(done.output)["sizes"]
    assert (small["layers"], large["layers"]) == (1, 2)
    assert large["nodes"] > small["nodes"] > 10
    for row in (small, large):
        assert row["ms_per_node"] == pytest.approx(1e3 * row["cold_s"] / row["nodes"])
        assert row["warm_s"] < row["cold_s"]


def test_accuracy_is_timed_against_the_formula_as_written(run: Any) -> None:
    done = run("--only", "tiny_call,tiny_grad", "--accuracy", "default", "--seconds", "0")
    assert done.exit_code == 0
    head, *rows, mean = [line for line in done.output.splitlines() if line.strip()][-4:]
    assert head.split() == ["workload", "as", "written", "default", "lanes"]
    assert [row.split()[0] for row in rows] == ["tiny_call", "tiny_grad"]
    assert all(row.endswith(" 0.000%") for row in rows)
    assert mean.startswith("default: ")
    dear = run("--only", "tiny_call", "--accuracy", "high", "--seconds", 0, "--json")
    (row,) = json.loads(dear.stdout)["results"]
    assert row["high"]["ratio"] > 0


def test_a_factor_needs_something_to_compare(run: Any) -> None:
    done = run("--fail-if-slower", 2)
    assert done.exit_code == 2
    assert "--compare OLD NEW or --accuracy" in done.output


@pytest.mark.slow
def test_goals_are_measured_and_those_that_are_no_times_are_met():
    """Prints the times; a busy machine may miss those."""
    found = CliRunner().invoke(main, ["bench", "--goals", "--json"])
    assert found.exit_code in (0, 4), found.output
    rows = json.loads(found.stdout)["goals"]
    for row in rows:
        print(row["name"], row["what"], row["measured"], "asked:", row["asked"])
    assert {row["name"] for row in rows} == {f"V{k}" for k in range(1, 8)}
    met = [row["is_met"] for row in rows if row["name"] in ("V1", "V4", "V5")]
    assert met == [True] * 4
    assert all("numba not imported" in r["measured"] for r in rows if "show" in r["what"])


def test_a_saved_graph_is_drawn_after_rewriting_without_making_a_program(tmp_path):
    x = sg.vector("x")
    sg.save(tmp_path / "g.sg", sg.log(1 - sg.sigmoid(x)))
    target = load_target(str(tmp_path / "g.sg"))
    for stage in STAGES:
        graph = target.graph(stage)
        ops = {node.op.name for node in toposort(graph.outputs)}
        assert ("softplus" in ops) == (stage not in ("built", "tidied"))
    assert target.graph("final").outputs == target.function().optimized.outputs
