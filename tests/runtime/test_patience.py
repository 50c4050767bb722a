"""Long calls: Ctrl-C is answered while they run, and changes nothing."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import symgraph as sg
from symgraph.runtime.patience import patiently


def _long(turns):
    """A function that multiplies matrices for a while: 10 ms or more for each 100 turns."""
    x, s = sg.matrix("x"), sg.shared(np.zeros(()), "s")
    last, _ = sg.scan(lambda c, _: (sg.tanh(c @ c), None), x, length=turns)
    return sg.function([x], sg.sum(last), updates={s: s + 1}), s


@pytest.fixture
def interruptible():
    """SIGINT raises KeyboardInterrupt: a job in the background inherits that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_answered_before_the_end_and_changes_nothing():
    f, s = _long(300)
    a = np.full((256, 256), 0.01)
    start = time.perf_counter()
    want = f(a)
    whole = time.perf_counter() - start
    assert s.get_value() == 1.0
    f(a)
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(whole / 10, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        f(a)
    answered = time.perf_counter() - sent[0]
    timer.join()
    assert answered < max(0.1, whole / 3)
    assert s.get_value() == 2.0
    assert f(a) == want
    assert s.get_value() == 3.0


def test_other_threads_compute_themselves():
    found = []
    thread = threading.Thread(
        target=lambda: found.append(patiently(threading.current_thread, lambda: None))
    )
    thread.start()
    thread.join()
    assert found == [thread]


def test_errors_come_back_and_limits_go_along():
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 // 0, lambda: None)
    with sg.threads(1):
        assert patiently(lambda: sg.config.threads, lambda: None) == 1
    assert patiently(lambda: sg.config.threads, lambda: None) == 0


def _halvings(x):
    """How often x can be halved before it is at most 1: a loop of unknown length."""
    return sg.while_loop(lambda s: s[0] > 1, lambda s: (s[0] / 2, s[1] + 1), (x, sg.zeros(())))[1]


def test_a_short_loop_of_unknown_length_is_run_by_the_caller(monkeypatch):
    x = sg.scalar("x")
    f = sg.function([x], _halvings(x))
    assert f(1.0) == 0
    monkeypatch.setattr("symgraph.runtime.patience.patiently", None)
    assert [f(y) for y in (1.0, 2.0, 1e300)] == [0, 1, 997]


def test_a_long_loop_of_unknown_length_is_begun_again_where_ctrl_c_is_heard(monkeypatch):
    calls = []

    def heard(call, abandon):
        calls.append(abandon)
        return call()

    x, s = sg.scalar("x"), sg.shared(np.zeros(3), "s")
    count = sg.while_loop(lambda n: n < x, lambda n: n + 1, sg.zeros(()))
    f = sg.function([x], count, updates={s: s + count})
    f(1.0)
    monkeypatch.setattr("symgraph.runtime.patience.patiently", heard)
    for _ in range(3):
        assert f(200_000.0) == 200_000
        assert f(7.0) == 7
    assert len(calls) == 3
    assert list(s.get_value()) == [3 * 200_007.0 + 1] * 3


@pytest.mark.usefixtures("interruptible")
def test_an_endless_loop_can_be_interrupted():
    x = sg.scalar("x")
    f = sg.function([x], sg.while_loop(lambda n: n < x, lambda n: n + 1, sg.zeros(())))
    assert f(3.0) == 3
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        f(3e9)  # a second or more, which goes on unseen
    timer.join()
    assert f(4.0) == 4


def test_a_loop_that_may_destroy_its_argument_is_not_tried():
    x = sg.vector("x")
    doubled = sg.while_loop(lambda y: sg.max(y) < 1e9, lambda y: y * 1.0001, x)
    f = sg.function([sg.In(x, mutable=True)], doubled)
    plain = sg.function([x], doubled)
    a = np.arange(1.0, 4.0)
    for _ in range(2):
        want = plain(a)
        np.testing.assert_array_equal(f(a.copy()), want)
