"""The collection while it grows, and the archive at its end.

What was fetched lies in ``ARCHIVE.partial/`` with a journal of what became of each thing that was asked for;
a run with the same settings goes on from there.  The archive appears whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from msgspec import Struct

from flowdiag.model.errors import UsageError
from flowdiag.model.interrupts import held_back

__all__ = ["Fate", "Item", "Partial", "Told"]

_MODE = 0o600
"""Permissions of the archive: on a shared machine, others must not read a cluster's objects."""


class Told(Struct, frozen=True):
    """What a collection was asked for; a journal goes with one only."""

    schema: str
    server: str
    context: str
    options: dict[str, Any]
    started: str
    stamp: str
    """``YYYYMMDD-hhmmss``, UTC: in the name of the bundle's folder."""


class Fate(Struct, frozen=True, omit_defaults=True):
    """What became of one thing that was asked for."""

    what: str
    kind: str
    """objects, events, flows, logs, files, or note."""
    fate: str
    """collected, cut (its beginning is there), refused, absent, failed or left."""
    path: str | None = None
    bytes: int = 0
    count: int | None = None
    at: str | None = None
    reason: str = ""
    rule: str = ""
    """The RBAC rule that would allow what was refused."""


class Item(Struct, frozen=True):
    """One file to be."""

    what: str
    kind: str
    path: str
    rule: str
    """The RBAC rule that allows it."""


class Partial:
    """The folder beside the archive-to-be.

    Raises:
        UsageError: it is of another collection, or cannot be written.
    """

    def __init__(self, archive: Path, told: Told) -> None:
        self.archive = archive
        self.folder = archive.with_name(archive.name + ".partial")
        self._lock = Lock()
        self.fates: dict[str, Fate] = {}
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.told, self.resumed = self._settle(told)
        except OSError as error:
            raise UsageError(
                f"{self.folder}: {error.strerror or error}", hint="is the folder writable?"
            ) from error

    def _settle(self, told: Told) -> tuple[Told, bool]:
        head, journal = self.folder / "asked.json", self.folder / "journal.jsonl"
        if not head.exists():
            _whole(head, msgspec.json.encode(told))
            return told, False
        try:
            before = msgspec.json.decode(head.read_bytes(), type=Told)
        except msgspec.MsgspecError:
            before = None
        if before is None or (before.server, before.options) != (told.server, told.options):
            raise UsageError(
                f"{self.folder} is of a collection that was asked for differently",
                hint=f"remove it (rm -r {self.folder}), or write to another file",
            )
        for line in journal.read_bytes().splitlines() if journal.exists() else ():
            try:
                fate = msgspec.json.decode(line, type=Fate)
            except msgspec.MsgspecError:
                continue  # the last line of a run that was killed
            self.fates[fate.what] = fate
        return before, True

    def done(self, what: str) -> bool:
        """It need not be asked for again: what was refused, wholly or in part, or failed may go well by now."""
        fate = self.fates.get(what)
        return fate is not None and fate.fate in ("collected", "cut", "absent") and not fate.rule

    def place(self, path: str) -> Path:
        """Where a file of the bundle is written before it is whole."""
        target = self.folder / "files" / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return target

    def note(self, fate: Fate) -> None:
        """Write down what became of something; safe against a kill at any moment."""
        with self._lock:
            self.fates[fate.what] = fate
            with (self.folder / "journal.jsonl").open("ab") as journal:
                journal.write(msgspec.json.encode(fate) + b"\n")
                journal.flush()
                os.fsync(journal.fileno())

    @property
    def size(self) -> int:
        """Bytes of all files so far."""
        with self._lock:
            return sum(fate.bytes for fate in self.fates.values())

    def drop_if_empty(self) -> None:
        """Leave no folder behind where there is nothing to go on from."""
        if not any(fate.fate == "collected" and fate.kind != "note" for fate in self.fates.values()):
            shutil.rmtree(self.folder)

    def pack(self, manifest: bytes) -> int:
        """Make the archive and remove the folder; the archive's size in bytes."""
        top = f"flowdiag-bundle-{self.told.stamp}"
        temporary: Path | None = None
        try:
            with held_back():
                handle, name = tempfile.mkstemp(dir=self.archive.parent, prefix=f".{self.archive.name}.")
                temporary = Path(name)
            os.close(handle)
            with tarfile.open(temporary, "w:gz", compresslevel=6) as tar:
                _add(tar, f"{top}/manifest.json", manifest)
                for fate in sorted(self.fates.values(), key=lambda one: one.what):
                    if fate.path is not None:
                        tar.add(self.folder / "files" / fate.path, f"{top}/{fate.path}", filter=_anonymous)
            temporary.chmod(_MODE)
            temporary.replace(self.archive)
        except BaseException:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise
        shutil.rmtree(self.folder)
        return self.archive.stat().st_size


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = _MODE
    info.mtime = int(time.time())
    tar.addfile(info, BytesIO(data))


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out the user and group of the machine that the archive was made on."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = _MODE
    return info


def _whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(data)
    temporary.replace(path)
