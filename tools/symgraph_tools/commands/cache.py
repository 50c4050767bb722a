"""``symgraph cache``: what compiled code is kept, and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..conventions import SETTINGS, Console, Differs, command, json_option, target_argument

if TYPE_CHECKING:
    from ..target import Target

SHOWN = 12  # letters of the name of an entry


@command("info", examples=("symgraph cache info", "symgraph cache info --json"))
@json_option
def info(console: Console, json: bool) -> None:
    """How many entries there are, how large, where."""
    from symgraph.printing.notes import count_text
    from symgraph.runtime import cache

    entries = cache.entries()
    total = sum(entry.nbytes for entry in entries)
    most = cache.limit()
    if json:
        console.json("cache", {"entries": len(entries), "bytes": total, "most_bytes": most})
        return
    console.echo(f"{len(entries)} entries, {count_text(total)} of at most {count_text(most)}")
    console.echo(f"in {cache.folder()}")


@command("ls", examples=("symgraph cache ls", "symgraph cache ls --json"))
@json_option
def ls(console: Console, json: bool) -> None:
    """The entries, the one used last first."""
    from symgraph.printing.notes import count_text
    from symgraph.runtime import cache

    entries = sorted(cache.entries(), key=lambda entry: (-entry.used, entry.name))
    if json:
        rows = [{"name": e.name, "bytes": e.nbytes, "whole": e.is_whole} for e in entries]
        console.json("cache-entries", {"entries": rows})
        return
    for entry in entries:
        console.echo(f"{entry.name[:SHOWN]}  {count_text(entry.nbytes):>8}")


@command("warm", examples=("symgraph cache warm train.py:step",))
@target_argument
@json_option
def warm(console: Console, subject: Target, json: bool) -> None:
    """Compile a target, so that the programs that need it find it compiled."""
    from symgraph.config import config
    from symgraph.runtime import cache

    subject.function(backend=config.text("backend")).compile()
    count = len(cache.entries())
    _changed(console, f"{subject.name} is compiled; {count} entries are kept", count, 0, json)


@command("prune", examples=("symgraph cache prune --max-size 500",))
@click.option(
    "--max-size", type=click.IntRange(min=0), help="In MB.  [default: the setting cache_size]"
)
@json_option
def prune(console: Console, max_size: int | None, json: bool) -> None:
    """Delete the entries used longest ago, down to a size."""
    from symgraph.runtime import cache

    _trimmed(console, cache.limit() if max_size is None else max_size * cache.MEGABYTE, json)


@command("clear", examples=("symgraph cache clear",))
@json_option
def clear(console: Console, json: bool) -> None:
    """Delete all entries."""
    _trimmed(console, 0, json)


def _trimmed(console: Console, nbytes: int, json: bool) -> None:
    from symgraph.runtime import cache

    before = len(cache.entries())
    cache.trim(nbytes)
    left = len(cache.entries())
    text = f"{before - left} of {before} entries deleted"
    _changed(console, text, left, before - left, json)


def _changed(console: Console, text: str, entries: int, deleted: int, json: bool) -> None:
    if json:
        console.json("cache-change", {"entries": entries, "deleted": deleted})
    else:
        console.echo(text)


@command("verify", examples=("symgraph cache verify",))
@click.option("--delete", is_flag=True, help="Delete entries that are damaged.")
@json_option
def verify(console: Console, delete: bool, json: bool) -> None:
    """Compare every entry with its checksum.

    Exit code 4 where one is damaged. Programs would notice, warn, and compile again.
    """
    from symgraph.runtime import cache

    entries = cache.entries()
    bad = [entry for entry in entries if not entry.is_whole]
    for entry in bad:
        if not json:
            console.echo(f"{entry.name[:SHOWN]}  damaged" + (", deleted" if delete else ""))
        if delete:
            entry.path.unlink(missing_ok=True)
    whole, deleted = len(entries) - len(bad), len(bad) if delete else 0
    text = f"{whole} of {len(entries)} entries are whole"
    _changed(console, text, len(entries) - deleted, deleted, json)
    if bad and not delete:
        raise Differs("damaged entries", hint="symgraph cache verify --delete")


PARTS = (info, ls, warm, prune, clear, verify)
COMMAND = click.Group(
    "cache",
    commands=list(PARTS),
    context_settings=SETTINGS,
    help="Look after the compiled code that is kept on disk.",
    epilog="Examples: symgraph cache info, symgraph cache warm train.py:step",
)
COMMAND.examples = tuple(e for part in PARTS for e in part.examples)  # type: ignore[attr-defined]
