"""Which part of a kernel's time belongs to which line of the program: by what its statements do.

A statement counts its operations (``cost.word_flops``), its loads and itself, times the turns of
the loops around it; it belongs to the lines of the value that it computes or stores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from symgraph.ir.dim import DimLike
from symgraph.ir.origin import Line
from symgraph.loop.ir import Assign, For, Kernel, Let, Load, Stmt, Store, Update, Word
from symgraph.loop.traverse import blocks, expressions, postorder
from symgraph.trace.cost import dim_of, word_flops

USUAL_TURNS = 16  # of a loop whose length only data tells


def line_shares(
    kernel: Kernel, sizes: Mapping[str, int], lines_of: Mapping[str, tuple[Line, ...]]
) -> dict[Line, float]:
    """Parts of 1 by line; ``lines_of``: by the names of locals and buffers in the kernel."""
    found: dict[Line, float] = {}
    for name, work in _works(kernel.body, dict(sizes), 1.0):
        lines = lines_of.get(name, ())
        for line in lines:
            found[line] = found.get(line, 0.0) + work / len(lines)
    total = sum(found.values())
    return {line: work / total for line, work in found.items()}


def _works(
    body: Sequence[Stmt], known: Mapping[str, DimLike], turns: float
) -> Iterator[tuple[str, float]]:
    """What each statement computes or stores, and how much it does for that."""
    for s in body:
        nodes = list(postorder(*expressions(s)))
        work = 1 + sum(word_flops(x) for x in nodes if isinstance(x, Word))
        work += sum(isinstance(x, Load) for x in nodes)
        if isinstance(s, Let | Assign):
            yield s.name, turns * work
        elif isinstance(s, Store | Update):
            yield s.buffer, turns * work
        inner = turns
        if isinstance(s, For):
            extent = dim_of(s.extent, known)
            inner *= max(0, extent) if isinstance(extent, int) else USUAL_TURNS
        for block in blocks(s):
            yield from _works(block, known, inner)
