"""What people type for --since, and what is refused since two people would read it differently."""

from datetime import datetime

import pytest

from flowdiag.cli.moments import parse_duration, parse_time, parse_zone
from flowdiag.model.errors import UsageError
from flowdiag.model.time import NS, parse_rfc3339

NOW = "2026-03-17T14:30:00Z"


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """It is half past two on that day."""

    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromisoformat(NOW).astimezone(tz)

    monkeypatch.setattr("flowdiag.cli.moments.datetime", Frozen)
    monkeypatch.setattr("flowdiag.cli.moments.time.time_ns", lambda: parse_rfc3339(NOW))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", "2026-03-17T14:00:00Z"),
        ("1h 30m", "2026-03-17T13:00:00Z"),
        ("1.5h", "2026-03-17T13:00:00Z"),
        ("10min", "2026-03-17T14:20:00Z"),
        ("10 minutes", "2026-03-17T14:20:00Z"),
        ("2 hours ago", "2026-03-17T12:30:00Z"),
        ("1w", "2026-03-10T14:30:00Z"),
        ("now", NOW),
        ("today", "2026-03-17T00:00:00Z"),
        ("yesterday", "2026-03-16T00:00:00Z"),
        ("yesterday 23:10", "2026-03-16T23:10:00Z"),
        ("1773756300", "2026-03-17T14:05:00Z"),
        ("1773756300123", "2026-03-17T14:05:00.123Z"),
        ("Mar 17 14:05", "2026-03-17T14:05:00Z"),
        ("17.03.2026 14:05", "2026-03-17T14:05:00Z"),
        ("03/17/2026 14:05", "2026-03-17T14:05:00Z"),
        ("2026/03/04", "2026-03-04T00:00:00Z"),
        ("2026-03-17 14:05 CET", "2026-03-17T13:05:00Z"),
        ("2026-03-17 14:05 UTC", "2026-03-17T14:05:00Z"),
        ("2026-03-17 14:05 +0100", "2026-03-17T13:05:00Z"),
        ("2026-07-17 14:05 Europe/Vienna", "2026-07-17T12:05:00Z"),
        ("14:05 America/New_York", "2026-03-16T18:05:00Z"),
    ],
)
def test_what_people_type(text, expected):
    """Durations in kubectl's, journalctl's and spoken words, days, zones, numbers since the epoch."""
    assert parse_rfc3339(expected) == parse_time(text, parse_zone("UTC"), past=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        # April for some, March for others; dateutil says March.
        ("03/04/2026 14:05", "more than one way"),
        ("03.04.2026", "more than one way"),
        ("3/4 14:05", "more than one way"),
        ("26-03-17", "more than one way"),
        ("12/03/2026", "more than one way"),
        # India, Israel, Ireland; dateutil warned and took UTC.
        ("2026-03-17 14:05 IST", "which offset"),
        ("14:05 PST", "which offset"),
        # In July the zone that is called so is an hour ahead of its name.
        ("2026-07-17 14:05 CET", "which offset"),
        ("2026-03-17 14:05 Europe/Wien", "not a time zone"),
        ("30m 2h", "not a time"),
        ("tomorrow", "not a time"),
        ("yesterday noonish", "not a time"),
        ("2026110312", "not a time"),
    ],
)
def test_what_two_people_read_differently(text, why):
    """A time that is an hour or a month off answers with peace where there was none."""
    with pytest.raises(UsageError, match=why):
        parse_time(text, parse_zone("UTC"), past=True)


def test_durations_in_words():
    """--window and --every take what --since takes."""
    assert parse_duration("10 minutes") == 600 * NS
    assert parse_duration("10min") == 600 * NS
    for wrong in ("ago", "5 m ago", "1.h", "9999999999w", "3months", "1h1h", ""):
        with pytest.raises(UsageError):
            parse_duration(wrong)
