"""What the compiler changed and why, for people: the trace of a function as a few lines of text.

Each rule is shown once, with its first application. What a formula and its replacement share is
written as a letter, so that the change stands out: ``log(softmax(a)) --> log_softmax(a)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from symgraph.trace.trace import Step
from symgraph.trace.wording import change_text


def change_lines(trace: Iterable[Step], told: set[str] | None = None) -> Iterator[str]:
    """The rules that repair or save most, with reason, source and line; then the others' names.

    Rules in ``told`` are only named; those that are explained here are added to it.
    """
    told = set() if told is None else told
    trace = list(trace)
    times = Counter(one.rule for one in trace)
    first: dict[str, Step] = {}
    for one in trace:
        first.setdefault(one.rule, one)
    telling = _telling_rules()
    shown = sorted((a for a in first.values() if a.rule in telling), key=lambda a: telling[a.rule])
    for one in shown:
        if one.rule in told:
            yield f"{one.rule}, as above"
            continue
        told.add(one.rule)
        count = f" ({times[one.rule]} times)" if times[one.rule] > 1 else ""
        yield f"{one.rule}{count}"
        yield from (f"    {line}" for line in _reasons(one))
    others = [f"{rule} ({times[rule]})" for rule in first if rule not in telling]
    if others:
        yield f"tidied by {', '.join(others)}"


def _telling_rules() -> dict[str, int]:
    """Names of the rules that stabilize or save work, and how telling they are: 0 most."""
    from symgraph.rewrite.linalg import LINALG
    from symgraph.rewrite.softmax import SOFTMAX
    from symgraph.rewrite.stabilize import STABILIZE

    tables = (SOFTMAX, STABILIZE, LINALG)
    return {rule.name: rank for rank, table in enumerate(tables) for rule in table}


def _reasons(one: Step) -> Iterator[str]:
    formula = change_text(one.before, one.after)
    if formula:
        yield formula
    yield f"why: {one.why}"
    yield f"source: {one.source}"
    if one.lines and one.lines[0].text:
        yield f"from: {one.lines[0].text}"
