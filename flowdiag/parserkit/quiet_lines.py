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
"""Sayings that are remembered; past it they are forgotten."""

_MOST_AROUND = 64
"""Places with sayings of their own (a pod's container) that are remembered."""

_Around = tuple[bool | str | None, ...]
_Said = dict[bytes, tuple[LogEvent | ChangeEvent, ...]]


class QuietForm(Struct, frozen=True, kw_only=True):
    """How a parser's usual records look."""

    pattern: re.Pattern[bytes]
    """Groups: second, fraction, kind, message, rest, other; every match is one line with its newline, and ``other`` a line
    in no form.  An empty second is a record without a time of its own."""
    quick: re.Pattern[bytes] | None = None
    """For blocks in which every line is a record of the form with a time of its own: a stamp of `_STAMP` bytes to the
    second and perhaps a fraction behind a dot, such that text sorts as time, and what `loud` wants to see of the
    message.  It may run over newlines else, but begins where a line does."""
    is_quiet: Callable[[bytes, bytes, bytes], bool]
    """Whether nothing stays of a record, by its kind, message and rest."""
    loud: Callable[[Sequence[bytes], bytes], list[int]]
    """Which records are to be read, by their index, in order: all that `is_quiet` is not, and perhaps more.  Asked of all
    messages that `quick` cut from a text, and of the text, as to ask one by one costs as much as cutting them."""
    clock: Callable[[bytes, bool], int | None]
    """As `flowdiag.parserkit.line_forms.LineForm.clock`."""
    read: Callable[[bytes, LineEnvelope], Iterable[Event]]
    """Events of one whole line in the form, whatever stands around it."""


def fold_quiet(parser: Parser, block: Block, context: ParseContext, sink: FlowSink, form: QuietForm) -> None:
    """Count all records of `block` in `sink`.

    Lines are read in runs, so a record whose continuation lines follow must not be in the form.

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
        # A match has one newline at least: as many matches as newlines, and each is one line.
        if len(found) == count_lines(data) and reading.all_at_once(found, data):
            return
    reading.one_by_one(form.pattern.findall(data), whole=whole)


class _Reading:
    """Reads what must be read of one block."""

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
        """Count lines that are records all, and read those that are not quiet; whether it could."""
        ats: dict[bytes, int] = {}
        latest = -1
        stamps = [stamp for stamp, _ in found]
        for second in sorted(set(map(_SECOND, stamps))):
            at = self._times.at(second)
            if at is None or at <= latest:
                # No day of the calendar, or a clock that was turned back: text does not tell the order.
                return False
            ats[second] = latest = at
        loud = self._form.loud([message for _, message in found], data)

        def instant(stamp: bytes) -> int:
            return ats[_SECOND(stamp)] + fractions[_FRACTION(stamp)]

        self._all_told(loud, [stamps[index] for index in loud], instant)
        if len(found) > len(loud):
            # Those that were read count among the ends by themselves.
            self._sink.quiet(len(found) - len(loud), instant(min(stamps)), instant(max(stamps)))
        return True

    def one_by_one(self, found: list[tuple[bytes, ...]], *, whole: bool) -> None:
        """Count or read each record, and read other lines in runs."""
        columns = self._block.envelope
        # A time without a year is said to be one, record by record.
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
        """Lines that are not quiet, by their index, and their stamps: what is known of is counted together."""
        lines, first_line = self._lines.at(loud), self._block.first_line
        # What stands around a line tells too: without an envelope it is the same for all.
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
        """What lines say, by what stands behind their time, beside all that reading takes from around it."""
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
        """A line of the form that is not quiet: one that says the same as an earlier one is not read again."""
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
        """A line that says what none did before it, or one: its events count, and are remembered where it is said again."""
        whole = around or self._block.of_line(index)
        events = tuple(self._form.read(line, whole))
        for event in events:
            self._sink.add(event)
        if saying not in self._once:
            # Most that is new is never said again, and to remember an event costs as much as to read it.
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
