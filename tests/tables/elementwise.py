"""What tests of elementwise ops draw on: the rows, the standard's names, distances in ulp."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import numpy as np

from symgraph.errors import DTypeError
from symgraph.ir.dtype import ALL, DType
from symgraph.ir.op import Op
from symgraph.ops import (
    activation,
    arith,
    compare,
    defects,
    evaluate,
    gammas,
    math,
    parts,
    signs,
    special,
)
from symgraph.ops.leaves import tensor

MODULES: tuple[ModuleType, ...] = (
    arith,
    signs,
    parts,
    compare,
    math,
    activation,
    special,
    defects,
    gammas,
)


def rows_of(module: ModuleType) -> list[Op]:
    """The rows that a module defines."""
    found = [v for v in vars(module).values() if isinstance(v, Op)]
    mine = inspect.getsource(module)
    return [op for op in dict.fromkeys(found) if f'"{op.name}"' in mine and op.samples is not None]


ROWS: dict[str, Op] = {op.name: op for module in MODULES for op in rows_of(module)}
CONVERSIONS = {"astype"}  # rows whose attribute has no default
DEFAULTS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"negative_slope": 0.01},
    "elu": {"alpha": 1.0},
    "celu": {"alpha": 1.5},
    "gelu": {"approximate": False},
    "angle": {"deg": False},
    "isclose": {"rtol": 1e-05, "atol": 1e-08, "equal_nan": False},
    "nan_to_num": {"nan": 0.0, "posinf": np.nan, "neginf": np.nan},
    "bitwise_count": {"dtype": np.dtype("uint8")},
}

ARRAY_API = """
abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert
bitwise_or bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp
expm1 floor floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal
log log1p log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum
multiply negative nextafter not_equal positive pow real reciprocal remainder round sign signbit
sin sinh square sqrt subtract tan tanh trunc where astype
"""
"""Elementwise functions of the Array API standard 2024.12 (with `where` and `astype`)."""

OURS = """
exp2 cbrt fmin fmax fma deg2rad rad2deg softplus log1mexp logaddexp logaddexp2 sigmoid logit
relu elu selu gelu silu leaky_relu softsign hard_sigmoid xlogy xlog1py erf erfc erfcx erfinv
gamma gammaln digamma trigamma ndtr log_ndtr ndtri lbeta logsubexp isclose nan_to_num heaviside
sinc fmod complex angle
"""
"""What the API adds to them."""


def arity(op: Op) -> int:
    """How many arrays a row takes."""
    return len(op.samples)


def accepted(op: Op, dtype: DType) -> bool:
    """Does the row take arrays of this dtype?"""
    try:
        apply(op, [tensor("x", shape=(), dtype=dtype) for _ in range(arity(op))])
    except DTypeError:
        return False
    return True


def apply(op: Op, xs: list[Any]) -> Any:
    """A call with the attributes that the table tests use."""
    attrs = {} if op.name in ("bitwise_count", "nan_to_num") else DEFAULTS.get(op.name, {})
    if op.name in CONVERSIONS:
        attrs = {"dtype": "float64"}
    return op(*xs, **attrs)


def cases(names: Any = None) -> list[tuple[str, DType]]:
    """Every row with every dtype it takes."""
    chosen = ROWS if names is None else {n: ROWS[n] for n in names}
    return [(name, dtype) for name, op in chosen.items() for dtype in ALL if accepted(op, dtype)]


def draw(op: Op, rng: np.random.Generator, count: int, dtype: DType, specials: bool) -> list[Any]:
    """One array per input; special values are shuffled, so that all pairs of them occur."""
    found = []
    for k, samples in enumerate(op.samples):
        own = np.dtype(bool) if op.name == "where" and k == 0 else dtype
        values = samples.draw(rng, count, own, specials)
        found.append(rng.permutation(values) if specials else values)
    return found


def inputs(arrays: list[Any]) -> list[Any]:
    """Graph inputs of the types of arrays."""
    return [tensor(f"x{k}", shape=a.shape, dtype=a.dtype) for k, a in enumerate(arrays)]


def value(variable: Any, xs: list[Any], arrays: list[Any]) -> Any:
    """The value of a variable by the references."""
    given = {x.node: a for x, a in zip(xs, arrays, strict=True)}
    return evaluate.evaluate([variable.node], given)[0]


def ulps(found: Any, expected: Any) -> Any:
    """Distance in units of the last place of ``expected``; inf where one is NaN or infinite alone.

    Parts of complex numbers are measured in units of their magnitude.
    """
    if np.iscomplexobj(expected):
        return _complex_ulps(found, expected)
    if expected.dtype.kind != "f":
        return np.where(found == expected, 0.0, np.inf)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(all="ignore"):
        unit = np.spacing(np.maximum(np.abs(expected), np.finfo(expected.dtype).tiny))
        distance = np.abs(found.astype("longdouble") - expected) / unit
    return np.where(same, 0.0, np.where(np.isfinite(distance), distance, np.inf)).astype(float)


def _complex_ulps(found: Any, expected: Any) -> Any:
    finite = np.isfinite(found) & np.isfinite(expected)
    alike = (np.isnan(found) & np.isnan(expected)) | (found == expected)
    with np.errstate(all="ignore"):
        unit = np.spacing(np.maximum(np.abs(expected), np.finfo(expected.dtype).tiny))
        distance = np.abs(found - expected) / unit
    return np.where(alike, 0.0, np.where(finite, distance, np.inf)).astype(float)


def numpy_of(op: Op) -> Any:
    """The NumPy function that a row stands for, None where there is none."""
    names = op.names.get("numpy", ())
    return next((getattr(np, n) for n in names if hasattr(np, n)), None)
