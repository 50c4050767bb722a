"""Entries on disk by the graph as the user built it: a warm start neither rewrites nor lowers.

A record is a line of JSON, the entry's image, the program's artefact, and those constants that
rewriting made (others are the user's, and are named by their place in the graph).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from symgraph.codegen import artefact
from symgraph.codegen.processor import processor_key
from symgraph.config import config
from symgraph.errors import ParseError
from symgraph.ir.node import Node
from symgraph.runtime import cache as disk
from symgraph.runtime import layout
from symgraph.runtime.entry import Interface
from symgraph.runtime.native import Recipe, cell_places
from symgraph.runtime.sources import sources_key

Found = tuple[Recipe, artefact.Loaded]
# Programs in memory by the names of their records: equal functions run one.
_loaded: WeakValueDictionary[str, artefact.Loaded] = WeakValueDictionary()
Array = np.ndarray[Any, Any]


def name(graph: str | None, offset: int) -> str | None:
    """The name of a record: of the graph, the processor, the layouts and all our source files."""
    at = layout.find()
    if graph is None or at is None or not config.cache:
        return None
    places = f"{at.key()} {offset} {cell_places()}"
    return "graph-" + disk.key(
        graph, places, processor_key(), sources_key("symgraph", "symgraph_kernels")
    )


def write(name: str, made: Recipe, code: Any, known: Sequence[Node]) -> None:
    """Keep an entry with its program."""
    _share(name, code)
    program = code.to_bytes()
    places = {id(n.attrs["value"]): k for k, n in enumerate(known)}
    rows: list[Any] = []
    own: list[bytes] = []
    for array in made.constants:
        if id(array) in places:
            rows.append(places[id(array)])
        else:
            rows.append([array.dtype.str, array.shape])
            own.append(array.tobytes())
    c = made.counts
    head = {
        "counts": [c.arguments, c.functions, c.constants, c.states],
        "work": made.work,
        "constants": rows,
        "parts": [len(made.image), len(program), *map(len, own)],
    }
    disk.write(name, b"".join([json.dumps(head).encode(), b"\n", made.image, program, *own]))


def _share(name: str, code: Any) -> None:
    """Equal functions use this code too."""
    if isinstance(code, artefact.Loaded):
        _loaded[name] = code


def read(name: str, known: Callable[[], Sequence[Node]]) -> Found | None:
    """The entry and the loaded program, or None where there is none that is whole."""
    data = disk.read(name)
    if data is None:
        return None
    line, _, rest = data.partition(b"\n")
    try:
        head = json.loads(line)
        parts = []
        for size in head["parts"]:
            parts.append(rest[:size])
            rest = rest[size:]
        constants = tuple(_constants(head["constants"], parts[2:], known()))
        same = _loaded.get(name)
        if same is not None:
            loaded = same.again()
        else:
            loaded = artefact.load(artefact.Artefact.from_bytes(parts[1]))
        _share(name, loaded)
        counts = Interface(*head["counts"])
        return Recipe(parts[0], counts, constants, head["work"]), loaded
    except (ParseError, ValueError, KeyError, IndexError) as error:
        disk.reject(name, str(error))
        return None


def _constants(rows: Sequence[Any], own: Sequence[bytes], known: Sequence[Node]) -> Any:
    given = iter(own)
    for row in rows:
        if isinstance(row, int):
            yield known[row].attrs["value"]
        else:
            yield np.frombuffer(next(given), row[0]).reshape(row[1])
