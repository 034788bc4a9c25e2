"""Documentation names what there is: every command, every option of an audit, files and headings that are there."""

import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import nullcontext, suppress
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
WRITTEN = [
    *PAGES,
    *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "parsers/README.md")),
    ROOT / "examples" / "flowdiag-parser-example" / "README.md",
]
OF_OTHERS = {
    "kubectl": {"--from", "--from-literal", "--show-managed-fields"},
    "hubble, and the filter of a page": {"--input-file", "--not", "--port"},
    "cilium-agent": {"--allow-icmp-frag-needed"},
    "psteal": {"--source"},
    "benchmarks": {"--scale", "--write"},
    "every command line": {"--help", "--version"},
}
"""Options that pages name and flowdiag's commands do not have."""
EXAMPLES = {"acme_rules.py", "acme_tsv.py"}
"""Modules that a reader of `docs/plugins.md` writes."""

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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_option_is_documented_that_is_not_there(page):
    """A renamed option is renamed on the page too."""
    known = {
        option
        for module, _ in COMMANDS.values()
        for parameter in importlib.import_module(f"flowdiag.cli.{module}").command.params
        for option in parameter.opts
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text()))

    assert named - known - set().union(*OF_OTHERS.values()) == set()


def _shown_commands(page):
    """Command lines of flowdiag on a page as words, and whether they are whole: behind a prompt, or a name in a sentence."""
    text = page.read_text()
    lines = [(line, True) for line in re.findall(r"^\$ (.+)$", text, re.MULTILINE)]
    lines += [(span.replace("\\|", "|"), False) for span in re.findall(r"`(flowdiag [^`\n]+)`", text)]
    for line, whole in lines:
        for command in line.split(" | "):
            words = shlex.split(command, comments=True)
            if words[:1] == ["flowdiag"] and words[1] in COMMANDS and not {"...", "--help"} & set(words):
                yield words[1:], whole


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_shown_can_be_typed(page):
    """Its options are those of that command, with values that these take."""
    for (name, *words), whole in _shown_commands(page):
        command = importlib.import_module(f"flowdiag.cli.{COMMANDS[name][0]}").command
        with nullcontext() if whole else suppress(click.MissingParameter):
            command.make_context(name, words)


def test_commands_are_found_where_they_are_shown():
    """So that the test above has something to look at."""
    shown = {page.name: len(list(_shown_commands(page))) for page in WRITTEN}

    assert min(shown[name] for name in ("README.md", "audit.md", "live.md", "scale.md")) >= 3, shown


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page):
    """Within the repository; others are not followed."""
    text = page.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not heading or heading in _anchors(target.read_text()), link


def _anchors(text):
    """Headings of a page as links name them."""
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


def test_every_metric_stands_on_the_page():
    """By name, whether a report has a value for it or not."""
    incident = ROOT / "fixtures" / "incidents" / "default-deny-egress"
    command = [sys.executable, "-m", "flowdiag", "analyze", str(incident), "-o", "openmetrics"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    metrics = set(re.findall(r"^# TYPE (flowdiag_[a-z_]+)", printed, re.MULTILINE))

    assert len(metrics) > 8
    assert not {name for name in metrics if not re.search(rf"`{name}[`{{]", AUDIT)}


@pytest.mark.parametrize(
    "page", [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda page: page.name
)
def test_every_module_that_a_page_names_is_there(page):
    """Pages name a module by the end of its path, as a reader searches for it."""
    named = set(re.findall(r"`([\w/]+\.(?:py|c))`", page.read_text())) - EXAMPLES
    there = [
        path.relative_to(ROOT).as_posix()
        for top in ("benchmarks", "docs", "fixtures", "flowdiag", "parsers", "tests")
        for path in (ROOT / top).rglob("*.[pc]*")
    ]

    assert page.name != "ARCHITECTURE.md" or len(named) > 30
    assert not {name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in there)}


def test_the_order_of_rooms_is_the_one_that_is_checked():
    """The line of arrows says what the import contract holds."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [re.sub("[()]", "", layer) for layer in contract["layers"] if layer != "__main__"]

    assert f"`{' -> '.join(layers)}`" in (ROOT / "ARCHITECTURE.md").read_text()


def test_every_check_and_every_key_stands_on_the_page():
    """Codes of checks, and the keys of an accepted finding."""
    fields = {field.encode_name for field in structs.fields(Acceptance)}

    assert {check.code for check in checks()} <= set(re.findall(r"FD\d{3}", AUDIT))
    assert not {name for name in fields if f"`{name}`" not in AUDIT}
