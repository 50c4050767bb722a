"""What compiling writes down while it runs: references and times, so that it costs next to nothing.

``sg.grad`` rewrites too, before there is a function. What it did is remembered with the nodes of
the gradient, weakly, and found again in every function whose graph holds one of them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from symgraph.ir.graph import toposort
from symgraph.ir.node import Node
from symgraph.ir.origin import Line
from symgraph.records import dataclass, field
from symgraph.rewrite.journal import Application, Journal


@dataclass(slots=True)
class Record:
    """What compiling one specialisation did: the graph after each stage, rewrites, times.

    ``times``: nanoseconds by stage, and of ``resolve``, ``lower``, ``plan`` and ``build``.
    """

    stages: dict[str, tuple[Node, ...]] = field(default_factory=dict)
    rewrites: list[Application] = field(default_factory=list)
    journals: list[Journal] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=dict)
    inputs: tuple[Node, ...] = ()
    from_cache: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Chapter:
    """The rewriting of a cost before it is differentiated: what asked for it, and where."""

    what: str
    line: Line | None
    journals: tuple[Journal, ...]


_chapters: weakref.WeakKeyDictionary[Node, tuple[Chapter, ...]] = weakref.WeakKeyDictionary()


def remember(chapters: Iterable[Chapter], results: Iterable[Node], newest: int) -> None:
    """Note that these gradients were taken of what some chapters made.

    ``newest``: a number above those of the nodes in the chapters. Results made before may be part
    of a chapter, which would then keep itself alive.
    """
    told = tuple(c for c in chapters if any(j.entries for j in c.journals))
    for node in results:
        if told and node.number > newest:
            _chapters[node] = tuple(dict.fromkeys((*_chapters.get(node, ()), *told)))


def chapters_of(outputs: Iterable[Node]) -> list[Chapter]:
    """The chapters whose gradients are in a graph, each once, in the order of the nodes."""
    if not _chapters:
        return []
    found = {c: None for n in toposort(outputs) for c in _chapters.get(n, ())}
    return list(found)
