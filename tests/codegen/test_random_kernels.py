"""Kernels made by hypothesis: compiled code answers as the interpreter, bit for bit.

Words are those that are exact or correctly rounded, so that no tolerance is needed.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from symgraph.loop.build import buffer, cast, const, i64, load, lt, mod, var, word
from symgraph.loop.ir import (
    Assign,
    Call,
    Expr,
    For,
    If,
    Kernel,
    Let,
    Program,
    Stmt,
    Store,
    Update,
)
from symgraph.loop.parse import parse
from symgraph.loop.text import same, show
from symgraph.loop.verify import verify_program
from tests.codegen.test_words import assert_same
from tests.loop.examples import COMPILED, execute

F64, I32 = np.dtype("float64"), np.dtype("int32")
X, K = buffer("x", F64, "n", "m"), buffer("k", I32, "n", "m")
Y, Z = buffer("y", F64, "n", "m"), buffer("z", I32, "m")
ROW, COLUMN, M = i64("i"), i64("j"), i64("m")
FLOATS = ["add", "sub", "mul", "div", "minimum", "maximum", "fmin", "fmax", "mod", "copysign"]
FLOAT_ONES = ["neg", "abs", "sqrt", "floor", "rint", "square", "sign", "trunc"]
INTS = ["add", "sub", "mul", "floordiv", "mod", "and", "or", "xor", "shl", "shr", "minimum"]


def positions() -> st.SearchStrategy[Expr]:
    """Column indices that are always inside: j, or any int reduced modulo m."""
    return st.sampled_from([COLUMN]) | st.builds(
        lambda c: mod(word("add", COLUMN, const(c)), M), st.integers(-9, 9)
    )


def floats() -> st.SearchStrategy[Expr]:
    leaves = st.builds(lambda p: load(X, ROW, p), positions())
    leaves |= st.just(var("v", F64))
    special = [0.0, -0.0, 1.5, -3.25, np.inf, np.nan, 1e308, 5e-324]
    leaves |= st.sampled_from(special).map(lambda c: const(c, F64))
    leaves |= st.builds(lambda p: cast(load(K, ROW, p), F64), positions())

    def extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return (
            st.builds(word, st.sampled_from(FLOATS), inner, inner)
            | st.builds(word, st.sampled_from(FLOAT_ONES), inner)
            | st.builds(lambda a, b, c: word("select", lt(a, b), b, c), inner, inner, inner)
            | st.builds(lambda a, b, c: word("fma", a, b, c), inner, inner, inner)
        )

    return st.recursive(leaves, extend, max_leaves=8)


def integers() -> st.SearchStrategy[Expr]:
    leaves = st.builds(lambda p: load(K, ROW, p), positions())
    leaves |= st.sampled_from([0, 1, -1, 7, 2**31 - 1, -(2**31)]).map(lambda c: const(c, I32))
    leaves |= st.builds(lambda p: cast(p, I32), positions())

    def extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.builds(word, st.sampled_from(INTS), inner, inner) | st.builds(
            lambda a, b, c: word("select", lt(a, b), b, c), inner, inner, inner
        )

    return st.recursive(leaves, extend, max_leaves=8)


def statements() -> st.SearchStrategy[Stmt]:
    here = (ROW, COLUMN)
    simple = (
        st.builds(lambda x: Store("y", here, x), floats())
        | st.builds(lambda x: Assign("v", x), floats())
        | st.builds(
            lambda op, p, x: Update("z", (p,), op, x),
            st.sampled_from(["add", "mul", "min", "max"]),
            positions(),
            integers(),
        )
        | st.builds(
            lambda op, x: Update("y", here, op, x), st.sampled_from(["add", "min"]), floats()
        )
    )
    guarded = st.builds(
        lambda a, b, then, other: If(lt(a, b), (then,), (other,)),
        integers(),
        integers(),
        simple,
        simple,
    )
    return simple | guarded


def program_of(body: list[Stmt], kind: str) -> Program:
    rows = (
        Let("v", const(0.5, F64)),
        For("j", M, (Store("y", (ROW, COLUMN), load(X, ROW, COLUMN)),), "vector"),
        For("j", M, tuple(body), kind),
    )
    first = For("j", M, (Store("z", (COLUMN,), const(3, I32)),))
    outer = (first, For("i", i64("n"), rows))
    kernel = Kernel("made", (X, K, Y, Z), ("n", "m"), frozenset("yz"), outer)
    call = Call("made", ("x", "k", "y", "z"), (i64("n"), M))
    return Program((X, K), (Y, Z), (), ("n", "m"), (call,), (kernel,))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.lists(statements(), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 11))
def test_compiled_equals_interpreted(body: list[Stmt], n: int, m: int) -> None:
    program = program_of(body, "serial")
    verify_program(program)
    note(show(program))
    assert same(parse(show(program)), program)
    rng = np.random.default_rng(n * 100 + m)
    x = rng.normal(size=(n, m)) * 10.0 ** rng.integers(-3, 4, size=(n, m))
    k = rng.integers(-(2**31), 2**31, size=(n, m)).astype(I32)
    _, meant = execute("interp", program, (x, k), (n, m))
    for backend in COMPILED:
        _, compiled = execute(backend, program, (x, k), (n, m))
        for label, found, expected in zip("yz", compiled, meant, strict=True):
            assert_same(found, expected, 0, f"minimum {label} {backend}")
