"""Every incident redacted: in no format does a name, an address or a label of the cluster stand."""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Any

import msgspec
import pytest

from flowdiag.model.report import Report
from flowdiag.parserkit.registry import available, load
from flowdiag.report import GROUP, Options
from flowdiag.report.redact import redact
from flowdiag.report.redact_words import is_common, is_common_group, is_common_key
from tests.report.test_whole_incidents import INCIDENTS, report_of

FORMATS = [name for name in available(GROUP) if name not in ("png", "parquet")]

_WORDS = frozenset(
    ["web", "db", "test", "api", "client", "server", "node", "data", "report", "flows", "state"]
)
"""Names that sentences, schemas and documents use as words, and that cannot be told from those."""


@cache
def redacted(incident: str) -> Report:
    return redact(report_of(incident))


def secrets(report: Report) -> set[str]:
    """Every name, address and label that the report's fields hold, and those of the raw evidence's fields."""
    found: set[str] = set()

    def walk(value: Any, key: str, path: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                if key == "labels" and not is_common_key(name):
                    found.add(name)
                if key == "by_node":
                    found.add(name)
                walk(item, "labels-value" if key == "labels" else name, (*path, key))
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item, key, path)
        elif isinstance(value, str) and path[-1:] not in (("generator",), ("parsers",)):
            if key in (
                "namespace",
                "name",
                "pods",
                "node",
                "path",
                "input",
                "by",
                "dns_names",
                "ips",
                "labels-value",
            ):
                found.add(value)
            if key == "raw":
                found.update(re.findall(r'"(?:pod_name|node_name|uuid|cluster_name)":"([^"]+)"', value))
                found.update(re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", value))
                found.update(re.findall(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", value))

    walk(msgspec.to_builtins(report), "", ())
    plain = {name for name in found if not is_common(name) and not is_common_group(name)}
    # Some policies are called as the catalogue calls their mistakes; reserved identities are everybody's.
    slugs = {problem.slug for problem in report.problems}
    return {
        name
        for name in plain - slugs
        if len(name) > 3 and name not in _WORDS and not name.isdigit() and not name.startswith("reserved:")
    }


@pytest.mark.parametrize("incident", INCIDENTS)
def test_there_is_something_to_hide(incident: str) -> None:
    assert len(secrets(report_of(incident))) > 20


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("incident", INCIDENTS)
def test_no_original_stands_in_any_format(incident: str, name: str) -> None:
    text = load(GROUP, name).plugin.render(redacted(incident), Options(width=160, verbose=True, all=True))
    left = sorted(
        secret
        for secret in secrets(report_of(incident))
        if re.search(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", text)
    )

    assert left == []


@pytest.mark.parametrize("incident", INCIDENTS)
def test_parquet_hides_them_too(incident: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(
        io.BytesIO(load(GROUP, "parquet").plugin.render(redacted(incident), Options()))
    )
    cells = " ".join(str(cell) for column in table.columns for cell in column.to_pylist())

    assert [
        s for s in secrets(report_of(incident)) if re.search(rf"(?<!\w){re.escape(s)}(?!\w)", cells)
    ] == []


@pytest.mark.parametrize("incident", INCIDENTS)
def test_two_names_stay_two(incident: str) -> None:
    """Injective over all ends: as many workloads, pods and addresses as before, and the same story."""
    before, after = report_of(incident), redacted(incident)

    def ends(report: Report) -> list[set[Any]]:
        every = [end for p in report.problems for c in p.connections for end in (c.source, c.destination)]
        return [
            {(end.namespace, end.name) for end in every},
            {pod for end in every for pod in end.pods},
            {ip for end in every for ip in end.ips},
        ]

    assert list(map(len, ends(before))) == list(map(len, ends(after)))
    assert [(p.id, p.code, p.count) for p in before.problems] == [
        (p.id, p.code, p.count) for p in after.problems
    ]
    assert before.totals == after.totals
