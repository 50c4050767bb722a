"""A few typed settings: by keyword, by context manager, by environment.

    sg.config.floatX = "float32"
    with sg.config(floatX="float32", threads=1): ...
    SYMGRAPH_FLOATX=float32 python train.py

``SETTINGS`` is the table; an unknown name is an error with the nearest right one. Values set by a
context manager belong to the current thread or task (a ``ContextVar``), so threads do not disturb
each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar

from symgraph.errors import ConfigError, message, nearest
from symgraph.records import dataclass

Value = str | int | bool | None
Assigned = Callable[[Value], None]
Inside = Callable[[Value], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: name, default, how text becomes a value, allowed values, meaning."""

    name: str
    default: Value
    parse: Callable[[str], Value]
    choices: tuple[Value, ...] | None
    about: str
    least: int = 0  # of a number

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return "SYMGRAPH_" + self.name.upper()

    @property
    def takes(self) -> str:
        """The allowed values, for people."""
        if self.choices is not None:
            return ", ".join(map(repr, self.choices))
        if isinstance(self.default, int):
            return f"a whole number, at least {self.least}"
        return "a text" if self.default is not None else "a path, or None"

    def allows(self, value: object) -> bool:
        """Is a value of the right type and in range?"""
        if self.choices is not None:
            # By type too: 1 is not True here.
            return any(value == c and type(value) is type(c) for c in self.choices)
        if isinstance(self.default, int):
            return type(value) is int and value >= self.least
        return isinstance(value, str) or (self.default is None and value is None)


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(text)


def _optional_text(text: str) -> str | None:
    return text or None


# fmt: off
_ROWS = (
    Setting("floatX", "float64", str, ("float32", "float64"), "dtype of inputs made without one"),
    Setting("mode", "fast", str, ("fast", "quick", "debug"), "mode of functions made without one"),
    Setting("backend", "llvm", str, None, "code generator used when a mode names none"),
    Setting("device", "cpu", str, ("cpu", "cuda"), "device of functions made without one"),
    Setting("threads", 0, int, None, "threads of compiled code; 0: all that the process may use"),
    Setting("cache", True, _flag, (True, False), "keep compiled code on disk"),
    Setting("cache_dir", None, _optional_text, None, "where; None: the user's cache folder"),
    Setting("cache_size", 2_000, int, None, "its largest size, in MB; the oldest entries go first"),
    Setting("trace", None, _optional_text, None, "folder that gets a trace of every compilation"),
    Setting("rewrite_fuel", 2_000, int, None,
            "most rule applications per node of a graph before rewriting stops", least=1),
)
# fmt: on
SETTINGS: dict[str, Setting] = {row.name: row for row in _ROWS}


def _from_environment() -> dict[str, Value]:
    """Values of all variables named SYMGRAPH_...; ConfigError for one that is no setting."""
    rows = {row.variable: row for row in _ROWS}
    values: dict[str, Value] = {}
    for variable, text in os.environ.items():
        if not variable.startswith("SYMGRAPH_"):
            continue
        if variable not in rows:
            raise ConfigError(_unknown(variable, list(rows), "environment variable of a setting"))
        row = rows[variable]
        values[row.name] = _checked(row, text, source=f"environment variable {variable}")
    return values


def _checked(row: Setting, value: object, source: str) -> Value:
    """The value as the setting holds it; ConfigError for one that it does not take."""
    try:
        text = str(value) if isinstance(value, os.PathLike) else value
        parsed = row.parse(text) if isinstance(text, str) else text
    except ValueError:
        parsed = value
    if not row.allows(parsed):
        raise ConfigError(
            message(
                f"setting {row.name!r} does not take {value!r}",
                {"allowed": row.takes, "set by": source},
                hint=row.about,
            )
        )
    assert parsed is None or isinstance(parsed, str | int | bool)
    return parsed


class Config:
    """The settings in force; see ``SETTINGS`` for their names, types and defaults."""

    _values: dict[str, Value]
    _watched: dict[str, tuple[Assigned, Inside]]
    _local: ContextVar[dict[str, Value] | None]

    def __init__(self) -> None:
        values = {row.name: row.default for row in _ROWS} | _from_environment()
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_watched", {})
        object.__setattr__(self, "_local", ContextVar("symgraph_config", default=None))

    def __getattr__(self, name: str) -> Value:
        row = _row(name)
        local = self._local.get()
        return local[row.name] if local and row.name in local else self._values[row.name]

    def __setattr__(self, name: str, value: object) -> None:
        row = _row(name)
        self._values[row.name] = _checked(row, value, source="assignment")
        if row.name in self._watched:
            self._watched[row.name][0](self._values[row.name])

    def watch(self, name: str, assigned: Assigned, inside: Inside) -> None:
        """Tell of changes: ``assigned(value)`` for all threads, ``inside(value)`` for one block."""
        self._watched[_row(name).name] = assigned, inside

    @contextmanager
    def __call__(self, **settings: object) -> Iterator[Config]:
        """Settings in force inside a ``with`` block only."""
        rows = [_row(name) for name in settings]
        values = zip(rows, settings.values(), strict=True)
        new = {row.name: _checked(row, v, source="with sg.config(...)") for row, v in values}
        with ExitStack() as stack:
            for name in new.keys() & self._watched.keys():
                stack.enter_context(self._watched[name][1](new[name]))
            token = self._local.set({**(self._local.get() or {}), **new})
            try:
                yield self
            finally:
                self._local.reset(token)

    def text(self, name: str) -> str:
        """A setting that is text."""
        value = getattr(self, name)
        assert isinstance(value, str)
        return value

    def number(self, name: str) -> int:
        """A setting that is a whole number."""
        value = getattr(self, name)
        assert isinstance(value, int)
        return value

    def __dir__(self) -> list[str]:
        return sorted(SETTINGS)

    def __repr__(self) -> str:
        return "Config(" + ", ".join(f"{n}={getattr(self, n)!r}" for n in SETTINGS) + ")"


def _row(name: str) -> Setting:
    if name not in SETTINGS:
        raise ConfigError(_unknown(name, list(SETTINGS), "setting"))
    return SETTINGS[name]


def _unknown(name: str, known: list[str], what: str) -> str:
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else "settings: " + ", ".join(known)
    return message(f"there is no {what} {name!r}", hint=hint)


config = Config()
