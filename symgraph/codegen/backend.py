"""What a backend is, and the table of those there are.

A backend turns a ``Program`` into a ``Compiled``; all are called alike, with the addresses of
C-contiguous buffers in the program's order (inputs, outputs, temporaries) and the sizes. Rows
are imported when first used, so that a warm start imports no compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from symgraph.errors import ArgumentError, message, nearest

if TYPE_CHECKING:
    from symgraph.loop.ir import Kernel, Program

Outcome = tuple[int, tuple[int, ...]]


class Compiled(Protocol):
    """A program that can run. Calls are re-entrant; buffers belong to the caller."""

    def call(self, pointers: Sequence[int], sizes: Sequence[int]) -> Outcome:
        """Runs it: (0, ...) or (the code of the failure, its int64 facts)."""

    def to_bytes(self) -> bytes | None:
        """What ``Backend.restore`` needs to run it in another process; None if it needs nothing."""

    def close(self) -> None:
        """Gives its memory back; it must not be running."""


class Backend(Protocol):
    """One way to run programs."""

    name: str

    def target(self) -> str:
        """Everything that the code depends on besides the program: part of a cache key."""

    def compile(self, program: Program, quick: bool = False) -> Compiled:
        """The program, ready to run. ``quick``: sooner, as code that may be slower."""

    def restore(self, program: Program, data: bytes) -> Compiled:
        """The program from what ``to_bytes`` gave, without compiling; ParseError if it is bad."""

    def source(self, kernel: Kernel) -> str:
        """A kernel as a person reads it."""


# name -> module with a `BACKEND` in it
BACKENDS: dict[str, str] = {
    "interp": "symgraph.codegen.interp",
    "llvm": "symgraph.codegen.llvm_cpu",
    "numba": "symgraph.codegen.numba_cpu",
    "cuda": "symgraph.codegen.numba_cuda",
}
# name -> module whose ``begin()`` loads, on another thread, what takes long to load
AHEAD: dict[str, str] = {"llvm": "symgraph.codegen.llvm_pages"}


def begin(name: str) -> None:
    """A program will be compiled soon."""
    if name in AHEAD:
        import_module(AHEAD[name]).begin()


def backend(name: str) -> Backend:
    """The backend of that name; ArgumentError for an unknown one."""
    if name not in BACKENDS:
        close = nearest(name, list(BACKENDS))
        hint = f"did you mean {close!r}?" if close else f"use one of {', '.join(BACKENDS)}"
        raise ArgumentError(message(f"there is no backend {name!r}", hint=hint))
    found: Backend = import_module(BACKENDS[name]).BACKEND
    return found
