"""Exact coefficients: the standard library's ``Fraction``, whose arithmetic is four times as fast.

Rules compute with some hundred small fractions for each node: coefficients of terms, polynomials,
power series. The library's operators look for every kind of number that there is; these know
fractions of their own kind and ``int``, and leave all else to the library, with the same results.
"""

from __future__ import annotations

import fractions
from collections.abc import Iterable
from math import gcd
from typing import Any  # operands may be of any type: what is no number is refused by the library

_Library = fractions.Fraction
_new = object.__new__


class Fraction(_Library):
    """A fraction in lowest terms; equal to the library's of the same value, and as hashable."""

    __slots__ = ()
    _numerator: int
    _denominator: int

    def __new__(cls, numerator: Any = 0, denominator: Any = None) -> Fraction:
        """``numerator / denominator``; also of a float, a text or another fraction, exactly."""
        if denominator is None:
            kind = type(numerator)
            if kind is int:
                return _made(numerator, 1)
            if kind is float:
                return _made(*numerator.as_integer_ratio())
            if kind is Fraction:
                found: Fraction = numerator
                return found
        elif type(numerator) is int and type(denominator) is int and denominator:
            return _ratio(numerator, denominator)
        made = _Library(numerator, denominator)
        return _made(made.numerator, made.denominator)

    def __add__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Fraction:
            return _sum(self, other._numerator, other._denominator)
        return _sum(self, other, 1) if kind is int else _back(_Library.__add__(self, other))

    def __radd__(self, other: Any) -> Any:
        return _sum(self, other, 1) if type(other) is int else _back(_Library.__radd__(self, other))

    def __sub__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Fraction:
            return _sum(self, -other._numerator, other._denominator)
        return _sum(self, -other, 1) if kind is int else _back(_Library.__sub__(self, other))

    def __rsub__(self, other: Any) -> Any:
        return (
            _sum(-self, other, 1) if type(other) is int else _back(_Library.__rsub__(self, other))
        )

    def __mul__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Fraction:
            top, bottom = (
                self._numerator * other._numerator,
                self._denominator * other._denominator,
            )
            return _made(top, 1) if bottom == 1 else _ratio(top, bottom)
        if kind is int:
            return _ratio(self._numerator * other, self._denominator)
        return _back(_Library.__mul__(self, other))

    def __rmul__(self, other: Any) -> Any:
        if type(other) is int:
            return _ratio(self._numerator * other, self._denominator)
        return _back(_Library.__rmul__(self, other))

    def __truediv__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Fraction and other._numerator:
            return _ratio(
                self._numerator * other._denominator, self._denominator * other._numerator
            )
        if kind is int and other:
            return _ratio(self._numerator, self._denominator * other)
        return _back(_Library.__truediv__(self, other))

    def __rtruediv__(self, other: Any) -> Any:
        if type(other) is int and self._numerator:
            return _ratio(other * self._denominator, self._numerator)
        return _back(_Library.__rtruediv__(self, other))

    def __pow__(self, other: Any, modulo: None = None) -> Any:
        if type(other) is int and other >= 0:
            return _made(self._numerator**other, self._denominator**other)
        return _back(_Library.__pow__(self, other))

    def __neg__(self) -> Fraction:
        return _made(-self._numerator, self._denominator)

    def __abs__(self) -> Fraction:
        return self if self._numerator >= 0 else _made(-self._numerator, self._denominator)

    def __bool__(self) -> bool:
        return self._numerator != 0

    def __float__(self) -> float:
        return self._numerator / self._denominator

    def __eq__(self, other: object) -> bool:
        if type(other) is Fraction:
            return self._numerator == other._numerator and self._denominator == other._denominator
        if type(other) is int:
            return self._denominator == 1 and self._numerator == other
        return _Library.__eq__(self, other)

    __hash__ = _Library.__hash__

    def __lt__(self, other: Any) -> bool:
        if type(other) is int:
            return self._numerator < other * self._denominator
        return _Library.__lt__(self, other)

    def __gt__(self, other: Any) -> bool:
        if type(other) is int:
            return self._numerator > other * self._denominator
        return _Library.__gt__(self, other)


def dot(left: Iterable[Fraction], right: Iterable[Fraction]) -> Fraction:
    """sum(x * y), reduced once."""
    numerator, denominator = 0, 1
    for x, y in zip(left, right, strict=False):
        top = x._numerator * y._numerator
        if top:
            bottom = x._denominator * y._denominator
            if bottom == denominator:
                numerator += top
            else:
                common = gcd(bottom, denominator)
                part = bottom // common
                numerator = numerator * part + top * (denominator // common)
                denominator *= part
    return _ratio(numerator, denominator)


def _made(numerator: int, denominator: int) -> Fraction:
    found = _new(Fraction)
    found._numerator, found._denominator = numerator, denominator
    return found


def _ratio(numerator: int, denominator: int) -> Fraction:
    """A fraction from any two integers, the second not 0."""
    if denominator != 1:
        common = gcd(numerator, denominator)
        if denominator < 0:
            common = -common
        if common != 1:
            numerator, denominator = numerator // common, denominator // common
    found = _new(Fraction)
    found._numerator, found._denominator = numerator, denominator
    return found


def _sum(left: Fraction, numerator: int, denominator: int) -> Fraction:
    own = left._denominator
    if own == denominator == 1:
        return _made(left._numerator + numerator, 1)
    if own == denominator:
        return _ratio(left._numerator + numerator, own)
    return _ratio(left._numerator * denominator + numerator * own, own * denominator)


def _back(found: Any) -> Any:
    """What the library gives, of this kind where it is a fraction."""
    return _made(found.numerator, found.denominator) if type(found) is _Library else found
