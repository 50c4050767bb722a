"""How tests of structural ops compare: values, types and gradients, by reference and by loops.

``check(f, g, *arrays)``: f builds a graph, g is NumPy. The graph is built over known shapes, and
again over unknown ones; its type must be NumPy's, its value NumPy's, by the references of the rows
and by the loop programs that the rows lower to, and its gradient the difference quotient.
"""

from __future__ import annotations

import numpy as np

from symgraph.autodiff.vjp import gradient
from symgraph.codegen.library import MEANINGS
from symgraph.ir.graph import toposort
from symgraph.ir.node import rebuild
from symgraph.ir.variable import Variable
from symgraph.loop.run import run_program
from symgraph.lower.program import is_leaf_argument, lower
from symgraph.ops.convert import asarray
from symgraph.ops.evaluate import evaluate
from symgraph.ops.leaves import tensor

STEP = 1e-4
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))  # error STEP**4 f'''''(x) / 30
SLOPE_ERROR = 1e-7  # of that stencil in float64, for functions that curve no more than these do
VALUE_ERROR = {"float32": 1e-6, "complex64": 2e-6}  # a few ulp of sums of tens of elements
DOUBLE_ERROR = 2e-14


def inputs(arrays, known=True):
    """An input variable for each array, of its shape or of unknown lengths."""
    return [
        tensor(f"x{k}", shape=a.shape if known else (None,) * a.ndim, dtype=a.dtype)
        for k, a in enumerate(arrays)
    ]


def value(y, xs, arrays):
    """What a graph computes, by the references of its rows."""
    (found,) = evaluate([y.node], {x.node: a for x, a in zip(xs, arrays, strict=True)})
    return np.asarray(found)


def expanded(node):
    """The graph below a node without composites."""
    made = {}
    for old in toposort([node]):
        new = rebuild(old, tuple(made[i] for i in old.inputs))
        by_sums = new.op.name == "matmul" and new.tensor.dtype.kind in "biu"
        if new.op.kind == "composite" or by_sums:
            written = new.op.expand(*[Variable(i) for i in new.inputs], **new.attrs)
            new = expanded(written.node)
        made[old] = new
    return made[node]


def by_loops(y, xs, arrays):
    """What a graph of known shapes computes, by its loop program."""
    root = expanded(y.node)
    given = {x.node: np.array(a, order="C") for x, a in zip(xs, arrays, strict=True)}
    leaves = [n for n in toposort([root]) if is_leaf_argument(n)]
    for leaf in leaves:
        given.setdefault(leaf, leaf.attrs.get("value"))
    found = lower(leaves, [root])
    out = np.empty(root.tensor.shape, root.tensor.dtype)
    with np.errstate(all="ignore"):
        run_program(found.program, [given[n] for n in leaves], [out], [], MEANINGS)
    return out


def close(found, expected, dtype):
    """Equal up to a few roundings; NaN equals NaN."""
    if np.dtype(dtype).kind in "biu":
        np.testing.assert_array_equal(found, expected)
        return
    error = VALUE_ERROR.get(np.dtype(dtype).name, DOUBLE_ERROR)
    scale = np.nanmax(np.abs(expected), initial=0, where=np.isfinite(expected))
    np.testing.assert_allclose(found, expected, rtol=error, atol=error * scale)


def check(function, numpy, *arrays, unknown=True, loops=True, slopes=True):
    """A graph function against a NumPy function on arrays."""
    arrays = [np.asarray(a) for a in arrays]
    with np.errstate(all="ignore"):
        expected = np.asarray(numpy(*arrays))
    xs = inputs(arrays)
    y = asarray(function(*xs))
    assert y.dtype == expected.dtype, f"{y.dtype} is not NumPy's {expected.dtype}"
    assert y.shape == expected.shape
    close(value(y, xs, arrays), expected, y.dtype)
    if loops:
        close(by_loops(y, xs, arrays), expected, y.dtype)
    if unknown:
        check_unknown(function, expected, arrays)
    if slopes and y.dtype == np.float64:
        check_gradient(function, arrays)


def check_unknown(function, expected, arrays):
    """The same over unknown lengths; the types that result must hold for the lengths given."""
    xs = inputs(arrays, known=False)
    y = asarray(function(*xs))
    assert y.dtype == expected.dtype
    assert y.ndim == expected.ndim
    found = value(y, xs, arrays)
    assert found.shape == expected.shape
    close(found, expected, y.dtype)


def gradients(y, xs, seed):
    """Gradients of sum(seed * y) by the floating inputs."""
    smooth = [x for x in xs if x.dtype.kind == "f"]
    found = gradient([y.node], [asarray(seed)], [x.node for x in smooth])
    return list(zip(smooth, found, strict=True))


def check_gradient(function, arrays, loops=True):
    """Gradients by the rows against a five-point stencil, along each element."""
    xs = inputs(arrays)
    y = function(*xs)
    seed = np.random.default_rng(5).normal(size=y.shape)
    for x, g in gradients(y, xs, seed):
        k = next(j for j, v in enumerate(xs) if v is x)
        expected = slope(lambda moved: np.sum(seed * value(y, xs, moved)), arrays, k)
        if g is None:
            np.testing.assert_allclose(expected, 0, atol=SLOPE_ERROR)
            continue
        assert g.type == x.type
        scale = 1 + np.max(np.abs(expected), initial=0)
        np.testing.assert_allclose(value(g, xs, arrays), expected, atol=SLOPE_ERROR * scale)
        if loops:
            found = by_loops(g, xs, arrays)
            np.testing.assert_allclose(found, expected, atol=SLOPE_ERROR * scale)


def slope(function, arrays, k):
    """The gradient of a scalar function by array k."""
    found = np.zeros(arrays[k].shape)
    for place in np.ndindex(arrays[k].shape):
        for step, weight in STENCIL:
            moved = [a.copy() for a in arrays]
            moved[k][place] += step * STEP
            found[place] += weight * function(moved) / STEP
    return found
