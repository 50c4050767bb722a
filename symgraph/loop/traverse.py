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
    if type(x) is Word:
        return x.args
    if type(x) is Load:
        return x.index
    return (x.x,) if type(x) is Cast else ()


def with_children(x: Expr, operands: tuple[Expr, ...]) -> Expr:
    """The same expression over other operands (itself where nothing changes)."""
    if operands == children(x):  # expressions compare by identity
        return x
    if isinstance(x, Word):
        return Word(x.name, operands, x.dtype)
    if isinstance(x, Load):
        return Load(x.buffer, operands, x.dtype)
    return Cast(operands[0], x.dtype) if isinstance(x, Cast) else x


def postorder(*roots: Expr) -> Iterator[Expr]:
    """Every node once, operands before their users; shared nodes are visited once."""
    seen: set[int] = set()
    stack: list[Expr | None] = [*reversed(roots)]  # None: what is below it is ready
    while stack:
        x = stack.pop()
        if x is None:
            x = stack.pop()
            assert x is not None
            yield x
        elif id(x) not in seen:
            seen.add(id(x))
            below = children(x)
            if below:
                stack += (x, None, *reversed(below))
            else:
                yield x


def loads(*roots: Expr) -> list[Load]:
    """Every element that expressions read, once; in the order of ``postorder``, and sooner."""
    found: list[Load] = []
    seen: set[int] = set()
    stack: list[Expr | None] = [*reversed(roots)]  # None: what an element's index reads is there
    while stack:
        x = stack.pop()
        if type(x) is Word:
            if id(x) not in seen:
                seen.add(id(x))
                stack += reversed(x.args)
        elif type(x) is Load:
            if id(x) not in seen:
                seen.add(id(x))
                stack += (x, None, *reversed(x.index))
        elif type(x) is Cast:
            stack.append(x.x)
        elif x is None:
            done = stack.pop()
            assert type(done) is Load
            found.append(done)
    return found


def rebuild(x: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """x with ``change`` applied to every node, operands first."""
    below = children(x)
    if not below:
        return change(x)
    done: dict[int, Expr] = {}
    for node in postorder(x):
        operands = tuple([done[id(child)] for child in children(node)])
        done[id(node)] = change(with_children(node, operands) if operands else node)
    return done[id(x)]


def has_load(*roots: Expr) -> bool:
    """Is memory read in some expression?"""
    stack = [*roots]
    while stack:
        x = stack.pop()
        if type(x) is Word:
            stack += x.args
        elif type(x) is Load:
            return True
        elif type(x) is Cast:
            stack.append(x.x)
    return False


def substitute(x: Expr, values: dict[str, Expr]) -> Expr:
    """x with variables replaced by expressions."""
    return rebuild(x, lambda n: values.get(n.name, n) if isinstance(n, Var) else n)


def expressions(s: Stmt) -> tuple[Expr, ...]:
    """The expressions that stand directly in a statement, not in its blocks."""
    if type(s) is Let or type(s) is Assign:
        return (s.value,)
    if type(s) is Store or type(s) is Update:
        return (*s.index, s.value)
    if type(s) is For:
        return (s.extent,)
    if type(s) is While or type(s) is If:
        return (s.cond,)
    return s.args if type(s) is Fail else ()


def blocks(s: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The blocks inside a statement."""
    if type(s) is For or type(s) is While:
        return (s.body,)
    return (s.then, s.orelse) if type(s) is If else ()


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


def runs_along(index: tuple[Expr, ...], name: str) -> bool:
    """Are elements of following turns of a loop neighbours in memory?"""
    if not index or any(_has_variable(i, name) for i in index[:-1]):
        return False
    last = index[-1]
    if isinstance(last, Word) and last.name == "add":
        start, last = last.args
        if _has_variable(start, name):
            return False
    return isinstance(last, Var) and last.name == name


def _has_variable(x: Expr, name: str) -> bool:
    return any(isinstance(n, Var) and n.name == name for n in postorder(x))
