"""``symgraph diff``: what differs between two graphs, or more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

import click

from ..conventions import (
    STAGES,
    Console,
    Differs,
    command,
    json_option,
    output_option,
    target_argument,
)

if TYPE_CHECKING:
    from symgraph.ir.graph import Graph

    from ..matching import Matched
    from ..target import Target

FORMS = ("text", "side", "html")
MOST_COMPARED = len(ascii_uppercase)
LONGEST = 90  # characters of a formula in a table of several graphs


@command(
    "diff",
    examples=(
        "symgraph diff program.py:f",
        "symgraph diff program.py:f --stages built stable --format side",
        "symgraph diff program.py:f model.sg --exit-code",
        "symgraph diff program.py:f program.py:softplus model.sg",
        "symgraph diff program.py:f -o difference.html",
        "symgraph diff program.py:f --rev HEAD",
    ),
)
@target_argument
@click.argument("others", nargs=-1)
@click.option(
    "--stages",
    type=(click.Choice(STAGES), click.Choice(STAGES)),
    metavar="A B",
    help="Of the first and of the others.  [default: built final of one target; final of several]",
)
@click.option(
    "--rev",
    "revisions",
    multiple=True,
    metavar="REV",
    help="The target as it was at a revision of git: with the working tree, or with another --rev.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMS), help="[default: html for -o x.html, else text]"
)
@click.option("--exit-code", is_flag=True, help="Exit with 4 where they differ.")
@output_option
@json_option
def diff(
    console: Console,
    subject: Target,
    others: tuple[str, ...],
    stages: tuple[str, str] | None,
    revisions: tuple[str, ...],
    form: str | None,
    exit_code: bool,
    json: bool,
) -> None:
    """Compare graphs: two stages of one target, several targets, or revisions of one.

    Nodes with equal formulas are the same, whatever their numbers; of the others, those that do the
    same operation near each other are partners.
    """
    targets = _targets(subject, others, revisions)
    default = ("built", "final") if len(targets) == 1 else ("final", "final")
    first_stage, other_stage = stages or default
    targets = targets if len(targets) > 1 else [subject, subject]
    graphs = [t.trace().at(other_stage if k else first_stage) for k, t in enumerate(targets)]
    names = [f"{t.name}, {other_stage if k else first_stage}" for k, t in enumerate(targets)]
    form = form or ("html" if console.output and console.output.suffix == ".html" else "text")
    if form == "html" and not json:
        is_equal = _write_page(console, graphs, names)
    elif len(graphs) > 2:
        is_equal = _print_several(console, graphs, names, json)
    else:
        is_equal = print_difference(console, graphs, names, form, json)
    if exit_code and not is_equal:
        raise Differs(f"{', '.join(names[:-1])} and {names[-1]} differ")


def _targets(subject: Target, others: Sequence[str], revisions: Sequence[str]) -> list[Target]:
    """What is compared, in order: revisions first, the working tree after one of them."""
    from ..revisions import target_at
    from ..target import load_target

    if revisions and others:
        raise click.UsageError("--rev compares one target with itself: name no other")
    if len(others) >= MOST_COMPARED:
        raise click.UsageError(f"at most {MOST_COMPARED} graphs are compared")
    if revisions:
        text = str(click.get_current_context().params["target"])
        found = [target_at(text, revision, subject.given) for revision in revisions]
        return [*found, subject] if len(found) == 1 else found
    return [subject, *(load_target(other, subject.given) for other in others)]


def print_difference(
    console: Console, graphs: Sequence[Graph], names: Sequence[str], form: str, json: bool
) -> bool:
    """Print what differs; whether nothing does."""
    from ..matching import beside_lines, difference_lines, match

    found = match(graphs[0], graphs[1])
    if json:
        lines = list(difference_lines(found))
        whole = {"names": list(names), "equal": found.is_equal, **_counts(found), "lines": lines}
        console.json("diff", whole)
        return found.is_equal
    if form == "side":
        lines = list(beside_lines(found, shutil.get_terminal_size((120, 40)).columns))
    else:
        heads = (f"--- {names[0]}", f"+++ {names[1]}")
        lines = [console.paint(head, "head") for head in heads]
        roles = {"-": "bad", "+": "good"}
        for line in difference_lines(found):
            role = roles.get(line[:1])
            lines.append(console.paint(line, role) if role else line)
    console.write("".join(f"{line}\n" for line in lines))
    console.log(", ".join(f"{count} {name}" for name, count in _counts(found).items()))
    return found.is_equal


def _counts(found: Matched) -> dict[str, int]:
    return {
        "same": found.same,
        "changed": found.changed,
        "removed": found.removed,
        "added": found.added,
    }


def _print_several(
    console: Console, graphs: Sequence[Graph], names: Sequence[str], json: bool
) -> bool:
    """Formulas that not all graphs have, with the graphs that have them."""
    from ..matching import formulas, match

    everything = formulas(graphs)
    some = [(node, found) for node, found in everything if len(found) < len(graphs)]
    is_equal = all(match(graphs[0], other).is_equal for other in graphs[1:])
    if json:
        rows = [{"in": list(found), "formula": _formula(node)} for node, found in some]
        common = len(everything) - len(some)
        whole = {"names": list(names), "equal": is_equal, "common": common, "formulas": rows}
        console.json("diff-several", whole)
        return is_equal
    lines = list(_table(some, names, console))
    console.write("".join(f"{line}\n" for line in lines))
    common = len(everything) - len(some)
    console.log(f"{common} formulas in all of {len(graphs)} graphs, {len(some)} in some")
    return is_equal


def _table(
    some: Sequence[tuple[object, tuple[int, ...]]], names: Sequence[str], console: Console
) -> Iterator[str]:
    letters = ascii_uppercase[: len(names)]
    for letter, name in zip(letters, names, strict=True):
        yield console.paint(f"{letter}  {name}", "head")
    for node, found in some:
        marks = "".join(x if k in found else "." for k, x in enumerate(letters))
        yield f"{console.paint(marks, 'name')}  {_formula(node)}"


def _formula(node: object) -> str:
    from symgraph.ir.node import Node
    from symgraph.trace.wording import one_formula

    assert isinstance(node, Node)
    text = one_formula([node])
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _write_page(console: Console, graphs: Sequence[Graph], names: Sequence[str]) -> bool:
    from ..matching import match
    from ..page.difference import difference_html

    found = [match(graphs[0], other) for other in graphs[1:]]
    console.write(difference_html(names, graphs, found))
    return all(one.is_equal for one in found)


COMMAND = diff
