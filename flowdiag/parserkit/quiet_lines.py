"""Folding logs: a record that carries no signal is counted, and everything else is read.

Most records of a component's log matter to no diagnosis, and their number and their first and last time are all
that stays of them.  A parser gives a pattern that cuts its usual records, and says of which nothing stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.parserkit.block import Block, ParseContext
from flowdiag.parserkit.line_forms import part_of
from flowdiag.parserkit.lines import cut_lines
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.sink import FlowSink

__all__ = ["QuietForm", "fold_quiet"]

_SCALES = tuple(10 ** (9 - digits) for digits in range(10))


class QuietForm(Struct, frozen=True, kw_only=True):
    """How a parser's usual records look."""

    pattern: re.Pattern[bytes]
    """Groups: second, fraction, kind, message, rest, other; every match is one line with its newline, and ``other`` a line
    in no form.  An empty second is a record without a time of its own."""
    is_quiet: Callable[[bytes, bytes, bytes], bool]
    """Whether nothing stays of a record, by its kind, message and rest."""
    clock: Callable[[bytes], int | None]
    """Nanoseconds of a second; ``None`` where the record must be read."""


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
    context = replace(context, keep_raw=True)
    lines = cut_lines(block.data)
    if not lines:
        return
    data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
    columns = block.envelope
    # A time without a year is said to be one, record by record.
    times = None if columns is None or columns.year_inferred else columns.at
    untimed = columns is None or columns.at is None
    is_quiet, clock = form.is_quiet, form.clock
    seconds: dict[bytes, int] = {}
    records, first, last, waiting, index = 0, 1 << 63, -1, -1, 0
    for second, fraction, kind, message, rest, _ in form.pattern.findall(data):
        index += 1
        at = -2
        if kind and is_quiet(kind, message, rest):
            if second:
                start = seconds.get(second)
                if start is None:
                    found = clock(second)
                    seconds[second] = start = -2 if found is None or found < 0 else found
                at = start + int(fraction) * _SCALES[len(fraction)] if fraction and start >= 0 else start
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
            _read(parser, block, lines, waiting, index - 1, context, sink)
            waiting = -1
        records += 1
        if at >= 0:
            if at > last:  # noqa: PLR1730 - a call of max costs ten times as much
                last = at
            if at < first:  # noqa: PLR1730 - as above
                first = at
    if waiting >= 0 or not data.endswith(b"\n"):
        _read(parser, block, lines, waiting if waiting >= 0 else index, len(lines), context, sink)
    if records:
        sink.quiet(records, first if last >= 0 else None, last if last >= 0 else None)


def _read(
    parser: Parser,
    block: Block,
    lines: list[bytes],
    start: int,
    until: int,
    context: ParseContext,
    sink: FlowSink,
) -> None:
    for event in parser.parse(part_of(block, lines, start, until), context):
        sink.add(event)
