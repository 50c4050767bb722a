"""Fifty traces for the page: small formulas, loops and branches, gradients, networks, large graphs.

None is compiled: the interpreter stands in for a code generator, which is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import symgraph as sg
from symgraph.trace.trace import Trace
from symgraph_tools.bench.goals import chain

MODE = sg.Mode(backend="interp")


def traced(inputs: Any, outputs: Any, name: str, **options: Any) -> Trace:
    """The trace of a function that is not compiled."""
    return sg.function(
        inputs, outputs, name=name, mode=MODE, on_unused_input="ignore", **options
    ).trace


def network(depth: int) -> Trace:
    """A network of some layers with a naive cross-entropy, and its training step."""
    x = sg.tensor("x", shape=("n", 8), dtype="float32")
    labels = sg.tensor("labels", shape=("n",), dtype="int64")
    params, hidden = [], x
    for k in range(depth):
        w = sg.shared(np.ones((8, 8), "float32"), f"w{k}")
        b = sg.shared(np.zeros(8, "float32"), f"b{k}")
        params += [w, b]
        hidden = sg.maximum(hidden @ w + b, 0)
    p = sg.exp(hidden) / sg.sum(sg.exp(hidden), axis=1, keepdims=True)
    loss = -sg.mean(sg.log(p[sg.arange(labels.shape[0]), labels]))
    slopes = sg.grad(loss, params)
    updates = {q: q - 0.1 * g for q, g in zip(params, slopes, strict=True)}
    return traced([x, labels], loss, f"network of {depth}", updates=updates)


def recurrent(checkpoint: bool) -> Trace:
    """A loop with its gradient."""
    xs, w = sg.tensor("xs", shape=("t", 3)), sg.shared(np.eye(3), "w")

    def step(h: Any, x: Any) -> Any:
        made = sg.tanh(h @ w + x)
        return made, made

    _, found = sg.scan(step, sg.zeros(3), xs=xs, checkpoint=checkpoint)
    loss = sg.mean(sg.square(found))
    return traced([xs], [loss, sg.grad(loss, w)], "recurrent")


def branch() -> Trace:
    """Lazy branches inside a loop."""
    x = sg.vector("x")
    y = sg.cond(x.sum() > 0, lambda: sg.exp(x), lambda: x - 1)
    last, _ = sg.scan(lambda s, v: (sg.maximum(s, v), None), sg.constant(0.0), xs=y)
    return traced([x], last, "branch")


def hostile() -> Trace:
    """Names that try to leave their place in the file."""
    bad = "</script><img src=x onerror=alert(1)>"
    x = sg.vector(bad)
    y = sg.log(1 + sg.exp(x * sg.shared(np.ones(1), "'\"<!--")))
    return traced([x], {"]]>": y}, "<b>&amp;</b></title>")


FORMULAS: dict[str, Callable[[Any, Any], Any]] = {
    "log of 1 minus sigmoid": lambda x, m: sg.log(1 - sg.sigmoid(x)),
    "softplus": lambda x, m: sg.log(1 + sg.exp(x)),
    "logsumexp": lambda x, m: sg.log(sg.sum(sg.exp(m), axis=1)),
    "softmax": lambda x, m: sg.exp(m) / sg.sum(sg.exp(m), axis=1, keepdims=True),
    "log of softmax": lambda x, m: sg.log(sg.softmax(m, axis=1)),
    "variance": lambda x, m: sg.mean((m - sg.mean(m, axis=0)) ** 2, axis=0),
    "norm": lambda x, m: sg.sqrt(sg.sum(m * m, axis=1)),
    "expm1": lambda x, m: (sg.exp(x) - 1) / x,
    "log1p": lambda x, m: sg.log(1 + x) / x,
    "quotients": lambda x, m: (x / (x * 2)) * (x + x - x),
    "powers": lambda x, m: x**2 * x**3 / x**4,
    "where": lambda x, m: sg.where(x > 0, sg.log(x), 0.0),
    "matmul chain": lambda x, m: m.mT @ m @ m.mT,
    "identity": lambda x, m: x,
    "constant": lambda x, m: sg.constant(np.arange(3.0)),
    "polynomial": lambda x, m: 1 + x * (2 + x * (3 + x * 4)),
    "trig": lambda x, m: sg.sin(x) ** 2 + sg.cos(x) ** 2,
    "hypot": lambda x, m: sg.sqrt(x**2 + 1),
    "sort": lambda x, m: sg.sort(x)[::-1],
    "cumulative": lambda x, m: sg.cumsum(x) / (sg.arange(x.shape[0]) + 1),
    "concat": lambda x, m: sg.concat([x, x * 2, sg.flip(x)]),
    "index": lambda x, m: m[0] + m[-1, 1:2],
    "einsum": lambda x, m: sg.einsum("ij,kj->ik", m, m),
    "erf": lambda x, m: sg.erfc(x) * sg.exp(x**2),
    "tanh": lambda x, m: 1 - sg.tanh(x) ** 2,
    "many outputs": lambda x, m: {"a": [x + k for k in range(12)], "b": (x, m)},
}


def corpus(most: int = 10_000) -> Iterator[tuple[str, Trace]]:
    """Fifty, by name, the largest of about 10,000 nodes; or those of at most so many."""
    for name, formula in FORMULAS.items():
        x, m = sg.vector("x"), sg.matrix("m")
        yield name, traced([x, m], formula(x, m), name)
    for name in [*FORMULAS][:13]:
        x, m = sg.vector("x"), sg.matrix("m")
        value = FORMULAS[name](x, m)
        cost = sg.sum(value)
        wrt = m if name in ("logsumexp", "softmax", "log of softmax", "variance", "norm") else x
        wrt = m if name == "matmul chain" else wrt
        yield f"gradient of {name}", traced([x, m], [cost, sg.grad(cost, wrt)], name)
    for depth in (1, 4):
        yield f"network of {depth}", network(depth)
    yield "recurrent", recurrent(False)
    yield "recurrent with checkpoints", recurrent(True)
    yield "branch", branch()
    yield "hostile", hostile()
    for count in (120, 500, 1_000, 2_500, 10_000):
        if count <= most:
            yield f"chain of {count}", chain(count)
