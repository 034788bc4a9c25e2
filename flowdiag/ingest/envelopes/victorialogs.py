"""What VictoriaLogs answers: an object a line, fields of any depth as names with dots, the line under ``_msg``.

Source: VictoriaLogs' ``/select/logsql/query`` and ``vlogscli``; names as its documented collectors send them (Vector,
Fluent Bit, Filebeat, OpenTelemetry's).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from flowdiag.ingest.envelopes.json_lines import JsonLines
from flowdiag.ingest.envelopes.rows import Row, instant, text_rows

__all__ = ["VictoriaLogs"]


class _Found(Struct):
    # {"_time":"2026-01-05T10:00:00.123Z","_stream_id":"0000","_stream":"{kubernetes.pod_name=\"a\"}","_msg":"...",
    #  "kubernetes.pod_name":"a","kubernetes.pod_namespace":"kube-system","kubernetes.pod_node_name":"node-1"}   v1.20, of Vector
    line: str | None = field(default=None, name="_msg")
    at: str | None = field(default=None, name="_time")
    vector_node: str | None = field(default=None, name="kubernetes.pod_node_name")
    vector_namespace: str | None = field(default=None, name="kubernetes.pod_namespace")
    pod: str | None = field(default=None, name="kubernetes.pod_name")
    container: str | None = field(default=None, name="kubernetes.container_name")
    # Fluent Bit
    node: str | None = field(default=None, name="kubernetes.host")
    namespace: str | None = field(default=None, name="kubernetes.namespace_name")
    # OpenTelemetry's collector
    otel_node: str | None = field(default=None, name="k8s.node.name")
    otel_namespace: str | None = field(default=None, name="k8s.namespace.name")
    otel_pod: str | None = field(default=None, name="k8s.pod.name")
    otel_container: str | None = field(default=None, name="k8s.container.name")
    # Filebeat
    ecs_node: str | None = field(default=None, name="kubernetes.node.name")
    ecs_namespace: str | None = field(default=None, name="kubernetes.namespace")
    ecs_pod: str | None = field(default=None, name="kubernetes.pod.name")
    ecs_container: str | None = field(default=None, name="kubernetes.container.name")


class VictoriaLogs(JsonLines[_Found]):
    """One record of an answer."""

    name = "victorialogs"
    marks = (b'"_msg"',)
    any_marks = (b'"_time"', b'"_stream"')
    shape = _Found

    def unwrap(self, record: _Found, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.line is None:
            return None
        at = instant(record.at)
        return text_rows(
            record.line,
            row._replace(
                at=row.at if at is None else at,
                node=record.vector_node or record.node or record.otel_node or record.ecs_node or row.node,
                namespace=record.vector_namespace
                or record.namespace
                or record.otel_namespace
                or record.ecs_namespace
                or row.namespace,
                pod=record.pod or record.otel_pod or record.ecs_pod or row.pod,
                container=record.container or record.otel_container or record.ecs_container or row.container,
            ),
        )
