"""Times as people read them: in the zone they asked for, with the day where it is not understood.

Nothing here escapes; the format does that to the whole phrase.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

from flowdiag.model.report import Report
from flowdiag.model.time import NS, parse_rfc3339

__all__ = [
    "MONTHS_S",
    "Clock",
    "day_and_clock",
    "delta_text",
    "duration_text",
    "instant",
    "span_text",
    "ticks",
    "zone_text",
]


MONTHS_S = 60 * 86_400
"""Seconds from which on an axis needs the year and no clock."""


def ticks(text: str | None) -> int | None:
    """A report's time as nanoseconds, ``None`` where it is unknown or a stranger's text."""
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        return None


def instant(text: str, zone: tzinfo) -> datetime | None:
    """A report's time in the zone that is shown, cut to microseconds."""
    at = ticks(text)
    if at is None:
        return None
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at // NS, microseconds=at % NS // 1000)
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return None


def day_and_clock(text: str | None, zone: tzinfo) -> str:
    """``2026-11-03 12:01:07``."""
    moment = None if text is None else instant(text, zone)
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else text or "unknown"


class Clock(Struct, frozen=True):
    """Times of one report: the clock alone for what happened on its only day, else with the date."""

    zone: tzinfo = UTC
    day: str | None = None
    """The day of the whole window, ``None`` where it covers several or none is known."""
    named: bool = False
    """Whether every moment says its zone: for sentences, which stand alone."""

    @classmethod
    def of(cls, report: Report, zone: tzinfo, *, named: bool = False) -> Clock:
        """The clock of a report in the zone that is shown."""
        ends = (report.window.since, report.window.until)
        days = {day_and_clock(end, zone)[:10] for end in ends if ticks(end) is not None}
        return cls(zone, days.pop() if len(days) == 1 else None, named)

    def text(self, moment: str | None) -> str:
        """``12:01:07``, or ``2026-03-02 12:01:07`` for a moment of another day."""
        return f"{self._short(moment)}{self._name(moment)}"

    def known(self, moment: str) -> str | None:
        """As `text`; ``None`` for what is no time."""
        return None if instant(moment, self.zone) is None else self.text(moment)

    def whole(self, moment: str | None) -> str:
        """``2026-03-02 12:01:07``, whatever the day."""
        return f"{day_and_clock(moment, self.zone)}{self._name(moment)}"

    def span(self, first: str, last: str, joint: str) -> str:
        """Two moments; the second without its day where the first says it already, unless both say their zone."""
        if self.named:
            return f"{self.text(first)}{joint}{self.text(last)}"
        begin, end = (day_and_clock(moment, self.zone) for moment in (first, last))
        second = end[11:] if begin[:10] == end[:10] and len(end) == 19 else end
        return f"{self._short(first)}{joint}{second}"

    def _short(self, moment: str | None) -> str:
        whole = day_and_clock(moment, self.zone)
        return whole[11:] if whole[:10] == self.day and len(whole) == 19 else whole

    def _name(self, moment: str | None) -> str:
        """`` UTC``, `` CET``, `` UTC+05:30``: the zone at that moment, where it is wanted."""
        at = instant(moment, self.zone) if self.named and moment is not None else None
        if at is None:
            return ""
        name, offset = at.tzname() or "", at.strftime("%z")
        return f" {name}" if name.isalpha() else f" UTC{offset[:3]}:{offset[3:5]}"


def zone_text(zone: tzinfo, at: str | None, until: str | None = None) -> str:
    """``UTC``, or the zone's name with its distance: ``Europe/Berlin, UTC+01:00``.

    Args:
        zone: as it is shown.
        at: the moment that it stands beside, or the first of a span; ``None`` where it is not known.
        until: the last moment of the span, where the clocks may have been changed: ``UTC+01:00, then UTC+02:00``.
    """
    if zone is UTC:
        return "UTC"
    first = at or until
    moment = (instant(first, zone) if first else None) or datetime(2000, 1, 1, tzinfo=zone)
    name = getattr(zone, "key", None) or moment.tzname() or ""
    if name == "UTC":
        return "UTC"
    distance = _distance(moment)
    last = instant(until, zone) if until else None
    if last is not None and _distance(last) != distance:
        distance = f"{distance}, then {_distance(last)}"
    return f"{name}, {distance}" if name and not name.startswith("UTC") else distance


def _distance(moment: datetime) -> str:
    offset = moment.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}" if offset else "UTC"


def span_text(since: str | None, until: str | None, zone: tzinfo) -> str:
    """``2026-11-03 11:58:40 → 12:20:00``; the day once where it is the same."""
    if since is None and until is None:
        return "times unknown"
    start, end = day_and_clock(since, zone), day_and_clock(until, zone)
    if since and until and start[:10] == end[:10] and len(end) == 19:
        end = end[11:]
    return f"{start} → {end}"


def duration_text(seconds: float) -> str:
    """``30 s``, ``5 min``, ``1.8 h``, ``7 days``."""
    if seconds < 60:
        return f"{seconds:g} s"
    if seconds < 3600:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if seconds < 172_800 else f"{seconds / 86_400:.3g} days"


def delta_text(delta_s: float) -> str:
    """``5 s before``, ``2 min after``, ``at the same second``: a change's distance to the first denial."""
    size = abs(delta_s)
    if size < 0.5:
        return "within the same second"
    word = "before" if delta_s < 0 else "after"
    if size < 10:
        amount = f"{size:.1f}".rstrip("0").rstrip(".") + " s"
    elif size < 120:
        amount = f"{size:.0f} s"
    elif size < 7200:
        amount = f"{size / 60:.0f} min"
    elif size < 172_800:
        amount = f"{size / 3600:.0f} h"
    else:
        amount = f"{size / 86_400:.0f} days"
    return f"{amount} {word}"
