"""Rounding, conversion between dtypes, and the parts of complex numbers: one row each.

Rounding is constant in pieces: its gradient is zero, not missing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symgraph.errors import ArgumentError
from symgraph.ir.dtype import BOOL, FLOAT32, FLOAT64, as_dtype, complex_of
from symgraph.ir.op import METHODS, NUMPY_FUNCTIONS, Op, find_op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import asarray, cast, common, require
from symgraph.ops.kinds import elementwise, elementwise_front, zero_like
from symgraph.ops.samples import ANY, SPECIALS, reals
from symgraph.ops.signs import abs, copysign, is_zero, where

ARRAY_API = "Array API standard 2024.12"
NUMPY = "NumPy 2 reference"
DEGREE = math.pi / 180


def _is_kind(x: Any, kinds: str) -> bool:
    return x.dtype.kind in kinds


# Rounding -------------------------------------------------------------------------------------


def _rounding(name: str, doc: str, word: str, numpy: tuple[str, ...] = ()) -> Any:
    """A row of rounding to integers: nothing to do for integers and bool."""
    return elementwise(
        name,
        f"{doc} Integers stay. Gradient: 0.",
        takes="real_or_bool",
        scalar=lambda s, x: getattr(s, word)(x) if _is_kind(x, "f") else x,
        reference=getattr(np, name),
        grad=lambda g, z, x: [zero_like(g)],
        properties=frozenset(("idempotent",)),
        samples=(reals(-1e3, 1e3, also=(*SPECIALS, 0.5, 1.5, 2.5, -0.5, 4503599627370497.5)),),
        numpy=numpy,
        source=ARRAY_API,
    )


floor = _rounding("floor", "The largest integer <= x.", "floor")
ceil = _rounding("ceil", "The smallest integer >= x.", "ceil")
trunc = _rounding("trunc", "x without its fraction.", "trunc", ("fix",))


def _rint(s: Any, x: Any) -> Any:
    if _is_kind(x, "c"):
        return s.complex(s.rint(s.real(x)), s.rint(s.imag(x)))
    return s.rint(x) if _is_kind(x, "f") else x


_ordinary_round = elementwise_front("round", 1, "numeric", "same", {})


def _round(x: Any, decimals: int = 0) -> Variable:
    operand = asarray(x)
    if operand.dtype == BOOL:
        operand = cast(operand, FLOAT32)
    if not hasattr(decimals, "__index__"):
        raise ArgumentError(f"round takes a whole number of decimals, got {decimals!r}")
    digits = decimals.__index__()
    if digits == 0 or (operand.dtype.kind in "iu" and digits > 0):
        return _ordinary_round(operand)
    if operand.dtype.kind in "iu":
        return astype(_round(cast(operand, FLOAT64), digits), operand.dtype)  # type: ignore[no-any-return]
    if digits > 0:
        return find_op("divide")(_ordinary_round(operand * 10.0**digits), 10.0**digits)  # type: ignore[no-any-return]
    return find_op("multiply")(_ordinary_round(operand / 10.0**-digits), 10.0**-digits)  # type: ignore[no-any-return]


round = elementwise(
    "round",
    "The nearest integer, halves to even; with ``decimals=k`` the nearest multiple of 10**-k. "
    "Parts of complex numbers apart. Integers stay. Gradient: 0.",
    takes="numeric",
    scalar=_rint,
    front=_round,
    reference=lambda x: np.rint(x) if x.dtype.kind in "fc" else x,
    grad=lambda g, z, x: [zero_like(g)],
    properties=frozenset(("idempotent",)),
    samples=(reals(-1e3, 1e3, also=(*SPECIALS, 0.5, 1.5, 2.5, -0.5)),),
    numpy=("around",),
    source=ARRAY_API,
)


def rint(x: Any) -> Variable:
    """The nearest integer as a floating number, as in NumPy; ``round`` keeps integer dtypes."""
    return _ordinary_round(*common([x], "float"))


# Conversion and complex parts -----------------------------------------------------------------


def _astype(x: Any, dtype: Any = None, *, copy: bool = True) -> Variable:
    operand, target = asarray(x), as_dtype(dtype)
    if operand.dtype.kind == "c" and target.kind not in "cb":
        require(
            False,
            "astype",
            operand.dtype,
            f"real numbers, to give {target}",
            "take sg.real(x), or abs(x)",
        )
    return cast(operand, target)


def _astype_gradient(g: Variable, z: Variable, x: Variable, dtype: Any) -> list[Variable | None]:
    if x.dtype.kind not in "fc":
        return [None]
    if g.dtype.kind == "c" and x.dtype.kind != "c":
        return [cast(real(g), x.dtype)]
    return [cast(g, x.dtype)]


astype = elementwise(
    "astype",
    "x as another dtype. Floating to integer truncates (out of range: unspecified), to bool is "
    "x != 0, integers wrap around; complex to real is refused.",
    result="dtype",
    scalar=lambda s, x, dtype: s.cast(x, dtype),
    front=_astype,
    reference=lambda x, dtype: x.astype(dtype),
    grad=_astype_gradient,
    samples=(reals(-100, 100, also=(0.0, -0.0, 1.0)),),
    source=ARRAY_API,
)
real = elementwise(
    "real",
    "The real part; x itself where x is real.",
    result="real",
    scalar=lambda s, x: s.real(x) if _is_kind(x, "c") else x,
    reference=lambda x: np.array(np.real(x)),
    grad=lambda g, z, x: [complex(g, 0.0) if x.dtype.kind == "c" else g],
    samples=(ANY,),
    source=ARRAY_API,
)
imag = elementwise(
    "imag",
    "The imaginary part; 0 where x is real.",
    result="real",
    scalar=lambda s, x: s.imag(x) if _is_kind(x, "c") else s.const(0, x.dtype),
    reference=lambda x: np.array(np.imag(x)),
    grad=lambda g, z, x: [complex(0.0, -g) if x.dtype.kind == "c" else zero_like(g)],
    samples=(ANY,),
    source=ARRAY_API,
)
conj: Op = elementwise(
    "conj",
    "re - 1j * im; x itself where x is real.",
    takes="numeric",
    rule="numeric",
    scalar=lambda s, x: s.conj(x) if _is_kind(x, "c") else x,
    reference=np.conj,
    grad=lambda g, z, x: [conj(g)],
    samples=(ANY,),
    numpy=("conjugate",),
    source=ARRAY_API,
)
complex: Op = elementwise(
    "complex",
    "re + 1j * im.",
    arity=2,
    takes="floating",
    rule="float",
    result="complex",
    word="complex",
    reference=lambda re, im: _joined(re, im),
    grad=lambda g, z, re, im: [real(g), -imag(g)],
    samples=(ANY, ANY),
    source="C11, CMPLX",
)


def _joined(re: Any, im: Any) -> Any:
    found = np.empty(np.broadcast_shapes(np.shape(re), np.shape(im)), complex_of(re.dtype))
    found.real, found.imag = re, im  # not re + 1j * im, which turns infinities into NaN
    return found


def _angle(s: Any, x: Any, deg: bool) -> Any:
    im, re = (s.imag(x), s.real(x)) if _is_kind(x, "c") else (s.const(0, x.dtype), x)
    turn = s.atan2(im, re)
    return s.mul(turn, 180 / math.pi) if deg else turn


def _angle_gradient(g: Variable, z: Variable, x: Variable, deg: bool) -> list[Variable]:
    if x.dtype.kind != "c":
        return [zero_like(g)]
    size = where(is_zero(x), 1.0, abs(x))
    unit = conj(x) / size
    turned = complex(0.0, -g if not deg else -g / DEGREE) * unit / size
    return [where(is_zero(x), 0.0, turned)]


angle = elementwise(
    "angle",
    "atan2(imag(x), real(x)), in degrees if ``deg``. Real x: 0, or pi where negative.",
    takes="inexact",
    rule="float",
    result="real",
    scalar=_angle,
    options={"deg": False},
    reference=lambda x, deg: np.asarray(np.angle(x, deg), np.real(x).dtype),
    grad=_angle_gradient,
    samples=(ANY,),
    ulp=4.0,
    source=NUMPY,
)
deg2rad = elementwise(
    "deg2rad",
    "x * pi / 180.",
    takes="floating",
    rule="float",
    scalar=lambda s, x: s.mul(x, DEGREE),
    reference=np.deg2rad,
    grad=lambda g, z, x: [g * DEGREE],
    samples=(ANY,),
    ulp=2.0,
    numpy=("radians",),
    source=NUMPY,
)
rad2deg = elementwise(
    "rad2deg",
    "x * 180 / pi.",
    takes="floating",
    rule="float",
    scalar=lambda s, x: s.mul(x, 1 / DEGREE),
    reference=np.rad2deg,
    grad=lambda g, z, x: [g / DEGREE],
    samples=(ANY,),
    ulp=2.0,
    numpy=("degrees",),
    source=NUMPY,
)


def modf(x: Any) -> tuple[Variable, Variable]:
    """(fraction, whole part), both with the sign of x and floating."""
    (operand,) = common([x], "float")
    whole = trunc(operand)
    fraction = where(find_op("isinf")(whole), 0.0, operand - whole)
    return copysign(fraction, operand), whole


NUMPY_FUNCTIONS.update({"rint": rint, "modf": modf})
METHODS.update({"real": real, "imag": imag})
METHODS.update({"astype": astype, "round": round, "conj": conj, "conjugate": conj, "copy": asarray})
