"""The blocks of a kernel's code and the jumps between them, as DOT text.

Read from LLVM text whose comments name the statements that instructions come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FUNCTION = re.compile(r'define [^\n]*@"?([\w.$-]+)')
_LABEL = re.compile(r'^"?([\w.$-]+)"?:')
_JUMP = re.compile(r'label %"?([\w.$-]+)"?')
_STATEMENT = re.compile(r"\s*; (\d+: .*)")
MOST_STATEMENTS, LONGEST = 8, 56


@dataclass(slots=True)
class Block:
    """Instructions that run one after the other: how many, of which statements, and what next."""

    name: str
    count: int = 0
    statements: list[str] = field(default_factory=list)
    then: list[str] = field(default_factory=list)


def functions_of(llvm: str) -> Iterator[tuple[str, list[Block]]]:
    """The functions of a text with their blocks, in order."""
    name, blocks = "", list[Block]()
    for line in llvm.split("\n"):
        define, label = _FUNCTION.match(line), _LABEL.match(line)
        if define:
            name, blocks = define[1], []
        elif label and name:
            blocks.append(Block(label[1]))
        elif line == "}" and name:
            yield name, blocks
            name = ""
        elif blocks and name:
            _add(blocks[-1], line)


def _add(block: Block, line: str) -> None:
    statement = _STATEMENT.match(line)
    if statement:
        if statement[1] not in block.statements:
            block.statements.append(statement[1])
    elif line.strip():
        block.count += 1
        if line.lstrip().startswith(("br ", "switch ")):
            block.then += _JUMP.findall(line)


def flow_dot(llvm: str) -> str:
    """DOT with a frame for each function, and a box for each block."""
    lines = ["digraph flow {", '  node [shape=box, fontname="monospace", fontsize=10];']
    for number, (name, blocks) in enumerate(functions_of(llvm)):
        lines.append(f"  subgraph cluster_{number} {{ label={_quoted(name)};")
        for block in blocks:
            shown = [text[:LONGEST] for text in block.statements[:MOST_STATEMENTS]]
            if len(block.statements) > MOST_STATEMENTS:
                shown.append(f"... {len(block.statements) - MOST_STATEMENTS} more")
            text = "\n".join([f"{block.name}: {block.count} instructions", *shown])
            lines.append(f"    {_quoted(f'{number}.{block.name}')} [label={_quoted(text, 'l')}];")
        for block in blocks:
            ends = (_quoted(f"{number}.{then}") for then in dict.fromkeys(block.then))
            own = _quoted(f"{number}.{block.name}")
            lines += [f"    {own} -> {end};" for end in ends]
        lines.append("  }")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str, justify: str = "n") -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", f"\\{justify}") + ('\\l"' if justify == "l" else '"')
