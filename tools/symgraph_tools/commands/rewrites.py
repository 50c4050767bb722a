"""``symgraph rewrites``."""

from __future__ import annotations

import click

from ..conventions import Console, Failure, command, json_option


@command(
    "rewrites",
    examples=("symgraph rewrites", "symgraph rewrites softmax", "symgraph rewrites log1p --json"),
)
@click.argument("words", nargs=-1)
@click.option("--table", help="Only those of a table, such as stabilize.")
@json_option
def rewrites(console: Console, words: tuple[str, ...], table: str | None, json: bool) -> None:
    """Search the rules of rewriting: before and after, the reason, on whose word."""
    from ..catalogue import matching, rules

    known = rules()
    tables = list(dict.fromkeys(entry.table for entry in known))
    if table is not None and table not in tables:
        raise Failure(f"there is no table {table!r}", hint=f"tables: {', '.join(tables)}", code=2)
    found = [e for e in matching(known, " ".join(words)) if table in (None, e.table)]
    if json:
        console.json("rewrites", {"rewrites": [e.json() for e in found]})
    else:
        for entry in found:
            console.echo(f"{console.paint(entry.name, 'name')}  ({entry.table})")
            if entry.before and entry.after:
                console.echo(f"    {entry.before} --> {entry.after}")
            console.echo(f"    why: {entry.why} [{entry.source}]")
            if entry.changes:
                console.echo(f"    changes: {entry.changes}")
        console.log(f"{len(found)} of {len(known)} rules")
    if not found:
        raise Failure(f"no rule has {' '.join(words)!r}")


COMMAND = rewrites
