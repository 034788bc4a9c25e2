"""Instants and their text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.model.time import NS, from_datetime, from_epoch, from_micros, from_nanos, parse_rfc3339, rfc3339

INSTANTS = st.integers(min_value=0, max_value=7_258_118_400 * NS - 1)


@given(INSTANTS)
def test_text_and_back(at):
    """Nine digits survive both ways."""
    assert at == parse_rfc3339(rfc3339(at))


@given(INSTANTS.map(lambda at: at // NS * NS), st.booleans())
def test_a_stamp_of_whole_seconds_is_the_same_whenever_it_is_read(at, after_a_fraction):
    """The part up to the seconds is remembered, of stamps with and without a fraction."""
    text = rfc3339(at)
    if after_a_fraction:
        parse_rfc3339(f"{text[:19]}.5Z")

    assert [parse_rfc3339(f"{text[:19]}Z") for _ in range(2)] == [at, at]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-20T14:56:45.779111730Z", "2026-09-20T14:56:45.779111730Z"),
        ("2026-09-20T14:56:45Z", "2026-09-20T14:56:45.000000000Z"),
        ("2026-09-20T14:56:45.7Z", "2026-09-20T14:56:45.700000000Z"),
        ("2024-11-19T12:15:03.023805-08:00", "2024-11-19T20:15:03.023805000Z"),
        ("2024-11-19 12:15:03,023 +0000", "2024-11-19T12:15:03.023000000Z"),
        ("2026-09-20T14:56:45.7791117309Z", "2026-09-20T14:56:45.779111730Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z"),
    ],
)
def test_forms(text, expected):
    """Every form the formats use is read; digits past the ninth are dropped, a leap second rolls over."""
    assert expected == rfc3339(parse_rfc3339(text))


def test_a_stamp_without_a_zone_needs_one():
    """A zone is never guessed."""
    with pytest.raises(ValueError, match="without a zone"):
        parse_rfc3339("2026-09-20T14:56:45")

    zone = timezone(timedelta(hours=2))

    assert rfc3339(parse_rfc3339("2026-09-20T14:56:45", zone)) == "2026-09-20T12:56:45.000000000Z"


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "٢٠٢٦-09-20T14:56:45.1Z"]
)
def test_what_is_no_stamp_is_refused(text):
    """Nonsense raises ValueError, whatever it looks like."""
    with pytest.raises(ValueError):
        parse_rfc3339(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    """No other error than ValueError comes out."""
    try:
        parse_rfc3339(text, UTC)
    except ValueError:
        return


@pytest.mark.parametrize("year", ["0001", "1899", "2200", "9023"])
def test_years_of_no_clock_are_no_time(year):
    """Their nanoseconds cannot be sent to another process."""
    with pytest.raises(ValueError, match="no clock"):
        parse_rfc3339(f"{year}-11-02T16:28:54.139Z")


def test_seconds_of_no_clock_are_no_time():
    """What lies within those years has nanoseconds of 64 bits, and the rest has none."""
    assert from_epoch(1_789_916_205, 5) == parse_rfc3339("2026-09-20T14:56:45.000000005Z")
    assert rfc3339(from_epoch(7_258_118_399)) == "2199-12-31T23:59:59.000000000Z"
    assert rfc3339(from_epoch(-2_208_988_800)) == "1900-01-01T00:00:00.000000000Z"
    assert from_epoch(7_258_118_400) is None
    assert from_epoch(99_999_999_999) is None


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime.min.replace(year=1971)))
def test_datetimes(moment):
    """Microseconds survive."""
    assert moment.microsecond * 1000 == from_datetime(moment) % NS


def test_the_remembered_seconds_do_not_change_the_answer():
    """The second reading of a second takes the short way and agrees."""
    first = parse_rfc3339("2026-09-20T14:56:45.1Z")

    assert first + NS // 10 == parse_rfc3339("2026-09-20T14:56:45.2Z")
    with pytest.raises(ValueError):
        parse_rfc3339("2026-09-20T14:56:45.x2Z")


def test_microseconds_of_no_clock_are_no_time():
    """Journals are files that anybody may have written: no count, however long, is more than missing."""
    assert from_micros("1731036139123456") == from_micros(b"1731036139123456") == 1731036139123456000
    assert from_micros(1731036139123456) == 1731036139123456000
    for odd in (
        "9" * 20,
        "9" * 5000,
        "99999999999999999",
        "",
        "-1",
        "1e6",
        "\u0661",
        b"\xff",
        10**40,
        -(10**17),
    ):
        assert from_micros(odd) is None


def test_nanoseconds_of_no_clock_are_no_time():
    """What 64 bits hold and no clock says is no time either: it went on as one, and overflowed where it was counted."""
    assert from_nanos("1731036139123456789") == from_nanos(1731036139123456789) == 1731036139123456789
    for odd in ("9223372036854775808", 1 << 63, (1 << 63) - 1, "9" * 21, "", "-1", -(1 << 63)):
        assert from_nanos(odd) is None
