"""A name for a graph that any process gives to an equal one: what cached code is found by.

Inputs, states and unknown dims are numbered as they come, so what users call them, and the tokens
that tell them apart, do not count; ops, attributes by their bits, types of leaves and the order of
everything do. Values of states do not count either: they are arguments.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symgraph.fingerprint import fingerprint
from symgraph.ir.dim import Atom, Dim, DimLike
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.node import Node
from symgraph.ir.op import Op
from symgraph.ir.states import STATES
from symgraph.ir.type import TensorType, TupleType, Type

_PLAIN = 2  # the last format of ``marshal`` that depends on values alone, not on who shares them


class NotPortable(Exception):
    """A graph that only this process can read: an attribute has no content to name it by."""


class Digest:
    """Collects graphs and values; ``hexdigest`` names all of it.

    Raises NotPortable, at any step, for what has no meaning elsewhere.
    """

    def __init__(
        self,
        known_ops: Mapping[str, Op],
        noted: Callable[[Node], tuple[Any, ...]] | None = None,
    ) -> None:
        """``noted``: what else is known of a node besides its op and attributes."""
        self._ops, self._noted = known_ops, noted
        self._parts: list[object] = []  # texts, and tuples of texts and numbers
        self._atoms: dict[Atom, int] = {}
        self._states: dict[int, int] = {}
        self._graphs: dict[Graph, str] = {}
        self._types: dict[Type, str] = {}
        self.numbers: dict[Node, int] = {}
        self.constants: list[Node] = []

    def add(self, *values: object) -> None:
        """Values: numbers, texts, tuples of them, dims, types, arrays, nodes of graphs added."""
        self._parts += [self.value(v) for v in values]

    def graph(self, outputs: Iterable[Node], below: Iterable[Node] | None = None) -> None:
        """A graph; its nodes may be named by later values.

        ``below``: all its nodes, inputs first, for who knows them.
        """
        outputs = tuple(outputs)
        numbers, parts = self.numbers, self._parts
        known, noted = self._ops, self._noted
        for node in toposort(outputs) if below is None else below:
            if node in numbers:
                continue
            numbers[node] = len(numbers)
            op, inputs = node.op, node.inputs
            if inputs and not node.attrs and not noted and known.get(op.name) is op:
                parts.append((op.name, *[numbers[i] for i in inputs]))  # as ``_node`` has it
                continue
            if op.name == "constant":
                self.constants.append(node)
                value = node.attrs["value"]
                if not value.ndim and not noted and known.get(op.name) is op:
                    self._scalar(value)
                    continue
            parts.append(self._node(node, numbers))
        parts.append(("out", *[numbers[n] for n in outputs]))

    def hexdigest(self) -> str:
        """The name."""
        return fingerprint(marshal.dumps(self._parts, _PLAIN)).hex()

    def _node(self, node: Node, numbers: Mapping[Node, int]) -> tuple[object, ...]:
        op, attrs, inputs = node.op, node.attrs, node.inputs
        if self._ops.get(op.name) is not op:
            raise NotPortable(f"op {op.name}")
        found: tuple[object, ...] = (op.name, *[numbers[i] for i in inputs])
        if len(attrs) == 1 and "serial" not in attrs:
            ((name, value),) = attrs.items()
            found += ((name, self.value(value)),)
        elif attrs:
            found += tuple([(k, self.value(attrs[k])) for k in sorted(attrs) if k != "serial"])
        if not inputs:
            found += (self._type(node.type),)
        notes = self._noted(node) if self._noted else ()
        return (*found, self._tuple(notes)) if notes else found

    def _type(self, found: Type) -> str:
        text = self._types.get(found)
        if text is None:
            if isinstance(found, TupleType):
                text = f"({','.join(map(self._type, found.items))})"
            else:
                text = f"{found.dtype.char}[{','.join(map(self.dim, found.shape))}]"
            self._types[found] = text
        return text

    def dim(self, dim: DimLike) -> str:
        """A dimension, its symbols by number."""
        if not isinstance(dim, Dim):
            return str(dim)
        terms = [
            f"{coefficient}*{'*'.join(sorted(map(self.atom, monomial)))}"
            for monomial, coefficient in dim.ordered
        ]
        return "+".join(sorted(terms))

    def atom(self, atom: Atom) -> str:
        """A symbol by number; a function of dims in full."""
        if atom.args:
            return f"{atom.kind}({','.join(map(self.dim, atom.args))})"
        return f"{atom.kind[0]}{self._atoms.setdefault(atom, len(self._atoms))}"

    def value(self, value: Any) -> str:
        """Any attribute."""
        kind = type(value)
        if kind in _TOLD:
            return repr(value)
        way = _WAYS.get(kind)
        if way is not None:
            text: str = way(self, value)
            return text
        if isinstance(value, np.dtype):
            return f"dtype {value.str}"
        if isinstance(value, np.generic):
            return self._array(np.asarray(value))
        if any(type(value) is row.of for row in STATES.values()):
            return f"state {self._states.setdefault(id(value), len(self._states))}"
        raise NotPortable(type(value).__name__)

    def _tuple(self, values: Sequence[Any]) -> str:
        return f"({','.join(map(self.value, values))})"

    def _array(self, array: np.ndarray[Any, Any]) -> str:
        if array.dtype.kind not in "biufc":
            raise NotPortable(f"array of {array.dtype}")
        raw = array.tobytes()  # in C's order, whatever the array's is
        content = raw.hex() if len(raw) <= 64 else fingerprint(raw).hex()
        return f"array {array.dtype.str}{array.shape}{content}"

    def _scalar(self, value: np.ndarray[Any, Any]) -> None:
        """A constant of one number: by its bytes, as all of its node."""
        if value.dtype.kind not in "biufc":
            raise NotPortable(f"array of {value.dtype}")
        self._parts.append((value.dtype.str, value.tobytes()))

    def _inner(self, graph: Graph) -> str:
        if graph not in self._graphs:
            numbers: dict[Node, int] = {}
            parts = []
            for node in toposort((*graph.params, *graph.outputs)):
                numbers[node] = len(numbers)
                parts.append(str(self._node(node, numbers)))
            ends = [numbers[n] for n in graph.params], [numbers[n] for n in graph.outputs]
            self._parts.append("graph " + ";".join(parts) + str(ends))
            self._graphs[graph] = f"@{len(self._graphs)}"
        return self._graphs[graph]

    def _op(self, op: Op) -> str:
        if self._ops.get(op.name) is not op:
            raise NotPortable(f"op {op.name}")
        return f"op {op.name}"

    def _known(self, node: Node) -> str:
        return f"%{self.numbers[node]}"


_TOLD = frozenset((int, bool, type(None), str))  # by ``repr``
_WAYS: dict[type, Any] = {
    tuple: Digest._tuple,
    float: lambda self, x: struct.pack(">d", x).hex(),
    complex: lambda self, x: struct.pack(">dd", x.real, x.imag).hex(),
    bytes: lambda self, x: x.hex(),
    Dim: Digest.dim,
    Atom: Digest.atom,
    TensorType: Digest._type,
    np.ndarray: Digest._array,
    Graph: Digest._inner,
    Op: Digest._op,
    Node: Digest._known,
}
