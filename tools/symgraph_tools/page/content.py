"""A trace as the JSON that the page reads: tables of texts, nodes, rules, lines; steps; kernels.

Nodes, rules and lines are numbered and named once; steps are the differences of the trace as they
are. A graph of 10,000 nodes takes about 1.5 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from symgraph.ir.dim import Dim, DimLike, evaluate, symbols
from symgraph.ir.graph import Graph
from symgraph.ir.literal import Writer
from symgraph.ir.op import OPS
from symgraph.ir.views import INFIX
from symgraph.printing.notes import bytes_text, nbytes
from symgraph.trace.format import KINDS, REWRITE, Body, KernelRow, Row, RuleText, StepRow
from symgraph.trace.provenance import source_lines
from symgraph.trace.trace import Trace

from ..selecting import HIDDEN
from .changes import Formulas, Shown, reader
from .sources import Sources

HIDES = {"constants": "const", "casts": "cast", "shapes": "shape"}
LEAVES = ("input", "shared", "constant", "param", "dim")
LONGEST_TEXT = 160  # characters of attributes
LONGEST_SOURCE = 200_000  # characters of one kernel
STAND_IN = 100  # for a dim that only the call tells, so that bytes can be compared
Json = Any  # nested dicts, lists, texts and numbers


@dataclass(frozen=True, slots=True)
class Heat:
    """Values by node that colours show; ``by_line``: shares of the whole by line, 0 to 1.

    ``full``: what has the full colour at least, so that small values do not look large.
    """

    title: str
    unit: str
    of: Mapping[int, float]
    texts: Mapping[int, str] = field(default_factory=dict)
    by_line: Mapping[tuple[str, int], float] = field(default_factory=dict)
    full: float = 0.0


def page_content(
    trace: Trace,
    heat: Mapping[str, Heat],
    machine: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, Json]:
    """Everything that the page shows of a trace, with further sources of its kernels."""
    made = _Content(trace)
    kernels = [made.kernel(k, machine.get(k.name, {})) for k in trace.parts.kernels]
    nodes = [made.node(row) for row in trace.rows]
    steps = made.steps()
    heats = {"bytes": made.bytes_heat(), **heat}
    return {
        "format": "symgraph.page/1",
        "title": trace.name,
        "outputs": list(trace.outputs),
        "infix": {name: sign for name, (sign, _) in INFIX.items()},
        "library": [op.name for op in OPS.values() if op.kind in ("library", "control", "leaf")],
        "hidden": {kind: sorted(HIDDEN[name]) for kind, name in HIDES.items()},
        "nodes": nodes,
        "steps": steps,
        "rules": list(map(_rule, made.rules)),
        "stages": [[stage.name, stage.step, stage.elapsed_ns] for stage in trace.stages],
        "times": dict(trace.times),
        "kernels": kernels,
        "program": list(trace.parts.program),
        "buffers": [made.buffer(buffer) for buffer in trace.parts.buffers],
        "slots": [made.writer.dim(size) for size in trace.parts.slots],
        "heat": {name: made.heat(one) for name, one in heats.items()},
        "places": made.places,
        "lines": made.sources.lines(),
        "files": made.sources.texts(),
        "words": list(made.words),
    }


class _Content:
    """The tables that grow while a trace is read."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.writer = Writer(exact=False, elide=4)
        self.sources = Sources()
        self.words: dict[str, int] = {"": 0}
        self.rules: dict[RuleText, int] = {}
        self.shown: dict[int, Shown] = {}
        self.places: list[list[int]] = []
        self._place_of: dict[tuple[int, ...], int] = {}

    def word(self, text: str) -> int:
        """The number of a text."""
        return self.words.setdefault(text, len(self.words))

    def node(self, row: Row) -> Json:
        """Op, inputs, type, text, name, lines, graphs inside, whether it is a number."""
        shown = self.look(row)
        return [
            self.word(row.op),
            list(row.inputs),
            self.word(self.writer.type(row.type)),
            self.word(shown.text),
            self.word(shown.name),
            self.sources.all(row.lines),
            list(row.bodies),
            int(shown.is_small),
        ]

    def look(self, row: Row) -> Shown:
        """What is written in a node."""
        name = row.names[0] if row.names else ""
        if row.op in LEAVES:
            is_small = row.op == "dim" or _is_number(row)
            return Shown(row.op, self.leaf(row, name), name, True, is_small)
        text = ", ".join(
            f"{key}={written}"
            for key, value in sorted(row.attrs.items())
            if not isinstance(value, Body | Graph)
            and (written := self.attribute(value)) not in ("False", "None")
        )
        return Shown(row.op, text[:LONGEST_TEXT], name, False, False)

    def attribute(self, value: object) -> str:
        """A value of an attribute; a tuple of bodies says nothing."""
        return self.writer.value(value)

    def leaf(self, row: Row, name: str) -> str:
        """A leaf as people know it."""
        if row.op == "dim":
            return str(row.attrs["dim"])
        if _is_number(row):
            return str(row.attrs["value"])
        return name or f"{row.op} {row.attrs.get('index', '')}".strip()

    def steps(self) -> list[Json]:
        """All steps; rewrites with their two formulas."""
        found = []
        rows = [row.inputs for row in self.trace.rows]
        shown = [self.look(row) for row in self.trace.rows]
        inputs: dict[int, tuple[int, ...]] = {}
        for step in self.trace.steps:
            before = {n: inputs.get(n, rows[n]) for n in step.delta.inputs}
            inputs |= step.delta.inputs
            texts = None
            if step.kind == REWRITE and step.before >= 0 <= step.after:
                was = reader({**before}, [])
                formulas = Formulas(shown.__getitem__)
                now = reader(inputs, rows)

                def earlier(number: int) -> tuple[int, ...]:
                    return tuple(was(number) if number in before else now(number))  # noqa: B023

                texts = formulas.pair(step.before, step.after, earlier, now)
            found.append(self.step(step, texts))
        return found

    def step(self, step: StepRow, texts: tuple[str, str] | None) -> Json:
        """One step as a row, in the order that ``Model`` of model.js reads."""
        delta = step.delta
        return [
            KINDS.index(step.kind),
            self.word(step.stage),
            self.word(step.table),
            self.rules.setdefault(step.rule, len(self.rules)),
            step.before,
            step.after,
            self.sources.number(step.line),
            list(delta.added),
            list(delta.removed),
            [[n, *reads] for n, reads in delta.inputs.items()],
            [[n, list(e.params), list(e.outputs)] for n, e in delta.graphs.items()],
            list(texts) if texts else 0,
        ]

    def kernel(self, kernel: KernelRow, more: Mapping[str, str]) -> Json:
        """A kernel with its sources, and where it and each line of them came from."""
        kernel = replace(kernel, sources={**kernel.sources, **more})
        sources = {how: text[:LONGEST_SOURCE] for how, text in kernel.sources.items()}
        return {
            "name": kernel.name,
            "nodes": list(kernel.nodes),
            "lines": self.sources.all(kernel.lines),
            "notes": list(kernel.notes),
            "bytes": self.writer.dim(kernel.nbytes),
            "flops": self.writer.dim(kernel.flops),
            "sources": sources,
            "at": {how: self.at(kernel, how) for how in sources},
        }

    def at(self, kernel: KernelRow, how: str) -> list[int]:
        """For runs of lines of a source, how many there are and their place: lines of the user."""
        found: list[int] = []
        for _, lines in source_lines(self.trace, kernel, how):
            key = tuple(self.sources.all(lines))
            if key not in self._place_of:
                self._place_of[key] = len(self.places)
                self.places.append(list(key))
            place = self._place_of[key]
            if found and found[-1] == place:
                found[-2] += 1
            else:
                found += [1, place]
        return found

    def buffer(self, buffer: Any) -> Json:
        """A buffer with its lifetime."""
        return {
            "name": buffer.name,
            "role": buffer.role,
            "type": self.writer.type(buffer.type),
            "node": buffer.node,
            "slot": buffer.slot,
            "first": buffer.first,
            "last": buffer.last,
        }

    def bytes_heat(self) -> Heat:
        """Bytes of each value."""
        of, texts, is_guess = {}, {}, False
        for number, row in enumerate(self.trace.rows):
            size = nbytes(row.type)
            of[number] = float(_assumed(size))
            texts[number] = bytes_text(row.type, self.writer)
            is_guess = is_guess or isinstance(size, Dim)
        title = f"bytes, open dims taken as {STAND_IN}" if is_guess else "bytes"
        return Heat(title, "B", of, texts)

    def heat(self, heat: Heat) -> Json:
        """Colours as a row of the page."""
        by_line = {
            self.sources.numbers[line]: share
            for line, share in heat.by_line.items()
            if line in self.sources.numbers
        }
        return {
            "title": heat.title,
            "unit": heat.unit,
            "full": heat.full,
            "of": dict(heat.of),
            "texts": dict(heat.texts),
            "byLine": by_line,
        }


def _is_number(row: Row) -> bool:
    return row.op == "constant" and bool(np.ndim(row.attrs["value"]) == 0)


def _rule(rule: RuleText) -> Json:
    return {"name": rule.name, "why": rule.why, "source": rule.source, "changes": rule.changes}


def _assumed(size: DimLike) -> int:
    """A number of bytes with ``STAND_IN`` for every dim that is not known."""
    if not isinstance(size, Dim):
        return size
    return evaluate(size, dict.fromkeys(_atoms(symbols(size)), STAND_IN))


def _atoms(found: Iterable[Any]) -> list[Any]:
    return list(found)
