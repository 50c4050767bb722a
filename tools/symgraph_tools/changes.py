"""What the compiler changed and why, for people: the trace of a function as a few lines of text.

Each rule is shown once, with its first application. What a formula and its replacement share is
written as a letter, so that the change stands out: ``log(softmax(a)) --> log_softmax(a)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from string import ascii_lowercase

from symgraph.ir.graph import substitute_nodes, toposort
from symgraph.ir.node import Node, add_name, make_node
from symgraph.ir.op import find_op
from symgraph.ir.views import formula_text
from symgraph.trace.trace import Step

SMALL = ("constant", "dim")
LONGEST_FORMULA = 100  # characters; of a longer one only the reason is shown


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
