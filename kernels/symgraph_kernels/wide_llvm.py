"""Double-double arithmetic as LLVM: a function per row, and an interpreter of short programs.

`wide_module()` is the text of a module with one entry,

    void symgraph_rescue(i64* code, double* args, double* out, i64 lanes, i64 mask)

which for every lane whose bit is set in `mask` runs `code` on args[k * lanes + lane] and puts the
result into out[lane]. A lane with an argument that is not finite, or whose result is NaN, keeps
what `out` held. `code` is [lanes run so far, arguments, instructions, result register] and five
numbers an instruction: operation, target register, three operand registers. Operation 0 is a
constant: the operands are the bits of high and low and the exponent; operation 1 + k is row k of
`wide_table`. Arguments are registers 0, 1, ....

So a program costs no compilation at all, only data: the module is compiled once per machine. Rows
are functions that call each other, since a flagged lane may take a microsecond, and one module of
inlined code would take seconds to compile.

A module may have some of the rows alone (`wide_table.TIERS`), and compile in a fifth of the time.
Its entry looks through the program first, and gives one that needs other rows to what the variable
`symgraph_rescue_more` points to.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from symgraph_kernels import wide
from symgraph_kernels.llvm import DOUBLE, DeviceBuilder, Value, Words
from symgraph_kernels.wide import Wide
from symgraph_kernels.wide_table import TIERS, WIDE_ROWS, WideRow

ENTRY = "symgraph_rescue"
MORE = "symgraph_rescue_more"
HEADER, STEP = 4, 5  # numbers before the instructions, and in each
MOST_REGISTERS = 512
PREFIX = "sg.wide."
INT, VOID = ir.IntType(64), ir.VoidType()
TRIPLE = ir.LiteralStructType([DOUBLE] * 3)
RUN = ir.FunctionType(VOID, [INT.as_pointer(), DOUBLE.as_pointer(), DOUBLE.as_pointer(), INT, INT])


class WideCalls:
    """The rows as methods that emit calls; `s` are the float64 words."""

    def __init__(self, builder: Any, target: str) -> None:
        self.builder, self.target = builder, target
        self.s = Words(builder, True, target)

    def __getattr__(self, name: str) -> Callable[..., Wide]:
        row = WIDE_ROWS.get(name)
        if row is None:
            raise AttributeError(name)
        return lambda *args: self._call(row, args)

    def _call(self, row: WideRow, args: tuple[Wide, ...]) -> Wide:
        b = self.builder
        function = emit_row(b.module, row.name, self.target)
        parts = [self.s._value(part) for a in args for part in a]
        found = b.call(function, parts)
        return Wide(*(Value(b, b.extract_value(found, k)) for k in range(3)))


def emit_row(module: Any, name: str, target: str = "cpu") -> Any:
    """The function `sg.wide.<name>` of the module, added with all it calls if it is not there.

    On a device it is `sg_wide_<name>`: NVVM takes no dots.
    """
    full = PREFIX + name
    full = full.replace(".", "_") if target == "cuda" else full
    found = module.globals.get(full)
    if found is not None:
        return found
    row = WIDE_ROWS[name]
    kind = ir.FunctionType(TRIPLE, [DOUBLE] * (3 * row.arity))
    function = ir.Function(module, kind, full)
    function.linkage = "internal"
    function.attributes.add("nounwind")
    function.attributes.add("noinline")
    builder = _builder(function, target)
    calls = WideCalls(builder, target)
    values = [Value(builder, a) for a in function.args]
    triples = [Wide(*values[3 * k : 3 * k + 3]) for k in range(row.arity)]
    result = row.definition(calls, *triples)
    packed = ir.Constant(TRIPLE, ir.Undefined)
    for k, part in enumerate(result):
        packed = builder.insert_value(packed, calls.s._value(part), k)
    builder.ret(packed)
    return function


def _builder(function: Any, target: str) -> Any:
    kind = DeviceBuilder if target == "cuda" else ir.IRBuilder
    return kind(function.append_basic_block("entry"))


@functools.cache
def wide_module(tier: int = len(TIERS) - 1) -> str:
    """LLVM assembly with the entry `symgraph_rescue` and the rows of a tier (all)."""
    module = ir.Module("wide")
    rows = TIERS[tier]
    table = _table(module, rows)
    entry = ir.Function(module, RUN, ENTRY)
    more = None
    if len(rows) < len(WIDE_ROWS):
        more = ir.GlobalVariable(module, RUN.as_pointer(), MORE)
    _Interpreter(entry, table, more).write()
    return str(module)


def _table(module: Any, rows: frozenset[str]) -> Any:
    """The functions of rows by their numbers; null for those that are not in this module."""
    kind = ir.FunctionType(VOID, [TRIPLE.as_pointer(), INT, INT, INT, INT])
    steps: list[Any] = []
    for name in WIDE_ROWS:
        if name not in rows:
            steps.append(ir.Constant(kind.as_pointer(), None))
            continue
        step = ir.Function(module, kind, f"{PREFIX}step.{name}")
        step.linkage = "internal"
        builder = ir.IRBuilder(step.append_basic_block("entry"))
        registers, target, *operands = step.args
        parts = [
            builder.extract_value(_load(builder, registers, operand), k)
            for operand in operands[: WIDE_ROWS[name].arity]
            for k in range(3)
        ]
        found = builder.call(emit_row(module, name), parts)
        builder.store(found, builder.gep(registers, [target], source_etype=TRIPLE))
        builder.ret_void()
        steps.append(step)
    array = ir.ArrayType(kind.as_pointer(), len(steps))
    table = ir.GlobalVariable(module, array, f"{PREFIX}steps")
    table.linkage, table.global_constant = "internal", True
    table.initializer = ir.Constant(array, steps)
    return table


def _load(builder: Any, registers: Any, index: Any) -> Any:
    return builder.load(builder.gep(registers, [index], source_etype=TRIPLE), typ=TRIPLE)


class _Interpreter:
    """Writes the entry: a loop over lanes around a loop over instructions."""

    def __init__(self, entry: Any, table: Any, more: Any) -> None:
        self.given = entry.args
        self.code, self.args, self.out, self.lanes, self.mask = entry.args
        self.table, self.more = table, more
        self.b = ir.IRBuilder(entry.append_basic_block("entry"))
        self.words = Words(self.b, True, "cpu")
        self.registers = self.b.alloca(ir.ArrayType(TRIPLE, MOST_REGISTERS))
        self.regular = self.b.alloca(ir.IntType(1))
        self.first = self.b.gep(self.registers, [INT(0), INT(0)])

    def write(self) -> None:
        b = self.b
        self.count, self.steps, self.result = (self._field(INT(k)) for k in (1, 2, 3))
        if self.more is not None:
            self._give_away()
        with self._loop(self.lanes) as lane:
            bit = b.and_(b.lshr(self.mask, lane), INT(1))
            with b.if_then(b.icmp_unsigned("!=", bit, INT(0))):
                b.atomic_rmw("add", self.code, INT(1), "monotonic")
                self._lane(lane)
        b.ret_void()

    def _give_away(self) -> None:
        """Returns from `more` where the program has a row that is not here."""
        b = self.b
        b.store(ir.IntType(1)(0), self.regular)
        with self._loop(self.steps) as i:
            operation = self._field(b.add(b.mul(i, INT(STEP)), INT(HEADER)))
            with b.if_then(b.icmp_signed("!=", operation, INT(0))):
                step = b.load(self._row(operation))
                missing = b.icmp_unsigned("==", b.ptrtoint(step, INT), INT(0))
                known = b.load(self.regular, typ=ir.IntType(1))
                b.store(b.or_(known, missing), self.regular)
        with b.if_then(b.load(self.regular, typ=ir.IntType(1)), likely=False):
            b.call(b.load(self.more), self.given)
            b.ret_void()

    def _lane(self, lane: Any) -> None:
        b = self.b
        regular = self.regular
        b.store(ir.IntType(1)(1), regular)
        with self._loop(self.count) as k:
            at = b.add(b.mul(k, self.lanes), lane)
            x = Value(b, b.load(b.gep(self.args, [at], source_etype=DOUBLE), typ=DOUBLE))
            finite = (self.words.abs(x) < float("inf")).ir
            b.store(b.and_(finite, b.load(regular, typ=ir.IntType(1))), regular)
            self._store(k, wide.lift(self.words, x))
        with b.if_then(b.load(regular, typ=ir.IntType(1))):
            with self._loop(self.steps) as i:
                self._step(i)
            triple = _load(b, self.first, self.result)
            parts = Wide(*(Value(b, b.extract_value(triple, k)) for k in range(3)))
            found = wide.drop(self.words, parts).ir
            with b.if_then(b.fcmp_ordered("ord", found, found)):
                b.store(found, b.gep(self.out, [lane], source_etype=DOUBLE))

    def _step(self, i: Any) -> None:
        b = self.b
        at = b.add(b.mul(i, INT(STEP)), INT(HEADER))
        operation, target, *operands = (self._field(b.add(at, INT(k))) for k in range(STEP))
        with b.if_else(b.icmp_signed("==", operation, INT(0))) as (then, otherwise):
            with then:
                high, low = (Value(b, b.bitcast(x, DOUBLE)) for x in operands[:2])
                self._store(target, Wide(high, low, Value(b, b.sitofp(operands[2], DOUBLE))))
            with otherwise:
                step = b.load(self._row(operation))
                b.call(step, [self.first, target, *operands])

    def _row(self, operation: Any) -> Any:
        """Where the function of an operation is."""
        return self.b.gep(self.table, [INT(0), self.b.sub(operation, INT(1))])

    def _field(self, at: Any) -> Any:
        return self.b.load(self.b.gep(self.code, [at], source_etype=INT), typ=INT)

    def _store(self, index: Any, triple: Wide) -> None:
        b = self.b
        packed = ir.Constant(TRIPLE, ir.Undefined)
        for k, part in enumerate(triple):
            packed = b.insert_value(packed, self.words._value(part), k)
        b.store(packed, b.gep(self.first, [index], source_etype=TRIPLE))

    def _loop(self, count: Any) -> Any:
        return _Loop(self.b, count)


class _Loop:
    """`with _Loop(builder, count) as i`: i = 0 .. count - 1."""

    def __init__(self, builder: Any, count: Any) -> None:
        self.b, self.count = builder, count

    def __enter__(self) -> Any:
        b = self.b
        before = b.block
        self.head, self.body, self.end = (b.append_basic_block(n) for n in ("head", "body", "end"))
        b.branch(self.head)
        b.position_at_end(self.head)
        self.i = b.phi(INT)
        self.i.add_incoming(INT(0), before)
        b.cbranch(b.icmp_signed("<", self.i, self.count), self.body, self.end)
        b.position_at_end(self.body)
        return self.i

    def __exit__(self, *error: object) -> None:
        b = self.b
        self.i.add_incoming(b.add(self.i, INT(1)), b.block)
        b.branch(self.head)
        b.position_at_end(self.end)
