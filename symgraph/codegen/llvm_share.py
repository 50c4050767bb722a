"""Equal kernels become one function, and kernels that differ in numbers one function of these.

A deep network has hundreds of kernels and a dozen kinds of them; LLVM's time is that of the kinds.
Kernels are compared as text: values in it are numbered, so that names of buffers do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from symgraph.codegen.llvm_kernel import KernelText
from symgraph.codegen.llvm_text import Module, Value
from symgraph.loop.ir import Kernel
from symgraph.records import dataclass

MOST_NUMBERS = 64  # that a function takes as arguments
_NUMBER = re.compile(r"0x[0-9A-F]{16}")
_TYPE = re.compile(r"\b(?:double|float)\b")


@dataclass(frozen=True, slots=True)
class Shared:
    """The function of a kernel, and the numbers that it is called with after all else."""

    function: KernelText
    numbers: tuple[Value, ...] = ()


def shared_functions(kernels: Iterable[Kernel], module: Module) -> dict[str, Shared]:
    """The function of every kernel, by the kernel's name; the module gets each function once."""
    alike: dict[str, list[KernelText]] = {}
    for kernel in kernels:
        made = KernelText(kernel, module)
        made.write()
        text = "\n".join(made.texts).replace(f".{kernel.name}", "")
        alike.setdefault(_NUMBER.sub("#", text), []).append(made)
    found: dict[str, Shared] = {}
    for group in alike.values():
        found |= _joined(group, module)
    return found


def _joined(group: Sequence[KernelText], module: Module) -> dict[str, Shared]:
    """Kernels whose texts differ in numbers at most."""
    numbers = [_NUMBER.findall("\n".join(made.texts)) for made in group]
    unlike = [k for k, column in enumerate(zip(*numbers, strict=True)) if len(set(column)) > 1]
    first = group[0]
    if len(first.texts) == 1 and len(unlike) <= MOST_NUMBERS:
        text, types = _with_parameters(first.texts[0], unlike)
        module.functions.append(text)
        return {
            made.kernel.name: Shared(first, tuple(map(Value, types, [own[k] for k in unlike])))
            for made, own in zip(group, numbers, strict=True)
        }
    found: dict[str, Shared] = {}
    same: dict[tuple[str, ...], KernelText] = {}
    for made, own in zip(group, numbers, strict=True):
        function = same.setdefault(tuple(own), made)
        if function is made:
            module.functions += made.texts
        found[made.kernel.name] = Shared(function)
    return found


def _with_parameters(text: str, places: Sequence[int]) -> tuple[str, list[str]]:
    """A function with the numbers at some places as parameters, and the types of these."""
    wanted, types, parts, end = set(places), list[str](), list[str](), 0
    for k, match in enumerate(_NUMBER.finditer(text)):
        if k in wanted:
            line = text.rfind("\n", 0, match.start())
            types.append(_TYPE.findall(text, line, match.start())[-1])
            parts += [text[end : match.start()], f"%n{len(types) - 1}"]
            end = match.end()
    changed = "".join([*parts, text[end:]])
    head, brace, body = changed.partition(") nounwind {")
    more = [f"{kind} %n{k}" for k, kind in enumerate(types)]
    comma = ", " if more and not head.endswith("(") else ""
    return head + comma + ", ".join(more) + brace + body, types
