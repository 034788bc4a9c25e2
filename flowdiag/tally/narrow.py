"""Rows of lanes in as few bytes as they need, since most rows are sorted and close to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowdiag.tally.grouping import I64, U64
from flowdiag.tally.packing import rows_of

__all__ = ["Form", "NarrowRows", "narrowed", "received"]

_WHOLE = 32
"""Bits of a minute in a row as it is."""
_NARROW = 32
"""Bits of a narrow row, for lane and minute together, each counted from the least in its run."""
Form = tuple[int, int, int, int, int]
"""Least lane, least minute, bits of a minute, bytes of a key and of a count."""
_COUNTS: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16, np.uint32, np.uint64)


class NarrowRows(Struct, frozen=True):
    """Lane and minute of each row, in order, and counts; see `narrowed`.

    A row takes 5 bytes where it took 16: 32 bits for lane and minute, and a count of most often one byte.  Where
    a run spans too many lanes and minutes for that, its rows stand as they are.
    """

    lane: int
    """What lanes are counted from."""
    minute: int
    bits: int
    """Of a key that are the minute's."""
    keys: NDArray[np.unsignedinteger[Any]]
    counts: NDArray[np.unsignedinteger[Any]]

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, which: slice | I64 = slice(None)) -> U64:
        """Some rows, lane and minute in one number."""
        keys = self.keys[which]
        if self.keys.dtype == np.uint64:
            return keys.astype(np.uint64)
        lanes = keys.astype(np.uint64)
        minutes = lanes & np.uint64((1 << self.bits) - 1)
        lanes >>= np.uint64(self.bits)
        lanes <<= np.uint64(_WHOLE)
        lanes |= minutes
        lanes += np.uint64((self.lane << _WHOLE) + self.minute)
        return lanes

    def counted(self, which: slice | I64 = slice(None)) -> I64:
        """The counts of some rows."""
        return self.counts[which].astype(np.int64)

    def begin(self, lanes: I64) -> I64:
        """Where the rows of each of some lanes begin, or would."""
        if self.keys.dtype == np.uint64:
            return np.searchsorted(self.keys, rows_of(lanes, np.zeros_like(lanes)))
        if not len(self.keys):
            return np.zeros(len(lanes), np.int64)
        last = int(self.keys[-1]) >> self.bits
        near = np.clip(lanes - self.lane, 0, last)
        found = np.searchsorted(self.keys, (near << self.bits).astype(np.uint32))
        return np.where(lanes - self.lane > last, len(self.keys), found)

    def form(self) -> Form:
        """All but the columns."""
        return self.lane, self.minute, self.bits, self.keys.itemsize, self.counts.itemsize


def narrowed(rows: U64, counts: I64) -> NarrowRows:
    """Rows in few bytes.

    Args:
        rows: lane and minute in one number, sorted.
        counts: of each, not negative.
    """
    most = int(counts.max()) if len(counts) else 0
    few = counts.astype(next(kind for kind in _COUNTS if most <= np.iinfo(kind).max))
    if not len(rows):
        return NarrowRows(0, 0, _WHOLE, rows, few)
    first, last = int(rows[0] >> np.uint64(_WHOLE)), int(rows[-1] >> np.uint64(_WHOLE))
    minutes = rows.astype(np.uint32)
    low = int(minutes.min())
    bits = (int(minutes.max()) - low).bit_length()
    if bits + (last - first).bit_length() > _NARROW:
        return NarrowRows(0, 0, _WHOLE, rows, few)
    minutes -= np.uint32(low)
    keys = rows >> np.uint64(_WHOLE)
    keys -= np.uint64(first)
    keys <<= np.uint64(bits)
    return NarrowRows(first, low, bits, keys.astype(np.uint32) | minutes, few)


def received(form: Form, keys: bytes, counts: bytes) -> NarrowRows:
    """Make the rows with this `form` of the bytes of their columns, which are little-endian."""
    lane, minute, bits, of_key, of_count = form
    return NarrowRows(
        lane,
        minute,
        bits,
        np.frombuffer(keys, np.dtype(f"<u{of_key}")),
        np.frombuffer(counts, np.dtype(f"<u{of_count}")),
    )
