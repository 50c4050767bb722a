"""LLVM text to object code, and object code into memory: what everything below Python goes through.

``compile_text`` makes an object image; ``Library`` links images into this process until ``close``.
Only LLJIT is used: MCJIT links a missing symbol as null, LLJIT raises. An image holds no address,
so it is good for every process on this kind of CPU; what it leaves undefined is libc's, libm's,
libpython's, or among the ``symbols`` given to ``Library``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any  # llvmlite has no annotations

import llvmlite.binding as llvm

from symgraph.codegen.target import machine
from symgraph.errors import ParseError


def compile_text(text: str, exports: Sequence[str], level: int = 1) -> bytes:
    """An object image of LLVM text; what is not exported becomes internal."""
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    internalize(module, exports)
    target = machine(level)
    run_passes(module, target, level)
    image: bytes = target.emit_object(module)
    module.close()
    return image


def compile_straight(text: str) -> bytes:
    """An object image of text that is in its final shape but for stack slots: no other pass runs.

    Linkage is as written. A tenth of the time of ``compile_text`` at the level of programs.
    """
    module = _straightened(text)
    image: bytes = machine().emit_object(module)
    module.close()
    return image


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
        manager.run(module, builder)
        _free(manager)
    return module


def internalize(module: Any, exports: Sequence[str]) -> None:
    """Makes every definition internal but those exported, and vector forms of functions.

    These (weak_odr) are called by nothing until the loop vectorizer looks for them by name.
    """
    for item in [*module.functions, *module.global_variables]:
        kept = item.name in exports or item.linkage == llvm.Linkage.weak_odr
        if not item.is_declaration and not kept:
            item.linkage = "internal"


def run_passes(module: Any, target: Any, level: int) -> None:
    """LLVM's passes of a level (0 to 3), with loop vectorization from level 2."""
    options = llvm.create_pipeline_tuning_options(level)
    loops = level >= 2
    options.loop_vectorization = options.loop_unrolling = options.loop_interleaving = loops
    options.slp_vectorization = False  # costs compile time, changed no measured kernel
    with llvm.create_pass_builder(target, options) as builder:
        manager = builder.getModulePassManager()
        manager.run(module, builder)  # consumes the manager: a second run aborts the process
        _free(manager)


def _free(manager: Any) -> None:
    """llvmlite's own ``close`` of a pass manager does nothing (80 KB each): its bases' order."""
    llvm.newpassmanagers.NewPassManager._dispose(manager)
    manager.detach()


class Library:
    """Object images linked together in memory until ``close``; ``address`` has what they export."""

    def __init__(
        self,
        images: Sequence[bytes],
        exports: Sequence[str],
        symbols: Mapping[str, int] | None = None,
    ) -> None:
        self._engine: Any = llvm.create_lljit_compiler(machine())
        builder = llvm.JITLibraryBuilder().add_current_process()
        for image in images:
            builder.add_object_img(image)
        for name, address in (symbols or {}).items():
            builder.import_symbol(name, address)
        for name in exports:
            builder.export_symbol(name)
        try:
            self._library: Any = builder.link(self._engine, "library")
        except RuntimeError as error:
            self._engine.close()
            self._engine = None
            raise ParseError(f"this object cannot be loaded: {error}") from error
        self.address: dict[str, int] = {name: self._library[name] for name in exports}

    def close(self) -> None:
        """Gives the memory back; nothing in it may be running."""
        engine, self._engine = self._engine, None
        if engine is not None:
            self._library.close()
            engine.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the end of the process LLVM may be gone already
            self.close()
