"""Library calls as LLVM text: calls of functions by pointer. The rows are ``library``'s.

float32 and float64 go to our ``product`` (see ``product_entry``), complex dtypes to CBLAS, which
takes their factors by address. Empty extents are kept from CBLAS where its own answer is not the
row's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any  # attributes are numbers of any kind

import numpy as np

from symgraph.codegen.externals import PARALLEL
from symgraph.codegen.library_calls import LETTERS, PRODUCTS
from symgraph.codegen.llvm_expression import memory_type, number
from symgraph.codegen.llvm_text import BIT, INDEX, POINTER, Builder, Operand, Pair, Value, constant
from symgraph.codegen.product_entry import FLAGS
from symgraph.records import dataclass

DType = np.dtype[np.generic]
Attrs = Mapping[str, Any]
_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112  # enums of the CBLAS interface
_ZERO, _ONE = constant(INDEX, 0), constant(INDEX, 1)


@dataclass(frozen=True, slots=True)
class CallText:
    """A call to be written: function, dtype, addresses of buffers, sizes, attributes."""

    b: Builder
    function: Callable[[str], Value]  # from the name of a function to its address
    dtype: DType
    buffers: tuple[Value, ...]
    sizes: tuple[Value, ...]
    attrs: Attrs
    entry: list[str]  # instructions that reserve places on the stack

    def flag(self, name: str) -> bool:
        """Is an attribute set?"""
        return bool(self.attrs.get(name))

    def factors(self) -> tuple[Operand, Operand]:
        """alpha and beta."""
        alpha, beta = self.attrs.get("alpha", 1), self.attrs.get("beta", 0)
        return number(alpha, self.dtype), number(beta, self.dtype)

    def passed(self, factor: Operand) -> Value:
        """A factor as CBLAS takes it."""
        if isinstance(factor, Value):
            return factor
        kind = memory_type(self.dtype)
        place = self.b.fresh(POINTER)
        self.entry.append(f"  {place.text} = alloca {kind}")
        self.b.store(factor.re, place)
        text = f"getelementptr inbounds {kind}, ptr {place.text}, i64 0, i32 1"
        self.b.store(factor.im, self.b.value(POINTER, text))
        return place

    def cblas(self, name: str, *args: Value) -> None:
        """The call of a function of CBLAS."""
        self._call(self.function(f"cblas.{LETTERS[str(self.dtype)]}{name}"), args)

    def product(self, batch: Value, m: Value, n: Value, k: Value) -> bool:
        """The call of our product, where there is one for the dtype."""
        symbol = PRODUCTS.get(str(self.dtype))
        if symbol is None:
            return False
        flags = sum(self.flag(name) << place for place, name in enumerate(FLAGS))
        (alpha, beta), (x, y, out) = self.factors(), self.buffers
        sizes = (batch, m, n, k, constant(INDEX, flags))
        function, threads = self.function(symbol), self.function(PARALLEL)
        factors = self.passed(alpha), self.passed(beta)
        self._call(function, (*sizes, factors[0], x, y, factors[1], out, threads))
        return True

    def _call(self, function: Value, args: tuple[Value, ...]) -> None:
        self.b.line(f"call void {function.text}({', '.join(map(str, args))})")


def _int(value: int) -> Value:
    return constant("i32", value)


def _operation(transposed: bool) -> Value:
    return _int(_TRANSPOSED if transposed else _PLAIN)


def _leading(b: Builder, extent: Value) -> Value:
    return b.intrinsic("smax", (extent, _ONE))


def _unless(b: Builder, cond: Value, x: Operand) -> Operand:
    """x, or 0 where the condition holds."""
    if isinstance(x, Pair):
        return Pair(*(b.select(cond, constant(part.type, 0), part) for part in x))
    return b.select(cond, constant(x.type, 0), x)


def _where_some(b: Builder, extents: tuple[Value, ...], write: Callable[[], None]) -> None:
    """Writes code that runs where no extent is below 1."""
    some = Value(BIT, "true")
    for extent in extents:
        some = b.and_(some, b.icmp_signed(">", extent, _ZERO))
    then, done = b.append_basic_block("some"), b.append_basic_block("done")
    b.cbranch(some, then, done)
    b.position_at_end(then)
    write()
    b.branch(done)
    b.position_at_end(done)


def _product(call: CallText, sizes: tuple[Value, ...], buffers: tuple[Value, ...]) -> None:
    b, (m, n, k), (x, y, out) = call.b, sizes, buffers
    turn_a, turn_b = call.flag("trans_a"), call.flag("trans_b")
    lead_a, lead_b = _leading(b, m if turn_a else k), _leading(b, k if turn_b else n)
    alpha, beta = (call.passed(f) for f in call.factors())
    call.cblas(
        "gemm",
        *(_int(_ROW_MAJOR), _operation(turn_a), _operation(turn_b), m, n, k),
        *(alpha, x, lead_a, y, lead_b, beta, out, _leading(b, n)),
    )


def _gemm(call: CallText) -> None:
    m, n, _ = call.sizes
    if call.product(_ONE, *call.sizes):
        return
    _where_some(call.b, (m, n), lambda: _product(call, call.sizes, call.buffers))


def _gemm_batched(call: CallText) -> None:
    """A loop of products over the leading index."""
    b, (batch, m, n, k) = call.b, call.sizes
    if call.product(batch, m, n, k):
        return
    a_step = _ZERO if call.flag("shared_a") else b.mul(m, k)
    b_step = _ZERO if call.flag("shared_b") else b.mul(k, n)
    steps = a_step, b_step, b.mul(m, n)

    def loop() -> None:
        before, turn = b.block, b.append_basic_block("turn")
        done = b.append_basic_block("done")
        b.branch(turn)
        b.position_at_end(turn)
        item = b.phi(INDEX)
        item.add_incoming(_ZERO, before)
        kind = memory_type(call.dtype)
        buffers = tuple(
            b.element(kind, base, b.mul(item.value, step))
            for base, step in zip(call.buffers, steps, strict=True)
        )
        _product(call, (m, n, k), buffers)
        following = b.add(item.value, _ONE)
        item.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("==", following, batch), done, turn)
        b.position_at_end(done)

    _where_some(b, (batch, m, n), loop)


def _gemv(call: CallText) -> None:
    b, (m, n), (x, y, out) = call.b, call.sizes, call.buffers
    turned = call.flag("trans_a")
    results, inner = (n, m) if turned else (m, n)
    if call.product(_ONE, results, _ONE, inner):
        return
    alpha, beta = call.factors()

    def write() -> None:
        # CBLAS leaves y alone where the inner extent is 0; with extent 1 and alpha = 0 it scales y
        empty = b.icmp_signed("<=", inner, _ZERO)
        some = b.select(empty, _ONE, inner)
        rows, columns = (some, n) if turned else (m, some)
        factor = _unless(b, empty, alpha)
        call.cblas(
            "gemv",
            *(_int(_ROW_MAJOR), _operation(turned), rows, columns, call.passed(factor), x),
            *(_leading(b, columns), y, _ONE, call.passed(beta), out, _ONE),
        )

    _where_some(b, (results,), write)


def _dot(call: CallText) -> None:
    found = call.product(_ONE, _ONE, _ONE, call.sizes[0])
    assert found, "complex vectors are multiplied by a loop"


# name of a library row -> how its call of a function is written
CALLS: dict[str, Callable[[CallText], None]] = {
    "gemm": _gemm,
    "gemm_batched": _gemm_batched,
    "gemv": _gemv,
    "dot": _dot,
}
