"""Wrong answers that other compilers give, each compiled and right here."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg
from symgraph_tools.rules.truth import bits


def test_log_of_a_half_is_in_float64():
    """PyTensor 3.0.5-3.0.7 folds the integer 2 in float32: off by 1.9e-9."""
    x = sg.vector("x")
    values = np.array([3.0, 1e-300, 7.5, 2.0000001])
    found = sg.function([x], sg.log(x / 2))(values)
    np.testing.assert_allclose(found, np.log(values / 2), rtol=4e-16)


def test_column_added_by_position_broadcasts():
    """PyTensor 3.0.7 adds 1 to column 0 only."""
    x = sg.tensor("x", shape=(None, 4))
    column = sg.zeros((x.shape[0], 1)).at[:, 0].add(1)
    np.testing.assert_array_equal(sg.function([x], x + column)(np.zeros((3, 4))), np.ones((3, 4)))


def test_gradient_of_a_plain_divergence():
    """PyTensor 3.0.7 gives [1, 0, 0, 0] instead of ones."""
    p, q = sg.vectors("p", "q")
    divergence = (p * sg.log(p / q)).sum()
    f = sg.function([p, q], sg.grad(divergence, p))
    np.testing.assert_array_equal(f(np.full(4, 0.25), np.full(4, 0.25)), np.ones(4))


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e300])
def test_indexed_softmax_of_large_numbers(scale):
    """PyTensor 3.0.7: NaN, since indexing is lifted before stabilizing."""
    v = sg.vector("v")
    share = (sg.exp(v) / sg.exp(v).sum())[0]
    f = sg.function([v], [share, sg.grad(share, v)])
    value, slope = f(np.array([2.0, 2.0, -1.0]) * scale)
    with np.errstate(over="ignore"):
        low = np.exp(-3.0 * scale)
    assert np.isclose(value, 1 / (2 + low), rtol=1e-15)
    assert np.isfinite(slope).all()
    assert np.isclose(slope[0], value * (1 - value), rtol=1e-14)


@pytest.mark.parametrize("index", [False, True])
def test_gradient_of_naive_cross_entropy(index):
    """PyTensor 3.0.7: NaN, with indexing or without."""
    x = sg.vector("x")
    p = sg.exp(x) / sg.exp(x).sum()
    loss = -sg.log(p)[1] if index else -(sg.constant(np.array([0.0, 1.0, 0.0])) * sg.log(p)).sum()
    f = sg.function([x], [loss, sg.grad(loss, x)])
    value, slope = f(np.array([1000.0, 0.0, -1000.0]))
    assert value == 1000
    np.testing.assert_array_equal(slope, [1.0, -1.0, 0.0])


def test_the_branch_not_taken_does_not_run():
    """PyTensor 3.0.7 evaluates both branches of numba's ifelse."""
    x, k = sg.vector("x"), sg.vector("k", dtype="int64")
    f = sg.function([x, k], sg.cond(x[0] > 0, lambda v: v[k], lambda v: v + 1, x))
    np.testing.assert_array_equal(f(np.array([-1.0, 2.0]), np.array([7, 9])), [0.0, 3.0])
    np.testing.assert_array_equal(f(np.array([1.0, 2.0]), np.array([1, 0])), [2.0, 1.0])
    with pytest.raises(sg.SymgraphError):
        f(np.array([1.0, 2.0]), np.array([7, 9]))


def test_gradient_of_a_guarded_root_at_its_kink():
    """JAX: the gradient of where(x > 0, sqrt(x), 0) at 0 is NaN."""
    x = sg.vector("x")
    y = sg.where(x > 0, sg.sqrt(x), 0.0)
    found = sg.function([x], sg.grad(y.sum(), x))(np.array([0.0, 4.0, -1.0]))
    np.testing.assert_array_equal(found, [0.0, 0.25, 0.0])


EXPERT = {
    "log1mexp": lambda x: sg.where(x > -0.69, sg.log(-sg.expm1(x)), sg.log1p(-sg.exp(x))),
    "softplus": lambda x: sg.maximum(x, 0.0) + sg.log1p(sg.exp(-abs(x))),
    "logaddexp": lambda x: sg.maximum(x, 1.0) + sg.log1p(sg.exp(-abs(x - 1.0))),
}
SLOPES = {
    "log1mexp": lambda m, x: -m.exp(x) / (1 - m.exp(x)),
    "softplus": lambda m, x: 1 / (1 + m.exp(-x)),
    "logaddexp": lambda m, x: 1 / (1 + m.exp(1 - x)),
}


@pytest.mark.parametrize("name", EXPERT)
def test_gradient_of_the_expert_form(name):
    """jax.grad of the accuracy suite's expert forms has 8 bits of error."""
    import mpmath as mp

    x = sg.vector("x")
    points = np.array([-40.0, -1e-9, -0.5, -3.0, -1e-3, -700.0])
    found = sg.function([x], sg.grad(EXPERT[name](x).sum(), x))(points)
    for point, slope in zip(points, found, strict=True):
        with mp.workdps(400):
            truth = SLOPES[name](mp, mp.mpf(float(point)))
        assert bits(float(slope), truth) <= 3, (point, slope, truth)


HARMLESS = {
    "polynomial": lambda x, y: x * x * x - 3 * x * y + y,
    "ratio of sums": lambda x, y: (x + y) / (x - y + 3),
    "root of product": lambda x, y: sg.sqrt(x * y),
    "logarithm of product": lambda x, y: sg.log(x * y),
    "reciprocals": lambda x, y: 1 / x + 1 / y,
    "power": lambda x, y: x**y,
    "mixed": lambda x, y: sg.exp(-x) * sg.cos(y) / (1 + x * x),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_rewriting_makes_nothing_worse(name, rng):
    """PyTensor 3.0.7 makes 14 of 768 FPBench expressions worse, two of them by 16 to 20 bits."""
    from symgraph_tools.rules.truth import exact

    x, y = sg.vectors("x", "y")
    formula = HARMLESS[name](x, y)
    modes = [sg.Mode(accuracy=a) for a in ("as-written", "rules")]
    values = rng.uniform(0.1, 9, 30), rng.uniform(0.1, 9, 30)
    plain, ruled = (sg.function([x, y], formula, mode=m)(*values) for m in modes)
    a, b = (sg.tensor(n, shape=()) for n in "ab")
    scalar = HARMLESS[name](a, b).node
    for u, v, old, new in zip(*values, plain, ruled, strict=True):
        truth = exact(scalar, {a.node: u, b.node: v})
        assert bits(float(new), truth) <= max(bits(float(old), truth) + 1, 5)
