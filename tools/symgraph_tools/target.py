"""What a command is pointed at: a program's attribute, a notebook's, a file, standard input.

``file.py[:attr]``, ``package.module:attr``, ``notebook.ipynb[:attr]``, ``graph.sg``,
``f.sgtrace``, ``-``.

A ``Target`` gives graphs of every stage, a trace, and a compiled function, each made when it is
asked for. Naming a Python file or module runs it, a notebook with ``--exec`` too; ``.sg`` and
``.sgtrace`` files and standard input run nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import linecache
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from symgraph.errors import SymgraphError, nearest
from symgraph.ir.graph import Graph
from symgraph.ir.node import Node
from symgraph.ir.variable import Variable
from symgraph.trace.trace import Trace

from .given import Given

if TYPE_CHECKING:
    from symgraph.runtime.function import Function
    from symgraph.trace.record import Record

FORMS = "file.py[:attr], package.module:attr, notebook.ipynb[:attr], a .sg or .sgtrace file, or -"
TRACES, GRAPHS = (".sgtrace", ".json"), (".sg",)


class TargetError(SymgraphError, LookupError):
    """A target that cannot be loaded, or that holds no graph; the message is one line."""


@dataclass(slots=True)
class Target:
    """A graph found by name: a compiled function, variables, a graph, or a trace."""

    name: str
    value: Any  # whatever the user's module or a file holds under that name
    output_names: tuple[str, ...] = ()
    given: Given = field(default_factory=Given)
    _function: Function | None = None
    _record: Record | None = None

    def graph(self, stage: str) -> Graph:
        """The graph after a stage of the compiler; variables are rewritten without compiling."""
        if isinstance(self.value, Trace):
            return self.value.at(stage)
        if is_function(self.value):
            return self._stage_of(self.value, stage)
        if stage == "built":
            return self.built()
        return self._rewritten(stage)

    def _rewritten(self, stage: str) -> Graph:
        """The graph of variables after a stage: no program is made of it."""
        from symgraph import Mode
        from symgraph.compile import Compiler

        from .inputs import inputs_of

        if self._record is None:
            built = self.built()
            inputs = tuple(inputs_of(built))
            compiler = Compiler(inputs, built.outputs, Mode(backend="interp"))
            self._record = compiler.rewritten()
        return Graph(self._record.inputs, self._record.stages[stage])

    @staticmethod
    def _stage_of(function: Function, stage: str) -> Graph:
        if stage == "built":
            return function.graph
        found = function.trace.at(stage) if stage != "final" else function.optimized
        return Graph(found.params, found.outputs)

    def built(self) -> Graph:
        """The graph as the program wrote it."""
        if isinstance(self.value, Trace):
            return self.value.at("built")
        if is_function(self.value):
            found: Graph = self.value.graph
            return found
        if isinstance(self.value, Graph):
            return self.value
        return Graph((), tuple(node for _, node in _named_nodes(self.value)))

    def trace(self) -> Trace:
        """What the compiler did; a graph is compiled for the interpreter, which is quick."""
        found: Trace = self.value if isinstance(self.value, Trace) else self.function().trace
        return found

    def function(self, backend: str = "interp") -> Function:
        """The compiled function; variables, graphs and traces are compiled by ``backend``."""
        if is_function(self.value):
            own: Function = self.value
            return own
        if self._function is None or self._function.backend != backend:
            from symgraph import Mode

            from .rewriting_again import function_of

            self._function = function_of(self.built(), self.name, Mode(backend=backend))
        return self._function


def load_target(text: str, given: Given | None = None) -> Target:
    """The target of that name.

    Raises: TargetError for what cannot be found, read or run, or is no graph.
    """
    given = given or Given()
    if text == "-":
        return _from_text(sys.stdin.read())
    path, _, attr = text.partition(":")
    suffix = Path(path).suffix
    if suffix in (*GRAPHS, *TRACES):
        return _made(Path(path).stem, _read_file(path, suffix), text, given)
    if suffix == ".py":
        module = _run_file(Path(path))
    elif suffix == ".ipynb":
        module = _run_notebook(Path(path), given.execute)
    elif attr:
        module = _import(path)
    else:
        raise TargetError(f"{text!r} is no target; a target is {FORMS}")
    name = attr or _only_function(module, path)
    value = _attribute(module, name, text)
    return _made(name, _called(value, text, given), text, given)


def load_attribute(text: str) -> Any:
    """What a program has under ``file.py:name`` or ``module:name``. Raises: TargetError."""
    path, _, attr = text.partition(":")
    module = _run_file(Path(path)) if path.endswith(".py") else _import(path)
    return _attribute(module, attr, text)


def _read_file(path: str, suffix: str) -> Any:
    from symgraph.saving import load
    from symgraph.trace.read import read_trace

    try:
        return _outputs(load(path)) if suffix in GRAPHS else read_trace(path)
    except (OSError, SymgraphError) as error:
        raise TargetError(f"cannot load {path}: {one_line(error)}") from error


def _from_text(text: str) -> Target:
    """A trace, or a graph without its large constants, as JSON."""
    from symgraph.saving import parse_graph
    from symgraph.trace.read import parse_trace

    try:
        if '"symgraph graph"' in text[:200]:
            return _made("stdin", _outputs(parse_graph(text)), "-", Given())
        return _made("stdin", parse_trace(text, "standard input"), "-", Given())
    except SymgraphError as error:
        raise TargetError(one_line(error)) from error


def _outputs(value: Any) -> Any:
    """By custom the inputs are saved too, to be found again; they are no part of the picture."""
    return value["outputs"] if isinstance(value, Mapping) and "outputs" in value else value


def is_function(value: object) -> bool:
    """Whether a value is a compiled function: it has its graph before and after."""
    return hasattr(type(value), "optimized") and isinstance(getattr(value, "graph", None), Graph)


def _made(name: str, value: Any, text: str, given: Given) -> Target:
    if is_function(value) or isinstance(value, Graph | Trace):
        names: Any = value.outputs if isinstance(value, Trace) else ()
        return Target(name, value, tuple(getattr(value, "output_names", names)), given)
    found = list(_named_nodes(value))
    if not found:
        kind = type(value).__name__
        raise TargetError(
            f"{text} is of type {kind}, not a compiled function, a variable or a graph"
        )
    return Target(name, value, tuple(label for label, _ in found), given)


def _called(value: Any, text: str, given: Given) -> Any:
    """What a factory makes: a Python function, called with the arguments that are given."""
    if not isinstance(value, FunctionType):
        if given.args:
            raise TargetError(f"{text} is of type {type(value).__name__}: it takes no --arg")
        return value
    arguments: dict[str, Any] = dict(given.args)
    for parameter in inspect.signature(value).parameters.values():
        name = parameter.name
        if name in arguments or parameter.default is not parameter.empty:
            continue
        if name in given.shapes:
            arguments[name] = _input(name, given)
        elif parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TargetError(
                f"{text} is a function of {name!r}: give --arg {name}=VALUE, or --shape {name}=..."
            )
    try:
        return value(**arguments)
    except Exception as error:
        raise TargetError(
            f"{text} failed: {_failure(error, value.__code__.co_filename)}"
        ) from error


def _input(name: str, given: Given) -> Variable:
    from symgraph import tensor

    try:
        return tensor(name, shape=given.shapes[name], dtype=given.dtypes.get(name))
    except (SymgraphError, TypeError) as error:
        raise TargetError(f"input {name}: {one_line(error)}") from error


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


def _run_notebook(path: Path, execute: bool) -> ModuleType:
    """The code cells of a notebook, run one after the other; magics are left out."""
    if not path.is_file():
        raise TargetError(f"cannot load {path}: there is no such file")
    if not execute:
        raise TargetError(f"{path} is a notebook: --exec runs its code cells")
    try:
        cells = [
            "".join(cell["source"])
            for cell in json.loads(path.read_bytes())["cells"]
            if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise TargetError(f"cannot load {path}: it is no notebook") from error
    module = ModuleType(path.stem)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        for number, source in enumerate(cells):
            file = f"{path}#cell{number}"
            lines = [
                "\n" if line.lstrip().startswith(("%", "!")) else line
                for line in source.splitlines(keepends=True)
            ]
            linecache.cache[file] = (len(source), None, lines, file)
            exec(compile("".join(lines), file, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise TargetError(f"cannot load {path}: {_failure(error, file)}") from error
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
            names = _functions(module)
            near = nearest(part, names)
            guess = f"; did you mean {near!r}?" if near else ""
            known = ", ".join(names) or "none"
            raise TargetError(
                f"{text}: there is no {part!r}{guess}; compiled functions there: {known}"
            )
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
