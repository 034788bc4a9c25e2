"""What is counted in its remainder at once is told as if it had got a lane, also by parsers that remember lanes."""

from __future__ import annotations

from random import Random
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.event import (
    L7,
    Cause,
    Direction,
    FlowEvent,
    Icmp,
    Peer,
    PolicyHit,
    TimeSource,
    Verdict,
    Witness,
)
from flowdiag.parserkit import REFUSED
from flowdiag.parserkit.placing import place_event
from flowdiag.tally import Limits, Tally, bounds, overflow
from tests.tally.test_tally_laws import TIGHT, instants, peers, results

OUTSIDE = st.builds(
    Peer,
    ip=st.integers(1, 250).map(lambda n: f"11.0.0.{n}"),
    entity=st.just("world"),
    port=st.integers(40_000, 40_100),
)
flows = st.builds(
    FlowEvent,
    line=st.integers(1, 99),
    at=instants,
    time_source=st.just(TimeSource.RECORD),
    node=st.just("n1"),
    raw=st.sampled_from(["{}", "x" * 20]),
    src=st.one_of(peers, OUTSIDE, OUTSIDE),
    dst=st.builds(
        Peer,
        pod=st.sampled_from(["p", "p", "p", "q"]),
        namespace=st.just("a"),
        port=st.one_of(st.none(), st.integers(1, 60)),
    ),
    protocol=st.just("TCP"),
    icmp=st.sampled_from([None, None, None, Icmp(type=3, code=1), Icmp(type=8, code=0)]),
    direction=st.sampled_from([None, *Direction]),
    verdict=st.sampled_from([Verdict.DENIED] * 9 + [Verdict.ALLOWED, Verdict.AUDITED, Verdict.ERROR]),
    verdict_raw=st.sampled_from([None, "DENIED", "DROPPED"]),
    reason=st.sampled_from([None, "policy", "policy", "policy"]),
    reason_raw=st.sampled_from([None, "one", "other"]),
    cause=st.just(Cause.POLICY),
    is_reply=st.just(False),
    tcp_flags=st.sampled_from([None, ("SYN",), ("ACK",)]),
    l7=st.sampled_from([None, None, None, L7(kind="http", url="/x"), L7(kind="http", url="/y")]),
    policies=st.sampled_from([(), (PolicyHit(name="p"),), (PolicyHit(name="q"),)]),
    count=st.sampled_from([1, 1, 3]),
    witness=st.sampled_from([None, *Witness]),
)


@st.composite
def again(draw):
    """Some flows, each a few times, from one client's port or another.

    What comes again is dice: to draw it takes longer than all that is done with it.
    """
    some = draw(st.lists(flows, min_size=20, max_size=30))
    moments = draw(st.lists(instants, min_size=8, max_size=16))
    dice = Random(draw(st.integers(0, 1 << 32)))  # noqa: S311 - test data

    def once_more(flow):
        src = replace(flow.src, port=dice.randint(40_000, 40_030))
        return replace(flow, at=dice.choice(moments), line=dice.randint(1, 99), src=src)

    return [
        (once_more(dice.choice(some)), dice.choice(["one", "one", "two"]), dice.choice("fg"))
        for _ in range(dice.randint(60, 80))
    ]


limits = st.sampled_from(
    [
        TIGHT,
        Limits(flows=20, refused_per_group=4, folded=2, example_texts=4, source_ports=3, refused_buckets=4),
        Limits(flows=3, refused_per_group=50, folded=1, allowed_flows=4),
        Limits(flows=200, refused_per_group=3),
        Limits(flows=200, refused_per_group=1),
    ]
)


def count_as_remembered(tally, event, parser, name):
    """Count a flow as a fast parser does: its lane is asked for once."""
    placed, sink = place_event(event), tally.sink(parser, name)
    lanes = sink.memo.setdefault("lanes", {})
    key = (placed.src, placed.dst, placed.port, placed.shape, placed.direction, event.witness)
    if key not in lanes:
        src, dst, shape = sink.peer(placed.src), sink.peer(placed.dst), sink.shape(placed.shape)
        lanes[key] = sink.lane(src, dst, placed.port, shape, placed.direction, event.witness)
    lane = lanes[key]
    lane.hit(event.at, event.count)
    lane.flags |= placed.flags
    sink.note(lane, src_names=placed.src_names, dst_names=placed.dst_names, policies=event.policies)
    if event.verdict in REFUSED:
        sink.keep(lane, event.at, placed.source_port, event.line, event.raw.encode())
    sink.seen(1, event.at, event.at)


@settings(max_examples=60, deadline=None)
@given(found=again(), bounds_of=limits, data=st.data())
def test_it_is_as_if_every_flow_had_a_lane(found, bounds_of, data):
    """Looks at the bounds, merges and journeys by bytes at any moment, in any order: nothing changes."""
    whole = Tally(bounds_of)
    for event, parser, name in found:
        whole.count(event, parser, name)
    wanted = results(whole)

    chance = Random(data.draw(st.integers(0, 1 << 32)))  # noqa: S311 - test data
    tallies = [Tally(bounds_of) for _ in range(2)]
    with (
        mock.patch.object(bounds, "_IDLE", data.draw(st.sampled_from([0, 25_000]))),
        mock.patch.object(overflow, "_MAX_WAYS", data.draw(st.sampled_from([2, 65_536]))),
    ):
        for event, parser, name in chance.sample(found, len(found)):
            at = chance.randrange(2)
            tally = tallies[at]
            if chance.random() < 0.6:
                count_as_remembered(tally, event, parser, name)
            else:
                tally.count(event, parser, name)
            what = chance.random()
            if what < 0.25:
                tally.compact()
            elif what < 0.27:
                tallies[at] = Tally.from_bytes(tally.to_bytes())
            elif what < 0.3:
                tally.merge(tallies[at - 1])
                tallies[at - 1] = Tally(bounds_of)
        first, other = tallies
        first.merge(other)
        assert results(first) == wanted


def refused(port, at, direction=Direction.INGRESS):
    """A record of one pair of three."""
    return FlowEvent(
        line=port,
        at=at,
        time_source=TimeSource.RECORD,
        src=Peer(pod=f"c{port % 3}", namespace="a"),
        dst=Peer(pod="s", namespace="a", port=port),
        protocol="TCP",
        direction=direction,
        verdict=Verdict.DENIED,
    )


def test_the_last_flow_that_may_stay_stays():
    """Also where it is met again from its other side."""
    looked, whole = (Tally(Limits(refused_per_group=5)) for _ in range(2))
    for tally in (looked, whole):
        for direction in (Direction.INGRESS, Direction.EGRESS):
            for port in range(1, 60):
                tally.count(refused(port, 10**9, direction), "p", "f")
            if tally is looked:
                tally.compact()

    assert looked.flows() == whole.flows()


def test_after_forgetting_lanes_are_those_of_the_table_at_hand():
    """Ends and shapes have other numbers then, and flows that were folded may be exact again."""
    tally = Tally(Limits(flows=10, refused_per_group=5))

    for port in range(1, 60):
        tally.count(refused(port, 10**9), "p", "f")
    tally.compact()
    tally.forget(10**12)
    for port in range(60, 64):
        tally.count(refused(port, 2 * 10**12), "p", "f")

    assert sorted((flow.port, flow.count) for flow in tally.flows()) == [(port, 1) for port in range(60, 64)]
