"""Stamps that leave out the year: syslog (RFC 3164), klog.

A year is never taken from the clock or from a file's time on disk.  It is the one the user gave
(``--year``), or the one that brings the stamp nearest to a time known to be near the records; without
either the instant stays unknown.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flowdiag.model.time import NS, from_datetime
from flowdiag.parserkit.block import ParseContext

__all__ = ["MONTHS", "yearless_instant"]

MONTHS: dict[str, int] = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
"""English short names of the months, as syslog writes them whatever the locale."""


def yearless_instant(
    context: ParseContext, month: int, day: int, clock: tuple[int, int, int], nanos: int = 0
) -> int | None:
    """Nanoseconds since the epoch of a stamp without a year, read in ``context.zone``.

    Args:
        context: gives `year`, or `reference_time`: of the years around it the one is taken in which
            the stamp lies nearest, so that December and January fall on the right sides of it.
        month: from 1.
        day: of the month, from 1.
        clock: hour, minute and second; a leap second counts as the next second.
        nanos: fraction of the second.

    Returns:
        ``None`` where neither is known, or where no candidate year has that day.
    """
    if context.year is not None:
        return _instant(context, context.year, month, day, clock, nanos)
    reference = context.reference_time
    if reference is None:
        return None
    near = datetime.fromtimestamp(reference // NS, UTC).year
    found = [
        instant
        for year in range(near - 1, near + 2)
        if (instant := _instant(context, year, month, day, clock, nanos)) is not None
    ]
    return min(found, key=lambda instant: (abs(instant - reference), instant), default=None)


def _instant(
    context: ParseContext, year: int, month: int, day: int, clock: tuple[int, int, int], nanos: int
) -> int | None:
    hour, minute, second = clock
    leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=context.zone)
    except ValueError:
        return None
    return from_datetime(moment) + nanos + leap * NS
