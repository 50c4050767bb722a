"""How steps of a trace are worded: ``log(softmax(a)) --> log_softmax(a)``.

What a formula and its replacement share is written as a letter, so that the change stands out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from string import ascii_lowercase

from symgraph.errors import SymgraphError
from symgraph.ir.graph import substitute_nodes, toposort
from symgraph.ir.node import Node, add_name, make_node
from symgraph.ir.op import find_op
from symgraph.ir.origin import Line
from symgraph.printing import math
from symgraph.trace.format import REWRITE
from symgraph.trace.trace import Step

SMALL = ("constant", "dim")
LONGEST_FORMULA = 100  # characters; of a longer one only the reason is shown


def step_formulas(step: Step) -> tuple[str, str] | None:
    """The formulas before and after a step; None where they are long, or no rewrite."""
    if step.row.kind != REWRITE:
        return None
    try:
        return change_ends(step.before, step.after)
    except SymgraphError:  # the nodes of a file do not fit together
        return None


def told(step: Step) -> str:
    """A rewrite as a sentence: what became what, and why."""
    ends = step_formulas(step)
    what = f"{ends[0]} became {ends[1]}" if ends else f"{step.rule} was applied"
    if step.row.table == "guards":
        return f"A result is checked as it is computed: {step.why}."
    if ends and "scaled_product(" in ends[1]:
        what = f"{ends[0]} is computed with the exponents of its factors apart"
    return f"{what}: {step.why}."


def short_line(line: Line) -> str:
    """``train.py:12: loss = ...``, without the folder."""
    text = line.text
    return f"{line.name}:{line.number}" + (f": {text[:60]}" if text else "")


def one_formula(nodes: Iterable[Node]) -> str:
    """Nodes as formulas on one line."""
    return math(tuple(nodes)).rstrip("\n").replace("\n", "; ")


def change_ends(before: Node, after: Node) -> tuple[str, str] | None:
    """Both formulas with letters for what they share; None where that is too long."""
    shared = _shared_parts(before, after)
    letters = {node: _placeholder(node, letter) for node, letter in _lettered(shared)}
    if len(letters) < len(shared):
        return None
    first, second = (one_formula(substitute_nodes((end,), letters)) for end in (before, after))
    return (first, second) if len(first) + len(second) <= LONGEST_FORMULA else None


def change_text(before: Node, after: Node) -> str:
    """``before --> after`` with letters for what both have; empty where that is too long."""
    ends = change_ends(before, after)
    return " --> ".join(ends) if ends is not None else ""


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
