"""Words, numbers, quoted texts and signs of the texts that ``ir/parse.py`` reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from symgraph.errors import ParseError

TEXT = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKENS = re.compile(
    rf"\s*(?:(?P<text>{TEXT})|(?P<number>[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
    r"|(?P<symbol>[?!][\w.]*(?:#\d+)?)|(?P<word>[^\W\d]\w*)|(?P<sign>[-+*(),\[\]{}=@$]))"
)
MOST_NESTED = 50  # parentheses in parentheses; people and symgraph write a few
MOST_SIZE = 2**63 - 1
MOST_DIGITS = len(str(MOST_SIZE))

Token = tuple[str, str, int]  # kind, text, position


class Cursor:
    """The tokens of a text, one after the other."""

    def __init__(self, source: str) -> None:
        self.source, self._tokens, self._next, self._depth = source, list(tokens(source)), 0, 0

    def fail(self, expected: str) -> NoReturn:
        """ParseError at the next token."""
        _, found, position = self._tokens[self._next]
        shown = f"{found[:40]!r}" if found else "the end"
        raise ParseError(f"expected {expected}, found {shown} at column {position + 1}")

    def peek(self) -> str:
        """The text of the next token; empty at the end."""
        return self._tokens[self._next][1]

    def kind(self) -> str:
        """The kind of the next token."""
        return self._tokens[self._next][0]

    def take(self, kind: str, expected: str) -> str:
        """The next token, which must be of a kind."""
        if self.kind() != kind:
            self.fail(expected)
        self._next += 1
        return self._tokens[self._next - 1][1]

    def skip(self, sign: str) -> bool:
        """Move on if the next token is this sign or word."""
        if self.peek() != sign or self.kind() == "text":
            return False
        self._next += 1
        return True

    def expect(self, sign: str) -> None:
        """Move on; ParseError unless the next token is this sign."""
        if not self.skip(sign):
            self.fail(repr(sign))

    def list_of(self, read: Callable[[], Any], closing: str) -> list[Any]:
        """Items between commas, up to a closing sign; a comma may follow the last."""
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise ParseError(f"more than {MOST_NESTED} parentheses inside each other")
        found = []
        while not self.skip(closing):
            found.append(read())
            if not self.skip(","):
                self.expect(closing)
                break
        self._depth -= 1
        return found

    def text(self) -> str:
        """A text in quotes."""
        return unquoted(self.take("text", "a text in quotes"))

    def whole(self) -> int:
        """A whole number, not negative."""
        digits = self.take("number", "a whole number")
        if not digits.isdigit() or len(digits) > MOST_DIGITS or int(digits) > MOST_SIZE:
            raise ParseError(f"expected a whole number of int64, found {digits[:40]!r}")
        return int(digits)

    def end(self) -> None:
        """ParseError unless all is read."""
        if self.kind() != "end":
            self.fail("the end")


def tokens(source: str) -> Sequence[Token]:
    """All tokens of a text, and an "end"."""
    found: list[Token] = []
    position, length = 0, len(source.rstrip())
    while position < length:
        match = _TOKENS.match(source, position)
        if match is None:
            at = length - len(source[position:length].lstrip())
            raise ParseError(
                f"{source[at : at + 10]!r} at column {at + 1} is no part of the grammar"
            )
        assert match.lastgroup is not None
        found.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return [*found, ("end", "", length)]


def unquoted(source: str) -> str:
    """The text that is in quotes."""
    try:
        found = json.loads(source, strict=False)
    except ValueError as error:
        raise ParseError(f"{source[:40]} is not a text: {error}") from error
    assert isinstance(found, str)
    return found
