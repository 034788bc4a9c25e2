"""What input is read from, and streams over streams."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Over", "Readable"]


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
