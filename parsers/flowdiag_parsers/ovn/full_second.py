"""Seconds in which OVN's meter probably dropped lines: they hold exactly as many as it lets through.

Nothing is logged about lines that the meter drops, so a full second is the only trace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

from flowdiag.parserkit import NOTHING, NS, Event, Frame, GapEvent, Reading, Record, count_lines, utc_second

__all__ = ["Counting", "Seconds", "full", "full_second"]

_RATE = 20
"""ovnkube's default ``acl-logging-rate-limit``, messages a second and node."""

_STAMP = itemgetter(0)

Seconds = dict[str | None, list[int]]
"""By node the second of its latest line, and how many lines in a row were of that second."""


def full_second(shared: Frame, seconds: Seconds) -> Iterator[Event]:
    """Count a line; the gap's event if it is the last that the limit lets through in its second."""
    at, node = shared["at"], shared["node"]
    if at is None:
        return
    second = at // NS
    if _fills(seconds, node, second):
        yield full(shared, second)


def full(shared: Frame, second: int) -> GapEvent:
    """The event of a full second: lines of that node may be missing."""
    return GapEvent(
        line=shared["line"],
        at=second * NS,
        time_source=shared["time_source"],
        node=shared["node"],
        raw=shared["raw"],
        kind="rate-limited",
        until=(second + 1) * NS,
        message=f"{_RATE} ACL lines in one second, which is the default limit: counts are lower bounds",
    )


class Counting:
    """Counts lines of a second by their bytes.

    Args:
        seconds: what was counted before.
        node: the input's, where no envelope names one.
        quick: the pattern of usual lines; `LineForm.quick`.
        told: called for the last line of a full second, with its index, the block and the second.
    """

    def __init__(
        self,
        seconds: Seconds,
        node: str | None,
        quick: re.Pattern[bytes],
        told: Callable[[int, Reading, int], None],
    ) -> None:
        self._seconds = seconds
        self._node = node
        self._quick = quick
        self._told = told
        self._starts: dict[bytes, int | None] = {}

    def joined(self, place: int, record: Record, reading: Reading) -> Record:
        """See `LineForm.joined`."""
        second = self._second(record[0])
        if second is None:
            # Not a day of the calendar: the wrapper's time counts.
            reading.read(place, place + 1)
            return NOTHING
        columns = reading.block.envelope
        nodes = columns.node if columns is not None else None
        node = self._node if nodes is None else nodes[place] or self._node
        if _fills(self._seconds, node, second):
            self._told(place, reading, second)
        return record

    def whole(self, data: bytes, reading: Reading) -> bool:
        """See `LineForm.whole`: as `joined` for blocks of one node in which nearly all lines are usual."""
        columns = reading.block.envelope
        if (columns is not None and columns.node is not None) or not data.isascii() or b"\x1b" in data:
            return False
        if not data.endswith(b"\n"):
            return False
        found = self._quick.findall(data)
        if len(found) != count_lines(data):
            return False
        seconds, node = self._seconds, self._node
        if self._fill_none(list(map(_STAMP, found)), node):
            reading.amend_all(found)
            return True
        apart: set[int] = set()
        place = 0
        for stamp, run in groupby(map(_STAMP, found)):
            until = place + len(list(run))
            second = self._second(stamp) if stamp else None
            if second is None:
                reading.look_at(place, until)
                apart.update(range(place, until))
            else:
                before = seconds.get(node)
                if before is None or before[0] != second:
                    before = seconds[node] = [second, 0]
                missing = _RATE - before[1]
                before[1] += until - place
                if 0 < missing <= until - place:
                    self._told(place + missing - 1, reading, second)
            place = until
        if not apart:
            reading.amend_all(found)
            return True
        for place, record in enumerate(found):
            if place not in apart:
                reading.amend(place, record)
        return True

    def _fill_none(self, stamps: list[bytes], node: str | None) -> bool:
        """Count the lines of a block, where none of its seconds can be full."""
        lines = Counter(stamps)
        starts = {stamp: self._second(stamp) if stamp else None for stamp in lines}
        before = self._seconds.get(node) or [0, 0]
        if None in starts.values() or len(set(starts.values())) < len(starts):
            return False
        if not stamps or max(lines.values()) + before[1] >= _RATE:
            return False
        last = stamps[-1]
        run = next((back for back, stamp in enumerate(reversed(stamps)) if stamp != last), len(stamps))
        if run == len(stamps) and before[0] == starts[last]:
            run += before[1]
        self._seconds[node] = [starts[last] or 0, run]
        return True

    def _second(self, stamp: bytes) -> int | None:
        if stamp not in self._starts:
            at = utc_second(stamp, False)
            self._starts[stamp] = None if at is None else at // NS
        return self._starts[stamp]


def _fills(seconds: Seconds, node: str | None, second: int) -> bool:
    """Count a line; whether it is the last that the limit lets through."""
    before = seconds.get(node)
    if before is None or before[0] != second:
        seconds[node] = [second, 1]
        return False
    before[1] += 1
    return before[1] == _RATE
