"""Products and quotients of functions of one argument; branches that share a condition."""

from __future__ import annotations

from symgraph.ir.node import Node, rebuild
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import PRODUCTS, SUMS
from symgraph.rewrite.build import call, number
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.functions import fn, num, where
from symgraph.rewrite.rule import Rule, rule

DLMF = "NIST Digital Library of Mathematical Functions"


def _pairs(
    node: Node, above: str, below: str
) -> tuple[Fraction, dict[Node, int], list[tuple[Node, Node]]]:
    scale, found = t.factors(node)
    tops = [b for b, e in found if b.op.name == above and e > 0]
    bottoms = [b for b, e in found if b.op.name == below and e < 0]
    return scale, dict(found), [(a, b) for a in tops for b in bottoms]


def _remade(scale: Fraction, found: dict[Node, int], extra: list[t.Factor], node: Node) -> Node:
    return t.from_factors(scale, [*found.items(), *extra], node.tensor.dtype)


@rule.compute(
    PRODUCTS, needs="expm1", why="both overflow for large arguments", source="definition of expm1"
)
def exp_over_expm1(node: Node) -> Node | None:
    """exp(x) / expm1(x) --> -1 / expm1(-x); expm1(2x) / expm1(x) --> 1 + exp(x)."""
    scale, found, pairs = _pairs(node, "exp", "expm1")
    for top, bottom in pairs:
        if top.inputs[0] is bottom.inputs[0]:
            found[top] -= 1
            found[bottom] += 1
            return _remade(-scale, found, [(fn("expm1", t.neg(top.inputs[0])), -1)], node)
    scale, found, pairs = _pairs(node, "expm1", "expm1")
    for top, bottom in pairs:
        if t.coef(top.inputs[0]) == _doubled(bottom.inputs[0]):
            found[top] -= 1
            found[bottom] += 1
            total = t.add([num(1, node), fn("exp", bottom.inputs[0])])
            return _remade(scale, found, [(total, 1)], node)
    return None


def _doubled(x: Node) -> t.Term:
    scale, part = t.coef(x)
    return 2 * scale, part


@rule.compute(
    PRODUCTS, needs="sin sinh", why="both are near 0 together", source=DLMF + " 4.21.27, 4.35.21"
)
def half_angle(node: Node) -> Node | None:
    """sin(x) / sin(2x) --> 1 / (2 * cos(x)); sinh likewise."""
    for name, other in (("sin", "cos"), ("sinh", "cosh")):
        scale, found, pairs = _pairs(node, name, name)
        for top, bottom in pairs:
            if _doubled(top.inputs[0]) == t.coef(bottom.inputs[0]):
                found[top] -= 1
                found[bottom] += 1
                return _remade(scale / 2, found, [(fn(other, top.inputs[0]), -1)], node)
    return None


@rule.compute(
    "where",
    why="a branch on a condition that is known inside it",
    source="identity",
    real=False,
    exact=True,
)
def nested_where(node: Node) -> Node | None:
    """where(c, where(c, x, y), z) --> where(c, x, z), and so in the other branch."""
    condition, then, otherwise = node.inputs
    if then.op.name == "where" and then.inputs[0] is condition:
        return where(condition, then.inputs[1], otherwise)
    # a branch that a series guards would only be guarded again
    if (
        otherwise.op.name == "where"
        and otherwise.inputs[0] is condition
        and not _is_series(otherwise)
    ):
        return where(condition, then, otherwise.inputs[2])
    return None


@rule.compute(SUMS, needs="where", why="branches of one condition may cancel", source="identity")
def sum_of_branches(node: Node) -> Node | None:
    """where(c, x, y) + where(c, a, b) --> where(c, x + a, y + b)."""
    parts = t.terms(node)
    branches = [
        (k, c, p) for k, (c, p) in enumerate(parts) if p is not None and p.op.name == "where"
    ]
    for i, (j, c, a) in enumerate(branches):
        for k, d, b in branches[i + 1 :]:
            if a.inputs[0] is b.inputs[0]:
                made = where(
                    a.inputs[0],
                    t.add([t.scaled(c, a.inputs[1]), t.scaled(d, b.inputs[1])]),
                    t.add([t.scaled(c, a.inputs[2]), t.scaled(d, b.inputs[2])]),
                )
                return t.replace_terms(node, {j: made, k: None})
    return None


@rule.compute(SUMS, needs="where", why="exp(x) - 1 cancels, in a branch too", source="identity")
def constant_into_branch(node: Node) -> Node | None:
    """where(c, exp(x), y) - 1 --> where(c, expm1(x), y - 1)."""
    parts = t.terms(node)
    constant = t.constant_term(node)
    for k, (c, part) in enumerate(parts):
        if part is None or part.op.name != "where" or c != -constant:
            continue
        condition, *branches = part.inputs
        if any(b.op.name in ("exp", "pow1p") for b in branches):
            made = where(condition, *(t.plus(b, num(-1, b)) for b in branches))
            at = next(j for j, (_, p) in enumerate(parts) if p is None)
            return t.replace_terms(node, {k: t.scaled(c, made), at: None})
    return None


@rule.compute(
    "log",
    needs="where",
    why="a branch that is an exponential has a logarithm without one",
    source="identity",
)
def log_of_branches(node: Node) -> Node | None:
    """log(where(c, exp(x), y)) --> where(c, x, log(y))."""
    inner = node.inputs[0]
    if inner.op.name != "where" or _is_series(inner):
        return None
    condition, *branches = inner.inputs
    if not any(_has_exponential(b) for b in branches):
        return None
    return where(condition, *(fn("log", b) for b in branches))


def _has_exponential(node: Node) -> bool:
    """Is a factor an exponential or a power?"""
    return any(b.op.name in ("exp", "pow1p", "sigmoid") for b, _ in t.factors(node)[1])


@rule.compute(
    PRODUCTS,
    needs="where",
    why="what the series has in common with the rest cancels inside its branch",
    source="identity",
)
def factor_into_series(node: Node) -> Node | None:
    """where(c, x**3 * p, y) / x**3 --> where(c, p, y / x**3)."""
    scale, found = t.factors(node)
    for base, exponent in found:
        if base.op.name != "where" or abs(exponent) != 1:
            continue
        if not _is_series(base):
            made = _relative(base, exponent, scale, found)
            if made is not None:
                return made
            continue
        place = _argument(base)
        rest = [(b, e) for b, e in found if b is not base]
        if not any(
            (e < 0 and _contains(b, place))
            or b.op.name == "where"
            or (exponent < 0 and _contains(b, place))
            for b, e in rest
        ):
            continue
        outside = (
            t.from_factors(scale, rest, node.tensor.dtype)
            if rest
            else number(scale, node.tensor.dtype)
        )
        branches = [t.mul([t.power(b, exponent), outside]) for b in base.inputs[1:]]
        return where(base.inputs[0], *branches)
    return None


def _relative(
    base: Node, exponent: int, scale: Fraction, found: tuple[t.Factor, ...]
) -> Node | None:
    """where(c, expm1(x*y), z) / x --> where(c, expm1(x*y) / x, z / x), for exprel to be found.

    So too where(c, x*y, z) / x --> where(c, y, z / x): the product may underflow.
    """
    below = {b for b, e in found if e * exponent < 0}
    for branch in base.inputs[1:]:
        above = {b for b, e in t.factors(branch)[1] if e > 0}
        for inner in tuple(above):
            if inner.op.name in ("expm1", "sinh"):
                above |= {b for b, e in t.factors(inner.inputs[0])[1] if e == 1}
        if above & below:
            rest = [f for f in found if f[0] is not base]
            outside = t.from_factors(scale, rest, base.tensor.dtype)
            branches = [t.mul([t.power(b, exponent), outside]) for b in base.inputs[1:]]
            return where(base.inputs[0], *branches)
    return None


def _is_series(node: Node) -> bool:
    inside = node.inputs[1]
    return any(b.op.name == "polynomial" for b, _ in t.factors(inside)[1])


def _argument(node: Node) -> Node:
    """What the condition abs(x) < r is about."""
    left = node.inputs[0].inputs[0] if node.inputs[0].inputs else node
    return left.inputs[0] if left.op.name == "abs" else left


def _contains(node: Node, part: Node) -> bool:
    seen: set[Node] = set()
    stack = [node]
    while stack and len(seen) < 100:
        top = stack.pop()
        if top is part:
            return True
        if top not in seen:
            seen.add(top)
            stack += top.inputs
    return False


@rule.compute(
    "add subtract multiply divide",
    needs="+ *",
    why="a sum with kept axes is a sum of terms with kept axes",
    source="definition",
    exact=True,
    lifts=False,
)
def expanded_inside(node: Node) -> Node | None:
    """expand_dims(x - y) + z --> expand_dims(x) - expand_dims(y) + z; products likewise."""
    family = t.family(node)
    inputs = [
        _inside_out(i) if i.op.name == "expand_dims" and t.family(i.inputs[0]) == family else i
        for i in node.inputs
    ]
    return None if inputs == list(node.inputs) else call(node.op.name, *inputs)


def _inside_out(outer: Node) -> Node:
    inner, axes = outer.inputs[0], outer.attrs["axes"]
    rank = inner.tensor.ndim
    made = []
    for part in inner.inputs:
        if part.tensor.ndim:
            missing = rank - part.tensor.ndim
            full = call("expand_dims", part, axes=tuple(range(missing))) if missing else part
            part = call("expand_dims", full, axes=axes)
        made.append(part)
    return rebuild(inner, tuple(made))


QUOTIENTS: tuple[Rule, ...] = (
    expanded_inside,
    exp_over_expm1,
    half_angle,
    nested_where,
    sum_of_branches,
    constant_into_branch,
    log_of_branches,
    factor_into_series,
)
