"""``symgraph ops``."""

from __future__ import annotations

import click

from ..conventions import Console, Failure, command, json_option


@command("ops", examples=("symgraph ops", "symgraph ops softplus", "symgraph ops sum --json"))
@click.argument("words", nargs=-1)
@click.option("--kind", help="Only those of a kind, such as elementwise.")
@json_option
def ops(console: Console, words: tuple[str, ...], kind: str | None, json: bool) -> None:
    """Search the ops; one that is named is shown whole."""
    from ..catalogue import matching
    from ..catalogue import ops as entries

    known = entries()
    kinds = sorted({entry.kind for entry in known})
    if kind is not None and kind not in kinds:
        raise Failure(f"there is no kind {kind!r}", hint=f"kinds: {', '.join(kinds)}", code=2)
    found = [e for e in matching(known, " ".join(words)) if kind in (None, e.kind)]
    named = [e for e in found if words and e.name == words[0]]
    if json:
        console.json("ops", {"ops": [e.json() for e in named or found]})
    elif len(named) == 1:
        entry = named[0]
        console.echo(console.paint(entry.name, "name") + f"  ({entry.kind})")
        console.echo(entry.doc)
        facts = {
            "gradient": entry.gradient,
            "backends": entry.backends,
            "accuracy": entry.accuracy,
            "NumPy": ", ".join(entry.numpy),
            "source": entry.source,
        }
        for key, value in facts.items():
            if value:
                console.echo(f"{key + ':':<10} {value}")
    else:
        for entry in found:
            console.echo(f"{console.paint(f'{entry.name:<22}', 'name')} {entry.first}")
        console.log(f"{len(found)} of {len(known)} ops; symgraph ops NAME shows one whole")
    if not found:
        raise Failure(f"no op has {' '.join(words)!r}")


COMMAND = ops
