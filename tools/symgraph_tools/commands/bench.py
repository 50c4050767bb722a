"""``symgraph bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: JSON

import click

from ..conventions import Console, Differs, Failure, command, json_option, output_option

if TYPE_CHECKING:
    from ..bench.workload import Workload

COLLECTIONS = (
    "all", "products", "functions", "elementwise", "reductions", "indexing", "shapes",
    "sequences", "recurrences", "models", "statistics", "windows", "small",
)  # fmt: skip


@command(
    "bench",
    examples=(
        "symgraph bench --list",
        "symgraph bench --goals",
        "symgraph bench --only total,softmax_rows --engines symgraph,numpy --rounds 1",
        "symgraph bench products --json -o now.json",
        "symgraph bench --start --rounds 10",
        "symgraph bench --growth 20,400",
        "symgraph bench --limits",
        "symgraph bench --compare before.json now.json --fail-if-slower 1.1",
        "symgraph bench --only total,softmax_rows --accuracy default --seconds 0.05",
    ),
)
@click.argument("collection", type=click.Choice(COLLECTIONS), default="all")
@click.option("--only", metavar="A,B", default="", help="These workloads of the collection.")
@click.option("--engines", metavar="A,B", default="", help="[default: those installed]")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=0.3,
    show_default=True,
    help="How long calls are repeated in a round.",
)
@click.option("--warm/--no-warm", default=True, help="Run again with the caches of the first run.")
@click.option("--start", is_flag=True, help="Time imports and a program from the cache instead.")
@click.option(
    "--growth", metavar="A,B", help="Compile networks of so many layers instead: time per node."
)
@click.option(
    "--limits",
    is_flag=True,
    help="Time symgraph beside plain kernels of the same traffic or arithmetic instead: the share.",
)
@click.option("--goals", is_flag=True, help="Measure the goals of commands and pictures instead.")
@click.option("--list", "listing", is_flag=True, help="Show the workloads, run nothing.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the shares.")
@click.option(
    "--accuracy",
    type=click.Choice(["rules", "default", "high"]),
    multiple=True,
    help="Time symgraph at this accuracy against as written; lanes: share computed again.",
)
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Two results of --json: what changed from OLD to NEW.",
    metavar="OLD NEW",
)
@click.option(
    "--fail-if-slower",
    type=click.FloatRange(min=1),
    metavar="FACTOR",
    help="With --compare, --accuracy: exit code 4 if a workload takes so many times as long.",
)
@json_option
@output_option
def bench(
    console: Console,
    collection: str,
    only: str,
    engines: str,
    rounds: int,
    seconds: float,
    warm: bool,
    start: bool,
    growth: str | None,
    limits: bool,
    goals: bool,
    listing: bool,
    svg: Path | None,
    accuracy: tuple[str, ...],
    compare: tuple[Path, Path] | None,
    fail_if_slower: float | None,
    json: bool,
) -> None:
    """Time workloads on symgraph and the array libraries that are installed.

    Every run is a process of its own with empty caches, and engines take turns. Columns: best call
    (median of rounds), how much the rounds differ, build and first call without and with caches,
    peak memory, the best peer's time over ours, and the share of what the machine can do, measured
    in the same run. Exit code 4 if results differ between libraries.
    """
    if compare:
        _compare(console, compare, fail_if_slower, json)
        return
    if fail_if_slower is not None and not accuracy:
        raise click.UsageError("--fail-if-slower goes with --compare OLD NEW or --accuracy")
    if start:
        _start(console, rounds, json)
        return
    if growth:
        _growth(console, growth, json)
        return
    if goals:
        _goals(console, json)
        return
    if limits:
        _limits(console, collection, only, seconds, json)
        return
    rows = _chosen(collection, only)
    if listing:
        for row in rows:
            console.echo(f"{console.paint(f'{row.name:34}', 'name')} {row.about}")
        return
    if accuracy:
        _accuracy(console, rows, accuracy, seconds, fail_if_slower, json)
        return
    _run(console, rows, (engines, rounds, seconds, warm), svg, json)


def _start(console: Console, rounds: int, json: bool) -> None:
    from ..bench import startup

    found = startup.measure(rounds)
    if json:
        console.json("start", found)
    else:
        console.write("\n".join(startup.table(found)) + "\n")


def _growth(console: Console, layers: str, json: bool) -> None:
    from ..bench import growth

    found = growth.measure([int(count) for count in layers.split(",")])
    if json:
        console.json("growth", {"sizes": [row.fields() for row in found]})
    else:
        console.write("\n".join(growth.table(found)) + "\n")


def _limits(console: Console, collection: str, only: str, seconds: float, json: bool) -> None:
    """The shares of chosen workloads, or of those of which one is asked for."""
    from ..bench import shares

    rows = _chosen(collection, only or ",".join(shares.ASKED))
    found = list(shares.measure(rows, seconds, console.log))
    if json:
        console.json("bench-limits", {"results": found})
    else:
        console.write("\n".join(shares.table(found)) + "\n")


def _accuracy(
    console: Console,
    rows: tuple[Workload, ...],
    levels: tuple[str, ...],
    seconds: float,
    factor: float | None,
    as_json: bool,
) -> None:
    from ..bench import accuracy_cost

    found = list(accuracy_cost.measure(rows, levels, seconds, console.log))
    if as_json:
        console.json("bench-accuracy", {"results": found})
    else:
        console.write("\n".join(accuracy_cost.table(found, levels)) + "\n")
    dear = [] if factor is None else accuracy_cost.dearer_than(found, levels[0], factor)
    if dear:
        raise Differs(f"slower than {factor:g} times as written: {', '.join(dear)}")


def _goals(console: Console, json: bool) -> None:
    """The goals with what is measured, as soon as it is; exit code 4 where one is missed."""
    from dataclasses import asdict

    from ..bench.goals import goals

    found = []
    for goal in goals():
        found.append(goal)
        if not json:
            word = "test" if goal.is_met is None else "ok" if goal.is_met else "MISSED"
            role = {"test": "dim", "ok": "good", "MISSED": "bad"}[word]
            text = f"{goal.name}  {goal.what}: {goal.measured} (asked: {goal.asked})"
            console.echo(f"{console.paint(f'{word:<6}', role)} {text}")
    if json:
        console.json("goals", {"goals": [asdict(goal) for goal in found]})
    missed = [goal.what for goal in found if goal.is_met is False]
    if missed:
        raise Differs(f"missed: {', '.join(missed)}")


def _chosen(collection: str, only: str) -> tuple[Workload, ...]:
    from ..bench.collections import COLLECTIONS as rows_of

    rows = {row.name: row for row in rows_of[collection]}
    names = [name for name in only.split(",") if name] or list(rows)
    unknown = [name for name in names if name not in rows]
    if unknown:
        raise click.BadParameter(
            f"no workload {unknown[0]!r} in {collection}; --list shows them", param_hint="'--only'"
        )
    return tuple(rows[name] for name in names)


def _engines(names: str) -> tuple[str, ...]:
    from ..bench.engines import ENGINES, installed

    there = installed()
    wanted = tuple(name for name in names.split(",") if name) or there
    for name in wanted:
        if name not in ENGINES:
            raise click.BadParameter(f"no engine {name!r}: {', '.join(ENGINES)}")
        if name not in there:
            raise Failure(f"{name} is not installed", hint=f"pip install {name}", code=5)
    return wanted


def _run(
    console: Console,
    rows: tuple[Workload, ...],
    how: tuple[str, int, float, bool],
    svg: Path | None,
    json: bool,
) -> None:
    from ..bench import limits, report, roofline, runner

    names, rounds, seconds, warm = how
    plan = runner.Plan(rows, _engines(names), rounds, seconds, warm)
    roofs = limits.measure()
    found: dict[str, Any] = {
        "machine": runner.machine(),
        "limits": roofs,
        "results": runner.run(plan, console.log),
    }
    found["shares"] = _shares(rows, found["results"], roofs)
    if svg is not None:
        svg.write_text(roofline.roofline_svg(found), encoding="utf-8")
    if json:
        console.json("bench", found)
    else:
        lines = [_machine_line(found), *report.table(found)]
        console.write("\n".join(lines) + "\n")
    if wrong := report.wrong(found):
        raise Differs(f"results differ or are missing: {', '.join(wrong)}")


def _shares(rows: tuple[Workload, ...], results: dict[str, Any], roofs: Any) -> dict[str, float]:
    from ..bench.limits import least_seconds

    found = {}
    for row in rows:
        least, ours = least_seconds(row, roofs), results[row.name].get("symgraph", {})
        if least is not None and "call_s" in ours:
            found[row.name] = least / ours["call_s"]
    return found


def _machine_line(found: dict[str, Any]) -> str:
    machine, limits = found["machine"], found["limits"]
    rates = ", ".join(f"{d} {rate:.0f}" for d, rate in limits["multiply"].items())
    bands = "/".join(f"{band:.0f}" for band in limits["read"].values())
    copies = "/".join(f"{band:.0f}" for band in limits["copy"].values())
    return (
        f"{machine['processor']}, {machine['cores']} cores; GFLOP/s {rates}; GB/s at "
        f"{'/'.join(limits['read'])} MB: read {bands}, copy {copies}"
    )


def _compare(
    console: Console, paths: tuple[Path, Path], factor: float | None, as_json: bool
) -> None:
    from ..bench import report

    old, new = (_read(path) for path in paths)
    changes = report.comparison(old, new)
    if not changes:
        raise Failure("the two results have no workload in common")
    if as_json:
        console.json("bench-compare", {"changes": changes})
    else:
        console.write("\n".join(report.comparison_lines(changes)) + "\n")
    slower = report.slower_than(changes, factor) if factor is not None else []
    if slower:
        raise Differs(f"slower than {factor:g} times as before: {', '.join(slower)}")


def _read(path: Path) -> dict[str, Any]:
    import json

    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = found["schema"] == "symgraph.bench/1" and "results" in found
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise Failure(f"{path} is no result of symgraph bench --json", code=3)
    return found


COMMAND = bench
