"""LLVM's own loader, for objects that ``link`` does not know: other processors, other systems.

Only LLJIT is used: MCJIT links a missing symbol as null, LLJIT raises.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any  # llvmlite has no annotations

import llvmlite.binding as llvm

from symgraph.codegen.target import machine
from symgraph.errors import ParseError


class Linked:
    """An object linked by LLVM, in memory until ``close``; ``address`` has what it exports."""

    def __init__(self, image: bytes, exports: Sequence[str], symbols: Mapping[str, int]) -> None:
        self._engine: Any = llvm.create_lljit_compiler(machine())
        builder = llvm.JITLibraryBuilder().add_current_process().add_object_img(image)
        for name, address in symbols.items():
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
        if not sys.is_finalizing():  # LLVM may be gone already
            self.close()
