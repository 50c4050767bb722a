"""The command ``symgraph``: the table of its commands. What they have in common: conventions.py.

Adding a command: a module in ``commands`` with a ``COMMAND``, and a row here.
"""

from __future__ import annotations

import click

from .conventions import SETTINGS, Group

# name, module, what it does
COMMANDS = (
    ("demo", "demo", "Train two classifiers of digits and show what the compiler did."),
    ("print", "print_graph", "Print a graph as text."),
    ("show", "show", "Draw a graph."),
    ("passes", "passes", "Step through the rewrites; check, bisect or time them."),
    ("explain", "explain", "Tell what became of a line, a node, a rule, and why."),
    ("kernels", "kernels", "List the loops that run, show or extract one."),
    ("profile", "profile", "Time every step of a call, and of compiling."),
    ("check", "check", "Look for mistakes: gradients, NaN, dtypes, determinism."),
    ("doctor", "doctor", "Say what this installation is made of, and what is wrong with it."),
    ("cache", "cache", "Look after the compiled code that is kept on disk."),
    ("ops", "ops", "Search the ops."),
    ("rewrites", "rewrites", "Search the rules of rewriting."),
    ("new", "new", "Begin an op or a rule of your own, with tests."),
    ("completion", "completion", "Print the script that completes commands in a shell."),
    ("diff", "diff", "Compare two graphs, or two stages of one."),
    ("bench", "bench", "Time workloads against other array libraries."),
)


@click.group(
    cls=Group,
    rows=[(name, f"{__package__}.commands.{module}", about) for name, module, about in COMMANDS],
    context_settings=SETTINGS,
    epilog="Try first: symgraph demo",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, asked: _print_version(context) if asked else None,
    help="Show the version and exit.",
)
@click.option(
    "--schemas",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, asked: _print_schemas(context) if asked else None,
    help="Show what --json prints and exit.",
)
def main() -> None:
    """Compile array formulas: naive formula in, accurate value and gradient out."""


def _print_schemas(context: click.Context) -> None:
    """Print the table of schemas, and stop."""
    from .schemas import schema_lines

    click.echo("\n".join(schema_lines()))
    context.exit()


def _print_version(context: click.Context) -> None:
    """Print the version of the package that is imported, installed or not, and stop."""
    from symgraph import __version__

    click.echo(f"symgraph {__version__}")
    context.exit()
