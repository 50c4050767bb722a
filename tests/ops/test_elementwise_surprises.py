"""What surprises in elementwise ops: weak numbers, bool, division by zero, exact comparisons."""

from __future__ import annotations

import itertools
import operator

import mpmath
import numpy as np
import pytest

import symgraph as sg
from symgraph.errors import ArgumentError, DTypeError, UnsupportedError
from symgraph.ir.dtype import ALL
from symgraph.ir.op import OPS, find_op
from symgraph.ops import parts, signs
from symgraph.ops.convert import asarray
from symgraph.ops.leaves import tensor
from tests.tables.elementwise import inputs, ulps, value

INTEGERS = [d for d in ALL if d.kind in "iu"]


def vector(dtype, name="x"):
    """An input of three elements."""
    return tensor(name, shape=(3,), dtype=dtype)


def run(function, *arrays):
    """The value of a function of variables on arrays, by the references."""
    arrays = [np.asarray(a) for a in arrays]
    xs = inputs(arrays)
    return value(function(*xs), xs, arrays)


# Python numbers -------------------------------------------------------------------------------


def test_expressions_of_numbers_alone_stay_weak():
    two = asarray(2) * 3.0 - 1
    assert two.weak
    assert (vector("float32") * two).dtype == np.float32
    assert (vector("float32") * find_op("sqrt")(2.0)).dtype == np.float32
    assert not (asarray(np.float64(2)) * 3).weak
    assert (vector("float32") * asarray(np.float64(2))).dtype == np.float64


def test_a_dim_is_weak():
    x = tensor("x", shape=("n",), dtype="float32")
    assert (x / x.shape[0]).dtype == np.float32
    assert (1 / asarray(x.shape[0])).dtype == np.float64
    assert (x * (1 / asarray(x.shape[0]))).dtype == np.float32


def test_where_of_two_numbers_is_as_wide_as_in_numpy():
    x = vector("float32")
    assert find_op("where")(x > 0, 1.0, 0.0).dtype == np.where(np.ones(3, bool), 1.0, 0.0).dtype
    assert find_op("where")(x > 0, x, 0.0).dtype == np.float32


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_a_python_integer_outside_the_range_is_refused(dtype):
    info = np.iinfo(dtype)
    for number in (int(info.max) + 1, int(info.min) - 1):
        with pytest.raises(
            DTypeError, match=f"{number} (does not fit {dtype}|fits no dtype)"
        ) as caught:
            vector(dtype) + number
        assert "help:" in str(caught.value)
    assert (vector(dtype) + int(info.max)).dtype == dtype


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("compare", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparison_with_a_python_integer_outside_the_range_is_exact(dtype, compare):
    function = getattr(operator, compare)
    array = np.array([np.iinfo(dtype).min, 1, np.iinfo(dtype).max], dtype)
    for number in (-(2**63), -1, 300, 2**63):
        expected = [function(int(a), number) for a in array]
        assert run(lambda x, n=number: function(x, n), array).tolist() == expected
        turned = [function(number, int(a)) for a in array]
        assert run(lambda x, n=number: function(asarray(n), x), array).tolist() == turned


@pytest.mark.parametrize("compare", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparison_of_int64_with_uint64_is_exact(compare):
    function = getattr(operator, compare)
    signed = np.array([-1, 0, 2**53 + 1, 2**63 - 1, -(2**63)])
    unsigned = np.array([2**64 - 1, 0, 2**53, 2**53 + 1, 2**63], "uint64")
    pairs = np.array(list(itertools.product(range(5), range(5))))
    x, y = signed[pairs[:, 0]], unsigned[pairs[:, 1]]
    expected = [function(int(a), int(b)) for a, b in zip(x, y, strict=True)]
    assert run(function, x, y).tolist() == expected
    turned = [function(int(b), int(a)) for a, b in zip(x, y, strict=True)]
    assert run(function, y, x).tolist() == turned


# bool and integers ----------------------------------------------------------------------------


def test_bool_arithmetic_is_numpys():
    a, b = np.array([True, True, False]), np.array([True, False, False])
    assert run(operator.add, a, b).tolist() == [True, True, False]
    assert run(operator.mul, a, b).tolist() == [True, False, False]
    assert run(operator.truediv, a, a).dtype == np.float64
    assert run(operator.floordiv, a, b).dtype == np.int8
    assert run(lambda x: abs(x), a).dtype == bool
    for refused in (lambda x: x - x, lambda x: -x, lambda x: +x, find_op("sign")):
        with pytest.raises(DTypeError, match="does not take bool"):
            refused(vector("bool"))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_by_zero_give_zero(dtype):
    x, zero = np.array([7, 0, 100], dtype), np.zeros(3, dtype)
    for function in (operator.floordiv, operator.mod, find_op("fmod")):
        found = run(function, x, zero)
        assert found.dtype == dtype
        assert not found.any()
    assert run(operator.truediv, x, zero).tolist()[::2] == [np.inf, np.inf]
    assert run(find_op("reciprocal"), zero).tolist() == [0, 0, 0]


def test_floor_division_has_the_sign_of_python():
    x, y = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    assert run(operator.floordiv, x, y).tolist() == [3, -4, -4, 3]
    assert run(operator.mod, x, y).tolist() == [1, 1, -1, -1]
    assert run(find_op("fmod"), x, y).tolist() == [1, -1, 1, -1]


def test_integer_to_a_negative_power():
    with pytest.raises(DTypeError, match="negative integer power"):
        vector("int64") ** -1
    with pytest.raises(DTypeError, match="negative integer power"):
        vector("int64") ** np.array([1, -1, 2])
    found = run(operator.pow, np.array([2, 1, -1, -1, 0]), np.array([-1, -2, -3, -2, -1]))
    assert found.tolist() == [0, 1, -1, 1, 0]
    assert (vector("int64") ** -1.0).dtype == np.float64
    assert (2 ** vector("float32")).dtype == np.float32


def test_shifts_beyond_the_width():
    x, far = np.array([-8, 8, 1], "int32"), np.array([40, 40, 31], "int32")
    assert run(operator.lshift, x, far).tolist() == [0, 0, -(2**31)]
    assert run(operator.rshift, x, far).tolist() == [-1, 0, 0]


def test_bits_of_a_float_are_refused():
    with pytest.raises(DTypeError, match="bitwise_and does not take float64"):
        vector("float64") & vector("int64")


# Complex --------------------------------------------------------------------------------------


def test_functions_without_a_complex_form_say_so():
    for name in ("sin", "log", "sqrt", "maximum", "floor", "less", "erf", "sigmoid", "remainder"):
        op = OPS[name]
        with pytest.raises(DTypeError, match=f"{name} does not take complex128"):
            op(*[vector("complex128")] * len(op.samples))


def test_complex_to_real_needs_a_choice():
    with pytest.raises(DTypeError, match=r"sg\.real"):
        vector("complex64").astype("float32")
    assert vector("complex64").real.dtype == np.float32
    assert vector("float64").imag.dtype == np.float64


def test_complex_of_infinite_parts_makes_no_nan():
    found = run(find_op("complex"), np.array(np.inf), np.array(np.inf))
    assert found == complex(np.inf, np.inf)


# Calls ----------------------------------------------------------------------------------------


def test_numpy_functions_build_nodes():
    x, array = vector("float64"), np.arange(3.0)
    named = {
        "exp": np.exp(x),
        "add": np.add(array, x),
        "atan2": np.arctan2(array, x),
        "pow": np.power(x, 2),
        "abs": np.absolute(x),
        "clip": np.clip(x, 0, 1),
        "where": np.where(x > 0, x, 0),
        "round": np.round(x),
        "isclose": np.isclose(x, array),
        "real": np.real(x),
        "logaddexp": np.logaddexp(array, x),
        "divide": array / x,
        "maximum": np.maximum(array, x),
        "nan_to_num": np.nan_to_num(x),
    }
    for name, made in named.items():
        assert made.node.op.name == name
    assert np.rint(vector("int8")).dtype == np.float32
    assert [v.node.op.name for v in np.divmod(x, array)] == ["floor_divide", "remainder"]


def test_methods_are_those_of_arrays():
    x = vector("float64")
    assert x.clip(0, 1).node is find_op("clip")(x, 0, 1).node
    assert x.clip(min=0).node is find_op("maximum")(x, 0).node
    assert x.astype("int32").dtype == np.int32
    assert x.round(2).dtype == np.float64
    assert x.conj().node is find_op("conj")(x).node


def test_wrong_calls_say_what_is_right():
    x = vector("float64")
    with pytest.raises(ArgumentError, match="add takes 2 arguments, got 1"):
        find_op("add")(x)
    with pytest.raises(ArgumentError, match="exp does not take dtype="):
        np.exp(x, dtype="float32")
    with pytest.raises(ArgumentError, match="options: negative_slope"):
        find_op("leaky_relu")(x, slope=0.1)
    with pytest.raises(UnsupportedError, match="nonzero"):
        find_op("where")(x)
    with pytest.raises(UnsupportedError, match="polygamma"):
        sg.special.polygamma(13, x)


def test_options_come_by_position_or_keyword():
    x = vector("float64")
    by_keyword = find_op("leaky_relu")(x, negative_slope=0.1)
    assert find_op("leaky_relu")(x, 0.1).node is by_keyword.node
    array = np.array([-1.0, 0.0, 2.0])
    assert run(lambda v: find_op("leaky_relu")(v, 0.1), array).tolist() == [-0.1, 0.0, 2.0]


def test_rounding_to_decimals_is_numpys():
    array = np.array([1.005, -2.675, 1234.5, 0.5])
    for digits in (0, 1, 2, -2):
        np.testing.assert_array_equal(
            run(lambda x, d=digits: parts.round(x, d), array), np.round(array, digits)
        )
    whole = np.array([15, 25, -35, 149])
    found = run(lambda x: parts.round(x, decimals=-1), whole)
    assert found.tolist() == np.round(whole, -1).tolist()
    assert found.dtype == whole.dtype


def test_modf_and_fabs_are_numpys():
    array = np.array([1.5, -2.25, np.inf, -np.inf, -0.0, np.nan])
    for k in (0, 1):
        found, expected = run(lambda x, k=k: parts.modf(x)[k], array), np.modf(array)[k]
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found[:-1]), np.signbit(expected[:-1]))
    assert signs.fabs(vector("int32")).dtype == np.float64


def test_clip_without_bounds_is_the_array():
    x = vector("float64")
    assert x.clip().node is x.node


def test_nan_to_num_keeps_the_dtype():
    array = np.array([np.nan, np.inf, -np.inf, 1], "float32")
    assert np.array_equal(run(find_op("nan_to_num"), array), np.nan_to_num(array))
    found = run(lambda x: find_op("nan_to_num")(x, nan=1.0, posinf=2.0, neginf=3.0), array)
    assert found.tolist() == [1, 2, 3, 1]
    assert find_op("nan_to_num")(vector("int8")).dtype == np.int8


# Values that simple formulas lose ------------------------------------------------------------

m = mpmath
# row, inputs, the exact value, tolerance in ulp
VALUES = [
    ("log1mexp", (-1e-20,), lambda x: m.log(-m.expm1(x)), 2),
    ("log1mexp", (-50.0,), lambda x: m.log1p(-m.exp(x)), 2),
    ("softplus", (-745.0,), lambda x: m.log1p(m.exp(x)), 2),
    ("softplus", (1e4,), lambda x: x, 1),
    ("sigmoid", (-740.0,), lambda x: 1 / (1 + m.exp(-x)), 2),
    ("logit", (0.5000001,), lambda x: m.log(x / (1 - x)), 4),
    ("logit", (1e-310,), lambda x: m.log(x / (1 - x)), 2),
    ("logaddexp", (1000.0, 1000.0), lambda x, y: x + m.log(2), 1),
    ("logsubexp", (1e-10, 0.0), lambda x, y: m.log(m.exp(x) - m.exp(y)), 4),
    ("sinc", (3.0000001,), lambda x: m.sinc(m.pi * x), 4),
    ("xlogy", (0.0, 0.0), lambda x, y: m.mpf(0), 0),
    ("xlog1py", (2.0, 1e-20), lambda x, y: x * m.log1p(y), 2),
    ("log_ndtr", (-38.0,), lambda x: m.log(m.ncdf(x)), 4),
    ("erfcx", (1e5,), lambda x: 1 / (x * m.sqrt(m.pi)) * (1 - 1 / (2 * x * x)), 2),
    ("lbeta", (16.24, 1e5), lambda x, y: m.log(m.beta(x, y)), 4),
    ("lbeta", (1e8, 0.5), lambda x, y: m.log(m.beta(x, y)), 4),
    ("hypot", (3e300, 4e300), lambda x, y: m.mpf(5e300), 2),
    ("fma", (1 + 2.0**-30, 1 - 2.0**-30, -1.0), lambda x, y, z: x * y + z, 0),
]


@pytest.mark.parametrize(("name", "at", "exact", "most"), VALUES, ids=lambda v: str(v)[:24])
def test_value_keeps_its_digits(name, at, exact, most):
    with mpmath.workdps(400):
        expected = np.array(float(exact(*map(mpmath.mpf, at))))
    assert ulps(run(find_op(name), *at), expected) <= most


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_reference_of_fma_overflows_to_infinity_of_either_sign(dtype):
    big = np.array([np.finfo(dtype).max], dtype)
    one = np.zeros(1, dtype)
    with np.errstate(over="ignore"):
        assert find_op("fma").reference(big, big, one) == np.inf
        assert find_op("fma").reference(big, -big, one) == -np.inf


DIVISORS = [2, 3, 7, 10, 641, 1 << 31, (1 << 32) + 1, 10**15, 1 << 62, (1 << 62) + 1, 2**63 - 1, -7]


@pytest.mark.parametrize("divisor", DIVISORS)
def test_whole_numbers_divided_by_a_known_one(divisor: int, rng) -> None:
    edges = [k * divisor + j for k in (-3, -1, 0, 1, 2**30, 2**62 // divisor) for j in (-1, 0, 1)]
    edges += [2**63 - 1, -(2**63), 1 - 2**63, 2**32, -(2**32), 2**32 - 1]
    some = rng.integers(-(2**63), 2**63 - 1, 200) >> rng.integers(0, 63, 200)
    x = np.array([*(k for k in edges if -(2**63) <= k < 2**63), *some], "int64")
    n = sg.tensor("n", dtype="int64", shape=(None,))
    quotient, rest = sg.function([n], [n // divisor, n % divisor])(x)
    np.testing.assert_array_equal(quotient, x // divisor)
    np.testing.assert_array_equal(rest, x % divisor)
