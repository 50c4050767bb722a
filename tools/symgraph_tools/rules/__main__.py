"""``python -m symgraph_tools.rules``: the catalogue, and the search."""

from __future__ import annotations

import click

from symgraph_tools.rules.catalogue import catalogue
from symgraph_tools.rules.search import domain_of, repairs


@click.group()
def main() -> None:
    """Tools for the rule base."""


@main.command("catalogue")
def print_catalogue() -> None:
    """Print RULES.md."""
    click.echo(catalogue(), nl=False)


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
