"""What a ``Function`` means: its body in double-double arithmetic, and the choice of the lanes.

``verify_function`` checks one; ``run`` is the meaning that backends are tested against; ``encode``
gives the numbers that ``symgraph_kernels.wide_llvm`` interprets.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any  # NumPy scalars of any dtype, triples of them

import numpy as np

from symgraph.errors import VerifyError
from symgraph.loop.ir import Cast, Const, Expr, Function, Let, Load, Var, Word
from symgraph.loop.traverse import children, postorder
from symgraph.loop.words import convert, result_dtype

DType = np.dtype[np.generic]
MOST_INSTRUCTIONS = 400
_HIDDEN = frozenset(("series", "sine", "cosine", "log_far"))  # parts of other rows, no words
CONSTANT = 0  # the operation that is no row


def knows(word: str) -> bool:
    """Has double-double arithmetic this word?"""
    from symgraph_kernels.wide_table import WIDE_ROWS

    return word in WIDE_ROWS and word not in _HIDDEN


def result_of(function: Function, args: Sequence[DType]) -> DType:
    """The dtype of a word that is a function; VerifyError for arguments that do not fit."""
    dtype = function.result.dtype
    wanted = (dtype, dtype, *(p.dtype for p in function.params))
    if tuple(args) != wanted:
        raise VerifyError(f"{function.name} takes {', '.join(map(str, wanted))}")
    return dtype


def verify_function(function: Function) -> None:
    """Checks names, dtypes and words of a function."""
    where = f"function {function.name}"
    known = {p.name: p.dtype for p in function.params}
    if function.result.dtype.kind != "f":
        raise VerifyError(f"{where} gives {function.result.dtype}, not a float")
    for let in (*function.body, Let("", function.result)):
        for node in postorder(let.value):
            _check(node, known, where)
        if let.name in known:
            raise VerifyError(f"{where}: {let.name} is declared twice")
        known[let.name] = let.value.dtype
    if len(list(_nodes(function))) > MOST_INSTRUCTIONS:
        raise VerifyError(f"{where} is longer than {MOST_INSTRUCTIONS} instructions")


def _check(node: Expr, known: dict[str, DType], where: str) -> None:
    if isinstance(node, Load):
        raise VerifyError(f"{where} reads a buffer")
    if isinstance(node, Var) and (node.name not in known or known[node.name] != node.dtype):
        raise VerifyError(f"{where}: {node.name} is not in scope, or of another dtype")
    if isinstance(node, Word):
        if not knows(node.name):
            raise VerifyError(f"{where}: {node.name} is no word of double-double arithmetic")
        found = result_dtype(node.name, tuple(a.dtype for a in node.args), node.dtype)
        if found != node.dtype:
            raise VerifyError(f"{where}: {node.name} gives {found}, not {node.dtype}")


def _nodes(function: Function) -> list[Expr]:
    return list(postorder(*(let.value for let in function.body), function.result))


# Meaning -----------------------------------------------------------------------------------------


def run(function: Function, args: Sequence[Any]) -> Any:
    """The word of a function on NumPy scalars: (fast, doubt, *arguments)."""
    fast, doubt, *values = args
    if doubt <= 0 or not all(np.isfinite(v) for v in values):
        return fast
    found = accurate(function, values)
    return fast if np.isnan(found) else convert(found, function.result.dtype)


def accurate(function: Function, values: Sequence[Any]) -> Any:
    """The body in double-double arithmetic on finite numbers or arrays of them, in float64."""
    from symgraph_kernels import wide_plain

    named = {
        p.name: wide_plain.lift(np.asarray(v, np.float64))
        for p, v in zip(function.params, values, strict=True)
    }
    done: dict[int, Any] = {}
    for let in (*function.body, Let("", function.result)):
        for node in postorder(let.value):
            if id(node) not in done:
                done[id(node)] = _value(node, named, done)
        named[let.name] = done[id(let.value)]
    return wide_plain.drop(named[""])


def _value(node: Expr, named: dict[str, Any], done: dict[int, Any]) -> Any:
    from symgraph_kernels import wide_plain

    match node:
        case Var(name):
            return named[name]
        case Const():
            return triple(node)
        case Word(name):
            return wide_plain.evaluate(name, *(done[id(c)] for c in children(node)))
        case Cast(x, dtype):
            inner = done[id(x)]
            truncates = dtype.kind in "iu" and x.dtype.kind == "f"
            return wide_plain.evaluate("trunc", inner) if truncates else inner
    raise VerifyError("a function reads no buffer")


def triple(x: Const) -> Any:
    """A constant in double-double."""
    from symgraph_kernels.wide import Wide
    from symgraph_kernels.wide_functions import exact

    value = float(convert(x.value, x.dtype).real)
    if value == 0 or not np.isfinite(value):
        return Wide(value, 0.0, 0.0)
    return exact(Fraction(int(x.value.real) if x.dtype.kind in "iu" else value))


# Code --------------------------------------------------------------------------------------------


def encode(function: Function) -> tuple[int, ...]:
    """The program of a function for ``symgraph_rescue``: header, then five numbers a step."""
    from symgraph_kernels.wide_table import NUMBERS

    registers = {p.name: k for k, p in enumerate(function.params)}
    place: dict[int, int] = {}
    steps: list[tuple[int, ...]] = []
    target = len(registers)
    for let in (*function.body, Let("", function.result)):
        for node in postorder(let.value):
            if id(node) in place:
                continue
            operands = [place[id(c)] for c in children(node)]
            if isinstance(node, Var):
                place[id(node)] = registers[node.name]
                continue
            if isinstance(node, Cast) and not _truncates(node):
                place[id(node)] = operands[0]
                continue
            if isinstance(node, Const):
                steps.append((CONSTANT, target, *_bits(triple(node))))
            else:
                name = node.name if isinstance(node, Word) else "trunc"
                padded = [*operands, 0, 0][:3]
                steps.append((1 + NUMBERS[name], target, *padded))
            place[id(node)] = target
            target += 1
        registers[let.name] = place[id(let.value)]
    head = (0, len(function.params), len(steps), registers[""])
    return (*head, *(number for step in steps for number in step))


def _truncates(node: Cast) -> bool:
    return node.dtype.kind in "iu" and node.x.dtype.kind == "f"


def _bits(value: Any) -> tuple[int, int, int]:
    high, low = (int(np.asarray(part, np.float64).view(np.int64)) for part in value[:2])
    return high, low, int(value[2])
