"""The year of a stamp without one: the user's, or the one nearest to a time that is known; never a guess."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from flowdiag.model.time import parse_rfc3339
from flowdiag.parserkit import ParseContext
from flowdiag.parserkit.yearless import yearless_instant


def instant(stamp, **known):
    """What a month, a day and a clock come to."""
    month, day, *clock = stamp
    return yearless_instant(ParseContext(input="x", **known), month, day, tuple(clock), 5)


@pytest.mark.parametrize(
    ("near", "stamp", "told"),
    [
        ("2026-01-02T00:00:00Z", (12, 31, 23, 59, 59), "2025-12-31T23:59:59.000000005Z"),
        ("2025-12-30T00:00:00Z", (1, 1, 0, 0, 0), "2026-01-01T00:00:00.000000005Z"),
        ("2026-06-15T00:00:00Z", (6, 15, 0, 0, 0), "2026-06-15T00:00:00.000000005Z"),
        # February has this day in the year before alone.
        ("2025-03-01T00:00:00Z", (2, 29, 12, 0, 0), "2024-02-29T12:00:00.000000005Z"),
        ("2023-11-01T00:00:00Z", (2, 29, 12, 0, 0), "2024-02-29T12:00:00.000000005Z"),
    ],
)
def test_the_year_nearest_to_what_is_known_is_taken(near, stamp, told):
    assert instant(stamp, reference_time=parse_rfc3339(near)) == parse_rfc3339(told)


def test_the_year_that_was_given_goes_before_what_is_near():
    """And a day that it does not have is none."""
    near = parse_rfc3339("2026-01-02T00:00:00Z")

    assert instant((12, 31, 0, 0, 0), year=2020, reference_time=near) == parse_rfc3339(
        "2020-12-31T00:00:00.000000005Z"
    )
    assert instant((2, 29, 0, 0, 0), year=2025, reference_time=near) is None


def test_without_either_nothing_is_said():
    assert instant((6, 15, 0, 0, 0)) is None
    assert instant((2, 30, 0, 0, 0), reference_time=0) is None


def test_a_zone_and_a_leap_second_count():
    """The sixtieth second is the next minute's first; a sixty-first there is not."""
    zone = timezone(timedelta(hours=2))

    assert instant((6, 30, 1, 59, 60), year=2026, zone=zone) == parse_rfc3339(
        "2026-06-30T00:00:00.000000005Z"
    )
    assert instant((6, 30, 1, 59, 61), year=2026, zone=zone) is None
