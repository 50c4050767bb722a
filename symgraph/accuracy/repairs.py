"""Which rules and guards mended an output: those that met what it was made of.

Several outputs may come from one line, so lines do not tell. Journals do: their entries are in
order, and what an entry makes of a node of an output is of that output too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node
from symgraph.rewrite.journal import Application, Journal


def applied(journals: Iterable[Journal], number: int) -> list[Application]:
    """The applications of rules and guards below the output of that number, in order."""
    return [a for journal in journals for a in _of_output(journal, number)]


def _of_output(journal: Journal, number: int) -> list[Application]:
    mine: set[Node | Graph] = set()
    _add(mine, journal.outputs[number : number + 1])
    found = []
    for entry in journal.entries:
        if isinstance(entry, Application):
            before, after = entry.before, entry.after
        else:
            before, after = entry
        if before not in mine:
            continue
        _add(mine, after.outputs if isinstance(after, Graph) else (after,))
        if isinstance(after, Graph):
            mine.add(after)
        if isinstance(entry, Application):
            found.append(entry)
    return found


def _add(mine: set[Node | Graph], outputs: Sequence[Node]) -> None:
    """Everything below, and in the graphs that nodes hold."""
    for node in toposort(outputs, stop=mine.__contains__):
        if node in mine:
            continue
        mine.add(node)
        for graph in node.attrs.values():
            if isinstance(graph, Graph) and graph not in mine:
                mine.add(graph)
                _add(mine, graph.outputs)
