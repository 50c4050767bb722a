"""Settings: by assignment, context and environment; what is wrong is an error that says so."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from symgraph.config import SETTINGS, Config, config
from symgraph.errors import ConfigError
from symgraph.ops.leaves import tensor


def fresh(**environment: str) -> subprocess.CompletedProcess[str]:
    """The output of a new process that prints all settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SYMGRAPH_")}
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-c", "from symgraph.config import config; print(config)"],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "PYTHONPATH": path, **environment},
    )


def test_defaults_are_those_of_the_table():
    made = Config()
    for row in SETTINGS.values():
        if row.name != "cache_dir":  # the tests have a folder of their own
            assert getattr(made, row.name) == row.default
        assert row.about
        assert row.variable == f"SYMGRAPH_{row.name.upper()}"
    assert len(SETTINGS) <= 12
    assert dir(made) == sorted(SETTINGS)


def test_a_setting_can_be_assigned():
    made = Config()
    made.threads = 3
    made.floatX = "float32"
    made.cache_dir = Path("some") / "folder"
    assert (made.threads, made.floatX) == (3, "float32")
    assert made.text("cache_dir") == str(Path("some") / "folder")
    assert made.number("threads") == 3
    assert "threads=3" in repr(made)


@pytest.mark.parametrize(
    ("name", "nearest"), [("floatx", "floatX"), ("cachedir", "cache_dir"), ("thread", "threads")]
)
def test_an_unknown_setting_names_the_nearest(name: str, nearest: str):
    made = Config()
    for use in (
        lambda: getattr(made, name),
        lambda: setattr(made, name, 1),
        lambda: made(**{name: 1}).__enter__(),
    ):
        with pytest.raises(ConfigError, match=rf"no setting '{name}'\n.*did you mean '{nearest}'"):
            use()
    assert not hasattr(made, name)


def test_an_unknown_setting_without_a_near_one_lists_all():
    with pytest.raises(ConfigError, match="settings: floatX, mode, backend"):
        _ = config.zzzzzz


WRONG: list[tuple[str, Any, str]] = [
    ("floatX", "float16", "'float32', 'float64'"),
    ("floatX", 32, "'float32', 'float64'"),
    ("mode", "FAST", "'fast', 'quick', 'debug'"),
    ("threads", -1, "a whole number, at least 0"),
    ("threads", 2.0, "a whole number, at least 0"),
    ("threads", "many", "a whole number, at least 0"),
    ("threads", True, "a whole number, at least 0"),
    ("threads", None, "a whole number, at least 0"),
    ("cache", 1, "True, False"),
    ("cache", "maybe", "True, False"),
    ("cache_dir", 3, "a path, or None"),
    ("rewrite_fuel", 0, "a whole number, at least 1"),
    ("backend", None, "a text"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG, ids=str)
def test_a_wrong_value_says_what_is_allowed(name: str, value: Any, allowed: str):
    made = Config()
    before = getattr(made, name)
    with pytest.raises(ConfigError) as error:
        setattr(made, name, value)
    text = str(error.value)
    assert f"setting {name!r} does not take {value!r}" in text
    assert f"allowed: {allowed}" in text
    assert SETTINGS[name].about in text
    assert getattr(made, name) == before
    assert isinstance(error.value, ValueError)


def test_a_context_changes_settings_inside_only():
    made = Config()
    with made(floatX="float32", threads=2) as inside:
        assert inside is made
        assert (made.floatX, made.threads) == ("float32", 2)
        with made(threads=5):
            assert (made.floatX, made.threads) == ("float32", 5)
        assert made.threads == 2
    assert (made.floatX, made.threads) == ("float64", 0)


def test_a_context_ends_with_an_error_too():
    made = Config()
    with pytest.raises(KeyError), made(threads=2):
        raise KeyError
    assert made.threads == 0
    with pytest.raises(ConfigError), made(threads=2, floatX="int8"):
        pass
    assert made.threads == 0


def test_a_context_is_seen_by_its_own_thread_only():
    made = Config()
    seen: list[object] = []
    with made(threads=7):
        other = threading.Thread(target=lambda: seen.append(made.threads))
        other.start()
        other.join()
    assert seen == [0]


def test_threads_in_contexts_do_not_disturb_each_other():
    made = Config()
    barrier = threading.Barrier(4)
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(50):
            with made(threads=number):
                barrier.wait()
                if made.threads != number:
                    wrong.append(made.threads)
                barrier.wait()

    workers = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_inputs_take_their_dtype_from_the_settings():
    assert tensor("x", ()).dtype == "float64"
    with config(floatX="float32"):
        assert tensor("x", ()).dtype == "float32"
    assert tensor("x", ()).dtype == "float64"


def test_the_environment_sets_defaults():
    found = fresh(
        SYMGRAPH_FLOATX="float32",
        SYMGRAPH_THREADS="3",
        SYMGRAPH_CACHE="off",
        SYMGRAPH_CACHE_DIR="/somewhere",
    )
    assert found.returncode == 0, found.stderr
    for part in ("floatX='float32'", "threads=3", "cache=False", "cache_dir='/somewhere'"):
        assert part in found.stdout


def test_a_wrong_value_in_the_environment_names_the_variable():
    found = fresh(SYMGRAPH_THREADS="many")
    assert found.returncode == 1
    assert "setting 'threads' does not take 'many'" in found.stderr
    assert "set by: environment variable SYMGRAPH_THREADS" in found.stderr


def test_an_unknown_variable_in_the_environment_names_the_nearest():
    found = fresh(SYMGRAPH_FLOATS="float32")
    assert found.returncode == 1
    assert "no environment variable of a setting 'SYMGRAPH_FLOATS'" in found.stderr
    assert "did you mean 'SYMGRAPH_FLOATX'?" in found.stderr
