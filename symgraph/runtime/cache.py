"""Compiled code on disk, by content: one file per program, written aside and renamed.

A file is a fingerprint of its name and the rest, then the rest. A bad one (torn, flipped, foreign)
is a ``CacheWarning`` and a recompilation, never served. The folder is private to its owner; the
files used longest ago go first when it grows over ``config.cache_size`` MB.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from typing import TYPE_CHECKING

from symgraph.config import config
from symgraph.errors import CacheWarning
from symgraph.fingerprint import NBYTES, fingerprint, named
from symgraph.records import dataclass

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".sgc"
ASIDE = ".tmp"
MEGABYTE = 1_000_000  # bytes
ABANDONED = 3_600  # seconds after which the scratch file of a killed process is removed


def folder() -> Path:
    """Where compiled code is kept."""
    from pathlib import Path

    return Path(_folder())


def _folder() -> str:
    named = config.cache_dir
    if isinstance(named, str):
        return named
    home, asked = os.environ.get("HOME", ""), os.environ.get("XDG_CACHE_HOME", "").strip()
    if sys.platform == "linux" and (home or asked):  # as platformdirs says, 5 ms sooner
        return os.sep.join((asked or f"{home}{os.sep}.cache", "symgraph"))
    import platformdirs

    return platformdirs.user_cache_dir("symgraph")


def _file(name: str) -> str:
    return f"{_folder()}{os.sep}{name}{SUFFIX}"


def key(*parts: str) -> str:
    """The name of an entry: a digest of everything that its content depends on."""
    return named(parts)


def _digest(name: str, data: bytes) -> bytes:
    """Of the name too, so that a file under another's name is not served."""
    return fingerprint(name.encode() + b"\0", data)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the cache: name, bytes, and when it was last used, in seconds."""

    name: str
    nbytes: int
    used: float

    @property
    def path(self) -> Path:
        """Its file."""
        return folder() / (self.name + SUFFIX)

    @property
    def is_whole(self) -> bool:
        """Whether its content has its checksum."""
        raw = self.path.read_bytes()
        return _digest(self.name, raw[NBYTES:]) == raw[:NBYTES]


def entries() -> list[Entry]:
    """All entries, in the order of their names."""
    found = []
    for path in sorted(folder().glob("*" + SUFFIX)):
        with contextlib.suppress(OSError):  # another process removed it
            status = path.stat()
            found.append(Entry(path.name.removesuffix(SUFFIX), status.st_size, status.st_mtime))
    return found


def limit() -> int:
    """The bytes that the cache may have."""
    return config.number("cache_size") * MEGABYTE


def read(name: str) -> bytes | None:
    """The content of an entry, or None if there is none that is whole."""
    path = _file(name)
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError:
        return None
    digest, data = raw[:NBYTES], raw[NBYTES:]
    if _digest(name, data) != digest:
        reject(name, "its checksum is wrong")
        return None
    with contextlib.suppress(OSError):  # another process removed it
        os.utime(path)
    return data


def reject(name: str, why: str) -> None:
    """Remove an entry that cannot be used, and say so."""
    path = folder() / (name + SUFFIX)
    warnings.warn(
        f"cached code {path.name} was ignored: {why}; it is compiled again",
        CacheWarning,
        stacklevel=3,
    )
    path.unlink(missing_ok=True)


def write(name: str, data: bytes) -> None:
    """Keep an entry. A folder that cannot be written to is left alone."""
    import tempfile  # 5 ms, and not needed where all is found
    from pathlib import Path

    where = folder()
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=where, suffix=ASIDE)
        with os.fdopen(handle, "wb") as file:
            file.write(_digest(name, data) + data)
        Path(aside).replace(where / (name + SUFFIX))
        trim(limit())
    except OSError as error:
        warnings.warn(f"compiled code is not kept: {error}", CacheWarning, stacklevel=3)


def trim(most: int) -> None:
    """Delete abandoned files, then entries used longest ago, down to ``most`` bytes."""
    for path in folder().glob("*" + ASIDE):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()
    found = entries()
    total = sum(entry.nbytes for entry in found)
    for entry in sorted(found, key=lambda entry: entry.used):
        if total <= most:
            return
        entry.path.unlink(missing_ok=True)
        total -= entry.nbytes
