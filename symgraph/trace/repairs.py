"""What mended a graph: rewrites for accuracy and guards, each with its reason and the user's line.

``repairs`` gives the lines that ``symgraph print --stage stable`` shows below the graph.
"""

from __future__ import annotations

from collections.abc import Iterator

from symgraph.trace.reasons import TIDYING
from symgraph.trace.trace import Trace
from symgraph.trace.wording import short_line, told

ONLY_FORM = frozenset(("canonicalize", "tidy"))  # tables that change how a graph is written


def repairs(trace: Trace) -> Iterator[str]:
    """Each repair in words, once: what became what, why, which values change, and where."""
    seen: set[str] = set()
    for step in trace:
        if step.rule in TIDYING or step.row.table in ONLY_FORM:
            continue
        text = told(step)
        if step.row.rule.changes:
            text += f" It changes: {step.row.rule.changes}."
        if step.row.line is not None:
            text += f" [{short_line(step.row.line)}]"
        if text not in seen:
            seen.add(text)
            yield text
