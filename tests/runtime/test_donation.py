"""Inputs given away (``In(x, mutable=True)``): results in their place, the same values."""

from __future__ import annotations

import gc
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg
from symgraph.errors import ArgumentError

BACKENDS = ["llvm", "interp", "numba", "cuda"]
ON_CPU = BACKENDS[:3]


def _softmax(x):
    e = sg.exp(x - sg.max(x, axis=1, keepdims=True))
    return e / sg.sum(e, axis=1, keepdims=True)


# formula of (x, y), and for each output whether it can take the place of x
IN_PLACE = {
    "elementwise": (lambda x, y: 2 * x + 3 * y - x * y + 1, [True]),
    "rows read before they are written": (lambda x, y: _softmax(x) * y, [True]),
    "slow lanes": (lambda x, y: sg.log(sg.exp(x) - 1) * y, [True]),
    "running sums": (lambda x, y: sg.cumulative_sum(x, axis=1) * y, [True]),
    "the input itself": (lambda x, y: x, [True]),
    "one row replaced": (lambda x, y: x.at[0].set(y[0]), [True]),
    "one of two outputs": (lambda x, y: [x + y, x - y], [True, False]),
    "after a step that reads it all": (lambda x, y: x / sg.sum(x, axis=0) * y, [True]),
    "read by an earlier step alone": (lambda x, y: sg.sum(x, axis=0) @ y + 0 * y, [True]),
}
ELSEWHERE = {
    "transposed": lambda x, y: x.T * y,
    "rolled": lambda x, y: sg.roll(x, 1, axis=0) * y,
    "reversed rows": lambda x, y: x[:, ::-1] + y,
    "neighbours": lambda x, y: x.at[1:].set(x[:-1]) * y,
    "a product": lambda x, y: x @ y,
    "another dtype": lambda x, y: sg.astype(x * y, "float32"),
    "another shape": lambda x, y: sg.sum(x * y, axis=1),
}


def _both(formula, backend="llvm", **options):
    x, y = sg.matrices("x", "y")
    mode = sg.Mode(backend=backend)
    made = formula(x, y)
    plain = sg.function([x, y], made, mode=mode, on_unused_input="ignore")
    inputs = [sg.In(x, mutable=True), y]
    return plain, sg.function(inputs, made, mode=mode, on_unused_input="ignore", **options)


def _arrays(n=12, m=12, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, m))
    x.flat[::7] = 1e-12
    return x, rng.normal(size=(n, m))


def _listed(made):
    return made if isinstance(made, list) else [made]


def _assert_same(made, wanted):
    for a, b in zip(_listed(made), _listed(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["elementwise", "rows read before they are written"])
def test_every_backend_writes_in_place(name, backend):
    formula, places = IN_PLACE[name]
    plain, given = _both(formula, backend)
    for seed in range(2):  # the first call compiles, the second is the entry's alone
        x, y = _arrays(4, 5, seed=seed)
        wanted = plain(x.copy(), y)
        made = given(x, y)
        _assert_same(made, wanted)
        assert [m is x for m in _listed(made)] == places


@pytest.mark.parametrize("name", IN_PLACE)
def test_results_take_the_place_of_what_was_given(name):
    formula, places = IN_PLACE[name]
    plain, given = _both(formula)
    for seed in range(3):
        x, y = _arrays(seed=seed)
        wanted = plain(x.copy(), y)
        made = given(x, y)
        _assert_same(made, wanted)
        assert [m is x for m in _listed(made)] == places


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_still_needed_is_not_overwritten(name):
    plain, given = _both(ELSEWHERE[name])
    for seed in range(2):
        x, y = _arrays(seed=seed)
        wanted, before = plain(x.copy(), y), x.copy()
        _assert_same(given(x, y), wanted)
        np.testing.assert_array_equal(x, before)


def test_large_arrays_on_several_threads():
    plain, given = _both(IN_PLACE["rows read before they are written"][0])
    x, y = _arrays(700, 900)
    wanted = plain(x.copy(), y)
    made = given(x, y)
    _assert_same(made, wanted)
    assert made is x


def test_without_mutable_nothing_is_written():
    plain, _ = _both(IN_PLACE["elementwise"][0])
    x, y = _arrays()
    x.flags.writeable = y.flags.writeable = False
    before = x.copy()
    plain(x, y)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("turns", [1, 2])
def test_a_read_only_array_is_copied(turns):
    plain, given = _both(IN_PLACE["elementwise"][0])
    x, y = _arrays()
    before = x.copy()
    x.flags.writeable = False
    for _ in range(turns):
        _assert_same(given(x, y), plain(x, y))
    np.testing.assert_array_equal(x, before)


def test_what_is_converted_is_not_the_callers():
    plain, given = _both(IN_PLACE["elementwise"][0])
    x, y = _arrays()
    turned = np.asfortranarray(x)
    before = turned.copy()
    _assert_same(given(turned, y), plain(x, y))
    _assert_same(given(x.tolist(), y), plain(x, y))
    np.testing.assert_array_equal(turned, before)


OVERLAPS = {
    "the same array": lambda x: (x, x),
    "a view of it": lambda x: (x, x[:]),
    "parts of one array": lambda x: (np.ascontiguousarray(x)[:8], x[4:12]),
}


@pytest.mark.parametrize("calls_before", [0, 1])
@pytest.mark.parametrize("how", OVERLAPS)
def test_memory_that_another_argument_needs_is_refused(how, calls_before):
    plain, given = _both(IN_PLACE["elementwise"][0])
    for _ in range(calls_before):
        given(*_arrays(8, 12))
    x, _ = _arrays()
    before = x.copy()
    first, second = OVERLAPS[how](x)
    with pytest.raises(ArgumentError, match=r"argument 'x' of function may be overwritten") as e:
        given(first, second)
    assert "shares memory with: 'y'" in str(e.value)
    np.testing.assert_array_equal(x, before)
    plain(first, second)


def test_memory_of_a_state_is_refused():
    x = sg.vector("x")
    state = sg.shared(np.arange(5.0), name="w")
    f = sg.function([sg.In(x, mutable=True)], x * state)
    f(np.ones(5))
    with pytest.raises(ArgumentError, match="shares memory with: a shared variable"):
        f(state.get_value(borrow=True))
    np.testing.assert_array_equal(state.get_value(), np.arange(5.0))


def test_neighbours_in_one_array_are_apart():
    plain, given = _both(IN_PLACE["elementwise"][0])
    both = np.stack(_arrays())
    wanted = plain(both[0].copy(), both[1])
    made = given(both[0], both[1])
    _assert_same(made, wanted)
    np.testing.assert_array_equal(both[0], wanted)


def test_out_is_written_and_the_argument_kept():
    plain, given = _both(IN_PLACE["elementwise"][0])
    for seed in range(2):
        x, y = _arrays(seed=seed)
        before, out = x.copy(), np.empty_like(x)
        assert given(x, y, out=out) is out
        _assert_same(out, plain(x, y))
        np.testing.assert_array_equal(x, before)
        assert given(x, y, out=x) is x
        _assert_same(x, out)


def test_new_states_are_never_an_argument():
    x = sg.vector("x")
    state = sg.shared(np.zeros(4), name="s")
    f = sg.function([sg.In(x, mutable=True)], None, updates={state: x + 1})
    for k in range(3):
        given = np.full(4, float(k))
        f(given)
        np.testing.assert_array_equal(state.get_value(), given + 1)
        given[:] = 99
        np.testing.assert_array_equal(state.get_value(), np.full(4, k + 1.0))


def test_looking_at_a_function_destroys_nothing():
    _, given = _both(IN_PLACE["elementwise"][0])
    x, y = _arrays()
    before = x.copy()
    given.profile(x, y, repeat=1)
    given.accuracy(x, y)
    given.trace_of(x, y)
    np.testing.assert_array_equal(x, before)
    assert given.kernels


def test_debug_mode_keeps_what_it_compares_with():
    x, y = sg.matrices("x", "y")
    f = sg.function([sg.In(x, mutable=True), y], x * y, mode="debug")
    a, b = _arrays()
    before = a.copy()
    np.testing.assert_array_equal(f(a, b), before * b)
    np.testing.assert_array_equal(a, before)


def test_copies_and_pickles_give_away_too():
    _, given = _both(IN_PLACE["elementwise"][0])
    for f in (given.copy(), pickle.loads(pickle.dumps(given))):
        x, y = _arrays()
        assert f(x, y) is x


def test_two_inputs_serve_two_outputs():
    x, y = sg.matrices("x", "y")
    f = sg.function([sg.In(x, mutable=True), sg.In(y, mutable=True)], [x + y, x * y])
    a, b = _arrays()
    wanted = [a + b, a * b]
    made = f(a, b)
    _assert_same(made, wanted)
    assert sum(m is a or m is b for m in made) >= 1
    with pytest.raises(ArgumentError, match="may be overwritten"):
        f(a, a)


def test_the_code_from_disk_does_the_same(tmp_path):
    with sg.config(cache_dir=str(tmp_path)):
        for _ in range(2):
            plain, given = _both(IN_PLACE["elementwise"][0])
            x, y = _arrays()
            _assert_same(given(x.copy(), y), plain(x, y))
            assert given(x, y) is x


def _allocated(call, turns=50):
    """Bytes that stay while a call's result is held, and the most meanwhile, beyond it."""
    call()
    held = call()
    gc.collect()
    tracemalloc.start()
    held = call()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(turns):
        held = call()
    end, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del held
    return after, end, peak


def test_a_steady_call_allocates_its_outputs_alone():
    """``x @ y`` has a temporary too, which is in the arena."""
    x, y = sg.matrices("x", "y")
    f = sg.function([x, y], sg.tanh(x @ y) @ y)
    a, b = _arrays(200, 200)
    after, end, peak = _allocated(lambda: f(a, b))
    small = 2_000  # the array's own head
    assert a.nbytes <= after < a.nbytes + small
    assert end < a.nbytes + small
    assert peak < 2 * a.nbytes + small  # the next result is made before the last one goes


def test_nothing_is_allocated_with_out_or_in_place():
    x, y = sg.matrices("x", "y")
    f = sg.function([x, y], sg.tanh(x @ y) @ y)
    a, b = _arrays(200, 200)
    out = np.empty_like(a)
    small = a.nbytes // 8  # lists and tuples on Python's way, which it keeps for reuse
    assert max(_allocated(lambda: f(a, b, out=out))) < small
    _, given = _both(lambda x, y: x * 0.5 + y)
    assert max(_allocated(lambda: given(a, b))) < small
    state = sg.shared(np.zeros((200, 200)), name="s")
    step = sg.function([], None, updates={state: state * 0.5 + 1})
    assert max(_allocated(step)) < small


STATUS = Path("/proc/self/statm")


@pytest.mark.skipif(not STATUS.exists(), reason="resident memory is read from Linux's /proc")
def test_steady_calls_leave_resident_memory_as_it_is():
    """Arenas are malloc's, which tracemalloc does not see; a scan's gradient has large ones."""
    x, w = sg.matrix("x"), sg.matrix("w")
    last, outs = sg.scan(lambda c, v: (sg.tanh(c @ w + v), c), sg.zeros((50,)), x)
    cost = sg.sum(outs) + sg.sum(last)
    f = sg.function([x, w], [cost, *sg.grad(cost, [x, w])])
    a, b = np.random.default_rng(0).normal(size=(2, 50, 50))

    def resident():
        gc.collect()
        return int(STATUS.read_text(encoding="utf-8").split()[1]) * 4096

    for _ in range(20):
        f(a, b)
    before = resident()
    for _ in range(300):
        f(a, b)
    assert resident() - before < 500_000
