"""Graphs for people: as a tree (in the manner of Theano's ``debugprint``), and as a formula.

``tree_text`` shows every node once, with its inputs below it; ``formula_text`` writes what a
person would write. Neither can be read back: for that see ``ir/text.py``. Both take any depth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from symgraph.ir.graph import Graph, subgraphs, toposort
from symgraph.ir.literal import Writer, word
from symgraph.ir.node import Node
from symgraph.ir.text import as_graph, attribute_texts

DEEPEST = 60  # of a tree; further to the right nobody reads
WIDEST = 70  # letters of a formula, before a part of it gets a name
_LEAVES = ("input", "shared", "constant", "param", "dim")
INFIX: Mapping[str, tuple[str, int]] = {
    "logical_or": ("|", 1),
    "bitwise_or": ("|", 1),
    "bitwise_xor": ("^", 2),
    "logical_and": ("&", 3),
    "bitwise_and": ("&", 3),
    "less": ("<", 4),
    "less_equal": ("<=", 4),
    "greater": (">", 4),
    "greater_equal": (">=", 4),
    "equal": ("==", 4),
    "not_equal": ("!=", 4),
    "bitwise_left_shift": ("<<", 5),
    "bitwise_right_shift": (">>", 5),
    "add": ("+", 6),
    "subtract": ("-", 6),
    "multiply": ("*", 7),
    "divide": ("/", 7),
    "floor_divide": ("//", 7),
    "remainder": ("%", 7),
    "matmul": ("@", 7),
    "pow": ("**", 9),
}
"""Ops that are written between their inputs: sign and how tightly it binds, as in Python."""
_PREFIX = {"negative": "-", "bitwise_invert": "~", "logical_not": "~"}
_ATOM, _UNARY = 10, 8


Note = Callable[[Node, Writer], str]


def _type_note(node: Node, writer: Writer) -> str:
    return writer.type(node.type)


def tree_text(
    what: Graph | Node | Iterable[Node],
    *,
    depth: int = DEEPEST,
    note: Note = _type_note,
    max_nodes: int | None = None,
) -> str:
    """Every output with its inputs below it, indented; a node shown before is cut short.

    ``note``: what stands beside a node, its type if nothing else is asked for; ``max_nodes``: how
    many are shown.

    multiply: float64[n] {}  [2]
    |-- x: float64[n]
    `-- exp: float64[n]  [1]
        `-- x: float64[n]
    """
    main = as_graph(what)
    writer = Writer(exact=False, elide=4)
    found: list[str] = []
    pending = [main]
    while pending:
        graph = pending.pop(0)
        if found:
            found.append(f"graph @{writer.graphs[graph]}")
        nodes = toposort(graph.params + graph.outputs)
        for inner in (g for n in nodes for g in subgraphs(n)):
            if inner not in writer.graphs:
                writer.graphs[inner] = len(writer.graphs)
                pending.append(inner)
        found += _tree_lines(graph.outputs, writer, depth, note)
        if max_nodes is not None and len(found) > max_nodes:
            return "\n".join([*found[:max_nodes], f"... cut here, after {max_nodes} lines"]) + "\n"
    return "\n".join(found) + "\n"


def _tree_lines(outputs: Iterable[Node], writer: Writer, depth: int, note: Note) -> list[str]:
    found: list[str] = []
    shown: dict[Node, int] = {}
    # A stack of what is to be printed: node, indentation, whether it is the last of its siblings.
    stack: list[tuple[Node, str, bool, int]] = [(o, "", True, 0) for o in outputs][::-1]
    while stack:
        node, indent, is_last, level = stack.pop()
        branch = "" if level == 0 else "`-- " if is_last else "|-- "
        text = f"{indent}{branch}{_label(node, writer, note)}"
        if node in shown:
            found.append(f"{text}  [{shown[node]}, above]")
            continue
        if node.inputs:
            shown[node] = len(shown) + 1
            text += f"  [{shown[node]}]"
        found.append(text)
        below = indent + ("" if level == 0 else "    " if is_last else "|   ")
        if node.inputs and level >= depth:
            found.append(f"{below}`-- ...")
            continue
        last = len(node.inputs) - 1
        stack += [(c, below, k == last, level + 1) for k, c in enumerate(node.inputs)][::-1]
    return found


def _label(node: Node, writer: Writer, note: Note) -> str:
    shown = [f"{k}={v}" for k, v in attribute_texts(node, writer)]
    own = leaf_text(node, writer) if node.op.name in _LEAVES else word(node.op.name)
    if node.op.name in _LEAVES:
        shown = []
    elif node.name is not None:
        own += f" {word(node.name)}"
    beside = note(node, writer)
    braces = f" {{{', '.join(shown)}}}" if shown else ""
    return f"{own}: {beside}{braces}" if beside else own + braces


def leaf_text(node: Node, writer: Writer) -> str:
    """A leaf as people know it: its name, value or dimension."""
    if node.op.name == "constant":
        value = node.attrs["value"]
        if value.shape == () and value.dtype.kind in "biuf":
            return str(value)
        return node.name or writer.value(value)
    if node.op.name == "dim":
        return str(node.attrs["dim"])
    default = f"{node.op.name} {node.attrs.get('index', node.number)}"
    return node.name if node.name is not None else default


def formula_text(what: Graph | Node | Iterable[Node]) -> str:
    """The outputs as mathematics: ``log_softmax(x @ W + b)``.

    Parts that are used twice, have a user's name or grow long get a line of their own above.
    """
    main = as_graph(what)
    writer = Writer(exact=False, elide=4)
    uses = Counter(i for n in toposort(main.outputs) for i in n.inputs)
    texts: dict[Node, tuple[str, int]] = {}  # and how tightly the text binds
    found: list[str] = []
    taken: set[str] = {n.name for n in toposort(main.outputs) if n.name is not None}
    count = 0
    for node in toposort(main.outputs):
        if node.op.name in _LEAVES:
            texts[node] = (leaf_text(node, writer), _ATOM)
            continue
        text, binding = _expression(node, texts, writer)
        is_short = uses[node] == 0 or (uses[node] == 1 and len(text) <= WIDEST)
        if node.name is None and is_short:
            texts[node] = (text, binding)
            continue
        name = node.name
        while name is None or (name != node.name and name in taken):
            count += 1
            name = f"t{count}"
        taken.add(name)
        found.append(f"{name} = {text}")
        texts[node] = (name, _ATOM)
    return "\n".join([*found, *(texts[o][0] for o in main.outputs)]) + "\n"


def _expression(
    node: Node, texts: Mapping[Node, tuple[str, int]], writer: Writer
) -> tuple[str, int]:
    name = node.op.name
    if name in INFIX and len(node.inputs) == 2:
        sign, binding = INFIX[name]
        left, right = (texts[i] for i in node.inputs)
        a = left[0] if left[1] >= binding and sign != "**" else _within(left, binding + 1)
        return f"{a} {sign} {_within(right, binding + 1)}", binding
    if name in _PREFIX:
        return f"{_PREFIX[name]}{_within(texts[node.inputs[0]], _UNARY)}", _UNARY
    if name == "proj":
        return f"{_within(texts[node.inputs[0]], _ATOM)}[{node.attrs['index']}]", _ATOM
    hidden = {k for k, v in node.attrs.items() if isinstance(v, Graph)}
    shown = [f"{k}={v}" for k, v in attribute_texts(node, writer) if k not in hidden]
    return f"{name}({', '.join([*(texts[i][0] for i in node.inputs), *shown])})", _ATOM


def _within(part: tuple[str, int], binding: int) -> str:
    return part[0] if part[1] >= binding else f"({part[0]})"
