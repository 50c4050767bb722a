"""A kernel as a program of its own: script, loops, inputs and expected results in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symgraph.codegen.python_kernel import kernel_source
from symgraph.ir.dim import Atom
from symgraph.loop.ir import Buffer, Expr, Kernel
from symgraph.loop.text import show
from symgraph.trace.cost import dim_of

Array = np.ndarray[Any, Any]
SCRIPT = '''"""The kernel {name}, by itself.

    python run.py              in plain Python, compared with expected.npz
    python run.py llvm         as machine code, compared and timed (or numba, interp)
"""

import sys
from pathlib import Path
from time import perf_counter_ns

import numpy as np

{source}

FOLDER = Path(__file__).parent
BUFFERS, WRITES, SIZES = {buffers!r}, {writes!r}, {sizes!r}


def arrays():
    with np.load(FOLDER / "inputs.npz") as found:
        return [found[name].copy() for name in BUFFERS]


def run_python(given):
    {name}(*given, *SIZES.values())


def run_compiled(given, backend_name):
    from symgraph.codegen.backend import backend
    from symgraph.loop.ir import Call, Const, Program
    from symgraph.loop.parse import parse

    kernel = parse((FOLDER / "kernel.ir").read_text())
    outputs = tuple(b for b in kernel.buffers if b.name in WRITES)
    inputs = tuple(b for b in kernel.buffers if b.name not in WRITES)
    from symgraph.loop.ir import Var

    sizes = tuple(Var(n, np.dtype("int64")) for n in SIZES)
    call = Call(kernel.name, tuple(BUFFERS), sizes)
    program = Program(inputs, outputs, (), tuple(SIZES), (call,), (kernel,))
    code = backend(backend_name).compile(program)
    by_name = dict(zip(BUFFERS, given))
    pointers = [by_name[b.name].ctypes.data for b in (*inputs, *outputs)]
    best = None
    for _ in range(5):
        start = perf_counter_ns()
        code.call(pointers, list(SIZES.values()))
        elapsed = perf_counter_ns() - start
        best = elapsed if best is None else min(best, elapsed)
    print(f"{{backend_name}}: {{best / 1e3:.1f}} us")


given = arrays()
if len(sys.argv) > 1:
    if {accumulates!r}:
        print("this kernel adds to what it writes: the timed repetitions change the result")
    run_compiled(given, sys.argv[1])
else:
    run_python(given)
with np.load(FOLDER / "expected.npz") as expected:
    for name, array in zip(BUFFERS, given):
        if name in WRITES and not (len(sys.argv) > 1 and {accumulates!r}):
            np.testing.assert_allclose(array, expected[name], rtol=1e-5, err_msg=name)
print("{name}: as expected")
'''


def extract(kernel: Kernel, sizes: Mapping[str, int], folder: Path) -> None:
    """Write run.py, kernel.ir, inputs.npz and expected.npz; sizes by their name in the kernel."""
    arrays = {b.name: _array(b, sizes, k) for k, b in enumerate(kernel.buffers)}
    folder.mkdir(parents=True, exist_ok=True)
    source = kernel_source(kernel)
    writes = sorted(kernel.writes)
    accumulates = _reads_what_it_writes(kernel)
    np.savez(folder / "inputs.npz", **arrays)  # type: ignore[arg-type]  # stubs: allow_pickle
    space: dict[str, Any] = {}
    exec(compile(source, "<kernel>", "exec"), space)
    with np.errstate(all="ignore"):
        space[kernel.name](*arrays.values(), *(sizes[n] for n in kernel.sizes))
    results = {n: arrays[n] for n in writes}
    np.savez(folder / "expected.npz", **results)  # type: ignore[arg-type]  # as above
    (folder / "kernel.ir").write_text(show(kernel), encoding="utf-8")
    text = SCRIPT.format(
        name=kernel.name,
        source=source.rstrip("\n"),
        buffers=[b.name for b in kernel.buffers],
        writes=writes,
        sizes={n: int(sizes[n]) for n in kernel.sizes},
        accumulates=accumulates,
    )
    (folder / "run.py").write_text(text, encoding="utf-8")


def _reads_what_it_writes(kernel: Kernel) -> bool:
    from symgraph.loop.ir import Update
    from symgraph.loop.traverse import statements

    return any(isinstance(s, Update) for s in statements(kernel.body))


def _array(buffer: Buffer, sizes: Mapping[str, int], seed: int) -> Array:
    shape = tuple(number_of(d, sizes) for d in buffer.shape)
    generator = np.random.default_rng(seed)
    if buffer.dtype.kind == "b":
        return generator.random(shape) < 0.5
    if buffer.dtype.kind in "iu":
        return generator.integers(0, 2, shape).astype(buffer.dtype)
    return generator.uniform(0.1, 2.0, shape).astype(buffer.dtype)


def number_of(x: Expr, sizes: Mapping[str, int]) -> int:
    """The number that an extent is."""
    found = dim_of(x, sizes)
    assert isinstance(found, int)
    return found


def sizes_by_name(
    named: Mapping[str, Atom], sizes: Mapping[Atom, int], usual: int
) -> dict[str, int]:
    """Lengths by their name in a program."""
    return {name: sizes.get(atom, usual) for name, atom in named.items()}
