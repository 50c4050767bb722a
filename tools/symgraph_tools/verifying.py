"""Are the rewrites of a trace right? Each is checked by itself, on worlds; and by bisection.

A rewrite is wrong if the node that took the place of another differs from it in some world by more
than its formula leaves open (``worlds.py``).
"""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from symgraph.errors import SymgraphError
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.trace.format import REWRITE, START
from symgraph.trace.trace import Trace

from .target import TargetError, load_attribute
from .worlds import Unchecked, World, difference, make_worlds

Predicate = Callable[[Graph], bool]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A step that changes the value, or that could not be checked (``is_checked``)."""

    number: int
    rule: str
    text: str
    is_checked: bool = True


def verify_steps(trace: Trace, seed: int = 0) -> Iterator[Wrong]:
    """The rewrites that are wrong, in order; and stages that change an output."""
    starts = [trace.at(k) for k, row in enumerate(trace.steps) if row.kind == START]
    worlds = make_worlds([n for graph in starts for n in graph.outputs], seed)
    for step in trace:
        found = _checked([(step.before, step.after)], step.number, step.rule, worlds)
        if found is not None:
            yield found
    numbers = [
        k
        for k, row in enumerate(trace.steps)
        if row.kind not in (REWRITE, START) and not row.delta.is_empty
    ]
    for number in numbers:
        pairs = list(zip(trace.at(number - 1).outputs, trace.at(number).outputs, strict=True))
        found = _checked(pairs, number, trace.steps[number].rule.name, worlds)
        if found is not None:
            yield found


def _checked(
    pairs: Sequence[tuple[Node, Node]], number: int, rule: str, worlds: Sequence[World]
) -> Wrong | None:
    for before, after in pairs:
        try:
            found = difference(before, after, worlds)
        except Unchecked as error:
            return Wrong(number, rule, f"could not be checked: {error}", False)
        if found is not None:
            return Wrong(number, rule, str(found))
    return None


def same_values(built: Graph, seed: int = 0) -> Predicate:
    """The predicate that a graph has the outputs of another on all worlds."""
    worlds = make_worlds(built.outputs, seed)

    def holds(graph: Graph) -> bool:
        pairs = zip(built.outputs, graph.outputs, strict=True)
        return not any(difference(before, after, worlds) for before, after in pairs)

    return holds


def predicate(text: str) -> Predicate:
    """``file.py:name`` or ``module:name``: a function of a graph; else a shell command.

    In a command, ``{}`` stands for a ``.sg`` file of the graph; exit status 0 means: it is good.
    """
    head, _, name = text.partition(":")
    if name.isidentifier() and " " not in text and (head.endswith(".py") or _is_module(head)):
        found = load_attribute(text)
        if not callable(found):
            raise TargetError(f"{text} is no function of a graph")
        return lambda graph: bool(found(graph))
    if "{}" not in text:
        raise TargetError(f"{text!r} has no {{}}, which stands for the file of a graph")
    return lambda graph: _command_succeeds(text, graph)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _command_succeeds(text: str, graph: Graph) -> bool:
    import symgraph as sg
    from symgraph.ir.variable import handle

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.sg"
        ends = {
            name: [handle(node, node.name) for node in nodes]
            for name, nodes in (("inputs", graph.params), ("outputs", graph.outputs))
        }
        sg.save(path, ends)
        command = text.replace("{}", shlex.quote(str(path)))
        found = subprocess.run(command, shell=True, capture_output=True, check=False)
        return found.returncode == 0


def first_bad(trace: Trace, holds: Predicate) -> int | None:
    """The first step after which a predicate does not hold; None if it holds at the end.

    By bisection over the graph as built and its rewrites. Raises: SymgraphError if it fails
    already for the graph as built.
    """
    built = trace.find_stage("built").step
    steps = list(range(built, len(trace.steps)))
    if not holds(trace.at(steps[0])):
        what = "already the graph as built is bad"
        early = any(row.kind == REWRITE for row in trace.steps[:built])
        told = "; rewrites for gradients come before it: try --verify" if early else ""
        raise SymgraphError(what + told)
    if holds(trace.at(steps[-1])):
        return None
    good, bad = 0, len(steps) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(trace.at(steps[middle])) else (good, middle)
    return steps[bad]
