"""Lanes of allowed flows as columns of numbers.  Most lanes of a large input are such, and little but counts is needed.

A parser appends six numbers per record (`Waiting`), which are sorted into lanes and buckets now and then.  That takes
39 bytes per lane and 5 per bucket, where an object with a dictionary takes many hundred; and no record costs a look-up
in memory that has left the cache.

Counts are per `UNIT` seconds, and wider for a lane with more than `Limits.allowed_buckets` of them (`Rows`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowdiag.model.time import NS
from flowdiag.tally.grouping import I32, I64, U8, U16, U64, Ints, Mask, first_of_runs, none, padded
from flowdiag.tally.lane import NEVER, FlowLane
from flowdiag.tally.limits import Limits
from flowdiag.tally.narrow import narrowed
from flowdiag.tally.notes import Note, Notes
from flowdiag.tally.packing import (
    END_BITS,
    PLACE_BITS,
    PORT_BITS,
    halves,
    keys_of,
    parts_of,
    place_of,
    rows_of,
)
from flowdiag.tally.rows import Rows
from flowdiag.tally.span import inside
from flowdiag.tally.waiting import Repeats, Waiting

__all__ = ["PENDING", "UNIT", "LaneColumns"]

UNIT = 60
"""Seconds of a base bucket."""
PENDING = 30_000
"""Records that may wait before they are sorted in.  Sorting takes a dozen columns of that length, of less than 256 KiB each
(`flowdiag.ingest.heap`)."""
_AT_ONCE = 1 << 16
"""Lanes of another table that are taken in at a time, since that takes a dozen columns of the same length."""


class LaneColumns:
    """See the module.  A lane's number is its place in `keys` and the columns beside it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.waiting = Waiting()
        self.repeats = Repeats()
        self._kinds: dict[tuple[int, int, Note], int] = {}
        self._kind_ways: list[int] = []
        self._kind_notes: list[int] = []
        self._ways: dict[tuple[int, int], int] = {}
        """(shape, code) -> number."""
        self.ways: list[tuple[int, int]] = []
        self._places: dict[int, int] = {}
        """A place, which is the number of a way and a port packed in one -> the number of the place."""
        self.places: list[int] = []
        self.notes = Notes()
        self.keys: U64 = none(np.uint64)
        self.firsts: I64 = none(np.int64)
        self.lasts: I64 = none(np.int64)
        self.flags: U16 = none(np.uint16)
        self.shifts: U8 = none(np.uint8)
        self._sorted: U64 = none(np.uint64)
        self._numbers: I32 = none(np.int32)
        self.rows = Rows(limits.allowed_buckets)

    def __len__(self) -> int:
        """Lanes, but for what waits."""
        return len(self.keys)

    @property
    def pending(self) -> int:
        """Records that wait."""
        return len(self.waiting.srcs) + len(self.repeats.numbers)

    # -- adding ------------------------------------------------------------------------------------

    def kind(self, shape: int, code: int, note: Note) -> int | None:
        """Give the number of a kind: records of this shape that say this beside; ``None`` when there are too many kinds."""
        whole = (shape, code, note)
        number = self._kinds.get(whole)
        if number is None:
            if not self.notes.room_for(note):
                return None
            number = self._kinds[whole] = len(self._kind_ways)
            self._kind_ways.append(self._way(shape, code))
            self._kind_notes.append(self.notes.number(note))
        return number

    def settle(self) -> None:
        """Sort in what waits, and bring all rows into one order."""
        self.sort_in()
        self.rows.settle(self.shifts)

    def sort_in(self) -> None:
        """Bring what waits into lanes."""
        waiting = self.waiting
        if self.repeats.numbers:
            self.repeats.move_to(waiting)
        if not waiting.srcs:
            return
        whole = (waiting.kinds, waiting.ports, waiting.srcs, waiting.dsts, waiting.ats)
        kinds, ports, srcs, dsts, ats = (np.array(column, np.int64) for column in whole)
        flags = np.array(waiting.flags, np.uint16)
        waiting.clear()
        chosen = inside(ats, self._limits)
        if chosen is not None:
            if not chosen.any():
                return
            kinds, ports, srcs, dsts, ats = (column[chosen] for column in (kinds, ports, srcs, dsts, ats))
            flags = flags[chosen]
        ways = np.array(self._kind_ways, np.int64)[kinds]
        places, back = np.unique(place_of(ways, ports), return_inverse=True)
        keys = keys_of(srcs, dsts, self._placed(places)[back])
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = first_of_runs(keys)
        lanes = self._lanes(keys[starts])
        ats, flags = ats[order], flags[order]
        self.firsts[lanes] = np.minimum(self.firsts[lanes], np.minimum.reduceat(ats, starts))
        self.lasts[lanes] = np.maximum(self.lasts[lanes], np.maximum.reduceat(ats, starts))
        self.flags[lanes] |= np.bitwise_or.reduceat(flags, starts)
        of_records = np.repeat(lanes, np.diff(starts, append=len(keys)))
        rows = np.sort(rows_of(of_records, ats // (UNIT * NS)))
        first = first_of_runs(rows)
        self.rows.add(rows[first], np.diff(first, append=len(rows)), self.shifts)
        notes = np.array(self._kind_notes, np.int64)[kinds[order]]
        if notes.any():
            told = notes > 0
            self.notes.tell(rows_of(of_records[told], notes[told]))

    def absorb(
        self,
        other: LaneColumns,
        peers: Sequence[int],
        shapes: Sequence[int],
        only: I64 | None = None,
        *,
        ports: bool = True,
    ) -> I64:
        """Add lanes of `other`; several of them may become one.

        Args:
            other: settled.
            peers: my numbers of its ends.
            shapes: my numbers of its shapes.
            only: the lanes wanted; ``None`` for all.
            ports: whether they keep their ports.

        Returns:
            My number of each of them.
        """
        chosen = np.arange(len(other)) if only is None else only
        lanes = none(np.int64)
        for start in range(0, len(chosen), _AT_ONCE):
            some = chosen[start : start + _AT_ONCE]
            lanes = np.concatenate((lanes, self._taken(other, some, peers, shapes, ports=ports)))
        renumbered = np.full(len(other), -1, np.int64)
        renumbered[chosen] = lanes
        self.rows.absorb(other.rows, renumbered, self.shifts)
        self.notes.absorb(other.notes, renumbered)
        return lanes

    def _taken(
        self, other: LaneColumns, chosen: I64, peers: Sequence[int], shapes: Sequence[int], *, ports: bool
    ) -> I64:
        """Add all but the rows and notes of some lanes of `other`; give the numbers that they have here."""
        srcs, dsts, places = parts_of(other.keys[chosen])
        ends = np.array(peers, np.int64)
        used, back = np.unique(places, return_inverse=True)
        mine = self._adopted(used, other.places, other.ways, shapes, ports=ports)[back]
        keys = keys_of(ends[srcs], ends[dsts], mine)
        distinct, back = np.unique(keys, return_inverse=True)
        lanes = self._lanes(distinct)[back]
        np.minimum.at(self.firsts, lanes, other.firsts[chosen])
        np.maximum.at(self.lasts, lanes, other.lasts[chosen])
        np.bitwise_or.at(self.flags, lanes, other.flags[chosen])
        np.maximum.at(self.shifts, lanes, other.shifts[chosen])
        return lanes

    def remove(self, lanes: I64) -> None:
        """Take lanes out; call `settle` before.  Numbers of kinds stay valid."""
        kept = np.ones(len(self), bool)
        kept[lanes] = False
        renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
        self.keys, self.firsts, self.lasts = self.keys[kept], self.firsts[kept], self.lasts[kept]
        self.flags, self.shifts = self.flags[kept], self.shifts[kept]
        there = kept[self._numbers]
        self._sorted = self._sorted[there]
        self._numbers = renumbered[self._numbers[there]].astype(np.int32)
        self.rows.move(renumbered)
        self.notes.move(renumbered)

    def renumber(self, peers: Sequence[int], shapes: Sequence[int]) -> None:
        """Give ends and shapes new numbers, all different; numbers of kinds are no longer valid then."""
        srcs, dsts, places = parts_of(self.keys)
        used, back = np.unique(places, return_inverse=True)
        ways, of_places = self.ways, self.places
        self._ways, self.ways, self._places, self.places = {}, [], {}, []
        self._kinds, self._kind_ways, self._kind_notes = {}, [], []
        self.repeats = Repeats()
        ends = np.array(peers, np.int64)
        self.keys = keys_of(ends[srcs], ends[dsts], self._adopted(used, of_places, ways, shapes)[back])
        self._numbers = np.argsort(self.keys).astype(np.int32)
        self._sorted = self.keys[self._numbers]

    def forget(self, before: int) -> None:
        """Take out buckets that end by `before`, nanoseconds, and lanes that have none left; call `settle` before."""
        if not len(self):
            return
        pieces = self.rows.pieces
        ends = before // NS - (UNIT << self.shifts.astype(np.int64))
        old = np.zeros(len(self), bool)
        gone = np.ones(len(self), bool)
        oldest = np.zeros(len(self), np.int64)
        for at, piece in enumerate(pieces):
            rows = piece.rows()
            lanes, minutes = halves(rows)
            left = (minutes * UNIT > ends[lanes]) & (self.lasts >= before)[lanes]
            old[lanes[~left]] = True
            pieces[at] = narrowed(rows[left], piece.counted()[left])
            lanes, minutes = lanes[left], minutes[left]
            begin = first_of_runs(lanes)
            gone[lanes[begin]] = False
            # When the first record that is left came is not known: the start of its bucket is taken.
            oldest[lanes[begin]] = minutes[begin] * UNIT * NS
        self.firsts = np.where(old, np.maximum(self.firsts, oldest), self.firsts)
        self.remove(np.flatnonzero(gone))

    # -- asking ------------------------------------------------------------------------------------

    def parts(self) -> tuple[I32, I32, I32, I32, I32]:
        """Columns of source, destination, port (-1 for none), shape and code, by lane."""
        srcs, dsts, places = parts_of(self.keys)
        both = np.array(self.places, np.int64)
        ways = np.array(self.ways, np.int32).reshape(-1, 2)
        ports = ((both & (1 << PORT_BITS) - 1) - 1).astype(np.int32)
        way = ways[both >> PORT_BITS][places]
        return srcs, dsts, ports[places], way[:, 0], way[:, 1]

    def find(self, keys: Sequence[tuple[int, int, int | None, int, int]]) -> I64:
        """Numbers of the lanes of (source, destination, port, shape, code); -1 for those that are not here."""
        packed = []
        for src, dst, port, shape, code in keys:
            way = self._ways.get((shape, code), -1)
            place = self._places.get(way << PORT_BITS | (-1 if port is None else port) + 1, -1)
            packed.append(
                -1 if way < 0 or place < 0 else src << END_BITS + PLACE_BITS | dst << PLACE_BITS | place
            )
        asked = np.array([max(key, 0) for key in packed], np.uint64)
        found, there = self._search(asked)
        return np.where(there & np.array([key >= 0 for key in packed], bool), found, -1)

    def codes(self) -> dict[int, list[int]]:
        """The codes of the lanes of each shape."""
        found: dict[int, list[int]] = {}
        for shape, code in self.ways:
            found.setdefault(shape, []).append(code)
        return found

    def lanes(self, numbers: I64) -> list[FlowLane]:
        """Give some lanes as objects; call `settle` before."""
        minutes, counts, sizes = self.rows.of(numbers)
        starts = minutes * UNIT
        end = np.cumsum(sizes)
        notes = self.notes.of_lanes(numbers)
        found: list[FlowLane] = []
        for number, start, stop, first, last, flags, shift in zip(
            numbers.tolist(),
            (end - sizes).tolist(),
            end.tolist(),
            self.firsts[numbers].tolist(),
            self.lasts[numbers].tolist(),
            self.flags[numbers].tolist(),
            self.shifts[numbers].tolist(),
            strict=True,
        ):
            lane = FlowLane(UNIT, self._limits)
            lane.buckets.update(zip(starts[start:stop].tolist(), counts[start:stop].tolist(), strict=True))
            lane.first, lane.last, lane.flags, lane.shift = first, last, flags, shift
            for note in notes.get(number, ()):
                lane.note_names(note.src_names, note.dst_names)
                lane.time_rank = max(lane.time_rank, note.time_rank)
                if note.policies:
                    lane.note_policies(note.policies)
            found.append(lane)
        return found

    # -- inside ------------------------------------------------------------------------------------

    def _way(self, shape: int, code: int) -> int:
        number = self._ways.get((shape, code))
        if number is None:
            number = self._ways[shape, code] = len(self.ways)
            self.ways.append((shape, code))
        return number

    def _adopted(
        self,
        used: Ints,
        places: Sequence[int],
        ways: Sequence[tuple[int, int]],
        shapes: Sequence[int],
        *,
        ports: bool = True,
    ) -> I64:
        """Give the numbers here of another table's places that are `used`; `shapes` holds the numbers here of its shapes."""
        known: dict[int, int] = {}
        mine = []
        for place in used.tolist():
            theirs, port = divmod(places[place], 1 << PORT_BITS)
            way = known.get(theirs)
            if way is None:
                shape, code = ways[theirs]
                way = known[theirs] = self._way(shapes[shape], code)
            mine.append(way << PORT_BITS | (port if ports else 0))
        return self._placed(np.array(mine, np.int64))

    def _placed(self, asked: I64) -> I64:
        """Give the numbers of places; a new place gets a new one."""
        known, places = self._places, self.places
        found = []
        for place in asked.tolist():
            number = known.get(place)
            if number is None:
                number = known[place] = len(places)
                places.append(place)
            found.append(number)
        return np.array(found, np.int64)

    def _search(self, keys: U64) -> tuple[I64, Mask]:
        if not len(self._sorted):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return self._numbers[at].astype(np.int64), self._sorted[at] == keys

    def _lanes(self, keys: U64) -> I64:
        """Give the numbers of lanes by sorted, distinct keys; a new key opens a lane."""
        found, there = self._search(keys)
        fresh = keys[~there]
        if len(fresh):
            numbers = np.arange(len(self.keys), len(self.keys) + len(fresh))
            found[~there] = numbers
            self.keys = np.concatenate((self.keys, fresh))
            self.firsts = padded(self.firsts, len(fresh), NEVER - 1)
            self.lasts = padded(self.lasts, len(fresh), -1)
            self.flags = padded(self.flags, len(fresh), 0)
            self.shifts = padded(self.shifts, len(fresh), 0)
            at = np.searchsorted(self._sorted, fresh)
            self._sorted = np.insert(self._sorted, at, fresh)
            self._numbers = np.insert(self._numbers, at, numbers)
        return found
