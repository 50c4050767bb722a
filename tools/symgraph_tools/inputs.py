"""Arrays for the inputs of a graph: from a file, or made up with the lengths that are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError
from symgraph.ir.dim import Atom, DimLike, evaluate, single_atom, symbols
from symgraph.ir.graph import Graph, leaves
from symgraph.ir.node import Node

from .given import Given
from .worlds import CLIMATES, Climate, drawn, fitting_sizes

Array = np.ndarray[Any, Any]
USUAL_LENGTH = 64  # of a dimension that nothing tells


def inputs_of(graph: Graph) -> list[Node]:
    """Parameters, and inputs that are none."""
    return list(dict.fromkeys((*graph.params, *leaves(graph.outputs, "input"))))


def sizes_for(graph: Graph, given: Given, usual: int = USUAL_LENGTH) -> dict[Atom, int]:
    """The length of every dimension: given by name or by the shape of an input, else the usual.

    Dims that meet are equal. Raises: ArgumentError for a name that there is not.
    """
    nodes = inputs_of(graph)
    found: dict[Atom, int] = {}
    names = {n.name for n in nodes}
    for name in (*given.shapes, *given.dtypes):
        if name not in names:
            known = ", ".join(str(n) for n in names)
            raise ArgumentError(f"there is no input {name!r}; inputs: {known}")
    for node in nodes:
        _bind(node, given.shapes.get(node.name or "", ()), found)
    atoms = {a for n in nodes for d in n.tensor.shape for a in symbols(d)}
    for name, length in given.dims.items():
        same = [a for a in atoms if a.label.strip("?!") == name]
        if not same:
            known = ", ".join(sorted(a.label.strip("?!") for a in atoms))
            raise ArgumentError(f"there is no dimension {name!r}; dimensions: {known}")
        found |= dict.fromkeys(same, length)
    return fitting_sizes(graph.outputs, atoms, found, usual)


def _bind(node: Node, shape: Sequence[int | str], found: dict[Atom, int]) -> None:
    if not shape:
        return
    if len(shape) != node.tensor.ndim:
        raise ArgumentError(f"input {node.name} is {node.type}; {len(shape)} lengths are given")
    for dim, length in zip(node.tensor.shape, shape, strict=True):
        atom = single_atom(dim)
        if atom is not None and isinstance(length, int):
            found[atom] = length


def arrays_for(
    graph: Graph, given: Given, path: Path | None = None, usual: int = USUAL_LENGTH
) -> list[Array]:
    """An array for every input, from an ``.npz`` file by name or position, else made up."""
    nodes = inputs_of(graph)
    loaded: dict[str, Array] = {}
    if path is not None:
        from symgraph.saving import load_parameters

        loaded = load_parameters(path)
    sizes: Mapping[Atom, int] | None = None
    found: list[Array] = []
    for number, node in enumerate(nodes):
        named = [k for k in (node.name, f"arr_{number}") if k in loaded]
        if named:
            found.append(loaded[str(named[0])])
            continue
        if path is not None:
            raise ArgumentError(f"{path} has no array {node.name or f'arr_{number}'!r}")
        sizes = sizes_for(graph, given, usual) if sizes is None else sizes
        found.append(made_up(node, sizes, number))
    return found


def made_up(
    node: Node, sizes: Mapping[Atom, int], seed: int = 0, climate: Climate = CLIMATES[0]
) -> Array:
    """Seeded numbers of a node's type: normal, positive where that is known, small indices."""
    shape: list[DimLike] = [evaluate(d, sizes) for d in node.tensor.shape]
    generator = np.random.default_rng(seed)
    return drawn(climate, node, tuple(int(d) for d in shape if isinstance(d, int)), generator)
