"""Differences of log-gamma and digamma at two points: what rules make of them.

``gammaln_difference(x, h)`` is log(gamma(x + h) / gamma(x)) and ``digamma_difference(x, h)`` its
derivative's, for positive x and x + h. Both go up by the recurrence to where Stirling's series
holds; every term then has the factor h, so that nothing cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.ir.dtype import FLOAT64
from symgraph.ir.variable import Variable
from symgraph.ops.convert import make
from symgraph.ops.kinds import elementwise
from symgraph.ops.samples import reals
from symgraph.ops.special import digamma, trigamma
from symgraph.ops.wide_words import wide

STEPS = 10  # from x = 10 on the seven terms of Stirling's series leave 2e-17
# Bernoulli numbers B(2k) / (2k (2k - 1)) and B(2k) / (2k)
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
DIDONATO = "DiDonato & Morris 1992, ACM Trans. Math. Softw. 18(3), algorithm 708"


def _series_gap(s: Any, x: Any, y: Any, coefficients: tuple[float, ...], first: int) -> Any:
    """(S(y) - S(x)) / (x - y) for S(x) = sum of c[k] x**-(2k + first), without cancellation.

    x**-n - y**-n = (y - x) times the sum of x**-(i + 1) y**-(n - i), i = 0 .. n - 1.
    """
    u, v = s.reciprocal(x), s.reciprocal(y)
    # q[n] = (u**n - v**n) / (u - v), by q[n] = u**(n - 1) + v q[n - 1]
    power, quotient = s.const(1, x.dtype), s.const(0, x.dtype)
    total = s.const(0, x.dtype)
    highest = first + 2 * (len(coefficients) - 1)
    for n in range(1, highest + 1):
        quotient = s.add(power, s.mul(v, quotient))
        power = s.mul(power, u)
        if n >= first and (n - first) % 2 == 0:
            total = s.add(total, s.mul(quotient, coefficients[(n - first) // 2]))
    return s.mul(s.mul(total, u), v)


def _raised(s: Any, x: Any) -> tuple[Any, Any]:
    """x + STEPS where x is below STEPS, and whether it is."""
    low = s.lt(x, float(STEPS))
    return s.add(x, s.select(low, s.const(STEPS, x.dtype), s.const(0, x.dtype))), low


def _gammaln_difference(s: Any, x: Any, h: Any) -> Any:
    """(y - 1/2) log1p(h / y) + h (log(y + h) - 1) + ... - log(product of 1 + h / (x + i)).

    The product less 1 is built up step by step: p + q + p q.
    """
    y, low = _raised(s, x)
    whole = s.add(y, h)
    far = s.mul(s.sub(y, 0.5), s.log1p(s.div(h, y)))
    far = s.add(far, s.mul(h, s.sub(s.log(whole), 1)))
    far = s.sub(far, s.mul(h, _series_gap(s, y, whole, STIRLING, 1)))
    excess = s.const(0, x.dtype)
    for i in range(STEPS):
        step = s.div(h, s.add(x, float(i)))
        excess = s.add(s.add(excess, step), s.mul(excess, step))
    near = s.sub(far, s.log1p(excess))
    return s.select(low, near, far)


def _digamma_difference(s: Any, x: Any, h: Any) -> Any:
    """log1p(h / y) + h / (2 y (y + h)) + ..., plus h / ((x + i) (x + i + h)) for each step."""
    y, low = _raised(s, x)
    whole = s.add(y, h)
    far = s.add(s.log1p(s.div(h, y)), s.mul(s.div(s.div(h, y), whole), 0.5))
    far = s.add(far, s.mul(h, _series_gap(s, y, whole, DIGAMMA, 2)))
    steps = s.const(0, x.dtype)
    for i in range(STEPS):
        place = s.add(x, float(i))
        end = s.add(place, h)  # by the larger first: their product may overflow
        step = s.div(s.div(h, s.maximum(place, end)), s.minimum(place, end))
        steps = s.add(steps, step)
    return s.select(low, s.add(far, steps), far)


def _through_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """In float64, as all gamma functions, and rounded once."""

    def scalar(s: Any, x: Any, h: Any) -> Any:
        return s.cast(function(s, s.cast(x, FLOAT64), s.cast(h, FLOAT64)), x.dtype)

    return scalar


def _gradient_of_gammaln(g: Variable, y: Variable, x: Variable, h: Variable) -> list[Variable]:
    return [g * make("digamma_difference", [x, h]), g * digamma(x + h)]


def _gradient_of_digamma(g: Variable, y: Variable, x: Variable, h: Variable) -> list[Variable]:
    return [g * (trigamma(x + h) - trigamma(x)), g * trigamma(x + h)]


_PLACES = (reals(0.01, 40, also=(1e3, 1e8, 0.5, 1.0)), reals(0.01, 40, also=(10.0, 1e-9, 1e5)))
gammaln_difference = elementwise(
    "gammaln_difference",
    "log(gamma(x + h) / gamma(x)) for positive x and x + h, also where the two cancel.",
    arity=2,
    takes="floating",
    rule="float",
    scalar=_through_double(_gammaln_difference),
    reference=wide(_gammaln_difference),
    grad=_gradient_of_gammaln,
    samples=None,  # it crosses 0 at whole numbers: tested by hand
    ulp=32.0,  # of float64 below 10, where the steps up cancel by a factor of 5; above 6
    source=DIDONATO,
)
digamma_difference = elementwise(
    "digamma_difference",
    "digamma(x + h) - digamma(x) for positive x and x + h, also where the two cancel.",
    arity=2,
    takes="floating",
    rule="float",
    scalar=_through_double(_digamma_difference),
    reference=wide(_digamma_difference),
    grad=_gradient_of_digamma,
    samples=_PLACES,
    ulp=6.0,
    source=DIDONATO,
)
