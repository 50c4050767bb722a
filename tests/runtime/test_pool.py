"""The thread pool: every chunk once, whatever else happens."""

import ctypes
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import symgraph as sg
from symgraph.runtime import pool, pool_state
from tests.runtime.pool_jobs import added, post

native = pytest.mark.skipif(not pool_state.is_native(), reason="the pool is for Linux")


@pytest.fixture(scope="module")
def four():
    """A pool of four threads of its own, whatever the machine has."""
    made = pool.Pool(4).start()
    yield made
    made.stop()


@native
@pytest.mark.parametrize("n", [0, 1, 7, 1000, 100_003])
@pytest.mark.parametrize("chunks", [1, 2, 3, 64])
def test_every_chunk_runs_once(four, n, chunks):
    assert added(four.address(), n, chunks)


@native
def test_no_chunks_are_no_work(four):
    assert added(four.address(), 0, 0)


@native
def test_many_jobs_from_many_threads_at_once(four):
    wrong = []

    def user(seed):
        wrong.extend(seed for _ in range(100) if not added(four.address(), 500, 8, seed))

    users = [threading.Thread(target=user, args=(k,)) for k in range(4)]
    for u in users:
        u.start()
    for u in users:
        u.join()
    assert not wrong


@native
def test_a_job_inside_a_job_runs_in_its_caller(four):
    block = (ctypes.c_int64 * 3)(four.address(), 0, 50)
    post(four.address(), "nested", ctypes.addressof(block), 40)
    assert block[1] == 2000


@native
def test_a_caller_that_holds_the_gil_gets_its_result(four):
    from tests.runtime.pool_jobs import jobs

    held = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(four.address())
    counter = ctypes.c_int64(0)
    for _ in range(200):
        held(jobs()["count"], ctypes.addressof(counter), 8)
    assert counter.value == 1600


def _threads_used(address: int, chunks: int = 16) -> int:
    out = np.zeros(chunks, "int64")
    post(address, "who", out.ctypes.data, chunks)
    assert np.all(out != 0)
    return len(set(out.tolist()))


@native
def test_work_is_shared_among_threads(four):
    assert 2 <= _threads_used(four.address()) <= 4


@native
@pytest.mark.parametrize("most", [1, 2, 3])
def test_an_entry_for_few_threads_uses_no_more(four, most):
    assert _threads_used(four.address(most)) <= most


@native
def test_a_limit_is_of_the_thread_that_set_it(four):
    with four.limit_here(1):
        assert _threads_used(four.address()) == 1
        with four.limit_here(2):
            assert _threads_used(four.address()) == 2
        assert _threads_used(four.address()) == 1
        seen = []
        other = threading.Thread(target=lambda: seen.append(_threads_used(four.address())))
        other.start()
        other.join()
        assert seen[0] > 1
    assert _threads_used(four.address()) > 1


@native
def test_a_common_limit_holds_for_threads_without_one(four):
    four.limit_all(1)
    assert _threads_used(four.address()) == 1
    four.limit_all(0)
    assert _threads_used(four.address()) > 1


@native
def test_it_stops_and_starts_again():
    own = pool.Pool(3).start()
    assert own.running == 2
    own.stop()
    assert own.running == 0
    assert added(own.address(), 1000, 8)
    own.start()
    assert own.running == 2
    assert added(own.address(), 1000, 8)
    own.stop()


@native
def test_a_forked_child_has_workers_of_its_own():
    program = """
import os, threading, time
from symgraph.runtime import pool
from tests.runtime.pool_jobs import added
p = pool.Pool(3).start()
added(p.address(), 3000, 8)  # import and compile now: a fork in the middle leaves locks behind
stop = []
def user():
    while not stop:
        added(p.address(), 3000, 8)
t = threading.Thread(target=user)
t.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        right = added(p.address(), 1000, 8) and p.running == 2
        right = right and len(os.listdir("/proc/self/task")) == 3
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.append(1)
t.join()
print("right")
"""
    assert _output(program) == "right"


@native
@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "atexit.unregister(p.stop)", "post_forever(p); sys.exit(0)"])
def test_a_process_ends_whatever_its_workers_do(end):
    program = f"""
import atexit, sys, threading
from symgraph.runtime import pool
from tests.runtime.pool_jobs import added
def post_forever(p):
    threading.Thread(
        target=lambda: [added(p.address(), 100, 9) for _ in range(10**9)], daemon=True
    ).start()
p = pool.Pool(3).start()
assert added(p.address(), 1000, 8)
print("right", flush=True)
{end}
"""
    assert _output(program) == "right"


def _output(program: str) -> str:
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_a_serial_pool_runs_all_chunks():
    alone = pool.Pool(1).start()
    assert alone.running == 0
    assert added(alone.address(), 1000, 8)


def test_processors_are_those_the_process_may_use(tmp_path):
    assert 1 <= pool.processors() <= (os.cpu_count() or 1)
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert pool._quota(tmp_path) == 2
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert pool._quota(tmp_path) == pool.MOST_THREADS
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert pool._quota(tmp_path) == pool.MOST_THREADS


def test_threads_is_a_setting_inside_its_block():
    with sg.threads(1):
        assert sg.config.threads == 1
    assert sg.config.threads == 0
    with pytest.raises(sg.ConfigError), sg.threads(-1):
        pass
