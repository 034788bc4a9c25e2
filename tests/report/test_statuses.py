"""How formats tell new, known, gone and accepted problems, and findings without a refusal."""

import json
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from flowdiag.analysis.concerns import acceptance_problems
from flowdiag.history import History, parse_acceptances
from flowdiag.model.report import Status
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from flowdiag.report.read import read_report
from tests.report.sample_reports import dns_story, mixed


def render(name, report, **options):
    return load(GROUP, name).plugin.render(report, Options(width=100, **options))


@pytest.fixture
def audited(tmp_path):
    """Mixed problems of which one is accepted, those of yesterday's story gone, and an expired entry."""
    entry = '[[accept]]\nreason = "moves"\nowner = "net team"\nexpires = 2026-01-01\ncode = "FD301"\n'
    (expired,) = acceptance_problems(
        parse_acceptances(".flowdiag.toml", entry.encode()), (), ".flowdiag.toml"
    )
    plain = [replace(problem, status=None) for problem in mixed().problems]
    today = replace(mixed(), complete=True, evidence=dns_story().evidence, problems=(*plain, expired))
    with History(tmp_path / "history.db") as history:
        history.record(replace(dns_story(), complete=True))
        return history.record(today, accepted=[1]).report


def with_status(report, status):
    return [problem for problem in report.problems if problem.status is status]


def test_the_headline_counts_them(audited):
    """What is new first; the denials that are explained are this run's alone."""
    text = " ".join(render("terminal", audited).split())

    new, gone = len(with_status(audited, Status.NEW)), len(with_status(audited, Status.GONE))
    assert f"{new} new problems, {gone} gone, 1 accepted; " in text
    assert f"of {audited.totals.denied} denials" in text


def test_a_headline_is_one_sentence(audited):
    """What follows on the statuses begins no sentence of its own."""
    quiet = replace(audited, totals=replace(audited.totals, denied=0, unattributed=0))

    assert " accepted; no denials; " in " ".join(render("terminal", quiet).split())


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_people_see_each_of_them(audited, name):
    """Every problem's title and status; nobody is told of unknown ends where there are none."""
    text = render(name, audited, all=True)

    for problem in audited.problems:
        if problem.explained_by is None:
            assert problem.code in text
    for status in (Status.NEW, Status.GONE, Status.ACCEPTED):
        assert str(status) in text
    assert "an unknown end → an unknown end" not in text


def test_in_the_terminal_gone_problems_are_a_line_after_all_others(audited):
    """The news is told whole, what is over is not."""
    text = render("terminal", audited)

    gone = with_status(audited, Status.GONE)[0]
    line = next(line for line in text.splitlines() if "gone, last seen" in line)
    assert gone.last[:10] in line
    assert text.index("gone, last seen") > text.index("an audit's finding")


def test_junit_fails_for_what_is_there_and_not_accepted(audited):
    """Gone problems pass, accepted ones are skipped."""
    root = ET.fromstring(render("junit", audited, all=True))  # noqa: S314 - our own

    cases = {case.get("name"): case for case in root.iter("testcase")}
    for problem in audited.problems:
        case = cases[next(name for name in cases if name.endswith(f"[{problem.id}]"))]
        failed = case.find("failure") is not None
        if problem.status in (Status.GONE, Status.ACCEPTED):
            assert not failed
        assert (case.find("skipped") is not None) >= (problem.status is Status.ACCEPTED)


def test_sarif_has_its_own_words_for_them(audited):
    """SARIF 2.1.0: baselineState (3.27.24) is new, unchanged or absent on every result; suppressions (3.27.23)."""
    results = json.loads(render("sarif", audited, all=True))["runs"][0]["results"]

    states = {one["partialFingerprints"]["flowdiag/v1"]: one["baselineState"] for one in results}
    words = {"new": "new", "known": "unchanged", "accepted": "unchanged", "gone": "absent"}
    assert states == {p.fingerprint: words[p.status.value] for p in audited.problems}
    suppressed = {one["partialFingerprints"]["flowdiag/v1"] for one in results if "suppressions" in one}
    assert suppressed == {p.fingerprint for p in with_status(audited, Status.ACCEPTED)}


def test_metrics_count_by_status(audited):
    """One series for a code, severity, confidence and status."""
    text = render("openmetrics", audited)

    for status in Status:
        total = sum(
            int(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith("flowdiag_problems{") and f'status="{status}"' in line
        )
        assert total == len(with_status(audited, status))


def test_an_html_report_gives_them_back(audited):
    """Statuses survive being stored in a page and read again."""
    again = read_report(render("html", audited).encode())

    assert [(p.id, p.status) for p in again.problems] == [(p.id, p.status) for p in audited.problems]
