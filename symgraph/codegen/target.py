"""The processor that code is made for, as LLVM's target machine."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any  # llvmlite has no annotations

import llvmlite.binding as llvm

OPTIMIZE_LEVEL = 3
_lock = threading.Lock()


def machine() -> Any:
    """The LLVM target machine of this processor; shared, since LLJIT copies it."""
    with _lock:
        return _machine()


@cache
def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=OPTIMIZE_LEVEL,
        reloc="pic",
        codemodel="small",
        jit=True,
    )
