"""The vocabulary of the loop IR: every scalar function that an expression may call.

A row says name, number of arguments, the dtype kinds it takes (b i u f c as in
``dtype.kind``), its result dtype, and its meaning: a callable on NumPy scalars, by which the
interpreter runs and against which every backend is tested. Semantics are NumPy 2's: integer
division by zero gives 0, floordiv and mod have floor semantics, NaN propagates through minimum
and maximum and is dropped by fmin and fmax, integers wrap around, shifts by the width or more
give 0 (-1 for a negative number shifted right).

Not here: how a backend spells a word (``codegen``). SciPy is imported by the special functions
that need it, when they are first evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any  # NumPy scalars of many dtypes pass through the meanings

import numpy as np

from symgraph.errors import VerifyError
from symgraph.records import dataclass

DType = np.dtype[np.generic]
Meaning = Callable[..., Any]

BOOL: DType = np.dtype("bool")
INT64: DType = np.dtype("int64")
COMPLEX_PARTS: dict[DType, DType] = {
    np.dtype("complex64"): np.dtype("float32"),
    np.dtype("complex128"): np.dtype("float64"),
}
_COMPLEX_OF = {real: whole for whole, real in COMPLEX_PARTS.items()}
DTYPES: tuple[DType, ...] = tuple(
    np.dtype(name)
    for name in [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ]
)


@dataclass(frozen=True, slots=True)
class WordRow:
    """One word: ``result`` is "same", "bool", "real", "complex" or "given" (by the node)."""

    name: str
    arity: int
    kinds: str
    result: str
    meaning: Meaning
    doc: str

    def accepts(self, dtype: DType) -> bool:
        """Does the word take arguments of this dtype?"""
        if self.name == "mulhi":
            return dtype.kind == "u" and dtype.itemsize >= 4
        return dtype.kind in self.kinds


def result_dtype(name: str, args: tuple[DType, ...], given: DType | None = None) -> DType:
    """The dtype of a word applied to arguments of these dtypes.

    Raises: VerifyError for an unknown word, a wrong number of arguments, a dtype that the word
    does not take, arguments of unequal dtypes, or (bitcast) unequal widths.
    """
    row = WORDS.get(name)
    if row is None:
        raise VerifyError(f"there is no word {name!r}")
    if len(args) != row.arity:
        raise VerifyError(f"word {name} takes {row.arity} arguments, not {len(args)}")
    same = args
    if name == "select":
        if args[0] != BOOL:
            raise VerifyError(f"select needs a bool condition, not {args[0]}")
        same = args[1:]
    if any(dtype != same[0] for dtype in same):
        raise VerifyError(f"word {name} has arguments of dtypes {', '.join(map(str, args))}")
    if not row.accepts(same[0]):
        raise VerifyError(f"word {name} does not take {same[0]}")
    if row.result == "given":
        if given is None or given.itemsize != same[0].itemsize or given.kind not in "iuf":
            raise VerifyError(f"cannot bitcast {same[0]} to {given}")
        return given
    return _result(row, same[0])


def _result(row: WordRow, dtype: DType) -> DType:
    if row.result == "bool":
        return BOOL
    if row.result == "real":
        return COMPLEX_PARTS.get(dtype, dtype)
    if row.result == "complex":
        return _COMPLEX_OF[dtype]
    return dtype


def evaluate(name: str, args: tuple[Any, ...], dtype: DType) -> Any:
    """The word on NumPy scalars, as a NumPy scalar of ``dtype``."""
    if name == "bitcast":
        return np.asarray(args[0]).view(dtype)[()]
    return convert(WORDS[name].meaning(*args), dtype)


def convert(x: Any, dtype: DType) -> Any:
    """The meaning of ``Cast``: a C conversion.

    Float to integer truncates (outside the range of the dtype the result is unspecified), to
    bool is != 0 (NaN is true), integers wrap around, complex to real takes the real part.
    """
    if type(x) is dtype.type:
        return x
    value = np.asarray(x)
    if value.dtype.kind == "c" and dtype.kind not in "cb":
        value = value.real
    if value.dtype.kind == "O":
        raise VerifyError(f"{x!r} is not a number of a supported dtype")
    return value.astype(dtype)[()]


# ---------------------------------------------------------------- meanings that NumPy lacks


def _special(name: str, x: Any) -> Any:
    import scipy.special  # slow to import, seldom needed

    return getattr(scipy.special, name)(x)


def _kernel(name: str, *args: Any) -> Any:
    """A function that NumPy and SciPy lack, or have with fewer digits: its own definition."""
    from symgraph_kernels import plain

    return plain.evaluate(name, *args)


def _erfinv(x: Any) -> Any:
    return x if x == 0 else _special("erfinv", x)  # SciPy loses the sign of -0.0


def _gammaln(x: Any) -> Any:
    return abs(x) if np.isinf(x) else _special("gammaln", x)  # as in C; SciPy has -inf at -inf


def _trigamma(x: Any) -> Any:
    import scipy.special

    if x == -np.inf:
        return x.dtype.type(np.nan)  # poles all the way: no limit
    return x.dtype.type(scipy.special.polygamma(1, np.float64(x)))


def _gamma(x: Any) -> Any:
    # C and Array API convention: NaN at negative integers, signed infinity at signed zero.
    if x < 0 and np.floor(x) == x:
        return x.dtype.type(np.nan)
    return _special("gamma", x)


def _log1mexp(x: Any) -> Any:
    with np.errstate(all="ignore"):
        if x > -0.6931471805599453:
            return np.log(-np.expm1(x))
        return np.log1p(-np.exp(x))


def _sigmoid(x: Any) -> Any:
    wide = np.float64(x)  # float32 is computed through float64
    return x.dtype.type(_special("expit", wide))


def _logaddexp(x: Any, y: Any) -> Any:
    return np.logaddexp(x, y)


def _int_pow(base: int, exponent: int) -> int:
    """base ** exponent of integers; a negative exponent truncates 1 / base ** -exponent."""
    if exponent >= 0:
        return pow(base, exponent, 1 << 64)
    if base in (1, -1):
        return base if exponent % 2 else 1
    return 0


def _pow(x: Any, y: Any) -> Any:
    if x.dtype.kind in "iu":
        bits = 8 * x.dtype.itemsize
        wrapped = _int_pow(int(x), int(y)) % (1 << bits)
        return np.asarray(wrapped, f"uint{bits}").view(x.dtype)[()]
    # on arrays: for a scalar exponent 0.5 NumPy takes sqrt, which is NaN at -inf where pow is inf
    return np.power(np.asarray(x).reshape(1), np.asarray(y).reshape(1))[0]


def _fma(x: Any, y: Any, z: Any) -> Any:
    if x.dtype.kind != "f":
        return x * y + z
    if not (np.isfinite(x) and np.isfinite(y)):
        return x * y + z
    if not np.isfinite(z):
        return z  # though x * y alone may overflow
    exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    if exact == 0:
        return x * y + z  # the product is then exact, and the sign of zero comes from the sum
    return _rounded(exact, x.dtype)


def _rounded(exact: Fraction, dtype: DType) -> Any:
    """The float nearest to a nonzero fraction, ties to even."""
    info = np.finfo(dtype)  # type: ignore[type-var]
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    unit = max(exponent, int(info.minexp)) - int(info.nmant)  # exponent of the last bit
    scaled = round(size / Fraction(2) ** unit)  # round() is to even
    if scaled.bit_length() + unit > int(info.maxexp):
        return dtype.type(np.inf if exact > 0 else -np.inf)
    value = np.ldexp(np.float64(scaled), unit)
    return dtype.type(value if exact > 0 else -value)


def _mulhi(x: Any, y: Any) -> Any:
    bits = 8 * x.dtype.itemsize
    return x.dtype.type((int(x) * int(y)) >> bits)


def _complex(re: Any, im: Any) -> Any:
    whole = np.empty((), _COMPLEX_OF[re.dtype])
    whole.real, whole.imag = re, im
    return whole[()]


def _select(c: Any, x: Any, y: Any) -> Any:
    return x if c else y


def _not(x: Any) -> Any:
    return np.logical_not(x) if x.dtype == BOOL else np.invert(x)


# ---------------------------------------------------------------- the table

_ANY, _NUMBER, _ORDERED = "biufc", "iufc", "biuf"
_REAL, _FLOAT, _INEXACT, _BITS = "iuf", "f", "fc", "biu"


def _bitcast(x: Any) -> Any:
    raise VerifyError("bitcast has a meaning only with its target dtype; use evaluate")


_ROWS: tuple[WordRow, ...] = (
    # arithmetic
    WordRow("add", 2, _ANY, "same", np.add, "x + y (bool: or)"),
    WordRow("sub", 2, _NUMBER, "same", np.subtract, "x - y"),
    WordRow("mul", 2, _ANY, "same", np.multiply, "x * y (bool: and)"),
    WordRow("div", 2, _INEXACT, "same", np.divide, "x / y"),
    WordRow("floordiv", 2, _REAL, "same", np.floor_divide, "floor(x / y); x // 0 is 0 for ints"),
    WordRow("mod", 2, _REAL, "same", np.remainder, "x - y * floordiv(x, y), sign of y"),
    WordRow("neg", 1, _NUMBER, "same", np.negative, "-x"),
    WordRow("abs", 1, _ANY, "real", np.absolute, "magnitude"),
    WordRow("sign", 1, _REAL, "same", np.sign, "-1, 0 or 1; NaN stays"),
    WordRow("minimum", 2, _ORDERED, "same", np.minimum, "smaller one; NaN propagates"),
    WordRow("maximum", 2, _ORDERED, "same", np.maximum, "larger one; NaN propagates"),
    WordRow("fmin", 2, _ORDERED, "same", np.fmin, "smaller one; NaN only if both are"),
    WordRow("fmax", 2, _ORDERED, "same", np.fmax, "larger one; NaN only if both are"),
    WordRow("pow", 2, _REAL, "same", _pow, "x ** y"),
    WordRow("fma", 3, _REAL, "same", _fma, "x * y + z, rounded once"),
    # parts and rounding of floats
    WordRow("floor", 1, _FLOAT, "same", np.floor, "largest integer <= x"),
    WordRow("ceil", 1, _FLOAT, "same", np.ceil, "smallest integer >= x"),
    WordRow("trunc", 1, _FLOAT, "same", np.trunc, "towards zero"),
    WordRow("rint", 1, _FLOAT, "same", np.rint, "nearest integer, ties to even"),
    WordRow("sqrt", 1, _FLOAT, "same", np.sqrt, "square root"),
    WordRow("square", 1, _NUMBER, "same", np.square, "x * x"),
    WordRow("reciprocal", 1, _INEXACT, "same", np.reciprocal, "1 / x"),
    WordRow("copysign", 2, _FLOAT, "same", np.copysign, "|x| with the sign of y"),
    WordRow("nextafter", 2, _FLOAT, "same", np.nextafter, "the float after x towards y"),
    WordRow("signbit", 1, _FLOAT, "bool", np.signbit, "is the sign bit set? (-0.0, -nan too)"),
    # comparisons
    WordRow("eq", 2, _ANY, "bool", np.equal, "x == y"),
    WordRow("ne", 2, _ANY, "bool", np.not_equal, "x != y"),
    WordRow("lt", 2, _ORDERED, "bool", np.less, "x < y"),
    WordRow("le", 2, _ORDERED, "bool", np.less_equal, "x <= y"),
    WordRow("gt", 2, _ORDERED, "bool", np.greater, "x > y"),
    WordRow("ge", 2, _ORDERED, "bool", np.greater_equal, "x >= y"),
    # logic and bits
    WordRow("and", 2, _BITS, "same", np.bitwise_and, "logical and bitwise and"),
    WordRow("or", 2, _BITS, "same", np.bitwise_or, "logical and bitwise or"),
    WordRow("xor", 2, _BITS, "same", np.bitwise_xor, "exclusive or"),
    WordRow("not", 1, _BITS, "same", _not, "logical (bool) or bitwise (int) not"),
    WordRow("shl", 2, "iu", "same", np.left_shift, "x << y; 0 when y is not in 0 .. width-1"),
    WordRow("shr", 2, "iu", "same", np.right_shift, "x >> y; 0 or -1 outside 0 .. width-1"),
    WordRow("select", 3, _ANY, "same", _select, "x if c else y; both are evaluated"),
    WordRow("isnan", 1, _INEXACT, "bool", np.isnan, "is x NaN?"),
    WordRow("isinf", 1, _INEXACT, "bool", np.isinf, "is x infinite?"),
    WordRow("isfinite", 1, _INEXACT, "bool", np.isfinite, "is x neither infinite nor NaN?"),
    WordRow("bitcast", 1, "iuf", "given", _bitcast, "the same bits as another dtype"),
    WordRow("mulhi", 2, "u", "same", _mulhi, "high half of the double-width product"),
    # complex numbers
    WordRow("real", 1, _INEXACT, "real", np.real, "real part"),
    WordRow("imag", 1, _INEXACT, "real", np.imag, "imaginary part"),
    WordRow("conj", 1, _INEXACT, "same", np.conjugate, "complex conjugate"),
    WordRow("complex", 2, _FLOAT, "complex", _complex, "re + 1j * im"),
    # elementary functions
    WordRow("exp", 1, _INEXACT, "same", np.exp, "e ** x"),
    WordRow("exp2", 1, _FLOAT, "same", np.exp2, "2 ** x"),
    WordRow("expm1", 1, _FLOAT, "same", np.expm1, "exp(x) - 1"),
    WordRow("log", 1, _FLOAT, "same", np.log, "natural logarithm"),
    WordRow("log2", 1, _FLOAT, "same", np.log2, "logarithm to base 2"),
    WordRow("log10", 1, _FLOAT, "same", np.log10, "logarithm to base 10"),
    WordRow("log1p", 1, _FLOAT, "same", np.log1p, "log(1 + x)"),
    WordRow("sin", 1, _FLOAT, "same", np.sin, "sine"),
    WordRow("cos", 1, _FLOAT, "same", np.cos, "cosine"),
    WordRow("tan", 1, _FLOAT, "same", np.tan, "tangent"),
    WordRow("sinh", 1, _FLOAT, "same", np.sinh, "hyperbolic sine"),
    WordRow("cosh", 1, _FLOAT, "same", np.cosh, "hyperbolic cosine"),
    WordRow("tanh", 1, _FLOAT, "same", np.tanh, "hyperbolic tangent"),
    WordRow("asin", 1, _FLOAT, "same", np.arcsin, "inverse sine"),
    WordRow("acos", 1, _FLOAT, "same", np.arccos, "inverse cosine"),
    WordRow("atan", 1, _FLOAT, "same", np.arctan, "inverse tangent"),
    WordRow("atan2", 2, _FLOAT, "same", np.arctan2, "angle of the point (y, x)"),
    WordRow("asinh", 1, _FLOAT, "same", np.arcsinh, "inverse hyperbolic sine"),
    WordRow("acosh", 1, _FLOAT, "same", np.arccosh, "inverse hyperbolic cosine"),
    WordRow("atanh", 1, _FLOAT, "same", np.arctanh, "inverse hyperbolic tangent"),
    WordRow("cbrt", 1, _FLOAT, "same", np.cbrt, "cube root"),
    WordRow("hypot", 2, _FLOAT, "same", np.hypot, "sqrt(x*x + y*y) without overflow"),
    WordRow("sigmoid", 1, _FLOAT, "same", _sigmoid, "1 / (1 + exp(-x))"),
    WordRow(
        "softplus", 1, _FLOAT, "same", lambda x: np.logaddexp(x.dtype.type(0), x), "log(1 + exp(x))"
    ),
    WordRow("log1mexp", 1, _FLOAT, "same", _log1mexp, "log(1 - exp(x)) for x <= 0"),
    WordRow("logaddexp", 2, _FLOAT, "same", _logaddexp, "log(exp(x) + exp(y))"),
    # special functions
    WordRow("erf", 1, _FLOAT, "same", partial(_special, "erf"), "error function"),
    WordRow("erfc", 1, _FLOAT, "same", partial(_kernel, "erfc"), "1 - erf(x)"),
    WordRow("erfcx", 1, _FLOAT, "same", partial(_special, "erfcx"), "exp(x*x) * erfc(x)"),
    WordRow("erfcx_slope", 1, _FLOAT, "same", partial(_kernel, "erfcx_slope"), "its derivative"),
    WordRow("erfinv", 1, _FLOAT, "same", _erfinv, "inverse of erf"),
    WordRow("gamma", 1, _FLOAT, "same", _gamma, "gamma function"),
    WordRow("gammaln", 1, _FLOAT, "same", _gammaln, "log(|gamma(x)|)"),
    WordRow("digamma", 1, _FLOAT, "same", partial(_special, "digamma"), "derivative of gammaln"),
    WordRow("trigamma", 1, _FLOAT, "same", _trigamma, "derivative of digamma"),
    WordRow("ndtri", 1, _FLOAT, "same", partial(_special, "ndtri"), "normal quantile"),
    WordRow("ndtr", 1, _FLOAT, "same", partial(_kernel, "ndtr"), "normal distribution function"),
    WordRow("log_ndtr", 1, _FLOAT, "same", partial(_kernel, "log_ndtr"), "log(ndtr(x))"),
    # what is left of a difference, and functions of exact products and quotients
    WordRow("log1pmx", 1, _FLOAT, "same", partial(_kernel, "log1pmx"), "log(1 + x) - x"),
    WordRow("cosm1", 1, _FLOAT, "same", partial(_kernel, "cosm1"), "cos(x) - 1"),
    WordRow("exprel", 1, _FLOAT, "same", partial(_kernel, "exprel"), "(exp(x) - 1) / x"),
    WordRow("sinhc", 1, _FLOAT, "same", partial(_kernel, "sinhc"), "sinh(x) / x"),
    WordRow("sqrt1pm1", 1, _FLOAT, "same", partial(_kernel, "sqrt1pm1"), "sqrt(1 + x) - 1"),
    WordRow("pow1p", 2, _FLOAT, "same", partial(_kernel, "pow1p"), "(1 + x) ** y"),
    WordRow("pow1pm1", 2, _FLOAT, "same", partial(_kernel, "pow1pm1"), "(1 + x) ** y - 1"),
    WordRow(
        "softplus_inverse",
        1,
        _FLOAT,
        "same",
        partial(_kernel, "softplus_inverse"),
        "log(exp(x) - 1)",
    ),
    WordRow("exp_product", 2, _FLOAT, "same", partial(_kernel, "exp_product"), "exp(x * y)"),
    WordRow("log_quotient", 2, _FLOAT, "same", partial(_kernel, "log_quotient"), "log(x / y)"),
    WordRow("log_near", 2, _FLOAT, "same", partial(_kernel, "log_near"), "log(x), y = x - 1"),
)

WORDS: dict[str, WordRow] = {row.name: row for row in _ROWS}
