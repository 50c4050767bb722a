"""A mistake that users make, as a row: the code, its exceptions, what the text says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from symgraph.errors import SymgraphError


@dataclass(frozen=True, slots=True)
class Mistake:
    """One row. ``fragments`` must all be in the message; ``line``: so must a line of ``code``."""

    code: Callable[[], object]
    error: type[SymgraphError]
    builtin: type[Exception]
    fragments: tuple[str, ...]
    line: bool

    @property
    def name(self) -> str:
        """What it is called in reports: the name of its function."""
        return self.code.__name__

    def names_its_line(self, text: str) -> bool:
        """Does a text name a line of the code that is wrong?"""
        code = self.code.__code__
        lines = {number for _, _, number in code.co_lines() if number is not None}
        for constant in code.co_consts:  # a function inside, as the step of a scan
            if hasattr(constant, "co_lines"):
                lines |= {number for _, _, number in constant.co_lines() if number is not None}
        found = re.findall(re.escape(code.co_filename) + r":(\d+)", text)
        return any(int(number) in lines for number in found)


Code = Callable[[], object]


class Catalogue:
    """Rows in the order in which they are written."""

    def __init__(self) -> None:
        self.rows: list[Mistake] = []

    def __call__(
        self,
        error: type[SymgraphError],
        builtin: type[Exception],
        *fragments: str,
        line: bool = True,
    ) -> Callable[[Code], Code]:
        """Decorate the code of a mistake with what must come of it."""

        def add(code: Code) -> Code:
            self.rows.append(Mistake(code, error, builtin, fragments, line))
            return code

        return add
