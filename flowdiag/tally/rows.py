"""Counts of lanes by the minute, as two columns: lane and minute in one number, and how many records.

What is added waits in runs, each in order, and is brought together some lanes at a time: sorting all at once takes five
times their memory.  A lane with more rows than its share gets wider ones, by the rule of `FlowLane.widen`: the
least width at which they fit, which hangs on the set of starts alone.
"""

from __future__ import annotations

import numpy as np

from flowdiag.tally.grouping import I64, U64, collapsed, none, ranges
from flowdiag.tally.packing import halves, moved, moved_pieces, rows_of

__all__ = ["Rows"]

_ROOM = 1 << 19
"""Rows that may wait before all are brought into one order."""
_LANES_AT_ONCE = 1 << 15


class Rows:
    """See the module.

    `shifts` is by how many bits each lane's width is that of a minute; it is the caller's, and widened in place.

    Args:
        most: rows per lane.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.keys: U64 = none(np.uint64)
        """Lane and minute in one number; sorted and each there once after `settle`."""
        self.counts: I64 = none(np.int64)
        self._late: list[tuple[U64, I64]] = []
        self._late_rows = 0

    def add(self, keys: U64, counts: I64, shifts: I64) -> None:
        """Rows in order, perhaps some of them twice."""
        self._late.append((keys, counts))
        self._late_rows += len(keys)
        if self._late_rows > max(_ROOM, len(self.keys)):
            self.settle(shifts)

    def absorb(self, other: Rows, renumbered: I64, shifts: I64) -> None:
        """Add the rows of another's lanes at their new numbers; lanes at -1 are left out."""
        for piece, keys, kept in moved_pieces(other.keys, renumbered):
            order = np.argsort(keys)
            self.add(keys[order], other.counts[piece][kept][order], shifts)

    def move(self, renumbered: I64) -> None:
        """Bring rows to their lanes' new numbers, whose order is the old; lanes at -1 are left out."""
        self.keys, there = moved(self.keys, renumbered)
        self.counts = self.counts[there]

    def settle(self, shifts: I64) -> None:
        """Bring all rows into one order, no lane with more than its share of them."""
        if not self._late:
            return
        runs = [(self.keys, self.counts), *self._late]
        self._late, self._late_rows = [], 0
        edges = np.arange(0, len(shifts) + _LANES_AT_ONCE, _LANES_AT_ONCE, dtype=np.int64)
        cuts = [np.searchsorted(keys, _begin(edges)).tolist() for keys, _ in runs]
        size = sum(len(keys) for keys, _ in runs)
        self.keys, self.counts = np.empty(size, np.uint64), np.empty(size, np.int64)
        filled = 0
        for at in range(len(edges) - 1):
            parts = [slice(ends[at], ends[at + 1]) for ends in cuts]
            keys = np.concatenate([keys[part] for (keys, _), part in zip(runs, parts, strict=True)])
            counts = np.concatenate([counts[part] for (_, counts), part in zip(runs, parts, strict=True)])
            order = np.argsort(keys, kind="stable")
            first = at * _LANES_AT_ONCE
            keys, counts = self._widened(
                first, shifts[first : first + _LANES_AT_ONCE], *collapsed(keys[order], counts[order])
            )
            there = slice(filled, filled + len(keys))
            self.keys[there], self.counts[there] = keys, counts
            filled = there.stop
        # Nobody else has seen them: what is left over goes back.
        self.keys.resize(filled, refcheck=False)
        self.counts.resize(filled, refcheck=False)

    def _widened(self, first: int, shifts: I64, keys: U64, counts: I64) -> tuple[U64, I64]:
        """All rows of the lanes from `first` on at widths at which none has more than its share."""
        while True:
            if shifts.any():
                lanes, minutes = halves(keys)
                shift = shifts[lanes - first]
                keys, counts = collapsed(rows_of(lanes, minutes >> shift << shift), counts)
            lanes, _ = halves(keys)
            many = np.bincount(lanes - first, minlength=len(shifts)) > self._most
            if not many.any():
                return keys, counts
            shifts[many] += 1

    def of(self, lanes: I64) -> tuple[I64, I64, I64]:
        """Minutes and counts of some lanes, one lane's behind the other's, and how many of them are each lane's."""
        begin, end = np.searchsorted(self.keys, _begin(lanes)), np.searchsorted(self.keys, _begin(lanes + 1))
        chosen = ranges(begin, end)
        return halves(self.keys[chosen])[1], self.counts[chosen], end - begin


def _begin(lanes: I64) -> U64:
    """What is not after any row of each lane."""
    return rows_of(lanes, np.zeros_like(lanes))
