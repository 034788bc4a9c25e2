"""Standard streams that are closed or full, as schedulers and shells hand them over."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowdiag.cli.main import cli

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"
COMMAND = [sys.executable, "-c", "from flowdiag.cli.main import main; main()"]
COMMANDS = {
    "analyze": ["analyze", INCIDENT],
    "events": ["events", INCIDENT],
    "explain": ["explain", "frontend/web-app", "backend/user-api", "8080", "--state", INCIDENT],
    "whatif": ["whatif", "--state", INCIDENT, "--delete", "NetworkPolicy/frontend/default-deny"],
    "codes": ["codes"],
}


def run(words, redirection, first="", **more):
    """By a shell, which closes streams."""
    line = f'{first} exec "$@" {redirection}'
    return subprocess.run(
        ["/bin/sh", "-c", line, "sh", *COMMAND, *map(str, words)], capture_output=True, check=False, **more
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_standard_output_it_does_its_work(name):
    """``>&-``: nobody wants it, and that is no error."""
    done = run(COMMANDS[name], ">&-")

    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")


def test_without_any_stream_a_report_is_written_and_nothing_else_gets_what_is_printed(tmp_path):
    """A file that is opened takes no closed stream's number."""
    target = tmp_path / "report.json"
    done = run([*COMMANDS["analyze"], "-o", f"json={target}"], "<&- >&- 2>&-")

    assert done.returncode == 0
    assert json.loads(target.read_bytes())["schema"] == "flowdiag.report/1"


def test_without_a_standard_input_there_is_nothing_to_read():
    """``analyze - <&-`` is as empty as /dev/null."""
    done = run(["analyze", "-"], "<&-")

    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_standard_output_is_said(name):
    """Exit 2 and a sentence."""
    done = run(COMMANDS[name], ">/dev/full")

    assert done.returncode == 2
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "PYTHONUNBUFFERED"])
@pytest.mark.parametrize("name", ["analyze", "events"])
def test_a_standard_output_that_fills_on_the_way_is_said(tmp_path, name, unbuffered):
    """A disk takes the first part of what is written: the rest is missed, whatever Python buffers (containers set it)."""
    target = tmp_path / "out"
    words = [*COMMANDS[name], "-o", "json" if name == "analyze" else "jsonl"]
    # The limit is one for every file, those in __pycache__ too.
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONDONTWRITEBYTECODE": "1"}
    done = run(words, f'> "{target}"', first="ulimit -f 8;", env=environment)

    assert 0 < target.stat().st_size <= 8 * 1024
    assert done.returncode == 2
    assert done.stderr.startswith(b"flowdiag: standard output")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A report in which somebody's names are Hebrew and Japanese."""
    path = tmp_path_factory.mktemp("story") / "r.json"
    report = run(["analyze", INCIDENT, "-o", "json"], "").stdout.decode()
    path.write_text(
        report.replace("web-app", "\u05e9\u05dc\u05d5\u05dd-\u30dd\u30c3\u30c9"), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "koi8-r"])
def test_a_name_that_the_terminal_has_no_letters_for_is_shown_as_an_escape(story, encoding):
    """A locale of one language (de_DE.ISO-8859-1) is no reason for an internal error."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = run(["show", story], "", env=environment)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"DNS is blocked for frontend/" in done.stdout
    assert "\u05e9".encode() in done.stdout or b"\\u05e9" in done.stdout


@pytest.mark.parametrize("name", ["json", "html", "markdown", "csv", "jsonl", "junit", "sarif", "svg"])
def test_what_programs_read_is_utf_8_everywhere(story, monkeypatch, name):
    """As in a file: the same bytes whatever the locale."""
    seen = set()
    for encoding in ("utf-8", "latin-1", "utf-16"):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        cli.main(["show", str(story), "-o", name], standalone_mode=False)
        sys.stdout.flush()
        seen.add(written.getvalue())
    if name == "markdown":
        seen.add(
            run(["show", story, "-o", name], "", env={**os.environ, "PYTHONIOENCODING": "utf-16"}).stdout
        )

    (once,) = seen
    assert "\u05e9\u05dc\u05d5\u05dd" in once.decode("utf-8")


def test_json_lines_without_a_line_are_empty(tmp_path):
    """A report in which nothing has a time gave one blank line, which no reader of JSON lines takes."""
    report = tmp_path / "report.json"
    run(["analyze", INCIDENT, "-o", f"json={report}"], "")
    held = json.loads(report.read_bytes())
    held |= {"problems": [], "timeline": []}
    report.write_text(json.dumps(held))

    done = run(["show", report, "-o", "jsonl"], "")

    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")
