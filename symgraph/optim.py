"""Optimizers: each gives ``updates`` for ``sg.function``: shared variables and their next values.

    f = sg.function([x, y], cost, updates=sg.optim.adam(cost, params, lr=1e-3))

The first argument is a cost, which is differentiated, or a list of gradients, one per parameter.
State (momentum and the like) is shared too, named after its parameter, and among the updates.
``lr`` may be a number or a scalar variable, such as a shared one that a schedule sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.api import grad
from symgraph.errors import ArgumentError, message
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, cast
from symgraph.runtime.shared import shared

Updates = dict[Variable, Variable]
Rule = Callable[[Variable, Variable, "State"], Variable]


class State:
    """Shared arrays of one parameter, and their next values."""

    def __init__(self, param: Variable, updates: Updates) -> None:
        self.param, self.updates = param, updates

    def like(self, what: str) -> Variable:
        """A new array of zeros of the parameter's type."""
        return shared(np.zeros_like(self.param.get_value()), self._name(what))

    def _name(self, what: str) -> str:
        return f"{self.param.name or 'param'}.{what}"

    def set(self, state: Variable, value: Variable) -> Variable:
        """The next value of a state, in its dtype; gives that value."""
        self.updates[state] = cast(value, state.dtype)
        return self.updates[state]


def _updates(cost_or_grads: Any, params: Sequence[Variable], rule: Rule) -> Updates:
    """The updates of all parameters: each moves by what the rule gives."""
    params = [params] if isinstance(params, Variable) else list(params)
    for param in params:
        if not isinstance(param, Variable) or param.node.op.name != "shared":
            raise ArgumentError(
                message(
                    "optim: parameters must be shared variables",
                    {"got": repr(param)},
                    hint="make them by sg.shared",
                )
            )
    if isinstance(cost_or_grads, Variable):
        gradients = grad(cost_or_grads, params)
    else:
        gradients = [asarray(g) for g in cost_or_grads]
    if len(gradients) != len(params):
        raise ArgumentError(f"optim: {len(gradients)} gradients for {len(params)} parameters")
    updates: Updates = {}
    for param, gradient in zip(params, gradients, strict=True):
        step = rule(param, gradient, State(param, updates))
        updates[param] = cast(param - step, param.dtype)
    return updates


def _rate(lr: Any, param: Variable) -> Variable:
    """The learning rate in the dtype of a parameter: a float64 one does not widen float32."""
    return cast(asarray(lr), param.dtype)


def sgd(
    cost_or_grads: Any,
    params: Sequence[Variable],
    lr: Any = 0.01,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Updates:
    """v = momentum * v + g; p - lr * v, or with nesterov p - lr * (g + momentum * v)."""

    def rule(param: Variable, g: Variable, state: State) -> Variable:
        if weight_decay:
            g = g + weight_decay * param
        if not momentum:
            return _rate(lr, param) * g  # type: ignore[no-any-return]
        velocity = state.like("velocity")
        following = state.set(velocity, momentum * velocity + g)
        return _rate(lr, param) * (g + momentum * following if nesterov else following)  # type: ignore[no-any-return]

    return _updates(cost_or_grads, params, rule)


def adam(
    cost_or_grads: Any,
    params: Sequence[Variable],
    lr: Any = 0.001,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Updates:
    """p - lr * m / (sqrt(v) + epsilon), with m, v the bias-corrected means of g and g**2.

    ``weight_decay`` is decoupled: p also shrinks by lr * weight_decay (see ``adamw``).
    Source: Kingma & Ba 2015, Adam: a method for stochastic optimization.
    """
    step = shared(np.zeros((), "int64"), "adam.step")
    count = step + 1

    def rule(param: Variable, g: Variable, state: State) -> Variable:
        mean, square = state.like("mean"), state.like("square")
        m = state.set(mean, beta1 * mean + (1.0 - beta1) * g)
        v = state.set(square, beta2 * square + (1.0 - beta2) * g * g)
        steps = cast(count, param.dtype)
        corrected = m / _missing(beta1, steps)
        scale = find_op("sqrt")(v / _missing(beta2, steps)) + epsilon
        moved = corrected / scale
        moved = moved + weight_decay * param if weight_decay else moved
        return _rate(lr, param) * moved  # type: ignore[no-any-return]

    return {**_updates(cost_or_grads, params, rule), step: count}


def _missing(beta: float, count: Variable) -> Variable:
    """1 - beta**count, the share that a mean started at 0 has reached."""
    return -find_op("expm1")(count * float(np.log(beta)))  # type: ignore[no-any-return]


def adamw(
    cost_or_grads: Any,
    params: Sequence[Variable],
    lr: Any = 0.001,
    *,
    weight_decay: float = 0.01,
    **options: float,
) -> Updates:
    """Adam with decoupled weight decay.

    Source: Loshchilov & Hutter 2019, Decoupled weight decay regularization.
    """
    return adam(cost_or_grads, params, lr, weight_decay=weight_decay, **options)


def rmsprop(
    cost_or_grads: Any,
    params: Sequence[Variable],
    lr: Any = 0.001,
    *,
    decay: float = 0.9,
    epsilon: float = 1e-8,
) -> Updates:
    """p - lr * g / (sqrt(v) + epsilon), with v a running mean of g**2.

    Source: Tieleman & Hinton 2012, Coursera lecture 6.5.
    """

    def rule(param: Variable, g: Variable, state: State) -> Variable:
        square = state.like("square")
        v = state.set(square, decay * square + (1.0 - decay) * g * g)
        return _rate(lr, param) * g / (find_op("sqrt")(v) + epsilon)  # type: ignore[no-any-return]

    return _updates(cost_or_grads, params, rule)


def adagrad(
    cost_or_grads: Any, params: Sequence[Variable], lr: Any = 0.01, *, epsilon: float = 1e-8
) -> Updates:
    """p - lr * g / (sqrt(v) + epsilon), with v the sum of g**2.

    Source: Duchi, Hazan & Singer 2011, Adaptive subgradient methods.
    """

    def rule(param: Variable, g: Variable, state: State) -> Variable:
        square = state.like("square")
        v = state.set(square, square + g * g)
        return _rate(lr, param) * g / (find_op("sqrt")(v) + epsilon)  # type: ignore[no-any-return]

    return _updates(cost_or_grads, params, rule)
