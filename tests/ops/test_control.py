"""scan, while_loop, cond, map, fold: what they compute, and what they tell who misuses them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from symgraph.errors import ArgumentError, DTypeError, ShapeError
from symgraph.ir.dim import Dim
from symgraph.ir.graph import toposort
from symgraph.ir.op import find_op
from symgraph.ir.variable import Variable
from symgraph.ops import control
from symgraph.ops.control import cond, fold, scan, while_loop
from symgraph.ops.leaves import tensor
from symgraph.ops.tree import flatten, flatten_like, map_leaves, paths, unflatten
from tests.autodiff.by_reference import normal, values

sin, exp = find_op("sin"), find_op("exp")


def node_of_kind(outputs: list[Variable], op: str) -> Any:
    """The only node of an op below outputs."""
    (found,) = [n for n in toposort([o.node for o in outputs]) if n.op.name == op]
    return found


# --- scan


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 5])
def test_scan_is_the_loop_in_python(length: int, reverse: bool):
    x, start = tensor("x", ("t", 2)), tensor("start", (2,))
    last, outs = scan(lambda s, e: (s * 0.5 + e, s - e), start, x, reverse=reverse)
    a, state = normal(length, 2), normal(2)
    found = values([last, outs], {x: a, start: state})
    expected = np.zeros((length, 2))
    for t in reversed(range(length)) if reverse else range(length):
        expected[t] = state - a[t]
        state = state * 0.5 + a[t]
    np.testing.assert_array_equal(found[0], state)
    np.testing.assert_array_equal(found[1], expected)


@pytest.mark.parametrize("checkpoint", [True, 1, 2, 3, 100])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 7, 9, "t"])
def test_checkpoint_changes_no_value(length: Any, reverse: bool, checkpoint: Any):
    x = tensor("x", (length, 2))
    given = {x: normal(length if isinstance(length, int) else 70, 2)}

    def run(checkpoint: Any) -> list[Any]:
        last, outs = scan(
            lambda s, e: (sin(s + e), s * e), np.ones(2), x, reverse=reverse, checkpoint=checkpoint
        )
        return values([last, outs], given)

    for one, two in zip(run(None), run(checkpoint), strict=True):
        np.testing.assert_array_equal(one, two)


def test_scan_takes_and_gives_nested_structures():
    class Pair(NamedTuple):
        a: Any
        b: Any

    x = tensor("x", ("t",))

    def step(state: dict[str, Any], element: list[Any]) -> Any:
        u, v = element
        return {"n": state["n"] + 1, "p": Pair(u, state["p"].a)}, (u * v, None, {"n": state["n"]})

    start = {"p": Pair(np.zeros(()), np.zeros(())), "n": np.array(0)}
    state, outs = scan(step, start, [x, x])
    assert isinstance(state["p"], Pair)
    assert outs[1] is None
    found = values(
        [state["n"], state["p"].a, state["p"].b, outs[0], outs[2]["n"]], {x: np.array([2.0, 3.0])}
    )
    for one, two in zip(found, [2, 3.0, 2.0, [4.0, 9.0], [0, 1]], strict=True):
        np.testing.assert_array_equal(one, two)


def test_scan_without_sequences_takes_a_length():
    n = tensor("v", ("n",))
    assert values([scan(lambda s, _: (s * 2, None), np.array(1), length=10)[0]], {}) == [1024]
    last, _ = scan(lambda s, _: (s + n.sum(), None), 0.0, length=n.shape[0])
    assert values([last], {n: np.ones(3)}) == [9.0]


def test_python_numbers_take_the_dtype_that_the_step_gives():
    x = tensor("x", ("t",), "float32")
    last, _ = scan(lambda s, e: (s + e, None), 0, x)
    assert last.dtype == "float32"
    count, _ = scan(lambda s, e: (s + 1, None), 0, x)
    assert count.dtype == "int64"
    half, _ = scan(lambda s, e: (s * 0.5, None), 1, x)
    assert half.dtype == "float64"


def test_what_does_not_change_is_computed_once_outside():
    x, w = tensor("x", ("t", 3)), tensor("w", (3, 3))
    last, _ = scan(lambda s, e: (s + exp(w @ w) @ e, None), np.zeros(3), x)
    body = node_of_kind([last], "scan").attrs["body"]
    assert [n.op.name for n in toposort(body.outputs)].count("exp") == 0
    assert len(body.params) == 3


def test_equal_scans_are_one_node():
    x = tensor("x", ("t",))

    def run() -> Variable:
        return scan(lambda s, e: (s + e, None), np.zeros(()), x)[0]

    assert run().node is run().node


def test_scan_in_a_scan():
    x = tensor("x", ("t", "u"))

    def row(state: Any, elements: Any) -> Any:
        inner, outs = scan(lambda s, e: (s + e * state, s), state, elements)
        return inner, outs

    last, outs = scan(row, 1.0, x)
    a = normal(3, 4)
    state, expected = 1.0, []
    for elements in a:
        s, kept = state, []
        for e in elements:
            kept.append(s)
            s = s + e * state
        expected.append(kept)
        state = s
    found = values([last, outs], {x: a})
    np.testing.assert_allclose(found[0], state, rtol=1e-15)
    np.testing.assert_allclose(found[1], expected, rtol=1e-15)


def test_scan_pickles():
    x = tensor("x", ("t",))
    last, _ = scan(lambda s, e: (s + e, None), np.zeros(()), x)
    again = pickle.loads(pickle.dumps(last))
    assert again.node is last.node


def _scan_of(step: Callable[..., Any], init: Any = None, **options: Any) -> Callable[[], Any]:
    start = np.zeros(3, "float32") if init is None else init
    return lambda: scan(step, start, tensor("x", ("t", 3)), **options)


MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "another dtype": (
        _scan_of(lambda s, x: (s + x, None)),
        DTypeError,
        [
            "state changes its dtype",
            "float32[3]",
            "float64[3]",
            "start with float64",
            "test_control.py",
        ],
    ),
    "another shape": (
        _scan_of(lambda s, x: ({"h": s["h"][:2]}, None), {"h": np.zeros(3)}),
        ShapeError,
        ["state['h'] changes its shape", "float64[3]", "float64[2]", "sg.broadcast_to"],
    ),
    "another rank": (
        _scan_of(lambda s, x: (x, None), np.zeros(())),
        ShapeError,
        ["changes its shape"],
    ),
    "no pair": (
        _scan_of(lambda s, x: s),
        ArgumentError,
        ["must return a pair (state, out)", "Variable"],
    ),
    "another structure": (
        _scan_of(lambda s, x: ((s, s), None)),
        ArgumentError,
        ["the state that step returns", "expected: *", "got: (*, *)"],
    ),
    "neither xs nor length": (
        lambda: scan(lambda s, x: (s, None), 0.0),
        ArgumentError,
        ["needs xs or length"],
    ),
    "lengths that differ": (
        lambda: scan(lambda s, x: (s, None), 0.0, {"a": np.ones(3), "b": np.ones(4)}),
        ShapeError,
        ["lengths differ", "xs['a']: float64[3]", "xs['b']: float64[4]"],
    ),
    "a scalar sequence": (
        lambda: scan(lambda s, x: (s, None), 0.0, 1.0),
        ShapeError,
        ["xs is a scalar"],
    ),
    "a computed length": (
        lambda: scan(lambda s, x: (s, None), 0.0, length=tensor("n", (), "int64")),
        ArgumentError,
        ["must be an int or a dimension", "while_loop"],
    ),
    "a negative length": (
        lambda: scan(lambda s, x: (s, None), 0.0, length=-1),
        ArgumentError,
        ["negative"],
    ),
    "checkpoints that are none": (
        _scan_of(lambda s, x: (s, None), checkpoint=0),
        ArgumentError,
        ["checkpoint must be"],
    ),
    "a condition that is no bool": (
        lambda: while_loop(lambda s: s, lambda s: s - 1.0, 3.0),
        DTypeError,
        ["while_loop: cond must be bool", "compare"],
    ),
    "a condition of several": (
        lambda: while_loop(lambda s: s > 0, lambda s: s - 1.0, np.ones(2)),
        ShapeError,
        ["must be a scalar", "sg.all"],
    ),
    "a loop that changes its state": (
        lambda: while_loop(lambda s: s.sum() < 9, lambda s: s[None], np.ones(2)),
        ShapeError,
        ["state changes its shape in the loop"],
    ),
    "branches of two dtypes": (
        lambda: cond(tensor("p", (), "bool"), lambda: np.ones(2), lambda: np.ones(2, "float32")),
        DTypeError,
        ["different dtypes", "result of then_fn: float64[2]", "result of else_fn: float32[2]"],
    ),
    "branches of two shapes": (
        lambda: cond(tensor("p", (), "bool"), lambda: np.ones(2), lambda: np.ones(3)),
        ShapeError,
        ["different shapes", "test_control.py"],
    ),
    "branches of two structures": (
        lambda: cond(tensor("p", (), "bool"), lambda: (1.0, 2.0), lambda: 3.0),
        ArgumentError,
        ["result of else_fn", "expected: (*, *)"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_explained(name: str):
    call, error, texts = MISTAKES[name]
    with pytest.raises(error) as caught:
        call()
    for text in texts:
        assert text in str(caught.value)


def test_lengths_that_differ_at_the_call_are_checks():
    x, y = tensor("x", ("n",)), tensor("y", ("m",))
    last, _ = scan(lambda s, e: (s + e[0] * e[1], None), 0.0, (x, y))
    checks = node_of_kind([last], "scan").checks
    assert {(c.left, c.right) for c in checks} >= {(Dim("m"), Dim("n"))}


# --- while_loop


def test_while_loop_runs_as_long_as_its_condition_holds():
    n = tensor("n", (), "int64")
    steps, last = while_loop(
        lambda s: s[1] != 1,
        lambda s: (s[0] + 1, find_op("where")(s[1] % 2 == 0, s[1] // 2, 3 * s[1] + 1)),
        (0, n),
    )
    assert values([steps, last], {n: 27}) == [111, 1]
    assert values([steps, last], {n: 1}) == [0, 1]


@pytest.mark.parametrize(("most", "expected"), [(0, 1), (3, 8), (100, 1024)])
def test_while_loop_stops_after_max_length(most: int, expected: int):
    found = while_loop(lambda s: s < 1000, lambda s: s * 2, 1, max_length=most)
    assert values([found], {}) == [expected]


def test_while_loop_limited_by_a_dimension():
    x = tensor("x", ("n",))
    found = while_loop(lambda s: s < 1000.0, lambda s: s * 2, 1.0, max_length=x.shape[0])
    assert values([found], {x: np.ones(4)}) == [16.0]


# --- cond


def test_cond_runs_one_branch():
    x, p = tensor("x", ()), tensor("p", (), "bool")
    endless = while_loop  # the other branch would never end
    found = cond(
        p, lambda v: v * 2.0, lambda v: endless(lambda s: s < np.inf, lambda s: s * 1.0, v), x
    )
    assert values([found], {x: 3.0, p: True}) == [6.0]


def test_cond_keeps_inside_what_a_branch_makes_and_outside_what_was_there():
    x, p = tensor("x", ()), tensor("p", (), "bool")
    before = exp(x)
    found = cond(p, lambda: sin(x) + before, lambda: x * 3.0)
    node = node_of_kind([found], "cond")
    inside = [n.op.name for n in toposort(node.attrs["then"].outputs)]
    assert "sin" in inside
    assert "exp" not in inside
    assert set(node.inputs) == {p.node, x.node, before.node}
    for flag, expected in ((True, np.sin(0.5) + np.exp(0.5)), (False, 1.5)):
        np.testing.assert_allclose(values([found], {x: 0.5, p: flag}), [expected], rtol=1e-15)


def test_cond_gives_structures_and_converts_python_numbers():
    p, x = tensor("p", (), "bool"), tensor("x", (), "float32")
    found = cond(p, lambda v: {"a": v, "b": 1}, lambda v: {"b": 2.5, "a": 0}, x)
    assert (found["a"].dtype, found["b"].dtype) == ("float32", "float64")
    assert values([found["a"], found["b"]], {p: False, x: 3.0}) == [0.0, 2.5]


# --- map and fold


def test_map_and_fold():
    x = tensor("x", ("t", 2))
    a = normal(3, 2)
    squares, total = control.map(lambda e: e * e, x), fold(lambda s, e: s + e.sum(), 0.0, x)
    found = values([squares, total], {x: a})
    np.testing.assert_array_equal(found[0], a * a)
    np.testing.assert_allclose(found[1], a.sum(), rtol=1e-14)


# --- structures


def test_structures_are_taken_apart_and_put_together():
    value = {"b": [1, (2, None)], "a": 3}
    leaves, tree = flatten(value)
    assert leaves == [1, 2, 3]
    assert unflatten(tree, leaves) == value
    assert map_leaves(lambda v: v * 2, value) == {"b": [2, (4, None)], "a": 6}
    assert paths(tree, "s") == ["s['b'][0]", "s['b'][1][0]", "s['a']"]
    assert str(tree) == "{'b': [*, (*, None)], 'a': *}"
    assert flatten_like(tree, {"a": 3, "b": (1, [2, None])}, "x") == leaves
    with pytest.raises(ArgumentError, match="x has another structure"):
        flatten_like(tree, {"a": 3, "b": 1}, "x")
