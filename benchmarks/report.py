"""How large reports are and how long each format takes to write, over problems of an incident many times.

    python benchmarks/report.py [--problems 3 30 300] [--names 0] [--incident fixtures/incidents/default-deny-egress]

One process, the median of several renderings (one where the report is large); prints one row per format and
number of problems.  ``--problems 2000 --names 10000`` is the worst that inputs can make of a report: names of 10 kB
in every problem.
"""

from __future__ import annotations

import argparse
import statistics
import time
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec.structs import replace

from flowdiag.analysis import analyze
from flowdiag.model.report import Connection, Problem, Report, ReportEndpoint
from flowdiag.parserkit.registry import available, load
from flowdiag.report import GROUP, Options
from flowdiag.report.names import end_text
from flowdiag.report.redact import redact

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3


LARGE = 50_000_000
"""Bytes of a report's JSON from which on one rendering is measured."""


def many(report: Report, number: int, names: int = 0) -> Report:
    """The report with so many problems: its own, again and again, each between ends of its own.

    With `names`, ends and titles hold names of that many characters.
    """
    problems = [_copy(report.problems[n % len(report.problems)], n, names) for n in range(number)]
    counts = report.buckets.counts
    originals = [problem.id for problem in report.problems]
    rows = {
        problem.id: counts.by_problem.get(originals[n % len(originals)], counts.denied)
        for n, problem in enumerate(problems)
    }
    buckets = replace(report.buckets, counts=replace(counts, by_problem=rows))
    return replace(report, problems=tuple(problems), buckets=buckets)


def _copy(problem: Problem, number: int, names: int) -> Problem:
    if number < 3:
        return problem
    connections = tuple(
        replace(one, source=_end(one.source, number, names), destination=_end(one.destination, number, names))
        for one in problem.connections
    )
    lead: Connection = connections[0]
    return replace(
        problem,
        id=f"p-{number:08x}",
        explained_by=None,
        explains=(),
        connections=connections,
        source=lead.source,
        destination=lead.destination,
        title=f"Nothing allows {end_text(lead.source)} to reach it" if names else problem.title,
    )


def _end(end: ReportEndpoint, number: int, names: int) -> ReportEndpoint:
    name = f"{end.name}-{number}".ljust(names, "x")
    labels = {f"label-{number}": name} if names else end.labels
    return replace(end, namespace=f"team-{number % 40}", name=name, labels=labels, workload=None)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--problems", type=int, nargs="+", default=[3, 30, 300])
    options.add_argument("--incident", default="fixtures/incidents/default-deny-egress")
    options.add_argument("--names", type=int, default=0)
    given = options.parse_args()
    report = analyze([str(ROOT / given.incident)])
    print(f"{'format':<12} {'problems':>8} {'kB':>9} {'ms':>8}")
    for number in given.problems:
        large = many(report, number, given.names)
        rounds = 1 if len(msgspec.json.encode(large)) > LARGE else ROUNDS
        for name in available(GROUP):
            if name == "parquet" and find_spec("pyarrow") is None:
                print("parquet      pyarrow is not installed")
                continue
            reporter = load(GROUP, name).plugin
            reporter.render(report, Options())  # libraries are loaded once
            times = []
            size = 0
            for _ in range(rounds):
                began = time.perf_counter()
                text = reporter.render(large, Options())
                times.append(time.perf_counter() - began)
                size = len(text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace"))
            print(f"{name:<12} {number:>8} {size / 1000:>9,.1f} {statistics.median(times) * 1000:>8,.1f}")
        began = time.perf_counter()
        hidden = redact(large)
        took = (time.perf_counter() - began) * 1000
        print(f"{'--redact':<12} {number:>8} {len(msgspec.json.encode(hidden)) / 1000:>9,.1f} {took:>8,.1f}")


if __name__ == "__main__":
    main()
