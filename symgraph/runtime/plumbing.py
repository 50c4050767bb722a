"""What a compiled function is made of: its outline, its inputs and states, its specialisations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from symgraph.ir.dim import Atom, DimLike
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.resolve import Requirement
from symgraph.records import dataclass, field
from symgraph.runtime.arguments import Parameter

if TYPE_CHECKING:
    from symgraph.runtime.executable import Executable, Layout
    from symgraph.runtime.native import Entry
    from symgraph.trace.record import Record


class Specialisation(Protocol):
    """An executable and the user's leaves that its arguments stand for."""

    @property
    def executable(self) -> Executable:
        """The program, ready to run."""
        ...

    @property
    def record(self) -> Record:
        """What compiling it did."""
        ...

    @property
    def dims(self) -> Mapping[Atom, DimLike]:
        """What dimension symbols of the user's graph are in it."""
        ...

    def argument_leaves(self) -> list[Node]:
        """For every argument of the program, the leaf of the user's graph."""
        ...


class Outline(Protocol):
    """What is computed (``symgraph.outline``). All but ``known`` and ``name`` begin compiling."""

    known: list[Requirement]

    @property
    def required(self) -> list[Requirement]:
        """All that dims must fulfil."""
        ...

    @property
    def record(self) -> Record:
        """What compiling did."""
        ...

    @property
    def graph(self) -> Graph:
        """The graph as built."""
        ...

    def specialise(self, special: Mapping[Atom, DimLike]) -> Specialisation:
        """The program where some dimension symbols have given values."""
        ...

    def name(self, special: Mapping[Atom, DimLike]) -> str | None:
        """A name for the graph and a specialisation in every process, if there is one."""
        ...

    def constants(self) -> list[Node]:
        """The constants of the graph in a fixed order."""
        ...


@dataclass(frozen=True, slots=True)
class Length:
    """A dimension that only data tells: a function computes it from the same inputs."""

    atom: Atom
    inputs: tuple[int, ...]
    compute: Callable[..., Any]


@dataclass(slots=True)
class Plumbing:
    """What a function is made of; filled in by ``symgraph.api``."""

    name: str
    parameters: list[Parameter]
    inputs: list[Node]
    shared: list[Node]
    n_outputs: int
    updated: list[Node]
    structure: Callable[[Sequence[Any]], Any]
    outline: Outline
    rebuild: tuple[Callable[..., Any], tuple[Any, ...]]
    backend: str
    nesting: str
    threads: int = 0
    lengths: list[Length] = field(default_factory=list)
    observe: Callable[..., None] | None = None

    @property
    def required(self) -> list[Requirement]:
        """All that dims must fulfil."""
        return self.outline.required

    @property
    def given(self) -> tuple[int, ...]:
        """The numbers of arrays among the inputs that a call may destroy."""
        return tuple(k for k, p in enumerate(self.parameters) if p.mutable and p.variable.ndim)


@dataclass(frozen=True, slots=True)
class Written:
    """A specialisation as Python runs it, for one set of shapes."""

    executable: Executable
    leaves: tuple[Node, ...]
    layout: Layout
    guarded: tuple[Node, ...] = ()  # outputs with their guards
    sizes: Mapping[Atom, int] = MappingProxyType({})


@dataclass(slots=True)
class Ready:
    """What calls with one set of shapes need: an entry, or else what Python runs."""

    special: Mapping[Atom, DimLike]
    sizes: dict[Atom, int]
    entry: Entry | None
    written: Written | None
