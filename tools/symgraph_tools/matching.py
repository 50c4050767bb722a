"""What two graphs have in common: equal formulas first, then nodes that do the same near those.

``match`` numbers the nodes of both so that partners have one number. Partners are *same* (the whole
formula below is equal) or *changed* (the same operation on something else). Inputs are equal by
name, or by place where they have none. Lines of partners that are the same are equal texts, so a
textual difference of two lists of lines is a difference of the graphs.
"""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.literal import Writer
from symgraph.ir.node import Node
from symgraph.ir.text import attribute_texts, nested

LEAVES = ("input", "shared", "param")


@dataclass(frozen=True, slots=True)
class Numbered:
    """The nodes of a graph, inputs first, with numbers and lines."""

    nodes: tuple[Node, ...]
    numbers: dict[Node, int]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """Two graphs with common numbers; how many nodes are same, changed, removed, added."""

    first: Numbered
    second: Numbered
    same: int
    changed: int
    removed: int
    added: int

    @property
    def is_equal(self) -> bool:
        """Whether they are one formula."""
        return not (self.changed or self.removed or self.added)


def match(first: Graph, second: Graph) -> Matched:
    """Common numbers for the nodes of two graphs."""
    pair = [_Keyed(first), _Keyed(second)]
    partners: dict[Node, Node] = {}  # of the second, in the first
    by_key: dict[object, Node] = {}
    for node in pair[0].nodes:
        by_key.setdefault(pair[0].keys[node], node)
    for node in pair[1].nodes:
        found = by_key.get(pair[1].keys[node])
        if found is not None:
            partners[node] = found
    same = len(partners)
    _near(first, second, pair, partners)
    _above(pair, partners)
    numbers = {node: k for k, node in enumerate(pair[0].nodes)}
    others: dict[Node, int] = {}
    for node in pair[1].nodes:
        partner = partners.get(node)
        fresh = len(numbers) + len(others)
        others[node] = numbers[partner] if partner is not None else fresh
    sides = [
        Numbered(tuple(k.nodes), n, tuple(k.line(node, n) for node in k.nodes))
        for k, n in zip(pair, (numbers, others), strict=True)
    ]
    removed = len(pair[0].nodes) - len(set(partners.values()))
    added = len(pair[1].nodes) - len(partners)
    ends = [k.ends(n) for k, n in zip(pair, (numbers, others), strict=True)]
    changed = len(partners) - same + (ends[0] != ends[1] and not removed and not added)
    lines = [Numbered(f.nodes, f.numbers, (*f.lines, e)) for f, e in zip(sides, ends, strict=True)]
    return Matched(lines[0], lines[1], same, changed, removed, added)


class _Keyed:
    """A graph with keys that are equal for equal formulas, in any process."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.writer = Writer(exact=False, elide=4)
        for body in nested(graph)[:-1]:
            self.writer.graphs[body] = len(self.writer.graphs)
        self.bodies = {body: _Keyed(body) for body in self.writer.graphs}
        self.nodes = toposort((*graph.params, *graph.outputs))
        self.keys: dict[Node, object] = {}
        interned: dict[object, int] = {}
        places = {node: k for k, node in enumerate(n for n in self.nodes if n.op.name in LEAVES)}
        for node in self.nodes:
            own: tuple[object, ...]
            if node.op.name in LEAVES:
                own = (node.op.name, node.name or places[node], self.writer.type(node.type))
            else:
                inputs = tuple(interned[self.keys[i]] for i in node.inputs)
                own = (node.op.name, self.writer.type(node.type), self._attrs(node), inputs)
            interned.setdefault(own, hash(own))
            self.keys[node] = own

    def _attrs(self, node: Node) -> tuple[object, ...]:
        plain = tuple((k, v) for k, v in attribute_texts(node, self.writer) if v[:1] != "@")
        bodies = tuple(self.bodies[g].text() for g in subgraphs(node) if g in self.bodies)
        return (*plain, *bodies)

    def text(self) -> str:
        """The whole formula, as one text."""
        numbers = {node: k for k, node in enumerate(self.nodes)}
        return "\n".join([*(self.line(n, numbers) for n in self.nodes), self.ends(numbers)])

    def line(self, node: Node, numbers: dict[Node, int]) -> str:
        """A node as text."""
        inputs = f"({', '.join(f'%{numbers[i]}' for i in node.inputs)})" if node.inputs else ""
        name = f" {node.name}" if node.name else ""
        shown = [f"{k}={v}" for k, v in attribute_texts(node, self.writer) if v[:1] != "@"]
        attrs = f" {{{', '.join(shown)}}}" if shown else ""
        kind = self.writer.type(node.type)
        return f"%{numbers[node]}{name} = {node.op.name}{inputs}: {kind}{attrs}"

    def ends(self, numbers: dict[Node, int]) -> str:
        """The line of the outputs."""
        return "outputs " + ", ".join(f"%{numbers[n]}" for n in self.graph.outputs)


def _near(first: Graph, second: Graph, pair: list[_Keyed], partners: dict[Node, Node]) -> None:
    """Partners by place: from outputs down, as long as operations are the same."""
    taken = set(partners.values())
    queue = deque(zip(first.outputs, second.outputs, strict=False))
    seen: set[tuple[Node, Node]] = set()
    while queue:
        old, new = queue.popleft()
        if (old, new) in seen:
            continue
        seen.add((old, new))
        if new not in partners and old not in taken and _alike(pair, old, new):
            partners[new] = old
            taken.add(old)
        if partners.get(new) is old and len(old.inputs) == len(new.inputs):
            queue += zip(old.inputs, new.inputs, strict=True)


def _above(pair: list[_Keyed], partners: dict[Node, Node]) -> None:
    """Partners by inputs: the same operation with a partner among its inputs, from below."""
    taken = set(partners.values())
    readers: dict[Node, list[Node]] = {}
    for node in pair[0].nodes:
        for i in node.inputs:
            readers.setdefault(i, []).append(node)
    for new in pair[1].nodes:
        if new in partners:
            continue
        near = [old for i in new.inputs if i in partners for old in readers.get(partners[i], ())]
        fitting = [old for old in near if old not in taken and _alike(pair, old, new)]
        if fitting:
            partners[new] = fitting[0]
            taken.add(fitting[0])


def _alike(pair: list[_Keyed], old: Node, new: Node) -> bool:
    if old.op is not new.op or len(old.inputs) != len(new.inputs):
        return False
    return old.op.name not in (*LEAVES, "constant")


def difference_lines(found: Matched, context: int = 1) -> Iterator[str]:
    """``- line``, ``+ line`` and ``  line``; parts in between are left out as ``...``."""
    for group in _opcodes(found, context):
        if group[0][1] > 0 or group[0][3] > 0:
            yield "  ..."
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (f"  {line}" for line in found.first.lines[a:b])
                continue
            yield from (f"- {line}" for line in found.first.lines[a:b])
            yield from (f"+ {line}" for line in found.second.lines[c:d])


def beside_lines(found: Matched, width: int, context: int = 1) -> Iterator[str]:
    """Both graphs beside each other, with ``|`` between lines that differ."""
    half = max(20, (width - 3) // 2)
    for group in _opcodes(found, context):
        for tag, a, b, c, d in group:
            left, right = found.first.lines[a:b], found.second.lines[c:d]
            for k in range(max(len(left), len(right))):
                one = left[k] if k < len(left) else ""
                other = right[k] if k < len(right) else ""
                sign = " " if tag == "equal" else "|"
                yield f"{_cut(one, half):<{half}} {sign} {_cut(other, half)}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _opcodes(found: Matched, context: int) -> Sequence[list[tuple[str, int, int, int, int]]]:
    matcher = difflib.SequenceMatcher(None, found.first.lines, found.second.lines, autojunk=False)
    return list(matcher.get_grouped_opcodes(context))


def states(found: Matched) -> tuple[dict[Node, str], dict[Node, str]]:
    """Nodes that differ, of the first and of the second: removed, added or changed."""
    sides = (found.first, found.second)
    lines = [{s.numbers[n]: x for n, x in zip(s.nodes, s.lines, strict=False)} for s in sides]
    made: list[dict[Node, str]] = []
    for k, word in enumerate(("removed", "added")):
        own: dict[Node, str] = {}
        for number, node in ((sides[k].numbers[n], n) for n in sides[k].nodes):
            if number not in lines[1 - k]:
                own[node] = word
            elif lines[1 - k][number] != lines[k][number]:
                own[node] = "changed"
        made.append(own)
    return made[0], made[1]


def formulas(graphs: Sequence[Graph]) -> list[tuple[Node, tuple[int, ...]]]:
    """Every formula of several graphs once, with the numbers of the graphs that have it."""
    places: dict[object, list[int]] = {}
    first: dict[object, Node] = {}
    for number, graph in enumerate(graphs):
        keyed = _Keyed(graph)
        for node in keyed.nodes:
            found = places.setdefault(keyed.keys[node], [])
            first.setdefault(keyed.keys[node], node)
            if number not in found:
                found.append(number)
    return [(first[key], tuple(found)) for key, found in places.items()]
