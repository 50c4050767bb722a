"""Formulas of rows of a few numbers, and of constants that are rounded; see ``formulas.py``."""

from __future__ import annotations

from typing import Any

from .formulas import F, Formula, cdf
from .sampling import floats, logits, near, simplex, uniform


def _density(f: F, x: Any) -> Any:
    return f.exp(-x * x / 2) / f.sqrt(2 * f.pi)


def _hazard(f: F, a: Any) -> Any:
    return _density(f, a) / (1 - cdf(f, a))


CLOSE = near(1e-3, 1e3, 4)

ROWS = (
    Formula(
        "covariance",
        lambda f, x, y: f.mean(x * y) - f.mean(x) * f.mean(y),
        {"x": CLOSE, "y": CLOSE},
    ),
    Formula("variance_by_sums", lambda f, x: (f.sum(x * x) - f.sum(x) ** 2 / 4) / 3, {"x": CLOSE}),
    Formula(
        "skewness",
        lambda f, x: f.sum((x - f.mean(x)) ** 3) / f.sum((x - f.mean(x)) ** 2),
        {"x": CLOSE},
    ),
    Formula("gini_impurity", lambda f, p: 1 - f.sum(p * p), {"p": simplex(4)}),
    Formula(
        "tsallis",
        lambda f, p, a: (1 - f.sum(p**a)) / (a - 1),
        {"p": simplex(4), "a": uniform(1.001, 5)},
    ),
    Formula(
        "renyi",
        lambda f, p, a: f.log(f.sum(p**a)) / (1 - a),
        {"p": simplex(4), "a": uniform(0.1, 0.999)},
    ),
    Formula(
        "alpha_divergence",
        lambda f, p, q, a: (1 - f.sum(p**a * q ** (1 - a))) / (a * (1 - a)),
        {"p": simplex(3), "q": simplex(3), "a": uniform(0.05, 0.95)},
    ),
    Formula(
        "collisions",
        lambda f, x: f.sum((f.exp(x) / f.sum(f.exp(x))) ** 2),
        {"x": logits(4)},
    ),
    Formula(
        "weighted_logsumexp",
        lambda f, x, w: f.log(f.sum(w * f.exp(x)) / f.sum(w)),
        {"x": logits(4), "w": floats(1e-9, 1e9, 4)},
    ),
    Formula(
        "log_cosh_by_softplus",
        lambda f, x: abs(x) + f.log(1 + f.exp(-2 * abs(x))) - f.log(2.0),
        {"x": floats(1e-3, 300)},
    ),
    Formula(
        "truncated_variance",
        lambda f, a: 1 + a * _hazard(f, a) - _hazard(f, a) ** 2,
        {"a": uniform(-6, 6)},
    ),
    Formula(
        "expected_improvement",
        lambda f, m, s: m * cdf(f, m / s) + s * _density(f, m / s),
        {"m": uniform(-10, 10), "s": floats(0.3, 30)},
    ),
)
