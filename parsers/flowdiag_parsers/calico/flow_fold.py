"""The fast path of Calico's flow logs: a record is decoded once, and read only where its kind is new.

Whisker's records and Enterprise's files are flat objects whose names repeat for as long as the pods live; times
and counters are what varies.  Wrapped, levelled and damaged records go through the parser's own reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, field

from flowdiag.parserkit import (
    REFUSED,
    Block,
    Event,
    FlowEvent,
    FlowSink,
    Lane,
    LineEnvelope,
    LinesOf,
    ParseContext,
    lane_of,
    place_event,
    port_kind,
)
from flowdiag_parsers.calico.flow_record import instant, integer
from flowdiag_parsers.calico.whisker_lines import fold_lines

__all__ = ["decoder", "fold_records"]

_MOST = 200_000
_NOTHING = Raw(b"")
_Read = Callable[[bytes, LineEnvelope, ParseContext], Iterable[Event]]


class _Hot(Struct, gc=False):
    """The fields of a flat record that are read (`flow_record.flow_event`), and those that wrap one."""

    start_time: Any = None
    action: Any = None
    reporter: Any = None
    source_name: Any = UNSET
    source_name_aggr: Any = None
    source_namespace: Any = None
    source_type: Any = None
    source_ip: Any = None
    source_port: Any = None
    source_labels: Raw = _NOTHING
    source_domains: Raw = _NOTHING
    dest_name: Any = None
    dest_name_aggr: Any = None
    dest_namespace: Any = None
    dest_type: Any = None
    dest_ip: Any = None
    dest_port: Any = None
    dest_labels: Raw = _NOTHING
    dest_domains: Raw = _NOTHING
    dest_service_name: Any = None
    dest_service_namespace: Any = None
    protocol: Any = UNSET
    proto: Any = None
    host: Any = None
    policies: Raw = _NOTHING
    num_flows: Any = None
    packets_in: Any = None
    packets_out: Any = None
    from_source: Any = field(default=UNSET, name="_source")
    event: Any = UNSET
    flow: Any = UNSET
    result: Any = UNSET
    hits: Any = UNSET
    items: Any = UNSET
    flows: Any = UNSET
    responses: Any = UNSET
    log: Any = UNSET
    message: Any = UNSET
    Key: Any = UNSET
    key: Any = UNSET
    protobuf: Any = field(default=UNSET, name="from_protobuf")


decoder = msgspec.json.Decoder(_Hot)
"""Of one record, or of lines of them."""


class _Kept(Struct, gc=False):
    lane: Lane
    refused: bool


def fold_records(block: Block, context: ParseContext, sink: FlowSink, read: _Read) -> None:
    """Count all records of `block` in `sink`.

    Args:
        block: a record a line.
        context: of the input.
        sink: where they are counted.
        read: events of a line, as `parse` yields them.
    """
    context = msgspec.structs.replace(context, keep_raw=True)
    known: dict[tuple[Any, ...], _Kept] = sink.memo.setdefault("calico-flows", {})
    if len(known) > _MOST:
        known.clear()
    columns = block.envelope
    lines = LinesOf(block.data)
    places = fold_lines(block, context, sink, read) if columns is None else range(len(lines))
    others = lines.at(places)
    nodes = columns.node if columns is not None else None
    instants: dict[Any, int | None] = {}
    records, first, last = 0, 1 << 63, -1
    for index, line, hot in zip(places, others, _decoded(others), strict=True):
        node = (nodes[index] if nodes is not None else None) or context.node
        key, at = _key(hot, node) if hot is not None else None, None
        if key is not None and hot is not None:
            start = hot.start_time
            at = instants[start] if start in instants else instants.setdefault(start, instant(start, context))
            kept = known.get(key)
            if kept is not None and at is not None and at >= 0:
                records += 1
                kept.lane.hit(at, _weight(hot))
                last, first = max(last, at), min(first, at)
                if kept.refused:
                    client = integer(hot.source_port) or None
                    sink.keep(kept.lane, at, client, block.of_line(index).line, line)
                continue
        if not line:
            continue
        events = list(read(line, block.of_line(index), context))
        for event in events:
            sink.add(event)
        if key is not None and hot is not None and len(events) == 1:
            _remember(known, key, integer(hot.source_port) or None, _weight(hot), at, events[0], sink)
    if records:
        sink.seen(records, first, last)


def _decoded(lines: list[bytes]) -> Iterable[_Hot | None]:
    bodies = [line if line[:1] == b"{" else line[max(line.find(b"{"), 0) :] for line in lines]
    try:
        # A blank line would be passed over, and the others slip.
        if all(bodies):
            return _same(decoder.decode_lines(b"\n".join(bodies)), len(lines)) or map(_one, bodies)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return map(_one, bodies)


def _same(found: list[_Hot], wanted: int) -> list[_Hot] | None:
    """Two objects glued together and a line of blanks would make up for each other, but for nothing else."""
    return found if len(found) == wanted else None


def _one(line: bytes) -> _Hot | None:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _weight(hot: _Hot) -> int:
    return max(1, integer(hot.num_flows) or 1)


def _is_flat(hot: _Hot) -> bool:
    """Whether `level` would leave it as it is, and `unwrap` would take nothing off."""
    return (
        hot.source_name is not UNSET
        and hot.policies is not _NOTHING
        and hot.from_source is UNSET
        and hot.event is UNSET
        and hot.flow is UNSET
        and hot.result is UNSET
        and hot.hits is UNSET
        and hot.items is UNSET
        and hot.flows is UNSET
        and hot.responses is UNSET
        and hot.log is UNSET
        and hot.message is UNSET
        and hot.Key is UNSET
        and hot.key is UNSET
        and hot.protobuf is UNSET
    )


def _key(hot: _Hot, node: str | None) -> tuple[Any, ...] | None:
    """All that tells kinds of records apart; ``None`` where a record must be read."""
    if not _is_flat(hot):
        return None
    entered, left = integer(hot.packets_in), integer(hot.packets_out)
    client = integer(hot.source_port)
    key = (
        node,
        hot.action,
        hot.reporter,
        hot.source_name,
        hot.source_name_aggr,
        hot.source_namespace,
        hot.source_type,
        hot.source_ip,
        client if client is None else port_kind(client),
        bytes(hot.source_labels),
        bytes(hot.source_domains),
        hot.dest_name,
        hot.dest_name_aggr,
        hot.dest_namespace,
        hot.dest_type,
        hot.dest_ip,
        integer(hot.dest_port),
        bytes(hot.dest_labels),
        bytes(hot.dest_domains),
        hot.dest_service_name,
        hot.dest_service_namespace,
        hot.protocol,
        type(hot.protocol),
        hot.proto,
        type(hot.proto),
        hot.host,
        bytes(hot.policies),
        entered is not None and left is not None and entered + left == 0,
    )
    try:
        hash((key, hot.start_time))
    except TypeError:  # an object or a list where a word should be
        return None
    return key


def _remember(
    known: dict[tuple[Any, ...], _Kept],
    key: tuple[Any, ...],
    client: int | None,
    weight: int,
    at: int | None,
    event: Event,
    sink: FlowSink,
) -> None:
    """Keep the lane, where what varies is what a lane leaves out."""
    if not isinstance(event, FlowEvent) or at is None or event.at != at:
        return
    placed = place_event(event)
    if event.count == weight and not placed.shape.turned and placed.source_port == client:
        known[key] = _Kept(lane_of(sink, event, placed), event.verdict in REFUSED)
