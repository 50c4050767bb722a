"""Sums over rows of a few elements are spelled out where they may cancel, and nowhere else."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import symgraph as sg
from symgraph.ir.graph import toposort

BACKENDS = ("llvm", "numba", "interp")
rng = np.random.default_rng(23)
CLOSE = 1 + 1e-6 * rng.normal(size=(2, 30, 4))


def exact(x: np.ndarray) -> list[Fraction]:
    return [Fraction(float(v)) for v in x]


def covariance(x: list[Fraction], y: list[Fraction]) -> Fraction:
    products = sum((p * q for p, q in zip(x, y, strict=True)), Fraction(0))
    return products / len(x) - sum(x) * sum(y) / len(x) ** 2


def impurity(x: list[Fraction], _: list[Fraction]) -> Fraction:
    return 4 - sum((p * p for p in x), Fraction(0))


FORMULAS = {
    "covariance": (
        lambda x, y: (
            sg.mean(x * y, axis=1, keepdims=True)
            - sg.mean(x, axis=1, keepdims=True) * sg.mean(y, axis=1, keepdims=True)
        ),
        covariance,
    ),
    "covariance_dropped": (
        lambda x, y: sg.mean(x * y, axis=1) - sg.mean(x, axis=1) * sg.mean(y, axis=1),
        covariance,
    ),
    "covariance_turned": (
        lambda x, y: sg.mean(x.T * y.T, axis=0) - sg.mean(x.T, axis=0) * sg.mean(y.T, axis=0),
        covariance,
    ),
    "impurity": (lambda x, y: 4 - sg.sum(x * x, axis=1) + 0 * y[:, 0], impurity),
}


def compiled(name: str, rows: object, dtype: str = "float64", **mode: object):
    inputs = [sg.tensor(v, shape=(rows, 4), dtype=dtype) for v in "xy"]
    return sg.function(
        inputs, FORMULAS[name][0](*inputs), mode=sg.Mode(**mode), on_unused_input="ignore"
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMULAS)
def test_rows_of_few_elements_do_not_cancel(name, dtype):
    """Pairs have 100 bits, and these sums lose 40 at most of the terms of a covariance."""
    x, y = CLOSE.astype(dtype)
    wanted = np.array(
        [float(FORMULAS[name][1](exact(p), exact(q))) for p, q in zip(x, y, strict=True)]
    )
    found = compiled(name, "n", dtype)(x, y).reshape(-1)
    assert (np.abs(found - wanted) <= 2 * np.spacing(np.abs(wanted).astype(dtype))).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rows", ["n", 30])
def test_all_backends_and_known_sizes_agree(backend, rows):
    x, y = CLOSE
    found = compiled("covariance", rows, backend=backend, accuracy="high")(x, y)
    assert np.array_equal(found, compiled("covariance", "n", accuracy="high")(x, y))


def pieces(formula, length: int = 4) -> int:
    x = sg.tensor("x", shape=("n", length), dtype="float64")
    f = sg.function([x], formula(x))
    return sum(n.op.name == "slice" for n in toposort(f.stage("guarded")))


@pytest.mark.parametrize(
    "formula",
    [
        lambda x: sg.sum(x * x, axis=1),
        lambda x: sg.sqrt(sg.sum(x * x, axis=1)) / (1 + sg.sum(sg.exp(x), axis=1)),
        lambda x: sg.nn.log_softmax(x, axis=1),
    ],
)
def test_what_cannot_cancel_stays_a_sum(formula):
    assert pieces(formula) == 0


def test_only_short_rows_are_spelled_out():
    def formula(x):
        return 1 - sg.sum(x * x, axis=1)

    assert pieces(formula) == 4
    assert pieces(formula, 8) == 8
    assert pieces(formula, 9) == 0


def test_the_region_goes_on_on_both_sides():
    """What meets the sum in its own shape is computed again with it."""
    x = sg.tensor("x", shape=("n", 2), dtype="float64")
    a = sg.tensor("a", shape=("n",), dtype="float64")
    f = sg.function([x, a], sg.sum(x, axis=1) - (a + 1) * (a + 1))
    above = np.array([1e-9, 3e-7, 1e-12])
    given = np.stack([1 + above, 2 * above**2], axis=1)
    wanted = [
        float(sum(exact(row)) - (Fraction(float(v)) + 1) ** 2)
        for row, v in zip(given, above / 2, strict=True)
    ]
    np.testing.assert_array_max_ulp(f(given, above / 2), np.array(wanted), maxulp=1)


def test_gradients_of_rows_do_not_cancel():
    """That of a covariance by x is the distance of y from its mean."""
    x, y = (sg.tensor(v, shape=("n", 4), dtype="float64") for v in "xy")
    value = FORMULAS["covariance"][0](x, y)
    f = sg.function([x, y], sg.grad(sg.sum(value), x), on_unused_input="ignore")
    wanted = [[float((v - sum(exact(row)) / 4) / 4) for v in exact(row)] for row in CLOSE[1]]
    np.testing.assert_array_max_ulp(f(*CLOSE), np.array(wanted), maxulp=1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_norms_that_a_difference_cancels_are_spelled_out_too(dtype):
    x, y = (sg.tensor(v, shape=("n", 3), dtype=dtype) for v in "xy")
    norms = [sg.sqrt(sg.sum(v * v, axis=1)) for v in (x, y)]
    f = sg.function([x, y], 1 - sg.sum(x * y, axis=1) / (norms[0] * norms[1]))
    xs, ys = (np.asarray(v[:, :3], dtype) for v in CLOSE)
    found = f(xs, ys)
    with mp.workdps(60):
        for row, p, q in zip(found, xs.tolist(), ys.tolist(), strict=True):
            p, q = mp.matrix(p), mp.matrix(q)
            truth = 1 - mp.fdot(p, q) / (mp.norm(p) * mp.norm(q))
            assert abs(row / float(truth) - 1) < 512 * np.finfo(dtype).eps
