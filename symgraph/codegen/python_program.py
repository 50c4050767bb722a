"""A Program as Python: ``run(buffers, sizes, facts)`` beside one function for each kernel.

``run`` gets the addresses of all buffers (inputs, outputs, temporaries, then the library's
functions), the sizes, and four int64 places for the facts of a failure; it returns 0 or the code
of the failure. It sees memory as arrays of each kernel's own shape and allocates nothing. Like
the kernels, it runs in plain Python too (``plain.array`` sees memory at an address).
"""

from __future__ import annotations

from symgraph.codegen.library import LIBRARY
from symgraph.codegen.library_calls import LibraryCall
from symgraph.codegen.python_kernel import RESERVED, Source, kernel_function
from symgraph.codegen.source import Names, Writer
from symgraph.codegen.spelling import Speller, cast_name
from symgraph.loop.build import add, const, i64, mul, sub
from symgraph.loop.ir import (
    Bind,
    Branch,
    Buffer,
    Call,
    Check,
    Const,
    Copy,
    Expr,
    Kernel,
    Library,
    Loop,
    Program,
    Repeat,
    Step,
    View,
)
from symgraph.loop.traverse import can_fail, substitute
from symgraph.records import dataclass


@dataclass(frozen=True, slots=True)
class ProgramSource:
    """All functions of a program; ``needs`` are the library functions it is given pointers to."""

    kernels: tuple[tuple[Kernel, Source], ...]
    run: Source
    needs: tuple[str, ...]

    def text(self) -> str:
        """One module: what a person reads."""
        used = sorted(self.run.used.union(*(source.used for _, source in self.kernels)))
        head = f"from symgraph.codegen.plain import {', '.join(used)}\n" if used else ""
        functions = [source.text for _, source in self.kernels] + [self.run.text]
        return "\n\n".join([head, *functions])


def program_source(program: Program) -> ProgramSource:
    """The functions of a program, in an order in which each calls only earlier ones."""
    return _ProgramWriter(program).write()


class _ProgramWriter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = Names(RESERVED)
        self.given: dict[str, str] = {}  # variables, and arrays of whole buffers
        self.address: dict[str, str] = {}  # buffer or view -> variable that holds its address
        self.specs: dict[str, Buffer] = {}
        self.out = Writer()
        self.speller = Speller(
            self.given.__getitem__, self.names.fresh, lambda n, t: self.out.line(f"{n} = {t}")
        )
        self.kernels: dict[str, tuple[Kernel, Source]] = {}
        self.needs: list[str] = []
        self.views: list[dict[str, str]] = []  # of the blocks around: text of an array -> variable

    def write(self) -> ProgramSource:
        program = self.program
        for kernel in program.kernels:
            self.add_kernel(kernel)
        with self.out.block("def run(buffers, sizes, facts):"):
            for i, size in enumerate(program.sizes):
                self.out.line(f"{self._name(size)} = sizes[{i}]")
            buffers = program.inputs + program.outputs + program.temporaries
            for i, spec in enumerate(buffers):
                self._declare(spec, f"buffers[{i}]")
            self._count = len(buffers)
            self._steps(program.steps)
            self.out.line("return 0")
        run = Source("run", self.out.text(), frozenset(self.speller.used))
        return ProgramSource(tuple(self.kernels.values()), run, tuple(self.needs))

    def add_kernel(self, kernel: Kernel) -> str:
        """Adds a kernel (once) and gives the name of its function."""
        if kernel.name not in self.kernels:
            source = kernel_function(kernel, self.names.fresh(kernel.name))
            self.kernels[kernel.name] = kernel, source
        return self.kernels[kernel.name][1].name

    def function(self, symbol: str) -> str:
        """The text of the address of a library function, which the caller passes last."""
        if symbol not in self.needs:
            self.needs.append(symbol)
        return f"buffers[{self._count + self.needs.index(symbol)}]"

    def array(self, name: str, shape: tuple[Expr, ...]) -> str:
        """The memory of a buffer as an array of some shape."""
        dims = self.speller.expr(*shape)
        text = f"({dims[0]},)" if len(dims) == 1 else f"({', '.join(dims)})"
        kind = cast_name(self.specs[name].dtype)
        return self.speller.call(f"array_{kind}", self.address[name], text)

    def view(self, name: str, shape: tuple[Expr, ...]) -> str:
        """A variable that holds ``array``: one for a block, since numba compiles each slowly."""
        text = self.array(name, shape)
        for scope in self.views:
            if text in scope:
                return scope[text]
        found = self.names.fresh(f"{name}_view")
        self.out.line(f"{found} = {text}")
        self.views[-1][text] = found
        return found

    def _name(self, name: str) -> str:
        self.given[name] = self.names.fresh(name)
        return self.given[name]

    def _declare(self, spec: Buffer, address: str) -> None:
        variable = self.names.fresh(spec.name)
        self.out.line(f"{variable} = {address}")
        self.address[spec.name], self.specs[spec.name] = variable, spec
        self.given[spec.name] = self.array(spec.name, spec.shape)

    def _text(self, x: Expr) -> str:
        return self.speller.expr(x)[0]

    def _steps(self, steps: tuple[Step, ...]) -> None:
        self.views.append({})
        for step in steps:
            self._step(step)
        self.views.pop()

    def _step(self, step: Step) -> None:
        match step:
            case Call():
                self._call(step)
            case Library():
                self._library(step)
            case View():
                self._view(step)
            case Bind(name, buffer):
                value = f"{self.array(buffer, ())}[()]"
                self.out.line(f"{self._name(name)} = {value}")
            case Check(cond, code, args):
                with self.out.block(f"if not ({self._text(cond)}):"):
                    self._fail(code, args)
            case Repeat(var, extent, steps):
                text = self._text(extent)
                with self.out.block(f"for {self._name(var)} in range({text}):"):
                    self._steps(steps)
            case Loop(cond, steps):
                with self.out.block(f"while {self.array(cond, ())}[()]:"):
                    self._steps(steps)
            case Branch():
                self._branch(step)
            case Copy(target, source):
                nbytes = self._text(mul(_size(self.specs[target].shape), self._itemsize(target)))
                parts = self.address[target], self.address[source], nbytes
                self.out.line(self.speller.call("copy_memory", *parts))

    def _branch(self, step: Branch) -> None:
        with self.out.block(f"if {self.array(step.cond, ())}[()]:"):
            self._steps(step.then)
        if step.orelse:
            with self.out.block("else:"):
                self._steps(step.orelse)

    def _fail(self, code: int, args: tuple[Expr, ...]) -> None:
        for i, text in enumerate(self.speller.expr(*args)):
            self.out.line(f"facts[{i}] = {text}")
        self.out.line(f"return {code}")

    def _itemsize(self, name: str) -> Const:
        return const(self.specs[name].dtype.itemsize)

    def _call(self, step: Call) -> None:
        kernel = self.kernels[step.kernel][0]
        self.call_kernel(kernel, step.buffers, step.sizes)

    def call_kernel(
        self, kernel: Kernel, buffers: tuple[str, ...], sizes: tuple[Expr, ...]
    ) -> None:
        """Writes the call of a kernel on buffers, each seen with the kernel's own shape."""
        function = self.add_kernel(kernel)
        values = dict(zip(kernel.sizes, sizes, strict=True))
        args = [
            self.view(name, tuple(substitute(dim, values) for dim in spec.shape))
            for name, spec in zip(buffers, kernel.buffers, strict=True)
        ]
        args += self.speller.expr(*sizes)
        if not can_fail(kernel):
            self.out.line(f"{function}({', '.join(args)})")
            return
        code = self.names.fresh("code")
        self.out.line(f"{code} = {function}({', '.join([*args, 'facts'])})")
        with self.out.block(f"if {code} != 0:"):
            self.out.line(f"return {code}")

    def _library(self, step: Library) -> None:
        row = LIBRARY[step.name]
        dtype = self.specs[step.buffers[0]].dtype
        kernel = row.kernel(dtype, dict(step.attrs))
        if kernel is not None:
            self.call_kernel(kernel, step.buffers, step.sizes)
            return
        call = LibraryCall(
            dtype,
            tuple(self.address[name] for name in step.buffers),
            tuple(self.speller.expr(*step.sizes)),
            dict(step.attrs),
        )
        for line in row.lines(call, self.function, self.speller.call):
            self.out.line(line)

    def _view(self, step: View) -> None:
        base = self.specs[step.base]
        offset: Expr = const(0)
        for i, dim in zip(step.index, base.shape, strict=False):
            offset = _plus(_times(offset, dim), i)
        rest = base.shape[len(step.index) :]
        if step.start is not None:
            offset = _plus(_times(offset, rest[0]), step.start)
            offset = _times(offset, _size(rest[1:]))
            rest = (sub(rest[0], step.start), *rest[1:])
        else:
            offset = _times(offset, _size(rest))
        spec = Buffer(step.name, base.dtype, rest)
        here = i64(step.base)
        self.given[step.base], saved = self.address[step.base], self.given[step.base]
        address = self._text(_plus(here, _times(offset, self._itemsize(step.base))))
        self.given[step.base] = saved
        self._declare(spec, address)


def _size(shape: tuple[Expr, ...]) -> Expr:
    total: Expr = const(1)
    for dim in shape:
        total = _times(total, dim)
    return total


def _times(x: Expr, y: Expr) -> Expr:
    for one, other in ((x, y), (y, x)):
        if isinstance(one, Const) and one.value == 1:
            return other
        if isinstance(one, Const) and one.value == 0:
            return one
    return mul(x, y)


def _plus(x: Expr, y: Expr) -> Expr:
    if isinstance(x, Const) and x.value == 0:
        return y
    return x if isinstance(y, Const) and y.value == 0 else add(x, y)
