"""``symgraph new``."""

from __future__ import annotations

from pathlib import Path

import click

from ..conventions import Console, command


@command("new", examples=("symgraph new op xlogx", "symgraph new rewrite half_angle"))
@click.argument("kind", type=click.Choice(["op", "rewrite"]))
@click.argument("name")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path()
)
def new(console: Console, kind: str, name: str, folder: Path) -> None:
    """Begin an op or a rule of your own: one file, with tests that pass as they stand."""
    import symgraph.ops  # noqa: F401  # fills the table of names that are taken

    from ..scaffold import scaffold

    path = scaffold(kind, name, folder)
    console.echo(f"wrote {path}")
    console.log(f"run its tests: pytest {path}")


COMMAND = new
