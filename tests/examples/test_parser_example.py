"""The example of a third-party parser works as its README says, without being installed.

An installed distribution is a folder on the path and a ``dist-info`` beside it; both are made here from the
example's own ``pyproject.toml``, so that nothing is built and nothing is fetched.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "flowdiag-parser-example"
LOG = EXAMPLE / "fixtures" / "ordinary" / "input.log"
FLOWDIAG = (sys.executable, "-c", "import sys; from flowdiag.cli.main import main; sys.exit(main())")


@pytest.fixture
def installed(tmp_path):
    """Environment in which the example is installed, as far as Python can tell."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    path = os.pathsep.join([str(tmp_path), str(EXAMPLE / "src"), str(ROOT), str(ROOT / "parsers")])
    env = {key: value for key, value in os.environ.items() if key != "FLOWDIAG_PLUGINS"}
    return env | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _run(env, *words, **more):
    done = subprocess.run(
        [*FLOWDIAG, *words], env=env | more, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_detect_picks_the_foreign_parser(installed):
    """``flowdiag parsers detect`` reads the example's log with the example's parser, and nobody else claims it."""
    (row,) = json.loads(_run(installed, "parsers", "detect", str(LOG), "-o", "json"))

    assert row["parser"] == "tollgate"
    assert [score["parser"] for score in row["scores"]] == ["tollgate"]


def test_list_names_the_distribution(installed):
    """A reader of the list sees whose parser it is."""
    (row,) = [
        row for row in json.loads(_run(installed, "parsers", "-o", "json")) if row["name"] == "tollgate"
    ]

    assert (row["distribution"], row["version"], row["error"]) == ("flowdiag-tollgate", "0.1.0", None)


def test_plugins_can_be_switched_off(installed):
    """``FLOWDIAG_PLUGINS=none`` leaves the built-in parsers."""
    names = [
        row["name"] for row in json.loads(_run(installed, "parsers", "-o", "json", FLOWDIAG_PLUGINS="none"))
    ]

    assert "tollgate" not in names
    assert "weave-npc" in names


def test_events_come_out_in_the_contracts_form(installed):
    """The foreign parser's events are like everybody's."""
    events = [json.loads(line) for line in _run(installed, "events", str(LOG)).splitlines()]

    assert [(event["type"], event["line"]) for event in events] == [
        ("flow", 1),
        ("flow", 2),
        ("flow", 3),
        ("gap", 5),
        ("warning", 6),
    ]
    assert {event["parser"] for event in events} == {"tollgate"}
    assert events[0]["dst"]["pod"] == "web-1"


def test_its_own_tests_pass(installed):
    """What the example tests itself with holds: the contract, and its goldens."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=EXAMPLE,
        env=installed,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_tutorial_shows_what_is_there(installed):
    """The README's listing of files exists, and its detected output is the real one."""
    readme = (EXAMPLE / "README.md").read_text()
    listing = re.search(r"flowdiag-tollgate/\n((?: {4}\S+\n)+)", readme)[1]
    shown = re.search(r"\$ flowdiag parsers detect (\S+)\n((?:.+\n)+)", readme)
    real = _run(installed, "parsers", "detect", str(EXAMPLE / shown[1])).replace(f"{EXAMPLE}/", "")

    assert [name for name in listing.split() if not (EXAMPLE / name).exists()] == []
    assert shown[2] == real
