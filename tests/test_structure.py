"""The rules of the tree, read from the source by ``ast``: layers, cycles, sizes, names, docstrings.

A failure names the file and line and says what to do. There is no list of exceptions: where a rule
is wrong, change the rule. What concerns the installed package is in ``test_packaging.py``.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "symgraph": ROOT / "symgraph",
    "symgraph_kernels": ROOT / "kernels" / "symgraph_kernels",
    "symgraph_tools": ROOT / "tools" / "symgraph_tools",
}

# What each layer of symgraph may import, besides itself, in the order of the layers. A row counts
# for the modules below it too: "ir" means symgraph.ir and all within, "ir.dim" this one module.
LEAVES = ("errors", "fingerprint", "garbage", "records", "config", "display")
ABOVE_COMPILE = (
    *LEAVES, "ir", "ops", "autodiff", "rewrite", "loop", "lower", "codegen", "trace", "runtime",
    "mode",
)  # fmt: skip
LAYERS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "fingerprint": (),
    "garbage": (),
    "record_forms": (),
    "records": ("record_forms",),
    "config": ("errors", "records"),
    "display": ("errors",),
    "ir": LEAVES,
    "ops": (*LEAVES, "ir"),
    "autodiff": (*LEAVES, "ir", "ops"),
    "rewrite": (*LEAVES, "ir", "ops"),
    "printing": ("errors", "records", "ir"),
    "init": (*LEAVES, "ir"),
    "linalg": ("ops",),
    "nn": ("ops",),
    "special": ("ops",),
    "loop": (*LEAVES, "ir.dtype", "ir.dim"),
    "lower": (*LEAVES, "ir", "ops", "loop"),
    "codegen": (*LEAVES, "loop"),
    "archive": ("errors", "ir"),
    "trace": (*LEAVES, "ir", "printing", "ops", "rewrite", "loop", "lower", "archive"),
    "accuracy": (*LEAVES, "ir", "ops", "rewrite", "loop", "lower"),
    "runtime": (
        *LEAVES,
        "accuracy",
        "ir",
        "ops.assume",
        "loop",
        "lower.memory",
        "lower.program",
        "codegen",
        "trace",
    ),
    "random": ("ops", "runtime"),
    "saving": ("errors", "ir", "ops", "archive"),
    "mode": (*LEAVES, "ir", "rewrite", "codegen"),
    "compile": ABOVE_COMPILE,
    "outline": (*ABOVE_COMPILE, "compile"),
    "debug": (*ABOVE_COMPILE, "compile"),
    "derivatives": ABOVE_COMPILE,
    "api": (*ABOVE_COMPILE, "compile", "outline", "debug", "derivatives"),
    "optim": (*ABOVE_COMPILE, "compile", "api"),
    "frontends": (*LEAVES, "api", "ops"),
}
# Which layers use symgraph_kernels, and what of it.
KERNELS = {
    "accuracy": "symgraph_kernels",
    "loop": "symgraph_kernels",
    "lower": "symgraph_kernels.table",
    "codegen": "symgraph_kernels",
}
KERNELS_MAY_IMPORT = {"numpy", "numba", "llvmlite"}

USUAL_LINES, MOST_LINES = 400, 600  # the second is for tables
MOST_LINES_OF_A_FUNCTION = 60
VAGUE_NAMES = {"base", "common", "helper", "helpers", "misc", "util", "utils"}
TOP_LEVEL = {
    "pyproject.toml", "README.md", "LICENSE", "symgraph", "kernels", "tools", "tests", "tutorials",
}  # fmt: skip
TEXT_SUFFIXES = {".py", ".pyi", ".md", ".toml", ".yaml", ".txt", ".ipynb"}


class Import(NamedTuple):
    """One import of a module of ours or of others."""

    target: str  # the dotted name, resolved to a module where it is ours
    line: int
    for_types: bool  # under `if TYPE_CHECKING:`


@cache
def modules() -> dict[str, Path]:
    """Our modules by dotted name, packages under their own name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *(p for p in parts if p != "__init__")))] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    """The parsed source."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def where(path: Path, line: int) -> str:
    """``file:line``, relative to the root."""
    return f"{path.relative_to(ROOT)}:{line}"


def is_type_checking(node: ast.AST) -> bool:
    """Whether the node is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def walk_imports(node: ast.AST, for_types: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Import statements below a node, in functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, for_types
        else:
            yield from walk_imports(child, for_types or is_type_checking(child))


@cache
def imports(module: str) -> tuple[Import, ...]:
    """What a module imports, anywhere in it."""
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = []
    for statement, for_types in walk_imports(tree(path), for_types=False):
        if isinstance(statement, ast.Import):
            targets = [alias.name for alias in statement.names]
        else:
            assert isinstance(statement, ast.ImportFrom)
            source = statement.module or ""
            if statement.level:
                parents = package.split(".")[: len(package.split(".")) - statement.level + 1]
                source = ".".join([*parents, *filter(None, [source])])
            members = [f"{source}.{alias.name}" for alias in statement.names]
            targets = sorted({member if member in modules() else source for member in members})
        found += [Import(target, statement.lineno, for_types) for target in targets]
    return tuple(found)


def is_within(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the prefixes or below it."""
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def layer_of(module: str) -> str:
    """The layer of a module of symgraph: the first name below the package, "" for the package."""
    return [*module.split("."), ""][1]


def refusal(module: str, target: str) -> str | None:
    """Why the module may not import the target, or None where it may."""
    package, layer = module.split(".")[0], layer_of(module)
    if target.split(".")[0] == "symgraph_tools":
        return None if package == "symgraph_tools" else "nothing imports symgraph_tools"
    if package == "symgraph_kernels":
        is_ours = target.split(".")[0] == "symgraph"
        return "symgraph_kernels must be useful without symgraph" if is_ours else None
    if package == "symgraph_tools" or not layer:
        return None
    if target.split(".")[0] == "symgraph_kernels":
        allowed = KERNELS.get(layer, "nothing")
        return None if is_within(target, (allowed,)) else f"{layer} may use {allowed} of kernels"
    if target.split(".")[0] != "symgraph":
        return None
    if target == "symgraph":
        return "import the module that defines the name, not the public package"
    inside = target.partition(".")[2]
    if layer_of(target) == layer or is_within(inside, LAYERS[layer]):
        return None
    return f"{layer} may import {', '.join(LAYERS[layer]) or 'nothing'}"


def test_every_module_of_symgraph_has_a_layer():
    unknown = {layer_of(module) for module in modules() if module.startswith("symgraph.")}
    unknown -= LAYERS.keys()
    assert not unknown, f"add rows to LAYERS for {sorted(unknown)}"


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_imports_only_layers_above_it(layer: str):
    wrong = [
        f"{where(path, found.line)} imports {found.target}: {reason}"
        for module, path in modules().items()
        if module.startswith("symgraph.") and layer_of(module) == layer
        for found in imports(module)
        if (reason := refusal(module, found.target))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ["symgraph_kernels", "symgraph_tools"])
def test_package_imports_only_what_it_may(package: str):
    wrong = [
        f"{where(path, found.line)} imports {found.target}: {reason}"
        for module, path in modules().items()
        if module.split(".")[0] == package
        for found in imports(module)
        if (reason := refusal(module, found.target))
    ]
    assert not wrong, "\n".join(wrong)


def test_kernels_depend_on_numpy_and_numba_alone():
    wrong = [
        f"{where(modules()[module], found.line)} imports {found.target}"
        for module in modules()
        if module.split(".")[0] == "symgraph_kernels"
        for found in imports(module)
        if (top := found.target.split(".")[0]) not in KERNELS_MAY_IMPORT
        and top not in sys.stdlib_module_names
        and top != "symgraph_kernels"
    ]
    assert not wrong, "\n".join(wrong)


def test_the_layer_table_has_no_cycles():
    for number, (layer, above) in enumerate(LAYERS.items()):
        earlier = list(LAYERS)[:number]
        late = [name for name in above if name.split(".")[0] not in earlier]
        assert not late, f"{layer} comes before {late} in LAYERS"


def test_no_import_cycles():
    edges = {
        module: sorted(
            {found.target for found in imports(module) if not found.for_types} & modules().keys()
        )
        for module in modules()
    }
    cycle = find_cycle(edges)
    assert not cycle, "import cycle, in functions too: " + " -> ".join(cycle)


def find_cycle(edges: dict[str, list[str]]) -> list[str]:
    """Some cycle of a graph, its first node repeated at the end; empty where there is none."""
    done: set[str] = set()
    for start in edges:
        path, pending = [start], [iter(edges[start])]
        while path:
            following = next((n for n in pending[-1] if n not in done), None)
            if following is None:
                done.add(path.pop())
                pending.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            elif start not in done:
                path.append(following)
                pending.append(iter(edges[following]))
    return []


def test_find_cycle_finds_cycles():
    assert find_cycle({"a": ["b", "c"], "b": ["c"], "c": []}) == []
    assert find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for path in modules().values()}
    missing = [
        str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").exists()
    ]
    assert not missing, f"no __init__.py, so the wheel would leave out {missing}"


def source_files() -> list[Path]:
    """All Python files of the project."""
    folders = [*PACKAGES.values(), ROOT / "tests", ROOT / "tutorials"]
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def span(node: ast.stmt) -> int:
    """Lines of a statement."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_are_short():
    """Prints what is longer than anything but a table should be; ``-rP`` shows it."""
    sizes = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in source_files()}
    for path, count in sizes.items():
        if count > USUAL_LINES:
            print(f"{path.relative_to(ROOT)} has {count} lines: split it, unless it is a table")
    wrong = [f"{p.relative_to(ROOT)} has {n} lines" for p, n in sizes.items() if n > MOST_LINES]
    assert not wrong, f"at most {MOST_LINES} lines a file\n" + "\n".join(wrong)


def test_names_of_modules_are_given_once():
    """A constant of the same name further down would change what functions above it read."""
    wrong = []
    for path in source_files():
        seen: set[str] = set()
        for node in tree(path).body:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            names = {t.id for t in targets if isinstance(t, ast.Name) and t.id.isupper()}
            wrong += [f"{where(path, node.lineno)} {n}" for n in sorted(names & seen)]
            seen |= names
    assert not wrong, "given twice\n" + "\n".join(wrong)


def test_functions_are_short():
    wrong = [
        f"{where(path, node.lineno)} {node.name} has {span(node)} lines"
        for path in source_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and span(node) > MOST_LINES_OF_A_FUNCTION
    ]
    assert not wrong, f"at most {MOST_LINES_OF_A_FUNCTION} lines a function\n" + "\n".join(wrong)


def test_complexity_is_checked_by_ruff():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    assert "C901" in settings["lint"]["select"]
    assert settings["lint"]["mccabe"]["max-complexity"] <= 12


def is_public(node: ast.stmt) -> bool:
    """Whether a statement defines a public function or class, and not an overload or a setter."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return False
    return not any(
        ast.unparse(decorator).endswith(("overload", ".setter"))
        for decorator in node.decorator_list
    )


def without_docstring(path: Path) -> Iterator[str]:
    """Public functions, classes and methods of a module that have no docstring."""
    for node in filter(is_public, tree(path).body):
        members = filter(is_public, node.body) if isinstance(node, ast.ClassDef) else ()
        for one in (node, *members):
            assert isinstance(one, ast.FunctionDef | ast.ClassDef)
            if not ast.get_docstring(one):
                yield f"{where(path, one.lineno)} {one.name}"


def test_every_module_has_a_docstring():
    paths = modules().values()
    wrong = [where(path, 1) for path in paths if not ast.get_docstring(tree(path))]
    assert not wrong, "no docstring:\n" + "\n".join(wrong)


@pytest.mark.parametrize("package", ["symgraph", "symgraph_tools"])
def test_everything_public_has_a_docstring(package: str):
    """Not in symgraph_kernels, where a row of the table documents a function."""
    paths = sorted(PACKAGES[package].rglob("*.py"))
    wrong = [line for path in paths for line in without_docstring(path)]
    assert not wrong, "no docstring:\n" + "\n".join(wrong)


def project_entries() -> list[str]:
    """Top-level entries of the project, less what git ignores."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout, so what is ignored is unknown")
    names = {line.strip('"').split("/")[0] for line in listed.stdout.splitlines()}
    return sorted(name for name in names if (ROOT / name).exists())


def test_top_level_holds_only_what_belongs_there():
    strangers = [e for e in project_entries() if e not in TOP_LEVEL and not e.startswith(".")]
    assert not strangers, f"move or delete {strangers}, or add them to TOP_LEVEL"


def test_no_file_is_named_vaguely():
    wrong = [str(p.relative_to(ROOT)) for p in source_files() if p.stem in VAGUE_NAMES]
    assert not wrong, f"name them for what they hold: {wrong}"


def text_files() -> list[Path]:
    """All files of text of the project."""
    folders = [*PACKAGES.values(), ROOT / "tests", ROOT / "tutorials", ROOT / ".ci"]
    inside = [p for folder in folders for p in sorted(folder.rglob("*")) if p.is_file()]
    top = [p for p in ROOT.iterdir() if p.is_file()]
    return [p for p in (*top, *inside) if p.suffix in TEXT_SUFFIXES or p.name == "run"]


def lines_with(pattern: str) -> list[str]:
    """``file:line text`` of every line of text that the pattern matches."""
    expression = re.compile(pattern)
    return [
        f"{where(path, number)} {line.strip()[:80]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if expression.search(line)
    ]


def test_no_notes_to_self_are_left():
    found = lines_with(rf"\b({'|'.join(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'])})\b")
    assert not found, "do it, or file it:\n" + "\n".join(found)


def test_no_path_of_this_machine_is_written_down():
    found = lines_with(rf"(?<![\w.])({re.escape(str(ROOT))}|{re.escape(str(Path.home()))})/")
    assert not found, "\n".join(found)


def test_every_lint_exception_names_its_rule():
    unnamed = lines_with(r"#\s*no" + r"qa\b(?!: [A-Z]+\d)|#\s*type:\s*ig" + r"nore\b(?!\[\w)")
    assert not unnamed, "name the rule that is broken, and why:\n" + "\n".join(unnamed)
