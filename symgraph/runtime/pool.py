"""One pool of threads for all compiled code of the process: ``symgraph_parallel``.

``void symgraph_parallel(void (*body)(void* context, int64 chunk), void* context, int64 chunks)``
runs every chunk once, on whatever threads, and returns when all are done. Workers are native
threads that never touch Python, so they need no GIL, receive no signals (all are blocked in them),
and do not care how the interpreter ends. A nested or a second job runs in its caller.

The pool starts when the first function that needs it is loaded, with as many threads as
``config.threads`` says, or the process may use: its processors (affinity) and its share of them
(cgroup). ``config.threads`` later, ``with sg.threads(n)`` and a function's ``threads=`` only limit
how many of them a job gets. Results do not depend on it: chunks are made from sizes alone.
"""

from __future__ import annotations

import atexit
import ctypes
import math
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

from symgraph.codegen.loader import Library
from symgraph.config import config
from symgraph.runtime import kept
from symgraph.runtime.pool_state import (
    CPU_BYTES,
    CPUS,
    LIMIT,
    LIMIT_TABLE,
    LIMITS,
    LINE,
    MOST_LIMITS,
    MOST_THREADS,
    SPIN,
    TICKETS,
    WIDTH,
    is_native,
    limited,
)

NAME, SERIAL = "symgraph_parallel", "symgraph_serial"
UNLIMITED = 1 << 62
_MAKERS = ("symgraph.runtime", "symgraph.codegen")  # whose code it is
LEVEL = 0  # of optimization: the code waits and claims, it does not compute


def address(threads: int = 0) -> int:
    """The address of ``symgraph_parallel`` for at most so many threads (0: all of the pool)."""
    return _pool().address(threads)


def processors() -> int:
    """How many threads this process may keep busy: its affinity, and its cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, _quota("/sys/fs/cgroup")))


def _quota(folder: str) -> int:
    """Processors that the cgroup grants, rounded up; many where it sets no limit."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            fields = " ".join(_text(f"{folder}/{name}") for name in names).split()
            quota, period = int(fields[0]), int(fields[1])
        except (OSError, ValueError, IndexError):  # no such file, or "max"
            continue
        if quota > 0 and period > 0:
            return math.ceil(quota / period)
    return MOST_THREADS


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


class Pool:
    """The state block, the code, and the workers. Code and state live as long as the process.

    Without workers (before ``start``, after ``stop``) a caller runs all chunks itself.
    """

    def __init__(self, width: int, spin: int = SPIN) -> None:
        self.width = min(width, MOST_THREADS) if is_native() else 1
        self._workers: list[ctypes.c_ulong] = []
        self._lock = threading.Lock()
        self._memory = ctypes.create_string_buffer(TICKETS + LINE * (self.width + 1))
        self.state = -(-ctypes.addressof(self._memory) // LINE) * LINE
        self._library = _library(self.width, spin)
        _immortal(self._library)
        _immortal(self._memory)
        self._reset()
        if self.width > 1:
            at = self._library.address
            ctypes.c_void_p.from_address(at["symgraph_pool"]).value = self.state
            os.register_at_fork(after_in_child=self._forked)
            atexit.register(self.stop)

    def address(self, threads: int = 0) -> int:
        """The entry for at most so many threads; 0 for all there are."""
        at = self._library.address
        if self.width == 1 or threads == 1:
            return at[SERIAL]
        return at[NAME if not 0 < threads < self.width else limited(threads)]

    def start(self) -> Pool:
        """Start the workers; fewer where the system refuses threads."""
        with self._lock:
            if self._workers or self.width == 1:
                return self
            self._reset()
            # workers inherit the mask: signals go to Python's threads
            before = _blocked_signals()
            try:
                for _ in range(self.width - 1):
                    thread = ctypes.c_ulong()
                    worker = ctypes.c_void_p(self._library.address["worker"])
                    if _libc().pthread_create(
                        ctypes.byref(thread), None, worker, ctypes.c_void_p(self.state)
                    ):
                        break
                    self._workers.append(thread)
            finally:
                _libc().pthread_sigmask(_SET_MASK, before, None)
        return self

    def stop(self) -> None:
        """End the workers and wait for them; their code stays."""
        with self._lock:
            if self._workers:
                ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._library.address["quit"])(self.state)
                for thread in self._workers:
                    _libc().pthread_join(thread, None)
                self._workers = []

    @property
    def running(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def _reset(self) -> None:
        limit, count, table = self._limits()
        ctypes.memset(self.state, 0, TICKETS + LINE * self.width)
        self._word(WIDTH).value = self.width
        self._word(LIMIT).value = limit or UNLIMITED
        ctypes.memmove(self.state + LIMIT_TABLE, table, len(table))
        self._word(LIMITS).value = count
        if hasattr(os, "sched_getaffinity"):
            for cpu in os.sched_getaffinity(0):
                if cpu < CPU_BYTES * 8:
                    ctypes.c_ubyte.from_address(self.state + CPUS + cpu // 8).value |= 1 << cpu % 8

    def _limits(self) -> tuple[int, int, bytes]:
        size = 16 * MOST_LIMITS
        table = ctypes.string_at(self.state + LIMIT_TABLE, size)
        return self._word(LIMIT).value, self._word(LIMITS).value, table

    def _word(self, offset: int) -> ctypes.c_int64:
        return ctypes.c_int64.from_address(self.state + offset)

    def _forked(self) -> None:
        """In a forked child only one thread exists: forget the workers and any job under way."""
        self._workers, self._lock = [], threading.Lock()
        self.start()

    # ---------------------------------------------------------------- limits

    def limit_all(self, threads: int) -> None:
        """The limit of threads that have none of their own (0: none)."""
        self._word(LIMIT).value = threads or UNLIMITED

    @contextmanager
    def limit_here(self, threads: int) -> Iterator[None]:
        """The limit of the current thread's jobs inside a ``with`` block."""
        place, before = self._place()
        if place is None:  # more threads than the table holds keep the common limit
            yield
            return
        pair = self.state + LIMIT_TABLE + 16 * place
        ctypes.c_int64.from_address(pair + 8).value = threads or UNLIMITED
        ctypes.c_int64.from_address(pair).value = _self()
        try:
            yield
        finally:
            ctypes.c_int64.from_address(pair + 8).value = before or UNLIMITED
            if not before:
                with self._lock:
                    ctypes.c_int64.from_address(pair).value = 0

    def _place(self) -> tuple[int | None, int]:
        """This thread's place in the table of limits, and the limit it has there already."""
        with self._lock:
            ids = [self._word(LIMIT_TABLE + 16 * i).value for i in range(MOST_LIMITS)]
            if _self() in ids:
                place = ids.index(_self())
                return place, self._word(LIMIT_TABLE + 16 * place + 8).value
            if 0 not in ids:
                return None, 0
            place = ids.index(0)
            self._word(LIMIT_TABLE + 16 * place + 8).value = UNLIMITED
            self._word(LIMIT_TABLE + 16 * place).value = _self()
            self._word(LIMITS).value = max(self._word(LIMITS).value, place + 1)
            return place, 0


_SET_MASK = 2  # Linux's number
_MASK_BYTES = 128  # of a set of signals


def _blocked_signals() -> ctypes.Array[ctypes.c_char]:
    """Blocks all signals in this thread; gives those that were blocked before.

    By the C library: the module ``signal`` makes enumerations, which takes a millisecond.
    """
    every, before = (ctypes.create_string_buffer(_MASK_BYTES) for _ in range(2))
    _libc().sigfillset(every)
    _libc().pthread_sigmask(_SET_MASK, every, before)
    return before


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _self() -> int:
    """This thread, as the C library names it."""
    name = _libc().pthread_self
    name.restype = ctypes.c_int64
    found: int = name()
    return found


def _library(width: int, spin: int) -> Library:
    exports = [SERIAL]
    if width > 1:
        exports += [NAME, "symgraph_pool", "worker", "quit"]
        exports += [limited(k) for k in range(2, width)]

    def compiled() -> bytes:
        from symgraph.codegen.objects import compile_text  # imports LLVM
        from symgraph.runtime import pool_code

        text = pool_code.serial() if width == 1 else pool_code.text(width, spin)
        return compile_text(text, exports, LEVEL)

    return kept.library(f"pool {width} {spin}", compiled, exports, _MAKERS)


def _immortal(thing: object) -> None:
    """Never freed: workers may run in it until the process has ended."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


_lock = threading.Lock()
_found: list[Pool] = []


def _pool() -> Pool:
    """The pool, started at the first call."""
    with _lock:
        if not _found:
            made = Pool(config.number("threads") or processors())
            made.limit_all(config.number("threads"))
            _found.append(made)
    return _found[0].start()


def limit_all(threads: int) -> None:
    """What an assignment to ``config.threads`` does to a pool that runs."""
    if _found:
        _found[0].limit_all(threads)


def limit_here(threads: int) -> AbstractContextManager[None]:
    """The limit of the current thread inside a ``with`` block."""
    return _pool().limit_here(threads)
