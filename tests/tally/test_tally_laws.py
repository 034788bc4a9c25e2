"""Tallies of parts, in any order, are the tally of the whole: also where bounds fold flows together."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.event import (
    L7,
    Cause,
    ChangeEvent,
    Direction,
    FlowEvent,
    GapEvent,
    LogEvent,
    ObjectRef,
    ParseWarning,
    Peer,
    PolicyHit,
    TimeSource,
    Verdict,
    Witness,
)
from flowdiag.model.time import NS
from flowdiag.parserkit.placing import place_event
from flowdiag.tally import Limits, Tally, packing, rows
from flowdiag.tally.view import once_a_pair

TIGHT = Limits(
    flows=6,
    allowed_flows=5,
    refused_per_group=2,
    allowed_per_group=2,
    folded=3,
    allowed_folded=2,
    refused_buckets=3,
    allowed_buckets=2,
    examples=1,
    example_texts=3,
    source_ports=2,
    names=1,
    policies=1,
    logs=2,
    changes=2,
    gaps=2,
    warnings=2,
    answers=2,
)

peers = st.builds(
    Peer,
    ip=st.one_of(st.none(), st.integers(1, 30).map(lambda n: f"198.51.100.{n}")),
    port=st.sampled_from([None, 53, 443, 8080, 40_000, 50_000]),
    namespace=st.sampled_from([None, None, "a"]),
    pod=st.sampled_from([None, None, "p", "q"]),
    entity=st.sampled_from(["world", "world", None]),
    dns_names=st.sampled_from([None, ("x.example.com",), ("y.example.com",)]),
)
instants = st.one_of(
    st.none(), st.integers(0, 40).map(lambda s: 1_000_000 * NS + s * NS * 67), st.integers(0, 10**6)
)
flows = st.builds(
    FlowEvent,
    line=st.integers(1, 99),
    at=instants,
    time_source=st.sampled_from(list(TimeSource)),
    node=st.sampled_from(["n1", "n2"]),
    raw=st.sampled_from([None, "{}", "x" * 20]),
    src=peers,
    dst=peers,
    protocol=st.sampled_from(["TCP", "UDP"]),
    direction=st.sampled_from([None, *Direction]),
    verdict=st.sampled_from([Verdict.DENIED, Verdict.DENIED, Verdict.ALLOWED, Verdict.AUDITED]),
    cause=st.sampled_from([Cause.POLICY, None]),
    is_reply=st.sampled_from([None, True, False]),
    tcp_flags=st.sampled_from([None, ("SYN",), ("SYN", "ACK")]),
    l7=st.sampled_from(
        [None, None, L7(kind="http", url="/x?y"), L7(kind="dns", query="n", ips=("192.0.2.1",), ttl=5)]
    ),
    policies=st.sampled_from([(), (PolicyHit(name="p"),), (PolicyHit(name="q"),)]),
    count=st.sampled_from([1, 1, 3]),
    witness=st.sampled_from([None, *Witness]),
)
others = st.one_of(
    st.builds(
        LogEvent,
        line=st.integers(1, 99),
        at=instants,
        message=st.just("m"),
        signal=st.sampled_from([None, "s"]),
    ),
    st.builds(
        GapEvent, line=st.integers(1, 99), at=instants, kind=st.sampled_from(["lost-events", "node-gone"])
    ),
    st.builds(
        ChangeEvent,
        line=st.integers(1, 99),
        at=instants,
        object=st.just(ObjectRef("Pod", None, "a", "p")),
        change=st.sampled_from(["created", "deleted"]),
    ),
    st.builds(ParseWarning, line=st.integers(1, 99), code=st.sampled_from(["c", "d"]), message=st.just("m")),
)
mixed = st.lists(
    st.tuples(
        st.one_of(flows, flows, flows, others), st.sampled_from(["one", "two"]), st.sampled_from(["f", "g"])
    ),
    max_size=40,
)


plain = flows.map(
    lambda flow: replace(flow, verdict=Verdict.ALLOWED, time_source=TimeSource.RECORD, count=1, l7=None)
)
"""What fast parsers count by columns."""


@st.composite
def repeated(draw):
    """A few flows, seen again and again: what fills the buckets of a lane."""
    few = draw(st.lists(st.one_of(flows, plain, plain), min_size=1, max_size=4))
    again = draw(st.lists(st.tuples(st.sampled_from(few), instants), max_size=40))
    return [(replace(flow, at=at), "one", "f") for flow, at in again]


events = st.one_of(mixed, repeated())
limits = st.sampled_from([Limits(), TIGHT])


def append(tally, event, parser, name):
    """Count an event as a fast parser does, by columns of numbers where they take it; else add it."""
    placed = place_event(event) if isinstance(event, FlowEvent) else None
    plain = (
        placed is not None
        and event.at is not None
        and event.time_source is TimeSource.RECORD
        and event.count == 1
        and (event.l7 is None or not event.l7.ips)
    )
    sink = tally.sink(parser, name)
    kind = (
        sink.kind(
            sink.shape(placed.shape),
            placed.direction,
            event.witness,
            src_names=placed.src_names,
            dst_names=placed.dst_names,
            policies=event.policies,
        )
        if plain
        else None
    )
    if kind is None:
        tally.add(event, parser, name)
        return
    waiting = sink.waiting
    waiting.srcs.append(sink.peer(placed.src))
    waiting.dsts.append(sink.peer(placed.dst))
    waiting.ports.append(-1 if placed.port is None else placed.port)
    waiting.kinds.append(kind)
    waiting.ats.append(event.at)
    waiting.flags.append(placed.flags)
    sink.seen(1, event.at, event.at)


def tally_of(found, bounds, *, compact_every=0, appended=()):
    """The tally of (event, parser, input) triples, those of the numbers `appended` as a fast parser counts."""
    tally = Tally(bounds)
    for number, (event, parser, name) in enumerate(found):
        if number in appended:
            append(tally, event, parser, name)
        else:
            tally.add(event, parser, name)
        if compact_every and number % compact_every == 0:
            tally.compact()
    return tally


def results(tally):
    """Everything a tally says."""
    return {
        "flows": tally.flows(),
        "inputs": tally.inputs,
        "dns": tally.dns,
        "logs": tally.logs,
        "changes": tally.changes,
        "gaps": tally.gaps,
        "warnings": tally.warnings,
        "counts": (
            dict(tally.log_counts),
            tally.change_count,
            dict(tally.gap_counts),
            tally.warning_counts,
            tally.records,
            tally.flow_records,
        ),
    }


@settings(max_examples=120, deadline=None)
@given(found=events, bounds=limits, data=st.data())
def test_parts_in_any_order_are_the_whole(found, bounds, data):
    """Shuffle, cut, compact here and there, count by columns, send by bytes, merge in any order: nothing changes.

    Neither does in how large pieces columns are worked on.
    """
    whole = results(tally_of(found, bounds))
    with ExitStack() as held:
        if data.draw(st.booleans()):
            for module, name in ((rows, "_SPAN"), (rows, "_ROOM"), (packing, "_AT_ONCE")):
                held.enter_context(mock.patch.object(module, name, data.draw(st.integers(1, 5))))
        assert results(_in_parts(found, bounds, data)) == whole


def _in_parts(found, bounds, data):
    shuffled = data.draw(st.permutations(found))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(found)), max_size=3)))
    edges = [0, *cuts, len(found)]
    parts = [
        tally_of(
            shuffled[start:end],
            bounds,
            compact_every=data.draw(st.integers(0, 3)),
            appended=data.draw(st.one_of(st.just(range(41)), st.sets(st.integers(0, 40)))),
        )
        for start, end in pairwise(edges)
    ]
    merged = Tally(bounds)
    for part in data.draw(st.permutations(parts)):
        merged.merge(Tally.from_bytes(part.to_bytes()) if data.draw(st.booleans()) else part)
    return merged


@settings(max_examples=80, deadline=None)
@given(found=events, bounds=limits)
def test_totals_are_exact_under_bounds(found, bounds):
    """Every flow record stands in exactly one distinct flow, and buckets add up to counts."""
    tally = tally_of(found, bounds, compact_every=3)
    distinct = tally.flows()
    recorded = [event for event, _, _ in found if isinstance(event, FlowEvent)]

    assert len(recorded) == tally.flow_records == sum(flow.records for flow in distinct)
    for flow in distinct:
        assert flow.count == sum(bucket.count for bucket in flow.buckets)
    for verdict in (Verdict.ALLOWED, Verdict.DENIED):
        counted = sum(flow.count for flow in distinct if flow.verdict is verdict)
        weight = sum(event.count for event in recorded if event.verdict is verdict)
        assert counted == weight if verdict is Verdict.ALLOWED else counted <= weight <= 2 * counted


@settings(max_examples=60, deadline=None)
@given(found=events)
def test_what_is_kept_stays_within_bounds(found):
    """Flows, examples, ports and names are bounded, whatever comes."""
    tally = tally_of(found, TIGHT)
    distinct = tally.flows()

    exact = {
        (f.parser, f.node, f.src.ip, f.dst.ip, f.port, f.verdict, f.turned)
        for f in distinct
        if not f.folded_ports
    }
    assert (
        len([flow for flow in distinct if flow.folded_peers is None and flow.folded_ports is None])
        <= 9 * len(exact) + 9
    )
    for flow in distinct:
        assert len(flow.source_ports) <= 2
        assert len(flow.dns_names) <= 1
        assert len(flow.policies) <= 1
        assert len(flow.examples) <= 3
        assert len(flow.buckets) <= 3 * 6 + 1
    assert len(tally.dns) <= 2


@settings(max_examples=80, deadline=None)
@given(found=events, bounds=limits, pairs=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_a_view_gives_the_same_flows_and_counts_one_verdict_or_some_ends_at_a_time(found, bounds, pairs):
    """Asking for a part of the flows gives that part of all; counts without flows are those of the flows."""
    view = tally_of(found, bounds).view()
    whole = view.flows()

    for verdict in Verdict:
        assert view.flows([verdict]) == tuple(flow for flow in whole if flow.verdict is verdict)
    counts = Counter()
    for flow in whole:
        if flow.verdict is Verdict.ALLOWED:
            counts.update({(bucket.start, bucket.width): bucket.count for bucket in flow.buckets})
    assert {(b.start, b.width): b.count for b in view.buckets([Verdict.ALLOWED])} == counts

    @once_a_pair
    def wanted(src, dst):
        return (src, dst) in pairs

    some = view.flows([Verdict.ALLOWED], wanted)
    rest = view.flows([Verdict.ALLOWED], lambda *ends: ~wanted(*ends))
    assert sorted((*some, *rest), key=repr) == sorted(view.flows([Verdict.ALLOWED]), key=repr)
