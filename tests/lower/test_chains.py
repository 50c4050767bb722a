"""Affine recurrences as chains side by side: which they are, and that no digits are lost."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import symgraph as sg
from symgraph.loop.ir import For
from symgraph.loop.traverse import statements
from symgraph.lower.program import Lowered
from symgraph.lower.schedule import Schedule
from tests.lower.lowered import assert_right, program_of

rng = np.random.default_rng(11)
N = 523  # 8 chains of 65 turns, and 3 that are left


def is_chained(lowered: Lowered) -> bool:
    loops = [s for k in lowered.program.kernels for s in statements(k.body) if isinstance(s, For)]
    return any(s.var.startswith("chain_") for s in loops)


def fixed(x, a):
    return list(_outs(lambda s, now: 0.9 * s - now, x))


def blended(x, a):
    """The same factor in other words."""
    return list(_outs(lambda s, now: s + a[0] * (now - s), x))


def varying(x, a):
    (s,), outs = sg.scan(
        lambda s, now: ((now[1] * s[0] + now[0],), s[0]), (sg.constant(0.5),), (x, a)
    )
    return [s, outs]


def masked(x, a):
    (s,), outs = sg.scan(
        lambda s, now: ((sg.where(now[1] > 0.5, now[0], now[0] + 0.99 * s[0]),), s[0] / 3),
        (sg.constant(0.5),),
        (x, a),
        reverse=True,
    )
    return [s, outs]


def divided(x, a):
    return list(_outs(lambda s, now: -(s / (1 + a[1])) + now, x))


def oscillating(x, a):
    """A state of two numbers, each in the other's next value."""
    (p, q), outs = sg.scan(
        lambda s, now: ((1.6 * s[0] - 0.9 * s[1] + now[0], s[0]), s[0]),
        (sg.constant(1.0), sg.constant(-2.0)),
        (x,),
    )
    return [p, q, outs]


def apart(x, a):
    (p, q), outs = sg.scan(
        lambda s, now: ((0.5 * s[0] + now[0], now[1] * s[1] + 1), s[0] + s[1]),
        (sg.constant(1.0), sg.constant(2.0)),
        (x, a),
    )
    return [p, q, outs]


def only_the_end(x, a):
    return [sg.scan(lambda s, now: ((now[1] * s[0] + now[0],), None), (x[0],), (x, a))[0][0]]


def gradient(x, a):
    (_,), outs = sg.scan(lambda s, now: ((sg.tanh(s[0] + now[0]),), s[0]), (x[0],), (x,))
    return [sg.grad(sg.sum(outs * outs), x)]


def _outs(step, x):
    (s,), outs = sg.scan(lambda s, now: ((step(s[0], now[0]),), s[0]), (sg.constant(2.0),), (x,))
    return s, outs


CHAINS = (fixed, blended, varying, masked, divided, oscillating, apart, only_the_end, gradient)


@pytest.mark.parametrize("f", CHAINS, ids=lambda f: f.__name__)
def test_affine_recurrences_run_in_chains(f):
    x, a = sg.tensor("x", shape=(N,), dtype="float64"), sg.tensor("a", shape=(N,), dtype="float64")
    given = {x: rng.standard_normal(N), a: rng.uniform(0, 1, N)}
    assert is_chained(assert_right(f(x, a), given, rtol=1e-12, atol=1e-13))


def squared(x, a):
    return list(_outs(lambda s, now: 0.1 * s * s + now, x))


def chosen(x, a):
    return list(_outs(lambda s, now: sg.where(s > 0, 0.5 * s, s) + now, x))


def counted(x, a):
    return list(sg.scan(lambda s, _: ((s[0] + 1,), s[0]), (sg.constant(0),), length=N))[1:]


def many(x, a):
    """Every state in every next one: differences would cost more than chains save."""
    starts = tuple(sg.constant(float(k)) for k in range(3))
    (p, _, _), outs = sg.scan(
        lambda s, now: ((0.1 * (s[0] + s[1] + s[2]) + now[0], s[0] - s[2], s[1]), s[0]),
        starts,
        (x,),
    )
    return [p, outs]


@pytest.mark.parametrize("f", [squared, chosen, counted, many], ids=lambda f: f.__name__)
def test_other_recurrences_stay_serial(f):
    x, a = sg.tensor("x", shape=(N,), dtype="float64"), sg.tensor("a", shape=(N,), dtype="float64")
    given = {x: rng.uniform(0, 0.1, N), a: rng.uniform(0, 1, N)}
    used = {v: given[v] for v in (x, a)}
    assert not is_chained(assert_right(f(x, a), used))


def test_short_recurrences_and_devices_stay_serial():
    x = sg.tensor("x", shape=(500,), dtype="float64")
    assert not is_chained(program_of(fixed(x, x), [x]))
    x = sg.tensor("x", shape=(N,), dtype="float64")
    assert not is_chained(program_of(fixed(x, x), [x], Schedule(chains=False)))


def exact(a, x, start):
    """All states in exact numbers, rounded at the end."""
    state, found = Fraction(start), []
    for one, two in zip(a, x, strict=True):
        found.append(float(state) if abs(state) < 2**1023 else np.inf)
        state = Fraction(float(one)) * state + Fraction(float(two))
    return np.array(found)


def serial(a, x, start):
    state, found = type(start)(start), []
    for one, two in zip(a, x, strict=True):
        found.append(state)
        state = one * state + two
    return np.array(found), state


def compiled(dtype):
    a, x = (sg.tensor(n, dtype=dtype, shape=(None,)) for n in "ax")
    (s,), outs = sg.scan(
        lambda s, now: ((now[0] * s[0] + now[1],), s[0]), (sg.constant(np.ones((), dtype)),), (a, x)
    )
    return sg.function([a, x], [s, outs])


def spikes(n):
    x = np.full(n, 1e-30)
    x[0] = -1
    return np.ones(n), x


def tiny_then_huge(n):
    a = np.ones(n)
    a[:4], a[4:8] = 1e-160, 1e160
    return a, np.full(n, 1e-3)


HARD = {
    "what cancels at once": spikes,
    "growth": lambda n: (np.full(n, 1.5), np.full(n, -0.5)),
    "overflow of what cancels": lambda n: (np.full(n, 4.0), np.full(n, -3.0)),
    "factors too small for a number": tiny_then_huge,
    "a walk": lambda n: (np.ones(n), np.random.default_rng(1).standard_normal(n)),
    "signs that alternate": lambda n: (np.full(n, -1.0), np.random.default_rng(2).uniform(0, 1, n)),
    "zeros": lambda n: (np.zeros(n), np.random.default_rng(3).standard_normal(n)),
    "decay": lambda n: (np.full(n, 0.9), np.zeros(n)),
}


@pytest.mark.parametrize("name", HARD)
def test_chains_lose_no_digits_that_the_serial_loop_keeps(name):
    a, x = HARD[name](1040)
    with np.errstate(all="ignore"):
        wanted, plain = exact(a, x, 1), serial(a, x, np.float64(1))[0]
    found = compiled("float64")(a, x)[1]
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(plain))
    fine = np.isfinite(plain)
    ours, theirs = (np.abs(y[fine] - wanted[fine]) for y in (found, plain))
    most = np.maximum.accumulate(theirs / np.maximum(np.abs(wanted[fine]), 1e-300))
    assert np.all(ours <= (16 * np.finfo(np.float64).eps + most) * np.abs(wanted[fine]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_spreads_as_in_the_serial_loop(dtype, bad):
    a, x = np.full(2000, 0.5, dtype), np.ones(2000, dtype)
    x[700] = bad
    a[1500] = 0
    with np.errstate(invalid="ignore"):
        plain, last = serial(a, x, a.dtype.type(1))
    found = compiled(dtype)(a, x)
    np.testing.assert_allclose(found[1], plain, rtol=1e-6)
    np.testing.assert_array_equal(found[0], last)


def test_very_long_recurrences_are_right_to_a_few_ulp():
    rng = np.random.default_rng(5)
    a, x = rng.uniform(0.9, 1, 300_001), rng.uniform(0, 1, 300_001)
    plain = serial(a, x, np.float64(1))[0]
    np.testing.assert_allclose(compiled("float64")(a, x)[1], plain, rtol=1e-15 * 16)


@pytest.mark.parametrize("n", [511, 1000, 300_000])
def test_chains_have_the_same_bits_on_one_thread(n):
    """Groups of chains, which threads share, depend on the length alone."""
    rng, f = np.random.default_rng(6), compiled("float64")
    a, x = rng.uniform(-1, 1, n), rng.standard_normal(n)
    many = [np.asarray(v).tobytes() for v in f(a, x)]
    with sg.config(threads=1):
        assert [np.asarray(v).tobytes() for v in f(a, x)] == many
