"""Which source files made cached code: told by what Python trusts for its own .pyc files."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

from symgraph.runtime import cache as disk


@cache
def sources_key(*packages: str) -> str:
    """Names, sizes and times of all source files of packages, which are not imported."""
    found = []
    for package in packages:
        spec = find_spec(package)
        pending = [*(spec.submodule_search_locations or ())] if spec else []
        while pending:
            with os.scandir(pending.pop()) as entries:
                for item in entries:
                    if item.is_dir():
                        pending.append(item.path)
                    elif item.name.endswith(".py"):
                        status = item.stat()
                        found.append(f"{item.path} {status.st_size} {status.st_mtime_ns}")
    return disk.key(*sorted(found))
