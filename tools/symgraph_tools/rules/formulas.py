"""Formulas as people write them, in no suite that rules were made for: what accuracy is worth.

A row is a name, the formula as a function of a namespace ``f`` and its arguments, and where each
argument is drawn from (``sampling.py``). They are from textbooks of statistics, learning, physics,
geometry, finance and numerical analysis (Hamming 1987; Higham 2002; Bishop 2006; Goldstein 2001).
A vector argument is a row of numbers, and sums are over the last axis, which they keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .sampling import Domain, count, floats, logits, near, prob, simplex, uniform, wide

F = Any  # a namespace: symgraph's functions, or mpmath's on arrays
REAL = wide(1e100)
SIZE = floats(1e-100, 1e100)
LOGIT, LIGHT = uniform(-700, 700), floats(1e-12, 0.999999)


class Formula(NamedTuple):
    """One row."""

    name: str
    of: Callable[..., Any]
    domains: Mapping[str, Domain]


def _sigmoid(f: F, x: Any) -> Any:
    return 1 / (1 + f.exp(-x))


def _phi(f: F, x: Any) -> Any:
    return f.exp(-x * x / 2) / f.sqrt(2 * f.pi)


def cdf(f: F, x: Any) -> Any:
    """The normal distribution function."""
    return 0.5 * (1 + f.erf(x / f.sqrt(2.0)))


def _betaln(f: F, a: Any, b: Any) -> Any:
    return f.gammaln(a) + f.gammaln(b) - f.gammaln(a + b)


def _softmax(f: F, x: Any) -> Any:
    return f.exp(x) / f.sum(f.exp(x))


def _js(f: F, p: Any, q: Any) -> Any:
    m = (p + q) / 2
    return 0.5 * f.sum(p * f.log(p / m)) + 0.5 * f.sum(q * f.log(q / m))


ACTIVATIONS = (
    Formula("swish", lambda f, x: x / (1 + f.exp(-x)), {"x": LOGIT}),
    Formula("mish", lambda f, x: x * f.tanh(f.log(1 + f.exp(x))), {"x": uniform(-600, 600)}),
    Formula("gelu", lambda f, x: 0.5 * x * (1 + f.erf(x / f.sqrt(2.0))), {"x": uniform(-36, 36)}),
    Formula(
        "gelu_by_tanh",
        lambda f, x: 0.5 * x * (1 + f.tanh(0.75 * (x + 0.0625 * x**3))),
        {"x": uniform(-18, 18)},
    ),
    Formula(
        "softplus_sharp",
        lambda f, x, b: f.log(1 + f.exp(b * x)) / b,
        {"x": uniform(-300, 300), "b": floats(0.01, 100)},
    ),
    Formula("celu_left", lambda f, x, a: a * (f.exp(x / a) - 1), {"x": LOGIT, "a": floats(1, 9)}),
    Formula("squareplus", lambda f, x, b: (x + f.sqrt(x * x + b)) / 2, {"x": REAL, "b": SIZE}),
    Formula("softsign", lambda f, x: x / (1 + abs(x)), {"x": REAL}),
    Formula(
        "swish_slope",
        lambda f, x: _sigmoid(f, x) * (1 + x * (1 - _sigmoid(f, x))),
        {"x": uniform(-300, 300)},
    ),
    Formula("tanh_shrink", lambda f, x: x - f.tanh(x), {"x": uniform(-300, 300)}),
    Formula(
        "logistic_step",
        lambda f, x, h: _sigmoid(f, x + h) - _sigmoid(f, x),
        {"x": uniform(-300, 300), "h": floats(1e-9, 10)},
    ),
    Formula("hard_mish", lambda f, x: f.log((1 + f.exp(x)) / (1 + f.exp(-x))), {"x": LOGIT}),
)

LOSSES = (
    Formula(
        "bce_of_probability",
        lambda f, p, y: -(y * f.log(p) + (1 - y) * f.log(1 - p)),
        {"p": prob(), "y": prob()},
    ),
    Formula(
        "bce_smoothed",
        lambda f, x, y: -(y * f.log(_sigmoid(f, x)) + (1 - y) * f.log(1 - _sigmoid(f, x))),
        {"x": LOGIT, "y": prob()},
    ),
    Formula(
        "focal_negative",
        lambda f, x: -(_sigmoid(f, x) ** 2) * f.log(1 - _sigmoid(f, x)),
        {"x": uniform(-300, 300)},
    ),
    Formula("margin", lambda f, x, y: f.log(1 + f.exp(-y * x)), {"x": LOGIT, "y": uniform(-1, 1)}),
    Formula("log_cosh_loss", lambda f, x: f.log((f.exp(x) + f.exp(-x)) / 2), {"x": LOGIT}),
    Formula("charbonnier", lambda f, x, e: f.sqrt(x * x + e * e) - e, {"x": REAL, "e": SIZE}),
    Formula(
        "huber_pseudo",
        lambda f, x, d: d * d * (f.sqrt(1 + (x / d) ** 2) - 1),
        {"x": wide(1e60), "d": floats(1e-60, 1e60)},
    ),
    Formula("cauchy_loss", lambda f, x, c: f.log(1 + (x / c) ** 2), {"x": REAL, "c": SIZE}),
    Formula(
        "welsch",
        lambda f, x, c: 1 - f.exp(-((x / c) ** 2)),
        {"x": wide(1e9), "c": floats(0.1, 100)},
    ),
    Formula("tukey", lambda f, x: 1 - (1 - x * x) ** 3, {"x": uniform(-1, 1)}),
    Formula(
        "nt_xent",
        lambda f, s, u, v, t: -f.log(f.exp(s / t) / (f.exp(s / t) + f.exp(u / t) + f.exp(v / t))),
        {"s": uniform(-1, 1), "u": uniform(-1, 1), "v": uniform(-1, 1), "t": floats(0.01, 10)},
    ),
    Formula(
        "two_softmax",
        lambda f, a, b, t: f.exp(a / t) / (f.exp(a / t) + f.exp(b / t)),
        {"a": uniform(-9, 9), "b": uniform(-9, 9), "t": floats(0.01, 100)},
    ),
    Formula(
        "label_smoothing",
        lambda f, x, e: (1 - e) * f.log(1 + f.exp(-x)) + e * f.log(1 + f.exp(x)),
        {"x": LOGIT, "e": floats(0.001, 0.3)},
    ),
    Formula(
        "elbo_bernoulli", lambda f, x, y: y * x - f.log(1 + f.exp(x)), {"x": LOGIT, "y": prob()}
    ),
    Formula(
        "hinge_smooth", lambda f, x: (f.log(1 + f.exp(10 * (1 - x)))) / 10, {"x": uniform(-70, 70)}
    ),
    Formula("at_least_one", lambda f, p, n: 1 - (1 - p) ** n, {"p": prob(), "n": count(1, 200)}),
    Formula("noisy_or", lambda f, p, q: f.log(1 - (1 - p) * (1 - q)), {"p": prob(), "q": prob()}),
    Formula(
        "bayes_update",
        lambda f, p, q: p * q / (p * q + (1 - p) * (1 - q)),
        {"p": prob(), "q": prob()},
    ),
    Formula(
        "log_odds_ratio",
        lambda f, p, q: f.log(p / (1 - p)) - f.log(q / (1 - q)),
        {"p": prob(), "q": prob()},
    ),
)

VECTORS = (
    Formula(
        "entropy_of_softmax",
        lambda f, x: -f.sum(_softmax(f, x) * f.log(_softmax(f, x))),
        {"x": logits(4)},
    ),
    Formula(
        "distillation",
        lambda f, x, p: f.sum(p * (f.log(p) - f.log(_softmax(f, x)))),
        {"x": logits(4), "p": simplex(4)},
    ),
    Formula(
        "attention",
        lambda f, x, v: f.sum(f.exp(x) * v) / f.sum(f.exp(x)),
        {"x": logits(4), "v": uniform(0, 5, 4)},
    ),
    Formula("jensen_shannon", _js, {"p": simplex(4), "q": simplex(4)}),
    Formula(
        "cosine",
        lambda f, x, y: f.sum(x * y) / f.sqrt(f.sum(x * x) * f.sum(y * y)),
        {"x": floats(1e-60, 1e60, 3), "y": floats(1e-60, 1e60, 3)},
    ),
    Formula(
        "coefficient_of_variation",
        lambda f, x: f.sqrt(f.mean(x * x) - f.mean(x) ** 2) / f.mean(x),
        {"x": near(1e-3, 1e3, 4)},
    ),
    Formula(
        "geometric_mean", lambda f, x: f.exp(f.mean(f.log(x))), {"x": floats(1e-200, 1e200, 4)}
    ),
    Formula(
        "dirichlet",
        lambda f, a: f.gammaln(f.sum(a)) - f.sum(f.gammaln(a)),
        {"a": floats(0.01, 1000, 3)},
    ),
    Formula(
        "hellinger",
        lambda f, p, q: f.sqrt(1 - f.sum(f.sqrt(p * q))),
        {"p": simplex(3), "q": simplex(3)},
    ),
    Formula("log_mean_square", lambda f, x: f.log(f.mean(x * x)), {"x": floats(1e-200, 1e200, 3)}),
    Formula(
        "free_energy",
        lambda f, x, t: -t * f.log(f.sum(f.exp(-x / t))),
        {"x": logits(4), "t": floats(0.1, 10)},
    ),
    Formula("margin_of_best", lambda f, x: f.log(f.sum(f.exp(x))) - f.max(x), {"x": logits(4)}),
)

STATISTICS = (
    Formula(
        "student_t",
        lambda f, x, v: (
            f.gammaln((v + 1) / 2) - f.gammaln(v / 2) - (v + 1) / 2 * f.log(1 + x * x / v)
        ),
        {"x": uniform(-50, 50), "v": floats(0.5, 1e6)},
    ),
    Formula(
        "negative_binomial",
        lambda f, k, r, p: (
            f.gammaln(k + r) - f.gammaln(r) - f.gammaln(k + 1) + r * f.log(1 - p) + k * f.log(p)
        ),
        {"k": count(0, 100), "r": floats(0.1, 1e4), "p": prob()},
    ),
    Formula(
        "beta_binomial",
        lambda f, k, a, b: _betaln(f, k + a, 50 - k + b) - _betaln(f, a, b),
        {"k": count(0, 50), "a": floats(0.1, 1e3), "b": floats(0.1, 1e3)},
    ),
    Formula(
        "poisson",
        lambda f, k, m: k * f.log(m) - m - f.gammaln(k + 1),
        {"k": count(0, 500), "m": floats(0.001, 1000)},
    ),
    Formula(
        "poisson_deviance",
        lambda f, y, m: 2 * (y * f.log(y / m) - (y - m)),
        {"y": near(0.1, 100), "m": floats(0.1, 100)},
    ),
    Formula(
        "gamma_deviance",
        lambda f, y, m: 2 * ((y - m) / m - f.log(y / m)),
        {"y": floats(0.01, 100), "m": floats(0.01, 100)},
    ),
    Formula(
        "binomial_deviance",
        lambda f, y, m: y * f.log(y / m) + (1 - y) * f.log((1 - y) / (1 - m)),
        {"y": prob(), "m": prob()},
    ),
    Formula(
        "kl_normals",
        lambda f, s, t, m: f.log(t / s) + (s * s + m * m) / (2 * t * t) - 0.5,
        {"s": floats(0.1, 10), "t": floats(0.1, 10), "m": uniform(-3, 3)},
    ),
    Formula(
        "kl_exponentials",
        lambda f, a, b: f.log(a / b) + b / a - 1,
        {"a": floats(0.01, 100), "b": floats(0.01, 100)},
    ),
    Formula("von_mises", lambda f, x, k: k * (f.cos(x) - 1), {"x": uniform(-3, 3), "k": SIZE}),
    Formula(
        "lognormal_variance",
        lambda f, m, s: (f.exp(s * s) - 1) * f.exp(2 * m + s * s),
        {"m": uniform(-20, 20), "s": floats(1e-20, 10)},
    ),
    Formula(
        "weibull", lambda f, x, k: 1 - f.exp(-(x**k)), {"x": floats(1e-9, 9), "k": floats(0.2, 9)}
    ),
    Formula(
        "pareto", lambda f, x, a: 1 - (1 / x) ** a, {"x": floats(1, 1e9), "a": floats(0.01, 10)}
    ),
    Formula(
        "kumaraswamy",
        lambda f, x, a, b: 1 - (1 - x**a) ** b,
        {"x": prob(), "a": floats(0.2, 5), "b": floats(0.2, 5)},
    ),
    Formula(
        "gompertz",
        lambda f, t, b, c: f.exp(-b * (f.exp(c * t) - 1)),
        {"t": floats(1e-6, 30), "b": floats(1e-6, 1), "c": floats(1e-3, 0.2)},
    ),
    Formula("logistic_density", lambda f, x: f.exp(-x) / (1 + f.exp(-x)) ** 2, {"x": LOGIT}),
    Formula("log_logistic_density", lambda f, x: -x - 2 * f.log(1 + f.exp(-x)), {"x": LOGIT}),
    Formula("gumbel_tail", lambda f, x: 1 - f.exp(-f.exp(-x)), {"x": uniform(-6, 700)}),
    Formula("cloglog", lambda f, p: f.log(-f.log(1 - p)), {"p": prob()}),
    Formula("normal_hazard", lambda f, x: _phi(f, x) / (1 - cdf(f, x)), {"x": uniform(-8, 36)}),
    Formula(
        "truncated_mean",
        lambda f, a, w: (_phi(f, a) - _phi(f, a + w)) / (cdf(f, a + w) - cdf(f, a)),
        {"a": uniform(-5, 5), "w": floats(0.01, 5)},
    ),
    Formula("fisher_z", lambda f, r: 0.5 * f.log((1 + r) / (1 - r)), {"r": uniform(-1, 1)}),
    Formula(
        "yeo_johnson",
        lambda f, x, k: ((x + 1) ** k - 1) / k,
        {"x": floats(1e-9, 1e3), "k": uniform(-2, 2)},
    ),
    Formula(
        "boxcox_inverse",
        lambda f, y, k: (1 + k * y) ** (1 / k),
        {"y": uniform(-0.4, 3), "k": uniform(0.01, 2)},
    ),
    Formula(
        "stirling_rest", lambda f, x: f.gammaln(x) - (x - 0.5) * f.log(x) + x, {"x": floats(1, 1e6)}
    ),
    Formula("cauchy_cdf", lambda f, x: 0.5 + f.atan(x) / f.pi, {"x": wide(1e9)}),
    Formula("student_two", lambda f, x: 0.5 + x / (2 * f.sqrt(2 + x * x)), {"x": wide(1e9)}),
)

LEARNING: tuple[Formula, ...] = (*ACTIVATIONS, *LOSSES, *VECTORS, *STATISTICS)
