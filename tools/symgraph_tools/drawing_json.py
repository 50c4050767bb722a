"""A drawing as JSON, and back: schema ``symgraph.drawing/1``.

Keys are those of the classes of ``drawing``; what is at its default is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from symgraph.errors import ParseError

from .drawing import Cluster, Drawing, DrawnEdge, DrawnNode

SCHEMA = "symgraph.drawing/1"


def to_json(drawing: Drawing) -> str:
    """One line for each part, in the drawing's order, ending in a newline."""
    rows = [f'"schema": {json.dumps(SCHEMA)}', f'"title": {json.dumps(drawing.title)}']
    for name in ("nodes", "edges", "clusters"):
        parts: Iterable[DrawnNode | DrawnEdge | Cluster] = getattr(drawing, name)
        lines = ",\n  ".join(json.dumps(_record(part)) for part in parts)
        rows.append(f'"{name}": [\n  {lines}\n ]' if lines else f'"{name}": []')
    if drawing.key:
        rows.append(f'"key": {json.dumps(drawing.key)}')
    return "{" + ",\n ".join(rows) + "}\n"


def from_json(text: str) -> Drawing:
    """The drawing that ``to_json`` wrote.

    Raises: ParseError for text that is none; DrawingError for parts that do not fit.
    """
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise ParseError(f'this is no drawing: it has no "schema": "{SCHEMA}"')
        return Drawing(
            tuple(DrawnNode(**_node_fields(row)) for row in data["nodes"]),
            tuple(DrawnEdge(**row) for row in data["edges"]),
            tuple(Cluster(**row) for row in data["clusters"]),
            data["title"],
            tuple((str(text), str(colour)) for text, colour in data.get("key", [])),
        )
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, json.JSONDecodeError | TypeError | KeyError):
            raise ParseError(f"this is no drawing: {error}") from error
        raise


def _record(part: DrawnNode | DrawnEdge | Cluster) -> Mapping[str, object]:
    """The fields of a part that differ from their defaults."""
    return {
        field.name: getattr(part, field.name)
        for field in fields(part)
        if field.default is MISSING or getattr(part, field.name) != field.default
    }


def _node_fields(row: dict[str, Any]) -> dict[str, Any]:  # Any: as json.loads returns it
    """Fields of a node, lists as the tuples that they stand for."""
    details = row.get("details", [])
    lines = row.get("lines", [])
    if not isinstance(lines, list) or not isinstance(details, list):
        raise TypeError("lines and details are lists")
    return {**row, "lines": tuple(lines), "details": tuple(map(tuple, details))}
