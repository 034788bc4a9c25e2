"""Whisker's usual lines by their bytes: what stands between their times and their counters says what they are.

A line is cut by one pattern, and is decoded only where its middle is new: another with the same middle is the same
record but for its times and counters, as both patterns around it leave nothing else open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Raw, Struct

from flowdiag.parserkit import (
    PLAIN,
    Block,
    Entry,
    Event,
    FlowEvent,
    FlowSink,
    LineEnvelope,
    LinesOf,
    ParseContext,
    place_event,
)
from flowdiag_parsers.calico.flow_record import instant

__all__ = ["fold_lines"]

_MOST = 100_000
_NUMBER = rb"(?:0|[1-9]\d{0,17})"
# Both times, what says what the record is, packets each way; or another line.
# {"start_time":"2026-03-02T10:00:00Z","end_time":"2026-03-02T10:00:15Z","action":"Deny", ... ,"policies":{ ... },"packets_in":8,
#  "packets_out":0,"bytes_in":592,"bytes_out":0}
_LINE = re.compile(
    rb'(?:\{"start_time":"([^"]{1,40}","end_time":"[^"]{1,40})",(.*),"packets_in":(%s),"packets_out":(%s),"bytes_in":%s,"bytes_out":%s\}'
    rb"|.*)\n" % (_NUMBER, _NUMBER, _NUMBER, _NUMBER)
)
_TIMES = re.compile(rb'([0-9TZ:.+-]{1,40})","end_time":"[0-9TZ:.+-]{1,40}')
_UNREADABLE = -1


class _Whisker(Struct, gc=False, forbid_unknown_fields=True):
    """A record of Whisker's API as it is, no field more and none less: nothing can wrap it."""

    start_time: str
    end_time: str
    action: str
    source_name: str
    source_namespace: str
    source_labels: Raw
    dest_name: str
    dest_namespace: str
    dest_labels: Raw
    protocol: str
    dest_port: int
    reporter: str
    policies: Raw
    packets_in: int
    packets_out: int
    bytes_in: Raw
    bytes_out: Raw


_decode = msgspec.json.Decoder(_Whisker).decode
_Known = dict[bytes, int]


def fold_lines(
    block: Block,
    context: ParseContext,
    sink: FlowSink,
    read: Callable[[bytes, LineEnvelope, ParseContext], Iterable[Event]],
) -> list[int]:
    """Count the usual lines of a block without an envelope; gives the indexes of the others."""
    data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
    lines = LinesOf(block.data)
    memory: dict[str | None, tuple[_Known, _Known]] = sink.memo.setdefault("calico-whisker", {})
    # Where no packet was seen the record says something else.
    seen, unseen = memory.setdefault(context.node, ({}, {}))
    for known in (seen, unseen):
        if len(known) > _MOST:
            known.clear()
    instants: dict[bytes, int] = {b"": _UNREADABLE}
    rows: list[int] = []
    ats: list[int] = []
    lanes: list[int] = []
    moments: list[int] = []
    places: list[int] = []
    left: list[int] = []
    found = _LINE.findall(data if data.endswith(b"\n") else data + b"\n")
    if len(found) != len(lines):
        # One ran over a newline, or there is nothing.
        return list(range(len(lines)))
    for place, (times, middle, entered, gone) in enumerate(found):
        at = instants.get(times)
        if at is None:
            at = instants[times] = _instant(times, context)
        if at < 0:
            left.append(place)
            continue
        known = unseen if entered == b"0" == gone else seen
        number = known.get(middle)
        if number is None:
            number = _learn(lines[place], at, block.of_line(place), context, sink, read)
            if number is None:
                left.append(place)
                continue
            known[middle] = number
        if number >= 0:
            rows.append(number)
            ats.append(at)
        else:
            lanes.append(~number if number > PLAIN else PLAIN - 1 - number)
            moments.append(at)
            places.append(place)
    if rows:
        repeats = sink.repeats
        repeats.numbers.fromlist(rows)
        repeats.ats.fromlist(ats)
        repeats.flags.fromlist([0] * len(rows))
        sink.seen(len(rows), min(ats), max(ats))
    if lanes:
        none = [-1] * len(lanes)
        sink.hits(block, lanes, moments, none, [0] * len(lanes), places, lines.__getitem__)
        sink.seen(len(lanes), min(moments), max(moments))
    return left


def _instant(times: bytes, context: ParseContext) -> int:
    match = _TIMES.fullmatch(times)
    at = None if match is None else instant(match[1].decode(), context)
    return _UNREADABLE if at is None else at


def _learn(
    line: bytes,
    at: int,
    around: LineEnvelope,
    context: ParseContext,
    sink: FlowSink,
    read: Callable[[bytes, LineEnvelope, ParseContext], Iterable[Event]],
) -> int | None:
    """How records like this one are counted; ``None`` where they must be read."""
    # A field that stands there once more, in whatever spelling, would be the one that counts.
    if b"\\" in line or line.count(b'"start_time"') != 1:
        return None
    try:
        _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    events = list(read(line, around, context))
    event = events[0] if len(events) == 1 else None
    if not isinstance(event, FlowEvent) or event.at != at or event.count != 1 or event.l7 is not None:
        return None
    placed = place_event(event)
    if placed.shape.turned or placed.source_port is not None or placed.flags:
        return None
    port = b"" if placed.port is None else b"%d" % placed.port
    return Entry(event, placed, sink, by_left=False).number(port, sink)
