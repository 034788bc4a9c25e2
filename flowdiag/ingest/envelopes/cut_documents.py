"""Several documents of JSON behind one another, and the whole elements of one that was cut off.

A query that was interrupted, or whose answer did not fit on a disk, leaves one record in two; what was asked page by page
stands one answer behind the other.  Neither is JSON.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

__all__ = ["CUT", "Piece", "pieces"]

CUT = b'{"'
"""What stands for a record that was cut off, which every parser, or who watches over parsers of text, calls that."""

# A string, whole or without its end; what opens and closes.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)
_DEEPEST = 500
_MOST_TOKENS = 20_000_000
"""What stands behind so many, some seconds of looking at them, is rest."""
_CLOSED_BY = {b"{": b"}", b"[": b"]"}


class Piece(NamedTuple):
    """A document."""

    data: bytes
    """Closed behind its last whole element where it was cut off; empty where it has none."""
    rest: bytes = b""
    """All of one that was cut off, as it stands there."""

    @property
    def cut(self) -> bool:
        """Whether it ends early."""
        return bool(self.rest)


def pieces(data: bytes, lists: Collection[bytes]) -> Iterator[Piece]:
    """Yield the documents in `data`.

    Args:
        data: one document or more.
        lists: names of the lists whose elements are records, the outermost of which counts.
    """
    start, cut, closing = 0, 0, b""
    opened: list[bytes] = []
    records: int | None = None
    """How deep the list stands whose elements are being passed."""
    last = b""
    for token in islice(_TOKEN.finditer(data), _MOST_TOKENS):
        text = token[0]
        if text in (b"{", b"["):
            opened.append(text)
            if len(opened) > _DEEPEST:
                break
            if text == b"[" and records is None and last in lists:
                records = len(opened)
        elif text in (b"}", b"]"):
            if not opened:
                break
            opened.pop()
            if not opened:
                yield Piece(data[start : token.end()])
                start, cut, closing, records = token.end(), 0, b"", None
            elif records is not None and len(opened) < records:
                records = None
            elif records == len(opened):
                cut = token.end()
                closing = b"".join(_CLOSED_BY[one] for one in reversed(opened))
        elif text[1:2]:
            last = text[1:-1]
    rest = data[start:].strip()
    if rest:
        yield Piece(data[start:cut] + closing if cut else b"", rest)
