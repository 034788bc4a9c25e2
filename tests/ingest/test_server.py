"""What is loaded before workers read, and when their server is started."""

import os
import subprocess
import sys

import pytest

from flowdiag.ingest import server

LOADED = """
import sys
import flowdiag.cli.main, flowdiag.cli.analyze, flowdiag.cli.build, flowdiag.cli.output, flowdiag.analysis.run
print(*sorted(sys.modules))
"""


def test_numpy_and_the_stages_after_reading_are_not_loaded_before_it():
    """Workers begin only when their caller has looked at its inputs; what it does not need for that waits."""
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
        ).stdout.split()
    )

    assert "flowdiag.ingest.shares" in loaded
    assert not loaded & {
        "numpy",
        "flowdiag.tally.tally",
        "flowdiag.analysis.stages",
        "flowdiag.policy",
        "flowdiag.timeline",
    }


@pytest.fixture
def started(monkeypatch):
    """Every start of the server, of which none is really one."""
    starts = []
    monkeypatch.setattr(server, "SERIAL_BYTES", 1000)
    monkeypatch.setattr(server, "cores", lambda: 4)
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", lambda: starts.append("started"))
    return starts


@pytest.mark.parametrize(
    ("files", "processes", "scheduler", "wanted"),
    [
        ({"a.log": 600, "b.log": 600}, None, None, True),
        ({"deep/down/a.log": 1200}, 3, None, True),
        ({"a.log": 999}, None, None, False),
        ({"a.log.gz": 5000, "b.tar": 5000}, None, None, False),
        ({"a.log": 5000}, 1, None, False),
        ({"a.log": 5000}, None, "tcp://192.0.2.1:8786", False),
    ],
)
def test_the_server_is_started_where_there_is_enough_to_cut(
    files, processes, scheduler, wanted, started, tmp_path
):
    for name, size in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)

    server.expect_workers([str(tmp_path)], processes, scheduler)

    assert bool(started) is wanted


@pytest.mark.parametrize(("processes", "wanted"), [(None, False), (2, True), (1, False)])
def test_of_two_cores_none_is_spent_before_it_is_known_who_reads(
    processes, wanted, started, monkeypatch, tmp_path
):
    monkeypatch.setattr(server, "cores", lambda: 2)
    (tmp_path / "a.log").write_bytes(b"x" * 5000)

    server.expect_workers([str(tmp_path)], processes, None)

    assert bool(started) is wanted


def test_what_is_no_file_here_starts_nothing(started):
    """Standard input, a bucket, a name with a null byte, nothing at all."""
    server.expect_workers(["-", "s3://bucket/flows", "no\0file", "not-there"], None, None)

    assert started == []


BEGUN = """
import os, signal, sys, time
from multiprocessing import forkserver
from flowdiag.ingest import server

server.cores, server.SERIAL_BYTES = lambda: 4, 1
signal.signal(signal.SIGINT, lambda *_: None)
server.expect_workers([sys.argv[0]], None, None)
begun = forkserver._forkserver._forkserver_pid
for _ in range(20):
    os.kill(begun, signal.SIGINT)
    time.sleep(0.02)
print(os.waitpid(begun, os.WNOHANG)[0])
"""


@pytest.mark.skipif(os.name != "posix", reason="workers are forked on POSIX only")
def test_an_interrupt_does_not_reach_the_server_while_it_loads(tmp_path):
    """A terminal sends it to all processes; the server would tell of it by a traceback."""
    script = tmp_path / "begun.py"
    script.write_text(BEGUN)
    done = subprocess.run([sys.executable, script], capture_output=True, timeout=50, check=False)

    assert (done.stdout, done.stderr) == (b"0\n", b"")
