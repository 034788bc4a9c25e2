"""Refused connections as rows: what CSV, Parquet and the terminal's table share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowdiag.model.errors import UsageError
from flowdiag.model.report import Connection, Problem, Report, ReportEndpoint
from flowdiag.report.names import end_text, policy_name

__all__ = ["COLUMNS", "Row", "chosen_columns", "connection_rows"]

Row = dict[str, str | int | None]

COLUMNS = (
    "problem",
    "code",
    "severity",
    "confidence",
    "status",
    "verdict",
    "direction",
    "reason",
    "source",
    "source_kind",
    "source_namespace",
    "source_workload",
    "source_ips",
    "destination",
    "destination_kind",
    "destination_namespace",
    "destination_workload",
    "destination_ips",
    "protocol",
    "port",
    "count",
    "first",
    "last",
    "isolated_by",
    "title",
)
"""The columns in their order; `source` and `destination` are names for people, the rest single facts."""


def chosen_columns(wanted: Sequence[str]) -> tuple[str, ...]:
    """The columns that were asked for, all of them for none.

    Raises:
        UsageError: there is no such column.
    """
    unknown = [name for name in wanted if name not in COLUMNS]
    if unknown:
        raise UsageError(f"no column {unknown[0]!r}", hint=f"known: {', '.join(COLUMNS)}")
    return tuple(wanted) or COLUMNS


def connection_rows(report: Report, problem: str | None = None) -> Iterator[Row]:
    """A row for each connection, in the order of the problems and of their connections.

    Args:
        report: the report.
        problem: only this problem's, by id.
    """
    for item in report.problems:
        if problem is None or item.id == problem:
            for connection in item.connections:
                yield _row(item, connection)


def _row(problem: Problem, connection: Connection) -> Row:
    source, destination = connection.source, connection.destination
    return {
        "problem": problem.id,
        "code": problem.code,
        "severity": problem.severity.value,
        "confidence": problem.confidence.value,
        "status": None if problem.status is None else problem.status.value,
        "verdict": problem.verdict,
        "direction": problem.direction,
        "reason": problem.reason.name or problem.reason.raw,
        "source": end_text(source),
        "source_kind": source.kind,
        "source_namespace": source.namespace,
        "source_workload": _workload(source),
        "source_ips": " ".join(source.ips) or None,
        "destination": end_text(destination),
        "destination_kind": destination.kind,
        "destination_namespace": destination.namespace,
        "destination_workload": _workload(destination),
        "destination_ips": " ".join(destination.ips) or None,
        "protocol": connection.protocol,
        "port": connection.port,
        "count": connection.count,
        "first": connection.first,
        "last": connection.last,
        "isolated_by": " ".join(policy_name(ref) for ref in problem.isolating) or None,
        "title": problem.title,
    }


def _workload(end: ReportEndpoint) -> str | None:
    return None if end.workload is None else end.workload.name
