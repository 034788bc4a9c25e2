"""Reading a large Hubble export: MB/s, flows/s and peak memory, beside other tools on the same file.

Run ``python benchmarks/flows.py [--megabytes 1000] [--file FLOWS.jsonl] [--rounds 3]``.  Each measurement
is a process of its own, rounds take turns, and the fastest counts; the machine's noise is in all of them
alike, so read the ratios.  A tool that is not installed is skipped by name.

flowdiag's rows do everything up to distinct flows (ends, labels, pairs, replies, times, examples); the
tools around it count lines, find drops, or decode.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from generate import generate

FOLD = """
import sys
from flowdiag.ingest import Gathered, ReadOptions, run
if __name__ == "__main__":
    with Gathered([sys.argv[1]]) as gathered:
        outcome = run(gathered, ReadOptions(processes=int(sys.argv[2]), only_denied=sys.argv[3] == "denied"))
        flows = outcome.tally.flows()
    assert flows, outcome.problems
    print(outcome.tally.flow_records, len(flows), sum(f.count for f in flows if f.verdict == "denied"))
"""
DECODE = """
import sys
loads = __import__(sys.argv[2]).loads if sys.argv[2] == "json" else __import__("msgspec").json.Decoder().decode
count = 0
with open(sys.argv[1], "rb") as stream:
    for line in stream:
        loads(line)
        count += 1
print(count)
"""
DUCKDB = """
import sys, duckdb
connection = duckdb.connect()
connection.execute(f"SET threads = {sys.argv[2]}")
columns = '''{flow: 'STRUCT(verdict VARCHAR, time VARCHAR, source STRUCT(namespace VARCHAR, pod_name VARCHAR),
destination STRUCT(namespace VARCHAR, pod_name VARCHAR), is_reply BOOLEAN, traffic_direction VARCHAR,
l4 STRUCT(TCP STRUCT(source_port INT, destination_port INT), UDP STRUCT(source_port INT, destination_port INT)))'}'''
print(connection.execute(f'''
SELECT count(*), sum(n) FROM (SELECT flow.source, flow.destination, flow.verdict, flow.traffic_direction,
flow.is_reply, substr(flow.time, 1, 16) AS minute, coalesce(CASE WHEN flow.is_reply THEN flow.l4.TCP.source_port
ELSE flow.l4.TCP.destination_port END, 0) AS port, count(*) AS n
FROM read_json('{sys.argv[1]}', format='newline_delimited', columns={columns}) GROUP BY ALL)''').fetchall())
"""


def commands(path):
    """Name -> (what must be installed, command)."""
    python = sys.executable
    return {
        "wc -l": ("wc", ["wc", "-l", path]),
        "grep -c DROPPED": ("grep", ["grep", "-c", '"DROPPED"', path]),
        "flowdiag, 1 process": (None, [python, "-c", FOLD, path, "1", "all"]),
        "flowdiag, 2 processes": (None, [python, "{script}", path, "2", "all"]),
        "flowdiag, refused only": (None, [python, "-c", FOLD, path, "1", "denied"]),
        "json.loads a line": (None, [python, "-c", DECODE, path, "json"]),
        "msgspec to dict a line": (None, [python, "-c", DECODE, path, "msgspec"]),
        "jq DROPPED": ("jq", ["jq", "-c", 'select(.flow.verdict=="DROPPED")|.flow.IP', path]),
        "hubble observe DROPPED": (
            "hubble",
            ["hubble", "observe", "--input-file", path, "--verdict", "DROPPED", "-o", "json"],
        ),
        "duckdb, 1 thread": ("duckdb", [python, "-c", DUCKDB, path, "1"]),
        "duckdb, 2 threads": ("duckdb", [python, "-c", DUCKDB, path, "2"]),
    }


def measure(command):
    """Wall seconds, CPU seconds and peak resident MB of the largest process of one run."""
    start = time.perf_counter()
    # Not /dev/null: grep sees that nobody reads it, and stops at the first match.
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def installed(needs):
    """Whether a tool or module is there."""
    return needs is None or shutil.which(needs) is not None or find_spec(needs) is not None


def run(path, rounds, only):
    size = path.stat().st_size
    lines = sum(chunk.count(b"\n") for chunk in iter_chunks(path))
    print(f"{path}: {size / 1e6:.0f} MB, {lines} lines, {rounds} rounds, fastest counts")
    with tempfile.TemporaryDirectory() as folder:
        # Worker processes import their parent's main module: it has to be a file.
        script = Path(folder) / "fold.py"
        script.write_text(FOLD)
        wanted = {}
        for name, (needs, command) in commands(str(path)).items():
            if only and not any(word in name for word in only):
                continue
            if installed(needs):
                wanted[name] = [
                    part.replace("{script}", str(script)) if part == "{script}" else part for part in command
                ]
            else:
                print(f"skipped, not installed: {name}")
        best = {}
        for _ in range(rounds):
            for name, command in wanted.items():
                found = measure(command)
                best[name] = min(best.get(name, found), found)
    base = best.get("wc -l", (None,))[0]
    print(f"{'':26}{'wall s':>8}{'cpu s':>8}{'MB/s':>8}{'k flows/s':>11}{'peak MB':>9}{'x wc -l':>9}")
    for name, (wall, cpu, peak) in best.items():
        times = f"{wall / base:9.1f}" if base else f"{'':9}"
        print(
            f"{name:26}{wall:8.2f}{cpu:8.2f}{size / wall / 1e6:8.0f}{lines / wall / 1e3:11.0f}{peak:9.0f}{times}"
        )


def iter_chunks(path):
    """The file in megabytes; it is in the page cache afterwards."""
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            yield chunk


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, help="an export; without it one is generated and removed again")
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="words that a row's name must hold")
    options = parser.parse_args()
    if options.file is not None:
        run(options.file, options.rounds, options.only)
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(generate(Path(folder), options.megabytes)))
        run(Path(folder) / "flows.jsonl", options.rounds, options.only)


if __name__ == "__main__":
    main()
