"""From relocatable objects (ELF, x86-64) to an ``Image``: what a linker does, when compiling.

LLVM's code reaches its own constants and data by distances, calls others through stubs, and finds
their data in a table of addresses: position-independent code of the small model, so that four kinds
of relocation are all there is. Anything else is refused, as are thread-local and weak undefined
symbols: nothing is ever linked as null. Unwind tables are left out; no exception passes this code.
"""

from __future__ import annotations

import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from symgraph.codegen.image import MOST_BYTES, PAGE, WORD, Image, starts
from symgraph.errors import ParseError
from symgraph.records import dataclass, field

_IDENTITY = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
_RELOCATABLE, _X86_64 = 1, 62
_PROGBITS, _SYMBOLS, _RELOCATIONS, _NOBITS, _UNWIND = 1, 2, 4, 8, 0x70000001
_WRITE, _ALLOCATE, _EXECUTE, _THREADS = 1, 2, 4, 1 << 10
_GLOBAL = 1  # binding
_HIDDEN = 2  # visibility
_UNDEFINED, _RESERVED = 0, 0xFF00  # section numbers
# kinds of relocation: an address; distances to a symbol, to its stub, to its word in the table
_ADDRESS, _DISTANCE, _CALL = 1, 2, 4
_TABLE = frozenset((9, 41, 42))
CODE, CONSTANTS, DATA = range(3)
_JUMP = b"\xff\x25"  # jmp *distance(%rip)
_STUB = 8  # bytes


class _Section(NamedTuple):
    name: str
    kind: int
    flags: int
    content: bytes
    size: int
    link: int
    info: int
    align: int


class _Symbol(NamedTuple):
    name: str
    binding: int
    section: int
    value: int
    hidden: bool  # from all but the objects that are linked together


class _Relocation(NamedTuple):
    section: int
    offset: int
    kind: int
    symbol: _Symbol
    addend: int


def is_known(data: bytes) -> bool:
    """Is this an object that ``link`` makes an image of, for this system?"""
    return sys.platform == "linux" and data.startswith(_IDENTITY) and data[18:20] == b"\x3e\x00"


def links() -> bool:
    """Does LLVM make objects that ``link`` knows here?"""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def link(*objects: bytes) -> Image:
    """The image of objects together, each of which may use what another defines.

    Raises: ParseError if one is damaged, defines what another does, or needs more than done here.
    """
    sections: list[_Section] = []
    symbols: list[_Symbol] = []
    relocations: list[_Relocation] = []
    try:
        for data in objects:
            own = _sections(data)
            named = [_moved(symbol, len(sections)) for symbol in _symbols(own)]
            relocations += _relocations(own, named, len(sections))
            sections += own
            symbols += named
        return _Linker(sections, symbols, _resolved(relocations, symbols)).image()
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ParseError(f"this object cannot be loaded: {error}") from error


def _moved(symbol: _Symbol, first: int) -> _Symbol:
    """The symbol, where its object's sections begin at number ``first``."""
    if symbol.section == _UNDEFINED or symbol.section >= _RESERVED:
        return symbol
    return symbol._replace(section=symbol.section + first)


def _resolved(
    relocations: Sequence[_Relocation], symbols: Sequence[_Symbol]
) -> Sequence[_Relocation]:
    """Relocations for what is defined in another object."""
    own = [s for s in symbols if s.binding == _GLOBAL and s.section != _UNDEFINED]
    found = {symbol.name: symbol for symbol in own}
    if len(found) != len(own):
        raise _refusal("a name is defined twice")
    undefined = [s for s in symbols if s.section == _UNDEFINED and s.name in found]
    if not undefined:
        return relocations
    return [
        r._replace(symbol=found.get(r.symbol.name, r.symbol))
        if r.symbol.section == _UNDEFINED
        else r
        for r in relocations
    ]


def _refusal(what: str) -> ParseError:
    return ParseError(f"this object cannot be loaded: {what}")


# ---------------------------------------------------------------- reading


def _sections(data: bytes) -> list[_Section]:
    if not data.startswith(_IDENTITY):
        raise _refusal("it is no ELF object")
    kind, processor = struct.unpack_from("<HH", data, 16)
    if (kind, processor) != (_RELOCATABLE, _X86_64):
        raise _refusal("it is no relocatable object for x86-64")
    (at,) = struct.unpack_from("<Q", data, 40)
    width, count, names = struct.unpack_from("<HHH", data, 58)
    rows = [struct.unpack_from("<IIQQQQIIQQ", data, at + width * k) for k in range(count)]
    texts = _content(data, rows[names][1], rows[names][4], rows[names][5])
    found = []
    for name, kind, flags, _, offset, size, below, info, align, _ in rows:
        content = _content(data, kind, offset, size)
        found.append(
            _Section(_text(texts, name), kind, flags, content, size, below, info, align or 1)
        )
    return found


def _content(data: bytes, kind: int, offset: int, size: int) -> bytes:
    if kind == _NOBITS:
        return b""
    if offset + size > len(data):
        raise _refusal("it is cut off")
    return data[offset : offset + size]


def _text(texts: bytes, at: int) -> str:
    end = texts.find(b"\0", at)
    if end < 0:
        raise _refusal("a name has no end")
    return texts[at:end].decode()


def _symbols(sections: Sequence[_Section]) -> list[_Symbol]:
    tables = [s for s in sections if s.kind == _SYMBOLS]
    if len(tables) != 1:
        raise _refusal(f"it has {len(tables)} tables of symbols")
    texts = sections[tables[0].link].content
    return [
        _Symbol(_text(texts, name), info >> 4, section, value, visibility == _HIDDEN)
        for name, info, visibility, section, value, _ in struct.iter_unpack(
            "<IBBHQQ", tables[0].content
        )
    ]


def _relocations(
    sections: Sequence[_Section], symbols: Sequence[_Symbol], first: int
) -> Iterator[_Relocation]:
    """Those of an object whose sections begin at number ``first``."""
    for table in sections:
        if table.kind != _RELOCATIONS or not _is_loaded(sections[table.info]):
            continue
        for offset, info, addend in struct.iter_unpack("<QQq", table.content):
            symbol = symbols[info >> 32]
            yield _Relocation(table.info + first, offset, info & 0xFFFFFFFF, symbol, addend)


def _is_loaded(section: _Section) -> bool:
    return bool(section.flags & _ALLOCATE) and section.kind != _UNWIND


# ---------------------------------------------------------------- linking


@dataclass(slots=True)
class _Linker:
    sections: Sequence[_Section]
    symbols: Sequence[_Symbol]
    relocations: Sequence[_Relocation]
    segments: list[bytearray] = field(default_factory=lambda: [bytearray() for _ in range(3)])
    zeros: int = 0
    places: dict[int, tuple[int, int]] = field(default_factory=dict)  # section: (segment, offset)
    words: dict[_Symbol, int] = field(default_factory=dict)  # of the table of addresses
    stubs: dict[_Symbol, int] = field(default_factory=dict)
    starts: tuple[int, ...] = ()
    imports: dict[str, list[int]] = field(default_factory=dict)
    own: list[int] = field(default_factory=list)

    def image(self) -> Image:
        self._place()
        self._reserve()
        code, constants, data = (len(s) for s in self.segments)
        self.starts = starts(code, constants, data + self.zeros)
        if self.starts[-1] > MOST_BYTES:
            raise _refusal("it is too large")
        for symbol, at in self.words.items():
            self._address(CONSTANTS, at, symbol, 0)
        for symbol, at in self.stubs.items():
            self.segments[CODE][at : at + 2] = _JUMP
            word = self.starts[CONSTANTS] + self.words[symbol]
            self._distance(CODE, at + 2, word - 4)
        for relocation in self.relocations:
            self._apply(relocation)
        exports = {
            s.name: self._of(s)
            for s in self.symbols
            if s.binding == _GLOBAL and s.section != _UNDEFINED and not s.hidden
        }
        imports = {name: tuple(at) for name, at in self.imports.items()}
        parts = [bytes(s) for s in self.segments]
        return Image(parts[0], parts[1], parts[2], self.zeros, exports, imports, tuple(self.own))

    def _place(self) -> None:
        """Sections into segments, zeros last."""
        loaded = [(k, s) for k, s in enumerate(self.sections) if _is_loaded(s)]
        for k, section in sorted(loaded, key=lambda item: item[1].kind == _NOBITS):
            if section.kind not in (_PROGBITS, _NOBITS) or section.flags & _THREADS:
                raise _refusal(f"section {section.name} is of a kind that is not known")
            if section.align > PAGE:
                raise _refusal(f"section {section.name} wants to start at {section.align} bytes")
            kind = _segment(section)
            segment = self.segments[kind]
            size = len(segment) + (self.zeros if kind == DATA else 0)
            pad = -size % section.align
            self.places[k] = kind, size + pad
            if section.kind == _NOBITS:
                self.zeros += pad + section.size
            else:
                segment += bytes(pad) + section.content

    def _reserve(self) -> None:
        """Room for stubs and for the table of addresses."""
        calls = (r.symbol for r in self.relocations if r.kind == _CALL)
        outside = dict.fromkeys(s for s in calls if s.section == _UNDEFINED)
        tabled = (r.symbol for r in self.relocations if r.kind in _TABLE)
        self.stubs = self._room(CODE, outside, _STUB)
        self.words = self._room(CONSTANTS, dict.fromkeys((*outside, *tabled)), WORD)

    def _room(self, kind: int, symbols: dict[_Symbol, None], size: int) -> dict[_Symbol, int]:
        segment = self.segments[kind]
        if symbols:
            segment += bytes(-len(segment) % size)
        first = len(segment)
        segment += bytes(size * len(symbols))
        return {symbol: first + size * k for k, symbol in enumerate(symbols)}

    def _apply(self, relocation: _Relocation) -> None:
        section, offset, kind, symbol, addend = relocation
        if offset > self.sections[section].size - (WORD if kind == _ADDRESS else 4):
            raise _refusal("it fills in places outside of it")
        segment, start = self.places[section]
        at = start + offset
        if kind == _ADDRESS and segment != CODE:
            self._address(segment, at, symbol, addend)
        elif kind in _TABLE:
            self._distance(segment, at, self.starts[CONSTANTS] + self.words[symbol] + addend)
        elif kind == _CALL and symbol in self.stubs:
            self._distance(segment, at, self.starts[CODE] + self.stubs[symbol] + addend)
        elif kind in (_DISTANCE, _CALL):
            self._distance(segment, at, self._of(symbol) + addend)
        else:
            raise _refusal(f"relocations of kind {kind} are not known")

    def _of(self, symbol: _Symbol) -> int:
        """The offset of what a symbol names."""
        if symbol.section not in self.places:
            raise _refusal(f"{symbol.name or 'a symbol'} is defined nowhere in it")
        segment, start = self.places[symbol.section]
        return self.starts[segment] + start + symbol.value

    def _address(self, segment: int, at: int, symbol: _Symbol, addend: int) -> None:
        """A word that loading completes."""
        place = self.starts[segment] + at
        offset = 0
        if symbol.section != _UNDEFINED:
            offset = self._of(symbol) + addend
            self.own.append(place)
        elif addend or symbol.binding != _GLOBAL:
            raise _refusal(f"{symbol.name} is weak, or wanted at a distance")
        else:
            self.imports.setdefault(symbol.name, []).append(place)
        self._put(segment, at, "<q", offset)

    def _distance(self, segment: int, at: int, target: int) -> None:
        self._put(segment, at, "<i", target - self.starts[segment] - at)

    def _put(self, segment: int, at: int, form: str, value: int) -> None:
        struct.pack_into(form, self.segments[segment], at, value)


def _segment(section: _Section) -> int:
    if section.flags & _EXECUTE:
        if section.flags & _WRITE:
            raise _refusal(f"section {section.name} could be written to and run")
        return CODE
    if section.flags & _WRITE and not section.name.startswith(".data.rel.ro"):
        return DATA
    return CONSTANTS
