"""The example of a third-party parser works as its README says, installed by pip as anybody would.

A copy of it is built and installed into a folder of its own, which is then on the path: nothing is fetched (the build
runs with the setuptools that is there) and nothing is written into the example or into the environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "flowdiag-parser-example"
LOG = EXAMPLE / "fixtures" / "ordinary" / "input.log"
FLOWDIAG = (sys.executable, "-c", "import sys; from flowdiag.cli.main import main; sys.exit(main())")


def _installed(distribution: Path, target: Path) -> dict[str, str]:
    """Environment in which this distribution is installed beside flowdiag."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--no-index", "--no-build-isolation", "--target", str(target), str(distribution)),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    path = os.pathsep.join([str(target), str(ROOT), str(ROOT / "parsers")])
    env = {key: value for key, value in os.environ.items() if key != "FLOWDIAG_PLUGINS"}
    return env | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example, installed."""
    folder = tmp_path_factory.mktemp("example")
    copy = folder / "source"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    return _installed(copy, folder / "site")


def _run(env, *words, **more):
    done = subprocess.run(
        [*FLOWDIAG, *words], env=env | more, capture_output=True, text=True, check=False, timeout=300
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


_FILE = re.compile(r"^`([\w./-]+)`[,;][^\n]*\n\n```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_tutorial_from_an_empty_folder(tmp_path):
    """The files that the README shows, written into an empty folder and installed, give the output that it shows."""
    readme = (EXAMPLE / "README.md").read_text()
    project = tmp_path / "flowdiag-tollgate"
    for name, content in _FILE.findall(readme):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    env = _installed(project, tmp_path / "site")
    shown = re.search(r"\$ flowdiag parsers detect (\S+)\n((?:.+\n)+)", readme)
    log = str(project / shown[1])

    assert _run(env, "parsers", "detect", log).replace(f"{project}/", "") == shown[2]
    events = [json.loads(line) for line in _run(env, "events", log).splitlines()]
    assert [(event["verdict"], event["dst"]["port"]) for event in events] == [
        ("denied", 8080),
        ("allowed", 53),
    ]
    assert "10.1.2.3" in _run(env, "analyze", log)
    contract = (
        "import sys; from pathlib import Path; from flowdiag.parserkit.testing import assert_parser_contract; "
        "from flowdiag_tollgate.parser import Tollgate; "
        "assert_parser_contract(Tollgate(), [Path(sys.argv[1]).read_bytes()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", contract, log],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
