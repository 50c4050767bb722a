"""Logarithms of products, quotients, sums; differences of logarithms; powers near 1.

Computed rules: what they make depends on which parts are exponentials, on signs, and on what
cancels. What a logarithm of one function becomes stands in ``stabilize.py``.
"""

from __future__ import annotations

from functools import reduce

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.build import call, number
from symgraph.rewrite.conditions import nonnegative, positive
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.facts import fact
from symgraph.rewrite.functions import absolute, fn, is_number, less, num, where
from symgraph.rewrite.polynomial import cancelling_sum, difference, expand, grouped
from symgraph.rewrite.rule import Rule, rule

HIGHAM = "Higham 2002, Accuracy and Stability of Numerical Algorithms, 1.14"
BLANCHARD = (
    "Blanchard, Higham & Higham 2021, Accurately computing the log-sum-exp and softmax functions"
)
SPLITS = frozenset(["exp", "sigmoid", "gamma", "erfc", "cosh", "erfcx", "ndtr"])
HALF = Fraction(1, 2)


def log_of(x: Node) -> Node:
    """log(x) for x known or required to be positive; the engine improves it further."""
    scale, found = t.factors(x)
    if not found:
        return fn("log", x)
    if len(found) == 1 and scale == 1 and found[0][1] == -1:
        return t.neg(fn("log", found[0][0]))
    return fn("log", x)


def has_exp(x: Node | None) -> bool:
    """Is an exponential a factor of it?"""
    return x is not None and any(b.op.name == "exp" for b, _ in t.factors(x)[1])


@rule.compute(
    "log",
    needs="* pow",
    why="a factor that overflows or underflows has a logarithm that does not",
    source="log(x*y) = log(x) + log(y)",
)
def log_of_exponential_factors(node: Node) -> Node | None:
    """log(exp(x) * y) --> x + log(y), for y of any sign: both sides are NaN where y < 0."""
    scale, found = t.factors(node.inputs[0])
    if scale <= 0 or (len(found) == 1 and scale == 1 and found[0][1] == 1):
        return None
    if scale == HALF and len(found) == 1 and found[0][0].op.name == "erfc":
        return None
    split = [(b, e) for b, e in found if _splits(b)]
    powers = [(b, e) for b, e in found if b.op.name == "pow" and (b, e) not in split]
    if not split and not powers:
        return None
    taken = [*split, *powers]
    rest = t.from_factors(scale, [f for f in found if f not in taken], node.tensor.dtype)
    parts = [t.scaled(Fraction(e), fn("log", b)) for b, e in split]
    parts += [
        t.scaled(Fraction(e), t.mul([b.inputs[1], fn("log", b.inputs[0])])) for b, e in powers
    ]
    made = t.add([*parts, fn("log", rest)])
    # x ** y is positive for negative x and even y too: there the original stays
    bases = [less(num(0, node), b.inputs[0]) for b, _ in powers]
    return (
        where(reduce(lambda c, d: call("logical_and", c, d), bases), made, node) if bases else made
    )


def _splits(base: Node) -> bool:
    if base.op.name in SPLITS or (base.op.name == "pow" and positive(base.inputs[0])):
        return True
    inner = t.core(base)
    if inner.op.name == "sum":
        return has_exp(inner.inputs[0])
    return t.family(base) == "+" and any(has_exp(p) for _, p in t.terms(base))


@rule.compute(
    "log",
    needs="* pow",
    why="the power would overflow or underflow",
    source="log(x**n) = n * log(abs(x))",
)
def log_of_power(node: Node) -> Node | None:
    """log(x*x) --> 2 * log(abs(x)); log(1/x) --> -log(x)."""
    scale, found = t.factors(node.inputs[0])
    if scale != 1 or len(found) != 1 or found[0][1] == 1:
        return None
    base, exponent = found[0]
    return t.scaled(Fraction(exponent), fn("log", absolute(base) if exponent % 2 == 0 else base))


@rule.compute(
    "log",
    needs="*",
    why="a quotient near 1 has a logarithm near 0, of which it keeps few digits",
    source=HIGHAM,
)
def log_of_quotient(node: Node) -> Node | None:
    """log(x / y) --> log1p((x - y) / y) where x / y is near 1, and the like."""
    scale, found = t.factors(node.inputs[0])
    dtype = node.tensor.dtype
    top = t.from_factors(scale, [(b, e) for b, e in found if e > 0], dtype)
    bottom = t.from_factors(Fraction(1), [(b, -e) for b, e in found if e < 0], dtype)
    if is_number(bottom, 1) or scale <= 0:
        return None
    if not any(e > 0 for _, e in found):
        return t.sub(fn("log", number(scale, dtype)), log_of(bottom))
    return log_ratio(top, bottom, node)


def log_ratio(top: Node, bottom: Node, original: Node | None = None) -> Node | None:
    """log(top / bottom), by log1p of the difference where that cancels by algebra."""
    distance, cancelled = difference(top, bottom)
    if is_number(distance, 0):
        return None
    far = call("log", t.div(top, bottom)) if original is None else original
    if not cancelled and original is not None and distance.op.name != "constant":
        return call("log_quotient", top, bottom) if _exact(top) and _exact(bottom) else None
    constant_gap = distance.op.name == "constant"
    if (constant_gap or (nonnegative(distance) and positive(bottom) and cancelled)) or is_number(
        bottom, 1
    ):
        return fn("log1p", t.div(distance, bottom))
    total = cancelling_sum(top, bottom) if cancelled else None
    if total is not None:
        return _by_atanh(t.div(distance, total), _far(top, bottom, far))
    return _guarded(distance, bottom, _far(top, bottom, far))


def _by_atanh(ratio: Node, far: Node) -> Node:
    """log(a / b) as 2 * atanh((a - b) / (a + b)) where a is near b."""
    near = t.scaled(Fraction(2), fn("atanh", ratio))
    return where(less(fn("abs", ratio), num(0.5, ratio)), near, far)


def _guarded(distance: Node, bottom: Node, far: Node) -> Node:
    ratio = t.div(distance, bottom)
    return where(less(fn("abs", ratio), num(0.5, ratio)), fn("log1p", ratio), far)


def _exact(node: Node) -> bool:
    """Is it given, not computed and rounded?"""
    return t.core(node).op.kind == "leaf"


def _of_positive(made: Node, top: Node, bottom: Node) -> Node:
    """The logarithm of top / bottom where both are positive; NaN where both are negative."""
    if positive(top) or positive(bottom):
        return made
    return where(less(num(0, bottom), bottom), made, num(float("nan"), bottom))


def _far(top: Node, bottom: Node, far: Node) -> Node:
    """The same away from 1: apart where both are positive, since the quotient may overflow."""
    if positive(top) and positive(bottom):
        return t.sub(fn("log", top), fn("log", bottom))
    return far


@rule.compute(
    SUMS, needs="log log1p", why="logarithms of nearly equal numbers cancel", source=HIGHAM
)
def difference_of_logs(node: Node) -> Node | None:
    """log(x + 1) - log(x) --> log1p(1 / x)."""
    parts = t.terms(node)
    logs = [
        (k, c, p)
        for k, (c, p) in enumerate(parts)
        if p is not None and p.op.name in ("log", "log1p")
    ]
    for i, (j, c, a) in enumerate(logs):
        for k, d, b in logs[i + 1 :]:
            if c != -d:
                continue
            top, bottom = _argument(a), _argument(b)
            made = _log_difference(top, bottom, a, b)
            if made is not None:
                made = _of_positive(made, top, bottom)
                return t.replace_terms(node, {j: t.scaled(c, made), k: None})
    return None


def _argument(log: Node) -> Node:
    x = log.inputs[0]
    return x if log.op.name == "log" else t.add([num(1, x), x])


def _log_difference(top: Node, bottom: Node, a: Node, b: Node) -> Node | None:
    distance, cancelled = difference(top, bottom)
    if is_number(distance, 0) or not cancelled:
        if not is_number(distance, 0) and _exact(top) and _exact(bottom):
            return call("log_quotient", top, bottom)
        return None
    if distance.op.name == "constant" and not (a.op.name == "log1p" or b.op.name == "log1p"):
        return fn("log1p", t.div(distance, bottom))
    if nonnegative(distance) and positive(bottom):
        return fn("log1p", t.div(distance, bottom))
    far, total = t.minus(a, b), cancelling_sum(top, bottom)
    if total is not None:
        return _by_atanh(t.div(distance, total), far)
    return _guarded(distance, bottom, far)


@rule.compute(
    "log",
    needs="+",
    why="a sum near 1 has a logarithm near 0, of which it keeps few digits",
    source=HIGHAM,
)
def log_of_sum_near_one(node: Node) -> Node | None:
    """log(x + (1 - x) * y) --> log_near(..., (1 - x) * (y - 1)): what is above 1 as a product."""
    u = node.inputs[0]
    if not 2 <= len(t.terms(u)) <= 5 or t.constant_term(u):
        return None
    found = expand(t.add([u, num(-1, u)], flat=True))
    if found is None or len(found[0]) != 4:
        return None
    made = grouped(found[0], u)
    return None if made is None else call("log_near", u, t.mul(list(made)))


@rule.compute(
    "log",
    needs="+",
    why="exp overflows above x = 709, and the sum underflows below -745",
    source=BLANCHARD,
)
def log_of_exponential_sum(node: Node) -> Node | None:
    """log(exp(x) + exp(y)) --> logaddexp(x, y); log(exp(x) - exp(y)) --> logsubexp(x, y)."""
    parts = t.terms(node.inputs[0])
    if not any(has_exp(p) for _, p in parts) or len(parts) > 4:
        return None
    dtype = node.tensor.dtype
    if all(c > 0 and (p is None or _positive_but_exp(p)) for c, p in parts):
        logs = sorted(
            (log_of_term(c, p, dtype) for c, p in parts), key=lambda n: n.op.name == "constant"
        )
        if len(logs) == 2 and is_number(logs[1], 0):
            return fn("log1p", t.add([t.scaled(c, p, dtype) for c, p in parts if p is not None]))
        total = logs[0]
        for other in logs[1:]:
            total = call("logaddexp", total, other)
        return total
    return _shifted(parts, dtype)


def _positive_but_exp(part: Node) -> bool:
    scale, found = t.factors(part)
    return scale > 0 and all(b.op.name == "exp" or fact(b).positive for b, _ in found)


def log_of_term(scale: Fraction, part: Node | None, dtype: object) -> Node:
    """log of a positive term, exponentials taken apart."""
    if part is None:
        return fn("log", number(scale, dtype))  # type: ignore[arg-type]
    more, found = t.factors(part)
    exponents = [t.scaled(Fraction(e), b.inputs[0]) for b, e in found if b.op.name == "exp"]
    rest = t.from_factors(scale * more, [(b, e) for b, e in found if b.op.name != "exp"], dtype)
    return t.add([*exponents, fn("log", rest)]) if not is_number(rest, 1) else t.add(exponents)


def _shifted(parts: tuple[t.Term, ...], dtype: object) -> Node | None:
    """m + log(sum of c * exp(x - m)) with m the largest exponent; terms without exp shift by 0."""
    exponents: list[Node] = []
    for _, part in parts:
        found = t.factors(part)[1] if part is not None else ()
        own = [t.scaled(Fraction(e), b.inputs[0]) for b, e in found if b.op.name == "exp"]
        exponents.append(t.add(own) if own else number(0, dtype))  # type: ignore[arg-type]
    largest = exponents[0]
    for other in exponents[1:]:
        largest = call("maximum", largest, other)
    shifted = []
    for (c, part), exponent in zip(parts, exponents, strict=True):
        scale, found = t.factors(part) if part is not None else (Fraction(1), ())
        rest = t.from_factors(c * scale, [(b, e) for b, e in found if b.op.name != "exp"], dtype)
        shifted.append(t.mul([rest, call("exp", t.sub(exponent, largest))]))
    if (
        len(parts) == 2
        and len({c > 0 for c, _ in parts}) == 2
        and all(has_exp(p) or p is None for _, p in parts)
    ):
        return _log_of_exponential_difference(parts, exponents, dtype)
    return None


def _log_of_exponential_difference(
    parts: tuple[t.Term, ...], exponents: list[Node], dtype: object
) -> Node | None:
    """log(exp(x) - exp(y)) --> logsubexp(x, y)."""
    (c, _), (d, _) = parts
    if abs(c) != 1 or abs(d) != 1 or any(p is not None and p.op.name != "exp" for _, p in parts):
        return None
    high, low = exponents if c > 0 else exponents[::-1]
    return call("logsubexp", high, low)


@rule.compute(
    "log",
    needs="+",
    early=True,
    why="x + sqrt(x*x + 1) cancels for x below 0, and squares overflow",
    source="NIST Digital Library of Mathematical Functions 4.37.16, 4.37.19",
)
def inverse_hyperbolic(node: Node) -> Node | None:
    """log(x + sqrt(x*x + 1)) --> asinh(x); log(x + sqrt(x*x - 1)) --> acosh(x)."""
    parts = t.terms(node.inputs[0])
    for k, (c, part) in enumerate(parts):
        if part is None or part.op.name != "sqrt" or c <= 0 or len(parts) < 2 or len(parts) > 4:
            continue
        x = t.replace_terms(node.inputs[0], {k: None})
        gap, _ = difference(t.scaled(c * c, part.inputs[0]), t.mul([x, x]))
        if is_number(gap, 1):
            return fn("asinh", x)
        if is_number(gap, -1):
            return call("acosh", x)
    return None


@rule.compute("log1p", needs="* exp", why="exp overflows above x = 709", source=BLANCHARD)
def log1p_of_exponential(node: Node) -> Node | None:
    """log1p(x * exp(y)) --> softplus(y + log(x)) for x > 0."""
    x = node.inputs[0]
    if not has_exp(x) or not _positive_but_exp(x) or x.op.name == "exp":
        return None
    return fn("softplus", log_of_term(Fraction(1), x, node.tensor.dtype))


@rule.compute(
    "logaddexp",
    why="what both have in common does not take part",
    source="logaddexp(x + z, y + z) = z + logaddexp(x, y)",
)
def logaddexp_of_one(node: Node) -> Node | None:
    """logaddexp(x, 0) --> softplus(x)."""
    left, right = node.inputs
    for a, b in ((left, right), (right, left)):
        if is_number(b, 0):
            return fn("softplus", a)
    return None


LOGS: tuple[Rule, ...] = (
    inverse_hyperbolic,
    log_of_exponential_factors,
    log_of_power,
    log_of_sum_near_one,
    log_of_exponential_sum,
    log_of_quotient,
    log1p_of_exponential,
    logaddexp_of_one,
    difference_of_logs,
)
