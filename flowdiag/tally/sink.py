"""A tally as the sink of one parser reading one input."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from flowdiag.model.event import ChangeEvent, Direction, Event, LogEvent, Peer, PolicyHit, Witness
from flowdiag.parserkit.block import Block
from flowdiag.parserkit.sink import FlowShape, Lane
from flowdiag.tally.counting import Counting
from flowdiag.tally.grouping import I64
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.notes import Note
from flowdiag.tally.table import lane_code
from flowdiag.tally.waiting import Repeats, Waiting

__all__ = ["BoundSink"]


class BoundSink:
    """See `flowdiag.parserkit.sink.FlowSink`."""

    def __init__(self, counting: Counting, parser: str, name: str, memo: dict[str, dict[Any, Any]]) -> None:
        self._counting = counting
        self._table = counting.table
        self._parser = parser
        self._input = name
        self.memo = memo

    def add(self, event: Event) -> None:
        """Count any event."""
        self._counting.count(event, self._parser, self._input)

    def add_again(self, event: LogEvent | ChangeEvent, at: int | None, line: int, raw: bytes) -> None:
        """Count an event that is like one before."""
        self._counting.count_again(event, at, line, raw, self._parser, self._input)

    def add_all_again(
        self,
        events: Sequence[LogEvent | ChangeEvent],
        ats: Sequence[int],
        lines: Sequence[int],
        raw: Callable[[int], bytes],
    ) -> None:
        """Count events of one kind that are like ones before."""
        self._counting.count_all_again(events, ats, lines, raw, self._parser, self._input)

    def peer(self, peer: Peer) -> int:
        """Number of an end."""
        return self._table.peer(peer)

    def shape(self, shape: FlowShape) -> int:
        """Number of a shape."""
        return self._table.shape(self._parser, shape)

    def lane(
        self,
        src: int,
        dst: int,
        port: int | None,
        shape: int,
        direction: Direction | None,
        witness: Witness | None,
    ) -> FlowLane:
        """The lane of such records."""
        return self._counting.lane(src, dst, port, shape, lane_code(direction, witness))

    @property
    def waiting(self) -> Waiting:
        """Where records of a `kind` are appended."""
        return self._table.columns.waiting

    @property
    def repeats(self) -> Repeats:
        """Where records that are alike are appended."""
        return self._table.columns.repeats

    def kind(
        self,
        shape: int,
        direction: Direction | None,
        witness: Witness | None,
        *,
        src_names: tuple[str, ...] | None,
        dst_names: tuple[str, ...] | None,
        policies: tuple[PolicyHit, ...],
        time_rank: int = 0,
    ) -> int | None:
        """Number of a kind of allowed records."""
        note = Note(policies, src_names or (), dst_names or (), time_rank)
        return self._table.kind(shape, lane_code(direction, witness), note)

    def note(
        self,
        lane: Lane,
        *,
        src_names: tuple[str, ...] | None,
        dst_names: tuple[str, ...] | None,
        policies: tuple[PolicyHit, ...],
    ) -> None:
        """Names of the ends and policies."""
        if isinstance(lane, FlowLane):
            lane.note_names(src_names, dst_names)
            if policies:
                lane.note_policies(policies)

    def keep(self, lane: Lane, at: int | None, source_port: int | None, line: int, raw: bytes) -> None:
        """Source port and example of a refused record."""
        if isinstance(lane, FlowLane):
            self._counting.keep(lane, at, source_port, self._input, line, raw)

    def number(self, lane: Lane) -> int:
        """The number of a lane."""
        return self._table.batches.number(cast("FlowLane", lane))

    def hits(
        self,
        block: Block,
        numbers: Sequence[int],
        ats: Sequence[int],
        ports: Sequence[int],
        flags: Sequence[int],
        places: Sequence[int],
        raw: Callable[[int], bytes],
    ) -> None:
        """Records of lanes."""
        columns, first, counting = block.envelope, block.first_line, self._counting
        of_places = columns.lines if columns is not None else None

        def lines(rows: I64) -> I64:
            if isinstance(places, range):
                chosen = rows + places.start
            else:
                # Numpy asks each number of a list what it is.
                chosen = np.frombuffer(array("q", places), np.int64)[rows]
            return np.array(of_places, np.int64)[chosen] if of_places else chosen + first

        def keep(lane: FlowLane, at: int, line: int, row: int) -> None:
            counting.keep(lane, at if at >= 0 else None, None, self._input, line, raw(places[row]))

        self._table.batches.take(self._input, numbers, ats, ports, flags, lines, keep)

    def answer(self, name: str, ips: tuple[str, ...], at: int | None, ttl: int | None) -> None:
        """A DNS answer."""
        note = self._counting.answers.note
        for ip in ips:
            note(name, ip, at, at, ttl)

    def seen(self, records: int, first: int | None, last: int | None, *, year_inferred: bool = False) -> None:
        """Flow records that went to lanes directly; the end of a block."""
        self._counting.count_flows(
            self._parser, self._input, records, first, last, year_inferred=year_inferred
        )

    def quiet(self, records: int, first: int | None, last: int | None) -> None:
        """Log records without a signal."""
        self._counting.count_quiet(self._parser, self._input, records, first, last)
