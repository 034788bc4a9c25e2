"""Forgetting: what is old is gone, what is left counts as if nothing else had been."""

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.model.event import FlowEvent, Peer, TimeSource, Verdict
from flowdiag.model.time import NS
from flowdiag.tally import Tally
from tests.tally.test_tally_laws import append

MINUTE = 60 * NS


def event(at: int, port: int, verdict: Verdict) -> FlowEvent:
    peers = Peer(ip="10.0.0.1", pod="web", namespace="shop"), Peer(ip="10.0.0.2", port=port)
    return FlowEvent(
        line=1,
        at=at,
        time_source=TimeSource.RECORD,
        src=peers[0],
        dst=peers[1],
        protocol="TCP",
        verdict=verdict,
        verdict_raw=None,
    )


EVENTS = st.lists(
    st.builds(
        event,
        st.integers(0, 600).map(lambda second: second * NS),
        st.sampled_from((80, 443, 8080)),
        st.sampled_from((Verdict.DENIED, Verdict.ALLOWED)),
    ),
    max_size=60,
)


def tally_of(events, *, appended=False) -> Tally:
    tally = Tally()
    for one in events:
        (append if appended else Tally.add)(tally, one, "test", "in")
    return tally


def buckets(tally: Tally):
    return [(flow.dst, flow.port, flow.verdict, flow.count, flow.buckets) for flow in tally.flows()]


@given(EVENTS, st.integers(0, 10), st.booleans())
def test_what_is_left_counts_as_if_nothing_else_had_been(events, minute, appended):
    """At whole minutes, which are whole buckets of both widths; in lanes and in columns."""
    before = minute * MINUTE
    tally = tally_of(events, appended=appended)
    tally.forget(before)
    left = tally_of(one for one in events if one.at >= before)
    key = repr
    assert sorted(buckets(tally), key=key) == sorted(buckets(left), key=key)
    assert tally.records == len(events)
    assert all(flow.first is None or flow.first >= before for flow in tally.flows())


@given(EVENTS, EVENTS, st.integers(0, 10))
def test_counting_goes_on_after_forgetting(first, second, minute):
    """Old numbers of ends and shapes are not used again for others."""
    before = minute * MINUTE
    later = [one for one in second if one.at >= before]
    tally = tally_of(first)
    tally.forget(before)
    for one in later:
        tally.add(one, "test", "in")
    both = tally_of([*(one for one in first if one.at >= before), *later])
    assert sorted(buckets(tally), key=repr) == sorted(buckets(both), key=repr)


def test_nothing_grows_while_a_stream_goes_on():
    """Ends, lanes and answers follow the window, not the stream."""
    tally = Tally()
    for minute in range(200):
        for port in range(50):
            tally.add(event(minute * MINUTE, 1000 * minute % 60_000 + port, Verdict.DENIED), "test", "in")
        tally.forget((minute - 3) * MINUTE)
    assert len(tally.table.lanes) <= 5 * 50
    assert len(tally.table.peers) <= 5
    assert tally.records == 200 * 50
