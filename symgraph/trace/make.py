"""The trace of a compiled function, from the record that compiling left and the program it made."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from symgraph.config import config
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.resolve import Requirement
from symgraph.lower.memory import Plan
from symgraph.lower.program import Lowered
from symgraph.records import dataclass
from symgraph.trace.blame import blamed
from symgraph.trace.missed import missed_of
from symgraph.trace.parts import Source, parts_of
from symgraph.trace.record import Record, chapters_of
from symgraph.trace.story import tell
from symgraph.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Subject:
    """A function as its trace sees it."""

    name: str
    graph: Graph
    output_names: Sequence[str]
    required: Sequence[Requirement]
    record: Record
    lowered: Lowered
    outputs: Sequence[Node]
    plan: Plan
    backend: str
    source: Source
    machine_code: Callable[[str], Mapping[str, str]] | None = None


def make_trace(subject: Subject) -> Trace:
    """The trace of a function."""
    record = subject.record
    story = tell(record, chapters_of(subject.graph.outputs))
    numbers = {story.weave.form[k]: k for k in story.weave.alive if k >= 0}
    parts = parts_of(
        subject.lowered,
        subject.outputs,
        subject.plan,
        numbers,
        subject.required,
        subject.source,
        subject.backend,
        record.from_cache,
    )
    missed = missed_of(record.stages.get("stable", ()), story.weave.number)
    return Trace(
        subject.name,
        tuple(n.name or f"input {k}" for k, n in enumerate(subject.graph.params)),
        tuple(subject.output_names),
        blamed(story.weave.rows, story.steps),
        story.steps,
        story.stages,
        story.passes,
        _times(record.times),
        replace(parts, missed=missed),
        story.ends,
        subject.machine_code,
    )


def _times(times: Mapping[str, int]) -> dict[str, int]:
    """Those of parts that are no stages of the graph, which have their own."""
    return {k: times[k] for k in ("resolve", "lower", "plan", "build") if k in times}


def write_if_asked(subject: Subject) -> None:
    """A file in the folder that the setting ``trace`` names, one for each compiled function."""
    folder = config.trace
    if not folder:
        return
    path = Path(str(folder))
    path.mkdir(parents=True, exist_ok=True)
    target = _reserved(path, re.sub(r"[^\w.-]", "_", subject.name).strip(".") or "function")
    aside = target.with_suffix(".part")
    try:
        make_trace(subject).save(aside)
        aside.replace(target)
    except BaseException:
        target.unlink(missing_ok=True)
        aside.unlink(missing_ok=True)
        raise


def _reserved(folder: Path, stem: str) -> Path:
    """An empty file of a name that no other thread or process has taken: f, f-2, f-3."""
    for count in itertools.count(1):
        target = folder / f"{stem}{f'-{count}' if count > 1 else ''}.sgtrace"
        try:
            target.open("x").close()
        except FileExistsError:
            continue
        return target
    raise AssertionError("numbers do not end")
