"""Streams cut into runs of whole lines, nothing unbounded in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from flowdiag.ingest.streams import Readable
from flowdiag.parserkit import native
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["READ_BYTES", "Run", "count_newlines", "runs"]

READ_BYTES = 1 << 17
"""Decoding in pieces that fit a core's cache is twice as fast as in megabytes."""

_LONG_LINE = 512


class Run(NamedTuple):
    """Whole lines, but perhaps the last of the input."""

    data: bytes
    first_line: int
    newlines: int
    """How many it has; counted once, for it costs as much as a tenth of decoding."""


def count_newlines(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Newlines in `data` or a part of it; for long lines searching is faster than counting byte by byte."""
    stop = len(data) if end is None else end
    compiled = native()
    if compiled is not None:
        return compiled.newlines(data, start, stop)
    at = data.find(b"\n", start, stop)
    if at - start < _LONG_LINE:
        return data.count(b"\n", start, stop)
    count = 0
    while at >= 0:
        count += 1
        at = data.find(b"\n", at + 1, stop)
    return count


def runs(
    stream: Readable,
    *,
    first_line: int = 1,
    length: int | None = None,
    too_long: Callable[[int], None] | None = None,
    read_bytes: int = READ_BYTES,
    max_line: int = MAX_LINE_BYTES,
) -> Iterator[Run]:
    """Cut `stream` into runs of lines.

    Args:
        stream: positioned at the start of a line.
        first_line: that line's number.
        length: bytes to read, ending at the end of a line; ``None`` reads to the end.
        too_long: told the number of each line that was cut off at `max_line`.
        read_bytes: about the size of a run.
        max_line: longer lines lose their end.
    """
    line = first_line
    left = length
    # It grows in place: a batch of records may be a line of many reads.
    carry = bytearray()
    dropping = False
    while True:
        wanted = read_bytes if left is None else min(read_bytes, left)
        chunk = stream.read(wanted) if wanted else b""
        if not chunk:
            break
        if left is not None:
            left -= len(chunk)
        if dropping:
            end = chunk.find(b"\n")
            if end < 0:
                continue
            chunk, dropping = chunk[end:], False
        end = chunk.rfind(b"\n") + 1
        if not end:
            carry += chunk
            if len(carry) > max_line:
                carry, dropping = carry[:max_line], True
                if too_long is not None:
                    too_long(line)
            continue
        # One copy, where adding slices makes two.
        data = b"".join((carry, memoryview(chunk)[:end]))
        if len(data) > max_line:
            data = _shortened(data, line, max_line, too_long)
        carry = bytearray(memoryview(chunk)[end:])
        if len(carry) > max_line:
            carry, dropping = carry[:max_line], True
            if too_long is not None:
                too_long(line + count_newlines(data))
        newlines = count_newlines(data)
        yield Run(data, line, newlines)
        line += newlines
    if carry:
        yield Run(bytes(carry), line, 0)


def _shortened(data: bytes, line: int, max_line: int, too_long: Callable[[int], None] | None) -> bytes:
    """Cut what is over the limit; only called for runs that could hold such a line."""
    out = []
    for index, text in enumerate(data.split(b"\n")):
        if len(text) > max_line:
            if too_long is not None:
                too_long(line + index)
            out.append(text[:max_line])
        else:
            out.append(text)
    return b"\n".join(out)
