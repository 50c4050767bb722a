"""A linked image: code that may lie anywhere, and the places that loading it fills in.

On disk: a magic line, a head (``heads``), and the bytes of three segments, which in memory start at
pages of their own: code (run), constants (read), data (written), followed by zeros. ``link`` makes
images of LLVM's objects, ``loader`` puts them into memory; only the second is needed to run code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgraph.codegen import heads
from symgraph.errors import ParseError
from symgraph.records import dataclass

MAGIC = b"symgraph image 2\n"
PAGE = 4096  # bytes; of every x86-64
WORD = 8
MOST_BYTES = 1 << 30  # of an image: code reaches all of it by 32-bit distances


@dataclass(frozen=True, slots=True)
class Image:
    """``exports``: what others call, by offset.    ``imports``: name -> words for its address.

    ``own``: words that hold an offset, to which the address of the image is added. No word is in
    code.    ``zeros``: bytes after the data.
    """

    code: bytes
    constants: bytes
    data: bytes
    zeros: int
    exports: Mapping[str, int]
    imports: Mapping[str, tuple[int, ...]]
    own: tuple[int, ...]

    @property
    def starts(self) -> tuple[int, int, int, int]:
        """Where the segments start, and where the image ends."""
        return starts(len(self.code), len(self.constants), len(self.data) + self.zeros)

    def to_bytes(self) -> bytes:
        """What ``from_bytes`` reads."""
        imports = ((name, ",".join(map(str, at))) for name, at in self.imports.items())
        head: dict[str, Sequence[object]] = {
            "sizes": [len(self.code), len(self.constants), len(self.data), self.zeros],
            "exports": [word for pair in self.exports.items() for word in pair],
            "imports": [word for pair in imports for word in pair],
            "own": self.own,
        }
        return b"".join((MAGIC, heads.line(head), self.code, self.constants, self.data))

    @staticmethod
    def from_bytes(data: bytes) -> Image:
        """The image that ``to_bytes`` wrote; ParseError for anything that would not fit memory."""
        if not data.startswith(MAGIC):
            raise ParseError("this is no image of symgraph")
        line, _, rest = data[len(MAGIC) :].partition(b"\n")
        try:
            return _checked(heads.rows(line), rest)
        except (ValueError, KeyError) as error:
            raise ParseError(f"this image is damaged: {error}") from error


def starts(code: int, constants: int, data: int) -> tuple[int, int, int, int]:
    """The starts of segments of these sizes, and the end of the last."""
    second = pages(code)
    third = second + pages(constants)
    return 0, second, third, third + pages(data)


def pages(size: int) -> int:
    """``size`` in whole pages."""
    return -(-size // PAGE) * PAGE


def _checked(head: Mapping[str, Sequence[str]], rest: bytes) -> Image:
    sizes = [_natural(n) for n in head["sizes"]]
    code, constants, data, zeros = sizes
    if code + constants + data != len(rest) or sum(sizes) > MOST_BYTES:
        raise ParseError("this image is damaged: its segments have other sizes")
    image = Image(
        rest[:code],
        rest[code : code + constants],
        rest[code + constants :],
        zeros,
        {name: _natural(at) for name, at in _pairs(head["exports"])},
        {name: tuple(map(_natural, at.split(","))) for name, at in _pairs(head["imports"])},
        tuple(map(_natural, head["own"])),
    )
    _, second, third, end = image.starts
    words = [*image.own, *(at for places in image.imports.values() for at in places)]
    if any(not _inside(at, (second, constants), (third, data)) for at in words):
        raise ParseError("this image is damaged: it fills in words outside of it")
    if any(at >= end for at in image.exports.values()):
        raise ParseError("this image is damaged: it exports what is outside of it")
    return image


def _inside(at: int, *segments: tuple[int, int]) -> bool:
    return any(start <= at <= start + size - WORD for start, size in segments)


def _pairs(words: Sequence[str]) -> zip[tuple[str, str]]:
    return zip(words[::2], words[1::2], strict=True)


def _natural(word: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise ParseError(f"{word!r} is no offset")
    return int(word)
