"""``symgraph explain``: from a line to nodes, rewrites and kernels, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..conventions import Console, command, json_option, target_argument

if TYPE_CHECKING:
    from ..target import Target


@command(
    "explain",
    examples=(
        "symgraph explain program.py:f",
        "symgraph explain program.py:f program.py:9",
        "symgraph explain program.py:f %3",
        'symgraph explain program.py:f "log of softmax"',
    ),
)
@target_argument
@click.argument("what", required=False)
@json_option
def explain(console: Console, subject: Target, what: str | None, json: bool) -> None:
    """Tell what became of a formula, and why.

    WHAT is a line (program.py:12), a node (%7), a name, an operation, a rule or a kernel; without
    it, the whole story is told in a few lines.
    """
    from symgraph.trace.explain import explain as explanation

    trace = subject.trace()
    trace.name = subject.name
    found = explanation(trace, what)
    if json:
        whole = {"name": subject.name, "subject": found.subject, "lines": list(found.lines)}
        console.json("explain", whole)
        return
    for line in found.lines:
        console.echo(line)


COMMAND = explain
