"""Every row of the table, compiled and in plain NumPy, against mpmath within the row's own ulp."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numba import njit

from symgraph_kernels import jit, plain
from symgraph_kernels.table import ROWS, Row
from tests.kernels.reference import FLOATS, Array, errors, samples

COUNT = 25  # points per interval; each row has 4 to 8 intervals per argument
PLAIN_SLACK = 0.5  # ulp: the emulated fma rounds twice
CASES = [
    pytest.param(row, dtype, id=f"{row.name}-{dtype.__name__}")
    for row in ROWS.values()
    for dtype in FLOATS
]


@cache
def compiled(name: str) -> Callable[..., None]:
    """A compiled loop over a word: f(x, [y,] out)."""
    word = getattr(jit, name)
    if ROWS[name].arity == 1:

        @njit
        def loop(x, out):
            for i in range(x.size):
                out[i] = word(x[i])
    else:

        @njit
        def loop(x, y, out):
            for i in range(x.size):
                out[i] = word(x[i], y[i])

    return loop


def run(name: str, *args: Array) -> Array:
    """The word over arrays, compiled."""
    out = np.empty_like(args[0])
    compiled(name)(*args, out)
    return out


def assert_within(row: Row, dtype: type, args: list[Array], got: Array, bound: float) -> None:
    """Fails with the worst point where the error passes the bound."""
    error = errors(row, dtype, args, got)
    worst = int(error.argmax())
    point = [float(a[worst]) for a in args]
    assert error[worst] <= bound, f"{row.name}{point} = {got[worst]!r}: {error[worst]} ulp"


def promise(row: Row, dtype: type) -> float:
    """The row's ulp for the dtype."""
    return row.ulp[FLOATS.index(dtype)]


@pytest.mark.parametrize(("row", "dtype"), CASES)
def test_compiled_words_keep_their_promise(row: Row, dtype: type):
    args = samples(row, dtype, COUNT)
    assert_within(row, dtype, args, run(row.name, *args), promise(row, dtype))


@pytest.mark.parametrize(("row", "dtype"), CASES)
def test_plain_words_keep_their_promise(row: Row, dtype: type):
    args = samples(row, dtype, 5, seed=1)
    got = plain.evaluate(row.name, *args)
    assert got.dtype == dtype
    assert_within(row, dtype, args, got, promise(row, dtype) + PLAIN_SLACK)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "dtype"), CASES)
def test_compiled_words_keep_their_promise_on_many_points(row: Row, dtype: type):
    args = samples(row, dtype, 1500, seed=2)
    assert_within(row, dtype, args, run(row.name, *args), promise(row, dtype))


@pytest.mark.parametrize(("row", "dtype"), CASES)
def test_nan_propagates(row: Row, dtype: type):
    others = np.array([np.nan, 0.0, 0.5, 2.0, np.inf], dtype)
    if row.arity == 1:
        assert np.isnan(run(row.name, others)[0])
        return
    nan = np.full_like(others, np.nan)
    for args in ((nan, others), (others, nan)):
        got = run(row.name, *args)
        kept = np.isnan(got)
        if row.name == "hypot":  # C: an infinite side wins
            kept |= np.isinf(args[0]) | np.isinf(args[1])
        if row.name == "pow":  # C: x ** 0 and 1 ** y are 1
            kept |= (args[1] == 0) & (got == 1)
        assert kept.all(), got


@pytest.mark.parametrize(("row", "dtype"), CASES)
def test_plain_and_compiled_agree(row: Row, dtype: type):
    """The interpreters run one definition; they differ where the emulated fma rounds twice."""
    args = samples(row, dtype, 40, seed=3)
    a, b = run(row.name, *args), plain.evaluate(row.name, *args)
    assert (np.isnan(a) == np.isnan(b)).all()
    finite = np.isfinite(a) & np.isfinite(b)
    assert (finite | (a == b) | np.isnan(a)).all()
    gap = np.abs(a[finite] - b[finite]) / np.spacing(np.abs(a[finite]))
    allowed = 64 if row.scale else 2  # where a result crosses zero its own ulp is no measure
    assert gap.max() <= allowed


def test_the_table_names_every_function_once():
    names = """exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh asin acos atan atan2
        asinh acosh atanh cbrt hypot sigmoid softplus log1mexp logaddexp erf erfc erfcx
        erfcx_slope erfinv ndtri gamma gammaln digamma trigamma pow ndtr log_ndtr log1pmx
        cosm1 exprel sinhc sqrt1pm1 pow1p pow1pm1 softplus_inverse exp_product log_quotient
        log_near"""
    assert set(ROWS) == set(names.split()) == set(jit.__all__)
    for row in ROWS.values():
        assert row.source
        assert max(row.ulp) <= (4 if row.name in {"gammaln", "digamma", "trigamma"} else 2)


def test_words_are_plain_functions_outside_compiled_code():
    assert jit.exp(1.0) == run("exp", np.ones(1))[0]
    assert type(jit.exp(np.float32(1))) is np.float32
    assert type(jit.log(2.0)) is np.float64
    x = np.linspace(0.5, 2, 5, dtype=np.float32)
    assert jit.pow(x, np.float32(2)).dtype == np.float32
    assert jit.tanh.__name__ == "tanh"
    assert "tanh(x)" in jit.tanh.__doc__


def test_words_refuse_mixed_types_in_compiled_code():
    @njit
    def mixed(x, y):
        return jit.pow(x, y)

    with pytest.raises(Exception, match="pow"):
        mixed(1.0, np.float32(2))


def test_importing_the_package_imports_neither_numba_nor_scipy():
    code = "import sys, symgraph_kernels, symgraph_kernels.table, symgraph_kernels.plain;"
    code += "print([m for m in ('numba', 'llvmlite', 'scipy', 'mpmath') if m in sys.modules])"
    found: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_path()
    )
    assert found.stdout.strip() == "[]"


def _path() -> dict[str, str]:
    """The environment, with this process's import path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
