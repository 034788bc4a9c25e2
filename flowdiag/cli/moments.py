"""Times, durations and zones as people type them for ``--since``, ``--window`` and ``--tz``."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from flowdiag.model.errors import UsageError
from flowdiag.model.time import NS, from_datetime, from_epoch, parse_rfc3339

__all__ = ["parse_duration", "parse_time", "parse_zone"]

_HINT = "write 2026-11-03T12:00:00Z, '2026-11-03 12:00', 12:00 or 30m"
_SECONDS = {"w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MONTHS = 12
_AHEAD = 86_400 * NS
"""A number since the epoch that lies later than this from now is another number: 2026110312."""
_DURATION_END = 250 * 366 * 86_400 * NS
"""Longer ones reach behind every time that records can have."""

# "30m", "2h", "1h30m", "1.5h", "45s", "7d", "2w", "10min", "10 minutes", "2 hours": kubectl's, journalctl's and spoken ones
_PART = re.compile(
    r"(\d{1,9}(?:\.\d{1,9})?) ?(w|weeks?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)(?![a-z])"
)
# dateutil takes "5" for the fifth of this month, and "-5m" for five minutes past midnight.
_NO_TIME = re.compile(r"[+-].*|\d{1,7}")
# "1773756300", "1773756300123", "1773756300123456789": since the epoch in seconds, and in smaller units with 13, 16 and 19
# digits, as Prometheus, Loki and journals write it
_EPOCH = re.compile(r"(\d{10})(\d{3}|\d{6}|\d{9})?")
# "17/03/2026", "03.04.2026", "26-03-17": dateutil takes the first of them for the month where it can be one
_YEAR_LAST = re.compile(r"(?<![\d:.])(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?![\d:])")
# as in "3/4 14:05"
_NO_YEAR = re.compile(r"(?<![\d:./])(\d{1,2})(/)(\d{1,2})(?![\d/])")
# as in "2026-11-03 12:00 Europe/Vienna"
_NAMED_ZONE = re.compile(r"(.+\d)\s+([A-Za-z_]+(?:/[A-Za-z_+-]+)+)")


def parse_duration(text: str) -> int:
    """Nanoseconds of ``30m``, ``1h30m``, ``45s``, ``7d`` or ``10 minutes``.

    Raises:
        UsageError: it is none of these.
    """
    span = _duration(text.strip().lower())
    if span is None:
        raise UsageError(f"{text!r} is not a duration", hint="write 45s, 30m, 2h, 1h30m or 7d")
    return span


def _duration(text: str) -> int | None:
    """Nanoseconds; ``None`` for what is no duration, or names a unit behind a smaller one."""
    total, at, last = 0, 0, float("inf")
    while at < len(text):
        part = _PART.match(text, at)
        unit = _SECONDS[part[2][0]] if part else 0
        if part is None or unit >= last:
            return None
        whole, _, fraction = part[1].partition(".")
        total += (int(whole) * NS + int(fraction.ljust(9, "0"))) * unit
        last = unit
        at = part.end() + (text[part.end() : part.end() + 1] == " ")
    return total if text and total < _DURATION_END else None


def parse_time(text: str, zone: tzinfo, *, past: bool = False) -> int:
    """Nanoseconds of what people type.

    RFC 3339, ``2026-11-03 12:00`` with or without a zone, ``12:00`` of today, ``yesterday 12:00``, how long ago
    (``30m``, ``2 hours ago``), ``now``, or a number since the epoch.

    Args:
        text: as typed.
        zone: of times that name none.
        past: a clock alone that is still to come today was yesterday's: ``23:50``, half an hour after midnight.

    Raises:
        UsageError: nobody can read it, or two people would read it differently.
    """
    text = text.strip()
    span = _duration(text.lower().removesuffix("ago").rstrip())
    if span is not None:
        return time.time_ns() - span
    try:
        return parse_rfc3339(text, zone)
    except ValueError:
        pass
    epoch = _EPOCH.fullmatch(text)
    at = from_epoch(int(epoch[1]), int((epoch[2] or "").ljust(9, "0"))) if epoch else None
    if at is not None and at < time.time_ns() + _AHEAD:
        return at
    named = _NAMED_ZONE.fullmatch(text)
    if named:
        return parse_time(named[1], parse_zone(named[2]), past=past)
    now = datetime.now(zone)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    word, _, clock = text.partition(" ")
    if word.lower() == "now" and not clock:
        return from_datetime(now)
    days = {"today": 0, "yesterday": 1}.get(word.lower())
    if days is not None:
        day = today - timedelta(days=days)
        return from_datetime(_read(clock, text, day, zone) if clock.strip() else day.replace(tzinfo=zone))
    moment, day_before = (_read(text, text, day, zone) for day in (today, today - timedelta(days=1)))
    # Where a day is named both are one.
    return from_datetime(day_before if past and moment > now else moment)


def _read(text: str, typed: str, day: datetime, zone: tzinfo) -> datetime:
    """What has many shapes, with the day where it names none.

    Raises:
        UsageError: it is no time, its day may be two, or its zone's name is not enough.
    """
    from dateutil import parser, tz

    wrong = UsageError(f"{typed!r} is not a time", hint=_HINT)
    if not text or _NO_TIME.fullmatch(text) or not _PART.sub("", text.lower()).strip():
        raise wrong
    if _may_be_two_days(text):
        raise UsageError(
            f"{typed!r}: the day may be read in more than one way",
            hint="write the year first: 2026-11-03 12:00",
        )
    names: list[str] = []

    def placed(name: str | None, offset: int | None) -> tzinfo | None:
        if offset is not None:
            return timezone(timedelta(seconds=offset))
        if name is None:
            return None
        names.append(name)
        return tz.gettz(name) or UTC

    try:
        moment = parser.parse(text, default=day, tzinfos=placed)
    except (ValueError, OverflowError):
        raise wrong from None
    # CET is +01:00; the zone that goes by this name is an hour ahead of it in July.
    if names and moment.tzname() != names[0]:
        raise UsageError(
            f"{typed!r}: {names[0]} does not say which offset is meant",
            hint="write the offset or a zone: '2026-11-03 12:00 +01:00', '2026-11-03 12:00 Europe/Vienna'",
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _may_be_two_days(text: str) -> bool:
    """Whether people of two countries read two days: 03/04/2026 may be April, 17/03/2026 is in March."""
    day = _YEAR_LAST.search(text)
    if day and len(day[4]) == 2:
        return True
    if day is None:
        day = _NO_YEAR.search(text)
    if day is None:
        return False
    first, second = int(day[1]), int(day[3])
    return first != second and max(first, second) <= _MONTHS


def parse_zone(text: str) -> tzinfo:
    """A zone by name, ``local``, or an offset such as ``+02:00``.

    Raises:
        UsageError: there is no such zone.
    """
    if text.upper() in ("UTC", "Z"):
        return UTC
    match = re.fullmatch(r"([+-])([01]\d|2[0-3]):?([0-5]\d)", text)
    if match:
        sign = -1 if match[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(match[2]), minutes=int(match[3])))
    from dateutil import tz

    zone = tz.tzlocal() if text == "local" else tz.gettz(text) if text else None
    if zone is None:
        raise UsageError(f"{text!r} is not a time zone", hint="write UTC, local, Europe/Vienna or +02:00")
    return zone
