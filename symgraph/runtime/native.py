"""Entries attached to functions. ``recipes`` makes them, where none is found on disk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from symgraph.ir.node import Node
from symgraph.ir.resolve import Requirement
from symgraph.records import dataclass
from symgraph.runtime import entry, vectorcall
from symgraph.runtime.entry import PATIENCE
from symgraph.runtime.shared import Cell

Array = np.ndarray[Any, Any]


class Interface(Protocol):
    """What a function is from outside: its inputs, its states, and what it gives."""

    inputs: list[Node]
    shared: list[Node]
    updated: list[Node]
    n_outputs: int

    @property
    def required(self) -> list[Requirement]:
        """All that dims must fulfil."""
        ...

    nesting: str
    threads: int

    @property
    def given(self) -> tuple[int, ...]:
        """The numbers of inputs that a call may destroy."""
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """An entry before it is in memory: its image, its counts, and the constants it is given."""

    image: bytes
    counts: entry.Interface
    constants: tuple[Array, ...]
    work: int


def states_of(p: Interface) -> list[Node]:
    """The shared variables that a function reads or updates, in a fixed order."""
    return list(dict.fromkeys((*p.shared, *p.updated)))


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry in memory, as Python calls it."""

    native: entry.Native
    outputs: int
    patient: bool
    code: Any  # the program's, as its backend has loaded it

    def call(self, function: object, arrays: Sequence[Array], results: Any) -> Any:
        """The function's result for converted arguments; ``results``: arrays to write instead.

        NotImplemented where a state does not have the dims that this code is for.
        """
        given = entry.given(self.outputs, results)
        if not self.patient:
            return self.native.call(function, arrays, given)
        from symgraph.runtime.patience import patiently  # queues, and a thread

        return patiently(
            lambda: self.native.call(function, arrays, given), lambda: entry.cancel(given)
        )


def attach(p: Interface, made: Recipe, code: Any) -> Entry:
    """The entry in memory, over the program's code."""
    run, functions = code.addresses(p.threads)
    cells: list[Cell] = [n.attrs["cell"] for n in states_of(p)]
    native = entry.Native(made.image, made.counts, run, functions, made.constants, cells, code)
    return Entry(native, p.n_outputs, made.work >= PATIENCE, code)


@cache
def cell_places() -> tuple[int, int]:
    """Where a state's cell has its value and its device."""
    return vectorcall.cell_places(Cell)
