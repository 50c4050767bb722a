"""``symgraph print``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..conventions import (
    Console,
    command,
    json_option,
    output_option,
    stage_option,
    target_argument,
)

if TYPE_CHECKING:
    from ..target import Target


REPAIRED = ("stable", "guarded")


@command("print", examples=("symgraph print train.py:step", "symgraph print model.sg --style ssa"))
@target_argument
@stage_option
@click.option(
    "--style",
    type=click.Choice(["math", "tree", "ssa", "latex"]),
    default="math",
    show_default=True,
    help="math: formulas; tree: inputs below; ssa: a line for each node, which can be read back.",
)
@click.option("--types", is_flag=True, help="With the dtype of each value.")
@click.option("--shapes", is_flag=True, help="With the shape of each value.")
@click.option("--memory", is_flag=True, help="With the bytes of each value.")
@click.option("--lines", is_flag=True, help="With the line of the program that made each value.")
@click.option("--depth", type=click.IntRange(min=0), default=60, help="How deep a tree goes.")
@click.option("--max-nodes", type=click.IntRange(min=1), help="How much to print at most.")
@json_option
@output_option
def print_graph(
    console: Console, subject: Target, stage: str, style: str, json: bool, **options: Any
) -> None:
    """Print a graph as text.

    With --stage stable or guarded, formulas and trees are followed by what was repaired: rule or
    guard, reason, and line of the program.
    """
    from symgraph.printing import render

    text = render(subject.graph(stage), style, **options)
    if stage in REPAIRED and style in ("math", "tree"):
        from symgraph.trace.repairs import repairs

        text += "".join(f"# {line}\n" for line in repairs(subject.trace()))
    if json:
        whole = {"name": subject.name, "stage": stage, "style": style, "text": text}
        console.json("print", whole)
    else:
        console.write(text)


COMMAND = print_graph
