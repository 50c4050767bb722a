"""What networks are made of, in terms of other ops: losses, normalization, dropout, cells.

Here are functions only; the rows ``softmax`` and ``log_softmax`` are in ``nn.py``, the activations
on elements in ``activation.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError, ShapeError
from symgraph.ir.dtype import is_float, is_integer
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable, describe
from symgraph.ops.convert import asarray, cast, common, require
from symgraph.ops.index import take, take_along_axis
from symgraph.ops.kinds import normal_axes, normal_axis
from symgraph.ops.random import dropout_mask

Axes = int | Sequence[int] | None


def _reduced(losses: Variable, reduction: str) -> Variable:
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ArgumentError(f'reduction={reduction!r}: use "mean", "sum" or "none"')
    return find_op(reduction)(losses)  # type: ignore[no-any-return]


def cross_entropy(
    logits: Any,
    labels: Any,
    axis: int = -1,
    *,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Variable:
    """-sum(p * log_softmax(logits, axis)), with p one-hot at integer labels, or floating labels.

    Shapes: integer labels have the shape of logits without the axis; floating ones, probabilities,
    its full shape.    A probability of 0 beside a logit of -inf counts 0.    ``label_smoothing``:
    the share of p spread evenly.    ``reduction``: "mean" (over all but the axis), "sum", "none".
    """
    logits, labels = asarray(logits), asarray(labels)
    place = normal_axis(axis, logits.ndim)
    by_number = is_integer(labels.dtype)
    if labels.ndim != logits.ndim - by_number:
        hint = (
            f"integer labels have {logits.ndim - 1} axes, probabilities {logits.ndim}; "
            "sg.one_hot makes the latter of the former"
        )
        raise ShapeError(
            describe(labels, f"cross_entropy: labels for logits of {logits.type}", hint)
        )
    logs = find_op("log_softmax")(logits, place)
    if by_number:
        picked = take_along_axis(logs, find_op("expand_dims")(labels, place), axis=place)
        losses = -find_op("squeeze")(picked, place)
    else:
        losses = -find_op("sum")(_weighted(labels, logs), axis=place)
    if label_smoothing:
        even = -find_op("mean")(logs, axis=place)
        losses = (1.0 - label_smoothing) * losses + label_smoothing * even
    return _reduced(losses, reduction)


def _weighted(weights: Variable, logs: Variable) -> Variable:
    """weights * logs, and 0 where a weight is 0."""
    return find_op("where")(weights != 0, weights * logs, 0.0)  # type: ignore[no-any-return]


def binary_cross_entropy(logits: Any, labels: Any, *, reduction: str = "mean") -> Variable:
    """-(p log(sigmoid(x)) + (1 - p) log(1 - sigmoid(x))) for logits x and probabilities p."""
    softplus = find_op("softplus")
    x, p = common([logits, labels], "float")
    return _reduced(p * softplus(-x) + (1.0 - p) * softplus(x), reduction)


def mean_squared_error(predictions: Any, targets: Any, *, reduction: str = "mean") -> Variable:
    """The square of the difference."""
    x, y = common([predictions, targets], "float")
    return _reduced(find_op("square")(x - y), reduction)


def linear(x: Any, weight: Any, bias: Any = None) -> Variable:
    """x @ weight + bias, with weight of shape (inputs, outputs)."""
    found = find_op("matmul")(asarray(x), asarray(weight))
    return found if bias is None else found + bias  # type: ignore[no-any-return]


def embedding(table: Any, indices: Any) -> Variable:
    """Rows of a table by integer index: shape ``indices.shape + table.shape[1:]``."""
    return take(table, indices, axis=0)


def layer_norm(
    x: Any, scale: Any = None, bias: Any = None, *, axis: Axes = -1, epsilon: float = 1e-5
) -> Variable:
    """(x - mean) / sqrt(var + epsilon) along ``axis``, times scale, plus bias."""
    x = _floating(x, "layer_norm")
    axes = normal_axes(axis, x.ndim)
    centred = x - find_op("mean")(x, axis=axes, keepdims=True)
    variance = find_op("mean")(find_op("square")(centred), axis=axes, keepdims=True)
    found = centred / find_op("sqrt")(variance + epsilon)
    found = found if scale is None else found * scale
    return found if bias is None else found + bias  # type: ignore[no-any-return]


def rms_norm(x: Any, scale: Any = None, *, axis: Axes = -1, epsilon: float = 1e-6) -> Variable:
    """x / sqrt(mean(x**2) + epsilon) along ``axis``, times scale."""
    x = _floating(x, "rms_norm")
    axes = normal_axes(axis, x.ndim)
    power = find_op("mean")(find_op("square")(x), axis=axes, keepdims=True)
    found = x / find_op("sqrt")(power + epsilon)
    return found if scale is None else found * scale  # type: ignore[no-any-return]


def _floating(x: Any, name: str) -> Variable:
    x = asarray(x)
    require(is_float(x.dtype), name, x.dtype, "floating numbers")
    return x  # type: ignore[no-any-return]


def dropout(x: Any, rate: float, key: Any, *, training: bool = True) -> Variable:
    """x with elements dropped (0) at random with probability ``rate``, the others / (1 - rate)."""
    values = _floating(x, "dropout")
    mask = dropout_mask(key, rate, values.shape)
    if not training or rate == 0:
        return values
    return find_op("where")(mask, values * (1.0 / (1.0 - rate)), 0.0)  # type: ignore[no-any-return]


def attention(query: Any, keys: Any, values: Any, mask: Any = None) -> Variable:
    """softmax(query @ keys.mT / sqrt(d)) @ values, with -inf where ``mask`` is False.

    Shapes: (..., n, d), (..., m, d), (..., m, e) -> (..., n, e); mask broadcasts to (..., n, m).
    """
    query, keys, values = (asarray(v) for v in (query, keys, values))
    depth = cast(asarray(query.shape[-1]), query.dtype)
    scores = find_op("matmul")(query, keys.mT) / find_op("sqrt")(depth)
    if mask is not None:
        scores = find_op("where")(mask, scores, -np.inf)
    return find_op("matmul")(find_op("softmax")(scores, -1), values)  # type: ignore[no-any-return]


def lstm_cell(x: Any, hidden: Any, cell: Any, weight: Any, bias: Any) -> tuple[Variable, Variable]:
    """One step of an LSTM: the next hidden and cell state.

    Shapes: x (b, i), states (b, h), weight (i + h, 4 h) and bias (4 h,), in the order input,
    forget, candidate, output.
    """
    sigmoid, tanh = find_op("sigmoid"), find_op("tanh")
    joined = find_op("concat")([asarray(x), asarray(hidden)], axis=-1)
    size = asarray(hidden).shape[-1]
    gates = linear(joined, weight, bias)
    i, f, g, o = (gates[..., k * size : (k + 1) * size] for k in range(4))
    after = sigmoid(f) * cell + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(after), after


def gru_cell(x: Any, hidden: Any, weight: Any, recurrent: Any, bias: Any) -> Variable:
    """One step of a GRU: the next hidden state.

    Shapes: x (b, i), hidden (b, h), weight (i, 3 h), recurrent (h, 3 h), bias (3 h,), in the order
    reset, update, candidate; the reset gate acts on the recurrent product.
    """
    sigmoid, tanh = find_op("sigmoid"), find_op("tanh")
    size = asarray(hidden).shape[-1]
    left, right = linear(x, weight, bias), linear(hidden, recurrent)
    (xr, xz, xn), (hr, hz, hn) = (
        [v[..., k * size : (k + 1) * size] for k in range(3)] for v in (left, right)
    )
    update = sigmoid(xz + hz)
    candidate = tanh(xn + sigmoid(xr + hr) * hn)
    return (1.0 - update) * candidate + update * hidden  # type: ignore[no-any-return]
