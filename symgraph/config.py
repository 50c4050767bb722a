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
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from symgraph.errors import ConfigError, message, nearest

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: name, default, how text becomes a value, allowed values, meaning."""

    name: str
    default: Value
    parse: Callable[[str], Value]
    choices: tuple[Value, ...] | None
    about: str

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return "SYMGRAPH_" + self.name.upper()


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(text)


def _optional_text(text: str) -> str | None:
    return text or None


_ROWS = (
    Setting("floatX", "float64", str, ("float32", "float64"), "dtype of inputs made without one"),
    Setting("mode", "fast", str, ("fast", "quick", "debug"), "mode of functions made without one"),
    Setting("backend", "numba", str, None, "code generator used when a mode names none"),
    Setting("device", "cpu", str, ("cpu", "cuda"), "device of functions made without one"),
    Setting("threads", 0, int, None, "threads of compiled code; 0 means all that the process may use"),
    Setting("cache", True, _flag, (True, False), "keep compiled code on disk"),
    Setting("cache_dir", None, _optional_text, None, "where compiled code is kept; None: the user's cache folder"),
    Setting("cache_size", 2_000, int, None, "largest size of that folder, in MB; the oldest entries go first"),
    Setting("trace", None, _optional_text, None, "folder that receives a trace of every compilation"),
    Setting("rewrite_fuel", 2_000, int, None, "most rule applications per node of a graph before rewriting stops"),
)
SETTINGS: dict[str, Setting] = {row.name: row for row in _ROWS}


def _from_environment() -> dict[str, Value]:
    values: dict[str, Value] = {}
    for row in _ROWS:
        text = os.environ.get(row.variable)
        if text is not None:
            values[row.name] = _checked(row, text, source=f"environment variable {row.variable}")
    return values


def _checked(row: Setting, value: object, source: str) -> Value:
    try:
        parsed = row.parse(value) if isinstance(value, str) else value
        fits = parsed is None if row.default is None and parsed is None else True
        if row.default is not None:
            fits = type(parsed) is type(row.default)
    except ValueError:
        fits, parsed = False, None
    if not fits or (row.choices is not None and parsed not in row.choices):
        allowed = row.choices or type(row.default).__name__
        raise ConfigError(
            message(
                f"setting {row.name!r} does not take {value!r}",
                {"allowed": allowed, "set by": source},
                hint=row.about,
            )
        )
    assert parsed is None or isinstance(parsed, str | int | bool)
    return parsed


class Config:
    """The settings in force; see ``SETTINGS`` for their names, types and defaults."""

    def __init__(self) -> None:
        object.__setattr__(self, "_values", {r.name: r.default for r in _ROWS} | _from_environment())
        object.__setattr__(self, "_local", ContextVar("symgraph_config", default=None))

    def __getattr__(self, name: str) -> Value:
        row = _row(name)
        local = self._local.get()  # type: ignore[attr-defined, union-attr]
        if local and row.name in local:
            return local[row.name]  # type: ignore[no-any-return]
        return self._values[row.name]  # type: ignore[index, return-value]

    def __setattr__(self, name: str, value: object) -> None:
        row = _row(name)
        self._values[row.name] = _checked(row, value, source="assignment")  # type: ignore[index]

    @contextmanager
    def __call__(self, **settings: object) -> Iterator[Config]:
        """Settings in force inside a ``with`` block only."""
        new = {_row(k).name: _checked(_row(k), v, source="with sg.config(...)") for k, v in settings.items()}
        token = self._local.set({**(self._local.get() or {}), **new})  # type: ignore[attr-defined, union-attr]
        try:
            yield self
        finally:
            self._local.reset(token)  # type: ignore[attr-defined, union-attr]

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
    if name in SETTINGS:
        return SETTINGS[name]
    near = nearest(name, list(SETTINGS))
    hint = f"did you mean {near!r}?" if near else "settings: " + ", ".join(SETTINGS)
    raise ConfigError(message(f"there is no setting {name!r}", hint=hint))


config = Config()
