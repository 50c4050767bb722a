"""CBLAS functions made from SciPy's Fortran BLAS pointers: adapters of a few LLVM instructions.

Fortran takes every argument by address, column-major and with 32-bit integers: a row-major
product is the column-major product of the operands exchanged. Extents beyond 2**31 - 1 do not fit
(NumPy's own BLAS, with 64-bit integers, is always preferred).
"""

from __future__ import annotations

import ctypes
from typing import Any  # llvmlite has no annotations

import llvmlite.binding as llvm

from symgraph.codegen.target import machine

_LETTERS = "cz"  # complex dtypes alone use BLAS; their factors come by address
_PLAIN_ENUM = 111
_engines: list[Any] = []  # adapters live as long as the process


def adapter(name: str) -> int | None:
    """The address of ``cblas_<name>`` made from ``<name>``; None where SciPy has none."""
    letter, kind = name[0], name[1:]
    if letter not in _LETTERS or kind not in _BODIES:
        return None
    fortran = _fortran(name)
    if fortran is None:
        return None
    return _compiled(_BODIES[kind](fortran))


def _fortran(name: str) -> int | None:
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__.get(name)
    if capsule is None:
        return None
    api: Any = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = (
        ctypes.c_char_p,
        [ctypes.py_object],
    )
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    found: int = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return found


def _integers(*names: str) -> str:
    """Lines that put 64-bit arguments into 32-bit places called ``%p_<name>``."""
    lines = []
    for name in names:
        lines += [
            f"%p_{name} = alloca i32",
            f"%t_{name} = trunc i64 %{name} to i32",
            f"store i32 %t_{name}, ptr %p_{name}",
        ]
    return "\n  ".join(lines)


def _flag(name: str, on: str, off: str) -> str:
    """Lines that put the letter for a transposition flag into ``%p_<name>``."""
    return "\n  ".join(
        [
            f"%p_{name} = alloca i8",
            f"%q_{name} = icmp eq i32 %{name}, {_PLAIN_ENUM}",
            f"%l_{name} = select i1 %q_{name}, i8 {ord(on)}, i8 {ord(off)}",
            f"store i8 %l_{name}, ptr %p_{name}",
        ]
    )


def _pointers(*names: str) -> str:
    return ", ".join(f"ptr %{name}" for name in names)


def _gemm(fortran: int) -> str:
    call = ["p_tb", "p_ta", "p_n", "p_m", "p_k", "alpha", "b", "p_ldb", "a", "p_lda"]
    call += ["beta", "c", "p_ldc"]
    return f"""
define void @adapter(i32 %order, i32 %ta, i32 %tb, i64 %m, i64 %n, i64 %k, ptr %alpha, ptr %a,
                     i64 %lda, ptr %b, i64 %ldb, ptr %beta, ptr %c, i64 %ldc) {{
  {_flag("ta", "N", "T")}
  {_flag("tb", "N", "T")}
  {_integers("m", "n", "k", "lda", "ldb", "ldc")}
  %f = inttoptr i64 {fortran} to ptr
  call void %f({_pointers(*call)})
  ret void
}}"""


def _gemv(fortran: int) -> str:
    call = ["p_ta", "p_n", "p_m", "alpha", "a", "p_lda", "x", "p_incx", "beta", "y", "p_incy"]
    return f"""
define void @adapter(i32 %order, i32 %ta, i64 %m, i64 %n, ptr %alpha, ptr %a, i64 %lda,
                     ptr %x, i64 %incx, ptr %beta, ptr %y, i64 %incy) {{
  {_flag("ta", "T", "N")}
  {_integers("m", "n", "lda", "incx", "incy")}
  %f = inttoptr i64 {fortran} to ptr
  call void %f({_pointers(*call)})
  ret void
}}"""


_BODIES = {"gemm": _gemm, "gemv": _gemv}


def _compiled(assembly: str) -> int:
    module = llvm.parse_assembly(assembly, llvm.create_context())
    module.verify()
    engine = llvm.create_lljit_compiler(machine())
    builder = llvm.JITLibraryBuilder().add_object_img(machine().emit_object(module))
    library = builder.export_symbol("adapter").link(engine, "blas")
    _engines.append((engine, library))
    found: int = library["adapter"]
    return found
