"""Why something is as it is in the end: apart, copied, stored, not in vectors, not repaired.

Each function gives sentences about rows of a trace. They are about the program that was made, so a
graph that was not compiled has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from symgraph.errors import ParseError
from symgraph.ir.op import find_op
from symgraph.loop.ir import Fail, Kernel
from symgraph.loop.parse import parse
from symgraph.loop.traverse import statements
from symgraph.rewrite.algebra import ALGEBRA
from symgraph.rewrite.canonicalize import CANONICALIZE
from symgraph.rewrite.pipeline import PIPELINE
from symgraph.trace.format import BufferRow, KernelRow
from symgraph.trace.loop_facts import loop_lines
from symgraph.trace.trace import Trace

TIDYING = frozenset(rule.name for rule in (*CANONICALIZE, *ALGEBRA))
MOST_LOOPS = 6
UNCOMPUTED = ("leaf", "index", "tuple")  # kinds of operations that name what others have made
# What an operation may do to an accurate input, in words.
HAZARDS: Mapping[str, str] = {
    "exp": "exp overflows above 709, and is 0 below -745",
    "expm1": "expm1 overflows above 709",
    "log": "near 1 a logarithm shows the rounding of what it reads",
    "log1p": "near -1 a logarithm shows the rounding of what it reads",
    "subtract": "a difference of nearly equal numbers keeps few of their digits",
    "divide": "0 by 0 is NaN, and a quotient has the errors of both",
    "sqrt": "a small negative number, which rounding may make of 0, has no root",
}
MENDING = (
    "symgraph check --only accuracy measures it; Mode(accuracy='high') computes doubtful results "
    "with twice the digits"
)


def apart(trace: Trace, keys: Iterable[int]) -> Iterator[str]:
    """Why rows are not in the loop of what they read, or of what reads them."""
    mine = set(keys)
    told = set()
    for row in trace.parts.apart:
        if row.node in mine or row.other in mine:
            told |= {(row.node, row.other), (row.other, row.node)}
            yield (
                f"{_named(trace, row.node)} is not in the loop of {_named(trace, row.other)}: "
                + (row.why)
            )
    routines = _routines(trace)
    for key in sorted(mine & routines.keys()):
        yield (
            f"{_named(trace, key)} is done by {routines[key]}, a routine of its own: it goes over "
            "its arrays in blocks, more than once, so that no other loop fits around it"
        )
    for key, other in _edges(trace, mine):
        if find_op(trace.rows[key].op).kind in UNCOMPUTED:
            continue
        if other in routines and (key, other) not in told and key not in routines:
            yield (
                f"{_named(trace, key)} is not in one loop with {_named(trace, other)}, "
                f"which {routines[other]} does, a routine of its own on whole arrays"
            )


def _edges(trace: Trace, keys: set[int]) -> Iterator[tuple[int, int]]:
    """Rows of ours with rows that they read, or that read them, in the end."""
    state = trace.state(len(trace.steps) - 1)
    for key in state.order():
        for read in state.reads(key):
            if key in keys:
                yield key, read
            if read in keys:
                yield read, key


def _routines(trace: Trace) -> dict[int, str]:
    """The library routine that makes each row, for those that one makes."""
    nodes = {buffer.name: buffer.node for buffer in trace.parts.buffers}
    found: dict[int, str] = {}
    for text in trace.parts.program:
        if text.strip().startswith("library "):
            name, _, rest = text.strip().removeprefix("library ").partition("(")
            result = rest.partition(";")[0].rpartition(",")[2].strip()
            if nodes.get(result, -1) >= 0:
                found[nodes[result]] = name
    return found


def _named(trace: Trace, key: int) -> str:
    row = trace.rows[key]
    return f"%{key} {row.names[0] if row.names else row.op}"


def memory(trace: Trace, key: int) -> Iterator[str]:
    """Where the value of a row is kept, and why it is copied."""
    for buffer in trace.parts.buffers:
        if buffer.node == key:
            yield _kept(buffer)
    yield from copies(trace, key)


def _kept(buffer: BufferRow) -> str:
    if buffer.role == "input":
        return f"is the argument {buffer.name}"
    first, last = buffer.first, buffer.last
    when = f"step {first}" if first == last else f"steps {first} to {last}"
    if buffer.role == "output":
        return f"is the result {buffer.name}, made in {when} of the program"
    return f"is stored in {buffer.name} (slot {buffer.slot} of the arena) for {when} of the program"


def copies(trace: Trace, key: int) -> Iterator[str]:
    """The copies of the value of a row, and why."""
    buffers = {b.name: b for b in trace.parts.buffers}
    for text in trace.parts.program:
        if not text.strip().startswith("copy "):
            continue
        target, _, source = text.strip().removeprefix("copy ").partition(" = ")
        if any(n in buffers and buffers[n].node == key for n in (target, source)):
            yield f"copied ({text.strip()}): {copy_reason(trace, source)}"


def copy_reason(trace: Trace, source: str) -> str:
    """Why a buffer is copied into another."""
    role = next((b.role for b in trace.parts.buffers if b.name == source), "temporary")
    if role == "input":
        return "an output is an array of its own, and this one is an argument"
    if role == "output":
        return "two outputs are the same value, and each is an array of its own"
    return "what a loop of steps carries from one turn to the next changes places"


def vectors(kernel: KernelRow) -> Iterator[str]:
    """The innermost loops of a kernel, and what keeps each from vectors."""
    found = _parsed(kernel.sources.get("ir", ""))
    if found is None:
        return
    if not found.writes and any(isinstance(s, Fail) for s in statements(found.body)):
        yield "computes nothing: it checks that all indices are in range, before others use them"
    loops = loop_lines(found.body)
    yield from loops[:MOST_LOOPS]
    if len(loops) > MOST_LOOPS:
        yield f"and {len(loops) - MOST_LOOPS} more loops"
    if not loops:
        yield "has no loop: it computes single numbers"


def is_computing(kernel: KernelRow) -> bool:
    """Whether it writes anything; others check indices."""
    found = _parsed(kernel.sources.get("ir", ""))
    return found is None or bool(found.writes)


@cache
def _parsed(text: str) -> Kernel | None:
    try:
        found = parse(text)
    except ParseError:  # files may hold anything, and old ones other words
        return None
    return found if isinstance(found, Kernel) else None


def not_repaired(trace: Trace, key: int) -> Iterator[str]:
    """For an operation that may lose digits or overflow: that no repair fits, and what helps."""
    op = trace.rows[key].op
    if op not in HAZARDS:
        return
    rules = [rule for step in PIPELINE for rule in step.rules if op in rule.ops and rule.needs]
    names = [n for n in dict.fromkeys(rule.name for rule in rules) if n not in TIDYING]
    if names:
        shown = ", ".join(names[:3])
        yield (
            f"left as {op}, though {HAZARDS[op]}: none of the {len(names)} repairs that begin at "
            f"{op} fits what it reads ({shown}, ...)"
        )
        yield MENDING
