"""Losses, normalization, dropout, cells, and starting values of parameters."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph import init
from symgraph.autodiff.transform import grad
from symgraph.errors import ArgumentError, DTypeError, ShapeError
from symgraph.ops import layers, random
from symgraph.ops.leaves import tensor
from tests.autodiff.by_reference import assert_gradient, normal, values

X = normal(4, 5)
LABELS = np.array([0, 4, 2, 2])
KEY = random.key(1)
EPS = np.finfo("float64").eps


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_cross_entropy_of_numbers_and_of_probabilities():
    by_number, one_hot, smooth = values(
        [
            layers.cross_entropy(X, LABELS),
            layers.cross_entropy(X, np.eye(5)[LABELS], reduction="sum"),
            layers.cross_entropy(X, LABELS, label_smoothing=0.1, reduction="none"),
        ],
        {},
    )
    logs = np.log(_softmax(X))
    picked = -logs[np.arange(4), LABELS]
    np.testing.assert_allclose(by_number, picked.mean(), rtol=8 * EPS)
    np.testing.assert_allclose(one_hot, picked.sum(), rtol=8 * EPS)
    np.testing.assert_allclose(smooth, 0.9 * picked - 0.1 * logs.mean(1), rtol=8 * EPS)


@pytest.mark.parametrize("size", [1.0, 1000.0])
def test_cross_entropy_and_its_gradient_hold_at_large_logits(size: float):
    x = tensor("x", (4, 5))
    cost = layers.cross_entropy(x, LABELS)
    value, slope = values([cost, grad(cost, x)], {x: X * size})
    wide = (X * size).astype("longdouble")
    logs = wide - wide.max(1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(1, keepdims=True))
    np.testing.assert_allclose(value, float(-logs[np.arange(4), LABELS].mean()), rtol=4 * EPS)
    expected = ((np.exp(logs) - np.eye(5)[LABELS]) / 4).astype("float64")
    np.testing.assert_allclose(slope, expected, rtol=4 * EPS, atol=EPS)


def test_impossible_classes_count_nothing_where_nothing_is_expected():
    x = tensor("x", (1, 3))
    cost = layers.cross_entropy(x, np.array([[0.5, 0.5, 0.0]]))
    value, slope = values([cost, grad(cost, x)], {x: np.array([[0.0, 0.0, -np.inf]])})
    np.testing.assert_allclose(value, np.log(2), rtol=4 * EPS)
    np.testing.assert_allclose(slope, np.zeros((1, 3)), atol=EPS)


def test_cross_entropy_says_which_labels_it_takes():
    with pytest.raises(ShapeError, match="integer labels have 1 axes, probabilities 2"):
        layers.cross_entropy(X, LABELS[:, None])
    with pytest.raises(ArgumentError, match='use "mean", "sum" or "none"'):
        layers.cross_entropy(X, LABELS, reduction="average")


def test_binary_cross_entropy_holds_at_large_logits():
    (found,) = values(
        [
            layers.binary_cross_entropy(
                np.array([800.0, -800.0, 0.0]), [1.0, 1.0, 0.5], reduction="none"
            )
        ],
        {},
    )
    np.testing.assert_allclose(found, [0.0, 800.0, np.log(2)], rtol=2 * EPS)


def test_normalizations():
    layer, rms = values([layers.layer_norm(X, 2.0, 1.0), layers.rms_norm(X)], {})
    np.testing.assert_allclose(layer.mean(1), np.ones(4), rtol=1e-12)
    np.testing.assert_allclose(layer.std(1), 2 / np.sqrt(1 + 1e-5 / X.var(1)), rtol=1e-12)
    np.testing.assert_allclose((rms**2).mean(1), 1 / (1 + 1e-6 / (X**2).mean(1)), rtol=1e-12)


def test_dropout_keeps_the_mean_and_drops_at_its_rate():
    x = tensor("x", (200, 100))
    y = layers.dropout(x, 0.25, KEY)
    found, slope = values([y, grad(y.sum(), x)], {x: np.ones((200, 100))})
    np.testing.assert_array_equal(np.unique(found), [0.0, 1 / 0.75])
    np.testing.assert_array_equal(found, slope)
    assert abs((found == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / found.size)
    assert layers.dropout(x, 0.25, KEY, training=False) is x


def test_attention_without_what_is_masked():
    q, k, v = normal(3, 4), normal(5, 4, seed=1), normal(5, 2, seed=2)
    mask = np.array([True, True, False, True, False])
    (found,) = values([layers.attention(q, k, v, mask)], {})
    expected = _softmax(q @ k[mask].T / 2.0) @ v[mask]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_floating_layers_refuse_integers():
    with pytest.raises(DTypeError, match="layer_norm does not take int64"):
        layers.layer_norm(np.arange(3))


W = {"lstm": normal(8, 12), "in": normal(5, 9), "own": normal(3, 9)}
GRADIENTS = {
    "cross_entropy": lambda x: layers.cross_entropy(x, LABELS, label_smoothing=0.2),
    "cross_entropy of probabilities": lambda x: layers.cross_entropy(x, np.abs(X), axis=0),
    "binary_cross_entropy": lambda x: layers.binary_cross_entropy(x, np.abs(X)),
    "mean_squared_error": lambda x: layers.mean_squared_error(x * x, X),
    "layer_norm": lambda x: (layers.layer_norm(x, X[0], X[1]) * X).sum(),
    "rms_norm": lambda x: (layers.rms_norm(x, X[0]) * X).sum(),
    "dropout": lambda x: (layers.dropout(x, 0.5, KEY) * X).sum(),
    "attention": lambda x: (layers.attention(x, X, x) * X).sum(),
    "embedding": lambda x: (layers.embedding(x, np.array([[0, 1], [1, 3]])) ** 2).sum(),
    "linear": lambda x: (layers.linear(x, W["in"], W["own"][0]) ** 2).sum(),
    "lstm_cell": lambda x: layers.lstm_cell(x, X[:, :3], X[:, 2:], W["lstm"], 0.1)[0].sum(),
    "gru_cell": lambda x: layers.gru_cell(x, X[:, :3], W["in"], W["own"], 0.1).sum(),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_agrees_with_differences(name: str):
    assert_gradient(GRADIENTS[name], X)


# --- starting values


DRAWS = {
    "glorot_uniform": 2 / 500,
    "glorot_normal": 2 / 500,
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
}


@pytest.mark.parametrize("name", DRAWS)
def test_starting_values_have_their_variance(name: str):
    draw = getattr(init, name)
    found = draw((300, 200), 3)
    np.testing.assert_array_equal(found, draw((300, 200), 3))
    assert (found.dtype, found.shape) == ("float64", (300, 200))
    assert abs(found.var() / DRAWS[name] - 1) < 0.05
    assert abs(found.mean()) < 5 * np.sqrt(DRAWS[name] / found.size)
    assert draw((4, 5), 0, "float32").dtype == "float32"


def test_orthogonal_rows_or_columns():
    for shape in ((5, 3), (3, 5), (4, 2, 2)):
        q = init.orthogonal(shape, 0, gain=2.0).reshape(shape[0], -1)
        gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-14)


def test_fans_of_a_convolution_count_its_window():
    assert init.fans((8, 3, 5, 5)) == (75, 200)
    with pytest.raises(ShapeError, match="has no inputs and outputs"):
        init.he_normal((5,), 0)
