"""Mistakes made while a graph is built: shapes, dtypes, values, loops, gradients."""

from __future__ import annotations

import numpy as np

import symgraph as sg
from tests.errors.mistakes import Catalogue

building = Catalogue()

# --- shapes


@building(sg.ShapeError, ValueError, "add", "3 and 4", "a: float64[3]", "b: float64[4]", "help")
def sum_of_unequal_lengths():
    return sg.tensor("a", shape=(3,)) + sg.tensor("b", shape=(4,))


@building(sg.ShapeError, ValueError, "matmul", "a: float64[2, 3]", "b: float64[4, 5]")
def product_with_unequal_inner_dims():
    return sg.tensor("a", shape=(2, 3)) @ sg.tensor("b", shape=(4, 5))


@building(sg.ShapeError, ValueError, "matmul", "rate: float64[]", "help")
def product_with_a_scalar():
    return sg.scalar("rate") @ sg.matrix("x")


@building(sg.ShapeError, ValueError, "concat", "axis 1", "a: float64[2, 3]", "b: float64[2, 4]")
def join_of_unequal_widths():
    return sg.concat([sg.tensor("a", shape=(2, 3)), sg.tensor("b", shape=(2, 4))], axis=0)


@building(sg.ShapeError, ValueError, "concat", "a: float64", "b: float64", "axes")
def join_of_unequal_ranks():
    return sg.concat([sg.vector("a"), sg.matrix("b")])


@building(sg.ShapeError, ValueError, "stack", "a: float64[3]", "b: float64[4]")
def stack_of_unequal_shapes():
    return sg.stack([sg.tensor("a", shape=(3,)), sg.tensor("b", shape=(4,))])


@building(
    sg.ShapeError, ValueError, "reshape", "x: float64[2, 3]", "6 is not 8", "-1 stands for the rest"
)
def reshape_to_another_count():
    return sg.tensor("x", shape=(2, 3)).reshape(4, 2)


@building(sg.ShapeError, ValueError, "reshape", "x: float64[2, 3]", "only one axis can be -1")
def reshape_with_two_unknowns():
    return sg.tensor("x", shape=(2, 3)).reshape(-1, -1)


@building(sg.ShapeError, ValueError, "where", "3 and 4", "x: float64[3]", "y: float64[4]", "help")
def where_of_unequal_lengths():
    x = sg.tensor("x", shape=(3,))
    return sg.where(x > 0, x, sg.tensor("y", shape=(4,)))


@building(sg.ShapeError, ValueError, "squeeze", "x: float64[2, 3]", "axis 0")
def squeeze_of_a_long_axis():
    return sg.squeeze(sg.tensor("x", shape=(2, 3)), axis=0)


@building(sg.ShapeError, ValueError, "split", "x: float64[5]", "2 equal parts", "array_split")
def split_into_unequal_parts():
    return sg.split(sg.tensor("x", shape=(5,)), 2)


@building(sg.ShapeError, ValueError, "max", "x: float64[0]", "empty")
def maximum_of_nothing():
    return sg.tensor("x", shape=(0,)).max()


@building(sg.ShapeError, ValueError, "einsum 'ij,jk'", "'j'", "3 and 4", "a: float64[2, 3]")
def einsum_of_unequal_lengths():
    return sg.einsum("ij,jk", sg.tensor("a", shape=(2, 3)), sg.tensor("b", shape=(4, 5)))


# --- axes and indices


@building(sg.AxisError, IndexError, "axis 2", "2 axes", "from -2 to 1")
def axis_out_of_range():
    return sg.matrix("x").sum(axis=2)


@building(sg.AxisError, ValueError, "permute_dims", "x: float64", "(0, 0)")
def transpose_with_a_repeated_axis():
    return sg.permute_dims(sg.matrix("x"), (0, 0))


@building(sg.BoundsError, IndexError, "index 5", "axis 0", "length 3", "x: float64[3]")
def index_past_a_known_end():
    return sg.tensor("x", shape=(3,))[5]


@building(sg.AxisError, IndexError, "too many indices", "3 for 2 axes", "x: float64[")
def too_many_indices():
    return sg.matrix("x")[0, 0, 0]


@building(sg.DTypeError, TypeError, "index", "float64", "x: float64[")
def index_of_floats():
    return sg.vector("x")[np.array([0.5, 1.0])]


@building(sg.DTypeError, TypeError, "index", "str", "x: float64[")
def index_by_name():
    return sg.matrix("x")["price"]


# --- dtypes


@building(sg.DTypeError, TypeError, "float16", "float32")
def half_precision_input():
    return sg.vector("x", dtype="float16")


@building(sg.DTypeError, TypeError, "flaot32", "did you mean 'float32'?")
def misspelt_dtype():
    return sg.vector("x", dtype="flaot32")


@building(sg.DTypeError, TypeError, "bitwise_and", "float64", "help")
def bitwise_operator_on_floats():
    x = sg.vector("x")
    return (x > 0) & x


@building(sg.DTypeError, TypeError, "300", "uint8", "0 .. 255")
def number_too_large_for_the_dtype():
    return sg.vector("x", dtype="uint8") + 300


@building(sg.DTypeError, TypeError, "mask", "filled")
def masked_constant():
    return sg.vector("x") + np.ma.masked_array([1.0, 2.0], [True, False])


@building(sg.DTypeError, TypeError, "a list of dtype <U1", "holds no numbers")
def text_as_a_constant():
    return sg.vector("x") * ["a", "b"]


@building(sg.DTypeError, TypeError, "complex128", "less")
def order_of_complex_numbers():
    return sg.vector("z", dtype="complex128") < 0


# --- Python's values asked of symbols


@building(sg.SymbolicError, TypeError, "truth value", "greater: bool[]", "sg.where", "sg.cond")
def if_on_a_symbol():
    return "positive" if sg.scalar("x") > 0 else "negative"


@building(sg.SymbolicError, TypeError, "truth value", "(a < b) & (b < c)")
def chained_comparison():
    return 0 < sg.scalar("x") < 1


@building(sg.SymbolicError, TypeError, "NumPy array", "x: float64[", "sg.function", "x.eval")
def asarray_of_a_symbol():
    return np.asarray(sg.vector("x"))


@building(sg.SymbolicError, TypeError, "not a number", "x: float64[]", "x.eval")
def float_of_a_symbol():
    return float(sg.scalar("x"))


@building(sg.SymbolicError, TypeError, "not a number", "n: int64[]")
def range_of_a_symbol():
    return list(range(sg.scalar("n", dtype="int64")))


@building(sg.SymbolicError, TypeError, "iterate", "x: float64[", "sg.scan")
def iteration_of_unknown_length():
    return [row.sum() for row in sg.matrix("x")]


@building(sg.SymbolicError, TypeError, "length", "x: float64[", "x.shape[0]")
def length_of_unknown_length():
    return len(sg.vector("x"))


@building(sg.SymbolicError, TypeError, "in place", "x: float64[", "x.at[idx].set(value)")
def assignment_in_place():
    x = sg.vector("x")
    x[0] = 1.0


@building(sg.SymbolicError, TypeError, "`in`", "sg.any(x == value)")
def membership():
    return 1.0 in sg.vector("x")


@building(sg.SymbolicError, TypeError, "np.add", "out=", "sg.where")
def ufunc_into_an_array():
    return np.add(sg.vector("x"), 1.0, out=np.zeros(3))


@building(sg.SymbolicError, TypeError, "np.unwrap", "x: float64[", "does not take variables")
def unsupported_numpy_function():
    return np.unwrap(sg.vector("x"))


@building(sg.MemberError, AttributeError, "'summ'", "did you mean 'sum'?", "x: float64[")
def misspelt_method():
    return sg.vector("x").summ()


@building(sg.UnsupportedError, NotImplementedError, "mask", "sg.where", "x.at[mask].set(value)")
def selection_by_a_symbolic_mask():
    x = sg.vector("x")
    return x[x > 0]


# --- gradients


@building(sg.GradientError, ValueError, "int64", "n: int64[", "floating")
def gradient_by_an_integer():
    n = sg.vector("n", dtype="int64")
    return sg.grad((n * 0.5).sum(), n)


@building(sg.GradientError, ValueError, "cost is int64", "cost: int64[]", "floating")
def gradient_of_an_integer():
    x = sg.vector("x")
    return sg.grad(sg.argmax(x), x)


@building(sg.GradientError, ValueError, "must be a scalar", "float64[", "sg.sum", "sg.jacobian")
def gradient_of_an_array():
    x = sg.vector("x")
    return sg.grad(x**2, x)


@building(sg.GradientError, ValueError, "must be real", "complex128[]", "sg.real")
def gradient_of_a_complex_cost():
    z = sg.vector("z", dtype="complex128")
    return sg.grad(z.sum(), z)


@building(sg.DisconnectedError, ValueError, "does not depend", "w: float64[", 'disconnected="zero"')
def gradient_of_a_disconnected_variable():
    x, w = sg.vectors("x", "w")
    return sg.grad(x.sum(), w)


@building(sg.ArgumentError, TypeError, "grad", "3.0")
def gradient_of_a_number():
    return sg.grad(3.0, sg.scalar("x"))


# --- loops


@building(sg.ShapeError, ValueError, "state", "changes", "float64[2]", "float64[4]")
def loop_state_that_grows():
    def step(state, _):
        return sg.concat([state, state]), None

    return sg.scan(step, sg.tensor("start", shape=(2,)), length=3)


@building(sg.DTypeError, TypeError, "state", "dtype", "int64", "float64", "sg.astype")
def loop_state_that_changes_dtype():
    def step(state, _):
        return state / 2, None

    return sg.scan(step, sg.scalar("n", dtype="int64"), length=3)


@building(sg.ArgumentError, ValueError, "state that step returns", "tuple")
def loop_state_that_changes_structure():
    def step(state, _):
        return (state, state), None

    return sg.scan(step, sg.scalar("x"), length=3)


@building(sg.ArgumentError, ValueError, "pair (state, out)", "return state, None")
def loop_step_without_an_output():
    def step(state, _):
        return state * 2

    return sg.scan(step, sg.scalar("x"), length=3)


@building(sg.ShapeError, ValueError, "lengths differ", "float64[3]", "float64[4]")
def loop_over_unequal_lengths():
    a, b = sg.tensor("a", shape=(3,)), sg.tensor("b", shape=(4,))
    return sg.scan(lambda s, x: (s + x[0] * x[1], None), 0.0, (a, b))


@building(sg.ArgumentError, ValueError, "xs or length", "length=10")
def loop_without_a_length():
    return sg.scan(lambda s, _: (s * 2, None), sg.scalar("x"))


@building(sg.ShapeError, ValueError, "cond", "float64[2]", "float64[3]")
def branches_of_unequal_shapes():
    a, b = sg.tensor("a", shape=(2,)), sg.tensor("b", shape=(3,))
    return sg.cond(sg.scalar("flag", dtype="bool"), lambda: a, lambda: b)
