"""Walks over loop IR without recursion: expressions may be thousands of nodes deep."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from symgraph.loop.ir import (
    Assign,
    Branch,
    Cast,
    Const,
    Expr,
    Fail,
    For,
    If,
    Kernel,
    Let,
    Load,
    Loop,
    Repeat,
    Step,
    Stmt,
    Store,
    Update,
    Var,
    While,
    Word,
)


def children(x: Expr) -> tuple[Expr, ...]:
    """The direct operands of an expression, in order."""
    match x:
        case Word(args=args):
            return args
        case Load(index=index):
            return index
        case Cast(x=inner):
            return (inner,)
    return ()


def with_children(x: Expr, operands: tuple[Expr, ...]) -> Expr:
    """The same expression over other operands (itself where nothing changes)."""
    if all(new is old for new, old in zip(operands, children(x), strict=True)):
        return x
    match x:
        case Word(name, _, dtype):
            return Word(name, operands, dtype)
        case Load(buffer, _, dtype):
            return Load(buffer, operands, dtype)
        case Cast(_, dtype):
            return Cast(operands[0], dtype)
    return x


def postorder(*roots: Expr) -> Iterator[Expr]:
    """Every node once, operands before their users; shared nodes are visited once."""
    seen: set[int] = set()
    stack = [(x, False) for x in reversed(roots)]
    while stack:
        x, ready = stack.pop()
        if ready:
            yield x
        elif id(x) not in seen:
            seen.add(id(x))
            stack.append((x, True))
            stack.extend((child, False) for child in reversed(children(x)))


def rebuild(x: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """x with ``change`` applied to every node, operands first."""
    done: dict[int, Expr] = {}
    for node in postorder(x):
        operands = tuple(done[id(child)] for child in children(node))
        done[id(node)] = change(with_children(node, operands))
    return done[id(x)]


def substitute(x: Expr, values: dict[str, Expr]) -> Expr:
    """x with variables replaced by expressions."""
    return rebuild(x, lambda n: values.get(n.name, n) if isinstance(n, Var) else n)


def expressions(s: Stmt) -> tuple[Expr, ...]:
    """The expressions that stand directly in a statement, not in its blocks."""
    match s:
        case Let(value=value) | Assign(value=value):
            return (value,)
        case Store(index=index, value=value) | Update(index=index, value=value):
            return (*index, value)
        case For(extent=extent):
            return (extent,)
        case While(cond=cond) | If(cond=cond):
            return (cond,)
        case Fail(args=args):
            return args
    return ()


def blocks(s: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The blocks inside a statement."""
    match s:
        case For(body=body) | While(body=body):
            return (body,)
        case If(then=then, orelse=orelse):
            return (then, orelse)
    return ()


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Every statement of a block and of the blocks inside it, in the order of the text."""
    stack = list(reversed(body))
    while stack:
        s = stack.pop()
        yield s
        for block in reversed(blocks(s)):
            stack.extend(reversed(block))


def can_fail(kernel: Kernel) -> bool:
    """Has the kernel a Fail statement? Then it takes ``facts`` and returns a code."""
    return any(isinstance(s, Fail) for s in statements(kernel.body))


def steps_of(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step of a program and of the steps inside it, in the order of the text."""
    stack = list(reversed(steps))
    while stack:
        step = stack.pop()
        yield step
        match step:
            case Repeat(steps=inner) | Loop(steps=inner):
                stack.extend(reversed(inner))
            case Branch(then=then, orelse=orelse):
                stack.extend(reversed(orelse))
                stack.extend(reversed(then))


def is_const(x: Expr, value: int) -> bool:
    """Is x the integer constant ``value``?"""
    return isinstance(x, Const) and x.dtype.kind in "iu" and int(x.value.real) == value


def is_free_order(kind: str, x: Expr) -> bool:
    """May ``s = x`` be regrouped in a loop of this kind? Float sums and products in "vector"."""
    return (
        kind == "vector"
        and isinstance(x, Word)
        and x.name in ("add", "mul")
        and x.dtype.kind == "f"
    )
