"""A file's last line may have been cut off anywhere: what is left names no other port, address or protocol than the whole."""

from __future__ import annotations

import re
import tomllib

import pytest

from flowdiag.ingest import Gathered, ReadOptions, recognise
from flowdiag.ingest.blocks import blocks
from flowdiag.ingest.detect import detect
from flowdiag.ingest.parts import parts_of
from flowdiag.ingest.plugins import parser_named, parsers
from flowdiag.parserkit import Block, FlowEvent, ParseContext, ParseWarning, Peer, parse_rfc3339, registry
from tests.conftest import ROOT

PACKET = (
    "IN=cni0 OUT=eth0 MAC=ee:ee:ee:ee:ee:ee:02:42:0a:00:01:05:08:00 SRC=192.0.2.101 DST=192.0.2.210 LEN=60 TOS={}00 "
    "PREC=0x00 TTL=63 ID=1001 DF PROTO=TCP SPT=40001 DPT=8443 {}WINDOW=64240 {}SYN URGP=0 {}"
)
CONNECTION = "192.0.2.101:40001 -> 192.0.2.210:8443 tcp SYN"
LINES = {
    "netfilter": "Mar  2 10:00:00 node-1 kernel: calico-drop: " + PACKET.format("0x", "", "RES=0x00 ", ""),
    "nflog": "Jan  5 16:23:17 node-1  " + PACKET.format("", "SEQ=1 ACK=0 ", "", "MARK=0 "),
    "cilium-monitor": "xx drop (Policy denied) flow 0x1 to endpoint 0, ifindex 12, file bpf_lxc.c:1531, , identity 19942->20817: "
    + CONNECTION,
    "cilium-monitor-json": "Policy verdict log: flow 0x1 local EP ID 12, remote ID 20817, proto 6, egress, action deny, match none, "
    + CONNECTION,
    "calico-bpf": "            curl-5288    [000] ..s2.  3055.982021: bpf_trace_printk: cali43878a68a0a-E: policy DENIED  proto 6 "
    "src 192.0.2.101:40001 dest 192.0.2.210:8443",
    "ovn-acl": '2026-01-05T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:shop:Ingress", verdict=drop, severity=alert, '
    "direction=to-lport: tcp,vlan_tci=0x0000,nw_src=192.0.2.101,nw_dst=192.0.2.210,nw_ttl=62,tp_src=40001,tp_dst=8443,tcp_flags=syn",
    "antrea-np-log": "2026/01/05 23:24:38.422233 IngressDefaultRule K8sNetworkPolicy <nil> Ingress Drop <nil> shop/web-1 "
    "192.0.2.101 40001 192.0.2.210 8443 TCP 60 <nil>",
    "antrea-flows": "1767607200,1767607260,192.0.2.101,192.0.2.210,40001,8443,TCP,client-1,shop,worker-1,web-1,shop,worker-2,"
    "192.0.2.50,192.0.2.51,80,shop/web:http,web,shop,rule-1,Drop,K8sNetworkPolicy,,,,Invalid,Invalid,,,",
    "weave-npc": "WARN: 2026/01/05 10:00:06.963438 TCP connection from 192.0.2.101:40001 to 192.0.2.210:8443 blocked by Weave NPC.",
    "aws-vpc-flow": "2 123456789010 eni-1235b8ca123456789 192.0.2.101 192.0.2.210 40001 8443 6 4 240 1767607200 1767607260 REJECT OK",
    "aws-network-policy-agent": "Node: ip-10-0-1-2;SIP: 192.0.2.101;SPORT: 40001;DIP: 192.0.2.210;DPORT: 8443;PROTOCOL: TCP;PolicyVerdict: DENY",
    "hubble-compact": "Mar 17 14:03:13.850: 192.0.2.101:40001 (ID:19942) <> 192.0.2.210:8443 (ID:7399) Policy denied DROPPED (TCP Flags: SYN)",
    "hubble-table": "Mar 17 14:03:13.850   192.0.2.101:40001   192.0.2.210:8443   policy-verdict:none EGRESS   DENIED      UDP",
    "nsx-firewall": "2026-01-05T10:00:00.647Z 028cd586 INET match DROP mainrs/1027 IN 60 TCP 192.0.2.101/40001->192.0.2.210/8443 S",
    "opflex-drop-log": "[2026-Jan-05 10:00:00.845663] [info] [ovs/PacketLogHandler.cpp:262:parseLog] Acc-SEC_GROUP_IN_TABLE MISS  "
    "SMAC=00:22:bd:f8:19:ff DMAC=0a:58:0a:02:00:c3 ETYP=IPv4 SRC=192.0.2.101 DST=192.0.2.210 LEN=60 DSCP=0 TTL=62 ID=58352 "
    "FLAGS=2 FRAG=0 PROTO=TCP SPT=40001 DPT=8443 SEQ=2794802783 ACK=0 LEN=10 WINDOWS=62020 SYN  URGP=0",
    "azure-firewall": "TCP request from 192.0.2.101:40001 to 192.0.2.210:8443. Action: Deny. Policy: hub. Rule Collection Group: g. "
    "Rule Collection: c. Rule: r",
    "pwru": "0xff180162daa02ae0      0  [curl(3381789)] kfree_skb_reason(SKB_DROP_REASON_NETFILTER_DROP) "
    "192.0.2.101:40001->192.0.2.210:8443(tcp)",
    "gadget-tcpdrop": "worker-1  shop  web-1  web  0  4  192.0.2.101:40001  192.0.2.210:8443  SYN_SENT  SYN  NETFILTER_DROP",
    "hubble-dict": "  TIMESTAMP: Mar 17 14:03:13.850\n     SOURCE: 192.0.2.101:40001\nDESTINATION: 192.0.2.210:8443\n"
    "       TYPE: policy-verdict:none EGRESS\n    VERDICT: DENIED\n    SUMMARY: UDP",
}


def flows(parser: str, text: str) -> list[FlowEvent]:
    plugin = registry.load("flowdiag.parsers", parser).plugin
    block = Block(data=text.encode(), last=True)
    context = ParseContext(input="t", year=2026)
    return [event for event in plugin.parse(block, context) if isinstance(event, FlowEvent)]


def names(event: FlowEvent) -> dict[str, object]:
    """What a line could name wrongly; unknown is not wrong."""
    said: dict[str, object] = {"protocol": event.protocol, "direction": event.direction}
    for side in ("src", "dst"):
        end: Peer = getattr(event, side)
        said |= {
            f"{side} {name}": getattr(end, name) for name in ("ip", "port", "namespace", "pod", "identity")
        }
    said |= {f"policy {number}": hit.name for number, hit in enumerate(event.policies)}
    return {name: value for name, value in said.items() if value is not None}


@pytest.mark.parametrize("parser", LINES)
def test_what_is_left_of_a_line_names_nothing_else(parser):
    """Cut after each character: each field is as in the whole line, or unknown."""
    (whole,) = flows(parser, LINES[parser] + "\n")
    known = names(whole)
    assert (known["src ip"], known["dst ip"], known["dst port"]) == ("192.0.2.101", "192.0.2.210", 8443)

    for end in range(len(LINES[parser])):
        for left in flows(parser, LINES[parser][:end]):
            assert names(left).items() <= known.items(), LINES[parser][:end]


WHOLE = {
    "calico-flowlog": '{"start_time":1772445600,"end_time":1772445900,"source_ip":"192.0.2.1","source_name_aggr":"a-*","dest_ip":"192.0.2.2",'
    '"dest_name_aggr":"b-*","dest_port":80,"proto":"tcp","action":"deny","reporter":"dst","policies":{"all_policies":[]},"num_flows":1}',
    "gke-policy-action": '{"connection":{"src_ip":"192.0.2.1","dest_ip":"192.0.2.2","src_port":1,"dest_port":2,"protocol":"tcp",'
    '"direction":"ingress"},"disposition":"deny","count":3,"timestamp":"2026-01-05T10:00:32Z"}',
    "aws-network-policy-agent": '{"level":"info","ts":"2026-01-05T10:00:01.562Z","msg":"Flow Info: Src IP: 192.0.2.1 Src Port: 1 '
    'Dest IP: 192.0.2.2 Dest Port: 2 Proto TCP Verdict DENY Direction egress"}',
    "netobserv-flow": '{"SrcAddr":"192.0.2.1","DstAddr":"192.0.2.2","Proto":6,"TimeFlowStartMs":1767607200660,"PktDropPackets":1}',
    "hubble-json": '{"flow":{"verdict":"DROPPED","IP":{"source":"192.0.2.1","destination":"192.0.2.2"}},"time":"2026-01-05T10:00:32Z"}',
}


@pytest.mark.parametrize("parser", WHOLE)
def test_a_record_without_its_beginning_is_said(parser):
    """``tail -c`` begins in the middle of a record: what is left of it is a warning, and the next one is read."""
    plugin = registry.load("flowdiag.parsers", parser).plugin
    whole = WHOLE[parser]
    # What begins with a brace may be an object of its own.
    for begin in (place for place in range(1, len(whole) - 1) if whole[place] != "{"):
        block = Block(data=f"{whole[begin:]}\n{whole}\n".encode(), last=True)
        told = [(type(event), event.line) for event in plugin.parse(block, ParseContext(input="t"))]
        assert told == [(ParseWarning, 1), (FlowEvent, 2)], whole[begin:]


@pytest.mark.parametrize("head", ["17:", "agent_1  | ", "[agent-x2v4z] ", "     3\t"])
@pytest.mark.parametrize(
    "parser", ["calico-flowlog", "gke-policy-action", "aws-network-policy-agent", "netobserv-flow"]
)
def test_a_record_behind_words_that_no_wrapper_is_known_by(parser, head):
    """``grep -n``, ``docker compose``, kubetail, ``cat -n``: a parser that knows the line reads the record in it."""
    (bare,) = flows(parser, WHOLE[parser] + "\n")
    (behind,) = flows(parser, head + WHOLE[parser] + "\n")

    assert (names(behind), behind.verdict, behind.at) == (names(bare), bare.verdict, bare.at)


def test_what_grafana_says_above_its_lines_is_no_record_cut_off():
    """It is a whole object behind words."""
    plugin = registry.load("flowdiag.parsers", "gke-policy-action").plugin
    block = Block(
        data=b'Common labels: {"app":"a"}\n' + WHOLE["gke-policy-action"].encode() + b"\n", last=True
    )

    assert [type(event) for event in plugin.parse(block, ParseContext(input="t"))] == [FlowEvent]


KNOWN = registry.available("flowdiag.parsers")
CASES = sorted(
    path.parent
    for path in (ROOT / "fixtures" / "parsers").glob("*/*/about.toml")
    if path.parents[1].name in KNOWN
    and not registry.load("flowdiag.parsers", path.parents[1].name).plugin.document
)
BEFORE, BEHIND = 12, 8
LONGEST = 1500


def peeled(case):
    """A fixture's lines without their wrappers, and the context that its goldens are read in."""
    known = tomllib.loads((case / "about.toml").read_text()).get("context", {})
    options = ReadOptions(format=case.parent.name, year=known.get("year"))
    with Gathered([str(path) for path in case.glob("input.*")]) as gathered:
        source = gathered.sources[0]
        found = detect(source, recognise(gathered.sources)[source.name], parsers()[0], options)
        data = b"".join(
            block.data
            for part in parts_of(found, options)
            for block in blocks(part, parser_named(part.parser), part.context(), [])
        )
    context = {
        "input": "t",
        "year": known.get("year"),
        "endpoint_ids": {int(number): pod for number, pod in known.get("endpoint_ids", {}).items()},
    }
    if "reference_time" in known:
        context["reference_time"] = parse_rfc3339(str(known["reference_time"]))
    return data.splitlines(keepends=True), context


def wrongly(left: FlowEvent, wholes: list[FlowEvent]) -> dict[str, object]:
    """What of the least wrong reading differs; what is not known is not wrong."""
    told = names(left) | {
        f"{side} {name}": getattr(getattr(left, side), name)
        for side in ("src", "dst")
        for name in ("service", "entity")
        if getattr(getattr(left, side), name) is not None
    }
    if left.tcp_flags:
        told["flags"] = left.tcp_flags
    best: dict[str, object] | None = None
    for whole in wholes:
        known = (
            names(whole)
            | {"flags": whole.tcp_flags}
            | {
                f"{side} {name}": getattr(getattr(whole, side), name)
                for side in ("src", "dst")
                for name in ("service", "entity")
            }
        )
        wrong = {name: value for name, value in told.items() if known.get(name) != value}
        if best is None or len(wrong) < len(best):
            best = wrong
    return best or {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_no_line_of_a_fixture_names_something_else_where_a_file_ends_within_it(case):
    """Each line as a file's last one, cut after each byte, behind the lines before it: fields are as in the whole, or unknown.

    Of JSON only what is whole is read; some bytes of it are enough.
    """
    lines, known = peeled(case)
    plugin = registry.load("flowdiag.parsers", case.parent.name).plugin

    def told(data: bytes) -> list[FlowEvent]:
        block, context = Block(data=data, last=True), ParseContext(**known)
        return [event for event in plugin.parse(block, context) if isinstance(event, FlowEvent)]

    shapes: set[bytes] = set()
    for number in range(len(lines)):
        shape = re.sub(rb"\d+", b"0", lines[number])
        if shape in shapes:
            continue
        shapes.add(shape)
        before = b"".join(lines[max(0, number - BEFORE) : number])
        whole = before + lines[number].rstrip(b"\r\n") + b"\n"
        by_line: dict[int, list[FlowEvent]] = {}
        # What follows may tell more of a record, and so may its not being there.
        for data in (whole, b"".join(lines[max(0, number - BEFORE) : number + BEHIND])):
            for event in told(data):
                by_line.setdefault(event.line, []).append(event)
        text = lines[number].rstrip(b"\r\n")[:LONGEST]
        for end in range(1, len(text), 17 if text[:1] == b"{" else 1):
            for left in told(before + text[:end]):
                wrong = wrongly(left, by_line.get(left.line, []))
                assert not wrong, (number + 1, text[:end])


JUDGED = (
    'I0105 10:00:01.000001       1 engine.go:67] "Evaluating packet" id={0} direction="Egress" srcPod="shop/a" dstPod="shop/b" packet=<\n'
    "\t[{0}] 10.0.1.{0}:40243 10.0.2.2:8080 TCP\n >\n"
)
VERDICT = 'I0105 10:00:01.000100       1 engine.go:67] "Packet denied by egress policy" id='


def test_no_verdict_is_joined_to_another_packet_by_half_of_an_id():
    """Where a file ends behind ``id=1`` of ``id=12``, packet 1 is not the one that was refused."""
    said = JUDGED.format(1) + JUDGED.format(12) + VERDICT
    refused = [(one.src.ip, str(one.verdict)) for one in flows("kube-network-policies", said + "12\n")]
    half = flows("kube-network-policies", said + "1")
    alone = flows("kube-network-policies", JUDGED.format(12) + VERDICT + "12")

    assert ("10.0.1.12", "denied") in refused
    assert {one.verdict for one in half} == {"unknown"}
    assert [str(one.verdict) for one in alone] == ["denied"]


def test_a_reason_that_was_cut_off_is_no_other_reason():
    """``NET`` of ``NETFILTER_DROP`` is no fault of the network, and the last line of a paste is often whole."""
    row = LINES["gadget-tcpdrop"]
    plugin = registry.load("flowdiag.parsers", "gadget-tcpdrop").plugin

    def read(text: str) -> list[object]:
        block = Block(data=text.encode(), last=True)
        return [getattr(one, "reason", None) for one in plugin.parse(block, ParseContext(input="t"))]

    assert read(row) == read(row + "\n") == ["netfilter-drop"]
    assert read(row.removesuffix("FILTER_DROP")) == [None]


def test_a_record_of_aci_that_was_cut_in_the_midst_of_a_log_names_no_other_port():
    """A writer that was killed leaves half of a line, and another begins behind it."""
    whole = LINES["opflex-drop-log"]
    (known,) = flows("opflex-drop-log", whole + "\n")
    for end in range(len(whole)):
        for left in flows("opflex-drop-log", whole[:end] + "\n"):
            assert names(left).items() <= names(known).items(), whole[:end]
