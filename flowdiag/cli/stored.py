"""Reports that were stored: JSON or HTML files, standard input, or a run of an audit's history."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdiag.model.report import Report

__all__ = ["is_history", "stored_file", "stored_report", "stored_scope", "whole_report"]

# "audits/history.db@12", "history.db@-2"
_RUN = re.compile(r"(.+)@(-?\d{1,9})")
_HEAD = 4096
_HISTORY = b"SQLite format 3\x00"
_MOST = 1 << 30
"""Bytes of a report; a report of 100,000 connections has some 100 MB."""


def is_history(path: Path) -> bool:
    """Whether a file begins as the database of an audit's history does; ``False`` where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_HISTORY)) == _HISTORY
    except OSError:
        return False


def stored_file(name: str) -> str:
    """The file that holds the report of that name: of ``history.db@12`` the history."""
    found = _RUN.fullmatch(name)
    return found[1] if found is not None and not Path(name).exists() else name


def stored_report(name: str) -> Report:
    """The report of that name.

    Args:
        name: a file, ``-`` for standard input, a history for its last run, or ``HISTORY@12`` for run 12 and
            ``HISTORY@-2`` for the one before the last.

    Raises:
        InputError: there is none, or it is damaged.
    """
    from flowdiag.history import read_run
    from flowdiag.model.errors import InputError
    from flowdiag.model.whole import read_whole
    from flowdiag.report.read import begins_as_report, read_report

    if name == "-":
        return read_report(read_whole(name, _MOST), name)
    path, run = _run_of(name)
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            if head.startswith(_HISTORY):
                return read_run(path, run)
            # A file that does not begin as a report may be anything, and may never end, so only its beginning is
            # read.
            data = head + (stream.read(_MOST) if begins_as_report(head) else b"")
    except OSError as error:
        raise InputError(
            f"{name}: {error.strerror or error}",
            hint="name a report that was written with -o json=FILE or -o html=FILE, or an audit's history",
        ) from error
    return read_report(data, name)


def stored_scope(name: str) -> str | None:
    """What a run of a history looked at, by the name that `stored_report` takes; ``None`` for other reports."""
    from flowdiag.history import scope_of_run

    path, run = _run_of(name)
    return scope_of_run(path, run) if is_history(path) else None


def _run_of(name: str) -> tuple[Path, int]:
    """The file, and the run of it that is meant."""
    path = Path(stored_file(name))
    return path, -1 if str(path) == str(Path(name)) else int(name.rpartition("@")[2])


def whole_report(name: str) -> Report:
    """As `stored_report`, for what counts problems: one that holds only some of them is refused.

    Raises:
        InputError: as there.
        UsageError: it is a page that was cut.
    """
    from flowdiag.model.errors import UsageError
    from flowdiag.report.cut import held

    report = stored_report(name)
    part = held(report)
    if part is not None and part.kept < part.total:
        raise UsageError(
            f"{name}: this page holds only {part.words}, and those that it leaves out would count as absent",
            hint="give the report as JSON, which is whole: flowdiag analyze ... -o json=FILE",
        )
    return report
