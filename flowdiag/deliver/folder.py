"""Reports in a folder: named by time, the latest under a name of its own, old ones taken away.

Nothing is deleted or replaced that was not written here: the history notes every file before it is
written, with its SHA-256, and a file whose content is another is left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from flowdiag.deliver.places import LocalPlace, Place
from flowdiag.model.time import parse_rfc3339

__all__ = ["Ledger", "Retention", "outdated", "put_reports"]

_LATEST = "latest"


class Ledger(Protocol):
    """What remembers the files (`flowdiag.history.History`)."""

    def note_written(self, folder: str, run: int, files: Iterable[tuple[str, str]], at: str) -> None:
        """Note files, as (name, SHA-256), before they are written."""
        ...

    def written(self, folder: str) -> list[tuple[int, str, str, str]]:
        """Give (run, name, time, SHA-256), oldest run first."""
        ...

    def forget_written(self, folder: str, names: Iterable[str]) -> None:
        """Drop the notes on files."""
        ...


class Retention(Struct, frozen=True, kw_only=True):
    """How long reports are kept; whatever it says, those of the latest run are."""

    runs: int | None = None
    """Reports of so many runs."""
    age_ns: int | None = None
    """Reports that are younger than this."""


def put_reports(
    place: Place,
    ledger: Ledger,
    *,
    run: int,
    at: str,
    files: Mapping[str, bytes],
    retention: Retention,
) -> list[str]:
    """Write a run's reports, move the latest on, and take old ones away.

    Args:
        place: the folder.
        ledger: what remembers the files.
        run: the run's number.
        at: the run's time, RFC 3339.
        files: content by ending: ``json``, ``html`` ...
        retention: how long reports are kept.

    Returns:
        Sentences on what was left alone because it is not ours.

    Raises:
        CannotWriteError: the folder cannot be written.
    """
    stem = f"flowdiag-{at[:19].replace('-', '').replace(':', '')}Z-run{run}"
    names = {ending: f"{stem}.{ending}" for ending in files}
    said = []
    known = {name: sha256 for _, name, _, sha256 in ledger.written(place.key)}
    for ending, name in list(names.items()):
        if not _ours(place, name, known):
            said.append(f"{place.key}/{name}: there is another file of that name, which is left alone")
            del names[ending]
    ledger.note_written(place.key, run, [(name, _sha256(files[end])) for end, name in names.items()], at)
    for ending, name in names.items():
        place.write(name, files[ending])
    rows = ledger.written(place.key)
    if all(other <= run for other, *_ in rows):
        for ending, name in names.items():
            said.extend(_latest(place, ledger, run, at, ending, name, files[ending]))
    said.extend(_retire(place, ledger, at, retention))
    return said


def outdated(
    rows: Iterable[tuple[int, str, str, str]], now: str, retention: Retention
) -> list[tuple[str, str]]:
    """Files to take away, as (name, SHA-256): never those of the latest run, nor those called latest."""
    own = [row for row in rows if not row[1].startswith(f"{_LATEST}.")]
    runs = sorted({run for run, *_ in own}, reverse=True)
    kept = set(runs if retention.runs is None else runs[: max(retention.runs, 1)])
    limit = None if retention.age_ns is None else parse_rfc3339(now) - retention.age_ns
    return [
        (name, sha256)
        for run, name, at, sha256 in own
        if run != runs[0] and (run not in kept or (limit is not None and parse_rfc3339(at) < limit))
    ]


def _retire(place: Place, ledger: Ledger, now: str, retention: Retention) -> list[str]:
    said, done = [], []
    for name, sha256 in outdated(ledger.written(place.key), now, retention):
        found = place.read(name)
        if found is not None and _sha256(found) != sha256:
            said.append(f"{place.key}/{name}: changed since it was written, so it is left alone from now on")
        elif found is not None:
            place.delete(name)
        done.append(name)
    ledger.forget_written(place.key, done)
    return said


def _latest(
    place: Place, ledger: Ledger, run: int, at: str, ending: str, name: str, data: bytes
) -> list[str]:
    """``latest.html``: a link where there are links, else a copy."""
    latest = f"{_LATEST}.{ending}"
    if isinstance(place, LocalPlace):
        linked = place.linked(latest)
        if linked is not None and not linked.startswith("flowdiag-"):
            return [f"{place.key}/{latest}: a link to something else, which is left alone"]
        if place.link(latest, name):
            return []
    known = {written: sha256 for _, written, _, sha256 in ledger.written(place.key)}
    if not _ours(place, latest, known):
        return [f"{place.key}/{latest}: there is another file of that name, which is left alone"]
    ledger.note_written(place.key, run, [(latest, _sha256(data))], at)
    place.write(latest, data)
    return []


def _ours(place: Place, name: str, known: Mapping[str, str]) -> bool:
    """Nothing is there, or what was written here before."""
    found = place.read(name)
    return found is None or known.get(name) == _sha256(found)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
