"""Compiled code on disk: equal graphs share an entry; a bad one is a warning, the result right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import symgraph as sg
from symgraph.runtime import cache

PROGRAM = """
import sys
import numpy as np
import symgraph as sg
x = sg.vector("x")
f = sg.function([x], sg.exp(x) * {number} + x.sum())
got = f(np.arange(3.0))
assert np.allclose(got, np.exp(np.arange(3.0)) * {number} + 3.0, rtol=1e-14), got
print("right")
"""
ROOT = Path(__file__).parents[2]


def _function(number: float = 2.5):
    x = sg.vector("x")
    return sg.function([x], sg.sin(x) * number)


def _right(f, number: float = 2.5) -> None:
    np.testing.assert_allclose(f([0.5, 1.0]), np.sin([0.5, 1.0]) * number, rtol=1e-15)


def _entries(folder: Path) -> list[Path]:
    """The programs in a folder, without what all of them share (whose names say what it is)."""
    return sorted(p for p in folder.glob("*" + cache.SUFFIX) if "-" not in p.stem)


def _graphs(folder: Path) -> list[Path]:
    """What is found by the graph as the user built it."""
    return sorted(folder.glob("graph-*" + cache.SUFFIX))


def _forget_graphs(folder: Path) -> None:
    """So that the next function looks for its program."""
    for path in _graphs(folder):
        path.unlink()


@pytest.fixture
def folder(tmp_path):
    with sg.config(cache_dir=str(tmp_path), cache=True):
        yield tmp_path


def test_equal_graphs_share_an_entry(folder):
    _right(_function())
    (entry,) = _entries(folder)
    made = entry.read_bytes()
    os.utime(entry, (1, 1))
    _forget_graphs(folder)
    y = sg.vector("another name")
    _right(sg.function([y], sg.sin(y) * 2.5))
    assert _entries(folder) == [entry]
    assert entry.read_bytes() == made
    assert entry.stat().st_mtime > 1, "reading an entry makes it the most recent"


def test_other_graphs_and_dtypes_have_their_own_entries(folder):
    _right(_function())
    _right(_function(3.5), 3.5)
    z = sg.vector("z", dtype="float32")
    sg.function([z], sg.sin(z) * 2.5)([0.5])
    assert len(_entries(folder)) == 3


def test_nothing_is_written_when_switched_off(tmp_path):
    with sg.config(cache_dir=str(tmp_path), cache=False):
        _right(_function())
    assert not list(tmp_path.iterdir())


def _flipped(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


def _foreign(data: bytes) -> bytes:
    return data[:32] + b"compiled by something else " * 40


@pytest.mark.parametrize(
    "spoil",
    [
        _flipped,
        _foreign,
        lambda data: data[: len(data) // 2],
        lambda data: data[:20],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: data[::-1],
    ],
)
@pytest.mark.parametrize("kind", [_entries, _graphs])
def test_a_bad_entry_is_a_warning_and_compiled_again(folder, spoil, kind):
    _right(_function())
    (entry,) = kind(folder)
    good = entry.read_bytes()
    if kind is _entries:
        _forget_graphs(folder)
    entry.write_bytes(spoil(good))
    with pytest.warns(sg.CacheWarning, match="compiled again"):
        _right(_function())
    assert len(kind(folder)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _right(_function())


def test_the_entry_of_another_program_is_not_served(folder):
    _right(_function())
    (first,) = _entries(folder)
    _right(_function(3.5), 3.5)
    (second,) = [e for e in _entries(folder) if e != first]
    second.write_bytes(first.read_bytes())
    _forget_graphs(folder)
    with pytest.warns(sg.CacheWarning):
        _right(_function(3.5), 3.5)


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with sg.config(cache_dir=str(tmp_path / "file" / "cache")), pytest.warns(sg.CacheWarning):
        _right(_function())


def test_the_folder_is_private(tmp_path):
    with sg.config(cache_dir=str(tmp_path / "cache")):
        _right(_function())
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


def test_the_oldest_entries_go_when_the_cache_is_full(folder):
    with sg.config(cache_size=1):
        for number in range(8):
            cache.write(cache.key(str(number)), bytes(300_000))
            path = folder / (cache.key(str(number)) + cache.SUFFIX)
            os.utime(path, (number, number))
        cache.write(cache.key("last"), bytes(300_000))
    left = {e.stem for e in _entries(folder)}
    assert left == {cache.key(k) for k in ("last", "7", "6")}


def test_no_scratch_files_are_left(folder):
    _right(_function())
    assert {p.suffix for p in folder.iterdir()} == {cache.SUFFIX}


def _start(folder: Path, number: float) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "SYMGRAPH_CACHE_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in (".", "kernels", "tools")),
        "PYTHONWARNINGS": "error::symgraph.errors.CacheWarning",
    }
    program = PROGRAM.format(number=number)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_processes_that_race_are_all_right(tmp_path):
    running = [_start(tmp_path, 1.5) for _ in range(2)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert out.strip() == b"right", err.decode()
    assert len(_entries(tmp_path)) == 1


WRITER = """
import sys
from symgraph.runtime import cache
name, content = cache.key("entry"), bytes(range(256)) * 8_000
print("ready", flush=True)
while True:
    cache.write(name, content)
"""


def _killed_while_writing(folder: Path, times: int) -> None:
    """A process that does nothing but write one entry of 2 MB is killed at some moment."""
    name, content = cache.key("entry"), bytes(range(256)) * 8_000
    environment = {
        **os.environ,
        "SYMGRAPH_CACHE_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in (".", "kernels", "tools")),
    }
    for k in range(times):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER], env=environment, stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.002 + 0.0013 * (k % 17))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert cache.read(name) in (None, content)
    cache.write(name, content)
    assert cache.read(name) == content


def test_killed_while_writing_it_never_serves_a_bad_entry(folder):
    _killed_while_writing(folder, 20)


@pytest.mark.slow
def test_killed_while_writing_a_hundred_times(folder):
    _killed_while_writing(folder, 100)


def test_what_killed_writers_leave_is_removed_in_time(folder):
    old, new = folder / "a.tmp", folder / "b.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    cache.write(cache.key("entry"), b"content")
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize(
    "environment",
    [{}, {"XDG_CACHE_HOME": "/somewhere"}, {"XDG_CACHE_HOME": " "}, {"HOME": "/home/nobody"}],
    ids=str,
)
def test_the_folder_is_that_of_platformdirs(environment, monkeypatch):
    import platformdirs

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with sg.config(cache_dir=None):
        assert str(cache.folder()) == platformdirs.user_cache_dir("symgraph")
