"""Kernels and programs as text; ``parse`` reads back exactly what ``show`` wrote.

One line for each statement, blocks by indentation, words as calls::

    kernel scale(n)
        read x: float64[n]
        write y: float64[n]
        vector i < n
            let v = mul(x[i], 2.0)
            y[i] = v

Dtypes are written where they do not follow: on constants (``float32(0.1)``; a bare ``2`` is int64,
``2.0`` float64, ``true`` bool), casts (``cast[int8](v)``) and bitcasts. Bits survive: -0.0, inf,
and every NaN (``bits[float64](0x7ff8000000000001)``). What verifies can be read back; the text of
an IR with undeclared names or wrong dtypes is for people only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any  # NumPy scalars of any dtype

import numpy as np

from symgraph.loop.ir import (
    Assign,
    Bind,
    Branch,
    Buffer,
    Call,
    Cast,
    Check,
    Const,
    Copy,
    Expr,
    Fail,
    For,
    Function,
    If,
    Kernel,
    Let,
    Library,
    Load,
    Local,
    Loop,
    Program,
    Repeat,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    View,
    While,
    Word,
)
from symgraph.loop.traverse import children, postorder
from symgraph.loop.words import convert

INDENT = "    "
CANONICAL_NAN = {4: 0x7FC00000, 8: 0x7FF8000000000000}


def show(item: Kernel | Program) -> str:
    """The text of a kernel, or of a program with its kernels."""
    out: list[str] = []
    if isinstance(item, Kernel):
        _kernel(item, out)
    else:
        _program(item, out)
    return "\n".join(out) + "\n"


def same(x: Kernel | Program, y: Kernel | Program) -> bool:
    """Are two kernels or programs equal in structure and in every bit of their constants?"""
    return type(x) is type(y) and show(x) == show(y)


def show_expr(x: Expr) -> str:
    """The text of an expression."""
    texts: dict[int, str] = {}
    for node in postorder(x):
        args = ", ".join(texts[id(child)] for child in children(node))
        texts[id(node)] = _node(node, args)
    return texts[id(x)]


def _node(x: Expr, args: str) -> str:
    match x:
        case Const():
            return show_const(x)
        case Var(name=name):
            return name
        case Load(buffer=buffer):
            return f"{buffer}[{args}]"
        case Cast(dtype=dtype):
            return f"cast[{dtype}]({args})"
        case Word(name="bitcast", dtype=dtype):
            return f"bitcast[{dtype}]({args})"
    return f"{x.name}({args})"


def show_const(x: Const) -> str:
    """The text of a constant, bit for bit."""
    value = convert(x.value, x.dtype)
    if x.dtype.kind == "b":
        return "true" if value else "false"
    if x.dtype.kind == "c":
        part = np.dtype("float32" if x.dtype.itemsize == 8 else "float64")
        return f"{x.dtype}({_number(value.real, part)}, {_number(value.imag, part)})"
    text = _number(value, x.dtype)
    if str(x.dtype) in ("int64", "float64") or text.startswith("bits["):
        return text
    return f"{x.dtype}({text})"


def _number(value: Any, dtype: np.dtype[np.generic]) -> str:
    if dtype.kind in "iu":
        return str(int(value))
    if value != value:
        bits = int(np.asarray(value).view(f"uint{8 * dtype.itemsize}"))
        nan = CANONICAL_NAN[dtype.itemsize]
        return "nan" if bits == nan else f"bits[{dtype}]({bits:#x})"
    return repr(float(value))


def _list(xs: Iterable[Expr]) -> str:
    return ", ".join(show_expr(x) for x in xs)


def show_buffer(b: Buffer) -> str:
    """Name, dtype and shape."""
    return f"{b.name}: {b.dtype}[{_list(b.shape)}]"


def _kernel(kernel: Kernel, out: list[str]) -> None:
    out.append(f"kernel {kernel.name}({', '.join(kernel.sizes)})")
    if kernel.origin:
        out.append(f"{INDENT}origin {' '.join(map(str, kernel.origin))}")
    for file, number in kernel.lines:
        out.append(f"{INDENT}line {json.dumps(file)} {number}")
    for function in kernel.functions:
        out.extend(INDENT + line for line in show_function(function))
    for b in kernel.buffers:
        role = "write" if b.name in kernel.writes else "read"
        out.append(f"{INDENT}{role} {show_buffer(b)}")
    _block(kernel.body, INDENT, out)


def show_function(function: Function) -> list[str]:
    """The lines of a function."""
    params = ", ".join(f"{p.name}: {p.dtype}" for p in function.params)
    lines = [INDENT + statement_line(let) for let in function.body]
    return [
        f"function {function.name}({params})",
        *lines,
        f"{INDENT}give {show_expr(function.result)}",
    ]


def _block(body: tuple[Stmt, ...], indent: str, out: list[str]) -> None:
    for s in body:
        out.append(indent + statement_line(s))
        match s:
            case For(body=inner) | While(body=inner):
                _block(inner, indent + INDENT, out)
            case If(then=then, orelse=orelse):
                _block(then, indent + INDENT, out)
                if orelse:
                    out.append(f"{indent}else")
                    _block(orelse, indent + INDENT, out)


def statement_line(s: Stmt) -> str:
    """The first line of a statement."""
    match s:
        case Let(name, value):
            return f"let {name} = {show_expr(value)}"
        case Assign(name, value):
            return f"set {name} = {show_expr(value)}"
        case Store(buffer, index, value):
            return f"{buffer}[{_list(index)}] = {show_expr(value)}"
        case Update(buffer, index, op, value):
            return f"{op} {buffer}[{_list(index)}] = {show_expr(value)}"
        case Local(name, dtype, shape):
            return f"local {name}: {dtype}[{', '.join(map(str, shape))}]"
        case For(var, extent, _, kind):
            return f"{kind} {var} < {show_expr(extent)}"
        case While(cond=cond):
            return f"while {show_expr(cond)}"
        case If(cond=cond):
            return f"if {show_expr(cond)}"
        case Fail(code, args):
            return f"fail {code}({_list(args)})"
    raise TypeError(f"{s!r} is no statement")


def _program(program: Program, out: list[str]) -> None:
    out.append(f"program ({', '.join(program.sizes)})")
    for role in ("inputs", "outputs", "temporaries"):
        out.extend(f"{INDENT}{_ROLES[role]} {show_buffer(b)}" for b in getattr(program, role))
    _steps(program.steps, INDENT, out)
    for kernel in program.kernels:
        out.append("")
        _kernel(kernel, out)


_ROLES = {"inputs": "input", "outputs": "output", "temporaries": "temporary"}


def _steps(steps: tuple[Step, ...], indent: str, out: list[str]) -> None:
    for step in steps:
        out.append(indent + step_line(step))
        match step:
            case Repeat(steps=inner) | Loop(steps=inner):
                _steps(inner, indent + INDENT, out)
            case Branch(then=then, orelse=orelse):
                _steps(then, indent + INDENT, out)
                if orelse:
                    out.append(f"{indent}else")
                    _steps(orelse, indent + INDENT, out)


def step_line(step: Step) -> str:
    """The first line of a step."""
    match step:
        case Call(kernel, buffers, sizes):
            return f"call {kernel}({', '.join(buffers)}; {_list(sizes)})"
        case Library(name, buffers, sizes, attrs):
            given = "".join(f" {key}={value!r}" for key, value in attrs)
            return f"library {name}({', '.join(buffers)}; {_list(sizes)}){given}"
        case View(name, base, index, start):
            cut = "" if start is None else f" from {show_expr(start)}"
            return f"view {name} = {base}[{_list(index)}]{cut}"
        case Bind(name, buffer):
            return f"bind {name} = {buffer}"
        case Check(cond, code, args):
            return f"check {code}({_list(args)}) {show_expr(cond)}"
        case Repeat(var, extent, _, kind):
            word = "parallel" if kind == "parallel" else "repeat"
            return f"{word} {var} < {show_expr(extent)}"
        case Loop(cond, _):
            return f"loop {cond}"
        case Branch(cond=cond):
            return f"branch {cond}"
        case Copy(target, source):
            return f"copy {target} = {source}"
    raise TypeError(f"{step!r} is no step")
