"""Archives unpacked safely into a spool directory.

Whatever an archive says, nothing is written but plain numbered files inside the spool: a member's name
is only ever a label.  Links are never followed (a link to another member would be read twice), devices
are refused, and sizes are limited while bytes arrive, because headers lie.
"""

from __future__ import annotations

import errno
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

from msgspec import Struct

from flowdiag.ingest.bounds import Limits
from flowdiag.ingest.compression import Kind, corruptions
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import unpacked
from flowdiag.ingest.streams import Readable
from flowdiag.model.time import NS, from_datetime
from flowdiag.model.words import plural

__all__ = ["Member", "Unpacker"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_COPY_BYTES = 1 << 16
_FILLED_BYTES = 1 << 18
"""Zeros that stand behind damage at most: more than a read of a member asks for."""
"""Bytes per read.  Of an archive that was cut off, the last read gives nothing, so that up to so many are lost."""
_HEADER_BYTES = 4 << 20
"""The most bytes of headers before one member of a tar (long names, pax records, maps of holes), which tarfile keeps
in memory."""
_LINK_BYTES = 4096
"""The longest target of a link, which is Linux' bound of a path."""
_PROBLEMS = 100
"""Refused members of one archive that are named."""


class Member(Struct, frozen=True, kw_only=True):
    """A regular file of an archive, unpacked."""

    name: str
    """Path inside the archive, checked: relative, without ``..``."""
    path: Path
    """Where its bytes are now."""
    size: int
    modified: int | None
    """The time the archive gives for the member, nanoseconds; ``None`` where it gives none."""


class _TooMuchError(Exception):
    pass


class _Bytes(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Unpacker:
    """Unpacks archives one after another under shared limits.

    Args:
        spool: an existing directory that belongs to this run.
        limits: see `Limits`.
    """

    def __init__(self, spool: Path, limits: Limits) -> None:
        self._spool = spool
        self._limits = limits
        self._members = 0
        self._bytes = 0
        self._named = 0
        self._unnamed = 0
        self.problems: list[InputProblem] = []

    def unpack(self, path: Path, kind: Kind, display: str, alone: str | None) -> Iterator[Member]:
        """Yield the regular files of the archive at `path`, in archive order; what is wrong goes to `problems`.

        Args:
            path: the archive on disk.
            kind: ``ZIP``, ``TAR``, or the compression around a tar (``GZIP``, ``XZ`` ...).
            display: the archive's name for messages.
            alone: what the one file inside is called, where the compression is around no tar but a file that is packed
                itself (``log.gz.gz``).
        """
        packed = max(path.stat().st_size, 1)
        before, members = self._bytes, self._members
        self._named = self._unnamed = 0
        damages: tuple[type[Exception], ...] = (tarfile.TarError, zipfile.BadZipFile, *corruptions())
        if alone is not None:
            walk = self._alone(path, kind, alone)
        else:
            walk = self._zip(path, display) if kind is Kind.ZIP else self._tar(path, kind, display, packed)
        try:
            for name, stream, modified in walk:
                target = self._next()
                try:
                    size = self._copy(stream, target, packed, before)
                except damages:
                    # What is there of a log whose archive was cut off is evidence, too.
                    if target.stat().st_size:
                        yield Member(name=name, path=target, size=target.stat().st_size, modified=modified)
                    raise
                yield Member(name=name, path=target, size=size, modified=modified)
        except _TooMuchError as error:
            self._problem(display, "archive-limit", f"{error}; the rest of the archive was not read")
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            # zipfile raises NotImplementedError for unknown methods and RuntimeError for encryption.
            self._damaged(display, error, self._members - members)
        except corruptions() as error:
            self._damaged(display, error, self._members - members)
        if self._unnamed:
            text = f"{plural(self._unnamed, 'more member')} refused, as those before"
            self._problem(display, "archive-limit", text)

    def _damaged(self, display: str, error: Exception, members: int) -> None:
        if members:
            read = "what came before that was read"
        elif isinstance(error, zipfile.BadZipFile):
            read = "nothing of it was read: a zip's list of files stands at its end, which may be missing"
        else:
            read = "nothing of it was read"
        if isinstance(error, OSError) and error.errno in _FULL:
            # The disk that it is unpacked to is full; nothing is wrong with the archive.
            text = f"{self._spool.parent}: {error.strerror}: it needs as much as the archive unpacked; TMPDIR names another folder"
            self._problem(display, "unreadable", f"{text}; {read}")
            return
        self._problem(display, "corrupt", f"damaged archive: {error}; {read}")

    def _next(self) -> Path:
        self._members += 1
        self._few(self._members)
        return self._spool / f"{self._members:07d}"

    def _few(self, members: int) -> None:
        if members > self._limits.members:
            raise _TooMuchError(f"more than {self._limits.members} members")

    def _copy(self, stream: _Bytes, target: Path, packed: int, before: int) -> int:
        size = 0
        with target.open("wb") as out:
            while chunk := stream.read(_COPY_BYTES):
                size += len(chunk)
                self._bytes += len(chunk)
                unfolded = self._bytes - before
                if self._bytes > self._limits.total:
                    target.unlink()
                    raise _TooMuchError(f"archives unfold to more than {self._limits.total} bytes")
                if self._limits.unfolds(unfolded, packed):
                    target.unlink()
                    raise _TooMuchError(f"unfolds to more than {self._limits.ratio} times its size")
                out.write(chunk)
        return size

    def _alone(self, path: Path, kind: Kind, name: str) -> Iterator[tuple[str, _Bytes, int | None]]:
        with closing(unpacked(lambda: path.open("rb"), kind)) as stream:
            yield name.rpartition("/")[2], stream, None

    def _zip(self, path: Path, display: str) -> Iterator[tuple[str, _Bytes, int | None]]:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                name = self._checked(info.filename, display)
                if name is None:
                    continue
                mode = info.external_attr >> 16
                if stat.S_ISLNK(mode):
                    with archive.open(info) as link:
                        self._link(display, name, link.read(_LINK_BYTES).decode("utf-8", "replace"))
                    continue
                if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    self._refuse(f"{display}!{name}", "device", "a device or pipe in an archive: refused")
                    continue
                with archive.open(info) as stream:
                    yield name, stream, _zip_time(info)

    def _tar(
        self, path: Path, kind: Kind, display: str, packed: int
    ) -> Iterator[tuple[str, _Bytes, int | None]]:
        with closing(unpacked(lambda: path.open("rb"), kind)) as stored:
            plain = _Bounded(stored, packed, self._limits)
            with tarfile.open(fileobj=cast("BinaryIO", plain), mode="r|") as archive:
                for number, info in enumerate(archive, 1):
                    self._few(number)
                    plain.header_at(archive.offset)
                    # tarfile would keep every member that it has passed.
                    cast("Any", archive).members.clear()
                    if info.isdir():
                        continue
                    name = self._checked(info.name, display)
                    if name is None:
                        continue
                    if info.issym() or info.islnk():
                        # A hard link names its target from the archive's root, a symbolic one from itself.
                        self._link(display, name, ("/" * info.islnk()) + info.linkname, hard=info.islnk())
                        continue
                    stream = archive.extractfile(info) if info.isreg() else None
                    if stream is None:
                        self._refuse(f"{display}!{name}", "device", "a device or pipe in an archive: refused")
                        continue
                    member = _Member(stream, plain, info.offset_data)
                    yield name, member, int(info.mtime) * NS if info.mtime else None
            if plain.damage is not None:
                raise plain.damage

    def _checked(self, name: str, display: str) -> str | None:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in parts or "\0" in name:
            self._refuse(f"{display}!{name}", "path-escape", "the member's path leaves the archive: refused")
            return None
        return "/".join(parts) or None

    def _link(self, display: str, name: str, target: str, *, hard: bool = False) -> None:
        """Say nothing of a link that stays inside (its target is read by itself); name one that leaves."""
        if hard:
            target = target.removeprefix("/")
            depth = 0
        else:
            depth = name.count("/")
        escapes = target.startswith("/")
        for part in target.split("/"):
            depth += -1 if part == ".." else int(part not in ("", "."))
            escapes = escapes or depth < 0
        if escapes:
            self._refuse(f"{display}!{name}", "link-escape", "a link that leaves the archive: not followed")

    def _refuse(self, path: str, code: str, message: str) -> None:
        """Name a member that is not read; of an archive with many of them the first, and how many more."""
        if self._named < _PROBLEMS:
            self._named += 1
            self._problem(path, code, message)
        else:
            self._unnamed += 1

    def _problem(self, path: str, code: str, message: str) -> None:
        self.problems.append(InputProblem(path, code, message))


class _Bounded:
    """The bytes of a tar, bounded in all (`Limits`), and for the header of each member.

    tarfile reads members that are skipped, and keeps headers in memory, before a size can be checked; hence the bounds
    are here.
    """

    def __init__(self, stream: Readable, packed: int, limits: Limits) -> None:
        self.damage: Exception | None = None
        """What ended it early."""
        self._filled = 0
        self._stream = stream
        self._packed = packed
        self._limits = limits
        self._at = 0
        self._stop = _HEADER_BYTES

    @property
    def at(self) -> int:
        """Bytes that were given, without zeros behind damage."""
        return self._at

    def header_at(self, offset: int) -> None:
        """The next member's header begins at `offset`."""
        self._stop = offset + _HEADER_BYTES

    def read(self, size: int) -> bytes:
        """As that of the stream, with zeros behind damage: of a read that ends early tarfile gives nothing."""
        try:
            data = self._stream.read(size) if self.damage is None else b""
        except corruptions() as error:
            self.damage, data = error, b""
        if self.damage is not None and self._filled < _FILLED_BYTES:
            self._filled += size - len(data)
            return data + bytes(size - len(data))
        self._at += len(data)
        if self._at > self._stop:
            raise _TooMuchError(f"a member's header of more than {_HEADER_BYTES} bytes")
        if self._limits.unfolds(self._at, self._packed):
            raise _TooMuchError(f"unfolds to more than {self._limits.ratio} times its size")
        return data


class _Member:
    """The bytes of a tar's member, up to where the tar is damaged."""

    def __init__(self, stream: IO[bytes], tar: _Bounded, begin: int) -> None:
        self._stream = stream
        self._tar = tar
        self._at = begin

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        damage = self._tar.damage
        if damage is not None:
            data = data[: max(self._tar.at - self._at, 0)]
            if not data and size:
                raise damage
        self._at += len(data)
        return data


def _zip_time(info: zipfile.ZipInfo) -> int | None:
    """Zip times have no zone and two-second steps; good enough to infer a year from."""
    try:
        moment = datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None
    return from_datetime(moment) if moment.year > 1980 else None
