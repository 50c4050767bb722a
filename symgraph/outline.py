"""What a function computes, with as little of it written down as needed.

An ``Outline`` knows the graph that the user built, and of which parts gradients are wanted. That is
enough to find code on disk (``name``), and to check a call. Differentiating, rewriting and lowering
begin when ``compiler`` is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from symgraph.autodiff.deferred import Deferred, Pending
from symgraph.config import SETTINGS, config
from symgraph.ir.digest import Digest, NotPortable
from symgraph.ir.dim import Atom, DimLike
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node
from symgraph.ir.resolve import Requirement, requirements
from symgraph.mode import Mode
from symgraph.ops import BUILT_IN
from symgraph.ops.assume import assumed_of, assumptions
from symgraph.records import dataclass, field

if TYPE_CHECKING:
    from symgraph.compile import Compiler, Specialised
    from symgraph.trace.record import Record

# Settings that change no code.
_SILENT = ("cache", "cache_dir", "cache_size", "trace", "threads")


@dataclass(slots=True)
class Outline:
    """``roots`` are written nodes; ``pending`` gradients of some; ``recipe`` how outputs come.

    ``recipe`` has for every output ("node", number of a root) or ("gradient", number of a pending,
    number in it).    ``complete``: all outputs as nodes.
    """

    inputs: tuple[Node, ...]
    roots: tuple[Node, ...]
    pending: tuple[Pending, ...]
    recipe: tuple[tuple[Any, ...], ...]
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
        self.known = requirements(self.roots)

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
            digest = Digest(BUILT_IN, _stated)
            digest.graph((*self.inputs, *self.roots, *self.states))
            digest.graph(assumed_of([n for n in digest.numbers if not n.inputs]))
            digest.add(("inputs", *self.inputs), ("states", *self.states), ("roots", *self.roots))
            digest.add(("given", *self.given), self.results)
            for p in self.pending:
                digest.add(("gradient", p.cost, *p.wrt), ("stop", *p.stop))
            settings = tuple((n, getattr(config, n)) for n in SETTINGS if n not in _SILENT)
            mode = (self.mode.name, self.mode.accuracy, self.mode.code_generator)
            digest.add(self.recipe, self.about, settings, mode)
            self._digest = digest.hexdigest(), digest
        return self._digest


def roots_of(
    results: Sequence[Any], written: Sequence[Node]
) -> tuple[tuple[Node, ...], tuple[Pending, ...], tuple[tuple[Any, ...], ...]] | None:
    """Roots, pending gradients and recipe for outputs, then ``written`` ones (updates).

    None where the gradients must be written: they use something that nothing else does.
    """
    roots: dict[Node, int] = {}
    pending: dict[int, tuple[int, Pending]] = {}
    recipe: list[tuple[Any, ...]] = []
    for result in results:
        if isinstance(result, Deferred) and not result.pending.is_written:
            number, _ = pending.setdefault(id(result.pending), (len(pending), result.pending))
            recipe.append(("gradient", number, result.index))
        else:
            recipe.append(("node", roots.setdefault(result.node, len(roots))))
    recipe += [("node", roots.setdefault(n, len(roots))) for n in written]
    waiting = tuple(p for _, p in pending.values())
    if waiting:
        ends = [n for p in waiting for n in (p.cost, *p.wrt, *p.stop)]
        below = set(toposort(roots))
        others = [n for n in ends if n not in below]
        if not _leaves(others) <= below:
            return None  # an input may be used by a cost, and by no gradient
        for node in ends:
            roots.setdefault(node, len(roots))
    return tuple(roots), waiting, tuple(recipe)


def _stated(node: Node) -> tuple[Any, ...]:
    """What ``sg.assume`` was told of a node, which rules may use."""
    found = assumptions(node)
    return tuple((row.relation, row.bound) for row in found) if found else ()


def _leaves(nodes: Iterable[Node]) -> set[Node]:
    return {n for n in toposort(nodes) if n.op.name in ("input", "shared")}
