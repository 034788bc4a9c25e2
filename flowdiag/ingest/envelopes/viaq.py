"""Collectors' own objects around a line: OpenShift's ViaQ model, fluentd and fluent-bit with Kubernetes metadata.

Sources: openshift/cluster-logging-operator data model; fluent-plugin-kubernetes_metadata_filter; fluent-bit
``kubernetes`` filter.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Raw, Struct, field

from flowdiag.ingest.envelopes.json_lines import JsonLines, one_line
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows

__all__ = ["ViaQ"]


class _Kubernetes(Struct):
    host: str | None = None
    namespace: str | None = field(default=None, name="namespace_name")
    pod: str | None = field(default=None, name="pod_name")
    container: str | None = field(default=None, name="container_name")


class _Record(Struct):
    # {"@timestamp":"2021-07-06T08:26:58.687Z","hostname":"node-1","message":"2021-07-06T08:26:58.687Z|00004|acl_log...",
    #  "kubernetes":{"namespace_name":"openshift-ovn-kubernetes","pod_name":"ovnkube-node-abcde"}}   cluster-logging 5.8
    message: str | None = None
    log: str | None = None
    structured: Raw = Raw()
    hostname: str | None = None
    kubernetes: _Kubernetes | None = None
    at: str | int | float | None = field(default=None, name="@timestamp")
    time: str | int | float | None = None


class ViaQ(JsonLines[_Record]):
    """``message`` or ``log``, with who wrote it beside; ``structured`` where the text itself was left out."""

    name = "viaq"
    marks = (b'"',)
    any_marks = (b'"kubernetes"', b'"pipeline_metadata"', b'"viaq_msg_id"', b'"log_type"', b'"@timestamp"')
    shape = _Record

    def unwrap(self, record: _Record, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        where = record.kubernetes or _Kubernetes()
        at = next(
            (
                found
                for text in (record.at, record.time)
                if isinstance(text, str) and (found := instant(text))
            ),
            None,
        )
        row = row._replace(
            at=row.at if at is None else at,
            node=where.host or record.hostname or row.node,
            namespace=where.namespace or row.namespace,
            pod=where.pod or row.pod,
            container=where.container or row.container,
        )
        message = record.message if record.message is not None else record.log
        if message is not None:
            return text_rows(message, row)
        structured = bytes(record.structured)
        if structured.startswith(b"{"):
            return iter((row._replace(data=one_line(structured)),))
        return None
