"""Graphs and parameters in files: zips of JSON and ``.npy``, never pickle.

A graph is a ``.sg`` file, a zip of ``graph.json`` and one ``arrays/<hash>.npy`` for every constant
of more than 16 elements. The JSON is one object::

    {"format": "symgraph graph", "version": 1, "written_by": "symgraph 0.1.0",
     "dims":   ["dim ?x.0 = unknown(\\"?x.0\\", \\"token\\")"],
     "states": ["cell(float64(0.0))"],
     "graphs": [{"nodes": [{"op": "input", "type": "float64[n]", "names": ["x"],
                            "attrs": {"serial": "\\"token\\""}, "lines": [["train.py", 3]],
                            "facts": [[">", 0.0]]},
                           {"op": "exp", "inputs": [0], "type": "float64[n]"}],
                 "params": [], "outputs": [1]}],
     "value":  {"variable": 0, "name": "y"}}

Types, attributes, dims and states are spelled as in ``symgraph/ir/literal.py``. Graphs inside nodes
(``@0``) come first; the last graph holds all nodes that ``value`` counts: its outputs.

Loading makes nodes of ops that are in the table and nothing else: a file cannot make it run code.
Nor can it make compiled code read outside of an array: that indices are inside is proved again, or
checked at every call. ``facts`` are what was assumed of a node: they may change values, no more.
What is damaged, foreign, or of a later version gives ParseError. Parameters are plain ``.npz``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import symgraph.ops  # noqa: F401  # fills the table in which loading finds the ops of a file
from symgraph.archive import Arrays, Location, member, npy_bytes, opened, read_npy, write_zip
from symgraph.errors import ArgumentError, ParseError, message
from symgraph.ir.dtype import ALL
from symgraph.ir.graph import Graph, toposort
from symgraph.ir.literal import Writer
from symgraph.ir.node import MOST_LINES, Node, add_name
from symgraph.ir.origin import Line
from symgraph.ir.parse import Array, Reader
from symgraph.ir.text import TYPED, attribute_texts, checked_node, nested
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable, handle
from symgraph.ir.verify import verify
from symgraph.ops.assume import CHECKS, Assumption, assumptions, state

FORMAT, VERSION = "symgraph graph", 1
INLINE = 16  # constants of more elements get a file of their own
MOST_JSON = 2**30  # bytes; a million nodes take about 200 MB
Json = Any  # what json.loads gives: nested dicts, lists, texts, numbers, bool, None


def save(path: Location, graph: Any) -> None:
    """Write variables to a file: one, or tuples, lists and dicts of them, or a ``Graph``.

    Inputs worth finding again go in too: ``sg.save("m.sg", {"inputs": [x], "outputs": [y]})``.
    The file appears complete or not at all. Raises: ArgumentError for anything else.
    """
    nodes: dict[Node, int] = {}
    value = _structure(graph, nodes)
    writer = Writer(elide=INLINE)
    graphs = []
    for inner in nested(Graph((), tuple(nodes))):
        graphs.append(_graph_json(inner, writer))
        writer.graphs[inner] = len(writer.graphs)
    if writer.unreadable:
        raise ArgumentError(
            message("this graph holds what no file can", {"attribute": writer.unreadable[0]})
        )
    found = {
        "format": FORMAT,
        "version": VERSION,
        "written_by": f"symgraph {_own_version()}",
        "dims": writer.declarations(),
        "states": [text for _, text in writer.states.values()],
        "graphs": graphs,
        "value": value,
    }
    members = {"graph.json": json.dumps(found, separators=(",", ":")).encode()}
    members |= {f"arrays/{key}.npy": npy_bytes(array) for key, array in writer.arrays.items()}
    write_zip(path, members)


def load(path: Location) -> Any:
    """What ``save`` wrote, in the same structure.

    Raises: ParseError for a file that is damaged, foreign, or of a later version; OSError where
    there is none.
    """
    with opened(path) as archive:
        info = member(archive, "graph.json")
        if info.file_size > MOST_JSON:
            raise ParseError(f"graph.json of {info.file_size} bytes")
        return _loaded(json.loads(archive.read(info)), Arrays(archive))


def parse_graph(content: str) -> Any:
    """What the JSON of a ``.sg`` file says, if no constant of it is in a file of its own.

    Raises: ParseError.
    """
    try:
        return _loaded(json.loads(content), {})
    except (ValueError, RecursionError) as error:
        raise ParseError(message(f"cannot read the text: {error}")) from error


def _loaded(found: Json, arrays: Mapping[str, Array]) -> Any:
    _check_header(found)
    reader = Reader(arrays=arrays)
    for line in _list_of(found, "dims", str):
        reader.declare(line)
    for line in _list_of(found, "states", str):
        reader.state(line)
    for row in _list_of(found, "graphs", dict):
        reader.graphs.append(_graph(row, reader))
    if not reader.graphs:
        raise ParseError("there is no graph in it")
    value = _value(found.get("value"), reader.graphs[-1].outputs)
    _verify(value)
    return value


def save_parameters(path: Location, parameters: Any) -> None:
    """Write arrays to an ``.npz`` file, which ``numpy.load`` reads too.

    ``parameters``: shared variables with names, or a dict of arrays or shared variables by name.
    Raises: ArgumentError for a variable without a name, or two of one name.
    """
    rows = _by_name(parameters)
    arrays = {name: _array_of(value) for name, value in rows.items()}
    write_zip(path, {f"{name}.npy": npy_bytes(array) for name, array in arrays.items()})


def load_parameters(path: Location, into: Any = None) -> dict[str, Array]:
    """The arrays of an ``.npz`` file by name; ``into``: set in shared variables of those names.

    Either all variables are set or none. Raises: ParseError for a file that is damaged or holds
    anything but arrays of numbers; ArgumentError where names differ; ShapeError, DTypeError.
    """
    with opened(path) as archive:
        names = [n.removesuffix(".npy") for n in archive.namelist()]
        found = {n: read_npy(archive.read(member(archive, f"{n}.npy"))) for n in names}
    if into is None:
        return found
    rows = _by_name(into)
    if rows.keys() != found.keys():
        facts = {
            "only in the file": ", ".join(sorted(found.keys() - rows.keys())) or "none",
            "not in the file": ", ".join(sorted(rows.keys() - found.keys())) or "none",
        }
        raise ArgumentError(message("the file holds other parameters", facts))
    before = {name: variable.get_value() for name, variable in rows.items()}
    try:
        for name, variable in rows.items():
            variable.set_value(found[name])
    except Exception:
        for name, variable in rows.items():
            variable.set_value(before[name])
        raise
    return found


def _structure(value: Any, nodes: dict[Node, int]) -> Json:
    if isinstance(value, Graph):
        params, outputs = ([_number(n, nodes) for n in ns] for ns in (value.params, value.outputs))
        return {"graph": {"params": params, "outputs": outputs}}
    if isinstance(value, Variable):
        row: dict[str, Json] = {"variable": _number(value.node, nodes)}
        row |= {"name": value.name} if value.name is not None else {}
        return row | ({"weak": True} if value.weak else {})
    if value is None:
        return None
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_structure(v, nodes) for v in value]}
    if isinstance(value, dict) and all(type(k) in (str, int) for k in value):
        return {"dict": [[k, _structure(v, nodes)] for k, v in value.items()]}
    raise ArgumentError(
        message(
            f"cannot save a {type(value).__name__}",
            hint="pass variables in tuples, lists and dicts, or a graph (f.graph of a function)",
        )
    )


def _number(node: Node, nodes: dict[Node, int]) -> int:
    return nodes.setdefault(node, len(nodes))


def _graph_json(graph: Graph, writer: Writer) -> Json:
    order = toposort(graph.params + graph.outputs)
    numbers = {node: k for k, node in enumerate(order)}
    rows = []
    for node in order:
        row: dict[str, Json] = {"op": node.op.name, "type": writer.type(node.type)}
        optional = {
            "inputs": [numbers[i] for i in node.inputs],
            "attrs": dict(attribute_texts(node, writer)),
            "names": list(node.names),
            "lines": [[line.file, line.number] for line in node.lines],
        }
        optional["facts"] = [[fact.relation, fact.bound] for fact in assumptions(node)]
        rows.append(row | {k: v for k, v in optional.items() if v})
    ends = {"params": graph.params, "outputs": graph.outputs}
    return {"nodes": rows} | {k: [numbers[n] for n in ns] for k, ns in ends.items()}


def _own_version() -> str:
    from importlib import metadata  # takes 25 ms to import, which most programs never need

    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version("symgraph")
    return "(not installed)"


def _check_header(found: Json) -> None:
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ParseError("it is not a graph of symgraph")
    version = found.get("version")
    if type(version) is not int or version < 1:
        raise ParseError(f"it has no version, but {version!r}")
    if version > VERSION:
        raise ParseError(
            f"it is of version {version}, written by {str(found.get('written_by'))[:40]}; "
            f"this symgraph reads up to version {VERSION}: install a later one"
        )


def _graph(row: Json, reader: Reader) -> Graph:
    nodes: list[Node] = []
    for node in _list_of(row, "nodes", dict):
        nodes.append(_node(node, nodes, reader))
    return Graph(*(tuple(_pick(row, key, nodes)) for key in ("params", "outputs")))


def _node(row: Json, nodes: Sequence[Node], reader: Reader) -> Node:
    name, spelled, texts = row.get("op"), row.get("type"), row.get("attrs", {})
    if not isinstance(name, str) or not isinstance(spelled, str) or not isinstance(texts, dict):
        raise ParseError(f"{str(row)[:80]} is no node")
    found = reader.type(spelled)
    attrs = {key: reader.value(text) for key, text in texts.items() if isinstance(text, str)}
    if len(attrs) != len(texts):
        raise ParseError(f"an attribute of {name[:40]} is not a text")
    if name in TYPED:
        attrs.setdefault("type", found)
    lines = tuple(_line(line) for line in _list_of(row, "lines", list))
    inputs = _pick(row, "inputs", nodes)
    if attrs.get("checked") is True and not _is_inside(inputs, attrs):
        attrs["checked"] = False
    node = checked_node(name, inputs, attrs, found, lines[:MOST_LINES])
    state(node, [_fact(fact) for fact in _list_of(row, "facts", list)])
    for label in _list_of(row, "names", str):
        if label:
            add_name(node, label)
    return node


def _is_inside(inputs: Sequence[Node], attrs: Mapping[str, Any]) -> bool:
    """Are the indices of a gather or scatter constants inside of its first input?"""
    axes = attrs.get("axes")
    if not isinstance(axes, tuple) or not isinstance(inputs[0].type, TensorType):
        return False
    shape = inputs[0].tensor.shape
    for axis, index in zip(axes, inputs[len(inputs) - len(axes) :], strict=True):
        dim = shape[axis] if type(axis) is int and 0 <= axis < len(shape) else None
        if index.op.name != "constant" or not isinstance(dim, int):
            return False
        value = index.attrs["value"]
        if value.size and not (value.min() >= 0 and value.max() < dim):
            return False
    return True


def _fact(row: Json) -> Assumption:
    match row:
        case [str(relation), int() | float() as bound] if relation in CHECKS:
            return Assumption(relation, float(bound))
    raise ParseError(f"{str(row)[:80]} is no fact")


def _line(row: Json) -> Line:
    match row:
        case [str(file), int(number)]:
            return Line(file, number)
    raise ParseError(f"{str(row)[:80]} is no line of a file")


def _list_of(row: Json, key: str, kind: type) -> list[Any]:
    """The list under a key, of one kind of items; empty where there is none."""
    found = row.get(key, [])
    if not isinstance(found, list) or any(type(item) is not kind for item in found):
        raise ParseError(f"{key} is not a list of {kind.__name__}")
    return found


def _pick(row: Json, key: str, nodes: Sequence[Node]) -> list[Node]:
    numbers = _list_of(row, key, int)
    if any(not 0 <= k < len(nodes) for k in numbers):
        raise ParseError(f"{key} {str(numbers)[:60]}: there are {len(nodes)} nodes")
    return [nodes[k] for k in numbers]


def _value(row: Json, nodes: Sequence[Node]) -> Any:
    if row is None:
        return None
    if not isinstance(row, dict) or not row:
        raise ParseError(f"{str(row)[:80]} is no value")
    kind, inner = next(iter(row.items()))
    if kind == "graph" and isinstance(inner, dict):
        return Graph(*(tuple(_pick(inner, key, nodes)) for key in ("params", "outputs")))
    if kind == "variable":
        (node,) = _pick({"variable": [inner]}, "variable", nodes)
        name = row.get("name")
        if not isinstance(name, str | None) or not isinstance(node.type, TensorType):
            raise ParseError(f"{str(row)[:80]} is no variable")
        return handle(node, name, weak=row.get("weak") is True)
    if kind == "dict":
        pairs = _list_of(row, "dict", list)
        if any(len(p) != 2 or type(p[0]) not in (str, int) for p in pairs):
            raise ParseError("a dict is a list of pairs of key and value")
        return {key: _value(item, nodes) for key, item in pairs}
    if kind in ("list", "tuple") and isinstance(inner, list):
        items = [_value(item, nodes) for item in inner]
        return items if kind == "list" else tuple(items)
    raise ParseError(f"{str(row)[:80]} is no value")


def _verify(value: Any) -> None:
    """VerifyError unless all graphs in a structure are legal."""
    nodes: list[Node] = []
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Graph):
            verify(item)
        elif isinstance(item, Variable):
            nodes.append(item.node)
        elif item is not None:
            pending += item.values() if isinstance(item, dict) else item
    verify(nodes)


def _by_name(parameters: Any) -> dict[str, Any]:
    if isinstance(parameters, Mapping):
        return dict(parameters)
    found: dict[str, Any] = {}
    for variable in parameters:
        name = getattr(variable, "name", None)
        if not isinstance(name, str) or not name or name in found:
            problem = f"{variable!r} has no name" if not name else f"two are named {name!r}"
            hint = "give each a name: sg.shared(value, name=...), or pass a dict"
            raise ArgumentError(message(f"parameters go by name: {problem}", hint=hint))
        found[name] = variable
    return found


def _array_of(value: Any) -> Array:
    if isinstance(value, Variable) and not hasattr(value, "get_value"):
        raise ArgumentError(
            message(f"{value!r} has no value to save", hint="pass shared variables, or arrays")
        )
    array = np.asarray(value.get_value(borrow=True) if isinstance(value, Variable) else value)
    if array.dtype.newbyteorder("=") not in ALL:
        raise ArgumentError(f"cannot save an array of {array.dtype}")
    return array
