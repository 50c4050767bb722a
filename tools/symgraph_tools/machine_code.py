"""What machine assembly (x86-64 or AArch64) says of a kernel: widths, FMA, calls, spills, loops."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_WIDTHS = (("zmm", 64), ("ymm", 32), ("xmm", 16))  # bytes of a register
_PACKED = re.compile(r"^\s+v?(?:add|sub|mul|div|sqrt|max|min|fn?m(?:add|sub)\d*|and|or|xor)p[sd]\b")
_SCALAR = re.compile(r"^\s+v?(?:add|sub|mul|div|sqrt|max|min|fn?m(?:add|sub)\d*)s[sd]\b")
_FMA = re.compile(r"^\s+(?:vfn?m(?:add|sub)|fml[as]\b|fmadd)")
_CALL = re.compile(r"^\s+(?:call\w*|bl)\s+\*?\"?([\w.$@%]+)")
_SPILL = re.compile(r"-byte (?:Folded )?Spill")
_NEON = re.compile(r"^\s+f(?:add|mul|mla|mls|sub|div)\s+v\d+\.(\d+)([sd])")


@dataclass(frozen=True, slots=True)
class MachineCode:
    """Counts of instructions. ``vector_bytes``: of the widest arithmetic, 0 where all is scalar."""

    instructions: int
    vector_bytes: int
    packed: int
    scalar: int
    fma: int
    spills: int
    calls: tuple[str, ...]

    @property
    def width(self) -> str:
        """``32 bytes`` or ``scalar``."""
        return f"{self.vector_bytes} bytes" if self.vector_bytes else "scalar"


def read_assembly(text: str) -> MachineCode:
    """The facts of an assembly text."""
    counts: Counter[str] = Counter()
    widest, calls = 0, dict[str, None]()
    for line in text.splitlines():
        if line.startswith("\t") and not line.lstrip().startswith((".", "#", "//")):
            counts["all"] += 1
        counts["fma"] += bool(_FMA.match(line))
        counts["spills"] += bool(_SPILL.search(line))
        if _PACKED.match(line):
            counts["packed"] += 1
            widest = max([widest, *(w for name, w in _WIDTHS if name in line)])
        elif _NEON.match(line):
            counts["packed"] += 1
            widest = max(widest, 16)
        elif _SCALAR.match(line):
            counts["scalar"] += 1
        called = _CALL.match(line)
        if called and not called[1].startswith(("%", "part.")):
            calls[called[1]] = None
    return MachineCode(
        counts["all"],
        widest,
        counts["packed"],
        counts["scalar"],
        counts["fma"],
        counts["spills"],
        tuple(calls),
    )
