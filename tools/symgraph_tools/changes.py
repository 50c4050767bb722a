"""What the compiler changed and why, for people: the trace of a function as a few lines of text.

Each rule is shown once, with its first application. What a formula and its replacement share is
written as a letter, so that the change stands out: ``log(softmax(a)) --> log_softmax(a)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from string import ascii_lowercase

from symgraph.ir.graph import substitute_nodes, toposort
from symgraph.ir.node import Node, add_name, make_node
from symgraph.ir.op import find_op
from symgraph.ir.views import formula_text
from symgraph.rewrite.engine import Application

SMALL = ("constant", "dim")
LONGEST_FORMULA = 100  # characters; of a longer one only the reason is shown
# Tables in the order of their interest: repairs of accuracy first, tidying last.
INTEREST = ("stabilize", "linalg")
TIDYING = "definition"  # the source of rules that only write the same in another way


def change_lines(trace: Sequence[Application], most: int = 6) -> Iterator[str]:
    """The most telling rules that were applied, with reason, source and line; then the count."""
    times = Counter(one.rule for one in trace)
    first: dict[str, Application] = {}
    for one in trace:
        first.setdefault(one.rule, one)
    shown = sorted((a for a in first.values() if a.source != TIDYING), key=_interest)[:most]
    for one in shown:
        count = f" ({times[one.rule]} times)" if times[one.rule] > 1 else ""
        yield f"{one.rule}{count}"
        formula = change_text(one.before, one.after)
        if formula:
            yield f"    {formula}"
        yield f"    why: {one.why}"
        if one.source != one.rule:
            yield f"    source: {one.source}"
        if one.lines and one.lines[0].text:
            yield f"    from: {one.lines[0].text}"
    rest = len(first) - len(shown)
    if rest:
        others = len(trace) - sum(times[one.rule] for one in shown)
        yield f"and {others} applications of {rest} rules that tidy"


def change_text(before: Node, after: Node) -> str:
    """``before --> after`` with letters for what both have; empty where that is too long."""
    shared = _shared_parts(before, after)
    letters = {node: _placeholder(node, letter) for node, letter in _lettered(shared)}
    if len(letters) < len(shared):
        return ""
    ends = [
        formula_text(substitute_nodes((end,), letters)).rstrip("\n").replace("\n", "; ")
        for end in (before, after)
    ]
    text = " --> ".join(ends)
    return text if len(text) <= LONGEST_FORMULA else ""


def _interest(one: Application) -> int:
    return INTEREST.index(one.table) if one.table in INTEREST else len(INTEREST)


def _shared_parts(before: Node, after: Node) -> list[Node]:
    """The largest parts of both formulas that are equal, in the order in which they are read."""
    common = set(toposort([before])) & set(toposort([after]))
    found: dict[Node, None] = {}
    for end in (before, after):
        for node in toposort([end], stop=common.__contains__):
            if node in common and node.op.name not in SMALL:
                found[node] = None
    return list(found)


def _lettered(nodes: Iterable[Node]) -> Iterator[tuple[Node, str]]:
    return zip(nodes, ascii_lowercase, strict=False)


def _placeholder(node: Node, letter: str) -> Node:
    """An input of the node's type that is called by a letter, or by its own name."""
    made = make_node(find_op("input"), (), {"serial": f"shown {node.number}", "type": node.type})
    add_name(made, node.name or letter)
    return made
