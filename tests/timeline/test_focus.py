"""Plots are of where the denials are; a stray record is said, and the data holds it as before."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flowdiag.analysis import StateOptions, analyze
from flowdiag.model.report import Outside, Report
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS, rfc3339
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options
from flowdiag.timeline.focus import focus

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "default-deny-egress"
DAY = 86_400 * NS
NOW = 20_000 * DAY


def records(*starts, count=1):
    return [Bucket(start, NS, count) for start in starts]


def around(*lists):
    starts = [one.start for each in lists for one in each]
    return min(starts), max(starts) + NS


BUSY = records(*(NOW + second * NS for second in range(600)), count=5)


@pytest.mark.parametrize("years", [-7, 3])
def test_a_stray_record_is_left_out_and_said(years):
    """Whichever side it lies on."""
    stray = records(NOW + years * 365 * DAY)
    found = focus(*around(BUSY, stray), [*BUSY, *stray], ())

    assert (found.since, found.until) == around(BUSY)
    at = rfc3339(stray[0].start)
    assert found.outside == (Outside(first=at, last=at, count=1),)
    assert list(found.of([*BUSY, *stray])) == BUSY


def test_two_strays_apart_are_two():
    """Each with its own moments; the evidence's ends alone are said to nobody."""
    early, late = records(NOW - 900 * DAY), records(NOW + 900 * DAY, NOW + 901 * DAY)
    since, until = NOW - 2000 * DAY, NOW + 2000 * DAY
    found = focus(since, until, [*BUSY, *early, *late], ())

    assert [one.count for one in found.outside] == [1, 2]


@pytest.mark.parametrize(
    ("denied", "allowed"),
    [
        # One of two is nobody's stray, and nor is what is much.
        (records(NOW, NOW + 900 * DAY), []),
        ([*BUSY, *records(NOW + 900 * DAY, count=100)], []),
        # A day is not far; nor is what is as long itself.
        ([*BUSY, *records(NOW + DAY // 2)], []),
        (records(*(NOW + day * DAY for day in range(100)), NOW + 400 * DAY), []),
        # Where something was allowed all the time there is no gap.
        (BUSY, records(*(NOW + hour * DAY // 24 for hour in range(-2000, 1)), count=9)),
    ],
)
def test_all_of_the_time_is_shown_where_nothing_is_stray(denied, allowed):
    assert focus(*around(denied, allowed), denied, allowed) is None


def test_denials_are_not_stray_beside_much_that_was_allowed():
    """Plots are of denials: the other side would have to go, and that is not little."""
    busy = records(*(NOW - 900 * DAY + second * NS for second in range(600)), count=100)
    denied = records(NOW, NOW + NS, NOW + 2 * NS)

    assert focus(*around(busy, denied), denied, busy) is None


def test_of_some_dozens_of_records_one_may_be_stray():
    """One in a hundred, and of fewer than two hundred one."""
    some = records(*(NOW + second * NS for second in range(60)))
    one, other = records(NOW + 900 * DAY), records(NOW + 901 * DAY)

    assert focus(*around(some, one), [*some, *one], ()).outside[0].count == 1
    assert focus(*around(some, other), [*some, *one, *other], ()) is None


def test_the_widest_gap_is_cut_and_not_the_first():
    """What paused for some days is shown with its pause."""
    later = records(*(NOW + 4 * DAY + second * NS for second in range(600)), count=5)
    stray = records(NOW + 900 * DAY)
    found = focus(*around(BUSY, stray), [*BUSY, *later, *stray], ())

    assert (found.since, found.until) == around(BUSY, later)


@given(
    busy=st.lists(st.tuples(st.integers(2_000, 2_020), st.integers(50, 300)), min_size=2, max_size=30),
    stray=st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 3)), min_size=1, max_size=3),
)
def test_nothing_is_lost_or_counted_twice(busy, stray):
    """What is inside and what is said to be outside is all there is."""
    denied = [Bucket(day * DAY, NS, count) for day, count in [*busy, *stray]]
    found = focus(*around(denied), denied, ())
    assume(found is not None)

    inside = sum(one.count for one in found.of(denied))
    assert inside + sum(one.count for one in found.outside) == sum(one.count for one in denied)
    assert inside > 0


@pytest.fixture(scope="module")
def stray(tmp_path_factory):
    """An incident with one of its records years away."""
    lines = (INCIDENT / "hubble" / "events.jsonl").read_text().splitlines()
    refused = next(line for line in lines if '"DROPPED"' in line)
    path = tmp_path_factory.mktemp("stray") / "events.jsonl"
    path.write_text("\n".join([*lines, re.sub(r"2026-\d\d-\d\dT", "2019-03-02T", refused)]) + "\n")
    return analyze([str(path)], state=StateOptions(paths=(str(INCIDENT / "cluster"),)))


def test_the_data_holds_all_of_it_as_ever(stray):
    """Equal spans over the whole window, sums as the totals; the part stands beside, and is read back."""
    whole, part = stray.buckets, stray.plot.buckets

    assert sum(whole.counts.denied) == stray.totals.denied
    assert sum(part.counts.denied) == stray.totals.denied - 1
    assert (whole.width_s, part.width_s) == (604_800.0, 30.0)
    assert msgspec.json.decode(msgspec.json.encode(stray), type=Report) == stray


def test_a_report_without_strays_has_no_such_field():
    """Its JSON is as it was."""
    report = analyze([str(INCIDENT / "hubble")])

    assert "plot" not in json.loads(msgspec.json.encode(report))


@pytest.mark.parametrize("name", ["terminal", "markdown", "html", "svg"])
def test_every_format_says_what_its_plots_leave_out(stray, name):
    text = load(GROUP, name).plugin.render(stray, Options(width=200))

    assert re.search(
        r"1 record at (<[^>]*>)?2019-03-02 14:03:13( UTC)?(</[^>]*>)?, outside of the plots", text
    )


def test_the_incident_is_many_bars(stray):
    """In the terminal, and in the page's table beneath the plot."""
    shown = load(GROUP, "terminal").plugin.render(stray, Options(width=100))
    bars = next(line for line in shown.splitlines() if "·" in line and "█" in line)

    assert bars.count("·") > 5
    assert len(re.findall("[▁▂▃▄▅▆▇█]", bars)) > 5
    page = load(GROUP, "html").plugin.render(stray, Options())
    assert len(re.findall(r'data-start="\d+"', page)) > 10
