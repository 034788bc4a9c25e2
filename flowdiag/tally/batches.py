"""Counting records in lanes many at a time: refused records, and those without a time.

A lane is an object with a dictionary, and most lanes are not in the processor's cache: to touch one for each of its
records would cost more than to read the record.  So records wait as numbers, their counts are summed in columns
(`Rows`), and a lane is only touched when its contents are asked for.  Columns of bounds also say, for every lane, which
examples and ports it could still keep; all records of a block are compared with them at once.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flowdiag.model.time import NS
from flowdiag.tally.grouping import I32, I64, U8, U16, Mask, first_of_runs, none, padded
from flowdiag.tally.lane import NEVER, FlowLane
from flowdiag.tally.limits import Limits
from flowdiag.tally.packing import rows_of
from flowdiag.tally.rows import Rows
from flowdiag.tally.span import inside

__all__ = ["Batches"]

_FAR = (1 << 32) * NS
"""Nanoseconds; records from then on are counted one by one, since `Rows` has no room for their seconds."""
_LAST_TIME = NEVER - 1
_NO_TIME, _BEFORE_ALL = -1, -2
_LAST_PORT = 65_535
_PORT_BITS = 17
_PORT = (1 << _PORT_BITS) - 1
_ROOM = 1_024
_MOST_PORTS = 1 << 18
"""Ports that may wait; beyond that all but the smallest of each lane are dropped."""

_FEW = 128
"""Up to so many records are held back until there are more, since a pass over the columns has a fixed cost; the texts
they stand in are held with them."""
_MOST_TEXTS = 16
"""Blocks whose text may be held, each some 500 kB: where each block has one refused record, to hold all would double
the memory."""

Numbers = Sequence[int]
_Lines = Callable[[I64], I64]
_Keep = Callable[[FlowLane, int, int, int], None]


class _Call(NamedTuple):
    """One call of `take`."""

    size: int
    """Records that it gave."""
    name: str
    """Of their input."""
    lines: _Lines
    keep: _Keep


class Batches:
    """The waiting records of one table; numbers of lanes are valid as long as the table is in use.

    Args:
        limits: of the lanes.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: list[FlowLane] = []
        self._known: dict[int, int] = {}
        """Number of a lane by its ``id()``: flows that are folded together share one lane."""
        self._inputs: dict[str, int] = {}
        self._allowed = False
        """Whether a lane of allowed records is among them."""
        # By lane: an example is kept if it comes before these.
        self._ats: I64 = none(np.int64)
        self._lines: I64 = none(np.int64)
        self._of_inputs: I32 = none(np.int32)
        self._ports: I32 = none(np.int32)
        # Counts that are summed up.
        self._firsts: I64 = none(np.int64)
        self._lasts: I64 = none(np.int64)
        self._untimed: I64 = none(np.int64)
        self._flags: U16 = none(np.uint16)
        self._shifts: U8 = none(np.uint8)
        self._rows = Rows(limits.refused_buckets)
        # Records held back until there are enough of them.
        self._held: list[tuple[I32, I64, I64, U16]] = []
        self._held_records = 0
        self._asked: list[_Call] = []
        # What waits.
        self._waiting: list[tuple[I32, I64, U16]] = []
        self._records = 0
        self._clients: list[I64] = []
        """Lane and port in one number."""
        self._noted = 0
        self._noted_before = 0

    def __len__(self) -> int:
        """Records that wait to be sorted in."""
        return self._records

    def number(self, lane: FlowLane) -> int:
        """The lane's number."""
        number = self._known.get(id(lane))
        if number is None:
            number = self._known[id(lane)] = len(self._lanes)
            self._lanes.append(lane)
            if number == len(self._ats):
                self._make_room(max(_ROOM, number))
            if lane.unit > 1:
                # Of allowed records neither examples nor ports are kept.
                self._ats[number], self._ports[number] = _BEFORE_ALL, 0
                self._allowed = True
        return number

    def take(
        self,
        name: str,
        numbers: Numbers,
        ats: Numbers,
        ports: Numbers,
        flags: Numbers,
        lines: _Lines,
        keep: _Keep,
    ) -> None:
        """Count records of one input.

        Args:
            name: of the input.
            numbers: their lanes, as `number` gave.
            ats: nanoseconds; -1 for none.
            ports: of clients; -1 for none.
            flags: by `TCP_FLAGS`.
            lines: the lines of records by their index here.
            keep: called with lane, time, line and index of what is to be kept.
        """
        if not len(numbers):
            return
        few = (
            _column("i", numbers, np.int32),
            _column("q", ats, np.int64),
            _column("q", ports, np.int64),
            _column("H", flags, np.uint16),
        )
        self._held.append(few)
        self._asked.append(_Call(len(numbers), name, lines, keep))
        self._held_records += len(numbers)
        if self._held_records >= _FEW or len(self._asked) >= _MOST_TEXTS:
            self.let_go()

    def let_go(self) -> None:
        """Count the records that were held back, and so let go of their texts and of the functions that gave them."""
        if not self._held:
            return
        of_lanes, moments, clients, bits = (
            column[0] if len(column) == 1 else np.concatenate(column)
            for column in zip(*self._held, strict=True)
        )
        asked = _Asked(self._asked)
        self._held, self._asked, self._held_records = [], [], 0
        chosen = inside(moments, self._limits)
        self._keep(of_lanes, moments, asked, chosen)
        if chosen is not None:
            of_lanes, moments = of_lanes[chosen], moments[chosen]
            clients, bits = clients[chosen], bits[chosen]
            if not len(of_lanes):
                return
        bounds = self._ports[of_lanes]
        latest = int(moments.max())
        if latest >= (0 if self._allowed else _FAR) or clients.max() > _LAST_PORT:
            # A time too late for `Rows`, a number that is no port, or an allowed record with a time.
            odd = (moments >= _FAR) | (clients > _LAST_PORT) | ((bounds == 0) & (moments >= 0))
            for row in np.flatnonzero(odd).tolist():
                self._take_one(int(of_lanes[row]), int(moments[row]), int(clients[row]), int(bits[row]))
            usual = ~odd
            of_lanes, moments, bits = of_lanes[usual], moments[usual], bits[usual]
            clients, bounds = clients[usual], bounds[usual]
        self._waiting.append((of_lanes, moments, bits))
        self._records += len(of_lanes)
        fresh = (clients < bounds) & (clients >= 0)
        self._clients.append(of_lanes[fresh].astype(np.int64) << _PORT_BITS | clients[fresh])
        self._noted += len(self._clients[-1])
        if self._noted > max(_MOST_PORTS, 2 * self._noted_before):
            self._least_ports()

    def sort_in(self) -> None:
        """Sum up what waits."""
        if not self._waiting:
            return
        numbers, ats, flags = (np.concatenate(column) for column in zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._records = 0
        np.bitwise_or.at(self._flags, numbers, flags)
        timed = ats >= 0
        if not timed.all():
            self._untimed += np.bincount(numbers[~timed], minlength=len(self._untimed))
            numbers, ats = numbers[timed], ats[timed]
        np.minimum.at(self._firsts, numbers, ats)
        np.maximum.at(self._lasts, numbers, ats)
        rows = np.sort(rows_of(numbers.astype(np.int64), ats // NS))
        first = first_of_runs(rows)
        self._rows.add(rows[first], np.diff(first, append=len(rows)), self._shifts)

    def pour(self) -> None:
        """Give the lanes all that was counted here."""
        self.let_go()
        self.sort_in()
        self._pour_ports()
        touched = np.flatnonzero((self._lasts >= 0) | (self._untimed > 0))
        if not len(touched):
            return
        self._rows.settle(self._shifts)
        starts, counts, sizes = self._rows.of(touched)
        seconds, weights, end = starts.tolist(), counts.tolist(), 0
        for number, size, first, last, untimed, flags, shift in zip(
            touched.tolist(),
            sizes.tolist(),
            *(
                column[touched].tolist()
                for column in (self._firsts, self._lasts, self._untimed, self._flags, self._shifts)
            ),
            strict=True,
        ):
            lane = self._lanes[number]
            start, end = end, end + size
            lane.add(zip(seconds[start:end], weights[start:end], strict=True), shift)
            if last >= 0:
                lane.first, lane.last = min(lane.first, first), max(lane.last, last)
            lane.untimed += untimed
            lane.flags |= flags
        self._rows = Rows(self._limits.refused_buckets)
        self._firsts[:], self._lasts[:] = _LAST_TIME, _NO_TIME
        for column in (self._untimed, self._flags, self._shifts):
            column[:] = 0

    def forget_bounds(self) -> None:
        """Forget the bounds of all lanes, since the lines of their examples are about to change."""
        self.let_go()
        self._ats[self._ats != _BEFORE_ALL] = _LAST_TIME

    # -- inside ------------------------------------------------------------------------------------

    def _make_room(self, more: int) -> None:
        self._ats = padded(self._ats, more, _LAST_TIME)
        self._lines = padded(self._lines, more, 0)
        self._of_inputs = padded(self._of_inputs, more, 0)
        self._ports = padded(self._ports, more, _LAST_PORT + 1)
        self._firsts = padded(self._firsts, more, _LAST_TIME)
        self._lasts = padded(self._lasts, more, _NO_TIME)
        self._untimed = padded(self._untimed, more, 0)
        self._flags = padded(self._flags, more, 0)
        self._shifts = padded(self._shifts, more, 0)

    def _keep(self, numbers: I32, ats: I64, asked: _Asked, chosen: Mask | None) -> None:
        """Have lanes keep the records that come before their last example; of the `chosen` alone, if these are given."""
        bounds = self._ats[numbers]
        early = ats < bounds
        level = np.flatnonzero(ats == bounds)
        if len(level):
            of_lanes = numbers[level]
            of_inputs = asked.inputs(level, self._inputs)
            early[level] = (self._of_inputs[of_lanes] != of_inputs) | (
                asked.lines(level) < self._lines[of_lanes]
            )
        if chosen is not None:
            early &= chosen
        rows = np.flatnonzero(early)
        if not len(rows):
            return
        most = self._limits.examples
        for row, number, at, line in zip(
            rows.tolist(), numbers[rows].tolist(), ats[rows].tolist(), asked.lines(rows).tolist(), strict=True
        ):
            lane = self._lanes[number]
            call, index = asked.call(row)
            kept = lane.examples
            if kept is not None and len(kept) >= most:
                last = kept[-1]
                if (at, call.name, line) >= (last.at, last.input, last.line):
                    continue
            call.keep(lane, at, line, index)
            kept = lane.examples
            if kept is not None and len(kept) >= most:
                last = kept[-1]
                self._ats[number], self._lines[number] = last.at, last.line
                self._of_inputs[number] = self._inputs.setdefault(last.input, len(self._inputs))

    def _take_one(self, number: int, at: int, port: int, flags: int) -> None:
        """Count one record that the columns do not take."""
        lane = self._lanes[number]
        lane.hit(at if at >= 0 else None)
        lane.flags |= flags
        if port >= 0 and lane.unit == 1:
            lane.note_port(port)

    def _least_ports(self) -> I64:
        """Drop all waiting ports but the smallest of each lane, and give those that are left, in order."""
        keys = np.sort(np.concatenate([none(np.int64), *self._clients]))
        keys = keys[first_of_runs(keys)]
        numbers = keys >> _PORT_BITS
        begin = first_of_runs(numbers)
        sizes = np.diff(begin, append=len(keys))
        most = self._limits.source_ports
        last = begin[sizes >= most] + most - 1
        self._ports[numbers[last]] = (keys[last] & _PORT).astype(np.int32)
        keys = keys[np.arange(len(keys)) - np.repeat(begin, sizes) < most]
        self._clients = [keys]
        self._noted = self._noted_before = len(keys)
        return keys

    def _pour_ports(self) -> None:
        if not self._noted:
            return
        keys = self._least_ports()
        numbers, ports = keys >> _PORT_BITS, (keys & _PORT).tolist()
        begin = first_of_runs(numbers)
        for number, start, end in zip(
            numbers[begin].tolist(), begin.tolist(), [*begin[1:].tolist(), len(keys)], strict=True
        ):
            self._lanes[number].note_ports(ports[start:end])
        self._clients.clear()
        self._noted = self._noted_before = 0


class _Asked:
    """Answers about records of several calls of `take`, by their index among all of them."""

    def __init__(self, calls: Sequence[_Call]) -> None:
        self._calls = calls
        self._starts = [0, *accumulate(call.size for call in calls)]

    def lines(self, rows: I64) -> I64:
        """The lines of some of them, which are in order."""
        ends = np.searchsorted(rows, self._starts[1:]).tolist()
        pieces, begin = [], 0
        for call, start, end in zip(self._calls, self._starts, ends, strict=False):
            if end > begin:
                pieces.append(call.lines(rows[begin:end] - start))
            begin = end
        return np.concatenate([none(np.int64), *pieces])

    def inputs(self, rows: I64, numbers: dict[str, int]) -> I64:
        """The inputs of some of them by number; `numbers` grows by those that are new."""
        of_calls = np.array([numbers.setdefault(call.name, len(numbers)) for call in self._calls], np.int64)
        return of_calls[np.searchsorted(self._starts, rows, "right") - 1]

    def call(self, row: int) -> tuple[_Call, int]:
        """The call that one came with, and its index there."""
        place = bisect_right(self._starts, row) - 1
        return self._calls[place], row - self._starts[place]


def _column(code: str, values: Numbers, kind: type[Any]) -> NDArray[Any]:
    """Give numbers as a column.  A list becomes an array first, since numpy would look at the type of each of its numbers."""
    return np.frombuffer(values if isinstance(values, array) else array(code, values), kind)
