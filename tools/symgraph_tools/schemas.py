"""What ``--json`` prints: one object with a ``schema`` and the keys of its row.

``symgraph --schemas`` prints this table. Under one number keys are added at most: what is here
stays, with its meaning. Units: ``us`` and ``ms`` are micro- and milliseconds, ``bytes`` bytes,
``flops`` operations. Lines of programs are ``file:number``; texts are for people and may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

VERSION = 1
SCHEMAS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "print": ("print: a graph as text", ("name", "stage", "style", "text")),
    "passes": (
        "passes: rows of steps, with what each changed",
        ("name", "rewrites", "hidden", "steps"),
    ),
    "step": (
        "passes --at: a step, the nodes added and removed, the graph after it",
        ("step", "rule", "why", "source", "nodes", "flops", "bytes", "ms", "added", "graph"),
    ),
    "verify": ("passes --verify: the steps that are wrong", ("name", "steps", "wrong")),
    "bisect": ("passes --bisect: the first bad step, or null", ("name", "step", "rule")),
    "passes-bench": ("passes --bench: time of a call after each step", ("name", "steps")),
    "diff": (
        "diff, passes --between: counts, and lines with - and +",
        ("names", "equal", "same", "changed", "removed", "added", "lines"),
    ),
    "diff-several": (
        "diff of more than two: formulas that only some have",
        ("names", "equal", "common", "formulas"),
    ),
    "explain": ("explain: sentences", ("name", "subject", "lines")),
    "kernels": ("kernels: bytes, operations, lines and loops of each", ("name", "kernels")),
    "kernel": ("kernels show: one in a form, perhaps with lines", ("name", "as", "source")),
    "kernels-grep": ("kernels show --grep: lines of code", ("pattern", "found")),
    "profile": (
        "profile: time, bytes and operations of steps and lines; memory; compiling",
        ("name", "us", "sizes", "limits", "steps", "lines", "given_bytes", "memory", "compile"),
    ),
    "check": ("check: findings, and how many are bad", ("name", "bad", "findings")),
    "doctor": (
        "doctor: facts by section, and problems",
        ("versions", "processor", "threads", "cache", "problems"),
    ),
    "cache": ("cache info: how much is kept", ("entries", "bytes", "most_bytes")),
    "cache-entries": ("cache ls: each entry", ("entries",)),
    "cache-change": ("cache warm, prune, clear, verify: what is left", ("entries", "deleted")),
    "ops": ("ops: rows of ops", ("ops",)),
    "rewrites": ("rewrites: rows of rules", ("rewrites",)),
    "bench": ("bench: results by workload and engine", ("machine", "limits", "results", "shares")),
    "bench-compare": ("bench --compare: ratios by workload", ("changes",)),
    "bench-limits": ("bench --limits: share of the machine by workload", ("results",)),
    "bench-accuracy": ("bench --accuracy: ratios by workload and level", ("results",)),
    "goals": ("bench --goals: what is asked and measured", ("goals",)),
    "growth": ("bench --growth: seconds by size of the graph", ("sizes",)),
    "start": ("bench --start: seconds by what is timed", ()),
}
"""By name: which command prints it and what it is, and the keys that it always has."""


def check_schema(name: str, found: Mapping[str, object]) -> None:
    """That an object is as its row says: whatever else is a mistake of ours."""
    assert name in SCHEMAS, f"no schema {name}"
    missing = [key for key in SCHEMAS[name][1] if key not in found]
    assert not missing, f"{name} lacks {missing}"


def schema_lines() -> Iterator[str]:
    """The table as text."""
    for name, (about, keys) in SCHEMAS.items():
        yield f"symgraph.{name}/{VERSION}"
        yield f"    {about}"
        if keys:
            yield f"    {', '.join(keys)}"
