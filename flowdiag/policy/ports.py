"""Sets of ports as sorted, merged ranges: exact algebra over 1 to 65535.

The texts are those of the what-if contract: ``80``, ``443-445``; ``1-65535`` is all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["ALL_PORTS", "MAX_PORT", "MIN_PORT", "NO_PORTS", "PortSet"]

MIN_PORT = 1
MAX_PORT = 65535
_EVERY = ((MIN_PORT, MAX_PORT),)


class PortSet:
    """An immutable set of ports.

    Args:
        ranges: inclusive ``(low, high)`` pairs in any order; they may overlap; what lies outside 1 to
            65535 is cut off, and a pair with ``low > high`` is empty.
    """

    __slots__ = ("ranges",)

    ranges: tuple[tuple[int, int], ...]

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        merged: list[tuple[int, int]] = []
        for low, high in sorted((max(low, MIN_PORT), min(high, MAX_PORT)) for low, high in ranges):
            if low > high:
                continue
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        self.ranges = tuple(merged)

    @classmethod
    def of(cls, *ports: int) -> PortSet:
        """Build the set of these ports."""
        return cls((port, port) for port in ports)

    def __contains__(self, port: int) -> bool:
        return any(low <= port <= high for low, high in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortSet) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.ranges)

    def __or__(self, other: PortSet) -> PortSet:
        return PortSet((*self.ranges, *other.ranges))

    def __invert__(self) -> PortSet:
        gaps = []
        start = MIN_PORT
        for low, high in self.ranges:
            gaps.append((start, low - 1))
            start = high + 1
        gaps.append((start, MAX_PORT))
        return PortSet(gaps)

    def __and__(self, other: PortSet) -> PortSet:
        if self.ranges == _EVERY:
            return other
        if other.ranges == _EVERY:
            return self
        return PortSet(
            (max(low, other_low), min(high, other_high))
            for low, high in self.ranges
            for other_low, other_high in other.ranges
        )

    def __sub__(self, other: PortSet) -> PortSet:
        if not self.ranges or not other.ranges:
            return self
        return NO_PORTS if self.ranges == other.ranges else self & ~other

    def __le__(self, other: PortSet) -> bool:
        return not self - other

    def edges(self) -> Iterator[int]:
        """Ports at which membership changes: each range's first port, and the one after its last."""
        for low, high in self.ranges:
            yield low
            if high < MAX_PORT:
                yield high + 1

    def texts(self) -> list[str]:
        """Write the ranges as the contract does: ``["80", "443-445"]``."""
        return [str(low) if low == high else f"{low}-{high}" for low, high in self.ranges]

    def __repr__(self) -> str:
        return f"PortSet({', '.join(self.texts())})"


ALL_PORTS = PortSet([(MIN_PORT, MAX_PORT)])
NO_PORTS = PortSet()
