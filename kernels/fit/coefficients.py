"""Writes symgraph_kernels/coefficients.py: every polynomial of the definitions, from FITS.

Needs mpmath; takes seconds. Run as `python kernels/fit/coefficients.py`; the output is committed,
and changes only if a row does.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import mpmath as mp
import numpy as np
from remez import Number, remez

mp.mp.dps = 50
SMALL = Number("1e-12")
ONE = Number(1)
HALF = ONE / 2
LN2 = mp.log(2)
POSITIVE_ZERO = mp.findroot(mp.digamma, 1.46163)  # of digamma


class Problem(NamedTuple):
    """Fit f on [a, b] by a polynomial of this degree, with this weight on the error."""

    f: Callable[[Number], Number]
    a: Number
    b: Number
    degree: int
    weight: Callable[[Number], Number]


class Fit(NamedTuple):
    """One table. What f is, and where, is the comment above the table."""

    name: str
    comment: str
    wide: Problem
    narrow: Problem | None


def both(name: str, comment: str, f, a, b, degrees: tuple[int, int | None], weight) -> Fit:  # type: ignore[no-untyped-def]
    """The same problem for both float types; float64 alone where the second degree is None."""
    wide, narrow = degrees
    return Fit(
        name,
        comment,
        Problem(f, a, b, wide, weight),
        None if narrow is None else Problem(f, a, b, narrow, weight),
    )


def exp_tail(x: Number) -> Number:
    """(exp(x) - 1 - x - x^2/2) / x^3."""
    return (mp.expm1(x) - x - x * x / 2) / x**3 if x else ONE / 6


def log_series(z: Number, terms: int) -> Number:
    """log((1 + s) / (1 - s)) / s in z = s^2 without its first terms, over z**terms."""
    if z < Number("1e-8"):
        return mp.fsum(2 / (2 * (terms + i) + ONE) * z**i for i in range(7))
    s = mp.sqrt(z)
    head = mp.fsum(2 / (2 * i + ONE) * z**i for i in range(terms))
    return (mp.log((1 + s) / (1 - s)) / s - head) / z**terms


@cache
def scaled_erfc(x: Number) -> Number:
    """exp(x^2) erfc(x)."""
    if x < 200:
        return mp.exp(x * x) * mp.erfc(x)
    total, term = Number(0), ONE
    for i in range(30):
        total += term
        term *= -(2 * i + 1) / (2 * x * x)
    return total / (x * mp.sqrt(mp.pi))


def moebius(k: float) -> Callable[[Number], Number]:
    """t --> x of t = (x - k) / (x + k)."""
    return lambda t: k * (1 + t) / (1 - t)


def tail_problem(share: float, k: float, weight: str, first: str, degree: int) -> Problem:
    """(weight + a) exp(share a^2) f(a) - first in t on 0 <= a <= 40; share 1: erfc, 1/2: ndtr."""
    x_of, scale = moebius(k), mp.sqrt(share)

    def f(t: Number) -> Number:
        return scaled_erfc(x_of(t) * scale) * (x_of(t) + Number(weight)) * share

    end = (Number(40) - k) / (Number(40) + k)
    return Problem(lambda t: f(t) - Number(first), -ONE, end, degree, lambda t: 1 / f(t))


def erfcx_problem(k: float, a: Number, b: Number | None, degree: int) -> Problem:
    """(1 + 2x) exp(x^2) erfc(x) in t, relative; b None: to infinity."""
    x_of = moebius(k)

    def f(t: Number) -> Number:
        if t == 1:
            return 2 / mp.sqrt(mp.pi)
        x = x_of(t)
        return scaled_erfc(x) * (1 + 2 * x)

    end = ONE if b is None else (b - k) / (b + k)
    return Problem(f, (a - k) / (a + k), end, degree, lambda t: 1 / f(t))


def erfcx_slope_problem(k: float, degree: int) -> Problem:
    """-(x + 7/8)^2 erfcx'(x) in t on [0, inf], relative: erfcx' = 2 x erfcx - 2 / sqrt(pi)."""
    x_of = moebius(k)

    def slope(x: Number) -> Number:
        if x < 200:
            with mp.workdps(mp.mp.dps + 10):
                return 2 / mp.sqrt(mp.pi) - 2 * x * mp.exp(x * x) * mp.erfc(x)
        terms = (mp.fac2(2 * n + 1) / (-2 * x * x) ** n for n in range(30))
        return mp.fsum(terms) / (mp.sqrt(mp.pi) * x * x)

    def f(t: Number) -> Number:
        return 1 / mp.sqrt(mp.pi) if t == 1 else slope(x_of(t)) * (x_of(t) + Number("0.875")) ** 2

    return Problem(f, -ONE, ONE, degree, lambda t: 1 / f(t))


def single_tail(name: str, what: str, f: Callable[[Number], Number], end: Number) -> Fit:
    """f(a) (a + 3) for float32, which computes it in float64."""
    a_of = moebius(3)

    def scaled(t: Number) -> Number:
        return f(a_of(t)) * (a_of(t) + 3)

    comment = f"{what}, in t = (a - 3) / (a + 3), relative, for float32 by float64"
    span = -ONE, (end - 3) / (end + 3)
    return Fit(name, comment, Problem(scaled, *span, 10, lambda t: 1 / scaled(t)), None)


@cache
def erfc_inverse(s: Number) -> Number:
    """x with erfc(x) = exp(-s^2), by Newton's method on the logarithms."""
    square = s * s
    x = s * Number("0.9") if s < 2 else mp.sqrt(square - mp.log(s * mp.sqrt(mp.pi)))
    for _ in range(60):
        e = mp.erfc(x)
        step = (mp.log(e) + square) / (-2 / mp.sqrt(mp.pi) * mp.exp(-x * x) / e)
        x -= step
        if abs(step) < Number("1e-45") * abs(x):
            break
    return x


def erfc_inverse_fit(name: str, k: float, a: str, b: str, degree: int) -> Fit:
    x_of = moebius(Number(str(k)))

    def f(t: Number) -> Number:
        s = x_of(t)
        return erfc_inverse(s) / s

    low, high = ((Number(v) - k) / (Number(v) + k) for v in (a, b))
    comment = f"erfcinv(exp(-s^2)) / s in t = (s - {k}) / (s + {k}), {a} <= s <= {b}, relative"
    return Fit(name, comment, Problem(f, low, high, degree, lambda t: 1 / f(t)), None)


def near_zero(f: Callable[[Number], Number], at_zero: Callable[[Number], Number]):  # type: ignore[no-untyped-def]
    """f, but its series where f cancels."""
    return lambda z: f(z) if abs(z) > SMALL else at_zero(z)


def stirling(v: Number) -> Number:
    x = 1 / mp.sqrt(v)
    return (mp.loggamma(x) - (x - HALF) * mp.log(x) + x - mp.log(2 * mp.pi) / 2) * x


def root(f: Callable[[Number], Number]) -> Callable[[Number], Number]:
    """z --> f(sqrt(z)) / sqrt(z)."""
    return lambda z: f(mp.sqrt(z)) / mp.sqrt(z)


REDUCED = LN2 / 2 * Number("1.001")
LOG_END = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * Number("1.002")
EIGHTH = mp.tan(mp.pi / 8) ** 2 * Number("1.001")
QUARTER = (mp.pi / 4 * Number("1.01")) ** 2
FAR_TAIL = ONE / 64  # 1 / x^2 at x = 8
rcbrt = lambda f: (1 + f) ** (-ONE / 3)  # noqa: E731 - rows below name it twice
absolute = lambda z: ONE  # noqa: E731


def _erf_large(t: Number) -> Number:
    return scaled_erfc(moebius(3)(t))


FITS = (
    both(
        "EXP",
        "(exp(r) - 1 - r - r^2/2) / r^3 on |r| <= ln2/2, absolute in exp",
        exp_tail,
        -REDUCED,
        REDUCED,
        (8, 3),
        lambda x: abs(x**3),
    ),
    both(
        "EXPM1",
        "the same, relative in expm1",
        exp_tail,
        -REDUCED,
        REDUCED,
        (9, 4),
        lambda x: abs(x**3 / mp.expm1(x)) if x else Number(0),
    ),
    both(
        "EXP2",
        "(2^r - 1 - r ln2) / r^2 on |r| <= 1/2, absolute in 2^r",
        lambda x: (mp.expm1(x * LN2) - x * LN2) / x**2 if x else LN2**2 / 2,
        -HALF * Number("1.002"),
        HALF * Number("1.002"),
        (9, 4),
        lambda x: x * x,
    ),
    both(
        "LOG",
        "(log((1 + s) / (1 - s)) / s - 2) / s^2 in z = s^2, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)",
        lambda z: log_series(z, 1),
        Number(0),
        LOG_END,
        (6, 2),
        lambda z: z,
    ),
    both(
        "LOG_RATIO",
        "the same for |s| <= 1/5",
        lambda z: log_series(z, 1),
        Number(0),
        ONE / 25,
        (7, 3),
        lambda z: z,
    ),
    both(
        "LOG_THIRD",
        "the same for |s| <= 1/3",
        lambda z: log_series(z, 1),
        Number(0),
        ONE / 9,
        (10, 4),
        lambda z: z,
    ),
    both(
        "LOG_TAIL",
        "the same as LOG without its first term 2/3, over z once more: for pow and gamma",
        lambda z: log_series(z, 2),
        Number(0),
        LOG_END,
        (9, None),
        lambda z: z * z,
    ),
    Fit(
        "ERF_SMALL",
        "erf(x) / x - 1 in z = x^2 on [0, 1], relative in erf",
        *(
            Problem(
                near_zero(
                    lambda z: root(mp.erf)(z) - 1, lambda z: 2 / mp.sqrt(mp.pi) * (1 - z / 3) - 1
                ),
                Number(0),
                ONE,
                degree,
                lambda z: 1 / root(mp.erf)(z) if z else mp.sqrt(mp.pi) / 2,
            )
            for degree in (11, 6)
        ),
    ),
    Fit(
        "ERF_LARGE",
        "float64: exp(x^2) erfc(x) in t = (x - 3) / (x + 3) on [1, 6];"
        " float32: log(erfc(x)) on [1, 4];"
        " absolute in erfc",
        Problem(_erf_large, -HALF, ONE / 3, 14, lambda t: mp.exp(-(moebius(3)(t) ** 2))),
        Problem(lambda x: mp.log(mp.erfc(x)), ONE, Number(4), 7, mp.erfc),
    ),
    Fit(
        "ERFC",
        "(a + 7/8) exp(a^2) erfc(a) - 45/64 in t = (a - 4) / (a + 4), 0 <= a <= 40, relative",
        tail_problem(1, 4, "0.875", "0.703125", 23),
        None,
    ),
    Fit(
        "NDTR",
        "(a + 5/4) exp(a^2/2) ndtr(-a) - 1/2 in t = (a - 6) / (a + 6), 0 <= a <= 40, relative",
        tail_problem(0.5, 6, "1.25", "0.5", 22),
        None,
    ),
    Fit(
        "ERFCX",
        "(1 + 2x) exp(x^2) erfc(x) in t = (x - 4) / (x + 4) on [0, inf], relative",
        erfcx_problem(4, Number(0), None, 25),
        None,
    ),
    Fit(
        "ERFCX_SLOPE",
        "-(x + 7/8)^2 times the derivative of erfcx in t = (x - 4) / (x + 4) on [0, inf], relative",
        erfcx_slope_problem(4, 27),
        None,
    ),
    single_tail(
        "NDTR_SINGLE",
        "exp(a^2 / 2) P(X > a) (a + 3) for a normal X on [0, 14.5]",
        lambda a: scaled_erfc(a / mp.sqrt(2)) / 2,
        Number("14.5"),
    ),
    single_tail(
        "ERFC_SINGLE", "exp(a^2) erfc(a) (a + 3) on [0, 10.2]", scaled_erfc, Number("10.2")
    ),
    both(
        "ERFINV",
        "erfinv(x) / x in z = x^2 on |x| <= 1/2, absolute",
        near_zero(root(mp.erfinv), lambda z: mp.sqrt(mp.pi) / 2 * (1 + mp.pi * z / 12)),
        Number(0),
        ONE / 4,
        (13, None),
        absolute,
    ),
    erfc_inverse_fit("ERFCINV_NEAR", 1.6, "0.8325", "2.25", 17),
    erfc_inverse_fit("ERFCINV_MIDDLE", 3.5, "2.25", "6.5", 18),
    erfc_inverse_fit("ERFCINV_FAR", 11.0, "6.5", "27.31", 19),
    both(
        "SIN",
        "(sin(y) / y - 1) / y^2 in z = y^2, |y| <= 1.01 pi/4",
        near_zero(lambda z: (root(mp.sin)(z) - 1) / z, lambda z: -ONE / 6 + z / 120),
        Number(0),
        QUARTER,
        (5, 2),
        lambda z: z,
    ),
    both(
        "COS",
        "(cos(y) - 1 + y^2/2) / y^4 in z = y^2, |y| <= 1.01 pi/4",
        near_zero(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: ONE / 24 - z / 720),
        Number(0),
        QUARTER,
        (5, 2),
        lambda z: z * z,
    ),
    both(
        "TAN",
        "(tan(y) / y - 1) / y^2 in z = y^2, |y| <= 1.01 pi/4",
        near_zero(lambda z: (root(mp.tan)(z) - 1) / z, lambda z: ONE / 3 + 2 * z / 15),
        Number(0),
        QUARTER,
        (14, 6),
        lambda z: z * mp.sqrt(z) / mp.tan(mp.sqrt(z)) if z else ONE,
    ),
    both(
        "ATAN",
        "(atan(t) / t - 1) / t^2 in z = t^2, |t| <= tan(pi/8)",
        near_zero(lambda z: (root(mp.atan)(z) - 1) / z, lambda z: -ONE / 3 + z / 5),
        Number(0),
        EIGHTH,
        (11, 4),
        lambda z: z,
    ),
    both(
        "ASIN",
        "(asin(x) / x - 1) / x^2 in z = x^2, |x| <= 1/2",
        near_zero(lambda z: (root(mp.asin)(z) - 1) / z, lambda z: ONE / 6 + 3 * z / 40),
        Number(0),
        ONE / 4,
        (12, 5),
        lambda z: z,
    ),
    both(
        "ASINH",
        "(asinh(x) / x - 1) / x^2 in z = x^2, |x| <= 1/2",
        near_zero(lambda z: (root(mp.asinh)(z) - 1) / z, lambda z: -ONE / 6 + 3 * z / 40),
        Number(0),
        ONE / 4,
        (11, 4),
        lambda z: z,
    ),
    both(
        "ACOSH",
        "(acosh(1 + t)^2 / (2 t) - 1) / t on [0, 1/2]",
        near_zero(
            lambda t: (mp.acosh(1 + t) ** 2 / (2 * t) - 1) / t, lambda t: -ONE / 6 + 2 * t / 45
        ),
        Number(0),
        HALF,
        (12, 4),
        lambda t: t,
    ),
    both(
        "ATANH",
        "(atanh(x) / x - 1) / x^2 in z = x^2, |x| <= 1/2",
        near_zero(lambda z: (root(mp.atanh)(z) - 1) / z, lambda z: ONE / 3 + z / 5),
        Number(0),
        ONE / 4,
        (13, 5),
        lambda z: z,
    ),
    both(
        "TANH",
        "(tanh(x) / x - 1) / x^2 in z = x^2, |x| <= 0.6",
        near_zero(lambda z: (root(mp.tanh)(z) - 1) / z, lambda z: -ONE / 3 + 2 * z / 15),
        Number(0),
        Number("0.361"),
        (10, 4),
        lambda z: z,
    ),
    both(
        "RCBRT",
        "((1 - e)^(-1/3) - 1) / e on |e| <= 0.103, relative in the root: the first correction",
        lambda e: (rcbrt(-e) - 1) / e if abs(e) > SMALL else ONE / 3 + 2 * e / 9,
        -Number("0.103"),
        Number("0.103"),
        (3, 2),
        lambda e: abs(e) / rcbrt(-e),
    ),
    both(
        "GAMMALN",
        "gammaln(2 + z) / z on |z| <= 1/2, absolute",
        lambda z: (
            mp.loggamma(2 + z) / z if abs(z) > SMALL else 1 - mp.euler + (mp.zeta(2) - 1) / 2 * z
        ),
        -HALF,
        HALF,
        (19, None),
        absolute,
    ),
    both(
        "RGAMMA",
        "1 / gamma(2 + z) on |z| <= 1/2, relative",
        lambda z: mp.rgamma(2 + z),
        -HALF,
        HALF,
        (16, None),
        lambda z: mp.gamma(2 + z),
    ),
    both(
        "STIRLING",
        "x (gammaln(x) - (x - 1/2) log(x) + x - log(2 pi)/2) in v = 1/x^2, x >= 8,"
        " absolute in gammaln",
        near_zero(stirling, lambda v: ONE / 12 - v / 360),
        Number(0),
        FAR_TAIL,
        (6, None),
        mp.sqrt,
    ),
    both(
        "DIGAMMA",
        "digamma(x) / (x - x0) in z = x - 3/2 on [1, 2], x0 its zero, absolute",
        lambda z: (
            mp.digamma(z + 3 * HALF) / (z + 3 * HALF - POSITIVE_ZERO)
            if abs(z + 3 * HALF - POSITIVE_ZERO) > Number("1e-25")
            else mp.polygamma(1, POSITIVE_ZERO)
        ),
        -HALF,
        HALF,
        (21, None),
        absolute,
    ),
    both(
        "DIGAMMA_TAIL",
        "x^2 (log(x) - 1/(2x) - digamma(x)) in v = 1/x^2, x >= 8, absolute in digamma",
        near_zero(
            lambda v: (-mp.log(v) / 2 - mp.sqrt(v) / 2 - mp.digamma(1 / mp.sqrt(v))) / v,
            lambda v: ONE / 12 - v / 120,
        ),
        Number(0),
        FAR_TAIL,
        (6, None),
        lambda v: v,
    ),
    both(
        "TRIGAMMA_TAIL",
        "x^3 (trigamma(x) - 1/x - 1/(2 x^2)) in v = 1/x^2, x >= 8, relative in trigamma",
        near_zero(
            lambda v: (mp.polygamma(1, 1 / mp.sqrt(v)) - mp.sqrt(v) - v / 2) / v / mp.sqrt(v),
            lambda v: ONE / 6 - v / 30,
        ),
        Number(0),
        FAR_TAIL,
        (7, None),
        lambda v: v,
    ),
)

HEAD = '''"""Minimax coefficients, lowest degree first: made by `kernels/fit/coefficients.py`.

Each comment says what is fitted, where, and in which sense the largest error is meant; then that
error for float64 and float32, before the coefficients were rounded. Tables whose second part is
empty serve float64 only.
"""

from __future__ import annotations

from symgraph_kernels.words import Table

# fmt: off
'''


def table(fit: Fit) -> str:
    """The lines of one table."""
    parts, errors = [], []
    for problem, dtype in ((fit.wide, np.float64), (fit.narrow, np.float32)):
        if problem is None:
            parts.append("    (),")
            continue
        coefficients, error = remez(*problem)
        errors.append(f"2^{float(mp.log(error, 2)):.1f}")
        numbers = [repr(float(dtype(float(c)))) for c in coefficients]
        rows = textwrap.wrap(", ".join(numbers) + ",", 90, break_on_hyphens=False)
        parts += ["    (", *(f"        {row}" for row in rows), "    ),"]
    comment = textwrap.wrap(f"{fit.comment}: {', '.join(errors)}", 96)
    lines = [f"# {line}" for line in comment]
    return "\n".join([*lines, f"{fit.name} = Table(", *parts, ")"]) + "\n"


TARGET = Path(__file__).parents[1] / "symgraph_kernels" / "coefficients.py"


def module() -> str:
    """The text of symgraph_kernels/coefficients.py."""
    return HEAD + "".join(map(table, FITS)) + "# fmt: on\n"


if __name__ == "__main__":
    TARGET.write_text(module())
