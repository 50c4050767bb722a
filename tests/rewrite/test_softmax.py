"""Softmax, cross-entropy and their gradients from naive formulas, whatever is in between."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from symgraph.autodiff.transform import grad
from symgraph.ir.graph import toposort
from symgraph.ir.op import find_op
from symgraph.ops.convert import wrap
from symgraph.ops.create import arange, one_hot
from symgraph.ops.evaluate import evaluate
from symgraph.ops.index import take_along_axis
from symgraph.ops.leaves import tensor
from symgraph.rewrite.pipeline import optimize, stabilize_for_grad
from symgraph.rewrite.softmax import SOFTMAX

exp, log, sum_, mean, max_, softmax, log_softmax, logsumexp, reshape = map(
    find_op, ["exp", "log", "sum", "mean", "max", "softmax", "log_softmax", "logsumexp", "reshape"]
)
ROWS, CLASSES = 6, 4
z = tensor("z", shape=("n", CLASSES), dtype="float64")
y = tensor("y", shape=("n",), dtype="int64")
v = tensor("v", shape=("m",), dtype="float64")
w = tensor("w", shape=("m",), dtype="float64")
rows = arange(z.shape[0])
probabilities = exp(z) / sum_(exp(z), axis=1, keepdims=True)
shifted = z - max_(z, axis=1, keepdims=True)

CROSS_ENTROPIES = {
    "indexed": -mean(log(probabilities[rows, y])),
    "log, then indexed": -mean(log(probabilities)[rows, y]),
    "one-hot": -mean(sum_(one_hot(y, CLASSES, dtype="float64") * log(probabilities), axis=1)),
    "logsumexp by hand": mean(log(sum_(exp(z), axis=1)) - z[rows, y]),
    "reshaped": -mean(log(reshape(probabilities, (-1,))[rows * CLASSES + y])),
    "numerator indexed first": -mean(log(exp(z)[rows, y] / sum_(exp(z), axis=1))),
    "logits indexed first": -mean(log(exp(z[rows, y]) / sum_(exp(z), axis=1))),
    "difference with kept axis": -mean((z - log(sum_(exp(z), axis=1, keepdims=True)))[rows, y]),
    "transposed": -mean(log((exp(z.T) / sum_(exp(z.T), axis=0)).T[rows, y])),
    "take_along_axis": -mean(log(take_along_axis(probabilities, y[:, None], 1))),
    "shifted by hand": -mean((shifted - log(sum_(exp(shifted), axis=1, keepdims=True)))[rows, y]),
    "quotient of powers": -mean(log((exp(z) * (1 / sum_(exp(z), axis=1))[:, None])[rows, y])),
}


def exact_cross_entropy(logits, labels):
    """Value and gradient in 60 digits, rounded."""
    with mp.workdps(60):
        total, gradient = mp.mpf(0), np.zeros_like(logits)
        for i, label in enumerate(labels):
            powers = [mp.exp(mp.mpf(t)) for t in logits[i]]
            whole = sum(powers)
            total += mp.log(whole) - mp.mpf(logits[i, label])
            for j, power in enumerate(powers):
                rest = whole - power
                part = -rest / whole if j == label else power / whole
                gradient[i, j] = float(part / len(labels))
        return float(total / len(labels)), gradient


def ulps(found, exact):
    """Distance in units in the last place of the exact value; below the least normal, in its."""
    unit = np.maximum(np.spacing(np.abs(exact)), 2.0**-1074)
    return np.max(np.abs(found - exact) / unit)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_naive_cross_entropy_is_exact_to_a_few_ulp(name, scale):
    generator = np.random.default_rng(3)
    logits, labels = (
        generator.normal(size=(ROWS, CLASSES)) * scale,
        generator.integers(0, CLASSES, ROWS),
    )
    values = {z.node: logits, y.node: labels}
    value, gradient = exact_cross_entropy(logits, labels)
    stable = wrap(stabilize_for_grad([CROSS_ENTROPIES[name].node], keep=[z.node])[0])
    found = optimize([CROSS_ENTROPIES[name].node, grad(stable, z).node])
    first, second = evaluate(found, values)
    assert ulps(first, value) <= 4
    at_label = np.zeros_like(gradient, bool)
    at_label[np.arange(ROWS), labels] = True
    assert ulps(second[~at_label], gradient[~at_label]) <= 4
    # at the label softmax - 1 is all that can be had, for experts too: right to an ulp of 1 / rows
    np.testing.assert_allclose(second[at_label], gradient[at_label], rtol=0, atol=2.0**-52)


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_no_exponential_is_left(name):
    (found,) = optimize([CROSS_ENTROPIES[name].node])
    assert {n.op.name for n in toposort([found])}.isdisjoint({"exp", "log"})


SPELLINGS = {
    "softmax": (exp(z) / sum_(exp(z), axis=1, keepdims=True), softmax(z, axis=1)),
    "softmax over columns": (exp(z) / sum_(exp(z), axis=0), softmax(z, axis=0)),
    "softmax over all": (exp(z) / sum_(exp(z)), softmax(z, axis=(0, 1))),
    "softmax shifted": (
        exp(shifted) / sum_(exp(shifted), axis=1, keepdims=True),
        softmax(z, axis=1),
    ),
    "softmax by reciprocal": (
        exp(z) * (1 / sum_(exp(z), axis=1, keepdims=True)),
        softmax(z, axis=1),
    ),
    "softmax of a multiple": (
        exp(z / 3) / sum_(exp(z / 3), axis=1, keepdims=True),
        softmax(z / 3, axis=1),
    ),
    "softmax from logs": (exp(z - log(sum_(exp(z), axis=1, keepdims=True))), softmax(z, axis=1)),
    "one element": ((exp(v) / exp(v).sum())[0], softmax(v)[0]),
    "slice": (exp(v)[1:] / sum_(exp(v)), softmax(v)[1:]),
    "logsumexp": (log(sum_(exp(z), axis=1)), logsumexp(z, axis=1)),
    "logsumexp kept": (
        log(sum_(exp(z), axis=1, keepdims=True)),
        logsumexp(z, axis=1, keepdims=True),
    ),
    "logsumexp of all": (log(sum_(exp(z))), logsumexp(z)),
    "logsumexp over a tuple": (log(sum_(exp(z), axis=(0, 1))), logsumexp(z, axis=(0, 1))),
    "logsumexp shifted": (
        max_(z, axis=1) + log(sum_(exp(shifted), axis=1)),
        logsumexp(z, axis=1),
    ),
    "log softmax": (z - log(sum_(exp(z), axis=1, keepdims=True)), log_softmax(z, axis=1)),
    "log of softmax": (log(exp(z) / sum_(exp(z), axis=1, keepdims=True)), log_softmax(z, axis=1)),
    "negated": (log(sum_(exp(z), axis=1, keepdims=True)) - z, -log_softmax(z, axis=1)),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spelling_becomes_the_function(name):
    naive, stable = SPELLINGS[name]
    assert optimize([naive.node]) == optimize([stable.node])


@pytest.mark.parametrize(
    ("formula", "exact"),
    [
        (log(mean(exp(v))), lambda x, u: mp.log(sum(map(mp.exp, x)) / len(x))),
        (
            log(sum_(w * exp(v))),
            lambda x, u: mp.log(sum(p * mp.exp(t) for p, t in zip(u, x, strict=True))),
        ),
        (log(sum_(2 * exp(v))), lambda x, u: mp.log(2 * sum(map(mp.exp, x)))),
        (
            log(sum_(exp(v) * exp(w))),
            lambda x, u: mp.log(sum(mp.exp(p + t) for p, t in zip(u, x, strict=True))),
        ),
        (
            sum_(exp(v) * w) / sum_(exp(v)),
            lambda x, u: (
                sum(p * mp.exp(t) for p, t in zip(u, x, strict=True)) / sum(map(mp.exp, x))
            ),
        ),
        (
            (exp(v) / sum_(w * exp(v)))[0],
            lambda x, u: mp.exp(x[0]) / sum(p * mp.exp(t) for p, t in zip(u, x, strict=True)),
        ),
    ],
    ids=[
        "log mean exp",
        "weights",
        "scaled",
        "two exponentials",
        "expectation",
        "weighted softmax",
    ],
)
@pytest.mark.parametrize("shift", [0.0, 1000.0, -1000.0])
def test_sums_of_exponentials_with_weights_do_not_overflow(formula, exact, shift):
    points = np.array([0.5, -3.0, 2.0]) + shift
    weights = np.array([0.25, 0.0, 3.0])
    (found,) = optimize([formula.node])
    got = float(evaluate([found], {v.node: points, w.node: weights})[0])
    with mp.workdps(60):
        want = float(exact([mp.mpf(t) for t in points], [mp.mpf(t) for t in weights]))
    assert got == pytest.approx(want, rel=4e-15, abs=1e-12)


def test_the_rows_that_a_denominator_does_not_fit_are_left_alone():
    square = tensor("s", shape=(CLASSES, CLASSES), dtype="float64")
    formula = exp(square) / sum_(exp(square), axis=1)  # columns by the sums of rows: no softmax
    (found,) = optimize([formula.node])
    assert "softmax" not in {n.op.name for n in toposort([found])}
    values = {square.node: np.random.default_rng(1).normal(size=(CLASSES, CLASSES))}
    np.testing.assert_allclose(evaluate([found], values)[0], evaluate([formula.node], values)[0])


def test_gathering_other_rows_is_no_log_softmax_of_them():
    other = tensor("k", shape=("n",), dtype="int64")
    formula = z[other, y] - logsumexp(z, axis=1)  # row other[i] minus the sum of row i
    (found,) = optimize([formula.node])
    values = {
        z.node: np.random.default_rng(2).normal(size=(3, CLASSES)),
        y.node: [0, 1, 2],
        other.node: [2, 0, 1],
    }
    values = {n: np.asarray(x) for n, x in values.items()}
    np.testing.assert_allclose(evaluate([found], values)[0], evaluate([formula.node], values)[0])


def test_variance_from_moments_does_not_cancel():
    formula = mean(v * v) - mean(v) * mean(v)
    (found,) = optimize([formula.node])
    points = 1e8 + np.array([0.0, 1.0, 2.0])
    assert float(evaluate([found], {v.node: points})[0]) == pytest.approx(2 / 3, rel=1e-15)


def test_logsumexp_of_minus_infinity_has_gradient_zero():
    total = log(sum_(exp(v)))
    stable = wrap(stabilize_for_grad([total.node], keep=[v.node])[0])
    (found,) = optimize([grad(stable, v).node])
    assert evaluate([found], {v.node: np.array([-np.inf, -np.inf])})[0].tolist() == [0.0, 0.0]


def test_softmax_rules_keep_float32():
    q = tensor("q", shape=(3,), dtype="float32")
    found = optimize([(exp(q) / sum_(exp(q))).node, log(sum_(exp(q))).node])
    assert [n.tensor.dtype.name for n in found] == ["float32", "float32"]


def test_every_softmax_rule_fires_somewhere():
    trace = []
    formulas = [f for f, _ in SPELLINGS.values()] + list(CROSS_ENTROPIES.values())
    formulas += [log(mean(exp(v))), exp(v[0]) / sum_(w * exp(v)), sum_(w * exp(v)) / sum_(exp(v))]
    formulas += [mean(v * v) - mean(v) * mean(v), 1 - softmax(v)]
    formulas += [sum_(softmax(z, axis=1), axis=1)]
    optimize([f.node for f in formulas], trace=trace)
    stable = stabilize_for_grad([CROSS_ENTROPIES["indexed"].node], keep=[z.node])[0]
    optimize([grad(wrap(stable), z).node], trace=trace)
    assert {r.name for r in SOFTMAX} <= {entry.rule for entry in trace}


def test_the_margin_of_the_best_keeps_its_digits():
    (found,) = optimize([(log(sum_(exp(v))) - max_(v)).node])
    assert "log_softmax" in {n.op.name for n in toposort([found])}
    value = evaluate([found], {v.node: np.array([3.0, 60.0, 21.0])})[0]
    with mp.workdps(60):
        truth = mp.log(1 + mp.exp(-57) + mp.exp(-39))
    assert abs(value / float(truth) - 1) < 1e-15


def test_a_largest_element_taken_out_and_added_back_is_gone():
    m = max_(v)
    (found,) = optimize([(m + log(sum_(exp(v - m)))).node])
    assert found is logsumexp(v).node
    (found,) = optimize([((v - m) - log(sum_(exp(v - m)))).node])
    assert found is log_softmax(v).node


def test_the_logarithm_of_a_sum_of_squares_does_not_overflow():
    for formula, count in ((log(sum_(v * v)), 1), (log(mean(v * v)), 2)):
        (found,) = optimize([formula.node])
        for scale in (1e-200, 1.0, 1e200):
            value = evaluate([found], {v.node: np.array([3.0, 4.0]) * scale})[0]
            with mp.workdps(60):
                truth = mp.log((mp.mpf(3.0 * scale) ** 2 + mp.mpf(4.0 * scale) ** 2) / count)
            assert abs(value - float(truth)) <= 4e-16 * max(abs(float(truth)), 1)


SHARES = {
    "plain": lambda p: (1 - p)[0],
    "indexed": lambda p: 1 - p[0],
    "largest": lambda p: 1 - max_(p),
    "gathered": lambda p: (1 - p[np.array([1, 0])])[1],
    "reshaped": lambda p: 1 - find_op("reshape")(p, (1, 3))[0, 0],
    "scaled": lambda p: (2 - 2 * p[0]) / 2,
    "logarithm": lambda p: exp(log(1 - p[0])),
}


@pytest.mark.parametrize("formula", SHARES.values(), ids=SHARES)
def test_what_a_share_leaves_of_one_keeps_its_digits(formula):
    points = tensor("u", shape=(3,), dtype="float64")
    (found,) = optimize([formula(exp(points) / sum_(exp(points))).node])
    value = float(evaluate([found], {points.node: np.array([60.0, 3.0, 21.0])})[0])
    with mp.workdps(60):
        rest = mp.exp(-57) + mp.exp(-39)
        truth = rest / (1 + rest)
    assert abs(value / float(truth) - 1) < 1e-14


def test_shares_add_up_to_one():
    found, other = optimize(
        [
            sum_(softmax(z, axis=1), axis=1).node,
            sum_(softmax(z, axis=1), axis=0).node,
        ]
    )
    assert "softmax" not in {n.op.name for n in toposort([found])}
    assert evaluate([found], {z.node: np.ones((3, CLASSES))})[0].tolist() == [1.0] * 3
    assert "softmax" in {n.op.name for n in toposort([other])}


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("flat", [True, False])
def test_logsumexp_by_hand_with_its_maximum_added_back(axis: int, keepdims: bool, flat: bool):
    """``m + log(sum(exp(x - m)))``, however the axis is kept: one logsumexp, no second maximum."""
    high = max_(z, axis=axis, keepdims=True)
    total = sum_(exp(z - high), axis=axis, keepdims=keepdims)
    y = (high if keepdims else max_(z, axis=axis)) + log(total)
    y = reshape(y, (-1,)) if flat else y
    (made,) = optimize([y.node])
    ops = {n.op.name for n in toposort([made])}
    assert "logsumexp" in ops
    assert ops.isdisjoint({"max", "log_softmax", "log", "exp"})
