"""Functions of kernels as LLVM text: one compare on the fast path, a call where a lane is in doubt.

``definition`` gives the text of ``sg.<name>(fast, doubt, arguments...)`` for a module, the same for
every route that ends in LLVM. The slow path stores the arguments and calls what ``CELL``
points to, the interpreter of ``symgraph_kernels.wide_llvm``, on numbers that say what to compute;
so a function costs a few dozen instructions to compile, however long it is, and the interpreter
nothing until a lane is in doubt (see ``runtime.rescue``). Forms for 2 to 16 lanes are named by
``vector-function-abi-variant``: a loop that calls a function still vectorizes, and a vector pays
one compare and branch unless one of its lanes is in doubt. They are written out where they are
called once loops are vectors (``objects.settle``); what they do then is a function of its own, so
that arguments are put together for lanes in doubt alone.

The functions say that they touch no memory, so that the vectorizer moves them. The one thing that
they touch is a count of lanes, which nothing else in the program reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from symgraph.codegen.externals import CELL, CODE, LATE, RESCUE
from symgraph.loop.ir import Function
from symgraph.loop.rescue import encode
from symgraph.records import dataclass

LANES = {8: (2, 4, 8), 4: (4, 8, 16)}  # by bytes of the result
_TYPES = {"float32": "float", "float64": "double"}
PURE = "noinline memory(none) nounwind willreturn"
COLD = f"{PURE} cold"
DECLARATION = f"@{CELL} = external global ptr"


@dataclass(frozen=True, slots=True)
class Definition:
    """LLVM text of a function: name, types as text, and what it needs above it in the module."""

    name: str
    result: str
    params: tuple[str, ...]
    code: str  # the global with its program
    forms: tuple[str, ...]  # vector forms
    text: str  # the function itself

    def parts(self) -> list[tuple[str, str]]:
        """(name, text) of all that a module needs."""
        forms = [(f"{self.name}.form{k}", text) for k, text in enumerate(self.forms)]
        declared = [(CELL, DECLARATION), (f"{CODE}{self.name}", self.code)]
        return [*declared, *forms, (self.name, self.text)]


def llvm_name(function: Function) -> str:
    """The name of a function in a module, without the @."""
    return f"sg.{function.name}"


def definition(function: Function) -> Definition:
    """The function with its program and its vector forms."""
    result = _TYPES[str(function.result.dtype)]
    params = (result, result, *(_TYPES[str(p.dtype)] for p in function.params))
    name = llvm_name(function)
    code = program(function)
    lanes = LANES[function.result.dtype.itemsize]
    forms = tuple(text for n in lanes for text in _vector(function, result, params, n))
    attributes = f"{vector_names(name, len(params), lanes)} {LATE} {PURE}"
    far, text = _scalar(function, result, params, attributes)
    return Definition(name, result, params, code, (*forms, far), text)


def program(function: Function) -> str:
    """The global that the interpreter reads; its first number counts lanes."""
    numbers = encode(function)
    values = ", ".join(f"i64 {n}" for n in numbers)
    return f"@{CODE}{function.name} = global [{len(numbers)} x i64] [{values}], align 64"


def vector_names(name: str, count: int, lanes: tuple[int, ...]) -> str:
    """The attribute that tells the vectorizer of the forms ``<name>.<lanes>``."""
    forms = ",".join(f"_ZGV_LLVM_N{n}{'v' * count}_{name}({name}.{n})" for n in lanes)
    return f'"vector-function-abi-variant"="{forms}"'


def _scalar(
    function: Function, result: str, params: tuple[str, ...], attributes: str
) -> tuple[str, str]:
    """(What is done in doubt, the function.)"""
    arguments = ", ".join(f"{kind} %a{k}" for k, kind in enumerate(params))
    name = llvm_name(function)
    far = [
        f"define internal {result} @{name}.far({arguments}) {COLD} {{",
        *room(len(params) - 2, 1),
        *_filled(params, 1),
        *interpreted(function, 1, "1"),
        *_given(result, "double"),
        f"  ret {result} %given",
        "}",
    ]
    lines = [
        f"define internal {result} @{name}({arguments}) {attributes} {{",
        f"  %sure = fcmp ole {result} %a1, 0.0",
        *_opened(result, f"{result} @{name}.far({arguments})"),
    ]
    return "\n".join(far), "\n".join(lines)


def _vector(
    function: Function, result: str, params: tuple[str, ...], lanes: int
) -> tuple[str, str]:
    """The form for some lanes, ``fast`` if no lane is in doubt, and what it does if one is.

    weak_odr, since nothing refers to it before the loop vectorizer looks for it by name.
    """
    kinds = [f"<{lanes} x {kind}>" for kind in params]
    arguments = ", ".join(f"{kind} %a{k}" for k, kind in enumerate(kinds))
    vector, wide = f"<{lanes} x {result}>", f"<{lanes} x double>"
    name = f"{llvm_name(function)}.{lanes}"
    far = [
        f"define internal {vector} @{name}.far({arguments}, i{lanes} %bits) {COLD} {{",
        *room(len(params) - 2, lanes),
        f"  %mask = zext i{lanes} %bits to i64",
        *_filled(params, lanes),
        *interpreted(function, lanes, "%mask"),
        *_given(vector, wide),
        f"  ret {vector} %given",
        "}",
    ]
    return vector_form(name, vector, arguments, lanes), "\n".join(far)


def vector_form(name: str, vector: str, arguments: str, lanes: int) -> str:
    """``fast`` if no lane is in doubt, else what ``<name>.far`` gives of the lanes in doubt."""
    return "\n".join([
        f"define weak_odr {vector} @{name}({arguments}) {LATE} {PURE} {{",
        f"  %unsure = fcmp ugt {vector} %a1, zeroinitializer",
        f"  %bits = bitcast <{lanes} x i1> %unsure to i{lanes}",
        f"  %sure = icmp eq i{lanes} %bits, 0",
        *_opened(vector, f"{vector} @{name}.far({arguments}, i{lanes} %bits)"),
    ])  # fmt: skip


def _opened(result: str, far: str) -> list[str]:
    return [
        '  br i1 %sure, label %done, label %slow, !prof !{!"branch_weights", i32 4096, i32 1}',
        "done:",
        f"  ret {result} %a0",
        "slow:",
        f"  %given = call {far}",
        f"  ret {result} %given",
        "}",
    ]


def interpreted(function: Function, lanes: int, mask: str) -> list[str]:
    """The call of the interpreter for the lanes of a mask."""
    code = f"@{CODE}{function.name}"
    return [
        f"  %interpreter = load ptr, ptr @{CELL}",
        f"  call void %interpreter(ptr {code}, ptr %args, ptr %out, i64 {lanes}, i64 {mask})",
    ]


def room(count: int, lanes: int) -> list[str]:
    """Places for the arguments and the results of some lanes."""
    return [
        f"  %args = alloca [{max(count, 1) * lanes} x double], align 64",
        f"  %out = alloca [{lanes} x double], align 64",
    ]


def _filled(params: tuple[str, ...], lanes: int) -> list[str]:
    """Stores the arguments, and the fast value where the result will be, in float64."""
    lines = []
    for k, kind in enumerate(params):
        if k == 1:
            continue  # the doubt
        vector = kind if lanes == 1 else f"<{lanes} x {kind}>"
        wide = "double" if lanes == 1 else f"<{lanes} x double>"
        value = f"%a{k}"
        if kind != "double":
            lines.append(f"  %w{k} = fpext {vector} %a{k} to {wide}")
            value = f"%w{k}"
        place = "%out"
        if k:
            lines.append(f"  %p{k} = getelementptr double, ptr %args, i64 {(k - 2) * lanes}")
            place = f"%p{k}"
        lines.append(f"  store {wide} {value}, ptr {place}, align 8")
    return lines


def _given(result: str, wide: str) -> list[str]:
    if result == wide:
        return [f"  %given = load {wide}, ptr %out, align 8"]
    load = f"  %found = load {wide}, ptr %out, align 8"
    return [load, f"  %given = fptrunc {wide} %found to {result}"]


def interpreter(tier: int) -> bytes:
    """An object image that exports ``symgraph_rescue``, with the operations of a tier.

    It takes 0.1 s for arithmetic, half a second for all, once per machine.
    """
    from symgraph.codegen.objects import compile_text
    from symgraph_kernels.wide_llvm import wide_module  # llvmlite's builders: 0.1 s

    return compile_text(wide_module(tier), [RESCUE])


def tier_of(operations: Iterable[int]) -> int:
    """The first tier that has the operations of a program."""
    from symgraph_kernels import wide_table

    return wide_table.tier_of(operations)
