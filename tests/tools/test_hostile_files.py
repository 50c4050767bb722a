"""Files that are broken, truncated, hostile or from the future: one line, exit code 3, no more."""

from __future__ import annotations

import io
import json
import random
import zipfile

import pytest
from click.testing import CliRunner

import symgraph as sg
from symgraph.errors import ParseError
from symgraph.trace.read import read_trace
from symgraph_tools.cli import main
from symgraph_tools.target import TargetError, load_target, one_line
from tests.trace.workloads import build

MUTATIONS = 10_000  # of each kind of file; the fast lane does one in a hundred
INTERPRETED = sg.Mode(backend="interp")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A graph and a trace as files: with a loop, a gradient, constants, shared state."""
    folder = tmp_path_factory.mktemp("files")
    inputs, outputs, _ = build("garch_grad")
    w = sg.shared([1.0, 2.0, 3.0], name="w")
    outputs = [outputs[0] + sg.sum(w * sg.constant(list(range(30)))[:3]), *outputs[1:]]
    sg.save(folder / "a.sg", {"inputs": inputs, "outputs": outputs})
    sg.function(inputs, outputs, mode=INTERPRETED).trace.save(folder / "a.sgtrace")
    return folder


def _contents(path):
    """The JSON in a zip, and its name there."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".json")]
        others = {n: archive.read(n) for n in archive.namelist() if n != name}
        return name, json.loads(archive.read(name)), others


def _packed(name, text, others) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, content in {**others, name: text}.items():
            archive.writestr(member, content)
    return stream.getvalue()


WRONG = (None, -1, 10**30, 1.5, True, "", "x", "@9", "$9", "%", [], {}, [[]], "float64[", "\x00")


def _mutated_json(found, rng: random.Random):
    """One value somewhere in it replaced, removed, or put twice."""
    place, key = None, None
    node = found
    while isinstance(node, dict | list) and node:
        place = node
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        if rng.random() < 0.15:
            break
        node = node[key]
    if place is None:
        return
    what = rng.randrange(4)
    if what == 0 or isinstance(place[key], int):
        place[key] = rng.choice((*WRONG, rng.randrange(200)))
    elif what == 1:
        del place[key]
    elif isinstance(place, list):
        place.insert(key, place[key])
    elif isinstance(place[key], str):
        text = place[key]
        at = rng.randrange(len(text) + 1)
        place[key] = text[:at] + rng.choice(["", "(", "9" * 50, '"', "]", "?"]) + text[at + 1 :]
    else:
        place[key] = rng.choice(WRONG)


def _mutations(path, count: int, seed: int):
    """Damaged contents of a file: of its bytes, and of the JSON inside it."""
    rng = random.Random(seed)
    raw = path.read_bytes()
    name, found, others = _contents(path)
    text = json.dumps(found)
    for number in range(count):
        if number % 4 == 0:
            data = bytearray(raw)
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            yield bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
        else:
            copy = json.loads(text)
            _mutated_json(copy, rng)
            yield _packed(name, json.dumps(copy), others)


def _looked_at(path) -> None:
    """All that commands do with a file that they read."""
    target = load_target(str(path))
    if path.suffix == ".sgtrace":
        trace = target.value
        for number in {0, len(trace.steps) // 2, len(trace.steps) - 1}:
            trace.at(number)
        for row in trace.stages:
            trace.at(row.name)
    else:
        target.built()


@pytest.mark.parametrize(
    "count", [MUTATIONS // 100, pytest.param(MUTATIONS, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", ["a.sg", "a.sgtrace"])
def test_damaged_files_are_refused_in_one_line(files, tmp_path, name, count):
    path = tmp_path / name
    texts = []
    for content in _mutations(files / name, count, seed=count):
        path.write_bytes(content)
        try:
            _looked_at(path)
        except (TargetError, ParseError) as error:
            texts.append(one_line(error))
    print(f"\n{name}: {len(texts)} of {count} refused")
    assert len(texts) > count // 3
    assert all(text and "\n" not in text for text in texts)


@pytest.mark.parametrize("command", ["print", "passes", "explain", "diff", "kernels", "show"])
@pytest.mark.parametrize("name", ["a.sg", "a.sgtrace"])
def test_commands_say_one_line_and_exit_with_3(files, tmp_path, name, command):
    path = tmp_path / name
    data = (files / name).read_bytes()
    bad = [
        b"",
        b"PK\x03\x04",
        data[: len(data) // 2],
        b'{"format": "symgraph.trace/9"}',
        b"\xff" * 99,
    ]
    for content in bad:
        path.write_bytes(content)
        options = ["-o", str(tmp_path / "x.svg")] if command == "show" else []
        found = CliRunner().invoke(main, [command, str(path), *options])
        assert found.exit_code == 3, found.output
        assert found.stdout == ""
        assert len(found.stderr.splitlines()) == 1
        assert "Traceback" not in found.stderr


def test_a_file_from_the_future_says_so(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"format": "symgraph.trace/7", "written_by": "symgraph 9.9", "steps": []}')
    found = CliRunner().invoke(main, ["passes", str(path)])
    assert found.exit_code == 3
    assert "symgraph.trace/7" in found.stderr
    assert "install a later one" in found.stderr


def test_a_graph_that_reads_itself_is_refused(tmp_path):
    x = sg.vector("x")
    trace = sg.function([x], sg.exp(x) + 1, mode=INTERPRETED).trace
    trace.save(tmp_path / "t.json")
    found = json.loads((tmp_path / "t.json").read_text())
    found["steps"][0]["inputs"] = [[1, [2]], [2, [1]]]
    (tmp_path / "t.json").write_text(json.dumps(found))
    with pytest.raises(sg.ParseError, match="reads itself"):
        read_trace(tmp_path / "t.json").at(-1)
    assert CliRunner().invoke(main, ["print", str(tmp_path / "t.json")]).exit_code == 3
