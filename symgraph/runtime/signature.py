"""What an entry must know of a program: where its arguments come from, and what it gives.

A plain value; ``entry_code`` writes the entry's code from it. Dims are those of a specialisation:
numbers, or polynomials over symbols, each of which is some argument's whole axis.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.ir.dim import Atom, DimLike, single_atom, symbols
from symgraph.ir.dtype import DType
from symgraph.records import dataclass

ARGUMENT, STATE, CONSTANT = "argument", "state", "constant"


@dataclass(frozen=True, slots=True)
class Tensor:
    """dtype and dims of an array that goes in or comes out."""

    dtype: DType
    dims: tuple[DimLike, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """The interface of one specialisation.

    ``inputs``: for each input of the program its kind and number among ``arguments``, ``states`` or
    the constants. ``results``: outputs, then the new values of the states numbered in ``updated``.
    ``slots`` are the sizes in bytes of pieces of the arena, ``places`` the piece of each temporary
    (-1: none, the program has it on the stack).
    ``checks`` are comparisons ("eq" or "sge") of dims. ``structure`` is "one", "none", "list",
    "tuple" or "nested". ``work`` is that of a call whose arguments, states and results have
    ``elements`` elements in all; from a work of ``release`` the GIL is given back meanwhile. So
    many turns of loops of unknown length are ``tries``: they may end before Ctrl-C must be heard.
    Arguments ``given`` are for the function to destroy; ``taken``: outputs that are written in the
    memory of an argument, and which.
    """

    arguments: tuple[Tensor, ...]
    states: tuple[Tensor, ...]
    results: tuple[Tensor, ...]
    updated: tuple[int, ...]
    inputs: tuple[tuple[str, int], ...]
    sizes: tuple[Atom, ...]
    slots: tuple[DimLike, ...]
    places: tuple[int, ...]
    checks: tuple[tuple[str, DimLike, DimLike], ...]
    functions: int
    structure: str
    work: int
    tries: int
    elements: int
    release: int
    given: tuple[int, ...] = ()
    taken: tuple[tuple[int, int], ...] = ()

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The results that the caller gets."""
        return self.results[: len(self.results) - len(self.updated)]

    @property
    def constants(self) -> int:
        """How many constants are passed."""
        return len({number for kind, number in self.inputs if kind == CONSTANT})

    def is_complete(self) -> bool:
        """Does every symbol stand for an axis of an argument or a state, and nothing else?"""
        told: set[Atom] = set()
        for tensor in (*self.arguments, *self.states):
            told |= {a for d in tensor.dims if (a := single_atom(d)) is not None}
        shapes = [d for t in (*self.arguments, *self.states, *self.results) for d in t.dims]
        used = _symbols((*shapes, *self.slots, *(d for check in self.checks for d in check[1:])))
        return all(a.kind != "data" for a in told) and used | set(self.sizes) <= told


def _symbols(dims: Iterable[DimLike]) -> set[Atom]:
    return {a for d in dims for a in symbols(d)}
