"""A record of compiling as steps of one graph: ``Story`` has rows, steps, stages and passes.

Rewrites become steps one to one. Between them, stages that are no tables of rules (composite ops
expanded, loops tidied) are one step each: nodes of the new graph that do the same operation as one
of the old, seen from the outputs, keep its number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node, attr_key
from symgraph.ir.origin import Line
from symgraph.records import dataclass, field
from symgraph.rewrite.journal import Application, Journal
from symgraph.trace.format import (
    REWRITE,
    STAGE,
    START,
    Delta,
    PassRow,
    RuleText,
    StageRow,
    StepRow,
)
from symgraph.trace.record import Chapter, Record
from symgraph.trace.weave import Weave

BUILT = RuleText("as built", "the graph as the program wrote it")
INFORMED = RuleText("facts inside", "loops and branches are told what is known of their parameters")
# What the stages do that are no tables of rules, in the words of the trace.
STAGE_TEXTS = {
    "tidied": RuleText("tidied loops", "what a loop computes and nobody reads is dropped"),
    "joined": RuleText("joined loops", "loops over the same range become one"),
    "spread": RuleText("spread", "a scan does turn by turn only what needs the turn before"),
    "expanded": RuleText("expanded", "composite operations are written with simpler ones"),
    "guarded": RuleText("guarded", "results that may be inaccurate are checked, and repaired"),
}
Ends = tuple[Node, Node]


@dataclass(slots=True)
class Story:
    """The steps so far; ``ends`` are the nodes of the compiler before and after a rewrite."""

    weave: Weave = field(default_factory=Weave)
    steps: list[StepRow] = field(default_factory=list)
    ends: list[Ends | None] = field(default_factory=list)
    stages: list[StageRow] = field(default_factory=list)
    passes: list[PassRow] = field(default_factory=list)

    def chapter(self, chapter: Chapter) -> None:
        """What was rewritten before a cost was differentiated."""
        stage = f"before {chapter.what}"
        why = "the gradient is taken of the stable form of a naive formula"
        outputs = chapter.journals[0].outputs
        self._start(RuleText(stage, why), stage, (), outputs, chapter.line)
        for journal in chapter.journals:
            self._run(journal, stage)
        self._stage(stage, sum(j.elapsed_ns for j in chapter.journals))

    def main(self, record: Record) -> None:
        """The stages of the compiler."""
        stages = iter(record.stages.items())
        name, outputs = next(stages)
        self._start(BUILT, name, record.inputs, outputs, None)
        self._stage(name, record.times.get(name, 0))
        for name, outputs in stages:
            for journal in record.journals:
                if journal.stage == name:
                    self._run(journal, name)
            elapsed = record.times.get(name, 0)
            tables = sum(j.elapsed_ns for j in record.journals if j.stage == name)
            self._settle(name, record.inputs, outputs, max(0, elapsed - tables))
            self._stage(name, elapsed)

    def _start(
        self,
        text: RuleText,
        stage: str,
        params: Iterable[Node],
        outputs: Sequence[Node],
        line: Line | None,
    ) -> None:
        self._close()
        self._add(StepRow(START, stage, "", text, -1, -1, line, Delta()), None)
        self.weave.begin_run()
        self.weave.restore(outputs)
        self.weave.set_graph(0, params, outputs)

    def _run(self, journal: Journal, stage: str) -> None:
        weave, applied, last = self.weave, 0, journal.start_ns
        self._close()
        weave.begin_run()
        for entry in journal.entries:
            if not isinstance(entry, Application):
                weave.made_anew(*entry)
                continue
            self._close_run(stage, journal.table, applied)
            applied += 1
            text = RuleText(entry.rule, entry.why, entry.source, entry.changes)
            line = entry.lines[0] if entry.lines else None
            elapsed = max(0, entry.at_ns - last) if last and entry.at_ns else 0
            last = entry.at_ns
            if weave.find(entry.before) is None:  # made by a stage that does not say from what
                row = StepRow(STAGE, stage, journal.table, text, -1, -1, line, Delta(), elapsed)
                self._add(row, None)
                continue
            key, by = weave.replace(entry.before, entry.after)
            row = StepRow(REWRITE, stage, journal.table, text, key, by, line, Delta(), elapsed)
            self._add(row, (entry.before, entry.after))
        self._close_run(stage, journal.table, applied)
        self.passes.append(PassRow(stage, journal.table, applied, journal.elapsed_ns))

    def _settle(
        self, stage: str, params: Iterable[Node], outputs: Sequence[Node], elapsed_ns: int
    ) -> None:
        """The graph becomes what a stage made; a step where that is another one."""
        self._close()
        self.weave.begin_run()
        keep(self.weave, outputs)
        self.weave.set_graph(0, params, outputs)
        delta = self.weave.take()
        if not delta.is_empty:
            text = STAGE_TEXTS.get(stage, RuleText(stage))
            row = StepRow(STAGE, stage, "", text, -1, -1, None, delta, elapsed_ns)
            self._add(row, None)

    def _add(self, step: StepRow, ends: Ends | None) -> None:
        self.steps.append(step)
        self.ends.append(ends)

    def _close(self) -> None:
        """What changed since the last step began belongs to it."""
        delta = self.weave.take()
        if not delta.is_empty:
            last = self.steps[-1]
            self.steps[-1] = replace(last, delta=_joined(last.delta, delta))

    def _close_run(self, stage: str, table: str, applied: int) -> None:
        """What changed since the last step belongs to it; before the first of a stage it is one."""
        if applied or self.steps[-1].stage == stage:
            self._close()
            return
        delta = self.weave.take()
        if not delta.is_empty:
            self._add(StepRow(STAGE, stage, table, INFORMED, -1, -1, None, delta), None)

    def _stage(self, name: str, elapsed_ns: int) -> None:
        self._close()
        self.stages.append(StageRow(name, len(self.steps) - 1, elapsed_ns))


def _joined(first: Delta, second: Delta) -> Delta:
    """Two changes, one after the other, as one."""
    added = (*(k for k in first.added if k not in second.removed), *second.added)
    gone = (*first.removed, *(k for k in second.removed if k not in first.added))
    removed = tuple(k for k in gone if k not in added)
    added = tuple(k for k in added if k not in first.removed)
    inputs, graphs = {**first.inputs, **second.inputs}, {**first.graphs, **second.graphs}
    return Delta(added, removed, inputs, graphs)


def keep(weave: Weave, outputs: Sequence[Node]) -> None:
    """Numbers of the old graph for the nodes of a new one that do the same, seen from outputs."""
    pairs = deque(zip(weave.ends[0].outputs, outputs, strict=False))
    present = {weave.number[n] for n in toposort(outputs) if weave.find(n) is not None}
    matched: dict[Node, int] = {}
    while pairs:
        key, node = pairs.popleft()
        if node in matched or key in present or weave.find(node) is not None:
            continue
        row = weave.rows[key]
        if row.op != node.op.name or row.type != node.type or not _same_attrs(weave, key, node):
            continue
        matched[node] = key
        present.add(key)
        inputs = [i for i in weave.inputs[key] if i >= 0]
        if len(inputs) == len(node.inputs):
            pairs += zip(inputs, node.inputs, strict=True)
    for node in toposort(outputs, stop=lambda n: weave.find(n) is not None):
        if node in matched:
            weave.become(matched[node], node)


def _same_attrs(weave: Weave, key: int, node: Node) -> bool:
    own = weave.form[key].attrs
    if own.keys() != node.attrs.keys():
        return False
    return all(
        isinstance(v, Graph) or v is node.attrs[k] or attr_key(v) == attr_key(node.attrs[k])
        for k, v in own.items()
    )


def tell(record: Record, chapters: Iterable[Chapter]) -> Story:
    """The story of a function, with what was rewritten for its gradients before."""
    story = Story()
    for chapter in chapters:
        story.chapter(chapter)
    story.main(record)
    return story
