"""What a function computes, with as little of it written down as needed.

An ``Outline`` knows the graph that the user built, and of which parts gradients are wanted. That is
enough to find code on disk (``name``), and to check a call. Differentiating, rewriting and lowering
begin when ``compiler`` is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from symgraph.autodiff.deferred import STAND_IN, Deferred
from symgraph.codegen.backend import begin
from symgraph.config import SETTINGS, config
from symgraph.ir.digest import Digest, NotPortable
from symgraph.ir.dim import Atom, DimLike
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node
from symgraph.ir.resolve import Requirement, requirements
from symgraph.ir.variable import Variable
from symgraph.mode import Mode
from symgraph.ops import BUILT_IN
from symgraph.ops.assume import assumed_of, assumptions, everything_stated
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.compile import Compiler, Specialised
    from symgraph.trace.record import Record

# Settings that change no code.
_SILENT = ("cache", "cache_dir", "cache_size", "trace", "threads")


@dataclass(slots=True)
class Outline:
    """``roots`` are the nodes of outputs, with stand-ins where gradients are not written.

    ``recipe``: for every output the number of its root.    ``complete``: all outputs as nodes.
    """

    inputs: tuple[Node, ...]
    roots: tuple[Node, ...]
    below: Sequence[Node]  # the nodes of the roots, inputs first; none once they are named
    recipe: tuple[int, ...]
    complete: Callable[[], tuple[Node, ...]]
    mode: Mode
    about: tuple[Any, ...]  # texts and numbers that the code depends on besides
    states: tuple[Node, ...] = ()  # that are updated
    given: tuple[Node, ...] = ()  # inputs whose memory outputs may take
    results: int = 0  # how many outputs the caller gets, before the new states
    known: list[Requirement] = field(init=False)
    _compiler: Compiler | None = None
    _digest: tuple[str, Digest] | None = None

    def __post_init__(self) -> None:
        self.known = requirements(self.roots, self.below)

    @property
    def compiler(self) -> Compiler:
        """The compiler of the graph; the gradients are written now."""
        if self._compiler is None:
            from symgraph.compile import Compiler  # rewriting, lowering: 100 ms to import

            built = self.complete()
            self._compiler = Compiler(self.inputs, built, self.mode, self.given, self.results)
        return self._compiler

    def specialise(self, special: Mapping[Atom, DimLike]) -> Specialised:
        """The program where some dimension symbols have given values."""
        begin(self.mode.code_generator)
        return self.compiler.specialise(special)

    @property
    def required(self) -> list[Requirement]:
        """All that dims must fulfil."""
        return self.compiler.required

    @property
    def record(self) -> Record:
        """What compiling did."""
        return self.compiler.record

    @property
    def graph(self) -> Graph:
        """The graph as built, gradients and all."""
        return Graph(self.inputs, self.compiler.outputs)

    def name(self, special: Mapping[Atom, DimLike]) -> str | None:
        """A name for the graph and a specialisation; None for what only this process can read."""
        if self.mode.passes is not None or self.mode.check:
            return None
        try:
            text, digest = self._named()
            dims = sorted((digest.atom(a), digest.dim(d)) for a, d in special.items())
        except NotPortable:
            return None
        return f"{text} {dims}"

    def constants(self) -> list[Node]:
        """The constants of the graph in the order of their numbers."""
        return self._named()[1].constants

    def _named(self) -> tuple[str, Digest]:
        if self._digest is None:
            known = {**BUILT_IN, STAND_IN.name: STAND_IN}
            digest = Digest(known, _stated if everything_stated() else None)
            leaves = (*self.inputs, *self.states)
            digest.graph((*leaves, *self.roots), (*leaves, *self.below))
            digest.graph(assumed_of([n for n in digest.numbers if not n.inputs]))
            digest.add(("inputs", *self.inputs), ("states", *self.states), ("roots", *self.roots))
            digest.add(("given", *self.given), self.results)
            settings = tuple((n, getattr(config, n)) for n in SETTINGS if n not in _SILENT)
            mode = (self.mode.name, self.mode.accuracy, self.mode.code_generator)
            digest.add(self.recipe, self.about, settings, mode)
            self._digest, self.below = (digest.hexdigest(), digest), ()
        return self._digest


@dataclass(frozen=True, slots=True)
class Found:
    """The different nodes of outputs, for each output its number, and all nodes, inputs first."""

    roots: tuple[Node, ...]
    recipe: tuple[int, ...]
    below: list[Node]


def roots_of(variables: Sequence[Variable]) -> Found | None:
    """The nodes that outputs are, with stand-ins where gradients wait.

    None where the gradients must be written: they use something that nothing else does.
    """
    roots: dict[Node, int] = {}
    recipe = tuple([roots.setdefault(v.raw, len(roots)) for v in variables])
    costs = (v.pending for v in variables if isinstance(v, Deferred))
    walked = (p.below for p in costs if p.below and p.below[-1] is variables[0].raw)
    below = toposort(roots, begun=next(walked, ()))
    if any(v.waits for v in variables):
        used = set(roots)  # by anything but gradients that wait
        for node in reversed(below):
            if node in used and node.op is not STAND_IN:
                used.update(node.inputs)
        if any(n not in used for n in below if n.op.name in ("input", "shared")):
            return None  # an input may be used by a cost, and by no gradient
    return Found(tuple(roots), recipe, below)


def _stated(node: Node) -> tuple[Any, ...]:
    """What ``sg.assume`` was told of a node, which rules may use."""
    found = assumptions(node)
    return tuple((row.relation, row.bound) for row in found) if found else ()
