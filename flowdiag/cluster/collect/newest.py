"""A file that keeps the end of a stream: of a log that is too long the latest lines are those that are asked for."""

from __future__ import annotations

from typing import BinaryIO

__all__ = ["Newest"]

_PIECE = 1 << 20


class Newest:
    """Writes what it is given, and forgets the oldest of it.

    Args:
        stream: a file that is read and written, at its beginning.
        limit: bytes that it has at the end; half as many again while it is written.
    """

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.size = 0
        """Bytes that are there."""
        self.taken = 0
        """Bytes that it was given."""

    def __call__(self, data: bytes) -> None:
        """Take a piece of the stream."""
        self._stream.write(data)
        self.size += len(data)
        self.taken += len(data)
        if self.size > self._limit + self._limit // 2:
            self._forget()

    def end(self) -> bool:
        """Bring the file to its size, from the beginning of a line on; whether anything was forgotten."""
        if self.size > self._limit:
            self._forget()
        if self.size < self.taken:
            self._stream.seek(0)
            # The line that was begun before is nothing without its beginning, unless there is no other.
            self._move(len(self._stream.readline(self.size)) % self.size)
        return self.size < self.taken

    def _forget(self) -> None:
        self._move(self.size - self._limit)

    def _move(self, start: int) -> None:
        """Let the file begin where `start` is now."""
        done = 0
        self._stream.seek(start)
        while piece := self._stream.read(_PIECE):
            self._stream.seek(done)
            self._stream.write(piece)
            done += len(piece)
            self._stream.seek(start + done)
        self._stream.truncate(done)
        self._stream.seek(done)
        self.size = done
