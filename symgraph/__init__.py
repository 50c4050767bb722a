"""symgraph: write the naive formula, get the accurate value and gradient, compiled.

See ``symgraph.compile`` for how it works, and README.md for a first example. All public names are
below; ``sg.special``, ``sg.nn``, ``sg.random``, ``sg.linalg``, ``sg.optim``, ``sg.init`` hold more,
``sg.printing`` writes graphs for people.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from symgraph import init as init
from symgraph import linalg as linalg
from symgraph import nn as nn
from symgraph import random as random
from symgraph import special as special
from symgraph.api import (
    ancestors,
    check_grad,
    clone,
    col,
    cols,
    function,
    grad,
    matrices,
    matrix,
    row,
    rows,
    scalar,
    scalars,
    tensor3,
    tensor3s,
    tensor4,
    tensor4s,
    value_and_grad,
    vector,
    vectors,
)
from symgraph.config import config
from symgraph.errors import (
    ArgumentError,
    AxisError,
    BoundsError,
    CacheWarning,
    ConfigError,
    DeviceError,
    DisconnectedError,
    DTypeError,
    GradientError,
    MemberError,
    MissingInputError,
    NumericError,
    ParseError,
    ShapeError,
    SymbolicError,
    SymgraphError,
    UnsupportedError,
    UnusedInputError,
    VerifyError,
)
from symgraph.ir.dim import Dim
from symgraph.ir.graph import Graph
from symgraph.ir.variable import Variable
from symgraph.mode import Mode
from symgraph.ops.activation import (
    elu,
    gelu,
    hard_sigmoid,
    leaky_relu,
    log_sigmoid,
    relu,
    selu,
    silu,
    softsign,
)
from symgraph.ops.arith import (
    add,
    divide,
    divmod,
    float_power,
    floor_divide,
    fma,
    fmod,
    multiply,
    pow,
    reciprocal,
    remainder,
    sqrt,
    square,
    subtract,
)
from symgraph.ops.assume import assume
from symgraph.ops.at import put_along_axis
from symgraph.ops.broadcast import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
)
from symgraph.ops.compare import (
    bitwise_and,
    bitwise_count,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    isclose,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    nan_to_num,
    not_equal,
    signbit,
    where,
)
from symgraph.ops.control import cond, fold, map, scan, while_loop
from symgraph.ops.convert import asarray
from symgraph.ops.create import (
    arange,
    diag,
    diagonal,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    identity,
    linspace,
    meshgrid,
    one_hot,
    ones,
    ones_like,
    trace,
    tri,
    tril,
    triu,
    zeros,
    zeros_like,
)
from symgraph.ops.einsum import einsum
from symgraph.ops.index import compress, dynamic_slice, flip, take, take_along_axis
from symgraph.ops.join import (
    append,
    array_split,
    column_stack,
    concat,
    dstack,
    fliplr,
    flipud,
    hstack,
    repeat,
    roll,
    rot90,
    split,
    stack,
    tile,
    unstack,
    vstack,
)
from symgraph.ops.leaves import constant, tensor
from symgraph.ops.linalg import (
    dot,
    inner,
    kron,
    matmul,
    matrix_power,
    multi_dot,
    outer,
    tensordot,
    vdot,
    vecdot,
)
from symgraph.ops.marks import checkpoint, clip_gradient, custom_gradient, stop_gradient
from symgraph.ops.math import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    cos,
    cosh,
    exp,
    exp2,
    expm1,
    hypot,
    log,
    log1mexp,
    log1p,
    log1pexp,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    logit,
    logsubexp,
    sigmoid,
    sin,
    sinc,
    sinh,
    softplus,
    tan,
    tanh,
    xlog1py,
    xlogy,
)
from symgraph.ops.nn import LOG_SOFTMAX as log_softmax
from symgraph.ops.nn import SOFTMAX as softmax
from symgraph.ops.pad import pad
from symgraph.ops.parts import (
    angle,
    astype,
    ceil,
    complex,
    conj,
    deg2rad,
    floor,
    imag,
    modf,
    rad2deg,
    real,
    rint,
    round,
    trunc,
)
from symgraph.ops.reduce import (
    ALL as all,
)
from symgraph.ops.reduce import (
    ANY as any,
)
from symgraph.ops.reduce import (
    ARGMAX as argmax,
)
from symgraph.ops.reduce import (
    ARGMIN as argmin,
)
from symgraph.ops.reduce import (
    MAX as max,
)
from symgraph.ops.reduce import (
    MIN as min,
)
from symgraph.ops.reduce import (
    PROD as prod,
)
from symgraph.ops.reduce import (
    SUM as sum,
)
from symgraph.ops.running import (
    CUMULATIVE_PROD as cumulative_prod,
)
from symgraph.ops.running import (
    CUMULATIVE_SUM as cumulative_sum,
)
from symgraph.ops.running import cumprod, cumsum, diff
from symgraph.ops.shape import (
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    ravel,
    reshape,
    rollaxis,
    squeeze,
    swapaxes,
)
from symgraph.ops.signs import (
    abs,
    clip,
    copysign,
    fabs,
    fmax,
    fmin,
    heaviside,
    maximum,
    minimum,
    negative,
    nextafter,
    positive,
    sign,
)
from symgraph.ops.sorting import argsort, sort
from symgraph.ops.special import digamma, erf, erfc, erfcx, erfinv, gamma, gammaln
from symgraph.ops.statistics import LOGSUMEXP as logsumexp
from symgraph.ops.statistics import MEAN as mean
from symgraph.ops.statistics import VAR as var
from symgraph.ops.statistics import average, count_nonzero, norm, ptp, std, vector_norm
from symgraph.runtime.arguments import In
from symgraph.runtime.function import Function
from symgraph.runtime.limits import threads
from symgraph.runtime.shared import Shared, shared

if TYPE_CHECKING:
    from symgraph import optim as optim
    from symgraph import printing as printing
    from symgraph.derivatives import hessian, hvp, jacobian, jvp, vjp
    from symgraph.rewrite.pattern import holes
    from symgraph.rewrite.rule import rule
    from symgraph.saving import load, load_parameters, save, save_parameters

# NumPy's other names for the same functions
arccos = acos
arcsin = asin
arctan = atan
arctan2 = atan2
arccosh = acosh
arcsinh = asinh
arctanh = atanh
transpose = permute_dims
concatenate = concat
absolute = abs
power = pow
mod = remainder
invert = bitwise_invert
newaxis = None

_LATE = {
    "hessian": "symgraph.derivatives",
    "holes": "symgraph.rewrite.pattern",
    "hvp": "symgraph.derivatives",
    "jacobian": "symgraph.derivatives",
    "jvp": "symgraph.derivatives",
    "load": "symgraph.saving",
    "load_parameters": "symgraph.saving",
    "rule": "symgraph.rewrite.rule",
    "save": "symgraph.saving",
    "save_parameters": "symgraph.saving",
    "vjp": "symgraph.derivatives",
}
__version__ = "0.1.0"

__all__ = [
    "ArgumentError", "AxisError", "BoundsError", "CacheWarning", "ConfigError", "DTypeError",
    "DeviceError", "Dim", "DisconnectedError", "Function", "GradientError", "Graph", "In",
    "MemberError", "MissingInputError", "Mode", "NumericError", "ParseError", "ShapeError",
    "Shared", "SymbolicError", "SymgraphError", "UnsupportedError", "UnusedInputError", "Variable",
    "VerifyError", "abs", "absolute", "acos", "acosh", "add", "all", "ancestors", "angle",
    "any", "append", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2",
    "arctanh", "argmax", "argmin", "argsort", "array_split", "asarray", "asin", "asinh",
    "assume", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d",
    "average", "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "broadcast_arrays", "broadcast_shapes",
    "broadcast_to", "cbrt", "ceil", "check_grad", "checkpoint", "clip", "clip_gradient",
    "clone", "col", "cols", "column_stack", "complex", "compress", "concat", "concatenate",
    "cond", "config", "conj", "constant", "copysign", "cos", "cosh", "count_nonzero", "cumprod",
    "cumsum", "cumulative_prod", "cumulative_sum", "custom_gradient", "deg2rad", "diag",
    "diagonal", "diff", "digamma", "divide", "divmod", "dot", "dstack", "dynamic_slice",
    "einsum", "elu", "empty", "empty_like", "equal", "erf", "erfc", "erfcx", "erfinv", "exp",
    "exp2", "expand_dims", "expm1", "eye", "fabs", "flip", "fliplr", "flipud", "float_power",
    "floor", "floor_divide", "fma", "fmax", "fmin", "fmod", "fold", "full", "full_like",
    "function", "gamma", "gammaln", "gelu", "grad", "greater", "greater_equal", "hard_sigmoid",
    "heaviside", "hessian", "holes", "hstack", "hvp", "hypot", "identity", "imag", "init",
    "inner", "invert", "isclose", "isfinite", "isinf", "isnan", "isneginf", "isposinf",
    "jacobian", "jvp", "kron", "leaky_relu", "less", "less_equal", "linalg", "linspace", "load",
    "load_parameters", "log", "log1mexp", "log1p", "log1pexp", "log2", "log10", "log_sigmoid",
    "log_softmax", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logit", "logsubexp", "logsumexp", "map", "matmul", "matrices", "matrix",
    "matrix_power", "matrix_transpose", "max", "maximum", "mean", "meshgrid", "min", "minimum",
    "mod", "modf", "moveaxis", "multi_dot", "multiply", "nan_to_num", "negative", "newaxis",
    "nextafter", "nn", "norm", "not_equal", "one_hot", "ones", "ones_like", "optim", "outer",
    "pad", "permute_dims", "positive", "pow", "power", "printing", "prod", "ptp", "put_along_axis",
    "rad2deg", "random", "ravel", "real", "reciprocal", "relu", "remainder", "repeat",
    "reshape", "rint", "roll", "rollaxis", "rot90", "round", "row", "rows", "rule", "save",
    "save_parameters", "scalar", "scalars", "scan", "selu", "shared", "sigmoid", "sign",
    "signbit", "silu", "sin", "sinc", "sinh", "softmax", "softplus", "softsign", "sort",
    "special", "split", "sqrt", "square", "squeeze", "stack", "std", "stop_gradient",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensor",
    "tensor3", "tensor3s", "tensor4", "tensor4s", "tensordot", "threads", "tile", "trace",
    "transpose", "tri", "tril", "triu", "trunc", "unstack", "value_and_grad", "var", "vdot",
    "vecdot", "vector", "vector_norm", "vectors", "vjp", "vstack", "where", "while_loop", "xlog1py",
    "xlogy", "zeros", "zeros_like",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The compiler and what stands on it, imported when first used."""
    if name in ("optim", "printing"):
        return import_module(f"symgraph.{name}")
    if name not in _LATE:
        raise MemberError(f"module 'symgraph' has no attribute {name!r}" + _guess(name))
    found = getattr(import_module(_LATE[name]), name)
    globals()[name] = found
    return found


def _guess(name: str) -> str:
    from symgraph.errors import nearest

    near = nearest(name, list(__all__))
    return f"; did you mean {near!r}?" if near else ""


def __dir__() -> list[str]:
    return sorted(__all__)
