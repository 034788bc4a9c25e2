"""One source, and reading it from the start: decompressed, as UTF-8, without its byte order mark."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import BinaryIO

from msgspec import Struct

from flowdiag.ingest.compression import Kind, corruptions, decompressed
from flowdiag.ingest.remote import is_remote, open_raw
from flowdiag.ingest.streams import Over, Readable
from flowdiag.ingest.text import SEPARATOR_HEAD, OtherLines, Transcoder, encoding_of, line_end_of

__all__ = ["Source", "is_whole", "open_source", "read_head", "read_head_lines", "unpacked"]

_MARK = 4
"""Bytes in which a byte order mark shows."""
_PIECE = 1 << 17
_STEPS = (1 << 12, 1)
"""Bytes that are read at a time where damage is near."""


class Source(Struct, frozen=True, kw_only=True):
    """One file of evidence or state, wherever it came from."""

    name: str
    """As reports show it: as the user gave it, ``bundle.zip!member`` inside an archive, ``-``."""
    path: str
    """The file on disk, perhaps in the spool, or the URL of an object."""
    place: str
    """Where it lies inside what the user gave, for recognising bundles: ``ns/pods.json``."""
    root: str
    """What it came in: the directory or (outermost) archive as given; a lone file's own name."""
    size: int
    """Bytes on disk, as stored."""
    kind: Kind = Kind.PLAIN
    member_time: int | None = None
    """The archive's time for the member, nanoseconds; times of files on disk are never looked at."""
    spooled: bool = False
    """It lies in this run's spool, where no other machine sees it."""
    first_line: int = 1
    """The number of its first line in `whole`."""
    whole: str | None = None
    """The file on disk that it was laid apart from, if it was."""
    stored: int | None = None
    """Bytes of that file, where all of it is this input."""

    @property
    def remote(self) -> bool:
        """It is read over a network."""
        return is_remote(self.path)


def open_source(source: Source, *, as_is: bool = False) -> Readable:
    """Open for reading from the start, decompressed, UTF-16 as UTF-8, byte order mark taken off, whatever ends lines as a newline.

    Args:
        source: what to open.
        as_is: only decompress.

    Raises:
        OSError: it cannot be opened.
        MissingReaderError: nothing reads its compression.

    Reading may raise one of `corruptions`.
    """
    opened = unpacked(lambda: open_raw(source.path), source.kind)
    return opened if as_is else _Text(opened)


def unpacked(opened: Callable[[], BinaryIO], kind: Kind) -> Readable:
    """The decompressed bytes of a file, all of them that stand before damage.

    Args:
        opened: opens the file, also another time.
        kind: how it is packed.

    Raises:
        OSError: it cannot be opened.
        MissingReaderError: nothing reads its compression.
    """

    def streams(*, fast: bool = True) -> tuple[BinaryIO, BinaryIO]:
        raw = opened()
        try:
            return decompressed(raw, kind, fast=fast), raw
        except BaseException:
            raw.close()
            raise

    if kind in (Kind.PLAIN, Kind.TAR):
        return _Opened(*streams())
    return _Unpacked(*streams(), again=partial(streams, fast=False))


def read_head(source: Source, size: int) -> bytes:
    """Up to `size` bytes from the start, as `open_source` gives them.

    Raises:
        OSError, MissingReaderError: as `open_source`; damaged streams give what could be read.
    """
    head = bytearray()
    stream = open_source(source)
    try:
        while len(head) < size:
            chunk = stream.read(size - len(head))
            if not chunk:
                break
            head += chunk
    except corruptions():
        pass
    finally:
        stream.close()
    return bytes(head)


def is_whole(source: Source) -> bool:
    """Whether a source that holds next to nothing is whole: a packed one that was cut off gives nothing either.

    Raises:
        OSError, MissingReaderError: as `open_source`.
    """
    stream = open_source(source)
    try:
        while stream.read(1 << 16):
            pass
    except corruptions():
        return False
    finally:
        stream.close()
    return source.size > 0 or source.kind is Kind.PLAIN


def read_head_lines(source: Source, size: int, *, within: int, longest: int) -> bytes:
    """Up to `size` bytes of whole lines from the start, without long ones.

    Args:
        source: the input.
        size: bytes wanted.
        longest: bytes of a line that is long.
        within: bytes of the input that are looked at.

    Raises:
        OSError, MissingReaderError: as `open_source`; damaged streams give what could be read.
    """
    kept, rest, seen, skipping = bytearray(), b"", 0, False
    stream = open_source(source)
    try:
        while len(kept) < size and seen < within and (chunk := stream.read(size)):
            seen += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if not skipping and len(line) < longest:
                    kept += line + b"\n"
                skipping = False
            if len(rest) >= longest:
                rest, skipping = b"", True
    except corruptions():
        pass
    finally:
        stream.close()
    return bytes(kept[:size])


class _Opened:
    """A stream that closes the file below as well."""

    def __init__(self, stream: BinaryIO, raw: BinaryIO) -> None:
        self._stream = stream
        self._raw = raw

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    def tell(self) -> int:
        return self._raw.tell()

    def close(self) -> None:
        self._stream.close()
        self._raw.close()


class _Unpacked(_Opened):
    """A decompressed stream that gives all that comes before damage, and then its error.

    A decoder gives nothing of a read that meets damage, which may be all of a small file.  So it is asked again from
    the start for what it has given, and then for little at a time.

    Args:
        stream: the stream.
        raw: the file below.
        again: opens both another time.
    """

    def __init__(
        self, stream: BinaryIO, raw: BinaryIO, again: Callable[[], tuple[BinaryIO, BinaryIO]]
    ) -> None:
        super().__init__(stream, raw)
        self._again = again
        self._given = 0
        self._saved = b""
        """What the read that met the damage had lost."""
        self._error: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        if self._error is None:
            try:
                data = self._stream.read(size)
            except corruptions() as error:
                self._error = error
                self._saved = self._before_damage()
            else:
                self._given += len(data)
                return data
        if self._saved or not size:
            data, self._saved = (self._saved, b"") if size < 0 else (self._saved[:size], self._saved[size:])
            return data
        raise self._error

    def _before_damage(self) -> bytes:
        """What stands between what was given and the damage."""
        saved = bytearray()
        for step in _STEPS:
            try:
                stream, raw = self._again()
            except OSError:  # the file is gone meanwhile
                break
            # One read of the decoder at a time: a buffer would be filled beyond what is asked for.
            read = getattr(stream, "read1", stream.read)
            with closing(raw), closing(stream):
                try:
                    left = self._given + len(saved)
                    while left and (piece := read(min(left, _PIECE))):
                        left -= len(piece)
                    while not left and (piece := read(step)):
                        saved += piece
                except corruptions():
                    continue
        return bytes(saved)


class _Text(Over):
    """Takes off the byte order mark, UTF-16, and other line ends, at the first read: to open never fails for damage."""

    def __init__(self, stream: Readable) -> None:
        super().__init__(stream)
        self._front: bytes | None = None

    def read(self, size: int = -1, /) -> bytes:
        if self._front is None:
            start = _first(self._stream, SEPARATOR_HEAD if size < 0 else max(size, _MARK))
            encoding, mark = encoding_of(start)
            self._front = start[mark:]
            if encoding is not None:
                self._stream = Transcoder(_Front(self._front, self._stream), encoding)
                self._front = b""
            elif (end := line_end_of(self._front[:SEPARATOR_HEAD])) is not None:
                self._stream = OtherLines(_Front(self._front, self._stream), end)
                self._front = b""
        if self._front:
            front = self._front
            if size < 0:
                self._front = b""
                return front + self._stream.read()
            self._front = front[size:]
            return front[:size]
        return self._stream.read(size)


def _first(stream: Readable, size: int) -> bytes:
    """The first bytes: `size`, or more, up to a newline or as many as `SEPARATOR_HEAD`; or all there are."""
    start = stream.read(size)
    while len(start) < SEPARATOR_HEAD and b"\n" not in start:
        try:
            more = stream.read(SEPARATOR_HEAD - len(start))
        except corruptions():  # raised again by the read behind what is there
            break
        if not more:
            break
        start += more
    return start


class _Front(Over):
    """A stream with a few bytes put back in front."""

    def __init__(self, front: bytes, stream: Readable) -> None:
        super().__init__(stream)
        self._front = front

    def read(self, size: int = -1, /) -> bytes:
        front, self._front = self._front, b""
        return front or self._stream.read(size)
