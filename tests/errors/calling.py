"""Mistakes made while functions are compiled, called and configured."""

from __future__ import annotations

import numpy as np

import symgraph as sg
from tests.errors.mistakes import Catalogue

calling = Catalogue()


def doubled():
    """A function of two vectors of one length."""
    x = sg.tensor("x", shape=("n",))
    y = sg.tensor("y", shape=("n",))
    return sg.function([x, y], 2 * x + y, name="doubled")


# --- inputs and outputs of sg.function


@calling(sg.MissingInputError, ValueError, "w: float64[", "x", "givens=", "sg.shared")
def output_that_needs_another_input():
    x, w = sg.vectors("x", "w")
    return sg.function([x], x * w)


@calling(sg.UnusedInputError, ValueError, "input 'y'", "float64[", "on_unused_input='ignore'")
def input_that_nothing_uses():
    x, y = sg.vectors("x", "y")
    return sg.function([x, y], x + 1)


@calling(sg.ArgumentError, ValueError, "input x", "twice", "float64[")
def input_listed_twice():
    x = sg.vector("x")
    return sg.function([x, x], x + 1)


@calling(sg.ArgumentError, TypeError, "input 0", "multiply: float64[", "givens=")
def intermediate_as_an_input():
    x = sg.vector("x")
    return sg.function([x * 2], x + 1)


@calling(sg.ArgumentError, TypeError, "input 1", "3.0", "sg.tensor")
def number_as_an_input():
    x = sg.vector("x")
    return sg.function([x, 3.0], x + 1)


@calling(sg.ArgumentError, TypeError, "compiled function", "expression")
def function_as_an_output():
    x = sg.vector("x")
    return sg.function([x], sg.function([x], x + 1))


# --- updates and givens


@calling(sg.ArgumentError, TypeError, "updates", "x: float64[]", "sg.shared")
def update_of_an_input():
    x = sg.scalar("x")
    return sg.function([x], updates={x: x + 1})


@calling(sg.DTypeError, TypeError, "update of steps", "float64", "int64", "sg.astype")
def update_of_another_dtype():
    steps = sg.shared(np.int64(0), "steps")
    return sg.function([], updates={steps: steps * 0.5})


@calling(sg.ShapeError, ValueError, "update of w", "(2,)", "(3,)")
def update_of_another_length():
    w = sg.shared(np.zeros(3), "w")
    return sg.function([], updates={w: w[:2]})


@calling(sg.ShapeError, ValueError, "update of w", "()", "(3,)")
def update_of_another_rank():
    w = sg.shared(np.zeros(3), "w")
    return sg.function([], updates={w: w.sum()})


@calling(sg.ArgumentError, ValueError, "updates", "w", "twice")
def update_given_twice():
    w = sg.shared(np.zeros(3), "w")
    return sg.function([], updates=[(w, w + 1), (w, w + 2)])


@calling(sg.ArgumentError, ValueError, "updates", "pairs")
def updates_that_are_no_pairs():
    w = sg.shared(np.zeros(3), "w")
    return sg.function([], updates=[w + 1])


@calling(sg.DTypeError, TypeError, "givens", "n", "float64", "int64", "sg.astype")
def given_of_another_dtype():
    n, x = sg.scalar("n", dtype="int64"), sg.scalar("x")
    return sg.function([x], n * 2, givens={n: x})


@calling(sg.ShapeError, ValueError, "w", "(3,)", "(4,)")
def value_of_another_shape():
    sg.shared(np.zeros(3), "w").set_value(np.zeros(4))


@calling(sg.DTypeError, TypeError, "steps", "int64", "float64")
def value_of_another_dtype():
    sg.shared(np.int64(0), "steps").set_value(0.5)


@calling(sg.DTypeError, TypeError, "sg.shared", "symbolic variable", "x.eval()")
def shared_of_a_symbol():
    return sg.shared(sg.scalar("x"))


# --- arguments of a call


@calling(sg.ArgumentError, TypeError, "doubled", "misses", "'y'", "inputs: x, y")
def argument_missing():
    doubled()(np.zeros(3))


@calling(sg.ArgumentError, TypeError, "doubled", "takes 2 arguments, got 3", "inputs: x, y")
def argument_too_many():
    doubled()(np.zeros(3), np.zeros(3), np.zeros(3))


@calling(sg.ArgumentError, TypeError, "doubled", "'x' twice")
def argument_twice():
    doubled()(np.zeros(3), x=np.zeros(3))


@calling(sg.ArgumentError, TypeError, "doubled", "'weight'", "did you mean 'weights'?")
def argument_misspelt():
    w = sg.vector("weights")
    sg.function([sg.In(w, default=np.ones(2))], w * 2, name="doubled")(weight=np.zeros(2))


@calling(
    sg.ShapeError, ValueError, "'x'", "has 2 axes, 1 are needed", "float64[1, 3]", "float64[n]"
)
def argument_of_another_rank():
    doubled()(np.zeros((1, 3)), np.zeros(3))


@calling(sg.ShapeError, ValueError, "doubled", "axis 0 of y", "n = 3", "got 4", "(3,)", "(4,)")
def arguments_of_unequal_lengths():
    doubled()(np.zeros(3), np.zeros(4))


@calling(sg.ShapeError, ValueError, "axis 0 of x", "must be 3", "got 4", "declared")
def argument_of_another_length():
    x = sg.tensor("x", shape=(3,))
    sg.function([x], x + 1)(np.zeros(4))


@calling(sg.ShapeError, ValueError, "add", "3 and 4", "(a): float64[", "(b): float64[")
def lengths_that_meet_in_an_op():
    a, b = sg.vectors("a", "b")
    sg.function([a, b], a + b)(np.zeros(3), np.zeros(4))


@calling(sg.ShapeError, ValueError, "matmul", "3 and 4", "(a): float64[", "(b): float64[")
def inner_dims_that_meet_in_a_product():
    a, b = sg.matrices("a", "b")
    sg.function([a, b], a @ b)(np.zeros((2, 3)), np.zeros((4, 5)))


@calling(sg.ShapeError, ValueError, "reshape", "5 and 4", "(x): float64[")
def elements_that_do_not_fill_a_shape():
    x = sg.vector("x")
    sg.function([x], x.reshape(2, -1))(np.zeros(5))


@calling(sg.DTypeError, TypeError, "'n'", "float64", "int64", "change values", "astype('int64')")
def argument_that_loses_fractions():
    n = sg.vector("n", dtype="int64")
    sg.function([n], n + 1)(np.array([0.5, 1.0]))


@calling(sg.DTypeError, TypeError, "'x'", "float64", "float32", "change values", "float32[")
def argument_that_loses_digits():
    x = sg.vector("x", dtype="float32")
    sg.function([x], x + 1)(np.array([0.1]))


@calling(sg.DTypeError, TypeError, "'x'", "complex128", "float64", "change values")
def argument_that_loses_imaginary_parts():
    x = sg.vector("x")
    sg.function([x], x + 1)(np.array([1j]))


@calling(sg.DTypeError, TypeError, "'x'", "no numbers", "float64[", "<U3")
def text_as_an_argument():
    x = sg.vector("x")
    sg.function([x], x + 1)(["one", "two"])


@calling(sg.DTypeError, TypeError, "'x'", "no numbers", "object", "float64[]")
def none_as_an_argument():
    x = sg.scalar("x")
    sg.function([x], x + 1)(None)


@calling(sg.DTypeError, TypeError, "'x'", "masked array", ".filled(value)")
def masked_argument():
    x = sg.vector("x")
    sg.function([x], x + 1)(np.ma.masked_array([1.0, 2.0], [True, False]))


@calling(sg.ArgumentError, TypeError, "'x'", "cannot become an array", "list", "inhomogeneous")
def ragged_argument():
    x = sg.matrix("x")
    sg.function([x], x + 1)([[1.0], [1.0, 2.0]])


@calling(sg.ArgumentError, TypeError, "'x'", "symbolic variable", "givens=", "float64[")
def symbol_as_an_argument():
    x = sg.vector("x")
    sg.function([x], x + 1)(sg.vector("y"))


# --- out=


@calling(sg.ShapeError, ValueError, "doubled", "out=", "(4,)", "(3,)")
def result_array_of_another_shape():
    doubled()(np.zeros(3), np.zeros(3), out=np.zeros(4))


@calling(sg.DTypeError, TypeError, "doubled", "out=", "float32", "float64")
def result_array_of_another_dtype():
    doubled()(np.zeros(3), np.zeros(3), out=np.zeros(3, "float32"))


@calling(sg.ArgumentError, TypeError, "doubled", "out=", "list")
def result_array_that_is_a_list():
    doubled()(np.zeros(3), np.zeros(3), out=[[0.0, 0.0, 0.0]])


# --- values found while running


@calling(sg.BoundsError, IndexError, "index 3", "axis 0", "length 3", "x: float64[", "gather")
def index_past_the_end():
    x, k = sg.vector("x"), sg.scalar("k", dtype="int64")
    sg.function([x, k], x[k])(np.zeros(3), 3)


@calling(sg.BoundsError, IndexError, "index -4", "length 3", "-length to length - 1")
def index_before_the_start():
    x, k = sg.vector("x"), sg.vector("k", dtype="int64")
    sg.function([x, k], x[k] * 2)(np.zeros(3), [0, -4])


@calling(sg.BoundsError, IndexError, "gather", "index 3", "size 3", "x: float64[", "help")
def index_past_the_end_in_debug_mode():
    x, k = sg.vector("x"), sg.scalar("k", dtype="int64")
    sg.function([x, k], x[k], mode="debug")(np.zeros(3), 3)


@calling(sg.NumericError, FloatingPointError, "NaN", "log: float64[", "1 of 2", "(1,)")
def logarithm_of_a_negative_number():
    x = sg.vector("x")
    sg.function([x], sg.log(x), mode="debug")(np.array([1.0, -1.0]))


@calling(sg.NumericError, FloatingPointError, "inf", "exp: float64[", "mode='fast'")
def exponential_that_overflows():
    x = sg.vector("x")
    sg.function([x], sg.exp(x).sum(), mode="debug")(np.array([1.0, 1e3]))


# --- settings


@calling(sg.ConfigError, AttributeError, "'floatx'", "did you mean 'floatX'?", line=False)
def misspelt_setting():
    sg.config.floatx = "float32"


@calling(sg.ConfigError, ValueError, "'floatX'", "'half'", "'float32', 'float64'", line=False)
def value_that_a_setting_does_not_take():
    sg.config.floatX = "half"


@calling(sg.ArgumentError, ValueError, "no mode 'fats'", "did you mean 'fast'?")
def misspelt_mode():
    x = sg.vector("x")
    return sg.function([x], x + 1, mode="fats")


@calling(sg.ArgumentError, ValueError, "no backend 'nunba'", "did you mean 'numba'?")
def misspelt_backend():
    x = sg.vector("x")
    return sg.function([x], x + 1, mode=sg.Mode(backend="nunba"))


@calling(sg.ArgumentError, ValueError, "accuracy", "'hihg'", "did you mean 'high'?")
def misspelt_accuracy():
    return sg.Mode(accuracy="hihg")


@calling(sg.ArgumentError, ValueError, "on_unused_input", "'error'", "raise, warn or ignore")
def misspelt_policy():
    x = sg.vector("x")
    return sg.function([x], x + 1, on_unused_input="error")


@calling(sg.ArgumentError, ValueError, "threads", "-1")
def negative_threads():
    x = sg.vector("x")
    return sg.function([x], x + 1, threads=-1)


@calling(sg.DeviceError, RuntimeError, "no device 'gpu'", "use 'cpu' or 'cuda'")
def unknown_device():
    x = sg.vector("x")
    return sg.function([x], x + 1, device="gpu")
