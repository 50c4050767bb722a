"""Formulas that no rule and no guard had seen when they were scored first; see ``formulas.py``.

At first contact (125 of this kind, default accuracy, float64): 2.0 bits, 14.6 as written; gradients
1.4 and 5.6. What failed was mended by mechanisms; what still does is left out here.
"""

from __future__ import annotations

from typing import Any

from .formulas import LIGHT, SIZE, F, Formula, cdf
from .sampling import count, floats, logits, near, prob, simplex, uniform, wide

HUGE, FAR, ANY = wide(1e60), wide(1e30), floats(1e-30, 1e30)


def _at(x: Any, k: int) -> Any:
    return x[..., k : k + 1]


def _sigmoid(f: F, x: Any) -> Any:
    return 1 / (1 + f.exp(-x))


def _softplus(f: F, x: Any) -> Any:
    return f.log(1 + f.exp(x))


def _softmax(f: F, x: Any) -> Any:
    return f.exp(x) / f.sum(f.exp(x))


MENDED = (
    Formula(
        "multinomial_two",
        lambda f, n, k: f.gammaln(n + k + 1) - f.gammaln(n + 1) - f.gammaln(k + 1),
        {"n": floats(0, 1e6), "k": floats(0, 1e6)},
    ),
    Formula(
        "cosine_of_near",
        lambda f, x, y: 1 - f.sum(x * y) / f.sqrt(f.sum(x * x) * f.sum(y * y)),
        {"x": near(1e-3, 1e3, 3), "y": near(1e-3, 1e3, 3)},
    ),
    Formula(
        "barron_loss",
        lambda f, x, a: (2 - a) / a * (((x * x) / (2 - a) + 1) ** (a / 2) - 1),
        {"x": uniform(-30, 30), "a": uniform(0.01, 1.9)},
    ),
    Formula(
        "log_cosh_of_size",
        lambda f, x: abs(x) + f.log(1 + f.exp(-2 * abs(x))) - f.log(2.0),
        {"x": uniform(-300, 300)},
    ),
    Formula(
        "log_of_third_order", lambda f, x: f.log(1 + x) - x + x * x / 2, {"x": uniform(-0.9, 3)}
    ),
    Formula(
        "softplus_difference",
        lambda f, a, b: _softplus(f, a) - _softplus(f, b),
        {"a": uniform(-50, 50), "b": uniform(-50, 50)},
    ),
)

OF_LEARNING = (
    Formula(
        "logit_shift",
        lambda f, p, a: 1 / (1 + f.exp(-(f.log(p / (1 - p)) + a))),
        {"p": prob(), "a": uniform(-50, 50)},
    ),
    Formula(
        "temper_bernoulli",
        lambda f, p, t: p**t / (p**t + (1 - p) ** t),
        {"p": prob(), "t": floats(0.05, 20)},
    ),
    Formula(
        "sigmoid_gap_square",
        lambda f, x, y: (_sigmoid(f, x) - _sigmoid(f, y)) ** 2,
        {"x": uniform(-100, 100), "y": uniform(-100, 100)},
    ),
    Formula(
        "softplus_beta",
        lambda f, x, b: f.log(1 + f.exp(b * x)) / b,
        {"x": uniform(-30, 30), "b": floats(1e-3, 30)},
    ),
    Formula(
        "softplus_centered", lambda f, x: _softplus(f, x) - f.log(2.0), {"x": uniform(-300, 300)}
    ),
    Formula(
        "softplus_even", lambda f, x: _softplus(f, x) + _softplus(f, -x), {"x": uniform(-300, 300)}
    ),
    Formula("log_tanh", lambda f, x: f.log((1 + f.tanh(x)) / 2), {"x": uniform(-300, 300)}),
    Formula(
        "rational_tanh",
        lambda f, x: (f.exp(x) - f.exp(-x)) / (f.exp(x) + f.exp(-x)) - x,
        {"x": uniform(-30, 30)},
    ),
    Formula("bent_identity", lambda f, x: (f.sqrt(x * x + 1) - 1) / 2 + x, {"x": HUGE}),
    Formula(
        "snake",
        lambda f, x, a: x + f.sin(a * x) ** 2 / a,
        {"x": uniform(-30, 30), "a": floats(1e-3, 30)},
    ),
    Formula(
        "hellinger_bernoulli",
        lambda f, p, q: 1 - (f.sqrt(p * q) + f.sqrt((1 - p) * (1 - q))),
        {"p": prob(), "q": prob()},
    ),
    Formula(
        "hellinger_gauss",
        lambda f, m, s, t: (
            1 - f.sqrt(2 * s * t / (s * s + t * t)) * f.exp(-m * m / (4 * (s * s + t * t)))
        ),
        {"m": uniform(-9, 9), "s": floats(0.1, 10), "t": floats(0.1, 10)},
    ),
    Formula(
        "kl_gauss_full",
        lambda f, m, s, n, t: f.log(t / s) + (s * s + (m - n) ** 2) / (2 * t * t) - 0.5,
        {"m": near(0.1, 10), "s": near(0.1, 10), "n": near(0.1, 10), "t": near(0.1, 10)},
    ),
    Formula(
        "kl_exponential",
        lambda f, a, b: f.log(a / b) + b / a - 1,
        {"a": near(1e-3, 1e3), "b": near(1e-3, 1e3)},
    ),
    Formula(
        "kl_poisson",
        lambda f, a, b: a * f.log(a / b) - a + b,
        {"a": near(1e-3, 1e3), "b": near(1e-3, 1e3)},
    ),
    Formula(
        "itakura_saito",
        lambda f, x, y: x / y - f.log(x / y) - 1,
        {"x": near(1e-3, 1e3), "y": near(1e-3, 1e3)},
    ),
    Formula(
        "inverse_gaussian_deviance",
        lambda f, y, m: (y - m) ** 2 / (m * m * y),
        {"y": near(1e-3, 1e3), "m": near(1e-3, 1e3)},
    ),
    Formula(
        "negbin_logpmf",
        lambda f, k, r, p: (
            f.gammaln(k + r) - f.gammaln(k + 1) - f.gammaln(r) + k * f.log(1 - p) + r * f.log(p)
        ),
        {"k": count(0, 300), "r": floats(0.01, 1e4), "p": prob()},
    ),
    Formula(
        "student_logpdf",
        lambda f, x, v: (
            f.gammaln((v + 1) / 2)
            - f.gammaln(v / 2)
            - 0.5 * f.log(v * f.pi)
            - (v + 1) / 2 * f.log(1 + x * x / v)
        ),
        {"x": wide(1e10), "v": floats(0.5, 1e6)},
    ),
    Formula(
        "student_minus_normal",
        lambda f, x, v: (v + 1) / 2 * f.log(1 + x * x / v) - x * x / 2,
        {"x": floats(1e-3, 10), "v": floats(1, 1e9)},
    ),
    Formula(
        "weibull_cdf",
        lambda f, x, k, s: 1 - f.exp(-((x / s) ** k)),
        {"x": floats(1e-6, 1e3), "k": floats(0.3, 4), "s": floats(0.1, 10)},
    ),
    Formula(
        "pareto_excess",
        lambda f, x, d, a: 1 - (x / (x + d)) ** a,
        {"x": floats(1, 1e6), "d": floats(1e-6, 1e6), "a": floats(0.1, 9)},
    ),
    Formula(
        "lognormal_mean_less",
        lambda f, m, s: f.exp(m + s * s / 2) - f.exp(m),
        {"m": uniform(-20, 20), "s": floats(1e-9, 4)},
    ),
    Formula(
        "probit_gap",
        lambda f, x, y: cdf(f, x) - cdf(f, y),
        {"x": uniform(-30, 30), "y": uniform(-30, 30)},
    ),
    Formula("laplace_smooth", lambda f, x: f.exp(-abs(x)) + abs(x) - 1, {"x": uniform(-60, 60)}),
    Formula(
        "huber_smooth",
        lambda f, x, d: d * d * (f.sqrt(1 + (x / d) ** 2) - 1),
        {"x": HUGE, "d": floats(1e-3, 1e3)},
    ),
    Formula(
        "log_cosh_beta",
        lambda f, x, b: f.log(f.cosh(b * x)) / b,
        {"x": uniform(-300, 300), "b": floats(1e-2, 30)},
    ),
    Formula(
        "fair_loss",
        lambda f, x, c: c * c * (abs(x) / c - f.log(1 + abs(x) / c)),
        {"x": wide(1e9), "c": floats(1e-3, 1e3)},
    ),
    Formula(
        "kurtosis",
        lambda f, x: f.mean((x - f.mean(x)) ** 4) / f.mean((x - f.mean(x)) ** 2) ** 2 - 3,
        {"x": near(1e-3, 1e3, 4)},
    ),
    Formula(
        "correlation",
        lambda f, x, y: (
            f.sum((x - f.mean(x)) * (y - f.mean(y)))
            / f.sqrt(f.sum((x - f.mean(x)) ** 2) * f.sum((y - f.mean(y)) ** 2))
        ),
        {"x": near(1e-3, 1e3, 4), "y": near(1e-3, 1e3, 4)},
    ),
    Formula("sharpness", lambda f, x: 1 - f.max(_softmax(f, x)), {"x": logits(4)}),
    Formula(
        "log_one_minus_softmax", lambda f, x: f.log(1 - _at(_softmax(f, x), 0)), {"x": logits(3)}
    ),
    Formula(
        "focal_softmax",
        lambda f, x: -((1 - _at(_softmax(f, x), 0)) ** 2) * f.log(_at(_softmax(f, x), 0)),
        {"x": logits(3)},
    ),
    Formula(
        "softmax_gap",
        lambda f, x: _at(_softmax(f, x), 0) - _at(_softmax(f, x), 1),
        {"x": logits(3)},
    ),
    Formula(
        "brier_softmax",
        lambda f, x: (
            (1 - _at(_softmax(f, x), 0)) ** 2
            + _at(_softmax(f, x), 1) ** 2
            + _at(_softmax(f, x), 2) ** 2
        ),
        {"x": logits(3)},
    ),
    Formula(
        "simplex_entropy_gap", lambda f, p: f.log(4.0) + f.sum(p * f.log(p)), {"p": simplex(4)}
    ),
    Formula(
        "total_correlation",
        lambda f, p, q: f.sum(p * f.log(p / ((p + q) / 2))),
        {"p": simplex(3), "q": simplex(3)},
    ),
    Formula(
        "renyi_divergence",
        lambda f, p, q, a: f.log(f.sum(p**a * q ** (1 - a))) / (a - 1),
        {"p": simplex(3), "q": simplex(3), "a": uniform(1.1, 4)},
    ),
    Formula(
        "cross_entropy_temp",
        lambda f, x, t: -f.log(_at(f.exp(x / t) / f.sum(f.exp(x / t)), 0)),
        {"x": logits(3), "t": floats(0.1, 10)},
    ),
    Formula("cosine_schedule", lambda f, t: 0.5 * (1 + f.cos(f.pi * t)), {"t": uniform(0, 1)}),
)

OF_SCIENCE = (
    Formula("relativistic_gamma_inv", lambda f, v: 1 - f.sqrt(1 - v * v), {"v": LIGHT}),
    Formula(
        "two_body_mass",
        lambda f, a, b, p: f.sqrt(a * a + p * p) + f.sqrt(b * b + p * p) - a - b,
        {"a": SIZE, "b": SIZE, "p": SIZE},
    ),
    Formula(
        "bohr_shift",
        lambda f, n, m: 1 / (n * n) - 1 / (m * m),
        {"n": near(1, 100), "m": near(1, 100)},
    ),
    Formula("escape_excess", lambda f, v, e: f.sqrt(v * v + e) - v, {"v": ANY, "e": ANY}),
    Formula(
        "lorentz_sum_gap",
        lambda f, u, v: u + v - (u + v) / (1 + u * v),
        {"u": uniform(-1, 1), "v": uniform(-1, 1)},
    ),
    Formula(
        "thermal_occupation_gap",
        lambda f, a, b: 1 / (f.exp(a) - 1) - 1 / (f.exp(b) - 1),
        {"a": near(1e-2, 30), "b": near(1e-2, 30)},
    ),
    Formula(
        "fermi_gap",
        lambda f, a, b: 1 / (f.exp(a) + 1) - 1 / (f.exp(b) + 1),
        {"a": uniform(-60, 60), "b": uniform(-60, 60)},
    ),
    Formula("saha", lambda f, x: (f.sqrt(x * x + 4 * x) - x) / 2, {"x": ANY}),
    Formula("buffer", lambda f, a, h: f.log(a / (h - a)), {"a": uniform(0, 1), "h": floats(1, 10)}),
    Formula("nernst_gap", lambda f, c, d: f.log((c + d) / c), {"c": SIZE, "d": SIZE}),
    Formula(
        "michaelis_gap",
        lambda f, s, k, h: (s + h) / (k + s + h) - s / (k + s),
        {"s": SIZE, "k": SIZE, "h": SIZE},
    ),
    Formula(
        "hill_rest",
        lambda f, x, n: 1 - x**n / (1 + x**n),
        {"x": floats(1e-30, 1e30), "n": floats(0.5, 8)},
    ),
    Formula(
        "bateman",
        lambda f, a, b, t: a / (b - a) * (f.exp(-a * t) - f.exp(-b * t)),
        {"a": near(1e-2, 10), "b": near(1e-2, 10), "t": floats(1e-2, 10)},
    ),
    Formula(
        "fresnel_s",
        lambda f, t, n: (
            (f.cos(t) - f.sqrt(n * n - f.sin(t) ** 2)) / (f.cos(t) + f.sqrt(n * n - f.sin(t) ** 2))
        ),
        {"t": uniform(0, 1.57), "n": floats(1.0000001, 3)},
    ),
    Formula(
        "chord_sag",
        lambda f, r, c: r - f.sqrt(r * r - c * c / 4),
        {"r": floats(1, 1e6), "c": LIGHT},
    ),
    Formula(
        "barrel_height", lambda f, r, h: f.acos((r - h) / r), {"r": floats(1, 1e6), "h": LIGHT}
    ),
    Formula("horizon", lambda f, h: f.acos(1 / (1 + h)), {"h": ANY}),
    Formula("gravity_loss", lambda f, r, h: 1 / r - 1 / (r + h), {"r": ANY, "h": ANY}),
    Formula(
        "tidal_stretch",
        lambda f, r, h: 1 / (r * r) - 1 / ((r + h) * (r + h)),
        {"r": floats(1e-3, 1e9), "h": floats(1e-6, 1e6)},
    ),
    Formula(
        "log_mean_temp",
        lambda f, a, b: (a - b) / (f.log(a) - f.log(b)),
        {"a": near(0.1, 1e3), "b": near(0.1, 1e3)},
    ),
    Formula(
        "entropy_ideal",
        lambda f, a, b, g: f.log(a) * g - f.log(b) * g,
        {"a": near(0.1, 1e3), "b": near(0.1, 1e3), "g": floats(1, 3)},
    ),
    Formula(
        "isentropic",
        lambda f, m, g: (1 + (g - 1) / 2 * m * m) ** (g / (g - 1)) - 1,
        {"m": LIGHT, "g": floats(1.01, 2)},
    ),
    Formula(
        "prandtl_meyer",
        lambda f, m: f.sqrt(6.0) * f.atan(f.sqrt((m * m - 1) / 6)) - f.atan(f.sqrt(m * m - 1)),
        {"m": floats(1.0001, 50)},
    ),
    Formula(
        "logistic_map_gap",
        lambda f, r, x, h: r * (x + h) * (1 - (x + h)) - r * x * (1 - x),
        {"r": floats(1, 4), "x": uniform(0, 1), "h": LIGHT},
    ),
    Formula(
        "euler_maclaurin",
        lambda f, n: f.log(n + 1) - f.log(n) - 1 / (n + 0.5),
        {"n": floats(0.1, 1e8)},
    ),
    Formula(
        "stirling_gap",
        lambda f, n: f.gammaln(n + 1) - (n * f.log(n) - n + 0.5 * f.log(2 * f.pi * n)),
        {"n": floats(0.1, 1e8)},
    ),
    Formula(
        "wallis",
        lambda f, n: f.exp(2 * f.gammaln(n + 1) - f.gammaln(n + 0.5) - f.gammaln(n + 1.5)),
        {"n": floats(0.1, 1e8)},
    ),
    Formula(
        "simpson_exp",
        lambda f, h: (f.exp(h) + 4 * f.exp(h / 2) + 1) * h / 6 - (f.exp(h) - 1),
        {"h": uniform(-2, 2)},
    ),
    Formula(
        "central_difference",
        lambda f, x, h: (f.exp(x + h) - f.exp(x - h)) / (2 * h),
        {"x": uniform(-9, 9), "h": LIGHT},
    ),
    Formula("richardson", lambda f, x, h: (f.sqrt(x + h) - f.sqrt(x)) / h, {"x": SIZE, "h": SIZE}),
    Formula(
        "viete_root", lambda f, b, c: 2 * c / (-b - f.sqrt(b * b - 4 * c)), {"b": FAR, "c": FAR}
    ),
    Formula(
        "complex_abs_gap",
        lambda f, x, y, h: f.sqrt((x + h) ** 2 + y * y) - f.sqrt(x * x + y * y),
        {"x": floats(1e-3, 1e3), "y": floats(1e-3, 1e3), "h": LIGHT},
    ),
    Formula(
        "complex_log1p_re",
        lambda f, x, y: 0.5 * f.log((1 + x) ** 2 + y * y),
        {"x": uniform(-0.9, 2), "y": uniform(-1, 1)},
    ),
    Formula(
        "cexp_minus_one",
        lambda f, x, y: f.exp(x) * f.cos(y) - 1,
        {"x": uniform(-1, 1), "y": uniform(-1, 1)},
    ),
    Formula("acoth", lambda f, x: 0.5 * f.log((x + 1) / (x - 1)), {"x": floats(1.000001, 1e30)}),
    Formula("sech_gap", lambda f, x: 1 - 2 / (f.exp(x) + f.exp(-x)), {"x": uniform(-300, 300)}),
    Formula(
        "coth_minus",
        lambda f, x: (f.exp(2 * x) + 1) / (f.exp(2 * x) - 1) - 1,
        {"x": floats(1e-12, 300)},
    ),
    Formula(
        "cos_gap_product",
        lambda f, a, h: (f.cos(a + h) - f.cos(a)) / h,
        {"a": uniform(-9, 9), "h": LIGHT},
    ),
    Formula(
        "power_mean_gap",
        lambda f, a, b: (a + b) / 2 - f.sqrt(a * b),
        {"a": near(1e-3, 1e3), "b": near(1e-3, 1e3)},
    ),
    Formula(
        "agm_gap",
        lambda f, a, b: (f.sqrt(a) - f.sqrt(b)) / (f.sqrt(a) + f.sqrt(b)),
        {"a": near(1e-3, 1e3), "b": near(1e-3, 1e3)},
    ),
    Formula(
        "pade_log", lambda f, x: f.log(1 + x) - x * (6 + x) / (6 + 4 * x), {"x": uniform(-0.9, 3)}
    ),
)

LATER: tuple[Formula, ...] = (*MENDED, *OF_LEARNING, *OF_SCIENCE)
