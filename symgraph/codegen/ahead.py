"""Several threads compile: parts of a program side by side, and the libraries that it needs.

LLVM needs no GIL, nor (``unlocked``) llvmlite's lock: a first call that needs matrix products waits
for the longer of the two, not for both.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from symgraph.codegen import externals

Result = TypeVar("Result")
MOST_THREADS = 4  # that compile one program


def compilers() -> int:
    """How many threads should compile a program: the processors of this process, and no more."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MOST_THREADS)
    return min(os.cpu_count() or 1, MOST_THREADS)


@contextlib.contextmanager
def ahead(symbols: Iterable[str]) -> Iterator[None]:
    """Inside a ``with`` block another thread sees to it that functions are in memory."""
    wanted = [symbol for symbol in symbols if symbol not in _made]
    if not wanted:
        yield
        return
    thread = threading.Thread(target=_make, args=(wanted,), name="symgraph libraries")
    thread.start()
    try:
        yield
    finally:
        thread.join()  # nothing goes on behind the user's back: a fork would copy it half done


_made: set[str] = set()


def _make(symbols: Iterable[str]) -> None:
    with contextlib.suppress(Exception):  # raised again, where it belongs, by who needs them
        for symbol in symbols:
            externals.address(symbol)
            _made.add(symbol)


def side_by_side(jobs: Sequence[Callable[[], Result]]) -> list[Result]:
    """What jobs give, each done by a thread of its own; the last by the caller.

    Raises: what the first of the jobs that failed raised.
    """
    *others, own = jobs
    found: dict[int, Result] = {}
    failed: dict[int, BaseException] = {}

    def do(k: int, job: Callable[[], Result]) -> None:
        try:
            found[k] = job()
        except BaseException as error:  # raised again by the caller
            failed[k] = error

    threads = [
        threading.Thread(target=do, args=item, name="symgraph compiler")
        for item in enumerate(others)
    ]
    for thread in threads:
        thread.start()
    try:
        last = own()
    finally:
        for thread in threads:
            thread.join()
    if failed:
        raise failed.pop(min(failed))  # which nothing here refers to then, so no cycle keeps frames
    return [*(found[k] for k in range(len(others))), last]
