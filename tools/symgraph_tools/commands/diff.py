"""``symgraph diff``: what differs between two graphs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..conventions import STAGES, Console, Differs, command, json_option, target_argument

if TYPE_CHECKING:
    from symgraph.ir.graph import Graph

    from ..target import Target

FORMS = ("text", "side")


@command(
    "diff",
    examples=(
        "symgraph diff program.py:f",
        "symgraph diff program.py:f --stages built stable --format side",
        "symgraph diff program.py:f model.sg --exit-code",
    ),
)
@target_argument
@click.argument("other", required=False)
@click.option(
    "--stages",
    type=(click.Choice(STAGES), click.Choice(STAGES)),
    metavar="A B",
    help="Of the first and of the second.  [default: built final of one target; final of two]",
)
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 4 where they differ.")
@json_option
def diff(
    console: Console,
    subject: Target,
    other: str | None,
    stages: tuple[str, str] | None,
    form: str,
    exit_code: bool,
    json: bool,
) -> None:
    """Compare two graphs: two targets, or two stages of one.

    Nodes with equal formulas are the same, whatever their numbers; of the others, those that do the
    same operation near each other are partners.
    """
    from ..target import load_target

    second = subject if other is None else load_target(other, subject.given)
    first_stage, second_stage = stages or (("built", "final") if other is None else ("final",) * 2)
    graphs = subject.trace().at(first_stage), second.trace().at(second_stage)
    names = f"{subject.name}, {first_stage}", f"{second.name}, {second_stage}"
    is_equal = print_difference(console, graphs, names, form, json)
    if exit_code and not is_equal:
        raise Differs(f"{names[0]} and {names[1]} differ")


def print_difference(
    console: Console, graphs: Sequence[Graph], names: Sequence[str], form: str, json: bool
) -> bool:
    """Print what differs; whether nothing does."""
    from ..matching import beside_lines, difference_lines, match

    found = match(graphs[0], graphs[1])
    counts = {
        "same": found.same,
        "changed": found.changed,
        "removed": found.removed,
        "added": found.added,
    }
    if json:
        lines = list(difference_lines(found))
        console.json(
            "diff", {"names": list(names), "equal": found.is_equal, **counts, "lines": lines}
        )
        return found.is_equal
    if form == "side":
        lines = list(beside_lines(found, shutil.get_terminal_size((120, 40)).columns))
    else:
        console.echo(console.paint(f"--- {names[0]}", "head"))
        console.echo(console.paint(f"+++ {names[1]}", "head"))
        lines = list(difference_lines(found))
    roles = {"-": "bad", "+": "good"}
    for line in lines:
        role = roles.get(line[:1]) if form == "text" else None
        console.echo(console.paint(line, role) if role else line)
    console.log(", ".join(f"{count} {name}" for name, count in counts.items()))
    return found.is_equal


COMMAND = diff
