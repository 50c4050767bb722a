"""Random numbers from keys: the same key gives the same numbers, everywhere and always.

A key is a uint64 scalar. ``split`` makes several keys of one, ``fold_in`` one of a key and a
number; a key that was split or drawn from should not be drawn from again. ``Stream`` keeps a key in
shared state that advances at every call of a compiled function. The generator is in
``random_bits``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.config import config
from symgraph.errors import ArgumentError, ShapeError, message
from symgraph.ir.dim import product
from symgraph.ir.dtype import FLOAT32, UINTS, as_dtype, is_float, is_integer
from symgraph.ir.op import find_op
from symgraph.ir.origin import user_line
from symgraph.ir.type import Shape
from symgraph.ir.variable import Variable, describe
from symgraph.ops.broadcast import broadcast_to
from symgraph.ops.convert import asarray, cast, require
from symgraph.ops.index import take
from symgraph.ops.kinds import normal_axis
from symgraph.ops.random_bits import FOLD, SPLIT, UINT32, UINT64, make_bits, multiply_high
from symgraph.ops.shape import as_shape, moveaxis
from symgraph.ops.sorting import argsort

Size = Any  # an int, a Dim, or a sequence of these: what shapes are made of


def key(seed: Any) -> Variable:
    """A key from a seed: an integer, of which the last 64 bits count, or an integer variable."""
    if isinstance(seed, Variable):
        require(is_integer(seed.dtype), "random.key", seed.dtype, "integers")
        if seed.shape != ():
            raise ShapeError(
                describe(seed, "a seed is a scalar", "sg.random.split makes several keys of one")
            )
        return cast(seed, UINT64)
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise ArgumentError(message("random.key: a seed must be an integer", {"got": repr(seed)}))
    return asarray(np.uint64(int(seed.__index__()) % 2**64))


def split(key: Any, count: Size = 2) -> Variable:
    """``count`` keys of one, uint64[count]; iterate, index or scan over them."""
    return make_bits(as_key(key), as_shape(count), UINT64, SPLIT)


def fold_in(key: Any, number: Any) -> Variable:
    """A key from a key and an integer, such as the number of a step or of an epoch."""
    value = asarray(number)
    require(is_integer(value.dtype), "random.fold_in", value.dtype, "integers")
    return make_bits(as_key(key), (), UINT64, FOLD, cast(value, UINT64))


def as_key(value: Any) -> Variable:
    """A key, checked: DTypeError, ShapeError for what is none."""
    found = asarray(value)
    if found.shape != ():
        raise ShapeError(describe(found, "a key is a scalar", "take one of several keys: keys[0]"))
    hint = "sg.random.key(seed) makes a key"
    require(
        found.dtype == UINT64 and not found.weak,
        "random",
        found.dtype,
        "keys, which are uint64",
        hint,
    )
    return found


def bits(key: Any, shape: Size = (), dtype: Any = "uint32") -> Variable:
    """Even random bits, as an unsigned integer of any width."""
    found = as_dtype(dtype)
    require(found in UINTS, "random.bits", found, "unsigned integers")
    drawn = make_bits(as_key(key), as_shape(shape), UINT64 if found == UINT64 else UINT32)
    return cast(drawn, found)


def _float_dtype(dtype: Any, name: str) -> Any:
    found = as_dtype(config.text("floatX") if dtype is None else dtype)
    require(is_float(found), f"random.{name}", found, "float32 and float64")
    return found


def _unit(key: Any, shape: Size, dtype: Any) -> Variable:
    """Multiples of 2**-53 (float32: 2**-24) in [0, 1), evenly."""
    width, kept = (32, 24) if dtype == FLOAT32 else (64, 53)
    drawn = make_bits(as_key(key), as_shape(shape), UINT32 if width == 32 else UINT64)
    return cast(drawn >> (width - kept), dtype) * 2.0**-kept  # type: ignore[no-any-return]


def _tail(key: Any, shape: Size, dtype: Any) -> tuple[Variable, Variable]:
    """Evenly drawn probabilities in (0, 1/2], fine near 0, and a random bool beside each.

    p = (r + 1/2) / 2**64 with r of 63 bits: the smallest is 2**-65 (float32: 2**-33), so that what
    is made of it has tails as long as a normal number of 9.1 (float32: 6.3) standard deviations.
    """
    width = 32 if dtype == FLOAT32 else 64
    drawn = make_bits(as_key(key), as_shape(shape), UINT32 if width == 32 else UINT64)
    top = np.array(2 ** (width - 1), f"uint{width}")
    r = cast(drawn & (top - 1), dtype)
    return (r + 0.5) * 2.0**-width, (drawn & top) != 0


def uniform(
    key: Any, shape: Size = (), dtype: Any = None, low: Any = 0.0, high: Any = 1.0
) -> Variable:
    """Even numbers in [low, high): low + (high - low) * u.

    u is a multiple of 2**-53 (float32: 2**-24).    Shapes: low and high broadcast to ``shape``.
    Rounding may give ``high`` itself where low is     not 0.
    """
    found = _float_dtype(dtype, "uniform")
    unit = _unit(key, shape, found)
    if isinstance(low, int | float) and isinstance(high, int | float):
        if not low <= high:
            raise ArgumentError(
                message("random.uniform: low is above high", {"low": low, "high": high})
            )
        if (low, high) == (0, 1):
            return unit
    low, high = (cast(asarray(v), found) for v in (low, high))
    # One rounding, by fma: a backend that contracts products and sums would differ otherwise.
    return _of_shape(find_op("fma")(unit, high - low, low), unit.shape, "uniform")


def _of_shape(x: Variable, shape: Shape, name: str) -> Variable:
    """x, whose parameters must not have made it larger than was asked for."""
    if x.ndim != len(shape):
        raise ShapeError(
            describe(
                x,
                f"random.{name}: the parameters have more axes than shape {shape}",
                "give the full shape",
            )
        )
    return x if x.shape == shape else broadcast_to(x, shape)


def normal(
    key: Any, shape: Size = (), dtype: Any = None, loc: Any = 0.0, scale: Any = 1.0
) -> Variable:
    """Normal numbers: loc + scale * z, with z by inversion of the normal distribution function.

    Shapes: loc and scale broadcast to ``shape``.    z reaches 9.1 (float32: 6.3) standard
    deviations.
    """
    found = _float_dtype(dtype, "normal")
    probability, upper = _tail(key, shape, found)
    z = find_op("ndtri")(probability)
    z = find_op("where")(upper, -z, z)
    if isinstance(loc, int | float) and isinstance(scale, int | float) and (loc, scale) == (0, 1):
        return z  # type: ignore[no-any-return]
    loc, scale = (cast(asarray(v), found) for v in (loc, scale))
    return _of_shape(find_op("fma")(z, scale, loc), z.shape, "normal")


def truncated_normal(
    key: Any, lower: Any = -2.0, upper: Any = 2.0, shape: Size = (), dtype: Any = None
) -> Variable:
    """Standard normal numbers between two bounds, which broadcast to ``shape``."""
    found = _float_dtype(dtype, "truncated_normal")
    u = _unit(key, shape, found)
    low, high = (cast(asarray(v), found) for v in (lower, upper))
    where, minimum, maximum = find_op("where"), find_op("minimum"), find_op("maximum")
    turned = low > 0.0  # then both probabilities are near 1: draw in the other tail, and turn back
    start, end = where(turned, -high, low), where(turned, -low, high)
    p, q = _ndtr(start), _ndtr(end)
    z = minimum(maximum(find_op("ndtri")(p + (q - p) * u), start), end)
    return _of_shape(where(turned, -z, z), u.shape, "truncated_normal")


def _ndtr(x: Variable) -> Variable:
    return 0.5 * find_op("erfc")(-x * math.sqrt(0.5))  # type: ignore[no-any-return]


def exponential(key: Any, shape: Size = (), dtype: Any = None, scale: Any = 1.0) -> Variable:
    """Exponentially distributed numbers of mean ``scale``: -log(1 - u)."""
    unit = _unit(key, shape, _float_dtype(dtype, "exponential"))
    found = -find_op("log1p")(-unit)
    if isinstance(scale, int | float) and scale == 1:
        return found  # type: ignore[no-any-return]
    return _of_shape(found * cast(asarray(scale), found.dtype), unit.shape, "exponential")


def gumbel(key: Any, shape: Size = (), dtype: Any = None) -> Variable:
    """Gumbel numbers, -log(-log(u)): the argmax of logits and these is a draw of a category."""
    log, log1p, where = find_op("log"), find_op("log1p"), find_op("where")
    probability, upper = _tail(key, shape, _float_dtype(dtype, "gumbel"))
    return -log(-where(upper, log1p(-probability), log(probability)))  # type: ignore[no-any-return]


def laplace(key: Any, shape: Size = (), dtype: Any = None) -> Variable:
    """Laplace numbers: exponential ones with a random sign."""
    probability, upper = _tail(key, shape, _float_dtype(dtype, "laplace"))
    size = -find_op("log")(2.0 * probability)
    return find_op("where")(upper, size, -size)  # type: ignore[no-any-return]


def bernoulli(key: Any, p: Any = 0.5, shape: Size | None = None) -> Variable:
    """True with probability p, in the shape of p unless one is given."""
    p = asarray(p)
    found = p.dtype if is_float(p.dtype) and not p.weak else _float_dtype(None, "bernoulli")
    unit = _unit(key, p.shape if shape is None else shape, found)
    return _of_shape(unit < cast(p, found), unit.shape, "bernoulli")


def randint(key: Any, low: Any, high: Any, shape: Size = (), dtype: Any = "int64") -> Variable:
    """Integers in low .. high-1, evenly but for a bias of at most (high - low) / 2**64.

    Shapes: low and high broadcast to ``shape``.    Raises: ArgumentError for an empty range.
    """
    found = as_dtype(dtype)
    require(is_integer(found), "random.randint", found, "integers")
    if isinstance(low, int) and isinstance(high, int):
        if low >= high:
            raise ArgumentError(
                message("random.randint: the range is empty", {"low": low, "high": high})
            )
        info = np.iinfo(found)  # type: ignore[type-var]  # an integer dtype, by the test above
        if low < info.min or high - 1 > info.max:
            raise ArgumentError(
                message(
                    f"random.randint: the range does not fit {found}", {"low": low, "high": high}
                )
            )
        start, span = asarray(np.array(low, found)), asarray(np.uint64(high - low))
    else:
        start = cast(asarray(low), found)
        span = cast(asarray(high), UINT64) - cast(asarray(low), UINT64)
    drawn = make_bits(as_key(key), as_shape(shape), UINT64)
    offset = cast(multiply_high(drawn, span), found)
    return _of_shape(start + offset, drawn.shape, "randint")


def permutation(key: Any, x: Any, axis: int = 0) -> Variable:
    """0 .. n-1 in random order for a length n (int or dim); an array shuffled along an axis."""
    if not isinstance(x, Variable | np.ndarray | list | tuple):
        return argsort(make_bits(as_key(key), as_shape(x), UINT64))  # type: ignore[no-any-return]
    x = asarray(x)
    place = normal_axis(axis, x.ndim)
    order = argsort(make_bits(as_key(key), (x.shape[place],), UINT64))
    return take(x, order, axis=place)


def categorical(key: Any, logits: Any, axis: int = -1, shape: Size | None = None) -> Variable:
    """Indices (int64) drawn with probabilities softmax(logits, axis).

    Shapes: that of logits without the axis, or ``shape``, to which that broadcasts.
    """
    logits = asarray(logits)
    require(is_float(logits.dtype), "random.categorical", logits.dtype, "floating numbers")
    last = moveaxis(logits, axis, -1)
    batch = last.shape[:-1] if shape is None else as_shape(shape)
    noise = gumbel(key, (*batch, last.shape[-1]), logits.dtype)
    return find_op("argmax")(_of_shape(last + noise, noise.shape, "categorical"), axis=-1)  # type: ignore[no-any-return]


def choice(key: Any, x: Any, shape: Size = (), replace: bool = True, p: Any = None) -> Variable:
    """Elements of 0 .. n-1 (x an int or a dim) or of the first axis of x, in ``shape``.

    ``p``: probabilities, which sum to 1. ``replace=False``: each element at most once.
    """
    items = isinstance(x, Variable | np.ndarray | list | tuple)
    x = asarray(x) if items else x
    length = x.shape[0] if items else as_shape(x)[0]
    dims = as_shape(shape)
    if p is not None:
        p = asarray(p)
        log = find_op("log")(p)
        if replace:
            index = categorical(key, log, shape=dims)
        else:  # the largest of log p + Gumbel noise: sampling without replacement
            noisy = -(log + gumbel(key, (length,), p.dtype))
            index = _first(argsort(noisy), dims, length)
    elif replace:
        index = randint(key, 0, length, dims)
    else:
        index = _first(permutation(key, length), dims, length)
    return take(x, index, axis=0) if items else index


def _first(order: Variable, dims: Shape, length: Any) -> Variable:
    count = product(dims)
    if isinstance(count, int) and isinstance(length, int) and count > length:
        line = user_line()
        facts = {"asked for": count, "there are": length}
        raise ArgumentError(
            message(
                "random.choice without replacement",
                facts,
                str(line) if line else None,
                "replace=True",
            )
        )
    return find_op("reshape")(order[:count], dims)  # type: ignore[no-any-return]


def dropout_mask(key: Any, rate: float, shape: Size) -> Variable:
    """True where an element is kept, with probability 1 - rate."""
    if not 0 <= rate < 1:
        raise ArgumentError(message("dropout: the rate must be in [0, 1)", {"rate": rate}))
    threshold = np.uint32(min(round(rate * 2**32), 2**32 - 1))
    return make_bits(as_key(key), as_shape(shape), UINT32) >= threshold  # type: ignore[no-any-return]


class Stream:
    """Random numbers whose state advances at every call of a compiled function.

    ``state`` is a shared uint64[2]: the key, and how many calls there were;
    ``state.default_update`` is its next value, which a compiled function applies. Draws within a
    function are numbered, so each has a key of its own; the same program gives the same numbers
    after ``state.set_value``.
    """

    def __init__(self, seed: int, shared: Callable[..., Variable], name: str = "stream") -> None:
        start = key(seed).node.attrs["value"]
        self.state = shared(np.array([start, 0], "uint64"), name)
        self.state.default_update = self.state + np.array([0, 1], "uint64")  # type: ignore[attr-defined]
        self._count = 0

    def key(self) -> Variable:
        """A key that no other draw of this stream has, new at every call."""
        self._count += 1
        return fold_in(fold_in(self.state[0], self.state[1]), self._count - 1)

    def bits(self, shape: Size = (), dtype: Any = "uint32") -> Variable:
        """As ``random.bits``."""
        return bits(self.key(), shape, dtype)

    def uniform(
        self, shape: Size = (), dtype: Any = None, low: Any = 0.0, high: Any = 1.0
    ) -> Variable:
        """As ``random.uniform``."""
        return uniform(self.key(), shape, dtype, low, high)

    def normal(
        self, shape: Size = (), dtype: Any = None, loc: Any = 0.0, scale: Any = 1.0
    ) -> Variable:
        """As ``random.normal``."""
        return normal(self.key(), shape, dtype, loc, scale)

    def bernoulli(self, p: Any = 0.5, shape: Size | None = None) -> Variable:
        """As ``random.bernoulli``."""
        return bernoulli(self.key(), p, shape)

    def randint(self, low: Any, high: Any, shape: Size = (), dtype: Any = "int64") -> Variable:
        """As ``random.randint``."""
        return randint(self.key(), low, high, shape, dtype)

    def permutation(self, x: Any, axis: int = 0) -> Variable:
        """As ``random.permutation``."""
        return permutation(self.key(), x, axis)

    def exponential(self, shape: Size = (), dtype: Any = None, scale: Any = 1.0) -> Variable:
        """As ``random.exponential``."""
        return exponential(self.key(), shape, dtype, scale)

    def categorical(self, logits: Any, axis: int = -1, shape: Size | None = None) -> Variable:
        """As ``random.categorical``."""
        return categorical(self.key(), logits, axis, shape)
