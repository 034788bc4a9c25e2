"""Instants as integer nanoseconds since the epoch, UTC, and their RFC 3339 text.

`datetime` stops at microseconds: it truncates what Hubble, CRI and slog write with nine digits, and
two parsers that round differently disagree about the order of events.
So the seconds go through `datetime` and the fraction is read as an integer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

__all__ = [
    "NS",
    "from_datetime",
    "from_epoch",
    "from_micros",
    "from_nanos",
    "instant_of",
    "moment_text",
    "parse_rfc3339",
    "rfc3339",
    "rfc3339_or_none",
    "rfc3339_seconds",
]

NS = 1_000_000_000
"""Nanoseconds in a second."""

_YEARS = range(1900, 2200)
"""Years whose nanoseconds fit in 64 bits with room to spare for the length of a span."""
_EPOCH_SECONDS = range(-2_208_988_800, 7_258_118_400)
"""The same years in seconds since the epoch."""
_COUNT_DIGITS = 20
"""The most digits of a count of nanoseconds that is read at all; 1731036139123456789 has 19."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE = _EPOCH.replace(tzinfo=None)

# "2026-09-20T14:56:45.779111730Z"      Hubble v1.19 JSON, CRI, kubectl --timestamps
# "2024-11-19T12:15:03.023805-08:00"    rsyslog RFC 3339 file format
# "2024-11-19 12:15:03,023 +0000"       journalctl --output short-iso-precise and Python loggers
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,12}))?"
    r"(?: ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII,
)

_seconds_by_prefix: dict[str, int] = {}
_SECONDS_CACHE = 8192


def instant_of(stamp: str | None, zone: tzinfo | None = None) -> int | None:
    """As `parse_rfc3339`, but ``None`` for a missing or unreadable stamp."""
    try:
        return parse_rfc3339(stamp, zone) if stamp else None
    except (ValueError, OverflowError):
        return None


def parse_rfc3339(text: str, zone: tzinfo | None = None) -> int:
    """Read an RFC 3339 instant, 0 to 12 fractional digits (those past the ninth are dropped).

    Args:
        text: the whole stamp; a blank instead of ``T`` and a comma instead of ``.`` are taken too.
        zone: what a stamp without an offset is in; without it such a stamp is an error.

    Returns:
        Nanoseconds since the epoch.

    Raises:
        ValueError: not a stamp, not a day of the calendar, a year before 1900 or after 2199, or no offset and no `zone`.
    """
    # Exports hold thousands of records a second, and objects that were made together: the part up to the seconds is worth
    # remembering.
    if len(text) > 19 and text[-1] == "Z":
        seconds = _seconds_by_prefix.get(text[:19])
        if seconds is not None:
            digits = text[20:-1]
            if text[19] == "." and digits.isascii() and digits.isdigit():
                return seconds * NS + int(digits[:9].ljust(9, "0"))
            if len(text) == 20:
                return seconds * NS
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    if int(year) not in _YEARS:
        raise ValueError(f"a year that no clock says: {text[:40]!r}")
    leap = second == "60"
    if offset is None:
        if zone is None:
            raise ValueError(f"time without a zone: {text[:40]!r}")
        tz: tzinfo = zone
    else:
        tz = _offset(offset)
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), 59 if leap else int(second), tzinfo=tz
    )
    whole = int((moment - _EPOCH).total_seconds()) + leap
    if offset in ("Z", "z") and text[10] == "T" and not leap:
        if len(_seconds_by_prefix) >= _SECONDS_CACHE:
            _seconds_by_prefix.clear()
        _seconds_by_prefix[text[:19]] = whole
    return whole * NS + int((fraction or "0")[:9].ljust(9, "0"))


def _offset(text: str) -> tzinfo:
    if text in ("Z", "z", "UTC"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "").ljust(4, "0")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))


def from_epoch(seconds: int, nanos: int = 0) -> int | None:
    """Nanoseconds of a number of seconds that a record holds; ``None`` before 1900 or after 2199."""
    return seconds * NS + nanos if seconds in _EPOCH_SECONDS else None


def from_micros(count: str | bytes | int) -> int | None:
    """Nanoseconds of a count of microseconds, as journals write it; ``None`` for what is none, or as in `from_epoch`."""
    return _from_count(count, NS // 1_000)


def from_nanos(count: str | bytes | int) -> int | None:
    """A count of nanoseconds, as Loki and OpenTelemetry write it; ``None`` for what is none, or as in `from_epoch`."""
    return _from_count(count, NS)


def _from_count(count: str | bytes | int, a_second: int) -> int | None:
    if not isinstance(count, int):
        if not (count.isascii() and count.isdigit() and len(count) <= _COUNT_DIGITS):
            return None
        count = int(count)
    seconds, parts = divmod(count, a_second)
    return from_epoch(seconds, parts * (NS // a_second))


def from_datetime(moment: datetime) -> int:
    """Nanoseconds of an aware `datetime`.

    Raises:
        ValueError: `moment` carries no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * NS + delta.microseconds * 1000


def rfc3339(at: int) -> str:
    """RFC 3339 text in UTC with nine fractional digits, as the contract's fields carry it."""
    return f"{rfc3339_seconds(at)[:-1]}.{at % NS:09d}Z"


def rfc3339_or_none(at: int | None) -> str | None:
    """`rfc3339` of a time that may not be known."""
    return None if at is None else rfc3339(at)


def rfc3339_seconds(at: int) -> str:
    """RFC 3339 text in UTC, cut to whole seconds, for people."""
    return _in_seconds(at // NS)


def moment_text(at: int) -> str:
    """``2026-09-20 14:56:45 UTC``: a moment in a sentence.

    Every sentence of a report writes moments so and in no other way: `flowdiag.report.spoken` knows them by it
    and shows them in the reader's zone, without the day where that needs no saying.
    """
    return f"{rfc3339_seconds(at)[:-1].replace('T', ' ')} UTC"


@lru_cache(maxsize=4096)
def _in_seconds(at: int) -> str:
    """The text of one second: thousands of records share it."""
    return f"{(_NAIVE + timedelta(seconds=at)).isoformat()}Z"
