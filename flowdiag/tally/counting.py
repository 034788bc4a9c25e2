"""Counting events as they come: what the sinks of parsers write to, and what a `Tally` bounds, merges and answers from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowdiag.model.event import (
    ChangeEvent,
    Event,
    FlowEvent,
    LogEvent,
    ParseWarning,
    TimeSource,
)
from flowdiag.parserkit.placing import place_event
from flowdiag.tally.answers import Answers
from flowdiag.tally.examples import NO_TEXT, StoredExample
from flowdiag.tally.inputs import Inputs
from flowdiag.tally.lane import TIME_RANKS, FlowLane
from flowdiag.tally.limits import Limits
from flowdiag.tally.overflow import Overflow
from flowdiag.tally.sightings import Sightings
from flowdiag.tally.table import EXACT, REFUSED, Table, lane_code
from flowdiag.tally.texts import Texts

__all__ = ["Counting"]

_RANKS = {source: rank for rank, source in enumerate(TIME_RANKS)}
_MOST_COUNT = 1 << 40
"""The most that one record may stand for: sums of more could pass 64 bits, which no file or database here could hold."""


class Counting:
    """Distinct flows, what else matters, and counters per input, as they grow.

    Nothing here looks at the bounds, so that numbers which `table` has given stay good.

    Args:
        limits: what is kept of texts, logs and so on.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.table = Table(limits)
        self.answers = Answers(limits.answers)
        self._inputs = Inputs()
        self._sightings = Sightings(limits)
        self._overflow: Overflow | None = None
        """Where records go whose flow was folded into a remainder before; ``None`` until any was."""
        self._texts = Texts(limits)

    def count(self, event: Event, parser: str, name: str) -> None:
        """Count one event that `parser` found in the input `name`; its `raw`, if any, is what examples show."""
        counts = self._inputs.of(name, parser)
        if isinstance(event, ParseWarning):
            counts.warnings += 1
            self._sightings.add(event, parser, name)
            return
        counts.records += 1
        counts.seen(event.at)
        if event.time_source is TimeSource.INFERRED_YEAR:
            counts.year_inferred = True
        if isinstance(event, FlowEvent):
            counts.flows += 1
            # Also for a record outside the span that counts: parsers tell names and policies of a lane only once.
            self._flow(event, parser, name)
            self._answered(event)
        else:
            self._sightings.add(event, parser, name)

    def count_again(
        self, event: LogEvent | ChangeEvent, at: int | None, line: int, raw: bytes, parser: str, name: str
    ) -> None:
        """As `count`, for an event that differs from `event` in time, line and text alone."""
        counts = self._inputs.of(name, parser)
        counts.records += 1
        counts.seen(at)
        counts.year_inferred |= event.time_source is TimeSource.INFERRED_YEAR
        self._sightings.add_again(event, at, line, raw, parser, name)

    def count_all_again(
        self,
        events: Sequence[LogEvent | ChangeEvent],
        ats: Sequence[int],
        lines: Sequence[int],
        raw: Callable[[int], bytes],
        parser: str,
        name: str,
    ) -> None:
        """As `count_again`, for many of one kind, each with a time."""
        counts = self._inputs.of(name, parser)
        counts.records += len(events)
        counts.seen(min(ats))
        counts.seen(max(ats))
        counts.year_inferred |= any(event.time_source is TimeSource.INFERRED_YEAR for event in events)
        self._sightings.add_all_again(events, ats, lines, raw, parser, name)

    def _flow(self, event: FlowEvent, parser: str, name: str) -> None:
        placed = place_event(event)
        table = self.table
        lane = self.lane(
            table.peer(placed.src),
            table.peer(placed.dst),
            placed.port,
            table.shape(parser, placed.shape),
            lane_code(placed.direction, event.witness),
        )
        lane.hit(event.at, min(event.count, _MOST_COUNT))
        lane.flags |= placed.flags
        lane.time_rank = max(lane.time_rank, _RANKS[event.time_source])
        if placed.src_names or placed.dst_names:
            lane.note_names(placed.src_names, placed.dst_names)
        if event.policies:
            lane.note_policies(event.policies)
        if event.verdict in REFUSED:
            self.keep(lane, event.at, placed.source_port, name, event.line, event.raw)

    def _answered(self, event: FlowEvent) -> None:
        l7 = event.l7
        if l7 is not None and l7.ips and l7.query is not None:
            for ip in l7.ips:
                self.answers.note(l7.query, ip, event.at, event.at, l7.ttl)

    def lane(self, src: int, dst: int, port: int | None, shape: int, code: int) -> FlowLane:
        """Give the lane for records between these ends; all arguments are numbers that `table` gave."""
        lane = self._overflow and self._overflow.lane(src, dst, port, shape, code)
        return lane or self.table.lane(EXACT, src, dst, port, shape, code)

    def keep(
        self,
        lane: FlowLane,
        at: int | None,
        source_port: int | None,
        name: str,
        line: int,
        raw: bytes | str | None,
    ) -> None:
        """Note source port and example of a refused record."""
        if not self.limits.within(at):
            return
        if source_port is not None:
            lane.note_port(source_port)
        time = at if at is not None else -1
        if lane.wants_example(time):
            if lane.sketch is not None:
                # A remainder keeps the places of its examples, not their texts.
                lane.note_example(StoredExample(time, name, line, NO_TEXT))
                return
            lane.note_example(self._texts.example(time, name, line, raw))

    def count_flows(
        self,
        parser: str,
        name: str,
        records: int,
        first: int | None,
        last: int | None,
        *,
        year_inferred: bool,
    ) -> None:
        """Flow records that were counted in lanes directly."""
        counts = self._inputs.of(name, parser)
        counts.year_inferred |= year_inferred
        counts.records += records
        counts.flows += records
        counts.seen(first)
        counts.seen(last)

    def count_quiet(self, parser: str, name: str, records: int, first: int | None, last: int | None) -> None:
        """Log records without a signal."""
        counts = self._inputs.of(name, parser)
        counts.records += records
        counts.seen(first)
        counts.seen(last)
