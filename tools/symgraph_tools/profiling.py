"""A profile for people and programs: text, JSON, a Chrome trace (pictures: profile_page.py).

All are functions of a ``Report``: steps and lines with time, bytes, operations and share of what
the machine can do; memory alive at each step; compile time by pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from symgraph.ir.dim import Atom, DimLike, substitute
from symgraph.ir.origin import Line
from symgraph.printing.notes import nbytes
from symgraph.runtime.profile import Profile
from symgraph.trace.trace import Trace
from symgraph.trace.wording import short_line

from .limits import Limits

UNTIMED = ("view ", "bind ")  # steps of a program that name memory and sizes, and compute nothing
MOST_LINES = 12  # in the text
SHORTEST = 10_000  # ns, of a part of compiling that is told


@dataclass(frozen=True, slots=True)
class LineRow:
    """What all steps do for one line; ``least_ns``: what the machine needs for that at least."""

    line: Line
    elapsed_ns: float
    nbytes: float
    flops: float
    least_ns: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a profile says, with the memory and compile times of its trace.

    ``memory``: for each step of the program its text and the bytes of temporaries alive.
    ``given``: bytes of arguments and results. ``sizes``: the lengths that were used, by name.
    """

    name: str
    profile: Profile
    limits: Limits
    memory: tuple[tuple[str, int], ...]
    compile_ns: tuple[tuple[str, int], ...]
    given: int = 0
    sizes: tuple[tuple[str, int], ...] = ()

    @property
    def peak(self) -> int:
        """The most bytes of temporaries alive."""
        return max((alive for _, alive in self.memory), default=0)

    def lines(self) -> list[LineRow]:
        """Lines of the program, by time."""
        found: dict[Line, list[float]] = {}
        for row in self.profile.rows:
            least = self.limits.least_ns(row.nbytes, row.flops)
            for line, part in row.by_line().items():
                total = found.setdefault(line, [0.0] * 4)
                for k, value in enumerate((row.elapsed_ns, row.nbytes, row.flops, least)):
                    total[k] += part * value
        return sorted((LineRow(x, *v) for x, v in found.items()), key=lambda r: -r.elapsed_ns)


def make_report(
    trace: Trace, profile: Profile, limits: Limits, sizes: Mapping[Atom, int]
) -> Report:
    """A report of a profile."""
    ends = [b for b in trace.parts.buffers if b.role != "temporary"]
    return Report(
        trace.name,
        profile,
        limits,
        tuple(_memory(trace, sizes)),
        tuple(compile_times(trace)),
        sum(_number(nbytes(b.type), sizes) for b in ends),
        tuple((atom.label.strip("?!"), size) for atom, size in sizes.items()),
    )


def compile_times(trace: Trace) -> list[tuple[str, int]]:
    """Nanoseconds of each part of compiling, in order."""
    found = [("resolve", trace.times.get("resolve", 0))]
    for stage in trace.stages:
        if stage.name == "built" or stage.name.startswith("before"):
            continue
        tables = [p for p in trace.passes if p.stage == stage.name]
        found += [(f"{stage.name}/{p.table}", p.elapsed_ns) for p in tables]
        rest = stage.elapsed_ns - sum(p.elapsed_ns for p in tables)
        found.append((stage.name, max(0, rest)))
    build = "build (from the cache)" if trace.parts.cached else "build"
    found += [("lower", trace.times.get("lower", 0)), ("plan", trace.times.get("plan", 0))]
    return [*found, (build, trace.times.get("build", 0))]


def _memory(trace: Trace, sizes: Mapping[Atom, int]) -> Iterator[tuple[str, int]]:
    """Bytes of temporaries that are alive at each step of the program."""
    buffers = [b for b in trace.parts.buffers if b.role == "temporary"]
    steps = [text for text in trace.parts.program if not text.startswith(" ")]
    for number, text in enumerate(steps):
        if text.startswith(UNTIMED):
            continue
        alive = {b.slot for b in buffers if b.first <= number <= b.last and b.slot >= 0}
        total = sum(_number(trace.parts.slots[k], sizes) for k in alive)
        yield text.partition("(")[0], total


def _number(dim: DimLike, sizes: Mapping[Atom, int]) -> int:
    found = substitute(dim, dict(sizes)) if not isinstance(dim, int) else dim
    return found if isinstance(found, int) else 0


# ---------------------------------------------------------------- text


def text_lines(report: Report, old: Mapping[str, float] | None = None) -> list[str]:
    """The report as text; ``old``: microseconds by step of an earlier one, to compare with."""
    sizes = ", ".join(f"{name} = {size}" for name, size in report.sizes)
    rates = ", ".join(f"{rate:.0f} GB/s at {n / 1e6:g} MB" for n, rate in report.limits.bandwidths)
    found = [
        f"{report.name}: {report.profile.elapsed_ns / 1e3:.1f} us a call"
        + (f" for {sizes}" if sizes else ""),
        f"this machine: {rates}, {report.limits.compute:.0f} GFLOP/s",
        f"{'us':>10} {'share':>6} {'MB':>8} {'GB/s':>7} {'GFLOP/s':>8} {'of limit':>8}  step",
    ]
    for row in report.profile.rows:
        change = _change(row.name, row.elapsed_ns, old) if old is not None else ""
        least = report.limits.least_ns(row.nbytes, row.flops)
        found.append(
            _row(report, row.elapsed_ns, row.nbytes, row.flops, least) + f"  {row.name}{change}"
        )
    lines = report.lines()
    if lines:
        found.append("by line of the program (a step is shared by what it does for each)")
    for one in lines[:MOST_LINES]:
        numbers = (one.elapsed_ns, one.nbytes, one.flops, one.least_ns)
        found.append(f"{_row(report, *numbers)}  {short_line(one.line)}")
    found.append(
        f"memory: {report.given / 1e6:.3f} MB of arguments and results, "
        f"at most {report.peak / 1e6:.3f} MB of temporaries"
    )
    found += [f"{alive / 1e6:>10.3f} MB  {name}" for name, alive in report.memory if alive]
    found.append("compiling, in ms")
    return found + [f"{ns / 1e6:>10.2f}  {name}" for name, ns in report.compile_ns if ns > SHORTEST]


def _row(report: Report, elapsed: float, moved: float, flops: float, least: float) -> str:
    ns = max(1.0, elapsed)
    share = ns / max(1, report.profile.elapsed_ns)
    return (
        f"{ns / 1e3:>10.1f} {share:>6.1%} {moved / 1e6:>8.3f} {moved / ns:>7.2f} "
        f"{flops / ns:>8.2f} {least / ns:>8.0%}"
    )


def _change(name: str, elapsed_ns: int, old: Mapping[str, float]) -> str:
    before = old.get(name)
    return "  (new)" if before is None else f"  ({max(1, elapsed_ns) / 1e3 / before:.2f} x)"


# ---------------------------------------------------------------- for programs


def report_json(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    limits = report.limits
    return {
        "name": report.name,
        "us": report.profile.elapsed_ns / 1e3,
        "sizes": dict(report.sizes),
        "limits": {
            "GB/s": limits.bandwidth,
            "GB/s by MB": {f"{n / 1e6:g}": rate for n, rate in limits.bandwidths},
            "GFLOP/s": limits.compute,
        },
        "steps": [
            {
                "name": r.name,
                "us": r.elapsed_ns / 1e3,
                "share": r.share,
                "bytes": r.nbytes,
                "flops": r.flops,
                "of_limit": limits.share(r.nbytes, r.flops, r.elapsed_ns),
                "lines": [_line(x) for x in r.lines],
            }
            for r in report.profile.rows
        ],
        "lines": [
            {
                "line": _line(x.line),
                "us": x.elapsed_ns / 1e3,
                "bytes": round(x.nbytes),
                "flops": round(x.flops),
                "of_limit": x.least_ns / max(1.0, x.elapsed_ns),
            }
            for x in report.lines()
        ],
        "given_bytes": report.given,
        "memory": [{"step": name, "bytes": alive} for name, alive in report.memory],
        "compile": [{"part": name, "ms": ns / 1e6} for name, ns in report.compile_ns],
    }


def _line(line: Line) -> str:
    return f"{line.file}:{line.number}"


def chrome_trace(report: Report) -> str:
    """Events of one call and of compiling, as chrome://tracing and Perfetto read them."""
    events: list[dict[str, Any]] = []
    for thread, name in ((1, "one call"), (2, "compiling")):
        meta = {"ph": "M", "pid": 1, "tid": thread, "name": "thread_name"}
        events.append({**meta, "args": {"name": name}})
    at = 0.0
    alive = [0, *(count for _, count in report.memory)]
    for number, row in enumerate(report.profile.rows):
        facts = {"bytes": row.nbytes, "flops": row.flops, "lines": [_line(x) for x in row.lines]}
        facts["of_limit"] = report.limits.share(row.nbytes, row.flops, row.elapsed_ns)
        events.append(_event(1, row.name, at, row.elapsed_ns, facts))
        count = {"ph": "C", "pid": 1, "name": "temporaries", "ts": at}
        events.append({**count, "args": {"bytes": alive[min(number + 1, len(alive) - 1)]}})
        at += row.elapsed_ns / 1e3
    events.append({"ph": "C", "pid": 1, "name": "temporaries", "ts": at, "args": {"bytes": 0}})
    at = 0.0
    for name, ns in report.compile_ns:
        events.append(_event(2, name, at, ns, {}))
        at += ns / 1e3
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}, indent=1) + "\n"


def _event(
    thread: int, name: str, at: float, elapsed_ns: int, facts: Mapping[str, Any]
) -> dict[str, Any]:
    where = {"ph": "X", "pid": 1, "tid": thread, "name": name}
    return {**where, "ts": at, "dur": elapsed_ns / 1e3, "args": dict(facts)}
