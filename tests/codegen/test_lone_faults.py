"""Pages of a watched file come alone when they are touched."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from symgraph.codegen import lone_faults

SMAPS = Path("/proc/self/smaps")
NBYTES, STEP, PAGE = 1 << 20, 1 << 16, 4096


def resident(start: int) -> int:
    """The kB in memory of the mapping that begins there."""
    rows = iter(SMAPS.read_text(encoding="utf-8").splitlines())
    for row in rows:
        if row.startswith(f"{start:x}-"):
            break
    return next(int(row.split()[1]) for row in rows if row.startswith("Rss:"))


@pytest.mark.skipif(not SMAPS.exists(), reason="what is in memory is read from Linux's /proc")
def test_pages_come_alone_and_hold_what_the_file_has(tmp_path):
    watch = lone_faults.begun()
    if watch is None:
        pytest.skip("this system has no quiet watch over writes (Linux 6.7), or forbids it")
    path = tmp_path / "numbers"
    content = np.arange(NBYTES // 8)
    content.tofile(path)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), NBYTES, mmap.MAP_PRIVATE, mmap.PROT_READ)
    found = np.frombuffer(mapped, np.int64)
    start = found.ctypes.data
    assert watch.over([(start, NBYTES)])
    touched = found[:: STEP // 8]
    np.testing.assert_array_equal(touched, content[:: STEP // 8])
    assert resident(start) == NBYTES // STEP * PAGE // 1024
    np.testing.assert_array_equal(found, content)
    assert resident(start) == NBYTES // 1024


def test_what_is_not_mapped_cannot_be_watched():
    watch = lone_faults.begun()
    if watch is None:
        pytest.skip("this system has no quiet watch over writes (Linux 6.7), or forbids it")
    assert not watch.over([(PAGE, PAGE)])


@pytest.mark.parametrize("machine", ["riscv64", ""])
def test_other_systems_have_none(monkeypatch: pytest.MonkeyPatch, machine: str):
    monkeypatch.setattr(lone_faults.platform, "machine", lambda: machine)
    assert lone_faults.begun() is None


@pytest.mark.parametrize("row", ["Seccomp:\t2\n", "Seccomp:\t1\n", ""])
def test_a_process_whose_calls_are_filtered_makes_none(tmp_path, monkeypatch, row):
    path = tmp_path / "status"
    path.write_text(f"Name:\tpython\n{row}Speculation:\tnone\n", encoding="utf-8")
    monkeypatch.setattr(lone_faults, "_STATUS", str(path))
    monkeypatch.setattr(lone_faults.ctypes, "CDLL", None)  # which would be called
    assert lone_faults.begun() is None
