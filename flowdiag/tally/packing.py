"""Several small numbers in one of 64 bits, so that columns of them can be sorted and searched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flowdiag.tally.grouping import I32, I64, U64, Ints, Mask

__all__ = [
    "END_BITS",
    "PLACE_BITS",
    "PORT_BITS",
    "halves",
    "keys_of",
    "moved",
    "moved_pieces",
    "parts_of",
    "place_of",
    "rows_of",
]

# A lane's key: source, destination, and the number of its place (shape, code, port) in 64 bits.  `Tally` sees to it
# that a table has fewer than two million ends: at most two of each of 450,000 lanes, half as many again before they
# are looked at, whether lanes have them or not, and what waits.
END_BITS = 21
PLACE_BITS = 22
PORT_BITS = 17

_AT_ONCE = 1 << 16


def halves(rows: U64) -> tuple[I64, I64]:
    """The two numbers in each of `rows`."""
    return (rows >> np.uint64(32)).astype(np.int64), (rows & np.uint64(0xFFFF_FFFF)).astype(np.int64)


def moved_pieces(rows: U64, renumbered: I64) -> Iterator[tuple[slice, U64, Mask]]:
    """Yield rows with their lanes' new numbers, some at a time: which rows, the rows, and which are left in.

    Lanes whose new number is -1 are left out.  To do all rows at once would take half a dozen columns of their length.
    """
    for start in range(0, len(rows), _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        lanes, rest = halves(rows[piece])
        numbers = renumbered[lanes]
        kept = numbers >= 0
        yield piece, rows_of(numbers[kept], rest[kept]), kept


def moved(rows: U64, renumbered: I64) -> tuple[U64, Mask]:
    """All of `moved_pieces` as one: rows and which those were."""
    there = np.zeros(len(rows), bool)
    found = []
    for piece, some, kept in moved_pieces(rows, renumbered):
        there[piece] = kept
        found.append(some)
    return np.concatenate(found) if found else rows, there


def place_of(way: I64, ports: I64) -> I64:
    """Way and port, -1 for none, in one number."""
    return way << PORT_BITS | (ports + 1)


def rows_of(high: I64, low: I64) -> U64:
    """Two numbers below 2**32 in one."""
    return (high << 32 | low).astype(np.uint64)


def keys_of(srcs: Ints, dsts: Ints, places: Ints) -> U64:
    """Lanes' keys."""
    keys: U64 = srcs.astype(np.uint64) << np.uint64(END_BITS + PLACE_BITS)
    keys |= dsts.astype(np.uint64) << np.uint64(PLACE_BITS)
    keys |= places.astype(np.uint64)
    return keys


def parts_of(keys: U64) -> tuple[I32, I32, I32]:
    """Sources, destinations and places of lanes' keys."""
    return (
        (keys >> np.uint64(END_BITS + PLACE_BITS)).astype(np.int32),
        (keys >> np.uint64(PLACE_BITS) & np.uint64((1 << END_BITS) - 1)).astype(np.int32),
        (keys & np.uint64((1 << PLACE_BITS) - 1)).astype(np.int32),
    )
