"""Adding an op, or a rule, touches one file: here, this one."""

import math

import mpmath
import numpy as np
import pytest

import symgraph as sg
from symgraph.compile import PIPELINE
from symgraph.ir.op import OPS
from symgraph.ops.kinds import elementwise
from symgraph.ops.samples import reals
from symgraph.rewrite.pipeline import Pass


@pytest.fixture(scope="module")
def log_defect():
    """log(1 + x) - x, by its series near 0."""

    def scalar(s, x):
        total = s.const(1 / 21, x.dtype)
        for k in range(20, 1, -1):
            total = s.sub(1 / k, s.mul(x, total))
        series = s.neg(s.mul(s.mul(x, x), total))
        return s.select(s.lt(s.abs(x), 0.2), series, s.sub(s.log1p(x), x))

    row = elementwise(
        "log_defect",
        "log(1 + x) - x.",
        reference=np.vectorize(
            lambda x: float(mpmath.log1p(x) - mpmath.mpf(x)), otypes=["float64"]
        ),
        rule="float",
        takes="floating",
        scalar=scalar,
        grad=lambda g, y, x: [-g * x / (1 + x)],
        source="definition",
        samples=reals(-0.9, 10),
        ulp=8,
    )
    yield row
    del OPS["log_defect"]


def test_a_new_op_compiles_and_differentiates(log_defect):
    x = sg.vector("x")
    y = log_defect(x)
    f = sg.function([x], [y, sg.grad(sg.sum(y), x)])
    points = np.array([-0.5, -1e-9, 0.0, 1e-8, 0.1, 0.3, 5.0])
    value, slope = f(points)
    with mpmath.workdps(60):
        truth = [float(mpmath.log1p(mpmath.mpf(p)) - mpmath.mpf(p)) for p in points]
    np.testing.assert_allclose(value, truth, rtol=8 * np.finfo(float).eps, atol=0)
    np.testing.assert_allclose(slope, -points / (1 + points), rtol=1e-15)


def test_a_new_rule_repairs_a_formula_and_says_why(log_defect):
    x = sg.holes("x")
    x = x[0] if isinstance(x, tuple) else x
    row = sg.rule(
        sg.log1p(x) - x, log_defect(x), why="the difference cancels near 0", source="definition"
    )
    v = sg.vector("v")
    passes = (*PIPELINE[:1], Pass("user", (row,)))
    f = sg.function([v], sg.log1p(v) - v, mode=sg.Mode(passes=passes))
    assert f(np.array([1e-12]))[0] == pytest.approx(-5e-25, rel=1e-12)
    assert any(a.why == "the difference cancels near 0" for a in f.trace)
    assert math.isclose(f(np.array([2.0]))[0], math.log1p(2.0) - 2.0)
