"""The thread pool's native part, as LLVM text: workers, posting a job, waiting for its end.

Each thread has a share of a job's chunks and a 64-bit ticket, ``epoch << 32 | chunks left``. A
chunk is claimed by compare-and-swap to ticket - 1, own share first (its data is in that core's
cache), then the others'. Only who claimed a chunk reads the job's fields, which stay valid until
DONE reaches the number of chunks: a worker that wakes late finds nothing to claim, and nobody waits
for one that sleeps. A pool that is busy, with another thread's job or one around this one, runs a
job in the caller, with the same chunks.

Sleeping is a futex, so this is for Linux; ``serial`` is what other systems get.
"""

from __future__ import annotations

import platform

from symgraph.runtime import pool_state
from symgraph.runtime.pool_state import CALLS, CPU_BYTES, FIELDS, LINE, MOST_CHUNKS, SPIN, limited

_PAUSES = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}


def serial() -> str:
    """``symgraph_serial``: the same chunks, in order, in the caller."""
    return """
define void @symgraph_serial(ptr %body, ptr %context, i64 %chunks) {
  %any = icmp sgt i64 %chunks, 0
  br i1 %any, label %one, label %end
one:
  %i = phi i64 [0, %0], [%next, %one]
  call void %body(ptr %context, i64 %i)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %chunks
  br i1 %more, label %one, label %end
end:
  ret void
}
"""


def text(width: int, spin: int = SPIN) -> str:
    """The module for a pool of ``width`` threads; ``symgraph_pool`` holds its state's address."""
    entries = [("symgraph_parallel", width), *((limited(k), k) for k in range(2, width))]
    parts = [_HEAD, serial(), _DRAIN, _WORKER, _WAKEN, _QUIT, _WIDTH, _POST]
    parts += [_ENTRY.replace("NAME", name).replace("MOST", str(most)) for name, most in entries]
    import re

    words = _words(spin)
    pattern = re.compile(rf"\b({'|'.join(sorted(words, key=len, reverse=True))})\b")
    return pattern.sub(lambda found: words[found[0]], "".join(parts))


def _words(spin: int) -> dict[str, str]:
    """What the capitals in the text below stand for: offsets, sizes, numbers of system calls."""
    declare, pause = _PAUSES[platform.machine()]
    futex, affinity, gettid = CALLS[platform.machine()]
    numbers = {
        "FUTEX": futex,
        "FUTEX_WAIT": 128,  # private to the process
        "FUTEX_WAKE": 129,
        "SET_AFFINITY": affinity,
        "GETTID": gettid,
        "SPIN": spin,
        "LINE": LINE,
        "CPU_BYTES": CPU_BYTES,
        "MOST_CPUS": CPU_BYTES * 8,
        "MOST_CHUNKS": MOST_CHUNKS,
        "MOST_WOKEN": 2**31 - 1,
    }
    fields = {
        f"FIELD {n}": f"getelementptr i8, ptr %s, i64 {getattr(pool_state, n)}" for n in FIELDS
    }
    words = {name: str(number) for name, number in numbers.items()}
    texts = {"DECLARE_PAUSE": declare, "PAUSE": pause, "SYSCALL": "call i64 (i64, ...) @syscall"}
    return texts | words | fields


_HEAD = """
DECLARE_PAUSE
declare i64 @syscall(i64, ...)
declare i32 @sched_getcpu()
declare i64 @pthread_self()
declare i64 @llvm.umin.i64(i64, i64)
@symgraph_pool = global ptr null
"""

_ENTRY = """
define void @NAME(ptr %body, ptr %context, i64 %chunks) {
  call void @post(ptr %body, ptr %context, i64 %chunks, i64 MOST)
  ret void
}
"""

# Claims and runs chunks until none is left. Thread v owns chunks [v * n / w, (v + 1) * n / w).
_DRAIN = """
define internal void @drain(ptr %s, i64 %me) {
  %done = FIELD DONE
  %waiting = FIELD WAITING
  %pfunction = FIELD FUNCTION
  %pcontext = FIELD CONTEXT
  %pchunks = FIELD CHUNKS
  %pshares = FIELD SHARES
  %tickets = FIELD TICKETS
  %w = load atomic i64, ptr %pshares monotonic, align 8
  br label %victim
victim:
  %j = phi i64 [0, %0], [%j1, %next]
  %mj = add i64 %me, %j
  %v = urem i64 %mj, %w
  %off = mul i64 %v, LINE
  %ticket = getelementptr i8, ptr %tickets, i64 %off
  br label %look
look:
  %t = load atomic i64, ptr %ticket acquire, align 8
  br label %try
try:
  %old = phi i64 [%t, %look], [%seen, %claim]
  %left = and i64 %old, 4294967295
  %none = icmp eq i64 %left, 0
  br i1 %none, label %next, label %claim
claim:
  %new = sub i64 %old, 1
  %x = cmpxchg ptr %ticket, i64 %old, i64 %new acq_rel acquire, align 8
  %seen = extractvalue {i64, i1} %x, 0
  %won = extractvalue {i64, i1} %x, 1
  br i1 %won, label %work, label %try
next:
  %j1 = add i64 %j, 1
  %others = icmp ult i64 %j1, %w
  br i1 %others, label %victim, label %end
work:                                             ; now the job's fields are this job's
  %function = load ptr, ptr %pfunction
  %context = load ptr, ptr %pcontext
  %n = load i64, ptr %pchunks
  %shares = load atomic i64, ptr %pshares monotonic, align 8
  %v1 = add i64 %v, 1
  %product = mul i64 %v1, %n
  %last = udiv i64 %product, %shares
  %chunk = sub i64 %last, %left
  call void %function(ptr %context, i64 %chunk)
  %d = atomicrmw add ptr %done, i32 1 seq_cst, align 4
  %d1 = add i32 %d, 1
  %n32 = trunc i64 %n to i32
  %all = icmp eq i32 %d1, %n32
  br i1 %all, label %announce, label %look
announce:
  %asleep = load atomic i32, ptr %waiting seq_cst, align 4
  %is = icmp ne i32 %asleep, 0
  br i1 %is, label %call, label %end
call:
  SYSCALL(i64 FUTEX, ptr %done, i64 FUTEX_WAKE, i64 1, ptr null, ptr null, i64 0)
  br label %end
end:
  ret void
}
"""


# A thread's life: spin for the next epoch, then sleep; a late start misses no job.
_WORKER = """
define ptr @worker(ptr %s) {
  %epoch = FIELD EPOCH
  %stop = FIELD STOP
  %sleepers = FIELD SLEEPERS
  %next = FIELD NEXT
  %pshares = FIELD SHARES
  %tickets = FIELD TICKETS
  %id = atomicrmw add ptr %next, i64 1 monotonic, align 8
  %me = add i64 %id, 1
  %slot = mul i64 %me, LINE
  %mine = getelementptr i8, ptr %tickets, i64 %slot
  %ptid = getelementptr i8, ptr %mine, i64 8
  %tid = SYSCALL(i64 GETTID)
  store atomic i64 %tid, ptr %ptid release, align 8
  br label %ready
ready:
  %last = phi i32 [0, %0], [%e, %go], [%e, %drain]
  br label %poll
poll:
  %k = phi i64 [0, %ready], [%k1, %pause], [0, %sleep]
  %e = load atomic i32, ptr %epoch acquire, align 4
  %fresh = icmp ne i32 %e, %last
  br i1 %fresh, label %quit, label %pause
pause:
  PAUSE
  %k1 = add i64 %k, 1
  %more = icmp slt i64 %k1, SPIN
  br i1 %more, label %poll, label %sleep
sleep:                                            ; the kernel compares the epoch once more
  atomicrmw add ptr %sleepers, i32 1 seq_cst, align 4
  SYSCALL(i64 FUTEX, ptr %epoch, i64 FUTEX_WAIT, i32 %last, ptr null, ptr null, i64 0)
  atomicrmw sub ptr %sleepers, i32 1 seq_cst, align 4
  br label %poll
quit:
  %st = load atomic i32, ptr %stop acquire, align 4
  %over = icmp ne i32 %st, 0
  br i1 %over, label %end, label %go
go:                                               ; a job of few threads is not for all workers
  %w = load atomic i64, ptr %pshares monotonic, align 8
  %invited = icmp ult i64 %me, %w
  br i1 %invited, label %drain, label %ready
drain:
  call void @drain(ptr %s, i64 %me)
  br label %ready
end:
  ret ptr null
}
"""


# A new epoch, and workers awake, off the poster's processor. Linux wakes a sleeper on the waker's
# own processor if it may, where it waits for a tick of 1 to 4 ms (median 2-4 ms measured; 9 us with
# this cure). So workers may run on all processors but the poster's; the sets change only when the
# poster has moved.
_WAKEN = """
define internal void @wake(ptr %s) {
  %epoch = FIELD EPOCH
  %sleepers = FIELD SLEEPERS
  %home = FIELD HOME
  %cpus = FIELD CPUS
  %width = FIELD WIDTH
  %tickets = FIELD TICKETS
  atomicrmw add ptr %epoch, i32 1 seq_cst, align 4
  %n = load atomic i32, ptr %sleepers seq_cst, align 4
  %any = icmp ne i32 %n, 0
  br i1 %any, label %place, label %end
place:
  %cpu = call i32 @sched_getcpu()
  %c1 = add i32 %cpu, 1
  %was = load i32, ptr %home
  %same = icmp eq i32 %was, %c1
  %beyond = icmp uge i32 %cpu, MOST_CPUS
  %stay = or i1 %same, %beyond
  br i1 %stay, label %call, label %moved
moved:
  store i32 %c1, ptr %home
  %c64 = zext i32 %cpu to i64
  %word = lshr i64 %c64, 6
  %bit = and i64 %c64, 63
  %pword = getelementptr i64, ptr %cpus, i64 %word
  %all = load i64, ptr %pword
  %one = shl i64 1, %bit
  %others = xor i64 %one, -1
  %but = and i64 %all, %others
  store i64 %but, ptr %pword
  %w = load i64, ptr %width
  br label %each
each:
  %v = phi i64 [1, %moved], [%v1, %each]
  %slot = mul i64 %v, LINE
  %share = getelementptr i8, ptr %tickets, i64 %slot
  %ptid = getelementptr i8, ptr %share, i64 8
  %told = load atomic i64, ptr %ptid acquire, align 8
  %none = icmp eq i64 %told, 0
  %tid = select i1 %none, i64 -1, i64 %told       ; not started yet: 0 would mean the caller
  SYSCALL(i64 SET_AFFINITY, i64 %tid, i64 CPU_BYTES, ptr %cpus)
  %v1 = add i64 %v, 1
  %more = icmp ult i64 %v1, %w
  br i1 %more, label %each, label %restore
restore:
  store i64 %all, ptr %pword
  br label %call
call:
  SYSCALL(i64 FUTEX, ptr %epoch, i64 FUTEX_WAKE, i64 MOST_WOKEN, ptr null, ptr null, i64 0)
  br label %end
end:
  ret void
}
"""


_QUIT = """
define void @quit(ptr %s) {
  %stop = FIELD STOP
  store atomic i32 1, ptr %stop release, align 4
  call void @wake(ptr %s)
  ret void
}
"""

# How many threads this job gets: the least of the pool's, the entry's, and this thread's limit.
_WIDTH = """
define internal i64 @threads(ptr %s, i64 %most) {
  %pwidth = FIELD WIDTH
  %plimit = FIELD LIMIT
  %pcount = FIELD LIMITS
  %table = FIELD LIMIT_TABLE
  %w = load i64, ptr %pwidth
  %a = call i64 @llvm.umin.i64(i64 %w, i64 %most)
  %limit = load atomic i64, ptr %plimit monotonic, align 8
  %b = call i64 @llvm.umin.i64(i64 %a, i64 %limit)
  %n = load atomic i64, ptr %pcount acquire, align 8
  %any = icmp ne i64 %n, 0
  br i1 %any, label %find, label %end
find:
  %self = call i64 @pthread_self()
  br label %each
each:
  %i = phi i64 [0, %find], [%i1, %next]
  %pid = getelementptr {i64, i64}, ptr %table, i64 %i, i32 0
  %id = load atomic i64, ptr %pid acquire, align 8
  %mine = icmp eq i64 %id, %self
  br i1 %mine, label %found, label %next
next:
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, %n
  br i1 %more, label %each, label %end
found:
  %pown = getelementptr {i64, i64}, ptr %table, i64 %i, i32 1
  %own = load atomic i64, ptr %pown monotonic, align 8
  %c = call i64 @llvm.umin.i64(i64 %a, i64 %own)
  br label %end
end:
  %r = phi i64 [%b, %0], [%b, %next], [%c, %found]
  ret i64 %r
}
"""


# Runs body(context, 0 .. chunks - 1) and returns when all are done.
_POST = """
define internal void @post(ptr %body, ptr %context, i64 %chunks, i64 %most) {
  %s = load ptr, ptr @symgraph_pool
  %epoch = FIELD EPOCH
  %done = FIELD DONE
  %waiting = FIELD WAITING
  %busy = FIELD BUSY
  %pfunction = FIELD FUNCTION
  %pcontext = FIELD CONTEXT
  %pchunks = FIELD CHUNKS
  %pshares = FIELD SHARES
  %tickets = FIELD TICKETS
  %w = call i64 @threads(ptr %s, i64 %most)
  %few = icmp slt i64 %chunks, 2
  %huge = icmp sge i64 %chunks, MOST_CHUNKS
  %alone = icmp ult i64 %w, 2
  %a = or i1 %few, %alone
  %b = or i1 %a, %huge
  br i1 %b, label %serial, label %ask
ask:
  %x = cmpxchg ptr %busy, i32 0, i32 1 acquire monotonic, align 4
  %free = extractvalue {i32, i1} %x, 1
  br i1 %free, label %job, label %serial
serial:
  call void @symgraph_serial(ptr %body, ptr %context, i64 %chunks)
  ret void
job:
  store ptr %body, ptr %pfunction
  store ptr %context, ptr %pcontext
  store i64 %chunks, ptr %pchunks
  store atomic i64 %w, ptr %pshares monotonic, align 8
  store atomic i32 0, ptr %done monotonic, align 4
  %e = load atomic i32, ptr %epoch monotonic, align 4
  %e64 = zext i32 %e to i64
  %high = shl i64 %e64, 32
  br label %share
share:
  %v = phi i64 [0, %job], [%v1, %share]
  %low = phi i64 [0, %job], [%end, %share]
  %v1 = add i64 %v, 1
  %product = mul i64 %v1, %chunks
  %end = udiv i64 %product, %w
  %own = sub i64 %end, %low
  %t = or i64 %high, %own
  %off = mul i64 %v, LINE
  %ticket = getelementptr i8, ptr %tickets, i64 %off
  store atomic i64 %t, ptr %ticket seq_cst, align 8
  %more = icmp ult i64 %v1, %w
  br i1 %more, label %share, label %start
start:
  call void @wake(ptr %s)
  call void @drain(ptr %s, i64 0)
  %n32 = trunc i64 %chunks to i32
  br label %poll
poll:
  %k = phi i64 [0, %start], [%k1, %pause], [0, %woken]
  %d = load atomic i32, ptr %done acquire, align 4
  %all = icmp eq i32 %d, %n32
  br i1 %all, label %finish, label %pause
pause:
  PAUSE
  %k1 = add i64 %k, 1
  %again = icmp slt i64 %k1, SPIN
  br i1 %again, label %poll, label %doze
doze:
  store atomic i32 1, ptr %waiting seq_cst, align 4
  %d2 = load atomic i32, ptr %done seq_cst, align 4
  %late = icmp eq i32 %d2, %n32
  br i1 %late, label %woken, label %sleep
sleep:
  SYSCALL(i64 FUTEX, ptr %done, i64 FUTEX_WAIT, i32 %d2, ptr null, ptr null, i64 0)
  br label %woken
woken:
  store atomic i32 0, ptr %waiting seq_cst, align 4
  br label %poll
finish:
  store atomic i32 0, ptr %busy release, align 4
  ret void
}
"""
