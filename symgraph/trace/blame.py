"""Which line a value that reads no input belongs to: that of what reads it.

Nodes are shared by all programs of a process: ``1.0`` is one node, whoever wrote it first, and so
is ``zeros(n)``. Constants have no lines for that reason; here they get those of their readers, and
what is made of constants alone keeps only such lines as its readers have too, if there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symgraph.ir.origin import Line
from symgraph.trace.format import Row, StepRow

FROM_OUTSIDE = ("input", "shared", "param")


def blamed(rows: Sequence[Row], steps: Sequence[StepRow]) -> list[Row]:
    """Rows with the lines of the program whose trace this is."""
    closed = _closed(rows)
    readers: dict[int, dict[int, None]] = {}
    reads = [(k, i) for k, row in enumerate(rows) for i in row.inputs]
    reads += [(k, i) for step in steps for k, new in step.delta.inputs.items() for i in new]
    for reader, key in reads:
        if closed[key]:
            readers.setdefault(key, {})[reader] = None
    found = list(rows)
    for key in reversed(range(len(rows))):  # readers first: rows read rows before them
        if closed[key] and key in readers:
            theirs = dict.fromkeys(line for r in sorted(readers[key]) for line in found[r].lines)
            found[key] = replace(rows[key], lines=_own(rows[key].lines, tuple(theirs)))
    return found


def _own(lines: tuple[Line, ...], theirs: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(line for line in lines if line in theirs) or theirs or lines


def _closed(rows: Sequence[Row]) -> list[bool]:
    """Whether each row is made of constants alone, and of lengths."""
    found: list[bool] = []
    for row in rows:
        inner = all(found[i] for i in row.inputs) and not row.bodies
        found.append(inner and row.op not in FROM_OUTSIDE)
    return found
