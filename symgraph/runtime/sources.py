"""Which source files made cached code: told by what Python trusts for its own .pyc files."""

from __future__ import annotations

import marshal
import os
from functools import cache
from importlib.util import find_spec
from stat import S_ISDIR

from symgraph.fingerprint import fingerprint

ROOTS = ("symgraph", "symgraph_kernels")


@cache
def sources_key(*packages: str) -> str:
    """Names, sizes and times of all source files of packages of ``ROOTS``."""
    wanted = tuple(f"{name}." for name in packages)
    rows = sorted(row for row in _files() if row[0].startswith(wanted))
    return fingerprint(marshal.dumps(rows, 2)).hex()


@cache
def _files() -> list[tuple[str, str, list[tuple[str, int, int]]]]:
    """For every folder its dotted name and a dot, its path, name, size and time of source files."""
    found = []
    for root in ROOTS:
        spec = find_spec(root)  # finds without importing
        places = (spec.submodule_search_locations or ()) if spec else ()
        pending = [(f"{root}.", place) for place in places]
        while pending:
            package, folder = pending.pop()
            facts = []
            for name, status in _entries(folder):
                if name.endswith(".py"):
                    facts.append((name, status.st_size, status.st_mtime_ns))
                elif S_ISDIR(status.st_mode) and name != "__pycache__":
                    pending.append((f"{package}{name}.", f"{folder}{os.sep}{name}"))
            found.append((package, folder, sorted(facts)))
    return found


_BY_NAME = os.listdir in os.supports_fd and os.stat in os.supports_dir_fd


def _entries(folder: str) -> list[tuple[str, os.stat_result]]:
    """Names in a folder, and what is told of them; by short paths, which take a fifth less."""
    if not _BY_NAME:
        with os.scandir(folder) as entries:
            return [(item.name, item.stat()) for item in entries]
    opened, status = os.open(folder, os.O_RDONLY), os.stat
    try:
        return [(name, status(name, dir_fd=opened)) for name in os.listdir(opened)]
    finally:
        os.close(opened)
