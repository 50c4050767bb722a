"""Which source files made cached code: told by what Python trusts for its own .pyc files."""

from __future__ import annotations

import marshal
import os
from functools import cache
from importlib.util import find_spec

from symgraph.fingerprint import fingerprint

ROOTS = ("symgraph", "symgraph_kernels")


@cache
def sources_key(*packages: str) -> str:
    """Names, sizes and times of all source files of packages of ``ROOTS``."""
    wanted = tuple(f"{name}." for name in packages)
    rows = sorted(row for row in _files() if row[0].startswith(wanted))
    return fingerprint(marshal.dumps(rows, 2)).hex()


@cache
def _files() -> list[tuple[str, list[tuple[str, int, int]]]]:
    """For every folder its dotted name and a dot, and path, size and time of each source file."""
    found = []
    for root in ROOTS:
        spec = find_spec(root)  # finds without importing
        places = (spec.submodule_search_locations or ()) if spec else ()
        pending = [(f"{root}.", place) for place in places]
        while pending:
            package, folder = pending.pop()
            facts = []
            with os.scandir(folder) as entries:
                for item in entries:
                    name = item.name
                    if name.endswith(".py"):
                        status = item.stat()
                        facts.append((item.path, status.st_size, status.st_mtime_ns))
                    elif name != "__pycache__" and item.is_dir():
                        pending.append((f"{package}{name}.", item.path))
            found.append((package, sorted(facts)))
    return found
