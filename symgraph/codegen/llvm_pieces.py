"""A module as pieces, which threads compile side by side and ``link`` puts together.

A kernel with the functions that only it calls is a family, and stays whole; what elementary
functions a piece needs is in it, and nothing else of them. Steps that are left as they are
(``optnone``) are a piece of their own, for which no pass is run and instructions are selected at
LLVM's lowest level: a quarter of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from symgraph.codegen.llvm_text import Module, assembled
from symgraph.records import dataclass, field

LEAST_SPLIT = 400  # lines of functions: some 50 ms of LLVM's time
PLAIN = "noinline optnone"  # of a function that is left as it is

# what a text refers to; vector forms are named in an attribute only
_NAMED = re.compile(r'@(?:"([^"]+)"|([\w.$]+))|\((sg\.[\w.$]+)\)')
_DEFINED = re.compile(r'^(?:define [^\n]*?)?@(?:"([^"]+)"|([\w.$]+))(?=\(| = )', re.MULTILINE)
_INLINED = re.compile(r'call void @"([^"]+)"\([^\n]*\) alwaysinline$', re.MULTILINE)
_COUNTED = re.compile(r"^(@[^ ]+) = global (\[\d+ x i64\]|i64)[^\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Piece:
    """LLVM assembly that defines ``exports`` for other pieces and takes ``imports`` from them.

    ``plain``: is it done when instructions are selected?
    """

    text: str
    exports: tuple[str, ...] = ()
    imports: frozenset[str] = frozenset()
    plain: bool = False


@dataclass(slots=True)
class _Group:
    """Functions that become one piece; ``size``: in lines, with what they refer to."""

    plain: bool = False
    functions: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def take(self, other: _Group) -> None:
        """The functions of another group."""
        self.functions |= other.functions
        self.size += other.size


def pieces(module: Module, most: int) -> tuple[Piece, ...]:
    """The module in at most so many pieces, and one for steps that are left as they are."""
    functions = {_name(text): text for text in (*module.functions, *module.steps)}
    parts = _Parts(module)
    groups = _groups(module, parts, most)
    owner = {name: k for k, group in enumerate(groups) for name in group.functions}
    made = [parts.reached(group.functions.values()) for group in groups]
    outside = [{n for n in names if owner.get(n, k) != k} for k, (_, names) in enumerate(made)]
    wanted = frozenset().union(*outside)
    found = []
    for k, (group, (keys, _), far) in enumerate(zip(groups, made, outside, strict=True)):
        known = [_declared(functions[name]) for name in sorted(far)]
        own = [_shown(t) if n in wanted else t for n, t in group.functions.items()]
        text = assembled([*parts.once(keys, k), *known, *own])
        exports = tuple(name for name in group.functions if name in wanted)
        found.append(Piece(text, exports, frozenset(far), group.plain))
    return tuple(found)


def _groups(module: Module, parts: _Parts, most: int) -> list[_Group]:
    """Functions by pieces: steps, then the largest family into the smallest piece."""
    plain, first, free = _Group(True), _Group(), []
    for text in module.steps:
        simple = PLAIN in text.partition("\n")[0]
        (plain if simple else first).functions[_name(text)] = text
    inlined = {name for text in first.functions.values() for name in _INLINED.findall(text)}
    for family in _families(module.functions):
        keys, _ = parts.reached(family.functions.values())
        texts = [*family.functions.values(), *(parts.texts.get(key, "") for key in keys)]
        family.size = sum(text.count("\n") for text in texts)
        if inlined.isdisjoint(family.functions):
            free.append(family)
        else:
            first.take(family)
    total = first.size + sum(family.size for family in free)
    count = min(most, len(free) + bool(first.size)) if total >= LEAST_SPLIT else 1
    bins = [first, *(_Group() for _ in range(count - 1))]
    for family in sorted(free, key=lambda family: -family.size):
        min(bins, key=lambda group: group.size).take(family)
    return [group for group in (plain, *bins) if group.functions]


def _families(texts: Sequence[str]) -> list[_Group]:
    """Functions of kernels with those that they refer to, in order."""
    own = {_name(text): text for text in texts}
    found: dict[str, _Group] = {}
    for name, text in own.items():
        near = [found[other] for other in _references(text) if other in found and other != name]
        group = _Group()
        for other in dict.fromkeys(map(id, near)):
            group.functions |= next(g.functions for g in near if id(g) == other)
        group.functions[name] = text
        found |= dict.fromkeys(group.functions, group)
    return list({id(group): group for group in found.values()}.values())


class _Parts:
    """What functions of a module refer to besides each other; counters have one place."""

    def __init__(self, module: Module) -> None:
        self.texts = module.parts
        self.declared = module.declared
        self.place = {name: key for key, t in self.texts.items() for name in _definitions(t)}
        self.near = {key: _references(text) for key, text in self.texts.items()}
        self.owner: dict[str, int] = {}  # of counters

    def reached(self, texts: Iterable[str]) -> tuple[list[str], set[str]]:
        """(keys of parts, in order, and all names) that texts refer to, directly or not."""
        names: set[str] = set()
        keys: set[str] = set()
        waiting = [name for text in texts for name in _references(text)]
        while waiting:
            name = waiting.pop()
            if name in names:
                continue
            names.add(name)
            key = self.place.get(name)
            if key is not None and key not in keys:
                keys.add(key)
                waiting += self.near[key]
        known = [f"@{name}" for name in names if f"@{name}" in self.declared]
        return [*(key for key in self.texts if key in keys), *sorted(known)], names

    def once(self, keys: Iterable[str], piece: int) -> Iterator[str]:
        """The texts, with counters that another piece has as declarations."""
        for key in keys:
            if key not in self.texts:
                yield self.declared[key]
                continue

            def counter(match: re.Match[str]) -> str:
                mine = self.owner.setdefault(match[1], piece) == piece
                return match[0] if mine else f"{match[1]} = external global {match[2]}"

            yield _COUNTED.sub(counter, self.texts[key])


def _references(text: str) -> set[str]:
    return {a or b or c for a, b, c in _NAMED.findall(text)}


def _definitions(text: str) -> list[str]:
    return [a or b for a, b in _DEFINED.findall(text)]


def _name(text: str) -> str:
    return _definitions(text)[0]


def _shown(text: str) -> str:
    """The function for other pieces; nobody else sees it."""
    return text.replace("define internal", "define hidden", 1)


def _declared(text: str) -> str:
    head = text.partition("\n")[0].removesuffix("{")
    return head.replace("define internal", "declare hidden", 1)
