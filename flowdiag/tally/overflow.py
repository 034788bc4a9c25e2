"""Counting records straight into remainders, where their flows would be folded in any case.

Once a group is full, a new flow whose hash lies above those that the group keeps would be dropped by every later look
at the bounds (see `bounds`).  So it gets no lane of its own.  This matters for port scans, whose records are all of new
flows.
"""

from __future__ import annotations

from msgspec import Struct

from flowdiag.tally.columns import UNIT
from flowdiag.tally.groups import Group, Groups
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.sketch import Sketch
from flowdiag.tally.table import BITS, FOLDED, Table

__all__ = ["Overflow"]

_MOST = (1 << BITS) - 1
_MAX_WAYS = 65_536
"""Ways that are remembered; beyond that all are forgotten, and worked out again."""


class _Way(Struct, gc=False):
    """Flows that differ in their port only."""

    shape: int
    """As they are counted."""
    group: Group
    ends: int
    """Hash of both."""
    most: int
    """The greatest hash of a flow that may be kept."""
    lane: FlowLane | None = None
    """The remainder, once it is needed."""


class Overflow:
    """Of one table, after it was looked at; good for as long as its numbers are."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._groups = Groups(table)
        self._ways: dict[tuple[int, int, int, int], _Way] = {}

    def lane(self, src: int, dst: int, port: int | None, shape: int, code: int) -> FlowLane | None:
        """Give the remainder that a refused record counts in, and note its port; ``None`` where its flow may be kept."""
        way = self._ways.get((src, dst, shape, code))
        if way is None:
            way = self._way(src, dst, shape, code)
        if way.most == _MOST or self._groups.hash_behind(way.ends, port, way.shape) <= way.most:
            return None
        if way.lane is None:
            way.lane = self._remainder(src, dst, shape, code, way)
        if way.lane.sketch is not None:
            way.lane.sketch.note(port, None)
        return way.lane

    def _way(self, src: int, dst: int, shape: int, code: int) -> _Way:
        table, groups = self._table, self._groups
        plain = table.counted_shape(shape, code)
        group, most = (src, dst, plain), _MOST
        if table.unit(plain) != UNIT:
            group = groups.group((src, dst, None, plain))
            most = min(table.cutoffs.get(group, _MOST), (1 << table.refused_bits) - 1)
        way = _Way(plain, group, groups.ends_hash(src, dst), most)
        if len(self._ways) >= _MAX_WAYS:
            self._ways.clear()
        self._ways[src, dst, shape, code] = way
        return way

    def _remainder(self, src: int, dst: int, shape: int, code: int, way: _Way) -> FlowLane:
        # If there are too many remainders, the next look at the bounds puts this one into the pool.
        table, group = self._table, way.group
        lane = table.lane(FOLDED, *group[:2], None, group[2], code)
        if lane.sketch is None:
            lane.sketch = Sketch()
        lane.sketch.note(None, self._groups.folded_hash(src, dst, group))
        table.note_words(lane, shape, way.shape)
        return lane
