"""Texts that queues and streams carry as base64, packed with gzip or not."""

from __future__ import annotations

import base64
import binascii
import zlib

__all__ = ["unpacked"]

_MOST = 64 << 20
"""Bytes that one text may hold; the services allow some megabytes before packing."""
_GZIP = b"\x1f\x8b\x08"
_WITH_HEADER = 31
"""What zlib calls gzip's own header and check sum, with the largest window."""


def unpacked(text: str) -> str | bytes:
    """What base64 hides, where a text is that, else the text; a log's line has blanks, and is none."""
    try:
        data = base64.b64decode(text, validate=True)
        if data.startswith(_GZIP):
            data = _gunzipped(data)
        data.decode("utf-8")
    except (binascii.Error, UnicodeError, ValueError, zlib.error):
        return text
    return data or text


def _gunzipped(data: bytes) -> bytes:
    """All members, one behind the other; of one that was cut off, and of too much, the beginning."""
    out = b""
    while data.startswith(_GZIP) and len(out) < _MOST:
        reader = zlib.decompressobj(_WITH_HEADER)
        out += reader.decompress(data, _MOST - len(out))
        data = reader.unused_data
    return out
