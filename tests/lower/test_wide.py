"""Products that only sums read are float64: the values, and that it is done where it should be."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

import symgraph as sg
from symgraph.codegen.target import vector_bytes

ROWS, COLUMNS = 37, 130


def normalized_gradient(accuracy: str = "default") -> sg.Function:
    """A layer norm by hand, the mean of its squares, and the gradient."""
    x = sg.tensor("x", dtype="float32", shape=(ROWS, COLUMNS))
    g, b = (sg.tensor(name, dtype="float32", shape=(COLUMNS,)) for name in "gb")
    centred = x - sg.mean(x, axis=1, keepdims=True)
    spread = sg.mean(centred * centred, axis=1, keepdims=True)
    y = centred / sg.sqrt(spread + 1e-5) * g + b
    loss = sg.sum(y * y) / ROWS
    return sg.function(
        [x, g, b], [loss, *sg.grad(loss, [x, g, b])], mode=sg.Mode(accuracy=accuracy)
    )


def in_float64(x: np.ndarray, g: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    x, g, b = (a.astype("float64") for a in (x, g, b))
    centred = x - x.mean(1, keepdims=True)
    root = np.sqrt((centred**2).mean(1, keepdims=True) + np.float32(1e-5))
    h = centred / root
    y = h * g + b
    dy = 2 * y / ROWS
    w = dy * g
    dx = (w - w.mean(1, keepdims=True) - h * (w * h).mean(1, keepdims=True)) / root
    return [np.asarray((y * y).sum() / ROWS), dx, (dy * h).sum(0), dy.sum(0)]


def data(rng: np.random.Generator) -> list[np.ndarray]:
    shapes = ((ROWS, COLUMNS), (COLUMNS,), (COLUMNS,))
    return [rng.normal(size=s).astype("float32") for s in shapes]


def is_wide(f: sg.Function) -> bool:
    return any(re.search(r"\b(inverse|wide)_\d", k.source) for k in f.kernels)


def units(found: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> list[float]:
    """The largest difference of each, in units of the last place of its largest number."""
    return [
        float(abs(np.asarray(a, "float64") - b).max() / abs(b).max() / np.finfo("float32").eps)
        for a, b in zip(found, right, strict=True)
    ]


def test_sums_of_products_are_good_to_their_last_digit(rng: np.random.Generator) -> None:
    f, values = normalized_gradient(), data(rng)
    loss, dx, dg, db = units(f(*values), in_float64(*values))
    assert is_wide(f)
    assert loss <= 0.75  # a rounding of the sum and one of the division
    assert max(dg, db) <= 1.0  # of the sum; of the factor 2 none
    assert dx <= 4.0


def test_what_is_to_be_as_written_stays_so() -> None:
    assert not is_wide(normalized_gradient("as-written"))


def test_a_single_sum_of_products_stays_float32() -> None:
    x, y = (sg.tensor(n, dtype="float32", shape=(ROWS, COLUMNS)) for n in "xy")
    assert not is_wide(sg.function([x, y], [sg.sum(x * y, axis=1)]))


def shared_products(dtype: str = "float32") -> sg.Function:
    """Four sums over rows and one over columns of what is made of one product, over a divisor."""
    x, y = (sg.tensor(n, dtype=dtype, shape=(ROWS, COLUMNS)) for n in "xy")
    s = sg.tensor("s", dtype=dtype, shape=(ROWS, 1))
    k = sg.tensor("k", dtype=dtype, shape=())
    p = x / s * y
    q = p * x
    return sg.function(
        [x, y, s, k],
        [sg.sum(p, axis=1), sg.sum(p * p, axis=1), sg.sum(-q, axis=1), sg.sum(q * p, axis=1),
         sg.sum(p * k, axis=0)],
    )  # fmt: skip


def expected(x: np.ndarray, y: np.ndarray, s: np.ndarray, k: np.ndarray) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        x, y, s, k = (a.astype("longdouble") for a in (x, y, s, k))
        p = x / s * y
        q = p * x
        sums = [p.sum(1), (p * p).sum(1), (-q).sum(1), (q * p).sum(1), (p * k).sum(0)]
        return [np.asarray(r).astype("float32") for r in sums]


def products(rng: np.random.Generator) -> list[np.ndarray]:
    x, y = (rng.normal(size=(ROWS, COLUMNS)).astype("float32") for _ in range(2))
    return [x, y, rng.uniform(0.5, 2, (ROWS, 1)).astype("float32"), np.asarray(0.3, "float32")]


def test_factors_and_divisors_of_sums_are_applied(rng: np.random.Generator) -> None:
    f, values = shared_products(), products(rng)
    assert is_wide(f)
    for found, right in zip(f(*values), expected(*values), strict=True):
        np.testing.assert_array_max_ulp(found, right, 1)


@pytest.mark.parametrize(
    ("which", "value"),
    [("s", np.inf), ("s", 1e-42), ("s", np.nan), ("k", 0.0), ("x", np.nan), ("x", np.inf)],
)
def test_extremes_are_what_they_were(which: str, value: float, rng: np.random.Generator) -> None:
    f, values = shared_products(), products(rng)
    values["xysk".index(which)][(0,) * values["xysk".index(which)].ndim] = value
    for found, right in zip(f(*values), expected(*values), strict=True):
        np.testing.assert_array_max_ulp(found, right, 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_quotient_by_zero_is_infinite(sign: int, rng: np.random.Generator) -> None:
    f, (x, y, s, k) = shared_products(), products(rng)
    s[0] = 0.0
    values = [sign * abs(x), abs(y), s, k]
    for found, right in zip(f(*values), expected(*values), strict=True):
        np.testing.assert_array_max_ulp(found, right, 1)


def test_float64_stays_as_it_is() -> None:
    assert not is_wide(shared_products("float64"))


def test_products_are_added_unrounded_from_registers() -> None:
    """Additions and conversions share the processor's adders: products go by its multipliers."""
    if vector_bytes() < 32:
        pytest.skip("the names of instructions are those of x86 with AVX")
    x = sg.tensor("x", dtype="float32", shape=(4096, 768))
    g, b = (sg.tensor(name, dtype="float32", shape=(768,)) for name in "gb")
    centred = x - sg.mean(x, axis=1, keepdims=True)
    y = centred / sg.sqrt(sg.mean(centred * centred, axis=1, keepdims=True) + 1e-5) * g + b
    f = sg.function([x, g, b], sg.grad(sg.sum(y * y), [x, g, b]))
    f(np.ones((4096, 768), "float32"), *np.ones((2, 768), "float32"))
    wide = {64: "zmm", 32: "ymm"}[vector_bytes()]
    lines = [line for k in f.kernels for line in k.asm.splitlines() if wide in line]
    fused = [line for line in lines if re.search(r"vfmadd\d+pd", line)]
    spilled = [line for line in lines if re.search(r"vmov[au]p[sd].*\d\(%rsp\)", line)]
    assert len(fused) >= 16, "\n".join(lines)
    assert len(spilled) < len(fused) + 32 if wide == "zmm" else True, "\n".join(lines)
