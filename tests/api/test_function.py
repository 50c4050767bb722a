"""``sg.function``: structures in and out, defaults, keywords, givens, updates, copies."""

from __future__ import annotations

import numpy as np
import pytest

import symgraph as sg


def test_outputs_keep_their_structure():
    x, y = sg.vectors("x", "y")
    f = sg.function([x, y], {"a": (x + y, [x * y, None]), "b": {"c": x.sum()}, "d": None})
    a, b = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    got = f(a, b)
    assert list(got) == ["a", "b", "d"]
    assert type(got["a"]) is tuple
    assert type(got["a"][1]) is list
    assert got["d"] is None
    assert got["a"][1][1] is None
    np.testing.assert_array_equal(got["a"][0], a + b)
    np.testing.assert_array_equal(got["a"][1][0], a * b)
    assert got["b"]["c"] == 3.0


@pytest.mark.parametrize("outputs", [None, [], (), {}])
def test_functions_may_return_nothing(outputs):
    x = sg.scalar("x")
    s = sg.shared(1.0)
    f = sg.function([x], outputs, updates={s: s + x})
    assert f(2.0) == outputs
    assert s.get_value() == 3.0


def test_one_result_twice_gives_two_arrays():
    x = sg.vector("x")
    first, second = sg.function([x], [x + 1, x + 1])([1.0, 2.0])
    assert not np.may_share_memory(first, second)


def test_an_input_returned_is_a_copy():
    x = sg.vector("x")
    given = np.array([1.0, 2.0])
    got = sg.function([x], x)(given)
    got[0] = 9.0
    assert given[0] == 1.0


def test_constants_and_shared_values_returned_are_copies():
    s = sg.shared(np.ones(3))
    c = sg.constant(np.ones(3))
    f = sg.function([], [s, c])
    for value in f():
        value[:] = 5.0
    for value in f():
        np.testing.assert_array_equal(value, np.ones(3))


def test_results_of_two_calls_are_two_arrays():
    x = sg.vector("x")
    f = sg.function([x], x * 2)
    first = f([1.0, 2.0])
    f([5.0, 6.0])
    np.testing.assert_array_equal(first, [2.0, 4.0])


def test_defaults_and_keywords():
    x, rate = sg.vector("x"), sg.scalar("rate")
    f = sg.function([x, sg.In(rate, default=0.5)], x * rate)
    np.testing.assert_array_equal(f([2.0]), [1.0])
    np.testing.assert_array_equal(f([2.0], 3.0), [6.0])
    np.testing.assert_array_equal(f([2.0], rate=3.0), [6.0])
    np.testing.assert_array_equal(f(rate=3.0, x=[2.0]), [6.0])


def test_an_input_may_be_renamed():
    x = sg.scalar("x")
    f = sg.function([sg.In(x, name="speed")], x + 1)
    assert f(speed=1.0) == 2.0


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "misses its input 'x'"),
        ((1.0, 2.0, 3.0), {}, "takes 2 arguments, got 3"),
        ((1.0,), {"x": 2.0, "y": 1.0}, "twice"),
        ((1.0, 2.0), {"z": 2.0}, "no input named 'z'"),
    ],
)
def test_wrong_calls_say_what_is_wrong(args, kwargs, text):
    x, y = sg.scalars("x", "y")
    f = sg.function([x, y], x + y)
    with pytest.raises(sg.ArgumentError, match=text) as caught:
        f(*args, **kwargs)
    assert isinstance(caught.value, TypeError | ValueError)


def test_givens_replace_inputs_and_intermediates():
    x, y = sg.vectors("x", "y")
    z = sg.exp(x)
    f = sg.function([y], z + 1, givens={z: y * 2})
    np.testing.assert_array_equal(f([1.0, 2.0]), [3.0, 5.0])
    g = sg.function([y], z, givens=[(x, y + 1)])
    np.testing.assert_allclose(g([0.0]), np.exp([1.0]), rtol=1e-15)


def test_givens_apply_to_updates_too():
    x, y = sg.scalars("x", "y")
    s = sg.shared(0.0)
    f = sg.function([y], None, updates={s: s + x}, givens={x: y * 10})
    f(2.0)
    assert s.get_value() == 20.0


def test_givens_of_another_dtype_are_refused():
    x = sg.vector("x")
    i = sg.vector("i", dtype="int64")
    with pytest.raises(sg.DTypeError, match="givens"):
        sg.function([i], x + 1, givens={x: i})


def test_updates_are_computed_from_the_old_values():
    a, b = sg.shared(1.0), sg.shared(10.0)
    f = sg.function([], [a, b], updates=[(a, b), (b, a + b)])
    assert [float(v) for v in f()] == [1.0, 10.0]
    assert (a.get_value(), b.get_value()) == (10.0, 11.0)
    f()
    assert (a.get_value(), b.get_value()) == (11.0, 21.0)


def test_a_swap_of_arrays():
    a, b = sg.shared(np.zeros(4)), sg.shared(np.ones(4))
    f = sg.function([], None, updates={a: b, b: a})
    f()
    np.testing.assert_array_equal(a.get_value(), np.ones(4))
    np.testing.assert_array_equal(b.get_value(), np.zeros(4))
    f()
    np.testing.assert_array_equal(a.get_value(), np.zeros(4))


def test_a_failing_call_updates_nothing():
    x = sg.vector("x")
    i = sg.scalar("i", dtype="int64")
    s, t = sg.shared(0.0), sg.shared(np.zeros(2))
    f = sg.function([x, i], x[i], updates={s: s + 1, t: t + x[i]})
    f([1.0, 2.0], 1)
    with pytest.raises(sg.BoundsError):
        f([1.0, 2.0], 2)
    assert s.get_value() == 1.0
    np.testing.assert_array_equal(t.get_value(), [2.0, 2.0])


def test_an_update_may_change_the_length_where_the_shared_shape_allows():
    s = sg.shared(np.zeros(1), shape=(None,))
    f = sg.function([], s.sum(), updates={s: sg.concat([s, sg.ones((1,))])})
    assert [float(f()) for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    assert s.get_value().shape == (5,)


def test_streams_advance_at_every_call_and_only_then():
    stream = sg.random.Stream(3)
    u = stream.uniform((4,))
    f = sg.function([], u)
    first, second = f(), f()
    assert not np.array_equal(first, second)
    again = sg.random.Stream(3)
    g = sg.function([], again.uniform((4,)))
    np.testing.assert_array_equal(g(), first)
    np.testing.assert_array_equal(g(), second)


def test_one_stream_drawn_twice_gives_different_numbers():
    stream = sg.random.Stream(3)
    a, b = stream.normal((8,)), stream.normal((8,))
    first, second = sg.function([], [a, b])()
    assert not np.array_equal(first, second)


def test_shared_variables_are_not_inputs():
    s = sg.shared(1.0, "s")
    with pytest.raises(sg.ArgumentError, match="not an input variable"):
        sg.function([s], s + 1)


def test_a_copy_shares_state_and_gives_the_same():
    x = sg.scalar("x")
    s = sg.shared(1.0)
    f = sg.function([x], x * s, updates={s: s + 1})
    g = f.copy()
    assert f(2.0) == 2.0
    assert g(2.0) == 4.0
    assert s.get_value() == 3.0


def test_unused_inputs():
    x, y = sg.scalars("x", "y")
    with pytest.raises(sg.UnusedInputError, match="y"):
        sg.function([x, y], x + 1)
    with pytest.warns(UserWarning, match="y"):
        sg.function([x, y], x + 1, on_unused_input="warn")
    assert sg.function([x, y], x + 1, on_unused_input="ignore")(1.0, 5.0) == 2.0


def test_an_input_used_only_for_its_length_is_used():
    x = sg.vector("x")
    f = sg.function([x], sg.zeros(x.shape) + 1)
    np.testing.assert_array_equal(f(np.empty(3)), np.ones(3))


def test_eval_and_clone():
    x, y = sg.vectors("x", "y")
    z = (x * y).sum()
    assert z.eval({x: [1.0, 2.0], y: [3.0, 4.0]}) == 11.0
    other = sg.clone(z, {x: y})
    assert other.eval({y: [3.0, 4.0]}) == 25.0


def test_ancestors_are_listed_inputs_first():
    x = sg.vector("x")
    y = sg.exp(x)
    z = y + 1
    found = [v.node for v in sg.ancestors(z)]
    assert found.index(x.node) < found.index(y.node) < found.index(z.node)
