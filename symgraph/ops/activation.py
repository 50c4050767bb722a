"""Activation functions of neural networks on elements: relu and kin, one row each.

At kinks the gradient is that of the side where the function is flat: relu'(0) is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symgraph.ir.op import Op, find_op
from symgraph.ir.variable import Variable
from symgraph.ops.convert import make
from symgraph.ops.kinds import elementwise
from symgraph.ops.math import exp, in_double, sigmoid, softplus, tanh
from symgraph.ops.samples import INF, NAN, reals
from symgraph.ops.signs import where

_LINE = reals(-8, 8, also=(0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 40.0, -40.0, INF, NAN))
# Klambauer, Unterthiner, Mayr & Hochreiter 2017, arXiv 1706.02515
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _activation(name: str, doc: str, reference: Callable[..., Any], **row: Any) -> Op:
    """A row of one floating argument."""
    row = {"samples": (_LINE,)} | row
    return elementwise(
        name, doc, takes="floating", rule="float", reference=in_double(reference), **row
    )


def _expit(x: Any) -> Any:
    import scipy.special

    return scipy.special.expit(x)


relu = _activation(
    "relu",
    "max(x, 0). Slope at 0: 0.",
    lambda x: np.maximum(x, 0.0),
    scalar=lambda s, x: s.maximum(x, 0),
    grad=lambda g, y, x: [where(x > 0, g, 0.0)],
    properties=frozenset(("idempotent",)),
    source="Glorot, Bordes & Bengio 2011, AISTATS",
)
relu6 = _activation(
    "relu6",
    "min(max(x, 0), 6). Slope at 0 and at 6: 0.",
    lambda x: np.clip(x, 0.0, 6.0),
    scalar=lambda s, x: s.minimum(s.maximum(x, 0), 6),
    grad=lambda g, y, x: [where((x > 0) & (x < 6), g, 0.0)],
    properties=frozenset(("idempotent",)),
    source="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
)
leaky_relu = _activation(
    "leaky_relu",
    "x where x > 0, else negative_slope * x.",
    lambda x, negative_slope: np.where(x > 0, x, negative_slope * x),
    options={"negative_slope": 0.01},
    scalar=lambda s, x, negative_slope: s.select(s.gt(x, 0), x, s.mul(x, negative_slope)),
    grad=lambda g, y, x, negative_slope: [where(x > 0, g, negative_slope * g)],
    ulp=1.0,
    source="Maas, Hannun & Ng 2013, ICML",
)
elu = _activation(
    "elu",
    "x where x > 0, else alpha * (exp(x) - 1).",
    lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
    options={"alpha": 1.0},
    scalar=lambda s, x, alpha: s.select(s.gt(x, 0), x, s.mul(s.expm1(x), alpha)),
    grad=lambda g, y, x, alpha: [where(x > 0, g, g * (alpha * exp(x)))],
    ulp=3.0,
    source="Clevert, Unterthiner & Hochreiter 2016, arXiv 1511.07289",
)
celu = _activation(
    "celu",
    "x where x > 0, else alpha * (exp(x / alpha) - 1).",
    lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
    options={"alpha": 1.0},
    scalar=lambda s, x, alpha: s.select(s.gt(x, 0), x, s.mul(s.expm1(s.div(x, alpha)), alpha)),
    grad=lambda g, y, x, alpha: [where(x > 0, g, g * exp(x / alpha))],
    ulp=3.0,
    source="Barron 2017, arXiv 1704.07483",
)
selu = _activation(
    "selu",
    "scale * (x where x > 0, else alpha * (exp(x) - 1)), alpha = 1.6733, scale = 1.0507.",
    lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x)),
    scalar=lambda s, x: s.mul(s.select(s.gt(x, 0), x, s.mul(s.expm1(x), SELU_ALPHA)), SELU_SCALE),
    grad=lambda g, y, x: [SELU_SCALE * where(x > 0, g, g * (SELU_ALPHA * exp(x)))],
    ulp=4.0,
    source="Klambauer, Unterthiner, Mayr & Hochreiter 2017, arXiv 1706.02515",
)
silu = _activation(
    "silu",
    "x * sigmoid(x) (also called swish).",
    lambda x: x * _expit(x),
    scalar=lambda s, x: s.mul(x, s.sigmoid(x)),
    grad=lambda g, y, x: [g * (sigmoid(x) * (1.0 + x * sigmoid(-x)))],
    ulp=4.0,
    source="Elfwing, Uchibe & Doya 2018, arXiv 1702.03118",
)
mish = _activation(
    "mish",
    "x * tanh(softplus(x)).",
    lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    expand=lambda x: x * tanh(softplus(x)),
    ulp=6.0,
    source="Misra 2019, arXiv 1908.08681",
)
log_sigmoid = _activation(
    "log_sigmoid",
    "log(sigmoid(x)) = -softplus(-x).",
    lambda x: -np.logaddexp(0.0, -x),
    expand=lambda x: -softplus(-x),
    ulp=3.0,
    source="identity",
)
softsign = _activation(
    "softsign",
    "x / (1 + |x|).",
    lambda x: x / (1 + np.abs(x)),
    scalar=lambda s, x: s.div(x, s.add(s.abs(x), 1)),
    grad=lambda g, y, x: [g / find_op("square")(1.0 + find_op("abs")(x))],
    samples=(reals(-8, 8, also=(0.0, -0.0, 1.0, 1e5, NAN)),),
    ulp=2.0,
    source="Bergstra, Desjardins, Lamblin & Bengio 2009",
)
hard_tanh = _activation(
    "hard_tanh",
    "min(max(x, -1), 1). Slope at -1 and 1: 0.",
    lambda x: np.clip(x, -1.0, 1.0),
    scalar=lambda s, x: s.minimum(s.maximum(x, -1), 1),
    grad=lambda g, y, x: [where((x > -1) & (x < 1), g, 0.0)],
    properties=frozenset(("idempotent",)),
    source="Collobert 2004, Large scale machine learning",
)
hard_sigmoid = _activation(
    "hard_sigmoid",
    "min(max(x + 3, 0), 6) / 6. Slope at -3 and 3: 0.",
    lambda x: np.clip(x + 3, 0.0, 6.0) / 6,
    scalar=lambda s, x: s.div(s.minimum(s.maximum(s.add(x, 3), 0), 6), 6),
    grad=lambda g, y, x: [where((x > -3) & (x < 3), g / 6.0, 0.0)],
    ulp=2.0,
    source="Howard et al. 2019, arXiv 1905.02244",
)
hard_silu = _activation(
    "hard_silu",
    "x * hard_sigmoid(x) (also called hard swish).",
    lambda x: x * (np.clip(x + 3, 0.0, 6.0) / 6),
    expand=lambda x: x * hard_sigmoid(x),
    ulp=3.0,
    source="Howard et al. 2019, arXiv 1905.02244",
)


def _gelu_gradient(g: Variable, y: Variable, x: Variable, approximate: bool) -> list[Variable]:
    if not approximate:
        density = make("exp_product", [x, x * -0.5]) * (1 / math.sqrt(2 * math.pi))
        return [g * (find_op("ndtr")(x) + x * density)]
    slope = _TANH_SLOPE * (1.0 + 3 * _TANH_CUBIC * x * x)
    angle = 2.0 * _bent(x)
    return [g * (sigmoid(angle) * (1.0 + 2.0 * x * slope * sigmoid(-angle)))]


_TANH_SLOPE, _TANH_CUBIC = math.sqrt(2 / math.pi), 0.044715


def _bent(x: Any) -> Any:
    return _TANH_SLOPE * (x + _TANH_CUBIC * (x * x * x))


def _gelu(s: Any, x: Any, approximate: bool) -> Any:
    if not approximate:
        half = s.mul(s.erfc(s.mul(x, -math.sqrt(0.5))), 0.5)
        return s.mul(x, half)
    cubic = s.mul(s.mul(s.mul(x, x), x), _TANH_CUBIC)
    return s.mul(x, s.sigmoid(s.mul(s.add(x, cubic), 2 * _TANH_SLOPE)))


def _gelu_reference(x: Any, approximate: bool) -> Any:
    import scipy.special

    return x * (_expit(2 * _bent(x)) if approximate else scipy.special.ndtr(x))


gelu = _activation(
    "gelu",
    "x * ndtr(x); with ``approximate`` x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3))) / 2.",
    _gelu_reference,
    options={"approximate": False},
    scalar=_gelu,
    grad=_gelu_gradient,
    samples=(reals(-5, 5, also=(0.0, -0.0, 1.0, -1.0, 40.0, NAN)),),
    ulp=16.0,
    source="Hendrycks & Gimpel 2016, arXiv 1606.08415",
)
swish, hard_swish = silu, hard_silu
