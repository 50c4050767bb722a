"""``symgraph kernels``: the loops that run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..conventions import NO_EXTRA, Console, Failure, command, json_option, target_argument

if TYPE_CHECKING:
    from symgraph.runtime.function import Function
    from symgraph.runtime.kernel_view import KernelView
    from symgraph.trace.format import KernelRow
    from symgraph.trace.trace import Trace

    from ..target import Target

FORMS = ("py", "ir", "llvm", "asm", "cfg", "ptx")
PROCESSORS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")
WIDEST = 72  # characters of code beside which a line of the program stands


@command(
    "kernels",
    examples=(
        "symgraph kernels program.py:f",
        "symgraph kernels program.py:f show k0 --as asm",
        "symgraph kernels program.py:f show k0 --lines",
        "symgraph kernels program.py:f show k0 --as asm --lines --cpu x86-64-v3",
        "symgraph kernels program.py:f show --as asm --grep mul",
        "symgraph kernels program.py:f show k0 --as cfg -o flow.dot",
        "symgraph kernels program.py:f --html kernels.html",
        "symgraph kernels program.py:f extract k0 -o reproducer",
    ),
)
@target_argument
@click.argument("action", required=False, type=click.Choice(["list", "show", "extract"]))
@click.argument("kernel", required=False)
@click.option(
    "--as",
    "form",
    type=click.Choice(FORMS),
    default="py",
    show_default=True,
    help="py: Python; ir: loops; llvm, asm: with the statement of ir above the code made from it; "
    "cfg: blocks and jumps, as DOT; ptx: for CUDA.",
)
@click.option("--lines", is_flag=True, help="With the line of the program beside each line.")
@click.option("--grep", metavar="PATTERN", help="Lines of the code that have a regular expression.")
@click.option("--cpu", type=click.Choice(PROCESSORS), help="llvm and asm for another processor.")
@click.option("--code", is_flag=True, help="With vector width, FMA, calls and spills of the code.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the page: program, loops, LLVM and assembly linked line by line.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to show into; folder to extract."
)
@json_option
def kernels(
    console: Console,
    subject: Target,
    action: str | None,
    kernel: str | None,
    form: str,
    lines: bool,
    grep: str | None,
    cpu: str | None,
    code: bool,
    html: Path | None,
    json: bool,
) -> None:
    """List kernels, show one, or make a stand-alone reproducer of one.

    KERNEL is a name, or the beginning of one (k0). Bytes and operations are counted on the loops.
    """
    if html is not None:
        _page(subject, html)
    elif action in (None, "list"):
        _list(console, subject, code, json)
    elif action == "extract":
        function = subject.function("llvm")
        _extract(console, subject, function, _find(function, kernel or "k0"))
    else:
        function = subject.function("llvm")
        views = function.kernels if grep and not kernel else [_find(function, kernel or "k0")]
        found = [_Shown(function.trace, view, form, cpu or "") for view in views]
        _show(console, found, lines, grep, json)


def _find(function: Function, name: str) -> KernelView:
    views = function.kernels
    for view in views:
        if view.name == name or view.name.startswith(f"{name}_"):
            return view
    raise Failure(f"there is no kernel {name!r}; kernels: {', '.join(v.name for v in views)}")


class _Shown:
    """A kernel in one form."""

    def __init__(self, trace: Trace, view: KernelView, form: str, cpu: str) -> None:
        self.trace, self.view, self.form = trace, view, form
        self.source = _source(view, form, cpu).rstrip("\n").expandtabs()

    def rows(self) -> list[tuple[str, str]]:
        """Lines of the source, with the lines of the program."""
        from symgraph.trace.provenance import MACHINE, source_lines

        if self.form not in ("py", "ir", *MACHINE):
            raise Failure(f"--lines and --grep go with --as py, ir, llvm or asm, not {self.form}")
        row = next(k for k in self.trace.parts.kernels if k.name == self.view.name)
        row = replace(row, sources={**row.sources, self.form: self.source})
        pairs = source_lines(self.trace, row, self.form)
        return [(t, ", ".join(f"{Path(x.file).name}:{x.number}" for x in ls)) for t, ls in pairs]


def _source(view: KernelView, form: str, cpu: str) -> str:
    if form == "ir":
        from symgraph.loop.text import show

        return show(view.kernel)
    if form == "py":
        return view.source
    if form == "ptx":
        return _ptx(view)
    llvm, asm = _code_for(view, cpu)
    if form == "cfg":
        from ..control_flow import flow_dot

        return flow_dot(llvm)
    return llvm if form == "llvm" else asm


def _code_for(view: KernelView, cpu: str) -> tuple[str, str]:
    """(LLVM, assembly) for this processor, or another kind."""
    if not cpu:
        return view.llvm, view.asm
    import platform

    from symgraph.codegen.llvm_cpu import kernel_assembly

    if platform.machine() not in ("x86_64", "AMD64"):
        raise Failure(f"--cpu {cpu}: this machine's code is for {platform.machine()}")
    return kernel_assembly(view.executable.lowered.program, cpu)[view.name]


def _ptx(view: KernelView) -> str:
    from symgraph.errors import DeviceError

    try:
        from symgraph.codegen.numba_cuda_compile import ptx

        return ptx(view.kernel)
    except (ImportError, DeviceError) as error:
        text = str(error).splitlines()[0]
        hint = "pip install symgraph[cuda]"
        raise Failure(f"--as ptx: {text}", hint=hint, code=NO_EXTRA) from error


def _show(console: Console, found: list[_Shown], lines: bool, grep: str | None, json: bool) -> None:
    if grep is not None:
        _grep(console, found, grep, json)
        return
    (one,) = found
    if json:
        more = {"lines": one.rows()} if lines else {}
        head = {"name": one.view.name, "as": one.form, "source": one.source}
        console.json("kernel", {**head, **more})
        return
    if not lines:
        console.write(one.source + "\n")
        return
    rows = one.rows()
    width = min(WIDEST, max(len(text) for text, _ in rows))
    is_code = one.form in ("llvm", "asm")  # where many lines in a row are from the same one
    texts, last = [], ""
    for text, where in rows:
        shown = "" if is_code and where == last else where
        texts.append(f"{text:<{width}}  {console.paint(shown, 'dim')}".rstrip())
        last = where
    console.write("\n".join(texts) + "\n")


def _grep(console: Console, found: list[_Shown], pattern: str, json: bool) -> None:
    """Lines with a pattern, below the name of their kernel, with the program's line."""
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise click.BadParameter(f"{pattern!r}: {error}", param_hint="'--grep'") from error
    hits = []
    for one in found:
        for number, (text, where) in enumerate(one.rows(), 1):
            if wanted.search(text):
                hits.append((one.view.name, number, text, where))
    if json:
        keys = ("kernel", "number", "text", "lines")
        rows = [dict(zip(keys, hit, strict=True)) for hit in hits]
        console.json("kernels-grep", {"pattern": pattern, "found": rows})
    for name, number, text, where in hits if not json else ():
        console.echo(f"{console.paint(name, 'name')}:{number}: {text.strip():<56}  {where}")
    if not hits:
        names = ", ".join(one.view.name for one in found)
        raise Failure(f"no line of {names} as {found[0].form} has {pattern!r}")


def _page(subject: Target, path: Path) -> None:
    """The page with LLVM and assembly of all kernels."""
    from ..page.build import page_html

    trace = subject.function("llvm").trace.with_code()
    trace.name = subject.name
    path.write_text(page_html(trace), encoding="utf-8")


def _list(console: Console, subject: Target, code: bool, json: bool) -> None:
    function = subject.function("llvm")
    rows = {k.name: k for k in function.trace.parts.kernels}
    found = [_facts(view, rows[view.name], code) for view in function.kernels]
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


def _facts(view: KernelView, row: KernelRow, code: bool) -> dict[str, Any]:
    from symgraph.trace.loop_facts import loop_lines
    from symgraph.trace.wording import short_line

    one: dict[str, Any] = {
        "name": view.name,
        "bytes": str(row.nbytes),
        "flops": str(row.flops),
        "lines": [short_line(line) for line in row.lines],
        "loops": loop_lines(view.kernel.body),
    }
    return {**one, "code": _code(view)} if code else one


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
