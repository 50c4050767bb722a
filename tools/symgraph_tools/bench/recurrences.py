"""Workloads of recurrences: filters, hidden states, integrators, grids, recurrent networks."""

from __future__ import annotations

from typing import Any  # arrays of every library

import numpy as np

from .workload import Array, Workload, floats, uniform


def gru_grad(E: Any, x: Any, weight: Any, loop: Any) -> Any:
    """A gated recurrent network and the gradient of its last state."""

    def step(state: Any, now: Any) -> Any:
        (h,) = state
        inner, outer = now[0] @ weight, h @ loop
        units = h.shape[1]
        reset = E.sigmoid(inner[:, :units] + outer[:, :units])
        update = E.sigmoid(inner[:, units : 2 * units] + outer[:, units : 2 * units])
        new = E.xp.tanh(inner[:, 2 * units :] + reset * outer[:, 2 * units :])
        return ((1 - update) * new + update * h,), None

    start = 0 * (x[0] @ weight)[:, :64]
    return E.xp.sum(E.scan(step, (start,), (x,))[0][0] ** 2)


def lstm_outputs(E: Any, x: Any, weight: Any, loop: Any) -> Any:
    """All outputs of an LSTM, without gradients."""

    def step(state: Any, now: Any) -> Any:
        h, c = state
        z = now[0] @ weight + h @ loop
        n = 64
        c = E.sigmoid(z[:, :n]) * c + E.sigmoid(z[:, n : 2 * n]) * E.xp.tanh(z[:, 2 * n : 3 * n])
        h = E.sigmoid(z[:, 3 * n :]) * E.xp.tanh(c)
        return (h, c), h

    start = 0 * (x[0] @ weight)[:, :64]
    return E.scan(step, (start, start), (x,))[1]


def character_grad(E: Any, x: Any, weight: Any, loop: Any, out: Any) -> Any:
    """A recurrent network with a loss at every step, batch of one."""

    def step(state: Any, now: Any) -> Any:
        h = E.xp.tanh(weight @ now[0] + loop @ state[0])
        return (h,), E.xp.sum((out @ h - now[0]) ** 2)

    return E.xp.sum(E.scan(step, (0 * loop[0],), (x,))[1])


def autoregression_grad(E: Any, x: Any, p: Any) -> Any:
    """The likelihood of an ARMA(2, 1) model: errors that depend on the error before."""

    def step(state: Any, now: Any) -> Any:
        one, two, error = state
        error = now[0] - p[0] * one - p[1] * two - p[2] * error
        return (now[0], one, error), error

    zero = 0 * x[0]
    errors = E.scan(step, (zero, zero, zero), (x,))[1]
    return 0.5 * E.xp.sum(errors * errors)


def kalman_level(E: Any, x: Any, p: Any) -> Any:
    """The likelihood of a local-level model by the Kalman filter, with its gradient."""

    def step(state: Any, now: Any) -> Any:
        mean, variance = state
        total = variance + p[0]
        error = now[0] - mean
        gain = variance / total
        return (mean + gain * error, variance * (1 - gain) + p[1]), E.xp.log(
            total
        ) + error * error / total

    return -0.5 * E.xp.sum(E.scan(step, (x[0], p[0]), (x,))[1])


def kalman_matrices(E: Any, y: Any, move: Any, noise: Any, seen: Any) -> Any:
    """A Kalman filter with four states and one observation a step."""

    def step(state: Any, now: Any) -> Any:
        mean, spread = state
        mean, spread = move @ mean, move @ spread @ E.turned(move) + noise
        column = spread @ seen
        total = E.xp.sum(seen * column) + 0.5
        error = now[0] - E.xp.sum(seen * mean)
        gain = column / total
        spread = spread - gain[:, None] * column[None, :]
        return (mean + gain * error, spread), E.xp.log(total) + error * error / total

    return E.xp.sum(E.scan(step, (0 * seen, noise), (y,))[1])


def hidden_markov(E: Any, scores: Any, moves: Any) -> Any:
    """The forward algorithm in log space, 32 states, with gradients."""

    def step(state: Any, now: Any) -> Any:
        terms = state[0][:, None] + moves
        top = E.xp.max(terms, axis=0)
        return (now[0] + top + E.xp.log(E.xp.sum(E.xp.exp(terms - top), axis=0)),), None

    last = E.scan(step, (0 * scores[0],), (scores,))[0][0]
    top = E.xp.max(last)
    return top + E.xp.log(E.xp.sum(E.xp.exp(last - top)))


def viterbi(E: Any, scores: Any, moves: Any) -> Any:
    """The best path's score, 64 states."""

    def step(state: Any, now: Any) -> Any:
        return (now[0] + E.xp.max(state[0][:, None] + moves, axis=0),), None

    return E.xp.max(E.scan(step, (0 * scores[0],), (scores,))[0][0])


def lorenz(E: Any, x: Any, y: Any, z: Any) -> Any:
    """200 steps of Runge-Kutta for 1,000 Lorenz systems."""

    def slope(x: Any, y: Any, z: Any) -> Any:
        return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z

    def moved(state: Any, slopes: Any, size: float) -> Any:
        return [s + size * d for s, d in zip(state, slopes, strict=True)]

    def step(state: Any, _: Any) -> Any:
        one = slope(*state)
        two = slope(*moved(state, one, 0.005))
        three = slope(*moved(state, two, 0.005))
        four = slope(*moved(state, three, 0.01))
        parts = zip(one, two, three, four, strict=True)
        rate = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in parts]
        return tuple(moved(state, rate, 0.01)), None

    return list(E.scan(step, (x, y, z), None, 200)[0])


def leapfrog(E: Any, place: Any, speed: Any) -> Any:
    """100 leapfrog steps of a planet for each of 10,000 starts."""

    def pull(q: Any) -> Any:
        radius = q[0] * q[0] + q[1] * q[1]
        return -q / (radius * E.xp.sqrt(radius))

    def step(state: Any, _: Any) -> Any:
        q, p = state
        p = p + 0.005 * pull(q)
        q = q + 0.01 * p
        return (q, p + 0.005 * pull(q)), None

    return list(E.scan(step, (place, speed), None, 100)[0])


def hamiltonian(E: Any, q: Any, p: Any, x: Any, y: Any) -> Any:
    """20 leapfrog steps on a logistic regression's posterior."""

    def slope(q: Any) -> Any:
        return E.turned(x) @ (y - E.sigmoid(x @ q)) - q

    def step(state: Any, _: Any) -> Any:
        q, p = state
        p = p + 0.005 * slope(q)
        q = q + 0.01 * p
        return (q, p + 0.005 * slope(q)), None

    return list(E.scan(step, (q, p), None, 20)[0])


def wave(E: Any, now: Any, before: Any) -> Any:
    """100 steps of a wave on a string with fixed ends."""

    def step(state: Any, _: Any) -> Any:
        u, v = state
        bent = u[2:] - 2 * u[1:-1] + u[:-2]
        inner = 2 * u[1:-1] - v[1:-1] + 0.25 * bent
        return (E.xp.concat([u[:1], inner, u[-1:]], axis=0), u), None

    return E.scan(step, (now, before), None, 100)[0][0]


def jacobi(E: Any, u: Any, f: Any) -> Any:
    """50 steps of Jacobi's method on a grid with fixed edges."""

    def step(state: Any, _: Any) -> Any:
        (v,) = state
        inner = 0.25 * (v[2:, 1:-1] + v[:-2, 1:-1] + v[1:-1, 2:] + v[1:-1, :-2] - f[1:-1, 1:-1])
        rows = E.xp.concat([v[1:-1, :1], inner, v[1:-1, -1:]], axis=1)
        return (E.xp.concat([v[:1], rows, v[-1:]], axis=0),), None

    return E.scan(step, (u,), None, 50)[0][0]


def life(E: Any, cells: Any) -> Any:
    """20 generations of the game of life on a ring, in float32."""

    def around(v: Any, axis: int) -> Any:
        if axis:
            parts = [v[:, -1:], v[:, :-1]], [v[:, 1:], v[:, :1]]
        else:
            parts = [v[-1:], v[:-1]], [v[1:], v[:1]]
        return v + E.xp.concat(parts[0], axis=axis) + E.xp.concat(parts[1], axis=axis)

    def step(state: Any, _: Any) -> Any:
        (v,) = state
        count = around(around(v, 0), 1) - v
        born = (count == 3) | ((count == 2) & (v > 0))
        return (E.astype(born, "float32"),), None

    return E.scan(step, (cells,), None, 20)[0][0]


def discounted(E: Any, rewards: Any) -> Any:
    """Discounted returns of many episodes, from the end."""

    def step(state: Any, now: Any) -> Any:
        total = now[0] + 0.99 * state[0]
        return (total,), total

    return E.scan(step, (0 * rewards[0],), (E.xp.flip(rewards, axis=0),))[1]


def advantages(E: Any, rewards: Any, values: Any, ends: Any) -> Any:
    """Generalized advantages of one long episode after another: factors that are 0 now and then."""

    def step(state: Any, now: Any) -> Any:
        reward, value, end = now
        error = reward + 0.99 * state[1] * (1 - end) - value
        total = error + 0.95 * (1 - end) * state[0]
        return (total, value), total

    return E.scan(step, (0 * values[0], 0 * values[0]), (rewards, values, ends))[1]


def smoothed_few(E: Any, x: Any) -> Any:
    """Exponential smoothing of eight long series."""

    def step(state: Any, now: Any) -> Any:
        new = state[0] + 0.1 * (now[0] - state[0])
        return (new,), new

    return E.scan(step, (x[0],), (x,))[1]


def trend_grad(E: Any, x: Any, p: Any) -> Any:
    """Holt's level and trend, fitted to one-step errors: two states, each in the other."""

    def step(state: Any, now: Any) -> Any:
        level, trend = state
        error = now[0] - level - trend
        return (level + trend + p[0] * error, trend + p[1] * error), error

    errors = E.scan(step, (x[0], 0 * x[0]), (x,))[1]
    return E.xp.sum(errors * errors)


def power_method(E: Any, matrix: Any, start: Any) -> Any:
    """100 products of a matrix of 64 rows with a vector."""

    def step(state: Any, _: Any) -> Any:
        new = matrix @ state[0]
        return (new / E.xp.sqrt(E.xp.sum(new * new)),), None

    return E.scan(step, (start,), None, 100)[0][0]


def _sequence(steps: int, batch: int, width: int, outs: int, units: int) -> Any:
    def make(rng: np.random.Generator) -> list[Array]:
        shapes = (steps, batch, width), (width, outs), (units, outs)
        scales = 1, width**-0.5, units**-0.5
        pairs = zip(shapes, scales, strict=True)
        return [(rng.standard_normal(s) * scale).astype("float32") for s, scale in pairs]

    return make


def _one(rng: np.random.Generator) -> list[Array]:
    shapes = (300, 32), (64, 32), (64, 64), (32, 64)
    return [(rng.standard_normal(s) * 0.1).astype("float32") for s in shapes]


def _series(*numbers: float) -> Any:
    def make(rng: np.random.Generator) -> list[Array]:
        return [rng.standard_normal(10_000), np.asarray(numbers)]

    return make


def _states(rng: np.random.Generator) -> list[Array]:
    move = np.eye(4) + np.diag([0.1, 0.1], 2)
    return [rng.standard_normal(2000), move, 0.1 * np.eye(4), np.asarray([1.0, 0.5, 0.0, 0.0])]


def _episodes(rng: np.random.Generator) -> list[Array]:
    rewards, values = rng.standard_normal((2, 2000)).astype("float32")
    return [rewards, values, (rng.random(2000) < 0.02).astype("float32")]


def _squares(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((64, 64))
    return [x @ x.T / 64, rng.standard_normal(64)]


def _posterior(rng: np.random.Generator) -> list[Array]:
    x = rng.standard_normal((2000, 20))
    y = rng.integers(0, 2, 2000).astype(float)
    return [0.1 * rng.standard_normal(20), rng.standard_normal(20), x, y]


def _cells(rng: np.random.Generator) -> list[Array]:
    return [rng.integers(0, 2, (512, 512)).astype("float32")]


_SLOW = ("numpy", "torch")  # unrolled, or thousands of steps of Python
ROWS = (
    Workload("gru_grad", _sequence(50, 32, 64, 192, 64), gru_grad, wrt=(1, 2), rtol=1e-3),
    Workload("lstm_outputs", _sequence(100, 16, 32, 256, 64), lstm_outputs, rtol=1e-3),
    Workload("character_grad", _one, character_grad, wrt=(1, 2, 3), rtol=1e-3, skip=_SLOW),
    Workload(
        "autoregression_grad",
        _series(0.5, -0.2, 0.3),
        autoregression_grad,
        wrt=(1,),
        dtype="float64",
        rtol=1e-6,
        skip=_SLOW,
    ),
    Workload(
        "kalman_level",
        _series(1.0, 0.1),
        kalman_level,
        wrt=(1,),
        dtype="float64",
        rtol=1e-6,
        skip=_SLOW,
    ),
    Workload("kalman_matrices", _states, kalman_matrices, dtype="float64", rtol=1e-6, skip=_SLOW),
    Workload(
        "hidden_markov",
        floats((500, 32), (32, 32), dtype="float64"),
        hidden_markov,
        wrt=(0, 1),
        dtype="float64",
        rtol=1e-6,
        skip=_SLOW,
    ),
    Workload("viterbi", floats((1000, 64), (64, 64)), viterbi, skip=("torch",)),
    Workload(
        "lorenz", uniform((1000,), (1000,), (1000,), low=1, high=2), lorenz, rtol=float("inf")
    ),
    Workload("leapfrog", uniform((2, 10000), (2, 10000), low=0.8, high=1), leapfrog, rtol=1e-3),
    Workload("hamiltonian", _posterior, hamiltonian, dtype="float64", rtol=1e-6),
    Workload("wave", floats((100_000,), (100_000,)), wave, nbytes=100 * 12e5),
    Workload("jacobi", floats((512, 512), (512, 512)), jacobi, nbytes=50 * 12 * 512**2),
    Workload("life", _cells, life, nbytes=20 * 8 * 512**2),
    Workload("discounted", floats((1000, 200)), discounted, nbytes=8 * 200_000),
    Workload("advantages", _episodes, advantages, rtol=1e-4, skip=_SLOW),
    Workload(
        "smoothed_few",
        floats((5000, 8), dtype="float64"),
        smoothed_few,
        dtype="float64",
        skip=_SLOW,
    ),
    Workload(
        "trend_grad",
        _series(0.3, 0.1),
        trend_grad,
        wrt=(1,),
        dtype="float64",
        rtol=1e-6,
        skip=_SLOW,
    ),
    Workload("power_method", _squares, power_method, dtype="float64", rtol=1e-6),
)
