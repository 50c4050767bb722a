"""Which functions of a product's code are called for given sizes: a program gets no others.

The form and the cuts of known sizes are those that ``product_entry`` computes, by the same lines
(integers that are constants are folded); what forms call follows here from the sizes of pieces. A
program whose sizes are symbols gets everything. Code that calls what it was made without stops the
process rather than give a wrong result.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from symgraph.codegen.library_calls import PRODUCTS
from symgraph.codegen.product_choice import FORMS
from symgraph.codegen.product_code import POINTER, Function
from symgraph.codegen.product_dots import PAIRS, ROW_PAIRS
from symgraph.codegen.product_entry import FLAGS, planned
from symgraph.codegen.product_forms import (
    PACKED_ROWS,
    SCRATCH,
    SHALLOW,
    SHALLOW_DIRECT_ROWS,
    SHALLOW_ROWS,
    Names,
)
from symgraph.codegen.product_kernel import AXPY_ROWS, Shape, dot_columns
from symgraph.loop.ir import (
    Branch,
    Const,
    Expr,
    Library,
    Loop,
    Program,
    Repeat,
    Step,
    Var,
    View,
    Word,
)
from symgraph.loop.traverse import postorder
from symgraph.records import dataclass

MOST_TURNS = 4096  # of loops around a product, whose sizes are computed one by one
_STREAMED = tuple(f"axpy_{rows}" for rows in AXPY_ROWS)
_Loops = tuple[Repeat, ...]


def everything(shape: Shape) -> Names:
    """The names of all functions that not every product needs."""
    rows = {f"rows_{r}x{v}" for v, heights in shape.blocks.items() for r in heights}
    dots = _dots(shape, (4, 1), (5, 4, 1))
    others = (PAIRS, ROW_PAIRS, "pack", "turn", "split")
    return frozenset((*FORMS, *rows, *dots, *_STREAMED, *others))


@dataclass(frozen=True, slots=True)
class Sizes:
    """One product: batch, m, n, k, and the bits of ``product_entry.FLAGS``."""

    batch: int
    m: int
    n: int
    k: int
    flags: int


def parts(shape: Shape, sizes: Sizes) -> Names:
    """The functions that a product of these sizes calls, on any number of threads."""
    if min(sizes.batch, sizes.m, sizes.n) <= 0:
        return frozenset(("direct",))  # nothing is called, but a list of nothing is everything
    f = Function("sizes", [], "")
    work = {x: f.number(getattr(sizes, x)) for x in ("batch", "m", "n", "k", "flags")}
    work |= {x: f.constant(POINTER, x) for x in "ab"}
    found = {x: value.known for x, value in planned(f, shape, work).items()}
    number = {x: value for x, value in found.items() if value is not None}
    form = FORMS[number["form"]]
    names = {form} | ({"split", *_STREAMED, "streamed"} if number["count_k"] > 1 else set())
    for m, n, k in product(*(_pieces(number[x], number[f"step_{x}"]) for x in "mnk")):
        names |= set(_called(shape, form, (m, n, k), number))
    return frozenset(names)


def _pieces(total: int, step: int) -> set[int]:
    """The sizes of what ``total`` is cut into by steps."""
    whole, rest = divmod(total, step)
    return ({step} if whole else set()) | ({rest} if rest or not whole else set())


def _called(
    shape: Shape, form: str, sizes: tuple[int, int, int], about: Mapping[str, int]
) -> Iterator[str]:
    """What one piece calls besides its form; ``about``: the product's description."""
    m, n, k = sizes
    in_rows, is_pairs = about["b_n"] == shape.size, bool(about["is_pairs"])
    if form == "direct":
        yield from _rows(shape, _pieces(m, SHALLOW_DIRECT_ROWS if k < SHALLOW else m), n)
    elif form == "packed":
        yield "pack" if in_rows else "turn"
        yield from _rows(shape, _pieces(m, SHALLOW_ROWS if k < SHALLOW else PACKED_ROWS), n)
    elif form == "swapped":
        yield from ("turn", "direct")
        for columns in _pieces(m, SCRATCH // shape.nbytes // n * shape.lanes):
            yield from _rows(shape, _pieces(n, SHALLOW_DIRECT_ROWS), columns)
    elif form == "streamed":
        yield from _STREAMED
    elif form == "paired":
        yield PAIRS if is_pairs else ROW_PAIRS
    else:
        yield from ("turn",) if form == "skinny" else ()
        yield from _dots(shape, (m,), (n,))


def _rows(shape: Shape, heights: set[int], n: int) -> Iterator[str]:
    """The kernels ``rows`` for blocks of so many rows by n columns."""
    for vectors, m in product(_panels(shape, n), heights):
        for height in shape.blocks[vectors]:
            if m >= height:
                yield f"rows_{height}x{vectors}"
            m %= height


def _panels(shape: Shape, n: int) -> set[int]:
    """Vectors in the panels of n columns: ``product_forms._panels`` for known sizes."""
    lanes, width, found = shape.lanes, shape.widest * shape.lanes, set()
    while n:
        columns = width - lanes if width < n <= width + lanes else min(n, width)
        found.add(-(-columns // lanes))
        n = n % width + width if n > 2 * width else n - columns
    return found


def _dots(shape: Shape, heights: Sequence[int], widths: Sequence[int]) -> Iterator[str]:
    for m, n in product(heights, widths):
        block = (4, dot_columns(n)) if m > 1 else (1, 1 if n == 1 else 4)
        yield "dots_{}x{}".format(*(block if block in shape.dot_blocks else (4, 4)))


# ---------------------------------------------------------------- of a program


def needed(program: Program, shape: Callable[[str], Shape]) -> dict[str, Names]:
    """For each dtype of products the functions that a program calls; ``shape``: of a dtype."""
    found: dict[str, Names] = {}
    known: dict[tuple[str, Sizes], Names] = {}  # a deep network has few sizes

    def of_sizes(dtype: str, sizes: Sizes) -> Names:
        if (dtype, sizes) not in known:
            known[dtype, sizes] = parts(shape(dtype), sizes)
        return known[dtype, sizes]

    buffers = (*program.inputs, *program.outputs, *program.temporaries)
    dtypes = {buffer.name: str(buffer.dtype) for buffer in buffers}
    for step, loops in _steps(program.steps, ()):
        if isinstance(step, View):
            dtypes[step.name] = dtypes[step.base]
        if not isinstance(step, Library) or step.name not in _SIZES:
            continue
        dtype = dtypes[step.buffers[0]]
        if dtype in PRODUCTS:
            sizes = _sizes(step, loops)
            if sizes is None:
                names = everything(shape(dtype))
            else:
                names = _union(of_sizes(dtype, s) for s in sizes)
            found[dtype] = found.get(dtype, frozenset()) | names
    return found


def _union(names: Iterable[Names]) -> Names:
    return frozenset().union(*names)


def _steps(steps: Sequence[Step], loops: tuple[Repeat, ...]) -> Iterator[tuple[Step, _Loops]]:
    """Every step with the counted loops around it, the outermost first."""
    for step in steps:
        yield step, loops
        match step:
            case Repeat():
                yield from _steps(step.steps, (*loops, step))
            case Loop():
                yield from _steps(step.steps, loops)
            case Branch():
                yield from _steps((*step.then, *step.orelse), loops)


def _sizes(step: Library, loops: _Loops) -> set[Sizes] | None:
    """The sizes of a product in all turns of the loops around it; None where they are symbols."""
    attrs = dict(step.attrs)
    flags = sum(bool(attrs.get(name)) << place for place, name in enumerate(FLAGS))
    try:
        return {_SIZES[step.name](attrs, *s, flags) for s in _turns(step.sizes, loops)}
    except _UnknownError:
        return None


def _turns(sizes: Sequence[Expr], loops: _Loops) -> Iterator[tuple[int, ...]]:
    """The values of sizes in every turn of loops."""
    used = {x.name for x in postorder(*sizes) if isinstance(x, Var)}
    for loop in reversed(loops):  # a loop that sizes do not depend on has one turn
        if loop.var in used:
            used |= {x.name for x in postorder(loop.extent) if isinstance(x, Var)}
    scopes: list[dict[str, int]] = [{}]
    for loop in loops:
        if loop.var in used:
            counts = [_value(loop.extent, scope) for scope in scopes]
            if sum(counts) > MOST_TURNS:
                raise _UnknownError
            pairs = zip(scopes, counts, strict=True)
            scopes = [scope | {loop.var: i} for scope, count in pairs for i in range(count)]
    for scope in scopes:
        yield tuple(_value(x, scope) for x in sizes)


class _UnknownError(Exception):
    """An expression depends on what is known when the program runs."""


def _value(x: Expr, scope: Mapping[str, int]) -> int:
    done: dict[int, int] = {}
    for node in postorder(x):
        match node:
            case Const(int() | np.integer() as value):
                done[id(node)] = int(value)
            case Var(name) if name in scope:
                done[id(node)] = scope[name]
            case Word(name, args) if name in _MEANING:
                done[id(node)] = _MEANING[name](*(done[id(arg)] for arg in args))
            case _:
                raise _UnknownError
    return done[id(x)]


def _gemv(attrs: Mapping[str, object], m: int, n: int, flags: int) -> Sizes:
    return Sizes(1, n, 1, m, flags) if attrs.get("trans_a") else Sizes(1, m, 1, n, flags)


# rows of the library that are products -> their sizes as one
_SIZES: dict[str, Callable[..., Sizes]] = {
    "gemm": lambda attrs, m, n, k, flags: Sizes(1, m, n, k, flags),
    "gemm_batched": lambda attrs, batch, m, n, k, flags: Sizes(batch, m, n, k, flags),
    "gemv": _gemv,
    "dot": lambda attrs, n, flags: Sizes(1, 1, 1, n, flags),
}
_MEANING: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "minimum": min,
    "maximum": max,
}
