"""Connections that read alike as one: ends that are known in different ways may have one name, and people need it once.

Analysts get them apart (CSV, Parquet, JSON).
"""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.model.report import Connection, Problem, Report, ReportEndpoint
from flowdiag.report.names import end_text, port_text

__all__ = ["told_once"]


def told_once(report: Report) -> Report:
    """The report with the connections of each problem added up where their ends and port read alike."""
    return replace(report, problems=tuple(map(_problem, report.problems)))


def _problem(problem: Problem) -> Problem:
    groups: dict[tuple[str, str, str], list[Connection]] = {}
    for one in problem.connections:
        key = (end_text(one.source), end_text(one.destination), port_text(one.protocol, one.port))
        groups.setdefault(key, []).append(one)
    if len(groups) == len(problem.connections):
        return problem
    merged = [_merged(group) if len(group) > 1 else group[0] for group in groups.values()]
    merged.sort(key=lambda one: -one.count)
    return replace(problem, connections=tuple(merged))


def _merged(group: list[Connection]) -> Connection:
    firsts = [one.first for one in group if one.first is not None]
    lasts = [one.last for one in group if one.last is not None]
    return replace(
        group[0],
        source=_end([one.source for one in group]),
        destination=_end([one.destination for one in group]),
        count=sum(one.count for one in group),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
    )


def _end(ends: list[ReportEndpoint]) -> ReportEndpoint:
    return replace(
        ends[0],
        pods=tuple(dict.fromkeys(pod for end in ends for pod in end.pods)),
        ips=tuple(dict.fromkeys(ip for end in ends for ip in end.ips)),
        dns_names=tuple(dict.fromkeys(name for end in ends for name in end.dns_names)),
        labels=next((end.labels for end in ends if end.labels), ends[0].labels),
    )
