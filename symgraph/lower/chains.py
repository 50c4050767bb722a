"""A long recurrence that is affine in its states, as several chains side by side.

    for t < T: h = a * h + x[t]; y[t] = h
    --> for j < n: for each chain k: l[k] = a * l[k] + x[k * n + j]; p = a * p     (from 0 and 1)
        start[k + 1] = p * start[k] + l[k]
        for j < n: for each chain k: h[k] = a * h[k] + x[k * n + j]; y[k * n + j] = h[k]

A step takes as long as its operations do one after the other, and a processor has room for dozens
of such chains at a time. The second pass does the very operations of the serial loop, so that only
the few starts are computed another way. Where a start has lost digits that the serial loop would
have kept (p * start and l cancel, or something left the range), its chain is run serially to get
it: the error does not grow. Chains depend on the length alone, so bits do not depend on threads,
which share groups of chains of very long recurrences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from symgraph.ir.dtype import BOOL, INT64
from symgraph.loop.ir import Assign, Const, Expr, For, If, Let, Local, Stmt, Store, Var
from symgraph.loop.traverse import is_const, rebuild
from symgraph.lower.linear import Affine, affine, name_of
from symgraph.lower.rows import with_expressions
from symgraph.lower.schedule import guess_extent
from symgraph.lower.words import WordBuilder, whole
from symgraph.records import dataclass

CHAINS = 8  # of a group: what hides the latency of a product and a sum
LEAST_TURNS = 512
GROUP_TURNS, MOST_GROUPS = 1 << 15, 8
MOST_STATEMENTS, MOST_DIFFERENCES = 40, 4  # of a turn, which is written out for every chain
LOST = 16.0  # times what is left: more that has cancelled is computed serially
NEGLECTED = 2.0**-60  # of a state: the same of what may have been too small to be counted
SMALLEST = {8: 2.0**-960, 4: 2.0**-90}  # bytes of a float -> factors that are still normal numbers


def chained(statements: Sequence[Stmt], turn: str, b: WordBuilder) -> list[Stmt] | None:
    """Statements with their loop over turns in chains; None where that loop is no such recurrence.

    ``statements``: the states' first values, the loop, and what follows.
    """
    at = next((k for k, s in enumerate(statements) if isinstance(s, For) and s.var == turn), None)
    if at is None:
        return None
    loop = statements[at]
    assert isinstance(loop, For)
    known = affine(loop.body, b) if len(loop.body) <= MOST_STATEMENTS else None
    is_short = isinstance(loop.extent, Const) and guess_extent(loop.extent) < LEAST_TURNS
    if known is None or is_short:
        return None
    reached = {s: known.reached(s) for s in known.states}
    if sum(map(len, reached.values())) > MOST_DIFFERENCES:
        return None
    made = _Chains(b, loop, known, reached, known.is_fixed(turn)).statements()
    return [*statements[:at], *made, *statements[at + 1 :]]


@dataclass(slots=True)
class _Chains:
    b: WordBuilder
    loop: For
    turn: Affine
    reached: Mapping[str, Sequence[str]]
    is_fixed: bool  # all chains have the same differences

    def statements(self) -> list[Stmt]:
        """The two passes, what is between them, and the turns that are left over."""
        b, total = self.b, self.loop.extent
        done = b.mul(b.mul(self._groups, CHAINS), self._length)
        boxes = [*map(_end, self.turn.states), *map(_start, self.turn.states)]
        dtypes = [*self.turn.states.values()] * 2
        for start, reached in self.reached.items():
            boxes += [_end(name_of(s, start)) for s in reached]
            dtypes += [self.turn.states[s] for s in reached]
        rest = [self._moved(s, b.add(done, self._var("rest"))) for s in self.loop.body]
        return [
            *self._sizes(),
            *(
                Local(name, dtype, (CHAINS * MOST_GROUPS,))
                for name, dtype in zip(boxes, dtypes, strict=True)
            ),
            self._first_pass(),
            *self._ends(),
            *(() if self._is_quiet else self._second_pass()),
            For(self._name("rest"), b.sub(total, done), tuple(rest), "serial"),
        ]

    def _sizes(self) -> list[Stmt]:
        """How many groups of chains there are, and the turns of a chain, if no numbers."""
        b, total = self.b, self.loop.extent
        if isinstance(total, Const):
            return []
        groups = b.word("floordiv", (total, b.const(GROUP_TURNS)), INT64)
        groups = b.minimum(b.maximum(groups, 1), MOST_GROUPS)
        length = b.word("floordiv", (total, b.mul(self._groups, CHAINS)), INT64)
        length = b.select(b.ge(total, LEAST_TURNS), length, 0)
        return [Let(self._name("groups"), groups), Let(self._name("length"), length)]

    @property
    def _is_quiet(self) -> bool:
        """Is only the end of all turns wanted?"""
        return not any(isinstance(s, Store) for s in self.loop.body)

    # ------------------------------------------------------------ names and places

    def _name(self, what: str) -> str:
        return f"{what}_{self.loop.var}"

    def _var(self, what: str) -> Expr:
        return self.b.var(self._name(what))

    @property
    def _groups(self) -> Expr:
        total = self.loop.extent
        if isinstance(total, Const):
            return self.b.const(min(max(whole(total) // GROUP_TURNS, 1), MOST_GROUPS))
        return self._var("groups")

    @property
    def _length(self) -> Expr:
        total, groups = self.loop.extent, self._groups
        if isinstance(total, Const) and isinstance(groups, Const):
            turns = whole(total)
            return self.b.const(turns // (whole(groups) * CHAINS) if turns >= LEAST_TURNS else 0)
        return self._var("length")

    def _each_group(self, inside: Sequence[Stmt]) -> For:
        """Statements for each group of chains, which threads share where there are several."""
        kind = "serial" if is_const(self._groups, 1) else "parallel"
        return For(self._name("group"), self._groups, tuple(inside), kind)

    def _at(self, box: str, index: Expr, state: str) -> Expr:
        return self.b.load(box, (index,), self.turn.states[state])

    def _chain(self, k: int) -> Expr:
        """The number of a chain of a group."""
        return self.b.add(self.b.mul(self._var("group"), CHAINS), k)

    def _moved(self, s: Stmt, turn: Expr, names: Mapping[str, str] | None = None) -> Stmt:
        """A statement of a turn at another number, on other locals."""
        names = names or {}

        def change(e: Expr) -> Expr:
            if isinstance(e, Var) and e.name == self.loop.var:
                return turn
            return Var(names[e.name], e.dtype) if isinstance(e, Var) and e.name in names else e

        made = with_expressions(s, lambda x: rebuild(x, change))
        if isinstance(made, Let | Assign):
            return replace(made, name=names.get(made.name, made.name))
        return made

    def _turns(self, statements: Sequence[Stmt], k: int) -> list[Stmt]:
        """A turn of a chain of a group, whose locals are its own."""
        turn = self.b.add(self.b.mul(self._chain(k), self._length), self._var("step"))
        local = [s.name for s in statements if isinstance(s, Let | Assign)]
        return [self._moved(s, turn, {n: f"{n}_{k}" for n in local}) for s in statements]

    def _loop(self, body: Sequence[Stmt]) -> For:
        return For(self._name("step"), self._length, tuple(body), "serial")

    # ------------------------------------------------------------ the passes

    def _first_pass(self) -> Stmt:
        """Where each chain ends if it begins with zero, and what it makes of a difference."""
        b = self.b
        before: list[Stmt] = []
        body: list[Stmt] = []
        after: list[Stmt] = []
        for k in range(CHAINS):
            needed: list[Stmt] = list(self.turn.needed)
            for s, dtype in self.turn.states.items():
                before.append(Let(f"{s}_{k}", b.const(0, dtype)))
                after.append(Store(_end(s), (self._chain(k),), Var(f"{s}_{k}", dtype)))
            for start, reached in self.reached.items() if k == 0 or not self.is_fixed else ():
                needed += self.turn.difference(start)
                for s in reached:
                    name, dtype = name_of(s, start), self.turn.states[s]
                    before.append(Let(f"{name}_{k}", b.const(1 if s == start else 0, dtype)))
                    after.append(Store(_end(name), (self._chain(k),), Var(f"{name}_{k}", dtype)))
            body += self._turns(needed, k)
        inside = (*before, self._loop(body), *after)
        return self._each_group(inside)

    def _ends(self) -> list[Stmt]:
        """The state at the end of each chain, one after the other; the next begins with it."""
        b, chain = self.b, self._var("chain")
        inside: list[Stmt] = []
        sound: list[Expr] = []
        for s, dtype in self.turn.states.items():
            inside.append(Store(_start(s), (chain,), Var(s, dtype)))
            total, checks = self._end_of(s, chain)
            inside.append(Let(f"new_{s}", total))
            sound += checks
        is_sound = sound[0]
        for check in sound[1:]:
            is_sound = b.word("and", (is_sound, check), BOOL)
        states = self.turn.states.items()
        inside.append(If(is_sound, (), tuple(self._serial(chain))))
        inside += [Assign(s, Var(f"new_{s}", dtype)) for s, dtype in states]
        count = b.mul(self._groups, CHAINS)
        if self._is_quiet:
            return [For(self._name("chain"), count, tuple(inside), "serial")]
        last = b.sub(count, 1)
        ends = [Store(_start(s), (last,), Var(s, dtype)) for s, dtype in states]
        return [For(self._name("chain"), last, tuple(inside), "serial"), *ends]

    def _end_of(self, s: str, chain: Expr) -> tuple[Expr, tuple[Expr, ...]]:
        """A state at the end of a chain, and what holds if it is as good as the serial one."""
        b, dtype = self.b, self.turn.states[s]
        place = b.const(0) if self.is_fixed else chain
        total = self._at(_end(s), chain, s)
        size, before = b.abs(total), b.const(0, dtype)
        for start, reached in self.reached.items():
            if s in reached:
                old = Var(start, self.turn.states[start])
                part = b.mul(self._at(_end(name_of(s, start)), place, s), old)
                total, size = b.add(part, total), b.add(size, b.abs(part))
                before = b.add(before, b.abs(old))
        new = Var(f"new_{s}", dtype)
        least = b.const(SMALLEST[dtype.itemsize] / NEGLECTED, dtype)
        return total, (
            b.le(size, b.mul(b.abs(new), b.const(LOST, dtype))),
            b.le(b.mul(before, least), b.abs(new)),
            b.eq(b.sub(new, new), b.const(0, dtype)),
        )

    def _serial(self, chain: Expr) -> list[Stmt]:
        """A chain from its true start, for what is in its end alone."""
        b = self.b
        turn = b.add(b.mul(chain, self._length), self._var("step"))
        local = {s.name: f"{s.name}_again" for s in self.turn.needed}
        states = self.turn.states.items()
        return [
            *(Let(local[s], Var(s, dtype)) for s, dtype in states),
            self._loop([self._moved(s, turn, local) for s in self.turn.needed]),
            *(Assign(f"new_{s}", Var(local[s], dtype)) for s, dtype in states),
        ]

    def _second_pass(self) -> list[Stmt]:
        """All turns from the true starts; the last chain's end is the end of all."""
        b, states = self.b, self.turn.states.items()
        before: list[Stmt] = []
        body: list[Stmt] = []
        for k in range(CHAINS):
            for s, _ in states:
                before.append(Let(f"{s}_{k}", self._at(_start(s), self._chain(k), s)))
            body += self._turns(self.turn.body, k)
        last, group = CHAINS - 1, self._var("group")
        after = [Store(_end(s), (group,), Var(f"{s}_{last}", dtype)) for s, dtype in states]
        inside = (*before, self._loop(body), *after)
        at = b.sub(self._groups, 1)
        return [
            self._each_group(inside),
            *(Assign(s, self._at(_end(s), at, s)) for s, _ in states),
        ]


def _end(name: str) -> str:
    return f"end_{name}"


def _start(name: str) -> str:
    return f"start_{name}"
