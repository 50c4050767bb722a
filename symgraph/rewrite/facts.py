"""What is known of a node's values: a range, whether they are whole numbers or finite.

Facts are of the exact real value that a node stands for (``exp`` is positive though it underflows)
and say nothing of NaN: a rule that holds for a range holds for NaN too if it passes NaN on. They
come from the ops, from dtypes, from constants and from ``sg.assume``. Each is found once per node,
without recursion.

Predicates on nodes and conditions on holes are in ``conditions.py``.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.ops.assume import Assumption, assumptions, generation
from symgraph.records import dataclass

INF = math.inf


@dataclass(frozen=True, slots=True)
class Fact:
    """lo <= value <= hi (< where open); ``whole``: an integer; ``finite``: neither inf nor NaN.

    ``apart``: never 0, whatever the range says.
    """

    lo: float = -INF
    hi: float = INF
    lo_open: bool = False
    hi_open: bool = False
    whole: bool = False
    finite: bool = False
    apart: bool = False

    @property
    def positive(self) -> bool:
        """Certainly > 0."""
        return self.lo > 0 or (self.lo == 0 and (self.lo_open or self.apart))

    @property
    def negative(self) -> bool:
        """Certainly < 0."""
        return self.hi < 0 or (self.hi == 0 and (self.hi_open or self.apart))

    @property
    def nonzero(self) -> bool:
        """Certainly not 0."""
        return self.apart or self.positive or self.negative


UNKNOWN = Fact()


class _Supposed(threading.local):
    """Assumptions that a thread makes to ask what if; and the nodes that it asked of.

    ``stamp``: what facts that rest on them are marked with, as others are with a ``generation``.
    """

    def __init__(self) -> None:
        self.rows: Mapping[Node, Assumption] = {}
        self.stamp: int | None = None
        self.asked: list[Node] = []


_supposed = _Supposed()
_stamps = itertools.count(-2, -1)


def fact(node: Node) -> Fact:
    """What is known of a node."""
    stamp = _supposed.stamp
    if stamp is None:
        stamp = generation()
    else:
        _supposed.asked.append(node)
    known = node.known
    found: Fact = known[1] if known[0] == stamp else _concluded(node, stamp)
    return found


def _concluded(node: Node, stamp: int) -> Fact:
    """What follows for a node, and all below, from the ops and from what was stated."""
    rows = _supposed.rows
    stack, found = [node], UNKNOWN
    while stack:
        top = stack[-1]
        before, found = top.known
        if before == stamp:
            stack.pop()
            continue
        known = [i.known for i in top.inputs]  # read once: other threads may suppose otherwise
        missing = [i for i, found in zip(top.inputs, known, strict=True) if found[0] != stamp]
        if missing:
            stack += missing
            continue
        found = UNKNOWN
        if isinstance(top.type, TensorType):
            found = _meet(_from_op(top, [fact for _, fact in known]), assumptions(top))
            if top in rows:
                found = _meet(found, (rows[top],))
        top.known = stamp, found
        stack.pop()
    return found


@contextmanager
def supposing(rows: Mapping[Node, Assumption]) -> Iterator[list[Node]]:
    """Facts in this thread as they would be if these held too; gives the nodes asked of meanwhile.

    Nothing that is concluded inside outlives it.
    """
    _supposed.rows, _supposed.stamp, _supposed.asked = rows, next(_stamps), []
    try:
        yield _supposed.asked
    finally:
        _supposed.rows, _supposed.stamp, _supposed.asked = {}, None, []


def concluded_from(outputs: Sequence[Node], seeds: Mapping[Node, Fact]) -> list[Fact]:
    """Facts of the outputs of a body if these held of its parameters."""
    known = {node: _meet(found, assumptions(node)) for node, found in seeds.items()}

    def look(node: Node) -> Fact:
        return known[node] if node in known else fact(node)

    for node in toposort(outputs, stop=known.__contains__):
        if node not in known:
            inputs = [known[i] for i in node.inputs]
            found = _from_op(node, inputs, look) if isinstance(node.type, TensorType) else UNKNOWN
            known[node] = _meet(found, assumptions(node))
    return [known[node] for node in outputs]


def packed(known: Fact) -> tuple[float | bool, ...]:
    """A fact as an attribute of a parameter."""
    return (
        known.lo,
        known.hi,
        known.lo_open,
        known.hi_open,
        known.whole,
        known.finite,
        known.apart,
    )


def copy_fact(source: Node, target: Node) -> None:
    """Give a stand-in the facts of the node it stands for."""
    target.known = generation(), fact(source)


def _from_op(node: Node, inputs: list[Fact], look: Callable[[Node], Fact] = fact) -> Fact:
    kind = node.tensor.dtype.kind
    if kind == "c":
        return UNKNOWN
    if kind == "b":
        return Fact(0, 1, whole=True, finite=True)
    if node.op.name == "proj":
        return _result(node, look)
    row = FACTS.get(node.op.name)
    found = row(node, inputs) if row is not None else UNKNOWN
    if kind in "iu":
        info = np.iinfo(str(node.tensor.dtype))
        inside = found.lo >= info.min and found.hi <= info.max
        lo, hi = (found.lo, found.hi) if inside else (float(info.min), float(info.max))
        return Fact(lo, hi, whole=True, finite=True)
    return found


def _result(node: Node, look: Callable[[Node], Fact]) -> Fact:
    """Of a loop, the last state or an out of any step; of branches, what either gives."""
    several, k = node.inputs[0], node.attrs["index"]
    attrs = several.attrs
    if several.op.name == "cond":
        ends = [attrs["then"].outputs[k], attrs["orelse"].outputs[k]]
    elif several.op.name in ("scan", "while_loop"):
        ends = [attrs["body"].outputs[k]]
    else:
        return UNKNOWN
    parts = [look(end) for end in ends]
    if several.op.name != "cond" and k < attrs["n_state"]:
        parts.append(look(several.inputs[k]))
    return hull(parts)


def _param(node: Node, inputs: list[Fact]) -> Fact:
    return Fact(*node.attrs["known"]) if "known" in node.attrs else UNKNOWN


def _meet(found: Fact, rows: tuple[Assumption, ...]) -> Fact:
    for row in rows:
        relation, bound = row.relation, row.bound
        lo, hi, lo_open, hi_open = found.lo, found.hi, found.lo_open, found.hi_open
        if relation in (">", ">=", "==") and (bound > lo or (bound == lo and relation == ">")):
            lo, lo_open = bound, relation == ">"
        if relation in ("<", "<=", "==") and (bound < hi or (bound == hi and relation == "<")):
            hi, hi_open = bound, relation == "<"
        finite = found.finite or relation == "finite"
        apart = found.apart or (relation == "!=" and bound == 0)
        whole = found.whole or relation == "whole"
        found = Fact(lo, hi, lo_open, hi_open, whole, finite, apart)
    return found


# Rows: what an op says of its result -----------------------------------------------------------

Row = Callable[[Node, list[Fact]], Fact]


def _bounded(lo: float, hi: float, *, open_: bool = False, lo_open: bool = False) -> Row:
    found = Fact(lo, hi, open_ or lo_open, open_)
    return lambda node, inputs: found


def _same(node: Node, inputs: list[Fact]) -> Fact:
    return inputs[0]


def _constant(node: Node, inputs: list[Fact]) -> Fact:
    value = node.attrs["value"]
    if value.ndim == 0 and value.dtype.kind in "biuf":
        return _number(float(value))
    if value.size == 0 or value.dtype.kind not in "biuf" or bool(np.isnan(value).any()):
        return UNKNOWN
    lo, hi = float(value.min()), float(value.max())
    finite = math.isfinite(lo) and math.isfinite(hi)
    return Fact(lo, hi, whole=finite and bool((value == np.trunc(value)).all()), finite=finite)


def _number(value: float) -> Fact:
    if math.isnan(value):
        return UNKNOWN
    finite = math.isfinite(value)
    return Fact(value, value, whole=finite and value.is_integer(), finite=finite)


def _sum(left: Fact, right: Fact) -> Fact:
    lo, hi = left.lo + right.lo, left.hi + right.hi
    return Fact(
        -INF if math.isnan(lo) else lo,
        INF if math.isnan(hi) else hi,
        left.lo_open or right.lo_open,
        left.hi_open or right.hi_open,
        left.whole and right.whole,
    )


def _negated(x: Fact) -> Fact:
    return Fact(-x.hi, -x.lo, x.hi_open, x.lo_open, x.whole, x.finite, x.apart)


def _product(left: Fact, right: Fact) -> Fact:
    whole = left.whole and right.whole
    corners = []
    for a, a_open in ((left.lo, left.lo_open), (left.hi, left.hi_open)):
        for b, b_open in ((right.lo, right.lo_open), (right.hi, right.hi_open)):
            value = 0.0 if a == 0 or b == 0 else a * b
            # 0 from a closed zero is reached; from an open one it is not
            opened = (a_open and b_open) if a != 0 and b != 0 else _open_zero(a, a_open, b, b_open)
            corners.append((value, opened or (a != 0 and b != 0 and (a_open or b_open))))
    lo = min(corners, key=lambda c: (c[0], c[1]))
    hi = max(corners, key=lambda c: (c[0], not c[1]))
    return Fact(lo[0], hi[0], lo[1], hi[1], whole, apart=left.nonzero and right.nonzero)


def _open_zero(a: float, a_open: bool, b: float, b_open: bool) -> bool:
    return (a_open if a == 0 else True) and (b_open if b == 0 else True)


def _quotient(top: Fact, bottom: Fact) -> Fact:
    if bottom.positive:
        lo = 0.0 if bottom.hi == INF else 1 / bottom.hi
        return _product(top, Fact(lo, 1 / bottom.lo if bottom.lo else INF, bottom.hi == INF, True))
    if bottom.negative:
        return _negated(_quotient(top, _negated(bottom)))
    return UNKNOWN


def _multiply(node: Node, inputs: list[Fact]) -> Fact:
    if node.inputs[0] is node.inputs[1]:
        return _squared(inputs[0])
    found = _product(*inputs)
    return _square_of_multiples(node, found) if found.lo < 0 else found


def _square_of_multiples(node: Node, found: Fact) -> Fact:
    """(x / 10) * (x / 5) has the sign of 1 / 50."""
    (x, a), (y, b) = map(_multiple, node.inputs)
    if x is not y or a * b == 0:
        return found
    lo, hi = (max(found.lo, 0.0), found.hi) if a * b > 0 else (found.lo, min(found.hi, 0.0))
    return Fact(lo, hi, whole=found.whole)


def _multiple(node: Node) -> tuple[Node, float]:
    """(x, the sign of c) of x / c or x * c, of floats."""
    sign = 1.0
    while node.op.name in ("multiply", "divide", "negative"):
        scale = node.inputs[-1] if node.op.name != "negative" else None
        if scale is not None and (scale.op.name != "constant" or scale.tensor.shape != ()):
            break
        sign *= -1.0 if scale is None else float(np.sign(scale.attrs["value"].real))
        node = node.inputs[0]
    return node, sign


def _squared(x: Fact) -> Fact:
    low = 0.0 if x.lo <= 0 <= x.hi else min(abs(x.lo), abs(x.hi))
    high = max(abs(x.lo), abs(x.hi))
    return Fact(
        low * low, high * high if high < 1e150 else INF, x.nonzero and low == 0, False, x.whole
    )


def _pow(node: Node, inputs: list[Fact]) -> Fact:
    base, exponent = inputs
    if exponent.lo == exponent.hi and exponent.whole and exponent.lo % 2 == 0 and exponent.lo > 0:
        return Fact(0, INF, base.nonzero, whole=base.whole)
    if base.positive:
        return Fact(0, INF, True)
    return Fact(0, INF) if base.lo >= 0 else UNKNOWN


def _monotone(
    function: Callable[[float], float], lo: float, hi: float, *, open_: bool = False
) -> Row:
    """An increasing function with this range: the images of the bounds, widened an ulp."""

    def row(node: Node, inputs: list[Fact]) -> Fact:
        (x,) = inputs
        low, high = _image(function, x.lo, lo), _image(function, x.hi, hi)
        down = low if low == lo or function(x.lo) in (0, 1) else math.nextafter(low, -INF)
        up = high if high == hi or function(x.hi) in (0, 1) else math.nextafter(high, INF)
        return Fact(
            max(down, lo),
            min(up, hi),
            (x.lo_open or x.lo == -INF) if low != lo else open_ or x.lo_open,
            (x.hi_open or x.hi == INF) if high != hi else open_,
        )

    return row


def _image(function: Callable[[float], float], at: float, limit: float) -> float:
    try:
        value = function(at)
    except (ValueError, OverflowError):
        return limit
    return limit if math.isnan(value) else value


def _abs(node: Node, inputs: list[Fact]) -> Fact:
    (x,) = inputs
    if x.lo >= 0:
        return x
    if x.hi <= 0:
        return _negated(x)
    return Fact(0, max(-x.lo, x.hi), x.nonzero, False, x.whole, x.finite, x.apart)


def _where(node: Node, inputs: list[Fact]) -> Fact:
    return hull(inputs[1:])


def hull(parts: Sequence[Fact]) -> Fact:
    """What holds of values of all of these."""
    lo = min(parts, key=lambda f: (f.lo, f.lo_open))
    hi = max(parts, key=lambda f: (f.hi, not f.hi_open))
    whole, finite = all(f.whole for f in parts), all(f.finite for f in parts)
    return Fact(lo.lo, hi.hi, lo.lo_open, hi.hi_open, whole, finite)


def _maximum(node: Node, inputs: list[Fact]) -> Fact:
    lo = max(inputs, key=lambda f: (f.lo, f.lo_open))
    hi = max(inputs, key=lambda f: (f.hi, not f.hi_open))
    return Fact(lo.lo, hi.hi, lo.lo_open, hi.hi_open, all(f.whole for f in inputs))


def _minimum(node: Node, inputs: list[Fact]) -> Fact:
    return _negated(_maximum(node, [_negated(f) for f in inputs]))


def _reduced_sum(node: Node, inputs: list[Fact]) -> Fact:
    (x,) = inputs
    lo = 0.0 if x.lo >= 0 else -INF
    hi = 0.0 if x.hi <= 0 else INF
    # an empty sum is 0, so that only a sum over an axis that is never empty is positive
    counted = all(
        isinstance(node.inputs[0].tensor.shape[a], int) and node.inputs[0].tensor.shape[a] != 0
        for a in node.attrs["axes"]
    )
    return Fact(lo, hi, counted and x.positive, counted and x.negative, x.whole)


def _cast(node: Node, inputs: list[Fact]) -> Fact:
    return inputs[0] if node.inputs[0].tensor.dtype.kind != "c" else UNKNOWN


def _whole(node: Node, inputs: list[Fact]) -> Fact:
    (x,) = inputs
    return Fact(
        math.floor(x.lo) if x.lo > -INF else x.lo,
        math.ceil(x.hi) if x.hi < INF else x.hi,
        whole=True,
    )


_POSITIVE = Fact(0, INF, lo_open=True)
_SIZES = Fact(0, 2.0**63, whole=True, finite=True)


def _positive(node: Node, inputs: list[Fact]) -> Fact:
    return _POSITIVE


def _exp_row(node: Node, inputs: list[Fact]) -> Fact:
    (x,) = inputs
    return (
        Fact(0, 1, True, x.hi_open)
        if x.hi <= 0
        else Fact(1, INF, x.lo_open)
        if x.lo >= 0
        else _POSITIVE
    )


def _cosh(node: Node, inputs: list[Fact]) -> Fact:
    return Fact(1, INF)


def _odd(node: Node, inputs: list[Fact]) -> Fact:
    """A function with the sign of its argument."""
    (x,) = inputs
    return Fact(0 if x.lo >= 0 else -INF, 0 if x.hi <= 0 else INF, x.positive, x.negative)


def _sign(node: Node, inputs: list[Fact]) -> Fact:
    (x,) = inputs
    lo = 1 if x.positive else 0 if x.lo >= 0 else -1
    hi = -1 if x.negative else 0 if x.hi <= 0 else 1
    return Fact(lo, hi, whole=True, apart=x.nonzero)


def _hypot(node: Node, inputs: list[Fact]) -> Fact:
    low = max(max(f.lo, -f.hi, 0.0) for f in inputs)
    return Fact(low, INF, low == 0 and any(f.nonzero for f in inputs))


def _scaled_product(node: Node, inputs: list[Fact]) -> Fact:
    """The sign of a product of powers; a root is not negative."""
    if node.attrs["then"]:
        return Fact(0, INF) if node.attrs["then"] == "sqrt" else UNKNOWN
    found = Fact(1, 1)
    for known, power, exponential in zip(
        inputs, node.attrs["exponents"], node.attrs["exponentials"], strict=True
    ):
        own = _POSITIVE if exponential else _sign_only(known)
        found = _product(found, _squared(own) if power % 2 == 0 else own)
    return found


def _sign_only(x: Fact) -> Fact:
    return Fact(0 if x.lo >= 0 else -INF, 0 if x.hi <= 0 else INF, x.positive, x.negative)


def _reduced_product(node: Node, inputs: list[Fact]) -> Fact:
    (x,) = inputs
    if x.lo >= 0:
        return Fact(0, 1 if x.hi <= 1 else INF, x.positive)
    return UNKNOWN


def _log1p_of(x: float) -> float:
    return math.log1p(x) if x > -1 else -INF


FACTS: Mapping[str, Row] = {
    "constant": _constant,
    "param": _param,
    "dim": lambda node, inputs: _SIZES,
    "add": lambda node, inputs: _sum(*inputs),
    "subtract": lambda node, inputs: _sum(inputs[0], _negated(inputs[1])),
    "negative": lambda node, inputs: _negated(inputs[0]),
    "multiply": _multiply,
    "guarded": lambda node, inputs: inputs[0],
    "divide": lambda node, inputs: _quotient(*inputs),
    "reciprocal": lambda node, inputs: _quotient(Fact(1, 1), inputs[0]),
    "square": lambda node, inputs: _squared(inputs[0]),
    "pow": _pow,
    "abs": _abs,
    "exp": _exp_row,
    "exp2": _positive,
    "erfcx": _positive,
    "softplus": _positive,
    "expm1": _monotone(math.expm1, -1, INF, open_=True),
    "sigmoid": _bounded(0, 1, open_=True),
    "softmax": _bounded(0, 1, lo_open=True),
    "log_softmax": _bounded(-INF, 0),
    "log1mexp": _bounded(-INF, 0),
    "ndtr": _bounded(0, 1, open_=True),
    "log_ndtr": _bounded(-INF, 0, open_=False),
    "exp_product": _positive,
    "exp_monomial": _positive,
    "sigmoid_difference": _bounded(0, 1, open_=True),
    "share_of_two": _bounded(0, 1, open_=True),
    "expm1_difference": _bounded(-1, INF),
    "pow_sum": lambda node, inputs: _POSITIVE if inputs[0].positive else UNKNOWN,
    "pow1p_sum": _bounded(0, INF),
    "erfcx_slope": _bounded(-INF, 0),
    "exprel": _positive,
    "sinhc": _bounded(1, INF),
    "sinc_radians": _bounded(-0.25, 1),
    "cosm1": _bounded(-2, 0),
    "log1pmx": _bounded(-INF, 0),
    "sqrt1pm1": _bounded(-1, INF),
    "pow1p": _bounded(0, INF),
    "pow1pm1": _bounded(-1, INF),
    "trigamma": _positive,
    "euclidean_norm": _bounded(0, INF),
    "var": _bounded(0, INF),
    "std": _bounded(0, INF),
    "relu": _bounded(0, INF),
    "scaled_product": _scaled_product,
    "prod": _reduced_product,
    "one_hot": lambda node, inputs: Fact(0, 1, whole=True, finite=True),
    "erfc": _bounded(0, 2, open_=True),
    "erf": _odd,
    "tanh": _monotone(math.tanh, -1, 1, open_=True),
    "atan": _monotone(math.atan, -2, 2, open_=True),
    "sinh": _odd,
    "asinh": _odd,
    "asin": _odd,
    "atanh": _odd,
    "cbrt": _odd,
    "sign": _sign,
    "cosh": _cosh,
    "sin": _bounded(-1, 1),
    "cos": _bounded(-1, 1),
    "acos": _bounded(0, math.pi),
    "sqrt": lambda node, inputs: Fact(0, INF, inputs[0].positive),
    "log": _monotone(lambda x: math.log(x) if x > 0 else -INF, -INF, INF),
    "log1p": _monotone(_log1p_of, -INF, INF),
    "hypot": _hypot,
    "gamma": lambda node, inputs: _POSITIVE if inputs[0].lo >= 0 else UNKNOWN,
    "where": _where,
    "maximum": _maximum,
    "fmax": _maximum,
    "minimum": _minimum,
    "fmin": _minimum,
    "astype": _cast,
    "floor": _whole,
    "ceil": _whole,
    "round": _whole,
    "trunc": _whole,
    "sum": _reduced_sum,
    "mean": lambda node, inputs: Fact(inputs[0].lo, inputs[0].hi),
    "max": _same,
    "min": _same,
    "concat": lambda node, inputs: hull(inputs) if inputs else UNKNOWN,
    "stack": lambda node, inputs: hull(inputs) if inputs else UNKNOWN,
    **dict.fromkeys(
        (
            "reshape",
            "permute_dims",
            "expand_dims",
            "squeeze",
            "broadcast_to",
            "slice",
            "flip",
            "roll",
            "tile",
            "repeat",
            "take",
            "take_along_axis",
            "gather",
            "stop_gradient",
            "index",
        ),
        _same,
    ),
}
