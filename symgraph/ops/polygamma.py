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


def _power(s: Any, x: Any, n: int) -> Any:
    """x**n by squaring."""
    found, square = None, x
    while n:
        if n & 1:
            found = square if found is None else s.mul(found, square)
        n >>= 1
        square = s.mul(square, square) if n else square
    return found


def _two_sum(s: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """x + y rounded, and what was rounded off (Knuth)."""
    total = s.add(x, y)
    part = s.sub(total, x)
    return total, s.add(s.sub(x, s.sub(total, part)), s.sub(y, part))


def _tail(s: Any, y: Any, n: int) -> Any:
    """n! times the sum of (y + k)**-(n + 1) for k = 0, 1, ..."""
    v = s.reciprocal(y)
    z = s.mul(v, v)
    total = s.const(0.0, y.dtype)
    for k in range(len(BERNOULLI), 0, -1):
        weight = BERNOULLI[k - 1] * math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        total = s.mul(s.add(total, float(weight)), z)
    total = s.add(total, s.mul(v, math.factorial(n) / 2))
    total = s.add(total, float(math.factorial(n - 1)))
    return s.div(total, _power(s, y, n))


def _polygamma(s: Any, x: Any, *, order: int) -> Any:
    wide = s.cast(x, FLOAT64)
    low = s.lt(wide, float(STEPS))
    raised = s.add(wide, float(STEPS))
    y = s.select(low, raised, wide)
    total = _tail(s, y, order)
    lost = s.sub(wide, s.sub(raised, float(STEPS)))  # of x, in rounding x + STEPS
    rest = s.neg(s.mul(total, s.div(s.mul(lost, float(order)), raised)))
    near = total
    for k in range(STEPS - 1, -1, -1):
        place = s.add(wide, float(k)) if k else wide
        term = s.div(s.const(float(math.factorial(order)), FLOAT64), _power(s, place, order + 1))
        near, error = _two_sum(s, near, term)
        rest = s.add(rest, error)
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
    ulp=8.0,
    source="NIST Digital Library of Mathematical Functions 5.15.8, 2.10.1",
)
