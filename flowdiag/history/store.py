"""The history of audits: which problems are open, since which run, and the reports of the runs.

Runs are compared within their scope (what was selected, and which cluster was asked), so that an audit of
one namespace never calls the problems of another gone.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowdiag.history.database import (
    HistoryError,
    UnreadableError,
    identity,
    open_database,
    replace_database,
    transaction,
)
from flowdiag.history.status import Key, compare, keys_of
from flowdiag.model.errors import InputError
from flowdiag.model.report import (
    Confidence,
    Problem,
    Reason,
    Report,
    ReportEndpoint,
    Severity,
    Status,
)

__all__ = ["History", "Recorded", "read_run"]

_SEVERITIES = list(Severity)
_KEPT_REPORTS = 120
"""Whole reports kept per scope; of older runs the sums stay."""


class Recorded(Struct, frozen=True, kw_only=True):
    """A run as it stands in the history."""

    run: int
    report: Report
    """With statuses, and with the problems that are gone."""
    before: tuple[int, str] | None
    """Number and time of the run that it was compared with; ``None`` for the first of its scope."""
    counts: Mapping[Status, int]
    waiting: int
    """Open problems that this run does not show and that are not called gone."""
    whole: bool
    """This run proved absences: what it does not show may be called gone."""
    to_tell: tuple[Key, ...]
    """Problems of this run that are new, or were new and whose notification did not get through."""


class _Held(Struct, frozen=True):
    """Indexes of problems that somebody answers for, wholly and in part."""

    accepted: frozenset[int]
    partly: frozenset[int]


class _Seen(Struct, frozen=True):
    """How much of what there is a run saw."""

    whole: bool
    unread: frozenset[str]


class _Warning(Struct):
    message: str = ""


class _Warned(Struct):
    """What of a report of any version is read to know what its run could not read."""

    warnings: tuple[_Warning, ...] = ()


class History:
    """A history file.  Use it in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection, self._said = open_database(path)
        self._file = identity(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what had to be set aside."""
        return tuple(self._said)

    def record(
        self,
        report: Report,
        *,
        scope: str = "",
        accepted: Iterable[int] = (),
        partly: Iterable[int] = (),
        whole: bool | None = None,
        unread: Iterable[str] = (),
        baseline: Sequence[Problem] = (),
        gone_after: int = 1,
        tell: frozenset[Severity] = frozenset(),
    ) -> Recorded:
        """Give every problem its status and keep the run, in one transaction.

        Args:
            report: a report without statuses.
            scope: what the run looked at; only runs of one scope are compared.
            accepted: indexes of the report's problems that somebody answers for.
            partly: indexes of those that are accepted in part; where the run before had them accepted, what nobody
                answers for is new.
            whole: the evidence was read whole, whatever objects could not be; as the report says if ``None``.
            unread: messages of the report's warnings on objects that were not read.  A run proves absences only where
                the run before it lacked the same.
            baseline: problems that count as known though no run has met them.
            gone_after: whole runs in a row without a problem after which it is gone.
            tell: severities of new problems that are to be told.

        Raises:
            HistoryError: another run holds the history for too long, or it cannot be written.
        """
        seen = _Seen(report.complete if whole is None else whole, frozenset(unread))
        held = _Held(frozenset(accepted), frozenset(partly))
        given = (report, scope, held, seen, tuple(baseline), gone_after, tell)
        try:
            with transaction(self._connection):
                return _record(self._connection, *given)
        except UnreadableError as reason:
            # Damage that only writing met.
            self._connection.close()
            self._connection, said = replace_database(self._path, self._file, str(reason))
            self._file = identity(self._path)
            self._said.extend(said)
        with transaction(self._connection):
            return _record(self._connection, *given)

    def open_before(self, scope: str) -> tuple[Problem, ...] | None:
        """The problems that are open after the last run of a scope; ``None`` where there was none, or it is damaged.

        Damage is set aside when the run is recorded.
        """
        try:
            with transaction(self._connection):
                run = self._connection.execute(
                    "SELECT 1 FROM run WHERE scope = ? LIMIT 1", (scope,)
                ).fetchone()
                _, lasts, _ = _open_problems(self._connection, scope)
                return None if run is None else tuple(_met_last(blob) for blob in lasts.values())
        except UnreadableError:
            return None

    def told(self, scope: str, keys: Iterable[Key]) -> None:
        """Note that a notification of these problems got through."""
        with self._writing():
            self._connection.executemany(
                "UPDATE problem SET pending = 0 WHERE scope = ? AND fingerprint = ? AND number = ?",
                [(scope, *key) for key in keys],
            )

    def note_written(self, folder: str, run: int, files: Iterable[tuple[str, str]], at: str) -> None:
        """Note the files that are about to be written, as (name, SHA-256), before they are.

        A kill then leaves a note without a file, and never a file that nobody remembers.
        """
        with self._writing():
            self._connection.executemany(
                "INSERT INTO written (folder, name, run, at, sha256) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (folder, name) DO UPDATE SET run = excluded.run, at = excluded.at, "
                "sha256 = excluded.sha256",
                [(folder, name, run, at, sha256) for name, sha256 in files],
            )

    def written(self, folder: str) -> list[tuple[int, str, str, str]]:
        """Files that were written to a folder: (run, name, time, SHA-256), oldest run first."""
        with self._writing():
            return self._connection.execute(
                "SELECT run, name, at, sha256 FROM written WHERE folder = ? ORDER BY run, name", (folder,)
            ).fetchall()

    def forget_written(self, folder: str, names: Iterable[str]) -> None:
        """Files that are no more, or are no longer ours."""
        with self._writing():
            self._connection.executemany(
                "DELETE FROM written WHERE folder = ? AND name = ?", [(folder, name) for name in names]
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction after the run was recorded: damage is left to the next run to set aside."""
        try:
            with transaction(self._connection):
                yield
        except UnreadableError as error:
            raise HistoryError(f"{self._path}: {error}", hint="the next run sets it aside") from error


def read_run(path: Path, which: int = -1) -> Report:
    """A run's report with its statuses.

    Args:
        path: a history.
        which: the run's number, or counted from the last one: -1 is the last, -2 the one before.

    Raises:
        InputError: the history is not there or unreadable, or has no such run.
    """
    query = (
        "SELECT report FROM run WHERE id = ?"
        if which >= 0
        else "SELECT report FROM run ORDER BY id DESC LIMIT 1 OFFSET ?"
    )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(query, (which if which >= 0 else -which - 1,)).fetchone()
    except sqlite3.Error as error:
        raise InputError(f"{path}: not readable as a history: {error}") from error
    if row is None:
        raise InputError(
            f"{path}: there is no such run", hint="@12 is run 12, @-1 the last, @-2 the one before"
        )
    if row[0] is None:
        raise InputError(
            f"{path}: of that run only the sums are kept", hint=f"the last {_KEPT_REPORTS} are whole"
        )
    try:
        return msgspec.json.decode(_inflated(row[0]), type=Report)
    except (UnreadableError, msgspec.DecodeError) as error:
        raise InputError(f"{path}: that run's report cannot be read: {error}") from error


def _record(
    connection: sqlite3.Connection,
    report: Report,
    scope: str,
    held: _Held,
    seen: _Seen,
    baseline: tuple[Problem, ...],
    gone_after: int,
    tell: frozenset[Severity],
) -> Recorded:
    before = connection.execute(
        "SELECT id, created FROM run WHERE scope = ? ORDER BY id DESC LIMIT 1", (scope,)
    ).fetchone()
    open_, lasts, pending = _open_problems(connection, scope)
    seeds = dict(zip(keys_of(baseline), baseline, strict=True))
    present = keys_of(report.problems)
    # The baseline stands for the run before the first; later it only says what is known.
    known_before = dict(open_)
    for key in seeds:
        if before is None or key in present:
            known_before.setdefault(key, 0)
    whole = seen.whole and (not seen.unread or seen.unread <= _unread_before(connection, before))
    found = compare(known_before, present, complete=whole, gone_after=gone_after)
    news = found.new | {
        present[index]
        for index in held.partly
        if present[index] in lasts and _met_last(lasts[present[index]]).status is Status.ACCEPTED
    }
    problems = [
        replace(
            problem,
            status=Status.ACCEPTED if index in held.accepted else Status.NEW if key in news else Status.KNOWN,
        )
        for index, (key, problem) in enumerate(zip(present, report.problems, strict=True))
    ]
    gone = [_gone(_met_last(lasts[key]) if key in lasts else seeds[key]) for key in sorted(found.gone)]
    marked = replace(report, problems=_ranked([*problems, *_apart(gone, problems)]))
    counts = {status: sum(p.status is status for p in marked.problems) for status in Status}
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
            _packed(marked),
        ),
    )
    run = int(cursor.lastrowid or 0)
    connection.executemany(
        "DELETE FROM problem WHERE scope = ? AND fingerprint = ? AND number = ?",
        [(scope, *key) for key in found.gone],
    )
    connection.executemany(
        "UPDATE problem SET absent = ? WHERE scope = ? AND fingerprint = ? AND number = ?",
        [(absent, scope, *key) for key, absent in found.waiting.items()],
    )
    # A problem that was new and could not be told goes on waiting to be.
    to_tell = tuple(
        key
        for key, problem in zip(present, problems, strict=True)
        if problem.severity in tell
        and (problem.status is Status.NEW or (problem.status is Status.KNOWN and key in pending))
    )
    connection.executemany(
        "INSERT INTO problem (scope, fingerprint, number, first_run, last_run, absent, pending, last) "
        "VALUES (?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (scope, fingerprint, number) DO UPDATE SET "
        "last_run = excluded.last_run, absent = 0, pending = excluded.pending, last = excluded.last",
        [
            (scope, *key, run, run, key in to_tell, _packed(problem))
            for key, problem in zip(present, problems, strict=True)
        ],
    )
    connection.execute(
        "UPDATE run SET report = NULL WHERE scope = ? AND report IS NOT NULL AND id NOT IN "
        "(SELECT id FROM run WHERE scope = ? ORDER BY id DESC LIMIT ?)",
        (scope, scope, _KEPT_REPORTS),
    )
    return Recorded(
        run=run,
        report=marked,
        before=before,
        counts=counts,
        waiting=len(found.waiting),
        whole=whole,
        to_tell=to_tell,
    )


def _unread_before(connection: sqlite3.Connection, before: tuple[int, str] | None) -> frozenset[str]:
    """What the run before said it could not read, as far as its report is kept."""
    if before is None:
        return frozenset()
    (blob,) = connection.execute("SELECT report FROM run WHERE id = ?", (before[0],)).fetchone()
    try:
        report = msgspec.json.decode(_inflated(blob), type=_Warned) if blob is not None else _Warned()
    except msgspec.DecodeError as error:
        raise UnreadableError(f"damaged ({error})") from error
    return frozenset(one.message for one in report.warnings)


def _open_problems(
    connection: sqlite3.Connection, scope: str
) -> tuple[dict[Key, int], dict[Key, bytes], set[Key]]:
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


def _ranked(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The report's order, which those that are gone join."""

    def rank(problem: Problem) -> tuple[bool, int, int, str]:
        folded = problem.explained_by is not None
        return (folded, _SEVERITIES.index(problem.severity), -problem.count, problem.id)

    return tuple(sorted(problems, key=rank))


class _Told(Struct):
    """What of a problem is needed to say that it is gone; any version's problem has these."""

    id: str
    fingerprint: str
    code: str
    title: str
    severity: Severity
    slug: str = ""
    confidence: Confidence = Confidence.POSSIBLE
    first: str | None = None
    last: str | None = None
    direction: str | None = None
    verdict: str = "denied"
    protocol: str | None = None
    port: int | None = None
    advice: str = ""


def _met_last(blob: bytes) -> Problem:
    """A problem as it was kept, or what can still be told of one that another version kept."""
    text = _inflated(blob)
    try:
        return msgspec.json.decode(text, type=Problem)
    except msgspec.ValidationError:
        pass
    try:
        told = msgspec.json.decode(text, type=_Told)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"damaged ({error})") from error
    nobody = ReportEndpoint(kind="unknown")
    return Problem(
        **msgspec.structs.asdict(told),
        status=None,
        ongoing=None,
        count=0,
        reason=Reason(None, None, None),
        source=nobody,
        destination=nobody,
        icmp=None,
        connections=(),
        recorded=(),
        isolating=(),
        nearest=(),
        counterfactual=None,
        changes=(),
        explains=(),
        explained_by=None,
        evidence=(),
        verify=(),
        references=(),
    )


def _packed(value: Report | Problem) -> bytes:
    return zlib.compress(msgspec.json.encode(value), 6)


def _inflated(blob: bytes) -> bytes:
    try:
        return zlib.decompress(blob)
    except zlib.error as error:
        raise UnreadableError(f"damaged ({error})") from error
