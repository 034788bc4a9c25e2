"""Moments in sentences are never ambiguous."""

from __future__ import annotations

from flowdiag.model.time import moment_text, parse_rfc3339
from flowdiag.report.times import Clock, duration_text
from tests.report.sample_reports import dns_story, three_days


def at(text: str) -> int:
    return parse_rfc3339(f"2026-03-{text}Z")


def test_sentences_write_a_moment_whole() -> None:
    assert moment_text(at("16T14:02:35") + 999_999_999) == "2026-03-16 14:02:35 UTC"


def test_a_report_of_several_days_dates_everything() -> None:
    from datetime import UTC

    one, several = Clock.of(dns_story(), UTC), Clock.of(three_days(), UTC)

    assert one.text("2026-03-17T14:03:12.000000000Z") == "14:03:12"
    assert one.text("2026-03-02T14:03:12.000000000Z") == "2026-03-02 14:03:12"
    assert several.text("2026-03-17T14:03:12.000000000Z") == "2026-03-17 14:03:12"
    assert (
        several.span("2026-03-17T14:03:12Z", "2026-03-17T15:00:00Z", " to ")
        == "2026-03-17 14:03:12 to 15:00:00"
    )


def test_spans_are_told_in_the_unit_people_use() -> None:
    assert [duration_text(s) for s in (30, 90, 3600, 6480, 604_800)] == [
        "30 s",
        "1.5 min",
        "1 h",
        "1.8 h",
        "7 days",
    ]
