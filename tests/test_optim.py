"""Optimizers: updates against formulas written in NumPy, and a bowl that each must descend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symgraph import optim
from symgraph.errors import ArgumentError
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor
from symgraph.runtime.shared import shared

START = np.array([1.0, -2.0, 3.0])
SLOPES = [np.array([0.5, -1.0, 0.0]), np.array([0.1, 2.0, -1.0]), np.array([-0.3, 0.2, 4.0])]


def step(updates: dict[Any, Any], given: dict[Any, Any]) -> None:
    """Apply updates once, all computed from the old values."""
    states = {s: s.get_value() for s in updates}
    arrays = {v.node: x for v, x in {**states, **given}.items()}
    for state, value in zip(
        states, evaluate([u.node for u in updates.values()], arrays), strict=True
    ):
        state.set_value(value)


def run(make: Callable[..., Any], slopes: list[np.ndarray], **options: Any) -> np.ndarray:
    """A parameter after one step for each slope."""
    p, g = shared(START, "p"), tensor("g", (3,))
    updates = make([g], [p], **options)
    for slope in slopes:
        step(updates, {g: slope})
    return p.get_value()


def by_numpy(rule: Callable[..., Any]) -> np.ndarray:
    """The same for a rule of (parameter, slope, state, number of the step)."""
    p, state = START.copy(), {}
    for number, g in enumerate(SLOPES, 1):
        p = p - rule(p, g, state, number)
    return p


def _momentum(p: Any, g: Any, s: Any, t: int) -> Any:
    s["v"] = 0.9 * s.get("v", 0.0) + g
    return 0.1 * s["v"]


def _nesterov(p: Any, g: Any, s: Any, t: int) -> Any:
    s["v"] = 0.9 * s.get("v", 0.0) + g
    return 0.1 * (g + 0.9 * s["v"])


def _adam(p: Any, g: Any, s: Any, t: int, decay: float = 0.0) -> Any:
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g * g
    m, v = s["m"] / (1 - 0.9**t), s["v"] / (1 - 0.999**t)
    return 0.1 * (m / (np.sqrt(v) + 1e-8) + decay * p)


def _rmsprop(p: Any, g: Any, s: Any, t: int) -> Any:
    s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g * g
    return 0.1 * g / (np.sqrt(s["v"]) + 1e-8)


def _adagrad(p: Any, g: Any, s: Any, t: int) -> Any:
    s["v"] = s.get("v", 0.0) + g * g
    return 0.1 * g / (np.sqrt(s["v"]) + 1e-8)


RULES: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[..., Any]]] = {
    "sgd": (optim.sgd, {}, lambda p, g, s, t: 0.1 * g),
    "sgd with decay": (optim.sgd, {"weight_decay": 0.5}, lambda p, g, s, t: 0.1 * (g + 0.5 * p)),
    "momentum": (optim.sgd, {"momentum": 0.9}, _momentum),
    "nesterov": (optim.sgd, {"momentum": 0.9, "nesterov": True}, _nesterov),
    "adam": (optim.adam, {}, _adam),
    "adamw": (optim.adamw, {"weight_decay": 0.2}, lambda *a: _adam(*a, decay=0.2)),
    "rmsprop": (optim.rmsprop, {}, _rmsprop),
    "adagrad": (optim.adagrad, {}, _adagrad),
}


@pytest.mark.parametrize("name", RULES)
def test_updates_are_those_of_the_formula(name: str):
    make, options, rule = RULES[name]
    found = run(make, SLOPES, lr=0.1, **options)
    np.testing.assert_allclose(found, by_numpy(rule), rtol=1e-14)


@pytest.mark.parametrize("name", RULES)
def test_cost_goes_down(name: str):
    make, options, _ = RULES[name]
    p = shared(START, "p")
    cost = ((p - 1.0) ** 2 * np.array([1.0, 2.0, 0.5])).sum()
    updates = make(cost, p, lr=0.05, **options)
    before = evaluate([cost.node], {p.node: START})[0]
    for _ in range(50):
        step(updates, {})
    after = evaluate([cost.node], {p.node: p.get_value()})[0]
    assert after < 0.7 * before


def test_state_is_named_and_typed_after_its_parameter():
    w = shared(np.ones((2, 3), "float32"), "w")
    updates = optim.adam([tensor("g", (2, 3), "float32")], [w], lr=np.float64(0.1))
    names = {s.name: s for s in updates}
    assert set(names) == {"w", "w.mean", "w.square", "adam.step"}
    assert all(names[n].type == w.type for n in ("w", "w.mean", "w.square"))
    assert all(u.type == s.type for s, u in updates.items())


def test_learning_rate_may_be_a_variable():
    p, rate, g = shared(START, "p"), shared(np.array(0.5), "rate"), tensor("g", (3,))
    step(optim.sgd([g], [p], lr=rate), {g: SLOPES[0], rate: np.array(0.5)})
    np.testing.assert_array_equal(p.get_value(), START - 0.5 * SLOPES[0])


def test_mistakes_are_explained():
    p, x = shared(START, "p"), tensor("x", (3,))
    with pytest.raises(ArgumentError, match="must be shared variables"):
        optim.sgd(x.sum(), [x])
    with pytest.raises(ArgumentError, match="2 gradients for 1 parameters"):
        optim.sgd([x, x], [p])
