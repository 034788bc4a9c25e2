"""What would fill any memory: flows are folded while they come, totals stay exact, names stay within their bound."""

from __future__ import annotations

import tracemalloc

import pytest

from flowdiag.model.event import L7, Direction, Peer, Verdict, Witness
from flowdiag.parserkit import Block, FlowShape, ParseContext
from flowdiag.tally import Limits, Tally, bounds, overflow, room
from flowdiag.tally.examples import NO_TEXT
from flowdiag_parsers.hubble.flow_json import HubbleJson

PARSER = HubbleJson()
POD = '{"identity":20001,"namespace":"shop","labels":["k8s:app=web"],"pod_name":"web-1"}'
OTHER = '{"identity":20002,"namespace":"shop","labels":["k8s:app=db"],"pod_name":"db-1"}'
WORLD = '{"identity":2,"labels":["reserved:world"]}'
LINE = (
    '{"flow":{"time":"2026-04-01T10:00:00.%09dZ","verdict":"%s","IP":{"source":"10.1.0.1","destination":"%s"},'
    '"l4":{"TCP":{"source_port":40000,"destination_port":%d,"flags":{"SYN":true}}},"source":%s,"destination":%s,'
    '"node_name":"n1","event_type":{"type":1},%s"traffic_direction":"EGRESS"}}\n'
)
REFUSED = '"drop_reason_desc":"POLICY_DENIED",'


def folded(lines, limits=None):
    """Folded a hundred lines at a time; the tally, and the most lanes it held after any of them."""
    tally, most = Tally(limits), 0
    for start in range(0, len(lines), 100):
        data = "".join(lines[start : start + 100]).encode()
        tally.take(PARSER, Block(data=data, first_line=start + 1), ParseContext(input="f"))
        most = max(most, len(tally.table.lanes))
    return tally, most


def test_a_port_scan_is_folded_as_it_comes():
    """Sixty thousand refused ports of one pair: a bounded number of lanes at any time, every port counted."""
    ports = 60_000
    lines = [LINE % (n, "DROPPED", "10.2.0.1", n + 1, POD, OTHER, REFUSED) for n in range(ports)]

    tally, most = folded(lines)
    flows = tally.flows()

    assert most < ports / 2
    assert sum(flow.count for flow in flows) == ports
    (rest,) = [flow for flow in flows if flow.folded_ports]
    assert rest.folded_ports + len(flows) - 1 == ports


@pytest.mark.parametrize("limits", [Limits(flows=400, refused_per_group=50), Limits(flows=40, folded=1)])
@pytest.mark.parametrize("ways", [1, 65_536])
def test_what_comes_after_a_look_at_the_bounds_is_folded_at_once(monkeypatch, limits, ways):
    """A flow that would not stay gets no lane of its own, and all is told as if it had: ports, ends, words, names.

    Also where no more than one way is remembered at a time.
    """
    monkeypatch.setattr(overflow, "_MAX_WAYS", ways)
    spelt = [REFUSED, '"destination_names":["db.example.com"],"drop_reason":133,']
    lines = [
        LINE
        % (
            n,
            ("DROPPED", "AUDIT")[n % 7 == 0],
            address if end is OTHER else f"11.0.{n >> 8}.{n & 255}",
            port,
            POD,
            end,
            spelt[n % 5 == 0],
        )
        for n, (port, (address, end)) in enumerate(
            (port, end) for port in range(1, 700) for end in (("10.2.0.1", OTHER), ("", WORLD))
        )
    ]
    whole, looked = Tally(limits), Tally(limits)
    most = 0
    for start in range(0, len(lines), 100):
        block = Block(data="".join(lines[start : start + 100]).encode(), first_line=start + 1)
        for tally in (whole, looked):
            tally.take(PARSER, block, ParseContext(input="f"))
        if start == 600:
            looked.compact()
        elif start > 600:
            most = max(most, len(looked.table.lanes))
            assert looked._overflow is not None
            assert 0 < len(looked._overflow._ways) <= ways
            # What refused records of ports that are known by now get to see is no other.
            looked.take(PARSER, block, ParseContext(input="f"))
            whole.take(PARSER, block, ParseContext(input="f"))

    assert most < 500
    assert len(whole.table.lanes) > 1_000
    assert looked.flows() == whole.flows()


def test_words_and_examples_of_what_is_folded_at_once():
    """The smallest word of a verdict stays, also of flows that get no lane; an example of them is a place, no text."""

    def lanes(tally, word, ports):
        sink = tally.sink("p", "f")
        shape = FlowShape(
            node=None,
            protocol="TCP",
            icmp=None,
            verdict=Verdict.DENIED,
            verdict_raw=word,
            cause=None,
            reason="policy",
            reason_code=133,
            reason_raw=None,
            l7=None,
            turned=False,
        )
        ends = [sink.peer(Peer(namespace="shop", pod=pod)) for pod in ("web", "db")]
        return {
            port: sink.lane(*ends, port, sink.shape(shape), Direction.EGRESS, Witness.DROP) for port in ports
        }

    def begun(*, look):
        tally = Tally(Limits(flows=10, refused_per_group=5))
        for lane in lanes(tally, "DROPPED", range(1, 60)).values():
            lane.hit(1)
        if look:
            tally.compact()
        return tally

    tried = lanes(begun(look=True), "DROPPED", range(60, 120)).items()
    port = next(port for port, lane in tried if lane.sketch)
    looked, whole = begun(look=True), begun(look=False)
    for tally in (looked, whole):
        lane = lanes(tally, "DENIED", [port])[port]
        lane.hit(2)
        tally.keep(lane, 2, None, "f", 7, b"a record")

    assert looked.flows() == whole.flows()
    (rest,) = [lane for lane in looked.table.lanes.values() if lane.sketch]
    assert [(one.line, one.text) for one in rest.examples] == [(7, NO_TEXT)]
    assert [flow.verdict_raw for flow in looked.flows() if flow.folded_ports] == ["DENIED"]


def test_folding_a_port_scan_takes_no_memory_for_each_port():
    """Which ports are folded is one bitmap of 8 KiB, and not one for each of them until all are done."""
    high = range(30_000, 65_000)
    lines = [LINE % (port, "DROPPED", "10.2.0.1", port, POD, OTHER, REFUSED) for port in high]
    tally = Tally(Limits(flows=100, refused_per_group=50))
    tracemalloc.start()
    try:
        for start in range(0, len(lines), 100):
            data = "".join(lines[start : start + 100]).encode()
            tally.take(PARSER, Block(data=data, first_line=start + 1), ParseContext(input="f"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(tally.flows()) == 51
    assert peak < 60 << 20


def test_ever_new_outside_addresses_are_folded_as_they_come():
    """As many outside addresses: a bounded number of ends at any time, about as many as there were are told."""
    addresses = 60_000
    lines = [
        LINE % (n, "DROPPED", f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}", 443, POD, WORLD, REFUSED)
        for n in range(addresses)
    ]

    tally, most = folded(lines)
    flows = tally.flows()

    assert most < addresses / 2
    assert len(tally.table.peers) < addresses / 2
    assert sum(flow.count for flow in flows) == addresses
    (rest,) = [flow for flow in flows if flow.folded_peers]
    assert abs(rest.folded_peers + len(flows) - 1 - addresses) < addresses * 0.2


@pytest.mark.parametrize("new", ["ends", "shapes"])
def test_ends_and_shapes_of_what_is_folded_at_once_are_forgotten(new, monkeypatch):
    """Their numbers are bounded, which keys of lanes hang on, and all is told as if every flow had its lane."""

    def counted(limits, blocks):
        tally, most = Tally(limits), 0
        for block in range(blocks):
            sink = tally.sink("p", "f")
            web = sink.peer(Peer(namespace="shop", pod="web"))
            for number in range(100 * block, 100 * block + 100):
                request = L7(kind="http", url=f"/{number}") if new == "shapes" else None
                outside = Peer(
                    ip=f"11.0.{number >> 8}.{number & 255}" if new == "ends" else None, entity="world"
                )
                shape = FlowShape(
                    node=None,
                    protocol="TCP",
                    icmp=None,
                    verdict=Verdict.DENIED,
                    verdict_raw=None,
                    cause=None,
                    reason="policy",
                    reason_code=133,
                    reason_raw=None,
                    l7=request,
                    turned=False,
                )
                ends = sink.peer(outside), web
                lane = sink.lane(*ends, 80, sink.shape(shape), Direction.INGRESS, Witness.DROP)
                lane.hit(number)
                sink.keep(lane, number, 40_000, number, b"text")
            tally._bound()
            most = max(most, tally.table.numbered)
        return tally, most

    limits = Limits(flows=20, refused_per_group=10)
    whole, all_of_them = counted(limits, 60)
    monkeypatch.setattr(room, "_ROOM", 100)
    monkeypatch.setattr(room, "_ROOM_FOR_ENDS", 500)
    monkeypatch.setattr(bounds, "_IDLE", 100)
    looked, most = counted(limits, 60)

    assert all_of_them > 6_000
    assert most < 1_000
    assert looked.flows() == whole.flows()
    # Remainders have ends too: a table with nothing to leave out stays.
    monkeypatch.setattr(bounds, "_IDLE", 0)
    looked.compact()
    assert bounds.compacted(looked.table) is None


def test_ever_new_names_are_forgotten_past_the_bound():
    """Names that DNS answers give are kept up to a bound, whatever their order; the records are all counted."""
    names = 3_000
    lines = [
        LINE
        % (
            n,
            "FORWARDED",
            "10.2.0.1",
            40_000,
            OTHER,
            POD,
            f'"is_reply":true,"l7":{{"dns":{{"query":"n{n}.example.","ips":["192.0.2.1"],"ttl":30}}}},',
        )
        for n in range(names)
    ]
    limits = Limits(answers=50)

    tally, _ = folded(lines, limits)
    backwards, _ = folded(lines[::-1], limits)

    assert len(tally.dns) == 50
    assert {(one.name, one.ip) for one in tally.dns} == {(one.name, one.ip) for one in backwards.dns}
    assert sum(flow.records for flow in tally.flows()) == names
