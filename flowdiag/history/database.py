"""The file that history is kept in: opened, brought up to date, or set aside.

SQLite in WAL mode with every commit synced, so that a kill at any moment leaves what was committed.
A file that cannot be read as a history (damaged, or written by a later flowdiag) is renamed and a new one
begun: the old one is never written to, and never deleted.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flowdiag.model.errors import FlowdiagError, UsageError

__all__ = [
    "MIGRATIONS",
    "HistoryError",
    "UnreadableError",
    "identity",
    "open_database",
    "replace_database",
    "transaction",
]

_APPLICATION_ID = 0x464C4F57
"""``FLOW``: says in the file's header whose it is (see ``PRAGMA application_id``)."""

_MAGIC = b"SQLite format 3\x00"
_BUSY_S = 60.0
"""How long an audit waits for another one that is writing, seconds."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE run (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            scope TEXT NOT NULL,
            created TEXT NOT NULL,
            since TEXT,
            until TEXT,
            complete INTEGER NOT NULL,
            version TEXT NOT NULL,
            new INTEGER NOT NULL,
            known INTEGER NOT NULL,
            gone INTEGER NOT NULL,
            accepted INTEGER NOT NULL,
            report BLOB
        )
        """,
        "CREATE INDEX run_by_scope ON run (scope, id)",
        """
        CREATE TABLE problem (
            scope TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            number INTEGER NOT NULL,
            first_run INTEGER NOT NULL,
            last_run INTEGER NOT NULL,
            absent INTEGER NOT NULL,
            pending INTEGER NOT NULL,
            last BLOB NOT NULL,
            PRIMARY KEY (scope, fingerprint, number)
        )
        """,
    ),
    (
        """
        CREATE TABLE written (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            folder TEXT NOT NULL,
            name TEXT NOT NULL,
            run INTEGER NOT NULL,
            at TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            UNIQUE (folder, name)
        )
        """,
    ),
)
"""What brings a file from version N (``PRAGMA user_version``) to N + 1.  Steps are added, never edited."""

_TABLES = (("run", "problem"), ("written",))
"""The tables that each of these steps makes."""


class HistoryError(FlowdiagError):
    """The history cannot be used as things are: no such folder, no permission, no space, held by another run."""

    code = "usage"


class UnreadableError(Exception):
    """The file is there and is no history that this version can read; `str` says why."""


def open_database(path: Path) -> tuple[sqlite3.Connection, list[str]]:
    """Open a history, making it where there is none.

    Returns:
        A connection in autocommit mode, and sentences on what had to be set aside.

    Raises:
        HistoryError: it cannot be opened for a reason that has nothing to do with its content.
    """
    said: list[str] = []
    with _alone(path.parent):
        try:
            return _open(path), said
        except UnreadableError as reason:
            said.append(_set_aside(path, str(reason)))
        return _open(path), said


def replace_database(
    path: Path, was: tuple[int, int] | None, reason: str
) -> tuple[sqlite3.Connection, list[str]]:
    """Set aside a history that turned out to be unreadable while it was used, and open a new one.

    Args:
        path: where it is.
        was: what `identity` gave for the file when it was opened: another run may have replaced it by now.
        reason: what is wrong with it.

    Returns:
        As `open_database`.
    """
    said: list[str] = []
    with _alone(path.parent):
        if identity(path) == was:
            said.append(_set_aside(path, reason))
    connection, more = open_database(path)
    return connection, [*said, *more]


def identity(path: Path) -> tuple[int, int] | None:
    """Which file it is, whatever it is called; ``None`` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _set_aside(path: Path, reason: str) -> str:
    """Rename a history with what belongs to it, and say so in a sentence."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = path.with_name(f"{path.name}.unreadable-{stamp}")
    number = 1
    while any(Path(f"{target}{end}").exists() for end in ("", "-wal", "-shm")):
        number += 1
        target = path.with_name(f"{path.name}.unreadable-{stamp}-{number}")
    try:
        # The log first: SQLite throws a log away that stands beside a new, empty file.
        for end in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                Path(f"{path}{end}").rename(f"{target}{end}")
    except OSError as error:
        raise HistoryError(
            f"{path}: {reason}, and it cannot be set aside: {error.strerror or error}"
        ) from error
    return (
        f"{path}: {reason}; kept as {target.name}, and a new history begun: every problem counts as new once"
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the only write lock from the first statement on; commit at the end, or take everything back.

    Raises:
        HistoryError: another run holds it for too long, or the file cannot be written.
        UnreadableError: the file turns out to be damaged.
    """
    with _explained(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


@contextmanager
def _explained(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise HistoryError(
                f"{_file_of(connection)}: the history is held by another run",
                hint="try again when it is done",
            ) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise UnreadableError(f"not readable as a history ({error})") from error
        raise HistoryError(
            f"{_file_of(connection)}: {error}",
            hint="is there space, and may the file and its folder be written?",
        ) from error
    except sqlite3.DatabaseError as error:
        raise UnreadableError(f"not readable as a history ({error})") from error


def _file_of(connection: sqlite3.Connection) -> str:
    with suppress(sqlite3.Error):
        _, _, name = connection.execute("PRAGMA database_list").fetchone()
        return str(name)
    return "history"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time open, migrate or set aside what is in a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        hint = f"mkdir -p {shlex.quote(str(folder))}" if missing else "name a file in a folder of yours"
        raise HistoryError(f"{folder}: {error.strerror or error}", hint=hint) from error
    try:
        # Some network file systems have no locks; SQLite's own are then all there is.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open(path: Path) -> sqlite3.Connection:
    _look(path)
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise HistoryError(f"{path}: {error}", hint="may the folder be written?") from error
    try:
        with _explained(connection):
            _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _look(path: Path) -> None:
    """Look at the file first, to say clearly what is wrong with it; a device or a pipe is neither opened nor set aside."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise HistoryError(f"{path}: no file", hint="name another one with --history")
        if stat.S_ISDIR(mode):
            raise HistoryError(f"{path}: this is a folder", hint="name a file in it")
        with path.open("rb") as stream:
            head = stream.read(len(_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror or error}") from error
    if head and head != _MAGIC:
        raise UnreadableError("not a SQLite database")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and application != _APPLICATION_ID:
        raise UsageError(
            f"{path}: a SQLite database of another program, not a history",
            hint="name another file with --history",
        )
    if version > len(MIGRATIONS):
        raise UnreadableError(
            f"written by a later flowdiag (version {version}; this one knows {len(MIGRATIONS)})"
        )
    missing = {name for step in _TABLES[:version] for name in step} - tables
    if missing:
        raise UnreadableError(f"damaged (without {', '.join(sorted(missing))})")
    (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        raise UnreadableError(f"damaged ({result})")


def _migrate(connection: sqlite3.Connection) -> None:
    """One step is one transaction: a kill leaves the file at a version, never between two."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version >= len(MIGRATIONS):
            connection.execute("ROLLBACK")
            return
        for statement in MIGRATIONS[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
