"""Slow functions of float32 as LLVM text: their body in float64, which is accurate enough mostly.

``short_definition`` is to ``rescue.definition`` what a few instructions are to the interpreter of
double-double: the function that it gives costs a flagged lane some ten nanoseconds. The body stands
in a function of its own, ``<name>.slow``, which vector forms call lane by lane. The bound that made
the lane doubtful tells whether float64 has digits enough: where it does not (what cancels is 2**25
times as large as what is left), the lane goes on to the interpreter.
"""

from __future__ import annotations

from typing import Any  # NumPy scalars

import numpy as np

from symgraph.codegen.externals import CODE, LATE
from symgraph.codegen.llvm_expression import Expressions
from symgraph.codegen.llvm_text import Builder, Module, Value
from symgraph.codegen.rescue import (
    COLD,
    LANES,
    PURE,
    Definition,
    interpreted,
    llvm_name,
    program,
    room,
    vector_form,
    vector_names,
)
from symgraph.loop.ir import Cast, Const, Expr, Function, Var, Word
from symgraph.loop.traverse import rebuild

LIMIT = 512.0  # at least the half ulps that an error may reach before a lane is in doubt
FLOAT32, FLOAT64 = np.dtype("float32"), np.dtype("float64")


def is_short(function: Function) -> bool:
    """Is it a function of float32 alone?"""
    return all(x.dtype == FLOAT32 for x in (function.result, *function.params))


def short_definition(function: Function, module: Module) -> Definition:
    """The function with its vector forms; the elementary functions in it join the module."""
    name, count = llvm_name(function), len(function.params)
    code = program(function)
    forms = [_slow(function, module)]
    forms += [text for lanes in LANES[4] for text in _vector(name, count, lanes)]
    mangled = vector_names(name, count + 2, LANES[4])
    params = ", ".join(f"float %a{k}" for k in range(count + 2))
    given = ", ".join(f"float %a{k}" for k in range(count + 2))
    text = f"""define internal float @{name}({params}) {mangled} {LATE} {PURE} {{
entry:
  %sure = fcmp ole float %a1, 0.0
  br i1 %sure, label %done, label %slow
done:
  ret float %a0
slow:
  %found = call float @{name}.slow({given})
  ret float %found
}}"""
    return Definition(name, "float", ("float",) * (count + 2), code, tuple(forms), text)


def _slow(function: Function, module: Module) -> str:
    """The body: the fast value stays where an argument is not finite or the result is NaN.

    The doubt is bound - limit * |fast|, of a limit of at most ``LIMIT``, in half ulps of float32.
    """
    b = Builder(module)
    b.calls_note = " noinline"
    module.declare("@llvm.fabs.f64", "double", ["double"])
    e = Expressions(b)
    lines = []
    differences = []
    for k, param in enumerate(function.params):
        lines.append(f"  %w{k} = fpext float %x{k} to double")
        lines.append(f"  %d{k} = fsub double %w{k}, %w{k}")
        differences.append(f"%d{k}")
        e.values[param.name] = Value("double", f"%w{k}")
    for let in function.body:
        e.values[let.name] = e.write(widened(let.value))[0]
    result = e.one(widened(function.result))
    total = "0.0"
    for k, d in enumerate(differences):
        lines.append(f"  %s{k} = fadd double {total}, {d}")
        total = f"%s{k}"
    count = len(function.params)
    params = ", ".join(["float %fast", "float %doubt", *(f"float %x{k}" for k in range(count))])
    return "\n".join([
        f"define internal float @{llvm_name(function)}.slow({params}) noinline nounwind {{",
        "entry:",
        *room(count, 1),
        *lines,
        *b.lines,
        f"  %narrow = fptrunc double {result.text} to float",
        f"  %number = fcmp ord double {total}, {result.text}",
        "  br i1 %number, label %found, label %given",
        "found:",
        *_enough(result.text),
        "  br i1 %enough, label %given, label %far",
        "given:",
        f"  %lanes = atomicrmw add ptr @{CODE}{function.name}, i64 1 monotonic",
        "  %result = select i1 %number, float %narrow, float %fast",
        "  ret float %result",
        "far:",
        *_stored(count),
        *interpreted(function, 1, "1"),
        "  %accurate = load double, ptr %out, align 8",
        "  %last = fptrunc double %accurate to float",
        "  ret float %last",
        "}",
    ])  # fmt: skip


def _enough(found: str) -> list[str]:
    """Is the bound, of float64 now, below a 16th of a half ulp of float32?"""
    return [
        "  %fast64 = fpext float %fast to double",
        "  %doubt64 = fpext float %doubt to double",
        "  %size = call double @llvm.fabs.f64(double %fast64)",
        f"  %allowed = fmul double %size, {LIMIT}",
        "  %bound = fadd double %doubt64, %allowed",
        f"  %left = call double @llvm.fabs.f64(double {found})",
        f"  %most = fmul double %left, {2.0**25}",
        "  %enough = fcmp ole double %bound, %most",
    ]


def _stored(count: int) -> list[str]:
    """The arguments, and the fast value where the result will be."""
    lines = ["  store double %fast64, ptr %out, align 8"]
    for k in range(count):
        lines.append(f"  %p{k} = getelementptr double, ptr %args, i64 {k}")
        lines.append(f"  store double %w{k}, ptr %p{k}, align 8")
    return lines


def _vector(name: str, count: int, lanes: int) -> tuple[str, str]:
    vector = f"<{lanes} x float>"
    params = ", ".join(f"{vector} %a{k}" for k in range(count + 2))
    rows = list(range(count + 2))
    room = [f"  %r{k} = alloca {vector}, align 64" for k in rows]
    stores = [f"  store {vector} %a{k}, ptr %r{k}, align 64" for k in rows]
    places = [f"  %p{k} = getelementptr float, ptr %r{k}, i64 %i" for k in rows]
    loads = [f"  %v{k} = load float, ptr %p{k}, align 4" for k in rows]
    given = ", ".join(f"float %v{k}" for k in rows)
    far = "\n".join([
        f"define internal {vector} @{name}.{lanes}.far({params}, i{lanes} %bits) {COLD} {{",
        "slow:",
        *room,
        *stores,
        f"  %mask = zext i{lanes} %bits to i64",
        "  br label %head",
        "head:",
        "  %i = phi i64 [0, %slow], [%next, %tail]",
        "  %shifted = lshr i64 %mask, %i",
        "  %bit = trunc i64 %shifted to i1",
        "  br i1 %bit, label %lane, label %tail",
        "lane:",
        *places,
        *loads,
        f"  %found = call float @{name}.slow({given})",
        "  store float %found, ptr %p0, align 4",
        "  br label %tail",
        "tail:",
        "  %next = add i64 %i, 1",
        f"  %more = icmp ult i64 %next, {lanes}",
        "  br i1 %more, label %head, label %last",
        "last:",
        f"  %result = load {vector}, ptr %r0, align 64",
        f"  ret {vector} %result",
        "}",
    ])  # fmt: skip
    return vector_form(f"{name}.{lanes}", vector, params, lanes), far


def widened(x: Expr) -> Expr:
    """An expression of float32 in float64, its constants as they are."""

    def change(node: Expr) -> Expr:
        if isinstance(node, Cast):
            return node.x if node.dtype == FLOAT32 and node.x.dtype == FLOAT64 else node
        if node.dtype != FLOAT32:
            return node
        match node:
            case Const(value, _):
                wide: Any = FLOAT64.type(FLOAT32.type(value))  # type: ignore[arg-type]
                return Const(wide, FLOAT64)
            case Var(name, _):
                return Var(name, FLOAT64)
            case Word(name, args, _):
                return Word(name, args, FLOAT64)
        return node

    return rebuild(x, change)
