"""Elementwise rows, from the table: types, shapes, references, scalar code, documentation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from symgraph.errors import DTypeError
from symgraph.ir.dtype import ALL, as_dtype
from symgraph.ir.op import NUMPY_FUNCTIONS, OPS
from symgraph.loop import interp, words
from symgraph.loop.ir import Word
from symgraph.loop.traverse import postorder
from symgraph.lower.guarded import function_of
from symgraph.lower.words import SizeNames, WordBuilder
from symgraph.ops.leaves import tensor
from tests.tables.elementwise import (
    ARRAY_API,
    DEFAULTS,
    OURS,
    ROWS,
    apply,
    arity,
    cases,
    draw,
    inputs,
    numpy_of,
    ulps,
    value,
)

NUMPY_ALSO_TAKES_COMPLEX = "NumPy has a complex loop that symgraph does not have yet"
WEAK = (True, 1, 1.5, 1j)
# Rows whose NumPy namesake has other arguments or is a Python function with its own promotion.
OTHER_SIGNATURE = {
    "where",
    "astype",
    "clip",
    "nan_to_num",
    "real",
    "imag",
    "round",
    "isclose",
    "angle",
}


def numpy_dtype(function, *args):
    """The dtype that NumPy gives, float16 taken as float32; None where it refuses."""
    with np.errstate(all="ignore"):
        try:
            found = np.asarray(function(*args)).dtype
        except (TypeError, OverflowError, ValueError):
            return None
    return as_dtype("float32") if found == np.float16 else found


def our_dtype(op, *args):
    """The dtype that the row gives, None where it refuses."""
    try:
        return apply(op, list(args)).dtype
    except DTypeError:
        return None


def with_ufuncs(count):
    """Rows of so many inputs that have a function of NumPy to compare types with."""
    return [
        n
        for n, op in ROWS.items()
        if arity(op) == count and numpy_of(op) is not None and n not in OTHER_SIGNATURE
    ]


@pytest.mark.parametrize("name", ROWS)
def test_row_is_documented(name):
    op = ROWS[name]
    assert "Dtypes:" in op.doc
    assert op.doc.split("\n")[0].strip().endswith((".", "?"))
    assert op.source
    assert op.samples
    assert op.ulp >= 0


def test_standard_and_promised_functions_are_there():
    missing = [n for n in (ARRAY_API + OURS).split() if n not in OPS]
    assert not missing


@pytest.mark.parametrize("name", with_ufuncs(1))
def test_unary_dtypes_are_numpys(name):
    op, function = ROWS[name], numpy_of(ROWS[name])
    for dtype in ALL:
        theirs = numpy_dtype(function, np.ones(2, dtype))
        ours = our_dtype(op, tensor("x", shape=(2,), dtype=dtype))
        if ours is None and dtype.kind == "c":
            continue  # NUMPY_ALSO_TAKES_COMPLEX
        assert ours == theirs, dtype


@pytest.mark.parametrize("name", with_ufuncs(2))
def test_binary_dtypes_are_numpys_for_all_pairs(name):
    op, function = ROWS[name], numpy_of(ROWS[name])
    for left, right in itertools.product(ALL, ALL):
        theirs = numpy_dtype(function, np.ones(2, left), np.ones(2, right))
        xs = [tensor("x", shape=(2,), dtype=d) for d in (left, right)]
        ours = our_dtype(op, *xs)
        if ours is None and "c" in (left.kind, right.kind):
            continue  # NUMPY_ALSO_TAKES_COMPLEX
        assert ours == theirs, (left, right)


@pytest.mark.parametrize("name", with_ufuncs(2))
def test_python_numbers_are_weak_as_in_numpy(name):
    op, function = ROWS[name], numpy_of(ROWS[name])
    for dtype, number in itertools.product(ALL, WEAK):
        array, x = np.ones(2, dtype), tensor("x", shape=(2,), dtype=dtype)
        for ours, theirs in (
            (our_dtype(op, x, number), numpy_dtype(function, array, number)),
            (our_dtype(op, number, x), numpy_dtype(function, number, array)),
        ):
            if ours is None and "c" in (dtype.kind, np.asarray(number).dtype.kind):
                continue  # NUMPY_ALSO_TAKES_COMPLEX
            assert ours == theirs, (dtype, number)


@pytest.mark.parametrize(("name", "dtype"), cases(), ids=str)
def test_reference_has_the_inferred_type(name, dtype, rng):
    """On 0-d, empty, and broadcast arrays; `value` fails where the types differ."""
    op = ROWS[name]
    count = arity(op)
    for shapes in (
        [()] * count,
        [(0,)] * count,
        [(3, 1), (4,), (2, 1, 1)][:count],
        [(0, 2), (1,), ()][:count],
    ):
        arrays = [
            draw(op, rng, int(np.prod(s)), dtype, specials=True)[k].reshape(s)
            for k, s in enumerate(shapes)
        ]
        xs = inputs(arrays)
        found = value(apply(op, xs), xs, arrays)
        assert found.shape == np.broadcast_shapes(*shapes)


def numpy_cases():
    """Rows with a NumPy function of the same arguments, with every dtype both take."""
    others = ["where", "real", "imag", "round", "isclose", "angle"]
    ufuncs = [*with_ufuncs(1), *with_ufuncs(2), *others]
    ufuncs.remove("sinc")  # NumPy's is not 0 at whole numbers
    for name, dtype in cases(ufuncs):
        ones = [np.ones(1, dtype)] * arity(ROWS[name])
        if numpy_dtype(numpy_of(ROWS[name]), *ones) is not None:
            yield name, dtype


@pytest.mark.parametrize(("name", "dtype"), list(numpy_cases()), ids=str)
def test_reference_is_numpys_function(name, dtype, rng):
    op = ROWS[name]
    arrays = draw(op, rng, 60, dtype, specials=dtype.kind != "c")
    if name == "pow" and dtype.kind == "i":
        arrays[1] = np.abs(arrays[1])
    if name == "reciprocal" and dtype.kind in "iu":
        arrays[0][arrays[0] == 0] = 1  # NumPy's answer is not specified
    xs = inputs(arrays)
    found = value(apply(op, xs), xs, arrays)
    with np.errstate(all="ignore"):
        expected = [np.asarray(numpy_of(op)(*arrays))]
        if found.dtype.kind in "fc":
            expected.append(np.asarray(numpy_of(op)(*map(wider, arrays))))
        distances = [ulps(found, e.astype(found.dtype)) for e in expected]
    assert np.minimum.reduce(distances).max() <= 16


def wider(array):
    """float64 (complex128) for float32, whose NumPy loops are rough; float32 instead of float16."""
    kind = {"f": "float64", "c": "complex128"}.get(array.dtype.kind, "float32")
    return array if array.dtype.kind in "biu" and array.itemsize > 2 else array.astype(kind)


def scalar_cases():
    """Rows with scalar code, with every dtype they take."""
    unchanged = ("astype", np.dtype("float64"))  # already of the dtype asked for: no node
    return [(n, d) for n, d in cases() if ROWS[n].element is not None and (n, d) != unchanged]


def _scope(b, values):
    scope = interp.Scope({}, values)
    scope.functions = b.functions
    return scope


@pytest.mark.parametrize(("name", "dtype"), scalar_cases(), ids=str)
def test_scalar_code_agrees_with_the_reference(name, dtype, rng):
    """The row's words, run by the interpreter of the loop IR, within the row's ulp."""
    op = ROWS[name]
    arrays = draw(op, rng, 40, dtype, specials=dtype.kind != "c")
    xs = inputs(arrays)
    node = apply(op, xs).node
    arrays = [a.astype(i.tensor.dtype) for a, i in zip(arrays, node.inputs, strict=True)]
    b = WordBuilder(SizeNames(), function_of)
    names = [f"x{k}" for k in range(len(arrays))]
    expr = op.element(
        b, *[b.var(n, a.dtype) for n, a in zip(names, arrays, strict=True)], **node.attrs
    )
    assert expr.dtype == node.tensor.dtype
    for part in postorder(expr):
        if isinstance(part, Word) and part.name not in b.functions:
            given = words.result_dtype(part.name, tuple(a.dtype for a in part.args), part.dtype)
            assert given == part.dtype
    with np.errstate(all="ignore"):
        found = [
            interp.evaluate(expr, _scope(b, dict(zip(names, row, strict=True))))
            for row in zip(*arrays, strict=True)
        ]
        expected = np.asarray(op.reference(*arrays, **node.attrs))
    worst = ulps(np.asarray(found, expected.dtype), expected)
    k = int(worst.argmax())
    most = 64 if (name, dtype.kind) == ("pow", "c") else max(op.ulp, 1.0)  # |y log x| ulp
    assert worst[k] <= most, [a[k] for a in arrays]


@pytest.mark.parametrize("name", [n for n, op in ROWS.items() if op.expand is not None])
def test_expansion_agrees_with_the_reference(name, rng):
    op = ROWS[name]
    for dtype in (np.dtype("float32"), np.dtype("float64")):
        arrays = draw(op, rng, 60, dtype, specials=True)
        xs = inputs(arrays)
        node = apply(op, xs).node
        found = value(op.expand(*xs, **node.attrs), xs, arrays)
        expected = value(apply(op, xs), xs, arrays)
        assert found.dtype == expected.dtype
        assert ulps(found, expected).max() <= max(op.ulp, 1.0)


@pytest.mark.parametrize(
    ("name", "law"), [(n, p) for n, op in ROWS.items() for p in sorted(op.properties)], ids=str
)
def test_declared_property_holds(name, law, rng):
    """As rewriting uses them: of operands in the dtype that the row computes in."""
    op = ROWS[name]
    dtypes = [np.dtype(bool)] if name.startswith("logical") else [d for _, d in cases([name])]
    for dtype in dtypes:
        if law == "associative" and dtype.kind in "fc":
            continue  # up to rounding: the order of the terms of a sum is free
        x, y, z = (draw(op, rng, 50, dtype, specials=False)[0] for _ in range(3))
        with np.errstate(all="ignore"):
            left, right = sides(op, law, x, y, z)
        assert ulps(left, right).max() <= (4 if dtype.kind == "c" else 0), dtype


def sides(op, law, x, y, z):
    """What a law says to be equal."""
    of = op.reference
    if law == "commutative":
        return of(x, y), of(y, x)
    if law == "associative":
        return of(of(x, y), z), of(x, of(y, z))
    assert law == "idempotent", f"no test of property {law!r}"
    return (of(of(x)), of(x)) if arity(op) == 1 else (of(x, x), x)


def test_numpy_names_lead_to_rows():
    for name in (
        "exp",
        "add",
        "arctan2",
        "power",
        "absolute",
        "invert",
        "left_shift",
        "true_divide",
    ):
        assert name in NUMPY_FUNCTIONS
    for op in ROWS.values():
        for name in op.names["numpy"]:
            assert hasattr(np, name) or name == "psi", name


def test_defaults_of_the_table_are_the_rows_options():
    for name, attrs in DEFAULTS.items():
        x = [tensor("x", shape=(2,), dtype="int64" if name == "bitwise_count" else "float64")]
        node = apply(ROWS[name], x * arity(ROWS[name])).node
        assert set(node.attrs) == set(attrs)
