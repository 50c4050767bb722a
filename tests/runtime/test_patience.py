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
