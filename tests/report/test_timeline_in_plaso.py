"""Timelines in plaso itself: psteal (log2timeline, then psort) takes every line with its time and text.

plaso has dozens of dependencies of its own, so that it is looked for beside the project's environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from flowdiag.model.report import Report, TimelineEntry
from flowdiag.report import Options
from flowdiag.report.redact import redact
from flowdiag.report.timeline_jsonl import JsonlReporter
from tests.report.sample_reports import HOSTILE, SAMPLES_AND_HOSTILE, dns_story
from tests.report.test_whole_incidents import INCIDENTS, report_of

AT = "2026-03-17T14:03:13.850123999Z"
WILD = [
    "{}",
    "{0}",
    "{message}",
    "%s %(x)d",
    "\r\n\x1b[2J",
    "Text: , Source: ",
    '"',
    "\\",
    "\U000e0001" * 3000,
]


def marked(texts: list[str], at: str = AT) -> Report:
    """A report with a signal for each text."""
    marks = tuple(TimelineEntry(at=at, kind="signal", problem=None, text=text) for text in texts)
    return replace(dns_story(), timeline=marks)


def long_at_first() -> Report:
    """What comes first refers to very many policies of long names, none of them in one byte a character."""
    report = dns_story()
    name = "\u200b\U0010ffff" * 4000
    wide = tuple(
        replace(
            problem,
            title=name,
            isolating=tuple(replace(ref, name=name) for ref in problem.isolating * 300),
            connections=tuple(
                replace(one, first="2001-01-01T00:00:00.000000001Z") for one in problem.connections
            ),
        )
        for problem in report.problems
    )
    return replace(report, problems=wide, cluster=replace(report.cluster, name=name))


REPORTS = {
    **{name: (lambda name=name: report_of(name)) for name in INCIDENTS},
    **{f"redacted-{name}": (lambda name=name: redact(report_of(name))) for name in INCIDENTS},
    **SAMPLES_AND_HOSTILE,
    "wild": lambda: marked([*WILD, *HOSTILE]),
    "long-at-first": long_at_first,
    # The first and the last moments that both sides can say, and what only nanoseconds tell apart.
    "moments": lambda: replace(
        marked(["same", "other"]),
        timeline=tuple(
            TimelineEntry(at=at, kind="signal", problem=None, text="same")
            for at in ("1970-01-01T00:00:00.000000000Z", AT, AT.replace("999Z", "998Z"), AT)
        ),
    ),
}


def timeline(name: str) -> str:
    return JsonlReporter().render(REPORTS[name](), Options())


@pytest.mark.parametrize("name", REPORTS)
def test_lines_have_what_plaso_s_reader_of_json_lines_asks_for(name: str) -> None:
    lines = timeline(name).splitlines()
    for line in lines:
        entry = json.loads(line)
        assert entry["log"] == entry["message"] != ""
        assert entry["time"] == entry["datetime"]
        assert entry["stream"] == "flowdiag"
        assert len(line.encode()) < 64 * 1024
    told = [(entry["timestamp"], entry["log"]) for entry in map(json.loads, lines)]

    assert len(told) == len(set(told))


def test_long_lines_are_cut_and_say_so() -> None:
    lines = timeline("long-at-first").splitlines()

    assert max(map(len, lines)) > 10_000
    first = json.loads(lines[0])
    assert len(first["isolated_by"]) == 21
    assert first["isolated_by"][-1].startswith("and ")
    assert "more)…" in first["message"]


def test_what_is_told_at_one_moment_in_the_same_words_is_numbered_or_said_once() -> None:
    told = [(entry["at"], entry["log"]) for entry in map(json.loads, timeline("moments").splitlines())]

    assert [pair for pair in told if pair[1].startswith("same")] == [
        ("1970-01-01T00:00:00.000000000Z", "same"),
        ("2026-03-17T14:03:13.850123998Z", "same"),
        (AT, "same [2]"),
    ]


@pytest.fixture(scope="module")
def psteal() -> str:
    found = os.environ.get("FLOWDIAG_PSTEAL") or shutil.which("psteal")
    if not found:
        pytest.skip("no psteal on PATH or in FLOWDIAG_PSTEAL: plaso's own reading is not tested")
    return found


def test_psteal_takes_every_line_once_with_its_time_and_text(psteal: str, tmp_path: Path) -> None:
    folder = tmp_path / "timelines"
    folder.mkdir()
    wanted: Counter[tuple[str, int, str]] = Counter()
    for name in REPORTS:
        text = timeline(name)
        # As an output is written on every system: bytes, no line ends of the system's own.
        (folder / f"{name}.jsonl").write_bytes(text.encode())
        entries = map(json.loads, text.splitlines())
        wanted.update((f"{name}.jsonl", entry["timestamp"], entry["message"]) for entry in entries)
    # Its storage file lies in the working folder, and must not be there before.
    done = subprocess.run(
        [
            psteal,
            *[
                "--source",
                "timelines",
                "-o",
                "json_line",
                "-w",
                "out.jsonl",
                "--unattended",
                "--status_view",
                "none",
            ],
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    found = Counter(
        (Path(event["pathspec"]["location"]).name, event["timestamp"], event["message_body"])
        for event in events
        if event["parser"].startswith("jsonl/")
    )

    assert sum(wanted.values()) > 200
    assert found == wanted
    # Nothing else of plaso's took a line for its own; "filestat" is about the file.
    assert {event["parser"] for event in events} == {"filestat", "jsonl/docker_container_log"}
