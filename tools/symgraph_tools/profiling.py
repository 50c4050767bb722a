"""A profile for people and programs: text, JSON, a Chrome trace, a picture of bars.

All are functions of a ``Report``: steps with time, bytes, operations and share of what the machine
can do; time by line; memory alive at each step; compile time by pass.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from symgraph.ir.dim import Atom, DimLike, substitute
from symgraph.ir.origin import Line
from symgraph.runtime.profile import Profile
from symgraph.trace.trace import Trace
from symgraph.trace.wording import short_line

from .limits import Limits

BAR, ROW, LEFT = 520.0, 24.0, 230.0  # of the picture, in px


@dataclass(frozen=True, slots=True)
class Report:
    """What a profile says, with the memory and compile times of its trace."""

    name: str
    profile: Profile
    limits: Limits
    memory: tuple[tuple[str, int], ...]  # step of the program, bytes of temporaries alive
    compile_ns: tuple[tuple[str, int], ...]

    @property
    def peak(self) -> int:
        """The most bytes alive."""
        return max((nbytes for _, nbytes in self.memory), default=0)


def make_report(
    trace: Trace, profile: Profile, limits: Limits, sizes: Mapping[Atom, int]
) -> Report:
    """A report of a profile."""
    return Report(
        trace.name, profile, limits, tuple(_memory(trace, sizes)), tuple(compile_times(trace))
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


def _memory(trace: Trace, sizes: Mapping[Atom, int]) -> list[tuple[str, int]]:
    """Bytes of temporaries that are alive at each step of the program."""
    buffers = [b for b in trace.parts.buffers if b.role == "temporary"]
    steps = [text for text in trace.parts.program if not text.startswith(" ")]
    found = []
    for number, text in enumerate(steps):
        alive = {b.slot for b in buffers if b.first <= number <= b.last and b.slot >= 0}
        total = sum(_number(trace.parts.slots[k], sizes) for k in alive)
        found.append((text.partition("(")[0], total))
    return found


def _number(dim: DimLike, sizes: Mapping[Atom, int]) -> int:
    found = substitute(dim, dict(sizes)) if not isinstance(dim, int) else dim
    return found if isinstance(found, int) else 0


def text_lines(report: Report, old: Mapping[str, float] | None = None) -> list[str]:
    """The report as text; ``old``: microseconds by step of an earlier one, to compare with."""
    limits = report.limits
    found = [
        f"{report.name}: {report.profile.elapsed_ns / 1e3:.1f} us a call; this machine: "
        f"{limits.bandwidth:.1f} GB/s, {limits.compute:.1f} GFLOP/s",
        f"{'us':>10} {'share':>6} {'MB':>8} {'GB/s':>7} {'GFLOP/s':>8} {'of limit':>8}  step",
    ]
    for row in report.profile.rows:
        ns = max(1, row.elapsed_ns)
        change = ""
        if old is not None:
            before = old.get(row.name)
            change = "  (new)" if before is None else f"  ({ns / 1e3 / before:.2f} x)"
        found.append(
            f"{ns / 1e3:>10.1f} {row.share:>6.1%} {row.nbytes / 1e6:>8.3f} "
            f"{row.nbytes / ns:>7.2f} {row.flops / ns:>8.2f} "
            f"{limits.share(row.nbytes, row.flops, ns):>8.0%}  {row.name}{change}"
        )
    lines = report.profile.by_line()
    if lines:
        found.append("by line of the program (the time of a step is shared among its lines)")
        total = max(1, report.profile.elapsed_ns)
        for line, ns in list(lines.items())[:12]:
            found.append(f"{ns / 1e3:>10.1f} {ns / total:>6.1%}  {short_line(line)}")
    found.append(f"temporaries: at most {report.peak / 1e6:.3f} MB")
    found += [f"{nbytes / 1e6:>10.3f} MB  {name}" for name, nbytes in report.memory if nbytes]
    found.append("compiling, in ms")
    found += [f"{ns / 1e6:>10.2f}  {name}" for name, ns in report.compile_ns if ns > 10_000]
    return found


def report_json(report: Report) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "name": report.name,
        "us": report.profile.elapsed_ns / 1e3,
        "limits": {"GB/s": report.limits.bandwidth, "GFLOP/s": report.limits.compute},
        "steps": [
            {
                "name": r.name,
                "us": r.elapsed_ns / 1e3,
                "share": r.share,
                "bytes": r.nbytes,
                "flops": r.flops,
                "of_limit": report.limits.share(r.nbytes, r.flops, r.elapsed_ns),
                "lines": [_line(x) for x in r.lines],
            }
            for r in report.profile.rows
        ],
        "lines": [{"line": _line(x), "us": ns / 1e3} for x, ns in report.profile.by_line().items()],
        "memory": [{"step": name, "bytes": nbytes} for name, nbytes in report.memory],
        "compile": [{"part": name, "ms": ns / 1e6} for name, ns in report.compile_ns],
    }


def _short(line: Line) -> str:
    return f"{line.file.rpartition('/')[2]}:{line.number}"


def _line(line: Line) -> str:
    return f"{line.file}:{line.number}"


def chrome_trace(report: Report) -> str:
    """Events of one call and of compiling, as chrome://tracing and Perfetto read them."""
    events: list[dict[str, Any]] = []
    for thread, name in ((1, "one call"), (2, "compiling")):
        meta = {"ph": "M", "pid": 1, "tid": thread, "name": "thread_name"}
        events.append({**meta, "args": {"name": name}})
    at = 0.0
    for row in report.profile.rows:
        facts = {"bytes": row.nbytes, "flops": row.flops, "lines": [_line(x) for x in row.lines]}
        events.append(_event(1, row.name, at, row.elapsed_ns, facts))
        at += row.elapsed_ns / 1e3
    for number, (_, nbytes) in enumerate(report.memory):
        count = {"ph": "C", "pid": 1, "name": "temporaries", "ts": number}
        events.append({**count, "args": {"bytes": nbytes}})
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


def bars(report: Report) -> str:
    """Time by step, by line and by part of compiling, as an SVG of bars."""
    groups: list[tuple[str, Sequence[tuple[str, float]]]] = [
        ("us by step", [(r.name, r.elapsed_ns / 1e3) for r in report.profile.rows]),
        (
            "us by line",
            [
                (short_line(x).split(": ")[0], ns / 1e3)
                for x, ns in report.profile.by_line().items()
            ],
        ),
        ("MB of temporaries by step", [(n, b / 1e6) for n, b in report.memory]),
        ("ms of compiling", [(n, ns / 1e6) for n, ns in report.compile_ns if ns > 10_000]),
    ]
    parts, y = [], 20.0
    for title, rows in groups:
        if not rows:
            continue
        parts.append(f'<text x="12" y="{y + 14:.0f}" class="t">{escape(title)}</text>')
        y += ROW
        most = max(max(v for _, v in rows), 1e-12)
        for name, value in rows[:40]:
            width = max(1.0, BAR * value / most)
            parts.append(f'<text x="12" y="{y + 15:.0f}">{escape(name[:32])}</text>')
            parts.append(
                f'<rect x="{LEFT:.0f}" y="{y + 3:.0f}" width="{width:.1f}" height="16" rx="2"/>'
            )
            at = LEFT + width + 6
            parts.append(f'<text x="{at:.1f}" y="{y + 15:.0f}">{value:.3g}</text>')
            y += ROW
        y += 12
    style = (
        "text{font:12px system-ui,sans-serif;fill:#222}.t{font-weight:600}"
        "rect{fill:#0072b2}svg{background:#fff}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + BAR + 90:.0f}" '
        f'height="{y + 8:.0f}" role="img"><title>{escape(report.name)}</title>'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )
