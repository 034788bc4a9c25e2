"""Lines with NUL bytes in them, of which what stands between two runs is a line of its own, or with a byte order mark in front.

A node that crashed leaves a page of NULs where its last lines were to be, and writes its next line right behind; two
logs may be joined with one between.  A parser of text would find the first record of such a line and no other.
Files whose every line ends in NUL are read as lines where they are opened (`flowdiag.ingest.text.OtherLines`).
"""

from __future__ import annotations

import re

from flowdiag.ingest.envelopes import Rows

__all__ = ["MARK", "without_marks", "without_nuls"]

MARK = b"\xef\xbb\xbf"
"""UTF-8's byte order mark; a file's own is taken off where it is opened."""
_MARKS = re.compile(rb"(?:\A|(?<=\n))(?:\xef\xbb\xbf)+")
_AT_AN_END = re.compile(rb"(?:\A|(?<=\n))\0+|\0+(?=\r?\n|\Z)")
_NULS = re.compile(rb"\0+")


def without_marks(data: bytes) -> bytes:
    """Lines without a byte order mark in front: where files were joined the second one's stands before its first record."""
    return _MARKS.sub(b"", data)


def without_nuls(rows: Rows) -> Rows:
    """The same lines, those with NULs between text as several of one number, and NULs at an end left out.

    Args:
        rows: whole lines as they came, nothing known around them.
    """
    data = _AT_AN_END.sub(b"", rows.data)
    if b"\0" not in data:
        return Rows(data=data, lines=rows.lines)
    numbers: list[int] = []
    pieces = data.split(b"\n")
    for number, piece in zip(rows.lines, pieces, strict=False):
        numbers += [number] * (1 + len(_NULS.findall(piece)))
    return Rows(data=_NULS.sub(b"\n", data), lines=numbers)
