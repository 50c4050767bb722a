"""What users call: options of ``grad``, products with Jacobians, marks, and what they get wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symgraph.autodiff.check import check_grad
from symgraph.autodiff.transform import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from symgraph.errors import ArgumentError, DisconnectedError, DTypeError, GradientError, ShapeError
from symgraph.ir.graph import substitute_nodes
from symgraph.ir.op import find_op
from symgraph.ops.control import scan
from symgraph.ops.leaves import tensor
from symgraph.ops.marks import checkpoint, clip_gradient, custom_gradient, stop_gradient
from tests.autodiff.by_reference import assert_gradient, assert_second, compile, normal, values

exp, sin, cos, tanh, where, sqrt = map(find_op, ("exp", "sin", "cos", "tanh", "where", "sqrt"))


# --- grad


def test_grad_has_the_structure_of_wrt():
    x, y = tensor("x", ()), tensor("y", ())
    found = grad(x * y, {"a": x, "b": (y,)})
    assert set(found) == {"a", "b"}
    np.testing.assert_array_equal(values([found["a"], found["b"][0]], {x: 2.0, y: 3.0}), [3.0, 2.0])


def test_known_grads_replace_what_comes_from_the_cost():
    x = tensor("x", (3,))
    y = sin(x)
    g = np.array([1.0, 2.0, 3.0])
    (alone,) = values([grad(None, x, known_grads={y: g})], {x: normal(3)})
    np.testing.assert_allclose(alone, g * np.cos(normal(3)), rtol=1e-15)
    cost = (y * y).sum() + x.sum()
    (both,) = values([grad(cost, x, known_grads=[(y, g)])], {x: normal(3)})
    np.testing.assert_allclose(both, g * np.cos(normal(3)) + 1.0, rtol=1e-15)


def test_stop_takes_variables_as_constants():
    x = tensor("x", ())
    y = sin(x)
    (found,) = values([grad(y * x, x, stop=[y])], {x: 0.7})
    np.testing.assert_allclose(found, np.sin(0.7), rtol=1e-15)


def test_disconnected_modes():
    x, y = tensor("x", (2,)), tensor("y", ("n",))
    cost = sin(x).sum()
    zeros = grad(cost, y, disconnected="zero")
    assert zeros.type == y.type
    np.testing.assert_array_equal(values([zeros], {y: np.ones(3)})[0], np.zeros(3))
    assert grad(cost, [x, y], disconnected="none")[1] is None
    with pytest.raises(DisconnectedError, match=r"does not depend on a variable") as caught:
        grad(cost, y)
    assert "y: float64[n]" in str(caught.value)
    assert "test_transform.py" in str(caught.value)
    assert 'disconnected="zero"' in str(caught.value)


def test_what_depends_without_slope_has_gradient_zero():
    x = tensor("x", (3,))
    found = grad(find_op("floor")(x).sum(), x)
    np.testing.assert_array_equal(values([found], {x: normal(3)})[0], np.zeros(3))
    by_integers = grad((x > 0).astype("float64").sum(), x)
    np.testing.assert_array_equal(values([by_integers], {x: normal(3)})[0], np.zeros(3))


def _wrong(call: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: call(tensor("x", ("n",)))


MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "an array as cost": (_wrong(lambda x: grad(x, x)), GradientError, "must be a scalar"),
    "an integer cost": (
        _wrong(lambda x: grad((x > 0).sum(), x)),
        GradientError,
        "the cost is int64",
    ),
    "a number as cost": (
        _wrong(lambda x: grad(3.0, x)),
        ArgumentError,
        "must be a symbolic variable",
    ),  # type: ignore[arg-type]
    "a number as wrt": (_wrong(lambda x: grad(x.sum(), 3)), ArgumentError, "wrt must be symbolic"),
    "nothing to differentiate": (
        _wrong(lambda x: grad(None, x)),
        ArgumentError,
        "give a cost, or known_grads",
    ),
    "an unknown mode": (
        _wrong(lambda x: grad(x.sum(), x, disconnected="ignore")),
        ArgumentError,
        "use one of 'raise', 'zero', 'none'",
    ),
    "an integer wrt": (
        lambda: grad((n := tensor("n", (), "int64")) * 1.0, n),
        GradientError,
        "integers and bools have no derivative",
    ),
    "a complex cost": (
        lambda: grad((z := tensor("z", (), "complex128")) * z, z),
        GradientError,
        "the cost must be real",
    ),
    "a cost behind stop_gradient": (
        _wrong(lambda x: grad(stop_gradient(x).sum(), x)),
        DisconnectedError,
        "does not depend",
    ),
    "a known gradient of another shape": (
        _wrong(lambda x: grad(None, x, known_grads={sin(x): np.ones((2, 2))})),
        ShapeError,
        "another shape",
    ),
    "a complex tangent": (_wrong(lambda x: jvp(x, x, x * 1j)), DTypeError, "is complex"),
    "tangents of another structure": (
        _wrong(lambda x: jvp(x, [x], {"x": x})),
        ArgumentError,
        "has another structure",
    ),
    "an argument that is not there": (
        _wrong(lambda x: value_and_grad(lambda v: v.sum(), 1)(x)),
        ArgumentError,
        "a call with 1 arguments",
    ),
    "an integer expression": (
        _wrong(lambda x: jacobian(x > 0, x)),
        GradientError,
        "jacobian: the cost is bool",
    ),
    "limits the wrong way round": (
        _wrong(lambda x: clip_gradient(x, 1, -1)),
        ArgumentError,
        "lo is above hi",
    ),
    "no backward": (
        _wrong(custom_gradient(lambda x: x)),
        ArgumentError,
        r"must return \(result, backward\)",
    ),
    "too few cotangents": (
        _wrong(lambda x: custom_gradient(lambda a, b: (a * b, lambda g: (g,)))(x, x)),
        ArgumentError,
        "must give 2 cotangents",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_explained(name: str):
    call, error, text = MISTAKES[name]
    with pytest.raises(error, match=text):
        call()


def test_prepare_sees_the_variables_that_must_survive():
    x = tensor("x", ())
    y = x + 0.0
    seen: list[Any] = []

    def prepare(outputs: Any, cuts: Any) -> Any:
        seen.append((list(outputs), list(cuts)))
        return substitute_nodes(outputs, {sin(y).node: cos(y).node})

    found = grad(sin(y), [y], prepare=prepare)
    assert seen == [([sin(y).node], [y.node])]
    np.testing.assert_allclose(values(found, {x: 0.4}), [-np.sin(0.4)], rtol=1e-15)


# --- products with the Jacobian


def _curve(x: Any) -> Any:
    return where(x > 0, sqrt(x), sin(x) * x.sum())


def test_jacobian_and_its_products_agree():
    x, v, u = tensor("x", ("n",)), tensor("v", ("n",)), tensor("u", ("n",))
    y = _curve(x)
    given = {x: normal(5), v: normal(5, seed=1), u: normal(5, seed=2)}
    whole, forward, back = values([jacobian(y, x), jvp(y, x, v), vjp(y, x, u)], given)
    h = 1e-6
    for k in range(5):
        step = np.eye(5)[k] * h
        (plus,), (minus,) = (values([y], {x: given[x] + s}) for s in (step, -step))
        np.testing.assert_allclose(whole[:, k], (plus - minus) / (2 * h), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(forward, whole @ given[v], rtol=1e-13)
    np.testing.assert_allclose(back, given[u] @ whole, rtol=1e-13)


def test_jacobian_of_a_matrix_has_the_axes_of_both():
    x, w = tensor("x", (2, 3)), tensor("w", (3, 4))
    found = jacobian(x @ w, [x, w])
    assert [f.shape for f in found] == [(2, 4, 2, 3), (2, 4, 3, 4)]
    a, b = normal(2, 3), normal(3, 4)
    by_x, by_w = values(found, {x: a, w: b})
    np.testing.assert_allclose(by_x, np.einsum("ik,lj->ijkl", np.eye(2), b), rtol=1e-14)
    np.testing.assert_allclose(by_w, np.einsum("ik,jl->ijkl", a, np.eye(4)), rtol=1e-14)


def test_jacobian_of_a_scalar_is_the_gradient():
    x = tensor("x", (3,))
    assert jacobian(sin(x).sum(), x).node is grad(sin(x).sum(), x).node


def test_jvp_through_a_loop_and_a_branch():
    def function(x: Any) -> Any:
        state, outs = scan(lambda s, e: (tanh(s * e), where(s > 0, s * s, e)), x[0], x)
        return outs * state

    x, v = tensor("x", (4,)), tensor("v", (4,))
    y = function(x)
    at, along = normal(4), normal(4, seed=3)
    (found,) = values([jvp(y, x, v)], {x: at, v: along})
    h = 1e-6
    plus, minus = (values([y], {x: at + s * h * along})[0] for s in (1, -1))
    np.testing.assert_allclose(found, (plus - minus) / (2 * h), rtol=1e-7, atol=1e-9)


def test_jvp_does_not_keep_the_cotangents_it_is_made_with():
    x, v = tensor("x", (3,)), tensor("v", (3,))
    outputs = [sin(x), (x > 0).astype("int64"), x.sum()]
    found = jvp(outputs, x, v)
    at = normal(3)
    first, second, third = values(found, {x: at, v: np.ones(3)})
    np.testing.assert_allclose(first, np.cos(at), rtol=1e-14)
    np.testing.assert_array_equal(second, np.zeros(3))
    assert third == 3.0


def test_hessian_and_its_product():
    x, v = tensor("x", (3,)), tensor("v", (3,))
    cost = (exp(x) * x.sum()).sum()
    at = normal(3)
    whole, product = values([hessian(cost, x), hvp(cost, x, v)], {x: at, v: np.arange(3.0)})
    np.testing.assert_allclose(whole, whole.T, rtol=1e-13)
    expected = np.exp(at)[:, None] + np.exp(at)[None, :] + np.diag(np.exp(at) * at.sum())
    np.testing.assert_allclose(whole, expected, rtol=1e-13)
    np.testing.assert_allclose(product, whole @ np.arange(3.0), rtol=1e-13)


def test_hessian_by_several_variables_is_nested():
    x, y = tensor("x", ()), tensor("y", ())
    rows = hessian(x * x * y, (x, y))
    flat = values([*rows[0], *rows[1]], {x: 2.0, y: 5.0})
    np.testing.assert_array_equal(flat, [10.0, 4.0, 4.0, 0.0])


def test_value_and_grad_of_several_arguments():
    x, y = tensor("x", ()), tensor("y", ())
    cost, (by_y, by_x) = value_and_grad(lambda a, b: a * a * b, (1, 0))(x, y)
    np.testing.assert_array_equal(values([cost, by_x, by_y], {x: 3.0, y: 2.0}), [18.0, 12.0, 9.0])
    _, single = value_and_grad(lambda a, b: a * a * b, -1)(x, y)
    assert values([single], {x: 3.0, y: 2.0}) == [9.0]


# --- marks


def test_stop_gradient_is_a_constant_in_both_directions():
    x, v = tensor("x", ()), tensor("v", ())
    y = stop_gradient(x * x) * x
    forward, back = values([jvp(y, x, v), grad(y, x)], {x: 3.0, v: 2.0})
    assert (forward, back) == (18.0, 9.0)


def test_clip_gradient_clips_on_the_way():
    x = tensor("x", (3,))
    cost = (clip_gradient(x * 2.0, -1.0, 1.0) * np.array([0.5, 3.0, -3.0])).sum()
    np.testing.assert_array_equal(values([grad(cost, x)], {x: np.ones(3)})[0], [1.0, 2.0, -2.0])


def test_custom_gradient_is_used_and_differentiated():
    @custom_gradient
    def cube(x: Any) -> Any:
        return x * x * x, lambda g: 3.0 * g * x * x

    assert_second(lambda x: cube(sin(x)).sum(), normal(3))

    @custom_gradient
    def straight(x: Any) -> Any:
        return find_op("round")(x), lambda g: g

    x = tensor("x", (2,))
    value, slope = values([straight(x), grad(straight(x).sum(), x)], {x: np.array([0.2, 1.7])})
    np.testing.assert_array_equal(value, [0.0, 2.0])
    np.testing.assert_array_equal(slope, [1.0, 1.0])


def test_custom_gradient_with_several_results_and_a_part_without():
    @custom_gradient
    def both(x: Any, scale: Any) -> Any:
        return (x * scale, {"sum": x + scale}), lambda g: (g[0] * scale + g[1]["sum"], None)

    x, s = tensor("x", (2,)), tensor("s", (2,))
    first, rest = both(x, s)
    by_x, by_s = grad((first * first * rest["sum"]).sum(), (x, s), disconnected="zero")
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    found, none = values([by_x, by_s], {x: a, s: b})
    np.testing.assert_allclose(found, 2 * a * b * (a + b) * b + (a * b) ** 2, rtol=1e-15)
    np.testing.assert_array_equal(none, np.zeros(2))


def test_checkpoint_computes_again_instead_of_storing():
    @checkpoint
    def block(x: Any, w: Any) -> Any:
        return {"out": sin(tanh(x @ w) @ w)}

    def cost(x: Any, w: Any) -> Any:
        return block(block(x, w)["out"], w)["out"].sum()

    assert_gradient(cost, normal(2, 3), normal(3, 3))
    assert_second(lambda x: block(x, np.eye(3))["out"].sum(), normal(2, 3))


# --- check_grad


def test_check_grad_finds_a_wrong_gradient():
    @custom_gradient
    def wrong(x: Any) -> Any:
        return x * x, lambda g: g * x

    with pytest.raises(GradientError, match=r"differs from finite differences") as caught:
        check_grad(lambda x: wrong(x).sum(), normal(3), compile=compile)
    assert "argument: 0" in str(caught.value)


def test_check_grad_passes_integers_on():
    assert check_grad(lambda x, n: (x * n).sum(), normal(3), np.arange(3), compile=compile) < 1e-8
