"""sg.random: the published vectors of the generator, distributions, keys, mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from symgraph.autodiff.transform import grad
from symgraph.errors import ArgumentError, DTypeError, ShapeError
from symgraph.ir.dim import fresh_token
from symgraph.ir.node import make_node
from symgraph.ir.op import find_op
from symgraph.ir.type import TensorType
from symgraph.ir.variable import Variable
from symgraph.loop.words import WORDS
from symgraph.ops import random
from symgraph.ops.control import scan
from symgraph.ops.convert import asarray
from symgraph.ops.leaves import tensor
from symgraph.ops.random_bits import UINT64, multiply_high, threefry
from tests.autodiff.by_reference import values

KEY = random.key(20_260)
COUNT = 20_000
SURE = 1e-3  # seeds are fixed: a p-value below this says that something is wrong


def draw(*outputs: Variable) -> list[Any]:
    """Values of expressions without inputs."""
    return values(outputs, {})


# --- the generator


# Of the known-answer file that comes with Random123 1.14 (threefry2x32, 20 rounds).
VECTORS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_generator_gives_the_published_words(counter: Any, key: Any, expected: Any):
    whole = key[0] | key[1] << 32
    start = asarray(np.uint64(counter[0] | (counter[1] & 0x3FFFFFFF) << 32))
    domain = counter[1] >> 30
    options = {"shape": (1,), "dtype": UINT64, "domain": domain}
    inputs = (random.key(whole).node, start.node)
    (found,) = draw(Variable(make_node(find_op("random_bits"), inputs, options)))
    assert int(found[0]) == expected[0] | expected[1] << 32


class Meanings:
    """A word builder that computes at once, by the meanings of the words of the loop IR."""

    def const(self, value: Any, dtype: Any) -> Any:
        return dtype.type(value)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        meaning = WORDS[name.rstrip("_")].meaning
        return lambda *args: meaning(*(np.uint32(a) for a in args))


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_words_of_the_loop_ir_are_the_published_ones(counter: Any, key: Any, expected: Any):
    words = [tuple(map(np.uint32, pair)) for pair in (key, counter)]
    with np.errstate(over="ignore"):
        found = threefry(Meanings(), *words)  # type: ignore[arg-type]  # pairs, by the line above
    assert tuple(map(int, found)) == expected


def test_uint32_is_the_first_word_and_uint64_both():
    short, long = draw(random.bits(KEY, 50), random.bits(KEY, 50, "uint64"))
    np.testing.assert_array_equal(short, (long & 0xFFFFFFFF).astype("uint32"))


def test_element_depends_on_its_number_alone():
    flat, square, more = draw(random.bits(KEY, 12), random.bits(KEY, (3, 4)), random.bits(KEY, 100))
    np.testing.assert_array_equal(flat, square.ravel())
    np.testing.assert_array_equal(flat, more[:12])


def test_shape_may_be_symbolic_or_empty():
    x = tensor("x", ("n", 3))
    (found,) = values([random.normal(KEY, x.shape)], {x: np.ones((4, 3))})
    assert found.shape == (4, 3)
    assert draw(random.uniform(KEY, (0, 3)))[0].shape == (0, 3)


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
def test_multiply_high_is_exact(dtype: str, rng: np.random.Generator):
    width = np.dtype(dtype).itemsize * 8
    a, b = (rng.integers(0, 2**width, 200, dtype) for _ in range(2))
    a[:3], b[:3] = 2**width - 1, [2**width - 1, 0, 1]
    (found,) = draw(multiply_high(a, b))
    assert [int(v) for v in found] == [int(x) * int(y) >> width for x, y in zip(a, b, strict=True)]


# --- keys


def test_keys_made_of_one_differ_from_each_other_and_from_its_draws():
    made, folded, drawn = draw(
        random.split(KEY, 100),
        random.fold_in(KEY, 0),
        random.bits(KEY, 100, "uint64"),
    )
    assert len({*map(int, made), int(folded), *map(int, drawn)}) == 201


def test_key_takes_large_and_negative_seeds():
    assert draw(random.key(-1))[0] == 2**64 - 1
    assert draw(random.key(2**64 + 5))[0] == 5
    n = tensor("n", (), "int64")
    assert values([random.key(n)], {n: 7})[0] == 7


def test_keys_can_be_scanned_over():
    keys = random.split(KEY, 5)
    _, outs = scan(lambda s, k: (s, random.uniform(k, (2,))), None, keys)
    alone = [random.uniform(keys[i], (2,)) for i in range(5)]
    found, *expected = draw(outs, *alone)
    np.testing.assert_array_equal(found, np.stack(expected))


# --- distributions


def _truncated(lo: float, hi: float) -> Callable[..., Variable]:
    return lambda k, n, d: random.truncated_normal(k, lo, hi, n, d)


CONTINUOUS: dict[str, tuple[Callable[..., Variable], Any]] = {
    "uniform": (random.uniform, stats.uniform()),
    "uniform in a range": (lambda k, n, d: random.uniform(k, n, d, -3, 5.0), stats.uniform(-3, 8)),
    "normal": (random.normal, stats.norm()),
    "normal moved": (lambda k, n, d: random.normal(k, n, d, 2.0, 0.5), stats.norm(2, 0.5)),
    "exponential": (random.exponential, stats.expon()),
    "exponential scaled": (lambda k, n, d: random.exponential(k, n, d, 3.0), stats.expon(0, 3)),
    "gumbel": (random.gumbel, stats.gumbel_r()),
    "laplace": (random.laplace, stats.laplace()),
    "truncated normal": (_truncated(-1.0, 2.0), stats.truncnorm(-1, 2)),
    "its upper tail": (_truncated(5.0, 6.0), stats.truncnorm(5, 6)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_distribution(name: str, dtype: str):
    make, law = CONTINUOUS[name]
    (found,) = draw(make(KEY, COUNT, dtype))
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    assert stats.kstest(found.astype("float64"), law.cdf).pvalue > SURE
    error = law.std() / np.sqrt(COUNT)
    assert abs(found.mean() - law.mean()) < 5 * error


def test_successive_elements_and_keys_are_not_correlated():
    rows = draw(random.normal(KEY, COUNT), *[random.normal(random.key(s), COUNT) for s in range(4)])
    table = np.corrcoef(np.stack([*rows, np.roll(rows[0], 1), np.roll(rows[0], 2)]))
    assert np.abs(table - np.eye(7)).max() < 5 / np.sqrt(COUNT)


def test_every_bit_is_even():
    (found,) = draw(random.bits(KEY, COUNT, "uint64"))
    ones = ((found[:, None] >> np.arange(64, dtype="uint64")) & np.uint64(1)).mean(0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(COUNT)


def test_uniform_never_reaches_one_and_normal_has_tails():
    for dtype, digits in (("float32", 24), ("float64", 53)):
        (u,) = draw(random.uniform(KEY, COUNT, dtype))
        assert 0 <= u.min() < u.max() < 1
        np.testing.assert_array_equal(u * 2.0**digits, np.floor(u * 2.0**digits))
    (z,) = draw(random.normal(KEY, 1_000_000, "float32"))
    assert 4.5 < np.abs(z).max() < 6.5


def test_randint_covers_its_range_evenly():
    (found,) = draw(random.randint(KEY, -3, 4, 70_000))
    assert found.dtype == "int64"
    assert stats.chisquare(np.bincount(found + 3)).pvalue > SURE
    (whole,) = draw(random.randint(KEY, -(2**63), 2**63 - 1, COUNT))
    assert whole.min() < -(2**62)
    assert whole.max() > 2**62
    (small,) = draw(random.randint(KEY, np.array([0, 10]), np.array([2, 12]), (COUNT, 2), "int8"))
    np.testing.assert_array_equal(np.unique(small), [0, 1, 10, 11])


def test_bernoulli_and_categorical_follow_their_probabilities():
    p = np.array([0.1, 0.2, 0.7])
    coin, coins, kind = draw(
        random.bernoulli(KEY, 0.3, COUNT),
        random.bernoulli(KEY, p, (COUNT, 3)),
        random.categorical(KEY, np.log(p), shape=COUNT),
    )
    assert coin.dtype == bool
    assert stats.binomtest(int(coin.sum()), COUNT, 0.3).pvalue > SURE
    assert np.abs(coins.mean(0) - p).max() < 5 * 0.5 / np.sqrt(COUNT)
    assert stats.chisquare(np.bincount(kind), p * COUNT).pvalue > SURE


def test_permutation_is_one_and_even():
    keys = random.split(KEY, 6000)
    _, orders = scan(lambda s, k: (s, random.permutation(k, 3)), None, keys)
    (found,) = draw(orders)
    np.testing.assert_array_equal(np.sort(found, -1), np.tile(np.arange(3), (6000, 1)))
    counts = np.bincount(found @ np.array([9, 3, 1]), minlength=27)
    assert stats.chisquare(counts[counts > 0]).pvalue > SURE


def test_shuffling_moves_whole_rows():
    a = np.arange(12).reshape(4, 3)
    rows, columns = draw(random.permutation(KEY, a), random.permutation(KEY, a, axis=1))
    np.testing.assert_array_equal(np.sort(rows[:, 0]), a[:, 0])
    np.testing.assert_array_equal(rows - rows[:, :1], np.tile([0, 1, 2], (4, 1)))
    np.testing.assert_array_equal(np.sort(columns, 1), a)


def test_choice():
    some, weighted, of_items, weighted_once = draw(
        random.choice(KEY, 10, (4,), replace=False),
        random.choice(KEY, 3, COUNT, p=np.array([0.5, 0.5, 0.0])),
        random.choice(KEY, np.array([5.0, 7.0]), (50,)),
        random.choice(KEY, 3, (2,), replace=False, p=np.array([0.5, 0.5, 0.0])),
    )
    assert len(set(some)) == 4
    assert set(weighted) == {0, 1}
    assert set(of_items) == {5.0, 7.0}
    assert set(weighted_once) == {0, 1}


def test_gradient_by_the_parameters_of_a_distribution():
    loc, scale = tensor("loc", ()), tensor("scale", ())
    x = random.normal(KEY, 100, loc=loc, scale=scale)
    found = values(grad(x.sum(), [loc, scale]), {loc: 1.0, scale: 2.0})
    (z,) = draw(random.normal(KEY, 100))
    np.testing.assert_allclose(found, [100.0, z.sum()], rtol=1e-12)


# --- streams


def _shared(value: Any, name: str) -> Variable:
    found = TensorType(value.dtype, value.shape)
    node = make_node(find_op("shared"), (), {"cell": fresh_token(), "type": found})
    return Variable(node, name)


def test_stream_numbers_its_draws_and_advances_its_state():
    stream = random.Stream(5, _shared)
    first, second = stream.uniform(100), stream.uniform(100)
    before = np.array([5, 0], "uint64")
    a, b, after = values(
        [first, second, stream.state.default_update],  # type: ignore[attr-defined]
        {stream.state: before},
    )
    np.testing.assert_array_equal(after, [5, 1])
    assert len({*a, *b}) == 200
    again = values([first], {stream.state: before})[0]
    later = values([first], {stream.state: after})[0]
    np.testing.assert_array_equal(a, again)
    assert not set(a) & set(later)


# --- mistakes


MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a seed that is no integer": (lambda: random.key(1.5), ArgumentError, "must be an integer"),
    "a seed of several": (
        lambda: random.key(tensor("s", (2,), "int64")),
        ShapeError,
        "a seed is a scalar",
    ),
    "a seed in place of a key": (lambda: random.normal(5, (2,)), DTypeError, "sg.random.key"),
    "several keys in place of one": (
        lambda: random.normal(random.split(KEY), (2,)),
        ShapeError,
        r"keys\[0\]",
    ),
    "normal integers": (
        lambda: random.normal(KEY, (2,), "int32"),
        DTypeError,
        "float32 and float64",
    ),
    "signed bits": (lambda: random.bits(KEY, (2,), "int32"), DTypeError, "unsigned"),
    "an empty range": (
        lambda: random.randint(KEY, 3, 3, (2,)),
        ArgumentError,
        "the range is empty",
    ),
    "a range that does not fit": (
        lambda: random.randint(KEY, 0, 300, (2,), "uint8"),
        ArgumentError,
        "does not fit uint8",
    ),
    "a range upside down": (
        lambda: random.uniform(KEY, (2,), None, 3, 2),
        ArgumentError,
        "low is above high",
    ),
    "parameters larger than the shape": (
        lambda: random.normal(KEY, (), loc=np.ones(3)),
        ShapeError,
        "more axes than shape",
    ),
    "too many without replacement": (
        lambda: random.choice(KEY, 3, (4,), replace=False),
        ArgumentError,
        "replace=True",
    ),
    "a dropout rate of 1": (
        lambda: random.dropout_mask(KEY, 1.0, (2,)),
        ArgumentError,
        r"in \[0, 1\)",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_explained(name: str):
    call, error, text = MISTAKES[name]
    with pytest.raises(error, match=text):
        call()
