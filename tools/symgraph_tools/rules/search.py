"""Search for repairs that the rule base lacks, in the manner of Herbie: sample, rewrite, measure.

From a formula as text, identities are applied at every place, step after step; the forms are
simplified by given tables, and those with the least mean error at sampled points go on (a beam).
What is printed is worth a rule if it is more accurate than what the rules make of the formula, and
holds beyond it. Offline: seconds a formula, by truth in 400 digits.

Source: Panchekha, Sanchez-Stern, Wilcox & Tatlock 2015, Automatically improving accuracy, PLDI.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgraph.ir.graph import substitute_nodes, toposort
from symgraph.ir.node import Node
from symgraph.ir.op import find_op
from symgraph.ir.text import graph_text
from symgraph.ir.variable import Variable, node_of
from symgraph.ops.leaves import tensor
from symgraph.rewrite import polynomial, terms
from symgraph.rewrite.algebra import ALGEBRA, FACTOR
from symgraph.rewrite.canonicalize import CANONICALIZE
from symgraph.rewrite.engine import rewrite
from symgraph.rewrite.offers import Table
from symgraph.rewrite.pattern import holes, ops
from symgraph.rewrite.pipeline import optimize
from symgraph.rewrite.rule import Rule, rule
from symgraph_tools.rules.measure import compare, mean_bits
from symgraph_tools.rules.points import Interval, points

POINTS, BEAM, MOST_NODES = 24, 6, 40
GAIN = 0.5  # bits: a form that gains less is no repair
OPERATORS = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "pow",
}  # fmt: skip
SIMPLIFY: Table = (*CANONICALIZE, *ALGEBRA, *FACTOR)

x, y, z, w = holes("x y z w")
cos, exp, expm1, log, log1p, sin, sqrt, tan, tanh = ops("cos exp expm1 log log1p sin sqrt tan tanh")


def _identities(pairs: Sequence[tuple[Any, Any]]) -> tuple[Rule, ...]:
    return tuple(rule(a, b, why="identity", source="identity", name=f"{a!r} = {b!r}")
                 for a, b in pairs)  # fmt: skip


IDENTITIES: tuple[Rule, ...] = _identities(
    [
        (x - y, (x * x - y * y) / (x + y)),
        (x + y, (x * x - y * y) / (x - y)),
        (x * x - y * y, (x - y) * (x + y)),
        (x / y - z / w, (x * w - z * y) / (y * w)),
        (x - y / z, (x * z - y) / z),
        (x * (y + z), x * y + x * z),
        (sqrt(x) * sqrt(y), sqrt(x * y)),
        (sqrt(x / y), sqrt(x) / sqrt(y)),
        (exp(x) - 1, expm1(x)),
        (log(1 + x), log1p(x)),
        (log(x) - log(y), log(x / y)),
        (log(x / y), log1p((x - y) / y)),
        (exp(x + y), exp(x) * exp(y)),
        (1 - cos(x), 2 * (sin(x / 2) * sin(x / 2))),
        (1 - cos(x), sin(x) * tan(x / 2)),
        (sin(x) - sin(y), 2 * (cos((x + y) / 2) * sin((x - y) / 2))),
        (cos(x) - cos(y), -2 * (sin((x + y) / 2) * sin((x - y) / 2))),
        (tan(x) - tan(y), sin(x - y) / (cos(x) * cos(y))),
        (1 - tanh(x), 2 / (1 + exp(2 * x))),
    ]
)


@dataclass(frozen=True, slots=True)
class Repair:
    """A form of the formula, its error, that of what the rules make of it, and the steps."""

    form: Node
    bits: float
    rules_bits: float
    steps: tuple[str, ...]

    def __str__(self) -> str:
        steps = "; ".join(self.steps)
        return f"{self.rules_bits:.1f} -> {self.bits:.1f} bits by {steps}\n{graph_text(self.form)}"


def domain_of(text: str) -> tuple[str, Interval]:
    """("x", (0.0, 1.0)) from "x=0,1"."""
    name, _, interval = text.partition("=")
    lo, hi = interval.split(",")
    return name.strip(), (float(lo), float(hi))


def parsed(text: str, names: Sequence[str]) -> tuple[Node, dict[str, Node]]:
    """The graph of a formula, whose functions are ops, over scalar inputs of these names."""
    inputs = {n: tensor(n, shape=(), dtype="float64") for n in names}
    made = _built(ast.parse(text, mode="eval").body, inputs)
    return node_of(made), {n: v.node for n, v in inputs.items()}


def _built(item: ast.expr, inputs: Mapping[str, Variable]) -> Any:
    match item:
        case ast.BinOp(left, operator, right):
            name = OPERATORS[type(operator)]
            return find_op(name)(_built(left, inputs), _built(right, inputs))
        case ast.UnaryOp(ast.USub(), operand):
            return find_op("negative")(_built(operand, inputs))
        case ast.Call(ast.Name(name), args):
            return find_op(name)(*[_built(a, inputs) for a in args])
        case ast.Name(name):
            return inputs[name]
        case ast.Constant(value):
            return value
    raise ValueError(f"a formula has names, numbers, operators and functions, not {item}")


def repairs(
    text: str,
    domain: Mapping[str, Interval],
    *,
    steps: int = 3,
    known: Table | None = None,
    identities: Sequence[Rule] = IDENTITIES,
) -> list[Repair]:
    """Forms better than what the rules make of a formula, the best first.

    ``known``: the tables to compare with and to simplify by; None means all of the rules.
    """
    formula, inputs = parsed(text, list(domain))
    sampled = [{inputs[n]: v for n, v in p.items()} for p in points(domain, POINTS)]
    start = _simplified(formula, known)

    def error(form: Node) -> float:
        return mean_bits(compare(formula, form, sampled))[1]

    limit = error(start)
    found: dict[Node, tuple[float, tuple[str, ...]]] = {formula: (error(formula), ())}
    found.setdefault(start, (limit, ()))
    beam = list(found)
    for _ in range(steps):
        made: list[Node] = []
        for form in beam:
            for name, other in _rewritten(form, identities):
                simple = _simplified(other, known)
                for candidate in dict.fromkeys((other, simple)):
                    if candidate not in found and len(toposort([candidate])) <= MOST_NODES:
                        found[candidate] = (error(candidate), (*found[form][1], name))
                        made.append(candidate)
        beam = sorted(made, key=lambda n: found[n][0])[:BEAM]
    better = [(bits, form, path) for form, (bits, path) in found.items() if bits < limit - GAIN]
    better.sort(key=lambda row: (row[0], len(toposort([row[1]]))))
    return [Repair(form, bits, limit, path) for bits, form, path in better]


def _simplified(node: Node, known: Table | None) -> Node:
    (made,) = optimize([node]) if known is None else rewrite([node], known)
    return made


def _rewritten(form: Node, identities: Sequence[Rule]) -> Iterator[tuple[str, Node]]:
    """The form with one identity applied at one place."""
    for place in toposort([form]):
        for identity in identities:
            if place.op.name not in identity.ops:
                continue
            made = identity.apply(place)
            terms.forget()
            polynomial.forget()
            if made is not None and made.type == place.type:
                (whole,) = substitute_nodes([form], {place: made})
                yield identity.name, whole
