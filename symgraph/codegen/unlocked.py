"""LLVM's two long calls without the lock that llvmlite holds around every call: on several threads.

LLVM itself asks for no lock between modules of different contexts and machines that no two threads
share, and ``target.machine`` gives each thread its own. All short calls go through llvmlite.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any  # functions of ctypes, objects of llvmlite

from llvmlite.binding import ffi


def run(manager: Any, module: Any, builder: Any) -> None:
    """Runs a manager of passes on a module: ``manager.run(module, builder)``."""
    _library().LLVMPY_RunNewModulePassManager(manager, module, builder)


def emit_object(machine: Any, module: Any) -> bytes:
    """The object of a module: ``machine.emit_object(module)``."""
    with ffi.OutputString() as error:
        buffer = _library().LLVMPY_TargetMachineEmitToMemory(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


@cache
def _library() -> Any:
    """The library that llvmlite has loaded, with types for what is called here."""
    found = ctypes.CDLL(ffi.lib._name)
    for name in ("LLVMPY_RunNewModulePassManager", "LLVMPY_TargetMachineEmitToMemory"):
        locked, function = getattr(ffi.lib, name), getattr(found, name)
        function.argtypes, function.restype = locked.argtypes, locked.restype
    return found
