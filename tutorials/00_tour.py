# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tour of symgraph
#
# Ten minutes from nothing to a trained classifier. You write a formula as it stands in the book;
# symgraph checks it, makes it accurate, differentiates it, and compiles it.
#
# Install with `pip install .` in a clone. This notebook needs the extra `tutorials` only to run as
# a notebook.

# %%
import numpy as np

import symgraph as sg

# %% [markdown]
# ## 1. Build
#
# A variable stands for an array that comes later. `"n"` is a dimension that the call will tell:
# axes with the same name must have the same length.

# %%
x = sg.tensor("x", shape=("n", 3))
w = sg.vector("w")
y = sg.tanh(x @ w)
y.shape, y.dtype

# %% [markdown]
# Nothing has been computed. `y` is a graph, which one can look at: inputs are blue, outputs green.

# %%
y

# %% [markdown]
# `sg.printing` writes it as text: as mathematics, LaTeX, or a tree.

# %%
print(sg.printing.math(y))
sg.printing.dprint(y)

# %% [markdown]
# ## 2. Call
#
# `sg.function` makes something that computes. It is compiled to machine code at the first call, and
# kept on disk, so the next program that needs the same function finds it.

# %%
f = sg.function([x, w], y)
value = f([[1.0, 2.0, 3.0], [0.0, 0.5, 0.0]], [0.1, 0.2, 0.3])
value

# %%
assert np.allclose(value, np.tanh([1.4, 0.1]), rtol=1e-15)

# %% [markdown]
# NumPy's own functions build graphs too, so much code works as it is:

# %%
hypotenuse = np.sqrt(np.square(w).sum())
length = sg.function([w], hypotenuse)
length([3.0, 4.0])

# %%
assert length([3.0, 4.0]) == 5.0

# %% [markdown]
# ## 3. Differentiate
#
# `sg.grad` gives the gradient of a scalar as one more graph, whose gradient one may ask again.

# %%
t = sg.scalar("t")
cube = t**3
slope = sg.grad(cube, t)
bend = sg.grad(slope, t)
g = sg.function([t], {"value": cube, "slope": slope, "bend": bend})
g(2.0)

# %%
assert g(2.0) == {"value": 8.0, "slope": 12.0, "bend": 12.0}

# %% [markdown]
# ## 4. A naive formula, made stable
#
# The logarithm of a probability: in floating point `1 - sigmoid(40)` is 0, so NumPy says `-inf`.

# %%
z = sg.vector("z")
log_no = sg.log(1 - sg.sigmoid(z))
safe = sg.function([z], [log_no, sg.grad(log_no.sum(), z)])
points = np.array([1.0, 40.0, 800.0])
with np.errstate(divide="ignore", over="ignore"):
    naive = np.log(1 - 1 / (1 + np.exp(-points)))
value, slope = safe(points)
print("NumPy:   ", naive)
print("symgraph:", value)
print("gradient:", slope)

# %%
assert np.isneginf(naive[1:]).all()
assert np.allclose(value, [-np.log1p(np.e), -40.0, -800.0], rtol=1e-15)
assert np.allclose(slope, [-1 / (1 + np.exp(-1)), -1.0, -1.0], rtol=1e-15)

# %% [markdown]
# What happened is no secret: the trace has every rewrite, with its reason and its source. These are
# the repairs; others only tidy.

# %%
for step in safe.trace:
    if step.table == "stabilize":
        print(step, end="\n\n")

# %%
assert any("digits" in step.why or "overflow" in step.why for step in safe.trace)

# %% [markdown]
# The same as a picture, before and after:

# %%
safe.trace

# %% [markdown]
# The code that runs can be read as well. This is a kernel as plain Python, which runs on NumPy
# arrays; numba compiles the same loops.

# %%
print(safe.kernels[0].source)

# %% [markdown]
# ## 5. State
#
# `sg.shared` is an array that outlives a call; `updates` says what becomes of it. All updates are
# computed from the old values and made together, or, if the call fails, not at all.

# %%
total = sg.shared(0.0, "total")
amount = sg.scalar("amount")
pay_in = sg.function([amount], total, updates={total: total + amount})
pay_in(10.0), pay_in(5.0), float(total.get_value())

# %%
assert total.get_value() == 15.0

# %% [markdown]
# ## 6. Learn
#
# 1,797 handwritten digits come with the project. A classifier gives each image ten numbers, its
# *logits*; the probability of a digit is the softmax of them; the loss is how improbable the right
# digits were. Written as in the book, with nothing done about overflow:

# %%
from symgraph_tools.datasets import load_digits

digits = load_digits()
images = sg.tensor("images", shape=("n", 64), dtype="float32")
labels = sg.tensor("labels", shape=("n",), dtype="int64")

weights = sg.shared(np.zeros((64, 10), "float32"), "weights")
bias = sg.shared(np.zeros(10, "float32"), "bias")
logits = images @ weights + bias
p = sg.exp(logits) / sg.sum(sg.exp(logits), axis=1, keepdims=True)
loss = -sg.mean(sg.log(p[sg.arange(labels.shape[0]), labels]))

params = [weights, bias]
updates = {q: q - 0.5 * slope for q, slope in zip(params, sg.grad(loss, params), strict=True)}
train = sg.function([images, labels], loss, updates=updates)
read = sg.function([images], sg.argmax(logits, axis=1))

# %% [markdown]
# Forty times through all of the digits, 64 at a time, each time in another order:

# %%
order = np.random.default_rng(0)
for epoch in range(40):
    shuffled = order.permutation(len(digits.train.labels))
    losses = [
        train(digits.train.images[batch], digits.train.labels[batch])
        for batch in np.array_split(shuffled, len(shuffled) // 64)
    ]
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")

accuracy = np.mean(read(digits.test.images) == digits.test.labels)
print(f"{accuracy:.1%} of {len(digits.test.labels)} held-out digits are read rightly")

# %%
assert accuracy >= 0.95

# %% [markdown]
# The compiler saw the softmax, and the logarithm of it:

# %%
for step in train.trace:
    if step.rule in ("softmax by hand", "log of softmax"):
        print(step, end="\n\n")

# %%
assert {"softmax by hand", "log of softmax"} <= {step.rule for step in train.trace}

# %% [markdown]
# So logits may be in the thousands, where the naive formula has no value:

# %%
bright = digits.test.images * np.float32(10_000)
measure = sg.function([images, labels], loss)
with np.errstate(all="ignore"):
    e = np.exp(bright @ weights.get_value() + bias.get_value())
    naive = -np.mean(np.log((e / e.sum(1, keepdims=True))[np.arange(len(e)), digits.test.labels]))
print("NumPy:   ", naive)
print("symgraph:", measure(bright, digits.test.labels))

# %%
assert np.isnan(naive)
assert np.isfinite(measure(bright, digits.test.labels))

# %% [markdown]
# ## 7. Look
#
# A function shows its graph: state is yellow. `symgraph show` does the same from the command line,
# in any format.

# %%
measure

# %% [markdown]
# `view()` makes a page that steps through everything the compiler did, with reasons, source and
# kernels. A cell that ends in it shows it here; `save` writes it as one file, which needs no
# network.

# %%
page = train.view()
import tempfile
from pathlib import Path

file = page.save(Path(tempfile.mkdtemp()) / "train.html")
print(f"{file.stat().st_size / 1000:.0f} kB")

# %%
assert "softmax by hand" in page.html
assert "log_softmax" in train.trace._repr_mimebundle_()["image/svg+xml"]

# %% [markdown]
# ## 8. Err
#
# Mistakes are found when the graph is built, where they were made. The message has the shapes, the
# line of your program, and what to do:

# %%
wrong = sg.tensor("wrong", shape=("n", 32), dtype="float32")
try:
    logits = wrong @ weights + bias
except sg.ShapeError as error:
    print(error)
    message = str(error)

# %%
assert "wrong @ weights" in message
assert "float32[n, 32]" in message

# %% [markdown]
# Where only the call can tell, the call does:

# %%
try:
    measure(digits.test.images, digits.test.labels[:7])
except sg.ShapeError as error:
    print(error)
    message = str(error)

# %%
assert "labels" in message

# %% [markdown]
# ## Next
#
# - `symgraph demo` trains a network too, and compares with NumPy.
# - `symgraph print` and `symgraph show` read the graphs of your own programs.
# - [`symgraph/compile.py`](../symgraph/compile.py) has the stages of the compiler in order;
#   [`symgraph/rewrite/stabilize.py`](../symgraph/rewrite/stabilize.py) has rules like those above.
