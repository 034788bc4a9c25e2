"""What is known of a block's lines of one form, and how a line that is met for the first time is read.

`line_forms` goes through the block; what it knows is counted, and what it does not is asked for here.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import invert

from flowdiag.model.event import FlowEvent, TimeSource
from flowdiag.parserkit.block import Block, ParseContext, part_of
from flowdiag.parserkit.known_lines import PLAIN, RANKS, Entry, Kind, Memory
from flowdiag.parserkit.line_form import LineForm, Record
from flowdiag.parserkit.lines import LinesOf
from flowdiag.parserkit.placing import place_event
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.replies import flag_bits, flags_of_letters, port_kind
from flowdiag.parserkit.seconds import TimesOfDay
from flowdiag.parserkit.sink import FlowSink

__all__ = ["BETWEEN", "INFERRED", "MARKS", "NO_TIME", "LineReading", "Marks", "rank_of"]

_MOST_FLAGS = 512
_SYN_ACK = flag_bits(("SYN", "ACK"))

INFERRED = RANKS[TimeSource.INFERRED_YEAR]
NO_TIME, _UNREADABLE = -1, -(1 << 62)
BETWEEN = b"\xff"
"""Joins parts to a key; it occurs in no part, since the patterns match ASCII only."""
Marks = tuple[bytes, bytes]
MARKS: tuple[Marks, ...] = tuple((b"%dr" % rank, b"%dl" % rank) for rank in range(len(TimeSource)))
"""The part of a kind's key that tells, by `RANKS`, how sure the time is, and whether the client's port is the right
(first of a pair) or the left one."""
_TO_BE_READ: Marks = (b"?", b"?")
"""Occurs in no key, so that a record with such a time is always read."""


class LineReading:
    """Of one block."""

    def __init__(
        self,
        parser: Parser,
        block: Block,
        context: ParseContext,
        sink: FlowSink,
        form: LineForm,
        memory: Memory,
    ) -> None:
        self.parser = parser
        self.block = block
        self.context = context
        self.sink = sink
        self.form = form
        self.memory = memory
        self.lines: Sequence[bytes] = LinesOf(block.data)
        self.times = TimesOfDay(form.clock, block)
        self.seconds: dict[bytes, tuple[int, Marks]] = {}
        self.out: list[tuple[int, Record]] = []
        """Records that `LineForm.joined` and `LineForm.whole` gave, each with its line's index."""
        self.heads: dict[int, bytes] = {}
        """Index of a refused record's first line -> its ``head``, where records have several lines."""
        around = block.envelope
        self.undated = (
            context.year is None and context.reference_time is None and (around is None or not around.at)
        )
        """Whether nothing tells the year of stamps that leave it out."""
        self.by_left = False
        """Whether the client's port is the left one in the record that `meet` was asked about last."""

    def instant(self, second: bytes) -> tuple[int, Marks]:
        """Nanoseconds of a stamp, far in the past where its record must be read, with its part of a kind's key."""
        seconds = self.seconds
        at = self.times.at(second)
        if at is None or at < 0:
            seconds[second] = known = _UNREADABLE, _TO_BE_READ
            return known
        seconds[second] = known = at, MARKS[rank_of(second)]
        return known

    def moment(self, second: bytes) -> int:
        """See `Reading.moment`."""
        return (self.seconds.get(second) or self.instant(second))[0]

    def times_at(self, place: int) -> int:
        """The time that a line's envelope gives, nanoseconds; `NO_TIME` where it gives none."""
        columns = self.block.envelope
        at = columns.at[place] if columns is not None and columns.at else None
        return NO_TIME if at is None else at

    def rank_at(self, place: int) -> int:
        """How sure the time is that a line's envelope gives, as in `RANKS`."""
        columns = self.block.envelope
        if columns is None or not columns.at or columns.at[place] is None:
            return RANKS[TimeSource.NONE]
        return INFERRED if columns.year_inferred else 1

    def flags(self, text: bytes) -> tuple[int, bytes]:
        """Bits of the flags in a text, and those of SYN and ACK as text, for a kind's key."""
        known = self.memory.flags.get(text)
        if known is None:
            between, words = self.form.flags_between.decode("ascii"), text.decode("ascii")
            bits = flag_bits(tuple(words.split(between)) if between else flags_of_letters(words))
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
        record: Record,
    ) -> int | None:
        """Find the lane of a record by its kind, or read it, and remember what it is.

        Returns:
            Where the caller is to count the record, as `Memory.lanes` has it; ``None`` where it is counted.
        """
        memory, scope = self.memory, (node, self.form.scope)
        entries = memory.entries.setdefault(scope, {})
        left, right = (int(port) if port else None for port in ports)
        key: Kind = (*parts, _kind(left), _kind(right), rank)
        entry = entries.get(key)
        if entry is None or at < NO_TIME:
            read = self.form.read
            if read is not None:
                events = list(read(self.lines[place], self.block.of_line(place), record))
            else:
                events = list(self.parser.parse(part_of(self.block, self.lines, place, until), self.context))
            event = events[0] if len(events) == 1 else None
            if entry is None and isinstance(event, FlowEvent) and self.varies_as_told(event, bits, at):
                placed = place_event(event)
                found = (placed.source_port, placed.port)
                if found in ((left, right), (right, left)) and (left != right or left is None):
                    by_left = found == (left, right)
                    entry = entries[key] = Entry(event, placed, self.sink, by_left=by_left)
                    memory.size += 1
            if entry is None or at < NO_TIME:
                for one in events:
                    self.sink.add(one)
                return None
        self.by_left = entry.by_left
        server = ports[entry.by_left]
        place_key = BETWEEN.join((*parts[:-1], server, parts[-1], MARKS[rank][entry.by_left]))
        if entry.weight == 1:
            lanes = memory.lanes.setdefault(scope, {})
            known = lanes.get(place_key)
            if known is None:
                known = lanes[place_key] = entry.number(server, self.sink)
                memory.size += 1
            return known
        # The loop counts each record once, so one that stands for several is counted here, and not given to it.
        heavy = memory.heavy.setdefault(scope, {})
        lane = heavy.get(place_key)
        if lane is None:
            lane = heavy[place_key] = entry.open(server, self.sink)
            memory.size += 1
        moment, client = at if at >= 0 else None, ports[not entry.by_left]
        lane.hit(moment, entry.weight)
        lane.flags |= bits
        if entry.refused:
            line = self.block.of_line(place).line
            self.sink.keep(lane, moment, int(client) if client else None, line, self.lines[place])
        self.sink.seen(1, moment, moment, year_inferred=entry.rank == INFERRED)
        return None

    def varies_as_told(self, event: FlowEvent, bits: int, at: int) -> bool:
        """Whether the pattern captured the event's own time and flags, and a lane can hold all that the event says."""
        if event.l7 is not None or at < NO_TIME or (event.count != 1 and not self.form.weighs):
            return False
        if event.at is None and event.time_source is not TimeSource.NONE:
            return False
        return event.at == (at if at >= 0 else None) and flag_bits(event.tcp_flags) == bits

    def read(self, start: int, until: int) -> None:
        """Read lines in no form."""
        if any(line and not line.isspace() for line in self.lines[start:until]):
            for event in self.parser.parse(part_of(self.block, self.lines, start, until), self.context):
                self.sink.add(event)

    def raw(self, place: int) -> bytes:
        """The text of a record."""
        head = self.heads.get(place)
        if head is None:
            return self.lines[place]
        return b"\n".join(self.lines[place : place + self.form.raw_lines + head.count(b"\n")])

    def append(self, numbers: Sequence[int], ats: Sequence[int], flags: Sequence[int]) -> None:
        """Count allowed records, given as columns."""
        repeats = self.sink.repeats
        # An array takes a list in a third of the time that it takes another sequence.
        repeats.numbers.fromlist(list(numbers))
        repeats.ats.fromlist(list(ats))
        repeats.flags.fromlist(list(flags))

    def hand_over(
        self,
        numbers: Sequence[int],
        ats: Sequence[int],
        flags: Sequence[int],
        clients: Sequence[bytes],
        places: Sequence[int],
    ) -> None:
        """Give the sink records whose numbers all mean the same sort of place; see `Memory.lanes`."""
        if not numbers:
            return
        sink, block = self.sink, self.block
        if numbers[0] >= 0:
            self.append(numbers, ats, flags)
        elif numbers[0] < PLAIN:
            none = array("q", [NO_TIME]) * len(numbers)
            sink.hits(block, [PLAIN - 1 - number for number in numbers], ats, none, flags, none, self.raw)
        else:
            lanes, ports = list(map(invert, numbers)), list(map(int, clients))
            sink.hits(block, lanes, ats, ports, flags, places, self.raw)

    def repeat(self, numbers: Sequence[int], ats: Sequence[int], flags: Sequence[int]) -> None:
        """See `Reading.repeat`."""
        if numbers:
            self.append(numbers, ats, flags)
            self.sink.seen(len(numbers), min(ats), max(ats), year_inferred=True)

    def refuse(
        self,
        lanes: Sequence[int],
        ats: Sequence[int],
        flags: Sequence[int],
        clients: Sequence[int],
        places: Sequence[int],
    ) -> None:
        """See `Reading.refuse`."""
        if lanes:
            self.sink.hits(self.block, lanes, ats, clients, flags, places, self.raw)
            self.sink.seen(len(lanes), min(ats), max(ats), year_inferred=True)


def rank_of(second: bytes) -> int:
    """How sure a stamp's time is: one that begins with a month has no year."""
    return 0 if second[:1].isdigit() else INFERRED


def _kind(port: int | None) -> int:
    return -1 if port is None else port_kind(port)
