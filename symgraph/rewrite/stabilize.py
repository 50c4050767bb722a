"""Naive formulas to forms that neither cancel, nor overflow, nor underflow: rules as patterns.

A row says what a person writes (or what other rows make of it), what to compute instead, and why.
Forms that need a look at the numbers are computed rules in other modules; ``STABILIZE`` at the end
is all of them. Inner parts are rewritten first, so that a row is written over forms that the
others leave: ``log(1 - sigmoid(x))`` needs no row, since ``1 - sigmoid(x)`` has one.
"""

from __future__ import annotations

import math

from symgraph.rewrite.algebra import FACTOR
from symgraph.rewrite.angles import ANGLES
from symgraph.rewrite.asymptotics import ASYMPTOTICS
from symgraph.rewrite.conditions import nonnegative, nonzero, positive
from symgraph.rewrite.gammas import GAMMAS
from symgraph.rewrite.logarithms import LOGS
from symgraph.rewrite.nearby import NEARBY_RULES
from symgraph.rewrite.pattern import holes, ops
from symgraph.rewrite.powers import POWERS
from symgraph.rewrite.quotients import QUOTIENTS
from symgraph.rewrite.roots import ROOT_RULES
from symgraph.rewrite.rule import Rule, rule
from symgraph.rewrite.series import SERIES
from symgraph.rewrite.tails import TAILS
from symgraph.rewrite.weights import WEIGHTS

x, y = holes("x y")
abs_, cos, cosh, erf, erfc, erfcx, exp, expm1, gamma, gammaln, less, log = ops(
    "abs cos cosh erf erfc erfcx exp expm1 gamma gammaln less log"
)
cosm1, log_ndtr, log_near, ndtr = ops("cosm1 log_ndtr log_near ndtr")
log1mexp, log1p, logaddexp, pow_, sigmoid, sign, sin, sinh, softplus, sqrt, tan, tanh, where = ops(
    "log1mexp log1p logaddexp pow sigmoid sign sin sinh softplus sqrt tan tanh where"
)

CANCELS = "a difference of nearly equal numbers keeps few of their digits"
OVERFLOWS = "an intermediate overflows or underflows long before the result does"
INVERSE = "a function undone by its inverse only adds rounding and overflow"
HIGHAM = "Higham 2002, Accuracy and Stability of Numerical Algorithms, 1.7-1.14"
GOLDBERG = "Goldberg 1991, What every computer scientist should know, theorem 4"
MAECHLER = "Maechler 2012, Accurately computing log(1 - exp(-|a|))"
DLMF = "NIST Digital Library of Mathematical Functions"

EXPONENTIALS: tuple[Rule, ...] = (
    rule(exp(x) - 1, expm1(x), why=CANCELS, source=HIGHAM + ", 1.14.1"),
    rule(
        expm1(x) + 1,
        exp(x),
        why="expm1 exists for the subtraction that is undone here",
        source="identity",
    ),
    rule(y * exp(x) - y, y * expm1(x), why=CANCELS, source=HIGHAM),
    rule(exp(x) + exp(-x), 2 * cosh(x), why="one function rounds once", source=DLMF + " 4.28.2"),
    rule(exp(x) - exp(-x), 2 * sinh(x), why=CANCELS, source=DLMF + " 4.28.1"),
    rule(
        exp(x) - exp(y),
        where(less(abs_(x - y), 1), exp(y) * expm1(x - y), exp(x) - exp(y)),
        why=CANCELS + "; only near each other, since expm1 of a large difference overflows",
        source=HIGHAM,
    ),
    rule(exp(log1p(x)), 1 + x, why=INVERSE, source="identity", domain={"x": (-0.9, 9)}),
    rule(exp(log(x)), x, when=nonnegative(x), why=INVERSE, source="identity"),
    rule(
        exp(y * log(x)),
        pow_(x, y),
        when=positive(x),
        why="pow rounds once",
        source="identity",
        domain={"x": (0.1, 9)},
    ),
    rule(expm1(log1p(x)), x, why=INVERSE, source="identity", domain={"x": (-0.9, 9)}),
    rule(expm1(log(x)), x - 1, why=INVERSE, source="identity", domain={"x": (0.1, 9)}),
    rule(exp(-softplus(x)), sigmoid(-x), why=INVERSE, source="definition of softplus"),
)

HYPERBOLIC: tuple[Rule, ...] = (
    rule(cosh(x) - 1, 2 * (sinh(x / 2) * sinh(x / 2)), why=CANCELS, source=DLMF + " 4.35.20"),
    rule(cosh(x) * cosh(x) - 1, sinh(x) * sinh(x), why=CANCELS, source=DLMF + " 4.35.11"),
    rule(
        sinh(x) * sinh(x) + 1,
        cosh(x) * cosh(x),
        why="one function rounds once",
        source=DLMF + " 4.35.11",
    ),
    rule(1 - tanh(x) * tanh(x), 1 / (cosh(x) * cosh(x)), why=CANCELS, source=DLMF + " 4.35.12"),
    rule(1 - tanh(x), 2 * sigmoid(-2 * x), why=CANCELS, source="definition of tanh"),
    rule(1 + tanh(x), 2 * sigmoid(2 * x), why=CANCELS, source="definition of tanh"),
    rule(sinh(x) / cosh(x), tanh(x), why=OVERFLOWS, source=DLMF + " 4.28.4"),
    rule(tanh(x) * cosh(x), sinh(x), why=OVERFLOWS, source=DLMF + " 4.28.4"),
    rule(expm1(x) * sigmoid(-x), tanh(x / 2), why=OVERFLOWS, source=DLMF + " 4.35.22"),
)

TRIGONOMETRIC: tuple[Rule, ...] = (
    rule(1 - cos(x), 2 * (sin(x / 2) * sin(x / 2)), why=CANCELS, source=DLMF + " 4.21.20"),
    rule(1 - cos(x) * cos(x), sin(x) * sin(x), why=CANCELS, source=DLMF + " 4.21.12"),
    rule(1 - sin(x) * sin(x), cos(x) * cos(x), why=CANCELS, source=DLMF + " 4.21.12"),
    rule(
        1 + tan(x) * tan(x),
        1 / (cos(x) * cos(x)),
        why="one function rounds once",
        source=DLMF + " 4.21.13",
    ),
    rule(sin(x) / cos(x), tan(x), why="one function rounds once", source=DLMF + " 4.14.4"),
    rule(tan(x) * cos(x), sin(x), why="one function rounds once", source=DLMF + " 4.14.4"),
    rule(
        sin(x) / tan(x),
        cos(x),
        why="one function rounds once",
        source=DLMF + " 4.14.4",
        domain={"x": (0.1, 1.5)},
    ),
)

SIGNS: tuple[Rule, ...] = (
    rule(abs_(x) * sign(x), x, why="a size with its sign is the number", source="definition"),
    rule(x * sign(x), abs_(x), why="one op instead of two", source="definition"),
    rule(x / abs_(x), sign(x), when=nonzero(x), why="one op instead of two", source="definition"),
)

SIGMOIDS: tuple[Rule, ...] = (
    rule(1 / (1 + exp(-x)), sigmoid(x), why=OVERFLOWS, source="definition of sigmoid"),
    rule(exp(x) * sigmoid(-x), sigmoid(x), why=OVERFLOWS, source="definition of sigmoid"),
    rule(
        sigmoid(x) / sigmoid(-x),
        exp(x),
        why=OVERFLOWS,
        source="definition of sigmoid",
        domain={"x": (-30, 30)},
    ),
    rule(1 - sigmoid(x), sigmoid(-x), why=CANCELS, source="definition of sigmoid"),
    rule(1 - 2 * sigmoid(x), -tanh(x / 2), why=CANCELS, source="definition of tanh"),
    rule(sigmoid(log(x)), x / (1 + x), why=INVERSE, source="identity", domain={"x": (0.1, 9)}),
    rule(log(sigmoid(x)), -softplus(-x), why="sigmoid underflows below x = -745", source=MAECHLER),
    rule(log1p(-sigmoid(x)), -softplus(x), why="sigmoid rounds to 1 above x = 37", source=MAECHLER),
    rule(log1p(exp(x)), softplus(x), why="exp overflows above x = 709", source=MAECHLER),
    rule(logaddexp(x, 0), softplus(x), why="one branch less", source="identity"),
    rule(softplus(x) - x, softplus(-x), why=CANCELS, source="identity"),
    rule(softplus(x) - softplus(-x), x, why=CANCELS, source="identity"),
    rule(softplus(log(x)), log1p(x), why=INVERSE, source="identity", domain={"x": (0.1, 9)}),
)

LOGARITHMS: tuple[Rule, ...] = (
    rule(log(exp(x)), x, why=INVERSE, source="identity"),
    rule(
        log(1 + x),
        log1p(x),
        why="1 + x drops x below eps",
        source=GOLDBERG,
        domain={"x": (-0.9, 9)},
    ),
    rule(
        log1p(x - 1),
        log(x),
        why="x - 1 is exact only near 1, and log needs no subtraction",
        source="identity",
        domain={"x": (0.1, 9)},
    ),
    rule(log1p(expm1(x)), x, why=INVERSE, source="identity"),
    rule(
        log1p(-exp(x)),
        log1mexp(x),
        why="cancels for x near 0, loses all for x near 0",
        source=MAECHLER,
        domain={"x": (-40, -1e-9)},
    ),
    rule(
        log(-expm1(x)),
        log1mexp(x),
        why="expm1 rounds to -1 below x = -37",
        source=MAECHLER,
        domain={"x": (-40, -1e-9)},
    ),
    rule(
        log(expm1(x)),
        where(less(1, x), x + log1mexp(-x), log(expm1(x))),
        why="expm1 overflows above x = 709",
        source=MAECHLER,
        domain={"x": (0.01, 40)},
    ),
    rule(
        log(sqrt(x)), log(x) / 2, why="a rounding less", source="identity", domain={"x": (0.1, 9)}
    ),
    rule(
        log(gamma(x)),
        gammaln(x),
        why="gamma overflows above x = 171",
        source=DLMF + " 5.11",
        domain={"x": (0.1, 30)},
    ),
    rule(
        log(abs_(gamma(x))),
        gammaln(x),
        why="gamma overflows above x = 171",
        source=DLMF + " 5.11",
        domain={"x": (0.1, 30)},
    ),
    rule(
        log(pow_(x, y)),
        y * log(x),
        when=positive(x),
        why="x ** y overflows or underflows",
        source="identity",
    ),
    rule(
        log(cosh(x)),
        where(
            less(abs_(x), 1),
            log1p(2 * (sinh(x / 2) * sinh(x / 2))),
            logaddexp(x, -x) - math.log(2),
        ),
        why="cosh overflows above |x| = 710, and is 1 + x*x/2 near 0",
        source=HIGHAM,
    ),
    rule(
        log(cos(x)),
        log_near(cos(x), cosm1(x)),
        why="cos is near 1 for small x",
        source=GOLDBERG,
        domain={"x": (-1.5, 1.5)},
    ),
    rule(
        log(sinh(x)),
        where(less(x, 1), log(sinh(x)), x + log1mexp(-2 * x) - math.log(2)),
        why="sinh overflows above x = 710",
        source=HIGHAM,
        domain={"x": (0.01, 40)},
    ),
)

ERRORS: tuple[Rule, ...] = (
    rule(1 - erf(x), erfc(x), why=CANCELS, source=DLMF + " 7.2.2"),
    rule(1 + erf(x), erfc(-x), why=CANCELS, source=DLMF + " 7.2.2"),
    rule(1 - erfc(x), erf(x), why=CANCELS, source=DLMF + " 7.2.2"),
    rule(1 - ndtr(x), ndtr(-x), why=CANCELS, source=DLMF + " 7.18.1"),
    rule(
        1 - 2 * ndtr(x),
        erf(x * -math.sqrt(0.5)),
        why=CANCELS,
        source=DLMF + " 7.18.1",
    ),
    rule(
        log(ndtr(x)),
        log_ndtr(x),
        why="ndtr underflows below x = -38, and is near 1 on the right",
        source=DLMF + " 7.12.1",
    ),
    rule(
        log1p(-ndtr(x)),
        log_ndtr(-x),
        why="ndtr underflows below x = -38, and is near 1 on the right",
        source=DLMF + " 7.12.1",
    ),
    rule(2 - erfc(x), erfc(-x), why=CANCELS, source=DLMF + " 7.4.2"),
    rule(erfc(x) * exp(x * x), erfcx(x), why="0 * inf for large x", source=DLMF + " 7.2.3"),
    rule(
        erfcx(x) * exp(-(x * x)), erfc(x), why="inf * 0 for x far below 0", source=DLMF + " 7.2.3"
    ),
    rule(
        exp(-(x * x)) / erfc(x),
        where(less(x, 0), exp(-(x * x)) / erfc(x), 1 / erfcx(x)),
        why="0 / 0 for large x; far below 0 it is erfcx that overflows",
        source=DLMF + " 7.2.3",
    ),
    rule(
        log(erfc(x)),
        where(less(x, 0.25), log1p(-erf(x)), log(erfcx(x)) - x * x),
        why="erfc underflows above x = 26.5, and is near 1 for small x",
        source=DLMF + " 7.12.1",
    ),
    rule(
        log(erfc(x) / 2),
        where(less(x, 0), log1p(erfc(-x) / -2), log(erfcx(x) / 2) - x * x),
        why="erfc underflows above x = 26.5; erfc(x) / 2 is near 1 far below 0",
        source=DLMF + " 7.12.1",
    ),
)

STABILIZE: tuple[Rule, ...] = (
    *EXPONENTIALS,
    *HYPERBOLIC,
    *TRIGONOMETRIC,
    *SIGNS,
    *SIGMOIDS,
    *LOGARITHMS,
    *ERRORS,
    *QUOTIENTS,
    *TAILS,
    *GAMMAS,
    *POWERS,
    *LOGS,
    *ANGLES,
    *NEARBY_RULES,
    *ROOT_RULES,
    *WEIGHTS,
    *FACTOR,
    *SERIES,
    *ASYMPTOTICS,
)
