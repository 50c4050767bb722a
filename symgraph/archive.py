"""Zips of ``.npy`` files: written whole or not at all, read without trust.

Nothing is ever unpickled. Whatever is wrong with a file is ParseError; that there is no file is the
usual OSError. Read next: ``saving.py``, which says what is in the files.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from symgraph.errors import ParseError, message
from symgraph.ir.dim import fresh_token
from symgraph.ir.dtype import ALL
from symgraph.ir.parse import Array

_DATE = (1980, 1, 1, 0, 0, 0)  # of every member: equal contents give equal files

Location = str | os.PathLike[str]


def write_zip(path: Location, members: Mapping[str, bytes], *, compress: str = ".json") -> None:
    """Write a zip beside its place and move it there: a reader never sees half of it.

    ``compress``: members whose names end so are compressed; "" means all.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{fresh_token()}")
    try:
        with open(temporary, "xb") as stream, zipfile.ZipFile(stream, "w") as archive:
            for name, content in members.items():
                info = zipfile.ZipInfo(name, _DATE)
                is_packed = name.endswith(compress)
                info.compress_type = zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED
                archive.writestr(info, content)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def opened(path: Location) -> Iterator[zipfile.ZipFile]:
    """A zip to read; whatever goes wrong inside is ParseError with the name of the file."""
    with open(path, "rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                yield archive
        except ParseError as error:
            raise ParseError(message(f"cannot read {path}: {error}")) from error
        except Exception as error:  # zipfile, zlib, json and numpy raise a dozen kinds
            what = f"it is damaged, or no file of symgraph ({type(error).__name__}: {error})"
            raise ParseError(message(f"cannot read {path}: {what}")) from error


def member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A member by name; ParseError where there is none."""
    try:
        return archive.getinfo(name)
    except KeyError:
        raise ParseError(f"there is no {name[:80]!r} in it") from None


def npy_bytes(array: Array) -> bytes:
    """An array as the content of an ``.npy`` file."""
    stream = io.BytesIO()
    npy.write_array(stream, np.asarray(array), allow_pickle=False)
    return stream.getvalue()


def read_npy(content: bytes) -> Array:
    """The array of an ``.npy`` file, read-only; ParseError for objects, text, or a wrong size."""
    stream = io.BytesIO(content)
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ParseError(f"an .npy file of version {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read(stream)
    native = dtype.newbyteorder("=")
    if native not in ALL:
        raise ParseError(f"an array of {dtype}; arrays of numbers and bool are read")
    data = content[stream.tell() :]
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise ParseError(f"{len(data)} bytes for an array of shape {shape} and {dtype}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
    found = np.array(array, native, order="C")
    found.flags.writeable = False
    return found


class Arrays(Mapping[str, Array]):
    """The arrays of a file by content key, read when they are asked for."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive, self._read = archive, dict[str, Array]()

    def __getitem__(self, key: str) -> Array:
        if key not in self._read:
            info = member(self._archive, f"arrays/{key}.npy")
            self._read[key] = read_npy(self._archive.read(info))
        return self._read[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._archive.namelist())

    def __len__(self) -> int:
        return len(self._archive.namelist())
