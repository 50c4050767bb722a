"""The backend for the CPU: LLVM written directly from the loop IR, made into object code.

Neither numba nor SciPy is imported; LLVM itself comes with llvmlite.
"""

from __future__ import annotations

import re

from symgraph.codegen import artefact, llvm_debug, objects
from symgraph.codegen.ahead import ahead, compilers
from symgraph.codegen.library_calls import PRODUCTS
from symgraph.codegen.link import links
from symgraph.codegen.llvm_kernel import PREFIX
from symgraph.codegen.llvm_pieces import pieces
from symgraph.codegen.llvm_program import program_text
from symgraph.codegen.product_build import host_shape
from symgraph.codegen.product_parts import needed
from symgraph.loop.ir import Kernel, Program


def kernel_assembly(program: Program, cpu: str = "") -> dict[str, tuple[str, str]]:
    """(LLVM, machine assembly) of each kernel as it stands in the optimized program, by its name.

    With the functions that run its loops on several threads, and comments that say which statement
    instructions come from (``llvm_debug.py``). Where LLVM has made the kernel a part of something
    else, it is the whole program's. ``cpu``: another kind of processor, by LLVM's name.
    """
    text = program_text(program, marked=True)
    llvm, machine = objects.optimized_assembly(llvm_debug.located(text.assembly), cpu=cpu)
    places, found = llvm_debug.places_of(llvm), {}
    how = re.DOTALL | re.MULTILINE
    for kernel in program.kernels:
        if kernel.name not in text.names:
            continue
        statements = llvm_debug.statement_texts(kernel)
        name = rf'"?(?:{PREFIX}|part\.|body\.){re.escape(text.names[kernel.name])}(?:\.\d+)?"?'
        bodies = re.findall(rf"^define [^\n]*@{name}\(.*?^}}", llvm, how)
        codes = re.findall(rf"^{name}:.*?^\.Lfunc_end", machine, how)
        found[kernel.name] = (
            llvm_debug.told_llvm("\n\n".join(bodies) or llvm, places, statements),
            llvm_debug.told_machine("\n\n".join(codes) or machine, statements),
        )
    return found


def assembly(program: Program) -> tuple[str, str]:
    """(LLVM assembly, machine assembly) of a program, optimized: for reading."""
    return objects.optimized_assembly(program_text(program).assembly)


def products(program: Program) -> dict[str, str]:
    """The products a program needs -> the same with no more than it calls."""
    found = needed(program, host_shape)
    return {PRODUCTS[x]: f"{PRODUCTS[x]} {','.join(sorted(names))}" for x, names in found.items()}


class _Llvm:
    name = "llvm"

    def target(self) -> str:
        return artefact.target_key()

    def compile(self, program: Program, quick: bool = False) -> artefact.Loaded:
        named = products(program)
        with ahead(named.values()):
            text = program_text(program)
            needs = tuple(named.get(symbol, symbol) for symbol in text.needs)
            flags = {"gives_up": text.gives_up, "stacked": text.stacked}
            parts = pieces(text.module, compilers()) if links() else text.assembly
            made = objects.optimize(parts, needs, quick, **flags)
        return artefact.load(made)

    def restore(self, program: Program, data: bytes) -> artefact.Loaded:
        return artefact.load(artefact.Artefact.from_bytes(data))

    def source(self, kernel: Kernel) -> str:
        from symgraph.codegen.python_kernel import kernel_source  # only for who reads it

        return kernel_source(kernel)


BACKEND = _Llvm()
