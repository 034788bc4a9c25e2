"""Reading xz within bounds: a stream may ask its reader for gigabytes of memory."""

from __future__ import annotations

import importlib
import io
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["xz_reader"]

_CHUNK = 1 << 18
_MEMORY = 256 << 20
"""What decoding may take: xz -9 needs 65 MiB."""


def xz_reader(stream: BinaryIO) -> io.BufferedReader:
    """A stream of the decompressed bytes of `stream`; several xz streams behind each other are one.

    Raises:
        ImportError: this Python was built without lzma.
    """
    return io.BufferedReader(_Raw(stream, importlib.import_module("lzma")), _CHUNK)


class _Raw(io.RawIOBase):
    def __init__(self, stream: BinaryIO, lzma: Any) -> None:
        super().__init__()
        self._stream = stream
        self._lzma = lzma
        self._decoder: Any = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        with memoryview(buffer).cast("B") as into:
            piece = self._next(len(into))
            into[: len(piece)] = piece
            return len(piece)

    def _next(self, size: int) -> bytes:
        while True:
            if self._decoder is None or self._decoder.eof:
                left = self._decoder.unused_data if self._decoder is not None else b""
                # Streams are padded with zeros to four bytes (xz file format 1.2.1, 2.2).
                data = left.lstrip(b"\0") or self._stream.read(_CHUNK).lstrip(b"\0")
                if not data:
                    return b""
                self._decoder = self._lzma.LZMADecompressor(self._lzma.FORMAT_XZ, memlimit=_MEMORY)
            elif self._decoder.needs_input:
                data = self._stream.read(_CHUNK)
                if not data:
                    raise EOFError("xz stream ended before the end-of-stream marker was reached")
            else:
                data = b""
            piece: bytes = self._decoder.decompress(data, max_length=size)
            if piece:
                return piece
