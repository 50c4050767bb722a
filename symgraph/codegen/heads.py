"""A line that says what the bytes after it are: names, each with some words.

``line({"sizes": [1, 2], "exports": ["run", 0]})`` and back, where every word is a text. JSON would
do as well, but a warm start reads nothing else with it, and its four modules take a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_ROW, _WORD = "\x1e", "\x1f"  # what ASCII has for this


def line(rows: Mapping[str, Iterable[object]]) -> bytes:
    """All rows in one line; words have no control characters."""
    return (
        _ROW.join(_WORD.join((n, *map(str, words))) for n, words in rows.items()).encode() + b"\n"
    )


def rows(head: bytes) -> dict[str, list[str]]:
    """The words by name.

    Raises: ValueError for bytes that are no text.
    """
    found = (row.split(_WORD) for row in head.decode().split(_ROW))
    return {name: words for name, *words in found}
