"""Documentation names what there is: every command, and every option of an audit."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from msgspec import structs

from flowdiag.cli.main import COMMANDS
from flowdiag.diagnose.check import checks
from flowdiag.history.accept import Acceptance

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
AUDIT = (ROOT / "docs" / "audit.md").read_text()

SHARED = {
    name
    for parameter in importlib.import_module("flowdiag.cli.analyze").command.params
    for name in parameter.opts
}


def test_the_readme_shows_what_the_demo_prints():
    """The first thing that a newcomer compares."""
    page = (ROOT / "README.md").read_text()
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    incident = re.search(r"^INCIDENT \?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert incident is not None
    command = [sys.executable, "-m", "flowdiag", "analyze", str(ROOT / incident[1])]

    wide = os.environ | {"COLUMNS": "100"}
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=wide).stdout

    assert shown in printed


def test_no_question_of_the_readme_stands_there_twice():
    """Nor does a command."""
    rows = re.findall(r"^\| (?!---|Question)(.*?) \| `(.*?)`", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert len(rows) > 10
    assert len({question for question, _ in rows}) == len({command for _, command in rows}) == len(rows)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_documentation(command):
    """With the program's name before it, so that it can be found and typed."""
    typed = re.compile(rf"(?:`|^\$ |\| )flowdiag {command}\b", re.MULTILINE)

    assert any(typed.search(page.read_text()) for page in PAGES)


def test_every_option_of_an_audit_stands_on_its_page():
    """Those that it shares with analyze are in --help; its own are explained."""
    command = importlib.import_module("flowdiag.cli.audit").command
    own = {
        parameter.opts[0]
        for parameter in command.params
        if isinstance(parameter, click.Option) and not set(parameter.opts) & SHARED
    }

    assert {"--history", "--notify-at", "--gone-after"} <= own
    assert not {option for option in own if option not in AUDIT}


def test_no_option_is_documented_that_is_not_there():
    """A renamed option is renamed on the page too."""
    known = {
        option
        for module, _ in COMMANDS.values()
        for parameter in importlib.import_module(f"flowdiag.cli.{module}").command.params
        for option in parameter.opts
    }
    own = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", AUDIT)) - {"--from-literal", "--from", "--help"}

    assert own <= known


def test_every_check_and_every_key_stands_on_the_page():
    """Codes of checks, and the keys of an accepted finding."""
    fields = {field.encode_name for field in structs.fields(Acceptance)}

    assert {check.code for check in checks()} <= set(re.findall(r"FD\d{3}", AUDIT))
    assert not {name for name in fields if f"`{name}`" not in AUDIT}
