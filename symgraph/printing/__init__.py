"""Graphs for people, as text: trees, mathematics, LaTeX, and single-assignment form.

    import symgraph as sg
    from symgraph import printing

    x, w = sg.matrix("x"), sg.matrix("W")
    print(printing.math(sg.log_softmax(x @ w)))        log_softmax(x·W)
    printing.dprint(f, lines=True)                     a tree, with the lines of your program

Everything takes a variable, a node, a graph, a compiled function (its graph as built;
``f.optimized`` is the other), or lists, tuples and dicts of them. ``tree`` and ``math`` are for
reading; ``ssa`` can be read back by ``symgraph.ir.text.parse_text``.

    notes.py        what may stand beside a node: type, shape, bytes, lines
    mathematics.py  which part gets a line of its own, and bodies of loops
    notation.py     how each op is written, in Unicode and in LaTeX
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from symgraph.errors import ArgumentError
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.text import graph_text
from symgraph.ir.variable import Variable
from symgraph.ir.views import DEEPEST, tree_text
from symgraph.printing.mathematics import latex_text, math_text
from symgraph.printing.notes import Notes

__all__ = ["STYLES", "dprint", "latex", "math", "render", "ssa", "tree"]


def tree(
    what: Any,
    *,
    depth: int = DEEPEST,
    types: bool = False,
    shapes: bool = False,
    memory: bool = False,
    lines: bool = False,
    max_nodes: int | None = None,
) -> str:
    """Each output with its inputs below it, indented; a node shown before is cut short.

    ``types`` and ``shapes``: dtype and shape of each value (both where neither is asked for);
    ``memory``: its bytes; ``lines``: the user's line that made it. ``max_nodes``: stop there.
    """
    notes = Notes(types, shapes, memory, lines) if types or shapes else _both(memory, lines)
    return tree_text(as_graph(what), depth=depth, note=notes.text, max_nodes=max_nodes)


def math(
    what: Any,
    *,
    types: bool = False,
    shapes: bool = False,
    memory: bool = False,
    lines: bool = False,
    max_nodes: int | None = None,
) -> str:
    """The outputs as mathematics: ``log_softmax(x·W + b)``.

    Parts that are used twice, have a name or grow long get a line of their own; conversions of
    dtype and broadcasting, which mathematics leaves unsaid, are left out.
    """
    return math_text(as_graph(what), Notes(types, shapes, memory, lines), max_nodes)


def latex(what: Any, *, max_nodes: int | None = None) -> str:
    """The outputs as LaTeX, for the environments of the package amsmath."""
    return latex_text(as_graph(what), max_nodes)


def ssa(what: Any, *, lines: bool = False) -> str:
    """A line for each node; ``symgraph.ir.text.parse_text`` reads it back."""
    return graph_text(as_graph(what), lines=lines)


def dprint(what: Any, *, file: TextIO | None = None, **options: Any) -> None:
    """Print ``tree``; options are those of it."""
    print(tree(what, **options), end="", file=file)


def render(what: Any, style: str, **options: Any) -> str:
    """The text in a style by name, with those options of all styles that it knows."""
    if style not in STYLES:
        raise ArgumentError(f"there is no style {style!r}; styles: {', '.join(STYLES)}")
    function, known = STYLES[style]
    return function(what, **{k: v for k, v in options.items() if k in known})


_NOTES = ("types", "shapes", "memory", "lines", "max_nodes")
STYLES: Mapping[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "math": (math, _NOTES),
    "tree": (tree, ("depth", *_NOTES)),
    "ssa": (ssa, ("lines",)),
    "latex": (latex, ("max_nodes",)),
}
"""Styles by name, each with the options that it knows."""


def _both(memory: bool, lines: bool) -> Notes:
    return Notes(True, True, memory, lines)


def as_graph(what: Any) -> Graph:
    """The graph of whatever has one.

    Raises: ArgumentError for what has none.
    """
    graph = what if isinstance(what, Graph) else getattr(what, "graph", None)
    if isinstance(graph, Graph):
        return graph
    return Graph((), tuple(_nodes(what)))


def _nodes(what: Any) -> Iterator[Node]:
    if isinstance(what, Node):
        yield what
    elif isinstance(what, Variable):
        yield what.node
    elif isinstance(what, Mapping):
        for part in what.values():
            yield from _nodes(part)
    elif isinstance(what, list | tuple):
        for part in what:
            yield from _nodes(part)
    else:
        raise ArgumentError(
            f"a {type(what).__name__} cannot be printed as a graph; variables, nodes, graphs and "
            "compiled functions can"
        )
