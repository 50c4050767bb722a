"""A graph in double-double with a wide exponent, on NumPy arrays: what its values should be.

Elementwise ops run their own element code on triples; sums and extremes fold triples; movements
move the three parts alike. What has no such form (large matrix products, sorting, control flow) is
computed by its reference in its own dtype, and its inputs are rounded to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from symgraph.ir.graph import substitute_attrs, toposort
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType
from symgraph.loop.ir import Const
from symgraph.loop.rescue import knows, triple
from symgraph.lower.guarded import FORMS
from symgraph.ops.evaluate import Evaluation, bind_dims
from symgraph.records import dataclass
from symgraph_kernels import wide_plain
from symgraph_kernels.wide import Wide

DType = np.dtype[Any]
MOVES = frozenset(("index", "gather", "pieces"))
FOLDS: Mapping[str, str] = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum"}
STARTS = {"add": 0.0, "mul": 1.0}
MOST_TERMS = 1 << 20  # of a matrix product: larger ones are computed by their reference
_TRUTHS = frozenset((
    "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class WideArray:
    """Triples, and the dtype of the node whose value they are."""

    parts: Wide
    dtype: DType

    def rounded(self) -> Any:
        """The values in their dtype."""
        with np.errstate(all="ignore"):
            return np.asarray(wide_plain.drop(self.parts)).astype(self.dtype)


class WideWords:
    """The ``s`` of element code: words on ``WideArray``, numbers beside them as they are."""

    def const(self, value: Any, dtype: DType) -> WideArray:
        """A constant."""
        number: Any = np.asarray(value).astype(dtype)[()]
        return WideArray(triple(Const(number, dtype)), dtype)

    def cast(self, x: WideArray, dtype: DType) -> WideArray:
        """A conversion, which rounds only to integers."""
        whole = dtype.kind in "iu" and x.dtype.kind == "f"
        return WideArray(wide_plain.evaluate("trunc", x.parts) if whole else x.parts, dtype)

    def __getattr__(self, word: str) -> Callable[..., WideArray]:
        name = word.rstrip("_")
        if word.startswith("__") or not knows(name):
            raise AttributeError(word)

        def apply(*args: Any) -> WideArray:
            dtype = next(a.dtype for a in reversed(args) if isinstance(a, WideArray))
            given = [a if isinstance(a, WideArray) else self.const(a, dtype) for a in args]
            found = wide_plain.evaluate(name, *(a.parts for a in given))
            return WideArray(found, np.dtype(bool) if name in _TRUTHS else dtype)

        return apply


def wide_values(outputs: Iterable[Node], values: Mapping[Node, Any]) -> dict[Node, WideArray | Any]:
    """The values of all nodes below outputs: triples for floats, arrays for the rest."""
    evaluation = Evaluation(bind_dims(values, {}))
    found: dict[Node, Any] = {}
    for node in toposort(outputs):
        if node in values:
            found[node] = _lifted(np.asarray(values[node]))
        else:
            found[node] = _value(node, [found[i] for i in node.inputs], evaluation)
    return found


def rounded(x: Any) -> Any:
    """A value as an array."""
    return x.rounded() if isinstance(x, WideArray) else x


def _lifted(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return WideArray(wide_plain.lift(value.astype(np.float64)), value.dtype)
    return value


def _value(node: Node, inputs: list[Any], evaluation: Evaluation) -> Any:
    floats = [x for x in inputs if isinstance(x, WideArray)]
    if floats and isinstance(node.type, TensorType):
        if node.op.kind == "elementwise":
            found = _element(node, inputs)
            if found is not None:
                return found
        if node.op.kind in MOVES and len(floats) == len(inputs):
            return _moved(node, inputs, evaluation)
        if node.op.name in FOLDS:
            return _folded(inputs[0], FOLDS[node.op.name], node.attrs["axes"])
        if node.op.name == "matmul" and len(floats) == len(inputs):
            found = _product(*inputs)
            if found is not None:
                return found
    return _lifted(evaluation.value(node, [rounded(x) for x in inputs]))


def _element(node: Node, inputs: list[Any]) -> WideArray | None:
    form = FORMS.get(node.op.name, node.op.element)
    if form is None:
        return None
    given = [x if isinstance(x, WideArray) else _as_triples(x) for x in inputs]
    try:
        found = form(WideWords(), *given, **node.attrs)
    except AttributeError:  # code that looks at the bits of floats
        return None
    shape = np.broadcast_shapes(*(np.shape(x.parts.high) for x in given))
    if node.tensor.dtype.kind != "f":
        return np.broadcast_to(found.rounded().astype(node.tensor.dtype), shape)  # type: ignore[return-value]
    parts = Wide(*(np.broadcast_to(np.asarray(p, np.float64), shape) for p in found.parts))
    return WideArray(parts, node.tensor.dtype)


def _as_triples(x: Any) -> WideArray:
    array = np.asarray(x)
    return WideArray(wide_plain.lift(array.astype(np.float64)), array.dtype)


def _moved(node: Node, inputs: list[WideArray], evaluation: Evaluation) -> WideArray:
    dtype = node.tensor.dtype
    parts = []
    for k in range(3):
        given = [np.broadcast_to(x.parts[k], np.shape(x.parts.high)) for x in inputs]
        # the reference is told by the dtype of its inputs: parts are float64 whatever the node is
        parts.append(_reference(node, given, evaluation))
    return WideArray(Wide(*parts), dtype)


def _reference(node: Node, inputs: list[Any], evaluation: Evaluation) -> Any:
    attrs = substitute_attrs(node, evaluation.sizes) if evaluation.sizes else node.attrs
    return np.asarray(node.op.reference(*inputs, **attrs))


def _product(x: WideArray, y: WideArray) -> WideArray | None:
    """A matrix product by its terms; None where these are too many."""
    left, right = ([np.broadcast_to(p, np.shape(v.parts.high)) for p in v.parts] for v in (x, y))
    left, right = [p[..., None] for p in left], [p[..., None, :, :] for p in right]
    shape = np.broadcast_shapes(left[0].shape, right[0].shape)
    if np.prod(shape) > MOST_TERMS:
        return None
    sides = (Wide(*(np.broadcast_to(p, shape) for p in side)) for side in (left, right))
    terms = WideArray(wide_plain.evaluate("mul", *sides), x.dtype)
    return _folded(terms, "add", (len(shape) - 2,))


def _folded(x: WideArray, word: str, axes: tuple[int, ...]) -> WideArray:
    high = np.asarray(x.parts.high)
    kept = [a for a in range(high.ndim) if a not in axes]
    moved = [
        np.transpose(np.broadcast_to(p, high.shape), [*axes, *kept]).reshape(
            -1, *(high.shape[a] for a in kept)
        )
        for p in x.parts
    ]
    terms = [Wide(*(p[k] for p in moved)) for k in range(moved[0].shape[0])]
    if word in STARTS:
        shape = tuple(high.shape[a] for a in kept)
        terms.insert(0, wide_plain.lift(np.full(shape, STARTS[word])))
    return WideArray(reduce(lambda a, b: wide_plain.evaluate(word, a, b), terms), x.dtype)
