"""Fractions with fast arithmetic are the library's in all that they give."""

from __future__ import annotations

import fractions
import operator
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symgraph.rewrite.exact import Fraction

OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip
values = st.one_of(
    st.fractions(max_denominator=10**6), st.integers(), st.floats(allow_nan=False, width=32)
)


def own(value):
    return Fraction(value) if isinstance(value, fractions.Fraction) else value


def result(function, *operands):
    try:
        return function(*operands)
    except (ZeroDivisionError, OverflowError) as error:
        return type(error)


def check(found, expected):
    assert found == expected or (found != found and expected != expected)
    if isinstance(expected, fractions.Fraction):
        assert type(found) is Fraction
        assert hash(found) == hash(expected)
    else:
        assert type(found) is type(expected)


@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.__name__)
@given(a=values, b=values)
def test_operators_are_the_librarys(function, a, b):
    if isinstance(a, fractions.Fraction) or isinstance(b, fractions.Fraction):
        found, expected = result(function, own(a), own(b)), result(function, a, b)
        if function is operator.mod and isinstance(expected, fractions.Fraction):
            assert found == expected
        else:
            check(found, expected)


@given(st.fractions(), st.integers(-5, 5))
def test_powers_and_signs_are_the_librarys(a, power):
    x = Fraction(a)
    check(result(operator.pow, x, power), result(operator.pow, a, power))
    check(-x, -a)
    check(abs(x), abs(a))
    assert (bool(x), int(x), str(x), repr(x)) == (bool(a), int(a), str(a), repr(a))
    assert result(float, x) == result(float, a)
    assert pickle.loads(pickle.dumps(x)) == x


@pytest.mark.parametrize("value", [3, -0.75, "1/3", "0.1", fractions.Fraction(2, 6)])
def test_it_is_made_of_what_the_library_takes(value):
    check(Fraction(value), fractions.Fraction(value))


def test_two_integers_are_reduced():
    check(Fraction(6, -4), fractions.Fraction(-3, 2))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x", None])
def test_what_is_no_number_is_refused(value):
    with pytest.raises((ValueError, OverflowError, TypeError)):
        Fraction(value)
