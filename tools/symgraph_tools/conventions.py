"""What all commands of ``symgraph`` have in common: START HERE to add one.

A command is a module of ``symgraph_tools.commands`` and a row of ``cli.COMMANDS``::

    @command("passes", examples=("symgraph passes train.py:f",))
    @target_argument
    @json_option
    def passes(console: Console, subject: Target, json: bool, ...) -> None:

- Data goes to standard output, or to the file of ``-o`` (``-`` is standard output); remarks go to
  standard error (``Console.log``).
- Exit codes: ``OK`` 0, ``FAILED`` 1, ``USAGE`` 2, ``NO_TARGET`` 3 (a target that cannot be loaded,
  a file that cannot be read), ``DIFFERS`` 4 (a check that failed, a difference), ``NO_EXTRA`` 5 (an
  optional package that is not installed), 130 (Ctrl-C).
- An error is one line, and where it helps a second that begins with ``hint:``; ``--traceback``
  shows where it came from.
- ``--json`` prints one object, described in ``schemas.py``. Equal targets give equal bytes but for
  times that were measured: no times of day, no addresses.
- Colours: ``--color auto|always|never``, ``NO_COLOR``, ``FORCE_COLOR``. No word depends on them.
- Nothing opens a socket; only targets that are Python programs run code.

Everything but click is imported by the command that needs it: ``--help`` takes 0.15 s.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

OK, FAILED, USAGE, NO_TARGET, DIFFERS, NO_EXTRA, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COLORS: Mapping[str, Mapping[str, Any]] = {
    "head": {"bold": True},
    "name": {"fg": "cyan"},
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warn": {"fg": "yellow"},
    "dim": {"dim": True},
}
ALIASES: Mapping[str, str] = {"viz": "show"}  # further names of commands
Command = Callable[..., Any]


class Failure(click.ClickException):
    """An error for the user: one line, perhaps a hint, and the exit code of its kind."""

    def __init__(self, text: str, *, hint: str = "", code: int = FAILED) -> None:
        super().__init__(text)
        self.hint, self.code = hint, code

    def show(self, file: Any = None) -> None:  # Any: as click declares it
        """Print the line and the hint."""
        click.echo(f"symgraph: {self.message}", file=file, err=file is None)
        if self.hint:
            click.echo(f"hint: {self.hint}", file=file, err=file is None)


class Differs(Failure):
    """A check that failed, or a difference that was found."""

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text, hint=hint, code=DIFFERS)


class Group(click.Group):
    """Commands that are imported when they are used; ``rows``: name, module, first line of help."""

    def __init__(self, *args: Any, rows: Sequence[tuple[str, str, str]] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.rows = {name: (module, about) for name, module, about in rows}

    def list_commands(self, context: click.Context) -> list[str]:
        """Names, in the order of the table."""
        return [*self.rows, *(name for name in self.commands if name not in self.rows)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        name = ALIASES.get(name, name)
        if name in self.rows and name not in self.commands:
            from importlib import import_module

            self.add_command(import_module(self.rows[name][0]).COMMAND, name)
        return self.commands.get(name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing its commands."""
        named = [(n, self.rows[n][1]) for n in self.rows]
        named += [
            (n, c.get_short_help_str(80)) for n, c in self.commands.items() if n not in self.rows
        ]
        with formatter.section("Commands"):
            formatter.write_dl(named)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; an error with the nearest name otherwise."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(context, name) is None:
            near = _nearest(name, self.list_commands(context))
            guess = f"; did you mean {near!r}?" if near else ""
            raise Failure(
                f"No such command {name!r}{guess}", hint="symgraph --help lists them", code=USAGE
            )
        return super().resolve_command(context, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, with the exit codes and the one-line errors of this page."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        _survive_odd_letters()
        try:
            code = super().main(args, prog_name, complete_var, False, **extra)
            sys.stdout.flush()
        except click.UsageError as error:
            _show_usage_error(error)
            sys.exit(USAGE)
        except click.ClickException as error:
            error.show()
            sys.exit(error.code if isinstance(error, Failure) else error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("symgraph: interrupted", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader has what it wanted: no words about that
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(OK)
        sys.exit(code if isinstance(code, int) else OK)


def _survive_odd_letters() -> None:
    """Names of the user's that a terminal cannot show are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _show_usage_error(error: click.UsageError) -> None:
    path = error.ctx.command_path if error.ctx is not None else "symgraph"
    text = " ".join(error.format_message().split())
    click.echo(f"symgraph: {text}", err=True)
    click.echo(f"hint: {path} --help", err=True)


def _nearest(name: str, choices: Sequence[str]) -> str | None:
    from difflib import get_close_matches

    found = get_close_matches(name, choices, 1, 0.6)
    return found[0] if found else None


@dataclass(slots=True)
class Console:
    """Where a command writes. ``color``: whether to paint; ``output``: the file of ``-o``."""

    color: bool = False
    output: Path | None = None

    def echo(self, text: str = "") -> None:
        """A line of data, to standard output."""
        click.echo(text, color=self.color)

    def log(self, text: str) -> None:
        """A remark, to standard error."""
        click.echo(text, err=True, color=self.color)

    def paint(self, text: str, role: str) -> str:
        """Text in the colour of its role, one of ``COLORS``."""
        return click.style(text, **COLORS[role]) if self.color else text

    def json(self, schema: str, found: Mapping[str, Any]) -> None:
        """An object with its schema: ``symgraph.<schema>/1``."""
        import json

        from .schemas import VERSION, check_schema

        check_schema(schema, found)
        whole = {"schema": f"symgraph.{schema}/{VERSION}", **found}
        self.write(json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def write(self, content: str | bytes) -> None:
        """Data to the file of ``-o``, or to standard output."""
        if self.output is not None and str(self.output) != "-":
            data = content.encode() if isinstance(content, str) else content
            self.output.write_bytes(data)
        else:
            click.echo(content, nl=False, color=self.color)


def _wants_color(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def command(name: str, *, examples: Sequence[str] = ()) -> Callable[[Command], click.Command]:
    """A command with the options that all have; it gets a ``Console`` first.

    ``examples``: calls that the help shows, which tests run.
    """

    def wrap(function: Command) -> click.Command:
        @functools.wraps(function)
        def run(color: str, traceback: bool, output: Path | None = None, **options: Any) -> Any:
            console = Console(_wants_color(color), output)
            try:
                return function(console, **options)
            except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
                raise
            except Exception as error:
                if traceback:
                    raise
                _fail(error)

        shown = "".join(f"\n    {line}" for line in examples)
        epilog = f"\b\nExamples:{shown}" if examples else None
        made = click.command(name, context_settings=SETTINGS, epilog=epilog)(run)
        made.params += [
            click.Option(
                ["--color"],
                type=click.Choice(["auto", "always", "never"]),
                default="auto",
                help="Paint the output.  [default: where it is a terminal]",
            ),
            click.Option(["--traceback"], is_flag=True, help="Show where an error came from."),
        ]
        made.examples = tuple(examples)  # type: ignore[attr-defined]
        return made

    return wrap


def _fail(error: Exception) -> NoReturn:
    """An error of any kind as a line with an exit code."""
    from symgraph.errors import ParseError, SymgraphError

    from .raster import MissingExtraError
    from .target import TargetError, one_line

    text, code, hint = one_line(error), FAILED, ""
    if isinstance(error, TargetError | ParseError):
        code = NO_TARGET
    elif isinstance(error, MissingExtraError):
        code = NO_EXTRA
    elif not isinstance(error, SymgraphError | OSError):
        text = f"{type(error).__name__}: {text}"
        hint = "this is a bug, of symgraph or of the target; --traceback shows where"
    raise Failure(text, hint=hint, code=code) from error


def json_option(function: Command) -> Command:
    """``--json``."""
    return click.option("--json", is_flag=True, help="One JSON object, with a versioned schema.")(
        function
    )


def output_option(function: Command) -> Command:
    """``-o FILE``, which ``Console.write`` uses."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        help="The file to write; - is standard output.",
    )(function)


def target_argument(function: Command) -> Command:
    """TARGET and its options; the command gets a ``Target`` as ``subject``."""
    decorated: Command = _loading(function)
    for decorate in _TARGET_OPTIONS:
        decorated = decorate(decorated)
    decorated = click.argument("target")(decorated)
    decorated.__doc__ = f"{function.__doc__}\n\n    {TARGET_HELP}"
    return decorated


def _loading(function: Command) -> Command:
    @functools.wraps(function)
    def load(console: Console, target: str, **options: Any) -> Any:
        given = {key: options.pop(key) for key in ("arg", "shape", "dtype", "dim", "execute")}
        from .given import Given
        from .target import load_target

        return function(console, subject=load_target(target, Given.parse(**given)), **options)

    return load


def stage_option(function: Command) -> Command:
    """``--stage``: the graph after which part of the compiler."""
    return click.option(
        "--stage",
        type=click.Choice(STAGES),
        default="final",
        show_default=True,
        help="The graph as the program wrote it (built), after a stage, or as it is lowered.",
    )(function)


STAGES = (
    "built", "tidied", "stable", "joined", "spread", "ranged", "expanded", "final", "guarded",
)  # fmt: skip
TARGET_HELP = (
    "TARGET is file.py[:attr], package.module:attr, notebook.ipynb[:attr] (with --exec), a .sg or "
    ".sgtrace file, or - for JSON on standard input. The attribute is a compiled function, a "
    "variable, several in a list or dict, or a function that makes one of these; without one, the "
    "only compiled function of the file. Python targets are run; files are only read."
)
_TARGET_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.option("--arg", multiple=True, metavar="NAME=VALUE", help="An argument of a factory."),
    click.option(
        "--shape", multiple=True, metavar="NAME=64,784", help="The shape of an input, by name."
    ),
    click.option("--dtype", multiple=True, metavar="NAME=f32", help="The dtype of an input."),
    click.option("--dim", multiple=True, metavar="N=64", help="The length of a dimension."),
    click.option("--exec", "execute", is_flag=True, help="Run the code cells of a notebook."),
)
