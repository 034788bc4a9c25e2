"""Stamps inside lines that lie whole hours from those their collectors wrote: said once, never mended by guess."""

from datetime import timedelta, timezone

import pytest

from flowdiag.ingest import Gathered, ReadOptions
from flowdiag.ingest.events import iter_events
from flowdiag.ingest.execute import run
from flowdiag.ingest.identify import detect_all
from flowdiag.model.time import parse_rfc3339

BLOCKED = "TCP connection from 10.32.0.17:43912 to 10.32.0.5:8080 blocked by Weave NPC."
ACL = (
    'name="NP:shop:Ingress", verdict=drop, severity=alert, direction=to-lport: tcp,nw_src=10.131.0.39,'
    "nw_dst=10.129.2.35,tp_src=58496,tp_dst=8080,tcp_flags=syn"
)


def said(tmp_path, text, **options):
    path = tmp_path / "input.log"
    path.write_text(text)
    with Gathered([str(path)]) as sources:
        detected, problems = detect_all(sources, ReadOptions(**options))
        at = [event.at for _, _, event in iter_events(sources, ReadOptions(**options), detected=detected)]
    return [problem.message for problem in problems if problem.code == "clocks-apart"], at[0]


def journal(hour, offset, inner="13:43"):
    """Weave's lines in a journal whose stamps have an offset."""
    return "".join(
        f"2020-09-09T{hour}:43:0{second}{offset} node-1 weave[311]: "
        f"WARN: 2020/09/09 {inner}:0{second}.963438 {BLOCKED}\n"
        for second in range(1, 5)
    )


def test_hours_apart_are_said_with_the_zone_that_would_fit(tmp_path):
    """The line is in a zone of its own: read as UTC until ``--tz`` says otherwise."""
    (message,), at = said(tmp_path, journal("08", "+0000"))

    assert message == (
        "times in its lines are 5 h ahead of its collector's and carry no zone: read as UTC; "
        "if that is wrong, --tz says theirs (+05:00)"
    )
    assert at == parse_rfc3339("2020-09-09T13:43:01.963438Z")


def test_the_zone_decides(tmp_path):
    """With ``--tz`` the same stamps agree, and nothing is said."""
    messages, at = said(tmp_path, journal("08", "+0000"), zone=timezone(timedelta(hours=5)))

    assert (messages, at) == ([], parse_rfc3339("2020-09-09T08:43:01.963438Z"))


@pytest.mark.parametrize(
    ("hour", "offset", "inner"),
    [("13", "+0000", "13:43"), ("08", "-0500", "13:43"), ("13", "+0000", "13:59")],
)
def test_equal_clocks_and_mere_lag_are_silent(tmp_path, hour, offset, inner):
    """The same instant in two zones, and stamps that lie minutes apart, are no matter of zones."""
    assert said(tmp_path, journal(hour, offset, inner))[0] == []


def test_half_hours_are_zones_too(tmp_path):
    """India is five and a half hours ahead."""
    (message,), _ = said(tmp_path, journal("08", "+0000", "14:13"))

    assert "5 h 30 min ahead" in message
    assert "(+05:30)" in message


def test_a_collector_without_a_zone_suggests_none(tmp_path):
    """A journal in local time around a line in UTC: nobody can say from the two which one is right."""
    (message,), at = said(tmp_path, "".join(
        f"Sep 09 08:43:0{second} node-1 weave[311]: WARN: 2020/09/09 13:43:0{second}.963438 {BLOCKED}\n" for second in range(1, 5)
    ), year=2020)  # fmt: skip

    assert message.endswith("carry no zone: read as UTC; if that is wrong, --tz says theirs")
    assert at == parse_rfc3339("2020-09-09T13:43:01.963438Z")


def test_a_collector_without_a_year_is_compared_all_the_same(tmp_path):
    """Nobody gave a year: the stamps inside have one, and the collector's are near them, on New Year's Eve too."""
    for day, inner in (("Sep  9 08:43", "2020/09/09 13:43"), ("Dec 31 20:10", "2021/01/01 01:10")):
        text = "".join(
            f"{day}:0{second} node-1 weave[311]: WARN: {inner}:0{second}.963438 {BLOCKED}\n"
            for second in range(1, 5)
        )
        (message,), _ = said(tmp_path, text)

        assert message.startswith("times in its lines are 5 h ahead of its collector's")


def test_stamps_with_a_zone_are_used_as_they_are(tmp_path):
    """OVN always writes UTC: then it is the collector that is wrong."""
    text = "".join(
        f"2026-01-05T18:28:5{second}.2Z stdout F 2026-01-05T16:28:5{second}.139Z|00004|acl_log(ovn_pinctrl0)|INFO|{ACL}\n"
        for second in range(4)
    )
    (message,), at = said(tmp_path, text)

    assert message == "times in its lines are 2 h behind its collector's; they carry their zone and are used"
    assert at == parse_rfc3339("2026-01-05T16:28:50.139Z")


def test_lines_that_differ_from_each_other_say_nothing(tmp_path):
    """A zone shifts all lines alike."""
    text = journal("08", "+0000").splitlines(keepends=True)[0] + journal("13", "+0000")

    assert said(tmp_path, text)[0] == []


def test_nothing_that_detection_read_is_remembered(tmp_path):
    """A sequential parser reads the input from its beginning afterwards: counts are those of one reading."""
    path = tmp_path / "input.log"
    path.write_text(journal("08", "+0000"))
    with Gathered([str(path)]) as sources:
        outcome = run(sources, ReadOptions())

    assert outcome.tally.flow_records == 4
    assert [problem.code for problem in outcome.problems] == ["clocks-apart"]
