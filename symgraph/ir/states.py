"""What graphs hold of higher layers: attributes that are a user's state, by class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """How attributes of one class of a higher layer are written: as a value that text can hold."""

    tag: str
    of: type
    to_value: Callable[[Any], Any]
    from_value: Callable[[Any], Any]


STATES: dict[str, State] = {}
"""Such classes by the tag that stands for them in text and files (``ir.literal``)."""


def register_state(row: State) -> State:
    """Let text and files hold attributes of a class (the cell of a shared variable)."""
    STATES[row.tag] = row
    return row
