"""The rewrites of a trace as rows for people: noise hidden, repetitions counted.

Each row says what it changed: nodes, operations and bytes of the graph (``graph_cost.py``), and the
time from the row before, which is that of looking for what to rewrite, hidden steps included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from symgraph.trace.format import REWRITE, START, StepRow
from symgraph.trace.trace import Step, Trace
from symgraph.trace.wording import short_line, step_formulas

from .graph_cost import Cost, GraphCost


@dataclass(frozen=True, slots=True)
class Shown:
    """Consecutive steps of one rule at one line: the last one's number, how many, nodes left.

    ``change`` is of nodes, ``cost`` of operations and bytes, since the row before; ``elapsed_ns``
    the time since then.
    """

    number: int
    count: int
    nodes: int
    change: int
    row: StepRow
    elapsed_ns: int = 0
    cost: Cost = field(default_factory=Cost)


@cache
def noise() -> frozenset[str]:
    """Rules that only tidy: their steps are hidden unless asked for."""
    from symgraph.rewrite.algebra import ALGEBRA
    from symgraph.rewrite.canonicalize import CANONICALIZE

    return frozenset(rule.name for rule in (*CANONICALIZE, *ALGEBRA))


def shown_steps(trace: Trace, wanted: Callable[[StepRow], bool]) -> Iterator[Shown]:
    """The steps that are wanted, and those that are no rewrites, with node counts."""
    nodes, hidden, elapsed = 0, 0, 0
    pending: Shown | None = None
    for number, row in enumerate(trace.steps):
        change = len(row.delta.added) - len(row.delta.removed)
        nodes += change
        hidden += change
        elapsed += row.elapsed_ns
        if row.kind == REWRITE and not wanted(row):
            continue
        is_same = (
            pending is not None
            and row.table != ""
            and (pending.row.rule.name, pending.row.line, pending.row.table)
            == (row.rule.name, row.line, row.table)
        )
        if pending is not None and is_same:
            made = pending.count + 1, nodes, pending.change + hidden
            pending = Shown(number, *made, pending.row, pending.elapsed_ns + elapsed)
        else:
            if pending is not None:
                yield pending
            pending = Shown(number, 1, nodes, hidden, row, elapsed)
        hidden, elapsed = 0, 0
    if pending is not None:
        yield pending


def with_costs(trace: Trace, rows: Iterable[Shown], costs: GraphCost) -> Iterator[Shown]:
    """The rows with what each changed in operations and bytes; a start counts from nothing."""
    last = Cost()
    for row in rows:
        total = costs.total(trace.state(row.number))
        last = Cost() if row.row.kind == START else last
        yield replace(row, cost=total - last)
        last = total


def step_lines(trace: Trace, rows: Sequence[Shown], paint: Callable[[str, str], str]) -> list[str]:
    """The table that ``symgraph passes`` prints."""
    titles = f"{'nodes':>6} {'':>5} {'flops':>8} {'bytes':>8} {'ms':>6}"
    found = [paint(f"{'step':>5} {'times':>5} {titles}  rule", "head")]
    stage = ""
    for row in rows:
        heading = f"{row.row.stage}/{row.row.table}" if row.row.table else row.row.stage
        if heading != stage:
            stage = heading
            found.append(paint(_heading(trace, row.row), "dim"))
        times = f"{row.count:>5}" if row.count > 1 else " " * 5
        change = f"{row.change:+d}" if row.change and row.row.kind != START else ""
        change = f"{change:>5}"
        where = f"  {short_line(row.row.line)}" if row.row.line is not None else ""
        sign = "" if row.row.kind == START else "+"
        change += f" {count_text(row.cost.flops, sign):>8} {count_text(row.cost.nbytes, sign):>8}"
        change += f" {row.elapsed_ns / 1e6:>6.2f}" if row.elapsed_ns else " " * 7
        name = paint(row.row.rule.name, "name" if row.row.kind == REWRITE else "head")
        found.append(f"{row.number:>5} {times} {row.nodes:>6} {change}  {name}{where}")
    return found


def count_text(number: int, sign: str = "") -> str:
    """``+1.2k``, ``-3.4M``: a number in five letters and its sign; nothing for no change."""
    if not number:
        return "" if sign else "0"
    size, letter = float(number), ""
    for letter in ("", "k", "M", "G", "T"):
        if abs(size) < 1000 or letter == "T":
            break
        size /= 1000
    return f"{size:{sign}.3g}{letter}" if letter else f"{number:{sign}d}"


def _heading(trace: Trace, row: StepRow) -> str:
    for one in trace.passes:
        if (one.stage, one.table) == (row.stage, row.table):
            return (
                f"{row.stage}, {row.table}: {one.applied} rewrites, {one.elapsed_ns / 1e6:.2f} ms"
            )
    times = [s.elapsed_ns for s in trace.stages if s.name == row.stage]
    return f"{row.stage}: {times[0] / 1e6:.2f} ms" if times and times[0] else row.stage


def detail(step: Step) -> list[str]:
    """All that is known of a step: what changed into what, why, on whose word, where."""
    found = [f"step {step.number}: {step.rule}"]
    if step.row.kind == REWRITE:
        ends = step_formulas(step)
        if ends is not None:
            found.append(f"  {' --> '.join(ends)}")
    if step.why:
        found.append(f"  why: {step.why}")
    if step.source:
        found.append(f"  source: {step.source}")
    if step.changes:
        found.append(f"  changes: {step.changes}")
    found += [f"  from: {short_line(line)}" for line in step.lines]
    delta = step.row.delta
    found.append(f"  nodes: {len(delta.added)} added, {len(delta.removed)} removed")
    return found


def step_json(trace: Trace, row: Shown) -> dict[str, object]:
    """A row as JSON."""
    one = row.row
    return {
        "step": row.number,
        "count": row.count,
        "kind": one.kind,
        "stage": one.stage,
        "table": one.table,
        "rule": one.rule.name,
        "why": one.rule.why,
        "source": one.rule.source,
        "changes": one.rule.changes,
        "file": one.line.file if one.line else None,
        "line": one.line.number if one.line else None,
        "before": one.before if one.kind == REWRITE else None,
        "after": one.after if one.kind == REWRITE else None,
        "nodes": row.nodes,
        "change": row.change,
        "flops": row.cost.flops,
        "bytes": row.cost.nbytes,
        "ms": row.elapsed_ns / 1e6,
    }
