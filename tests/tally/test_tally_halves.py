"""One refused packet, two records that are spelled or filled in differently: it counts once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.model.event import Cause, Direction, FlowEvent, Peer, TimeSource, Verdict, Witness
from flowdiag.model.time import NS
from flowdiag.parserkit import Block, ParseContext
from flowdiag.tally import Limits, Tally
from flowdiag_parsers.cilium.monitor import CiliumMonitor
from flowdiag_parsers.hubble.flow_json import HubbleJson
from flowdiag_parsers.hubble.observe_compact import HubbleCompact

T0 = 1_775_000_040 * NS

COMPACT = b"""\
Jan 26 09:07:03.396: shop/batch-1:45002 (ID:84671) <> shop/api-1:8080 (ID:68421) policy-verdict:none INGRESS DENIED (TCP Flags: SYN)
Jan 26 09:07:03.396: shop/batch-1:45002 (ID:84671) <> shop/api-1:8080 (ID:68421) Policy denied DROPPED (TCP Flags: SYN)
Jan 26 09:07:04.401: shop/batch-1:45002 (ID:84671) <> shop/api-1:8080 (ID:68421) policy-verdict:none INGRESS DENIED (TCP Flags: SYN)
Jan 26 09:07:04.401: shop/batch-1:45002 (ID:84671) <> shop/api-1:8080 (ID:68421) Policy denied DROPPED (TCP Flags: SYN)
"""
MONITOR = b"""\
Policy verdict log: flow 0x9bdd31c4 local EP ID 61, remote ID 84671, proto 6, ingress, action deny, auth: disabled, match none, 10.0.1.7:45002 -> 10.0.2.9:8080 tcp SYN
xx drop (Policy denied) flow 0x9bdd31c4 to endpoint 61, ifindex 14, file bpf_lxc.c:2067, , identity 84671->68421: 10.0.1.7:45002 -> 10.0.2.9:8080 tcp SYN
Policy verdict log: flow 0x1d8a6a2 local EP ID 61, remote ID 84671, proto 6, ingress, action deny, auth: disabled, match none, 10.0.1.7:45004 -> 10.0.2.9:8080 tcp SYN
xx drop (Policy denied) flow 0x1d8a6a2 to endpoint 61, ifindex 14, file bpf_lxc.c:2067, , identity 84671->68421: 10.0.1.7:45004 -> 10.0.2.9:8080 tcp SYN
"""


def tally_of(parser, data):
    found = Tally()
    found.take(parser, Block(data=data, last=True), ParseContext(input="in", year=2026))
    return found


def test_text_pairs_count_once():
    """DENIED and DROPPED, with and without a reason's text, with and without a direction."""
    (flow,) = tally_of(HubbleCompact(), COMPACT).flows()

    assert (flow.count, flow.records, flow.direction) == (2, 4, Direction.INGRESS)
    assert (flow.reason, flow.reason_raw) == ("POLICY_DENIED", "Policy denied")


def test_monitor_pairs_count_once_and_know_both_identities():
    """The verdict names the remote identity alone, the drop both."""
    (flow,) = tally_of(CiliumMonitor(), MONITOR).flows()

    assert (flow.count, flow.records, flow.direction) == (2, 4, Direction.INGRESS)
    assert (flow.src.identity, flow.dst.identity) == (84671, 68421)


MASKED = """\
{"flow":{"time":"2026-03-17T14:03:16.850000012Z","verdict":"DROPPED","IP":{"source":"10.244.1.17","destination":"10.244.2.63"},\
"l4":{"TCP":{"source_port":41022,"destination_port":8080,"flags":{"SYN":true}}},"source":{"namespace":"shop","pod_name":"web-1"},\
"destination":{"namespace":"shop","pod_name":"api-1"},"Type":"L3_L4","node_name":"n","event_type":EVENT},"node_name":"n"}
"""


def masked(*events):
    lines = "".join(MASKED.replace("EVENT", event) for event in events)
    return tally_of(HubbleJson(), lines.encode()).flows()


def test_a_verdict_without_its_reason_is_the_other_half_of_a_drop_with_one():
    """Field masks leave reasons out; a drop event has its own in its type."""
    (flow,) = masked('{"type":5}', '{"type":1,"sub_type":133}')

    assert (flow.count, flow.records, flow.reason) == (1, 2, "POLICY_DENIED")


def test_a_verdict_without_its_reason_joins_neither_of_two():
    """A default deny and a deny rule: nothing says which of them it was; and none of what is no policy's."""
    flows = masked('{"type":5}', '{"type":1,"sub_type":133}', '{"type":1,"sub_type":181}')
    faults = masked('{"type":5}', '{"type":1,"sub_type":151}')

    assert sorted(flow.reason or "" for flow in flows) == ["", "POLICY_DENIED", "POLICY_DENY"]
    assert sorted(flow.reason or "" for flow in faults) == ["", "STALE_OR_UNROUTABLE_IP"]


def test_contradicting_identities_stay_two_flows():
    """A verdict about another identity of the same address is of another packet."""
    other = MONITOR.replace(b"remote ID 84671", b"remote ID 70000")

    assert sorted(flow.count for flow in tally_of(CiliumMonitor(), other).flows()) == [2, 2]


def test_reasons_nobody_knows_stay_apart():
    """Without a normal name the raw text is all that tells two drops apart."""
    lines = [
        b"xx drop (%s) flow 0x1 to endpoint 0, , identity 1000->2000: 10.0.1.7 -> 10.0.2.9 udp\n" % why
        for why in (b"Never heard of", b"Nor of this")
    ]

    flows = tally_of(CiliumMonitor(), b"".join(lines)).flows()

    assert {"Never heard of", "Nor of this"} == {flow.reason_raw for flow in flows}


ends = st.builds(
    Peer,
    ip=st.sampled_from(["198.51.100.1", "198.51.100.2", None]),
    identity=st.sampled_from([None, 1000, 2000]),
    namespace=st.just("a"),
    pod=st.sampled_from([None, "p"]),
)
halves = st.builds(
    FlowEvent,
    line=st.integers(1, 99),
    at=st.one_of(st.none(), st.integers(0, 5).map(lambda second: T0 + second * NS)),
    time_source=st.just(TimeSource.RECORD),
    src=ends,
    dst=ends,
    protocol=st.just("TCP"),
    direction=st.sampled_from([None, *Direction]),
    verdict=st.sampled_from([Verdict.DENIED, Verdict.AUDITED]),
    verdict_raw=st.sampled_from(["DENIED", "DROPPED", None]),
    cause=st.just(Cause.POLICY),
    reason=st.sampled_from(["POLICY_DENIED", None]),
    reason_raw=st.sampled_from(["Policy denied", "Policy denied (L3)", None]),
    witness=st.sampled_from([None, *Witness]),
)
TIGHT = Limits(flows=4, refused_per_group=2, folded=2, refused_buckets=2, examples=1, example_texts=2)


@given(st.lists(halves, max_size=30), st.sampled_from([Limits(), TIGHT]), st.data())
@settings(max_examples=80, deadline=None)
def test_halves_join_the_same_in_any_order(found, bounds, data):
    """Which half joins which hangs on what they say, not on when they came, nor on how parts were cut."""
    whole = Tally(bounds)
    for event in found:
        whole.add(event, "p", "in")
    mixed = data.draw(st.permutations(found))
    cut = data.draw(st.integers(0, len(mixed)))
    merged = Tally(bounds)
    for piece in (mixed[cut:], mixed[:cut]):
        part = Tally(bounds)
        for event in piece:
            part.add(event, "p", "in")
        merged.merge(Tally.from_bytes(part.to_bytes()))

    assert whole.flows() == merged.flows()
    assert sum(flow.records for flow in whole.flows()) == len(found)
