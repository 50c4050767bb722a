"""Which facts would let a rule repair what was left as written, in words.

One is: √(x * x + y) stays as it is, since y may be negative; sg.assume(y >= 0) lets "norm" make it
hypot(x, √y).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from symgraph.ir.node import Node
from symgraph.ops.assume import Assumption
from symgraph.rewrite.facts import fact
from symgraph.rewrite.misses import Miss, near_misses
from symgraph.rewrite.pipeline import PIPELINE
from symgraph.trace.format import MissRow
from symgraph.trace.wording import change_ends, one_formula

MOST_TOLD = 12
LONGEST = 60  # characters of what a fact is about


def missed_of(outputs: Iterable[Node], numbers: Mapping[Node, int]) -> tuple[MissRow, ...]:
    """Rows for the rules that missed facts kept away from the graph that rewriting left."""
    rules = [row for step in PIPELINE for row in step.rules]
    found = near_misses(outputs, dict.fromkeys(rules))
    rows = [MissRow(numbers.get(m.node, -1), m.rule.name, _told(m)) for m in found]
    return tuple(row for row in rows if row.why)[:MOST_TOLD]


def _told(miss: Miss) -> str:
    """The sentence; empty where the formula is too long to show."""
    ends = change_ends(miss.node, miss.after)
    about = [one_formula([node]) for node, _ in miss.facts]
    if ends is None or any(len(text) > LONGEST for text in about):
        return ""
    pairs = [(text, *known) for text, known in zip(about, miss.facts, strict=True)]
    doubts = " and ".join(_doubt(text, node, row) for text, node, row in pairs)
    stated = [_stated(text, node, row) for text, node, row in pairs]
    condition = stated[0] if len(stated) == 1 else " & ".join(f"({s})" for s in stated)
    return (
        f"{ends[0]} stays as it is, since {doubts}; sg.assume({condition}) lets "
        f'"{miss.rule.name}" make it {ends[1]}: {miss.rule.why}'
    )


def _doubt(text: str, node: Node, row: Assumption) -> str:
    """What may be, as far as anybody said."""
    known = fact(node)
    if row.relation == "finite":
        return f"{text} may be infinite"
    if row.relation == "!=":
        return f"{text} may be 0"
    below = row.relation in (">", ">=")
    other = "negative" if below else "positive"
    if (known.lo >= 0) if below else (known.hi <= 0):
        return f"{text} may be 0"
    return f"{text} may be {other}" + (" or 0" if row.relation in "<>" else "")


def _stated(text: str, node: Node, row: Assumption) -> str:
    """The condition as a program would have it."""
    return f"sg.isfinite({text})" if row.relation == "finite" else f"{text} {row.relation} 0"
