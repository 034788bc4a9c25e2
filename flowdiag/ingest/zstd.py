"""Whether a zstd stream was read to its end: for a stream that was cut off, its readers give what there is and no error."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

__all__ = ["Checked", "Followed"]

# RFC 8878, 3.1: a frame is a magic number, a descriptor, fields whose sizes it tells, and blocks; a skippable frame
# is a magic number, a size and as many bytes.
_FRAME = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
_DICTIONARY = (0, 1, 2, 4)
_CONTENT = (0, 2, 4, 8)
_RLE = 1
"""A block of one byte, many times."""


class Followed:
    """Passes the bytes of a zstd stream on, and follows its frames and blocks by their sizes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._step = self._magic
        self._wanted = 4
        self._head = b""
        self._skip = 0
        self._checksum = 0
        self._lost = False

    @property
    def is_whole(self) -> bool:
        """Whether what was read ends where a frame does; also where that is no zstd, which its reader says."""
        return self._lost or (self._step == self._magic and not self._head and not self._skip)

    def read(self, size: int = -1) -> bytes:
        """As that of the stream."""
        data = self._stream.read(size)
        at = 0
        while at < len(data) and not self._lost:
            if self._skip:
                passed = min(self._skip, len(data) - at)
                self._skip -= passed
                at += passed
                continue
            part = data[at : at + self._wanted - len(self._head)]
            at += len(part)
            self._head += part
            if len(self._head) == self._wanted:
                head, self._head = self._head, b""
                self._step(head)
        return data

    def _magic(self, head: bytes) -> None:
        if head == _FRAME:
            self._step, self._wanted = self._descriptor, 1
        elif head[1:] == _SKIPPABLE and head[0] >> 4 == 5:
            self._step, self._wanted = self._skippable, 4
        else:
            self._lost = True

    def _skippable(self, head: bytes) -> None:
        self._skip = int.from_bytes(head, "little")
        self._step, self._wanted = self._magic, 4

    def _descriptor(self, head: bytes) -> None:
        bits = head[0]
        single = bits >> 5 & 1
        content = _CONTENT[bits >> 6] or single
        self._skip = (not single) + _DICTIONARY[bits & 3] + content
        self._checksum = 4 * (bits >> 2 & 1)
        self._step, self._wanted = self._block, 3

    def _block(self, head: bytes) -> None:
        bits = int.from_bytes(head, "little")
        self._skip = 1 if bits >> 1 & 3 == _RLE else bits >> 3
        if bits & 1:
            self._skip += self._checksum
            self._step, self._wanted = self._magic, 4


class Checked(io.RawIOBase):
    """The bytes that `reader` makes of `source`; an `EOFError` at their end where the source was cut."""

    def __init__(self, reader: Any, source: Followed) -> None:
        self._reader = reader
        self._source = source

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As that of `io.RawIOBase`.

        Raises:
            EOFError: the stream ends within a frame.
        """
        number = int(self._reader.readinto(buffer))
        if not number and len(buffer) and not self._source.is_whole:
            raise EOFError("the zstd stream ends within a frame")
        return number
