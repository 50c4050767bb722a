"""Where in the user's program something was made: the nearest frame outside symgraph.

Files of ``symgraph`` and ``symgraph_kernels`` are ours. Those of ``symgraph_tools`` are a user's:
the demo and the benchmarks write graphs as any program does.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import FrameType

from symgraph.errors import message
from symgraph.records import dataclass

_FOLDER = __file__.rsplit(os.sep, 3)[0]  # a checkout, or where packages are installed
_PACKAGES = tuple(
    os.sep.join((_FOLDER, *name, ""))  # with the last separator: symgraph_tools is another
    for name in (("symgraph",), ("symgraph_kernels",), ("kernels", "symgraph_kernels"))
)
_ours: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file of the user's."""

    file: str
    number: int

    @property
    def text(self) -> str:
        """The source text, empty where it cannot be read.

        Only regular files are opened: a graph from elsewhere may name anything, a pipe too.
        """
        is_known = self.file.startswith("<") or self.file in linecache.cache
        if not is_known:
            from pathlib import Path  # 3 ms, and needed for texts alone

            if not Path(self.file).is_file():
                return ""
        return linecache.getline(self.file, self.number).strip()

    @property
    def name(self) -> str:
        """The file without its folders; also of a path of another system."""
        return self.file.replace("\\", "/").rpartition("/")[2]

    def __str__(self) -> str:
        text = self.text
        return f"{self.file}:{self.number}" + (f": {text}" if text else "")


def is_ours(file: str) -> bool:
    """Does a file belong to symgraph or symgraph_kernels (or to Python's import system)?"""
    found = _ours.get(file)
    if found is None:
        found = _ours[file] = file.startswith(_PACKAGES) or file.startswith("<frozen")
    return found


class _AsIf(threading.local):
    """The lines that nodes made on this thread get; None: those of the call stack."""

    lines: tuple[Line, ...] | None = None


_as_if = _AsIf()


@contextmanager
def as_if_at(lines: tuple[Line, ...]) -> Iterator[None]:
    """What is made meanwhile gets these user lines, not those of the call stack.

    For the compiler, which makes nodes for the sake of others long after the user's line has run.
    """
    before, _as_if.lines = _as_if.lines, lines
    try:
        yield
    finally:
        _as_if.lines = before


@lru_cache(maxsize=1024)  # a line makes many nodes
def _lines(file: str, number: int) -> tuple[Line, ...]:
    return (Line(file, number),)


def user_line() -> Line | None:
    """The innermost line of the call stack that is not symgraph's own."""
    found = user_lines()
    return found[0] if found else None


def user_lines(frames: int = 1) -> tuple[Line, ...]:
    """The same, as the lines of a node; none where everything is ours.

    ``frames``: how many of the innermost are known to be ours.
    """
    if _as_if.lines is not None:
        return _as_if.lines[:1]
    frame = sys._getframe(frames)
    while frame is not None:
        file = frame.f_code.co_filename
        ours = _ours.get(file)  # most frames are known: this walk is a tenth of making a node
        if ours is None:
            ours = is_ours(file)
        if not ours and not (file == "<string>" and _is_made(frame)):
            return _lines(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return ()


def _is_made(frame: FrameType) -> bool:
    """Methods of dataclasses have no file; those of our classes are ours."""
    name: str = frame.f_globals.get("__name__", "")
    return name.startswith("symgraph.")


def at_line(what: str, facts: Mapping[str, object] | None = None, hint: str | None = None) -> str:
    """An error text with the user's line."""
    line = user_line()
    return message(what, facts, str(line) if line else None, hint)
