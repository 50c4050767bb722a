"""Which rules a node is offered: by its op, by what is below it, and by what is known not to fit.

Whether a rule fits a node depends on the node alone, and on what was stated (``sg.assume``). So a
node of which no rule of a table makes anything is marked with their bits, and is not offered them
again: not by a later pass or stage that has the same rules among others, and not in another
function. Rules that ask for more than the node (``build.shared``) leave no mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.records import dataclass, field
from symgraph.rewrite import terms as t
from symgraph.rewrite.rule import Rule, next_bit

EVERY = "*"  # in Rule.ops: tried at every node
Table = tuple[Rule, ...]
MOST_TABLES = 64
MOST_OPEN = 256
MOST_MARKS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """Rules that one kind of node is offered, and the set of their bits.

    ``bit``: of a node that none fits, and below a movement neither.
    """

    rules: Table
    bits: int
    bit: int = field(default_factory=next_bit)
    opened: dict[tuple[frozenset[str], bool], Table] = field(default_factory=dict)

    def open(self, node: Node) -> Table:
        """``open_rules``, remembered: most nodes are like others."""
        key = _families(node), _is_floating(node)
        found = self.opened.get(key)
        if found is None:
            if len(self.opened) >= MOST_OPEN:
                self.opened.clear()
            found = self.opened[key] = tuple(_admitted(self.rules, *key))
        return found


@dataclass(frozen=True, slots=True)
class Index:
    """Rules by the op they start at: those tried before and after the inputs are rewritten.

    ``marks``: the bits of a node of an op that stays as it is; of all other ops, ``mark``.
    """

    early: Mapping[str, Offer]
    late: Mapping[str, Offer]
    every: Offer
    marks: Mapping[str, int]
    mark: int


_indices: dict[int, tuple[Table, Index]] = {}  # by the number of a table, which keeps it


def index_of(rules: Table) -> Index:
    """The rules of a table by op; the tables of the pipeline are looked at once."""
    found = _indices.get(id(rules))
    if found is None:
        if len(_indices) >= MOST_TABLES:
            _indices.clear()
        found = _indices[id(rules)] = rules, _index(rules)
    return found[1]


@lru_cache(maxsize=MOST_TABLES)
def _index(rules: Table) -> Index:
    others = tuple(r for r in rules if EVERY in r.ops)
    tables: tuple[dict[str, list[Rule]], dict[str, list[Rule]]] = ({}, {})
    for row in rules:
        for op in row.ops - {EVERY}:
            tables[0 if row.early else 1].setdefault(op, []).append(row)
    every = _offer(others)
    early = {op: _offer(rows) for op, rows in tables[0].items()}
    late = {op: _offer((*rows, *others)) for op, rows in tables[1].items()}
    mark = every.bits | every.bit
    marks = {op: offer.bits | offer.bit for op, offer in late.items()}
    marks |= {op: offer.bits | marks.get(op, mark) for op, offer in early.items()}
    return Index(early, late, every, marks, mark)


def _offer(rules: Iterable[Rule]) -> Offer:
    found = tuple(rules)
    return Offer(found, sum({r.bit for r in found}))


@lru_cache(maxsize=1024)
def lifting(offer: Offer, family: str) -> Offer | None:
    """The rules that may be tried below a movement, for an input of a family there."""
    fits = [r for r in offer.rules if family in r.needs and not r.exact and r.lifts]
    return _offer(fits) if fits else None


def marked(node: Node, now: int) -> int:
    """The bits of what is known not to fit, of assumptions of a generation."""
    stated, bits = node.settled
    return bits if stated == now else 0  # concluded without the newest, which may say more


def mark(node: Node, now: int, bits: int) -> None:
    """Note that what has these bits does not fit."""
    if len(_marks) >= MOST_MARKS:
        _marks.clear()
    made = now, marked(node, now) | bits
    node.settled = _marks.setdefault(made, made)


_marks: dict[tuple[int, int], tuple[int, int]] = {}  # one for all nodes that are alike


def open_rules(node: Node, rules: Iterable[Rule]) -> Iterator[Rule]:
    """The rules that early rejection leaves for a node: by dtype, and by the families below."""
    return _admitted(rules, _families(node), _is_floating(node))


def _admitted(rules: Iterable[Rule], families: frozenset[str], floating: bool) -> Iterator[Rule]:
    for row in rules:
        if row.real and not floating:
            continue
        needs = row.needs
        if needs and (needs.isdisjoint(families) if row.matcher is None else not needs <= families):
            continue
        yield row


def _families(node: Node) -> frozenset[str]:
    """The families that early rejection looks at: of terms, of factors, or of inputs."""
    name = node.op.name
    if name in ("add", "subtract"):
        return t.sum_view(node).ops
    if name in ("multiply", "divide"):
        return t.product_view(node).ops
    return frozenset([f for i in node.inputs for f in (t.family(i), t.family(t.core(i)))])


def _is_floating(node: Node) -> bool:
    if not isinstance(node.type, TensorType):
        return False
    if node.type.dtype.kind == "b" and node.inputs:
        return all(isinstance(i.type, TensorType) and i.type.dtype.kind == "f" for i in node.inputs)
    return node.type.dtype.kind == "f"
