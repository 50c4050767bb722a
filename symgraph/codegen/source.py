"""Text of programs: an indented writer and the allocation of names."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

STEP = "    "


class Writer:
    """Lines with indentation."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    def line(self, text: str = "") -> None:
        """Appends one line at the present depth."""
        self.lines.append(STEP * self._depth + text if text else "")

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """A header line and an indented block, with ``pass`` where nothing is written into it."""
        self.line(header)
        self._depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self._depth -= 1

    def text(self) -> str:
        """All lines, ended by a newline."""
        return "\n".join(self.lines) + "\n"


class Names:
    """Gives each thing an identifier of its own, as like as possible to the name asked for."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)
        self._next: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        """An identifier that was not given before and is not reserved."""
        plain = re.sub(r"\W", "_", wanted) or "x"
        if plain[0].isdigit() or keyword.iskeyword(plain):
            plain = f"{plain}_" if keyword.iskeyword(plain) else f"_{plain}"
        name = plain
        while name in self._taken:
            count = self._next[plain] = self._next.get(plain, 0) + 1
            name = f"{plain}_{count}"
        self._taken.add(name)
        return name
