"""Nodes as rules make them: with the user lines of the node rewritten, constants in its dtype.

Not here: what a sum or a product of nodes is simplified to (``terms.py``).
"""

from __future__ import annotations

import fractions
import math
import threading
import weakref
from functools import lru_cache
from typing import Any

import numpy as np

from symgraph.ir.dim import Dim
from symgraph.ir.dtype import DType
from symgraph.ir.node import Node, constant_node, make_node
from symgraph.ir.op import find_op
from symgraph.ir.origin import Line
from symgraph.ir.type import Shape
from symgraph.rewrite.exact import Fraction

MOST_ELEMENTS = 64  # a larger constant is not examined for being one number repeated


class _Provenance(threading.local):
    def __init__(self) -> None:
        self.lines: tuple[Line, ...] = ()
        self.shared: set[Node] = set()
        self.asked = False


_now = _Provenance()


def made_for(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Set the user lines that nodes made from now on get; the lines set before."""
    before, _now.lines = _now.lines, lines
    return before


def shared() -> set[Node]:
    """Nodes that more than one other node reads, in the run of rewriting at hand."""
    _now.asked = True
    return _now.shared


def asked_shared() -> bool:
    """Has ``shared`` been asked since this was called last?"""
    before, _now.asked = _now.asked, False
    return before


def share(nodes: set[Node]) -> set[Node]:
    """Set what ``shared`` gives; the set before."""
    before, _now.shared = _now.shared, nodes
    return before


def call(op: str, *inputs: Node, **attrs: Any) -> Node:
    """The node of an op on nodes, as it stands in the graph (attributes as rows store them)."""
    return make_node(find_op(op), inputs, attrs, lines=_now.lines)


def number(value: float | fractions.Fraction, dtype: DType) -> Node:
    """A scalar constant of a dtype; a fraction is rounded once."""
    if isinstance(value, fractions.Fraction):
        value = _rounded(value) if dtype.kind in "fc" else int(value)
    plain = type(value) is float and (value or math.copysign(1.0, value) > 0)  # -0.0 equals 0.0
    key = (value, dtype.char) if plain else None
    found = None if key is None else _numbers.get(key)
    if found is None:
        with np.errstate(over="ignore"):
            found = constant_node(np.asarray(value).astype(dtype))
        if key is not None:
            _numbers[key] = found
    return found


# constants that are alive, by value and dtype: rules ask for the same few again and again
_numbers: weakref.WeakValueDictionary[tuple[float, str], Node] = weakref.WeakValueDictionary()


def _rounded(value: fractions.Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def uniform(node: Node) -> Any:
    """The one value that all elements of a constant have, as a NumPy scalar; None otherwise."""
    if node.op.name != "constant":
        return None
    value = node.attrs["value"]
    if value.ndim == 0:
        return value[()]
    if value.size == 0 or value.size > MOST_ELEMENTS:
        return None
    first = value.reshape(-1)[0]
    return first if bool(np.all(value == first)) and not _mixed_zeros(value) else None


def _mixed_zeros(value: np.ndarray[Any, Any]) -> bool:
    if value.dtype.kind != "f" or value.reshape(-1)[0] != 0:
        return False
    signs = np.signbit(value)
    return bool(signs.any() and not signs.all())


def fraction(node: Node) -> Fraction | None:
    """The exact value of a constant that holds one finite real number; None otherwise."""
    if node.op.name != "constant":
        return None
    value = node.attrs["value"]
    if value.ndim:
        value = uniform(node)
    if value is None or value.dtype.kind not in "biuf":
        return None
    found = value.item()
    return _of(found) if math.isfinite(found) else None


_of = lru_cache(maxsize=256)(Fraction)


def size_node(dims: Shape, dtype: DType) -> Node:
    """The number of elements of these dims as a scalar of a dtype."""
    from symgraph.ir.dim import product

    total = product(dims)
    if not isinstance(total, Dim):
        return number(total, dtype)
    node = make_node(find_op("dim"), (), {"dim": total}, lines=_now.lines)
    return call("astype", node, dtype=dtype)
