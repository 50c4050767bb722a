"""``polygamma(order, x)``: derivatives of digamma of any order, for positive x from order 2 on.

The first terms of n! sum (x + k)**-(n + 1), then Euler and Maclaurin's series at y = x + STEPS,
whose error is below 1e-19 of the whole up to order 12. All terms have one sign.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from symgraph.ir.dtype import FLOAT64
from symgraph.ir.variable import Variable
from symgraph.ops.convert import make, unsupported
from symgraph.ops.kinds import elementwise
from symgraph.ops.samples import INF, NAN, reals
from symgraph.ops.special import digamma, trigamma

MOST = 12
STEPS = 24
BERNOULLI = tuple(
    map(Fraction, ("1/6", "-1/30", "1/42", "-1/30", "5/66", "-691/2730", "7/6", "-3617/510"))
)


Pair = tuple[Any, Any]  # an unevaluated sum (high, low)


def _times(s: Any, x: Pair, y: Pair) -> Pair:
    """x * y of two pairs."""
    high = s.mul(x[0], y[0])
    low = s.fma(x[0], y[0], s.neg(high))
    low = s.add(low, s.fma(x[0], y[1], s.mul(x[1], y[0])))
    low = s.select(s.lt(s.abs(low), INF), low, s.const(0.0, FLOAT64))
    total = s.add(high, low)
    rest = s.add(s.sub(high, total), low)
    return total, s.select(s.lt(s.abs(rest), INF), rest, s.const(0.0, FLOAT64))


def _power(s: Any, x: Pair, n: int) -> Pair:
    """x**n by squaring."""
    found, square = None, x
    while n:
        if n & 1:
            found = square if found is None else _times(s, found, square)
        n >>= 1
        square = _times(s, square, square) if n else square
    assert found is not None
    return found


def _over(s: Any, x: Pair, y: Pair) -> Pair:
    """x / y of two pairs; infinite, not NaN, where y is next to nothing."""
    q = s.div(x[0], y[0])
    rest = s.add(s.fma(s.neg(q), y[0], x[0]), s.sub(x[1], s.mul(q, y[1])))
    rest = s.div(rest, y[0])
    return q, s.select(s.lt(s.abs(rest), INF), rest, s.const(0.0, FLOAT64))


def _two_sum(s: Any, x: Any, y: Any) -> Pair:
    """x + y rounded, and what was rounded off (Knuth)."""
    total = s.add(x, y)
    part = s.sub(total, x)
    return total, s.add(s.sub(x, s.sub(total, part)), s.sub(y, part))


def _tail(s: Any, y: Pair, n: int) -> Pair:
    """n! times the sum of (y + k)**-(n + 1) for k = 0, 1, ..."""
    v = s.reciprocal(y[0])
    z = s.mul(v, v)
    total = s.const(0.0, FLOAT64)
    for k in range(len(BERNOULLI), 0, -1):
        weight = BERNOULLI[k - 1] * math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        total = s.mul(s.add(total, float(weight)), z)
    total = s.add(total, s.mul(v, math.factorial(n) / 2))
    above = _two_sum(s, s.const(float(math.factorial(n - 1)), FLOAT64), total)
    return _over(s, above, _power(s, y, n))


def _polygamma(s: Any, x: Any, *, order: int) -> Any:
    wide = s.cast(x, FLOAT64)
    low = s.lt(wide, float(STEPS))
    none = s.const(0.0, FLOAT64)
    raised = s.add(wide, float(STEPS))
    lost = s.sub(wide, s.sub(raised, float(STEPS)))  # of x, in rounding x + STEPS
    y = (s.select(low, raised, wide), s.select(low, lost, none))
    total, rest = _tail(s, y, order)
    near, whole = total, s.const(float(math.factorial(order)), FLOAT64)
    for k in range(STEPS - 1, -1, -1):
        place = s.add(wide, float(k)) if k else wide
        lost = s.sub(wide, s.sub(place, float(k))) if k else none
        term, part = _over(s, (whole, none), _power(s, (place, lost), order + 1))
        near, error = _two_sum(s, near, term)
        rest = s.add(rest, s.add(error, part))
    near = s.select(s.lt(near, INF), s.add(near, rest), near)
    total = s.select(low, near, total)
    positive = s.cast(total if order % 2 else s.neg(total), x.dtype)
    return s.select(s.ge(x, 0.0), positive, s.const(NAN, x.dtype))


def _reference(x: Any, order: int) -> Any:
    import scipy.special

    wide = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        found = scipy.special.polygamma(order, np.where(wide >= 0, wide, NAN))
    # SciPy has inf at 0 of either sign
    found = np.where(wide == 0, INF if order % 2 else -INF, found)
    return np.asarray(np.where(wide == INF, 0.0 if order % 2 else -0.0, found)).astype(x.dtype)


def _gradient(g: Variable, y: Variable, x: Variable, order: int) -> list[Variable]:
    return [g * polygamma(order + 1, x)]


def polygamma(order: int, x: Any) -> Variable:
    """The derivative of digamma of this order: 0 is digamma itself, 1 trigamma.

    From order 2 on for x >= 0 alone, NaN below.
    """
    if not isinstance(order, int) or not 0 <= order <= MOST:
        raise unsupported("polygamma", f"order {order!r}", f"orders 0 to {MOST} are there")
    if order < 2:
        return trigamma(x) if order else digamma(x)  # type: ignore[no-any-return]
    return make("polygamma", [x], order=order)


elementwise(
    "polygamma",
    "The derivative of digamma of an order from 2 to 12, for x >= 0; NaN below.",
    takes="floating",
    rule="float",
    reference=_reference,
    options={"order": 2},
    scalar=_polygamma,
    front=polygamma,
    grad=_gradient,
    samples=(reals(0.001, 50, also=(1.0, 0.5, 1e-10, 1e10, 0.0, INF, NAN)),),
    ulp=2.0,
    source="NIST Digital Library of Mathematical Functions 5.15.8, 2.10.1",
)
