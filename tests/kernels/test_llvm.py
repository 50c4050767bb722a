"""The LLVM functions: they parse alone, vectorize, call no library, stay strict in fast callers."""

from __future__ import annotations

import math
import platform
import re
from functools import cache

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir
from numba import njit

from symgraph_kernels import jit
from symgraph_kernels.llvm import _has_scaling, emit_function, function_text
from symgraph_kernels.table import ROWS
from symgraph_kernels.words import FAR
from tests.kernels.test_table import compiled

DTYPES = ("float64", "float32")
x86 = pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"}, reason="reads x86 assembly"
)
NVVM_INTRINSICS = {"fma", "rint", "floor", "fabs", "sqrt", "copysign"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_function_text_is_a_module_of_its_own(name: str, dtype: str):
    module = llvm.parse_assembly(function_text(name, dtype))
    module.verify()
    declared = {f.name for f in module.functions if f.is_declaration}
    own = {"lrint", "ldexp"} if _has_scaling() else set()
    assert {n.split(".")[1] for n in declared} <= NVVM_INTRINSICS | own
    assert all(n.startswith("llvm.") for n in declared)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROWS)
def test_cuda_text_becomes_ptx_without_contracted_products(name: str, dtype: str):
    """By LLVM's own NVPTX backend; a plain product is one that NVVM might fuse with a sum."""
    text = function_text(name, dtype, target="cuda")
    assert " x double>" not in text
    assert "fmul" not in text
    kind = "f32" if dtype == "float32" else "f64"
    entry = f'define internal {"float" if kind == "f32" else "double"} @"sg.{name}.{kind}"'
    assert entry in text
    module = llvm.parse_assembly(text.replace(entry, entry.replace("internal ", "")))
    ptx = ptx_machine().emit_assembly(module)
    assert "mul.rn.f" in ptx
    assert not re.search(r"\bmul\.f(?:32|64)", ptx)
    called = set(re.findall(r"(sg_\$_far[\w$]+), *\(", re.sub(r"\s+", " ", ptx)))
    assert bool(called) == (name in FAR)


@cache
def ptx_machine() -> llvm.TargetMachine:
    """LLVM's code generator for compute capability 9.0."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple("nvptx64-nvidia-cuda").create_target_machine(cpu="sm_90", opt=3)


def test_emit_function_adds_each_function_once():
    module = ir.Module()
    first = emit_function(module, "sin", "float64")
    assert emit_function(module, "sin", np.dtype("float64")) is first
    assert first.name == "sg.sin.f64"
    emit_function(module, "cos", "float64")
    emit_function(module, "sin", "float32")
    llvm.parse_assembly(str(module)).verify()
    with pytest.raises(KeyError):
        emit_function(module, "sine", "float64")
    with pytest.raises(KeyError):
        emit_function(module, "sin", "float16")


def test_a_function_is_built_once_for_all_modules():
    first, second = ir.Module(), ir.Module()
    assert emit_function(first, "gamma", "float64") is emit_function(second, "gamma", "float64")


def packed_arithmetic(assembly: str) -> int:
    """How many additions, products and quotients of whole vectors the assembly has."""
    return len(re.findall(r"\bv?\w*(?:add|mul|div)\w*p[sd]\b", assembly))


@x86
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in ROWS if name not in FAR])
def test_loops_vectorize_and_call_nothing(name: str, dtype: str):
    assembly = assembly_of(name, dtype)
    assert packed_arithmetic(assembly) >= 10
    assert not library_calls(assembly)


@x86
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FAR)
def test_loops_over_sin_vectorize_around_huge_arguments(name: str, dtype: str):
    """One call for each vector, of our own function for 2, 4, 8 or 16 lanes."""
    assembly = assembly_of(name, dtype)
    assert packed_arithmetic(assembly) >= 10
    calls = library_calls(assembly)
    far = f"sg.far.{name}.{'f32' if dtype == 'float32' else 'f64'}"
    assert any(re.fullmatch(rf"{re.escape(far)}\.\d+", call) for call in calls), calls
    assert all(call.startswith(far) for call in calls)


def assembly_of(name: str, dtype: str) -> str:
    """Assembly of a compiled loop over the word for arrays of the dtype."""
    loop = compiled(name)
    arrays = [np.ones(8, dtype) for _ in range(ROWS[name].arity + 1)]
    loop(*arrays)
    (text,) = [
        loop.inspect_asm(s) for s in loop.signatures if all(str(a.dtype) == dtype for a in s)
    ]
    return text


def library_calls(assembly: str) -> list[str]:
    """Functions called, in the large code model (address to a register, then a call of it) too."""
    direct = re.findall(r"\b(?:callq?|jmp)\s+([a-zA-Z_][\w.$@]*)", assembly)
    loaded = re.findall(r"\bmovabsq\s+\$([a-zA-Z_][\w.]*), %", assembly)
    ours = re.compile(r"_ZN|sg\.table|NRT_|numba_|Py|_?Py|\.")
    return [name for name in [*direct, *loaded] if not ours.match(name)]


def test_fast_math_of_the_caller_stays_outside():
    """Reassociation would cancel the error-free steps of these functions."""

    @njit(fastmath=True)
    def fast(x, out):
        for i in range(x.size):
            out[i] = jit.expm1(x[i]) + jit.log1p(x[i])

    @njit
    def strict(x, out):
        for i in range(x.size):
            out[i] = jit.expm1(x[i]) + jit.log1p(x[i])

    x = np.geomspace(1e-18, 1e-2, 200)
    first, second = np.empty_like(x), np.empty_like(x)
    fast(x, first)
    strict(x, second)
    assert (first == second).all()
    y = np.array([np.nan, np.inf, -1.0])
    fast(y, out := np.empty_like(y))
    assert np.isnan(out[0])


@x86
def test_library_calls_are_seen():
    """The check above would notice libm."""

    @njit
    def loop(x, out):
        for i in range(x.size):
            out[i] = math.erf(x[i])

    loop(np.ones(3), np.ones(3))
    assert "erf" in library_calls(loop.inspect_asm(loop.signatures[0]))
