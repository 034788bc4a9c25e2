"""What was let through against the policies (FD810), and a node that is silent (FD809), format by format."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from msgspec.structs import replace

from flowdiag.model.report import Problem, Report, Severity
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from tests.report.sample_reports import dns_story

SILENT = (
    "No record of node worker-3 is here, where backend/user-api runs (FD809): what it refused is unknown."
)


def passed() -> Report:
    """The story's first problem refused; its second passed 102 times where the policies refuse."""
    report = dns_story()
    refused, other, *_ = report.problems
    gap: Problem = replace(
        other,
        code="FD810",
        slug="enforcement-gap",
        title="frontend/web-app reached backend/user-api on 8080/TCP, which the known policies refuse",
        verdict="allowed",
        severity=Severity.MEDIUM,
        counterfactual=None,
        explained_by=None,
        notes=(SILENT,),
    )
    totals = replace(report.totals, denied=refused.count, unattributed=0)
    return replace(report, problems=(replace(refused, explains=()), gap), totals=totals)


def rendered(name: str, **options: Any) -> str:
    text: str = load(GROUP, name).plugin.render(passed(), Options(width=120, **options))
    return text


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_people_read_that_it_was_let_through(name: str) -> None:
    text = " ".join(rendered(name, verbose=True).split())

    assert "102 records let through" in text
    assert "102 denials" not in text
    assert "1 problem explains all 192 denials; 1 other problem without a denial" in text


@pytest.mark.parametrize("name", ["terminal", "markdown", "html", "json"])
def test_a_silent_node_is_named_with_the_problem_that_it_limits(name: str) -> None:
    text = " ".join(rendered(name, verbose=True).split()).replace("`", "")

    assert "No record of node worker-3 is here" in text
    assert "FD809" in text


def test_tables_say_the_verdict() -> None:
    rows = list(csv.DictReader(io.StringIO(rendered("csv"))))

    assert {(row["code"], row["verdict"]) for row in rows} == {("FD401", "denied"), ("FD810", "allowed")}


def test_the_timeline_does_not_call_it_refused() -> None:
    lines = [json.loads(line) for line in rendered("jsonl").splitlines()]
    gap = [line for line in lines if line.get("code") == "FD810" and "count" in line]

    assert {line["timestamp_desc"] for line in gap} == {"First Let Through", "Last Let Through"}
    assert all(line["message"].startswith(("First of 102 records", "Last of 102 records")) for line in gap)


def test_pipelines_see_a_failure_that_is_no_denial() -> None:
    failures = [
        case.find("failure").text  # type: ignore[union-attr]
        for case in ET.fromstring(rendered("junit")).iter("testcase")  # noqa: S314 - our own
        if "FD810" in case.get("classname", "")
    ]
    results = json.loads(rendered("sarif"))["runs"][0]["results"]
    (gap,) = [one for one in results if one["ruleId"] == "FD810"]

    assert "102 records let through" in str(failures)
    assert gap["level"] == "warning"
    assert "102 records let through" in gap["message"]["text"]


def test_metrics_keep_it_out_of_the_denials() -> None:
    text = rendered("openmetrics")
    denials = [line for line in text.splitlines() if line.startswith("flowdiag_denials{")]
    let = [line for line in text.splitlines() if line.startswith("flowdiag_let_through{")]

    assert sum(int(line.rpartition(" ")[2]) for line in denials) == 192
    assert sum(int(line.rpartition(" ")[2]) for line in let) == 102
