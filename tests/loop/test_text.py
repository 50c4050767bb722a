"""Printing and parsing are inverse to each other, to the last bit of a NaN."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.errors import ParseError
from symgraph.loop import words
from symgraph.loop.build import bitcast, buffer, cast, const, i64, load, var, word
from symgraph.loop.ir import Const, For, If, Kernel, Let, Program, Store
from symgraph.loop.parse import parse
from symgraph.loop.text import same, show
from symgraph.loop.verify import verify_kernel
from tests.loop import examples as ex

EXAMPLES = ex.examples()


def returned(item: Kernel | Program) -> Kernel | Program:
    text = show(item)
    found = parse(text)
    assert show(found) == text
    assert same(found, item)
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_programs_come_back(example: ex.Example) -> None:
    returned(example.program)
    for kernel in example.program.kernels:
        found = returned(kernel)
        assert isinstance(found, Kernel)
        assert (found.origin, found.lines) == (kernel.origin, kernel.lines)


@pytest.mark.parametrize("dtype", words.DTYPES, ids=str)
def test_constants_keep_every_bit(dtype: np.dtype) -> None:
    rng = np.random.default_rng(dtype.num)
    patterns = rng.integers(0, 256, size=(60, dtype.itemsize), dtype=np.uint8)
    if dtype.kind == "b":
        patterns &= 1
    values = list(patterns.copy().view(dtype).ravel())
    if dtype.kind in "fc":
        bits = {4: 0x7FC00001, 8: 0xFFF8000000000000}
        size = dtype.itemsize if dtype.kind == "f" else dtype.itemsize // 2
        odd = np.array(bits[size], f"uint{8 * size}").view(f"float{8 * size}")[()]
        values += [dtype.type(v) for v in (0.0, -0.0, np.inf, -np.inf, np.nan, odd, 0.1, 1e-310)]
    elif dtype.kind in "iu":
        values += [np.iinfo(dtype).min, np.iinfo(dtype).max]
    body = tuple(Let(f"v{k}", Const(dtype.type(v), dtype)) for k, v in enumerate(values))
    kernel = Kernel("constants", (), (), frozenset(), body)
    found = returned(kernel)
    assert isinstance(found, Kernel)
    for s, value in zip(found.body, values, strict=True):
        assert isinstance(s, Let)
        assert isinstance(s.value, Const)
        assert s.value.value.dtype == dtype  # type: ignore[union-attr]
        assert np.asarray(s.value.value).tobytes() == np.asarray(value, dtype).tobytes()


def test_a_difference_of_one_bit_is_seen() -> None:
    def kernel(value: float) -> Kernel:
        return Kernel("k", (), (), frozenset(), (Let("v", const(value, "float64")),))

    assert same(kernel(0.0), kernel(0.0))
    assert not same(kernel(0.0), kernel(-0.0))
    assert not same(kernel(1.0), kernel(np.nextafter(1.0, 2.0)))


def test_casts_bitcasts_and_empty_blocks_come_back() -> None:
    x, y = buffer("x", "float32", "n"), buffer("y", "uint32", "n")
    i, v = i64("i"), var("v", "float32")
    body = (
        For(
            "i",
            i64("n"),
            (
                Let("v", load(x, i)),
                If(word("isnan", v), (), (Store("y", (i,), cast(v, "uint32")),)),
                Store("y", (i,), word("xor", bitcast(v, "uint32"), const(1, "uint32"))),
            ),
            "vector",
        ),
        For("i", i64("n"), ()),
    )
    kernel = Kernel("k", (x, y), ("n",), frozenset("y"), body)
    verify_kernel(kernel)
    returned(kernel)


def test_deep_expressions_and_long_kernels_need_no_recursion() -> None:
    x = var("v", "float64")
    deep = x
    for _ in range(5000):
        deep = word("add", deep, x)  # type: ignore[assignment]
    lets = tuple(Let(f"a{k}", const(float(k), "float64")) for k in range(5000))
    body = (Let("v", const(1.0, "float64")), Let("w", deep), *lets)
    kernel = Kernel("deep", (), (), frozenset(), body)
    verify_kernel(kernel)
    returned(kernel)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("kernel k()\n    let v = 1 +", "line 2: '\\+' is not understood"),
        ("kernel k()\n    let v = add(1, 2.0)", "line 2: word add has arguments of dtypes"),
        ("kernel k()\n    let v = sine(1.0)", "line 2: there is no word 'sine'"),
        ("kernel k()\n    let v = w", "line 2: w is not in scope"),
        ("program ()\n    dance x", "line 2: there is no step 'dance'"),
        ("kernel k()\n    let v = add(1, 2", "line 2: unbalanced brackets"),
        ("nonsense", "line 1: 'nonsense' is not understood"),
    ],
)
def test_errors_name_the_line(text: str, match: str) -> None:
    with pytest.raises(ParseError, match=match):
        parse(text)
