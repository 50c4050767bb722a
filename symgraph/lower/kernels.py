"""Statements as a kernel of the program, and the step that calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from symgraph.loop.ir import (
    Buffer,
    Call,
    Const,
    Copy,
    Expr,
    For,
    Function,
    Kernel,
    Load,
    Local,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    View,
    Word,
)
from symgraph.loop.traverse import blocks, children, postorder
from symgraph.loop.traverse import expressions as direct
from symgraph.lower.nest import expressions, flat, leaves
from symgraph.lower.stage import Stage, Storage
from symgraph.lower.words import WordBuilder

if TYPE_CHECKING:
    from symgraph.lower.program import Lowering


def call_of(
    lowering: Lowering,
    statements: Sequence[Stmt],
    stages: Sequence[Stage],
    boxes: Mapping[str, Storage],
    actual: Callable[[str], str],
    own_sizes: Mapping[str, Expr] | None = None,
    title: str = "",
) -> Call:
    """A call of a new kernel.

    ``boxes``: the buffers as the kernel sees them, by the names in its statements; ``actual``:
    which buffer is passed for a name; ``own_sizes``: sizes beside those of the program.
    """
    own_sizes = own_sizes or {}
    rows = {s.name for s in flat(statements) if isinstance(s, Local)}
    read, written, used = _uses(statements)
    writes = written.keys() - rows
    names = [n for n in (*read, *(n for n in written if n not in read)) if n not in rows]
    b = lowering.b
    buffers = tuple(
        Buffer(n, boxes[n].dtype, tuple(b.size(d) for d in boxes[n].shape)) for n in names
    )
    known = {*lowering.sizes.names.values(), *own_sizes}
    lengths = (d for buf in buffers for d in buf.shape if not isinstance(d, Const))
    used |= {e.name for e in leaves(lengths) if isinstance(e, Var)}
    sizes = tuple(sorted(used & known))
    kernel = Kernel(
        f"k{len(lowering.kernels)}_{title or _title(stages)}",
        buffers,
        sizes,
        frozenset(writes),
        tuple(statements),
        tuple(s.node.number for s in stages),
        _lines(stages),
        _functions(statements, b),
    )
    lowering.kernels.append(kernel)
    for stage in stages:
        lowering.notes.stage(stage)
    values = tuple(own_sizes[n] if n in own_sizes else b.var(n) for n in sizes)
    return Call(kernel.name, tuple(map(actual, names)), values)


def kernels_called(
    lowering: Lowering, first: int, steps: Sequence[Step]
) -> tuple[Kernel, ...] | None:
    """The kernels of steps, whose buffers have the names of what is passed.

    ``first``: the number of the first kernel that only these steps use. None where steps do more
    than call, view and copy, or a kernel is another's or sees its buffers by other names.
    """
    if any(not isinstance(s, Call | View | Copy) for s in steps):
        return None
    own = {k.name: k for k in lowering.kernels[first:]}
    calls = [s for s in steps if isinstance(s, Call)]
    found = tuple(own[c.kernel] for c in calls if c.kernel in own)
    passed = [tuple(box.name for box in k.buffers) for k in found]
    return found if passed == [c.buffers for c in calls] else None


def call_instead(
    lowering: Lowering,
    first: int,
    old: Sequence[Kernel],
    statements: Sequence[Stmt],
    title: str,
) -> Call:
    """A call of one kernel in the place of all from ``first`` on; it has the lines of ``old``."""
    del lowering.kernels[first:]
    made = call_of(lowering, statements, (), lowering.storages, lowering.actual, title=title)
    lowering.kernels[-1] = replace(
        lowering.kernels[-1],
        origin=tuple(dict.fromkeys(n for k in old for n in k.origin)),
        lines=tuple(dict.fromkeys(line for k in old for line in k.lines)),
    )
    return made


def _lines(stages: Iterable[Stage]) -> tuple[tuple[str, int], ...]:
    """The user's lines of all that stages compute, each once; what they read is none of that."""
    nodes = [n for s in stages for n in (s.node, *(let.node for let in s.lets)) if n is not None]
    nodes = [n for n in nodes if n.op.kind != "leaf"] or nodes
    return tuple(dict.fromkeys((line.file, line.number) for n in nodes for line in n.lines))


def _functions(statements: Sequence[Stmt], b: WordBuilder) -> tuple[Function, ...]:
    """The slow forms of guarded values that statements call."""
    if not b.functions:
        return ()
    names: dict[str, None] = {}
    for root in expressions(statements):
        is_short = all(type(x) is Var or type(x) is Const for x in children(root))
        for n in (root,) if is_short else postorder(root):
            if type(n) is Word and n.name in b.functions:
                names[n.name] = None
    return tuple(b.functions[name] for name in names)


Uses = tuple[dict[str, None], dict[str, None], set[str]]


def _uses(statements: Iterable[Stmt]) -> Uses:
    """Buffers read and buffers written, each as they first appear; and all variables.

    What a loop's own length reads is no buffer of its own: lengths are sizes.
    """
    found: Uses = {}, {}, set()
    _add_uses(statements, found)
    return found


def _add_uses(block: Iterable[Stmt], found: Uses) -> None:
    read, written, used = found
    for s in block:
        for inner in blocks(s):
            _add_uses(inner, found)
        is_loop = type(s) is For
        for e in leaves(direct(s)):
            if type(e) is Var:
                used.add(e.name)
            elif type(e) is Load and not is_loop:
                read.setdefault(e.buffer)
        if type(s) is Store or type(s) is Update:
            written.setdefault(s.buffer)


def _title(stages: Sequence[Stage]) -> str:
    names = list(dict.fromkeys(s.node.op.name for s in stages))
    return "_".join(names[:3]) if names else "empty"
