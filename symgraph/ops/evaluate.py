"""What a graph means: the references of its ops, one after the other, on NumPy arrays.

Slow and plain; compiled code is compared with it. Dimensions are bound from the arrays given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.errors import (
    BoundsError,
    MissingInputError,
    ShapeError,
    SymgraphError,
    VerifyError,
    message,
)
from symgraph.ir.dim import Atom, Dim, single_atom, symbols
from symgraph.ir.dim import evaluate as dim_number
from symgraph.ir.graph import Graph, substitute_attrs, toposort
from symgraph.ir.node import Node
from symgraph.ir.type import TensorType, TupleType, Type

Array = np.ndarray[Any, Any]


def evaluate(
    outputs: Sequence[Node], values: Mapping[Node, Any], sizes: Mapping[Atom, int] | None = None
) -> list[Any]:
    """The values of nodes, given those of inputs, shared variables, or any nodes on the way.

    ``sizes``: dimension symbols that no array tells.
    Raises: MissingInputError for an input without a value; ShapeError for dims that do not fit;
    VerifyError where a reference gives another type than the graph says.
    """
    arrays = {node: _as_given(node, value) for node, value in values.items()}
    return Evaluation(bind_dims(arrays, sizes or {})).run(outputs, arrays)


def evaluate_graph(graph: Graph, arrays: Sequence[Any]) -> list[Any]:
    """The outputs of a graph whose dims are all numbers."""
    return Evaluation({}).run(graph.outputs, dict(zip(graph.params, arrays, strict=True)))


class Evaluation:
    """Values of nodes where dimension symbols have given sizes.

    ``disturb(node, value)`` may change every value that is computed: to see how far errors carry.
    """

    def __init__(
        self, sizes: dict[Atom, int], disturb: Callable[[Node, Any], Any] | None = None
    ) -> None:
        self.sizes, self.disturb = sizes, disturb

    def run(self, outputs: Sequence[Node], given: Mapping[Node, Any]) -> list[Any]:
        """The values of outputs."""
        made = dict(given)
        self.fill(outputs, made)
        return [made[o] for o in outputs]

    def fill(self, outputs: Sequence[Node], made: dict[Node, Any]) -> None:
        """Add the values of outputs, and of all that they need, to those that are known."""
        for node in toposort(outputs, stop=made.__contains__):
            if node not in made:
                found = self.value(node, [made[i] for i in node.inputs])
                made[node] = found if self.disturb is None else self.disturb(node, found)

    def _inner(self, graph: Graph, arrays: Sequence[Any]) -> list[Any]:
        given = dict(zip(graph.params, arrays, strict=True))
        return Evaluation({}, self.disturb).run(graph.outputs, given)

    def value(self, node: Node, inputs: list[Any]) -> Any:
        """The value of a node, given those of its inputs."""
        name = node.op.name
        if name == "constant":
            return node.attrs["value"]
        if name == "dim":
            return np.asarray(dim_number(node.attrs["dim"], self.sizes), "int64")
        if name in ("input", "shared", "param"):
            raise MissingInputError(
                message(f"no value for {name} {node.name or node.number}: {node.type}")
            )
        attrs = substitute_attrs(node, self.sizes) if self.sizes else node.attrs
        if node.op.kind == "control":
            attrs = {**attrs, "evaluate": self._inner}
        try:
            with np.errstate(all="ignore"):
                found = node.op.reference(*inputs, **attrs)
        except IndexError as error:
            raise _outside(node, error) from error
        if isinstance(node.type, TensorType) and not isinstance(found, tuple):
            found = np.asarray(found)
            self._bind(node.type, found, node)
        return found

    def _bind(self, found: Type, value: Array, node: Node) -> None:
        """Lengths that only data tells become known with the array that has them."""
        assert isinstance(found, TensorType)
        if found.dtype != value.dtype or len(found.shape) != value.ndim:
            raise VerifyError(
                f"{node.op.name} gave {value.dtype}{list(value.shape)} instead of {found}"
            )
        for dim, size in zip(found.shape, value.shape, strict=True):
            atom = single_atom(dim)
            if atom is not None and atom.kind == "data":
                self.sizes.setdefault(atom, size)
            if isinstance(dim, int) and dim != size:
                raise ShapeError(f"{node.op.name} gave {list(value.shape)} instead of {found}")
        if node.op.name == "data_length":
            atom = single_atom(node.attrs["dim"])
            assert atom is not None
            self.sizes[atom] = int(value)


def _outside(node: Node, error: IndexError) -> IndexError:
    """A BoundsError with op, array and the user's line for an index that NumPy refused."""
    if isinstance(error, SymgraphError):
        return error
    line = str(node.lines[0]) if node.lines else None
    facts = {f"input {k}": f"{i.name or i.op.name}: {i.type}" for k, i in enumerate(node.inputs)}
    hint = "indices run from -length to length - 1"
    return BoundsError(message(f"{node.op.name}: {error}", facts, line, hint))


def _as_given(node: Node, value: Any) -> Array | tuple[Any, ...]:
    if isinstance(node.type, TupleType):
        return tuple(value)
    return np.asarray(value, dtype=node.tensor.dtype)


def bind_dims(arrays: Mapping[Node, Any], sizes: Mapping[Atom, int]) -> dict[Atom, int]:
    """Values of dimension symbols from the shapes of arrays; ShapeError where they disagree."""
    found = dict(sizes)
    later: list[tuple[Node, Any, int]] = []
    for node, array in arrays.items():
        if isinstance(node.type, TupleType):
            continue
        if len(node.tensor.shape) != array.ndim:
            raise ShapeError(f"{node.name or node.op.name}: {array.ndim} axes for {node.type}")
        for dim, size in zip(node.tensor.shape, array.shape, strict=True):
            atom = single_atom(dim)
            if atom is None or found.setdefault(atom, size) != size:
                later.append((node, dim, size))
    for node, dim, size in later:
        if isinstance(dim, Dim) and not symbols(dim) <= found.keys():
            continue
        if dim_number(dim, found) != size:
            raise ShapeError(
                f"{node.name or node.op.name}: {node.type} got an axis of length {size}"
            )
    return found
