"""Equal kernels become one function, and kernels that differ in numbers one function of these.

A deep network has hundreds of kernels and a dozen kinds of them; only one of each kind is written,
and LLVM's time is that of the kinds. ``loop.forms`` says which are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symgraph.codegen.llvm_expression import number
from symgraph.codegen.llvm_kernel import KernelText
from symgraph.codegen.llvm_text import Module, Value
from symgraph.loop.forms import Form, form_of
from symgraph.loop.ir import Const, Kernel
from symgraph.records import dataclass

MOST_NUMBERS = 64  # that a function takes as arguments
Group = Sequence[tuple[Kernel, Form]]


@dataclass(frozen=True, slots=True)
class Shared:
    """The function of a kernel, and the numbers that it is called with after all else."""

    function: KernelText
    numbers: tuple[Value, ...] = ()


def shared_functions(kernels: Iterable[Kernel], module: Module) -> dict[str, Shared]:
    """The function of every kernel, by the kernel's name; the module gets each function once."""
    alike: dict[str, list[tuple[Kernel, Form]]] = {}
    for kernel in kernels:
        form = form_of(kernel)
        alike.setdefault(form.text, []).append((kernel, form))
    found: dict[str, Shared] = {}
    for group in alike.values():
        found |= _of_numbers(group, module) or _equal(group, module)
    return found


def _of_numbers(group: Group, module: Module) -> dict[str, Shared] | None:
    """Kernels whose numbers differ as one function; None where that cannot be, or none differ.

    A kernel that spreads its loops is several functions, and keeps its numbers.
    """
    columns = zip(*(form.numbers for _, form in group), strict=True)
    unlike = [k for k, column in enumerate(columns) if len(set(column)) > 1]
    if not 0 < len(unlike) <= MOST_NUMBERS:
        return None
    first, form = group[0]
    made = KernelText(first, module, _at(form, unlike))
    made.write()
    if len(made.texts) > 1:
        return None
    module.functions += made.texts
    return {
        kernel.name: Shared(made, tuple(_value(c) for c in _at(own, unlike)))
        for kernel, own in group
    }


def _equal(group: Group, module: Module) -> dict[str, Shared]:
    """Kernels whose numbers are equal as one function each."""
    found: dict[str, Shared] = {}
    made: dict[tuple[str, ...], Shared] = {}
    for kernel, form in group:
        key = tuple(form.numbers)
        if key not in made:
            function = KernelText(kernel, module)
            function.write()
            module.functions += function.texts
            made[key] = Shared(function)
        found[kernel.name] = made[key]
    return found


def _at(form: Form, places: Sequence[int]) -> list[Const]:
    numbers = list(form.numbers.values())
    return [numbers[k] for k in places]


def _value(x: Const) -> Value:
    found = number(x.value, x.dtype)
    assert isinstance(found, Value)
    return found
