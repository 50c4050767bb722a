"""Which processor code is for, and which LLVM made it, told without importing LLVM."""

from __future__ import annotations

import platform
import sys
from functools import cache
from importlib.util import find_spec

OPTIMIZE_LEVEL = 3  # of programs
_TOLD = "/proc/cpuinfo"
_START = 1 << 12  # bytes of it that describe the first processor, whose flags are 2,000
# lines of a processor's description that code depends on: of x86, and of ARM
_LINES = frozenset(
    (
        *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
        *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features"),
    )
)


@cache
def processor_key() -> str:
    """What object code depends on besides its source: processor and LLVM.

    The processor's features are in it because a virtual machine may mask some.
    """
    return "|".join((sys.platform, platform.machine(), _processor(), _llvm(), str(OPTIMIZE_LEVEL)))


def _processor() -> str:
    """The first processor as Linux describes it; elsewhere as LLVM does."""
    try:
        with open(_TOLD, "rb", buffering=0) as file:
            block = file.read(_START).partition(b"\n\n")[0].decode("utf-8", "replace")
    except OSError:
        return _told_by_llvm()
    pairs = (line.partition(":") for line in block.splitlines())
    return ";".join(f"{n.strip()}={v.strip()}" for n, _, v in pairs if n.strip() in _LINES)


def _told_by_llvm() -> str:
    import llvmlite.binding as llvm  # no annotations

    features = llvm.get_host_cpu_features().flatten()
    return f"{llvm.get_process_triple()};{llvm.get_host_cpu_name()};{features}"


def _llvm() -> str:
    """The version file of llvmlite, which brings LLVM."""
    spec = find_spec("llvmlite")  # finds without importing
    if spec is None or spec.origin is None:
        return "no llvmlite"
    with open(spec.origin.removesuffix("__init__.py") + "_version.py", "rb") as file:
        return file.read().hex()
