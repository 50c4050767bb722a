"""How each op is written: in Unicode for the terminal, in LaTeX for papers.

A written part is its text and how tightly it binds, so that parentheses stand only where they must.
An op without a row in ``FORMS`` is a call by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from symgraph.ir.graph import Graph
from symgraph.ir.literal import Writer
from symgraph.ir.node import Node
from symgraph.ir.text import attribute_texts
from symgraph.ir.views import INFIX, leaf_text
from symgraph.records import dataclass

Part = tuple[str, int]  # a text, and how tightly it binds, as in Python
ATOM, POWER, UNARY, COMPARE = 10, 9, 8, 4
LEAVES = ("input", "shared", "constant", "param", "dim")
UNSAID = ("expand_dims", "broadcast_to", "astype", "squeeze")  # what mathematics does not mention
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi",
    "omega",
)  # fmt: skip
TAKEN_FOR_GRANTED = frozenset(
    {("scan", "n_state"), ("scan", "n_xs"), ("scan", "length"), ("sum_to", "shape")}
)
FUNCTIONS = frozenset(["exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min"])


@dataclass(frozen=True, slots=True)
class Dialect:
    """The signs and forms in which Unicode and LaTeX differ."""

    infix: Mapping[str, str]
    matmul: str
    times: str
    call: Callable[[str, Sequence[str]], str]
    power: Callable[[str, str], str]
    root: Callable[[str, bool], str]
    transposed: str
    magnitude: str
    name: Callable[[str], str]
    fraction: Callable[[str, str], str] | None
    paren: str
    index: str


def _unicode_power(base: str, exponent: str) -> str:
    if exponent.lstrip("-").isdigit():
        return base + exponent.translate(SUPERSCRIPTS)
    return f"{base}**{exponent}"


def _latex_call(name: str, args: Sequence[str]) -> str:
    inside = ", ".join(args)
    sign = f"\\{name}" if name in FUNCTIONS else f"\\operatorname{{{_latex_escaped(name)}}}"
    return f"{sign}\\left({inside}\\right)"


def _latex_escaped(text: str) -> str:
    marks = {"_": "\\_", "%": "\\%", "#": "\\#", "&": "\\&", "$": "\\$", "{": "\\{", "}": "\\}"}
    return "".join(
        marks.get(c, c) if c not in "\\^~" else "\\textasciitilde{}"[: 0 if c != "~" else None]
        for c in text
    )


def latex_name(text: str) -> str:
    """``x``, ``w_{1}``, ``\\alpha``, ``\\mathrm{weights}``."""
    stem = text.rstrip("0123456789")
    digits = text[len(stem) :]
    if stem in GREEK or stem.lower() in GREEK:
        base = f"\\{stem}"
    elif len(stem) == 1:
        base = stem
    else:
        return f"\\mathrm{{{_latex_escaped(text)}}}"
    return f"{base}_{{{digits}}}" if digits else base


UNICODE = Dialect(
    infix={k: v[0] for k, v in INFIX.items()}
    | {"less_equal": "≤", "greater_equal": "≥", "equal": "=", "not_equal": "≠"},
    matmul="·",
    times=" * ",
    call=lambda name, args: f"{name}({', '.join(args)})",
    power=_unicode_power,
    root=lambda text, atomic: f"√{text}" if atomic else f"√({text})",
    transposed="ᵀ",
    magnitude="|{}|",
    name=lambda text: text,
    fraction=None,
    paren="({})",
    index="{}[{}]",
)
LATEX = Dialect(
    infix={
        "add": "+", "subtract": "-", "multiply": "\\odot", "divide": "/", "remainder": "\\bmod",
        "floor_divide": "\\div", "less": "<", "less_equal": "\\le", "greater": ">",
        "greater_equal": "\\ge", "equal": "=", "not_equal": "\\ne", "logical_and": "\\wedge",
        "logical_or": "\\vee", "bitwise_and": "\\mathbin{\\&}", "bitwise_or": "\\mathbin{|}",
        "bitwise_xor": "\\oplus", "bitwise_left_shift": "\\ll", "bitwise_right_shift": "\\gg",
    },
    matmul="\\,",
    times="\\,",
    call=_latex_call,
    power=lambda base, exponent: f"{base}^{{{exponent}}}",
    root=lambda text, atomic: f"\\sqrt{{{text}}}",
    transposed="^{\\top}",
    magnitude="\\left|{}\\right|",
    name=latex_name,
    fraction=lambda a, b: f"\\frac{{{a}}}{{{b}}}",
    paren="\\left({}\\right)",
    index="{}_{{{}}}",
)  # fmt: skip


def leaf(node: Node, writer: Writer, dialect: Dialect) -> Part:
    """A leaf by its name or its number; ``1.0`` is ``1`` here."""
    text = leaf_text(node, writer)
    if node.op.name == "constant":
        if node.tensor.shape != () or node.tensor.dtype.kind not in "iuf":
            return (dialect.name(text) if node.name else text, ATOM)
        text = text.removesuffix(".0")
        if dialect is LATEX and "e" in text:
            mantissa, _, exponent = text.partition("e")
            return (f"{mantissa}\\cdot 10^{{{int(exponent)}}}", 7)
        return (text, UNARY - 1 if text.startswith("-") else ATOM)
    if node.op.name == "dim":
        return (text, ATOM if text.isidentifier() or text.isdigit() else 6)
    return (dialect.name(text.replace("param ", "p")), ATOM)


def expression(node: Node, parts: Sequence[Part], writer: Writer, dialect: Dialect) -> Part:
    """A node over its written inputs."""
    form = FORMS.get(node.op.name)
    if form is not None:
        made = form(node, parts, dialect)
        if made is not None:
            return made
    return _call(node, parts, writer, dialect)


def within(part: Part, binding: int, dialect: Dialect) -> str:
    """The text of a part, in parentheses where it binds less tightly."""
    return part[0] if part[1] >= binding else dialect.paren.format(part[0])


def _call(node: Node, parts: Sequence[Part], writer: Writer, dialect: Dialect) -> Part:
    shown = [
        f"{key}={text}"
        for key, text in map(_axis, attribute_texts(node, writer))
        if text not in ("False", "None") and not _is_plain(key, node)
    ]
    if dialect is LATEX:
        shown = [f"\\text{{{_latex_escaped(text)}}}" for text in shown]
    return dialect.call(node.op.name, [*(text for text, _ in parts), *shown]), ATOM


def _axis(pair: tuple[str, str]) -> tuple[str, str]:
    """``axes=(1,)`` as ``axis=1``."""
    key, text = pair
    return ("axis", text[1:-2]) if key == "axes" and text.endswith(",)") else pair


def _is_plain(key: str, node: Node) -> bool:
    """What a reader takes for granted: sums over everything, a softmax over the last axis."""
    value = node.attrs.get("axes" if key == "axis" else key)
    if isinstance(node.attrs.get(key), Graph) or (node.op.name, key) in TAKEN_FOR_GRANTED:
        return True
    if key not in ("axes", "axis") or not node.inputs or not isinstance(value, tuple):
        return False
    rank = node.inputs[0].tensor.ndim
    if node.op.name in ("softmax", "log_softmax"):
        return value == (rank - 1,)
    is_sum = node.op.kind == "reduction" or node.op.name in ("mean", "var", "logsumexp")
    return is_sum and value == tuple(range(rank))


Form = Callable[[Node, Sequence[Part], Dialect], Part | None]


def _infix(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    sign = dialect.infix.get(node.op.name)
    if sign is None or len(parts) != 2:
        return None
    binding = INFIX[node.op.name][1]
    left, right = within(parts[0], binding, dialect), within(parts[1], binding + 1, dialect)
    return f"{left} {sign} {right}", binding


def _product(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    if node.inputs[1].op.name == "constant" and node.inputs[1].tensor.shape == ():
        parts = [parts[1], parts[0]]  # numbers stand first
    left, right = within(parts[0], 7, dialect), within(parts[1], 8, dialect)
    is_scalar = any(i.tensor.shape == () for i in node.inputs)
    sign = dialect.times if is_scalar else f" {dialect.infix['multiply']} "
    return f"{left}{sign}{right}", 7


def _matmul(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    left, right = within(parts[0], 7, dialect), within(parts[1], UNARY, dialect)
    return f"{left}{dialect.matmul}{right}", 7


def _quotient(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    if dialect.fraction is None:
        return _infix(node, parts, dialect)
    return dialect.fraction(parts[0][0], parts[1][0]), ATOM


def _power(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    exponent = within(parts[1], ATOM, dialect) if dialect is not LATEX else parts[1][0]
    if parts[1][0].lstrip("-").isdigit():
        exponent = parts[1][0]
    return dialect.power(within(parts[0], ATOM, dialect), exponent), POWER


def _prefix(sign: str) -> Form:
    def form(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
        return f"{sign}{within(parts[0], 7, dialect)}", UNARY - 1

    return form


def _transposed(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    rank = node.tensor.ndim
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    axes = node.attrs.get("axes")
    if rank < 2 or (axes is not None and tuple(axes) != swapped) or (axes is None and rank > 2):
        return None
    return within(parts[0], ATOM, dialect) + dialect.transposed, ATOM


def _gathered(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    if tuple(node.attrs["axes"]) != tuple(range(len(parts) - 1)):
        return None
    inside = ", ".join(text for text, _ in parts[1:])
    return dialect.index.format(within(parts[0], ATOM, dialect), inside), ATOM


def _projected(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    return dialect.index.format(within(parts[0], ATOM, dialect), node.attrs["index"]), ATOM


def _itself(node: Node, parts: Sequence[Part], dialect: Dialect) -> Part | None:
    return parts[0]


FORMS: dict[str, Form] = dict.fromkeys(INFIX, _infix) | {
    "multiply": _product,
    "matmul": _matmul,
    "divide": _quotient,
    "pow": _power,
    "square": lambda node, parts, d: (d.power(within(parts[0], ATOM, d), "2"), POWER),
    "sqrt": lambda node, parts, d: (d.root(parts[0][0], parts[0][1] == ATOM), ATOM),
    "abs": lambda node, parts, d: (d.magnitude.format(parts[0][0]), ATOM),
    "negative": _prefix("-"),
    "logical_not": _prefix("¬"),
    "bitwise_invert": _prefix("~"),
    "permute_dims": _transposed,
    "gather": _gathered,
    "proj": _projected,
    **dict.fromkeys(UNSAID, _itself),
}
