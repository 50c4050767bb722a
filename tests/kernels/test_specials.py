"""Signed zeros, infinities, subnormals, poles and thresholds, as NumPy and C have them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from symgraph_kernels import plain
from tests.kernels.reference import FLOATS, Array, true_value
from tests.kernels.test_table import run

INF, NAN = math.inf, math.nan
NUMPY = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2,
    "log10": np.log10, "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "cbrt": np.cbrt, "atan2": np.arctan2, "hypot": np.hypot, "pow": np.power,
    "logaddexp": np.logaddexp,
}  # fmt: skip
BINARY = {"atan2", "hypot", "pow", "logaddexp"}
POINTS = (NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5)
BOTH = [plain.evaluate, run]


def edges(dtype: type) -> Array:
    """Special points and those at the ends of the type's range."""
    info = np.finfo(dtype)
    ends = [float(info.max), float(info.tiny), float(info.smallest_subnormal), float(info.eps)]
    odd = 2.0 ** (info.nmant + 1)  # the last odd integer is one below
    return np.array([*POINTS, *ends, *(-e for e in ends), odd - 1, 1 - odd, odd], dtype)


def assert_same(got: Array, want: Array, points: list[Array], ulp: float = 2) -> None:
    """NaN for NaN, zeros and infinities with their sign, else within ulp."""
    same = (got == want) & (np.signbit(got) == np.signbit(want)) | (np.isnan(got) & np.isnan(want))
    ordinary = np.isfinite(want) & np.isfinite(got) & (want != 0)
    with np.errstate(all="ignore"):
        same |= ordinary & (np.abs(got - want) <= ulp * np.spacing(np.abs(want)))
    wrong = [
        (*(float(p[i]) for p in points), float(got[i]), float(want[i]))
        for i in np.flatnonzero(~same)
    ]
    assert not wrong, f"(point, got, want): {wrong}"


@pytest.mark.parametrize("evaluate", BOTH, ids=["plain", "jit"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NUMPY)
def test_special_values_are_those_of_numpy(name: str, dtype: type, evaluate):
    points = [edges(dtype)]
    if name in BINARY:
        points = [p.ravel().copy() for p in np.meshgrid(points[0], points[0])]
    with np.errstate(all="ignore"):
        want = NUMPY[name](*points)
    assert_same(evaluate(name, *points), want, points, ulp=4)  # NumPy's own error included


SPECIAL = {
    "sigmoid": ((-INF, 0.0), (INF, 1.0), (-0.0, 0.5), (800.0, 1.0), (-800.0, 0.0)),
    "softplus": ((-INF, 0.0), (INF, INF), (1e4, 1e4), (-1e4, 0.0), (0.0, math.log(2))),
    "log1mexp": (
        (-INF, -0.0),
        (-0.0, -INF),
        (0.0, -INF),
        (1.0, NAN),
        (INF, NAN),
        (-math.log(2), -math.log(2)),
    ),
    "erf": ((INF, 1.0), (-INF, -1.0), (0.0, 0.0), (-0.0, -0.0), (7.0, 1.0)),
    "erfc": ((INF, 0.0), (-INF, 2.0), (0.0, 1.0), (30.0, 0.0), (-7.0, 2.0)),
    "erfcx": ((INF, 0.0), (-INF, INF), (0.0, 1.0), (-27.5, INF)),
    "erfcx_slope": ((INF, -0.0), (-INF, -INF), (0.0, -2 / math.sqrt(math.pi)), (-27.5, -INF)),
    "erfinv": ((1.0, INF), (-1.0, -INF), (0.0, 0.0), (-0.0, -0.0), (1.5, NAN), (-INF, NAN)),
    "ndtri": ((0.0, -INF), (1.0, INF), (0.5, 0.0), (-0.5, NAN), (1.5, NAN), (INF, NAN)),
    "gamma": (
        (0.0, INF),
        (-0.0, -INF),
        (INF, INF),
        (-INF, NAN),
        (-1.0, NAN),
        (-4.0, NAN),
        (172.0, INF),
        (1.0, 1.0),
        (5.0, 24.0),
        (1e30, INF),
    ),
    "gammaln": (
        (0.0, INF),
        (-0.0, INF),
        (INF, INF),
        (-INF, INF),
        (-3.0, INF),
        (1.0, 0.0),
        (2.0, 0.0),
    ),
    "digamma": (
        (0.0, -INF),
        (-0.0, INF),
        (INF, INF),
        (-INF, NAN),
        (-2.0, NAN),
        (1.0, -0.5772156649015329),
    ),
    "trigamma": (
        (0.0, INF),
        (-0.0, INF),
        (INF, 0.0),
        (-INF, NAN),
        (-2.0, INF),
        (1.0, math.pi**2 / 6),
    ),
}


@pytest.mark.parametrize("evaluate", BOTH, ids=["plain", "jit"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_of_special_functions(name: str, dtype: type, evaluate):
    points, want = (np.array(column, dtype) for column in zip(*SPECIAL[name], strict=True))
    assert_same(evaluate(name, points), want, [points])


@pytest.mark.parametrize("dtype", FLOATS)
def test_subnormal_results_are_rounded_not_flushed(dtype: type):
    info = np.finfo(dtype)
    smallest = float(info.smallest_subnormal)
    points = np.array([math.log(smallest) + d for d in (0.01, 1, 2, 5)], dtype)
    got = run("exp", points)
    assert (got >= smallest).all()
    assert_same(got, np.exp(points.astype(np.longdouble)).astype(dtype), [points], ulp=1)
    assert run("exp2", np.array([int(info.minexp) - int(info.nmant)], dtype))[0] == smallest


@pytest.mark.parametrize("dtype", FLOATS)
def test_exp_overflows_where_the_type_does(dtype: type):
    top = np.log(np.finfo(dtype).max.astype(np.longdouble)).astype(dtype)
    top = (
        top
        if float(np.longdouble(top)) <= np.log(np.longdouble(np.finfo(dtype).max))
        else np.nextafter(top, dtype(0))
    )
    got = run("exp", np.array([top, np.nextafter(top, dtype(INF))], dtype))
    assert np.isfinite(got[0])
    assert np.isinf(got[1])


@pytest.mark.parametrize(
    "name",
    ["expm1", "log1p", "sin", "tan", "sinh", "tanh", "asin", "atan", "asinh", "atanh", "cbrt"],
)
@pytest.mark.parametrize("dtype", FLOATS)
def test_odd_functions_keep_tiny_arguments(name: str, dtype: type):
    tiny = float(np.finfo(dtype).tiny)
    points = np.array([0.0, -0.0, tiny, -tiny, tiny / 8, -tiny / 8, tiny * 1e6], dtype)
    got = run(name, points)
    want = np.cbrt(points) if name == "cbrt" else points
    assert_same(got, want, [points], ulp=1)


def test_powers_of_two_and_ten_are_exact():
    k = np.arange(-1074.0, 1024.0)
    two = np.ldexp(1.0, k.astype(int))
    assert (run("log2", two) == k).all()
    assert (run("exp2", k) == two).all()
    ten = np.array([float(f"1e{n}") for n in range(23)])
    assert (run("log10", ten) == np.arange(23.0)).all()
    assert (run("cbrt", np.arange(200.0) ** 3) == np.arange(200.0)).all()
    assert (
        run("hypot", np.array([3e300, 5e-310]), np.array([4e300, 0.0])) == [5e300, 5e-310]
    ).all()
    assert (run("pow", np.arange(1.0, 100.0), np.full(99, 2.0)) == np.arange(1.0, 100.0) ** 2).all()
    assert (run("gamma", np.arange(1.0, 20.0)) == [math.factorial(n) for n in range(19)]).all()


def test_huge_angles_are_reduced_exactly():
    """6381956970095103 * 2**797 is the float64 nearest a multiple of pi/2 (Muller 2006, 11.2)."""
    worst = math.ldexp(6381956970095103.0, 797)
    points = np.array([worst, -worst, 1e22, 2.0**1023, 2.0**30, 2.0**52 + 1])
    assert run("cos", points)[0] == -4.6871659242546277e-19
    for name in ("sin", "cos", "tan"):
        want = [float(true_value(f"{name}(x)", (x,))) for x in points.tolist()]
        assert_same(run(name, points), np.array(want), [points], ulp=1)


def test_huge_angles_among_small_ones_in_vector_lanes():
    points = np.linspace(-3, 3, 67)
    points[[5, 13, 14, 60, 66]] = [1e300, -1e10, INF, 2e9, NAN]
    assert_same(
        run("sin", points),
        np.array([math.sin(x) if abs(x) < INF else NAN for x in points]),
        [points],
    )
