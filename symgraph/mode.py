"""``Mode``: how a function is compiled. Light: it imports no part of the compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgraph.codegen.backend import BACKENDS
from symgraph.config import config
from symgraph.errors import ArgumentError, nearest
from symgraph.ir.origin import at_line
from symgraph.records import dataclass

if TYPE_CHECKING:
    from symgraph.rewrite.pipeline import Pass

ACCURACIES = ("as-written", "rules", "default", "high")
MODES = ("fast", "quick", "debug")


@dataclass(frozen=True, slots=True)
class Mode:
    """How to compile: code generator, rewrite passes, accuracy, and whether to check every call.

    ``passes=None`` means the standard ones; a tuple of ``Pass`` replaces them. ``name="quick"``
    rewrites no more than one form of each expression asks for, and has LLVM unroll nothing: deep
    graphs have their first result in two thirds to three quarters of the time, small ones in the
    same; calls take as long, up to twice as long in long chains of operations.
    """

    backend: str | None = None
    passes: tuple[Pass, ...] | None = None
    accuracy: str = "default"
    check: bool = False
    name: str = "fast"

    def __post_init__(self) -> None:
        _check_choice("accuracy", self.accuracy, ACCURACIES)
        if self.backend is not None:
            _check_choice("backend", self.backend, tuple(BACKENDS))

    @property
    def is_quick(self) -> bool:
        """Are only the passes wanted that make the one form of each expression?"""
        return self.name == "quick" and self.passes is None

    @property
    def code_generator(self) -> str:
        """The backend's name."""
        return self.backend or config.text("backend")


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    """ArgumentError, with the nearest right value, for one that is not there."""
    if value not in choices:
        near = nearest(str(value), choices)
        guess = f"did you mean {near!r}? " if near else ""
        hint = f"{guess}use one of {', '.join(choices)}"
        raise ArgumentError(at_line(f"there is no {what} {value!r}", hint=hint))


def as_mode(mode: Mode | str | None) -> Mode:
    """A mode from its name, or the configured one."""
    _check_choice("backend", config.text("backend"), tuple(BACKENDS))
    if isinstance(mode, Mode):
        return mode
    name = config.text("mode") if mode is None else mode
    _check_choice("mode", name, MODES)
    return Mode(name=name, check=name == "debug")
