"""The state block of the thread pool, and what is known of its native part without its text."""

from __future__ import annotations

import platform
import sys

# Byte offsets in the state block; what different threads write lies in different cache lines.
EPOCH, DONE, WAITING, BUSY, STOP, SLEEPERS, NEXT = 0, 64, 68, 128, 132, 192, 200
FUNCTION, CONTEXT, CHUNKS, WIDTH, HOME, SHARES = 256, 264, 272, 280, 288, 296
LIMIT, LIMITS, CPUS, LIMIT_TABLE, TICKETS = 304, 312, 320, 448, 1472
FIELDS = (
    "EPOCH", "DONE", "WAITING", "BUSY", "STOP", "SLEEPERS", "NEXT", "FUNCTION", "CONTEXT", "CHUNKS",
    "WIDTH", "HOME", "SHARES", "LIMIT", "LIMITS", "CPUS", "LIMIT_TABLE", "TICKETS",
)  # fmt: skip
CPU_BYTES = 128  # a set of 1,024 processors
MOST_LIMITS = 64  # threads that have a limit of their own at one time: (pthread, limit) pairs
LINE = 64
MOST_THREADS = 256
SPIN = 2_000  # pauses of 15 to 40 ns before a thread goes to sleep
MOST_CHUNKS = 1 << 31  # most chunks of a job

# system calls: futex, sched_setaffinity, gettid
CALLS = {"x86_64": (202, 203, 186), "aarch64": (98, 122, 178)}


def is_native() -> bool:
    """Can this system run the pool?"""
    return sys.platform == "linux" and platform.machine() in CALLS


def limited(threads: int) -> str:
    """The name of the entry that uses at most so many threads."""
    return f"symgraph_parallel_{threads}"
