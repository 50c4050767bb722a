"""The times of a profile by node and by line, as colours of the page and of pictures.

The time of a step belongs to the values that it stores, in equal shares: those of its kernels, and
the results of its library calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from symgraph.runtime.profile import Profile
from symgraph.trace.trace import Trace

from .content import Heat

CALL = re.compile(r"\s*call (\w+)\(")
VIEW = re.compile(r"\s*view (\w+) = (\w+)\[")
LIBRARY = re.compile(r"\s*library \w+\(([^;)]*)")


def time_heat(trace: Trace, profile: Profile) -> Heat:
    """Nanoseconds by node; shares of all by line."""
    kernels = {kernel.name: kernel.nodes for kernel in trace.parts.kernels}
    buffers = {buffer.name: buffer.node for buffer in trace.parts.buffers}
    for match in filter(None, map(VIEW.match, trace.parts.program)):
        buffers[match[1]] = buffers.get(match[2], -1)
    of: dict[int, float] = {}
    for lines, row in zip(_steps(trace.parts.program), profile.rows, strict=False):
        nodes = dict.fromkeys(n for line in lines for n in _stored(line, kernels, buffers))
        for node in nodes:
            of[node] = of.get(node, 0.0) + row.elapsed_ns / len(nodes)
    total = max(1, profile.elapsed_ns)
    by_line = {(line.file, line.number): ns / total for line, ns in profile.by_line().items()}
    texts = {node: f"{ns / 1e3:.3g} µs" for node, ns in of.items()}
    return Heat("time", "ns", of, texts, by_line)


def _steps(program: tuple[str, ...]) -> Iterator[list[str]]:
    """The lines of each step of a program, with those inside it."""
    step: list[str] = []
    for line in program:
        if step and not line.startswith(" "):
            yield step
            step = []
        step.append(line)
    if step:
        yield step


def _stored(
    line: str, kernels: dict[str, tuple[int, ...]], buffers: dict[str, int]
) -> Iterator[int]:
    """The nodes whose values a line of a program stores."""
    call, library = CALL.match(line), LIBRARY.match(line)
    if call:
        yield from kernels.get(call[1], ())
    elif library:
        result = library[1].split(",")[-1].strip()
        if buffers.get(result, -1) >= 0:
            yield buffers[result]
