"""The program's end: all that was begun is ended, though what it holds is not taken apart."""

import subprocess
import sys
from pathlib import Path

import pytest

INCIDENT = str(Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress")
START = "from flowdiag.cli.start import main; main()"


def run(*words, before="", behind=""):
    """The program, with something done before it in the same process, and its output sent somewhere."""
    return subprocess.run(
        ["/bin/sh", "-c", f'"$@" {behind}', "sh", sys.executable, "-c", f"{before}\n{START}", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["analyze", INCIDENT], 0),
        (["analyze", INCIDENT, "-o", "json"], 0),
        (["analyze", INCIDENT, "--fail-on", "low"], 1),
        (["analyze"], 2),
        (["analyze", "/nonexistent/folder"], 3),
    ],
)
def test_it_ends_as_an_interpreter_does(words, code):
    """The same code, output and messages as where Python takes everything apart."""
    straight = run(*words, before="import os; os.environ['SOURCE_DATE_EPOCH'] = '0'")
    whole = run(
        *words,
        before="import os; os.environ['SOURCE_DATE_EPOCH'] = '0'\n"
        "from flowdiag.model import ending; ending.leave = lambda code: None",
    )

    assert straight.returncode == code
    assert (straight.stdout, straight.stderr) == (whole.stdout, whole.stderr)


def test_what_is_registered_for_the_end_runs_once():
    """Temporary folders and the server of worker processes go that way."""
    done = run("codes", "FD101", before="import atexit; atexit.register(print, 'ended')")

    assert done.returncode == 0
    assert done.stdout.count("ended") == 1
    assert done.stdout.endswith("ended\n")


def test_threads_are_waited_for():
    """What somebody's plugin still does is done."""
    before = (
        "import threading, time\n"
        "threading.Thread(target=lambda: (threading.main_thread().join(), print('worked on'))).start()"
    )

    assert run("codes", "FD101", before=before).stdout.endswith("worked on\n")


def test_a_reader_that_went_away_is_no_error():
    """As with Python's own end; what is left to print finds nobody."""
    done = run("analyze", INCIDENT, "-o", "json", behind="| true")

    assert not done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_what_cannot_be_written_at_the_end_is_told():
    """Python says it at its end, and has a code for it."""
    # Buffered, whatever the environment says of that.
    before = "import sys; sys.stdout = open(1, 'w', closefd=False); print('lost')"
    done = run("codes", "FD999", before=before, behind=">/dev/full")

    assert done.returncode == 120
    assert "No space left on device" in done.stderr
