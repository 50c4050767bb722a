"""What variables refuse, and what the error says; names, lines and NumPy's functions on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgraph
from symgraph.errors import ArgumentError, ShapeError, SymbolicError, SymgraphError
from symgraph.ir import origin
from symgraph.ir.dim import Dim
from symgraph.ir.origin import Line, is_ours, user_line
from symgraph.ir.variable import Variable, node_of
from symgraph.ops.leaves import constant, tensor

NO_VALUE: list[tuple[str, Callable[[Any], object], str, str]] = [
    ("bool", bool, "has no truth value", "sg.where"),
    ("if", lambda x: 1 if x > 0 else 2, "has no truth value", "sg.cond"),
    ("chained", lambda x: 0 < x < 1, "has no truth value", "(a < b) & (b < c)"),
    ("and", lambda x: x > 0 and x < 1, "has no truth value", "(a < b) & (b < c)"),
    ("not", lambda x: not x, "has no truth value", "sg.where"),
    ("float", float, "is not a number", "sg.function"),
    ("int", int, "is not a number", "x.eval"),
    ("complex", complex, "is not a number", "x.eval"),
    ("range", range, "is not a number", "x.eval"),
    ("asarray", np.asarray, "cannot become a NumPy array", "sg.function"),
    ("array", lambda x: np.array([x, x]), "cannot become a NumPy array", "x.eval"),
    ("len", len, "length is not known", "x.shape[0]"),
    ("iter", iter, "cannot iterate", "sg.scan"),
    ("list", list, "cannot iterate", "sg.map"),
    ("unpack", lambda x: [*x], "cannot iterate", "fixed shape"),
    ("in", lambda x: 3 in x, "`in` needs values", "sg.any(x == value)"),
    ("setitem", lambda x: x.__setitem__(0, 1.0), "changed in place", "x.at[idx].set(value)"),
    ("out", lambda x: np.add(x, 1.0, out=np.zeros(3)), "out=", "no out="),
    ("where", lambda x: np.add(x, 1.0, where=np.array(True)), "where=", "sg.where"),
    ("ufunc", np.spacing, "np.spacing", "sg."),
    ("accumulate", lambda x: np.add.accumulate(x), "accumulate", "sg."),
    ("function", lambda x: np.partition(x, 1), "np.partition does not take", "sg."),
]


@pytest.mark.parametrize(("name", "use", "what", "hint"), NO_VALUE, ids=[r[0] for r in NO_VALUE])
def test_using_a_variable_as_a_value_says_what_to_do(
    name: str, use: Callable[[Any], object], what: str, hint: str
):
    x = tensor("x", ("n",))
    with pytest.raises(SymbolicError) as error:
        use(x)
    text = str(error.value)
    assert what in text.splitlines()[0]
    assert hint in text
    assert "64[n]" in text or "bool[n]" in text
    assert "test_variables.py:" in text, "names the user's line"
    assert isinstance(error.value, TypeError)


def test_errors_name_the_line_that_made_the_variable():
    x = tensor("x", ("n",))
    y = x * 2.0
    y.name = "energy"
    with pytest.raises(SymbolicError) as error:
        bool(y)
    text = str(error.value)
    assert "energy: float64[n]" in text
    assert "y = x * 2.0" in text
    assert "bool(y)" in text


def test_scalars_have_no_length_and_no_items():
    x = tensor("x", ())
    with pytest.raises(SymbolicError, match="a scalar has no length"):
        len(x)
    with pytest.raises(SymbolicError, match="cannot iterate over a scalar"):
        iter(x)


def test_known_lengths_work():
    x = tensor("x", (3, "n"))
    assert len(x) == 3
    assert [v.shape for v in x] == [(Dim("n"),)] * 3
    a, b, c = x
    assert len({a.node, b.node, c.node}) == 3


def test_augmented_assignment_makes_a_new_variable():
    x = tensor("x", ("n",))
    y = x
    y += 1.0
    y *= 2.0
    assert y is not x
    assert x.node.op.name == "input"
    array = np.zeros(3)
    with pytest.raises(SymbolicError, match="out="):
        array += x


def test_operators_with_what_is_no_number_are_type_errors():
    x = tensor("x", ("n",))
    for other in ("a", None, {"a": 1}):
        with pytest.raises(TypeError):
            x + other
        with pytest.raises(TypeError):
            other - x
    assert (x == None) is False  # noqa: E711  # what libraries write
    assert (x != "a") is True


def test_comparison_gives_a_graph_and_hashing_goes_by_node():
    x, y = tensor("x", ("n",)), tensor("y", ("n",))
    assert isinstance(x == y, Variable)
    assert (x == y).dtype == bool
    assert {x: 1, y: 2}[x] == 1
    assert hash(x + y) == hash(x + y)


def test_a_misspelled_method_names_the_nearest():
    x = tensor("x", ("n",))
    with pytest.raises(AttributeError, match=r"no attribute 'summ'[\s\S]*did you mean 'sum'"):
        _ = x.summ
    assert not hasattr(x, "__dlpack__")
    assert not hasattr(x, "nonsense")


def test_numpy_functions_build_nodes():
    x = tensor("x", ("n",), "float32")
    assert np.multiply(2.0, x).node is (2.0 * x).node
    assert (np.arange(3.0) + x).node is (constant(np.arange(3.0)) + x).node
    assert np.add.reduce(x).node is np.sum(x).node
    assert np.maximum.reduce(x).node is x.max().node
    assert np.sqrt(x).dtype == "float32"


def test_the_array_namespace_is_the_package():
    assert tensor("x", ("n",)).__array_namespace__() is symgraph


def test_variables_print_name_and_type():
    x = tensor("x", ("n", 3), "int8")
    assert repr(x) == "<x: int8[n, 3]>"
    assert repr(x + x) == "<add: int8[n, 3]>"
    assert x.size == 3 * Dim("n")
    assert (x.ndim, x.shape, x.dtype) == (2, (Dim("n"), 3), np.dtype("int8"))


def test_helpers_for_ops_raise_errors_of_the_hierarchy():
    with pytest.raises(ArgumentError, match="is not a symbolic variable"):
        node_of(3.0)
    assert issubclass(SymbolicError, SymgraphError)


SHAPES = [None, 3, "n"]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_input_needs_a_sequence_as_shape(shape: Any):
    with pytest.raises(ShapeError, match="must be a sequence of dimensions"):
        tensor("x", shape)


def test_nodes_know_the_line_of_the_user():
    x = tensor("x", ("n",))
    y = x * 2.0
    line = user_line()
    assert line is not None
    assert y.line == Line(__file__, line.number - 1)
    assert y.line.text == "y = x * 2.0"
    assert str(y.line) == f"{__file__}:{line.number - 1}: y = x * 2.0"
    assert y.node.lines == (y.line,)


def test_lines_that_cannot_be_read_have_no_text(tmp_path: Path):
    assert Line("no such file.py", 3).text == ""
    assert str(Line("no such file.py", 3)) == "no such file.py:3"
    assert Line(str(tmp_path), 1).text == ""
    assert Line("/dev/zero", 1).text == "", "never opened: it has no end"


LAYOUTS = ["/home/u/symgraph", "/venv/lib/python3.11/site-packages"]


@pytest.mark.parametrize("folder", LAYOUTS)
def test_only_symgraph_and_its_kernels_are_ours(folder: str, monkeypatch: pytest.MonkeyPatch):
    source = Path(origin.__file__).read_text(encoding="utf-8")
    scope: dict[str, Any] = {"__file__": f"{folder}/symgraph/ir/origin.py", "__name__": "probe"}
    monkeypatch.setitem(__import__("sys").modules, "probe", origin)
    exec(compile(source, "origin.py", "exec"), scope)
    ours = scope["is_ours"]
    assert ours(f"{folder}/symgraph/ops/arith.py")
    kernels = "kernels/" if "site-packages" not in folder else ""
    tools = "tools/" if "site-packages" not in folder else ""
    assert ours(f"{folder}/{kernels}symgraph_kernels/scalar.py")
    assert not ours(f"{folder}/{tools}symgraph_tools/demo.py")
    assert not ours(f"{folder}/symgraph_plugin/ops.py")
    assert not ours(f"{folder}/tests/test_x.py")
    assert not ours("/home/u/train.py")
    assert not ours("<stdin>")
    assert ours("<frozen importlib._bootstrap>")


def test_the_checkout_at_hand_is_recognised():
    root = Path(symgraph.__file__).parents[1]
    assert is_ours(str(root / "symgraph" / "ops" / "arith.py"))
    assert not is_ours(__file__)


AMOUNTS = [
    lambda n, s: n * s,
    lambda n, s: s - n,
    lambda n, s: n - s,
    lambda n, s: -n * s,
    lambda n, s: (n - 1) * s,
    lambda n, s: n / s,
    lambda n, s: n // s,
    lambda n, s: n % s,
    lambda n, s: s**n,
    lambda n, s: n**s,
    lambda n, s: 0.5 * n * s,
    lambda n, s: n / 2 * s,
    lambda n, s: s / n**0.5,
    lambda n, s: 1 / n + s,
    lambda n, s: n / n * s,
    lambda n, s: n**2 * s,
    lambda n, s: 2**n * s,
    lambda n, s: np.float64(0.25) * n * s,
    lambda n, s: (n - 1.5) * s,
    lambda n, s: (1.5 - n) * s,
]


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dims_take_part_in_formulas_as_python_numbers(amount, dtype):
    """``-0.5 * x.shape[0] * log_scale``: dims on the left, and with fractions; dtypes stay."""
    x, s = symgraph.tensor("x", shape=(None,), dtype=dtype), symgraph.scalar("s", dtype=dtype)
    f = symgraph.function([x, s], amount(x.shape[0], s) + 0 * x[0])
    found = f(np.ones(5, dtype), np.asarray(1.5, dtype))
    wide = np.float64 if amount is AMOUNTS[-3] else np.dtype(dtype).type
    assert found.dtype == wide
    assert found == pytest.approx(amount(5, wide(1.5)), rel=1e-6)


def test_dims_are_compared_with_variables():
    x, s = symgraph.tensor("x", shape=(None,)), symgraph.scalar("s")
    n = x.shape[0]
    f = symgraph.function([x, s], [n > s, n >= s, n < s, n <= s, n < 2.5, x * (n / 2)])
    assert [bool(v) for v in f([1.0, 2.0], 2.0)[:5]] == [False, True, False, True, True]
    assert list(f([1.0, 2.0, 3.0], 2.0)[5]) == [1.5, 3.0, 4.5]
