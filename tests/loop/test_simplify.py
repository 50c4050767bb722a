"""Simplification: the forms it reaches, and that it never changes a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgraph.loop.build import add, cast, const, eq, floordiv, i64, lt, mod, mul, sub, var, word
from symgraph.loop.interp import Scope, evaluate
from symgraph.loop.ir import Const, Expr
from symgraph.loop.simplify import simplify
from symgraph.loop.text import show_expr

I, J, N = i64("i"), i64("j"), i64("n")  # noqa: E741 - as in the formulas
X = var("x", "float64")
EXTENTS = {"i": 5, "j": 3}

FORMS: list[tuple[Expr, str]] = [
    (add(I, const(0)), "i"),
    (mul(const(1), I), "i"),
    (mul(I, const(0)), "0"),
    (add(add(I, const(2)), const(3)), "add(i, 5)"),
    (sub(add(I, const(2)), const(3)), "sub(i, 1)"),
    (sub(I, I), "0"),
    (sub(add(I, J), I), "j"),
    (add(mul(I, N), mul(N, I)), "mul(mul(i, n), 2)"),
    (mul(add(I, const(1)), add(I, const(-1))), "sub(mul(i, i), 1)"),
    (word("neg", sub(I, J)), "sub(j, i)"),
    (floordiv(add(mul(I, const(3)), J), const(3)), "i"),
    (mod(add(mul(I, const(3)), J), const(3)), "j"),
    (mod(add(mul(I, const(6)), mul(J, const(2))), const(6)), "mul(j, 2)"),
    (floordiv(I, const(1)), "i"),
    (mod(I, const(1)), "0"),
    (mod(N, const(3)), "mod(n, 3)"),
    (floordiv(add(mul(I, const(3)), mul(J, const(2))), const(3)),
     "floordiv(add(mul(i, 3), mul(j, 2)), 3)"),
    (eq(add(I, const(1)), I), "false"),
    (eq(sub(I, J), sub(I, J)), "true"),
    (word("and", lt(I, N), const(True, bool)), "lt(i, n)"),
    (word("or", lt(I, N), const(True, bool)), "true"),
    (word("not", word("not", lt(I, N))), "lt(i, n)"),
    (word("select", const(False, bool), X, const(2.0, "float64")), "2.0"),
    (word("select", lt(I, N), J, J), "j"),
    (cast(const(2), "float64"), "2.0"),
    (word("add", X, const(0.0, "float64")), "add(x, 0.0)"),  # -0.0 + 0.0 is 0.0
    (word("mul", X, const(0.0, "float64")), "mul(x, 0.0)"),  # NaN stays NaN
    (word("div", const(1.0, "float64"), const(-0.0, "float64")), "-inf"),
    (word("exp", const(1.0, "float64")), "exp(1.0)"),  # backends may differ in the last bit
    (cast(const(np.nan, "float64"), "int64"), "cast[int64](nan)"),
    (word("add", const(200, "uint8"), const(100, "uint8")), "uint8(44)"),
    (word("minimum", I, I), "i"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "expected"), FORMS, ids=[t for _, t in FORMS])
def test_form(x: Expr, expected: str) -> None:
    found = simplify(x, EXTENTS)
    assert show_expr(found) == expected
    assert show_expr(simplify(found, EXTENTS)) == expected


def integers() -> st.SearchStrategy[Expr]:
    leaves = st.sampled_from([I, J, N]) | st.integers(-4, 7).map(const)
    leaves |= st.sampled_from([2**62, -(2**63), 2**63 - 1]).map(const)
    binary = st.sampled_from(["add", "sub", "mul", "floordiv", "mod", "minimum", "maximum"])

    def extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.builds(word, binary, inner, inner) | st.builds(
            lambda c, x, y: word("select", lt(c, x), x, y), inner, inner, inner
        )

    return st.recursive(leaves, extend, max_leaves=12)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(integers(), st.integers(0, 4), st.integers(0, 2), st.integers(-(2**63), 2**63 - 1))
def test_value_never_changes(x: Expr, i: int, j: int, n: int) -> None:
    scope = Scope({}, {"i": np.int64(i), "j": np.int64(j), "n": np.int64(n)})
    with np.errstate(all="ignore"):
        assert evaluate(simplify(x, EXTENTS), scope) == evaluate(x, scope)


def test_deep_sums_take_no_recursion() -> None:
    deep: Expr = I
    for k in range(3000):
        deep = add(deep, const(k % 3))
    assert show_expr(simplify(deep)) == "add(i, 3000)"
    assert isinstance(simplify(sub(deep, deep)), Const)
