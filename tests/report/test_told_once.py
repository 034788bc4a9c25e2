"""A connection whose ends read alike is one line for people and two rows for analysts."""

from __future__ import annotations

import csv
import io
import re

import pytest
from msgspec.structs import replace

from flowdiag.model.report import Report
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from flowdiag.report.told_once import told_once
from tests.report.sample_reports import SAMPLES, dns_story
from tests.report.test_whole_incidents import report_of


def told_twice() -> Report:
    report = dns_story()
    lead = report.problems[0].connections[0]
    again = replace(
        lead,
        count=7,
        first="2026-03-17T14:01:00.000000000Z",
        source=replace(lead.source, pods=("web-app-d5f3fa262-zzzzz",), known_by="snapshot"),
    )
    problem = replace(report.problems[0], connections=(lead, again), count=lead.count + 7)
    return replace(report, problems=(problem,))


def rendered(name: str, report: Report) -> str:
    text: str = load(GROUP, name).plugin.render(report, Options(width=120, verbose=True))
    return text


def test_markdown_adds_them_up() -> None:
    rows = [line for line in rendered("markdown", told_twice()).split("\n") if line.startswith("| ")]

    assert len(rows) == 3
    assert "| 167 |" in rows[2]
    assert "14:01:00" in rows[2]


def test_the_page_adds_them_up_and_finds_the_pods_of_both() -> None:
    page = rendered("html", told_twice())
    table = page[page.index('id="denials-table"') :]
    rows = re.findall(r"<tr data-problem=.*?</tr>", table[: table.index("</table>")], flags=re.DOTALL)

    assert len(rows) == 1
    assert 'data-value="167"' in rows[0]
    assert "web-app-d5f3fa262-zzzzz" in rows[0]


@pytest.mark.parametrize("name", ["terminal", "junit"])
def test_so_do_the_other_formats_for_people(name: str) -> None:
    assert rendered(name, told_twice()).count("frontend/web-app → kube-system/coredns 53/UDP") == 1


def test_tables_for_analysts_keep_them_apart() -> None:
    rows = list(csv.DictReader(io.StringIO(rendered("csv", told_twice()))))

    assert [row["count"] for row in rows] == ["160", "7"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_sums_stay(sample: str) -> None:
    before, after = SAMPLES[sample](), told_once(SAMPLES[sample]())

    for old, new in zip(before.problems, after.problems, strict=True):
        assert sum(c.count for c in old.connections) == sum(c.count for c in new.connections)


def test_five_sources_of_one_call_are_one_row() -> None:
    report = report_of("five-tellings")

    assert [len(p.connections) for p in report.problems] == [1, 1, 1]


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_a_record_whose_text_was_not_kept_says_so(name: str) -> None:
    """Of very many refused flows only some keep theirs: an empty line would look like an empty record."""
    report = dns_story()
    lead = report.problems[0]
    bare = replace(report, problems=(replace(lead, evidence=(replace(lead.evidence[0], raw=""),)),))

    assert "(only its place was kept)" in rendered(name, bare)
    assert "(only its place was kept)" not in rendered(name, report)
