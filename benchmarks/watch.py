"""``flowdiag watch`` under load: does it keep up on one core, and does its memory stay where it is?

Run ``python benchmarks/watch.py [--pace 20000] [--seconds 120] [--window 30s]``.  A generated cluster's flows, made
before it, are written into the command's pipe at their times; the command and its worker are bound to one core, the writer
runs on another.  Printed are records a second, how late the last record was taken, processor time as a share
of the core, and the memory of all its processes in each third of the run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generate import NS, Writer, lines, write_state
from tree import resident_mb
from world import World

LIFE_S = 10
"""How long connections live: as many end as begin from then on, and the pace is what was asked for."""
WARM_S = 1.0
"""The stream's first second is written at once."""


def recorded(path, writer, pace, seconds):
    """Write the stream to a file ahead of its time: making a record takes longer than reading one.

    Returns bytes and due second of each piece of it; how many records it has is counted by `writer`.
    """
    begin = time.time_ns()
    pieces, buffer = [], []
    with path.open("wb") as out:
        for at, texts in lines(writer, pace, begin):
            buffer.extend(texts)
            if len(buffer) < 256:
                continue
            due = (at - begin) / NS - WARM_S
            pieces.append((out.write("".join(buffer).encode()), due))
            buffer.clear()
            if due >= seconds:
                return pieces
    raise AssertionError("lines never end")


def feed(source, stream, pieces, sample):
    """Write the pieces at their times; returns (seconds, how late the last was)."""
    started = time.monotonic()
    sampled = now = 0.0
    for size, due in pieces:
        data = source.read(size)
        wait = due - (time.monotonic() - started)
        if wait > 0:
            time.sleep(wait)
        stream.write(data)
        now = time.monotonic() - started
        if now - sampled >= 1:
            sampled = now
            sample(now)
    return now, now - pieces[-1][1]


def run(pace, seconds, window, folder, pods=2000):
    """One run; returns its figures."""
    world = World(pods, 1)
    write_state(folder / "state", world)
    writer = Writer(world, LIFE_S * NS)
    pieces = recorded(folder / "flows.jsonl", writer, pace, seconds)
    records = writer.counts["records"]
    cores = sorted(os.sched_getaffinity(0))
    bound = ["taskset", "-c", str(cores[0])] if len(cores) > 1 else []
    command = [
        str(Path(sys.executable).with_name("flowdiag")),
        "watch",
        "-",
        "--window",
        window,
        "--every",
        "5s",
    ]
    command += ["--state", str(folder / "state"), "-o", f"json={folder / 'report.json'}", "-o", "json"]
    with (
        (folder / "flows.jsonl").open("rb") as source,
        (folder / "out.json").open("wb") as out,
        (folder / "said.txt").open("wb") as said,
    ):
        process = subprocess.Popen([*bound, *command], stdin=subprocess.PIPE, stdout=out, stderr=said)
        if len(cores) > 1:
            os.sched_setaffinity(0, set(cores[1:]))
        sizes = []
        try:
            took, late = feed(
                source, process.stdin, pieces, lambda now: sizes.append((now, resident_mb(process.pid)))
            )
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            os.sched_setaffinity(0, set(cores))
    process.returncode = os.waitstatus_to_exitcode(status)
    thirds = [
        max((mb for at, mb in sizes if n * took / 3 <= at < (n + 1) * took / 3), default=0) for n in range(3)
    ]
    return {
        "status": process.returncode,
        "records": records,
        "pace": records / took,
        "late_s": late,
        "core_share": (usage.ru_utime + usage.ru_stime) / took,
        "peak_mb": thirds,
        "said": (folder / "said.txt").read_text().splitlines()[-3:],
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pace", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--window", default="30s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, value in run(options.pace, options.seconds, options.window, Path(folder)).items():
            print(name, value)


if __name__ == "__main__":
    main()
