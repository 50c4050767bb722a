"""The machine-code entry of functions: what it takes, what it leaves to Python, what it keeps."""

import gc
import resource
import sys
import threading
import weakref

import numpy as np
import pytest

import symgraph as sg
from symgraph.runtime import function, layout

native = pytest.mark.skipif(layout.find() is None, reason="no entries on this Python")


def _product(dtype="float64"):
    x, y = sg.vectors("x", "y", dtype=dtype)
    return sg.function([x, y], x * y + 1)


def _arrays(n=10, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((2, n)) * 9).astype(dtype)


class Counting:
    """Counts calls that take the Python path."""

    def __init__(self, monkeypatch):
        self.count = 0
        way = function.Function.call

        def counted(self_, *args, **kwargs):
            self.count += 1
            return way(self_, *args, **kwargs)

        monkeypatch.setattr(function.Function, "call", counted)


@pytest.fixture
def slow(monkeypatch):
    return Counting(monkeypatch)


@native
@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "int64", "int8", "uint16", "complex64", "complex128"]
)
def test_plain_calls_take_no_python_path(slow, dtype):
    f, (a, b) = _product(dtype), _arrays(dtype=dtype)
    f(a, b)
    first = slow.count
    for _ in range(3):
        made = f(a, b)
        np.testing.assert_allclose(made, a * b + a.dtype.type(1), rtol=1e-6)
        assert made.dtype == a.dtype
    assert slow.count == first


UNUSUAL = {
    "a list": lambda a: a.tolist(),
    "a strided view": lambda a: np.repeat(a, 2)[::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "big-endian": lambda a: a.astype(">f8"),
    "misaligned": lambda a: np.frombuffer(b"." + a.tobytes(), "u1")[1:].view("f8"),
    "a subclass": lambda a: a.view(type("Sub", (np.ndarray,), {})),
    "with metadata": lambda a: a.view(np.dtype("f8", metadata={"unit": "m"})),
    "float32": lambda a: a.astype("float32"),
}


@pytest.mark.parametrize("how", UNUSUAL)
def test_unusual_arguments_give_the_same(how):
    f, (a, b) = _product(), _arrays()
    a = np.round(a)
    np.testing.assert_array_equal(f(a, b), a * b + 1)
    np.testing.assert_array_equal(f(UNUSUAL[how](a), b), a * b + 1)
    np.testing.assert_array_equal(f(b, UNUSUAL[how](a)), a * b + 1)
    np.testing.assert_array_equal(f(y=b, x=UNUSUAL[how](a)), a * b + 1)


@native
def test_read_only_and_empty_arrays_are_plain(slow):
    f, (a, b) = _product(), _arrays()
    f(a, b)
    a.flags.writeable = False
    first = slow.count
    np.testing.assert_array_equal(f(a, b), a * b + 1)
    assert slow.count == first
    assert f([], []).shape == (0,)
    first = slow.count
    assert f(np.empty(0), np.empty(0)).shape == (0,)
    assert slow.count == first


def test_a_masked_array_is_refused():
    f, (a, b) = _product(), _arrays()
    f(a, b)
    with pytest.raises(sg.DTypeError, match="masked"):
        f(np.ma.masked_less(a, 3), b)


def test_wrong_arguments_say_what_is_wrong():
    f, (a, b) = _product(), _arrays()
    f(a, b)
    with pytest.raises(sg.ShapeError, match="10 and 9"):
        f(a, b[:9].copy())
    with pytest.raises(sg.ShapeError, match="2 axes"):
        f(a, b[None])
    with pytest.raises(sg.DTypeError, match="complex128"):
        f(a, b.astype(complex))
    with pytest.raises(sg.ArgumentError, match="misses"):
        f(a)
    with pytest.raises(sg.ArgumentError, match="takes 2"):
        f(a, b, a)
    np.testing.assert_array_equal(f(a, b), a * b + 1)


@native
def test_numbers_for_inputs_without_axes(slow):
    x, n, s = sg.scalar("x"), sg.scalar("n", dtype="int64"), sg.scalar("s", dtype="float32")
    f = sg.function([x, n, s], [x * 2, n + 1, s * 2])
    f(1.0, 2, 3.0)
    first = slow.count
    for given in (1.5, np.float64(1.5), np.array(1.5)):
        assert f(given, 7, 0.1) == [3.0, 8, np.float32(0.1) * 2]
    assert f(3, np.array(7), np.array(0.1, "float32")) == [6.0, 8, np.float32(0.1) * 2]
    assert slow.count == first
    assert f(True, np.int64(7), np.float32(0.5)) == [2.0, 8, 1.0]
    with pytest.raises(sg.DTypeError):
        f(1.0, 2**70, 0.1)
    with pytest.raises(sg.DTypeError):
        f(1.0, 2.5, 0.1)


STRUCTURES = {
    "one": (lambda a, b: a + b, lambda a, b: a + b),
    "list": (lambda a, b: [a, a + b], lambda a, b: [a, a + b]),
    "tuple": (lambda a, b: (a - b,), lambda a, b: (a - b,)),
    "none": (lambda a, b: None, lambda a, b: None),
    "empty": (lambda a, b: [], lambda a, b: []),
    "nested": (
        lambda a, b: {"p": [a, (b, sg.max(b))], "q": None},
        lambda a, b: {"p": [a, (b, b.max())], "q": None},
    ),
}


@pytest.mark.parametrize("how", STRUCTURES)
def test_results_come_in_the_structure_asked_for(how):
    x, y = sg.vectors("x", "y")
    symbolic, numeric = STRUCTURES[how]
    f = sg.function([x, y], symbolic(x, y), on_unused_input="ignore")
    a, b = _arrays()
    for _ in range(2):
        np.testing.assert_equal(f(a, b), numeric(a, b))


def test_dims_are_checked_and_computed_in_the_code():
    x, y = sg.tensor("x", shape=("n", 3)), sg.tensor("y", shape=("n", "m"))
    joined = sg.concat([x, y], axis=1)
    f = sg.function([x, y], [joined, joined[1:, ::2]])
    for n, m in ((4, 5), (6, 2), (7, 9), (2, 1)):
        a, b = np.random.default_rng(n).random((n, 3)), np.ones((n, m))
        for _ in range(2):
            whole, part = f(a, b)
            np.testing.assert_array_equal(whole, np.concatenate([a, b], axis=1))
            np.testing.assert_array_equal(part, np.concatenate([a, b], axis=1)[1:, ::2])
    with pytest.raises(sg.ShapeError):
        f(np.ones((4, 3)), np.ones((5, 2)))
    with pytest.raises(sg.ShapeError):
        f(np.ones((4, 2)), np.ones((4, 2)))


def test_a_length_of_one_broadcasts_after_others_did_not():
    x, y = sg.matrices("x", "y")
    f = sg.function([x, y], x + y)
    for shapes in (((3, 4), (3, 4)), ((5, 6), (5, 6)), ((3, 1), (3, 4)), ((1, 4), (3, 4))):
        a, b = (np.random.default_rng(1).random(s) for s in shapes)
        np.testing.assert_array_equal(f(a, b), a + b)
        np.testing.assert_array_equal(f(a, b), a + b)


def test_out_is_written_in_place_also_when_it_overlaps():
    f, (a, b) = _product(), _arrays()
    want = a * b + 1
    out = np.empty(10)
    for _ in range(2):
        assert f(a, b, out=out) is out
        np.testing.assert_array_equal(out, want)
    strided = np.empty(20)[::2]
    np.testing.assert_array_equal(f(a, b, out=strided), want)
    f(a, b, out=a)
    np.testing.assert_array_equal(a, want)
    x = sg.vector("x")
    total = sg.function([x], sg.sum(x))
    place = np.empty(())
    np.testing.assert_allclose(total(b), b.sum())
    total(b, out=place)
    np.testing.assert_allclose(place, b.sum())


def test_an_index_outside_raises_and_changes_nothing():
    x, i = sg.vector("x"), sg.vector("i", dtype="int64")
    s = sg.shared(np.zeros(3), "s")
    f = sg.function([x, i], x[i], updates={s: s + 1})
    a = np.arange(5.0)
    f(a, np.array([1, 2]))
    np.testing.assert_array_equal(f(a, np.array([3, -1])), [3.0, 4.0])
    with pytest.raises(sg.BoundsError, match="index 7 is outside axis 0, which has length 5"):
        f(a, np.array([0, 7]))
    np.testing.assert_array_equal(s.get_value(), [2.0] * 3)


@native
def test_updates_take_no_python_path_and_reuse_memory(slow):
    s, x = sg.shared(np.zeros(1000), "s"), sg.vector("x")
    f = sg.function([x], sg.sum(s), updates={s: s + x})
    a = np.ones(1000)
    f(a)
    first = slow.count
    places = set()
    for turn in range(1, 9):
        assert f(a) == 1000.0 * turn
        places.add(s.get_value(borrow=True).ctypes.data)
    assert slow.count == first
    assert len(places) == 2, "the old value and the new one change places"
    assert not s.get_value(borrow=True).flags.writeable


def test_a_value_that_someone_holds_is_not_written_to():
    s = sg.shared(np.zeros(4), "s")
    f = sg.function([], None, updates={s: s + 1})
    held = []
    for turn in range(6):
        f()
        held.append(s.get_value(borrow=True))
        np.testing.assert_array_equal(held[-1], [turn + 1.0] * 4)
    for turn, value in enumerate(held):
        np.testing.assert_array_equal(value, [turn + 1.0] * 4)
    mine = np.full(4, 10.0)
    s.set_value(mine, borrow=True)
    f()
    f()
    np.testing.assert_array_equal(mine, [10.0] * 4)
    np.testing.assert_array_equal(s.get_value(), [12.0] * 4)


def test_states_whose_dims_change():
    s = sg.shared(np.zeros(4), "s", shape=(None,))
    f = sg.function([], sg.sum(s), updates={s: sg.concat([s, s])})
    for turn in range(4):
        assert f() == 0.0
        assert s.get_value().shape == (4 * 2 ** (turn + 1),)
    s.set_value(np.ones(3))
    assert f() == 3.0


@native
def test_references_are_balanced():
    f, (a, b) = _product(), _arrays()
    x = sg.vector("x")
    total = sg.function([x], [sg.sum(x), x * 2])
    s = sg.shared(np.zeros(3), "s")
    step = sg.function([], None, updates={s: s + 1})

    def turn():
        f(a, b)
        total(a)
        step()
        with pytest.raises(sg.ShapeError):
            f(a, b[:5])

    for _ in range(3):
        turn()
    things = (a, b, np.dtype("f8"), np.ndarray, s.node.attrs["cell"])
    gc.collect()
    before = [sys.getrefcount(t) for t in things]
    for _ in range(200):
        turn()
    gc.collect()
    after = [sys.getrefcount(t) for t in things]
    assert all(abs(y - x) < 20 for x, y in zip(before, after, strict=True)), (before, after)


@native
def test_many_calls_need_no_memory():
    f, (a, b) = _product(), _arrays()
    for _ in range(1000):
        f(a, b)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(300_000):
        f(a, b)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1000  # KiB


def test_many_threads_call_at_once():
    x, w = sg.matrix("x"), sg.matrix("w")
    f = sg.function([x, w], sg.sum(sg.exp(x - sg.max(x, axis=1, keepdims=True)) @ w, axis=0))
    wrong = []

    def user(seed):
        a, b = _arrays(80, seed=seed).reshape(8, 20), _arrays(100, seed=seed).reshape(20, 10)
        want = f(a, b)
        wrong.extend(seed for _ in range(300) if not np.array_equal(f(a, b), want))

    users = [threading.Thread(target=user, args=(k,)) for k in range(4)]
    for u in users:
        u.start()
    for u in users:
        u.join()
    assert not wrong


def test_functions_are_collected_with_their_code():
    x = sg.vector("x")

    def made():
        f = sg.function([x], sg.sum(x * x))
        f(np.ones(3))
        return weakref.ref(f)

    found = made()
    gc.collect()
    assert found() is None


def test_without_entries_python_does_it_all(monkeypatch):
    monkeypatch.setattr(function, "_class_and_offset", lambda: (function.Function, -1))
    f, (a, b) = _product(), _arrays()
    assert type(f) is function.Function
    for _ in range(2):
        np.testing.assert_array_equal(f(a, b), a * b + 1)
    s = sg.shared(1.0, "s")
    step = sg.function([], s * 2, updates={s: s + 1})
    assert [step(), step()] == [2.0, 4.0]


def test_functions_look_as_before():
    f, (a, b) = _product(), _arrays()
    f(a, b)
    assert isinstance(f, sg.Function)
    assert type(f).__name__ == "Function"
    assert f.copy()(a, b).shape == (10,)
    assert "x: float64" in repr(f)
    assert next(map(f, [a], [b])).shape == (10,)
    both = [a, b]
    assert f(*both).shape == f(x=a, y=b).shape
