"""Every word on every dtype: the interpreter against NumPy arrays, compiled code against both."""

from __future__ import annotations

import numpy as np
import pytest

from symgraph.codegen.llvm_words import EMITTERS
from symgraph.loop import words
from symgraph.loop.build import buffer, i64, load
from symgraph.loop.ir import Call, Cast, Expr, For, Kernel, Program, Store, Word
from symgraph.loop.verify import verify_program
from tests.codegen.samples import arguments
from tests.loop.examples import COMPILED, execute

# Words whose meaning is a NumPy ufunc of another name, or is written out here once more.
ARRAYS = {
    "sub": np.subtract, "mul": np.multiply, "div": np.divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "neg": np.negative, "abs": np.absolute, "eq": np.equal,
    "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "not": np.invert, "shl": np.left_shift, "shr": np.right_shift, "conj": np.conjugate,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "select": np.where,
    "softplus": lambda x: np.logaddexp(np.zeros_like(x), x),
}  # fmt: skip
# Exactly rounded or exact in compiled code too; the others may differ in the last places.
EXACT = frozenset(EMITTERS) - {"exp", "pow", "abs"}
UNSIGNED = ("minimum", "maximum", "fmin", "fmax")  # NumPy leaves open which zero of two it gives
FUNCTION_ULP = 8  # both sides err by a few: NumPy's or SciPy's, and the kernels' own
TARGETS = ("int32", "uint64", "float32", "float64")


def result_of(row: words.WordRow, dtype: np.dtype) -> np.dtype:
    condition = (words.BOOL,) if row.name == "select" else ()
    given = (
        np.dtype(
            f"{'u' if dtype.kind == 'f' else 'i'}int{8 * dtype.itemsize}"[(dtype.kind != "f") :]
        )
        if row.name == "bitcast"
        else None
    )
    return words.result_dtype(row.name, condition + (dtype,) * (row.arity - len(condition)), given)


def rows_of(dtype: np.dtype) -> list[words.WordRow]:
    return [row for row in words.WORDS.values() if row.accepts(dtype)]


def program_of(rows: list[words.WordRow], dtype: np.dtype) -> tuple[Program, list[np.ndarray]]:
    """One kernel for each word, all in one program, with its inputs."""
    inputs, outputs, kernels, steps, arrays = [], [], [], [], []
    i = i64("i")
    for k, row in enumerate(rows):
        columns = arguments(row, dtype)
        specs = [buffer(f"x{k}_{a}", c.dtype, len(c)) for a, c in enumerate(columns)]
        result = result_of(row, dtype)
        out = buffer(f"y{k}", result, len(columns[0]))
        value: Expr = Word(row.name, tuple(load(s, i) for s in specs), result)
        body = (For("i", out.shape[0], (Store(out.name, (i,), value),), "parallel"),)
        name = f"word_{k}"
        kernels.append(Kernel(name, (*specs, out), (), frozenset((out.name,)), body))
        steps.append(Call(name, (*[s.name for s in specs], out.name), ()))
        inputs += specs
        outputs.append(out)
        arrays += columns
    found = Program(tuple(inputs), tuple(outputs), (), (), tuple(steps), tuple(kernels))
    verify_program(found)
    return found, arrays


def assert_same(found: np.ndarray, expected: np.ndarray, ulp: int, label: str) -> None:
    """Equal bits for ulp 0 (but for which NaN it is), else within ulp; signs of zero agree."""
    if found.dtype.kind == "c":  # NumPy's SIMD loops fuse products: parts may cancel
        lost = np.isnan(expected)
        np.testing.assert_array_equal(np.isnan(found), lost, err_msg=label)
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(np.isfinite(found), finite, err_msg=label)
        x, y = found[finite], expected[finite]
        eps = np.finfo(found.dtype).eps
        assert (np.abs(x - y) <= (ulp + 2) * eps * np.abs(y)).all(), label
        return
    if found.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, err_msg=label)
        return
    lost = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), lost, err_msg=f"{label}: NaN")
    x, y = found[~lost], expected[~lost]
    endless = np.isinf(x) | np.isinf(y)
    np.testing.assert_array_equal(x[endless], y[endless], err_msg=f"{label}: infinities")
    if ulp == 0:
        np.testing.assert_array_equal(x, y, err_msg=label)
    else:
        same = x == y
        with np.errstate(invalid="ignore", over="ignore"):  # where both are infinite
            unit = np.spacing(np.maximum(np.abs(y), np.finfo(y.dtype).tiny))
            error = np.where(same, 0, np.abs(x.astype(float) - y.astype(float)) / unit)
        assert not (error > ulp).any(), (label, error.max(), x[error.argmax()], y[error.argmax()])
    zero = (y == 0) & (label.partition(" ")[0] not in UNSIGNED)
    np.testing.assert_array_equal(np.signbit(x[zero]), np.signbit(y[zero]), err_msg=f"{label}: -0")


def ulp_of(row: words.WordRow, dtype: np.dtype) -> int:
    if dtype.kind in "biu" or (row.name in EXACT and dtype.kind == "f"):
        return 0
    return FUNCTION_ULP


@pytest.mark.parametrize("dtype", words.DTYPES, ids=str)
def test_meaning_agrees_with_numpy_on_arrays(dtype: np.dtype) -> None:
    for row in rows_of(dtype):
        ufunc = ARRAYS.get(row.name, getattr(np, row.name, None))
        if ufunc is None or (row.name == "pow" and dtype.kind in "iu"):
            continue  # no NumPy function; compiled code is compared with the meaning below
        columns = arguments(row, dtype)
        result = result_of(row, dtype)
        with np.errstate(all="ignore"):
            expected = np.asarray(ufunc(*columns)).astype(result)
            values = [words.evaluate(row.name, args, result) for args in zip(*columns, strict=True)]
        ulp = 0 if dtype.kind in "biu" or row.name in EXACT else 4  # scalar and SIMD loops differ
        assert_same(np.array(values, result), expected, ulp, f"{row.name} {dtype}")


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("dtype", words.DTYPES, ids=str)
def test_compiled_words_agree_with_their_meaning(dtype: np.dtype, backend: str) -> None:
    rows = rows_of(dtype)
    program, arrays = program_of(rows, dtype)
    (code, _), compiled = execute(backend, program, arrays, ())
    assert code == 0
    (code, _), meant = execute("interp", program, arrays, ())
    assert code == 0
    wrong = []
    for row, found, expected in zip(rows, compiled, meant, strict=True):
        try:
            assert_same(found, expected, ulp_of(row, dtype), f"{row.name} {dtype}")
        except AssertionError as error:  # the others are worth knowing too
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("dtype", words.DTYPES, ids=str)
def test_casts_agree_with_c(dtype: np.dtype, backend: str) -> None:
    """From each dtype to each, on numbers that both hold (others are unspecified for floats)."""
    row = words.WORDS["square"]
    (x,) = arguments(words.WORDS["eq"] if dtype.kind == "b" else row, dtype)[:1]
    if dtype.kind in "fc":
        x = x[np.isfinite(x) & (np.abs(x) < 100)]
    i, n = i64("i"), len(x)
    source = buffer("x", dtype, n)
    outputs, kernels, steps = [], [], []
    for target in words.DTYPES:
        out = buffer(f"to_{target}", target, n)
        body = (For("i", out.shape[0], (Store(out.name, (i,), Cast(load(source, i), target)),)),)
        name = f"cast_{target}"
        kernels.append(Kernel(name, (source, out), (), frozenset((out.name,)), body))
        steps.append(Call(name, ("x", out.name), ()))
        outputs.append(out)
    program = Program((source,), tuple(outputs), (), (), tuple(steps), tuple(kernels))
    verify_program(program)
    (_, compiled), (_, meant) = (execute(name, program, (x,), ()) for name in (backend, "interp"))
    for target, found, expected in zip(words.DTYPES, compiled, meant, strict=True):
        negative = x.real < 0 if dtype.kind in "fc" else np.zeros(n, bool)
        defined = ~negative if target.kind == "u" else np.ones(n, bool)
        assert_same(found[defined], expected[defined], 0, f"{dtype} to {target}")
    with np.errstate(all="ignore"):
        for target in TARGETS:
            base = x.real if dtype.kind == "c" else x
            k = words.DTYPES.index(np.dtype(target))
            expected = base.astype(target)
            keep = np.ones(n, bool) if dtype.kind not in "fc" else base >= 0
            assert_same(meant[k][keep], expected[keep], 0, f"{dtype} to {target}")


def test_fma_rounds_once() -> None:
    x = np.float64(1 + 2.0**-30)
    assert x * x - 1 - 2.0**-29 == 0  # two roundings lose the last bit
    exact = words.evaluate("fma", (x, x, np.float64(-1 - 2.0**-29)), np.dtype("float64"))
    assert exact == 2.0**-60


def test_fma_of_an_overflowing_product_and_infinity_is_infinity() -> None:
    args = tuple(np.float64(v) for v in (-1e300, 1e300, np.inf))
    assert words.evaluate("fma", args, np.dtype("float64")) == np.inf


def test_bitcast_keeps_the_bits_of_a_nan() -> None:
    bits = np.uint64(0x7FF80000DEADBEEF)
    value = words.evaluate("bitcast", (bits,), np.dtype("float64"))
    assert np.isnan(value)
    assert words.evaluate("bitcast", (value,), np.dtype("uint64")) == bits
