"""The parts of a kernel as Python source for numba's CUDA target, readable like CPU kernels.

A function takes the buffers, the sizes, ``status`` and ``only``. ``status`` holds (the smallest
turn that failed, code, facts); a kernel that can fail runs again with ``only`` = that turn, to
write its code and facts, so that the facts are those of the first failure. Memory without axes
has one element. Locals and indices are those of the loop IR; ``thread`` counts within the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from symgraph.codegen.numba_cuda_nests import Nest, spread
from symgraph.codegen.numba_cuda_split import Part
from symgraph.codegen.python_kernel import RESERVED, KernelWriter, Source
from symgraph.codegen.source import Names
from symgraph.codegen.spelling import Speller, cast_name
from symgraph.loop.ir import (
    Assign,
    Const,
    Expr,
    Fail,
    For,
    Kernel,
    Let,
    Local,
    Stmt,
    Store,
    Update,
    Var,
    Word,
)
from symgraph.loop.traverse import statements

DType = np.dtype[np.generic]
_OWN = ("cuda", "flat", "only", "part", "rows", "status", "step", "thread", "total_turns")
TYPES = "type_"  # type_float64: the numba type, for shared and local arrays
BARRIER = "cuda.syncthreads()"


def part_source(part: Part, threads: int) -> Source:
    """One part as a function of buffers, sizes, ``status`` and ``only``."""
    return _PartWriter(part, threads).write(part.kernel.name)


def can_fail(kernel: Kernel) -> bool:
    """Has the part a Fail statement? Then the host reads ``status`` after it."""
    return any(isinstance(s, Fail) for s in statements(kernel.body))


def identity(word: str, dtype: DType) -> Const:
    """What folds to the other argument: -0.0 for add, infinity for minimum, NaN for fmin."""
    if dtype.kind == "b":
        return Const(word in ("mul", "and", "minimum", "fmin"), dtype)
    if word == "add":
        return Const(-0.0 if dtype.kind == "f" else 0, dtype)
    if word == "mul":
        return Const(1, dtype)
    if word in ("and", "or"):
        return Const(
            0 if word == "or" else np.iinfo(dtype.name).max if dtype.kind == "u" else -1, dtype
        )
    if word in ("fmin", "fmax") and dtype.kind == "f":
        return Const(float("nan"), dtype)
    least = word in ("maximum", "fmax")
    if dtype.kind == "f":
        return Const(-np.inf if least else np.inf, dtype)
    info = np.iinfo(dtype.name)
    return Const(info.min if least else info.max, dtype)


class _CudaSpeller(Speller):
    """Elements of memory without axes are those of one-element arrays."""

    def element(self, buffer: str, index: tuple[Expr, ...], texts: list[str]) -> str:
        """buffer[index], or buffer[0]."""
        if not index:
            return f"{self._name_of(buffer)}[0]"
        return super().element(buffer, index, texts)


class _PartWriter(KernelWriter):
    def __init__(self, part: Part, threads: int) -> None:
        super().__init__(part.kernel)
        self.part, self.threads = part, threads
        self.names = Names(RESERVED | set(_OWN))
        self.speller = _CudaSpeller(
            self.given.__getitem__, self.names.fresh, lambda n, t: self.out.line(f"{n} = {t}")
        )
        self.atomic: frozenset[int] = frozenset()
        self.together = False  # do all threads of a block run the same statements now?
        self.shared: dict[DType, str] = {}

    def write(self, wanted: str) -> Source:
        kernel = self.kernel
        name = self.names.fresh(wanted)
        params = [self._name(b.name) for b in kernel.buffers]
        params += [self._name(n) for n in kernel.sizes] + ["status", "only"]
        self.speller.natural.update(kernel.sizes)
        with self.out.block(f"def {name}({', '.join(params)}):"):
            self._docstring()
            getattr(self, f"_write_{self.part.kind}")()
        return Source(name, self.out.text(), frozenset(self.speller.used))

    # ------------------------------------------------------------ the four kinds

    def _write_single(self) -> None:
        self.out.line("flat = 0")
        with self.out.block("if cuda.grid(1) == 0:"):
            self._block(self.kernel.body)

    def _write_map(self) -> None:
        nest = self._nest()
        extents = self._extents(nest)
        self.out.line("flat = only")
        with self.out.block("if only < 0:"):
            self.out.line("flat = cuda.grid(1)")
        with self.out.block(f"if flat < {_product(extents)}:"):
            self._indices(nest, extents)
            self.atomic = nest.atomic
            self._block(nest.body)

    def _write_rows(self) -> None:
        nest = self._nest()
        self.out.line("thread = cuda.threadIdx.x")
        self._share([f.dtype for f in _all_folds(nest)])
        extents = self._extents(nest)
        rows = _product(extents)
        with self.out.block(f"for flat in range(cuda.blockIdx.x, {rows}, cuda.gridDim.x):"):
            self._indices(nest, extents)
            self.atomic = nest.atomic
            self.together = True
            self._block(nest.body)
            self._barrier()

    def _write_reduce(self) -> None:
        nest, folds = self._nest(), self.part.folds
        self.out.line("thread = cuda.threadIdx.x")
        self._share([f.dtype for f in folds])
        extents = self._extents(nest)
        for fold in folds:
            # the buffer that holds the fold has its name; the local beside it gets another
            self.given[fold.name] = local = self.names.fresh(f"{fold.name}_part")
            self.out.line(f"{local} = {self._text(identity(fold.word, fold.dtype))}")
        turns = _product(extents)
        with self.out.block(f"for flat in range(cuda.grid(1), {turns}, cuda.gridsize(1)):"):
            self._indices(nest, extents)
            self._block(nest.body)
        for fold in folds:
            found = self._fold_block(self.given[fold.name], fold.word, fold.dtype)
            with self.out.block("if thread == 0:"):
                self.out.line(f"{self.given[fold.partial]}[cuda.blockIdx.x] = {found}")
            self.out.line(BARRIER)

    # ------------------------------------------------------------ loops over threads

    def _nest(self) -> Nest:
        assert self.part.nest is not None, self.part.kind
        return self.part.nest

    def _extents(self, nest: Nest) -> list[str]:
        """Variables that hold the extents of a nest."""
        found = []
        for loop in nest.loops:
            text = self._text(loop.extent)
            if not text.isidentifier() and not text.isdigit():
                name = self.names.fresh(f"extent_{loop.var}")
                self.out.line(f"{name} = {text}")
                text = name
            found.append(text)
        return found

    def _indices(self, nest: Nest, extents: list[str], flat: str = "flat") -> None:
        """The loop indices from the number of a turn, the last loop innermost."""
        if len(nest.loops) > 1:
            self.out.line(f"part = {flat}")
            flat = "part"
        for k in range(len(nest.loops) - 1, -1, -1):
            name = self._name(nest.loops[k].var)
            if k == 0:
                self.out.line(f"{name} = {flat}")
            else:
                self.out.line(f"{name} = part % {extents[k]}")
                self.out.line(f"part = part // {extents[k]}")

    def _share(self, dtypes: list[DType]) -> None:
        """Shared memory for the folds of a block."""
        for dtype in dict.fromkeys(dtypes):
            kind = cast_name(dtype)
            self.shared[dtype] = name = self.names.fresh(f"shared_{kind}")
            self.speller.used.add(TYPES + kind)
            self.out.line(f"{name} = cuda.shared.array({self.threads}, {TYPES}{kind})")

    def _fold_block(self, local: str, word: str, dtype: DType) -> str:
        """A tree over the threads of the block; the text of the result, until the next barrier."""
        shared = self.shared[dtype]
        left, right = f"{shared}[thread]", f"{shared}[thread + step]"
        self.out.line(f"{left} = {local}")
        self.out.line(BARRIER)
        self.out.line(f"step = {self.threads // 2}")
        with self.out.block("while step > 0:"):
            with self.out.block("if thread < step:"):
                self.out.line(f"{left} = {self._apply(word, left, right, dtype)}")
            self.out.line(BARRIER)
            self.out.line("step = step // 2")
        return f"{shared}[0]"

    def _apply(self, word: str, left: str, right: str, dtype: DType) -> str:
        """The text of a word on two texts."""
        a, b = self.names.fresh("left"), self.names.fresh("right")
        self.given[a], self.given[b] = left, right
        return self._text(Word(word, (Var(a, dtype), Var(b, dtype)), dtype))

    def _barrier(self) -> None:
        self.out.line(BARRIER)
        if len(set(self.out.lines[-2:])) == 1:  # two in a row, at one depth
            self.out.lines.pop()

    # ------------------------------------------------------------ statements

    def _statement(self, s: Stmt) -> None:
        if isinstance(s, Local):
            self._local(s)
        elif not self.together or isinstance(s, Let | Assign):
            super()._statement(s)
        elif isinstance(s, Store | Update):
            self._barrier()
            with self._one_by_one(), self.out.block("if thread == 0:"):
                super()._statement(s)
            self._barrier()
        elif isinstance(s, For) and (nest := spread(s)) is not None:
            self._strided(nest)
        else:
            super()._statement(s)

    @contextmanager
    def _one_by_one(self) -> Iterator[None]:
        self.together = False
        yield
        self.together = True

    def _strided(self, nest: Nest) -> None:
        """The turns of a nest over the threads of the block, and its folds joined."""
        self._barrier()
        extents = self._extents(nest)
        outside = {name: self.given[name] for name in nest.sums}
        dtypes = _fold_dtypes(nest)
        for name, word in nest.sums.items():
            self.given[name] = local = self.names.fresh(f"{name}_part")
            self.out.line(f"{local} = {self._text(identity(word, dtypes[name]))}")
        turn = self.names.fresh("turn")
        before, self.atomic = self.atomic, self.atomic | nest.atomic
        with self._one_by_one():
            turns = _product(extents)
            with self.out.block(f"for {turn} in range(thread, {turns}, {self.threads}):"):
                self._indices(nest, extents, turn)
                self._block(nest.body)
        self.atomic = before
        for name, word in nest.sums.items():
            found = self._fold_block(self.given[name], word, dtypes[name])
            self.given[name] = outside[name]
            joined = self._apply(word, outside[name], found, dtypes[name])
            self.out.line(f"{outside[name]} = {joined}")
            self.out.line(BARRIER)
        self._barrier()

    def _local(self, s: Local) -> None:
        kind = cast_name(s.dtype)
        self.speller.used.add(TYPES + kind)
        space = "shared" if self.together else "local"
        shape = s.shape or (1,)
        dims = f"({', '.join(map(str, shape))},)"
        self.out.line(f"{self._name(s.name)} = cuda.{space}.array({dims}, {TYPES}{kind})")

    def _free_order(self, value: Expr) -> bool:
        return False  # a thread's own order is as good as any: no flags

    def _update(self, s: Update) -> None:
        if id(s) not in self.atomic:
            super()._update(s)
            return
        *at, text = self.speller.expr(*s.index, s.value)
        place = f"({', '.join(at)},)" if at else "0"
        if len(at) == 1:
            place = at[0]
        self.out.line(f"cuda.atomic.{s.op}({self.given[s.buffer]}, {place}, {text})")

    def _fail(self, code: int, args: tuple[Expr, ...]) -> None:
        self.out.line("cuda.atomic.min(status, 0, flat)")
        with self.out.block("if only >= 0:"):
            self.out.line(f"status[1] = {code}")
            for i, text in enumerate(self.speller.expr(*args)):
                self.out.line(f"status[{i + 2}] = {text}")
        self.out.line("return")


def _product(extents: list[str]) -> str:
    return " * ".join(extents) or "1"


def _all_folds(nest: Nest) -> list[Var]:
    """A variable for every fold of the loops inside a row, wherever they stand."""
    found = []
    for s in statements(nest.body):
        if isinstance(s, For) and (inner := spread(s)) is not None:
            found += [Var(name, dtype) for name, dtype in _fold_dtypes(inner).items()]
    return found


def _fold_dtypes(nest: Nest) -> dict[str, DType]:
    return {
        s.name: s.value.dtype
        for s in statements(nest.body)
        if isinstance(s, Assign) and s.name in nest.sums
    }
