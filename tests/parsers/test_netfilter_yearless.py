"""Stamps without a year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.parserkit import NS, ParseContext, from_datetime, yearless_instant


def _at(*parts, zone=UTC):
    return from_datetime(datetime(*parts, tzinfo=zone))


def test_without_year_and_reference_the_instant_is_unknown():
    """No clock and no file time stands in for a year."""
    assert yearless_instant(ParseContext(input="kern.log"), 12, 4, (1, 30, 7)) is None


def test_given_year_is_taken():
    """--year decides, whatever the reference says."""
    context = ParseContext(input="kern.log", year=2024, reference_time=_at(2026, 1, 1))

    assert _at(2024, 12, 4, 1, 30, 7) + 5 == yearless_instant(context, 12, 4, (1, 30, 7), 5)


def test_zone_of_the_context_is_used():
    """--tz says what a zoneless stamp is in."""
    zone = timezone(timedelta(hours=3))

    assert _at(2024, 6, 1, 4, 39, 44) == yearless_instant(
        ParseContext(input="x", year=2024, zone=zone), 6, 1, (7, 39, 44)
    )


def test_turn_of_the_year_falls_on_the_right_side():
    """Near a January reference, December is last year's and January this year's."""
    context = ParseContext(input="kern.log", reference_time=_at(2026, 1, 1, 0, 5))

    assert _at(2025, 12, 31, 23, 59, 59) == yearless_instant(context, 12, 31, (23, 59, 59))
    assert _at(2026, 1, 1, 0, 1) == yearless_instant(context, 1, 1, (0, 1, 0))


def test_a_day_that_no_candidate_year_has_is_unknown():
    """February 30 is not moved to March."""
    assert yearless_instant(ParseContext(input="x", year=2025), 2, 29, (0, 0, 0)) is None
    assert yearless_instant(ParseContext(input="x", year=2025), 13, 1, (0, 0, 0)) is None


def test_leap_second_counts_as_the_next_second():
    """23:59:60 is the following midnight."""
    assert _at(2017, 1, 1) == yearless_instant(ParseContext(input="x", year=2016), 12, 31, (23, 59, 60))


@given(
    at=st.datetimes(datetime(1990, 1, 2), datetime(2090, 1, 1)),
    away=st.integers(-180 * 86_400, 180 * 86_400),
)
def test_a_reference_within_half_a_year_restores_the_year(at, away):
    """Any stamp within 180 days of the reference gets its own year back."""
    at = at.replace(microsecond=0)
    instant = from_datetime(at.replace(tzinfo=UTC))
    context = ParseContext(input="x", reference_time=instant + away * NS)

    assert instant == yearless_instant(context, at.month, at.day, (at.hour, at.minute, at.second))
