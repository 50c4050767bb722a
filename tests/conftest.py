"""What every test gets: fixed seeds, a compile cache of its own session, golden files, markers.

golden("name", text)   compares text with tests/golden/name; ``--update-golden`` rewrites it
rng                    a NumPy generator with a fixed seed
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest

GOLDEN = Path(__file__).parent / "golden"
SEED = 20_260
HAS_DEVICE = any(Path("/dev").glob("nvidia[0-9]*"))
_session_folder = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the files of tests/golden that differ, instead of failing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Shield the session from the user's settings and cache, before symgraph is imported."""
    hypothesis.settings.register_profile(
        "fixed", derandomize=True, deadline=None, database=None, print_blob=True
    )
    hypothesis.settings.load_profile("fixed")
    if not HAS_DEVICE:  # numba reads this once, when it is first imported
        os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist shares the controller's folder
        return
    for name in [name for name in os.environ if name.startswith("SYMGRAPH_")]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="symgraph-tests-"))
    config.stash[_session_folder] = folder
    os.environ["SYMGRAPH_CACHE_DIR"] = str(folder / "cache")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the session's cache."""
    folder = config.stash.get(_session_folder, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none."""
    if HAS_DEVICE:
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Fix the seeds of the global generators, so that a failure repeats alone."""
    random.seed(SEED)
    np.random.seed(SEED)  # for libraries that draw from NumPy's global state


@pytest.fixture
def rng() -> np.random.Generator:
    """A NumPy generator with a fixed seed."""
    return np.random.default_rng(SEED)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)``: text must equal the file tests/golden/name."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"tests/golden/{name} is missing; write it by --update-golden"
        assert text == path.read_text(encoding="utf-8"), f"differs from tests/golden/{name}"

    return check
