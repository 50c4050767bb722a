"""Compiled jobs for the pool's tests, and how to post them."""

import ctypes
from functools import cache

import numpy as np

from symgraph.codegen.loader import library
from symgraph.codegen.objects import compile_text

_TEXT = """
define void @add(ptr %block, i64 %k) {
  %a = load ptr, ptr %block
  %pb = getelementptr i64, ptr %block, i64 1
  %b = load ptr, ptr %pb
  %po = getelementptr i64, ptr %block, i64 2
  %o = load ptr, ptr %po
  %pn = getelementptr i64, ptr %block, i64 3
  %n = load i64, ptr %pn
  %pl = getelementptr i64, ptr %block, i64 4
  %length = load i64, ptr %pl
  %low = mul i64 %k, %length
  %top = add i64 %low, %length
  %high = call i64 @llvm.smin.i64(i64 %top, i64 %n)
  %any = icmp slt i64 %low, %high
  br i1 %any, label %loop, label %end
loop:
  %i = phi i64 [%low, %0], [%i1, %loop]
  %qa = getelementptr double, ptr %a, i64 %i
  %qb = getelementptr double, ptr %b, i64 %i
  %qo = getelementptr double, ptr %o, i64 %i
  %x = load double, ptr %qa
  %y = load double, ptr %qb
  %z = load double, ptr %qo
  %s = fadd double %x, %y
  %r = fadd double %s, %z
  store double %r, ptr %qo
  %i1 = add nsw i64 %i, 1
  %more = icmp slt i64 %i1, %high
  br i1 %more, label %loop, label %end
end:
  ret void
}
declare i64 @llvm.smin.i64(i64, i64)

; block = {address of symgraph_parallel, counter, inner chunks}
define void @nested(ptr %block, i64 %k) {
  %p = load ptr, ptr %block
  %counter = getelementptr i64, ptr %block, i64 1
  %pn = getelementptr i64, ptr %block, i64 2
  %n = load i64, ptr %pn
  call void %p(ptr @count, ptr %counter, i64 %n)
  ret void
}
define void @count(ptr %counter, i64 %k) {
  atomicrmw add ptr %counter, i64 1 monotonic, align 8
  ret void
}
declare i64 @pthread_self()
declare i32 @usleep(i32)
; writes which thread ran the chunk
define void @who(ptr %out, i64 %k) {
  %id = call i64 @pthread_self()
  %p = getelementptr i64, ptr %out, i64 %k
  store i64 %id, ptr %p
  call i32 @usleep(i32 3000)
  ret void
}
"""


@cache
def jobs() -> dict[str, int]:
    """Addresses of the jobs."""
    names = ("add", "nested", "count", "who")
    loaded = library(compile_text(_TEXT, names), names)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(loaded))  # workers may still look at its code
    return loaded.address


def post(address: int, job: str, context: int, chunks: int) -> None:
    """Run a job; the GIL is released."""
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    kind(address)(jobs()[job], context, chunks)


def added(address: int, n: int, chunks: int, seed: int = 0) -> bool:
    """One job of adding two vectors: is every element added exactly once?"""
    rng = np.random.default_rng(seed)
    a, b, out = rng.random(n), rng.random(n), np.zeros(n)
    length = -(-n // max(chunks, 1))
    block = (ctypes.c_int64 * 5)(a.ctypes.data, b.ctypes.data, out.ctypes.data, n, length)
    post(address, "add", ctypes.addressof(block), chunks)
    return np.array_equal(out, a + b)
