"""Google Cloud Logging entries, one per line (sinks); ``gcloud logging read --format=json`` gives an array of them.

Source: Cloud Logging ``LogEntry`` reference.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.json_lines import JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows

__all__ = ["CloudLogging"]

_PLAIN = frozenset({"message", "log", "stream", "logtag", "time", "timestamp", "severity", "pid", "tag"})
"""Keys of a payload that only carries a line of text; with any other key the payload is the record."""


class _Labels(Struct):
    node: str | None = field(default=None, name="node_name")
    namespace: str | None = field(default=None, name="namespace_name")
    pod: str | None = field(default=None, name="pod_name")
    container: str | None = field(default=None, name="container_name")


class _Resource(Struct):
    labels: _Labels | None = None


class _Entry(Struct):
    # {"insertId":"1x","logName":"projects/p/logs/policy-action","resource":{"type":"k8s_node","labels":
    #  {"node_name":"gke-a"}},"timestamp":"2026-01-05T10:00:00.1Z","jsonPayload":{...}}   Cloud Logging v2
    payload: Raw = field(default=Raw(), name="jsonPayload")
    text: str | None = field(default=None, name="textPayload")
    proto: Raw = field(default=Raw(), name="protoPayload")
    at: str | None = field(default=None, name="timestamp")
    resource: _Resource | None = None


_keys = msgspec.json.Decoder(dict[str, Raw])


class CloudLogging(JsonLines[_Entry]):
    """``textPayload`` as text, ``jsonPayload`` and ``protoPayload`` as the object they are."""

    name = "cloud-logging"
    marks = (b'"logName"',)
    any_marks = (b'"jsonPayload"', b'"textPayload"', b'"protoPayload"')
    shape = _Entry

    def unwrap(self, record: _Entry, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        labels = (record.resource.labels if record.resource else None) or _Labels()
        at = instant(record.at)
        row = row._replace(
            at=row.at if at is None else at,
            node=labels.node or row.node,
            namespace=labels.namespace or row.namespace,
            pod=labels.pod or row.pod,
            container=labels.container or row.container,
        )
        if record.text is not None:
            return text_rows(record.text, row)
        raw = bytes(record.payload) or bytes(record.proto)
        if not raw.startswith(b"{"):
            return None
        message = _message(raw)
        if message is not None:
            return text_rows(message, row)
        return iter((row._replace(data=one_line(raw)),))


def _message(raw: bytes) -> str | None:
    fields = _keys.decode(raw)
    if not set(fields) <= _PLAIN:
        return None
    for name in ("message", "log"):
        if name in fields:
            return msgspec.json.decode(fields[name], type=str)
    return None
