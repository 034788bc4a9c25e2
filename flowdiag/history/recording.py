"""Comparing a run with the problems that are open in its scope, and recording both: statuses, absences, what is to be told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.history.earlier import EarlierRuns
from flowdiag.history.kept import met_last, packed
from flowdiag.history.status import Key, Verdicts, compare, keys_of
from flowdiag.model.problem import report_order
from flowdiag.model.report import Problem, Report, Severity, Status

__all__ = ["KEPT_REPORTS", "Held", "Recorded", "Seen", "open_problems", "record_run"]

KEPT_REPORTS = 120
"""Whole reports kept per scope; of older runs the sums stay."""


class Recorded(Struct, frozen=True, kw_only=True):
    """A run as it stands in the history."""

    run: int
    scope: str
    report: Report
    """With statuses, and with the problems that are gone."""
    before: tuple[int, str] | None
    """Number and time of the run that it was compared with; ``None`` for the first of its scope."""
    counts: Mapping[Status, int]
    waiting: int
    """Open problems that this run does not show and that are not called gone."""
    unproved: str | None
    """Why absences of this run prove nothing, or some of those that wait: the rest of a sentence after "since"."""
    to_tell: tuple[Key, ...]
    """Problems of this run that are new, or were new and whose notification did not get through."""


class Held(Struct, frozen=True):
    """Indexes of problems that are accepted, wholly and in part."""

    accepted: frozenset[int]
    partly: frozenset[int]


class Seen(Struct, frozen=True):
    """How much of what there is a run saw."""

    whole: bool
    unread: frozenset[str]
    records: bool = True
    """Some record of the time that was looked at."""

    @property
    def unproved(self) -> str | None:
        """Why nothing that is not seen is called gone, for all problems alike."""
        if not self.whole:
            return "the input was not read whole"
        return None if self.records else "no record of its time was read"


def record_run(
    connection: sqlite3.Connection,
    report: Report,
    scope: str,
    held: Held,
    seen: Seen,
    baseline: tuple[Problem, ...],
    gone_after: int,
    tell: frozenset[Severity],
) -> Recorded:
    """Compare a run with what is open, and write both into an open transaction.

    Args:
        connection: of the history.
        report: as for `History.record`, as are the others.
        scope: what the run looked at.
        held: problems that somebody answers for.
        seen: how much the run saw.
        baseline: problems that count as known.
        gone_after: whole runs after which a problem is gone.
        tell: severities of new problems that are to be told.
    """
    before = connection.execute(
        "SELECT id, created FROM run WHERE scope = ? ORDER BY id DESC LIMIT 1", (scope,)
    ).fetchone()
    open_, lasts, pending = open_problems(connection, scope)
    seeds = dict(zip(keys_of(baseline), baseline, strict=True))
    present = keys_of(report.problems)
    # The baseline stands for the run before the first; later it only says what is known.
    known_before = dict(open_)
    for key in seeds:
        if before is None or key in present:
            known_before.setdefault(key, 0)
    unproved = seen.unproved
    earlier = EarlierRuns(connection, report, seen.unread)
    by_objects = {key for key, one in seeds.items() if one.isolating or one.nearest or not one.connections}
    overlooked = earlier.overlooked(scope, known_before.keys() - set(present), by_objects)
    found = compare(
        known_before, present, complete=unproved is None, overlooked=overlooked, gone_after=gone_after
    )
    if unproved is None and overlooked:
        unproved = earlier.why
    problems = _with_statuses(report.problems, present, held, found.new, lasts)
    gone = [_gone(met_last(lasts[key]) if key in lasts else seeds[key]) for key in sorted(found.gone)]
    marked = replace(
        report,
        problems=tuple(sorted([*problems, *_apart(gone, problems)], key=report_order)),
        warnings=(*report.warnings, *earlier.other_cluster(before)),
    )
    counts = {status: sum(p.status is status for p in marked.problems) for status in Status}
    run = _write_run(connection, scope, marked, counts)
    # A problem that was new and could not be told goes on waiting to be.
    to_tell = tuple(
        key
        for key, problem in zip(present, problems, strict=True)
        if problem.severity in tell
        and (problem.status is Status.NEW or (problem.status is Status.KNOWN and key in pending))
    )
    met = dict(zip(present, problems, strict=True))
    # So does one that this run was not to tell: an audit by hand, without an address, takes no news from the next.
    _write_open(connection, scope, run, met, found, frozenset(to_tell) | (pending & met.keys()))
    _thin_out(connection, scope)
    return Recorded(
        run=run,
        scope=scope,
        report=marked,
        before=before,
        counts=counts,
        waiting=len(found.waiting),
        unproved=unproved,
        to_tell=to_tell,
    )


def _with_statuses(
    problems: Sequence[Problem],
    keys: Sequence[Key],
    held: Held,
    new: AbstractSet[Key],
    lasts: Mapping[Key, bytes],
) -> list[Problem]:
    """The problems of a run, each accepted, new or known.

    One that was accepted as a whole the last time, and now in part only, is new again.

    Args:
        problems: those of the run.
        keys: theirs.
        held: which of them somebody answers for.
        new: those that were not open before.
        lasts: how each was met last, packed.
    """
    news = new | {
        keys[index]
        for index in held.partly
        if keys[index] in lasts and met_last(lasts[keys[index]]).status is Status.ACCEPTED
    }
    return [
        replace(
            problem,
            status=Status.ACCEPTED if index in held.accepted else Status.NEW if key in news else Status.KNOWN,
        )
        for index, (key, problem) in enumerate(zip(keys, problems, strict=True))
    ]


def _write_run(
    connection: sqlite3.Connection, scope: str, report: Report, counts: Mapping[Status, int]
) -> int:
    """Write the run itself; its number."""
    cursor = connection.execute(
        "INSERT INTO run (scope, created, since, until, complete, version, new, known, gone, accepted, report) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            scope,
            report.created,
            report.window.since,
            report.window.until,
            report.complete,
            report.generator.version,
            *(counts[status] for status in (Status.NEW, Status.KNOWN, Status.GONE, Status.ACCEPTED)),
            packed(report),
        ),
    )
    return int(cursor.lastrowid or 0)


def _write_open(
    connection: sqlite3.Connection,
    scope: str,
    run: int,
    met: Mapping[Key, Problem],
    compared: Verdicts,
    untold: frozenset[Key],
) -> None:
    """Bring the open problems of a scope up to a run.

    Args:
        connection: of the history.
        scope: what the run looked at.
        run: its number.
        met: its problems, with their statuses.
        compared: what is gone, and what is absent without being gone.
        untold: those of `met` that wait to be told until somebody says that they were.
    """
    connection.executemany(
        "DELETE FROM problem WHERE scope = ? AND fingerprint = ? AND number = ?",
        [(scope, *key) for key in compared.gone],
    )
    connection.executemany(
        "UPDATE problem SET absent = ? WHERE scope = ? AND fingerprint = ? AND number = ?",
        [(absent, scope, *key) for key, absent in compared.waiting.items()],
    )
    connection.executemany(
        "INSERT INTO problem (scope, fingerprint, number, first_run, last_run, absent, pending, last) "
        "VALUES (?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (scope, fingerprint, number) DO UPDATE SET "
        "last_run = excluded.last_run, absent = 0, pending = excluded.pending, last = excluded.last",
        [(scope, *key, run, run, key in untold, packed(problem)) for key, problem in met.items()],
    )


def _thin_out(connection: sqlite3.Connection, scope: str) -> None:
    """Drop the whole reports of old runs; the runs and their counts stay."""
    connection.execute(
        "UPDATE run SET report = NULL WHERE scope = ? AND report IS NOT NULL AND id NOT IN "
        "(SELECT id FROM run WHERE scope = ? ORDER BY id DESC LIMIT ?)",
        (scope, scope, KEPT_REPORTS),
    )


def open_problems(
    connection: sqlite3.Connection, scope: str
) -> tuple[dict[Key, int], dict[Key, bytes], set[Key]]:
    """Open problems of a scope: runs without them, how they were met last (packed), and which wait to be told."""
    open_: dict[Key, int] = {}
    lasts: dict[Key, bytes] = {}
    pending: set[Key] = set()
    for fingerprint, number, absent, waits, last in connection.execute(
        "SELECT fingerprint, number, absent, pending, last FROM problem WHERE scope = ?", (scope,)
    ):
        key = (fingerprint, number)
        open_[key] = absent
        lasts[key] = last
        if waits:
            pending.add(key)
    return open_, lasts, pending


def _gone(problem: Problem) -> Problem:
    """A problem as it was met last, with nothing refused now."""
    return replace(
        problem,
        status=Status.GONE,
        ongoing=False,
        count=0,
        connections=(),
        # It was proved against the policies of then; nothing is to be applied now.
        counterfactual=None,
        explains=(),
        explained_by=None,
    )


def _apart(gone: Iterable[Problem], problems: Iterable[Problem]) -> list[Problem]:
    """Gone problems with ids that no problem of this run has."""
    taken = {problem.id for problem in problems}
    apart = []
    for problem in gone:
        name, number = problem.id, 1
        while name in taken:
            number += 1
            name = f"{problem.id}-{number}"
        taken.add(name)
        apart.append(replace(problem, id=name))
    return apart
