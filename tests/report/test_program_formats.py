"""Formats that programs read: each keeps its own syntax whatever the names hold."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from flowdiag.model.errors import UsageError
from flowdiag.report import Options
from flowdiag.report.connection_rows import COLUMNS
from flowdiag.report.csv_report import CsvReporter
from flowdiag.report.json_report import json_bytes
from flowdiag.report.junit import JunitReporter
from flowdiag.report.markdown import MarkdownReporter
from flowdiag.report.openmetrics import OpenMetricsReporter
from flowdiag.report.parquet import ParquetReporter
from flowdiag.report.sarif import SarifReporter
from flowdiag.report.timeline_jsonl import JsonlReporter
from tests.report.sample_reports import SAMPLES_AND_HOSTILE, dns_story, hostile, mixed, pod_end

ACTING = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

every_sample = pytest.mark.parametrize("sample", SAMPLES_AND_HOSTILE)


@every_sample
def test_timesketch_finds_the_three_fields_it_requires(sample: str) -> None:
    lines = JsonlReporter().render(SAMPLES_AND_HOSTILE[sample](), Options()).splitlines()
    last = 0
    for line in lines:
        entry = json.loads(line)

        assert entry["message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", entry["datetime"])
        assert entry["timestamp_desc"]
        assert entry["timestamp"] >= last
        assert None is ACTING.search(entry["message"])
        last = entry["timestamp"]


def test_the_timeline_holds_refusals_changes_and_gaps() -> None:
    lines = JsonlReporter().render(dns_story(), Options()).splitlines()
    kinds = [json.loads(line)["timestamp_desc"] for line in lines]

    assert {"First Refused", "Last Refused", "Cluster Object Changed", "Evidence Missing"} == set(kinds)
    assert kinds.count("First Refused") == 5


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@every_sample
def test_no_cell_starts_a_formula(sample: str) -> None:
    report = SAMPLES_AND_HOSTILE[sample]()
    found = rows(CsvReporter().render(report, Options()))

    assert sum(len(problem.connections) for problem in report.problems) == len(found)
    for row in found:
        assert list(row) == list(COLUMNS)
        for cell in row.values():
            assert not re.match(r"\s*[=+\-@%|＝＋－＠]", cell)
            assert None is ACTING.search(cell)


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@a", " =1", '"=1', "\t=1", "\n=1", "＝1", "\u00a0=1"])
def test_a_formula_is_disarmed_and_stays_readable(start: str) -> None:
    report = dns_story()
    end = pod_end("frontend", "x")
    problem = report.problems[1]
    connection = replace(problem.connections[0], source=replace(end, namespace=start))
    (row,) = rows(
        CsvReporter().render(
            replace(report, problems=(replace(problem, connections=(connection,)),)), Options()
        )
    )

    assert row["source_namespace"].startswith("'")


def test_csv_leaves_unknown_cells_empty_and_numbers_plain() -> None:
    found = rows(CsvReporter().render(mixed(), Options(columns=("port", "count", "first"))))

    assert {"port": "", "count": "3", "first": ""} in found
    with pytest.raises(UsageError):
        CsvReporter().render(mixed(), Options(columns=("ports",)))


@every_sample
def test_parquet_holds_the_same_rows_with_types(sample: str, parquet: Any) -> None:
    report = SAMPLES_AND_HOSTILE[sample]()
    table = parquet.read_table(io.BytesIO(ParquetReporter().render(report, Options())))

    assert list(COLUMNS) == table.column_names
    assert table.num_rows == len(rows(CsvReporter().render(report, Options())))
    assert str(table.schema.field("port").type) == "int64"
    assert str(table.schema.field("first").type) == "timestamp[ns, tz=UTC]"


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="needs pyarrow") as caught:
        ParquetReporter().render(dns_story(), Options())

    assert "pip install pyarrow" in caught.value.hint


# OpenMetrics 1.0, ABNF: metricname [labels] SP number, labels in braces with escaped strings.
_SAMPLE = re.compile(
    r'([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*"(?:,[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*")*\})? (\d+)'
)
_META = re.compile(r"# (?:TYPE [a-z_]+ gauge|UNIT [a-z_]+_seconds seconds|HELP [a-z_]+ [^\n]+)")


@every_sample
def test_openmetrics_is_well_formed_and_no_series_stands_twice(sample: str) -> None:
    text = OpenMetricsReporter().render(SAMPLES_AND_HOSTILE[sample](), Options())
    *lines, end, empty = text.split("\n")
    seen = set()
    for line in lines:
        match = _SAMPLE.fullmatch(line)
        assert match or _META.fullmatch(line), line
        if match:
            assert (match[1], match[2]) not in seen
            seen.add((match[1], match[2]))

    assert (end, empty) == ("# EOF", "")


def test_metrics_hold_no_pods_and_no_addresses() -> None:
    text = OpenMetricsReporter().render(dns_story(), Options())

    assert 'code="FD401",severity="high",direction="egress"' in text
    assert "web-app" not in text
    assert "10.244" not in text
    assert 'flowdiag_flows{verdict="allowed"} 914' in text
    assert "allowed" not in OpenMetricsReporter().render(mixed(), Options())


def test_metrics_stay_few_whatever_the_namespaces() -> None:
    report = dns_story()
    connection = report.problems[1].connections[0]
    many = tuple(replace(connection, source=pod_end(f"ns-{n}", "x")) for n in range(2000))
    text = OpenMetricsReporter().render(
        replace(report, problems=(replace(report.problems[1], connections=many),)), Options()
    )

    assert text.count("\nflowdiag_denials{") <= 501
    assert '"(other)"' in text


@every_sample
def test_junit_parses_and_its_sums_are_right(sample: str) -> None:
    report = SAMPLES_AND_HOSTILE[sample]()
    root = ET.fromstring(JunitReporter().render(report, Options()))  # noqa: S314 - our own output
    cases = root.findall("./testsuite/testcase")

    assert len(report.problems) + 1 == len(cases)
    assert str(len(cases)) == root.get("tests")
    assert str(len(root.findall(".//failure"))) == root.get("failures")
    assert str(len(root.findall(".//skipped"))) == root.get("skipped")
    for suite in root:
        assert str(len(suite.findall("testcase"))) == suite.get("tests")


def test_junit_fails_problems_and_skips_what_another_explains() -> None:
    root = ET.fromstring(JunitReporter().render(dns_story(), Options()))  # noqa: S314 - our own output

    assert len(root.findall(".//failure")) == 3
    assert "explained by p-3f0c55aa" in [skipped.get("message") for skipped in root.iter("skipped")]


@every_sample
def test_sarif_points_at_rules_and_objects_that_exist(sample: str) -> None:
    """What the SARIF 2.1.0 schema requires of a run, its rules and its results."""
    value = json.loads(SarifReporter().render(SAMPLES_AND_HOSTILE[sample](), Options()))
    (run,) = value["runs"]
    rules = run["tool"]["driver"]["rules"]

    assert value["version"] == "2.1.0"
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        assert result["occurrenceCount"] >= 1
        assert not re.search(r"(?<!\\)(?:\\\\)*\[", result["message"]["text"])
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"]
        for each in [*location.get("logicalLocations", []), *result.get("relatedLocations", [])]:
            assert each.get("kind", "resource") == "resource"


def test_sarif_names_the_manifest_and_line_where_they_are_known() -> None:
    report = dns_story()
    policies = tuple(
        replace(policy, path="policies/frontend net/deny.yaml", line=7) for policy in report.policies
    )
    with_files = json.loads(SarifReporter().render(replace(report, policies=policies), Options()))
    without = json.loads(SarifReporter().render(report, Options()))

    assert with_files["runs"][0]["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "policies/frontend%20net/deny.yaml"},
        "region": {"startLine": 7},
    }
    assert "deny.yaml" not in json.dumps(without)


@pytest.mark.parametrize("shift", range(0, 23, 4))
def test_hostile_text_in_other_fields_is_no_different(shift: int) -> None:
    report = hostile(shift=shift, times=bool(shift % 8))
    for reporter in (JsonlReporter, CsvReporter, OpenMetricsReporter, JunitReporter, SarifReporter):
        text = reporter().render(report, Options())

        assert "\x1b" not in text
        assert "\u202e" not in text
        text.encode()


def test_every_sarif_result_has_a_place() -> None:
    """GitHub rejects an upload with one that has none: evidence's line, else the first input, stands in."""
    report = dns_story()
    bare = replace(report.problems[0], nearest=(), isolating=())
    report = replace(report, problems=(bare, replace(bare, id="p-2", evidence=())))
    first, second = json.loads(SarifReporter().render(report, Options()))["runs"][0]["results"]
    line = bare.evidence[0]

    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": line.line}
    assert second["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_sarif_sentences_end_once() -> None:
    report = dns_story()
    told = replace(report.problems[0], counterfactual=None, advice="Add the label k8s-app: kube-dns.")
    (result,) = json.loads(SarifReporter().render(replace(report, problems=(told,)), Options()))["runs"][0][
        "results"
    ]

    assert ".." not in result["message"]["text"]


def test_evidence_with_gaps_is_not_called_complete() -> None:
    report = replace(dns_story(), complete=True)
    assert report.evidence.gaps
    root = ET.fromstring(JunitReporter().render(report, Options()))  # noqa: S314 - our own output
    case = next(case for case in root.iter("testcase") if case.get("classname") == "evidence")

    assert case.find("skipped") is not None
    assert "Complete evidence" not in MarkdownReporter().render(report, Options())


def test_json_holds_nothing_that_acts_on_a_terminal() -> None:
    text = "a\x9b2J\u202e\x85\u2028\u2066\x7fé→"
    written = json_bytes({"title": text}).decode()

    assert json.loads(written) == {"title": text}
    assert not ACTING.search(written)
    assert "é→" in written
