"""The time stamps of ``hubble observe``: local time without a year by default, six forms by option."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import msgspec

from flowdiag.parserkit import (
    MONTHS,
    NS,
    LineEnvelope,
    ParseContext,
    TimeSource,
    from_datetime,
    parse_rfc3339,
    yearless_instant,
)

__all__ = ["QUICK_STAMP", "STAMP", "STAMP_BYTES", "Clock"]

# "Jan  1 00:20:34.567"                    StampMilli, the default (hubble 0.6 to 1.18)
# "2021-06-22T14:24:00.345Z"               --time-format RFC3339, RFC3339Milli, RFC3339Micro, RFC3339Nano
# "Mon, 02 Jan 2006 15:04:05 -0700"        --time-format RFC1123Z
STAMP = (
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4})"
)
"""A stamp, as text of a regular expression."""

# The forms with a fraction, and RFC 3339 in UTC without one: what `flowdiag.parserkit.line_forms` wants of a stamp.
STAMP_BYTES = (
    rb"(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?=\.\d{1,9}[^\dZ])|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?=(?:\.\d{1,9})?Z))"
    rb"(?:\.(\d{1,9}))?)?"
)
"""Second and fraction; the ``Z`` of the second form is left standing, and the first one has none."""

QUICK_STAMP = rb"([^.]{15,19})\.(\d{1,9})"
"""As `STAMP_BYTES`, for a pattern that is tried first: what is no stamp the clock does not know."""

_SHORT = re.compile(r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")
_CACHE = 4096
_BARE = LineEnvelope(line=1)


class Clock:
    """Reads the stamps of one block; remembers minutes, as many records share them."""

    def __init__(self, context: ParseContext) -> None:
        self._context = context
        self._minutes: dict[str, int] = {}

    def read(self, stamp: str | None, around: LineEnvelope) -> tuple[int | None, TimeSource]:
        """Nanoseconds and where they come from; ``None`` without a usable stamp."""
        if stamp is not None:
            if stamp[0].isdigit():
                try:
                    return parse_rfc3339(stamp, self._context.zone), TimeSource.RECORD
                except ValueError:  # not a day of the calendar
                    return None, TimeSource.NONE
            if stamp[3] == ",":
                try:
                    return from_datetime(parsedate_to_datetime(stamp)), TimeSource.RECORD
                except ValueError:  # not a day of the calendar
                    return None, TimeSource.NONE
            at = self._yearless(stamp, around)
            if at is not None:
                return at, TimeSource.INFERRED_YEAR
        return None, TimeSource.NONE

    def start(self, second: bytes, enveloped: bool) -> int | None:
        """Nanoseconds of a stamp without its fraction; ``None`` where it must be read with its line."""
        stamp = second.decode("ascii")
        if stamp[0].isdigit():
            try:
                return parse_rfc3339(f"{stamp}Z")
            except ValueError:  # not a day of the calendar
                return None
        known = self._context.year is not None or self._context.reference_time is not None
        # Else every line's envelope may tell another year.
        return self._yearless(f"{stamp}.0", _BARE) if known or not enveloped else None

    def _yearless(self, stamp: str, around: LineEnvelope) -> int | None:
        match = _SHORT.fullmatch(stamp)
        if match is None:
            return None
        month, day, hour, minute, second, fraction = match.groups()
        nanos = int((fraction or "0").ljust(9, "0")) + int(second) * NS
        known = self._minutes.get(stamp[:12])
        if known is not None and second < "60":
            return known + nanos
        context = self._context
        if context.year is None and context.reference_time is None and around.at is not None:
            # The envelope received the line soon after: the best witness of the year there is.
            context = msgspec.structs.replace(context, reference_time=around.at)
        number = MONTHS.get(month)
        if number is None:
            return None
        clock = (int(hour), int(minute), 0)
        start = yearless_instant(context, number, int(day), clock) if second <= "60" else None
        if start is None:
            return None
        if context is self._context:
            if len(self._minutes) >= _CACHE:
                self._minutes.clear()
            self._minutes[stamp[:12]] = start
        return start + nanos
