"""LLVM text to images: what all compiling goes through.

``optimize`` makes the ``Artefact`` of a program, ``compile_text`` and ``compile_straight`` images
of anything else; ``loader`` puts them into memory. An image holds no address, so it is good for
every process on this kind of CPU; what it leaves undefined is libc's, libm's, libpython's, or given
to the loader by name.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Sequence
from contextlib import closing
from functools import partial
from typing import Any  # llvmlite has no annotations

import llvmlite.binding as llvm

from symgraph.codegen import externals, llvm_pages, unlocked
from symgraph.codegen.ahead import side_by_side
from symgraph.codegen.artefact import ENTRY, Artefact
from symgraph.codegen.externals import CODE, LATE
from symgraph.codegen.link import is_known, link
from symgraph.codegen.llvm_pieces import Piece
from symgraph.codegen.processor import OPTIMIZE_LEVEL
from symgraph.codegen.target import machine
from symgraph.errors import SymgraphError

llvm_pages.ready()

# Of ``mode="quick"``. Scalar code (level 1, and 0) takes half of this, and 10 to 100 times as long
# in each call: a softmax of 512 rows by 4096 then takes 0.1 s, more than was saved.
QUICK_LEVEL, QUICK_SELECTION = 2, 1


def optimize(
    assembly: str | Sequence[Piece],
    needs: tuple[str, ...] = (),
    quick: bool = False,
    *,
    gives_up: bool = False,
    stacked: bool = False,
) -> Artefact:
    """The artefact of LLVM assembly that defines ``run``; everything else becomes internal.

    Pieces are compiled by a thread each. ``quick``: loops become vectors, but are neither unrolled
    nor interleaved, and instructions are selected and scheduled with less care. ``gives_up``,
    ``stacked``: see ``Artefact``.
    """
    parts = [Piece(assembly)] if isinstance(assembly, str) else assembly
    made = side_by_side([partial(_object, piece, quick) for piece in parts])
    objects = [data for data, _ in made]
    counters = tuple(name for _, names in made for name in names)
    image = link(*objects).to_bytes() if is_known(objects[0]) else objects[0]
    return Artefact(image, ENTRY, needs, counters, gives_up, stacked)


def _object(piece: Piece, quick: bool) -> tuple[bytes, list[str]]:
    """LLVM's object of a piece, and the counters that it defines."""
    with closing(llvm.parse_assembly(piece.text, llvm.create_context())) as module:
        module.verify()
        own = [g for g in module.global_variables if not g.is_declaration]
        counters = [g.name for g in own if g.name.startswith(CODE)]
        internalize(module, (ENTRY, *counters, *piece.exports))
        if piece.plain:
            target = machine(0)
        else:
            target = machine(QUICK_SELECTION if quick else OPTIMIZE_LEVEL)
            run_passes(module, target, QUICK_LEVEL if quick else OPTIMIZE_LEVEL, unrolls=not quick)
        _check_symbols(module, piece.imports)
        data = unlocked.emit_object(target, module)
    llvm_pages.release()
    return data, counters


def optimized_assembly(
    assembly: str, level: int = OPTIMIZE_LEVEL, cpu: str = ""
) -> tuple[str, str]:
    """(LLVM, machine assembly) after optimization: for reading, also for another processor."""
    module = llvm.parse_assembly(assembly, llvm.create_context())
    internalize(module, (ENTRY,))
    target = machine(cpu=cpu)
    run_passes(module, target, level)
    found = str(module), target.emit_assembly(module)
    module.close()
    return found


def compile_text(text: str, exports: Sequence[str], level: int = 1) -> bytes:
    """An object image of LLVM text; what is not exported becomes internal."""
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    internalize(module, exports)
    target = machine(level)
    run_passes(module, target, level)
    return _image(module, target)


def compile_straight(text: str) -> bytes:
    """An object image of text that is in its final shape but for stack slots: no other pass runs.

    Linkage is as written. A tenth of the time of ``compile_text`` at the level of programs.
    """
    module = _straightened(text)
    return _image(module, machine())


def straight_assembly(text: str) -> str:
    """The machine's assembly that ``compile_straight`` makes: for reading."""
    module = _straightened(text)
    found: str = machine().emit_assembly(module)
    module.close()
    return found


def _straightened(text: str) -> Any:
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    options = llvm.create_pipeline_tuning_options(1)
    with llvm.create_pass_builder(machine(), options) as builder:
        manager = llvm.create_new_module_pass_manager()
        manager.add_sroa_pass()
        manager.add_simplify_cfg_pass()
        manager.add_instruction_combine_pass()
        unlocked.run(manager, module, builder)
        _free(manager)
    return module


def internalize(module: Any, exports: Sequence[str]) -> None:
    """Makes every definition internal but those exported, and vector forms of functions.

    These (weak_odr) are called by nothing until the loop vectorizer looks for them by name.
    """
    for item in [*module.functions, *module.global_variables]:
        if item.is_declaration:
            continue
        if item.name in exports:
            item.linkage = "external"
        elif item.linkage != llvm.Linkage.weak_odr:
            item.linkage = "internal"


def run_passes(module: Any, target: Any, level: int, *, unrolls: bool = True) -> None:
    """LLVM's passes of a level (0 to 3), with loop vectorization from level 2.

    ``unrolls``: are loops then unrolled and interleaved too?
    """
    options = llvm.create_pipeline_tuning_options(level)
    options.loop_vectorization = level >= 2
    options.loop_unrolling = options.loop_interleaving = level >= 2 and unrolls
    options.slp_vectorization = False  # costs compile time, changed no measured kernel
    with llvm.create_pass_builder(target, options) as builder:
        manager = builder.getModulePassManager()
        unlocked.run(manager, module, builder)  # consumes it: a second run aborts the process
        _free(manager)
        _settle(module, builder)
    llvm_pages.release()


def _settle(module: Any, builder: Any) -> None:
    """Writes out the functions that had to be calls until loops were vectors; drops what is left.

    Vector forms of functions have no callers but those that the loop vectorizer made.
    """
    forms = [f for f in module.functions if f.linkage == llvm.Linkage.weak_odr]
    if not forms:
        return
    late = LATE.strip('"').encode()
    for function in module.functions:
        if not function.is_declaration and any(late in text for text in function.attributes):
            function.add_function_attribute("alwaysinline")
    for form in forms:
        form.linkage = "internal"
    manager = llvm.create_new_module_pass_manager()
    manager.add_always_inliner_pass()
    manager.add_global_dead_code_eliminate_pass()
    manager.run(module, builder)
    _free(manager)


def _free(manager: Any) -> None:
    """llvmlite's own ``close`` of a pass manager does nothing (80 KB each): its bases' order."""
    llvm.newpassmanagers.NewPassManager._dispose(manager)
    manager.detach()


def _image(module: Any, target: Any) -> bytes:
    """The image of a module, which is closed; LLVM's own object where ``link`` knows no such."""
    data = unlocked.emit_object(target, module)
    module.close()
    llvm_pages.release()
    return link(data).to_bytes() if is_known(data) else data


def _check_symbols(module: Any, given: Collection[str]) -> None:
    """Raises where the code needs a function that a fresh process would not have, nor is given."""
    process = ctypes.CDLL(None)
    for function in module.functions:
        name = function.name
        if not function.is_declaration or name.startswith("llvm."):
            continue
        if name in externals.LINKED or name in given:
            continue
        if name.startswith(("numba", "NRT", "_ZN", "Py")) or not hasattr(process, name):
            raise SymgraphError(f"compiled code needs {name}, which only numba's process has")
