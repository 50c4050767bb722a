"""Images: linked from objects, loaded without LLVM, refused where anything is out of order."""

from __future__ import annotations

import ctypes
import platform
import random
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from symgraph.codegen import heads
from symgraph.codegen import image as images
from symgraph.codegen.image import MAGIC, Image
from symgraph.codegen.link import link
from symgraph.codegen.llvm_loader import Linked
from symgraph.codegen.loader import Mapped, library
from symgraph.codegen.objects import compile_straight, compile_text
from symgraph.errors import ParseError

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="LLVM loads elsewhere"
)

# every kind of reference: constants, a table of addresses, data, zeros, calls, data elsewhere
_TEXT = """
@count = internal global i64 40
@zeros = global [100 x i64] zeroinitializer, align 64
@table = internal constant [2 x ptr] [ptr @one, ptr @two]
@stdout = external global ptr
@given_word = external global i64
declare i64 @labs(i64)
declare i64 @given(i64)
declare double @cos(double)
define internal i64 @one(i64 %x) noinline { ret i64 11 }
define internal i64 @two(i64 %x) noinline { ret i64 22 }
define i64 @add(i64 %x) {
  %old = load i64, ptr @count
  %new = add i64 %old, %x
  store i64 %new, ptr @count
  %at = getelementptr [100 x i64], ptr @zeros, i64 0, i64 99
  %z = load i64, ptr %at
  %found = add i64 %new, %z
  ret i64 %found
}
define i64 @pick(i64 %k) {
  %at = getelementptr [2 x ptr], ptr @table, i64 0, i64 %k
  %f = load ptr, ptr %at
  %found = call i64 %f(i64 %k)
  ret i64 %found
}
define i64 @outside(i64 %x) {
  %a = call i64 @labs(i64 %x)
  %b = call i64 @given(i64 %a)
  %c = load i64, ptr @given_word
  %found = add i64 %b, %c
  ret i64 %found
}
define i64 @stream(i64 %x) {
  %p = load ptr, ptr @stdout
  %found = ptrtoint ptr %p to i64
  ret i64 %found
}
define double @curve(double %x) {
  %y = call double @cos(double %x)
  %found = fadd double %y, 0.3125
  ret double %found
}
"""
_EXPORTS = ("add", "pick", "outside", "stream", "curve", "zeros")
_Whole = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
_Real = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)


@pytest.fixture(scope="module")
def made() -> bytes:
    return compile_text(_TEXT, _EXPORTS)


@pytest.fixture
def given() -> dict[str, int]:
    """Symbols for ``_TEXT``, kept alive by the process."""
    function, word = _Whole(lambda x: 3 * x), ctypes.c_int64(1000)
    _alive.append((function, word))
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return {"given": address, "given_word": ctypes.addressof(word)}


_alive: list[Any] = []


def test_every_kind_of_reference_is_right(made: bytes, given: dict[str, int]) -> None:
    loaded = library(made, _EXPORTS, given)
    at = loaded.address
    assert [_Whole(at["add"])(2), _Whole(at["add"])(3)] == [42, 45]
    ctypes.c_int64.from_address(at["zeros"] + 8 * 99).value = 7
    assert _Whole(at["add"])(0) == 52
    assert [_Whole(at["pick"])(k) for k in (0, 1)] == [11, 22]
    assert _Whole(at["outside"])(-5) == 1015
    assert _Whole(at["stream"])(0) == ctypes.c_int64.in_dll(ctypes.CDLL(None), "stdout").value
    assert _Real(at["curve"])(0.0) == 1.3125
    loaded.close()


def test_the_loader_of_other_systems_gives_the_same_code(given: dict[str, int]) -> None:
    loaded = Linked(_object(), _EXPORTS, given)
    at = loaded.address
    assert [_Whole(at["add"])(2), _Whole(at["pick"])(1), _Whole(at["outside"])(-5)] == [
        42,
        22,
        1015,
    ]
    loaded.close()
    with pytest.raises(ParseError, match="cannot be loaded"):
        Linked(_object()[:900], _EXPORTS, given)


def test_two_loads_share_nothing(made: bytes, given: dict[str, int]) -> None:
    first, second = (library(made, ["add"], given) for _ in range(2))
    assert [_Whole(v.address["add"])(2) for v in (first, second)] == [42, 42]


def _rights(place: int) -> str:
    """What may be done at an address: "r-xp" for code, "" for what is not mapped."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....)", line)
        assert found is not None
        if int(found[1], 16) <= place < int(found[2], 16):
            return found[3]
    return ""


def test_nothing_can_be_written_and_run(made: bytes, given: dict[str, int]) -> None:
    loaded = library(made, _EXPORTS, given)
    how = {name: _rights(loaded.address[name]) for name in ("add", "zeros")}
    assert how == {"add": "r-xp", "zeros": "rw-p"}


def test_closing_gives_the_memory_back(made: bytes, given: dict[str, int]) -> None:
    loaded = library(made, ["add"], given)
    place = loaded.address["add"]
    assert _rights(place) == "r-xp"
    loaded.close()
    loaded.close()
    assert _rights(place) != "r-xp"


def test_a_dropped_library_is_closed(made: bytes, given: dict[str, int]) -> None:
    loaded = library(made, ["add"], given)
    place = loaded.address["add"]
    del loaded
    assert _rights(place) != "r-xp"


def test_a_name_that_is_nowhere_is_refused(made: bytes) -> None:
    with pytest.raises(ParseError, match=r"cannot be loaded: nothing here is called given"):
        library(made, ["add"])


def test_an_export_that_is_not_there_is_refused(made: bytes, given: dict[str, int]) -> None:
    with pytest.raises(ParseError, match="cannot be loaded: it has no two"):
        library(made, ["add", "two"], given)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@x = thread_local global i64 1", "section .tdata is of a kind that is not known"),
        ("@x = extern_weak global i64\ndefine ptr @f() { ret ptr @x }", "x is weak"),
        (
            "@x = external global i64\n@y = global ptr getelementptr (i64, ptr @x, i64 3)",
            "x is weak, or",
        ),
        (
            "@x = external hidden global i64\n"
            "define i64 @f() {\n%v = load i64, ptr @x\nret i64 %v\n}",
            "x is defined nowhere in it",
        ),
        ('@x = global i64 1, section "odd", align 8192', "wants to start at 8192 bytes"),
        ("@x = common global i64 0", "x is defined nowhere in it"),
    ],
)
def test_what_is_not_linked_is_refused(text: str, why: str) -> None:
    with pytest.raises(ParseError, match=re.escape(why)):
        compile_straight(text)


def _object() -> bytes:
    import llvmlite.binding as llvm

    from symgraph.codegen.target import machine

    module = llvm.parse_assembly(_TEXT, llvm.create_context())
    found: bytes = machine().emit_object(module)
    return found


def test_an_object_cut_off_anywhere_is_refused() -> None:
    data = _object()
    assert link(data).exports.keys() == set(_EXPORTS)
    for length in range(0, len(data), 37):
        with pytest.raises(ParseError):
            link(data[:length])


def test_an_object_of_another_kind_is_refused() -> None:
    data = bytearray(_object())
    struct.pack_into("<H", data, 18, 183)  # ARM
    with pytest.raises(ParseError, match="no relocatable object for x86-64"):
        link(bytes(data))
    with pytest.raises(ParseError, match="cannot be loaded: it is no ELF object"):
        link(b"MZ" + bytes(data[2:]))


def test_relocations_of_other_kinds_are_refused() -> None:
    data = bytearray(_object())
    kinds = 0
    for at in range(len(data) - 24):
        _, info, addend = struct.unpack_from("<QQq", data, at)
        if info & 0xFFFFFFFF == 4 and info >> 32 < 60 and addend == -4:
            struct.pack_into("<Q", data, at + 8, info & ~0xFFFFFFFF | 10)
            kinds += 1
    assert kinds
    with pytest.raises(ParseError, match="relocations of kind 10 are not known"):
        link(bytes(data))


def test_flipped_bytes_never_write_outside(made: bytes, given: dict[str, int]) -> None:
    """Checksums find them first; without these an image is refused, or loads within its bounds."""
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        data = bytearray(made)
        for _ in range(3):
            data[rng.randrange(len(MAGIC), made.index(b"\n", len(MAGIC)))] = rng.randrange(32, 127)
        try:
            library(bytes(data), [], given).close()
        except (ParseError, MemoryError):
            refused += 1
    assert refused > 200


def _head(data: bytes, **changes: Sequence[object]) -> bytes:
    line, _, rest = data[len(MAGIC) :].partition(b"\n")
    return MAGIC + heads.line(heads.rows(line) | changes) + rest


@pytest.mark.parametrize(
    "changes",
    [
        {"own": [0]},
        {"own": [1 << 40]},
        {"own": [-8]},
        {"own": [True]},
        {"own": ["x"]},
        {"own": [""]},
        {"own": ["\u0663"]},
        {"imports": ["labs", 8]},
        {"imports": ["labs", 1 << 62]},
        {"imports": ["labs"]},
        {"exports": ["add", 1 << 30]},
        {"exports": ["add", -1]},
        {"sizes": [1, 2, 3, 4]},
        {"sizes": []},
        {"sizes": ["1", "2", "3", None]},
    ],
    ids=str,
)
def test_images_that_reach_outside_are_refused(
    made: bytes, changes: dict[str, Sequence[object]]
) -> None:
    with pytest.raises(ParseError, match=r"damaged|is no offset"):
        Image.from_bytes(_head(made, **changes))


def test_zeros_without_end_are_refused(made: bytes) -> None:
    sizes = heads.rows(made[len(MAGIC) :].partition(b"\n")[0])["sizes"]
    with pytest.raises(ParseError, match="other sizes"):
        Image.from_bytes(_head(made, sizes=[*sizes[:3], 1 << 40]))


def test_images_cut_off_are_refused(made: bytes) -> None:
    for length in range(0, len(made), 97):
        with pytest.raises(ParseError):
            Image.from_bytes(made[:length])


def test_bytes_come_back(made: bytes) -> None:
    found = Image.from_bytes(made)
    assert found.to_bytes() == made
    assert found.starts == images.starts(
        len(found.code), len(found.constants), len(found.data) + found.zeros
    )


def test_a_full_memory_is_told(made: bytes, given: dict[str, int], monkeypatch: Any) -> None:
    from symgraph.codegen import loader

    class Full:
        def __getattr__(self, name: str) -> Any:
            return lambda *args: None

    found = Image.from_bytes(made)
    monkeypatch.setattr(loader, "_of_process", lambda name: 1)
    monkeypatch.setattr(loader, "_libc", Full)
    with pytest.raises(MemoryError, match="no memory for"):
        Mapped(found, ["add"], given)
