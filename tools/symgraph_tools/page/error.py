"""Bits of error of each value of a graph, as colours of the page and of pictures.

The graph of a trace is computed on NumPy arrays as it stands, and again in double-double
(``symgraph.accuracy``), on inputs of three kinds: ordinary, up to 60, and of all magnitudes. A bit
of error is a factor of two in units of the last place; 53 (float32: 24) is no digit right. What is
not computed in double-double (products of matrices, bodies of loops, composite operations) has no
error of its own here. Only the kind of inputs counts for which a value is worst.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from symgraph.accuracy.report import bits_of_error
from symgraph.accuracy.wide_values import WideArray, wide_values
from symgraph.errors import SymgraphError
from symgraph.ir.dim import Atom
from symgraph.ir.graph import Graph, leaves
from symgraph.ir.node import Node
from symgraph.ops.evaluate import Evaluation, bind_dims
from symgraph.trace.trace import Trace

from ..given import Given
from ..inputs import Array, inputs_of, made_up, sizes_for
from ..shading import FULL_ERROR
from ..worlds import CLIMATES, Climate
from .content import Heat

KINDS = ("ordinary", "large", "all sizes")
LENGTH = 12  # of an axis
WIDTH = 53.0  # bits that a line has at most


def error_heat(trace: Trace, given: Given, stage: str = "final") -> Heat:
    """Mean bits of error by node of the graph after a stage, and the worst of each line.

    Raises: ArgumentError for a stage that there is not.
    """
    state = trace.state(trace.find_stage(stage).step)
    keys = {state.node(key): key for key in state.order()}
    graph = state.graph()
    sizes = sizes_for(graph, given, LENGTH)
    of: dict[int, float] = {}
    for climate in CLIMATES:
        if climate.name in KINDS:
            for node, bits in _errors(graph, sizes, climate):
                if node in keys:
                    of[keys[node]] = max(bits, of.get(keys[node], 0.0))
    by_line: dict[tuple[str, int], float] = {}
    for key, bits in of.items():
        for line in trace.rows[key].lines:
            place = (line.file, line.number)
            by_line[place] = max(by_line.get(place, 0.0), min(1.0, bits / WIDTH))
    texts = {key: f"{bits:.1f} bits of error" for key, bits in of.items()}
    return Heat("error", "bits", of, texts, by_line, FULL_ERROR)


def _errors(
    graph: Graph, sizes: Mapping[Atom, int], climate: Climate
) -> Iterator[tuple[Node, float]]:
    """Mean bits of error of each node that is computed both ways; none where inputs do not fit."""
    values = dict(_leaf_values(graph, sizes, climate))
    try:
        with np.errstate(all="ignore"):
            plain: dict[Node, object] = dict(values)
            Evaluation(bind_dims(values, {})).fill(graph.outputs, plain)
            exact = wide_values(graph.outputs, values)
            for node, value in exact.items():
                if isinstance(value, WideArray) and node not in values:
                    truth = np.asarray(value.rounded())
                    found = np.asarray(plain[node]).astype(truth.dtype)
                    if truth.size:
                        yield node, float(bits_of_error(found, truth).mean())
    except (SymgraphError, ValueError, IndexError):  # an index or a length that does not fit
        return


def _leaf_values(
    graph: Graph, sizes: Mapping[Atom, int], climate: Climate
) -> Iterator[tuple[Node, Array]]:
    nodes: Sequence[Node] = [*inputs_of(graph), *leaves(graph.outputs, "shared")]
    for number, node in enumerate(nodes):
        yield node, made_up(node, sizes, number, climate)
