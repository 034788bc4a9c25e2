"""Small values that several parts of the page show."""

from __future__ import annotations

from datetime import tzinfo

from flowdiag.model.time import rfc3339
from flowdiag.report.times import day_and_clock, ticks

__all__ = ["milliseconds", "time_value"]


def time_value(text: str | None, zone: tzinfo) -> dict[str, str | None]:
    """For a ``<time>`` element; `iso` is ``None`` where the time is unknown or no time.

    HTML and scripts know milliseconds; `whole` is for people.
    """
    at = ticks(text)
    iso = None if at is None else f"{rfc3339(at)[:23]}Z"
    return {"iso": iso, "whole": text, "text": day_and_clock(text, zone)}


def milliseconds(text: str | None) -> int | None:
    """A time as the script compares it."""
    at = ticks(text)
    return None if at is None else at // 1_000_000
