"""A report of a profile as pictures: an SVG of bars, and one HTML file with bars and tables.

The file has no script, and asks for nothing: it opens anywhere, also by mail. Memory over time is
drawn above the steps that need it, each as wide as its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from symgraph.trace.wording import short_line

from .profiling import SHORTEST, Report

BAR, ROW, LEFT = 520.0, 24.0, 230.0  # px, of the bars
WIDTH, HEIGHT, STEPS = 900.0, 120.0, 34.0  # px, of memory over time, and of the steps below it
MOST_BARS, LONGEST_NAME = 40, 32
HUES = ("#0072b2", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#e69f00")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em;
  color:#1b1f24;background:#fff}
h1{font-size:1.3em}h2{font-size:1.05em;margin:1.8em 0 .4em}
table{border-collapse:collapse;width:100%}td,th{padding:.2em .6em;text-align:right}
th{font-weight:600;border-bottom:1px solid #a4aebb}td.n,th.n{text-align:left}
td.n{font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}
td.b{width:22%}i{display:block;height:.8em;background:#0072b2;border-radius:2px}
svg text{font:11px system-ui,sans-serif;fill:#1b1f24}figure{margin:0;overflow-x:auto}
.area{fill:#e69f0055;stroke:#b46f00}.axis{stroke:#a4aebb}
@media(prefers-color-scheme:dark){body{color:#e6e9ee;background:#14181d}svg text{fill:#e6e9ee}
  i{background:#56b4e9}th{border-color:#4a5361}}
@media print{body{margin:0;max-width:none}}
"""


def profile_html(report: Report) -> str:
    """The whole report as one file."""
    total = max(1, report.profile.elapsed_ns)
    steps = [
        (r.name, r.elapsed_ns / 1e3, r.nbytes, r.flops, *_limit(report, r.nbytes, r.flops))
        for r in report.profile.rows
    ]
    lines = [
        (short_line(x.line), x.elapsed_ns / 1e3, x.nbytes, x.flops, x.least_ns)
        for x in report.lines()
    ]
    compiling = [(name, ns) for name, ns in report.compile_ns if ns > SHORTEST]
    spent = max(1, sum(ns for _, ns in compiling))
    sizes = ", ".join(f"{name} = {size}" for name, size in report.sizes)
    rates = ", ".join(f"{rate:.0f} GB/s at {n / 1e6:g} MB" for n, rate in report.limits.bandwidths)
    parts = [
        f"<h1>{escape(report.name)}: {total / 1e3:.1f} µs a call</h1>",
        f"<p>{escape(sizes)}</p>" if sizes else "",
        f"<p>This machine: {rates}, {report.limits.compute:.0f} GFLOP/s.</p>",
        "<h2>Memory over time</h2>",
        f"<p>{report.given / 1e6:.3f} MB of arguments and results, at most "
        f"{report.peak / 1e6:.3f} MB of temporaries.</p>",
        f"<figure>{timeline(report)}</figure>",
        "<h2>Steps</h2>",
        _table("step", steps, total / 1e3),
        "<h2>Lines of the program</h2>",
        _table("line", lines, total / 1e3),
        "<h2>Compiling</h2>",
        _bars_table([(name, ns / 1e6, ns / spent) for name, ns in compiling]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(report.name)} · profile</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _limit(report: Report, nbytes: int, flops: int) -> tuple[float]:
    return (report.limits.least_ns(nbytes, flops),)


def _table(title: str, rows: Iterable[tuple[str, float, float, float, float]], total: float) -> str:
    """Rows of (name, µs, bytes, operations, least ns)."""
    heads = ("µs", "share", "", "MB", "GB/s", "GFLOP/s", "of limit")
    cells = "".join(f"<th>{head}</th>" for head in heads)
    found = [f'<table><tr><th class="n">{title}</th>{cells}</tr>']
    for name, us, nbytes, flops, least in rows:
        ns = max(1.0, 1e3 * us)
        numbers = (f"{nbytes / 1e6:.3f}", f"{nbytes / ns:.2f}", f"{flops / ns:.2f}")
        rest = "".join(f"<td>{text}</td>" for text in (*numbers, f"{least / ns:.0%}"))
        found.append(
            f'<tr><td class="n">{escape(name)}</td><td>{us:.1f}</td><td>{us / total:.1%}</td>'
            f'<td class="b">{_bar(us / total)}</td>{rest}</tr>'
        )
    return "".join([*found, "</table>"])


def _bars_table(rows: Iterable[tuple[str, float, float]]) -> str:
    """Rows of (name, ms, share)."""
    found = ['<table><tr><th class="n">part</th><th>ms</th><th>share</th><th></th></tr>']
    found += [
        f'<tr><td class="n">{escape(name)}</td><td>{ms:.2f}</td><td>{share:.1%}</td>'
        f'<td class="b">{_bar(share)}</td></tr>'
        for name, ms, share in rows
    ]
    return "".join([*found, "</table>"])


def _bar(share: float) -> str:
    return f'<i style="width:{max(0.5, min(100.0, 100 * share)):.1f}%"></i>'


def timeline(report: Report) -> str:
    """Temporaries alive while each step runs, as an area over time; the steps below it."""
    rows = report.profile.rows
    total = max(1, sum(r.elapsed_ns for r in rows))
    alive = [count for _, count in report.memory] or [0]
    peak = max(1, report.peak)
    edges = [0.0]
    for row in rows:
        edges.append(edges[-1] + WIDTH * row.elapsed_ns / total)
    points, boxes = [f"0,{HEIGHT:.1f}"], []
    for k, (row, (left, right)) in enumerate(zip(rows, pairwise(edges), strict=True)):
        y = HEIGHT - (HEIGHT - 16) * alive[min(k, len(alive) - 1)] / peak
        points += [f"{left:.1f},{y:.1f}", f"{right:.1f},{y:.1f}"]
        hue, width = HUES[k % len(HUES)], max(0.5, right - left)
        name = escape(row.name)
        boxes.append(
            f'<rect x="{left:.1f}" y="{HEIGHT + 4:.1f}" width="{width:.1f}" '
            f'height="{STEPS - 12:.1f}" fill="{hue}"><title>{name}: '
            f"{row.elapsed_ns / 1e3:.1f} µs, "
            f"{alive[min(k, len(alive) - 1)] / 1e6:.3f} MB</title></rect>"
        )
    points.append(f"{WIDTH:.1f},{HEIGHT:.1f}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT + STEPS:.0f}" '
        f'width="100%" role="img"><title>temporaries over time</title>'
        f'<polygon class="area" points="{" ".join(points)}"/>'
        f'<line class="axis" x1="0" y1="{HEIGHT:.0f}" x2="{WIDTH:.0f}" y2="{HEIGHT:.0f}"/>'
        f'<text x="4" y="11">{report.peak / 1e6:.3f} MB</text>{"".join(boxes)}</svg>'
    )


def bars(report: Report) -> str:
    """Time by step, by line and by part of compiling, and memory, as an SVG of bars."""
    lines = [(short_line(x.line).split(": ")[0], x.elapsed_ns / 1e3) for x in report.lines()]
    compiling = [(n, ns / 1e6) for n, ns in report.compile_ns if ns > SHORTEST]
    groups: list[tuple[str, Sequence[tuple[str, float]]]] = [
        ("µs by step", [(r.name, r.elapsed_ns / 1e3) for r in report.profile.rows]),
        ("µs by line", lines),
        ("MB of temporaries by step", [(n, b / 1e6) for n, b in report.memory]),
        ("ms of compiling", compiling),
    ]
    parts, y = [], 20.0
    for title, rows in groups:
        if rows:
            more, y = _bar_group(title, rows[:MOST_BARS], y)
            parts += more
    style = (
        "text{font:12px system-ui,sans-serif;fill:#222}.t{font-weight:600}"
        "rect{fill:#0072b2}svg{background:#fff}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + BAR + 90:.0f}" '
        f'height="{y + 8:.0f}" role="img"><title>{escape(report.name)}</title>'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )


def _bar_group(title: str, rows: Sequence[tuple[str, float]], y: float) -> tuple[list[str], float]:
    parts = [f'<text x="12" y="{y + 14:.0f}" class="t">{escape(title)}</text>']
    y += ROW
    most = max(max(v for _, v in rows), 1e-12)
    for name, value in rows:
        width = max(1.0, BAR * value / most)
        parts.append(f'<text x="12" y="{y + 15:.0f}">{escape(name[:LONGEST_NAME])}</text>')
        parts.append(
            f'<rect x="{LEFT:.0f}" y="{y + 3:.0f}" width="{width:.1f}" height="16" rx="2"/>'
        )
        parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 15:.0f}">{value:.3g}</text>')
        y += ROW
    return parts, y + 12
