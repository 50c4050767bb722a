"""For every rule a formula that it is for, and where to evaluate it.

Pattern rules are their own example: the left side with variables for its holes. Computed rules have
a row in ``COMPUTED``: a formula of x, y, z that the rule must start at, and intervals of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.ops.assume import assume
from symgraph.ops.leaves import tensor
from symgraph.rewrite.algebra import ALGEBRA
from symgraph.rewrite.pattern import Call, Hole, Number, Pat
from symgraph.rewrite.rule import Rule
from symgraph.rewrite.stabilize import STABILIZE

(log, exp, sqrt, sin, cos, tan, sinh, erf, erfc, acos, asin, atan, expm1, log1p, pow_) = map(
    find_op,
    [
        "log",
        "exp",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "sinh",
        "erf",
        "erfc",
        "acos",
        "asin",
        "atan",
        "expm1",
        "log1p",
        "pow",
    ],
)
abs_, logaddexp, where, hypot = map(find_op, ["abs", "logaddexp", "where", "hypot"])
gamma, gammaln, pow1p, sinhc, asinh = map(find_op, ["gamma", "gammaln", "pow1p", "sinhc", "asinh"])

Interval = tuple[float, float]
WIDE: Interval = (-40.0, 40.0)


class Example(NamedTuple):
    """A formula over x, y, z; the interval of each; facts to assume of them."""

    formula: Callable[[Any, Any, Any], Any]
    domain: Mapping[str, Interval] = {}
    positive: str = ""


HALF_PI, QUARTER_PI = 1.5707963267948966, 0.7853981633974483
ROOT_TWO = 1.4142135623730951

COMPUTED: dict[str, Example] = {
    "interpolation": Example(
        lambda x, y, z: x + (y - z) * (2 - x) / (1 - z),
        {"x": (1e3, 1e9), "y": (-2, 3), "z": (1e3, 1e9)},
    ),
    "near exponentials": Example(
        lambda x, y, z: (1 + 1 / x) * exp(-(1 - x) * y) - (1 / x - 1) * exp(-(1 + x) * y),
        {"x": (1e-3, 0.9), "y": (0.1, 3)},
    ),
    "like terms": Example(lambda x, y, z: 2 * x + y - x),
    "like factors": Example(lambda x, y, z: exp(x + y) * exp(-x), {"x": (-700, 700), "y": (-9, 9)}),
    "numbers together": Example(lambda x, y, z: x * 3 / 3),
    "simple power": Example(lambda x, y, z: pow_(x, 0.5), {"x": (0.1, 9)}, "x"),
    "root of square": Example(lambda x, y, z: sqrt(x * x), {"x": (-1e200, 1e200)}),
    "zero branch": Example(lambda x, y, z: where(x < y, x, 0.0) * z),
    "perfect square": Example(
        lambda x, y, z: x * x - 2 * x * y + y * y, {"x": (1, 2), "y": (1, 2)}
    ),
    "polynomial": Example(lambda x, y, z: pow_(x + y, 2) - x * x),
    "fractions": Example(lambda x, y, z: 1 / x - 1 / (x + 1), {"x": (1, 1e9)}),
    "difference of squares": Example(lambda x, y, z: x * x - y * y, {"x": (1, 2), "y": (1, 2)}),
    "common factor": Example(lambda x, y, z: x * y - x * z),
    "expanded inside": Example(lambda x, y, z: x + y),
    "exp over expm1": Example(lambda x, y, z: exp(x) / expm1(x), {"x": (0.1, 800)}),
    "half angle": Example(lambda x, y, z: sin(x) / sin(2 * x), {"x": (1e-9, 0.7)}),
    "normal tail": Example(lambda x, y, z: erfc(x / ROOT_TWO), {"x": (-5, 2)}),
    "log of branches": Example(lambda x, y, z: log(where(x < y, exp(x), y)), {"y": (0.1, 9)}),
    "log beta": Example(
        lambda x, y, z: gammaln(x) + gammaln(y) - gammaln(x + y), {"x": (1e-2, 99), "y": (9, 1e5)}
    ),
    "log factorial ratio": Example(lambda x, y, z: gammaln(x + 2) - gammaln(x), {"x": (1e-3, 1e9)}),
    "gamma difference": Example(
        lambda x, y, z: gammaln(x + y) - gammaln(x), {"x": (1, 1e5), "y": (1e-9, 9)}
    ),
    "factorial ratio": Example(lambda x, y, z: gamma(x + 1) / gamma(x), {"x": (0.1, 160)}),
    "beta quotient": Example(
        lambda x, y, z: gamma(x) * gamma(y) / gamma(x + y), {"x": (0.1, 300), "y": (0.1, 9)}
    ),
    "log of power near one": Example(
        lambda x, y, z: log(pow1p(x, y)), {"x": (1e-9, 9), "y": (-900, 900)}
    ),
    "relative difference": Example(lambda x, y, z: expm1(x) / x, {"x": (-40, 40)}),
    "log of sum near one": Example(
        lambda x, y, z: log(x + (1 - x) * y), {"x": (0, 1), "y": (0.1, 1)}
    ),
    "grouping": Example(lambda x, y, z: x * y + x * z - y * y - y * z, {"x": (1, 2), "y": (1, 2)}),
    "inverse gudermannian": Example(
        lambda x, y, z: log(tan(x * 0.5 + QUARTER_PI)), {"x": (0.1, 1.5)}
    ),
    "eighth turn": Example(lambda x, y, z: tan(x + QUARTER_PI), {"x": (-0.7, 0.7)}),
    "angle beyond quarter turn": Example(lambda x, y, z: atan(x) + HALF_PI, {"x": (-9, 9)}),
    "normal over tail": Example(lambda x, y, z: exp(-4.0 * x * x) / erfc(x * 2.0), {"x": (-5, 60)}),
    "erf difference": Example(lambda x, y, z: erf(x + y) - erf(x), {"x": (-9, 9), "y": (1e-9, 2)}),
    "nested where": Example(lambda x, y, z: where(x < y, where(x < y, x, y), z)),
    "sum of branches": Example(lambda x, y, z: where(x < y, x, z) + where(x < y, y, x)),
    "constant into branch": Example(
        lambda x, y, z: where(x < 1.0, exp(x), y) - 1, {"x": (-1e-9, 1e-9)}
    ),
    "factor into series": Example(lambda x, y, z: x - sin(x)),
    "inverse hyperbolic": Example(lambda x, y, z: log(x + sqrt(x * x + 1)), {"x": (-1e9, 1e9)}),
    "log of exponential factors": Example(
        lambda x, y, z: log(y * exp(x)), {"x": (-900, 900), "y": (1, 2)}
    ),
    "log of power": Example(lambda x, y, z: log(1 / x), {"x": (1e-300, 1e300)}),
    "log of exponential sum": Example(lambda x, y, z: log(exp(x) + exp(y)), {"x": (-900, 900)}),
    "log of quotient": Example(lambda x, y, z: log((x + 1) / x), {"x": (1e-3, 1e9)}),
    "log1p of exponential": Example(lambda x, y, z: log1p(2.0 * exp(x)), {"x": (-900, 900)}),
    "logaddexp of one": Example(lambda x, y, z: logaddexp(0.0, x)),
    "difference of logs": Example(lambda x, y, z: log(x + 1) - log(x), {"x": (1e-3, 1e9)}),
    "power minus one": Example(lambda x, y, z: pow_(x, y) - 1, {"x": (0.5, 2), "y": (1e-9, 2)}),
    "power near one": Example(lambda x, y, z: pow_(1 + x, y), {"x": (1e-9, 1e-3), "y": (20, 900)}),
    "x log x": Example(lambda x, y, z: x * log(x), {"x": (0, 1)}),
    "norm": Example(lambda x, y, z: sqrt(x * x + y * y), {"x": (1e-200, 1e200), "y": (1, 2)}),
    "root of square difference": Example(
        lambda x, y, z: sqrt(x * x - y * y), {"x": (2, 3), "y": (1, 2)}
    ),
    "vector norm": Example(lambda x, y, z: sqrt(x * x)),
    "product of norms": Example(lambda x, y, z: sqrt(x * y)),
    "log of square sum": Example(lambda x, y, z: log(x * x)),
    "norm squared": Example(lambda x, y, z: hypot(x, y) * hypot(x, y)),
    "difference of roots": Example(lambda x, y, z: sqrt(x + 1) - sqrt(x), {"x": (1, 1e15)}),
    "over a root": Example(lambda x, y, z: 1 - 1 / hypot(1, x), {"x": (1e-9, 1e9)}),
    "arithmetic less geometric": Example(
        lambda x, y, z: x + y - 2 * sqrt(x * y), {"x": (1, 2), "y": (1, 2)}
    ),
    "conjugate": Example(lambda x, y, z: x - sqrt(x * x - 1), {"x": (1, 1e7)}),
    "trigonometric difference": Example(lambda x, y, z: sin(x + y) - sin(x), {"y": (-1e-9, 1e-9)}),
    "addition theorem": Example(
        lambda x, y, z: sin(x) * sin(y) + cos(x) * cos(y), {"x": (-3, 3), "y": (-3, 3)}
    ),
    "angle from quarter turn": Example(lambda x, y, z: atan(x) - QUARTER_PI, {"x": (2, 9)}),
    "acos near one": Example(lambda x, y, z: acos(1 - x), {"x": (1e-12, 1)}),
    "quarter turn": Example(lambda x, y, z: sin(x + HALF_PI), {"x": (-3, 3)}),
    "cancellation at infinity": Example(lambda x, y, z: 1 - x / sqrt(1 + x * x), {"x": (1, 1e12)}),
    "logarithm at its zero": Example(lambda x, y, z: log(sinhc(x)), {"x": (-900, 900)}),
    "nearby values": Example(
        lambda x, y, z: asinh(x + y) - asinh(x), {"x": (0.1, 1e9), "y": (1e-12, 1e-3)}
    ),
    "nearby powers": Example(
        lambda x, y, z: pow_(x + y, 0.3) - pow_(x, 0.3), {"x": (0.1, 1e9), "y": (1e-9, 1)}
    ),
    "removable singularity": Example(lambda x, y, z: x - sin(x), {"x": (-1, 1)}),
}


def spelled(pattern: Pat, holes: Mapping[str, Variable]) -> Any:
    """The graph that a pattern shows, node by node."""
    if isinstance(pattern, Hole):
        return holes[pattern.name]
    if isinstance(pattern, Number):
        return pattern.value
    assert isinstance(pattern, Call)
    return find_op(pattern.op)(*[spelled(a, holes) for a in pattern.args], **pattern.attrs)


def hole_names(pattern: Pat) -> list[str]:
    """The holes of a pattern, each once."""
    if isinstance(pattern, Hole):
        return [pattern.name]
    inner = [hole_names(a) for a in pattern.args] if isinstance(pattern, Call) else []
    return list(dict.fromkeys(name for names in inner for name in names))


class Case(NamedTuple):
    """A rule with its example as a graph: variables by name, intervals, the formula."""

    rule: Rule
    holes: dict[str, Variable]
    domain: dict[str, Interval]
    formula: Variable


def case_of(rule: Rule) -> Case:
    """The example of a rule."""
    if rule.lhs is not None:
        names, example = hole_names(rule.lhs), None
    else:
        names, example = ["x", "y", "z"], COMPUTED[rule.name]
    text = rule.when.text if rule.when else ""
    holes = {n: tensor(n, shape=(), dtype="float64") for n in names}
    domain = dict.fromkeys(names, WIDE)
    for name, hole in holes.items():
        named = f"({name})" in text or (example is not None and name in example.positive)
        if named:
            assume(hole >= 0 if "nonnegative" in text else hole > 0)
            domain[name] = (1e-3, 40.0)
    domain |= rule.domain if example is None else example.domain
    if example is not None:
        formula = example.formula(*holes.values())
    else:
        assert rule.lhs is not None
        formula = spelled(rule.lhs, holes)
    return Case(rule, holes, domain, formula)


RULES: tuple[Rule, ...] = (*ALGEBRA, *STABILIZE)
# these need arrays, or what another rule makes
STRUCTURAL = frozenset(
    [
        "expanded inside",
        "factor into series",
        "vector norm",
        "log of square sum",
        "product of norms",
    ]
)
