"""What is stored in another shape is computed in its own: one loop, one buffer."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg

rng = np.random.default_rng(3)
X = rng.normal(size=(4, 6, 5))

FORMULAS = {
    "turned": lambda x, xp: xp.reshape(xp.permute_dims(x, (2, 0, 1)), (-1,)),
    "heads": lambda x, xp: xp.reshape(xp.permute_dims(x, (1, 0, 2)), (6, 20)),
    "twice": lambda x, xp: xp.reshape(xp.reshape(xp.permute_dims(x, (2, 1, 0)), (5, 24)), (-1,)),
    "repeated": lambda x, xp: xp.repeat(x, 3, axis=1),
    "tiled": lambda x, xp: xp.tile(x, (2, 1, 3)),
    "reduced": lambda x, xp: xp.reshape(xp.max(x + 1, axis=2), (-1,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("known", [True, False])
def test_outputs_of_another_shape_need_no_second_copy(name, known):
    formula = FORMULAS[name]
    x = sg.tensor("x", shape=X.shape if known else (None,) * 3)
    f = sg.function([x], formula(x, sg))
    np.testing.assert_allclose(f(X), formula(X, np), rtol=1e-15)
    np.testing.assert_allclose(f(X), formula(X, np), rtol=1e-15)
    assert len(f.kernels) == 1


def test_a_value_and_the_same_in_another_shape_are_both_results():
    x = sg.tensor("x", shape=(4, 6, 5))
    y = sg.permute_dims(x, (1, 0, 2)) + 1
    flat, expected = sg.reshape(y, (-1,)), X.transpose(1, 0, 2) + 1
    for outputs in ([y, flat], [flat, y], [flat, sg.reshape(y, (24, 5)), flat], [flat, y, y * 2]):
        found = sg.function([x], outputs)(X)
        for one, wanted in zip(found, outputs, strict=True):
            scale = 2 if wanted.node.op.name == "multiply" else 1
            np.testing.assert_allclose(
                np.ravel(one), scale * np.ravel(expected), rtol=1e-15, strict=True
            )


def test_inputs_and_products_in_another_shape():
    x, w = sg.tensor("x", shape=(4, 6, 5)), sg.tensor("w", shape=(5, 7))
    given = rng.normal(size=(5, 7))
    f = sg.function([x, w], [sg.reshape(x, (-1,)), sg.reshape(x @ w, (24, 7))])
    same, product = f(X, given)
    np.testing.assert_array_equal(same, X.ravel())
    np.testing.assert_allclose(product, (X @ given).reshape(24, 7), rtol=1e-13)
    assert not np.shares_memory(same, X)
