"""What input is read from, and streams over streams."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

__all__ = ["Over", "Readable", "mapped"]


class Readable(Protocol):
    """Bytes of an input, whatever stands between them and the disk."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all for -1; empty at the end."""

    def tell(self) -> int:
        """How many bytes on disk were used so far, about; for progress."""

    def close(self) -> None:
        """Let go of the file."""


class Over:
    """Base of a `Readable` that transforms the bytes of another."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def tell(self) -> int:
        """Where the stream below is."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()


@contextmanager
def mapped(file: BinaryIO) -> Iterator[mmap.mmap | bytes]:
    """The bytes of a file on disk, to be searched where they are; none where it was emptied since it was found."""
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        yield b""
        return
    with data:
        yield data
