"""Object code: saved, loaded alone in another process, refused when damaged, closed."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symgraph.codegen import artefact, blas, objects
from symgraph.codegen.artefact import Artefact
from symgraph.codegen.backend import backend
from symgraph.codegen.externals import PARALLEL
from symgraph.codegen.image import MAGIC
from symgraph.codegen.llvm_cpu import assembly
from symgraph.codegen.target import vector_bytes
from symgraph.errors import ParseError, SymgraphError, UnsupportedError
from tests.loop import examples as ex

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made() -> Artefact:
    compiled = backend("llvm").compile(ex.softmax_example().program)
    data = compiled.to_bytes()
    compiled.close()
    assert data is not None
    return Artefact.from_bytes(data)


def test_bytes_come_back(made: Artefact) -> None:
    assert Artefact.from_bytes(made.to_bytes()) == made
    known = sys.platform == "linux" and platform.machine() == "x86_64"
    assert made.image.startswith(MAGIC) == known


def test_a_fresh_process_runs_it_without_numba(made: Artefact, tmp_path: Path) -> None:
    path = tmp_path / "softmax.o"
    path.write_bytes(made.to_bytes())
    script = Path(__file__).parent / "loads_alone.py"
    done = subprocess.run(
        [sys.executable, script, path, ROOT], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "0 [0.125, 0.25, 0.625] []"


@pytest.mark.parametrize("place", [0, 30, 200, -1])
def test_a_changed_byte_is_seen(made: Artefact, place: int) -> None:
    data = bytearray(made.to_bytes())
    data[place] ^= 1
    with pytest.raises(ParseError):
        Artefact.from_bytes(bytes(data))


def test_a_cut_file_is_seen(made: Artefact) -> None:
    data = made.to_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 1):
        with pytest.raises(ParseError):
            Artefact.from_bytes(data[:length])


def test_code_that_is_no_object_is_refused() -> None:
    with pytest.raises(ParseError, match="cannot be loaded"):
        artefact.load(Artefact(b"not an object at all", "run", ()))


def test_closed_code_is_not_called(made: Artefact) -> None:
    loaded = artefact.load(made)
    loaded.close()
    loaded.close()  # closing twice is closing once
    with pytest.raises(SymgraphError, match="this code was closed"):
        loaded.call([], [])


def test_many_loads_give_their_memory_back(made: Artefact) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4

    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from Linux's /proc")
    for _ in range(50):
        artefact.load(made).close()
    before = resident()
    for _ in range(300):
        artefact.load(made).close()
    assert resident() - before < 2000  # KiB; a kept object would take 3000


def test_needs_name_the_functions_of_products() -> None:
    compiled = backend("llvm").compile(ex.product_example().program)
    data = compiled.to_bytes()
    assert data is not None
    product, pool = Artefact.from_bytes(data).needs
    assert (product.partition(" ")[0], pool) == ("product.float64", PARALLEL)
    compiled.close()


def test_unknown_library_function_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"no library function 'fft\.c2c'"):
        blas.address("fft.c2c")
    with pytest.raises(UnsupportedError, match="no BLAS with cblas_dnothing"):
        blas.address("cblas.dnothing")


def test_target_names_processor_and_versions() -> None:
    target = backend("llvm").target()
    import llvmlite
    import numba

    assert platform.machine() in target
    assert llvmlite.__version__.encode().hex() in target
    assert numba.__version__ in backend("numba").target()
    assert backend("interp").target() != target


def test_code_needs_only_what_every_process_has() -> None:
    text = """
    declare i32 @numba_nothing(i32)
    define i32 @run(ptr %a, ptr %b, ptr %c) {
      %1 = call i32 @numba_nothing(i32 1)
      ret i32 %1
    }"""
    with pytest.raises(SymgraphError, match="compiled code needs numba_nothing"):
        objects.optimize(text)


def test_row_loops_are_vectorized() -> None:
    """exp of a row, its sum and its maximum, a quotient: no scalar arithmetic is left inside."""
    machine = assembly(ex.softmax_example().program)[1]
    packed = [op for op in ("vmaxpd", "vaddpd", "vdivpd", "vfmadd213pd") if op in machine]
    if vector_bytes() < 32:
        pytest.skip("the names of vector instructions are those of x86 with AVX")
    assert packed == ["vmaxpd", "vaddpd", "vdivpd", "vfmadd213pd"]
    assert not re.search(r"\bcall\w*\s.*exp", machine)  # exp is inlined


def test_restore_gives_the_same_answers() -> None:
    example = ex.softmax_example()
    first = backend("llvm").compile(example.program)
    data = first.to_bytes()
    assert data is not None
    second = backend("llvm").restore(example.program, data)
    runs = [
        ex.execute_compiled(c, example.program, example.inputs, example.sizes)
        for c in (first, second)
    ]
    for a, b in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    first.close()
    second.close()
