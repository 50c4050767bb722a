"""What a command is pointed at: ``file.py[:attr]``, ``package.module:attr``, or a ``.sg`` file.

A target gives two graphs, each made when it is asked for: ``built``, as the program wrote it, and
``final``, as the rewriter leaves it. Naming a Python file runs it; a ``.sg`` file runs nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from symgraph.errors import SymgraphError
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.variable import Variable

Stage = Literal["built", "final"]
STAGES: tuple[Stage, ...] = get_args(Stage)
FORMS = "file.py[:attr], package.module:attr, or graph.sg"


class TargetError(SymgraphError, LookupError):
    """A target that cannot be loaded, or that holds no graph; the message is one line."""


@dataclass(frozen=True, slots=True)
class Target:
    """A graph found by name: a compiled function, or variables."""

    name: str
    value: Any  # whatever the user's module holds under that name
    output_names: tuple[str, ...]

    def graph(self, stage: Stage) -> Graph:
        """The graph before or after rewriting; variables are rewritten here, without compiling."""
        if is_function(self.value):
            found: Graph = self.value.graph if stage == "built" else self.value.optimized
            return found
        built = Graph((), tuple(node for _, node in _named_nodes(self.value)))
        if isinstance(self.value, Graph):
            built = self.value
        if stage == "built":
            return built
        from symgraph.rewrite.pipeline import optimize

        return Graph(built.params, optimize(built.outputs))


def load_target(text: str) -> Target:
    """The target of that name.

    Raises: TargetError for what cannot be found, read or run, or is no graph.
    """
    path, _, attr = text.partition(":")
    if path.endswith(".sg"):
        return _made(Path(path).stem, _read_saved(path), text)
    if path.endswith(".py"):
        module = _run_file(Path(path))
    elif attr:
        module = _import(path)
    else:
        raise TargetError(f"{text!r} is no target; a target is {FORMS}")
    if attr:
        return _made(attr, _attribute(module, attr, text), text)
    name = _only_function(module, path)
    return _made(name, getattr(module, name), text)


def is_function(value: object) -> bool:
    """Whether a value is a compiled function: it has its graph before and after."""
    return isinstance(getattr(value, "graph", None), Graph) and isinstance(
        getattr(value, "optimized", None), Graph
    )


def _made(name: str, value: Any, text: str) -> Target:
    if is_function(value) or isinstance(value, Graph):
        return Target(name, value, ())
    found = list(_named_nodes(value))
    if not found:
        kind = type(value).__name__
        raise TargetError(
            f"{text} is of type {kind}, not a compiled function, a variable or a graph"
        )
    return Target(name, value, tuple(label for label, _ in found))


def _named_nodes(value: Any, label: str = "") -> Iterable[tuple[str, Node]]:
    """Nodes of variables in nested lists, tuples and dicts, with a name for each."""
    if isinstance(value, Variable):
        yield label or value.name or "", value.node
    elif isinstance(value, Node):
        yield label or value.name or "", value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _named_nodes(part, f"{label}.{key}" if label else str(key))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _named_nodes(part, label)


def _read_saved(path: str) -> Any:
    from symgraph.saving import load

    try:
        value = load(path)
    except (OSError, SymgraphError) as error:
        raise TargetError(f"cannot load {path}: {one_line(error)}") from error
    # By custom the inputs are saved too, to be found again; they are no part of the picture.
    if isinstance(value, Mapping) and "outputs" in value:
        return value["outputs"]
    return value


def _run_file(path: Path) -> ModuleType:
    """The module that a file makes, with its folder first on the path, as ``python file.py``."""
    if not path.is_file():
        raise TargetError(f"cannot load {path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"cannot load {path}: it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise TargetError(f"cannot load {path}: {_failure(error, str(path))}") from error
    finally:
        sys.path.pop(0)
    return module


def _import(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise TargetError(f"cannot import {name}: {_failure(error, '')}") from error
    finally:
        sys.path.pop(0)


def _failure(error: BaseException, file: str) -> str:
    """What went wrong while a program ran, and at which line of its file."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    where = f" (line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {one_line(error)}{where}"


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def _attribute(module: ModuleType, attr: str, text: str) -> Any:
    value: Any = module
    for part in attr.split("."):
        if not hasattr(value, part):
            known = ", ".join(_functions(module)) or "none"
            raise TargetError(f"{text}: there is no {part!r}; compiled functions there: {known}")
        value = getattr(value, part)
    return value


def _only_function(module: ModuleType, path: str) -> str:
    names = _functions(module)
    if len(names) != 1:
        found = f"has {', '.join(names)}" if names else "has no compiled function"
        raise TargetError(f"{path} {found}: say which by {path}:NAME")
    return names[0]


def _functions(module: ModuleType) -> list[str]:
    """Names of a module's compiled functions; of two names of one, the first."""
    found: dict[int, str] = {}
    for name, value in vars(module).items():
        if not name.startswith("_") and not isinstance(value, type) and is_function(value):
            found.setdefault(id(value), name)
    return list(found.values())
