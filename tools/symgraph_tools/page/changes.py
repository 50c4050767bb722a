"""What a rewrite changed, as two short formulas: ``log(1 - sigmoid(a))`` and ``-softplus(a)``.

Read from the numbers of a trace, a few levels deep, so that it costs the same in a large graph as
in a small one. What both sides have, and what lies too deep, is written as a letter or by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase

from symgraph.ir.views import INFIX

DEPTH = 4
LONGEST = 110  # characters; beyond, a formula tells less than the picture
ATOM, UNARY = 10, 8
PREFIX = {"negative": "-", "logical_not": "~"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the formulas need of a node: its op, the text of a leaf or of attributes, its name."""

    op: str
    text: str
    name: str
    is_leaf: bool
    is_small: bool


@dataclass(slots=True)
class Formulas:
    """Both formulas of one rewrite.

    ``reads`` gives the inputs of a number before or after it.
    """

    shown: Callable[[int], Shown]
    letters: dict[int, str] = field(default_factory=dict)

    def pair(
        self,
        before: int,
        after: int,
        reads_before: Callable[[int], Sequence[int]],
        reads_after: Callable[[int], Sequence[int]],
    ) -> tuple[str, str] | None:
        """The two texts, or None where they would be long or equal."""
        common = _near(before, reads_before) & _near(after, reads_after)
        common -= {before, after}
        left = self._text(before, reads_before, common, 0)[0]
        if before in _near(after, reads_after):
            common |= {before}
        right = self._text(after, reads_after, common, 0)[0]
        if left == right or max(len(left), len(right)) > LONGEST:
            return None
        return left, right

    def _text(
        self, number: int, reads: Callable[[int], Sequence[int]], common: set[int], depth: int
    ) -> tuple[str, int]:
        node = self.shown(number)
        if node.is_leaf:
            binding = UNARY - 1 if node.text.startswith("-") else ATOM
            return node.text.removesuffix(".0") if node.is_small else node.text, binding
        if depth and (number in common or depth > DEPTH):
            return self._letter(number, node), ATOM
        parts = [self._text(i, reads, common, depth + 1) for i in reads(number)]
        if node.op in INFIX and len(parts) == 2:
            sign, binding = INFIX[node.op]
            left, right = _within(parts[0], binding), _within(parts[1], binding + 1)
            return f"{left} {sign} {right}", binding
        if node.op in PREFIX and len(parts) == 1:
            return f"{PREFIX[node.op]}{_within(parts[0], UNARY)}", UNARY - 1
        attributes = [node.text] if node.text else []
        return f"{node.op}({', '.join([text for text, _ in parts] + attributes)})", ATOM

    def _letter(self, number: int, node: Shown) -> str:
        if node.name:
            return node.name
        if number not in self.letters:
            count = len(self.letters)
            letter = ascii_lowercase[count % 26]
            self.letters[number] = letter if count < 26 else f"{letter}{count // 26}"
        return self.letters[number]


def _near(top: int, reads: Callable[[int], Sequence[int]]) -> set[int]:
    found, edge = {top}, [top]
    for _ in range(DEPTH):
        edge = [i for n in edge for i in reads(n) if i not in found]
        found.update(edge)
    return found


def _within(part: tuple[str, int], binding: int) -> str:
    return part[0] if part[1] >= binding else f"({part[0]})"


def reader(
    inputs: Mapping[int, Sequence[int]], rows: Sequence[Sequence[int]]
) -> Callable[[int], Sequence[int]]:
    """What a number reads: as changed, or as it was made."""
    return lambda number: inputs.get(number, rows[number])
