"""Folding lines that differ only in their time and in a client's port: the second of a kind is only counted.

A log of connections says the same thing over and over.  A parser that can tell, without reading a line,
what of it varies (`Cut`) reads the first line of each shape as ever, and counts the others in the lane
that the first one went to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from flowdiag.model.event import Event, FlowEvent, TimeSource
from flowdiag.model.time import NS
from flowdiag.parserkit.block import Block, LineEnvelope
from flowdiag.parserkit.lines import cut_lines
from flowdiag.parserkit.placing import REFUSED, lane_of, place_event
from flowdiag.parserkit.sink import FlowSink, Lane

__all__ = ["CLIENTS", "Cut", "fold_shapes"]

CLIENTS = b"32768"
"""First port that Linux gives to clients, as digits: five of them compare as numbers do."""
_MOST = 200_000
"""Shapes that are remembered; a file of ever new ones is read line by line beyond."""


class Cut(Struct, frozen=True, gc=False):
    """What a line says beside its shape."""

    shape: tuple[Any, ...]
    """All of the line but its time and `client`; equal shapes make equal records."""
    client: int
    """The port that varies."""
    at: int | None
    """Nanoseconds; ``None`` without a time."""


class _Known(Struct, frozen=True, gc=False):
    lane: Lane
    refused: bool


def fold_shapes(
    block: Block,
    sink: FlowSink,
    cut: Callable[[bytes, int], Cut | None],
    read: Callable[[bytes, int, LineEnvelope], Iterable[Event]],
) -> None:
    """Count all records of `block` in `sink`.

    Args:
        block: whole records of a line each.
        sink: where they are counted.
        cut: shape of a line and its index, or ``None`` where it must be read; its `Cut.at` is what reading
            would give.
        read: events of a line, as the parser's own `parse` yields them, with `raw`.
    """
    known: dict[tuple[Any, ...], _Known] = sink.memo.setdefault("line-shapes", {})
    records, first, last = 0, None, None
    read_one = False
    for index, line in enumerate(cut_lines(block.data)):
        if not line.strip():
            continue
        parts = cut(line, index)
        found = known.get(parts.shape) if parts is not None else None
        if parts is None or found is None or not read_one:
            # One line of each block is read whatever it is: what it says of its input (how sure its
            # times are) is then said of this input too, and not only of the one where the shape was met.
            events = list(read(line, index, block.of_line(index)))
            for event in events:
                sink.add(event)
                read_one = read_one or isinstance(event, FlowEvent)
            if parts is not None and found is None and len(known) < _MOST:
                _remember(known, sink, parts, events)
            continue
        at = parts.at
        lane = found.lane
        records += 1
        if at is None:
            lane.hit(None)
        else:
            # What `hit` does, without a call a line.
            second = at // NS
            start = second - second % lane.unit
            buckets = lane.buckets
            buckets[start] = buckets.get(start, 0) + 1
            if len(buckets) > lane.limit:
                lane.widen()
            lane.first = min(lane.first, at)
            lane.last = max(lane.last, at)
            if first is None or at < first:
                first = at
            if last is None or at > last:
                last = at
        if found.refused:
            sink.keep(lane, at, parts.client, block.of_line(index).line, line)
    if records:
        sink.seen(records, first, last)


def _remember(known: dict[tuple[Any, ...], _Known], sink: FlowSink, parts: Cut, events: list[Event]) -> None:
    """Keep the lane, where all that varies is what a lane leaves out."""
    if len(events) != 1:
        return
    (event,) = events
    if not isinstance(event, FlowEvent) or event.l7 is not None or event.count != 1:
        return
    placed = place_event(event)
    if placed.source_port != parts.client or placed.port == parts.client:
        return
    if (event.at is None) != (parts.at is None) or event.at != parts.at:
        return
    if event.at is None and event.time_source is not TimeSource.NONE:
        return
    known[parts.shape] = _Known(lane_of(sink, event, placed), event.verdict in REFUSED)
