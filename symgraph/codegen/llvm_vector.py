"""What LLVM is told about loops so that it widens them well, as metadata.

A loop whose arithmetic is in float32 and whose sums are in float64 gets as many lanes as float32
has: LLVM would take the lanes of the widest type and leave half of each register empty. Loops that
are not short are not unrolled further: the vectorizer has already interleaved them.
"""

from __future__ import annotations

from symgraph.codegen.llvm_text import Module
from symgraph.codegen.target import vector_bytes
from symgraph.loop.ir import Cast, Const, Expr, For, While, Word
from symgraph.loop.traverse import expressions, postorder, statements
from symgraph_kernels.table import ROWS

SHORT = 32  # turns: up to there unrolling makes a loop disappear
INTERLEAVED = ((8, 4), (40, 2))  # (most instructions of a body, vectors a turn)
FUNCTION = 20  # instructions of an elementary function, about


def loop_note(loop: For, module: Module) -> str:
    """The metadata of an innermost loop of independent turns, or nothing."""
    inner = list(statements(loop.body))
    if any(isinstance(s, For | While) for s in inner):
        return ""
    facts = []
    roots = [x for s in inner for x in expressions(s)]
    if not (isinstance(loop.extent, Const) and loop.extent.value.real <= SHORT):
        facts.append('!"llvm.loop.unroll.disable"')
        facts.append(f'!"llvm.loop.interleave.count", i32 {_interleave(roots)}')
        if loop.kind == "vector" and _is_mixed(roots):
            facts.append(f'!"llvm.loop.vectorize.width", i32 {vector_bytes() // 4}')
    return module.loop_note(*facts) if facts else ""


def _interleave(roots: list[Expr]) -> int:
    """How many vectors a turn takes: more of short bodies, whose sums would wait for each other."""
    size = sum(_weight(x) for x in postorder(*roots))
    return next((count for most, count in INTERLEAVED if size <= most), 1)


def _weight(x: Expr) -> int:
    if not isinstance(x, Word):
        return 0
    return FUNCTION if x.name in ROWS else 1


def _is_mixed(roots: list[Expr]) -> bool:
    """Is there arithmetic in float32, and a float64 that it is converted to?"""
    narrow = wide = False
    for node in postorder(*roots):
        if isinstance(node, Word):
            narrow |= node.dtype.kind == "f" and node.dtype.itemsize == 4
        elif isinstance(node, Cast):
            wide |= node.dtype.kind == "f" and node.dtype.itemsize == 8
    return narrow and wide
