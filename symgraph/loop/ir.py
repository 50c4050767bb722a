"""The loop IR: scalar expressions, loops over named buffers, and programs of kernels.

It knows no Node and no Op: lowering writes it, ``verify`` checks it, ``interp`` gives it
its meaning, ``text`` prints it and parses it back, backends turn it into code.

Grammar::

    Expr  = Const(value, dtype)           bits matter: -0.0, NaN
          | Var(name, dtype)              a loop index or a size (int64), or a scalar local
          | Load(buffer, index, dtype)
          | Word(name, args, dtype)       a scalar function of ``words.WORDS``, or one of the
                                          kernel's ``functions``
          | Cast(x, dtype)                a C conversion, see ``words.convert``
    Stmt  = Let(name, value)              a scalar local, in scope to the end of its block
          | Assign(name, value)           changes a local of this or an enclosing block
          | Store(buffer, index, value)
          | Update(buffer, index, op, value)    buffer[index] = buffer[index] op value
          | Local(name, dtype, shape)     an uninitialised scratch array of its block
          | For(var, extent, body, kind)  var = 0 .. extent-1
          | While(cond, body)
          | If(cond, then, orelse)
          | Fail(code, args)              stops the program: code > 0, up to 4 int64 facts
    Step  = Call | Library | View | Bind | Check | Repeat | Loop | Branch | Copy

Buffers are C-contiguous. A kernel's buffer is memory seen with the kernel's own shape: a
``Call`` passes the first ``prod(shape)`` elements of the actual buffer, so that a reshape of
contiguous memory costs nothing. Actual buffers of one call must not overlap where one of them
is written.

The kind of a ``For`` is a promise about its iterations: "serial" none; "parallel" independent
(no iteration reads what another writes); "vector" independent but for accumulators, which are
locals or elements changed only by ``s = s op e`` with op in ``ACCUMULATE``, whose order is free;
"stream" stores rows that nobody reads again soon (``streams``).

Expressions compare by identity; ``text.same`` compares structure and bits.
"""

from __future__ import annotations

import numpy as np

from symgraph.loop import MAX_FACTS as MAX_FACTS
from symgraph.records import dataclass

Scalar = bool | int | float | complex | np.generic

ACCUMULATE = ("add", "mul", "minimum", "maximum", "and", "or", "fmin", "fmax")
UPDATES = {"add": "add", "mul": "mul", "min": "minimum", "max": "maximum"}
KINDS = ("serial", "parallel", "vector", "stream")


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A number of known dtype."""

    value: Scalar
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Var:
    """A size, a loop index or a scalar local."""

    name: str
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """buffer[index]; the index has one int64 expression for each axis."""

    buffer: str
    index: tuple[Expr, ...]
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A scalar function of the closed vocabulary; every argument is evaluated."""

    name: str
    args: tuple[Expr, ...]
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """A C conversion: float to int truncates, to bool is != 0, complex to real drops imag."""

    x: Expr
    dtype: np.dtype[np.generic]


Expr = Const | Var | Load | Word | Cast


@dataclass(frozen=True, slots=True, eq=False)
class Let:
    """Introduces a scalar local."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Assign:
    """Changes a scalar local."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """buffer[index] = value."""

    buffer: str
    index: tuple[Expr, ...]
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """buffer[index] = buffer[index] op value, for op "add", "mul", "min" or "max"."""

    buffer: str
    index: tuple[Expr, ...]
    op: str
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """A scratch array of fixed shape, uninitialised."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class For:
    """A counted loop; an extent below one runs no iteration."""

    var: str
    extent: Expr
    body: tuple[Stmt, ...]
    kind: str = "serial"


@dataclass(frozen=True, slots=True, eq=False)
class While:
    """Repeats the body while the condition, evaluated before each turn, holds."""

    cond: Expr
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True, eq=False)
class If:
    """Runs one of two blocks."""

    cond: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Fail:
    """Stops the program with an error code and up to four int64 facts."""

    code: int
    args: tuple[Expr, ...] = ()


Stmt = Let | Assign | Store | Update | Local | For | While | If | Fail


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Named C-contiguous memory; the shape is int64 expressions over sizes."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A slow and accurate form of a value, for the few lanes whose fast form may be wrong.

    A word of its name has the arguments (fast, doubt, *arguments of the function), all but those
    for ``params`` of the dtype of the result: it is ``fast`` where ``doubt <= 0`` or an argument is
    not finite, and elsewhere what the body gives in double-double arithmetic with a wide exponent
    (``rescue``), rounded once; a NaN there leaves ``fast``. The body's words are those of
    ``symgraph_kernels.wide_table``; constants are exact, casts between floats do nothing.
    """

    name: str
    params: tuple[Var, ...]
    body: tuple[Let, ...]
    result: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A loop nest over named buffers; ``origin`` and ``lines`` say which nodes it came from."""

    name: str
    buffers: tuple[Buffer, ...]
    sizes: tuple[str, ...]
    writes: frozenset[str]
    body: tuple[Stmt, ...]
    origin: tuple[int, ...] = ()
    lines: tuple[tuple[str, int], ...] = ()
    functions: tuple[Function, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Runs a kernel on actual buffers and sizes, in the kernel's order."""

    kernel: str
    buffers: tuple[str, ...]
    sizes: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Runs a row of the library table, e.g. "gemm"; attrs are (name, number) pairs."""

    name: str
    buffers: tuple[str, ...]
    sizes: tuple[Expr, ...]
    attrs: tuple[tuple[str, bool | int | float | complex | str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """name = base[index..., start:]: leading axes selected, the next one cut, nothing copied."""

    name: str
    base: str
    index: tuple[Expr, ...] = ()
    start: Expr | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bind:
    """Size ``name`` = the value of a 0-d int64 buffer."""

    name: str
    buffer: str


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """Stops the program with a code and facts unless the condition holds."""

    cond: Expr
    code: int
    args: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """A counted loop of steps; in a "parallel" one turns are independent, and none can fail."""

    var: str
    extent: Expr
    steps: tuple[Step, ...]
    kind: str = "serial"


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Repeats the steps while a 0-d bool buffer is true."""

    cond: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Runs one of two lists of steps, by a 0-d bool buffer."""

    cond: str
    then: tuple[Step, ...]
    orelse: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """target[...] = source, of the same shape and dtype; the two do not overlap."""

    target: str
    source: str


Step = Call | Library | View | Bind | Check | Repeat | Loop | Branch | Copy


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Ordered steps over inputs (never written), outputs and temporaries.

    An output with the name of an input is written in its place: the caller passes memory that holds
    the input's value as the output, and what it passes as the input does not count.
    The shapes of all three are expressions over the sizes that the caller binds; a temporary
    whose extent is only known inside (``Bind``) is declared with an upper bound. A backend need not
    use the memory of a 0-d temporary.
    """

    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    temporaries: tuple[Buffer, ...]
    sizes: tuple[str, ...]
    steps: tuple[Step, ...]
    kernels: tuple[Kernel, ...]
