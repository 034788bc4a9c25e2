"""Rows that search tools give as JSON: Azure Log Analytics and Splunk; as CSV they are `CsvTable`'s.

Sources: Azure Monitor's tables ``ContainerLogV2`` and ``ContainerLog``, as ``az monitor log-analytics query`` prints
them (an array), as data export rules store them (an object a line) and as the query API answers (a table); Splunk's
search export with ``output_mode=json``, its REST API's results, and its HTTP event collector.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.azure_flows import (
    NETWORK_MARKS,
    AzureFlowRow,
    holds_azure_flows,
    holds_network_rows,
)
from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.fitting import fitting
from flowdiag.ingest.envelopes.json_lines import DAMAGED, JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows
from flowdiag.model.time import from_micros

__all__ = ["AzureRow", "AzureTables", "SplunkResults", "SplunkRow"]


def _text(raw: Raw, row: Row) -> Iterator[Row] | None:
    """A line's text, or the object that the line was: Azure keeps lines of JSON as objects."""
    value = bytes(raw)
    if value.startswith(b'"'):
        return text_rows(msgspec.json.decode(value, type=str), row)
    return iter((row._replace(data=one_line(value)),)) if value.startswith(b"{") else None


_LINES = ("LogMessage", "LogEntry", "log_s", "msg_s")


class _Azure(Struct):
    # {"TimeGenerated":"2026-01-05T10:00:00.1234567Z","Computer":"aks-1","PodNamespace":"kube-system","PodName":"a",
    #  "ContainerName":"c","LogMessage":"level=info ...","LogSource":"stdout"}         ContainerLogV2, az 2.60
    # {"TimeGenerated":"2026-01-05T10:00:00.12Z","Computer":"aks-1","LogEntry":"..."}  ContainerLog
    message: Raw = field(default=Raw(), name="LogMessage")
    entry: Raw = field(default=Raw(), name="LogEntry")
    # {"TimeGenerated":"2026-01-05T10:00:00.12Z","Category":"kube-audit","log_s":"..."}  AzureDiagnostics, AKS' control plane
    diagnostics: Raw = field(default=Raw(), name="log_s")
    # {"TimeGenerated":"2026-01-05T10:00:00.12Z","Category":"AzureFirewallNetworkRule","msg_s":"TCP request from ..."}  the same, a firewall
    said: Raw = field(default=Raw(), name="msg_s")
    at: str | None = field(default=None, name="TimeGenerated")
    node: str | None = field(default=None, name="Computer")
    namespace: str | None = field(default=None, name="PodNamespace")
    pod: str | None = field(default=None, name="PodName")
    container: str | None = field(default=None, name="ContainerName")


def _azure(record: _Azure, row: Row) -> Iterator[Row] | None:
    at = instant(record.at)
    row = row._replace(
        at=row.at if at is None else at,
        node=record.node or row.node,
        namespace=record.namespace or row.namespace,
        pod=record.pod or row.pod,
        container=record.container or row.container,
    )
    found = (_text(one, row) for one in (record.message, record.entry, record.diagnostics, record.said))
    return next((one for one in found if one is not None), None)


class AzureRow(JsonLines[_Azure]):
    """One row of a table of container logs."""

    name = "azure-row"
    marks = (b'"TimeGenerated"',)
    any_marks = (b'"LogMessage"', b'"LogEntry"', b'"log_s"', b'"msg_s"')
    shape = _Azure

    def unwrap(self, record: _Azure, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        return _azure(record, row)


class _Column(Struct):
    name: str


class _Table(Struct):
    # Query API v1: "columns":[{"name":"TimeGenerated","type":"datetime"},...],"rows":[["2026-01-05T10:00:00Z",...]]
    columns: list[_Column]
    rows: list[list[Raw]] = []


class _Answer(Struct):
    tables: list[_Table]


class AzureTables(Document):
    """What the query API of Log Analytics answers; rows are counted from 1."""

    name = "azure-tables"
    lists = frozenset({b"rows"})

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return (
            head.startswith(b"{")
            and all(mark in head for mark in (b'"tables"', b'"columns"', b'"TimeGenerated"'))
            and any(mark in head for mark in (*AzureRow.any_marks, AzureFlowRow.marks[1], *NETWORK_MARKS))
        )

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        number = 0
        for table in msgspec.json.decode(document, type=_Answer).tables:
            names = [column.name for column in table.columns]
            for cells in table.rows:
                number += 1
                if holds_azure_flows(names) or holds_network_rows(names):
                    yield Row(msgspec.json.encode(dict(zip(names, cells, strict=False))), number)
                    continue
                record = msgspec.convert(_named(names, cells), _Azure, strict=False)
                yield from _azure(record, Row(b"", number)) or ()


def _named(names: list[str], cells: list[Raw]) -> Mapping[str, Any]:
    """The cells of a row by their columns' names; texts but for the line, which may be an object."""
    named = dict(zip(names, cells, strict=False))
    return {name: raw if name in _LINES else msgspec.json.decode(raw) for name, raw in named.items()}


class _Found(Struct):
    raw: str | None = field(default=None, name="_raw")
    time: str | float | None = field(default=None, name="_time")
    host: str | None = None


class _Splunk(Struct):
    # {"preview":false,"offset":0,"result":{"_time":"2026-01-05T10:00:00.123+0000","host":"node-1","_raw":"..."}}  Splunk 9
    # {"time":1767607200.123,"host":"node-1","sourcetype":"kube:container","event":"..."}              its HTTP collector
    result: _Found | None = None
    event: Raw = Raw()
    time: str | float | None = None
    host: str | None = None


class SplunkRow(JsonLines[_Splunk]):
    """A result of a search, or an event for the collector."""

    name = "splunk-row"
    marks = (b'"',)
    any_marks = (b'"_raw"', b'"sourcetype"')
    shape = _Splunk

    def unwrap(self, record: _Splunk, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        found = record.result
        time, host = (found.time, found.host) if found is not None else (record.time, record.host)
        at = _moment(time)
        row = row._replace(at=row.at if at is None else at, node=host or row.node)
        if found is not None:
            return None if found.raw is None else text_rows(found.raw, row)
        return _text(record.event, row)


class _Results(Struct):
    # {"preview":false,"init_offset":0,"messages":[],"fields":[{"name":"_raw"}],"results":[{"_time":"...","_raw":"..."}]}   json
    # {"preview":false,"fields":["_time","_raw"],"rows":[["2026-01-05T10:00:00.123+00:00","..."]]}                    json_rows
    results: list[Raw] = []
    fields: list[Any] = []
    rows: list[list[Any]] = []


class SplunkResults(Document):
    """What a search's REST endpoint answers with ``output_mode`` ``json`` and ``json_rows``; results are counted from 1."""

    name = "splunk-results"
    lists = frozenset({b"results", b"rows"})
    _LISTED = re.compile(rb'"(?:results|rows)"\s{0,20}:\s{0,20}\[')

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return head.startswith(b"{") and b'"_raw"' in head and cls._LISTED.search(head) is not None

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        found = msgspec.json.decode(document, type=_Results)
        names = [one.get("name") if isinstance(one, dict) else one for one in found.fields]
        cells = (msgspec.json.encode(dict(_texts(names, row))) for row in found.rows)
        for number, raw in enumerate((*found.results, *cells), start=1):
            yield from _result(bytes(raw), number)


def _texts(names: list[Any], cells: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((name, cell) for name, cell in zip(names, cells, strict=False) if isinstance(name, str))


def _result(raw: bytes, number: int) -> Iterator[Row]:
    try:
        result = fitting(raw, _Found)
    except DAMAGED:
        result = _Found()
    if result.raw is None:
        return iter((Row(one_line(raw), number),))
    return text_rows(result.raw, Row(b"", number, at=_moment(result.time), node=result.host))


def _moment(time: str | float | None) -> int | None:
    """RFC 3339, or seconds since the epoch as a number or its text."""
    if isinstance(time, str):
        at = instant(time)
        if at is not None:
            return at
        try:
            time = float(time)
        except ValueError:
            return None
    if time is None or not 0 < time < _MILLISECONDS:
        return None
    return from_micros(round(time * 1_000_000))


_MILLISECONDS = 100_000_000_000
"""From here on a number is no count of seconds."""
