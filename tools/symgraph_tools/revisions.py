"""Targets as they were at revisions of git, compiled by the symgraph that runs now.

The tree of a revision is written to a folder of its own, and the target is loaded there by a
process of its own: its modules have the names of those of the working tree.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .target import GRAPHS, TRACES, Target, TargetError, load_target, one_line

if TYPE_CHECKING:
    from .given import Given

LOAD = "from symgraph_tools.revisions import write_trace; write_trace()"


def target_at(text: str, revision: str, given: Given) -> Target:
    """The target of that name at a revision: its trace, under the name ``f at HEAD~1``.

    Raises: TargetError where git, the revision, or the target there is missing.
    """
    path = Path(text.partition(":")[0])
    here = path.parent.resolve() if path.suffix else Path.cwd()
    top = Path(_git(here, "rev-parse", "--show-toplevel").decode().strip()).resolve()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _extract(_git(top, "archive", "--format=tar", revision), tree)
        inside = Path.cwd().resolve()
        start = tree / inside.relative_to(top) if inside.is_relative_to(top) else tree
        if path.suffix in (*GRAPHS, *TRACES):
            found = load_target(str(_moved(path, top, tree)), given)
        else:
            moved = _moved(path, top, tree) if path.suffix else path
            _, colon, attr = text.partition(":")
            found = _loaded_there(f"{moved}{colon}{attr}", start, given, Path(folder))
    found.name = f"{found.name} at {revision}"
    return found


def _moved(path: Path, top: Path, tree: Path) -> Path:
    """The same path in the other tree."""
    whole = path.resolve()
    if not whole.is_relative_to(top):
        raise TargetError(f"{path} is not in the repository {top}")
    return tree / whole.relative_to(top)


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        raise TargetError("--rev needs the program git, which is not installed") from None
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip()
        raise TargetError(f"git {arguments[0]}: {one_line(ValueError(text))}")
    return done.stdout


def _extract(archive: bytes, folder: Path) -> None:
    """Regular files and folders of a tree; links, which may lead out of it, are left out."""
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = [m for m in tar.getmembers() if m.isfile() or m.isdir()]
        tar.extractall(folder, members, filter="data")


def _loaded_there(text: str, start: Path, given: Given, folder: Path) -> Target:
    """The trace that a process in another folder makes of a target."""
    out = folder / "found.sgtrace"
    job = {
        "target": text,
        "out": str(out),
        "path": [entry for entry in sys.path if entry],
        "args": dict(given.args),
        "shapes": {k: list(v) for k, v in given.shapes.items()},
        "dtypes": dict(given.dtypes),
        "dims": dict(given.dims),
        "execute": given.execute,
    }
    code = f"import sys; sys.path[:] = {job['path']!r}; {LOAD}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        cwd=start if start.is_dir() else folder,
    )
    if done.returncode or not out.exists():
        text = (done.stderr.strip().splitlines() or ["it could not be loaded"])[-1]
        raise TargetError(text.removeprefix("symgraph: ").replace(str(folder / "tree") + "/", ""))
    loaded = load_target(str(out), given)
    loaded.name = loaded.trace().name
    return loaded


def write_trace() -> None:
    """What the other process does: a target from standard input, as JSON, into a trace file."""
    from symgraph.errors import SymgraphError

    from .given import Given

    job = json.load(sys.stdin)
    shapes = {k: tuple(v) for k, v in job["shapes"].items()}
    given = Given(job["args"], shapes, job["dtypes"], job["dims"], job["execute"])
    try:
        found = load_target(job["target"], given)
        trace = found.trace()
        trace.name = found.name
        trace.save(job["out"])
    except (SymgraphError, OSError) as error:
        sys.exit(f"symgraph: {one_line(error)}")
