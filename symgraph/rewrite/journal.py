"""What a run of the rewriter did, in order: ``engine.py`` writes, ``symgraph.trace`` tells it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from symgraph.ir.node import Node
from symgraph.ir.origin import Line
from symgraph.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Application:
    """One application of a rule: what, why, on whose word, where."""

    table: str
    rule: str
    why: str
    source: str
    changes: str
    before: Node
    after: Node
    lines: tuple[Line, ...]
    at_ns: int = 0  # on the clock of ``Journal.start_ns``

    def __str__(self) -> str:
        where = f" at {self.lines[0]}" if self.lines else ""
        return f"{self.table}: {self.rule}{where}\n  why: {self.why} [{self.source}]"


@dataclass(slots=True)
class Journal:
    """What one run of a table did, in order: the source of a function's trace.

    ``entries``: applications, and what was made anew on other inputs: (before, after), of nodes and
    of graphs inside nodes. ``outputs``: before the run, with stand-ins for cut points.
    """

    table: str
    outputs: tuple[Node, ...]
    entries: list[Application | tuple[Any, Any]] = field(default_factory=list)
    final: tuple[Node, ...] = ()
    start_ns: int = 0
    elapsed_ns: int = 0
    stage: str = ""  # of the compiler, or of the gradient, that ran it


@dataclass(slots=True)
class Counts:
    """What a run did: nodes visited, rules tried (after early rejection), rules applied."""

    visited: int = 0
    tried: int = 0
    applied: Counter[str] = field(default_factory=Counter)
