"""``flowdiag watch`` as a real process: fed by a pipe, by a growing file, ended by everything that can end it."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.watch import Watch
from flowdiag.model.picture import Picture
from flowdiag.model.time import NS
from flowdiag.report.watch_view import pace_line

COMMAND = [str(Path(sys.executable).with_name("flowdiag")), "watch"]
START = datetime(2026, 5, 4, 12, tzinfo=UTC)
PATIENCE = 300


def flow(second: float, source: str = "web", *, dropped: bool = True, port: int = 8080) -> bytes:
    """One line of `hubble observe -o jsonpb`; our own, with the fields of Cilium 1.16."""
    at = (START + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
    end = {"namespace": "shop", "workloads": [{"kind": "Deployment"}]}
    ends = [
        end
        | {
            "pod_name": f"{name}-7c9d8-x1",
            "labels": [f"k8s:app={name}"],
            "workloads": [{"name": name, "kind": "Deployment"}],
        }
        for name in (source, "db")
    ]
    record = {
        "time": at,
        "verdict": "DROPPED" if dropped else "FORWARDED",
        "IP": {"source": "10.0.0.5", "destination": "10.0.0.6", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40_000, "destination_port": port, "flags": {"SYN": True}}},
        "source": ends[0],
        "destination": ends[1],
        "Type": "L3_L4",
        "node_name": "n1",
        "event_type": {"type": 1 if dropped else 4},
        "traffic_direction": "INGRESS",
    }
    if dropped:
        record |= {"drop_reason": 133, "drop_reason_desc": "POLICY_DENIED"}
    return json.dumps({"flow": record, "node_name": "n1", "time": at}, separators=(",", ":")).encode() + b"\n"


def start(*arguments, stdin=subprocess.PIPE) -> subprocess.Popen:
    environment = os.environ | {"SOURCE_DATE_EPOCH": "0"}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def until(condition):
    """Wait for something that another process does."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, "nothing happened"
        time.sleep(0.05)


def report(path: Path) -> dict:
    return json.loads(path.read_text()) if path.exists() else {"totals": {"records": 0, "denied": 0}}


def test_a_stream_that_ends_gives_the_report_that_analyze_gives(tmp_path):
    """The picture is made by the same stages: where the window holds everything, so does the report."""
    lines = b"".join(flow(n / 10, dropped=n % 3 == 0) for n in range(600))
    (tmp_path / "flows.jsonl").write_bytes(lines)
    process = start("-", "--window", "1h", "-o", "json")
    out, said = process.communicate(lines, timeout=PATIENCE)
    assert process.returncode == 0, said
    watched = json.loads(out)
    command = [COMMAND[0], "analyze", str(tmp_path / "flows.jsonl"), "-o", "json"]
    analysed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert watched["totals"] == analysed["totals"]
    assert watched["totals"]["denied"] == 200
    plain = [{**problem, "evidence": None} for problem in watched["problems"]]
    assert plain == [{**problem, "evidence": None} for problem in analysed["problems"]]
    assert watched["problems"][0]["evidence"][0]["input"] == "-"


def test_the_report_is_of_the_window_alone():
    """What is older than the window counts among the records read, and in nothing else."""
    lines = [flow(n, "old") for n in range(30)] + [flow(600 + n, "new") for n in range(30)]
    process = start("-", "--window", "2m", "-o", "json")
    out, _ = process.communicate(b"".join(lines), timeout=PATIENCE)
    found = json.loads(out)
    assert found["totals"]["records"] == 60
    assert found["totals"]["denied"] == 30
    assert [c["source"]["name"] for p in found["problems"] for c in p["connections"]] == ["new"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_it_with_the_report(number, tmp_path):
    """Ctrl-C, or being asked to end, prints the final report and exits with 130."""
    target = tmp_path / "live.json"
    process = start("-", "--every", "1s", "-o", f"json={target}", "-o", "json")
    process.stdin.write(b"".join(flow(n) for n in range(40)))
    process.stdin.flush()
    # Files are written while the stream goes on.
    until(lambda: report(target)["totals"]["denied"] == 40)
    process.send_signal(number)
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert json.loads(out)["totals"]["denied"] == 40
    assert b"Traceback" not in said


def test_a_terminal_that_is_closed_ends_it_with_its_files(tmp_path):
    """Its hangup is an interrupt; what would be printed is dropped, and no temporary file and no process stays."""
    path, target, aside = tmp_path / "events.log", tmp_path / "live.json", tmp_path / "aside"
    aside.mkdir()
    path.write_bytes(b"".join(flow(n) for n in range(10)))
    process, terminal = pty.fork()
    if process == 0:
        words = [*COMMAND, str(path), "--every", "1s", "-o", f"json={target}"]
        os.execve(words[0], words, os.environ | {"TMPDIR": str(aside), "SOURCE_DATE_EPOCH": "0"})  # noqa: S606 - in a terminal of its own
    os.set_blocking(terminal, False)

    def kept() -> int:
        with suppress(BlockingIOError):
            os.read(terminal, 1 << 16)
        return report(target)["totals"]["records"]

    until(lambda: kept() == 10)
    with path.open("ab") as stream:
        stream.write(b"".join(flow(10 + n) for n in range(5)))
    until(lambda: kept() == 15)
    target.unlink()
    os.close(terminal)
    _, status = os.waitpid(process, 0)

    assert os.waitstatus_to_exitcode(status) == 130
    assert report(target)["totals"]["records"] == 15
    assert list(aside.iterdir()) == []
    until(lambda: not runs(process))


def test_its_worker_ends_with_it_when_it_is_killed():
    """By a lack of memory, say: the worker would wait for work for ever, and the server that it came from with it."""
    with subprocess.Popen(
        [*COMMAND, "-", "--every", "1s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        process.stdin.write(b"".join(flow(n) for n in range(20)))
        process.stdin.flush()
        while b"20 denials" not in process.stderr.readline():
            assert process.poll() is None
        process.kill()
        process.wait()
        until(lambda: not runs(process.pid))


def runs(group: int) -> bool:
    """Whether a process of a group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_file_is_followed_through_its_rotations(tmp_path):
    """Renamed away and made anew, and copied and truncated: every record is counted once."""
    path, target = tmp_path / "events.log", tmp_path / "live.json"
    path.write_bytes(b"".join(flow(n) for n in range(10)))
    process = start(path, "--every", "1s", "-o", f"json={target}", stdin=subprocess.DEVNULL)
    until(lambda: report(target)["totals"]["records"] == 10)
    with path.open("ab") as stream:
        stream.write(flow(20) + flow(21)[:100])
        stream.flush()
        time.sleep(0.3)
        stream.write(flow(21)[100:])
        path.rename(tmp_path / "events-2026-05-04T12-00-30.000.log")
    path.write_bytes(b"".join(flow(30 + n) for n in range(5)))
    until(lambda: report(target)["totals"]["records"] == 17)
    path.write_bytes(flow(40))
    until(lambda: report(target)["totals"]["records"] == 18)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert b"18 denials" in out


def test_a_file_that_cannot_be_written_for_a_while_ends_nothing(tmp_path):
    """A full disk, a folder that is gone: it is said, and written again once it can be."""
    folder, away = tmp_path / "kept", tmp_path / "away"
    folder.mkdir()
    process = start("-", "--every", "1s", "-o", f"json={folder / 'live.json'}", "-o", "json")
    process.stdin.write(b"".join(flow(n) for n in range(20)))
    process.stdin.flush()
    until(lambda: report(folder / "live.json")["totals"]["denied"] == 20)
    folder.rename(away)
    process.stdin.write(b"".join(flow(n) for n in range(20, 40)))
    process.stdin.flush()
    os.set_blocking(process.stderr.fileno(), False)
    said = bytearray()
    until(lambda: said.extend(process.stderr.read() or b"") or b"live.json: No such file" in said)
    away.rename(folder)
    until(lambda: report(folder / "live.json")["totals"]["denied"] == 40)
    until(lambda: said.extend(process.stderr.read() or b"") or b"files are written again" in said)
    with process:
        process.stdin.close()
        assert json.loads(process.stdout.read())["totals"]["denied"] == 40
    assert process.returncode == 0
    assert said.count(b"No such file") == 1


def test_a_slow_stream_is_shown_before_it_ends(tmp_path):
    """One record is enough, and new problems are named as they appear."""
    target = tmp_path / "live.json"
    process = start("-", "--every", "1s", "-o", f"json={target}")
    process.stdin.write(flow(0))
    process.stdin.flush()
    until(lambda: report(target)["totals"]["denied"] == 1)
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"shop/web" in out
    assert b"flowdiag: new" in said
    assert b"\x1b" not in said


def test_what_nobody_can_read_is_said(tmp_path):
    """Exit code 3 with what to do, and no report."""
    process = start("-")
    out, said = process.communicate(b"lunch is at noon\n" * 10, timeout=PATIENCE)
    assert (process.returncode, out) == (3, b"")
    assert b"--format" in said
    process = start("-", "--state", tmp_path)
    _, said = process.communicate(b"", timeout=PATIENCE)
    assert process.returncode == 3
    assert str(tmp_path).encode() in said
    process = start(tmp_path / "absent")
    _, said = process.communicate(b"", timeout=PATIENCE)
    assert (process.returncode, b"absent" in said) == (3, True)


def test_a_closed_reader_is_no_error():
    """As everywhere: what reads the report may stop reading."""
    line = " ".join([*COMMAND, "-", "-o", "jsonl", "|", "head", "-c", "1"])
    process = subprocess.run(
        line,
        shell=True,
        input=b"".join(flow(n) for n in range(500)),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert b"Error" not in process.stderr
    assert b"Traceback" not in process.stderr


def test_bad_lines_are_warnings_and_the_rest_counts():
    """A malformed line costs itself."""
    process = start("-", "-o", "json")
    out, _ = process.communicate(flow(0) + b"{broken\n" + flow(1) + flow(2)[:-1], timeout=PATIENCE)
    found = json.loads(out)
    assert found["totals"]["denied"] == 3
    assert not found["complete"]
    assert [warning["line"] for warning in found["warnings"] if warning["input"] == "-"] == [2]


WHILE_A_WORKER_BEGINS = """
import os, signal, sys, threading, time
from multiprocessing import forkserver
from flowdiag.cli.start import main

def interrupt():
    # A terminal sends it to all of them.
    while forkserver._forkserver._forkserver_pid is None:
        time.sleep(0.001)
    for _ in range(100):
        os.kill(forkserver._forkserver._forkserver_pid, signal.SIGINT)
        time.sleep(0.003)

threading.Thread(target=interrupt, daemon=True).start()
sys.argv = ["flowdiag", "watch", "-", "--every", "1s", "-o", f"json={sys.argv[1]}"]
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="workers are forked on POSIX only")
def test_an_interrupt_is_for_the_process_that_reads(tmp_path):
    """The others would tell of it by a traceback, and the report would be lost with them."""
    target = tmp_path / "live.json"
    process = subprocess.Popen(
        [sys.executable, "-c", WHILE_A_WORKER_BEGINS, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(b"".join(flow(n) for n in range(40)))
    process.stdin.flush()
    until(lambda: process.poll() is not None or report(target)["totals"]["denied"] == 40)
    _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, said
    assert b"Traceback" not in said


@pytest.mark.parametrize(
    ("parser", "said"), [(None, "22 bytes that nobody knows yet"), ("hubble-json", "2 warnings")]
)
def test_a_stream_that_is_not_understood_does_not_look_quiet(parser, said):
    """What came in and is no record stands beside the pace, before the stream ends."""
    ours, theirs = os.pipe()
    with (
        os.fdopen(ours, "rb") as stream,
        os.fdopen(theirs, "wb", buffering=0) as writer,
        Watch(
            "-",
            evidence=EvidenceOptions(format=parser),
            state=StateOptions(),
            selection=Selection(),
            window=60 * NS,
            stdin=stream,
        ) as watch,
    ):
        writer.write(b"level=info\nlevel=info\n")
        pictures = watch.pictures(0.1, lambda: False)
        unread = [next(pictures).unread for _ in range(2)][-1]
        pictures.close()

    assert unread == said
    picture = Picture(newest=None, window=60 * NS, records=0, rate=0, report=None, unread=unread)
    assert pace_line(picture).endswith(f"0 records/s, 0 so far, {said}")
