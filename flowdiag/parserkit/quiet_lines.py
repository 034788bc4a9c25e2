"""Folding logs: a record that carries no signal is counted, and everything else is read.

Most records of a component's log matter to no diagnosis, and their number and their first and last time are all
that stays of them.  A parser gives a pattern that cuts its usual records, and says of which nothing stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Event
from flowdiag.parserkit.block import Block, LineEnvelope, ParseContext, part_of
from flowdiag.parserkit.lines import cut_lines, decode
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.seconds import TimesOfDay, fractions
from flowdiag.parserkit.sink import FlowSink

__all__ = ["QuietForm", "fold_quiet"]

_MOST = 4096
"""Sayings that are remembered; past it they are forgotten."""

_Cut = tuple[bytes, ...]
_Saying = tuple[bytes | bool | str | None, ...]


class QuietForm(Struct, frozen=True, kw_only=True):
    """How a parser's usual records look."""

    pattern: re.Pattern[bytes]
    """Groups: second, fraction, kind, message, rest, other; every match is one line with its newline, and ``other`` a line
    in no form.  An empty second is a record without a time of its own."""
    quick: re.Pattern[bytes] | None = None
    """The first five groups, for blocks in which every line is a record of the form with a time of its own; may run over
    newlines else, but begins where a line does.  A second is such that text sorts as time."""
    is_quiet: Callable[[bytes, bytes, bytes], bool]
    """Whether nothing stays of a record, by its kind, message and rest."""
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
        found = form.quick.findall(data)
        # A match has one newline at least: as many matches as newlines, and each is one line.
        if len(found) == data.count(b"\n") and reading.all_at_once(found):
            return
    reading.one_by_one(form.pattern.findall(data), whole=whole)


class _Reading:
    """Reads what must be read of one block."""

    def __init__(
        self, parser: Parser, block: Block, context: ParseContext, sink: FlowSink, form: QuietForm
    ) -> None:
        self._form = form
        self._said: dict[_Saying, tuple[Event, ...]] = sink.memo.setdefault("told", {})
        self._times = TimesOfDay(form.clock, block)
        self._parser = parser
        self._block = block
        self._context = context
        self._sink = sink

    @cached_property
    def _lines(self) -> list[bytes]:
        return cut_lines(self._block.data)

    def all_at_once(self, found: list[_Cut]) -> bool:
        """Count lines that are records all, and read those that are not quiet; whether it could."""
        ats: dict[bytes, int] = {}
        latest = -1
        for second in sorted({record[0] for record in found}):
            at = self._times.at(second) if second else None
            if at is None or at <= latest:
                # No time of its own, or a clock that was turned back: text does not tell the order.
                return False
            ats[second] = latest = at
        is_quiet = self._form.is_quiet
        loud = [
            index
            for index, (_, _, kind, message, rest) in enumerate(found)
            if not is_quiet(kind, message, rest)
        ]
        for index in loud:
            second, fraction, *_ = found[index]
            self.told(index, ats[second] + fractions[fraction], second, fraction)
        if len(found) > len(loud):
            # Those that were read count among the ends by themselves.
            ends = (ats[second] + fractions[fraction] for second, fraction, *_ in (min(found), max(found)))
            self._sink.quiet(len(found) - len(loud), *ends)
        return True

    def one_by_one(self, found: list[_Cut], *, whole: bool) -> None:
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
                self.told(index - 1, at, second, fraction)
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

    def told(self, index: int, at: int, second: bytes, fraction: bytes) -> None:
        """A line of the form that is not quiet: one that says the same as an earlier one is not read again."""
        line, sink = self._lines[index], self._sink
        moment = at if at >= 0 else None
        around = self._block.of_line(index)
        # What stands behind its time, and all that reading takes from around it.
        begin = line.find(second) + len(second) + bool(fraction) + len(fraction) if second else 0
        context = self._context
        saying = (
            line[begin:],
            bool(second),
            moment is None,
            around.node or context.node,
            around.namespace or context.namespace,
            around.pod or context.pod,
            around.container or context.container,
        )
        known = self._said.get(saying)
        if known is None:
            events = tuple(self._form.read(line, around))
            for event in events:
                sink.add(event)
            raw = decode(line)
            if all((event.at, event.line, event.raw) == (moment, around.line, raw) for event in events):
                if len(self._said) >= _MOST:
                    self._said.clear()
                self._said[saying] = tuple(replace(event, raw=None) for event in events)
            return
        raw = decode(line)
        for event in known:
            sink.add(replace(event, line=around.line, at=moment, raw=raw))
