"""Collectors' own objects around a line: OpenShift's ViaQ model, fluentd, Fluent Bit, Vector, Filebeat.

Sources: openshift/cluster-logging-operator data model; fluent-plugin-kubernetes_metadata_filter; Fluent Bit's
``kubernetes`` filter and its output ``json_lines`` (``date``); Vector's source ``kubernetes_logs``; Elastic Common
Schema, where ``log``, ``host`` and what stands under ``kubernetes`` are objects; fluentd's and Fluent Bit's output ``file``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.json_lines import DAMAGED, JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from, text_rows
from flowdiag.model.time import from_epoch, from_micros

__all__ = ["FluentBitFile", "FluentdFile", "ViaQ"]

_MILLISECONDS = 100_000_000_000
"""From here on a number is no count of seconds."""


class _Named(Struct):
    name: str | None = None
    hostname: str | None = None


class _Kubernetes(Struct):
    host: str | None = None
    namespace: str | None = field(default=None, name="namespace_name")
    pod: str | None = field(default=None, name="pod_name")
    container: str | None = field(default=None, name="container_name")
    # {"pod_name":"a","pod_namespace":"kube-system","pod_node_name":"node-1","container_name":"c"}          Vector 0.40
    pod_namespace: str | None = None
    pod_node_name: str | None = None
    # {"pod":{"name":"a"},"namespace":"kube-system","node":{"name":"node-1"},"container":{"name":"c"}}   Filebeat 8.15
    ecs_namespace: Raw = field(default=Raw(), name="namespace")
    ecs_pod: Raw = field(default=Raw(), name="pod")
    ecs_node: Raw = field(default=Raw(), name="node")
    ecs_container: Raw = field(default=Raw(), name="container")


class _Record(Struct):
    # {"@timestamp":"2021-07-06T08:26:58.687Z","hostname":"node-1","message":"2021-07-06T08:26:58.687Z|00004|acl_log...",
    #  "kubernetes":{"namespace_name":"openshift-ovn-kubernetes","pod_name":"ovnkube-node-abcde"}}   cluster-logging 5.8
    # {"@timestamp":"2026-01-05T10:00:00.123Z","message":"...","log":{"file":{"path":"/x"},"offset":3},
    #  "host":{"name":"node-1"},"kubernetes":{"pod":{"name":"a"}}}                                       Filebeat 8.15
    # {"date":1767607200.123456,"log":"..."}                           Fluent Bit 3.1, format json_lines, no filter
    message: Raw = Raw()
    log: str | _Named | None = None
    structured: Raw = Raw()
    # {"@timestamp":"...","json":{"flow":{...}},"log":{"file":{"path":"/x"},"offset":3}}     Filebeat 8, parser ndjson
    json: Raw = Raw()
    processed: Raw = field(default=Raw(), name="log_processed")
    """Fluent Bit's ``Merge_Log_Key`` as the charts of AWS and others have it."""
    # {"@timestamp":"2026-01-05T10:00:00.123Z","event":{"original":"..."}}                       Logstash 8, ECS mode
    event: Raw = Raw()
    hostname: str | None = None
    host: Raw = Raw()
    kubernetes: _Kubernetes | None = None
    at: str | int | float | None = field(default=None, name="@timestamp")
    time: str | int | float | None = None
    timestamp: Raw = Raw()
    date: Raw = Raw()


class _Event(Struct):
    original: str | None = None


_originals = msgspec.json.Decoder(_Event)
_names = msgspec.json.Decoder(_Named)


def _name(raw: Raw) -> str | None:
    """A name as text, or in an object; whatever else stands there is none."""
    text = bytes(raw)
    try:
        if text.startswith(b"{"):
            named = _names.decode(text)
            return named.name or named.hostname
        return msgspec.json.decode(text, type=str) if text.startswith(b'"') else None
    except DAMAGED:
        return None


def _original(raw: Raw) -> str | None:
    """The line itself, where a pipeline keeps it beside what it made of it."""
    try:
        return _originals.decode(raw).original if bytes(raw).startswith(b"{") else None
    except DAMAGED:
        return None


def _instant(record: _Record) -> int | None:
    """Of the stamps the first that is one; Fluent Bit's ``date`` may be seconds since the epoch."""
    for text in (record.at, record.time):
        if isinstance(text, str) and (found := instant(text)):
            return found
    for raw in (record.timestamp, record.date):
        if bytes(raw).startswith(b'"') and (found := instant(msgspec.json.decode(raw, type=str))):
            return found
    seconds = bytes(record.date)
    if seconds[:1].isdigit():
        number = float(seconds)
        return from_micros(round(number * 1_000_000)) if number < _MILLISECONDS else None
    return None


class ViaQ(JsonLines[_Record]):
    """``message`` or ``log``, with who wrote it beside; ``structured`` where the text itself was left out."""

    name = "viaq"
    marks = (b'"',)
    any_marks = (b'"kubernetes"', b'"pipeline_metadata"', b'"viaq_msg_id"', b'"log_type"', b'"@timestamp"')
    shape = _Record
    _HELD = re.compile(rb'"(?:message|log|structured|log_processed|json|event)"\s{0,4}:')
    _BARE = re.compile(rb'\{"date": ?[\d"][^,]{4,40},(?:[^{}\[\]\\]{0,400}?,)?? ?"log": ?"')

    @classmethod
    def _marked(cls, line: bytes) -> bool:
        if super()._marked(line):
            # A stamp alone stands in many a collector's object.
            return cls._HELD.search(line) is not None
        return cls._BARE.match(line) is not None

    def unwrap(self, record: _Record, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        where = record.kubernetes or _Kubernetes()
        at = _instant(record)
        row = row._replace(
            at=row.at if at is None else at,
            node=where.host
            or where.pod_node_name
            or _name(where.ecs_node)
            or record.hostname
            or _name(record.host)
            or row.node,
            namespace=where.namespace or where.pod_namespace or _name(where.ecs_namespace) or row.namespace,
            pod=where.pod or _name(where.ecs_pod) or row.pod,
            container=where.container or _name(where.ecs_container) or row.container,
        )
        message = record.log
        # Where a line of JSON was merged into the object, its own message stands there beside the line.
        whole = isinstance(message, str) and message.startswith("{")
        if not whole and bytes(record.message).startswith(b'"'):
            message = msgspec.json.decode(record.message, type=str)
        if isinstance(message, str):
            return text_rows(message, row)
        for raw in (record.structured, record.processed, record.json, record.message):
            if bytes(raw).startswith(b"{"):
                return iter((row._replace(data=one_line(bytes(raw))),))
        original = _original(record.event)
        return None if original is None else text_rows(original, row)


class FluentdFile(Header):
    """fluentd's outputs ``file`` and ``stdout``: time, tag and record."""

    name = "fluentd-file"
    # '2026-01-05T10:00:00+00:00\tkubernetes.var.log.containers.a\t{"log":"...","kubernetes":{...}}'           fluentd 1.16, file
    # '2026-01-05 10:00:00.123456789 +0000 kubernetes.var.log.containers.a: {"log":"...","kubernetes":{...}}'   fluentd 1.16, stdout
    pattern = re.compile(
        rb"^(?P<at>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)(?=\t)| \d\d:\d\d:\d\d\.\d{9} [+-]\d{4}(?= )))"
        rb"(?:\t[^\t\n]{1,512}\t| [^\s:]{1,512}: )(?=\{)",
        re.MULTILINE,
    )

    def stamp(self, text: bytes) -> int | None:
        """See `Header.stamp`; the offset of ``stdout`` stands apart."""
        return super().stamp(text.replace(b" +", b"+").replace(b" -", b"-"))


class FluentBitFile(Layer):
    """Fluent Bit's output ``file``: tag, time and record in brackets."""

    name = "fluent-bit-file"
    by_line: ClassVar[bool] = True
    # 'kube.var.log.containers.a: [1767607200.123456789, {"log":"...","kubernetes":{...}}]'         Fluent Bit 2.0, file
    # 'kube.var.log.containers.a: [[1767607200.123456789, {}], {"log":"..."}]'                      2.1 and later
    _LINE = re.compile(
        rb"[^\s:\[\]]{1,512}: \[(?:\[(?P<since>\d{9,10}(?:\.\d{1,9})?), \{[^{}]{0,400}\}\]|(?P<at>\d{9,10}(?:\.\d{1,9})?)), ?"
        rb"(?P<record>\{.*\})\]\r?"
    )

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`."""
        return sum(1 for line in lines if cls._LINE.fullmatch(line)) / max(len(lines), 1)

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out = []
        for row in rows:
            found = self._LINE.fullmatch(row.data)
            out.append(
                row
                if found is None
                else row._replace(data=found["record"], at=_of_text(found["since"] or found["at"]))
            )
        return rows_from(out, year_inferred=rows.year_inferred, open_end=ends_open(rows))


def _of_text(seconds: bytes) -> int | None:
    whole, _, part = seconds.partition(b".")
    return from_epoch(int(whole), int(part.ljust(9, b"0") or 0))
