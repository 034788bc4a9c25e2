"""Refused flows are held against the policies of their time."""

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent.parent / "timeline"))

from flows import flow, pod

from flowdiag.analysis.replay import replay
from flowdiag.model.policy import ConnectionDecision
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS

SOURCE, DESTINATION = pod("a", "x"), pod("b", "y")


def decision(allowed):
    return ConnectionDecision(allowed=allowed, egress=None, ingress=None)


def refused(*seconds):
    base = flow(SOURCE, DESTINATION, count=len(seconds))
    buckets = tuple(Bucket(second * NS, NS, 1) for second in seconds)
    return replace(base, buckets=buckets, first=seconds[0] * NS, last=seconds[-1] * NS + 5)


def test_without_changes_a_flow_stays_whole():
    """One evaluation, at the flow's start."""
    asked = []
    parts = replay(refused(100, 200), (), lambda at: asked.append(at) or decision(False))

    assert [(part.count, at) for part, _, at in parts] == [(2, 100 * NS)]
    assert asked == [100 * NS]


def test_a_flow_is_cut_where_policies_changed():
    """Each part meets the policies of its own time."""
    parts = replay(refused(100, 200), (150 * NS,), lambda at: decision(at < 150 * NS and None))

    assert [(part.count, answer.allowed) for part, answer, _ in parts] == [(1, None), (1, False)]


def test_a_refusal_in_the_second_of_the_change_follows_the_new_policy():
    """creationTimestamp is cut to the second and buckets are a second wide: the cause comes first."""
    parts = replay(refused(100), (100 * NS + 1,), lambda at: decision(at <= 100 * NS))

    assert [answer.allowed for _, answer, _ in parts] == [False]


def test_a_late_dataplane_is_no_disagreement():
    """Refusals just after an allowing policy appeared still follow the policies before it."""
    parts = replay(refused(151, 152, 400), (150 * NS,), lambda at: decision(at >= 150 * NS))

    assert [(part.count, answer.allowed) for part, answer, _ in parts] == [(2, False), (1, True)]


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=20, unique=True).map(sorted),
    st.lists(st.integers(1, 1000 * NS), max_size=5, unique=True).map(sorted),
)
def test_nothing_is_lost_in_the_cutting(seconds, boundaries):
    """Counts and buckets add up to the flow's own, whatever changed when."""
    whole = refused(*seconds)
    parts = replay(whole, boundaries, lambda at: decision(at is None or at % 2 == 0))

    assert whole.count == sum(part.count for part, _, _ in parts)
    assert sorted(b.start for b in whole.buckets) == sorted(
        b.start for part, _, _ in parts for b in part.buckets
    )
