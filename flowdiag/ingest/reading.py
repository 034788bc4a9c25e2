"""One source, and reading it from the start: decompressed, as UTF-8, without its byte order mark."""

from __future__ import annotations

from typing import BinaryIO

from msgspec import Struct

from flowdiag.ingest.compression import Kind, corruptions, decompressed
from flowdiag.ingest.remote import is_remote, open_raw
from flowdiag.ingest.streams import Over, Readable
from flowdiag.ingest.text import SEPARATOR_HEAD, OtherLines, Transcoder, encoding_of, line_end_of

__all__ = ["Source", "is_whole", "open_source", "read_head", "read_head_lines"]

_MARK = 4
"""Bytes in which a byte order mark shows."""


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
    raw = open_raw(source.path)
    try:
        stream = decompressed(raw, source.kind)
    except BaseException:
        raw.close()
        raise
    opened = _Opened(stream, raw)
    # Of a damaged stream what stands before the damage is given in small pieces.
    most = None if source.kind is Kind.PLAIN else SEPARATOR_HEAD
    return opened if as_is else _Text(opened, most)


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
    """A decompressed stream that closes the file below as well."""

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


class _Text(Over):
    """Takes off the byte order mark, UTF-16, and other line ends, at the first read: to open never fails for damage."""

    def __init__(self, stream: Readable, most: int | None) -> None:
        super().__init__(stream)
        self._most = most
        """Bytes that are read at first at most."""
        self._front: bytes | None = None

    def read(self, size: int = -1, /) -> bytes:
        if self._front is None:
            wanted = SEPARATOR_HEAD if size < 0 else max(size, _MARK)
            start = _first(self._stream, wanted if self._most is None else min(wanted, self._most))
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
        more = stream.read(SEPARATOR_HEAD - len(start))
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
