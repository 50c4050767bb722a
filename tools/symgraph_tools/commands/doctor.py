"""``symgraph doctor``."""

from __future__ import annotations

from typing import Any

from ..conventions import Console, Differs, command, json_option


@command("doctor", examples=("symgraph doctor", "symgraph doctor --json"))
@json_option
def doctor(console: Console, json: bool) -> None:
    """Say what this installation is made of, and what is wrong with it.

    Exit code 4 where something is. The JSON holds no paths: put it into bug reports.
    """
    from ..health import findings

    sections, problems = findings(with_paths=not json)
    if json:
        console.json("doctor", {**sections, "problems": problems})
    else:
        for name, facts in sections.items():
            console.echo(console.paint(name, "head"))
            for key, value in facts.items():
                console.echo(f"  {key.replace('_', ' '):<14} {_text(key, value)}")
        for problem in problems:
            console.echo(console.paint(f"problem: {problem}", "warn"))
    if problems:
        count = len(problems)
        raise Differs(f"{count} problem{'s' if count > 1 else ''} found")
    if not json:
        console.echo(console.paint("no problem found", "good"))


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and key.endswith("bytes"):
        from symgraph.printing.notes import count_text

        return count_text(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


COMMAND = doctor
