"""Sorting as LLVM text: NumPy's functions for numbers in a row, rows on the threads of the pool.

argsort sorts int64 that hold a number's order and its place; see ``library_sorting``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symgraph.codegen import numpy_sort
from symgraph.codegen.externals import PARALLEL
from symgraph.codegen.library_sorting import is_wide, place_kernels
from symgraph.codegen.llvm_text import INDEX, POINTER, Builder, Value, constant
from symgraph.loop.ir import Kernel, Library
from symgraph.records import dataclass

DType = np.dtype[np.generic]
_INT64 = np.dtype("int64")
CHUNK = 1 << 14  # elements that one turn of the pool sorts, about 0.1 ms
BODY = "sort.rows"

# context: function, where rows come from and go to, bytes of a row, its elements, rows, rows a turn
_TEXT = f"""define internal void @{BODY}(ptr %context, i64 %turn) nounwind {{
entry:
  %function = load ptr, ptr %context
  %p1 = getelementptr inbounds i64, ptr %context, i64 1
  %source = load ptr, ptr %p1
  %p2 = getelementptr inbounds i64, ptr %context, i64 2
  %target = load ptr, ptr %p2
  %p3 = getelementptr inbounds i64, ptr %context, i64 3
  %row = load i64, ptr %p3
  %p4 = getelementptr inbounds i64, ptr %context, i64 4
  %n = load i64, ptr %p4
  %p5 = getelementptr inbounds i64, ptr %context, i64 5
  %rows = load i64, ptr %p5
  %p6 = getelementptr inbounds i64, ptr %context, i64 6
  %length = load i64, ptr %p6
  %first = mul i64 %turn, %length
  %after = add i64 %first, %length
  %end = call i64 @llvm.smin.i64(i64 %after, i64 %rows)
  %moves = icmp ne ptr %source, %target
  br label %test
test:
  %i = phi i64 [%first, %entry], [%next, %sort]
  %goes = icmp slt i64 %i, %end
  br i1 %goes, label %turns, label %done
turns:
  %offset = mul i64 %i, %row
  %to = getelementptr inbounds i8, ptr %target, i64 %offset
  br i1 %moves, label %move, label %sort
move:
  %from = getelementptr inbounds i8, ptr %source, i64 %offset
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %row, i1 false)
  br label %sort
sort:
  %code = call i32 %function(ptr %to, i64 %n, ptr null)
  %next = add i64 %i, 1
  br label %test
done:
  ret void
}}"""


def sorts(step: Library, dtype: DType) -> bool:
    """Is it a step that ``write_sorting`` writes?"""
    if step.name == "sort":
        return numpy_sort.is_there(dtype)
    wanted = "argsort_wide" if is_wide(dtype) else "argsort"
    return step.name == wanted and numpy_sort.is_there(_INT64)


@dataclass(frozen=True, slots=True)
class SortText:
    """What is needed to write sorting into a program.

    ``address`` gives that of a buffer, ``external`` that of a library function; ``call`` writes the
    call of a kernel on buffers; ``entry`` are instructions that reserve places on the stack.
    """

    b: Builder
    address: Callable[[str], Value]
    external: Callable[[str], Value]
    call: Callable[[Kernel, tuple[str, ...]], None]
    entry: list[str]

    def write(self, step: Library, dtype: DType, rows: Value, n: Value) -> None:
        """The step's code."""
        if step.name == "sort":
            self._rows(dtype, self.address(step.buffers[0]), step.buffers[1], rows, n)
            return
        kernels = place_kernels(dtype)
        x, out = step.buffers[:2]
        if not is_wide(dtype):
            mark, bare = kernels
            self.call(mark, (x, out))
            self._rows(_INT64, self.address(out), out, rows, n)
            self.call(bare, (out,))
            return
        low, high, join = kernels
        more = step.buffers[2]
        self.call(low, (x, more))
        self._rows(_INT64, self.address(more), more, rows, n)
        self.call(high, (x, out, more))
        self._rows(_INT64, self.address(out), out, rows, n)
        self.call(join, (out, more))

    def _rows(self, dtype: DType, source: Value, target: str, rows: Value, n: Value) -> None:
        """Copies rows to the target, if they are not there, and sorts each."""
        b = self.b
        b.module.declare("@llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
        b.module.declare("@llvm.smin.i64", "i64", ["i64", "i64"])
        b.module.define(BODY, _TEXT)
        one = constant(INDEX, 1)
        wanted = b.binary("sdiv", constant(INDEX, CHUNK), b.intrinsic("smax", (n, one)))
        length = b.intrinsic("smax", (wanted, one))
        turns = b.binary("sdiv", b.sub(b.add(rows, length), one), length)
        nbytes = b.mul(n, constant(INDEX, dtype.itemsize))
        function = self.external(f"sort.{dtype}")
        fields = (function, source, self.address(target), nbytes, n, rows, length)
        context = b.fresh(POINTER)
        self.entry.append(f"  {context.text} = alloca [{len(fields)} x i64], align 64")
        for k, value in enumerate(fields):
            b.store(value, b.element(INDEX, context, constant(INDEX, k)))
        pool = self.external(PARALLEL)
        b.line(f"call void {pool.text}(ptr @{BODY}, {context}, {turns})")
