"""Which repairs a missing fact kept away: ``near_misses(outputs)``, asked when somebody wonders.

For each node that no rule changes, the rules that begin there are tried once more under facts that
nobody stated: that what they asked about is positive, finite, and so on. A rule that then applies
is a near miss, and the fact is what ``sg.assume`` would have to say:

    sqrt(x * x * y)      x >= 0 lets "root of square" make x * sqrt(y)

Nothing is recorded while compiling; facts supposed here are forgotten (``facts.supposing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.origin import as_if_at
from symgraph.ir.type import TensorType
from symgraph.ops.assume import Assumption
from symgraph.records import dataclass
from symgraph.rewrite import polynomial
from symgraph.rewrite import terms as t
from symgraph.rewrite.build import made_for
from symgraph.rewrite.canonicalize import CANONICALIZE
from symgraph.rewrite.facts import Fact, fact, supposing
from symgraph.rewrite.offers import open_rules
from symgraph.rewrite.rule import Rule

MOST_NODES = 400  # tried: the question is asked of a formula, not of a program
MOST_ASKED = 4  # nodes of one trial that facts are supposed of
Facts = Mapping[Node, Assumption]


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule that makes ``after`` of ``node`` if these facts hold; each is of a node."""

    rule: Rule
    node: Node
    after: Node
    facts: tuple[tuple[Node, Assumption], ...]


def near_misses(outputs: Iterable[Node], rules: Iterable[Rule]) -> list[Miss]:
    """Repairs that stated facts would allow, each rule once for a fact, in the order of the graph.

    ``outputs``: in the form that ``rules`` leave. Rules that only tidy, and those that keep every
    bit, repair nothing.
    """
    tidying = set(CANONICALIZE)
    repairs = [r for r in rules if not r.exact and r not in tidying]
    found: dict[tuple[str, tuple[tuple[Node, Assumption], ...]], Miss] = {}
    try:
        with as_if_at(()):  # what is tried is nobody's line
            for node in toposort(outputs)[-MOST_NODES:]:
                for miss in _of(node, repairs):
                    found.setdefault((miss.rule.name, miss.facts), miss)
    finally:
        t.forget()
        polynomial.forget()
    return list(found.values())


def _of(node: Node, rules: Iterable[Rule]) -> Iterator[Miss]:
    if not isinstance(node.type, TensorType):
        return
    before = made_for(node.lines)
    try:
        mine = [r for r in rules if node.op.name in r.ops]
        for rule in open_rules(node, mine):
            found = _miss(rule, node)
            if found is not None:
                yield found
    finally:
        made_for(before)


def _miss(rule: Rule, node: Node) -> Miss | None:
    """The weakest facts about what the rule asks of that let it apply."""
    made, asked = _tried(rule, node, {})
    if made is not None:
        return None  # it applies as things are: another rule undoes it
    for facts in _suppositions(asked):
        made, more = _tried(rule, node, facts)
        if made is None:
            (relation,) = {row.relation for row in facts.values()}
            other = next((n for n in more if n not in facts and _lacks(fact(n), relation)), None)
            if other is None:
                continue
            facts = {**facts, other: Assumption(relation)}
            made, _ = _tried(rule, node, facts)
        if made is not None:
            return Miss(rule, node, made, tuple(_of_inputs(rule, node, facts).items()))
    return None


def _tried(rule: Rule, node: Node, facts: Facts) -> tuple[Node | None, list[Node]]:
    """What the rule gives under these facts, and what it asked about."""
    t.forget()
    polynomial.forget()
    with supposing(facts) as asked:
        made = rule.apply(node)
        return (None if made is node else made), list(dict.fromkeys(asked))


def _suppositions(asked: list[Node]) -> Iterator[dict[Node, Assumption]]:
    """One fact at a time about what was asked of, weak facts first."""
    open_ = [n for n in asked if n.op.name != "constant" and n.tensor.dtype.kind == "f"]
    for relation in ("finite", "!=", ">=", ">", "<=", "<"):
        for node in open_[:MOST_ASKED]:
            if _lacks(fact(node), relation):
                yield {node: Assumption(relation)}


def _lacks(known: Fact, relation: str) -> bool:
    """Is it open whether the relation to 0 holds?"""
    missing = {
        "finite": not known.finite,
        "!=": not known.nonzero,
        ">=": known.lo < 0 < known.hi,
        ">": not known.positive and known.hi > 0,
        "<=": known.lo < 0 < known.hi,
        "<": not known.negative and known.lo < 0,
    }
    return missing[relation]


def _of_inputs(rule: Rule, node: Node, facts: dict[Node, Assumption]) -> dict[Node, Assumption]:
    """The same said of inputs, where that suffices: people know those; and no more than needed."""
    said: dict[Node, Assumption] = {}
    for about, row in facts.items():
        leaves = [n for n in toposort([about]) if n.op.name == "input"]
        said.update({n: row for n in leaves if _lacks(fact(n), row.relation)})
    if len(said) > MOST_ASKED or _tried(rule, node, said)[0] is None:
        said = facts
    for one in list(said):
        rest = {n: row for n, row in said.items() if n is not one}
        if rest and _tried(rule, node, rest)[0] is not None:
            said = rest
    return said
