"""Which lines of the user's program each line of a kernel's source computes.

A local of a kernel holds the value of a node, or a part of it; a line is its node's lines, a loop
is those of what it holds, and a head those of the whole kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from symgraph.ir.origin import Line
from symgraph.trace.format import KernelRow
from symgraph.trace.trace import Trace

NEAR = 4  # how far up to look for a line
_WORD = re.compile(r"[^\W\d]\w*")
_STAGE = re.compile(r"(?:[a-z]+_)?(?:v|acc|next)(\d+)(?:_\w+)?")
MACHINE = ("llvm", "asm")  # their comments say which line of "ir" the code below is from
_FROM = re.compile(r"\s*[#;] (\d+): ")
_HEAD = re.compile(
    r"\s*(def |from |import |\"\"\"|#|@|kernel |read |write |local |return\b|line |origin |"
    r"function |give |let t\d|slow_\w+ = )"  # slow forms, which stand above the loops
)
_BLOCK = re.compile(r"\s*(for |while |if |else|parallel |serial |vector |with )")


def source_lines(
    trace: Trace, kernel: KernelRow, how: str = "py"
) -> list[tuple[str, tuple[Line, ...]]]:
    """Every line of a kernel's source ("py", "ir", "llvm" or "asm") with the user's lines."""
    if how in MACHINE:
        return _machine_lines(trace, kernel, how)
    texts = kernel.sources.get(how, "").rstrip("\n").split("\n")
    stages = _stages(kernel)
    found: list[tuple[Line, ...]] = []
    for text in texts:
        rows = _rows(text, kernel.locals, stages)
        lines = tuple(dict.fromkeys(line for k in rows for line in lines_near(trace, k)))
        found.append(kernel.lines if _HEAD.match(text) and not lines else lines)
    for number in range(len(texts) - 1, -1, -1):
        if _BLOCK.match(texts[number]) and not found[number]:
            found[number] = _of_block(texts, found, number)
    _fill(texts, found)
    return list(zip(texts, found, strict=True))


def _machine_lines(trace: Trace, kernel: KernelRow, how: str) -> list[tuple[str, tuple[Line, ...]]]:
    """Code below a comment is from the line of "ir" that it names; above all, of the kernel."""
    of = [lines for _, lines in source_lines(trace, kernel, "ir")]
    found: list[tuple[str, tuple[Line, ...]]] = []
    lines = kernel.lines
    for text in kernel.sources.get(how, "").rstrip("\n").split("\n"):
        match = _FROM.match(text)
        if match and 0 < int(match[1]) <= len(of):
            lines = of[int(match[1]) - 1]
        found.append((text, lines))
    return found


def lines_near(trace: Trace, key: int) -> tuple[Line, ...]:
    """The lines of a row; of what it reads or what reads it, where a stage did not say for what."""
    level = [key]
    for _ in range(NEAR):
        lines = tuple(dict.fromkeys(line for k in level for line in trace.rows[k].lines))
        if lines:
            return lines
        level = [i for k in level for i in trace.rows[k].inputs]
    readers = [row for row in trace.rows[key + 1 :] if key in row.inputs]
    return tuple(dict.fromkeys(line for row in readers for line in row.lines))


def coverage(trace: Trace) -> tuple[int, int]:
    """How many lines of kernels' source have a line of the user's, and how many there are."""
    pairs = [pair for kernel in trace.parts.kernels for pair in source_lines(trace, kernel)]
    full = [lines for text, lines in pairs if text.strip()]
    return sum(1 for lines in full if lines), len(full)


def _stages(kernel: KernelRow) -> dict[str, int]:
    """The row of each loop nest, by the number in the names of its locals."""
    found: dict[str, int] = {}
    for name, row in kernel.locals.items():
        match = _STAGE.fullmatch(name)
        if match:
            found[match[1]] = row
    return found


def _rows(text: str, held: Mapping[str, int], stages: Mapping[str, int]) -> list[int]:
    """Rows that a line is about: what it assigns, else what it reads."""
    words = _WORD.findall(text)
    if text.lstrip().startswith("let "):
        words = words[1:]
    for word in words:
        row = _row(word, held, stages)
        if row is not None:
            return [row]
    return []


def _row(word: str, held: Mapping[str, int], stages: Mapping[str, int]) -> int | None:
    if word in held:
        return held[word]
    match = _STAGE.fullmatch(word)
    return stages.get(match[1]) if match else None


def _of_block(texts: list[str], found: list[tuple[Line, ...]], number: int) -> tuple[Line, ...]:
    """What a loop holds."""
    own = _indent(texts[number])
    inner: dict[Line, None] = {}
    for text, lines in zip(texts[number + 1 :], found[number + 1 :], strict=True):
        if text.strip() and _indent(text) <= own:
            break
        inner |= dict.fromkeys(lines)
    return tuple(inner)


def _fill(texts: list[str], found: list[tuple[Line, ...]]) -> None:
    """Index arithmetic belongs to what follows it in its block, a state that moves on to both."""
    for number in range(len(texts) - 2, -1, -1):
        following = _beside(texts, number, 1)
        if not found[number] and following is not None and texts[number].strip():
            found[number] = found[following]
    for number, text in enumerate(texts):
        if not found[number] and text.strip():
            before = _beside(texts, number, -1)
            found[number] = found[before] if before is not None else ()


def _beside(texts: list[str], number: int, step: int) -> int | None:
    """The next line of the same block, or the one before."""
    own = _indent(texts[number])
    number += step
    while 0 <= number < len(texts) and (not texts[number].strip() or _indent(texts[number]) > own):
        number += step
    is_there = 0 <= number < len(texts) and _indent(texts[number]) == own
    return number if is_there else None


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
