"""Double-double rows against mpmath, in NumPy and compiled; the interpreter's edges."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from symgraph_kernels.wide import Wide
from symgraph_kernels.wide_plain import drop, evaluate, lift
from symgraph_kernels.wide_table import WIDE_ROWS, WideRow

COUNT = 40
# where a function is defined, and smooth enough that its value is well conditioned
DOMAINS = {
    "acos": (-1, 1), "acosh": (1, 9), "asin": (-1, 1), "atanh": (-0.99, 0.99), "digamma": (0.1, 20),
    "erfinv": (-0.9, 0.9), "gamma": (0.1, 20), "gammaln": (0.1, 20), "log": (1e-3, 30),
    "log10": (1e-3, 30), "log1mexp": (-9, -0.001), "log1p": (-0.9, 5), "log2": (1e-3, 30),
    "log1pmx": (-0.9, 5), "log_quotient": (0.1, 9), "ndtri": (0.01, 0.4), "pow": (0.01, 9),
    "pow1p": (-0.5, 9), "pow1pm1": (-0.5, 9), "softplus_inverse": (0.01, 9), "sqrt": (0, 9),
    "sqrt1pm1": (-0.9, 9), "trigamma": (0.1, 20),
}  # fmt: skip
NAMES: dict[str, Any] = {name: getattr(mp, name) for name in dir(mp) if name[0] != "_"} | {
    "log1mexp": lambda x: mp.log(-mp.expm1(x)),
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "gammaln": lambda x: mp.log(abs(mp.gamma(x))),
    "trigamma": lambda x: mp.psi(1, x),
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x),
    "erfcx_slope": lambda x: 2 * x * mp.exp(x * x) * mp.erfc(x) - 2 / mp.sqrt(mp.pi),
    "ndtri": lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1),
}


def number(a: Wide, i: int) -> Any:
    """Element i of a triple, exactly."""
    high, low, exponent = (float(np.broadcast_to(part, (COUNT,))[i]) for part in a)
    return (mp.mpf(high) + mp.mpf(low)) * mp.mpf(2) ** int(exponent)


def sample(row: WideRow, seed: int) -> list[Wide]:
    """Arguments with full low parts, some of them close to each other."""
    rng = np.random.default_rng(seed)
    low, high = DOMAINS.get(row.name, (-9, 9))
    first = rng.uniform(low, high, COUNT)
    drawn = [first, np.where(np.arange(COUNT) % 4, rng.uniform(low, high, COUNT), first)]
    found = []
    for x in drawn[: row.arity]:
        a = lift(x)
        rest = rng.uniform(-0.49, 0.49, COUNT) * np.spacing(np.abs(a.high))
        found.append(Wide(a.high, rest, a.exponent))
    return found


@pytest.mark.parametrize(
    "row", [r for r in WIDE_ROWS.values() if r.reference], ids=lambda r: r.name
)
def test_row_keeps_its_bits(row: WideRow) -> None:
    args = sample(row, len(row.name))
    found = evaluate(row.name, *args)
    with mp.workprec(400):
        for i in range(COUNT):
            values = [number(a, i) for a in args]
            truth = eval(row.reference, NAMES, dict(zip("xy", values, strict=False)))
            scale = abs(truth)
            if row.name in ("add", "sub"):  # the promise is in the parts: cancellation takes bits
                scale = max(scale, max(map(abs, values)) * mp.mpf(2) ** -10)
            error = abs(number(found, i) - truth)
            assert error <= scale * mp.mpf(2) ** -(row.bits or 300), (row.name, values)


def test_exponent_goes_beyond_float64() -> None:
    huge = evaluate("mul", lift(1e300), lift(1e300))
    assert drop(huge) == np.inf
    assert drop(evaluate("div", huge, lift(1e300))) == 1e300
    tiny = evaluate("exp", lift(-5000.0))
    assert drop(evaluate("log", tiny)) == -5000.0
    assert drop(evaluate("mul", evaluate("exp", lift(1e15)), lift(0.0))) == 0.0


def test_cancellation_keeps_100_bits() -> None:
    one = lift(1.0)
    small = evaluate("sub", evaluate("add", one, lift(1e-30)), one)
    assert abs(drop(small) / 1e-30 - 1) < 2e-2  # 104 bits of 1 leave 5 bits of 1e-30
    small = evaluate("sub", evaluate("add", one, lift(1e-15)), one)
    assert drop(small) == 1e-15


@pytest.mark.parametrize("x", [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e308])
def test_special_numbers_survive(x: float) -> None:
    assert np.array_equal(drop(lift(x)), np.float64(x), equal_nan=True)
    assert np.signbit(drop(lift(x))) == np.signbit(x) or np.isnan(x)
    assert np.array_equal(drop(evaluate("neg", lift(x))), np.float64(-x), equal_nan=True)
    absolute = drop(evaluate("sqrt", evaluate("mul", lift(x), lift(x))))
    assert np.array_equal(absolute, np.abs(x), equal_nan=True)


@pytest.mark.parametrize(
    ("name", "x", "y", "wanted"),
    [
        ("lt", np.inf, np.inf, 0), ("le", np.inf, np.inf, 1), ("eq", -np.inf, -np.inf, 1),
        ("eq", -np.inf, np.inf, 0), ("ne", np.nan, np.nan, 1), ("ge", np.nan, 1.0, 0),
        ("lt", 1.0, 1.0 + 2.0**-52, 1), ("maximum", np.nan, 1.0, np.nan), ("fmax", np.nan, 1.0, 1),
        ("minimum", 2.0, -np.inf, -np.inf), ("copysign", 2.0, -0.0, -2), ("pow", 0.0, 0.0, 1),
        ("pow", -2.0, 3.0, -8), ("pow", -2.0, 0.5, np.nan), ("pow", 0.0, -1.0, np.inf),
        ("atan2", 0.0, -1.0, np.pi), ("hypot", np.inf, 1.0, np.inf), ("pow", -3.0, 2.0, 9),
    ],
)  # fmt: skip
def test_edges(name: str, x: float, y: float, wanted: float) -> None:
    assert np.array_equal(drop(evaluate(name, lift(x), lift(y))), wanted, equal_nan=True)


@pytest.mark.parametrize("x", [2.5, 3.5, -2.5, -0.3, 0.7, 1e20, 4503599627370497.5 / 2])
def test_rounding(x: float) -> None:
    for name in ("floor", "ceil", "trunc", "rint"):
        assert drop(evaluate(name, lift(x))) == getattr(np, name)(x)


def test_sine_of_huge_arguments() -> None:
    x = np.array([1e10, -3e15, 1e22, 1e300])
    found = drop(evaluate("sin", lift(x)))
    with mp.workprec(2000):
        assert [float(mp.sin(mp.mpf(float(v)))) for v in x] == found.tolist()


def test_both_words_of_an_angle_count() -> None:
    big, small = np.array([1e22, 3e100, -2e157]), np.array([0.75, 12345.0, 3.1e111])
    found = drop(evaluate("cos", evaluate("add", lift(big), lift(small))))
    with mp.workprec(2000):
        pairs = zip(big, small, strict=True)
        wanted = [float(mp.cos(mp.mpf(float(a)) + mp.mpf(float(b)))) for a, b in pairs]
    np.testing.assert_allclose(found, wanted, rtol=4e-16)


def test_the_sine_of_a_product_beyond_float64() -> None:
    x, y = np.array([1e200, -3e307, 1.5e300]), np.array([1e150, 7e300, 1e-290])
    found = drop(evaluate("sin", evaluate("mul", lift(x), lift(y))))
    with mp.workprec(5000):
        wanted = [
            float(mp.sin(mp.mpf(float(a)) * mp.mpf(float(b)))) for a, b in zip(x, y, strict=True)
        ]
    np.testing.assert_allclose(found, wanted, rtol=2.3e-16)


def test_the_sine_of_what_has_too_many_digits_is_nan() -> None:
    huge = evaluate("mul", lift(np.array([1e300])), lift(np.array([1e300])))
    assert np.isnan(drop(evaluate("sin", evaluate("mul", huge, huge)))).all()
