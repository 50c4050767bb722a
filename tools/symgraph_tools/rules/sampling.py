"""Where arguments of formulas are drawn from: fixed streams of random bits, the same everywhere.

Half of the numbers lie evenly between floats, as Herbie draws them, where magnitudes matter.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
LEAST = 1e-100


class Domain(NamedTuple):
    """A kind of numbers, its bounds, and how many make a vector (0: a number)."""

    kind: str
    lo: float = 0.0
    hi: float = 1.0
    n: int = 0


def uniform(lo: float, hi: float, n: int = 0) -> Domain:
    """Half evenly between numbers, half evenly between floats."""
    return Domain("uniform", lo, hi, n)


def floats(lo: float, hi: float, n: int = 0) -> Domain:
    """Evenly between floats."""
    return Domain("floats", lo, hi, n)


def wide(most: float) -> Domain:
    """Of both signs, evenly between floats, as small as 1 / most."""
    return Domain("wide", -most, most)


def prob() -> Domain:
    """Probabilities: small ones, ones near 1, and others."""
    return Domain("prob")


def count(lo: int, hi: int) -> Domain:
    """Whole numbers."""
    return Domain("count", lo, hi)


def logits(n: int) -> Domain:
    """Vectors with a common scale between 1/128 and 1024."""
    return Domain("logits", n=n)


def simplex(n: int) -> Domain:
    """Vectors of positive numbers that add up to 1."""
    return Domain("simplex", n=n)


def near(lo: float, hi: float, n: int = 0) -> Domain:
    """Numbers close to each other, and to those of other arguments of this kind in a formula."""
    return Domain("near", lo, hi, n)


_INTEGERS: dict[int, np.dtype[Any]] = {8: np.dtype("int64"), 4: np.dtype("int32")}


def ordinal(x: Array) -> Array:
    """Order-preserving integers of floats; both zeros are 0."""
    width = _INTEGERS[x.dtype.itemsize]
    i = np.ascontiguousarray(x).view(width).astype(np.int64)
    return np.where(i < 0, np.int64(np.iinfo(width).min) - i, i)


def _of_ordinal(k: Array, dtype: np.dtype[Any]) -> Array:
    width = _INTEGERS[dtype.itemsize]
    low = np.int64(np.iinfo(width).min)
    return np.where(k < 0, low - k, k).astype(width).view(dtype)


def _between_floats(g: np.random.Generator, lo: float, hi: float, size: Any, dtype: Any) -> Array:
    limit = float(np.finfo(dtype).max)
    ends = np.array([max(lo, -limit), min(hi, limit)], dtype)
    a, b = (int(v) for v in ordinal(ends))
    return _of_ordinal(np.asarray(g.integers(a, b, size, endpoint=True)), np.dtype(dtype))


def _stream(seed: str) -> np.random.Generator:
    key = hashlib.sha256(seed.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "little")))


def _sized(g: np.random.Generator, lo: float, hi: float, size: Any, dtype: Any) -> Array:
    """Of all magnitudes down to ``LEAST``, whose squares are not lost in the exact sums."""
    if lo >= 0 or hi <= 0:
        ends = (max(lo, LEAST), hi) if lo >= 0 else (lo, min(hi, -LEAST))
        return _between_floats(g, *ends, size, dtype)
    sides = _between_floats(g, LEAST, hi, size, dtype), -_between_floats(g, LEAST, -lo, size, dtype)
    return np.asarray(np.where(g.random(size) < hi / (hi - lo), *sides))


def draw(domain: Domain, seed: str, size: int, dtype: Any) -> Array:
    """Numbers of shape (size,), vectors (size, n).

    ``seed``: what is drawn for, a formula and an argument with a bar between.
    """
    g = _stream(seed)
    kind, lo, hi, n = domain
    shape = (size, n) if n else (size,)
    if kind == "floats":
        x = _between_floats(g, lo, hi, shape, dtype)
    elif kind == "uniform":
        x = np.where(
            g.random(shape) < 0.5, g.uniform(lo, hi, shape), _sized(g, lo, hi, shape, dtype)
        )
    elif kind == "wide":
        x = _between_floats(g, 1 / hi, hi, shape, dtype) * g.choice([-1, 1], shape)
    elif kind == "prob":
        tails = _between_floats(g, 1e-30, 0.5, shape, dtype)
        near_one = 1 - _between_floats(g, 1e-16, 0.5, shape, np.float64)
        x = np.choose(g.integers(0, 3, shape), [tails, g.random(shape), near_one])
        # neither 0 nor 1, which a probability that was rounded may be
        x = np.clip(x, 1e-30, 1 - np.finfo(dtype).epsneg)
    elif kind == "count":
        x = g.integers(int(lo), int(hi), shape, endpoint=True)
    elif kind == "logits":
        scale = _between_floats(g, 2.0**-7, 2.0**10, (size, 1), np.float64)
        x = (g.normal(size=shape) + g.uniform(-2, 2, (size, 1))) * scale
    elif kind == "simplex":
        w = g.random(shape) ** (1 + np.floor(12 * g.random((size, 1)))) + 2.0**-80
        x = w / w.sum(-1, keepdims=True)
    else:
        assert kind == "near"
        shared = _stream(seed.partition("|")[0])
        centre = _between_floats(shared, lo, hi, (size, 1), np.float64)
        spread = _between_floats(shared, 1e-9, 1.0, (size, 1), np.float64)
        x = centre * (1 + (g.random((size, max(n, 1))) - 0.5) * spread)
        x = x.reshape(shape)
    return np.asarray(x).astype(dtype)
