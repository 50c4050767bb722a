"""Long calls that Ctrl-C can end: computed beside the main thread, which waits and hears signals.

Machine code cannot be stopped in the middle, so an interrupted computation goes on unseen until its
end, and its result is dropped. Only the main thread gets signals, so other threads call directly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from symgraph.config import config
from symgraph.runtime.limits import threads


class _Runner:
    """A thread that computes one call after another; it takes itself off the list when busy."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._work, name="symgraph long call", daemon=True).start()

    def _work(self) -> None:
        while True:
            task = self.inbox.get()
            task()
            del task
            _idle.append(self)


_idle: list[_Runner] = []


def patiently(call: Callable[[], Any], abandon: Callable[[], None]) -> Any:
    """``call()``, interruptible: on Ctrl-C ``abandon()``, and KeyboardInterrupt at once."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    limit = config.number("threads")
    outcome: list[Any] = []
    failure: list[BaseException] = []
    done = threading.Lock()
    done.acquire()

    def task() -> None:
        try:
            if limit:
                with threads(limit):
                    outcome.append(call())
            else:
                outcome.append(call())
        except BaseException as error:
            failure.append(error)
        finally:
            done.release()

    try:
        runner = _idle.pop()
    except IndexError:
        runner = _Runner()
    runner.inbox.put(task)
    try:
        done.acquire()
    except BaseException:
        abandon()
        raise
    if failure:
        raise failure[0]
    return outcome[0]
