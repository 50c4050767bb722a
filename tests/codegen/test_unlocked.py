"""LLVM on several threads at once gives what it gives on one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from symgraph.codegen import objects
from symgraph.codegen.product_build import assembly, host_shape

_LOOP = """
define void @scale(ptr %x, i64 %n) {
entry:
  br label %turn
turn:
  %i = phi i64 [0, %entry], [%j, %turn]
  %p = getelementptr double, ptr %x, i64 %i
  %v = load double, ptr %p
  %w = fmul double %v, 3.0
  store double %w, ptr %p
  %j = add nuw nsw i64 %i, 1
  %d = icmp eq i64 %j, %n
  br i1 %d, label %done, label %turn
done:
  ret void
}"""


def test_threads_compile_at_once_what_one_compiles_alone() -> None:
    text = assembly(host_shape("float64"), frozenset(("packed", "turn", "rows_6x4", "dots_4x4")))
    jobs: list[Callable[[], bytes]] = [
        lambda: objects.compile_straight(text),
        lambda: objects.compile_text(_LOOP, ["scale"], 3),
    ] * 2
    alone = [job() for job in jobs]
    for _ in range(5):
        found: list[bytes] = [b""] * len(jobs)

        def work(k: int, found: list[bytes] = found) -> None:
            found[k] = jobs[k]()

        threads = [threading.Thread(target=work, args=(k,)) for k in range(len(jobs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == alone
