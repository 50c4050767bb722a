"""The lines of the user's program that a page shows, each with some lines around it.

A trace from elsewhere may name any file. Only Python source is read, and only near lines that the
trace names; notebook cells come from Python's own cache.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from symgraph.ir.origin import Line

AROUND = 12  # lines shown before the first and after the last that is named
MOST_LINES = 2_000  # of one file


class Sources:
    """Lines by number, and the files that they are in, in the order in which they are met."""

    def __init__(self) -> None:
        """No line yet."""
        self.numbers: dict[tuple[str, int], int] = {}
        self.files: dict[str, int] = {}

    def number(self, line: Line | None) -> int:
        """The number of a line; -1 for none."""
        if line is None:
            return -1
        self.files.setdefault(line.file, len(self.files))
        return self.numbers.setdefault((line.file, line.number), len(self.numbers))

    def all(self, lines: Iterable[Line]) -> list[int]:
        """The numbers of several."""
        return [self.number(line) for line in lines]

    def lines(self) -> list[list[int]]:
        """Every line as the number of its file, and its place there."""
        return [[self.files[file], number] for file, number in self.numbers]

    def texts(self) -> list[dict[str, Any]]:  # Any: text and numbers, for JSON
        """Every file: its name without folders, its first line that is shown, and the text."""
        found = []
        for file in self.files:
            known = sorted(number for name, number in self.numbers if name == file)
            first = max(1, known[0] - AROUND)
            last = min(known[-1] + AROUND, first + MOST_LINES)
            found.append({"name": _short(file), "first": first, "text": _read(file, first, last)})
        return found


def _short(file: str) -> str:
    return "notebook cell" if file.startswith("<") or "ipykernel" in file else Path(file).name


def _read(file: str, first: int, last: int) -> list[str]:
    """Lines of a file, as many as there are."""
    is_python = Path(file).suffix == ".py" and Path(file).is_file()
    if not (is_python or file in linecache.cache):
        return []
    return [line.rstrip("\n") for line in linecache.getlines(file)[first - 1 : last]]
