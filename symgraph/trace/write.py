"""A trace as JSON, or as a zip of it, in the form that ``format.py`` describes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgraph.archive import Location, npy_bytes, write_zip
from symgraph.errors import ArgumentError, message
from symgraph.ir.literal import Writer
from symgraph.ir.origin import Line
from symgraph.ir.text import TYPED
from symgraph.trace.format import (
    FORMAT,
    VERSION,
    Body,
    BufferRow,
    Delta,
    KernelRow,
    Parts,
    Row,
    RuleText,
    StepRow,
)

if TYPE_CHECKING:
    from symgraph.trace.trace import Trace

INLINE = 16  # constants of more elements get a file of their own in a zip
Json = Any  # what json.dumps takes: nested dicts, lists, texts, numbers, bool, None


def save_trace(path: Location, trace: Trace, *, values: bool = False) -> None:
    """Write a trace: the JSON alone where the name ends in ``.json``, else a zip.

    Raises: ArgumentError for a graph that holds what no file can (a Python function).
    """
    if Path(path).suffix == ".json":
        Path(path).write_text(trace_json(trace, values=values), encoding="utf-8")
        return
    writer = Writer(exact=False, elide=INLINE, blank=not values)
    found = _json(trace, writer)
    members = {"trace.json": _dumped(found).encode()}
    members |= {f"arrays/{key}.npy": npy_bytes(array) for key, array in writer.arrays.items()}
    write_zip(path, members, compress="")


def trace_json(trace: Trace, *, values: bool = False) -> str:
    """A trace as one line of JSON, with all constants in it."""
    return _dumped(_json(trace, Writer(exact=False, blank=not values))) + "\n"


def _dumped(found: Json) -> str:
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


class _Numbers:
    """Numbers of files and rules, given in the order in which they are met."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.rules: dict[RuleText, int] = {}

    def line(self, line: Line) -> list[int]:
        return [self.files.setdefault(line.file, len(self.files)), line.number]

    def lines(self, lines: Iterable[Line]) -> list[list[int]]:
        return [self.line(line) for line in lines]

    def rule(self, rule: RuleText) -> int:
        return self.rules.setdefault(rule, len(self.rules))


def _json(trace: Trace, writer: Writer) -> Json:
    numbers = _Numbers()
    nodes = [_node(row, writer, numbers) for row in trace.rows]
    steps = [_step(row, numbers) for row in trace.steps]
    parts = _parts(trace.parts, writer, numbers)
    if writer.unreadable:
        raise ArgumentError(
            message("this trace holds what no file can", {"attribute": writer.unreadable[0]})
        )
    return {
        "format": f"{FORMAT}/{VERSION}",
        "written_by": _own_version(),
        "name": trace.name,
        "parameters": list(trace.parameters),
        "outputs": list(trace.outputs),
        "files": list(numbers.files),
        "dims": writer.declarations(),
        "states": [text for _, text in writer.states.values()],
        "nodes": nodes,
        "rules": [_rule(rule) for rule in numbers.rules],
        "steps": steps,
        "stages": [{"name": s.name, "step": s.step, "ns": s.elapsed_ns} for s in trace.stages],
        "passes": [
            {"stage": p.stage, "table": p.table, "applied": p.applied, "ns": p.elapsed_ns}
            for p in trace.passes
        ],
        "times": dict(trace.times),
        **parts,
    }


def _rule(rule: RuleText) -> Json:
    texts = {"why": rule.why, "source": rule.source, "changes": rule.changes}
    return {"name": rule.name} | {k: v for k, v in texts.items() if v}


def _node(row: Row, writer: Writer, numbers: _Numbers) -> Json:
    hidden = {"serial"}  # which is random; reading makes new ones
    if row.op in TYPED and row.attrs.get("type") == row.type:
        hidden.add("type")
    attrs = {
        k: f"@{v.number}" if isinstance(v, Body) else writer.value(v)
        for k, v in sorted(row.attrs.items())
        if k not in hidden
    }
    optional = {
        "inputs": list(row.inputs),
        "attrs": attrs,
        "names": list(row.names),
        "lines": numbers.lines(row.lines),
    }
    return {"op": row.op, "type": writer.type(row.type)} | {k: v for k, v in optional.items() if v}


def _step(row: StepRow, numbers: _Numbers) -> Json:
    found: dict[str, Json] = {"kind": row.kind, "stage": row.stage, "rule": numbers.rule(row.rule)}
    if row.table:
        found["table"] = row.table
    if row.before >= 0:
        found |= {"before": row.before, "after": row.after}
    if row.line is not None:
        found["line"] = numbers.line(row.line)
    if row.elapsed_ns:
        found["ns"] = row.elapsed_ns
    return found | _delta(row.delta)


def _delta(delta: Delta) -> dict[str, Json]:
    graphs = [[k, list(e.params), list(e.outputs)] for k, e in delta.graphs.items()]
    found = {
        "added": list(delta.added),
        "removed": list(delta.removed),
        "inputs": [[k, list(v)] for k, v in delta.inputs.items()],
        "graphs": graphs,
    }
    return {k: v for k, v in found.items() if v}


def _parts(parts: Parts, writer: Writer, numbers: _Numbers) -> dict[str, Json]:
    return {
        "backend": parts.backend,
        "cached": parts.cached,
        "sizes": {name: writer.dim(dim) for name, dim in parts.sizes.items()},
        "program": list(parts.program),
        "kernels": [_kernel(k, writer, numbers) for k in parts.kernels],
        "buffers": [_buffer(b, writer) for b in parts.buffers],
        "slots": [writer.dim(d) for d in parts.slots],
        "checks": list(parts.checks),
        "apart": [[row.node, row.other, row.why] for row in parts.apart],
        "missed": [[row.node, row.rule, row.why] for row in parts.missed],
    }


def _kernel(row: KernelRow, writer: Writer, numbers: _Numbers) -> Json:
    return {
        "name": row.name,
        "nodes": list(row.nodes),
        "lines": numbers.lines(row.lines),
        "notes": list(row.notes),
        "locals": dict(row.locals),
        "bytes": writer.dim(row.nbytes),
        "flops": writer.dim(row.flops),
        "sources": dict(row.sources),
    }


def _buffer(row: BufferRow, writer: Writer) -> Json:
    found: dict[str, Json] = {"name": row.name, "role": row.role, "type": writer.type(row.type)}
    if row.node >= 0:
        found["node"] = row.node
    if row.slot >= 0:
        found["slot"] = row.slot
    return found | {"first": row.first, "last": row.last}


def _own_version() -> str:
    from importlib import metadata  # 25 ms

    try:
        return f"symgraph {metadata.version('symgraph')}"
    except metadata.PackageNotFoundError:
        return "symgraph (not installed)"
