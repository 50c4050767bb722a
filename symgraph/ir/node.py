"""Nodes: immutable, interned, so that equal expressions are one object and equality is identity.

``make_node`` is the only constructor. A key is the op, the inputs by identity, and the attributes
by type and bits (so that ``1``, ``1.0`` and ``True`` differ, and ``0.0`` from ``-0.0``). The table
holds nodes weakly. Names and user lines are not part of a node's identity; it collects all of them.
How nodes are pickled is in ``ir/graph.py``.
"""

from __future__ import annotations

import itertools
import struct
import threading
import weakref
from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from symgraph.errors import ShapeError, message
from symgraph.fingerprint import fingerprint
from symgraph.ir.op import Attrs, Op, find_op
from symgraph.ir.origin import Line, user_line, user_lines
from symgraph.ir.type import Check, ShapeContext, TensorType, Type


class _Entry(weakref.ref["Node"]):
    """A node in the table; the library's table of weak values costs half of making a node."""

    __slots__ = ("key",)

    key: tuple[Hashable, ...]


_serial = itertools.count()
_lock = threading.RLock()
_table: dict[tuple[Hashable, ...], _Entry] = {}
_UNKNOWN, _UNSETTLED = (-1, None), (0, 0)
MOST_INFERRED = 256
Inferred = tuple[Type, tuple[Check, ...]]
# by the op and the identities of types, which the values keep alive, and equal types made one
_inferred: dict[tuple[Hashable, ...], tuple[list[Type], Inferred]] = {}
_types: dict[Type, Type] = {}
_scalars: dict[np.dtype[Any], Type] = {}  # types of numbers
_NO_ATTRS: Attrs = MappingProxyType({})  # of most nodes
MOST_LINES = 8  # a node in a loop of the user's program would otherwise collect one per turn


class Node:
    """One operation on inputs. ``number`` counts construction: inputs come before users."""

    __slots__ = (
        "__weakref__",
        "attrs",
        "checks",
        "inputs",
        "known",
        "lines",
        "names",
        "number",
        "op",
        "settled",
        "type",
    )

    op: Op
    inputs: tuple[Node, ...]
    attrs: Attrs
    type: Type
    checks: tuple[Check, ...]
    number: int
    lines: tuple[Line, ...]
    names: tuple[str, ...]
    known: tuple[int, Any]  # what follows about its values: see ``rewrite.facts``
    settled: tuple[int, int]  # rules known not to fit it: see ``rewrite.offers``

    @property
    def tensor(self) -> TensorType:
        """The type of a node with one result."""
        assert isinstance(self.type, TensorType), f"{self.op.name} has several results"
        return self.type

    @property
    def name(self) -> str | None:
        """A name that the user gave it."""
        return self.names[0] if self.names else None

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.name or self.number}: {self.type}>"

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self


def attr_key(value: object) -> Hashable:
    """A hashable stand-in for an attribute: equal only for equal type and equal bits."""
    if type(value) is np.ndarray and value.ndim == 0:
        return ("array", value.dtype, (), value.tobytes())
    if isinstance(value, bool | str | bytes | np.dtype | type(None)):
        return (type(value).__name__, value)
    if isinstance(value, int):
        return ("int", value)
    if isinstance(value, float):
        return ("float", struct.pack("<d", value))
    if isinstance(value, complex):
        return ("complex", struct.pack("<dd", value.real, value.imag))
    if isinstance(value, tuple):
        return ("tuple", *map(attr_key, value))
    if isinstance(value, np.ndarray | np.generic):
        data = np.ascontiguousarray(value)
        raw = data.tobytes() if data.nbytes <= 64 else fingerprint(data.tobytes())
        return ("array", data.dtype, np.shape(value), raw)
    assert isinstance(value, Hashable), f"an attribute must be hashable: {value!r}"
    return value  # Dim, Graph, Op, Cell: equal by meaning


def infer_type(op: Op, inputs: tuple[Node, ...], attrs: Attrs) -> Inferred:
    """Type and checks of a node; ShapeError and DTypeError name the op, its inputs and the line."""
    types = [n.type for n in inputs]
    known = None
    if not attrs and op.kind == "elementwise":
        known = (op.name, *map(id, types))
        seen = _inferred.get(known)
        if seen is not None:
            return seen[1]
    context = ShapeContext()
    try:
        made = op.infer(tuple(types), attrs, context)
    except ShapeError as error:
        raise type(error)(_with_inputs(op, inputs, str(error))) from None
    if known is None:
        return made, tuple(context.checks)
    if len(_inferred) >= MOST_INFERRED:
        _inferred.clear()
        _types.clear()
    found = _types.setdefault(made, made), tuple(context.checks)
    _inferred[known] = types, found
    return found


def _with_inputs(op: Op, inputs: tuple[Node, ...], text: str) -> str:
    if "\n" in text:
        return text
    facts = {n.name or f"input {i}": n.type for i, n in enumerate(inputs)}
    line = user_line()
    hints = {
        "matmul": "the last axis of the left must equal the last but one of the right; .mT swaps",
        "concat": "all axes but the one joined must agree",
        "reshape": "the number of elements must stay the same; -1 stands for the rest",
    }
    hint = hints.get(op.name, "reshape, expand_dims or index one of them so that the axes line up")
    return message(f"{op.name}: {text}", facts, str(line) if line else None, hint)


def _key(op: Op, inputs: tuple[Node, ...], attrs: Attrs) -> tuple[Hashable, ...]:
    if not attrs:
        return (op.name, inputs, ())
    if len(attrs) == 1:
        ((name, value),) = attrs.items()
        return (op.name, inputs, ((name, attr_key(value)),))
    return (op.name, inputs, tuple([(k, attr_key(attrs[k])) for k in sorted(attrs)]))


def make_node(
    op: Op,
    inputs: Iterable[Node] = (),
    attrs: Attrs | None = None,
    lines: tuple[Line, ...] | None = None,
) -> Node:
    """The node of an op on inputs: the existing one if an equal one is alive."""
    inputs = tuple(inputs)
    attrs = attrs or {}
    key = _key(op, inputs, attrs)
    if lines is None:
        lines = user_lines()
    entry = _table.get(key)
    node = None if entry is None else entry()
    if node is None:
        found, checks = infer_type(op, inputs, attrs)
        node = _intern(key, op, inputs, attrs, found, checks, lines[:MOST_LINES])
    if lines and node.lines is not lines:
        add_lines(node, lines)
    return node


def _intern(
    key: tuple[Hashable, ...],
    op: Op,
    inputs: tuple[Node, ...],
    attrs: Attrs,
    found: Type,
    checks: tuple[Check, ...],
    lines: tuple[Line, ...],
) -> Node:
    node = object.__new__(Node)
    node.op, node.inputs, node.type = op, inputs, found
    node.attrs = dict(attrs) if attrs else _NO_ATTRS
    node.checks, node.number, node.lines, node.names = checks, next(_serial), lines, ()
    node.known, node.settled = _UNKNOWN, _UNSETTLED
    made = _Entry(node, _leave)
    made.key = key
    while (entry := _table.setdefault(key, made)) is not made:
        other = entry()
        if other is not None:
            return other  # made by another thread meanwhile
        _leave(entry)  # of a node that is just going
    return node


def _leave(
    entry: _Entry, table: dict[tuple[Hashable, ...], _Entry] = _table, lock: Any = _lock
) -> None:
    """Take a node that is no more out of the table, where no equal one has taken its place.

    The defaults are for the end of the process, when names of modules are gone already.
    """
    with lock:
        if table.get(entry.key) is entry:
            del table[entry.key]


def add_lines(node: Node, lines: tuple[Line, ...]) -> None:
    """Remember user lines that made this node."""
    if lines and lines[0] not in node.lines and len(node.lines) < MOST_LINES:
        node.lines = tuple(dict.fromkeys(node.lines + lines))[:MOST_LINES]


def add_name(node: Node, name: str) -> None:
    """Remember a name that the user gave to this node."""
    if name not in node.names and len(node.names) < MOST_LINES:
        node.names = (*node.names, name)


def rebuild(node: Node, inputs: tuple[Node, ...], attrs: Attrs | None = None) -> Node:
    """The same op on other inputs (or attributes), keeping lines and names."""
    attrs = node.attrs if attrs is None else attrs
    if inputs == node.inputs and attrs is node.attrs:
        return node
    made = make_node(node.op, inputs, attrs, lines=node.lines)
    for name in node.names:
        add_name(made, name)
    return made


def constant_node(value: np.ndarray[Any, Any]) -> Node:
    """The node of a constant; the array is copied once and made read-only.

    It has no line: whoever writes ``1.0`` first in a process is not to blame for all others.
    """
    flags = value.flags
    if flags.writeable or not flags.c_contiguous:
        value = np.array(value, order="C", copy=True)
        value.setflags(write=False)
    op, attrs = find_op("constant"), {"value": value}
    if value.ndim:
        return make_node(op, (), attrs, lines=())
    key = _key(op, (), attrs)  # numbers, of which a program has many
    entry = _table.get(key)
    found = None if entry is None else entry()
    if found is None:
        of = _scalars.get(value.dtype) or _scalars.setdefault(
            value.dtype, infer_type(op, (), attrs)[0]
        )
        found = _intern(key, op, (), attrs, of, (), ())
    return found


def interned(node: Node) -> bool:
    """Is it the one node of its op, inputs and attributes?"""
    with _lock:
        entry = _table.get(_key(node.op, node.inputs, node.attrs))
        return entry is not None and entry() is node


def newest() -> int:
    """A number above those of all nodes made so far, and below those of all to come."""
    return next(_serial)


def table_size() -> int:
    """How many nodes are alive."""
    return len(_table)


def attr_items(attrs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Attributes in the order of their names."""
    return sorted(attrs.items())
