"""Bytes as text: byte order marks, UTF-16, and what is no text at all."""

from __future__ import annotations

import codecs
import re

from flowdiag.ingest.streams import Over, Readable

__all__ = [
    "SEPARATOR_HEAD",
    "Encoding",
    "OtherLines",
    "Transcoder",
    "encoding_of",
    "is_binary",
    "line_end_of",
    "plain_lines_from",
]

_BOM8 = codecs.BOM_UTF8
_CHUNK = 1 << 16
_MAX_CONTROL_SHARE = 0.02
# C0 controls that logs do not use: everything but tab, newline, form feed, carriage return, escape,
# backspace and bell.  Deleting them from a head tells how many there are.
_CONTROLS = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27}) + b"\x7f"
_NULS = re.compile(rb"\0{2,}")
_PAIR_BYTES, _NEARLY_ALL = 64, 0.9
SEPARATOR_HEAD = 1 << 16
"""Bytes by which `line_end_of` tells."""

Encoding = str | None
"""``utf-16-le``, ``utf-16-be`` (PowerShell's redirection writes them), or ``None`` for bytes as they are."""


def encoding_of(head: bytes) -> tuple[Encoding, int]:
    """Encoding by byte order mark, or by its NULs where the mark is missing, and how many bytes the mark takes."""
    if head.startswith(_BOM8):
        return None, len(_BOM8)
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    return _unmarked(head[:SEPARATOR_HEAD]), 0


def _unmarked(head: bytes) -> Encoding:
    """UTF-16 whose mark was cut off with its first lines (``split``, ``tail``): one byte of nearly each pair is NUL, none of the others."""
    if b"\0" not in head[:_PAIR_BYTES] or len(head) < _PAIR_BYTES:
        return None
    even, odd = head[0::2], head[1::2]
    for encoding, low, high in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
        if b"\0" not in low and b"\n" in low and high.count(0) >= _NEARLY_ALL * len(high):
            return encoding
    return None


def is_binary(head: bytes) -> bool:
    """Whether `head` (after UTF-16 is undone) is no text.

    A stray NUL is tolerated, and a page of them for one (a crashed node leaves it where its last lines were to be, a log
    that was cut short under its writer begins with one); one in fifty bytes is not.
    """
    if b"\0" in head:
        head = _NULS.sub(b"\0", head)
    if not head or head == b"\0":
        return bool(head)
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > _MAX_CONTROL_SHARE * len(head)


def line_end_of(head: bytes) -> bytes | None:
    """What ends records in place of a newline, if anything does.

    NUL as ``find -print0``, ``xargs -0`` and some collectors have it; a carriage return where a serial console or an old
    editor wrote the file.

    Args:
        head: the first `SEPARATOR_HEAD` bytes, or all there are.
    """
    if b"\n" in head:
        return None
    return max((end for end in (b"\0", b"\r") if end in head.rstrip(end)), key=head.count, default=None)


def plain_lines_from(head: bytes) -> int | None:
    """Where lines begin, behind a byte order mark; ``None`` where `Transcoder` or `OtherLines` must make them lines first.

    Args:
        head: the first `SEPARATOR_HEAD` bytes of a file, or all there are; more do not count.
    """
    encoding, mark = encoding_of(head)
    return mark if encoding is None and line_end_of(head[mark:SEPARATOR_HEAD]) is None else None


class OtherLines(Over):
    """Reads another line end as a newline.

    Args:
        stream: what is read.
        end: as `line_end_of` gives it.
    """

    def __init__(self, stream: Readable, end: bytes) -> None:
        super().__init__(stream)
        self._end = end

    def read(self, size: int = -1, /) -> bytes:
        """As the stream below."""
        return self._stream.read(size).replace(self._end, b"\n")


class Transcoder(Over):
    """Reads UTF-16 as UTF-8; what cannot be decoded becomes U+FFFD."""

    def __init__(self, stream: Readable, encoding: str) -> None:
        super().__init__(stream)
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all of them for -1; empty at the end."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            raw = self._stream.read(_CHUNK)
            self._ended = not raw
            self._ready += self._decoder.decode(raw, final=self._ended).encode("utf-8")
        wanted = len(self._ready) if size < 0 else size
        out, self._ready = self._ready[:wanted], self._ready[wanted:]
        return out
