"""One function called from many threads at once, and functions sent to other processes."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import symgraph as sg


def _model():
    x = sg.matrix("x")
    w = sg.shared(np.linspace(-1, 1, 12).reshape(4, 3), "w")
    scores = sg.log_softmax(x @ w, axis=1)
    return sg.function([x], [scores, scores.sum(axis=0), sg.exp(x).mean()])


def test_eight_threads_give_the_results_of_one(rng):
    f = _model()
    inputs = [rng.normal(size=(n, 4)) for n in (1, 2, 5, 9)]
    wanted = [f(a) for a in inputs]
    f = _model()  # nothing is compiled yet: the threads race for that, too

    def work(seed: int) -> int:
        wrong = 0
        for k in range(1_250):
            which = (k * 7 + seed) % len(inputs)
            got = f(inputs[which])
            wrong += not all(np.array_equal(a, b) for a, b in zip(got, wanted[which], strict=True))
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 0


def test_threads_see_updates_whole():
    a, b = sg.shared(np.zeros(50)), sg.shared(np.zeros(50))
    step = sg.function([], None, updates={a: a + 1, b: b + 1})
    look = sg.function([], sg.abs(a - b).max())
    stop = threading.Event()
    seen: list[float] = []

    def watch() -> None:
        while not stop.is_set():
            seen.append(float(look()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(500):
        step()
    stop.set()
    watcher.join()
    assert set(seen) <= {0.0}
    np.testing.assert_array_equal(a.get_value(), np.full(50, 500.0))


def _scanning():
    x = sg.vector("x")
    s = sg.shared(np.array([1.0, 2.0]), "s")
    last, every = sg.scan(lambda c, v: (c * 0.5 + v, c + v), sg.constant(0.0), x)
    f = sg.function([x], {"last": last * s, "every": every}, updates={s: s + last})
    return f, s


def test_a_pickled_function_gives_the_same_and_has_its_own_state():
    f, s = _scanning()
    a = np.arange(4.0)
    f(a)
    g = pickle.loads(pickle.dumps(f))
    first, second = f(a), g(a)
    np.testing.assert_array_equal(first["last"], second["last"])
    np.testing.assert_array_equal(first["every"], second["every"])
    before = s.get_value()
    g(a)
    np.testing.assert_array_equal(s.get_value(), before)


@pytest.mark.parametrize(
    "mode", ["quick", "debug", sg.Mode(backend="interp"), sg.Mode(accuracy="as-written")]
)
def test_modes_survive_pickling(mode):
    x = sg.vector("x")
    f = sg.function([sg.In(x, default=[1.0])], (x * 2, None), mode=mode, name="twice")
    g = pickle.loads(pickle.dumps(f))
    assert g.name == "twice"
    np.testing.assert_array_equal(g()[0], [2.0])


def test_pickled_with_its_shared_variable_they_stay_tied():
    s = sg.shared(2.0, "s")
    f = sg.function([], s * 3, updates={s: s + 1})
    g, t = pickle.loads(pickle.dumps((f, s)))
    t.set_value(5.0)
    assert g() == 15.0
    assert t.get_value() == 6.0
    assert s.get_value() == 2.0


def _call(function, value):
    return function(value)["last"]


def test_a_spawned_process_runs_it():
    f, _ = _scanning()
    a = np.arange(4.0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = pool.apply(_call, (f, a))
    np.testing.assert_array_equal(got, f(a)["last"])
