"""New files to begin with: an op or a rule of one's own, with tests that pass as they stand.

Each file is complete: it is imported, or run by pytest, and changed from there. The example in it
is real: an op by its series, a rule that repairs a cancellation.
"""

from __future__ import annotations

import keyword
from pathlib import Path

from symgraph.errors import ArgumentError

OP = '''"""The op ``{name}``: x * log(x), which is 0 at 0. Replace it by yours.

An op is one row; ``symgraph.ops.kinds`` has the kinds and says what a row needs.
"""

import numpy as np
import pytest

import symgraph as sg
from symgraph.ops.kinds import elementwise
from symgraph.ops.samples import reals


def _scalar(s, x):
    """How one element is computed: s has the words of the loop IR."""
    return s.select(s.eq(x, 0.0), 0.0, s.mul(x, s.log(x)))


def _reference(x):
    """The same on NumPy arrays, slowly: what tests compare with."""
    return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, x)))


{name} = elementwise(
    "{name}",
    "x * log(x), 0 at 0.",
    reference=_reference,
    rule="float",
    takes="floating",
    scalar=_scalar,
    grad=lambda g, y, x: [g * (sg.log(x) + 1)],
    source="definition",
    samples=reals(0, 10),
    ulp=2,
)


def test_value_and_gradient():
    x = sg.vector("x")
    y = {name}(x)
    f = sg.function([x], [y, sg.grad(sg.sum(y), x)])
    points = np.array([1e-300, 0.5, 1.0, 2.0, 1e10])
    value, slope = f(points)
    np.testing.assert_allclose(value, _reference(points), rtol=4e-16)
    np.testing.assert_allclose(slope, np.log(points) + 1, rtol=4e-16)


def test_zero():
    x = sg.vector("x")
    assert sg.function([x], {name}(x))([0.0]) == 0.0


def test_gradient_by_differences():
    sg.check_grad({name}, np.array([0.3, 1.7]))


def test_integers_are_refused():
    with pytest.raises(sg.DTypeError):
        {name}(sg.tensor("k", shape=("n",), dtype="complex128"))
'''
RULE = '''"""The rule ``{name}``: 1 - cos(x) as 2 sin(x/2)^2. Replace it by yours.

A rule is data: a form, a better one, the reason, and on whose word. ``symgraph.rewrite.rule`` says
what else it may have; ``symgraph rewrites`` lists those there are.
"""

import numpy as np

import symgraph as sg
from symgraph.compile import PIPELINE
from symgraph.rewrite.pipeline import Pass

x = sg.holes("x")
{name} = sg.rule(
    1 - sg.cos(x),
    2 * sg.square(sg.sin(x / 2)),
    name="{words}",
    why="the difference of nearly equal numbers keeps few of their digits near x = 0",
    source="half-angle formula",
)
MODE = sg.Mode(passes=(*PIPELINE[:1], Pass("user", ({name},))))


def test_the_rule_is_applied_and_says_why():
    v = sg.vector("v")
    f = sg.function([v], 1 - sg.cos(v), mode=MODE)
    assert {name}.why in {{step.why for step in f.trace}}


def test_the_value_is_accurate_where_the_formula_is_not():
    v = sg.vector("v")
    f = sg.function([v], 1 - sg.cos(v), mode=MODE)
    tiny = np.array([1e-9])
    assert 1 - np.cos(tiny) == 0.0
    np.testing.assert_allclose(f(tiny), [5e-19], rtol=1e-15)


def test_values_agree_elsewhere():
    v = sg.vector("v")
    f = sg.function([v], 1 - sg.cos(v), mode=MODE)
    points = np.linspace(-3, 3, 101)
    np.testing.assert_allclose(f(points), 1 - np.cos(points), rtol=1e-12, atol=1e-16)
'''
TEMPLATES = {"op": OP, "rewrite": RULE}


def scaffold(kind: str, name: str, folder: Path) -> Path:
    """Write the file of a new op or rule; gives its path.

    Raises: ArgumentError for a name that is taken or is no identifier; FileExistsError.
    """
    from symgraph.ir.op import OPS

    if not name.isidentifier() or keyword.iskeyword(name):
        raise ArgumentError(f"{name!r} is no name for a Python variable")
    if kind == "op" and name in OPS:
        raise ArgumentError(f"there is an op named {name!r} already; symgraph ops {name} shows it")
    path = folder / f"test_{name}.py"
    text = TEMPLATES[kind].format(name=name, words=name.replace("_", " "))
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return path
