"""Ctrl-C at any moment: 130, a sentence on what was written, and nothing left behind.

A terminal sends it to the command and to all its processes.
"""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"
# Before this Python itself answers.
COMMAND = [
    sys.executable,
    "-c",
    "import os; from flowdiag.cli.start import main; os.write(1, b'.'); main()",
]


def interrupted(tmp_path, seconds, *words):
    """(exit code, messages, whether processes are left) of a command that is interrupted so long after it began."""
    aside = tmp_path / "aside"
    aside.mkdir()
    with subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(aside)},
        start_new_session=True,
    ) as process:
        assert process.stdout.read(1) == b"."
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert list(aside.iterdir()) == []
    return process.returncode, err.decode(), _left(process.pid)


def _left(group):
    """Whether somebody of a process group is still there some seconds later."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("seconds", [0.01, 0.04, 0.1, 0.2, 0.35, 0.6])
def test_while_it_loads_and_works(tmp_path, seconds):
    """No traceback, no half a report, no temporary file; a command that is done by then is done."""
    target = tmp_path / "report.html"
    code, said, left = interrupted(tmp_path, seconds, "analyze", INCIDENT, "-o", f"html={target}")

    assert "Traceback" not in said
    assert not left
    assert [path.name for path in tmp_path.iterdir()] in (
        ["aside"],
        ["aside", "report.html"],
        ["report.html", "aside"],
    )
    if code == 130:
        assert "interrupted" in said
        assert ("nothing was written" in said) == (not target.exists())
    else:
        assert code in (0, -signal.SIGINT), said


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.3])
def test_while_workers_read(tmp_path, seconds):
    """They end with it, wherever they are."""
    evidence = tmp_path / "events.jsonl"
    evidence.write_bytes((INCIDENT / "hubble" / "events.jsonl").read_bytes() * 30)
    code, said, left = interrupted(tmp_path, seconds, "analyze", "--processes", 2, evidence)

    assert "Traceback" not in said
    assert not left
    # Where it was done by then Python may be at its own end, and the signal ends it: a shell says 130 all the same.
    assert code in (0, 130, -signal.SIGINT), said


SWALLOWED = """
import os, time
from flowdiag.cli import main as program

class Finalized:
    def __del__(self):
        os.write(1, b".")
        time.sleep(60)

def run(args, name):
    Finalized()
    time.sleep(60)
    return 0

program._run = run
program.main([])
"""


def test_where_python_would_swallow_it():
    """In a finalizer Python writes a traceback and goes on: the command ends all the same."""
    with subprocess.Popen(
        [sys.executable, "-c", SWALLOWED], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.read(1) == b"."
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=50)

    assert (process.returncode, err.decode()) == (130, "interrupted; nothing was written\n")


NAMED = """
import os, signal
from flowdiag.cli import main as program

class Named:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass

class Wide:
    def main(self, **words):
        type("Owner", (), {"named": Named()})

program.cli = Wide()
program.main(["analyze"])
"""


def test_where_python_makes_another_error_of_it():
    """Up to 3.11 it says `RuntimeError: Error calling __set_name__`, when a module with an enum is loaded at that moment."""
    done = subprocess.run([sys.executable, "-c", NAMED], capture_output=True, timeout=50, check=False)

    assert (done.returncode, done.stderr.decode()) == (130, "interrupted; nothing was written\n")


def test_while_a_report_is_written(tmp_path):
    """A pipe that nobody reads holds the first file back: what was to follow is not there, and that is said."""
    pipe, after = tmp_path / "pipe", tmp_path / "after.md"
    os.mkfifo(pipe)
    words = ["analyze", str(INCIDENT), "-o", f"json={tmp_path / 'before.json'}", "-o", f"csv={pipe}"]
    with subprocess.Popen(
        [*COMMAND, *words, "-o", f"markdown={after}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while not (tmp_path / "before.json").exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)

    assert process.returncode == 130
    assert f"interrupted; written by then: {tmp_path / 'before.json'}" in err.decode()
    assert "Traceback" not in err.decode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before.json", "pipe"]


def test_workers_begin_though_the_folder_for_temporary_files_has_a_long_name(tmp_path):
    """Longer than the path of a socket may be."""
    evidence, folder = tmp_path / "events.jsonl", tmp_path / ("long" * 30)
    folder.mkdir()
    evidence.write_bytes((INCIDENT / "hubble" / "events.jsonl").read_bytes())
    done = subprocess.run(
        [*COMMAND, "analyze", "--processes", "2", str(evidence), "-o", "json"],
        capture_output=True,
        env=os.environ | {"TMPDIR": str(folder)},
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout[1:].startswith(b"{")
    assert list(folder.iterdir()) == []


WHILE_IT_MAKES = """
import os, signal, sys, tempfile
from flowdiag.cli.start import main

def interrupted(real):
    def call(*args, **words):
        made = real(*args, **words)
        os.kill(os.getpid(), signal.SIGINT)
        return made
    return call

# Python tries a place for temporary files out by a file, which it takes away again.
real = os.unlink
def unlink(*args, **words):
    os.kill(os.getpid(), signal.SIGINT)
    real(*args, **words)

what = sys.argv.pop(1)
if what == "folder":
    tempfile.mkdtemp = interrupted(tempfile.mkdtemp)
elif what == "report":
    tempfile.mkstemp = interrupted(tempfile.mkstemp)
else:
    os.unlink = unlink
main()
"""


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("folder", []),
        ("folder", ["--processes", "2"]),
        ("place", []),
        ("place", ["--processes", "2"]),
        ("report", ["-o", "html=aside/report.html"]),
    ],
)
def test_while_something_temporary_is_made(tmp_path, what, words):
    """It is ours from its first moment, and goes with the command."""
    aside, packed = tmp_path / "aside", tmp_path / "logs.zip"
    aside.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(INCIDENT / "hubble" / "events.jsonl", "events.jsonl")
    done = subprocess.run(
        [sys.executable, "-c", WHILE_IT_MAKES, what, "analyze", *words, packed],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(aside)},
        timeout=100,
        check=False,
    )

    assert (done.returncode, done.stderr.strip()) == (130, b"interrupted; nothing was written")
    assert list(aside.iterdir()) == []
