"""From what a person names on the command line to files that can be read.

Files, directories (walked, sorted, hidden entries left out), archives, objects in buckets and ``-`` become
`Source` values.  Archives and standard input are unpacked into a spool on disk, so that every source is a file
or an object, can be opened by a worker process and read by byte range.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO, Self, cast

from msgspec.structs import replace

from flowdiag.ingest.bounds import Limits
from flowdiag.ingest.compression import Kind, MissingReaderError, corruptions, sniff_kind
from flowdiag.ingest.copies import without_copies
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source, open_source
from flowdiag.ingest.remote import RemoteError, RemoteObject, at_once, is_remote, listing, open_raw
from flowdiag.ingest.rotation import order_key
from flowdiag.model.interrupts import temporary_folder
from flowdiag.model.urls import shown

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from flowdiag.ingest.archives import Member, Unpacker

__all__ = ["Gathered"]

STDIN = "-"
_HEAD = 512
_DEVICE = "a device, which may never end; name a file that holds what it gives, or pipe that in"
_NESTING = 4
"""Archives in each other: a ticket's zip of a must-gather, that tarball, and its tar of databases, packed once more."""


class Gathered:
    """All sources of a run and what was wrong on the way; a context manager that owns the spool.

    Args:
        paths: as the user gave them, in order.
        limits: bounds of archives and of standard input.
        stdin: what ``-`` reads.

    Files that are reached twice (by links, named twice, in an archive and unpacked beside it) are read once.
    """

    def __init__(
        self, paths: Iterable[str], *, limits: Limits | None = None, stdin: BinaryIO | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._stdin = stdin
        self._spool: TemporaryDirectory[str] | None = None
        self._unpacker: Unpacker | None = None
        self._seen: set[tuple[int, int]] = set()
        self._urls: set[str] = set()
        self._addresses: set[str] = set()
        self._streams = 0
        self._drained = False
        self.problems: list[InputProblem] = []
        self.sources: list[Source] = []
        loose: list[Source] = []
        for given in paths:
            found = list(self._given(given))
            if len(found) == 1 and found[0].name == given:
                loose.append(found[0])
                continue
            self.sources += _in_rotation(loose)
            loose = []
            self.sources += sorted(found, key=lambda source: order_key(source.name))
        self.sources += _in_rotation(loose)
        self.sources = without_copies(self.sources)
        if self._unpacker is not None:
            self.problems += self._unpacker.problems

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the spool; the sources that lay in it are gone."""
        if self._spool is not None:
            self._spool.cleanup()
            self._spool = None

    def spool(self) -> Path:
        """A folder for what does not lie in a file of its own."""
        if self._spool is None:
            self._spool = temporary_folder()
        return Path(self._spool.name)

    def fetched(self, sources: Sequence[Source]) -> list[Source | OSError]:
        """Copies in the spool of what lies behind a network, or why there is none."""
        folder, begin = self.spool(), self._streams
        self._streams += len(sources)
        wanted = [(source, folder / f"object-{begin + place}") for place, source in enumerate(sources)]
        return at_once(_copied, wanted, [source.path for source in sources])

    def _given(self, given: str) -> Iterator[Source]:
        if given == STDIN:
            yield from self._standard_input()
            return
        if is_remote(given):
            yield from self._bucket(given)
            return
        path = Path(given)
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            self._problem(given, "missing", "no such file or directory")
            return
        except OSError as error:
            self._problem(given, "unreadable", error.strerror or str(error))
            return
        if stat.S_ISDIR(mode):
            yield from self._directory(path, given)
        elif stat.S_ISREG(mode):
            yield from self._file(path, name=given, place=path.name, root=given)
        else:
            try:
                pipe = path.open("rb")
            except OSError as error:
                # A socket, or a device that is not there.
                self._problem(given, "unreadable", error.strerror or str(error))
                return
            with pipe:
                if _is_endless(pipe):
                    self._problem(given, "unreadable", _DEVICE)
                    return
                yield from self._stream(cast("BinaryIO", pipe), given)

    def _directory(self, top: Path, given: str) -> Iterator[Source]:
        def refused(error: OSError) -> None:
            # mkfs makes it at the top of a volume, for root alone; fsck's finds are nobody's evidence.
            if Path(error.filename).name == "lost+found":
                return
            self._problem(str(error.filename), "unreadable", error.strerror or str(error))

        found, known = False, len(self.problems)
        for folder, folders, files in os.walk(top, onerror=refused):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name.startswith("."):
                    continue
                path = Path(folder, name)
                place = path.relative_to(top).as_posix()
                found = True
                # The folder's own name often is the bundle's ("cilium-sysdump-20240501-101112").
                yield from self._file(path, name=str(path), place=f"{top.name}/{place}", root=given)
        if not found and len(self.problems) == known:
            self._problem(given, "empty", "no files in it")

    def _file(self, path: Path, *, name: str, place: str, root: str) -> Iterator[Source]:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                return
            identity = (status.st_dev, status.st_ino)
            if identity in self._seen:
                return
            self._seen.add(identity)
            with path.open("rb") as stream:
                head = stream.read(_HEAD)
        except OSError as error:
            self._problem(name, "unreadable", error.strerror or str(error))
            return
        yield from self._opened(
            Source(
                name=name, path=str(path), place=place, root=root, size=status.st_size, kind=sniff_kind(head)
            ),
            depth=0,
        )

    def _bucket(self, given: str) -> Iterator[Source]:
        """Objects stay where they are, but for archives, which are unpacked here."""
        try:
            objects = [one for one in listing(given) if one.url not in self._urls]
        except RemoteError as error:
            self.problems.append(error.problem(given))
            return
        self._urls.update(one.url for one in objects)
        top = given.rstrip("/")
        for one, found in zip(objects, at_once(_recognised, objects, [given]), strict=True):
            if isinstance(found, RemoteError):
                self.problems.append(found.problem(one.url))
                continue
            kind, archive = found
            inside = one.url.removeprefix(top).lstrip("/")
            source = Source(
                name=self._address(one.url),
                path=one.url,
                place=f"{top.rpartition('/')[2]}/{inside}" if inside else one.url.rpartition("/")[2],
                root=given,
                size=one.size,
                kind=kind,
            )
            if not archive:
                yield source
                continue
            (copy,) = self.fetched([source])
            if isinstance(copy, OSError):
                self._problem(source.name, "unreadable", copy.strerror or str(copy))
                continue
            yield from self._opened(copy, depth=0)

    def _address(self, url: str) -> str:
        """How an object is called: apart from those that differ from it only in what is not shown."""
        name, number = shown(url), 2
        while name in self._addresses:
            name, number = f"{shown(url)}#{number}", number + 1
        self._addresses.add(name)
        return name

    def _opened(self, source: Source, depth: int) -> Iterator[Source]:
        """The source itself, or what is inside it if it is an archive."""
        kind = source.kind
        inside = kind if kind in (Kind.PLAIN, Kind.ZIP, Kind.TAR) else _packed_inside(source)
        if inside is Kind.PLAIN:
            yield source
            return
        if depth >= _NESTING:
            self._problem(source.name, "archive-limit", "an archive this deep inside others is not opened")
            return
        once_more = kind not in (Kind.ZIP, Kind.TAR) and inside is not Kind.TAR
        for member in self._unpack(
            Path(source.path), kind, source.name, _without_suffixes(source.place) if once_more else None
        ):
            if not once_more and member.name.rpartition("/")[2].startswith("."):
                continue
            with member.path.open("rb") as stream:
                head = stream.read(_HEAD)
            inner = Source(
                name=f"{source.name}!{member.name}",
                path=str(member.path),
                # Bundles are recognised inside the innermost archive; outside names are still of use.
                place=f"{_without_suffixes(source.place)}/{member.name}",
                root=source.root,
                size=member.size,
                kind=sniff_kind(head),
                member_time=member.modified,
                spooled=True,
            )
            yield from self._opened(inner, depth + 1)

    def _unpack(self, path: Path, kind: Kind, display: str, alone: str | None) -> Iterator[Member]:
        # Imported here, since most inputs are plain files, and need neither archives nor a spool.
        from flowdiag.ingest.archives import Unpacker

        if self._unpacker is None:
            self._unpacker = Unpacker(self.spool(), self._limits)
        yield from self._unpacker.unpack(path, kind, display, alone)

    def _standard_input(self) -> Iterator[Source]:
        if self._drained:
            return
        self._drained = True
        stream = self._stdin or cast("BinaryIO", sys.stdin.buffer)
        if _is_endless(stream):
            self._problem(STDIN, "unreadable", _DEVICE)
            return
        yield from self._stream(stream, STDIN)

    def _stream(self, stream: BinaryIO, name: str) -> Iterator[Source]:
        target = self.spool() / f"stream-{self._streams}"
        self._streams += 1
        size = 0
        with target.open("wb") as out:
            while chunk := stream.read(1 << 20):
                size += len(chunk)
                if size > self._limits.total:
                    self._problem(name, "archive-limit", f"cut off after {self._limits.total} bytes")
                    break
                out.write(chunk)
        with target.open("rb") as spooled:
            head = spooled.read(_HEAD)
        yield from self._opened(
            Source(
                name=name,
                path=str(target),
                place=name,
                root=name,
                size=size,
                kind=sniff_kind(head),
                spooled=True,
            ),
            depth=0,
        )

    def _problem(self, path: str, code: str, message: str) -> None:
        self.problems.append(InputProblem(path, code, message))


def _is_endless(stream: IO[bytes]) -> bool:
    """Whether it is a device that may never end: not a terminal, whose user ends it, and not ``/dev/null``."""
    try:
        descriptor = stream.fileno()
    except OSError:
        return False
    found = os.fstat(descriptor)
    if not stat.S_ISCHR(found.st_mode) and not stat.S_ISBLK(found.st_mode):
        return False
    return not os.isatty(descriptor) and not os.path.samestat(found, os.stat(os.devnull))  # noqa: PTH116


def _copied(wanted: tuple[Source, Path]) -> Source | OSError:
    source, target = wanted
    try:
        with open_raw(source.path) as stream, target.open("wb") as out:
            while chunk := stream.read(1 << 20):
                out.write(chunk)
    except OSError as error:
        return error
    return replace(source, path=str(target), spooled=True)


def _recognised(one: RemoteObject) -> tuple[Kind, bool] | RemoteError:
    """How an object is packed, and whether files are inside."""
    try:
        with open_raw(one.url) as stream:
            kind = sniff_kind(stream.read(_HEAD))
        if kind in (Kind.PLAIN, Kind.ZIP, Kind.TAR):
            return kind, kind is not Kind.PLAIN
        packed = Source(name=one.url, path=one.url, place="", root="", size=one.size, kind=kind)
        return kind, _packed_inside(packed) is not Kind.PLAIN
    except RemoteError as error:
        return error
    except OSError as error:
        return RemoteError("unreadable", error.strerror or str(error))


def _packed_inside(source: Source) -> Kind:
    """What a compressed file holds: a tar, something that was packed once before, or text."""
    try:
        stream = open_source(source, as_is=True)
    except (MissingReaderError, OSError):
        return Kind.PLAIN
    try:
        return sniff_kind(stream.read(_HEAD))
    except corruptions():
        return Kind.PLAIN
    finally:
        stream.close()


def _in_rotation(loose: list[Source]) -> list[Source]:
    """Files named one by one keep the user's order, but those of one rotation stand oldest first."""
    first: dict[str, int] = {}
    for index, source in enumerate(loose):
        first.setdefault(order_key(source.name)[0], index)
    return sorted(loose, key=lambda source: (first[order_key(source.name)[0]], order_key(source.name)))


def _without_suffixes(name: str) -> str:
    for suffix in (".gz", ".zst", ".tgz", ".tar", ".zip"):
        name = name.removesuffix(suffix)
    return name
