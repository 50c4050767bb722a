"""``symgraph passes``: time travel through what the rewriter did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..conventions import Console, Differs, Failure, command, json_option, target_argument

if TYPE_CHECKING:
    from symgraph.trace.format import StepRow
    from symgraph.trace.trace import Trace

    from ..given import Given
    from ..target import Target


@command(
    "passes",
    examples=(
        "symgraph passes program.py:f",
        "symgraph passes program.py:f --all --grep digits",
        "symgraph passes program.py:f --at 1",
        "symgraph passes program.py:f --verify",
        "symgraph passes program.py:f --bisect verify",
    ),
)
@target_argument
@click.option("--all", "everything", is_flag=True, help="With the steps that only tidy.")
@click.option("--grep", metavar="TEXT", help="Steps whose rule, reason or line has this text.")
@click.option("--why", metavar="RULE", help="All that one rule did, and why.")
@click.option("--at", type=int, metavar="N", help="One step in detail, and the graph after it.")
@click.option("--between", type=(int, int), metavar="A B", help="What differs between two steps.")
@click.option("--verify", is_flag=True, help="Check every step on random and harsh inputs.")
@click.option(
    "--bisect",
    metavar="CHECK",
    help="Find the first step that breaks a check: 'verify' (the values of the graph as built), "
    "a shell command with {} for a .sg file of the graph (exit status 0 is good), or "
    "file.py:function of a graph.",
)
@click.option("--without", metavar="RULE", multiple=True, help="Rewrite again without a rule.")
@click.option("--bench", is_flag=True, help="Time the program after each step.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the page.")
@json_option
def passes(
    console: Console,
    subject: Target,
    everything: bool,
    grep: str | None,
    why: str | None,
    at: int | None,
    between: tuple[int, int] | None,
    verify: bool,
    bisect: str | None,
    without: tuple[str, ...],
    bench: bool,
    html: Path | None,
    json: bool,
) -> None:
    """List the rewrites, and look at, check or time them one by one.

    Of each step the list has nodes, and what changed in nodes, in operations and bytes of the graph
    (every result stored, before loops are fused; 64 elements an axis, --dim says other lengths),
    and the time since the row before.
    """
    from ..rewriting_again import trace_without

    trace = trace_without(subject, without) if without else subject.trace()
    trace.name = subject.name
    if html is not None:
        from ..page.build import page_html

        html.write_text(page_html(trace), encoding="utf-8")
        return
    if at is not None:
        _at(console, trace, subject.given, at, json)
    elif between is not None:
        from .diff import print_difference

        names = tuple(f"{trace.name}, step {n}" for n in between)
        graphs = [trace.at(trace.step(n).number) for n in between]
        print_difference(console, graphs, names, "text", json)
    elif verify:
        _verify(console, trace, json)
    elif bisect is not None:
        _bisect(console, trace, bisect, json)
    elif bench:
        _bench(console, subject, trace, everything, json)
    else:
        rules = _wanted(trace, everything, grep, why)
        _list(console, trace, subject.given, rules, why, json)


def _wanted(trace: Trace, everything: bool, grep: str | None, why: str | None) -> set[str]:
    """The rules to show."""
    from ..stepping import noise

    names = trace.rule_names()
    if why is not None:
        if why not in names:
            from symgraph.errors import nearest

            near = nearest(why, list(names))
            guess = f"; did you mean {near!r}?" if near else ""
            raise Failure(f"no rule {why!r} was applied to {trace.name}{guess}")
        return {why}
    if grep is None:
        return set(names) if everything else set(names) - noise()
    text = grep.lower()
    rows = [row for row in trace.steps if text in _searched(row)]
    return {row.rule.name for row in rows}


def _searched(row: StepRow) -> str:
    line = f"{row.line.file}:{row.line.number} {row.line.text}" if row.line else ""
    return f"{row.rule.name} {row.rule.why} {row.rule.source} {row.table} {line}".lower()


def _list(
    console: Console, trace: Trace, given: Given, wanted: set[str], why: str | None, json: bool
) -> None:
    from ..graph_cost import GraphCost
    from ..stepping import count_text, detail, shown_steps, step_json, step_lines, with_costs

    costs = GraphCost.of(trace, given)
    rows = list(shown_steps(trace, lambda row: row.rule.name in wanted))
    rows = list(with_costs(trace, rows, costs))
    hidden = len(trace) - sum(r.count for r in rows if r.row.kind == "rewrite")
    if json:
        found = {
            "name": trace.name,
            "rewrites": len(trace),
            "hidden": hidden,
            "steps": [step_json(trace, row) for row in rows],
        }
        console.json("passes", found)
        return
    if why is not None:
        for row in rows:
            if row.row.rule.name == why:
                for text in detail(trace.step(row.number)):
                    console.echo(text)
        return
    first, last = _ends(trace)
    built, left = (len(trace.state(k).order()) for k in (first, last))
    head = f"{trace.name}: {len(trace)} rewrites, {built} nodes as built, {left} in the end"
    console.echo(console.paint(head, "head"))
    ends = [costs.total(trace.state(k)) for k in (first, last)]
    flops = " and ".join(count_text(end.flops) for end in ends)
    nbytes = " and ".join(count_text(end.nbytes) for end in ends)
    console.echo(f"before fusion: {flops} operations, {nbytes} bytes of results")
    for text in step_lines(trace, rows, console.paint):
        console.echo(text)
    if hidden:
        console.log(f"{hidden} steps that only tidy are hidden; --all shows them")


def _ends(trace: Trace) -> tuple[int, int]:
    return trace.find_stage("built").step, len(trace.steps) - 1


def _at(console: Console, trace: Trace, given: Given, number: int, json: bool) -> None:
    from symgraph.printing import render

    from ..graph_cost import GraphCost
    from ..stepping import Shown, count_text, detail, step_json

    number = number if number >= 0 else len(trace.steps) + number
    step = trace.step(number)
    order = trace.state(number).order()
    graph = trace.at(number)
    costs = GraphCost.of(trace, given)
    cost = costs.total(trace.state(number))
    if step.row.kind != "start":
        cost -= costs.total(trace.state(number - 1))
    if json:
        delta = step.row.delta
        change = len(delta.added) - len(delta.removed)
        row = Shown(number, 1, len(order), change, step.row, step.row.elapsed_ns, cost)
        changed = {"added": list(delta.added), "removed": list(delta.removed)}
        console.json("step", {**step_json(trace, row), **changed, "graph": render(graph, "ssa")})
        return
    for text in detail(step):
        console.echo(text)
    flops, nbytes = (count_text(n, "+") or "no more or less" for n in (cost.flops, cost.nbytes))
    console.echo(f"  operations: {flops}; bytes of results before fusion: {nbytes}")
    console.echo()
    console.echo(render(graph, "math").rstrip("\n"))


def _verify(console: Console, trace: Trace, json: bool) -> None:
    from ..verifying import verify_steps

    found = list(verify_steps(trace))
    wrong = [one for one in found if one.is_checked]
    if json:
        rows = [
            {"step": w.number, "rule": w.rule, "text": w.text, "checked": w.is_checked}
            for w in found
        ]
        console.json("verify", {"name": trace.name, "steps": len(trace.steps), "wrong": rows})
    else:
        for one in found:
            role = "bad" if one.is_checked else "warn"
            console.echo(f"{one.number:>5}  {console.paint(one.rule, role)}: {one.text}")
        good = len(trace.steps) - len(found)
        console.echo(console.paint(f"{good} of {len(trace.steps)} steps keep the value", "good"))
    if wrong:
        first = wrong[0]
        raise Differs(f"step {first.number}, {first.rule!r}, changes the value: {first.text}")


def _bisect(console: Console, trace: Trace, check: str, json: bool) -> None:
    from ..stepping import detail
    from ..verifying import first_bad, predicate, same_values

    built = trace.at("built")
    holds = same_values(built) if check == "verify" else predicate(check)
    found = first_bad(trace, holds)
    rule = trace.steps[found].rule.name if found is not None else None
    if json:
        console.json("bisect", {"name": trace.name, "step": found, "rule": rule})
    elif found is None:
        console.echo("no step breaks it: it holds at the end")
    else:
        for text in detail(trace.step(found)):
            console.echo(text)
    if found is not None:
        raise Differs(f"step {found}, {rule!r}, is the first that breaks it")


def _bench(console: Console, subject: Target, trace: Trace, everything: bool, json: bool) -> None:
    from symgraph.trace.wording import short_line

    from ..rewriting_again import time_steps

    rows = list(time_steps(trace, subject.given, _wanted(trace, everything, None, None)))
    if json:
        found = [{"step": n, "rule": row.rule.name, "us": round(us, 3)} for n, row, us in rows]
        console.json("passes-bench", {"name": trace.name, "steps": found})
        return
    for number, row, microseconds in rows:
        where = f"  {short_line(row.line)}" if row.line else ""
        console.echo(f"{number:>5} {microseconds:>12.1f} us  {row.rule.name}{where}")


COMMAND = passes
