"""Loki's query, push and tail API, logcli, and what Grafana saves of Loki's logs.

Sources: Loki HTTP API (``/loki/api/v1/query_range``), logcli ``pkg/logcli/output``, Grafana's ``logRowsToReadableJson``.  Stream labels tell node,
namespace, pod and container; NetObserv keeps part of each flow in them, so there they go back into the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from flowdiag.ingest.envelopes.documents import Document
from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.json_lines import Batches, JsonLines
from flowdiag.ingest.envelopes.rows import Row, Rows, instant, merged, text_rows
from flowdiag.model.time import from_nanos

__all__ = ["GrafanaText", "LogcliJson", "LogcliText", "LokiResponse", "LokiStreams"]

_NAMES: dict[str, tuple[str, ...]] = {
    "node": ("node_name", "node", "kubernetes_host", "k8s_node_name", "nodename", "hostname", "host"),
    "namespace": ("namespace", "kubernetes_namespace_name", "k8s_namespace_name"),
    "pod": ("pod", "kubernetes_pod_name", "k8s_pod_name"),
    "container": ("container", "kubernetes_container_name", "k8s_container_name"),
}
"""Labels of promtail, alloy, the OpenShift collector and OTLP, in the order they are believed."""


def _placed(labels: dict[str, str], row: Row) -> Row:
    def first(column: str) -> str | None:
        return next((labels[name] for name in _NAMES[column] if labels.get(name)), None)

    return row._replace(
        node=first("node") or row.node,
        namespace=first("namespace") or row.namespace,
        pod=first("pod") or row.pod,
        container=first("container") or row.container,
    )


def _whole(line: str, labels: dict[str, str]) -> str:
    """NetObserv's record with the fields that Loki kept as labels (``SrcK8S_Namespace`` ...)."""
    if not line.startswith("{") or not any("K8S_" in name for name in labels):
        return line
    fields = msgspec.json.encode(labels).decode()
    rest = line[1:].lstrip()
    return fields[:-1] + ("}" if rest == "}" else f",{rest}")


class _Value(Struct, array_like=True):
    """Loki 3 puts an object behind a line's text where it is asked as Grafana asks (``categorize-labels``)."""

    # ["1767607200123456789","level=info ..."]                                        Loki 2.9
    # ["1767607200123456789","level=info ...",{"structuredMetadata":{"trace_id":"1"}}]  Loki 3.1
    at: str
    line: str


class _Stream(Struct):
    stream: dict[str, str]
    values: list[_Value] = []


class _Data(Struct):
    result: list[_Stream]


class _Response(Struct):
    data: _Data


class LokiResponse(Document):
    """``{"status":"success","data":{"resultType":"streams","result":[...]}}``; lines are counted from 1."""

    name = "loki"
    lists = frozenset({b"values"})

    @classmethod
    def begins(cls, head: bytes) -> bool:
        """See `Document.begins`."""
        return head.startswith(b"{") and b'"result"' in head and b'"stream"' in head and b'"values"' in head

    def elements(self, document: bytes) -> Iterator[Row]:
        """See `Document.elements`."""
        number = 0
        for stream in msgspec.json.decode(document, type=_Response).data.result:
            place = _placed(stream.stream, Row(b"", 0))
            for value in stream.values:
                number += 1
                inside = place._replace(line=number, at=from_nanos(value.at))
                yield from text_rows(_whole(value.line, stream.stream), inside)


class _Line(Struct):
    # {"labels":{"namespace":"kube-system"},"line":"...","timestamp":"2026-01-05T10:00:00.123456789Z"}  logcli 3.1
    # {"line":"...","timestamp":"1767607200123456789","date":"2026-01-05T10:00:00.123Z","fields":{"pod":"a"}}  Grafana 11
    labels: dict[str, str] | None = None
    fields: dict[str, str | int | float | bool | None] | None = None
    line: str | None = None
    timestamp: str | None = None


class _Pushed(Struct):
    # {"streams":[{"stream":{"pod":"a"},"values":[["1767607200123456789","level=info ..."]]}]}   Loki 3.1, push and tail
    streams: list[_Stream] = []


class LokiStreams(Batches[_Pushed]):
    """What is pushed to Loki, and what its tail answers: streams, one object of them a line."""

    name = "loki-streams"
    lists = frozenset({b"values"})
    marks = (b'"streams"', b'"stream"', b'"values"')
    shape = _Pushed

    def unwrap(self, record: _Pushed, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if not record.streams:
            return None
        return (
            inner
            for stream in record.streams
            for value in stream.values
            for inner in text_rows(
                _whole(value.line, stream.stream),
                _placed(stream.stream, self.counted(row))._replace(at=from_nanos(value.at)),
            )
        )


class LogcliJson(JsonLines[_Line]):
    """``logcli query -o jsonl``, and what Grafana's Explore saves as JSON, which is an array of such objects."""

    name = "logcli-json"
    marks = (b'"line"', b'"timestamp"')
    any_marks = (b'"labels"', b'"fields"')
    shape = _Line

    def unwrap(self, record: _Line, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.line is None or record.timestamp is None:
            return None
        labels = record.labels
        if labels is None:
            labels = {name: value for name, value in (record.fields or {}).items() if isinstance(value, str)}
        at = from_nanos(record.timestamp)
        at = instant(record.timestamp) if at is None else at
        return text_rows(_whole(record.line, labels), _placed(labels, row)._replace(at=at))


class GrafanaText(Header):
    """What Grafana's Explore saves as text: the time twice, tabs between; above it what it says of the query."""

    name = "grafana-text"
    # "1767607200123\t2026-01-05T10:00:00.123Z\tWARN: 2026/01/05 ..."   Grafana 9 to 12, inspector/utils/download.ts
    pattern = re.compile(rb"^\d{12,14}\t(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\t", re.MULTILINE)


class LogcliText(Header):
    """``logcli query`` as it prints by default: time, labels in braces, line."""

    name = "logcli"
    # '2026-01-05T10:00:00Z {container="weave-npc", pod="weave-net-2xkzp"} WARN: 2026/01/05 ...'   logcli 3.1
    # It takes the blanks around a line away, and pads labels to the longest that the query gave.
    pattern = re.compile(
        rb"^(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (\{[a-zA-Z_][^}\n]{0,4096}\}) {1,4096}",
        re.MULTILINE,
    )
    _LABEL = re.compile(rb'([a-zA-Z_][a-zA-Z0-9_]{0,127})="((?:[^"\\]|\\.){0,512})"')

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`; the labels fill four columns."""
        places: list[Row] = []
        known: dict[bytes, Row] = {}
        for row in rows:
            match = self.pattern.match(row.data)
            text = match[2] if match else b""
            if text not in known:
                labels = {
                    name.decode(): value.decode("utf-8", "replace")
                    for name, value in self._LABEL.findall(text)
                }
                known[text] = _placed(labels, Row(b"", 0))
            places.append(known[text])
        peeled = super().peel(rows)
        peeled.node = merged(peeled.node, [place.node for place in places])
        peeled.namespace = merged(peeled.namespace, [place.namespace for place in places])
        peeled.pod = merged(peeled.pod, [place.pod for place in places])
        peeled.container = merged(peeled.container, [place.container for place in places])
        return peeled
