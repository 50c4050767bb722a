"""``symgraph kernels``: the loops that run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..conventions import Console, Failure, command, json_option, target_argument

if TYPE_CHECKING:
    from symgraph.runtime.function import Function
    from symgraph.runtime.kernel_view import KernelView

    from ..target import Target

FORMS = ("py", "ir", "llvm", "asm")


@command(
    "kernels",
    examples=(
        "symgraph kernels program.py:f",
        "symgraph kernels program.py:f show k0 --as asm",
        "symgraph kernels program.py:f show k0 --lines",
        "symgraph kernels program.py:f extract k0 -o reproducer",
    ),
)
@target_argument
@click.argument("action", required=False, type=click.Choice(["list", "show", "extract"]))
@click.argument("kernel", required=False)
@click.option("--as", "form", type=click.Choice(FORMS), default="py", show_default=True)
@click.option("--lines", is_flag=True, help="With the line of the program beside each line.")
@click.option("--code", is_flag=True, help="With vector width, FMA, calls and spills of the code.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of a reproducer.")
@json_option
def kernels(
    console: Console,
    subject: Target,
    action: str | None,
    kernel: str | None,
    form: str,
    lines: bool,
    code: bool,
    json: bool,
) -> None:
    """List kernels, show one, or make a stand-alone reproducer of one.

    KERNEL is a name, or the beginning of one (k0). Bytes and operations are counted on the loops.
    """
    if action in (None, "list"):
        _list(console, subject, code, json)
        return
    function = subject.function("llvm")
    found = _find(function, kernel or "k0")
    if action == "extract":
        _extract(console, subject, function, found)
    elif lines:
        _show_lines(console, subject, found, form)
    elif json:
        console.json("kernel", {"name": found.name, "as": form, "source": _source(found, form)})
    else:
        console.echo(_source(found, form).rstrip("\n"))


def _find(function: Function, name: str) -> KernelView:
    views = function.kernels
    for view in views:
        if view.name == name or view.name.startswith(f"{name}_"):
            return view
    raise Failure(f"there is no kernel {name!r}; kernels: {', '.join(v.name for v in views)}")


def _source(view: KernelView, form: str) -> str:
    if form == "ir":
        from symgraph.loop.text import show

        return show(view.kernel)
    texts = {"py": lambda: view.source, "llvm": lambda: view.llvm, "asm": lambda: view.asm}
    return texts[form]()


def _show_lines(console: Console, subject: Target, view: KernelView, form: str) -> None:
    from symgraph.trace.provenance import source_lines

    trace = subject.function("llvm").trace
    row = next(k for k in trace.parts.kernels if k.name == view.name)
    if form not in row.sources:
        raise Failure(f"--lines goes with --as py or ir, not {form}")
    pairs = source_lines(trace, row, form)
    width = min(72, max(len(text) for text, _ in pairs))
    for text, lines in pairs:
        where = ", ".join(f"{x.file.rpartition('/')[2]}:{x.number}" for x in lines[:3])
        console.echo(f"{text:<{width}}  {console.paint(where, 'dim')}".rstrip())


def _list(console: Console, subject: Target, code: bool, json: bool) -> None:
    from symgraph.trace.wording import short_line

    from ..loop_facts import inner_loops

    function = subject.function("llvm")
    rows = {k.name: k for k in function.trace.parts.kernels}
    found: list[dict[str, Any]] = []
    for view in function.kernels:
        row = rows[view.name]
        one: dict[str, Any] = {
            "name": view.name,
            "bytes": str(row.nbytes),
            "flops": str(row.flops),
            "lines": [short_line(line) for line in row.lines],
            "loops": [str(loop) for loop in inner_loops(view.kernel.body)],
        }
        if code:
            one["code"] = _code(view)
        found.append(one)
    if json:
        console.json("kernels", {"name": subject.name, "kernels": found})
        return
    for one in found:
        console.echo(console.paint(one["name"], "head"))
        console.echo(f"  {one['bytes']} bytes, {one['flops']} operations a call")
        for line in one["lines"]:
            console.echo(f"  from {console.paint(line, 'name')}")
        for loop in one["loops"]:
            console.echo(f"  {loop}")
        if code:
            facts = one["code"]
            calls = ", ".join(facts["calls"]) or "none"
            console.echo(
                f"  vectors of {facts['width']}, {facts['packed']} packed and {facts['scalar']} "
                f"scalar operations, {facts['fma']} FMA, {facts['spills']} spills, calls: {calls}"
            )


def _code(view: KernelView) -> dict[str, Any]:
    from ..machine_code import read_assembly

    facts = read_assembly(view.asm)
    return {
        "width": facts.width,
        "packed": facts.packed,
        "scalar": facts.scalar,
        "fma": facts.fma,
        "spills": facts.spills,
        "instructions": facts.instructions,
        "calls": list(facts.calls),
    }


def _extract(console: Console, subject: Target, function: Function, view: KernelView) -> None:
    from ..extracting import extract, sizes_by_name
    from ..inputs import sizes_for

    folder = console.output or Path(view.name)
    usual = 8
    sizes = sizes_for(function.graph, subject.given, usual)
    named = view.executable.lowered.sizes
    extract(view.kernel, sizes_by_name(named, sizes, usual), folder)
    console.log(f"python {folder / 'run.py'} runs {view.name}")


COMMAND = kernels
