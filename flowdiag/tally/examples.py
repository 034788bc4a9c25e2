"""Records that are kept verbatim; their texts are compressed together, some dozens at a time.

Records of one input resemble each other: compressed together they take an eighth of the bytes that they take alone,
and it costs 8 µs each (measured on Hubble's JSON, 2 kB a record).
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from importlib import import_module
from typing import Any

from flowdiag.model.tally import Example

__all__ = ["NO_TEXT", "Shelf", "Shelves", "StoredExample", "Text"]

_ON_A_SHELF = 32
"""Texts that are packed together; as long as one of them is needed, all are kept."""
_LEVEL = 1
"""Compression level of zlib; the next one takes twice the time to save a tenth of the bytes."""


def _packer() -> Any:
    """Give the compressor: isal takes a fifth of zlib's time and packs a little smaller; either reads the other's output."""
    try:
        return import_module("isal.isal_zlib")
    except ImportError:
        return zlib


_PACKER = _packer()


class Shelf:
    """Texts that are packed together, once there are enough of them."""

    __slots__ = ("_open", "_packed", "_sizes")

    def __init__(self, packed: bytes | None = None, sizes: tuple[int, ...] = ()) -> None:
        self._open: list[str] = []
        self._packed = packed
        self._sizes = sizes

    def put(self, text: str) -> int:
        """Its place."""
        self._open.append(text)
        return len(self._open) - 1

    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self._packed is not None or len(self._open) >= _ON_A_SHELF

    def packed(self) -> tuple[bytes, tuple[int, ...]]:
        """All as bytes, and the size of each; nothing is to be put on it any more."""
        if self._packed is None:
            # A text that another distribution's parser gave may hold lone surrogates.
            encoded = [text.encode("utf-8", "surrogatepass") for text in self._open]
            self._packed = _PACKER.compress(b"".join(encoded), _LEVEL)
            self._sizes = tuple(map(len, encoded))
            self._open = []
        return self._packed, self._sizes

    def text(self, place: int) -> str:
        """What stands at a place."""
        if self._packed is None:
            return self._open[place]
        start = sum(self._sizes[:place])
        return _unpacked(self)[start : start + self._sizes[place]].decode("utf-8", "surrogatepass")


@lru_cache(maxsize=64)
def _unpacked(shelf: Shelf) -> bytes:
    """Unpack a shelf; remembered, since a report shows records of some dozen shelves in no particular order."""
    unpacked: bytes = _PACKER.decompress(shelf.packed()[0])
    return unpacked


class Text:
    """A text on a shelf; two of them compare by what they say."""

    __slots__ = ("place", "shelf")

    def __init__(self, shelf: Shelf, place: int) -> None:
        self.shelf = shelf
        self.place = place

    def __str__(self) -> str:
        return self.shelf.text(self.place)

    def __bool__(self) -> bool:
        return self is not NO_TEXT

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and (self is other or str(self) == str(other))

    def __lt__(self, other: Text) -> bool:
        return str(self) < str(other)

    def __hash__(self) -> int:
        return hash(str(self))


NO_TEXT = Text(Shelf(zlib.compress(b"", _LEVEL), (0,)), 0)
"""Stands for the text of a record of which only the place is kept."""


class StoredExample(Example, frozen=True, order=True):
    """See `Example`."""

    text: Text

    def without_text(self) -> StoredExample:
        """Only where it stands."""
        return StoredExample(self.at, self.input, self.line, NO_TEXT)


class Shelves:
    """Where the texts of a table's examples are put."""

    def __init__(self) -> None:
        self._open = Shelf()

    def put(self, text: str) -> Text:
        """Take a text."""
        if not text:
            return NO_TEXT
        shelf = self._open
        if shelf.is_full():
            shelf = self._open = Shelf()
        found = Text(shelf, shelf.put(text))
        if shelf.is_full():
            shelf.packed()
        return found

    def moved(self, stored: StoredExample) -> StoredExample:
        """Put the text of an example on one of these shelves, and give the example with it."""
        return StoredExample(stored.at, stored.input, stored.line, self.put(str(stored.text)))
