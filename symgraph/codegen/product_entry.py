"""The entry of matrix products: sizes and flags to strides, pieces to threads.

    product(batch, m, n, k, flags, alpha, a, b, beta, c, parallel)

computes c = alpha * op(a) @ op(b) + beta * c for each item of a batch. Operands are C-contiguous;
the bits of ``flags`` (``FLAGS``) say which are stored transposed, and which all items share.
``product_choice`` says how it is done. Pieces run by ``parallel``, the address of
``symgraph_parallel``; one after the other where it is null.
"""

from __future__ import annotations

from symgraph.codegen.product_choice import (
    FORMS,
    PARTIAL_BYTES,
    SHORT_PAIR,
    Work,
    choose_form,
    choose_pieces,
    is_single,
)
from symgraph.codegen.product_code import BIT, INT, MISSING, POINTER, Function, Value
from symgraph.codegen.product_forms import NAMES, Names
from symgraph.codegen.product_kernel import Shape

FLAGS = ("trans_a", "trans_b", "shared_a", "shared_b")

_ARGUMENTS = ("batch", "m", "n", "k", "flags", "alpha", "a", "b", "beta", "c", "parallel")
_STRIDES = ("a_item", "a_row", "a_k", "a_n", "b_item", "b_k", "b_n", "c_item", "c_row", "c_part")
_CUTS = tuple(f"{what}_{x}" for x in ("batch", "k", "m", "n") for what in ("step", "count"))
SLOTS = (*_ARGUMENTS, *_STRIDES, *_CUTS, "form", "pieces")


def kind_of(shape: Shape, name: str) -> str:
    """The type of an argument or of a field of the description of the work."""
    if name in ("a", "b", "c", "parallel"):
        return POINTER
    return shape.element if name in ("alpha", "beta") else INT


def entry(shape: Shape, name: str, names: Names) -> Function:
    """The function that compiled programs call; ``names``: what it may call."""
    f = Function(name, [(n, kind_of(shape, n)) for n in _ARGUMENTS], "")
    work = dict(zip(_ARGUMENTS, f.parameters, strict=True))
    some = (work["batch"] > 0) & (work["m"] > 0) & (work["n"] > 0)
    with f.when(some):
        work = _formed(f, shape, work)
        context = f.scratch(8 * len(SLOTS))
        for slot in work:
            if slot in SLOTS:
                _set(f, context, slot, work[slot])
        is_one = is_single(work)
        with f.when(is_one):
            f.call("single", context)
        with f.unless(is_one):
            work["pieces"] = choose_pieces(f, shape, work)
            for slot in (*_CUTS, "pieces"):
                _set(f, context, slot, work[slot])
            is_split = work["count_k"] > 1
            with f.when(is_split):
                f.call_among(names, "split", context)
            with f.unless(is_split):
                f.call("whole", context)
    return f


def planned(f: Function, shape: Shape, work: Work) -> Work:
    """The whole description of a product from its sizes, flags and operands."""
    work = _formed(f, shape, work)
    work["pieces"] = choose_pieces(f, shape, work)
    return work


def _formed(f: Function, shape: Shape, work: Work) -> Work:
    """The description of a product that is not cut."""
    work = _as_pairs(f, shape, _as_row(f, work | _strides(f, shape, work)))
    work["form"] = choose_form(f, shape, work)
    is_paired = work["form"].equals(FORMS.index("paired"))
    work["a_row"] = f.select(is_paired, work["a_n"], work["a_row"])
    return work


def whole(shape: Shape) -> Function:
    """``whole(work)``: all pieces, on several threads where there are several pieces."""
    f = Function("whole", [("work", POINTER)], "internal")
    (context,) = f.parameters
    pieces, parallel = (_get(f, shape, context, slot) for slot in ("pieces", "parallel"))
    alone = (pieces <= 1) | f.emit("i1", f"icmp eq ptr {parallel.text}, null")
    with f.when(alone), f.loop(0, pieces) as i:
        f.call("piece", context, i)
    with f.unless(alone):
        f.line(f"call void {parallel.text}(ptr @piece, {context.typed}, {pieces.typed})")
    return f


def split(shape: Shape) -> Function:
    """``split(work)``: partial results of pieces along k, then their sum, in order."""
    f = Function("split", [("work", POINTER)], "internal")
    (context,) = f.parameters
    names = ("m", "n", "c", "beta", "count_k")
    m, n, c, beta, parts = (_get(f, shape, context, slot) for slot in names)
    memory, size = f.scratch(PARTIAL_BYTES), m * n
    zero, one = (f.constant(shape.element, x) for x in ("0.0", "1.0"))
    for slot, value in (("c", memory), ("beta", zero), ("c_part", size * shape.size)):
        _set(f, context, slot, value)
    f.call("whole", context)
    ones = f.scratch(shape.size)
    f.store(one, ones, shape.size)
    nothing, row = f.number(0), size * shape.size
    left = (f.number(1), size, parts, ones, nothing, nothing)
    f.call("streamed", *left, memory, row, nothing, c, nothing, one, beta)
    return f


def piece(shape: Shape, names: Names) -> Function:
    """``piece(work, i)``: one piece of the work that a context describes; ``names``: of forms."""
    f = Function("piece", [("work", POINTER), ("i", INT)], "internal")
    context, number = f.parameters
    work = {slot: _get(f, shape, context, slot) for slot in SLOTS}
    start: Work = {}
    part = dict(work)
    for x in ("n", "m", "k", "batch"):
        place, number = number % work[f"count_{x}"], number // work[f"count_{x}"]
        start[x] = place * work[f"step_{x}"]
        part[x] = (work[x] - start[x]).at_most(work[f"step_{x}"])
    depth = start["k"] // work["step_k"] * work["c_part"]
    _run(f, shape, names, work, start, part, depth)
    return f


def single(shape: Shape, names: Names) -> Function:
    """``single(work)``: the only piece of the work that a context describes."""
    f = Function("single", [("work", POINTER)], "internal")
    (context,) = f.parameters
    work = {slot: _get(f, shape, context, slot) for slot in SLOTS if slot not in (*_CUTS, "pieces")}
    nothing = f.number(0)
    start = dict.fromkeys(("n", "m", "k", "batch"), nothing)
    _run(f, shape, names, work, start, dict(work), nothing)
    return f


def _run(
    f: Function,
    shape: Shape,
    names: Names,
    work: Work,
    start: Work,
    part: Work,
    depth: Value,
) -> None:
    """A piece by its form; ``start``: its first items, rows, ...; ``depth``: bytes of its place."""
    places = {"c": work["c"] + work["c_row"] * start["m"] + start["n"] * shape.size + depth}
    for operand, axes in _AXES.items():
        places[operand] = work[operand]
        for axis, stride in axes.items():
            step = work[f"{operand}_{stride}"] * start[axis]
            places[operand] = places[operand] + step
    is_known = f.constant(BIT, "false")
    for index, form in enumerate(FORMS):
        if form in names:
            is_this = work["form"].equals(index)
            is_known = is_known | is_this
            with f.when(is_this), f.loop(start["batch"], start["batch"] + part["batch"]) as item:
                for operand, place in places.items():
                    part[operand] = place + work[f"{operand}_item"] * item
                f.call(form, *(part[name] for name in NAMES))
    with f.unless(is_known):
        f.call(MISSING)


# the directions along which operands move -> the name of the stride
_AXES = {"a": {"m": "row", "k": "k", "n": "n"}, "b": {"k": "k", "n": "n"}}


def _get(f: Function, shape: Shape, context: Value, slot: str) -> Value:
    return f.load(kind_of(shape, slot), context + 8 * SLOTS.index(slot))


def _set(f: Function, context: Value, slot: str, value: Value) -> None:
    f.store(value, context + 8 * SLOTS.index(slot))


def _strides(f: Function, shape: Shape, work: Work) -> Work:
    """The distances of items, rows and columns of all operands in bytes."""
    m, n, k = (work[x] * shape.size for x in "mnk")
    one = f.number(shape.size)
    is_set = {name: _bit(work["flags"], i) for i, name in enumerate(FLAGS)}
    return {
        "a_item": f.select(is_set["shared_a"], 0, work["m"] * k),
        "a_row": f.select(is_set["trans_a"], one, k),
        "a_k": f.select(is_set["trans_a"], m, one),
        "a_n": f.number(0),
        "b_item": f.select(is_set["shared_b"], 0, work["n"] * k),
        "b_k": f.select(is_set["trans_b"], one, n),
        "b_n": f.select(is_set["trans_b"], k, one),
        "c_item": work["m"] * n,
        "c_row": n,
        "c_part": f.number(0),
    }


def _bit(flags: Value, place: int) -> Value:
    return (flags // (1 << place) % 2).equals(1)


def _as_row(f: Function, work: Work) -> Work:
    """A single column, which is contiguous, as the row of the transposed product."""
    column = work["n"].equals(1)
    found = dict(work)
    for x, y in (("m", "n"), ("a", "b"), ("a_item", "b_item"), ("a_row", "b_n"), ("a_k", "b_k")):
        found[x] = f.select(column, work[y], work[x])
        found[y] = f.select(column, work[x], work[y])
    return found


def _as_pairs(f: Function, shape: Shape, work: Work) -> Work:
    """A batch of products of two short vectors as columns of one, each with a row of its own."""
    is_single = work["m"].equals(1) & work["n"].equals(1) & (work["batch"] >= shape.lanes)
    is_short = work["k"] < SHORT_PAIR * shape.lanes
    is_pairs = is_single & is_short & (work["k"] > 0)
    found = dict(work) | {"is_pairs": is_pairs}
    for x, source in (("n", "batch"), ("b_n", "b_item"), ("a_n", "a_item")):
        found[x] = f.select(is_pairs, work[source], work[x])
    found["batch"] = f.select(is_pairs, 1, work["batch"])
    return found
