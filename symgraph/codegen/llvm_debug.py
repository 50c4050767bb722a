"""Which statement of a kernel each instruction comes from, through LLVM's optimizer and back.

Where a module is asked to be marked, the writer of kernels puts ``; at 7`` before the instructions
of statement 7 (counted in the order of ``traverse.statements``). ``located`` turns these marks into
debug locations, with the number of the statement as the line; ``told`` turns the locations of what
LLVM made into comments that people and ``symgraph.trace.provenance`` read::

    # 12: let v1_2 = mul(v1_0, v1_1)
    vmulpd (%rdi,%rax,8), %ymm0, %ymm1

where 12 is the line of the statement in the text of the kernel. Code that runs is never marked:
locations take a quarter of compiling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from symgraph.codegen.llvm_text import MARK
from symgraph.loop.ir import Kernel
from symgraph.loop.text import show, statement_line
from symgraph.loop.traverse import statements

_DEFINE = re.compile(r'define [^\n]*@"?((?:kernel|part)\.[^"(]*)')
_LOOP = re.compile(r"!(\d+) = ")
_PLACE = re.compile(r"!(\d+) = !DILocation\(line: (\d+)")
_DEBUG = re.compile(r",? !dbg !(\d+)")
_LOC = re.compile(r"\s*\.loc\s+\d+\s+(\d+)")
_NOISE = re.compile(r"\s*\.cfi_|\.Ltmp\d+:|\s*#(?:DEBUG|dbg)|\s*#dbg_")
HEAD = (
    '!{0} = distinct !DICompileUnit(language: DW_LANG_C99, file: !{1}, producer: "symgraph", '
    "isOptimized: true, runtimeVersion: 0, emissionKind: LineTablesOnly)",
    '!{1} = !DIFile(filename: "kernels", directory: "")',
    '!{2} = !{{i32 2, !"Debug Info Version", i32 3}}',
    "!{3} = !DISubroutineType(types: !{{null}})",
    "!llvm.dbg.cu = !{{!{0}}}",
    "!llvm.module.flags = !{{!{2}}}",
)


def located(assembly: str) -> str:
    """LLVM assembly with debug locations instead of marks."""
    first = max((int(n) for n in _LOOP.findall(assembly)), default=-1) + 1
    unit, file, _, kind = range(first, first + 4)
    nodes = [line.format(*range(first, first + 4)) for line in HEAD]
    places: dict[tuple[int, int], int] = {}
    lines: list[str] = []
    count, scope, at = first + 4, -1, 0
    for line in assembly.split("\n"):
        define = _DEFINE.match(line)
        if define:
            scope, at, count = count, 0, count + 1
            nodes.append(
                f'!{scope} = distinct !DISubprogram(name: "{define[1]}", scope: !{file}, file: '
                f"!{file}, line: 1, type: !{kind}, unit: !{unit}, spFlags: DISPFlagDefinition | "
                "DISPFlagOptimized)"
            )
            line = f"{line.removesuffix(' {')} !dbg !{scope} {{"
        elif line == "}":
            scope = -1
        elif scope >= 0 and line.startswith(MARK):
            at = int(line.removeprefix(MARK)) + 1  # line 0 means that there is none
        elif scope >= 0 and line.startswith("  "):
            place = places.setdefault((scope, at), count)
            count += place == count
            line = f"{line}, !dbg !{place}"
        elif scope >= 0 and line.startswith("ret "):
            place = places.setdefault((scope, 0), count)
            count += place == count
            line = f"{line}, !dbg !{place}"
        lines.append(line)
    nodes += [
        f"!{place} = !DILocation(line: {at}, column: 0, scope: !{scope})"
        for (scope, at), place in places.items()
    ]
    return "\n".join([*lines, *nodes, ""])


def places_of(llvm: str) -> dict[str, int]:
    """Statements by the number of a location, in LLVM assembly; -1 for none."""
    return {n: int(line) - 1 for n, line in _PLACE.findall(llvm)}


def told_llvm(body: str, places: Mapping[str, int], texts: Mapping[int, str]) -> str:
    """A function's LLVM with the statement above the instructions that came from it."""
    found: list[str] = []
    last = -1
    for line in body.split("\n"):
        location = _DEBUG.search(line)
        at = places.get(location[1], -1) if location else -1
        if at in texts and at != last and not line.startswith("define"):
            last = at
            found.append(f"  ; {texts[at]}")
        found.append(_DEBUG.sub("", line))
    return "\n".join(found)


def told_machine(code: str, texts: Mapping[int, str]) -> str:
    """A function's machine assembly with the statement above the instructions from it."""
    found: list[str] = []
    at = last = -1
    for line in code.split("\n"):
        location = _LOC.match(line)
        if location:
            at = int(location[1]) - 1
            continue
        if _NOISE.match(line):
            continue
        is_code = line.startswith("\t") and not line.startswith("\t.")
        if is_code and at in texts and at != last:
            last = at
            found.append(f"\t# {texts[at]}")
        found.append(line)
    return "\n".join(found)


def statement_texts(kernel: Kernel) -> dict[int, str]:
    """``12: let v = ...`` by the number of a statement: its line in ``show(kernel)``, and it."""
    lines = show(kernel).split("\n")
    found: dict[int, str] = {}
    line = next((k for k, text in enumerate(lines) if _is_body(text)), 0)
    for number, s in enumerate(statements(kernel.body)):
        text = statement_line(s)
        while lines[line].strip() != text:
            line += 1
        found[number] = f"{line + 1}: {text}"
        line += 1
    return found


_HEADS = ("kernel ", "origin ", "line ", "read ", "write ", "function ", "give ")


def _is_body(text: str) -> bool:
    """Whether a line is none of the head of a kernel; bodies of functions are indented deeper."""
    depth = len(text) - len(text.lstrip())
    return depth == 4 and not text.lstrip().startswith(_HEADS)
