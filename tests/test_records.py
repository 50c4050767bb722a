"""Our ``dataclass`` does what the standard library's does, class by class."""

from __future__ import annotations

import ast
import copy
import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from symgraph import records

WAYS = {"ours": records, "python's": dataclasses}


class Counting:
    """A plain base class."""

    __slots__ = ()

    def count(self) -> int:
        return len(type(self).__match_args__)  # type: ignore[attr-defined]


def _wide(way: Any) -> type:
    @way.dataclass(frozen=True, slots=True)
    class Wide:
        """More fields than there are forms for."""

        a: int
        b: int = 1
        c: int = 2
        d: int = 3
        e: int = 4
        f: int = 5
        g: int = 6
        h: int = 7
        i: int = way.field(default=8, compare=False)
        j: int = 9

    return Wide


def _classes(way: Any) -> dict[str, type]:
    @way.dataclass(frozen=True, slots=True)
    class Point(Counting):
        """A point."""

        x: int
        y: int = 2
        tags: tuple[str, ...] = ()

        @property
        def total(self) -> int:
            return self.x + self.y

    @way.dataclass(slots=True)
    class Open:
        names: list[str] = way.field(default_factory=list)
        size: int = way.field(init=False)
        seen: dict[str, int] = way.field(init=False, default_factory=dict)
        quiet: int = way.field(default=0, repr=False, compare=False)

        def __post_init__(self) -> None:
            self.size = len(self.names)

    @way.dataclass(frozen=True, slots=True, eq=False)
    class Same:
        value: float

        def __repr__(self) -> str:
            return f"<{self.value}>"

    @way.dataclass(frozen=True, slots=True)
    class Own:
        value: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and self.value % 2 == other.value % 2

        def __hash__(self) -> int:
            return self.value % 2

    @way.dataclass(frozen=True, slots=True)
    class Empty:
        pass

    every = (Point, Open, Same, Own, Empty, _wide(way))
    found: dict[str, type] = {c.__name__: c for c in every}
    return found


_MADE = {name: _classes(way) for name, way in WAYS.items()}


def _told(action: Any) -> str:
    try:
        return repr(action())
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace("records.", "")


# each is told what it gives, or what error it raises, for both
_ACTIONS: dict[str, Any] = {
    "positions": lambda c: c["Point"](1, 5, ("a",)),
    "names": lambda c: c["Point"](y=1, x=2).total,
    "defaults": lambda c: [c["Point"](3), c["Point"](3).count()],
    "missing": lambda c: c["Point"](),
    "too many": lambda c: c["Point"](1, 2, (), 4),
    "unknown": lambda c: c["Point"](1, z=3),
    "equal": lambda c: [c["Point"](1) == c["Point"](1), c["Point"](1) == c["Point"](2)],
    "other classes": lambda c: [c["Point"](1) == (1, 2, ()), c["Point"](1) != c["Empty"]()],
    "hash": lambda c: {c["Point"](1): "a"}[c["Point"](1)],
    "identity": lambda c: [c["Same"](1.0) == c["Same"](1.0), len({c["Same"](1.0)})],
    "own methods": lambda c: [c["Own"](1) == c["Own"](3), hash(c["Own"](5)), c["Same"](2.0)],
    "no fields": lambda c: [c["Empty"](), c["Empty"]() == c["Empty"](), hash(c["Empty"]())],
    "factories": lambda c: [c["Open"]().names is c["Open"]().names, c["Open"](["a"])],
    "not compared": lambda c: c["Open"](["a"], quiet=1) == c["Open"](["a"], quiet=2),
    "not hashed": lambda c: hash(c["Open"]()),
    "frozen": lambda c: setattr(c["Point"](1), "x", 2),
    "never deleted": lambda c: delattr(c["Point"](1), "x"),
    "set": lambda c: (o := c["Open"](), setattr(o, "size", 7), o.size)[-1],
    "slots": lambda c: setattr(c["Open"](), "other", 1),
    "no dict": lambda c: hasattr(c["Point"](1), "__dict__"),
    "match": lambda c: c["Point"].__match_args__ + c["Open"].__match_args__,
    "replace": lambda c: dataclasses.replace(c["Point"](1), y=9),
    "fields": lambda c: [
        (f.name, f.type, f.init, f.compare) for f in dataclasses.fields(c["Open"])
    ],
    "asdict": lambda c: dataclasses.asdict(c["Point"](1)),
    "copy": lambda c: copy.copy(c["Point"](1)) == c["Point"](1),
    "deep copy": lambda c: copy.deepcopy(c["Point"](1, tags=("a",))).tags,
    "many fields": lambda c: [c["Wide"](0), c["Wide"](0, j=1) == c["Wide"](0)],
    "many fields compared": lambda c: [c["Wide"](0, i=1) == c["Wide"](0), {c["Wide"](0): 1}],
    "documented": lambda c: [c["Point"].__doc__, c["Point"].__name__, c["Point"].__module__],
}


@pytest.mark.parametrize("action", _ACTIONS)
def test_it_does_as_the_standard_library_does(action: str) -> None:
    ours, theirs = (_told(lambda c=c: _ACTIONS[action](c)) for c in _MADE.values())
    assert ours.replace("Point.__init__", "__init__") == theirs.replace(
        "Point.__init__", "__init__"
    )


@records.dataclass(frozen=True, slots=True)
class Kept:
    """For pickling, which finds classes by name."""

    x: int
    y: tuple[int, ...] = ()


def test_pickles_come_back() -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(Kept(1, (2,)), protocol)) == Kept(1, (2,))


def test_a_thing_that_holds_itself_is_shown() -> None:
    made = _MADE["ours"]["Open"]()
    made.names.append(made)
    assert "names=[...]" in repr(made)


def test_what_is_not_supported_is_refused() -> None:
    with pytest.raises(TypeError, match="Below: fields are not inherited"):

        @records.dataclass(slots=True)
        class Below(Kept):
            z: int

    with pytest.raises(TypeError, match="names: all instances would share this default"):

        @records.dataclass(slots=True)
        class Shared:
            names: list[str] = []  # noqa: RUF012 - what is refused


def test_symgraph_makes_its_classes_so() -> None:
    folder = Path(records.__file__).parent
    wrong = [
        str(path)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "dataclasses"
        and {"dataclass", "field"} & {a.name for a in node.names}
    ]
    assert not wrong, f"use symgraph.records.dataclass in {wrong}"
