"""What a file is, by its first bytes, and reading it decompressed.

Never by its name: logs are renamed, and ``kubectl cp`` leaves no suffix.
"""

from __future__ import annotations

import gzip
import importlib
import zlib
from enum import StrEnum
from functools import cache
from typing import BinaryIO, cast

from flowdiag.ingest.xz import xz_reader
from flowdiag.ingest.zstd import Checked, Followed

__all__ = ["Kind", "MissingReaderError", "corruptions", "decompressed", "sniff_kind"]

_TAR_MAGIC_AT = 257
_HEAD = 512


class Kind(StrEnum):
    """How bytes are packed."""

    PLAIN = "plain"
    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"
    ZIP = "zip"
    TAR = "tar"


class MissingReaderError(Exception):
    """Nothing installed can read this compression; the message says what to install."""


@cache
def corruptions() -> tuple[type[Exception], ...]:
    """What the installed decompressors raise for damaged or cut streams."""
    found: list[type[Exception]] = [EOFError, OSError, zlib.error]
    for module, name in (("isal.igzip_lib", "IsalError"), ("zstandard", "ZstdError"), ("lzma", "LZMAError")):
        try:
            found.append(getattr(importlib.import_module(module), name))
        except ImportError:
            continue
    return tuple(found)


def sniff_kind(head: bytes) -> Kind:
    """Tell how the file is packed from its first 512 bytes.

    Magic numbers: gzip RFC 1952, zstd RFC 8878 (also a skippable frame in front), zip APPNOTE 4.3.7
    (also an empty archive), xz file format 1.2.1, bzip2 (``BZh``, the level, then pi as of its first block), tar POSIX ``ustar`` at byte 257.
    """
    if head.startswith(b"\x1f\x8b"):
        return Kind.GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[:1] >= b"\x50"):
        return Kind.ZSTD
    if head.startswith(b"\xfd7zXZ\0"):
        return Kind.XZ
    if head.startswith(b"BZh") and head[4:10] == b"\x31\x41\x59\x26\x53\x59":
        return Kind.BZIP2
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind.ZIP
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return Kind.TAR
    return Kind.PLAIN


def decompressed(stream: BinaryIO, kind: Kind, *, fast: bool = True) -> BinaryIO:
    """A stream of the decompressed bytes of `stream`; several gzip members or zstd frames are one.

    isal's inflate is 2.8 times the speed of the standard library's, so it is taken where it is installed.

    Args:
        stream: the packed bytes.
        kind: how they are packed.
        fast: false for a stream that was cut: there isal ends before all that it has is taken from it.

    Raises:
        MissingReaderError: nothing here reads it.
    """
    if kind is Kind.GZIP:
        try:
            packed = importlib.import_module("isal.igzip") if fast else gzip
        except ImportError:
            packed = gzip
        return cast("BinaryIO", packed.GzipFile(fileobj=stream))
    if kind is Kind.ZSTD:
        return _zstd(stream)
    try:
        if kind is Kind.XZ:
            return cast("BinaryIO", xz_reader(stream))
        if kind is Kind.BZIP2:
            return cast("BinaryIO", importlib.import_module("bz2").BZ2File(stream))
    except ImportError as error:
        raise MissingReaderError(
            f"compressed with {kind}, and this Python was built without it: {error}"
        ) from None
    return stream


def _zstd(stream: BinaryIO) -> BinaryIO:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        pass
    else:
        followed = Followed(stream)
        reader = zstandard.ZstdDecompressor().stream_reader(followed, read_across_frames=True)
        return cast("BinaryIO", Checked(reader, followed))
    try:
        zstd = importlib.import_module("compression.zstd")  # in the standard library since Python 3.14
    except ImportError:
        raise MissingReaderError(
            "compressed with zstd, and nothing here reads that: pip install 'flowdiag[fast]'"
        ) from None
    return cast("BinaryIO", zstd.ZstdFile(stream))
