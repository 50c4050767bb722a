"""Reads traces without trust: whatever is wrong with a file is ParseError, and nothing of it runs.

All of the structure is checked here: numbers of nodes, graphs, files and rules are in range, rows
read rows before them, texts of types and attributes parse. That the operations fit their inputs is
checked where a graph is made of rows (``Trace.at``), with the same error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import symgraph.ops  # noqa: F401  # fills the table in which reading finds the ops of a file
from symgraph.archive import Arrays, Location, member, opened
from symgraph.errors import ParseError, message
from symgraph.ir.dim import DimLike, fresh_token
from symgraph.ir.op import OPS
from symgraph.ir.origin import Line
from symgraph.ir.parse import Reader
from symgraph.ir.text import TYPED
from symgraph.ir.tokens import Cursor
from symgraph.records import dataclass
from symgraph.trace.format import (
    FORMAT,
    KINDS,
    REWRITE,
    ROLES,
    VERSION,
    ApartRow,
    Body,
    BufferRow,
    Delta,
    Ends,
    KernelRow,
    MissRow,
    Parts,
    PassRow,
    Row,
    RuleText,
    StageRow,
    StepRow,
)
from symgraph.trace.trace import Trace

MOST_JSON = 2**30  # bytes
MOST_GRAPHS = 100_000
Json = Any  # what json.loads gives: nested dicts, lists, texts, numbers, bool, None


def read_trace(path: Location) -> Trace:
    """The trace in a file, a zip or JSON alone.

    Raises: ParseError for a file that is damaged, foreign, or of a later version; OSError where
    there is none.
    """
    with open(path, "rb") as stream:
        start = stream.read(2)
    if start == b"PK":
        with opened(path) as archive:
            info = member(archive, "trace.json")
            if info.file_size > MOST_JSON:
                raise ParseError(f"trace.json of {info.file_size} bytes")
            return _trace(json.loads(archive.read(info)), Reader(arrays=Arrays(archive)))
    return parse_trace(Path(path).read_bytes(), str(path))


def parse_trace(content: bytes | str, name: str = "the text") -> Trace:
    """The trace that JSON says; ParseError that names it."""
    try:
        return _trace(json.loads(content), Reader())
    except ParseError as error:
        raise ParseError(message(f"cannot read {name}: {error}")) from error
    except (ValueError, RecursionError) as error:
        what = f"it is damaged, or no file of symgraph ({type(error).__name__}: {error})"
        raise ParseError(message(f"cannot read {name}: {what}")) from error


def check_version(found: Json) -> None:
    """ParseError unless this is a trace that can be read."""
    said = found.get("format") if isinstance(found, dict) else None
    if not isinstance(said, str) or said.partition("/")[0] != FORMAT:
        raise ParseError("it is not a trace of symgraph")
    version = said.partition("/")[2]
    if version != str(VERSION):
        raise ParseError(
            f"it is of format {said[:40]}, written by {str(found.get('written_by'))[:40]}; "
            f"this symgraph reads {FORMAT}/{VERSION}: install a later one"
        )


def _trace(found: Json, reader: Reader) -> Trace:
    check_version(found)
    for line in _list(found, "dims", str):
        reader.declare(line)
    for line in _list(found, "states", str):
        reader.state(line)
    return _Reading(reader, found).trace()


@dataclass(slots=True)
class _Reading:
    """What is known while the parts of one file are read."""

    reader: Reader
    found: Json
    files: Sequence[str] = ()
    rules: Sequence[RuleText] = ()
    rows: Sequence[Row] = ()
    steps: Sequence[StepRow] = ()

    def trace(self) -> Trace:
        """The whole."""
        found = self.found
        self.files = _list(found, "files", str)
        self.rules = [self._rule(row) for row in _list(found, "rules", dict)]
        self.rows = self._rows()
        self.steps = [self._step(row) for row in _list(found, "steps", dict)]
        if not self.steps:
            raise ParseError("there is no step in it")
        return Trace(
            _text(found, "name", "unnamed"),
            tuple(_list(found, "parameters", str)),
            tuple(_list(found, "outputs", str)),
            self.rows,
            self.steps,
            [self._stage(row) for row in _list(found, "stages", dict)],
            [self._pass(row) for row in _list(found, "passes", dict)],
            {k: _whole(v) for k, v in _dict(found, "times", int).items()},
            self._parts(),
        )

    def _rule(self, row: Json) -> RuleText:
        return RuleText(*(_text(row, k) for k in ("name", "why", "source", "changes")))

    def _rows(self) -> list[Row]:
        raw = _list(self.found, "nodes", dict)
        largest = max((b for r in raw for b in _bodies(r)), default=0)
        if largest > MOST_GRAPHS:
            raise ParseError(f"there are no {largest} graphs in it")
        self.reader.graphs.extend(Body(k) for k in range(largest + 1))  # type: ignore[misc]
        rows: list[Row] = []
        for row in raw:
            rows.append(self._row(row, len(rows)))
        return rows

    def _row(self, row: Json, count: int) -> Row:
        name, spelled, texts = _text(row, "op"), _text(row, "type"), _dict(row, "attrs", str)
        if name not in OPS:
            raise ParseError(f"there is no op named {name[:60]!r}")
        found = self.reader.type(spelled)
        attrs = {key: self.reader.value(text) for key, text in texts.items()}
        if name in TYPED:
            attrs.setdefault("type", found)
        if name == "input":
            attrs["serial"] = fresh_token()
        inputs = _numbers(row, "inputs", count)
        names = tuple(n for n in _list(row, "names", str) if n)
        return Row(name, inputs, found, attrs, names, self._lines(row))

    def _lines(self, row: Json) -> tuple[Line, ...]:
        return tuple(self._line(line) for line in _list(row, "lines", list))

    def _line(self, row: Json) -> Line:
        match row:
            case [int(file), int(number)] if 0 <= file < len(self.files):
                return Line(self.files[file], number)
        _bad(row, "line of a file")

    def _step(self, row: Json) -> StepRow:
        kind, rule = _text(row, "kind"), row.get("rule")
        if kind not in KINDS or type(rule) is not int or not 0 <= rule < len(self.rules):
            _bad(row, "step")
        count = len(self.rows)
        before, after = (row.get(key, -1) for key in ("before", "after"))
        is_there = all(type(k) is int and 0 <= k < count for k in (before, after))
        if not is_there and (kind == REWRITE or (before, after) != (-1, -1)):
            _bad(row, "step: before and after are no nodes")
        line = self._line(row["line"]) if row.get("line") is not None else None
        stage, table = _text(row, "stage"), _text(row, "table")
        delta = self._delta(row)
        text, elapsed = self.rules[rule], _whole(row.get("ns", 0))
        return StepRow(kind, stage, table, text, before, after, line, delta, elapsed)

    def _delta(self, row: Json) -> Delta:
        count = len(self.rows)
        inputs: dict[int, tuple[int, ...]] = {}
        graphs: dict[int, Ends] = {}
        for item in _list(row, "inputs", list):
            match item:
                case [int(key), list(read)] if 0 <= key < count:
                    inputs[key] = _numbers({"inputs": read}, "inputs", count)
                case _:
                    _bad(item, "change of inputs")
        for item in _list(row, "graphs", list):
            match item:
                case [int(key), list(params), list(outputs)] if 0 <= key <= MOST_GRAPHS:
                    ends = (_numbers({"ends": k}, "ends", count) for k in (params, outputs))
                    graphs[key] = Ends(*ends)
                case _:
                    _bad(item, "change of a graph")
        added, removed = (_numbers(row, key, count) for key in ("added", "removed"))
        return Delta(added, removed, inputs, graphs)

    def _stage(self, row: Json) -> StageRow:
        step = _whole(row.get("step"))
        if step >= len(self.steps):
            _bad(row, "stage: there is no such step")
        return StageRow(_text(row, "name"), step, _whole(row.get("ns", 0)))

    def _pass(self, row: Json) -> PassRow:
        applied, elapsed_ns = (_whole(row.get(key, 0)) for key in ("applied", "ns"))
        return PassRow(_text(row, "stage"), _text(row, "table"), applied, elapsed_ns)

    def _parts(self) -> Parts:
        found = self.found
        return Parts(
            _text(found, "backend"),
            found.get("cached") is True,
            {k: self._dim(v) for k, v in _dict(found, "sizes", str).items()},
            tuple(_list(found, "program", str)),
            tuple(self._kernel(row) for row in _list(found, "kernels", dict)),
            tuple(self._buffer(row) for row in _list(found, "buffers", dict)),
            tuple(self._dim(text) for text in _list(found, "slots", str)),
            tuple(_list(found, "checks", str)),
            tuple(self._apart(row) for row in _list(found, "apart", list)),
            tuple(self._miss(row) for row in _list(found, "missed", list)),
        )

    def _miss(self, row: Json) -> MissRow:
        match row:
            case [int(node), str(rule), str(why)] if -1 <= node < len(self.rows):
                return MissRow(node, rule, why)
        _bad(row, "rule that was missed")

    def _apart(self, row: Json) -> ApartRow:
        count = len(self.rows)
        match row:
            case [int(node), int(other), str(why)] if 0 <= node < count and 0 <= other < count:
                return ApartRow(node, other, why)
        _bad(row, "reason")

    def _dim(self, text: str) -> DimLike:
        cursor = Cursor(text)
        dim = self.reader.read_dim(cursor)
        cursor.end()
        return dim

    def _kernel(self, row: Json) -> KernelRow:
        count = len(self.rows)
        held = _dict(row, "locals", int)
        if any(not 0 <= k < count for k in held.values()):
            _bad(held, "list of locals")
        return KernelRow(
            _text(row, "name"),
            _numbers(row, "nodes", count),
            self._lines(row),
            tuple(_list(row, "notes", str)),
            held,
            self._dim(_text(row, "bytes", "0")),
            self._dim(_text(row, "flops", "0")),
            _dict(row, "sources", str),
        )

    def _buffer(self, row: Json) -> BufferRow:
        role, node, slot = _text(row, "role"), row.get("node", -1), row.get("slot", -1)
        if role not in ROLES or type(node) is not int or not -1 <= node < len(self.rows):
            _bad(row, "buffer")
        if type(slot) is not int or not -1 <= slot < len(_list(self.found, "slots", str)):
            _bad(row, "buffer: there is no such slot")
        life = (_whole(row.get(key, 0)) for key in ("first", "last"))
        return BufferRow(
            _text(row, "name"), role, self.reader.type(_text(row, "type")), node, slot, *life
        )


def _bodies(row: Json) -> list[int]:
    """Numbers of graphs that attributes of a row name."""
    texts = _dict(row, "attrs", str).values()
    return [int(t[1:]) for t in texts if t[:1] == "@" and t[1:].isdecimal() and len(t) < 12]


def _bad(row: Json, what: str) -> NoReturn:
    raise ParseError(f"{str(row)[:80]} is no {what}")


def _text(row: Json, key: str, default: str = "") -> str:
    found = row.get(key, default)
    if not isinstance(found, str):
        _bad(found, f"text of {key}")
    return found


def _whole(found: Json) -> int:
    if type(found) is not int or found < 0:
        _bad(found, "whole number")
    return found


def _list(row: Json, key: str, kind: type) -> list[Any]:
    """The list under a key, of one kind of items; empty where there is none."""
    found = row.get(key, [])
    if not isinstance(found, list) or any(type(item) is not kind for item in found):
        _bad(found, f"list of {kind.__name__} as {key}")
    return found


def _dict(row: Json, key: str, kind: type) -> dict[str, Any]:
    found = row.get(key, {})
    if not isinstance(found, dict) or any(type(item) is not kind for item in found.values()):
        _bad(found, f"object of {kind.__name__} as {key}")
    return found


def _numbers(row: Json, key: str, count: int) -> tuple[int, ...]:
    """Numbers of rows."""
    found = _list(row, key, int)
    if any(not 0 <= k < count for k in found):
        raise ParseError(f"{key} {str(found)[:60]}: there are {count} nodes")
    return tuple(found)
