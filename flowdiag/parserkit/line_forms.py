"""Folding records of text that have one form: a pattern cuts the whole block, and a known record is only counted.

A log of connections says the same thing over and over.  A parser gives one pattern (`LineForm`) whose groups
tell what varies between records of one kind (the moment, a client's port, TCP flags) from what does not; the
first record of a kind is read as ever, and the others are counted in the lane that it went to.  Whatever is in
no such form is read by the parser's own `parse`.

Folding so must give what reading and adding gives: a property test of each parser holds that.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import invert

from msgspec.structs import replace

from flowdiag.model.event import FlowEvent, TimeSource
from flowdiag.parserkit.block import Block, ParseContext, part_of
from flowdiag.parserkit.brief_lines import count_briefly
from flowdiag.parserkit.known_lines import PLAIN, RANKS, Entry, Kind, Memory
from flowdiag.parserkit.line_form import CLIENTS, LAST_PORT, NOTHING, Brief, Counted, LineForm, Record
from flowdiag.parserkit.lines import LinesOf, count_lines
from flowdiag.parserkit.placing import place_event
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.seconds import SCALES, TimesOfDay, fractions
from flowdiag.parserkit.sink import FlowSink, flag_bits, port_kind

__all__ = ["fold_forms"]

_MOST = 200_000
"""Lanes that are remembered; past it they are forgotten, and their next records are read again."""
_MOST_FLAGS = 512
_SYN_ACK = flag_bits(("SYN", "ACK"))

_INFERRED = RANKS[TimeSource.INFERRED_YEAR]
_NO_TIME, _UNREADABLE = -1, -(1 << 62)
_FEW_DIGITS = 4
"""Fractions of fewer are remembered."""

_BETWEEN = b"\xff"
"""Stands in no part: the patterns leave bytes that are not ASCII to reading."""
_Marks = tuple[bytes, bytes]
_MARKS: tuple[_Marks, ...] = tuple((b"%dr" % rank, b"%dl" % rank) for rank in range(len(TimeSource)))
"""How sure the time is and whether the client's port is the left one, in a kind's key."""
_TO_BE_READ: _Marks = (b"?", b"?")
"""In no key: the record is read, whatever is known."""

_Match = Callable[[bytes], re.Match[bytes] | None]


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
    memory: Memory | None = kept.get("memory")
    if memory is None or memory.size > _MOST:
        memory = kept["memory"] = Memory()
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
        self.seconds: dict[bytes, tuple[int, _Marks]] = {}
        self.out: list[tuple[int, Record]] = []
        """Records as `LineForm.joined` and `LineForm.whole` give them, by their line."""
        self.heads: dict[int, bytes] = {}
        """Of refused records of several lines, by the first."""
        self.by_left = False
        """Of the record that `meet` saw last, the client's port is the left one."""

    def run(self) -> None:
        """The loop that every record goes through; locals, and as little as can be."""
        block, form, memory, sink = self.block, self.form, self.memory, self.sink
        data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
        columns = block.envelope
        times = columns.at if columns is not None else None
        nodes = columns.node if columns is not None else None
        column_rank = _INFERRED if columns is not None and columns.year_inferred else 1
        column_marks, guessed, year_inferred = _MARKS[column_rank], _MARKS[_INFERRED], False
        more_lines = form.lines - 1
        node = self.context.node
        known = memory.lanes.setdefault((node, form.scope), {})
        flags, join, seconds = memory.flags, _BETWEEN.join, self.seconds
        # Without a time of its own or an envelope's.
        at, marks = _NO_TIME, _MARKS[3]
        index, matches, waiting = 0, 0, -1
        more_places = more_lines > 0
        rows: list[int] = []
        ats: list[int] = []
        flags_of: list[int] = []
        plain: list[int] = []
        plain_ats: list[int] = []
        plain_flags: list[int] = []
        refused: list[int] = []
        refused_ats: list[int] = []
        clients: list[int] = []
        refused_flags: list[int] = []
        places: list[int] = []
        second_look: _Match | None = None
        joined = form.joined is not None
        placed: Iterable[tuple[int, Record]] = self.out
        if form.brief is not None and self.count_briefly(form.brief, data):
            joined = True
        elif not joined:
            found, second_look = self.cut(data)
            placed = enumerate(found)
            matches = len(found)
        elif form.whole is None or not form.whole(data, self):
            self.look_at_all(data)
        for place, record in placed:
            second, fraction, head, more, left, middle, right, what, verdict, words, rest, other = record
            if more_places:
                place = index  # noqa: PLW2901 - where records have several lines
                index += 1
            if not head:
                again = second_look(other + b"\n") if second_look is not None else None
                if again is None or not again[3]:
                    if waiting < 0 and not joined:
                        waiting = place
                    continue
                second, fraction, head, more, left, middle, right, what, verdict, words, rest, _ = (
                    again.groups(b"")
                )
            if more_lines:
                index += more_lines + head.count(b"\n")
            if waiting >= 0:
                self.read(waiting, place)
                waiting = -1
            if nodes is not None and (nodes[place] or self.context.node) != node:
                node = nodes[place] or self.context.node
                known = memory.lanes.setdefault((node, form.scope), {})
            # When.
            if second:
                # Nothing is spent on what does not happen here, where asking by `get` is a call.
                try:
                    at, marks = seconds[second]
                except KeyError:
                    at, marks = self.instant(second)
                digits = len(fraction)
                at += fractions[fraction] if digits < _FEW_DIGITS else int(fraction) * SCALES[digits]
            elif times is not None:
                moment = times[place]
                if moment is None:
                    at, marks = _NO_TIME, _MARKS[3]
                else:
                    at, marks = moment, column_marks
            elif at != _NO_TIME:
                at, marks = _NO_TIME, _MARKS[3]
            # What.
            if words:
                try:
                    bits, handshake = flags[words]
                except KeyError:
                    bits, handshake = self.flags(words)
            else:
                bits, handshake = 0, b"0"
            # Nearly always one port is of those that clients get; the other one is then the server's.
            by_left = len(left) == 5 and CLIENTS <= left <= LAST_PORT
            kept = None
            if by_left is not (len(right) == 5 and CLIENTS <= right <= LAST_PORT):
                server = right if by_left else left
                # One string is compared in one place; a tuple's parts lie all over the memory.
                kept = known.get(
                    join((head, more, middle, what, verdict, rest, server, handshake, marks[by_left]))
                )
            if kept is None:
                rank = _rank_of(second) if second else column_rank if at >= 0 else 3
                parts = (head, more, middle, what, verdict, rest, handshake)
                until = index if more_places else place + 1
                kept = self.meet(place, until, node, parts, (left, right), rank, bits, at, record)
                if kept is None:
                    continue
                by_left = self.by_left
            # Count.
            if marks is guessed:
                year_inferred = True
            if kept >= 0:
                rows.append(kept)
                ats.append(at)
                flags_of.append(bits)
            elif kept < PLAIN:
                plain.append(PLAIN - 1 - kept)
                plain_ats.append(at)
                plain_flags.append(bits)
            else:
                refused.append(~kept)
                refused_ats.append(at)
                clients.append(int((left if by_left else right) or b"-1"))
                refused_flags.append(bits)
                places.append(place)
                if more_lines:
                    self.heads[place] = head
        if not joined and (waiting >= 0 or not data.endswith(b"\n")):
            behind = index if more_places else matches
            self.read(waiting if waiting >= 0 else behind, len(self.lines))
        if rows:
            self.append(rows, ats, flags_of)
        if plain:
            none = array("q", [_NO_TIME]) * len(plain)
            sink.hits(block, plain, plain_ats, none, plain_flags, none, self.raw)
        if refused:
            sink.hits(block, refused, refused_ats, clients, refused_flags, places, self.raw)
        if rows or plain or refused:
            moments = [found for found in (ats, plain_ats, refused_ats) if found]
            last = max(map(max, moments))
            first: int | None = min(map(min, moments))
            if first == _NO_TIME:
                first = min((at for found in moments for at in found if at >= 0), default=None)
            records = sum(map(len, moments))
            sink.seen(records, first, last if first is not None else None, year_inferred=year_inferred)

    def cut(self, data: bytes) -> tuple[list[tuple[bytes, ...]], _Match | None]:
        """Records and other lines, and what still may find a record in one of those."""
        form = self.form
        if form.quick is not None and data.isascii() and b"\x1b" not in data:
            found = form.quick.findall(data)
            # Where that is a newline, every match has one at least: none has run over one if there are as many.
            if len(found) == (count_lines(data) if form.mark == b"\n" else data.count(form.mark)):
                return found, form.pattern.fullmatch
        return form.pattern.findall(data), None

    def look_at_all(self, data: bytes) -> None:
        """Have all lines looked at; see `LineForm.joined`."""
        found, second_look = self.cut(data)
        self.join(found, 0, second_look)
        if not self.block.data.endswith(b"\n"):
            self.read(len(found), len(self.lines))

    def look_at(self, start: int, until: int, lines: Sequence[bytes] | None = None) -> None:
        """See `Reading.look_at`."""
        text = b"\n".join(self.lines[start:until] if lines is None else lines) + b"\n"
        self.join(self.form.pattern.findall(text), start, None)

    def join(self, found: list[Record], start: int, second_look: _Match | None) -> None:
        """Keep records with what the lines before make of them, and read all other lines."""
        join = self.form.joined
        waiting = -1
        for place, record in enumerate(found, start):
            if not record[2]:
                again = second_look(record[-1] + b"\n") if second_look is not None else None
                if again is None or not again[3]:
                    if waiting < 0:
                        waiting = place
                    continue
                record = again.groups(b"")  # noqa: PLW2901 - the same line, looked at again
            if waiting >= 0:
                self.read(waiting, place)
                waiting = -1
            now = join(place, record, self) if join is not None else NOTHING
            if now is not NOTHING:
                self.out.append((place, now))
        if waiting >= 0:
            self.read(waiting, start + len(found))

    def amend(self, place: int, record: Record) -> None:
        """See `Reading.amend`."""
        self.out.append((place, record))

    def amend_all(self, records: Sequence[Record]) -> None:
        """See `Reading.amend_all`."""
        self.out.extend(enumerate(records))

    def instant(self, second: bytes) -> tuple[int, _Marks]:
        """A stamp's nanoseconds; far before everything where it must be read."""
        seconds = self.seconds
        at = self.times.at(second)
        if at is None or at < 0:
            seconds[second] = known = _UNREADABLE, _TO_BE_READ
            return known
        seconds[second] = known = at, _MARKS[_rank_of(second)]
        return known

    def known(self, place: int, record: Record) -> Counted | None:
        """See `Reading.known`."""
        second, fraction, head, more, left, middle, right, what, verdict, words, rest, _ = record
        columns = self.block.envelope
        node = (columns.node[place] if columns is not None and columns.node else None) or self.context.node
        by_left = len(left) == 5 and CLIENTS <= left <= LAST_PORT
        if by_left is (len(right) == 5 and CLIENTS <= right <= LAST_PORT):
            self.out.append((place, record))
            return None
        bits, handshake = self.flags(words) if words else (0, b"0")
        rank = _rank_of(second) if second else self.rank_at(place)
        parts = (head, more, middle, what, verdict, rest, handshake)
        key = _BETWEEN.join((*parts[:-1], right if by_left else left, handshake, _MARKS[rank][by_left]))
        number = self.memory.lanes.get((node, self.form.scope), {}).get(key)
        if number is None:
            at = self.times_at(place)
            if second:
                at = self.moment(second) + fractions[fraction]
            number = self.meet(place, place + 1, node, parts, (left, right), rank, bits, at, record)
            if number is not None and self.by_left is not by_left:
                # The server's port is one that clients get: not to be told by the ports alone.
                self.out.append((place, record))
                return None
        return None if number is None else Counted(number, bits)

    def times_at(self, place: int) -> int:
        """The time that is around a line."""
        columns = self.block.envelope
        at = columns.at[place] if columns is not None and columns.at else None
        return _NO_TIME if at is None else at

    def count_briefly(self, brief: Brief, data: bytes) -> bool:
        """Count what is known by a few pieces of a line, and give the rest; whether anything was done."""
        columns = self.block.envelope
        nodes = set(columns.node) if columns is not None and columns.node else {None}
        times = columns.at if columns is not None else None
        if len(nodes) > 1 or (times and None in times):
            return False
        around = (nodes.pop() or self.context.node, self.form.scope, self.rank_at(0))
        memory = self.memory.brief.setdefault(around, ({}, {}))
        found = count_briefly(brief, self.form.pattern.fullmatch, data, self, memory)
        if found is None:
            return False
        numbers = found.numbers
        if not numbers:
            return True
        if times:
            ats = array("q", [times[place] or 0 for place in found.places])
        else:
            ats = array("q", [_NO_TIME]) * len(numbers)
        flags = array("H", bytes(2 * len(numbers)))
        for place, bits in found.flags.items():
            flags[place] = bits
        least, most = min(numbers), max(numbers)
        if most < PLAIN or PLAIN < least <= most < 0 or least >= 0:
            self.hand_over(numbers, ats, flags, found.clients, found.places)
        else:
            for among in (
                [number < PLAIN for number in numbers],
                [PLAIN < number < 0 for number in numbers],
                [number >= 0 for number in numbers],
            ):
                self.hand_over(
                    list(compress(numbers, among)),
                    list(compress(ats, among)),
                    list(compress(flags, among)),
                    list(compress(found.clients, among)),
                    list(compress(found.places, among)),
                )
        ends = (min(ats), max(ats)) if times else (None, None)
        inferred = times is not None and self.rank_at(0) == _INFERRED
        self.sink.seen(len(numbers), *ends, year_inferred=inferred)
        return True

    def hand_over(
        self,
        numbers: Sequence[int],
        ats: Sequence[int],
        flags: Sequence[int],
        clients: Sequence[bytes],
        places: Sequence[int],
    ) -> None:
        """Give the sink records whose numbers, as `Memory.lanes` has them, are of one sort all."""
        if not numbers:
            return
        sink, block = self.sink, self.block
        if numbers[0] >= 0:
            self.append(numbers, ats, flags)
        elif numbers[0] < PLAIN:
            none = array("q", [_NO_TIME]) * len(numbers)
            sink.hits(block, [PLAIN - 1 - number for number in numbers], ats, none, flags, none, self.raw)
        else:
            lanes, ports = list(map(invert, numbers)), list(map(int, clients))
            sink.hits(block, lanes, ats, ports, flags, places, self.raw)

    def rank_at(self, place: int) -> int:
        """How sure the time is that is around a line."""
        columns = self.block.envelope
        if columns is None or not columns.at or columns.at[place] is None:
            return RANKS[TimeSource.NONE]
        return _INFERRED if columns.year_inferred else 1

    def moment(self, second: bytes) -> int:
        """See `Reading.moment`."""
        return (self.seconds.get(second) or self.instant(second))[0]

    def repeat(self, numbers: Sequence[int], ats: Sequence[int], flags: Sequence[int]) -> None:
        """See `Reading.repeat`."""
        if numbers:
            self.append(numbers, ats, flags)
            self.sink.seen(len(numbers), min(ats), max(ats), year_inferred=True)

    def append(self, numbers: Sequence[int], ats: Sequence[int], flags: Sequence[int]) -> None:
        """Append to the columns of what was allowed."""
        repeats = self.sink.repeats
        # Lists are taken in a third of the time that other sequences are.
        repeats.numbers.fromlist(list(numbers))
        repeats.ats.fromlist(list(ats))
        repeats.flags.fromlist(list(flags))

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

    def raw(self, place: int) -> bytes:
        """The text of a record."""
        head = self.heads.get(place)
        if head is None:
            return self.lines[place]
        return b"\n".join(self.lines[place : place + self.form.raw_lines + head.count(b"\n")])

    def flags(self, text: bytes) -> tuple[int, bytes]:
        """Bits of flags, and those that `looks_like_reply` asks for."""
        known = self.memory.flags.get(text)
        if known is None:
            bits = flag_bits(tuple(word.decode("ascii") for word in text.split(self.form.flags_between)))
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
        if entry is None or at < _NO_TIME:
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
            if entry is None or at < _NO_TIME:
                for one in events:
                    self.sink.add(one)
                return None
        self.by_left = entry.by_left
        server = ports[entry.by_left]
        place_key = _BETWEEN.join((*parts[:-1], server, parts[-1], _MARKS[rank][entry.by_left]))
        if entry.weight == 1:
            lanes = memory.lanes.setdefault(scope, {})
            known = lanes.get(place_key)
            if known is None:
                known = lanes[place_key] = entry.number(server, self.sink)
                memory.size += 1
            return known
        # The loop counts each record once, so it does not see what stands for several.
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
        self.sink.seen(1, moment, moment, year_inferred=entry.rank == _INFERRED)
        return None

    def varies_as_told(self, event: FlowEvent, bits: int, at: int) -> bool:
        """Whether the pattern saw what reading sees, and a lane holds all of it."""
        if event.l7 is not None or at < _NO_TIME or (event.count != 1 and not self.form.weighs):
            return False
        if event.at is None and event.time_source is not TimeSource.NONE:
            return False
        return event.at == (at if at >= 0 else None) and flag_bits(event.tcp_flags) == bits

    def read(self, start: int, until: int) -> None:
        """Read lines in no form."""
        if any(line and not line.isspace() for line in self.lines[start:until]):
            for event in self.parser.parse(part_of(self.block, self.lines, start, until), self.context):
                self.sink.add(event)


def _rank_of(second: bytes) -> int:
    return 0 if second[:1].isdigit() else _INFERRED


def _kind(port: int | None) -> int:
    return -1 if port is None else port_kind(port)
