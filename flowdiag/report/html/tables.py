"""The page's tables as plain values: connections, spans of time, policies, changes, inputs."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from flowdiag.model.report import Connection, Problem, Report
from flowdiag.model.time import NS, rfc3339
from flowdiag.model.words import done, object_text, plural
from flowdiag.report.charts import busiest_nodes, charted
from flowdiag.report.html.cards import policy_keys
from flowdiag.report.html.facts import connection_facts
from flowdiag.report.html.matrix import Matrix
from flowdiag.report.html.values import milliseconds, time_value
from flowdiag.report.names import end_text, policy_text, port_text
from flowdiag.report.phrases import SEVERITY_WORD, count
from flowdiag.report.times import ticks

__all__ = [
    "MAX_ROWS",
    "change_rows",
    "connection_rows",
    "gap_rows",
    "input_rows",
    "mark_rows",
    "node_rows",
    "policy_rows",
    "span_rows",
]

MAX_ROWS = 1500


def connection_rows(report: Report, matrix: Matrix, zone: tzinfo) -> list[dict[str, Any]]:
    """Refused connections, at most `MAX_ROWS`, in the report's order."""
    rows: list[dict[str, Any]] = []
    for number, problem in enumerate(report.problems, start=1):
        for connection in problem.connections:
            if len(rows) == MAX_ROWS:
                return rows
            rows.append(_connection(problem, connection, number, matrix, zone))
    return rows


def _connection(
    problem: Problem, connection: Connection, number: int, matrix: Matrix, zone: tzinfo
) -> dict[str, Any]:
    source, destination = end_text(connection.source), end_text(connection.destination)
    return {
        "number": number,
        "code": problem.code,
        "severity": SEVERITY_WORD[problem.severity],
        "from": source,
        "to": destination,
        "facts": connection_facts(connection),
        "port": port_text(connection.protocol, connection.port, problem.icmp),
        "direction": problem.direction or "not recorded",
        "cell": matrix.cell(source, destination),
        "count": count(connection.count),
        "sort": connection.count,
        "first": time_value(connection.first, zone),
        "last": time_value(connection.last, zone),
        "start": milliseconds(connection.first),
        "end": milliseconds(connection.last),
    }


def span_rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """The timeline's numbers: spans with anything in them."""
    buckets = report.buckets
    start = ticks(buckets.start)
    if start is None or not buckets.width_s:
        return []
    rows = []
    shown = [buckets.counts.by_problem[problem.id] for problem in charted(report)]
    allowed = buckets.counts.allowed
    for index, denied in enumerate(buckets.counts.denied):
        let = allowed[index] if allowed is not None and index < len(allowed) else None
        if not denied and not let:
            continue
        at = rfc3339(start + int(index * buckets.width_s * NS))
        rows.append(
            {
                "at": time_value(at, zone),
                "start": milliseconds(at),
                "end": (milliseconds(at) or 0) + int(buckets.width_s * 1000) - 1,
                "denied": count(denied),
                "allowed": "not read" if allowed is None else count(let or 0),
                "each": [count(row[index]) if index < len(row) else "" for row in shown],
            }
        )
    return rows


def node_rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """The small charts' numbers: denials of each node, and when the first and the most were."""
    buckets = report.buckets
    start = ticks(buckets.start)
    if start is None or not buckets.width_s:
        return []
    step = int(buckets.width_s * NS)

    def at(index: int) -> dict[str, str | None]:
        return time_value(rfc3339(start + index * step), zone)

    return [
        {
            "node": name,
            "denied": count(sum(row)),
            "first": at(next(index for index, number in enumerate(row) if number)),
            "most": count(max(row)),
            "peak": at(row.index(max(row))),
        }
        for name, row in busiest_nodes(report)
    ]


def mark_rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """The marks on the time axis."""
    numbers = {problem.id: number for number, problem in enumerate(report.problems, start=1)}
    return [
        {
            "at": time_value(mark.at, zone),
            "start": milliseconds(mark.at),
            "kind": mark.kind.replace("-", " "),
            "text": mark.text,
            "number": numbers.get(mark.problem) if mark.problem else None,
        }
        for mark in report.timeline[:MAX_ROWS]
    ]


def policy_rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """Policies with the numbers of the problems that speak of them."""
    named: dict[Any, list[str]] = {}
    for number, problem in enumerate(report.problems, start=1):
        for key in policy_keys(problem):
            named.setdefault(key, []).append(str(number))
    return [
        {
            "policy": policy,
            "name": policy_text(policy),
            "problems": " ".join(named.get((policy.kind, policy.group, policy.namespace, policy.name), [])),
            "created": time_value(policy.created, zone),
            "selects": "unknown" if policy.selects is None else plural(policy.selects, "pod"),
            "denials": count(policy.denials),
        }
        for policy in report.policies[:MAX_ROWS]
    ]


def change_rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """Changes; the first 26 have the letters of the charts."""
    return [
        {
            "letter": chr(ord("A") + index) if index < 26 else "",
            "at": time_value(change.at, zone),
            "start": milliseconds(change.at),
            "kind": done(change.kind),
            "object": object_text(change.object),
            "by": change.by or "unknown",
        }
        for index, change in enumerate(report.changes[:MAX_ROWS])
    ]


def input_rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """What was read."""
    objects = f", {report.evidence.snapshot.source},"
    return [
        {
            "item": item,
            "parser": item.parser
            or ("cluster objects" if f", {item.path}," in objects else "not recognised"),
            "first": time_value(item.first, zone),
            "last": time_value(item.last, zone),
            "bytes": count(item.bytes),
            "records": count(item.records),
            "flows": count(item.flows),
        }
        for item in report.inputs[:MAX_ROWS]
    ]


def gap_rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """What is known to be missing."""
    return [
        {
            "node": gap.node or "unknown",
            "since": time_value(gap.since, zone),
            "to": time_value(gap.to, zone),
            "kind": gap.kind,
            "lost": "unknown" if gap.lost is None else count(gap.lost),
        }
        for gap in report.evidence.gaps[:MAX_ROWS]
    ]
