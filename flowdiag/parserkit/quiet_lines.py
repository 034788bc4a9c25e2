"""Folding logs: a record that carries no signal is counted, and everything else is read.

Most records of a component's log matter to no diagnosis, and their number and their first and last time are all
that stays of them.  A parser gives a pattern that cuts its usual records, and says of which nothing stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import ChangeEvent, Event, LogEvent
from flowdiag.parserkit.block import Block, LineEnvelope, ParseContext, part_of
from flowdiag.parserkit.lines import LinesOf, count_lines, decode
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.seconds import TimesOfDay, fractions
from flowdiag.parserkit.sink import FlowSink

__all__ = ["QuietForm", "fold_quiet"]

_STAMP = len("2026-03-17T14:03:13")
_SECOND, _FRACTION = itemgetter(slice(_STAMP)), itemgetter(slice(_STAMP + 1, None))
_MOST = 4096
"""Messages whose events are remembered; beyond that all are forgotten."""

_MOST_AROUND = 64
"""Surroundings (such as a pod's container) whose messages are remembered apart; beyond that all are forgotten."""

_Around = tuple[bool | str | None, ...]
_Said = dict[bytes, tuple[LogEvent | ChangeEvent, ...]]


class QuietForm(Struct, frozen=True, kw_only=True):
    """How a parser's usual records look."""

    pattern: re.Pattern[bytes]
    """Groups: second, fraction, kind, message, rest, other.  Every match is one line with its newline; ``other`` is a
    whole line that is not of the form.  Where second is empty, the record has no time of its own."""
    quick: re.Pattern[bytes] | None = None
    """For blocks in which every line is a record of the form with a time of its own.  Its groups are the stamp, whose
    text must sort as its time does (`_STAMP` bytes to the second, and perhaps a dot and a fraction), and what `loud`
    wants to see of the message.  A match begins where a line does; in other blocks it may run over newlines."""
    is_quiet: Callable[[bytes, bytes, bytes], bool]
    """Says of a kind, message and rest whether nothing is kept of such a record but that it was there."""
    loud: Callable[[Sequence[bytes], bytes], list[int]]
    """Given all messages that `quick` cut from a text, and the text: indexes of the records that must be read, in
    order.  It must name all that are not quiet, and may name more.  It is called once for a whole text, since a call
    per message would cost as much as cutting it did."""
    clock: Callable[[bytes, bool], int | None]
    """As `flowdiag.parserkit.line_forms.LineForm.clock`."""
    read: Callable[[bytes, LineEnvelope], Iterable[Event]]
    """Gives the events of one whole line of the form, and of what its envelope says."""


def fold_quiet(parser: Parser, block: Block, context: ParseContext, sink: FlowSink, form: QuietForm) -> None:
    """Count all records of `block` in `sink`.

    Lines that are not of the form are read in runs, so the first line of a record that spans lines must not be of it.

    Args:
        parser: whose records they are; its `parse` reads what must be read.
        block: whole records.
        context: of the input.
        sink: where they are counted.
        form: which records need no reading.
    """
    data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
    reading = _Reading(parser, block, replace(context, keep_raw=True), sink, form)
    whole = data.endswith(b"\n")
    if form.quick is not None and whole:
        found: list[tuple[bytes, bytes]] = form.quick.findall(data)
        # A match holds at least one newline.  If there are as many matches as newlines, each match is exactly one
        # line.
        if len(found) == count_lines(data) and reading.all_at_once(found, data):
            return
    # The pattern looks for a line's end from each byte of one that has none.
    others = form.pattern.findall(data if whole else data + b"\n")
    reading.one_by_one(others if whole else others[:-1], whole=whole)


class _Reading:
    """One block while it is folded: counts what is quiet, and reads the rest."""

    def __init__(
        self, parser: Parser, block: Block, context: ParseContext, sink: FlowSink, form: QuietForm
    ) -> None:
        self._form = form
        self._said: dict[_Around, _Said] = sink.memo.setdefault("told", {})
        self._once: dict[bytes, None] = sink.memo.setdefault("told once", {})
        self._times = TimesOfDay(form.clock, block)
        self._parser = parser
        self._block = block
        self._context = context
        self._sink = sink
        self._lines = LinesOf(block.data)

    def all_at_once(self, found: list[tuple[bytes, bytes]], data: bytes) -> bool:
        """Count and read a block all of whose lines are records; ``False`` where it cannot, and nothing was done."""
        ats: dict[bytes, int] = {}
        latest = -1
        stamps = [stamp for stamp, _ in found]
        for second in sorted(set(map(_SECOND, stamps))):
            at = self._times.at(second)
            if at is None or at <= latest:
                # A day that is not in the calendar, or a clock that was turned back: the order of the texts is not
                # that of the times.
                return False
            ats[second] = latest = at
        loud = self._form.loud([message for _, message in found], data)

        def instant(stamp: bytes) -> int:
            return ats[_SECOND(stamp)] + fractions[_FRACTION(stamp)]

        self._all_told(loud, [stamps[index] for index in loud], instant)
        if len(found) > len(loud):
            # Records that were read were counted with their times as they were added.
            self._sink.quiet(len(found) - len(loud), instant(min(stamps)), instant(max(stamps)))
        return True

    def one_by_one(self, found: list[tuple[bytes, ...]], *, whole: bool) -> None:
        """Count or read each record, and read other lines in runs."""
        columns = self._block.envelope
        # Of a time without a year, each record must say that its year is inferred, so such records are read.
        times = None if columns is None or columns.year_inferred else columns.at
        untimed = columns is None or columns.at is None
        is_quiet, clock = self._form.is_quiet, self._times.at
        seconds: dict[bytes, int] = {}
        records, first, last, waiting, index = 0, 1 << 63, -1, -1, 0
        for second, fraction, kind, message, rest, _ in found:
            index += 1
            at = -2
            if kind:
                if second:
                    start = seconds.get(second)
                    if start is None:
                        instant = clock(second)
                        seconds[second] = start = -2 if instant is None or instant < 0 else instant
                    at = start + fractions[fraction] if start >= 0 else start
                elif untimed:
                    at = -1
                elif times is not None:
                    moment = times[index - 1]
                    at = -1 if moment is None else moment
            if at < -1:
                if waiting < 0:
                    waiting = index - 1
                continue
            if waiting >= 0:
                self.read(waiting, index - 1)
                waiting = -1
            if not is_quiet(kind, message, rest):
                self.told(index - 1, self._lines[index - 1], at, second, fraction)
                continue
            records += 1
            if at > last:
                if last < 0:
                    first = at
                last = at
            elif 0 <= at < first:
                first = at
        if waiting >= 0 or not whole:
            self.read(waiting if waiting >= 0 else index, None)
        if records:
            ends = (first, last) if last >= 0 else (None, None)
            self._sink.quiet(records, *ends)

    def read(self, start: int, until: int | None) -> None:
        """Lines `start` to `until` (not included), or to the end."""
        lines = self._lines
        end = len(lines) if until is None else until
        if start >= end:
            return
        for event in self._parser.parse(part_of(self._block, lines, start, end), self._context):
            self._sink.add(event)

    def _all_told(self, loud: list[int], stamps: list[bytes], instant: Callable[[bytes], int]) -> None:
        """Count or read lines that are not quiet; those that say the same are counted together.

        Args:
            loud: their indexes, in order.
            stamps: their times as text, in step with `loud`.
            instant: gives the nanoseconds of a stamp.
        """
        lines, first_line = self._lines.at(loud), self._block.first_line
        # What an envelope says of a line becomes a part of its events; without envelopes that is the same for all
        # lines.
        alike = self._block.envelope is None
        known = self._said_around(None, timed=True, stamped=True) if alike else {}
        again: dict[str | bool | None, list[tuple[LogEvent | ChangeEvent, int, int]]] = {}
        for number, (index, stamp, line) in enumerate(zip(loud, stamps, lines, strict=True)):
            at = instant(stamp)
            saying = line[line.find(stamp) + len(stamp) :]
            events = known.get(saying)
            if events is None:
                if alike:
                    self._meet(index, line, at, saying, known, None)
                else:
                    self.told(index, line, at, _SECOND(stamp), _FRACTION(stamp))
                continue
            for event in events:
                kind = event.signal if isinstance(event, LogEvent) else True
                again.setdefault(kind, []).append((event, at, number))
        for some in again.values():
            events, ats, numbers = zip(*some, strict=True)

            def raw(place: int, numbers: Sequence[int] = numbers) -> bytes:
                return lines[numbers[place]]

            self._sink.add_all_again(events, ats, [first_line + loud[number] for number in numbers], raw)

    def _said_around(self, around: LineEnvelope | None, *, timed: bool, stamped: bool) -> _Said:
        """Events by the text behind a line's time, for lines with these surroundings: all that else goes into an event."""
        context = self._context
        where = (
            timed,
            stamped,
            (around and around.node) or context.node,
            (around and around.namespace) or context.namespace,
            (around and around.pod) or context.pod,
            (around and around.container) or context.container,
        )
        said = self._said.get(where)
        if said is None:
            if len(self._said) >= _MOST_AROUND:
                self._said.clear()
            said = self._said[where] = {}
        return said

    def told(self, index: int, line: bytes, at: int, second: bytes, fraction: bytes) -> None:
        """Count a line of the form that is not quiet; it is read only if no earlier line said the same."""
        sink = self._sink
        moment = at if at >= 0 else None
        block = self._block
        number = block.first_line + index
        around = None
        if block.envelope is not None:
            around = block.of_line(index)
            number = around.line
        begin = line.find(second) + len(second) + bool(fraction) + len(fraction) if second else 0
        saying = line[begin:]
        said = self._said_around(around, timed=moment is not None, stamped=bool(second))
        known = said.get(saying)
        if known is None:
            self._meet(index, line, at, saying, said, around)
            return
        for event in known:
            sink.add_again(event, moment, number, line)

    def _meet(
        self, index: int, line: bytes, at: int, saying: bytes, said: _Said, around: LineEnvelope | None
    ) -> None:
        """Read a line that says something for the first or second time; its events are remembered at the second."""
        whole = around or self._block.of_line(index)
        events = tuple(self._form.read(line, whole))
        for event in events:
            self._sink.add(event)
        if saying not in self._once:
            # Most new messages never come again, and to remember an event costs as much as to read it.
            if len(self._once) >= _MOST:
                self._once.clear()
            self._once[saying] = None
            return
        place = at if at >= 0 else None, whole.line, decode(line)
        told = tuple(
            event
            for event in events
            if isinstance(event, LogEvent | ChangeEvent) and (event.at, event.line, event.raw) == place
        )
        if len(told) == len(events):
            if len(said) >= _MOST:
                said.clear()
            said[saying] = tuple(replace(event, raw=None) for event in told)
