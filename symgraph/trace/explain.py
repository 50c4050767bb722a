"""From a line of the program to nodes, rewrites and kernels, and back; and the whole in five lines.

explain(trace)                    the story: what was written, changed, and runs
explain(trace, "train.py:12")     a line (``":12"`` where there is one file)
explain(trace, "%7")              a node, by its number in the trace
explain(trace, "loss")            nodes of that name, or of that operation
explain(trace, "log of softmax")  a rule, applied or not
explain(trace, "k0_softmax")      a kernel
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from symgraph.errors import ArgumentError, nearest
from symgraph.ir.origin import Line
from symgraph.records import dataclass
from symgraph.rewrite.pipeline import PIPELINE
from symgraph.trace.example import telling_example
from symgraph.trace.format import REWRITE, KernelRow, StepRow
from symgraph.trace.reasons import (
    TIDYING,
    apart,
    copies,
    is_computing,
    memory,
    not_repaired,
    vectors,
)
from symgraph.trace.trace import Step, Trace
from symgraph.trace.wording import one_formula, short_line, step_formulas, told

MOST_STEPS = 8  # told in a story
MOST_MISSED = 3
LONGEST = 120  # characters of a formula
SMALL = ("constant", "dim")
STAYS = "stays as it is"
UNNAMED = re.compile(r"\?(\w+)\.(\d+)")  # the dim of an axis of an input


@dataclass(frozen=True, slots=True)
class Explanation:
    """Lines of text for people."""

    subject: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return str(self)


def explain(trace: Trace, what: str | int | Line | None = None) -> Explanation:
    """What there is to say; ArgumentError where nothing is of that name.

    Lengths that the program did not name are told as ``x.shape[0]``.
    """
    found = _explained(trace, what)
    return Explanation(found.subject, tuple(UNNAMED.sub(r"\1.shape[\2]", x) for x in found.lines))


def _explained(trace: Trace, what: str | int | Line | None) -> Explanation:
    if what is None:
        return Explanation("story", tuple(_story(trace)))
    if isinstance(what, Line):
        return Explanation("line", tuple(_line(trace, what.file, what.number)))
    text = f"%{what}" if isinstance(what, int) else what.strip()
    if text.startswith("%") and text[1:].isdecimal():
        return Explanation("node", tuple(_node(trace, int(text[1:]))))
    file, sign, number = text.rpartition(":")
    if sign and number.isdecimal():
        return Explanation("line", tuple(_line(trace, file, int(number))))
    for kernel in trace.parts.kernels:
        if kernel.name == text:
            return Explanation("kernel", tuple(_kernel(trace, kernel)))
    if text in trace.rule_names() or text in _known_rules():
        return Explanation("rule", tuple(_rule(trace, text)))
    found = [k for k, row in enumerate(trace.rows) if text in row.names or row.op == text]
    if found:
        lines = [line for k in _as_built(trace, found) for line in (*_node(trace, k), "")]
        return Explanation("node", tuple(lines[:-1]))
    raise ArgumentError(_unknown(trace, text))


def _unknown(trace: Trace, text: str) -> str:
    names = [n for row in trace.rows for n in (*row.names, row.op)]
    names += [k.name for k in trace.parts.kernels]
    near = nearest(text, [*names, *_known_rules()])
    guess = f"; did you mean {near!r}?" if near else ""
    return (
        f"nothing in {trace.name} is called {text!r}{guess} "
        "(a line is file.py:12, a node %7, or a name, an operation, a rule, a kernel)"
    )


def _known_rules() -> Mapping[str, object]:
    return {rule.name: rule for step in PIPELINE for rule in step.rules}


def _as_built(trace: Trace, found: list[int]) -> list[int]:
    """Nodes as built where there are some, else all."""
    built = set(trace.state(trace.find_stage("built").step).order())
    return [k for k in found if k in built] or found


# ---------------------------------------------------------------- the story


def _story(trace: Trace) -> Iterator[str]:
    built = trace.at("built")
    where = next((row.line for row in trace.steps if row.kind == REWRITE and row.line), None)
    at = f", at {where.name}:{where.number}" if where else ""
    text = one_formula(built.outputs)
    names = ", ".join(trace.parameters)
    count = len(trace.state(trace.find_stage("built").step).order())
    yield f"You wrote {_or(text, f'{count} operations on {names}')}{at}."
    telling = list(_telling(trace))
    for step in telling[:MOST_STEPS]:
        yield told(step)
    if len(telling) > MOST_STEPS:
        rest = len(telling) - MOST_STEPS
        yield f"{rest} more rewrites repair or save something: symgraph passes lists them."
    if not telling:
        yield "Nothing in it had to be repaired."
    for row in trace.parts.missed[:MOST_MISSED]:
        yield f"{row.why}."
    example = telling_example(trace)
    if example:
        yield example
    text = one_formula(trace.at("stable").outputs)
    count = len(trace.state(trace.find_stage("stable").step).order())
    yield f"What runs is {_or(text, f'{count} operations')}, {_program(trace)}."


def _telling(trace: Trace) -> Iterator[Step]:
    """Rewrites that repair or save, each rule at each line once."""
    seen: set[str] = set()
    for step in trace:
        key = told(step)
        if step.rule not in TIDYING and key not in seen:
            seen.add(key)
            yield step


def _program(trace: Trace) -> str:
    kernels = [k.name for k in trace.parts.kernels]
    calls = [t.split("(")[0].split()[1] for t in trace.parts.program if "library " in t]
    loops = "in one loop" if len(kernels) == 1 else f"in {len(kernels)} loops"
    parts = [f"{loops}: {', '.join(kernels[:4])}{', ...' if len(kernels) > 4 else ''}"]
    if not kernels:
        parts = ["without a loop"]
    if calls:
        names = ", ".join(sorted(set(calls)))
        parts.append(f"with {len(calls)} library call{'s' * (len(calls) > 1)} ({names})")
    copied = sum(t.strip().startswith("copy ") for t in trace.parts.program)
    if copied:
        parts.append(f"with {copied} cop{'ies' if copied > 1 else 'y'}")
    return " ".join(parts)


def _or(text: str, otherwise: str) -> str:
    """A formula that people can take in, or something shorter."""
    return text if len(text) <= LONGEST and "; " not in text else otherwise


# ---------------------------------------------------------------- lines, nodes, rules, kernels


def _line(trace: Trace, file: str, number: int) -> Iterator[str]:
    def is_it(line: Line | None) -> bool:
        return line is not None and line.number == number and _is_file(line, file)

    last = set(trace.state(len(trace.steps) - 1).order())
    built = trace.state(trace.find_stage("built").step).order()
    mine = [k for k in built if any(map(is_it, trace.rows[k].lines))]
    mine = [k for k in mine if trace.rows[k].op not in SMALL] or mine
    steps = [trace.step(k) for k, row in enumerate(trace.steps) if is_it(row.line)]
    kernels = [k for k in trace.parts.kernels if any(map(is_it, k.lines))]
    if not (mine or steps or kernels):
        known = sorted({short_line(x).split(": ")[0] for row in trace.rows for x in row.lines})
        raise ArgumentError(
            f"no node of {trace.name} is from {file}:{number}; lines: {', '.join(known[:12])}"
        )
    first = next((x for k in mine for x in trace.rows[k].lines if is_it(x)), None)
    yield short_line(first) if first else f"{file}:{number}"
    fates: dict[str, list[str]] = {}
    for key in mine:
        fate = _fate(trace, key, last)
        fates.setdefault(fate, []).append(f"%{key} {trace.rows[key].op}")
    for fate, nodes in fates.items():
        stays = fate == STAYS and len(nodes) > 1
        yield f"  {', '.join(nodes)} -> {'stay as they are' if stays else fate}"
    for step in steps:
        if step.rule not in TIDYING and step.row.kind == REWRITE:
            yield f"  step {step.number}: {told(step)}"
    yield from (f"  {row.why}" for row in trace.parts.missed if row.node in set(mine))
    for kernel in kernels:
        yield f"  runs in {kernel.name}"
    heirs = dict.fromkeys(_heir(trace, key, last) for key in mine)
    yield from (f"  {text}" for key in heirs if key is not None for text in copies(trace, key))
    yield from (f"  {text}" for text in apart(trace, last & _from_lines(trace, is_it)))


def _is_file(line: Line, file: str) -> bool:
    """Whether a line is of a file, which may be named without its folders, or not at all."""
    own, asked = (text.replace("\\", "/") for text in (line.file, file))
    return not asked or own == asked or own.endswith(f"/{asked.removeprefix('./')}")


def _heir(trace: Trace, key: int, last: set[int]) -> int | None:
    """The row that has taken the place of one in the end; None where several have, or none."""
    seen: set[int] = set()
    while key not in last and key not in seen:
        seen.add(key)
        gone = [n for n, row in enumerate(trace.steps) if row.before == key]
        key = trace.steps[gone[-1]].after if gone else key
    return key if key in last else None


def _from_lines(trace: Trace, is_it: object) -> set[int]:
    assert callable(is_it)
    return {k for k, row in enumerate(trace.rows) if any(map(is_it, row.lines))}


def _fate(trace: Trace, key: int, last: set[int]) -> str:
    """What a node has become in the end: itself, what took its place, what absorbed it."""
    seen: set[int] = set()
    told = ""
    while key not in last and key not in seen:
        seen.add(key)
        number = max(
            (n for n, row in enumerate(trace.steps) if key in row.delta.removed), default=None
        )
        if number is None:
            return "nothing: no output needs it"
        row = trace.steps[number]
        told = f" (step {number}: {row.rule.name})"
        if row.kind != REWRITE:
            heirs = [k for k in row.delta.added if _related(trace, k, key)]
            ops = dict.fromkeys(trace.rows[k].op for k in heirs)
            return f"{', '.join(list(ops)[:6]) or 'nothing'}{told}"
        key = row.after
    return f"%{key} {_shown(trace, key)}{told}" if seen else STAYS


def _related(trace: Trace, one: int, other: int) -> bool:
    return bool(set(trace.rows[one].lines) & set(trace.rows[other].lines))


def _shown(trace: Trace, key: int) -> str:
    row = trace.rows[key]
    name = f"{row.names[0]} = " if row.names and row.op != "input" else ""
    return f"{name}{row.names[0] if row.op == 'input' and row.names else row.op}: {row.type}"


def _node(trace: Trace, key: int) -> Iterator[str]:
    if not 0 <= key < len(trace.rows):
        raise ArgumentError(f"there is no node %{key}; the trace has {len(trace.rows)}")
    row = trace.rows[key]
    last = set(trace.state(len(trace.steps) - 1).order())
    yield f"%{key} {_shown(trace, key)}"
    yield from (f"  from {short_line(line)}" for line in row.lines)
    for number, step in enumerate(trace.steps):
        if key in step.delta.added:
            yield f"  made in step {number}, {_step_name(step)}"
        if step.before == key:
            yield f"  replaced in step {number} by %{step.after}: {told(trace.step(number))}"
        elif key in step.delta.removed:
            yield f"  gone in step {number}, {_step_name(step)}"
    if key not in last:
        yield f"  in the end: {_fate(trace, key, last)}"
        return
    kernels = [k.name for k in trace.parts.kernels if key in k.nodes or key in k.locals.values()]
    if kernels:
        yield f"  computed in {', '.join(kernels)}"
    yield from (f"  {text}" for text in memory(trace, key))
    yield from (f"  {text}" for text in apart(trace, {key}))
    missed = [row.why for row in trace.parts.missed if row.node == key]
    yield from (f"  {text}" for text in missed or not_repaired(trace, key))


def _step_name(step: StepRow) -> str:
    return f"{step.rule.name} ({step.stage})" if step.kind == REWRITE else step.rule.name


def _rule(trace: Trace, name: str) -> Iterator[str]:
    text = trace.rule_names().get(name)
    applied = [step for step in trace if step.rule == name]
    if text is None:
        rule = next(r for step in PIPELINE for r in step.rules if r.name == name)
        yield f"{name}: {rule.why} [{rule.source}]"
        ops = sorted(rule.ops - {"*"})
        present = {row.op for row in trace.rows} & set(ops)
        where = f"begins at {', '.join(ops)}" if ops else "may begin anywhere"
        met = f"of which there is {', '.join(sorted(present))}" if present else "none of it here"
        yield f"  was not applied to {trace.name}: it {where}, {met}"
        missed = [row.why for row in trace.parts.missed if row.rule == name]
        yield from (f"  {why}" for why in missed)
        if present and not missed:
            yield "  what those read has not the form that it looks for, or its condition fails"
        return
    yield f"{name}: {text.why} [{text.source}]"
    if text.changes:
        yield f"  changes: {text.changes}"
    for step in applied:
        ends = step_formulas(step)
        where = f" at {short_line(step.row.line)}" if step.row.line else ""
        yield f"  step {step.number}{where}" + (f": {ends[0]} --> {ends[1]}" if ends else "")


def _kernel(trace: Trace, kernel: KernelRow) -> Iterator[str]:
    yield f"{kernel.name}: {kernel.nbytes} bytes, {kernel.flops} operations a call"
    yield from (f"  from {short_line(line)}" for line in kernel.lines)
    for key in kernel.nodes if is_computing(kernel) else ():
        yield f"  computes %{key} {_shown(trace, key)}"
    yield from (f"  {note}" for note in kernel.notes)
    yield from (f"  {text}" for text in vectors(kernel))
    yield from (f"  {text}" for text in apart(trace, kernel.nodes))
