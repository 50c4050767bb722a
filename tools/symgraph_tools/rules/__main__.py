"""``python -m symgraph_tools.rules``: the catalogue, the search, the scores."""

from __future__ import annotations

import click

from symgraph_tools.rules.catalogue import catalogue
from symgraph_tools.rules.files import read_formulas
from symgraph_tools.rules.scoring import ACCURACIES, score, table
from symgraph_tools.rules.search import domain_of, repairs
from symgraph_tools.rules.textbook import FORMULAS
from symgraph_tools.rules.timing import table as time_table
from symgraph_tools.rules.timing import times


@click.group()
def main() -> None:
    """Tools for the rule base."""


@main.command("catalogue")
def print_catalogue() -> None:
    """Print RULES.md."""
    click.echo(catalogue(), nl=False)


@main.command("score")
@click.argument("names", nargs=-1)
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64")
@click.option("--gradient", is_flag=True, help="of all partial derivatives")
@click.option("--accuracy", "-a", multiple=True, type=click.Choice(ACCURACIES))
@click.option("--worst", default=12, help="formulas to print")
def print_scores(
    names: tuple[str, ...], dtype: str, gradient: bool, accuracy: tuple[str, ...], worst: int
) -> None:
    """Print bits of error of textbook formulas, all or those named."""
    rows = [f for f in FORMULAS if not names or any(n in f.name for n in names)]
    for line in table(score(rows, dtype, gradient, accuracy or ACCURACIES), worst):
        click.echo(line)


@main.command("time")
@click.argument("names", nargs=-1)
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64")
@click.option("--gradient", is_flag=True, help="of all partial derivatives")
@click.option("--accuracy", "-a", type=click.Choice(ACCURACIES), default="default")
@click.option("--worst", default=12, help="formulas to print")
@click.option("--file", "path", help="formulas of a file (see rules/files.py) instead")
def print_times(
    names: tuple[str, ...], dtype: str, gradient: bool, accuracy: str, worst: int, path: str | None
) -> None:
    """Print how long rewriting textbook formulas takes, all or those named."""
    known = FORMULAS if path is None else read_formulas(path)
    rows = [f for f in known if not names or any(n in f.name for n in names)]
    if not rows:
        raise click.ClickException("no formula has such a name")
    for line in time_table(times(rows, dtype, gradient, accuracy), worst):
        click.echo(line)


@main.command("search")
@click.argument("formula")
@click.option("--domain", "-d", multiple=True, help="x=lo,hi")
@click.option("--steps", default=3, help="identities in a row")
def search_for(formula: str, domain: tuple[str, ...], steps: int) -> None:
    """Print forms of a formula that are more accurate than what the rules make of it."""
    for found in repairs(formula, dict(map(domain_of, domain)), steps=steps):
        click.echo(str(found))


if __name__ == "__main__":
    main()
