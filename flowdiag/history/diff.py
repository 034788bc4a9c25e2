"""Two reports held against each other by fingerprint, which outlives pod names, addresses and counts."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from flowdiag.model.report import Problem, Report, Severity, Status

__all__ = ["DiffEntry", "ReportDiff", "diff_reports"]

_SEVERITIES = tuple(Severity)


class DiffEntry(Struct, frozen=True, kw_only=True):
    """One problem in two reports; where one does not have it, its id is ``None`` and its count 0.

    Code, title and severity are those of the newer report that has it.
    """

    fingerprint: str
    code: str
    title: str
    severity: Severity
    count_old: int
    count_new: int
    id_old: str | None
    id_new: str | None


class ReportDiff(Struct, frozen=True, kw_only=True):
    """``flowdiag diff -o json``.  Each list is ordered by severity, then by count, the largest first."""

    schema: Literal["flowdiag.diff/1"] = "flowdiag.diff/1"
    new: tuple[DiffEntry, ...]
    known: tuple[DiffEntry, ...]
    gone: tuple[DiffEntry, ...]


def diff_reports(old: Report, new: Report) -> ReportDiff:
    """Say which problems are new, known and gone.

    Accepted problems are as open as others; those that an audit calls gone are not there.
    Two problems of one fingerprint in one report are paired in the order in which it tells them.
    """
    waiting: dict[str, deque[Problem]] = defaultdict(deque)
    for problem in _open(old):
        waiting[problem.fingerprint].append(problem)
    fresh: list[DiffEntry] = []
    known: list[DiffEntry] = []
    for problem in _open(new):
        before = waiting[problem.fingerprint]
        if before:
            known.append(_entry(before.popleft(), problem))
        else:
            fresh.append(_entry(None, problem))
    gone = [_entry(problem, None) for rest in waiting.values() for problem in rest]
    return ReportDiff(
        new=tuple(sorted(fresh, key=_order)),
        known=tuple(sorted(known, key=_order)),
        gone=tuple(sorted(gone, key=_order)),
    )


def _open(report: Report) -> Iterable[Problem]:
    """An audit's report also names what is gone, which it does not show."""
    return (problem for problem in report.problems if problem.status is not Status.GONE)


def _entry(old: Problem | None, new: Problem | None) -> DiffEntry:
    shown = new or old
    if shown is None:
        raise ValueError("an entry stands for a problem of at least one report")
    return DiffEntry(
        fingerprint=shown.fingerprint,
        code=shown.code,
        title=shown.title,
        severity=shown.severity,
        count_old=old.count if old is not None else 0,
        count_new=new.count if new is not None else 0,
        id_old=old.id if old is not None else None,
        id_new=new.id if new is not None else None,
    )


def _order(entry: DiffEntry) -> tuple[int, int, str, str]:
    count = entry.count_new if entry.id_new is not None else entry.count_old
    return (_SEVERITIES.index(entry.severity), -count, entry.fingerprint, entry.id_new or entry.id_old or "")
