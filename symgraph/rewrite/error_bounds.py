"""First-order bounds of rounding errors, as far as possible numbers, else nodes beside the values.

A ``Bound`` says that the error of a node's value v, whose inputs are taken as exact, is at most

    (relative * |v| + extra) * u        u = eps / 2, half a unit in the last place of 1

``relative`` is a number that costs nothing at run time; ``extra`` a node, or None. An ``extra``
arises only where an op may amplify: at a sum whose terms may cancel, at a function whose condition
number is not bounded. Signs and ranges come from ``facts``.

``BOUNDS`` has a row for each op that guards know; ``row(node, bounds of the inputs)``. What has no
row ends a region: its value counts as exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from symgraph.ir.node import Node, constant_node
from symgraph.records import dataclass
from symgraph.rewrite.build import call, number, uniform
from symgraph.rewrite.facts import Fact, fact


@dataclass(frozen=True, slots=True)
class Bound:
    """|error| <= (relative * |value| + extra) * u."""

    relative: float = 0.0
    extra: Node | None = None

    @property
    def exact(self) -> bool:
        """Is there no error?"""
        return self.relative == 0 and self.extra is None


EXACT = Bound()
MOST_GIVEN = 4  # arrays that a bound is compared with
LONG = 300  # nodes of a formula whose arrays nobody looks for
Row = Callable[[Node, list[Bound]], Bound]


# Nodes of bounds ---------------------------------------------------------------------------------


def size(x: Node) -> Node:
    """|x|, as x itself where its sign is known."""
    known = fact(x)
    if known.lo >= 0:
        return x
    return call("abs", x.inputs[0] if x.op.name in ("negative", "abs") else x)


def times(x: Node, factor: float) -> Node:
    """factor * x of a nonnegative x."""
    return x if factor == 1 else call("multiply", number(factor, x.tensor.dtype), x)


def product(x: Node | None, y: Node) -> Node | None:
    """x * y, of which the first may be nothing."""
    return None if x is None else call("multiply", x, y)


def quotient(x: Node | None, y: Node) -> Node | None:
    """x / y, of which the first may be nothing."""
    return None if x is None else call("divide", x, y)


def share(x: Node | None, y: Node) -> Node | None:
    """x / y of an error, and 0 where all that it is made of is 0: 0 / 0 looks like lost digits.

    What is 0 by underflow has digits to lose: so all arrays that x is computed from are asked.
    """
    if x is None or fact(y).lo > 0:
        return quotient(x, y)
    given = _given(x)
    if not 0 < len(given) <= MOST_GIVEN:
        return quotient(x, y)
    zero = number(0.0, x.tensor.dtype)
    everything = total(x, *(call("abs", g) for g in given))
    assert everything is not None
    return call("where", call("equal", everything, zero), zero, call("divide", x, y))


def _given(x: Node) -> list[Node]:
    """The arrays of its shape and dtype that a short formula is computed from by elements."""
    found: list[Node] = []
    seen: set[Node] = set()
    stack = [x]
    while stack and len(found) <= MOST_GIVEN and len(seen) <= LONG:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op.kind == "elementwise":
            stack += node.inputs
        elif node.type == x.type and node.op.name != "constant":
            found.append(node)
    return [] if stack else found


def total(*parts: Node | None) -> Node | None:
    """The sum of what is there."""
    found: Node | None = None
    for part in parts:
        if part is not None:
            found = part if found is None else call("add", found, part)
    return found


def error_of(x: Node, bound: Bound) -> Node | None:
    """relative * |x| + extra: the whole error of a value."""
    part = times(size(x), bound.relative) if bound.relative else None
    return total(part, bound.extra)


def own(node: Node) -> float:
    """The error of the op itself, in units of u."""
    return max(1.0, 2.0 * node.op.ulp)


# Rows --------------------------------------------------------------------------------------------


def _exact(node: Node, bounds: list[Bound]) -> Bound:
    return EXACT


def _same(node: Node, bounds: list[Bound]) -> Bound:
    return bounds[0]


def _signs(x: Node, y: Node) -> bool:
    """Are two terms certainly of one sign?"""
    a, b = fact(x), fact(y)
    return (a.lo >= 0 and b.lo >= 0) or (a.hi <= 0 and b.hi <= 0)


def _opposite(x: Node, y: Node) -> bool:
    a, b = fact(x), fact(y)
    return (a.lo >= 0 and b.hi <= 0) or (a.hi <= 0 and b.lo >= 0)


def _sum(cancels: Callable[[Node, Node], bool]) -> Row:
    def row(node: Node, bounds: list[Bound]) -> Bound:
        x, y = node.inputs
        a, b = bounds
        extra = total(a.extra, b.extra)
        if cancels(x, y):
            return Bound(max(a.relative, b.relative) + 1, extra)
        if _far_apart(x, y):  # as in 1 + x with |x| <= 1/2: at most a factor of 3
            return Bound(3 * max(a.relative, b.relative) + 1, extra)
        parts = [times(size(v), e.relative) for v, e in ((x, a), (y, b)) if e.relative]
        return Bound(1.0, total(extra, *parts))

    return row


def _far_apart(x: Node, y: Node) -> bool:
    a, b = fact(x), fact(y)
    return _beyond(a, b) or _beyond(b, a)


def _beyond(a: Fact, b: Fact) -> bool:
    """Is |a| >= 2 |b|?"""
    least = max(a.lo, -a.hi, 0.0)
    most = max(abs(b.lo), abs(b.hi))
    return least > 0 and least >= 2 * most


def _product(node: Node, bounds: list[Bound]) -> Bound:
    x, y = node.inputs
    a, b = bounds
    if _is_power_of_two(x) or _is_power_of_two(y):
        other, bound = (y, b) if _is_power_of_two(x) else (x, a)
        scale = size(x if other is y else y)
        return Bound(bound.relative, product(bound.extra, scale))
    extra = total(product(a.extra, size(y)), product(b.extra, size(x)))
    return Bound(a.relative + b.relative + 1, extra)


def _is_power_of_two(x: Node) -> bool:
    value = uniform(x)
    return value is not None and value != 0 and abs(math.frexp(float(value))[0]) == 0.5


def _square(node: Node, bounds: list[Bound]) -> Bound:
    (a,) = bounds
    (x,) = node.inputs
    return Bound(2 * a.relative + 1, product(a.extra, times(size(x), 2.0)) if a.extra else None)


def _quotient(node: Node, bounds: list[Bound]) -> Bound:
    y = node.inputs[1]
    a, b = bounds
    over = total(a.extra, product(b.extra, size(node)))
    inverse = _inverse(y)
    extra = quotient(over, size(y)) if inverse is None else product(over, inverse)
    return Bound(a.relative + b.relative + 1, extra)


def _inverse(y: Node) -> Node | None:
    """1 / |y| of numbers that are known, which a bound need not divide by; None of others."""
    if y.op.name != "constant":
        return None
    with np.errstate(all="ignore"):
        found = np.abs(1 / y.attrs["value"]).astype(y.tensor.dtype)
    return constant_node(found) if np.isfinite(found).all() and found.all() else None


def _reciprocal(node: Node, bounds: list[Bound]) -> Bound:
    (a,) = bounds
    extra = quotient(product(a.extra, size(node)), size(node.inputs[0]))
    return Bound(a.relative + 1, extra)


def _fma(node: Node, bounds: list[Bound]) -> Bound:
    x, y, z = node.inputs
    a, b, c = bounds
    both = a.relative + b.relative
    part = times(call("multiply", size(x), size(y)), both) if both else None
    inner = total(part, product(a.extra, size(y)), product(b.extra, size(x)))
    return Bound(1.0, total(inner, error_of(z, c)))


def _where(node: Node, bounds: list[Bound]) -> Bound:
    condition = node.inputs[0]
    _, a, b = bounds
    relative = max(a.relative, b.relative)
    if a.extra is None and b.extra is None:
        return Bound(relative)
    zero = number(0.0, node.tensor.dtype)
    return Bound(relative, call("where", condition, a.extra or zero, b.extra or zero))


def _choice(node: Node, bounds: list[Bound]) -> Bound:
    relative = max(b.relative for b in bounds)
    return Bound(relative, total(*(b.extra for b in bounds)))


def _contracting(condition: float, slope: Callable[[Node, Node], Node | None]) -> Row:
    """A function with |x f'(x) / f(x)| <= condition, and |f'(x)| <= slope(x, y); None means 1."""

    def row(node: Node, bounds: list[Bound]) -> Bound:
        (a,), (x,) = bounds, node.inputs
        extra = a.extra
        if extra is not None:
            factor = slope(x, node)
            extra = extra if factor is None else call("multiply", extra, factor)
        return Bound(condition * a.relative + own(node), extra)

    return row


def _sloped(slope: Callable[[Node, Node], Node | None]) -> Row:
    """A function with |f'(x)| <= slope(x, y), whose condition number may be large."""

    def row(node: Node, bounds: list[Bound]) -> Bound:
        (x,) = node.inputs
        error = error_of(x, bounds[0])
        if error is None:
            return Bound(own(node))
        factor = slope(x, node)
        return Bound(own(node), error if factor is None else call("multiply", error, factor))

    return row


def _const(value: float) -> Callable[[Node, Node], Node]:
    return lambda x, y: number(value, y.tensor.dtype)


def _one(x: Node) -> Node:
    return number(1.0, x.tensor.dtype)


def _over(scale: float) -> Callable[[Node, Node], Node]:
    """scale / |x|."""
    return lambda x, y: call("divide", number(scale, y.tensor.dtype), size(x))


def _sqrt(node: Node, bounds: list[Bound]) -> Bound:
    (a,) = bounds
    extra = None if a.extra is None else times(a.extra, 0.5)
    return Bound(0.5 * a.relative + own(node), share(extra, node))


def _sqrt_slope(x: Node, y: Node) -> Node:
    return call("divide", number(0.5, y.tensor.dtype), y)


def _one_plus_square(x: Node, y: Node) -> Node:
    return call("divide", _one(y), call("add", _one(y), call("square", x)))


def _defect(x: Node, y: Node) -> Node:
    """1 / sqrt(|1 - x**2|), the slope of asin."""
    rest = call("abs", call("subtract", _one(y), call("square", x)))
    return call("divide", _one(y), call("sqrt", rest))


def _inverse_hyperbolic(sign: float) -> Callable[[Node, Node], Node]:
    """1 / |x**2 - 1| under a root (acosh), or without one (atanh)."""

    def slope(x: Node, y: Node) -> Node:
        rest = call("abs", call("subtract", call("square", x), _one(y)))
        return call("divide", _one(y), call("sqrt", rest) if sign > 0 else rest)

    return slope


def _erfc_slope(x: Node, y: Node) -> Node:
    """|f'| <= f * (2 max(x, 0) + 1.2) of erfc and, to the left, of ndtr with x turned."""
    dtype = y.tensor.dtype
    right = call("maximum", x, number(0.0, dtype))
    return call("multiply", y, call("add", times(right, 2.0), number(1.2, dtype)))


def _left_tail(x: Node, y: Node) -> Node:
    dtype = y.tensor.dtype
    left = call("maximum", call("negative", x), number(0.0, dtype))
    return call("add", times(left, 2.0), number(1.2, dtype))


def _tan_slope(x: Node, y: Node) -> Node:
    return call("add", _one(y), call("square", y))


def _sigmoid_slope(x: Node, y: Node) -> Node:
    return call("multiply", y, call("subtract", _one(y), y))


def _gammaln_slope(x: Node, y: Node) -> Node:
    return size(call("digamma", x))


def _gamma_slope(x: Node, y: Node) -> Node:
    return call("multiply", size(y), size(call("digamma", x)))


def _expm1(node: Node, bounds: list[Bound]) -> Bound:
    if fact(node.inputs[0]).hi <= 1:
        slope = lambda x, y: call("add", y, _one(y))  # noqa: E731
        return _contracting(1.6, slope)(node, bounds)
    return _sloped(lambda x, y: call("add", y, _one(y)))(node, bounds)


def _log1p(node: Node, bounds: list[Bound]) -> Bound:
    def slope(x: Node, y: Node) -> Node:
        return call("divide", _one(y), size(call("add", _one(y), x)))

    (x,) = node.inputs
    if fact(x).lo >= -0.5:
        return _contracting(1.5, slope)(node, bounds)
    return _sloped(slope)(node, bounds)


def _log(scale: float) -> Row:
    def row(node: Node, bounds: list[Bound]) -> Bound:
        (a,), (x,) = bounds, node.inputs
        part = number(scale * a.relative, node.tensor.dtype) if a.relative else None
        rest = quotient(a.extra, size(x))
        return Bound(own(node), total(part, times(rest, scale) if rest is not None else None))

    return row


def _exp(scale: float) -> Row:
    def row(node: Node, bounds: list[Bound]) -> Bound:
        (x,) = node.inputs
        error = error_of(x, bounds[0])
        if error is None:
            return Bound(own(node))
        known = fact(x)
        most = max(abs(known.lo), abs(known.hi))
        if most < 8 and bounds[0].extra is None:
            return Bound(own(node) + scale * most * bounds[0].relative)
        return Bound(own(node), call("multiply", node, times(error, scale)))

    return row


def _log1mexp(node: Node, bounds: list[Bound]) -> Bound:
    # the slope is exp(x) / (1 - exp(x)) = exp(x - y)
    return _sloped(lambda x, y: call("exp", call("subtract", x, y)))(node, bounds)


def _softplus(node: Node, bounds: list[Bound]) -> Bound:
    # the slope 1 - exp(-y) is at most y and at most 1
    return _sloped(lambda x, y: call("minimum", y, _one(y)))(node, bounds)


def _logaddexp(node: Node, bounds: list[Bound]) -> Bound:
    parts = [error_of(x, b) for x, b in zip(node.inputs, bounds, strict=True)]
    # where the larger argument is not 0 the result is rounded beside it
    scale = call("maximum", *(size(x) for x in node.inputs))
    return Bound(own(node), total(*parts, scale))


def _pow(node: Node, bounds: list[Bound]) -> Bound:
    x, y = node.inputs
    a = bounds[0]
    power = uniform(y)
    if power is not None:
        k = abs(float(power))
        rest = share(product(a.extra, size(node)), size(x))
        return Bound(k * a.relative + own(node), times(rest, k) if rest is not None else None)
    slope = call("divide", call("multiply", node, y), x)
    return _two(node, bounds, size(slope), None)


def _two(node: Node, bounds: list[Bound], first: Node, second: Node | None) -> Bound:
    """first * error of x + second * error of y; the second of pow is v log x."""
    x, y = node.inputs
    errors = [error_of(v, b) for v, b in zip((x, y), bounds, strict=True)]
    parts = [product(errors[0], first)]
    if errors[1] is not None:
        slope = second
        if slope is None:
            slope = size(call("multiply", node, call("log", size(x))))
        parts.append(product(errors[1], slope))
    return Bound(own(node), total(*parts))


def _pow1p(less: bool) -> Row:
    def row(node: Node, bounds: list[Bound]) -> Bound:
        x, y = node.inputs
        if all(b.exact for b in bounds):
            return Bound(own(node))
        value = call("add", node, _one(node)) if less else node
        first = size(call("divide", call("multiply", value, y), call("add", _one(node), x)))
        return _two(node, bounds, first, size(call("multiply", value, call("log1p", x))))

    return row


def _exp_product(node: Node, bounds: list[Bound]) -> Bound:
    x, y = node.inputs
    if all(b.exact for b in bounds):
        return Bound(own(node))
    return _two(node, bounds, call("multiply", node, size(y)), call("multiply", node, size(x)))


EXACT_ARGUMENTS = (
    "exp_monomial", "sigmoid_difference", "expm1_difference", "pow_sum", "pow1p_sum",
)  # fmt: skip


def _exact_arguments(node: Node, bounds: list[Bound]) -> Bound:
    """They are made of inputs alone (``polish``), whose values count as exact."""
    return Bound(own(node))


def _log_quotient(node: Node, bounds: list[Bound]) -> Bound:
    x, y = node.inputs
    if all(b.exact for b in bounds):
        return Bound(own(node))
    first, second = (call("divide", _one(node), size(v)) for v in (x, y))
    return _two(node, bounds, first, second)


def _log_near(node: Node, bounds: list[Bound]) -> Bound:
    _, near = node.inputs
    error = error_of(near, bounds[1])
    # where the difference is small it is what decides; elsewhere both have the same error
    part = quotient(error, size(node.inputs[0]))
    return Bound(own(node) + bounds[0].relative, part)


def _hypot(node: Node, bounds: list[Bound]) -> Bound:
    a, b = bounds
    return Bound(max(a.relative, b.relative) + own(node), total(a.extra, b.extra))


def _atan2(node: Node, bounds: list[Bound]) -> Bound:
    y, x = node.inputs
    b, a = bounds
    relative = a.relative + b.relative + own(node)
    if a.extra is None and b.extra is None:
        return Bound(relative)
    over = total(product(b.extra, size(x)), product(a.extra, size(y)))
    return Bound(relative, quotient(over, call("add", call("square", x), call("square", y))))


def _polynomial(node: Node, bounds: list[Bound]) -> Bound:
    coefficients = node.attrs["coefficients"]
    (x,) = node.inputs
    error = error_of(x, bounds[0])
    slopes = tuple(k * abs(c) for k, c in enumerate(coefficients))[1:]
    if error is None or not slopes:
        return Bound(own(node))
    slope = call("polynomial", size(x), coefficients=slopes)
    return Bound(own(node), product(error, slope))


def _scaled_product(node: Node, bounds: list[Bound]) -> Bound:
    attrs = node.attrs
    relative, parts = 0.0, []
    rows = zip(node.inputs, bounds, attrs["exponents"], attrs["exponentials"], strict=True)
    for x, bound, power, exponential in rows:
        if exponential:
            error = error_of(x, bound)
            parts.append(None if error is None else times(error, float(abs(power))))
            continue
        relative += abs(power) * bound.relative + 1
        rest = share(bound.extra, size(x))
        parts.append(None if rest is None else times(rest, float(abs(power))))
    extra = total(*parts)
    if attrs["then"] == "log":
        return Bound(4.0, total(number(relative, node.tensor.dtype), extra))
    if attrs["then"] == "sqrt":
        relative, extra = relative / 2, None if extra is None else times(extra, 0.5)
    return Bound(relative + 2, product(extra, size(node)))


def _xlogy(node: Node, bounds: list[Bound]) -> Bound:
    x, y = node.inputs
    a, b = bounds
    rest = quotient(b.extra, size(y))
    parts = [product(rest, size(x)), times(size(x), b.relative) if b.relative else None]
    if a.extra is not None:
        parts.append(product(a.extra, size(call("log", y))))
    return Bound(a.relative + own(node), total(*parts))


NAN_FREE_EXACT = (
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and",
    "logical_or", "logical_xor", "logical_not", "isnan", "isinf", "isfinite", "signbit", "sign",
    "floor", "ceil", "trunc", "round",
)  # fmt: skip
BOUNDS: Mapping[str, Row] = {
    **dict.fromkeys(NAN_FREE_EXACT, _exact),
    **dict.fromkeys(("negative", "abs", "positive", "copysign", "relu", "stop_gradient"), _same),
    "add": _sum(_signs),
    "subtract": _sum(_opposite),
    "multiply": _product,
    "divide": _quotient,
    "square": _square,
    "reciprocal": _reciprocal,
    "fma": _fma,
    "where": _where,
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin"), _choice),
    "sqrt": _sqrt,
    "cbrt": _contracting(0.34, lambda x, y: size(call("divide", y, times(x, 3.0)))),
    "exp": _exp(1.0),
    "exp2": _exp(0.7),
    "expm1": _expm1,
    "log": _log(1.0),
    "log2": _log(1.45),
    "log10": _log(0.45),
    "log1p": _log1p,
    "sin": _sloped(lambda x, y: None),
    "cos": _sloped(lambda x, y: None),
    "tan": _sloped(_tan_slope),
    "asin": _sloped(_defect),
    "acos": _sloped(_defect),
    "atan": _contracting(1.0, _one_plus_square),
    "sinh": _sloped(lambda x, y: call("add", size(y), _one(y))),
    "cosh": _sloped(lambda x, y: size(y)),
    "tanh": _contracting(1.0, lambda x, y: call("subtract", _one(y), call("square", y))),
    "asinh": _contracting(1.0, lambda x, y: call("minimum", _one(y), _over(1.0)(x, y))),
    "acosh": _sloped(_inverse_hyperbolic(1.0)),
    "atanh": _sloped(_inverse_hyperbolic(-1.0)),
    "sigmoid": _sloped(_sigmoid_slope),
    "softplus": _softplus,
    "log1mexp": _log1mexp,
    "logaddexp": _logaddexp,
    "erf": _contracting(1.0, _const(1.13)),
    "erfc": _sloped(_erfc_slope),
    "erfcx": _sloped(lambda x, y: call("multiply", y, _left_tail(x, y))),
    "ndtr": _sloped(lambda x, y: call("multiply", y, _left_tail(x, y))),
    "log_ndtr": _sloped(_left_tail),
    "gammaln": _sloped(_gammaln_slope),
    "gamma": _sloped(_gamma_slope),
    "digamma": _sloped(lambda x, y: size(call("trigamma", x))),
    "hypot": _hypot,
    "atan2": _atan2,
    "pow": _pow,
    "pow1p": _pow1p(False),
    "pow1pm1": _pow1p(True),
    "exp_product": _exp_product,
    **dict.fromkeys(EXACT_ARGUMENTS, _exact_arguments),
    "erfcx_slope": _sloped(lambda x, y: call("multiply", size(y), times(_left_tail(x, y), 2.0))),
    "log_quotient": _log_quotient,
    "log_near": _log_near,
    "polynomial": _polynomial,
    "scaled_product": _scaled_product,
    "xlogy": _xlogy,
    "log1pmx": _sloped(lambda x, y: size(call("divide", x, call("add", _one(y), x)))),
    "cosm1": _sloped(lambda x, y: call("minimum", _one(y), size(x))),
    "exprel": _sloped(lambda x, y: y),
    "sinhc": _sloped(lambda x, y: y),
    "sqrt1pm1": _sloped(lambda x, y: _sqrt_slope(x, call("add", y, _one(y)))),
    "softplus_inverse": _sloped(lambda x, y: call("exp", call("subtract", x, y))),
}
"""Error bounds by op. Each is computed in double-double where a lane is in doubt."""
