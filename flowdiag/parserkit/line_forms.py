"""Folding records of text that have one form: a pattern cuts the whole block, and a known record is only counted.

A log of connections says the same thing over and over.  A parser gives one pattern (`LineForm`) whose groups
separate what varies between records of one kind (the moment, a client's port, TCP flags) from what does not.  The
first record of a kind is read by the parser's `parse`, and the others are only counted, in the lane that the first one
went to.  A line that is not of the form is read by `parse`, too.

The result must be the same as if every record had been parsed and added; a property test of each parser checks that.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, NamedTuple

from msgspec.structs import replace

from flowdiag.parserkit.block import Block, ParseContext
from flowdiag.parserkit.brief_lines import count_briefly
from flowdiag.parserkit.known_lines import PLAIN, Memory
from flowdiag.parserkit.line_form import CLIENTS, LAST_PORT, NOTHING, Brief, Counted, LineForm, Record
from flowdiag.parserkit.line_reading import BETWEEN, INFERRED, MARKS, NO_TIME, LineReading, rank_of
from flowdiag.parserkit.lines import count_lines, finished
from flowdiag.parserkit.native import native
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.seconds import SCALES, fractions
from flowdiag.parserkit.sink import FlowSink
from flowdiag.parserkit.undated import without_year, without_yearless

__all__ = ["fold_forms"]

_MOST = 200_000
"""Lanes that are remembered; beyond that all are forgotten, and the next record of each kind is read again."""
_FEW_DIGITS = 4
"""The nanoseconds of fractions with fewer digits than this are looked up rather than worked out."""

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


class _Columns(NamedTuple):
    """What a block's known records come to, a list a column; the extension appends to the same lists."""

    repeated: list[int]
    """Of allowed records: their numbers in `FlowSink.repeats`."""
    repeated_ats: list[int]
    repeated_flags: list[int]
    plain: list[int]
    """Of records of which neither port nor example is kept: the numbers of their lanes."""
    plain_ats: list[int]
    plain_flags: list[int]
    refused: list[int]
    """Of refused records: the numbers of their lanes."""
    refused_ats: list[int]
    clients: list[int]
    """Their clients' ports, -1 where there is none."""
    refused_flags: list[int]
    places: list[int]
    """Their lines, from 0."""


class _Folding(LineReading):
    """One block's way through."""

    def run(self) -> None:
        """Count every record of the block that is known, and have the others read.

        One loop for all records: it is as long as it is because a call would cost as much as the rest of it, and it
        keeps in locals what it asks for again and again.
        """
        block, form, memory = self.block, self.form, self.memory
        data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
        around = block.envelope
        times = around.at if around is not None else None
        nodes = around.node if around is not None else None
        column_rank = INFERRED if around is not None and around.year_inferred else 1
        column_marks, guessed, year_inferred = MARKS[column_rank], MARKS[INFERRED], False
        more_lines = form.lines - 1
        node = self.context.node
        known = memory.lanes.setdefault((node, form.scope), {})
        flags, join, seconds = memory.flags, BETWEEN.join, self.seconds
        # A record without a time of its own, or of an envelope around it.
        at, marks = NO_TIME, MARKS[3]
        index, matches, waiting = 0, 0, -1
        more_places = more_lines > 0
        counted = _Columns([], [], [], [], [], [], [], [], [], [], [])
        repeated, repeated_ats, repeated_flags = counted[:3]
        plain, plain_ats, plain_flags = counted[3:6]
        refused, refused_ats, clients, refused_flags, places = counted[6:]
        second_look: _Match | None = None
        joined = form.joined is not None
        found: list[Record] | None = None
        placed: Iterable[tuple[int, Record]] = self.out
        compiled = native()
        # With the extension the few pieces of `Brief` would spare less time than it takes to count a record.
        if form.brief is not None and compiled is None and self.count_briefly(form.brief, data):
            joined = True
        elif not joined:
            found, second_look = self.cut(data)
            if self.undated:
                found = without_yearless(found)
            placed = enumerate(found)
            matches = len(found)
        elif form.whole is None or not form.whole(data, self):
            self.look_at_all(data)
        if joined and self.undated:
            self.out = [(place, without_year(record)) for place, record in self.out]
            placed = self.out
        if compiled is not None and (nodes is None or len(set(nodes)) == 1):
            if nodes is not None:
                node, nodes = nodes[0] or self.context.node, None
                known = memory.lanes.setdefault((node, form.scope), {})
            kinds = seconds, flags, known, times, column_marks, MARKS[3], guessed, self.heads
            given: list[Any] = self.out if found is None else found
            asked = (given, found is None, more_lines, *kinds, tuple(counted))

            def unknown() -> Iterator[tuple[int, Record]]:
                """Have the extension count known records; yield each that it does not know, once those before it are counted."""
                nonlocal index, year_inferred
                position = 0
                while position < len(given):
                    # While lines wait to be read, the loop must see the next record, known or not: that is where
                    # those lines end.
                    if waiting < 0:
                        position, index, inferred = compiled.count_known(asked, position, index)
                        year_inferred = year_inferred or inferred
                    if position < len(given):
                        yield given[position] if found is None else (position, given[position])
                    position += 1

            placed = unknown()
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
            # When: by the record's own stamp, else by the envelope's.
            if second:
                # Nearly every second is known, and then `try` costs nothing, while `get` would be a call.
                try:
                    at, marks = seconds[second]
                except KeyError:
                    at, marks = self.instant(second)
                digits = len(fraction)
                at += fractions[fraction] if digits < _FEW_DIGITS else int(fraction) * SCALES[digits]
            elif times is not None:
                moment = times[place]
                if moment is None:
                    at, marks = NO_TIME, MARKS[3]
                else:
                    at, marks = moment, column_marks
            elif at != NO_TIME:
                at, marks = NO_TIME, MARKS[3]
            # With which TCP flags.
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
                # One joined string, since a tuple's parts lie all over the memory when they are compared.
                kept = known.get(
                    join((head, more, middle, what, verdict, rest, server, handshake, marks[by_left]))
                )
            if kept is None:
                rank = rank_of(second) if second else column_rank if at >= 0 else 3
                parts = (head, more, middle, what, verdict, rest, handshake)
                until = index if more_places else place + 1
                kept = self.meet(place, until, node, parts, (left, right), rank, bits, at, record)
                if kept is None:
                    continue
                by_left = self.by_left
            # Counted where it was found to belong; see `Memory.lanes` for what the number's sign says.
            if marks is guessed:
                year_inferred = True
            if kept >= 0:
                repeated.append(kept)
                repeated_ats.append(at)
                repeated_flags.append(bits)
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
        self._give(counted, year_inferred=year_inferred)

    def _give(self, found: _Columns, *, year_inferred: bool) -> None:
        """Give the sink what was counted; `year_inferred` says that some of it stands in a year that was inferred."""
        sink, block = self.sink, self.block
        if found.repeated:
            self.append(found.repeated, found.repeated_ats, found.repeated_flags)
        if found.plain:
            none = array("q", [NO_TIME]) * len(found.plain)
            sink.hits(block, found.plain, found.plain_ats, none, found.plain_flags, none, self.raw)
        if found.refused:
            sink.hits(
                block,
                found.refused,
                found.refused_ats,
                found.clients,
                found.refused_flags,
                found.places,
                self.raw,
            )
        moments = [ats for ats in (found.repeated_ats, found.plain_ats, found.refused_ats) if ats]
        if not moments:
            return
        last = max(map(max, moments))
        first: int | None = min(map(min, moments))
        if first == NO_TIME:
            # Some have no time: the first of those that have one counts.
            first = min((at for ats in moments for at in ats if at >= 0), default=None)
        records = sum(map(len, moments))
        sink.seen(records, first, last if first is not None else None, year_inferred=year_inferred)

    def cut(self, data: bytes) -> tuple[list[tuple[bytes, ...]], _Match | None]:
        """Cut a text into records and other lines.

        Where `LineForm.quick` cut it, the pattern that may still find a record in one of those other lines comes with it.
        """
        form, data = self.form, finished(data)
        if form.quick is not None and data.isascii() and b"\x1b" not in data:
            found = form.quick.findall(data)
            # If the mark is a newline, every match holds at least one.  As many matches as marks means exactly one in
            # each.
            if len(found) == (count_lines(data) if form.mark == b"\n" else data.count(form.mark)):
                return found, form.pattern.fullmatch
        return form.pattern.findall(data), None

    def look_at_all(self, data: bytes) -> None:
        """Have the patterns look at all lines, for a form with `LineForm.joined`."""
        found, second_look = self.cut(data)
        self.join(found, 0, second_look)
        if not self.block.data.endswith(b"\n"):
            self.read(len(found), len(self.lines))

    def look_at(self, start: int, until: int, lines: Sequence[bytes] | None = None) -> None:
        """See `Reading.look_at`."""
        text = b"\n".join(self.lines[start:until] if lines is None else lines) + b"\n"
        self.join(self.form.pattern.findall(text), start, None)

    def join(self, found: list[Record], start: int, second_look: _Match | None) -> None:
        """Pass each record through `LineForm.joined` and keep what it gives; read all other lines."""
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

    def known(self, place: int, record: Record) -> Counted | None:
        """See `Reading.known`."""
        if self.undated:
            record = without_year(record)
        second, fraction, head, more, left, middle, right, what, verdict, words, rest, _ = record
        columns = self.block.envelope
        node = (columns.node[place] if columns is not None and columns.node else None) or self.context.node
        by_left = len(left) == 5 and CLIENTS <= left <= LAST_PORT
        if by_left is (len(right) == 5 and CLIENTS <= right <= LAST_PORT):
            self.out.append((place, record))
            return None
        bits, handshake = self.flags(words) if words else (0, b"0")
        rank = rank_of(second) if second else self.rank_at(place)
        parts = (head, more, middle, what, verdict, rest, handshake)
        key = BETWEEN.join((*parts[:-1], right if by_left else left, handshake, MARKS[rank][by_left]))
        number = self.memory.lanes.get((node, self.form.scope), {}).get(key)
        if number is None:
            at = self.times_at(place)
            if second:
                at = self.moment(second) + fractions[fraction]
            number = self.meet(place, place + 1, node, parts, (left, right), rank, bits, at, record)
            if number is not None and self.by_left is not by_left:
                # The server's port lies in the range of clients' ports, so the ports alone do not tell the two apart.
                self.out.append((place, record))
                return None
        return None if number is None else Counted(number, bits)

    def count_briefly(self, brief: Brief, data: bytes) -> bool:
        """Count the records whose kind `brief` can tell, and put the others into `out`; say whether anything was done."""
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
            ats = array("q", [NO_TIME]) * len(numbers)
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
        inferred = times is not None and self.rank_at(0) == INFERRED
        self.sink.seen(len(numbers), *ends, year_inferred=inferred)
        return True
