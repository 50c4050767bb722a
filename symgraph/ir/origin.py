"""Where in the user's program something was made: the nearest frame outside symgraph."""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass
from pathlib import Path

_PACKAGES = tuple(
    str(Path(__file__).parent.parent.parent / name / "") for name in ("symgraph", "kernels/symgraph_kernels")
)
_ours: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file of the user's."""

    file: str
    number: int

    @property
    def text(self) -> str:
        """The source text, empty where it cannot be read."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        text = self.text
        return f"{self.file}:{self.number}" + (f": {text}" if text else "")


def _is_ours(file: str) -> bool:
    found = _ours.get(file)
    if found is None:
        found = _ours[file] = file.startswith(_PACKAGES) or file.startswith("<frozen")
    return found


def user_line() -> Line | None:
    """The innermost line of the call stack that is not symgraph's own."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not _is_ours(file):
            return Line(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None
