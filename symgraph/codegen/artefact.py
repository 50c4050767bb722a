"""Object code of a program: made once (``objects.optimize``), loaded in any later process.

``load`` puts an ``Artefact`` into memory that can be run; LLVM is not imported for it. The entry is
``int32 run(int64* buffers, int64* sizes, int64* facts)``: addresses of inputs, outputs and
temporaries, and after them, added by ``Loaded.call``, those of the library functions the artefact
needs. Objects hold no address, so they are good for every process on this kind of CPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any  # functions of ctypes

from symgraph.codegen import externals, heads
from symgraph.codegen.externals import CALL_COUNT, CODE
from symgraph.codegen.loader import Library, library
from symgraph.codegen.processor import processor_key
from symgraph.errors import ParseError, SymgraphError
from symgraph.fingerprint import fingerprint
from symgraph.loop import MAX_FACTS
from symgraph.records import dataclass

ENTRY = "run"
MAGIC = b"symgraph object 3\n"
_Entry = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, use_errno=False
)


@dataclass(frozen=True, slots=True)
class Artefact:
    """Object code, the name of its entry, and the library functions it is given pointers to.

    ``counters``: variables that count the lanes computed slowly, one for each function of kernels.
    ``gives_up``: loops of unknown length stop after as many turns as the first fact says, unless 0.
    ``stacked``: no caller needs to bring memory for temporaries.
    """

    image: bytes
    entry: str
    needs: tuple[str, ...]
    counters: tuple[str, ...] = ()
    gives_up: bool = False
    stacked: bool = False

    def to_bytes(self) -> bytes:
        """Magic line, fingerprint of the rest, head, object code."""
        lists = {"needs": self.needs, "counters": self.counters}
        flags = [int(self.gives_up), int(self.stacked)]
        rest = heads.line({"entry": [self.entry, *flags], **lists}) + self.image
        return MAGIC + fingerprint(rest).hex().encode() + b"\n" + rest

    @staticmethod
    def from_bytes(data: bytes) -> Artefact:
        """The artefact that ``to_bytes`` wrote; ParseError where a byte differs."""
        if not data.startswith(MAGIC):
            raise ParseError("this is not an object of symgraph")
        digest, _, rest = data[len(MAGIC) :].partition(b"\n")
        if fingerprint(rest).hex().encode() != digest:
            raise ParseError("this object is damaged: its digest differs")
        head, _, code = rest.partition(b"\n")
        found = heads.rows(head)
        entry, *flags = found["entry"]
        gives_up, stacked = (flag == "1" for flag in flags)
        needs, counters = tuple(found["needs"]), tuple(found["counters"])
        return Artefact(code, entry, needs, counters, gives_up, stacked)


def load(artefact: Artefact) -> Loaded:
    """The artefact as code that can be called."""
    return Loaded(artefact)


def target_key() -> str:
    """What object code of programs depends on: the processor, the kernels and this package."""
    return f"{processor_key()}|{_kernel_digest()}"


@cache
def _kernel_digest() -> str:
    """The digest of this package's and the kernels' source: they end up inside the code."""
    import importlib.util
    from pathlib import Path

    found: list[bytes] = []
    for package in ("symgraph_kernels", "symgraph.codegen", "symgraph.loop"):
        spec = importlib.util.find_spec(package)  # finds without importing numba
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            paths = sorted(Path(folder).glob("*.py"))
            found += [path.name.encode() + path.read_bytes() for path in paths]
    return fingerprint(*found).hex()


class Loaded:
    """Code in memory until ``close``; calls are re-entrant and release the GIL."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        self._needs = artefact.needs
        counters = self._counters = artefact.counters
        self._functions = tuple(map(externals.address, artefact.needs))
        linked = {name: externals.linked(name) for name in externals.LINKED} if counters else {}
        exports = [artefact.entry, *counters]
        self._library: Library | None = library(artefact.image, exports, linked)
        self._entry: Any = _Entry(self._library.address[artefact.entry])
        self._before: dict[str, int] = {}  # what the counters had counted for others

    def again(self) -> Loaded:
        """The same code for an equal function, whose counts begin at zero."""
        found: Loaded = object.__new__(Loaded)
        found.__dict__ |= self.__dict__
        found._before = {name: self._number(name) for name in self._counters}
        return found

    def call(self, pointers: Sequence[int], sizes: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """Runs it on addresses of inputs, outputs, temporaries: (0 or the code, facts)."""
        if self._library is None:
            raise SymgraphError("this code was closed")
        addresses = (*pointers, *self._functions)
        facts = (ctypes.c_int64 * MAX_FACTS)()
        code = self._entry(
            (ctypes.c_int64 * (len(addresses) or 1))(*addresses),
            (ctypes.c_int64 * (len(sizes) or 1))(*sizes),
            facts,
        )
        return code, tuple(facts)

    def counts(self) -> dict[str, int]:
        """How many lanes each function of kernels has computed slowly since this was made.

        All that share the code count together.
        """
        names = [name for name in self._counters if name != CALL_COUNT]
        return {name.removeprefix(CODE): self._counted(name) for name in names}

    def calls(self) -> int | None:
        """How often the program ran, where it has such functions and its backend counts that."""
        return self._counted(CALL_COUNT) if CALL_COUNT in self._counters else None

    def _counted(self, name: str) -> int:
        return self._number(name) - self._before.get(name, 0)

    def _number(self, name: str) -> int:
        if self._library is None:
            return 0
        return ctypes.c_int64.from_address(self._library.address[name]).value

    def addresses(self, threads: int) -> tuple[int, tuple[int, ...]]:
        """Where ``run`` is, and the functions that it is given, for so many threads (0: all)."""
        if self._library is None:
            raise SymgraphError("this code was closed")
        functions = tuple(externals.address(name, threads) for name in self._needs)
        return self._library.address[ENTRY], functions

    def to_bytes(self) -> bytes | None:
        """The artefact: object code with its digest."""
        return self.artefact.to_bytes()

    def close(self) -> None:
        """Gives the memory back, unless others share it; the code must not be running."""
        self._entry = self._library = None
