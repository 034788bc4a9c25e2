"""What the tally makes of records: pairs, replies, widths, folding, examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowdiag.model.event import (
    L7,
    Cause,
    Direction,
    FlowEvent,
    Icmp,
    LogEvent,
    ParseWarning,
    Peer,
    PolicyHit,
    TimeSource,
    Verdict,
    Witness,
)
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS
from flowdiag.parserkit import Block, ParseContext
from flowdiag.tally import Limits, Tally

T0 = 1_775_000_040 * NS
WEB, DB = (
    Peer(ip="10.0.0.1", namespace="shop", pod="web-1", port=41_000),
    Peer(ip="10.0.0.2", namespace="db", pod="db-0", port=5432),
)


def record(**changes):
    """A dropped SYN from web to db."""
    base = {
        "line": 1,
        "at": T0,
        "time_source": TimeSource.RECORD,
        "node": "n1",
        "src": WEB,
        "dst": DB,
        "protocol": "TCP",
        "direction": Direction.EGRESS,
        "verdict": Verdict.DENIED,
        "verdict_raw": "DROPPED",
        "cause": Cause.POLICY,
        "reason": "POLICY_DENIED",
        "reason_code": 133,
        "tcp_flags": ("SYN",),
        "witness": Witness.DROP,
    }
    return FlowEvent(**(base | changes))


def tally(*records, limits=None):
    """A tally of records of one parser and input."""
    found = Tally(limits)
    for event in records:
        found.add(event, "p", "in")
    return found


def only(*records):
    """The only distinct flow of records."""
    (flow,) = tally(*records).flows()
    return flow


def with_port(peer, port):
    """`peer` at another port."""
    return Peer(ip=peer.ip, namespace=peer.namespace, pod=peer.pod, entity=peer.entity, port=port)


def test_a_packets_verdict_and_drop_count_once():
    """Both records stand behind it; the policies that only the verdict names are there."""
    hit = PolicyHit(name="deny")
    flow = only(record(), record(at=T0 + 9_000, witness=Witness.VERDICT, policies=(hit,)))

    assert (1, 2, (hit,)) == (flow.count, flow.records, flow.policies)
    assert (flow.first, flow.last) == (T0, T0 + 9_000)


def test_pairs_are_counted_by_the_second():
    """Three drops and two verdicts in one second, one verdict alone in another: four packets."""
    drops = [record() for _ in range(3)]
    verdicts = [record(witness=Witness.VERDICT) for _ in range(2)]
    later = record(at=T0 + 5 * NS, witness=Witness.VERDICT)
    flow = only(*drops, *verdicts, later)

    assert flow.count == 4
    assert (Bucket(T0, NS, 3), Bucket(T0 + 5 * NS, NS, 1)) == flow.buckets


def test_a_drop_without_direction_takes_it_from_its_verdict():
    """Host programs record drops without one."""
    flow = only(record(direction=None), record(witness=Witness.VERDICT, direction=Direction.INGRESS))

    assert (flow.direction, flow.count, flow.records) == (Direction.INGRESS, 1, 2)


def test_drops_without_direction_that_no_verdict_explains_stay_apart():
    """Two drops, one verdict: one packet is ingress, of the other nobody knows."""
    flows = tally(
        record(direction=None),
        record(direction=None),
        record(witness=Witness.VERDICT, direction=Direction.INGRESS),
    ).flows()

    assert {(None, 1), (Direction.INGRESS, 1)} == {(flow.direction, flow.count) for flow in flows}
    assert sum(flow.records for flow in flows) == 3


def test_egress_and_ingress_refusals_are_two_flows():
    """Both sides refuse the same connection on one node."""
    flows = tally(record(), record(direction=Direction.INGRESS)).flows()

    assert {Direction.EGRESS, Direction.INGRESS} == {flow.direction for flow in flows}


def test_drops_of_two_nodes_are_two_flows():
    """A pair is of one node."""
    assert len(tally(record(), record(node="n2", witness=Witness.VERDICT)).flows()) == 2


def test_records_without_a_kind_all_count():
    """L7 refusals and masked exports do not say which of a packet's records they are."""
    assert only(record(witness=None), record(witness=None)).count == 2


def test_a_recorded_reply_is_turned_and_keeps_its_direction():
    """Hubble turns the direction of what it knows to be a reply."""
    flow = only(
        record(
            src=DB, dst=WEB, is_reply=True, verdict=Verdict.ALLOWED, cause=None, direction=Direction.EGRESS
        )
    )

    assert (flow.src.pod, flow.dst.pod, flow.port, flow.turned) == ("web-1", "db-0", 5432, True)
    assert flow.direction is Direction.EGRESS


@pytest.mark.parametrize(
    ("changes", "turned"),
    [
        ({"tcp_flags": ("SYN", "ACK")}, True),
        ({"tcp_flags": ("ACK",)}, False),
        ({"tcp_flags": ("SYN",), "src": with_port(DB, 443)}, False),
        ({"tcp_flags": ("ACK",), "src": with_port(DB, 443)}, True),
        ({"tcp_flags": None, "protocol": "UDP", "src": with_port(DB, 53)}, True),
        ({"tcp_flags": None, "protocol": "UDP", "src": with_port(DB, 53), "is_reply": False}, False),
        ({"tcp_flags": ("ACK",), "src": with_port(DB, 443), "dst": with_port(WEB, 30_443)}, False),
    ],
)
def test_dropped_replies_are_recognised(changes, turned):
    """SYN and ACK, or a well-known source port and an ephemeral destination port; a SYN is never one."""
    base = {"src": with_port(DB, 21_000), "dst": WEB, "direction": Direction.EGRESS}
    flow = only(record(**(base | changes)))

    assert turned == flow.turned
    assert flow.direction is (Direction.INGRESS if turned else Direction.EGRESS)


def test_widths_of_buckets():
    """A second for what was refused, a minute for the rest; no time is a bucket of its own."""
    refused = only(record(), record(at=None))
    assert (Bucket(None, 0, 1), Bucket(T0, NS, 1)) == refused.buckets
    assert refused.time_source is TimeSource.NONE

    allowed = only(record(verdict=Verdict.ALLOWED, cause=None, witness=None, at=T0 + 59 * NS))
    assert (Bucket(T0, 60 * NS, 1),) == allowed.buckets


def test_buckets_widen_instead_of_growing():
    """Ten seconds in four buckets are of four seconds each; first and last stay exact."""
    limits = Limits(refused_buckets=4)
    (flow,) = tally(*(record(at=T0 + n * NS + 5) for n in range(10)), limits=limits).flows()

    assert len(flow.buckets) <= 4
    assert {4 * NS} == {bucket.width for bucket in flow.buckets}
    assert (flow.count, flow.first, flow.last) == (10, T0 + 5, T0 + 9 * NS + 5)


def test_source_ports_are_the_clients_and_few():
    """Retries of one connection come from one port; also when the record is of a reply."""
    many = [record(src=with_port(WEB, 50_000 - n)) for n in range(100)]
    assert tuple(range(49_901, 49_917)) == only(*many).source_ports
    assert only(record(src=DB, dst=WEB, tcp_flags=("SYN", "ACK"))).source_ports == (41_000,)


def test_flags_names_and_labels():
    """Flags are joined; names leave the ends and are joined too."""
    flow = only(
        record(dst=Peer(ip="192.0.2.1", port=443, dns_names=("b.example.com",))),
        record(dst=Peer(ip="192.0.2.1", port=443, dns_names=("a.example.com",)), tcp_flags=("SYN", "ECE")),
    )

    assert frozenset({"SYN", "ECE"}) == flow.tcp_flags
    assert flow.dns_names == ("a.example.com", "b.example.com")
    assert flow.dst.dns_names is None


def test_steady_records_have_an_interval():
    """A probe every ten seconds; retries at 1, 3 and 7 seconds have none."""
    assert only(*(record(at=T0 + n * 10 * NS) for n in range(8))).interval_s == 10.0
    assert only(*(record(at=T0 + n * NS) for n in (0, 1, 3, 7, 15, 31, 63))).interval_s is None


def test_examples_are_the_first_ones_of_refused_flows():
    """Smallest by time, input and line, their text cut; allowed flows keep none."""
    flow = only(*(record(at=T0 + n, line=9 - n, raw="x" * 9_000) for n in range(5)))
    first = flow.examples[0]

    assert (first.at, first.input, first.line) == (T0, "in", 9)
    assert (len(first.raw), first.raw[-1]) == (4096, "…")
    assert only(record(verdict=Verdict.ALLOWED, raw="x")).examples == ()


def test_l7_of_refused_requests_is_bounded():
    """Method and path tell refused requests apart, not what follows the question mark."""
    l7 = [
        L7(kind="http", type="request", method="GET", url=f"http://x/y?{n}", latency_ns=n) for n in range(3)
    ]
    flow = only(*(record(l7=part, witness=None) for part in l7))

    assert (flow.count, flow.l7.url) == (3, "http://x/y")
    assert only(record(verdict=Verdict.ALLOWED, l7=l7[0])).l7 is None


def test_a_port_scan_folds():
    """Past the bound the smallest hashes stay; the rest has an exact count and number of ports."""
    limits = Limits(refused_per_group=10)
    flows = tally(*(record(dst=with_port(DB, port)) for port in range(1, 501)), limits=limits).flows()
    (rest,) = [flow for flow in flows if flow.folded_ports is not None]

    assert len(flows) == 11
    assert (rest.count, rest.folded_ports, rest.port, rest.folded_peers) == (490, 490, None, None)
    assert (rest.src.pod, rest.dst.pod) == ("web-1", "db-0")


def test_a_crowd_from_outside_folds():
    """Addresses outside become one remainder that keeps its port and about how many there were."""
    limits = Limits(refused_per_group=10)
    outside = [Peer(ip=f"198.51.{n // 250}.{n % 250}", entity="world", port=40_000) for n in range(3010)]
    flows = tally(*(record(src=peer, direction=Direction.INGRESS) for peer in outside), limits=limits).flows()
    (rest,) = [flow for flow in flows if flow.folded_peers is not None]

    assert (rest.count, rest.port, rest.src.ip, rest.src.entity) == (3000, 5432, None, "world")
    assert 2400 < rest.folded_peers < 3600


def test_many_pods_do_not_fold_by_group():
    """Pods are no crowd: only the overall bound joins them."""
    limits = Limits(refused_per_group=10)
    pods = [Peer(ip=f"10.1.0.{n}", namespace="shop", pod=f"web-{n}", port=40_000) for n in range(100)]

    assert len(tally(*(record(src=peer) for peer in pods), limits=limits).flows()) == 100


def test_icmp_and_missing_ends():
    """No ports, no addresses: still a flow."""
    flow = only(record(src=Peer(), dst=Peer(), protocol="ICMP", icmp=Icmp(8, 0), tcp_flags=None))

    assert (None, Icmp(8, 0), Peer()) == (flow.port, flow.icmp, flow.src)


def test_aggregated_records_weigh():
    """A record that stands for many counts so, and is one record."""
    flow = only(record(count=7, witness=None))

    assert (flow.count, flow.records) == (7, 1)


def test_warnings_are_bounded_and_counted():
    """Fifty are kept, a thousand counted."""
    found = tally(*(ParseWarning(line=n, code="malformed-json", message="m") for n in range(1000)))

    assert (len(found.warnings), found.warning_counts) == (50, {("in", "p", "malformed-json"): 1000})
    assert (found.inputs["in"].records, found.inputs["in"].warnings) == (0, 1000)


def test_messages_without_a_signal_are_only_counted():
    """What does not matter to diagnosis is not kept."""
    found = tally(LogEvent(line=1, message="m"), LogEvent(line=2, message="m", signal="agent-started"))

    assert (found.records, len(found.logs)) == (2, 1)


def test_dns_answers_join():
    """One pair of name and address with the span of its answers."""
    answer = L7(kind="dns", type="response", query="db.example.com", ips=("192.0.2.1",), ttl=30)
    (found,) = tally(
        record(l7=answer, verdict=Verdict.ALLOWED), record(l7=answer, verdict=Verdict.ALLOWED, at=T0 + NS)
    ).dns

    assert (
        found.name,
        found.ip,
        found.first,
        found.last,
        found.ttl,
    ) == ("db.example.com", "192.0.2.1", T0, T0 + NS, 30)


def test_take_uses_fold_where_there_is_one():
    """Both shapes of parser are taken; a parser without `fold` is asked for the text of its records."""

    class Plain:
        name = "plain"

        def parse(self, block, context):
            yield record(raw=block.data.decode() if context.keep_raw else None)

    class Fast:
        name = "fast"

        def fold(self, block, context, sink):
            assert context.input == "in"
            sink.add(record(line=block.first_line))

    found = Tally()
    for parser in (Plain(), Fast()):
        found.take(parser, Block(data=b"text"), ParseContext(input="in"))
    plain = next(flow for flow in found.flows() if flow.parser == "plain")

    assert (plain.examples[0].raw, found.flow_records) == ("text", 2)


def test_folding_is_the_same_in_every_process():
    """What stays does not hang on the process's hash seed."""
    root = Path(__file__).resolve().parents[2]
    script = """
from flowdiag.model.event import FlowEvent, Peer, Verdict
from flowdiag.tally import Limits, Tally
tally = Tally(Limits(refused_per_group=5))
for n in range(100):
    tally.add(FlowEvent(line=n, src=Peer(ip="10.0.0.1"), dst=Peer(ip="10.0.0.2", port=n + 1), verdict=Verdict.DENIED), "p", "in")
print([(flow.port, flow.count) for flow in tally.flows()])
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(outputs) == 1
