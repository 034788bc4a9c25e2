"""`events` on standard input that does not end."""

from __future__ import annotations

import subprocess
import sys

LINE = b"WARN: 2026/01/05 10:00:06.963438 TCP connection from 10.32.0.17:43912 to 10.32.0.5:8080 blocked by Weave NPC.\n"
COMMAND = (
    "import sys; import flowdiag.cli.events as events; events._PATIENCE_S = {}; "
    "from flowdiag.cli.main import main; main(['events', '-'])"
)


def started(patience: float):
    """The command, with its standard input open."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND.format(patience)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_stream_that_goes_on_is_told_where_to_go():
    """It waits for the end, says so, and what to do instead; at the end the records come."""
    process = started(0.1)
    process.stdin.write(LINE)
    process.stdin.flush()

    said = process.stderr.readline()
    out, rest = process.communicate(timeout=120)

    assert said == (
        b"flowdiag: standard input is read to its end before anything is printed; "
        b"to follow a stream: flowdiag watch -\n"
    )
    assert (process.returncode, out.count(b"\n"), rest) == (0, 1, b"")


def test_what_ends_soon_needs_no_word():
    """Nothing is said where the end is there."""
    process = started(60)
    out, said = process.communicate(LINE, timeout=120)

    assert (process.returncode, out.count(b"\n"), said) == (0, 1, b"")
