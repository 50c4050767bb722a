"""Error and gamma functions and what is made of them: one row each.

SciPy gives the references; it is imported when one is evaluated, never at import.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.ir.dtype import FLOAT64
from symgraph.ir.op import Op, find_op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, make
from symgraph.ops.kinds import elementwise
from symgraph.ops.math import exp, in_double, log, log1p
from symgraph.ops.near_roots import near_root
from symgraph.ops.samples import INF, NAN, SPECIALS, reals
from symgraph.ops.signs import where

SCIPY = "SciPy 1.13 reference"
ROOT_HALF_REST = -4.833646656726457e-17  # sqrt(1/2) less its float64
ROOT_HALF, ROOT_PI, ROOT_TAU = math.sqrt(0.5), math.sqrt(math.pi), math.sqrt(2 * math.pi)


def _scipy(name: str, *before: Any) -> Callable[..., Any]:
    """A function of SciPy, imported when first used; ``before`` are its first arguments."""

    def evaluate(*xs: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*before, *xs)

    return evaluate


def _function(name: str, doc: str, reference: Callable[..., Any], **row: Any) -> Op:
    """A row of one floating argument that is a word of the loop IR, unless told otherwise."""
    row = {"source": SCIPY} | row
    if "scalar" not in row and "expand" not in row:
        row["word"] = name
    return elementwise(
        name, doc, takes="floating", rule="float", reference=in_double(reference), **row
    )


# Error functions ------------------------------------------------------------------------------

erf = _function(
    "erf",
    "2 / sqrt(pi) * integral of exp(-t**2) from 0 to x.",
    _scipy("erf"),
    grad=lambda g, y, x: [g * (2 / ROOT_PI * exp(-(x * x)))],
    samples=(reals(-6, 6, also=(*SPECIALS, 1e-20)),),
    ulp=3.0,
)


def _scipy_erfc(x: Any) -> Any:
    """In its tail from erfcx: that of SciPy loses what is rounded of x**2, 500 ulp at 24."""
    import scipy.special

    far = np.clip(x, 1, 30)
    near = far.astype(np.float32).astype(far.dtype)  # its square is exact
    tail = scipy.special.erfcx(far) * np.exp(-near * near) * np.exp((near - far) * (near + far))
    return np.where(np.less(x, 1), scipy.special.erfc(x), tail)


erfc = _function(
    "erfc",
    "1 - erf(x), accurate in its tail too.",
    _scipy_erfc,
    grad=lambda g, y, x: [g * (-2 / ROOT_PI * exp(-(x * x)))],
    samples=(reals(-6, 9, also=(*SPECIALS, 1e-20, 26.0)),),
    ulp=6.0,
)


def _erfcx_slope_gradient(g: Variable, y: Variable, x: Variable) -> list[Variable]:
    """2 erfcx(x) + 2 x erfcx'(x); for large x, where that cancels, its asymptotic series."""
    far = x > 12.0
    large = where(far, x, 12.0)
    step, series = 0.5 / (large * large), 1.0
    for n in range(10, 0, -1):
        series = 1.0 - (2 * n + 1) * (n + 1) / n * step * series
    tail = series * (2 / ROOT_PI) / large / large / large
    return [g * where(far, tail, 2.0 * erfcx(x) + 2.0 * x * y)]


erfcx_slope = _function(
    "erfcx_slope",
    "The derivative of erfcx, 2 x erfcx(x) - 2 / sqrt(pi), also where that cancels.",
    lambda x: _scipy_slope(x),
    grad=_erfcx_slope_gradient,
    samples=None,  # no reference is as good: tests/ops/test_slopes.py has it
    ulp=4.0,
    source="Shepherd & Laframboise 1981, Math. Comp. 36",
)


def _scipy_slope(x: Any) -> Any:
    """By the derivative as it stands, and its asymptotic series from 6 on."""
    import scipy.special

    v = 1 / np.square(np.maximum(x, 6)) / 2
    terms: Any = sum((-v) ** n * math.prod(range(1, 2 * n + 2, 2)) for n in range(20))
    return np.where(x < 6, 2 * x * scipy.special.erfcx(x) - 2 / ROOT_PI, -2 * v * terms / ROOT_PI)


erfcx: Op = _function(
    "erfcx",
    "exp(x**2) * erfc(x), without overflow for positive x.",
    _scipy("erfcx"),
    grad=lambda g, y, x: [g * erfcx_slope(x)],
    samples=(reals(-5, 30, also=(0.0, 1e-20, 1e5, -30.0, INF, -INF, NAN)),),
    ulp=4.0,
)


def _quantile_slope(scale: float, y: Variable, tail: Variable) -> Variable:
    """scale * exp(y**2), where erfc(|y|) is the tail: the error of y does not grow with y**2.

    exp(y**2) = erfcx(|y|) / erfc(|y|).
    """
    slope = scale * erfcx(find_op("abs")(y)) / where(tail > 0.0, tail, 1.0)
    edge = where(find_op("equal")(tail, 0.0), asarray(INF, y.dtype), NAN)
    return where(tail > 0.0, slope, edge)


def _minimum(x: Variable, y: Variable) -> Variable:
    return find_op("minimum")(x, y)  # type: ignore[no-any-return]


erfinv = _function(
    "erfinv",
    "The inverse of erf: infinite at 1 and -1, NaN beyond.",
    _scipy("erfinv"),
    grad=lambda g, y, x: [g * _quantile_slope(ROOT_PI / 2, y, 1.0 - find_op("abs")(x))],
    samples=(reals(-1, 1, also=(0.0, -0.0, 1.0, -1.0, 1e-20, 0.999999, 1.5, NAN)),),
    ulp=8.0,
)


def _erfcinv_reference(x: Any) -> Any:
    import scipy.special

    return scipy.special.erfcinv(x)


def _erfcinv(x: Variable) -> Variable:
    """ndtri(x / 2) / -sqrt(2), and erfinv(1 - x) where that difference is exact."""
    tail = find_op("ndtri")(0.5 * x)
    rest = where(find_op("isfinite")(tail), tail * -ROOT_HALF_REST, 0.0)
    tail = make("fma", [tail, asarray(-ROOT_HALF, x.dtype), rest])
    return where((x >= 0.5) & (x <= 1.5), erfinv(1.0 - x), tail)


erfcinv = _function(
    "erfcinv",
    "The inverse of erfc: inf at 0, -inf at 2, NaN outside.",
    _erfcinv_reference,
    expand=_erfcinv,
    samples=(reals(0, 2, also=(0.0, 1.0, 2.0, 1e-100, 1.5, -1.0, NAN)),),
    ulp=8.0,
)


def _ndtr_reference(x: Any) -> Any:
    """By erfcx in the tail: SciPy rounds x * sqrt(0.5), which x**2 magnifies."""
    import scipy.special

    low = np.maximum(np.minimum(x, -1.0), -1e4)
    density = np.exp(-np.square(low.astype("longdouble")) / 2)
    tail = scipy.special.erfcx(low * -ROOT_HALF) / 2 * density
    return np.where(x < -1, tail.astype("float64"), scipy.special.ndtr(x))


def _log_ndtr_reference(x: Any) -> Any:
    import scipy.special

    low = np.minimum(x, -1.0).astype("longdouble")
    tail = np.log(scipy.special.erfcx((low * -ROOT_HALF).astype("float64")) / 2) - low * low / 2
    tail = np.where(np.isinf(low), low, tail)
    high = np.log1p(-_ndtr_reference(-np.maximum(x, -1.0)))
    return np.where(x < -1, tail.astype("float64"), high)


def _log_ndtr_gradient(g: Variable, y: Variable, x: Variable) -> list[Variable]:
    """The density over ndtr, by erfcx on the left, where both underflow."""
    left = x < 0.0
    density = make("exp_product", [x, x * -0.5]) * (1 / ROOT_TAU)
    tail = math.sqrt(2 / math.pi) / erfcx(where(left, x, 0.0) * -ROOT_HALF)
    return [g * where(left, tail, density / ndtr(where(left, 0.0, x)))]


ndtr: Op = _function(
    "ndtr",
    "The normal distribution function, erfc(-x / sqrt(2)) / 2.",
    _ndtr_reference,
    grad=lambda g, y, x: [g * (make("exp_product", [x, x * -0.5]) * (1 / ROOT_TAU))],
    samples=(reals(-6, 6, also=(*SPECIALS, 1e-20, -38.0)),),
    ulp=4.0,
)
log_ndtr = _function(
    "log_ndtr",
    "log(ndtr(x)), without underflow.",
    _log_ndtr_reference,
    grad=_log_ndtr_gradient,
    samples=(reals(-40, 6, also=(0.0, -1.0, -1e5, INF, NAN)),),
    ulp=4.0,
)
ndtri = _function(
    "ndtri",
    "The normal quantile, the inverse of ndtr: -inf at 0, inf at 1, NaN outside.",
    _scipy("ndtri"),
    grad=lambda g, y, x: [
        g * _quantile_slope(math.sqrt(math.pi / 2), y * ROOT_HALF, _minimum(x, 1.0 - x))
    ],
    samples=(reals(0, 1, also=(0.0, 0.5, 1.0, 1e-100, 0.999999, -1.0, 2.0, NAN)),),
    ulp=8.0,
)

# Gamma functions ------------------------------------------------------------------------------


def _gamma_reference(x: Any) -> Any:
    import scipy.special

    return np.where((x < 0) & (np.floor(x) == x), NAN, scipy.special.gamma(x))


gamma = _function(
    "gamma",
    "The gamma function: (x - 1)! for whole x. Signed inf at signed 0, NaN at negative integers.",
    _gamma_reference,
    grad=lambda g, y, x: [g * (y * digamma(x))],
    samples=(reals(0, 20, also=(0.0, -0.0, 1.0, 0.5, 170.0, -0.5, -3.0, INF, NAN)),),
    ulp=8.0,
)


def _gammaln(s: Any, x: Any) -> Any:
    """In double-double near its zeros, two between negative integers from -2 to -17.

    Elsewhere the error is below 1e-16; further out no float is near a zero.
    """
    found = s.gammaln(x)
    if x.dtype != FLOAT64:  # float32 is computed in float64
        return found
    crossed = s.and_(s.lt(x, -2), s.gt(x, -20))
    least = s.select(crossed, s.const(0.1, FLOAT64), s.const(0, FLOAT64))
    return near_root(s, found, least, _slow_gammaln, x)


def _digamma(s: Any, x: Any) -> Any:
    """In double-double near its zeros below 0, one between two integers.

    Elsewhere the error is below 1e-16 for x > -3, 4e-16 beyond, where a fraction is summed up.
    """
    found = s.digamma(x)
    if x.dtype != FLOAT64:
        return found
    least = s.select(s.lt(x, -3), s.const(1.0, FLOAT64), s.const(0.05, FLOAT64))
    least = s.select(s.lt(x, 0), least, s.const(0, FLOAT64))
    return near_root(s, found, least, _slow_digamma, x)


def _slow_gammaln(x: Variable) -> Variable:
    return gammaln(x)  # type: ignore[no-any-return]


def _slow_digamma(x: Variable) -> Variable:
    return digamma(x)  # type: ignore[no-any-return]


gammaln: Op = _function(
    "gammaln",
    "log(|gamma(x)|): inf at 0 and at negative integers.",
    _scipy("gammaln"),
    scalar=_gammaln,
    grad=lambda g, y, x: [g * digamma(x)],
    samples=(reals(0, 50, also=(0.0, 1.0, 2.0, 0.5, 1e-300, 1e300, -0.5, -3.0, INF, NAN)),),
    ulp=8.0,
)
digamma: Op = _function(
    "digamma",
    "The derivative of log(gamma(x)). NaN at negative integers.",
    _scipy("digamma"),
    scalar=_digamma,
    grad=lambda g, y, x: [g * trigamma(x)],
    samples=(reals(0, 50, also=(1.0, 0.5, 1e-10, 1e10, -0.5, INF, NAN)),),
    ulp=16.0,
    numpy=("psi",),
)
trigamma: Op = _function(
    "trigamma",
    "The second derivative of log(gamma(x)).",
    _scipy("polygamma", 1),
    grad=lambda g, y, x: [g * make("polygamma", [x], order=2)],
    samples=(reals(0, 50, also=(1.0, 0.5, 1e-10, 1e10, INF, NAN)),),
    ulp=16.0,
)


# Stirling's series of log(gamma(x)) beyond (x - 1/2) log x - x + log(2 pi) / 2, in 1 / x**2:
# B(2k) / (2k (2k - 1)). From x = 10 on these seven terms leave 2e-17.
LARGE = 1e5
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def _stirling(s: Any, x: Any) -> Any:
    inverse = s.reciprocal(x)
    step, total = s.mul(inverse, inverse), s.const(0, x.dtype)
    for coefficient in reversed(STIRLING):
        total = s.add(s.mul(total, step), coefficient)
    return s.mul(total, inverse)


MIDDLE, FEW = 3, 30  # p from, q below: one logarithm of gammas, since two of them cancel
SPREAD = 7 / 3  # terms this much larger than their sum leave 2 ulp of it


def _lbeta(s: Any, x: Any, y: Any) -> Any:
    """By the smaller p and the larger q, in float64; again in double-double where terms cancel."""
    p, q = (s.cast(f(x, y), FLOAT64) for f in (s.minimum, s.maximum))
    log_gamma = s.gammaln(p)
    is_middle = s.and_(s.and_(s.ge(p, MIDDLE), s.lt(p, 10)), s.lt(q, FEW))
    found = _lbeta_by_size(s, p, q, log_gamma, is_middle)
    terms = s.add(s.abs(log_gamma), s.abs(s.sub(found, log_gamma)))
    largest = s.maximum(s.mul(terms, 1 / SPREAD), 1.0)
    is_sure = s.or_(s.ge(p, 10), is_middle)
    found = near_root(
        s, found, s.select(is_sure, s.const(0, FLOAT64), largest), _lbeta_formula, p, q
    )
    return s.cast(s.select(s.eq(p, 0), s.const(INF, FLOAT64), found), x.dtype)


def _lbeta_by_size(s: Any, p: Any, q: Any, log_gamma: Any, is_middle: Any) -> Any:
    """Three cases: neither, only q, or both are above 10."""
    whole = s.add(p, q)
    share = s.div(p, whole)
    rest = s.log1p(s.neg(share))
    corrections = s.sub(_stirling(s, q), _stirling(s, whole))
    both = s.add(s.add(corrections, _stirling(s, p)), math.log(ROOT_TAU))
    both = s.fma(s.log(q), s.const(-0.5, FLOAT64), both)
    both = s.fma(s.sub(p, 0.5), s.log(share), s.fma(q, rest, both))
    one = s.fma(p, s.sub(1, s.log(whole)), s.add(log_gamma, corrections))
    one = s.fma(s.sub(q, 0.5), rest, one)
    above = s.mul(s.gamma(q), s.select(is_middle, s.gamma(p), s.const(1, FLOAT64)))
    none = s.log_quotient(above, s.gamma(whole))
    lost = s.sub(s.sub(whole, q), p)  # by which the whole is rounded up: times digamma
    none = s.add(none, s.mul(lost, s.sub(s.log(whole), s.div(0.5, whole))))
    none = s.add(s.select(is_middle, s.const(0, FLOAT64), log_gamma), none)
    is_far = s.and_(s.ge(q, 10), s.not_(is_middle))
    return s.select(s.ge(p, 10), both, s.select(is_far, one, none))


def _lbeta_formula(p: Variable, q: Variable) -> Variable:
    """By its definition; for large q with Stirling's series, where nothing of its size cancels."""
    whole = p + q
    large = where(q > LARGE, q, LARGE)
    more = p + large
    far: Variable = p * (1.0 - log(more)) + (large - 0.5) * log1p(-(p / more))
    far = far + (_stirling_series(large) - _stirling_series(more))
    near = gammaln(q) - gammaln(whole)
    return gammaln(p) + where(q > LARGE, far, near)  # type: ignore[no-any-return]


def _stirling_series(x: Variable) -> Variable:
    """To the third term: from x = LARGE on it is right to 1e-23."""
    inverse = 1.0 / x
    step = inverse * inverse
    found: Variable = inverse * (1.0 / 12.0 + step * (step * (1.0 / 1260.0) - 1.0 / 360.0))
    return found


def _lbeta_reference(x: Any, y: Any) -> Any:
    """SciPy's betaln, but by Stirling's series from 10 on, where SciPy loses up to 1e4 ulp."""
    import scipy.special

    p, q = np.minimum(x, y), np.maximum(x, y)
    share, high = p / (p + q), np.maximum(q, 10)

    def stirling(z: Any) -> Any:
        return sum(c * z ** -(2.0 * k + 1) for k, c in enumerate(STIRLING))

    rest, correction = np.log1p(-share), stirling(high) - stirling(p + high)
    one = scipy.special.gammaln(p) + correction + p * (1 - np.log(p + q)) + (q - 0.5) * rest
    both = (p - 0.5) * np.log(share) + q * rest + correction + stirling(np.maximum(p, 10))
    both = both - np.log(q) / 2 + np.log(ROOT_TAU)
    return np.where(q < 10, scipy.special.betaln(p, q), np.where(p < 10, one, both))


def _lbeta_gradient(g: Variable, z: Variable, x: Variable, y: Variable) -> list[Variable]:
    """digamma(x) - digamma(x + y), where the two may cancel."""
    return [-g * make("digamma_difference", [x, y]), -g * make("digamma_difference", [y, x])]


lbeta = elementwise(
    "lbeta",
    "log(gamma(x) * gamma(y) / gamma(x + y)) for positive x and y, also where the three cancel; "
    "inf where one is 0.",
    arity=2,
    takes="floating",
    rule="float",
    scalar=_lbeta,
    reference=in_double(_lbeta_reference),
    grad=_lbeta_gradient,
    properties=frozenset(("commutative",)),
    samples=(reals(0.01, 40, also=(1e3, 1e8, 0.5, 1.0)), reals(0.01, 40, also=(10.0, 3.0, 1e5))),
    ulp=4.0,
    source="DiDonato & Morris 1992, ACM Trans. Math. Softw. 18(3), algorithm 708",
)
