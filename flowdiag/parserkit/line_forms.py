"""Folding records of text that have one form: a pattern cuts the whole block, and a known record is only counted.

A log of connections says the same thing over and over.  A parser gives one pattern (`LineForm`) whose groups
tell what varies between records of one kind (the moment, a client's port, TCP flags) from what does not; the
first record of a kind is read as ever, and the others are counted in the lane that it went to.  Whatever is in
no such form is read by the parser's own `parse`.

Folding so must give what reading and adding gives: a property test of each parser holds that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Event, FlowEvent, TimeSource
from flowdiag.model.time import NS
from flowdiag.parserkit.block import Block, Envelope, LineEnvelope, ParseContext
from flowdiag.parserkit.lines import cut_lines
from flowdiag.parserkit.placing import REFUSED, Placed, place_event
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.sink import FlowSink, Lane, flag_bits, port_kind

__all__ = ["GROUPS", "LineForm", "fold_forms", "part_of"]

GROUPS = (
    "second",
    "fraction",
    "head",
    "more",
    "left",
    "middle",
    "right",
    "what",
    "verdict",
    "flags",
    "rest",
    "other",
)
"""A form's groups in their order.

``second`` and ``fraction`` are the record's own time (empty where it has none), ``left`` and ``right`` the ports,
``flags`` the names of TCP flags, and ``other`` a line in no form; everything else that is captured tells kinds
of records apart.  What is not captured tells nothing: two records that differ only in it are alike.
"""

_MOST = 200_000
"""Lanes that are remembered; past it they are forgotten, and their next records are read again."""
_MOST_FLAGS = 512
_SCALES = tuple(10 ** (9 - digits) for digits in range(10))
_WORD = re.compile(rb"[A-Z]+")
_SYN_ACK = flag_bits(("SYN", "ACK"))

_RANKS = {source: rank for rank, source in enumerate(TimeSource)}
"""How sure a time is, surest first: as `Lane.time_rank` has it."""
_INFERRED = _RANKS[TimeSource.INFERRED_YEAR]
_NO_TIME, _UNREADABLE = -1, -(1 << 62)
_CLIENTS = b"32768"
"""First port that Linux gives to clients, as digits: five of them compare as numbers do."""

_BETWEEN = b"\xff"
"""Stands in no part: the patterns leave bytes that are not ASCII to reading."""
_MARKS = tuple((b"%dr" % rank, b"%dl" % rank) for rank in range(len(TimeSource)))
"""How sure the time is and whether the client's port is the left one, in a kind's key."""

_Clock = Callable[[bytes, LineEnvelope], int | None]
_Kind = tuple[bytes | int, ...]
_Key = bytes
_Scope = tuple[str | None, str | None]


class LineForm(Struct, frozen=True, kw_only=True):
    """How a parser's usual records look."""

    pattern: re.Pattern[bytes]
    """Groups as `GROUPS` has them; every match is one record or one other line, with its newline."""
    clock: _Clock | None = None
    """Nanoseconds of a ``second``, ``None`` where the record must be read.  A ``second`` that begins with a digit
    has its year."""
    read: Callable[[bytes, LineEnvelope], Iterable[Event]] | None = None
    """Events of one whole line in the form, where that is cheaper than `parse` of a block of it."""
    lines: int = 1
    """Lines of a record, where ``head`` spans none; each newline in ``head`` is one more."""
    raw_lines: int = 1
    """Of these, the first that belong to the record's text."""
    scope: str | None = None
    """What else tells this input's records from others' that look the same."""


class _Kept(Struct, gc=False):
    """A lane, and what the loop wants to know of it without looking at it: it lies cold in memory."""

    lane: Lane
    buckets: dict[int, int]
    refused: bool
    by_left: bool
    """The client's port is the left one."""


class _Entry:
    """All records that agree in everything but the moment and the ports."""

    __slots__ = ("by_left", "event", "place", "rank", "refused")

    def __init__(self, event: FlowEvent, placed: Placed, sink: FlowSink, *, by_left: bool) -> None:
        self.by_left = by_left
        """The client's port is the left one."""
        self.refused = event.verdict in REFUSED
        self.rank = _RANKS[event.time_source]
        self.event = event
        self.place = placed, sink.peer(placed.src), sink.peer(placed.dst), sink.shape(placed.shape)

    def open(self, server: bytes, sink: FlowSink) -> _Kept:
        """The lane of a server's port."""
        placed, src, dst, shape = self.place
        port = int(server) if server else None
        lane = sink.lane(src, dst, port, shape, placed.direction, self.event.witness)
        if placed.src_names or placed.dst_names or self.event.policies:
            sink.note(
                lane, src_names=placed.src_names, dst_names=placed.dst_names, policies=self.event.policies
            )
        lane.time_rank = max(lane.time_rank, self.rank)
        return _Kept(lane, lane.buckets, self.refused, self.by_left)


class _Memory:
    """What is known of earlier blocks, for as long as the sink's numbers are good."""

    __slots__ = ("entries", "flags", "lanes", "size")

    def __init__(self) -> None:
        self.lanes: dict[_Scope, dict[_Key, _Kept]] = {}
        """By node and scope."""
        self.entries: dict[_Scope, dict[_Kind, _Entry]] = {}
        self.size = 0
        self.flags: dict[bytes, tuple[int, bytes]] = {b"": (0, b"0")}
        """Text of flags -> their bits, and what of them tells a reply, for a kind's key."""


def fold_forms(parser: Parser, block: Block, context: ParseContext, sink: FlowSink, form: LineForm) -> None:
    """Count all records of `block` in `sink`.

    Args:
        parser: whose records they are; its `parse` reads what must be read.
        block: whole records.
        context: of the input.
        sink: where they are counted.
        form: how records look that need no reading.
    """
    kept = sink.memo.setdefault("line-forms", {})
    memory: _Memory | None = kept.get("memory")
    if memory is None or memory.size > _MOST:
        memory = kept["memory"] = _Memory()
    _Folding(parser, block, replace(context, keep_raw=True), sink, form, memory).run()


class _Folding:
    """One block's way through."""

    def __init__(
        self,
        parser: Parser,
        block: Block,
        context: ParseContext,
        sink: FlowSink,
        form: LineForm,
        memory: _Memory,
    ) -> None:
        self.parser = parser
        self.block = block
        self.context = context
        self.sink = sink
        self.form = form
        self.memory = memory
        self.lines = cut_lines(block.data)
        self.year_said = False
        """A record with an inferred year was added: the input's own counters know of it."""

    def run(self) -> None:
        """The loop that every record goes through; locals, and as little as can be."""
        block, form, memory, sink, lines = self.block, self.form, self.memory, self.sink, self.lines
        data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
        whole = data.endswith(b"\n")
        columns = block.envelope
        times = columns.at if columns is not None else None
        nodes = columns.node if columns is not None else None
        numbers = columns.lines if columns is not None else None
        column_rank = _INFERRED if columns is not None and columns.year_inferred else 1
        first_line, per_record = block.first_line, form.lines
        node = self.context.node
        known = memory.lanes.setdefault((node, form.scope), {})
        flags, join = memory.flags, _BETWEEN.join
        seconds: dict[bytes, tuple[int, int, int]] = {}
        index, waiting = 0, -1
        records, first, last = 0, 1 << 63, -1
        found = form.pattern.findall(data)
        for second, fraction, head, more, left, middle, right, what, verdict, words, rest, _ in found:
            if not head:
                if waiting < 0:
                    waiting = index
                index += 1
                continue
            place = index
            index = place + 1 if per_record == 1 else place + per_record + head.count(b"\n")
            if waiting >= 0:
                self.read(waiting, place)
                waiting = -1
            if nodes is not None and (nodes[place] or self.context.node) != node:
                node = nodes[place] or self.context.node
                known = memory.lanes.setdefault((node, form.scope), {})
            # When.
            if second:
                at, start, minute = seconds.get(second) or self.instant(second, place, seconds)
                if fraction:
                    at += int(fraction) * _SCALES[len(fraction)]
                rank = 0 if second[0] < 58 else _INFERRED  # 58 is the byte behind the digits
                marks = _MARKS[rank]
            elif times is None or (moment := times[place]) is None:
                at, start, minute, rank, marks = _NO_TIME, 0, 0, 3, _MARKS[3]
            else:
                at, start, rank, marks = moment, moment // NS, column_rank, _MARKS[column_rank]
                minute = start - start % 60
            # What.
            bits, handshake = flags.get(words) or self.flags(words)
            # Nearly always one port is of those that clients get; the other one is then the server's.
            by_left = len(left) == 5 and left >= _CLIENTS
            kept = None
            if by_left is not (len(right) == 5 and right >= _CLIENTS):
                server = right if by_left else left
                # One string is compared in one place; a tuple's parts lie all over the memory.
                mark = marks[by_left]
                kept = known.get(join((head, more, middle, what, verdict, rest, server, handshake, mark)))
            if kept is None or at < _NO_TIME or (rank == _INFERRED and not self.year_said):
                parts = (head, more, middle, what, verdict, rest)
                kept = self.meet(place, index, node, (*parts, handshake), (left, right), rank, bits, at)
                if kept is None:
                    continue
            # Count: what `hit` does, without a call a record.
            records += 1
            lane = kept.lane
            if at < 0:
                lane.hit(None)
            else:
                buckets = kept.buckets
                if not kept.refused:
                    start = minute
                if start in buckets:
                    buckets[start] += 1
                else:
                    buckets[start] = 1
                    if len(buckets) > lane.limit:
                        lane.widen()
                latest = lane.last
                if at > latest:
                    lane.last = at
                    if latest < 0:
                        lane.first = at
                elif at < lane.first:
                    lane.first = at
                if at > last:  # noqa: PLR1730 - a call of max costs ten times as much
                    last = at
                if at < first:  # noqa: PLR1730 - as above
                    first = at
            if bits:
                lane.flags |= bits
            if kept.refused:
                client = left if kept.by_left else right
                sink.keep(
                    lane,
                    at if at >= 0 else None,
                    int(client) if client else None,
                    numbers[place] if numbers else first_line + place,
                    lines[place] if per_record == 1 else self.raw(place, head),
                )
        if waiting >= 0 or not whole:
            self.read(waiting if waiting >= 0 else index, len(lines))
        if records:
            sink.seen(records, first if last >= 0 else None, last if last >= 0 else None)

    def instant(
        self, second: bytes, place: int, seconds: dict[bytes, tuple[int, int, int]]
    ) -> tuple[int, int, int]:
        """A stamp's nanoseconds, second and start of its minute; far before everything where it must be read."""
        clock = self.form.clock
        at = clock(second, self.block.of_line(place)) if clock is not None else None
        if at is None or at < 0:
            at = _UNREADABLE
        seconds[second] = known = at, at // NS, at // NS // 60 * 60
        return known

    def raw(self, place: int, head: bytes) -> bytes:
        """The text of a record of several lines."""
        return b"\n".join(self.lines[place : place + self.form.raw_lines + head.count(b"\n")])

    def flags(self, text: bytes) -> tuple[int, bytes]:
        """Bits of flags, and those that `looks_like_reply` asks for."""
        known = self.memory.flags.get(text)
        if known is None:
            bits = flag_bits(tuple(word.decode("ascii") for word in _WORD.findall(text)))
            known = bits, b"%d" % (bits & _SYN_ACK)
            if len(self.memory.flags) < _MOST_FLAGS:
                self.memory.flags[text] = known
        return known

    def meet(
        self,
        place: int,
        until: int,
        node: str | None,
        parts: tuple[bytes, ...],
        ports: tuple[bytes, bytes],
        rank: int,
        bits: int,
        at: int,
    ) -> _Kept | None:
        """Find the lane of a record by its kind, or read it, and remember what it is.

        Returns:
            Where the caller is to count the record; ``None`` where it is counted.
        """
        memory, scope = self.memory, (node, self.form.scope)
        entries = memory.entries.setdefault(scope, {})
        left, right = (int(port) if port else None for port in ports)
        key: _Kind = (*parts, _kind(left), _kind(right), rank)
        entry = entries.get(key)
        must_be_read = at < _NO_TIME or (rank == _INFERRED and not self.year_said)
        if entry is None or must_be_read:
            read = self.form.read
            if read is not None:
                events = list(read(self.lines[place], self.block.of_line(place)))
            else:
                events = list(self.parser.parse(part_of(self.block, self.lines, place, until), self.context))
            event = events[0] if len(events) == 1 else None
            if entry is None and isinstance(event, FlowEvent) and self.varies_as_told(event, bits, at):
                placed = place_event(event)
                found = (placed.source_port, placed.port)
                if found in ((left, right), (right, left)) and (left != right or left is None):
                    by_left = found == (left, right)
                    entry = entries[key] = _Entry(event, placed, self.sink, by_left=by_left)
                    memory.size += 1
            if entry is None or must_be_read:
                for one in events:
                    self.sink.add(one)
                    self.year_said = self.year_said or one.time_source is TimeSource.INFERRED_YEAR
                return None
        server = ports[entry.by_left]
        lanes = memory.lanes.setdefault(scope, {})
        place_key = _BETWEEN.join((*parts[:-1], server, parts[-1], _MARKS[rank][entry.by_left]))
        kept = lanes.get(place_key)
        if kept is None:
            kept = lanes[place_key] = entry.open(server, self.sink)
            memory.size += 1
        return kept

    @staticmethod
    def varies_as_told(event: FlowEvent, bits: int, at: int) -> bool:
        """Whether the pattern saw what reading sees, and a lane holds all of it."""
        if event.l7 is not None or event.count != 1 or at < _NO_TIME:
            return False
        if event.at is None and event.time_source is not TimeSource.NONE:
            return False
        return event.at == (at if at >= 0 else None) and flag_bits(event.tcp_flags) == bits

    def read(self, start: int, until: int) -> None:
        """Read lines in no form."""
        if any(line and not line.isspace() for line in self.lines[start:until]):
            for event in self.parser.parse(part_of(self.block, self.lines, start, until), self.context):
                self.sink.add(event)


def part_of(block: Block, lines: list[bytes], start: int, until: int) -> Block:
    """Some of a block's lines as a block; the input's last line stays as it ended.

    Args:
        block: the whole.
        lines: all of its lines, as `cut_lines` gives them.
        start: index of the first.
        until: index behind the last.
    """
    final = until == len(lines)
    open_end = final and not block.data.endswith(b"\n")
    # One carriage return at the end of a line is taken off, and no more than the one put there.
    end = b"\r" if open_end else b"\r\n"
    columns = block.envelope
    return Block(
        data=b"\r\n".join(lines[start:until]) + end,
        first_line=block.first_line + start,
        envelope=None if columns is None else _slice(columns, start, until),
        last=block.last and final,
    )


def _kind(port: int | None) -> int:
    return -1 if port is None else port_kind(port)


def _slice(columns: Envelope, start: int, until: int) -> Envelope:
    def cut(column: list[Any] | None) -> list[Any] | None:
        return None if column is None else column[start:until]

    return Envelope(
        lines=cut(columns.lines),
        at=cut(columns.at),
        node=cut(columns.node),
        namespace=cut(columns.namespace),
        pod=cut(columns.pod),
        container=cut(columns.container),
        year_inferred=columns.year_inferred,
    )
