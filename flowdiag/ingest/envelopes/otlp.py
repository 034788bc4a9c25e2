"""OpenTelemetry's logs in JSON, as the collector's ``file`` exporter writes them: a batch of many records a line.

Source: opentelemetry-proto ``logs/v1`` in its JSON encoding (64-bit numbers are strings there), semantic conventions
for ``k8s.*`` attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from flowdiag.ingest.envelopes.json_lines import Batches
from flowdiag.ingest.envelopes.rows import Row, text_rows
from flowdiag.model.time import from_nanos

__all__ = ["OtlpLogs"]

_MOST_DEEP = 20


class _Value(Struct, rename="camel"):
    # Either {"stringValue":"WARN: ..."} or {"kvlistValue":{"values":[{"key":"msg","value":{"stringValue":"..."}}]}}.
    string_value: str | None = None
    int_value: int | None = None
    double_value: float | None = None
    bool_value: bool | None = None
    kvlist_value: _Pairs | None = None
    array_value: _Values | None = None


class _Pair(Struct):
    key: str
    value: _Value = field(default_factory=_Value)


class _Pairs(Struct):
    values: list[_Pair] = []


class _Values(Struct):
    values: list[_Value] = []


class _Log(Struct, rename="camel"):
    time_unix_nano: int = 0
    observed_time_unix_nano: int = 0
    body: _Value | None = None
    attributes: list[_Pair] = []


class _Scope(Struct, rename="camel"):
    log_records: list[_Log] = []


class _Resource(Struct):
    attributes: list[_Pair] = []


class _Batch(Struct, rename="camel"):
    resource: _Resource = field(default_factory=_Resource)
    scope_logs: list[_Scope] = []


class _Export(Struct, rename="camel"):
    # {"resourceLogs":[{"resource":{"attributes":[{"key":"k8s.pod.name","value":{"stringValue":"weave-net-x"}}]},"scopeLogs":
    #  [{"scope":{},"logRecords":[{"timeUnixNano":"1767607200123456789","body":{"stringValue":"WARN: ..."}}]}]}]}   collector 0.110
    resource_logs: list[_Batch] = []


class OtlpLogs(Batches[_Export]):
    """Each record's body: a line of text, or the object that a line of JSON was parsed to."""

    name = "otlp-json"
    lists = frozenset({b"logRecords"})
    marks = (b'"resourceLogs"', b'"logRecords"')
    shape = _Export

    def unwrap(self, record: _Export, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if not record.resource_logs:
            return None
        return (
            inner
            for batch in record.resource_logs
            for scope in batch.scope_logs
            for log in scope.log_records
            for inner in _rows(log, batch.resource.attributes, self.counted(row))
        )


def _rows(log: _Log, resource: list[_Pair], row: Row) -> Iterator[Row]:
    if log.body is None:
        return iter(())
    told = {pair.key: pair.value.string_value for pair in (*log.attributes, *resource)}
    at = from_nanos(log.time_unix_nano or log.observed_time_unix_nano)
    placed = row._replace(
        at=at or row.at,
        node=told.get("k8s.node.name") or told.get("host.name") or row.node,
        namespace=told.get("k8s.namespace.name") or row.namespace,
        pod=told.get("k8s.pod.name") or row.pod,
        container=told.get("k8s.container.name") or row.container,
    )
    if log.body.string_value is not None:
        return text_rows(log.body.string_value, placed)
    if log.body.kvlist_value is not None:
        return iter((placed._replace(data=msgspec.json.encode(_plain(log.body, 0))),))
    return iter(())


def _plain(value: _Value, depth: int) -> Any:
    """The JSON that a value stands for; what is nested as an attack is left out."""
    if depth > _MOST_DEEP:
        return None
    if value.kvlist_value is not None:
        return {pair.key: _plain(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if value.array_value is not None:
        return [_plain(one, depth + 1) for one in value.array_value.values]
    told = (value.string_value, value.int_value, value.double_value, value.bool_value)
    return next((one for one in told if one is not None), None)
