"""Every incident in every format, whole and byte for byte; ``pytest --update-goldens`` writes them again.

Of the page the goldens hold what a reader reads, of pictures their words; the rest of them is looked at
in tests/html.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import jsonschema
import msgspec
import pytest

from flowdiag.analysis import analyze
from flowdiag.model.report import Report
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from flowdiag.report.read import read_report
from flowdiag.report.schema import report_schema

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = Path(__file__).parent / "incidents"
INCIDENTS = sorted(folder.name for folder in (ROOT / "fixtures" / "incidents").iterdir() if folder.is_dir())

WIDE = Options(width=120, ascii=True, verbose=True, all=True, timezone=ZoneInfo("Europe/Berlin"))


@cache
def report_of(incident: str) -> Report:
    """As `flowdiag analyze fixtures/incidents/NAME` in a checkout, made at the epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("SOURCE_DATE_EPOCH", "0")
        return analyze([f"fixtures/incidents/{incident}"])


def rendered(incident: str, name: str, options: Options | None = None) -> Any:
    return load(GROUP, name).plugin.render(report_of(incident), options or Options())


class _Words(HTMLParser):
    """What a reader reads, an element of its own line each; data, script and style are no reading."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._mute = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        self._mute += tag in ("script", "style")
        if tag not in ("a", "abbr", "b", "code", "span", "strong", "time"):
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        self._mute -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._mute:
            self.lines[-1:] = [(self.lines or [""])[-1] + data]


def page_words(text: str) -> str:
    parser = _Words()
    parser.feed(text)
    return "\n".join(filter(None, (line.strip() for line in parser.lines))) + "\n"


def picture_words(text: str) -> str:
    # Where characters stand depends on the fonts of the machine; which they are does not.
    root = ET.fromstring(text)  # noqa: S314 - our own output
    words = ("".join(item.itertext()) for item in root.iter() if item.tag.endswith(("text", "title", "desc")))
    return "\n".join(words) + "\n"


FORMATS: dict[str, tuple[str, Options | None, Callable[[str], str]]] = {
    "txt": ("terminal", None, str),
    "wide.txt": ("terminal", WIDE, str),
    "md": ("markdown", None, str),
    "json": ("json", None, str),
    "jsonl": ("jsonl", None, str),
    "csv": ("csv", None, str),
    "junit.xml": ("junit", None, str),
    "sarif": ("sarif", None, str),
    "prom": ("openmetrics", None, str),
    "html.txt": ("html", None, page_words),
    "svg.txt": ("svg", None, picture_words),
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_incident_reads_exactly_so(incident: str, suffix: str, update_goldens: bool) -> None:
    name, options, words = FORMATS[suffix]
    text = words(rendered(incident, name, options))
    golden = GOLDENS / incident / f"report.{suffix}"
    if update_goldens:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8", newline="")

    assert golden.read_bytes().decode() == text


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_goldens_are_of_all_formats(incident: str) -> None:
    there = {path.name.removeprefix("report.") for path in (GOLDENS / incident).iterdir()}

    assert there == set(FORMATS)
    known = {name for name, _, _ in FORMATS.values()}
    assert {plugin for plugin in _registered() if plugin not in known} == {"parquet", "png"}


def _registered() -> set[str]:
    from flowdiag.parserkit.registry import available

    return set(available(GROUP))


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_picture_and_the_table_for_programs_hold_the_same(incident: str, parquet: Any) -> None:
    """PNG and Parquet are no text; their content is that of the SVG and the CSV."""
    png = rendered(incident, "png")
    assert png.startswith(b"\x89PNG\r\n")
    assert int.from_bytes(png[16:20]) > 1500
    table = parquet.read_table(io.BytesIO(rendered(incident, "parquet")))
    rows = sum(len(problem.connections) for problem in report_of(incident).problems)
    assert table.num_rows == rows
    assert sum(table.column("count").to_pylist()) == sum(p.count for p in report_of(incident).problems)


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_page_is_small_and_holds_the_whole_report(incident: str) -> None:
    page = rendered(incident, "html").encode()

    assert len(page) < 1_000_000
    assert read_report(page) == report_of(incident)


@pytest.mark.parametrize("incident", INCIDENTS)
def test_the_json_is_what_its_schema_says(incident: str) -> None:
    jsonschema.validate(json.loads(rendered(incident, "json")), report_schema())


@pytest.mark.parametrize("incident", INCIDENTS)
def test_a_ticket_is_short(incident: str) -> None:
    """Tables of at most five columns, no HTML but details, and what is not folded fits on two screens."""
    text = rendered(incident, "markdown")
    tables = [line for line in text.split("\n") if line.startswith("|")]
    assert all(line.count("|") <= 6 for line in tables)
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert set(re.findall(r"<[^>`]*>", re.sub(r"`[^`]*`", "", outside))) <= {
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
    }
    shown = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert len(shown.split("\n")) < 90


def test_rendering_twice_gives_the_same_bytes() -> None:
    incident = INCIDENTS[0]
    again = msgspec.json.decode(msgspec.json.encode(report_of(incident)), type=Report)
    for name in ("html", "svg", "markdown", "sarif"):
        assert rendered(incident, name) == load(GROUP, name).plugin.render(again, Options())
