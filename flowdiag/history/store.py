"""The history of audits: which problems are open, since which run, and the reports of the runs.

Runs are compared within their scope (what was selected, and which cluster was asked), so that an audit of
one namespace never calls the problems of another gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from flowdiag.history.database import (
    HistoryError,
    UnreadableError,
    identity,
    open_database,
    replace_database,
    transaction,
)
from flowdiag.history.kept import inflated, met_last, read_kept
from flowdiag.history.recording import KEPT_REPORTS, Held, Recorded, Seen, open_problems, record_run
from flowdiag.history.status import Key
from flowdiag.model.errors import InputError
from flowdiag.model.report import Problem, Report, Severity

__all__ = ["History", "read_run", "scope_of_run"]


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
        records: bool = True,
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
            records: some record of the time that was looked at was read; without one a run proves no absence.
            unread: messages of the report's warnings on objects that were not read.  A run proves a problem's absence
                only where the run that showed it last lacked the same.
            baseline: problems that count as known though no run has met them.
            gone_after: whole runs in a row without a problem after which it is gone.
            tell: severities of new problems that are to be told.

        Raises:
            HistoryError: another run holds the history for too long, or it cannot be written.
        """
        seen = Seen(report.complete if whole is None else whole, frozenset(unread), records)
        held = Held(frozenset(accepted), frozenset(partly))
        given = (report, scope, held, seen, tuple(baseline), gone_after, tell)
        try:
            with transaction(self._connection):
                return record_run(self._connection, *given)
        except UnreadableError as reason:
            # Damage that only writing met.
            self._connection.close()
            self._connection, said = replace_database(self._path, self._file, str(reason))
            self._file = identity(self._path)
            self._said.extend(said)
        with transaction(self._connection):
            return record_run(self._connection, *given)

    def open_before(self, scope: str) -> tuple[Problem, ...] | None:
        """The problems that are open after the last run of a scope; ``None`` where there was none, or it is damaged.

        Damage is set aside when the run is recorded.
        """
        try:
            with transaction(self._connection):
                run = self._connection.execute(
                    "SELECT 1 FROM run WHERE scope = ? LIMIT 1", (scope,)
                ).fetchone()
                _, lasts, _ = open_problems(self._connection, scope)
                return None if run is None else tuple(met_last(blob) for blob in lasts.values())
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
        which: the run's number, or counted from the last one among those of its scope: -1 is the last, -2 the one
            before.

    Raises:
        InputError: the history is not there or unreadable, or has no such run.
    """
    _, blob = _run(path, which)
    if blob is None:
        raise InputError(
            f"{path}: of that run only the sums are kept", hint=f"the last {KEPT_REPORTS} are whole"
        )
    try:
        return read_kept(inflated(blob), Report)
    except UnreadableError as error:
        raise InputError(f"{path}: that run's report cannot be read: {error}") from error


def scope_of_run(path: Path, which: int) -> str:
    """What a run looked at; arguments and errors as of `read_run`."""
    return _run(path, which)[0]


def _run(path: Path, which: int) -> tuple[str, bytes | None]:
    """A run's scope and packed report."""
    # From the last run on those that are compared: of an audit by namespaces, the one before is of another namespace.
    query = (
        "SELECT scope, report FROM run WHERE id = ?"
        if which >= 0
        else "SELECT scope, report FROM run WHERE scope = (SELECT scope FROM run ORDER BY id DESC LIMIT 1) "
        "ORDER BY id DESC LIMIT 1 OFFSET ?"
    )
    try:
        try:
            row = _row(path, "mode=ro", query, which)
        except sqlite3.OperationalError as error:
            if not _beside_nobody(path, error):
                raise
            row = _row(path, "mode=ro&immutable=1", query, which)
    except sqlite3.Error as error:
        raise InputError(f"{path}: not readable as a history: {error}") from error
    if row is None:
        said = (
            f"there is no run {which}"
            if which >= 0
            else f"there are no {-which} runs that looked at the same"
        )
        raise InputError(
            f"{path}: {said}",
            hint=f"{_runs(path)}@NUMBER is a run, @-1 the last, @-2 the one before it",
        )
    return row


def _runs(path: Path) -> str:
    """``it has runs 1 to 61; ``, for a hint."""
    query = "SELECT CASE min(id) WHEN max(id) THEN 'run ' || max(id) ELSE 'runs ' || min(id) || ' to ' || max(id) END, NULL FROM run WHERE id > ?"
    try:
        found = _row(path, "mode=ro", query, 0)
    except sqlite3.Error:
        return ""
    return f"it has {found[0]}; " if found is not None and found[0] else ""


def _row(path: Path, how: str, query: str, which: int) -> tuple[str, bytes | None] | None:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as connection:
        found: tuple[str, bytes | None] | None = connection.execute(
            query, (which if which >= 0 else -which - 1,)
        ).fetchone()
    return found


def _beside_nobody(path: Path, error: sqlite3.OperationalError) -> bool:
    """Whether SQLite only wanted its files beside a history that nobody writes to, where none may be made.

    The audits' user owns the folder, and others read.
    """
    log = Path(f"{path}-wal")
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN) and not (
        log.exists() and log.stat().st_size
    )
