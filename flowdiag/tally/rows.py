"""Counts of lanes by the minute: lane and minute in one number, and how many records.

Rows are kept in pieces, each for a span of lanes, so that to sort new rows in, or to take some out, needs additional
memory for one piece only.  Rows that were added wait in runs.  Both are narrow (`narrow.py`).  A lane with more rows
than its share gets wider ones, by the rule of `FlowLane.widen`: the least width at which they fit, which depends on the
set of starts alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from flowdiag.tally.grouping import I64, U8, U64, Mask, collapsed, none, ranges
from flowdiag.tally.narrow import NarrowRows, narrowed
from flowdiag.tally.packing import halves, moved_pieces, rows_of

__all__ = ["Rows"]

_ROOM = 1 << 19
"""Rows that may wait before all are brought into order."""
_DENSE = 8
"""Up to so many possible numbers for each one that occurs, counting in a column for all of them costs less than sorting."""
_RUN = 1 << 16
"""Rows of another table that are sorted together, into one waiting run."""
_SPAN = 1 << 11
"""Lanes of a piece; the lanes that were seen first have the most rows, up to their whole share."""

Piece = tuple[U64, I64]
"""Lane and minute in one number, and counts."""


class Rows:
    """See the module.  `shifts` says how often each lane's width was doubled from a minute; it is the caller's, and widened in place.

    Args:
        most: rows per lane.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.pieces: list[NarrowRows] = []
        """Sorted and without repeats after `settle`."""
        self._late: list[NarrowRows] = []
        self._late_rows = 0

    def __len__(self) -> int:
        """Rows, but for what waits."""
        return sum(map(len, self.pieces))

    def add(self, keys: U64, counts: I64, shifts: U8) -> None:
        """Rows in order, perhaps some of them twice."""
        self._late.append(narrowed(keys, counts))
        self._late_rows += len(keys)
        if self._late_rows > max(_ROOM, len(self) // 2):
            self.settle(shifts)

    def absorb(self, other: Rows, renumbered: I64, shifts: U8) -> None:
        """Add the rows of another's lanes at their new numbers; lanes at -1 are left out."""
        for keys, counts in _in_runs(_moved(other.pieces, renumbered)):
            order = np.argsort(keys)
            self.add(keys[order], counts[order], shifts)

    def move(self, renumbered: I64) -> None:
        """Bring rows to their lanes' new numbers, whose order is the old; lanes at -1 are left out."""
        pieces, self.pieces = self.pieces, []
        self.pieces = _cut(_moved(_let_go(pieces), renumbered))

    def settle(self, shifts: U8) -> None:
        """Bring all rows into order, no lane with more than its share of them."""
        late, self._late, self._late_rows = self._late, [], 0
        if not late:
            return
        edges = np.arange(0, len(shifts) + _SPAN, _SPAN, dtype=np.int64)
        cuts = [run.begin(edges).tolist() for run in late]
        self.pieces += [_NOTHING] * (len(edges) - 1 - len(self.pieces))
        for at in range(len(edges) - 1):
            new = [
                (run, slice(ends[at], ends[at + 1]))
                for run, ends in zip(late, cuts, strict=True)
                if ends[at] < ends[at + 1]
            ]
            if not new:
                # What is there is in order; the widths of its lanes were set then.
                continue
            first = at * _SPAN
            keys, counts = _joined(
                [(run.rows(some), run.counted(some)) for run, some in [(self.pieces[at], slice(None)), *new]]
            )
            order = np.argsort(keys, kind="stable")
            self.pieces[at] = narrowed(
                *self._widened(first, shifts[first : first + _SPAN], *collapsed(keys[order], counts[order]))
            )

    def of(self, lanes: I64) -> tuple[I64, I64, I64]:
        """Minutes and counts of some lanes, one lane's behind the other's, and how many of them are each lane's."""
        order = np.argsort(lanes, kind="stable")
        cuts = np.searchsorted(lanes[order], np.arange(len(self.pieces) + 1) * _SPAN).tolist()
        sizes = np.zeros(len(lanes), np.int64)
        found = []
        for at, piece in enumerate(self.pieces):
            asked = order[cuts[at] : cuts[at + 1]]
            begin, end = (piece.begin(lanes[asked] + more) for more in (0, 1))
            sizes[asked] = end - begin
            chosen = ranges(begin, end)
            found.append((piece.rows(chosen), piece.counted(chosen)))
        keys, counts = _joined(found)
        begin = np.zeros(len(lanes), np.int64)
        begin[order] = np.cumsum(sizes[order]) - sizes[order]
        chosen = ranges(begin, begin + sizes)
        return halves(keys[chosen])[1], counts[chosen], sizes

    def by_minute(self, lanes: Mask) -> tuple[I64, I64]:
        """Minutes, and what all of some lanes counted in each."""
        found = []
        for piece in self.pieces:
            of_rows, minutes = halves(piece.rows())
            chosen = lanes[of_rows]
            found.append(_by_number(minutes[chosen], piece.counted()[chosen]))
        return (
            _by_number(*(np.concatenate(columns) for columns in zip(*found, strict=True))) if found else _NONE
        )

    def _widened(self, first: int, shifts: U8, keys: U64, counts: I64) -> Piece:
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


def _let_go(pieces: list[NarrowRows]) -> Iterator[NarrowRows]:
    """Yield each of them, letting go of it, so that memory is freed on the way."""
    pieces.reverse()
    while pieces:
        yield pieces.pop()


def _moved(pieces: Iterable[NarrowRows], renumbered: I64) -> Iterator[Piece]:
    """Rows at their lanes' new numbers; lanes at -1 are left out."""
    for piece in pieces:
        for which, some, kept in moved_pieces(piece.rows(), renumbered):
            yield some, piece.counted(which)[kept]


def _in_runs(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join pieces into runs of many rows: `settle` looks at each run once for every span of lanes, so that few runs cost less."""
    waiting: list[Piece] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(len(keys) for keys, _ in waiting) >= _RUN:
            yield _joined(waiting)
            waiting.clear()
    if waiting:
        yield _joined(waiting)


def _by_number(numbers: I64, counts: I64) -> tuple[I64, I64]:
    """Each of `numbers` once, in order, and the sum of its counts."""
    if not len(numbers):
        return _NONE
    low, high = int(numbers.min()), int(numbers.max())
    if high - low > _DENSE * len(numbers):
        order = np.argsort(numbers, kind="stable")
        distinct, sums = collapsed(numbers[order].astype(np.uint64), counts[order])
        return distinct.astype(np.int64), sums
    sums = np.zeros(high - low + 1, np.int64)
    np.add.at(sums, numbers - low, counts)
    there = np.flatnonzero(sums)
    return there + low, sums[there]


_NONE: tuple[I64, I64] = none(np.int64), none(np.int64)
_NOTHING = narrowed(none(np.uint64), none(np.int64))


def _joined(pieces: list[Piece]) -> Piece:
    """All of them, one behind the other."""
    if not pieces:
        return none(np.uint64), none(np.int64)
    return np.concatenate([keys for keys, _ in pieces]), np.concatenate([counts for _, counts in pieces])


def _cut(runs: Iterable[Piece]) -> list[NarrowRows]:
    """Rows in order, cut into the spans of their lanes."""
    pieces: list[NarrowRows] = []
    open_: list[Piece] = []
    at = 0
    for keys, counts in runs:
        if not len(keys):
            continue
        first, last = (int(keys[end] >> np.uint64(32)) // _SPAN for end in (0, -1))
        cuts = np.searchsorted(keys, _begin(np.arange(first, last + 2) * _SPAN)).tolist()
        for span, begin, end in zip(range(first, last + 1), cuts, cuts[1:], strict=False):
            if span > at:
                pieces += [narrowed(*_joined(open_)), *[_NOTHING] * (span - at - 1)]
                open_, at = [], span
            open_.append((keys[begin:end], counts[begin:end]))
    return [*pieces, narrowed(*_joined(open_))] if open_ else pieces


def _begin(lanes: I64) -> U64:
    """What is not after any row of each lane."""
    return rows_of(lanes, np.zeros_like(lanes))
