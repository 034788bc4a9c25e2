"""Everything side by side in one run: ``make bench``.

Run ``python benchmarks/bench.py [--megabytes 1000] [--rounds 3] [--write] [--skip watch ...]``.  A realistic export
is generated, every command is a process of its own, rounds take turns, and the median counts.  The machine's
noise is in all of them alike, so read the ratios.  What is not installed is skipped by name.  ``--write`` puts
the tables into docs/performance.md.
"""

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import watch
from generate import generate
from peers import FLOWDIAG, peers
from tree import resident_mb

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SAMPLE_S = 0.1
_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""pip compiles what it installs; without byte code every run of a checkout compiles half a second of modules."""
FILES = 200


def measure(command):
    """Wall seconds, processor seconds and peak MB of all processes together of one run."""
    peak = [0.0]
    # Not /dev/null: grep sees that nobody reads it, and stops at the first match.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=said, env=_INSTALLED)
        ended = threading.Event()

        def sample():
            while not ended.wait(SAMPLE_S):
                peak[0] = max(peak[0], resident_mb(process.pid))

        sampler = threading.Thread(target=sample)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        ended.set()
        sampler.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            said.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}: {said.read()[-500:].decode()}")
    return wall, usage.ru_utime + usage.ru_stime, peak[0]


def medians(wanted, rounds):
    """Name -> medians of wall, processor seconds and peak MB, the commands taking turns."""
    found = {one.name: [] for one in wanted}
    for number in range(rounds):
        for one in wanted:
            found[one.name].append(measure(one.command))
            print(f"  round {number + 1}: {one.name}: {found[one.name][-1][0]:.2f} s", file=sys.stderr)
    return {
        name: tuple(statistics.median(column) for column in zip(*runs, strict=True))
        for name, runs in found.items()
    }


def prepare(folder, megabytes):
    """The export, the same compressed and in many files; returns truth.json's counts."""
    truth = generate(folder, megabytes)
    path = folder / "flows.jsonl"
    with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb", compresslevel=6) as packed:
        while piece := plain.read(1 << 20):
            packed.write(piece)
    try:
        import zstandard
    except ImportError:
        pass
    else:
        with path.open("rb") as plain, Path(f"{path}.zst").open("wb") as packed:
            zstandard.ZstdCompressor(level=3).copy_stream(plain, packed)
    (folder / "rotated").mkdir()
    size, number = truth["bytes"] // FILES + 1, 0
    with path.open("rb") as plain:
        while lines := plain.readlines(size):
            name = f"events-2026-04-01T{6 + number // 60:02d}-{number % 60:02d}-00.000.log"
            (folder / "rotated" / name).write_bytes(b"".join(lines))
            number += 1
    return truth


def side_by_side(folder, rounds, only):
    """The large table as Markdown lines."""
    wanted, skipped = [], []
    for one in peers(folder):
        missing = one.missing()
        if missing is None and any(part.endswith(".zst") and not Path(part).exists() for part in one.command):
            missing = "zstandard is not installed"
        if missing is not None:
            skipped.append(f"{one.name} ({missing})")
        elif not only or any(word in one.name for word in only):
            wanted.append(one)
    found = medians(wanted, rounds)
    size = (folder / "flows.jsonl").stat().st_size
    cpp, cpp_cpu, *_ = found.get("C++ with simdjson", (None, None))
    duck = found.get("DuckDB, 2 threads", (None,))[0]
    jq = found.get("jq", (None,))[0]
    rows = [
        "| command | does | wall s | CPU s | MB/s | peak MB | times C++ | CPU times C++ | times DuckDB, 2 threads | faster than jq |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in wanted:
        wall, cpu, peak = found[one.name]
        rows.append(
            f"| {one.name} | {one.does} | {wall:.2f} | {cpu:.2f} | {size / wall / 1e6:.0f} | {peak:.0f} "
            f"| {_ratio(wall, cpp)} | {_ratio(cpu, cpp_cpu)} | {_ratio(wall, duck)} | {_ratio(jq, wall)} |"
        )
    return [*rows, "", *(f"Skipped: {what}." for what in skipped)]


def _ratio(one, other):
    if not one or not other:
        return ""
    found = one / other
    return f"{found:.2f}" if found < 10 else f"{found:.0f}"


def start_up(rounds):
    """Commands that do nothing, beside an interpreter that does nothing."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "flowdiag --version": [FLOWDIAG, "--version"],
        "flowdiag --help": [FLOWDIAG, "--help"],
    }
    runs = {name: [] for name in commands}
    for _ in range(max(rounds * 5, 9)):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            runs[name].append(time.perf_counter() - start)
    bare = statistics.median(runs["python -c pass"])
    rows = ["| command | ms | times python |", "| --- | ---: | ---: |"]
    for name, times in runs.items():
        middle = statistics.median(times)
        rows.append(f"| `{name}` | {middle * 1000:.0f} | {middle / bare:.1f} |")
    return rows


def small_incident(rounds):
    """A megabyte of flows and of state, end to end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, 1, pods=400)
        report = f"json={folder / 'report.json'}"
        command = [
            FLOWDIAG,
            "analyze",
            str(folder / "flows.jsonl"),
            "--state",
            str(folder / "state"),
            "-o",
            report,
        ]
        runs = [measure(command) for _ in range(rounds)]
    wall, cpu, peak = (statistics.median(column) for column in zip(*runs, strict=True))
    said = (
        f"An incident of 1 MB of flows with the objects of 400 pods, end to end: {wall:.2f} s, "
        f"{cpu:.2f} s of processor time, {peak:.0f} MB."
    )
    return [said]


def following(pace, seconds):
    """The watch row."""
    with tempfile.TemporaryDirectory() as name:
        found = watch.run(pace, seconds, "30s", Path(name))
    sizes = ", ".join(f"{size:.0f}" for size in found["peak_mb"])
    said = (
        f"`flowdiag watch -` bound to one core, fed {pace:,.0f} records a second for {seconds:.0f} s with a window of "
        f"30 s: took {found['pace']:,.0f} a second, {max(found['late_s'], 0):.1f} s behind at the end, "
        f"{100 * found['core_share']:.0f} % of the core with its reports; memory of all its processes in each third "
        f"of the run: {sizes} MB."
    )
    return [said]


def machine():
    """The kind of machine, in words."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    native = "with" if find_spec("flowdiag_native") else "without"
    return f"{cores} cores of {model}, Python {platform.python_version()}, {native} parsers/native, load {os.getloadavg()[0]:.1f} before"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pace", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--only", nargs="*", default=[], help="words that a row's name must hold")
    parser.add_argument("--skip", nargs="*", default=[], choices=("large", "start", "small", "watch"))
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    kind = machine()
    lines = []
    with tempfile.TemporaryDirectory() as name:
        if "large" not in options.skip:
            truth = prepare(Path(name), options.megabytes)
            print(json.dumps(truth), file=sys.stderr)
            said = (
                f"Measured on {datetime.now(UTC):%Y-%m-%d}: {kind}; {truth['bytes'] / 1e6:,.0f} MB, "
                f"{truth['records']:,} records, medians of {options.rounds} rounds, in one run."
            )
            lines += [said, "", *side_by_side(Path(name), options.rounds, options.only), ""]
    if "start" not in options.skip:
        lines += [*start_up(options.rounds), ""]
    if "small" not in options.skip:
        lines += [*small_incident(options.rounds), ""]
    if "watch" not in options.skip:
        lines += [*following(options.pace, options.seconds), ""]
    print("\n".join(lines))
    if options.write:
        text = DOCUMENT.read_text()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines).strip() + f"\n\n{END}{after}")


if __name__ == "__main__":
    main()
