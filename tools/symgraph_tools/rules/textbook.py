"""Formulas of physics, chemistry, geometry, finance and numerical analysis; see ``formulas.py``."""

from __future__ import annotations

from typing import Any

from .formulas import LEARNING, LIGHT, REAL, SIZE, F, Formula, cdf
from .later import LATER
from .rows import ROWS
from .sampling import count, floats, near, prob, uniform, wide


def _call(f: F, s: Any, k: Any, v: Any) -> Any:
    first = (f.log(s / k) + v * v / 2) / v
    return s * cdf(f, first) - k * cdf(f, first - v)


FINANCE = (
    Formula("annuity", lambda f, r, n: r / (1 - (1 + r) ** (-n)), {"r": LIGHT, "n": count(1, 400)}),
    Formula(
        "present_value", lambda f, r, n: (1 - (1 + r) ** (-n)) / r, {"r": LIGHT, "n": count(1, 400)}
    ),
    Formula(
        "effective_rate",
        lambda f, r, n: (1 + r / n) ** n - 1,
        {"r": floats(1e-6, 1), "n": count(1, 365)},
    ),
    Formula("continuous_less_annual", lambda f, r: f.exp(r) - (1 + r), {"r": LIGHT}),
    Formula(
        "black_scholes_call",
        _call,
        {"s": floats(10, 1000), "k": floats(10, 1000), "v": floats(0.01, 1)},
    ),
    Formula(
        "call_spread",
        lambda f, x, h: cdf(f, x + h) - cdf(f, x),
        {"x": uniform(-8, 8), "h": floats(1e-9, 1)},
    ),
)

PHYSICS = (
    Formula("kinetic_energy", lambda f, b: 1 / f.sqrt(1 - b * b) - 1, {"b": LIGHT}),
    Formula("doppler", lambda f, b: f.sqrt((1 + b) / (1 - b)) - 1, {"b": uniform(-1, 1)}),
    Formula(
        "velocity_addition",
        lambda f, a, b: (a + b) / (1 + a * b),
        {"a": uniform(-1, 1), "b": uniform(-1, 1)},
    ),
    Formula("planck", lambda f, x: x**3 / (f.exp(x) - 1), {"x": floats(1e-60, 700)}),
    Formula("bose", lambda f, x: 1 / (f.exp(x) - 1) - 1 / x, {"x": floats(1e-12, 700)}),
    Formula(
        "fermi",
        lambda f, e, m, t: 1 / (f.exp((e - m) / t) + 1),
        {"e": uniform(-9, 9), "m": uniform(-9, 9), "t": floats(0.02, 100)},
    ),
    Formula(
        "einstein_heat",
        lambda f, x: x * x * f.exp(x) / (f.exp(x) - 1) ** 2,
        {"x": floats(1e-30, 600)},
    ),
    Formula("langevin", lambda f, x: f.cosh(x) / f.sinh(x) - 1 / x, {"x": floats(1e-12, 700)}),
    Formula(
        "morse",
        lambda f, r, a: (1 - f.exp(-a * (r - 1))) ** 2 - 1,
        {"r": floats(0.3, 20), "a": floats(0.1, 5)},
    ),
    Formula(
        "lennard_jones", lambda f, r: 4 * ((1 / r) ** 12 - (1 / r) ** 6), {"r": floats(0.5, 50)}
    ),
    Formula(
        "kepler", lambda f, a, e: a - e * f.sin(a), {"a": floats(1e-6, 3), "e": uniform(0.9, 1)}
    ),
    Formula(
        "kepler_slope",
        lambda f, a, e: 1 - e * f.cos(a),
        {"a": floats(1e-6, 3), "e": uniform(0.9, 1)},
    ),
    Formula(
        "compton",
        lambda f, t, k: k * (1 - f.cos(t)) / (1 + k * (1 - f.cos(t))),
        {"t": floats(1e-12, 3), "k": floats(1e-3, 1e3)},
    ),
    Formula("barometer", lambda f, h: 1 - (1 - h) ** 5.25, {"h": LIGHT}),
    Formula("parallel_resistors", lambda f, a, b: 1 / (1 / a + 1 / b), {"a": SIZE, "b": SIZE}),
    Formula("rocket", lambda f, m: f.log(m / (m - 1)), {"m": floats(1.0001, 1e15)}),
    Formula(
        "bridge",
        lambda f, a, b, h: (a + h) / (b + h) - a / b,
        {"a": floats(1, 1e3), "b": floats(1, 1e3), "h": floats(1e-12, 1e3)},
    ),
)

CHEMISTRY = (
    Formula(
        "hill",
        lambda f, x, k, n: x**n / (k**n + x**n),
        {"x": floats(1e-30, 1e30), "k": floats(1e-30, 1e30), "n": uniform(0.5, 8)},
    ),
    Formula(
        "weak_acid",
        lambda f, k, c: (-k + f.sqrt(k * k + 4 * k * c)) / 2,
        {"k": floats(1e-14, 1), "c": floats(1e-9, 10)},
    ),
    Formula(
        "binding",
        lambda f, a, b, k: (a + b + k - f.sqrt((a + b + k) ** 2 - 4 * a * b)) / 2,
        {"a": floats(1e-9, 1), "b": floats(1e-9, 1), "k": floats(1e-9, 1)},
    ),
    Formula("nernst", lambda f, a, b: f.log(a / b), {"a": near(1e-9, 1), "b": floats(1e-9, 1)}),
    Formula(
        "lambert_step",
        lambda f, w, x: w - (w * f.exp(w) - x) / (f.exp(w) * (w + 1)),
        {"w": uniform(0.1, 300), "x": floats(1, 1e100)},
    ),
)

GEOMETRY = (
    Formula(
        "haversine",
        lambda f, a, b, c: (
            2 * f.asin(f.sqrt(f.sin((a - b) / 2) ** 2 + f.cos(a) * f.cos(b) * f.sin(c / 2) ** 2))
        ),
        {"a": uniform(-1, 1), "b": uniform(-1, 1), "c": uniform(-1, 1)},
    ),
    Formula(
        "sagitta",
        lambda f, r, h: r - f.sqrt(r * r - h * h),
        {"r": floats(1, 1e3), "h": floats(1e-9, 1)},
    ),
    Formula(
        "third_side",
        lambda f, a, b, c: f.sqrt(a * a + b * b - 2 * a * b * f.cos(c)),
        {"a": floats(1, 10), "b": floats(1, 10), "c": floats(1e-9, 3)},
    ),
    Formula(
        "complex_root_re",
        lambda f, x, y: f.sqrt((f.sqrt(x * x + y * y) + x) / 2),
        {"x": floats(1e-100, 1e100), "y": REAL},
    ),
    Formula(
        "complex_root_im",
        lambda f, x, y: f.sqrt((f.sqrt(x * x + y * y) - x) / 2),
        {"x": REAL, "y": SIZE},
    ),
    Formula(
        "complex_quotient",
        lambda f, a, b, c, d: (a * c + b * d) / (c * c + d * d),
        {"a": SIZE, "b": SIZE, "c": SIZE, "d": SIZE},
    ),
    Formula("complex_log", lambda f, x, y: 0.5 * f.log(x * x + y * y), {"x": REAL, "y": REAL}),
    Formula("chord", lambda f, x: f.sqrt(2 - 2 * f.cos(x)), {"x": floats(1e-12, 3)}),
    Formula("cone", lambda f, x: 1 - 1 / f.sqrt(1 + x * x), {"x": SIZE}),
    Formula(
        "turned",
        lambda f, x, y, t: (x * f.cos(t) - y * f.sin(t)) ** 2 + (x * f.sin(t) + y * f.cos(t)) ** 2,
        {"x": floats(1e-9, 1e9), "y": floats(1e-9, 1e9), "t": uniform(-3, 3)},
    ),
    Formula("lerp", lambda f, a, b, t: a + t * (b - a), {"a": SIZE, "b": SIZE, "t": prob()}),
)

NUMERICAL = (
    Formula("root_small", lambda f, b, c: (-b + f.sqrt(b * b + 4 * c)) / 2, {"b": SIZE, "c": SIZE}),
    Formula(
        "root_other",
        lambda f, a, b, c: 2 * c / (-b - f.sqrt(b * b - 4 * a * c)),
        {"a": floats(-9, -1e-9), "b": wide(1e9), "c": floats(1e-9, 9)},
    ),
    Formula("reciprocals", lambda f, x: 1 / (x - 1) - 2 / x + 1 / (x + 1), {"x": floats(2, 1e20)}),
    Formula(
        "entropy_step",
        lambda f, n: (n + 1) * f.log(n + 1) - n * f.log(n) - 1,
        {"n": floats(1, 1e15)},
    ),
    Formula(
        "cosine_step",
        lambda f, x, h: f.cos(x + h) - f.cos(x),
        {"x": uniform(-9, 9), "h": floats(1e-15, 1)},
    ),
    Formula(
        "arc_tangents",
        lambda f, x, h: f.atan(x + h) - f.atan(x),
        {"x": floats(1e-3, 1e20), "h": floats(1e-9, 1e3)},
    ),
    Formula("cotangent", lambda f, x: 1 / x - f.cos(x) / f.sin(x), {"x": floats(1e-12, 3)}),
    Formula("second_difference", lambda f, x: f.exp(x) - 2 + f.exp(-x), {"x": floats(1e-20, 700)}),
    Formula("half_tangent", lambda f, x: (1 - f.cos(x)) / f.sin(x), {"x": floats(1e-20, 3)}),
    Formula(
        "spherical_bessel", lambda f, x: (f.sin(x) / x - f.cos(x)) / x, {"x": floats(1e-12, 30)}
    ),
    Formula("cube_root_step", lambda f, x: f.cbrt(x + 1) - f.cbrt(x), {"x": floats(1e-9, 1e30)}),
    Formula("log_sinhc", lambda f, x: f.log(f.sinh(x) / x), {"x": floats(1e-12, 700)}),
    Formula("tangent_less_sine", lambda f, x: f.tan(x) - f.sin(x), {"x": floats(1e-20, 1.5)}),
    Formula("exprel_two", lambda f, x: (f.exp(x) - 1 - x) / (x * x), {"x": floats(1e-12, 600)}),
    Formula(
        "phi_difference",
        lambda f, a, b: (f.exp(a) - f.exp(b)) / (a - b),
        {"a": uniform(-20, 20), "b": uniform(-20, 20)},
    ),
    Formula(
        "log_mean",
        lambda f, a, b: (a - b) / (f.log(a) - f.log(b)),
        {"a": floats(1e-3, 1e3), "b": floats(1e-3, 1e3)},
    ),
    Formula("kahan_quotient", lambda f, x: f.log(1 + x) / x - 1, {"x": floats(1e-12, 1e3)}),
    Formula(
        "nested_roots",
        lambda f, x: f.sqrt(x + 2) - 2 * f.sqrt(x + 1) + f.sqrt(x),
        {"x": floats(1, 1e12)},
    ),
    Formula(
        "area_hyperbolic",
        lambda f, x: f.log(1 + x + f.sqrt(x * x + 2 * x)),
        {"x": floats(1e-20, 1e200)},
    ),
    Formula("gudermann", lambda f, x: 2 * f.atan(f.exp(x)) - f.pi / 2, {"x": uniform(-30, 30)}),
    Formula("cubic_defect", lambda f, x: (1 + x) ** 3 - 1 - 3 * x, {"x": floats(1e-12, 1)}),
    Formula(
        "power_mean",
        lambda f, a, b, p: ((a**p + b**p) / 2) ** (1 / p),
        {"a": floats(1e-9, 1e9), "b": floats(1e-9, 1e9), "p": uniform(0.5, 30)},
    ),
)

FORMULAS: tuple[Formula, ...] = (
    *LEARNING,
    *FINANCE,
    *PHYSICS,
    *CHEMISTRY,
    *GEOMETRY,
    *NUMERICAL,
    *ROWS,
    *LATER,
)
