"""Entries on disk by the graph as the user built it: a warm start neither rewrites nor lowers.

A record is a head, the entry's image, the program's artefact, and those constants that
rewriting made (others are the user's, and are named by their place in the graph).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from symgraph.codegen import artefact, heads
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
# Every function asks for it; and what is imported is what the files are now.
_SOURCES = sources_key("symgraph", "symgraph_kernels")


def name(graph: str | None, offset: int) -> str | None:
    """The name of a record: of the graph, the processor, the layouts and all our source files."""
    at = layout.find()
    if graph is None or at is None or not config.cache:
        return None
    places = f"{at.key()} {offset} {cell_places()}"
    return "graph-" + disk.key(graph, places, processor_key(), _SOURCES)


def write(name: str, made: Recipe, code: Any, known: Sequence[Node]) -> None:
    """Keep an entry with its program."""
    _share(name, code)
    program = code.to_bytes()
    places = {id(n.attrs["value"]): k for k, n in enumerate(known)}
    rows: list[str] = []
    own: list[bytes] = []
    for array in made.constants:
        if id(array) in places:
            rows.append(f"{places[id(array)]}")
        else:
            rows.append(f"{array.dtype.str} {' '.join(map(str, array.shape))}")
            own.append(array.tobytes())
    c = made.counts
    head: dict[str, Sequence[object]] = {
        "counts": [c.arguments, c.functions, c.constants, c.states],
        "work": [made.work],
        "constants": rows,
        "parts": [len(made.image), len(program), *map(len, own)],
    }
    disk.write(name, b"".join([heads.line(head), made.image, program, *own]))


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
        head = heads.rows(line)
        ends = accumulate(map(int, head["parts"]), initial=0)
        parts = [rest[start:end] for start, end in pairwise(ends)]
        constants = tuple(_constants(head["constants"], parts[2:], known()))
        same = _loaded.get(name)
        if same is not None:
            loaded = same.again()
        else:
            loaded = artefact.load(artefact.Artefact.from_bytes(parts[1]))
        _share(name, loaded)
        counts = Interface(*map(int, head["counts"]))
        return Recipe(parts[0], counts, constants, int(head["work"][0])), loaded
    except (ParseError, ValueError, KeyError, IndexError) as error:
        disk.reject(name, str(error))
        return None


def _constants(rows: Sequence[str], own: Sequence[bytes], known: Sequence[Node]) -> Iterator[Array]:
    given = iter(own)
    for row in rows:
        place, *shape = row.split(" ")
        if not shape:
            yield known[int(place)].attrs["value"]
        else:
            dims = tuple(int(n) for n in shape if n)
            yield np.frombuffer(next(given), place).reshape(dims)
