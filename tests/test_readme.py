"""The README tells the truth: its examples run, its links lead somewhere, its tree is the tree."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_examples_print_what_the_readme_says():
    failed, tried = doctest.testfile(str(README), module_relative=False, encoding="utf-8")
    assert tried >= 10
    assert failed == 0, "see the captured output"


def test_links_to_files_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_map_names_what_exists():
    section = README.read_text(encoding="utf-8").split("## Where things are")[1].split("\n## ")[0]
    top = re.findall(r"^    ([\w/]+)/ ", section, flags=re.MULTILINE)
    inside = re.findall(r"^      (\w+)/ .*?  (\w+)/ ", section, flags=re.MULTILINE)
    files = re.findall(r"\b([\w]+\.(?:py|md|ipynb))\b", section)
    assert [name for name in top if not (ROOT / name).is_dir()] == []
    assert [
        name for pair in inside for name in pair if not (ROOT / "symgraph" / name).is_dir()
    ] == []
    assert [name for name in files if not list(ROOT.rglob(name))] == []
    assert len(top) >= 4
    assert len(inside) >= 3


def test_commands_of_the_readme_are_those_that_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("pip install . && symgraph demo", "pip install -e '.[test]'"):
        assert command in README.read_text(encoding="utf-8")
        assert command in ci
