"""``random_bits``: the counter-based generator Threefry-2x32 with 20 rounds, element by element.

Element i is a function of the key (one uint64) and of i alone, so the same bits come out on every
machine, backend and thread count, and in any order. A block of two words of 32 bits is made per
element: uint64 takes both (the first is the low half), uint32 the first.

Source: Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as 1, 2, 3 (SC11).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgraph.ir.dtype import UINTS, DType
from symgraph.ir.op import Attrs
from symgraph.ir.type import ShapeContext, TensorType, Type
from symgraph.ir.variable import Variable
from symgraph.ops.convert import make, require
from symgraph.ops.kinds import elementwise, indexed

UINT32, UINT64 = UINTS[2], UINTS[3]
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
GROUPS = 5  # of four rounds, each followed by an injection of the key

# What a key is used for goes into the two top bits of the counter, which no element number reaches,
# so that drawing from a key, splitting it and folding a number into it never give the same words.
DRAW, SPLIT, FOLD = 0, 1, 2
DOMAIN_SHIFT = 30  # in the counter's high word


def threefry(b: Any, key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Two words of 32 bits from key and counter, written with words of the loop IR."""
    keys = (*key, b.xor(b.xor(key[0], key[1]), b.const(PARITY, UINT32)))
    x, y = b.add(counter[0], keys[0]), b.add(counter[1], keys[1])
    for group in range(GROUPS):
        for rotation in ROTATIONS[4 * (group % 2) : 4 * (group % 2) + 4]:
            x = b.add(x, y)
            turned = b.or_(b.shl(y, rotation), b.shr(y, 32 - rotation))
            y = b.xor(turned, x)
        x = b.add(x, keys[(group + 1) % 3])
        y = b.add(y, b.add(keys[(group + 2) % 3], b.const(group + 1, UINT32)))
    return x, y


class _Arrays:
    """The words that ``threefry`` uses, on NumPy arrays."""

    const = staticmethod(lambda value, dtype: dtype.type(value))
    add, xor, or_ = np.add, np.bitwise_xor, np.bitwise_or
    shl = staticmethod(lambda x, count: np.left_shift(x, np.uint32(count)))
    shr = staticmethod(lambda x, count: np.right_shift(x, np.uint32(count)))


def _halves(b: Any, x: Any) -> tuple[Any, Any]:
    """Low and high word of a uint64."""
    return b.cast(x, UINT32), b.cast(b.shr(x, 32), UINT32)


def _element(b: Any, index: Any, inputs: Any, out: TensorType, attrs: Attrs) -> Any:
    place = b.const(0)
    for i, dim in zip(index, out.shape, strict=True):
        place = b.add(b.mul(place, b.size(dim)), i)
    counter = b.cast(place, UINT64)
    if len(inputs) > 1:
        counter = b.add(counter, inputs[1](()))
    low, high = _halves(b, counter)
    high = b.xor(high, b.const(attrs["domain"] << DOMAIN_SHIFT, UINT32))
    first, second = threefry(b, _halves(b, inputs[0](())), (low, high))
    if attrs["dtype"] == UINT32:
        return first
    return b.or_(b.cast(first, UINT64), b.shl(b.cast(second, UINT64), 32))


def _reference(
    key: Any, start: Any = 0, *, shape: tuple[int, ...], dtype: DType, domain: int
) -> Any:
    with np.errstate(over="ignore"):
        counter = np.arange(int(np.prod(shape, dtype="int64")), dtype="uint64") + np.uint64(start)
        words = tuple(
            np.asarray(v, "uint64").astype("uint32") for v in (counter, counter >> np.uint64(32))
        )
        key = np.uint64(key)
        keys = (np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32)))
        high = words[1] ^ np.uint32(domain << DOMAIN_SHIFT)
        first, second = threefry(_Arrays, keys, (words[0], high))
        if dtype == UINT32:
            return first.reshape(shape)
        both = first.astype("uint64") | (second.astype("uint64") << np.uint64(32))
        return both.reshape(shape)


def _infer(types: tuple[Type, ...], attrs: Attrs, context: ShapeContext) -> Type:
    return TensorType(attrs["dtype"], attrs["shape"])


def make_bits(
    key: Variable, shape: Sequence[Any], dtype: DType, domain: int = DRAW, *start: Variable
) -> Variable:
    """The node: a uint64 scalar key, perhaps a uint64 scalar to start counting from."""
    require(dtype in (UINT32, UINT64), "random_bits", dtype, "uint32 and uint64")
    return make("random_bits", [key, *start], shape=tuple(shape), dtype=dtype, domain=domain)


random_bits = indexed(
    "random_bits",
    """Random bits: element i depends on the key and on i alone.

    Shapes: key (), as uint64; any result.    Dtypes: uint32, uint64.
    """,
    infer=_infer,
    front=make_bits,
    reference=_reference,
    element=_element,
    source="Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3",
)


def _multiply_high(x: Any, y: Any) -> Any:
    half = np.dtype(x.dtype).itemsize * 4
    dtype = np.dtype(x.dtype).type
    mask, shift = dtype((1 << half) - 1), dtype(half)
    a, b, c, d = x >> shift, x & mask, y >> shift, y & mask
    low, left, right = b * d, a * d, b * c
    middle = (low >> shift) + (left & mask) + (right & mask)
    return a * c + (left >> shift) + (right >> shift) + (middle >> shift)


multiply_high = elementwise(
    "multiply_high",
    "The high half of the product of two unsigned integers of 32 or 64 bits.",
    reference=_multiply_high,
    arity=2,
    takes="integer",
    word="mulhi",
    properties=frozenset(("commutative",)),
)
