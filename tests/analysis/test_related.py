"""Allowed flows that matter beside refused ones are made, the others only counted."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.analysis.options import Selection
from flowdiag.analysis.select import selected_distinct, selected_flow
from flowdiag.analysis.sorting import sort_flows
from flowdiag.cluster import Resolver
from flowdiag.diagnose.replies import EPHEMERAL_FROM
from flowdiag.model.event import Direction, FlowEvent, Peer, TimeSource, Verdict, WorkloadRef
from flowdiag.model.objects import Pod, Snapshot
from flowdiag.model.time import NS
from flowdiag.tally import Tally
from flowdiag.timeline.ends import end_key

PODS = [
    Peer(
        ip=f"10.0.{number}.{replica}",
        namespace="bank" if number == 3 else "shop",
        pod=f"w{number}-{replica}",
        workload=WorkloadRef("Deployment", f"w{number}"),
    )
    for number in range(4)
    for replica in range(2)
]
OUTSIDE = [
    Peer(ip=f"198.51.100.{n}", entity="world", dns_names=names)
    for n, names in enumerate((None, ("x.example",), ("x.example", "y.example"), ("z.example",)))
]
# Records of one address that do and do not name it.
OUTSIDE += [
    Peer(ip="198.51.100.0", entity="world", dns_names=("y.example",)),
    Peer(ip="198.51.100.3", entity="world"),
]
UNUSUAL = 5555
"""A port by which a reply's record does not tell that it is one."""
BARE = [Peer(ip=f"10.0.{number}.0") for number in range(2)]
# Text has no workload, which a pod's name tells, and an address alone may be anybody's.
NAMED = [Peer(ip=f"10.0.9.{n}", namespace="shop", pod=f"w{n // 2}-5d4f8c7b9-x2x4{n}") for n in range(2, 6)]
BARE += [Peer(ip="203.0.113.7"), Peer(ip="8.8.4.4"), Peer(ip="10.0.9.9")]
ends = st.sampled_from([*PODS, *PODS, *OUTSIDE, *BARE, *NAMED])


def pod(number, name, **more):
    """A pod of the cluster at an address that records also give without a name."""
    return Pod(
        namespace="shop",
        name=f"w{number}-{name}",
        ips=(f"10.0.{number}.0",),
        workload=WorkloadRef("Deployment", f"w{number}"),
        **more,
    )


CLUSTER = Snapshot(
    pods=(
        pod(0, "0", created=900 * NS, deleted=1150 * NS),
        pod(1, "0", created=900 * NS),
        replace(pod(0, "9", created=1160 * NS), workload=WorkloadRef("Deployment", "w2")),
    )
)
snapshots = st.sampled_from([Snapshot(), CLUSTER])


def event(src, dst, verdict, port, second):
    """One record; what goes to a client's port comes from a server's."""
    src = replace(src, port=UNUSUAL if port >= EPHEMERAL_FROM else 50_000)
    return FlowEvent(
        line=1,
        at=second * NS,
        time_source=TimeSource.RECORD,
        node="n1",
        src=src,
        dst=Peer(
            ip=dst.ip, port=port, namespace=dst.namespace, pod=dst.pod, workload=dst.workload, entity=dst.entity,
            dns_names=dst.dns_names,
        ),
        protocol="TCP",
        direction=Direction.EGRESS,
        verdict=verdict,
    )  # fmt: skip


records = st.lists(
    st.builds(
        event,
        ends,
        ends,
        st.sampled_from([Verdict.DENIED, Verdict.ALLOWED, Verdict.ALLOWED, Verdict.REDIRECTED]),
        st.sampled_from([53, 443, UNUSUAL, 50_000]),
        st.integers(1000, 1300),
    ),
    max_size=25,
)


def workload(end):
    """An end at the level that problems are told at."""
    if not isinstance(end, Peer) and end.pod is not None:
        return end.namespace, end.pod.workload.name
    return (end.namespace, (end.workload or end.pod.workload).name) if end.workload or end.pod else end.ip


spans = st.builds(
    lambda since, until: Selection(since=since and since * NS, until=until and until * NS),
    st.none() | st.integers(990, 1310),
    st.none() | st.integers(990, 1310),
)


@settings(max_examples=200, deadline=None)
@given(found=records, selection=st.just(Selection()) | spans, snapshot=snapshots)
def test_what_shares_its_ends_with_a_refused_flow_is_made_and_everything_is_counted(
    found, selection, snapshot
):
    """Against making all of them: none that diagnosis could ask for is missing, and no count differs."""
    tally = Tally()
    for one in found:
        tally.add(one, "plain", "f")
    few, every = (
        sort_flows(tally.view(), Resolver(snapshot), selection, all_allowed=whole) for whole in (False, True)
    )

    assert few.refused == every.refused
    assert few.allowed_buckets == every.allowed_buckets
    for level in (workload, end_key):
        calls = {(level(flow.src), level(flow.dst), flow.distinct.port) for flow in few.refused}
        calls |= {(dst, src, UNUSUAL) for src, dst, port in calls if port >= EPHEMERAL_FROM}
        asking = {level(flow.src) for flow in few.refused if flow.distinct.port == 53}
        for flow in every.allowed:
            call = (level(flow.src), level(flow.dst), flow.distinct.port)
            if call in calls:
                assert flow in few.allowed
            if level(flow.src) in asking:
                assert flow in few.allowed + few.calls
    assert not any(flow in few.allowed for flow in few.calls)
    near = {workload(end) for flow in few.refused for end in (flow.src, flow.dst)}
    if any(workload(flow.src) in near or workload(flow.dst) in near for flow in every.allowed):
        assert few.allowed


def test_the_connection_that_a_refused_reply_may_belong_to_is_made():
    """And none to another port, nor what its client called besides."""
    client, server = PODS[0], PODS[2]
    tally = Tally()
    for one in (
        event(server, client, Verdict.DENIED, 50_000, 1100),
        event(client, server, Verdict.ALLOWED, UNUSUAL, 1090),
        event(client, server, Verdict.ALLOWED, 53, 1090),
        event(server, client, Verdict.ALLOWED, UNUSUAL, 1090),
    ):
        tally.add(one, "plain", "f")

    (made,) = sort_flows(tally.view(), Resolver(Snapshot()), Selection()).allowed

    assert (made.src.name, made.dst.name, made.distinct.port) == (client.pod, server.pod, UNUSUAL)


def test_what_passed_to_an_earlier_owner_of_an_address_is_made():
    """The address alone does not tell the workload, which was refused elsewhere."""
    tally = Tally()
    for one in (
        event(PODS[2], PODS[1], Verdict.DENIED, 443, 1100),
        event(PODS[2], PODS[1], Verdict.ALLOWED, 443, 1000),
        event(PODS[2], BARE[0], Verdict.ALLOWED, 443, 1001),
    ):
        tally.add(one, "plain", "f")

    _, other = sort_flows(tally.view(), Resolver(CLUSTER), Selection()).allowed

    assert other.dst.ip == BARE[0].ip
    assert workload(other.dst) == workload(PODS[1])


parts = st.builds(
    Selection,
    since=st.none() | st.integers(990, 1310).map(lambda second: second * NS),
    namespaces=st.sampled_from([(), (), ("shop",), ("bank",)]),
    from_pod=st.sampled_from([None, None, "shop/w1", "bank/w1", "w1"]),
    to_pod=st.sampled_from([None, None, "shop/w2-0"]),
    to_port=st.sampled_from([None, None, 53]),
    protocol=st.sampled_from([None, None, "tcp", "udp"]),
    verdicts=st.sampled_from([(), (), ("allowed",), ("denied", "redirected")]),
)


@settings(max_examples=200, deadline=None)
@given(found=records, selection=parts)
def test_a_part_of_the_evidence_is_what_is_left_of_all_of_it(found, selection):
    """Against making every flow and asking it: nothing that the selection lets count is missed or added."""
    tally = Tally()
    for one in found:
        tally.add(one, "plain", "f")
    resolver = Resolver(Snapshot())
    wanted = defaultdict(int)
    kept = {verdict: [] for verdict in Verdict}
    for whole in tally.view().flows():
        distinct = selected_distinct(whole, selection)
        for flow in resolver.resolve(distinct) if distinct is not None else ():
            if selected_flow(flow, selection):
                kept[flow.distinct.verdict].append(flow)
                if flow.distinct.verdict in (Verdict.ALLOWED, Verdict.REDIRECTED):
                    for bucket in flow.buckets:
                        wanted[bucket.start, bucket.width] += bucket.count

    flows = sort_flows(tally.view(), Resolver(Snapshot()), selection)

    assert {(b.start, b.width): b.count for b in flows.allowed_buckets} == wanted
    assert [_plain(flow) for flow in flows.refused] == [_plain(flow) for flow in kept[Verdict.DENIED]]
    passed = [_plain(flow) for one in (Verdict.ALLOWED, Verdict.REDIRECTED) for flow in kept[one]]
    if selection.namespaces or selection.from_pod or selection.to_pod or selection.to_port is not None:
        assert sorted(map(_plain, flows.allowed)) == sorted(passed)
    else:
        assert set(map(_plain, flows.allowed)) <= set(passed)


def _plain(flow):
    return (
        flow.src.ip,
        flow.dst.ip,
        flow.distinct.port,
        flow.distinct.verdict,
        flow.distinct.count,
        flow.first,
    )


def test_a_workloads_other_calls_to_the_outside_are_counted_only():
    """Named or not, an outside address that nobody was refused, under a name that nobody was refused, is nobody's."""
    tally = Tally()
    tally.add(event(PODS[0], OUTSIDE[1], Verdict.DENIED, 443, 1000), "plain", "f")
    tally.add(event(PODS[1], OUTSIDE[2], Verdict.ALLOWED, 443, 1001), "plain", "f")
    tally.add(event(PODS[1], OUTSIDE[3], Verdict.ALLOWED, 443, 1002), "plain", "f")
    tally.add(event(PODS[0], OUTSIDE[5], Verdict.ALLOWED, 443, 1003), "plain", "f")

    flows = sort_flows(tally.view(), Resolver(Snapshot()), Selection())

    assert [(flow.src.name, flow.dst.ip) for flow in flows.allowed] == [("w0-1", "198.51.100.2")]


def test_a_flow_between_others_is_counted_only():
    """Two workloads that nobody refused: no object is made of their traffic."""
    tally = Tally()
    tally.add(event(PODS[0], PODS[2], Verdict.DENIED, 443, 1000), "plain", "f")
    tally.add(event(PODS[1], PODS[3], Verdict.ALLOWED, 443, 1001), "plain", "f")
    tally.add(event(PODS[0], PODS[4], Verdict.ALLOWED, 443, 1002), "plain", "f")
    tally.add(event(PODS[4], PODS[6], Verdict.ALLOWED, 443, 1003), "plain", "f")

    flows = sort_flows(tally.view(), Resolver(Snapshot()), Selection())

    assert [(flow.src.name, flow.dst.name) for flow in flows.allowed] == [("w0-1", "w1-1")]
    assert sum(bucket.count for bucket in flows.allowed_buckets) == 3
