"""Audits that are killed, and audits side by side: what was committed stays, as it was."""

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from operator import itemgetter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import killer
from two_months import write_day

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-c", "from flowdiag.cli.main import main; main()"]


@pytest.fixture
def day(tmp_path):
    """Evidence with two open problems."""
    write_day(tmp_path / "day", 30)
    return str(tmp_path / "day")


def killer_run(*arguments):
    done = subprocess.run(
        [sys.executable, str(HERE / "killer.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_killed_commands_lose_nothing(tmp_path, day):
    """The whole command, from its start to its end, killed at random points, two at a time."""
    history = tmp_path / "history.db"
    chance = random.Random(4711)  # noqa: S311 - moments, not secrets
    command = [*COMMAND, "audit", day, "--history", str(history), "-o", "junit"]
    start = time.monotonic()
    subprocess.run(command, capture_output=True, check=False)
    span = killer.Span(time.monotonic() - start)
    before = killer.runs(history)
    assert list(before) == [1]

    tally = dict.fromkeys(("killed", "committed", "uncommitted"), 0)
    while not killer.enough(tally, 20):
        pair = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        # One is stopped anywhere, the other near where it writes.
        moments = sorted(
            zip((span.moment(chance), span.moment(chance, 0.5)), pair, strict=True), key=itemgetter(0)
        )
        begun = time.monotonic()
        for moment, process in moments:
            time.sleep(max(0.0, begun + moment - time.monotonic()))
            process.kill()
        said = [process.communicate()[1] for process in pair]
        killed = sum(process.returncode == -signal.SIGKILL for process in pair)
        after = killer.runs(history)
        assert killer.held_against(before, after) == (0, 0)
        assert {run for run in map(killer.announced, said) if run is not None} <= after.keys()
        committed = len(after) - len(before)
        # Whoever came to his end was kept; the others that were are of those that were killed.
        assert committed >= 2 - killed
        span.met(committed=committed > 0)
        tally["killed"] += killed
        tally["committed"] += committed - (2 - killed)
        tally["uncommitted"] += 2 - committed
        before = after

    # Little time passes between the commit and the end, and on a busy machine no moment need fall into it.
    for _ in range(20):
        if tally["committed"]:
            break
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            run = next(filter(None, map(killer.announced, process.stderr)), None)
            process.kill()
        after = killer.runs(history)
        assert killer.held_against(before, after) == (0, 0)
        assert run in after
        tally["committed"] += process.returncode == -signal.SIGKILL
        before = after

    # The kills fell on both sides of the commit, or they showed nothing.
    assert tally["committed"] > 0
    assert tally["uncommitted"] > 0
    assert not list(tmp_path.glob("*.unreadable-*"))


def test_kills_around_the_writing_lose_nothing(tmp_path, day):
    """A hundred kills in the short life of an audit whose interpreter is up already."""
    history = tmp_path / "history.db"

    tally = killer_run("kill", history, day, 815, 100)

    assert (tally["lost"], tally["changed"], tally["unannounced"]) == (0, 0, 0)
    assert tally["killed"] >= 100
    # The kills fell on both sides of the commit, or they showed nothing.
    assert tally["committed"] > 0
    assert tally["uncommitted"] > 0
    assert not list(tmp_path.glob("*.unreadable-*"))


def test_audits_side_by_side_are_one_after_the_other(tmp_path, day):
    """Of audits at the same time one finds the problems new and every other one known; no run is lost."""
    history = tmp_path / "history.db"

    codes = killer_run("together", history, day, 5, 2)["codes"]

    assert sorted(codes) == [0] * 9 + [1]
    with closing(sqlite3.connect(history)) as connection:
        rows = connection.execute("SELECT id, new, known, gone FROM run ORDER BY id").fetchall()
    assert rows == [(1, 3, 0, 0), *((run, 0, 3, 0) for run in range(2, 11))]


def test_audits_side_by_side_set_a_damaged_history_aside_once(tmp_path, day):
    """One of them renames it, the others find the new one; nobody's run is lost with the old file."""
    history = tmp_path / "history.db"
    history.write_bytes(b"damaged" * 1000)

    codes = killer_run("together", history, day, 5, 1)["codes"]

    assert sorted(codes) == [0] * 4 + [1]
    (kept,) = tmp_path.glob("history.db.unreadable-*")
    assert kept.read_bytes() == b"damaged" * 1000
    assert len(killer.runs(history)) == 5
