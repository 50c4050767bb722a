"""Seeded drawings for the tests of the layout: random layered graphs and dataflow-like ones.

Only ``random.Random.random`` is used, whose numbers Python promises to keep for a seed: the
crossings of Graphviz in ``dot_crossings.json`` were measured on these very graphs.
"""

from __future__ import annotations

from random import Random

from symgraph_tools.drawing import Cluster, Drawing, DrawnEdge, DrawnNode, Kind

SIZES = (10, 20, 30, 45, 60, 80, 100, 140, 200, 300)
OPS = ("add", "multiply", "exp", "tanh", "matmul", "sum", "maximum", "log", "where", "reshape")


def draw(
    count: int, edges: list[tuple[int, int]], kinds: list[Kind] | None = None, title: str = ""
) -> Drawing:
    """A drawing of numbered nodes; each edge's port is how many came before into its target."""
    nodes = [
        DrawnNode(f"n{n}", (OPS[n % len(OPS)],), kind=kinds[n] if kinds else "op")
        for n in range(count)
    ]
    taken = [0] * count
    drawn = []
    for source, target in edges:
        drawn.append(DrawnEdge(f"n{source}", f"n{target}", taken[target]))
        taken[target] += 1
    return Drawing(tuple(nodes), tuple(drawn), (), title)


def layered_graph(seed: int, count: int) -> Drawing:
    """Nodes in layers of 1 to about sqrt(count); edges go down, most of them one layer."""
    random = Random(seed).random
    widest = max(2, int(count**0.5))
    layer_of: list[int] = []
    while len(layer_of) < count:
        layer_of += [len(set(layer_of))] * (1 + int(random() * widest))
    layer_of = layer_of[:count]
    members = [
        [n for n in range(count) if layer_of[n] == layer] for layer in range(layer_of[-1] + 1)
    ]
    edges = []
    for node in range(count):
        if not layer_of[node]:
            continue
        for _ in range(1 + (random() < 0.45) + (random() < 0.1)):
            back = 1 if random() < 0.85 else 1 + int(random() * 3)
            above = members[max(layer_of[node] - back, 0)]
            edges.append((above[int(random() * len(above))], node))
    return draw(count, edges)


def dataflow_graph(seed: int, count: int) -> Drawing:
    """Operations with 1 to 3 arguments, most of them recent; some inputs, constants, weights."""
    random = Random(seed).random
    kinds: list[Kind] = ["input", "shared"]
    edges: list[tuple[int, int]] = []
    while len(kinds) < count:
        node, draw_kind = len(kinds), random()
        if draw_kind < 0.08 and node + 1 < count:
            kinds.append("constant" if draw_kind < 0.04 else "shared")
            continue
        kinds.append("op")
        arguments = 1 + (random() < 0.55) + (random() < 0.08)
        for _ in range(arguments):
            recent = random() < 0.8
            reach = min(node, 4 if recent else 40)
            edges.append((node - 1 - int(random() * reach), node))
    used = {source for source, _ in edges}
    kinds = ["output" if k == "op" and n not in used else k for n, k in enumerate(kinds)]
    return draw(count, edges, kinds)


def comparison_graphs() -> dict[str, Drawing]:
    """The graphs on which crossings are compared with Graphviz, by name."""
    graphs = {}
    for size in SIZES:
        for number in range(3):
            graphs[f"layered-{size}-{number}"] = layered_graph(1000 * size + number, size)
        for number in range(3):
            graphs[f"dataflow-{size}-{number}"] = dataflow_graph(1000 * size + number, size)
    return graphs


def network(layers: int = 4) -> Drawing:
    """A multi-layer network with its loss and gradients, in Theano's manner; labels on edges."""
    nodes: dict[str, DrawnNode] = {}
    edges: list[DrawnEdge] = []

    def add(name: str, text: str, kind: Kind, *inputs: str, shape: str = "") -> str:
        lines = (text, shape) if shape else (text,)
        nodes[name] = DrawnNode(name, lines, kind, tooltip=f"{name}: {text}")
        for port, source in enumerate(inputs):
            label = nodes[source].lines[-1] if len(nodes[source].lines) > 1 else "f32"
            edges.append(DrawnEdge(source, name, port, label))
        return name

    last = add("x", "x", "input", shape="f32[batch, 784]")
    target = add("y", "y", "input", shape="i64[batch]")
    hidden, weights = [last], []
    for n in range(layers):
        shape = f"f32[batch, {512 >> n}]"
        w = add(f"W{n}", f"W{n}", "shared", shape=f"f32[{784 if not n else 1024 >> n}, {512 >> n}]")
        b = add(f"b{n}", f"b{n}", "shared", shape=f"f32[{512 >> n}]")
        product = add(f"mm{n}", "matmul", "op", last, w, shape=shape)
        biased = add(f"add{n}", "add", "op", product, b, shape=shape)
        last = add(f"act{n}", "tanh", "op", biased, shape=shape)
        hidden.append(last)
        weights.append((w, b))
    logits = add("ls", "log_softmax", "op", last)
    loss = add("nll", "take", "op", logits, target)
    cost = add("cost", "mean", "op", loss)
    add("out", "cost", "output", cost)
    rate = add("rate", "0.01", "constant")
    grad = add("d_ls", "softmax_grad", "op", logits, target)
    for n in reversed(range(layers)):
        w, b = weights[n]
        one = add(f"sq{n}", "1 - y²", "op", hidden[n + 1])
        grad = add(f"d_add{n}", "multiply", "op", grad, one)
        d_w = add(f"d_W{n}", "matmul ᵀ", "op", hidden[n], grad)
        d_b = add(f"d_b{n}", "sum", "op", grad)
        add(f"new_W{n}", "fma", "output", d_w, rate, w)
        add(f"new_b{n}", "fma", "output", d_b, rate, b)
        if n:
            grad = add(f"d_act{n}", "matmul", "op", grad, w)
    return Drawing(tuple(nodes.values()), tuple(edges), (), f"{layers}-layer network")


def clustered() -> Drawing:
    """Two encoders in scopes of their own, nested twice, a fused kernel and a loop's body."""
    clusters = (
        Cluster("enc", "encoder"),
        Cluster("enc.a", "attention", "enc"),
        Cluster("enc.m", "mlp", "enc"),
        Cluster("dec", "decoder"),
        Cluster("body", "scan body, 100 steps", "dec"),
        Cluster("fused", "kernel 3: softmax of rows"),
    )
    rows = (
        ("x", "x", "input", None, ()),
        ("wq", "W_query", "shared", "enc.a", ()),
        ("wk", "W_key", "shared", "enc.a", ()),
        ("q", "matmul", "op", "enc.a", ("x", "wq")),
        ("k", "matmul", "op", "enc.a", ("x", "wk")),
        ("s", "matmul", "op", "enc.a", ("q", "k")),
        ("max", "max", "op", "fused", ("s",)),
        ("sub", "subtract", "op", "fused", ("s", "max")),
        ("exp", "exp", "op", "fused", ("sub",)),
        ("sum", "sum", "op", "fused", ("exp",)),
        ("div", "divide", "op", "fused", ("exp", "sum")),
        ("w1", "W_1", "shared", "enc.m", ()),
        ("m1", "matmul", "op", "enc.m", ("x", "w1")),
        ("r1", "relu", "kernel", "enc.m", ("m1",)),
        ("join", "concatenate", "op", "enc", ("q", "r1")),
        ("h0", "zeros", "constant", "dec", ()),
        ("u", "U", "shared", "dec", ()),
        ("h", "matmul", "op", "body", ("h0", "u")),
        ("g", "add", "op", "body", ("h", "join")),
        ("t", "tanh", "op", "body", ("g",)),
        ("o", "matmul", "op", "dec", ("t", "u")),
        ("mix", "matmul", "op", None, ("div", "o")),
        ("y", "y", "output", None, ("mix",)),
        ("skip", "add", "op", None, ("x", "mix")),
        ("z", "z", "output", None, ("skip",)),
    )
    nodes = tuple(DrawnNode(i, (text,), kind, where) for i, text, kind, where, _ in rows)
    edges = tuple(
        DrawnEdge(source, row[0], port) for row in rows for port, source in enumerate(row[4])
    )
    return Drawing(nodes, edges, clusters, "scopes, a kernel and a loop")
