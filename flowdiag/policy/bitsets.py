"""Sets of places as bits of one integer, read and written in time and memory linear in their number and width.

Setting one bit of a wide integer copies all of it, so that 100,000 rules, one after the other, would copy gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["bits_of", "packed", "packed_runs"]

_NARROW = 1 << 11
"""Bits up to which taking the lowest one off again and again costs less than cutting the integer into words."""
_WORD = 8


def bits_of(mask: int) -> Iterator[int]:
    """Yield the positions of the set bits, lowest first."""
    if mask.bit_length() > _NARROW:
        yield from _in_words(mask)
        return
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _in_words(mask: int) -> Iterator[int]:
    data = mask.to_bytes(mask.bit_length() // 8 + 1, "little")
    for start in range(0, len(data), _WORD):
        word = int.from_bytes(data[start : start + _WORD], "little")
        while word:
            low = word & -word
            yield 8 * start + low.bit_length() - 1
            word ^= low


def packed(places: Sequence[int]) -> int:
    """Give the integer with a bit at each of the places, which may stand in any order."""
    if len(places) == 1:
        return 1 << places[0]
    data = bytearray(max(places, default=0) // 8 + 1)
    for place in places:
        data[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(data, "little")


def packed_runs(runs: Iterable[tuple[int, int]]) -> int:
    """Give the integer with the bits of runs ``(first, behind the last)``, of which neighbours become one."""
    found, low, high = 0, 0, 0
    for first, behind in runs:
        if first != high:
            found |= ((1 << (high - low)) - 1) << low
            low = first
        high = behind
    return found | ((1 << (high - low)) - 1) << low
