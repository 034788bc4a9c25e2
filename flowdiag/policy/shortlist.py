"""Which of many conjunctions an end can meet, and how many demands of each it leaves unmet, by set arithmetic.

For each token there is a bit set of the conjunctions that demand it.  The sets of the tokens that an end shows
are added up in bit-sliced counters, so that an end costs its own tokens, however many conjunctions there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from flowdiag.policy.bitsets import packed
from flowdiag.policy.demands import Demand, Token

__all__ = ["Shortlist"]

_MEMORY = 1 << 12
"""Tokens whose bits are remembered before the memory starts afresh."""


class Shortlist:
    """Conjunctions by what they demand; each has the bit of its place.

    Args:
        wanted: the demands of each.
        sizes: of how many conditions each consists; conjunctions of one size are told apart from others.
    """

    def __init__(self, wanted: Iterable[Sequence[Demand]], sizes: Iterable[int]) -> None:
        self._places: dict[Token, list[list[int]]] = {}
        """Conjunctions of which at least one demand, at least two ... name the token; in order."""
        self._planes: dict[Token, list[int]] = {}
        """The same as bits, only for tokens that some end showed: most tokens are never shown, and a bit set is as
        wide as its highest place."""
        alike: dict[tuple[int, int], list[int]] = {}
        for number, (demands, size) in enumerate(zip(wanted, sizes, strict=False)):
            alike.setdefault((len(demands), size), []).append(number)
            for token, times in Counter(token for demand in demands for token in demand).items():
                places = self._places.setdefault(token, [])
                places.extend([] for _ in range(times - len(places)))
                for each in places[:times]:
                    each.append(number)
        self._alike = {key: packed(places) for key, places in alike.items()}
        """Conjunctions by the number of their demands, and their size."""

    def levels(self, tokens: Iterable[Token]) -> dict[tuple[int, int], int]:
        """Sort the conjunctions by ``(unmet, size)``: at least so many of their demands are not met.

        Args:
            tokens: what an end shows.
        """
        planes = self._counted(tokens)
        touched = 0
        for plane in planes:
            touched |= plane
        found: dict[tuple[int, int], int] = {}
        for (count, size), bits in self._alike.items():
            found[count, size] = found.get((count, size), 0) | (bits & ~touched)
            rest = bits & touched
            met = 0
            while rest:
                met += 1
                exactly = rest
                for place, plane in enumerate(planes):
                    exactly &= plane if met >> place & 1 else ~plane
                rest ^= exactly
                # One demand may be met by several tokens.
                level = (max(0, count - met), size)
                found[level] = found.get(level, 0) | exactly
        return {level: bits for level, bits in found.items() if bits}

    def possible(self, tokens: Iterable[Token]) -> int:
        """Bits of the conjunctions of which every demand may be met."""
        found = 0
        for (unmet, _), bits in self.levels(tokens).items():
            if not unmet:
                found |= bits
        return found

    def _counted(self, tokens: Iterable[Token]) -> list[int]:
        """How many demands are met, as binary numbers: one bit set for each binary digit."""
        planes: list[int] = []
        for token in tokens:
            for bits in self._planes_of(token):
                carry = bits
                for place, plane in enumerate(planes):
                    planes[place] = plane ^ carry
                    carry &= plane
                    if not carry:
                        break
                if carry:
                    planes.append(carry)
        return planes

    def _planes_of(self, token: Token) -> list[int]:
        known = self._planes.get(token)
        if known is None:
            if len(self._planes) >= _MEMORY:
                self._planes.clear()
            known = self._planes[token] = [packed(each) for each in self._places.get(token, ())]
        return known
