"""``symgraph check``: gradients, debug mode, NaN, determinism, dtypes, unused inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..conventions import Console, Differs, command, json_option, target_argument

if TYPE_CHECKING:
    from ..target import Target

NAMES = ("inputs", "dtypes", "gradients", "debug", "range", "determinism", "accuracy")


@command(
    "check",
    examples=(
        "symgraph check program.py:f",
        "symgraph check program.py:f --only range --only gradients",
    ),
)
@target_argument
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="Some of the checks.")
@json_option
def check(console: Console, subject: Target, only: tuple[str, ...], json: bool) -> None:
    """Look for mistakes; exit with 4 where there are some.

    inputs: that no output reads; dtypes: float32 that becomes float64; gradients: against
    differences; debug: one call with every check; range: NaN and infinity on harsh inputs;
    determinism: the same bits twice and for any number of threads; accuracy: bits of error.
    """
    from ..checking import Case, run_checks

    function = subject.function("llvm")
    case = Case(function, function.graph, subject.given)
    found = list(run_checks(case, [n for n in NAMES if not only or n in only]))
    bad = [one for _, findings in found for one in findings if one.bad]
    if json:
        rows = [
            {"check": one.check, "bad": one.bad, "text": one.text}
            for _, findings in found
            for one in findings
        ]
        console.json("check", {"name": subject.name, "bad": len(bad), "findings": rows})
    else:
        for name, findings in found:
            is_bad = any(one.bad for one in findings)
            word = console.paint("BAD", "bad") if is_bad else console.paint("ok", "good")
            console.echo(f"{word:<4} {name}")
            for one in findings:
                console.echo(f"     {console.paint(one.text, 'bad') if one.bad else one.text}")
    if bad:
        raise Differs(f"{subject.name}: {bad[0].text}")


COMMAND = check
