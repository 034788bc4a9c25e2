"""Clocks that disagree by whole hours: the stamp inside a line, and the one its collector wrote around it.

A log in local time without a zone, read as if it were UTC, looks like this (seen with Weave's log in UTC inside
a journal in Eastern time).  The stamp inside
is used, since it is nearer to what happened; its zone must be given by the user (``--tz``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice

from msgspec.structs import replace

from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.problems import InputProblem
from flowdiag.model.event import Event, TimeSource
from flowdiag.model.time import NS
from flowdiag.parserkit import Block, ParseContext, Parser

__all__ = ["ONE_LOG", "around_new_year", "clocks_apart", "first_stamp", "first_yearless", "year_from_inside"]

_LINES = 60
_EVENTS = 200
_STEP_S = 1800
"""Zones differ by hours and half hours (a few by quarters, which are not looked for)."""
_LAG_S = 90
"""How much later than its stamp a collector may have written a line, seconds."""
_MOST_STEPS = 28
ONE_LOG = 62 * 86_400 * NS
"""The first lines of a single log lie within this span."""
_SURE = 0.9
_AHEAD = 152 * 86_400 * NS
"""Half a year but a month: what is nearest to it lies at most a month before the first stamp."""


def clocks_apart(rows: Rows, parser: Parser, context: ParseContext) -> InputProblem | None:
    """Compare the stamps inside and around the first lines of an input.

    Args:
        rows: the input's first lines, peeled.
        parser: who reads them.
        context: of the input.

    Returns:
        What to say where nearly all of them lie the same number of whole or half hours apart.
    """
    sample = _first(rows)
    if sample is None:
        return None
    around = {line: at for line, at in zip(sample.lines, sample.at or [], strict=False) if at is not None}
    inside = dict(_stamps(sample, parser, context))
    steps = Counter(_steps(at - around[line]) for line, at in inside.items() if line in around)
    if not steps:
        return None
    step, count = steps.most_common(1)[0]
    if not step or count < _SURE * steps.total():
        return None
    offset = timedelta(seconds=step * _STEP_S)
    apart = f"times in its lines are {_said(offset)} its collector's"
    shifted = dict(_stamps(sample, parser, replace(context, zone=timezone(timedelta(hours=1)))))
    if shifted == inside:
        return InputProblem(context.input, "clocks-apart", f"{apart}; they carry their zone and are used")
    read_as = _offset_at(min(inside.values()), context)
    # If the collector's stamp has no zone, either, it does not tell which is right.
    other = "" if sample.year_inferred else f" ({_zone(read_as + offset)})"
    text = f"{apart} and carry no zone: read as {_zone(read_as)}; if that is wrong, --tz says theirs{other}"
    return InputProblem(context.input, "clocks-apart", text)


def year_from_inside(rows: Rows, parser: Parser, context: ParseContext) -> int | None:
    """An instant near the records for a collector's stamps without a year, from the stamps inside that have one.

    Args:
        rows: the input's first lines, peeled.
        parser: who reads them.
        context: of the input; it says nothing where it knows a year already.
    """
    dated = rows.at is not None and any(at is not None for at in rows.at[:_LINES])
    if dated or context.year is not None or context.reference_time is not None:
        return None
    return next((at for _, at in _stamps(_head(rows), parser, context)), None)


def around_new_year(
    peel: Callable[[ParseContext], Rows], parser: Parser, context: ParseContext
) -> ParseContext:
    """Let ``--year`` be the year of an input's first stamp without one, so that January behind December is the next.

    Args:
        peel: takes the wrappers off the input's beginning; their stamps may be those without a year.
        parser: who reads it.
        context: of the input, with a year.

    Returns:
        The context with a time that the nearest year is chosen by: stamps from a month before the first one to
        eleven months behind it are on its side of the year.  As it was where no stamp is met, and where the stamps
        lie months apart: lines gathered from several logs have no order to go by.
    """
    first = first_yearless(peel(context), parser, context)
    if first is None:
        return context
    turned = replace(context, year=None, reference_time=first + _AHEAD)
    stamps = list(_yearless(peel(turned), parser, turned))
    return turned if stamps and max(stamps) - min(stamps) <= ONE_LOG else context


def first_yearless(rows: Rows, parser: Parser, context: ParseContext) -> int | None:
    """The time of the first event whose stamp has no year, read in the context's."""
    return next(_yearless(rows, parser, context), None)


def first_stamp(rows: Rows, parser: Parser, context: ParseContext) -> tuple[int, bool] | None:
    """The time of the first event that has one, and whether its year is the context's."""
    block = Block(data=rows.data, first_line=1, envelope=rows.envelope(), last=True)
    for event in _events(block, parser, context):
        if event.at is not None:
            return event.at, event.time_source is TimeSource.INFERRED_YEAR
    return None


def _yearless(rows: Rows, parser: Parser, context: ParseContext) -> Iterator[int]:
    """Times of the first events whose stamps have no year."""
    block = Block(data=rows.data, first_line=1, envelope=rows.envelope(), last=True)
    for event in _events(block, parser, context):
        if event.at is not None and event.time_source is TimeSource.INFERRED_YEAR:
            yield event.at


def _first(rows: Rows) -> Rows | None:
    """The first lines alone; ``None`` where nothing outside of them says a time."""
    if rows.at is None or not any(at is not None for at in rows.at[:_LINES]):
        return None
    return _head(rows)


def _head(rows: Rows) -> Rows:
    lines = rows.data.split(b"\n")[:_LINES]
    count = min(len(lines), len(rows.lines))

    def cut(column: list[str | None] | None) -> list[str | None] | None:
        return None if column is None else column[:count]

    return Rows(
        data=b"\n".join(lines[:count]) + b"\n",
        lines=rows.lines[:count],
        at=None if rows.at is None else rows.at[:count],
        node=cut(rows.node),
        namespace=cut(rows.namespace),
        pod=cut(rows.pod),
        container=cut(rows.container),
        year_inferred=rows.year_inferred,
    )


def _stamps(rows: Rows, parser: Parser, context: ParseContext) -> Iterator[tuple[int, int]]:
    """Line and time of events whose time is the record's own."""
    block = Block(data=rows.data, first_line=1, envelope=rows.envelope(), last=True)
    for event in _events(block, parser, context):
        if event.at is not None and event.time_source in (TimeSource.RECORD, TimeSource.INFERRED_YEAR):
            yield event.line, event.at


def _events(block: Block, parser: Parser, context: ParseContext) -> Iterator[Event]:
    try:
        yield from islice(parser.parse(block, replace(context, memory={})), _EVENTS)
    except Exception:  # noqa: BLE001 - a stranger's parser may raise anything; reading the input will say so.
        return


def _steps(difference: int) -> int:
    """Whole half hours between two stamps, inside minus around; 0 where they are not such steps apart."""
    step = round(difference / (_STEP_S * NS))
    exact = abs(difference - step * _STEP_S * NS) <= _LAG_S * NS
    return step if exact and abs(step) <= _MOST_STEPS else 0


def _offset_at(at: int, context: ParseContext) -> timedelta:
    return datetime.fromtimestamp(at // NS, context.zone).utcoffset() or timedelta()


def _said(offset: timedelta) -> str:
    minutes = abs(int(offset.total_seconds())) // 60
    hours, rest = divmod(minutes, 60)
    amount = " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
    return f"{amount} {'ahead of' if offset > timedelta() else 'behind'}"


def _zone(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
