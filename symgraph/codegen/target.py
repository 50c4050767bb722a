"""The processor that code is made for, as LLVM's target machine."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any  # llvmlite has no annotations

import llvmlite.binding as llvm

from symgraph.codegen.processor import OPTIMIZE_LEVEL

_made = threading.local()  # machines of this thread, by level and kind of processor


def machine(level: int = OPTIMIZE_LEVEL, cpu: str = "") -> Any:
    """The LLVM target machine of this processor for this thread.

    ``level`` 0 to 3 is how hard instructions are selected and scheduled. ``cpu``: a kind of
    processor by LLVM's name, to read code for it.
    """
    found: dict[tuple[int, str], Any] = _made.__dict__.setdefault("machines", {})
    if (level, cpu) not in found:
        found[level, cpu] = _machine(level, cpu)
    return found[level, cpu]


@cache
def vector_bytes() -> int:
    """The width of the widest registers that code for this processor uses."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64
    return 32 if features.get("avx") else 16


def _machine(level: int, cpu: str) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=cpu or llvm.get_host_cpu_name(),
        features="" if cpu else llvm.get_host_cpu_features().flatten(),
        opt=level,
        reloc="pic",
        codemodel="small",
        jit=True,
    )
