"""The last touch: functions that magnify the rounding of their argument take it exactly.

Run once, after all rules: others look for ``exp``, ``pow`` and ``sigmoid``, so these are not of
theirs. Only where the operands are exact (inputs and numbers): otherwise their rounding costs as
much as that of the argument.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgraph.ir.node import Node
from symgraph.rewrite import terms as t
from symgraph.rewrite.algebra import SUMS
from symgraph.rewrite.axes import kept_reduction
from symgraph.rewrite.build import call, fraction, number
from symgraph.rewrite.exact import Fraction
from symgraph.rewrite.facts import fact
from symgraph.rewrite.rule import Rule, rule

MOST_PARTS = 8  # of what is joined
Place = tuple[int, int, int, Node]  # axis, first, end, values
MOST_FACTORS = 5  # of an exponent that is taken exactly
HARMLESS = 4.0  # an exponent below this magnifies a rounding to 2 ulp at most


def is_exact(node: Node) -> bool:
    """Is it given, not computed?"""
    core = t.core(node)
    return core.op.kind == "leaf" and core.op.name != "constant"


@rule.compute(
    "exp",
    needs="*",
    lifts=False,
    why="exp magnifies the rounding of its argument by the argument, up to 700 times",
    source="error-free product: Dekker 1971, Numer. Math. 18",
)
def exp_of_product(node: Node) -> Node | None:
    """exp(x * y) --> exp_product(x, y) for inputs x and y; exp(-x*x/2) likewise."""
    x = node.inputs[0]
    if _is_small(x):
        return None
    scale, found = t.factors(x)
    if not all(is_exact(b) and e > 0 for b, e in found) or sum(e for _, e in found) > 2:
        return None
    bases = [b for b, e in found for _ in range(e)]
    if len(bases) == 1:
        value = number(scale, x.tensor.dtype)
        if _is_power_of_two(scale) or Fraction(float(value.attrs["value"])) != scale:
            return None
        return call("exp_product", bases[0], value)
    if len(bases) == 2 and _is_power_of_two(scale):
        return call("exp_product", bases[0], t.scaled(scale, bases[1]))
    return None


def _is_small(exponent: Node) -> bool:
    known = fact(exponent)
    return known.lo >= -HARMLESS and known.hi <= HARMLESS


@rule.compute(
    "exp",
    needs="* scaled_product",
    lifts=False,
    why="exp magnifies the rounding of its argument by the argument, up to 700 times",
    source="error-free product and quotient: Dekker 1971, Numer. Math. 18",
)
def exp_of_quotient(node: Node) -> Node | None:
    """exp(x / y) --> exp_monomial(x / y, x, y) for inputs; exp(-x*x / (2*s*s)) likewise."""
    x = node.inputs[0]
    if _is_small(x):
        return None
    scale, factors = _monomial(x)
    if not factors or sum(abs(e) for _, e in factors) > MOST_FACTORS:
        return None
    if not _is_float(scale, x):
        top, bottom = Fraction(scale.numerator), Fraction(scale.denominator)
        if not (_is_float(top, x) and _is_float(bottom, x)):
            return None
        scale = top
        factors.append((number(bottom, x.tensor.dtype), -1))
    if sum(abs(e) for _, e in factors) < 2 and _is_power_of_two(scale):
        return None  # exact as it is
    exponents = tuple(e for _, e in factors)
    bases = [b for b, _ in factors]
    return call("exp_monomial", x, *bases, exponents=exponents, scale=float(scale))


def _monomial(node: Node) -> tuple[Fraction, list[tuple[Node, int]]]:
    """Scale and factors of a product of powers of inputs; no factors for anything else."""
    scale, parts = t.factors(node)
    found: list[tuple[Node, int]] = []
    for base, power in parts:
        attrs = base.attrs
        if base.op.name == "scaled_product" and power == 1:
            if attrs["then"] or any(attrs["exponentials"]):
                return scale, []
            found += zip(base.inputs, attrs["exponents"], strict=True)
        elif is_exact(base) and isinstance(power, int):
            found.append((base, power))
        else:
            return scale, []
    if not all(is_exact(b) or t.core(b).op.name == "constant" for b, _ in found):
        return scale, []
    return scale, found


def _is_float(value: Fraction, like: Node) -> bool:
    return Fraction(float(number(value, like.tensor.dtype).attrs["value"])) == value


def _two_exact(node: Node) -> tuple[Node, Node] | None:
    """The two terms of a sum of inputs and numbers, as they are added; None for other sums."""
    parts = t.terms(node)
    if len(parts) != 2 or all(p is None for _, p in parts):
        return None
    found = []
    for scale, part in parts:
        if part is None and _is_float(scale, node):
            found.append(number(scale, node.tensor.dtype))
        elif part is not None and abs(scale) == 1 and is_exact(part):
            found.append(t.scaled(scale, part))
        else:
            return None
    return found[0], found[1]


@rule.compute(
    "sigmoid expm1",
    needs="+",
    lifts=False,
    why="the rounding of a difference is magnified by it where the exponential is small",
    source="error-free sum: Knuth, The Art of Computer Programming 2, 4.2.2",
)
def exponential_of_difference(node: Node) -> Node | None:
    """sigmoid(x - y) --> sigmoid_difference(x, y) for inputs x and y; expm1(x - y) likewise."""
    if _is_small(node.inputs[0]):
        return None
    found = _two_exact(node.inputs[0])
    return call(f"{node.op.name}_difference", found[0], t.neg(found[1])) if found else None


@rule.compute(
    "pow pow1p",
    needs="+",
    lifts=False,
    why="a power magnifies the rounding of its exponent by a logarithm, up to 700 times",
    source="error-free sum: Knuth, The Art of Computer Programming 2, 4.2.2",
)
def power_of_sum(node: Node) -> Node | None:
    """x ** (y - 1) --> pow_sum(x, y, -1) for inputs x and y; (1 + x) ** (y - 1) likewise."""
    base, exponent = node.inputs
    found = _two_exact(exponent) if is_exact(base) else None
    return call(f"{node.op.name}_sum", base, *found) if found else None


def _is_power_of_two(scale: Fraction) -> bool:
    top, bottom = abs(scale.numerator), scale.denominator
    return top & (top - 1) == 0 and bottom & (bottom - 1) == 0


@rule.compute(
    SUMS,
    needs="update_slice scatter",
    lifts=False,
    why="a share near 1 keeps few digits of its distance from 1",
    source="Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41(4)",
)
def gradient_of_one_share(node: Node) -> Node | None:
    """u - softmax(x) * sum(u) --> u * (1 - softmax(x)) - softmax(x) * (sum(u) - u), u sparse."""
    parts = t.terms(node)
    if len(parts) != 2:
        return None
    for k in (0, 1):
        (c, u), (d, other) = parts[k], parts[1 - k]
        if u is None or other is None or u.op.name not in ("update_slice", "scatter"):
            continue
        scale, found = t.factors(other)
        shares = [b for b, e in found if b.op.name == "softmax" and e == 1]
        sums = [b for b, e in found if e == 1 and _sums(b, u)]
        if len(found) != 2 or not shares or not sums or c != -d * scale:
            continue
        p, total = shares[0], sums[0]
        reduced = kept_reduction(total)
        if reduced is None or reduced.attrs["axes"] != p.attrs["axes"]:
            continue
        rest = call("softmax_complement", p.inputs[0], axes=p.attrs["axes"])
        made = t.minus(call("multiply", u, rest), call("multiply", p, call("subtract", total, u)))
        return t.scaled(c, made)
    return None


def _sums(node: Node, u: Node) -> bool:
    found = kept_reduction(node)
    return found is not None and found.op.name == "sum" and found.inputs[0] is u


@rule.compute(
    "add",
    needs="update_slice",
    early=True,
    lifts=False,
    why="each part is written once where it belongs, instead of arrays of zeros that are added up",
    source="x + 0 = x",
    changes="the sign of a zero",
)
def parts_of_zeros(node: Node) -> Node | None:
    """zeros[:2].set(u) + zeros[2:].set(v) --> concat(u, v): what slices give to a gradient."""
    placed: list[Place] = []
    for c, part in t.terms(node):
        place = _place(part) if c == 1 and part is not None else None
        if place is None or len(placed) == MOST_PARTS:
            return None
        placed.append(place)
    axes = {axis for axis, _, _, _ in placed}
    return _joined(placed, axes.pop(), node) if len(axes) == 1 else None


def _place(part: Node) -> Place | None:
    """Values written into zeros along one axis."""
    if part.op.name != "update_slice" or part.attrs["how"] != "set":
        return None
    target, values = part.inputs
    if target.op.name not in ("broadcast_to", "constant") or fraction(t.core(target)) != 0:
        return None
    shapes = list(zip(values.tensor.shape, part.tensor.shape, strict=True))
    cut = [k for k, (own, whole) in enumerate(shapes) if own != whole]
    if len(cut) != 1 or any(s != 1 for s in part.attrs["steps"]):
        return None
    (axis,) = cut
    first, (length, whole) = part.attrs["starts"][axis], shapes[axis]
    if not (isinstance(first, int) and isinstance(length, int) and isinstance(whole, int)):
        return None
    return axis, first, first + length, values


def _joined(placed: Sequence[Place], axis: int, node: Node) -> Node | None:
    """The parts and what is zero between them, in order; None where they overlap."""
    parts: list[Node] = []
    end = 0
    whole = node.tensor.shape[axis]
    assert isinstance(whole, int)
    for _, first, following, values in sorted(placed, key=lambda p: p[1]):
        if first < end:
            return None
        parts += [_zeros(node, axis, first - end)] if first > end else []
        parts.append(values)
        end = following
    parts += [_zeros(node, axis, whole - end)] if whole > end else []
    return call("concat", *parts, axis=axis)


def _zeros(like: Node, axis: int, length: int) -> Node:
    shape = list(like.tensor.shape)
    shape[axis] = length
    return call("broadcast_to", number(0.0, like.tensor.dtype), shape=tuple(shape))


POLISH: tuple[Rule, ...] = (
    exp_of_product,
    exp_of_quotient,
    exponential_of_difference,
    power_of_sum,
    gradient_of_one_share,
    parts_of_zeros,
)
