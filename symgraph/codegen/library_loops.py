"""Library calls as loop kernels: products of integers and bool, which no BLAS has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # attributes are numbers of any kind

import numpy as np

from symgraph.loop.build import add, buffer, const, i64, load, mul
from symgraph.loop.ir import Assign, Buffer, Expr, For, Kernel, Let, Stmt, Store, Var

DType = np.dtype[np.generic]
Attrs = Mapping[str, Any]


def _loop_name(name: str, dtype: DType, attrs: Attrs) -> str:
    flags = "".join(f"_{key}" for key in sorted(attrs) if attrs[key] is True)
    factors = "".join(f"_{key}{attrs[key]}" for key in ("alpha", "beta") if key in attrs)
    return f"{name}_{dtype}{flags}{factors}".replace("-", "minus").replace(".", "_")


def _matrix_index(lead: tuple[Expr, ...], i: Expr, j: Expr, transposed: bool) -> tuple[Expr, ...]:
    return (*lead, j, i) if transposed else (*lead, i, j)


def _product_body(
    a: Buffer, b: Buffer, c: Buffer, attrs: Attrs, lead: tuple[Expr, ...]
) -> tuple[Stmt, ...]:
    """For each i, j: total = sum over p of op(a)[i, p] * op(b)[p, j]."""
    i, j, p = i64("i"), i64("j"), i64("p")
    at_a = _matrix_index(() if attrs.get("shared_a") else lead, i, p, attrs.get("trans_a", False))
    at_b = _matrix_index(() if attrs.get("shared_b") else lead, p, j, attrs.get("trans_b", False))
    total = Var("total", c.dtype)
    product = mul(load(a, *at_a), load(b, *at_b))
    zero: Expr = const(0, c.dtype)
    inner: tuple[Stmt, ...] = (
        Let("total", zero),
        For("p", i64("k"), (Assign("total", add(total, product)),), "vector"),
        Store(c.name, (*lead, i, j), _blended(total, load(c, *lead, i, j), attrs)),
    )
    return (For("i", i64("m"), (For("j", i64("n"), inner, "parallel"),), "parallel"),)


def _blended(total: Expr, old: Expr, attrs: Attrs) -> Expr:
    alpha, beta = attrs.get("alpha", 1), attrs.get("beta", 0)
    found = total if alpha == 1 else mul(const(alpha, total.dtype), total)
    return found if beta == 0 else add(found, mul(const(beta, total.dtype), old))


def _stored(name: str, dtype: DType, attrs: Attrs, *dims: str) -> Buffer:
    rows = dims[:-2] if not attrs.get(f"shared_{name}") else ()
    pair = dims[-2:][::-1] if attrs.get(f"trans_{name}") else dims[-2:]
    return buffer(name, dtype, *rows, *pair)


def gemm_loops(dtype: DType, attrs: Attrs) -> Kernel:
    """c = alpha * op(a) @ op(b) + beta * c, element by element."""
    a, b = _stored("a", dtype, attrs, "m", "k"), _stored("b", dtype, attrs, "k", "n")
    c = buffer("c", dtype, "m", "n")
    body = _product_body(a, b, c, attrs, ())
    name = _loop_name("gemm", dtype, attrs)
    return Kernel(name, (a, b, c), ("m", "n", "k"), frozenset("c"), body)


def batched_loops(dtype: DType, attrs: Attrs) -> Kernel:
    """The same for each leading index."""
    a = _stored("a", dtype, attrs, "batch", "m", "k")
    b = _stored("b", dtype, attrs, "batch", "k", "n")
    c = buffer("c", dtype, "batch", "m", "n")
    inner = _product_body(a, b, c, attrs, (i64("item"),))
    body = (For("item", i64("batch"), inner, "parallel"),)
    name = _loop_name("gemm_batched", dtype, attrs)
    return Kernel(name, (a, b, c), ("batch", "m", "n", "k"), frozenset("c"), body)


def gemv_loops(dtype: DType, attrs: Attrs) -> Kernel:
    """y = alpha * op(a) @ x + beta * y, element by element."""
    trans = bool(attrs.get("trans_a"))
    rows, columns = ("n", "m") if trans else ("m", "n")
    a = buffer("a", dtype, "m", "n")
    x, y = buffer("x", dtype, columns), buffer("y", dtype, rows)
    i, p = i64("i"), i64("p")
    product = mul(load(a, *_matrix_index((), i, p, trans)), load(x, p))
    total = Var("total", dtype)
    inner: tuple[Stmt, ...] = (
        Let("total", const(0, dtype)),
        For("p", i64(columns), (Assign("total", add(total, product)),), "vector"),
        Store("y", (i,), _blended(total, load(y, i), attrs)),
    )
    body = (For("i", i64(rows), inner, "parallel"),)
    return Kernel(_loop_name("gemv", dtype, attrs), (a, x, y), ("m", "n"), frozenset("y"), body)


def dot_loops(dtype: DType, attrs: Attrs) -> Kernel:
    """out = sum(x * y), without a conjugate."""
    x, y, out = buffer("x", dtype, "n"), buffer("y", dtype, "n"), buffer("out", dtype)
    total, p = Var("total", dtype), i64("p")
    body: tuple[Stmt, ...] = (
        Let("total", const(0, dtype)),
        For("p", i64("n"), (Assign("total", add(total, mul(load(x, p), load(y, p)))),), "vector"),
        Store("out", (), total),
    )
    return Kernel(f"dot_{dtype}", (x, y, out), ("n",), frozenset(("out",)), body)
