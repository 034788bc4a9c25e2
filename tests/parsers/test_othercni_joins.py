"""What a parser of the other CNIs must know beyond one line: pairs, joins, repeated requests, limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.parserkit import Block, FlowEvent, GapEvent, ParseContext, registry
from flowdiag.tally import Tally
from flowdiag_parsers.aws.vpc_flow import AwsVpcFlow
from flowdiag_parsers.mesh.envoy_rbac import EnvoyRbac
from flowdiag_parsers.nflog.ulogd import UlogdPackets
from flowdiag_parsers.ovn.acl_log import OvnAcl
from flowdiag_parsers.ovn.acl_name import policy_of
from flowdiag_parsers.weave.npc_log import WeaveNpc

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
SEQUENTIAL = (
    "aws-vpc-flow",
    "kube-network-policies",
    "kubernetes-audit",
    "nflog",
    "nft-trace",
    "ovn-acl",
    "weave-npc",
)
CASES = [path for name in SEQUENTIAL for path in sorted(FIXTURES.glob(f"{name}/*/input.*"))]


def _events(parser, blocks):
    context = ParseContext(input="test", year=2026)
    return [event for block in blocks for event in parser.parse(block, context)]


def _cut(data, places):
    lines = data.split(b"\n")
    ends = sorted({place % max(len(lines), 1) for place in places} - {0})
    starts = [0, *ends]
    parts = [lines[a:b] for a, b in zip(starts, [*ends, None], strict=True)]
    blocks = []
    for number, (start, part) in enumerate(zip(starts, parts, strict=True)):
        last = number == len(parts) - 1
        text = b"\n".join(part) + (b"" if last else b"\n")
        blocks.append(Block(data=text, first_line=start + 1, last=last))
    return blocks


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.parent.name}/{path.parent.name}")
@settings(max_examples=8, deadline=None)
@given(places=st.lists(st.integers(min_value=1, max_value=60), max_size=6))
def test_blocks_may_be_cut_anywhere(path, places):
    """A sequential parser says the same however its input is cut, and in the same order."""
    name = path.parent.parent.name
    data = path.read_bytes()
    whole = _events(registry.load("flowdiag.parsers", name).plugin, [Block(data=data, last=True)])
    parts = _events(registry.load("flowdiag.parsers", name).plugin, _cut(data, places))

    assert whole == parts


def _denied(parser, data):
    tally = Tally()
    context = ParseContext(input="test", year=2026)
    for event in parser.parse(Block(data=data, last=True), context):
        tally.add(event, parser.name, "test")
    return sum(flow.count for flow in tally.flows() if flow.verdict == "denied")


PACKET = (
    "IN=cni0 OUT=cni0 SRC=10.42.0.9 DST=10.42.0.10 LEN=60 TOS=00 PREC=0x00 TTL=64 ID={} DF "
    "PROTO=TCP SPT=35218 DPT=80 SEQ=1 ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 \n"
)
K3S = "Nov  3 16:23:17 node-1 DROP by policy shop/{} " + PACKET
LAST = "Nov  3 16:23:17 node-1  " + PACKET


def test_a_packet_of_many_policies_is_one_refusal():
    """Three policies' lines and the last rule's are one packet; all three are named."""
    lines = [K3S.format(name, 7) for name in ("a", "b", "c")] + [LAST.format(7)]
    data = "".join(lines).encode()
    flows = [e for e in _events(UlogdPackets(), [Block(data=data, last=True)]) if isinstance(e, FlowEvent)]

    assert _denied(UlogdPackets(), data) == 1
    assert [hit.name for hit in flows[0].policies] == ["a", "b", "c"]


def test_a_policys_line_alone_accuses_nobody():
    """k3s-io/k3s#9032: the packet may have passed."""
    data = (K3S.format("a", 7) * 2 + LAST.format(8)).encode()

    assert _denied(UlogdPackets(), data) == 1


def test_a_policys_line_behind_an_unknown_head_accuses_nobody():
    """``grep -n`` over ulogd's log: neither the policy's line nor the last rule's is known for what it is."""
    data = f"17:{K3S.format('web', 7)}18:{LAST.format(7)}".encode()

    assert _denied(UlogdPackets(), data) == 0


def test_a_late_last_rule_is_waited_for_within_bounds():
    """64 lines of other packets are too many; the line is then given out as logged, in its place."""
    near = "".join(LAST.format(1000 + n) for n in range(60))
    far = "".join(LAST.format(1000 + n) for n in range(70))
    verdicts = [
        _events(
            UlogdPackets(), [Block(data=(K3S.format("a", 7) + between + LAST.format(7)).encode(), last=True)]
        )
        for between in (near, far)
    ]

    assert [events[0].verdict for events in verdicts] == ["denied", "logged"]
    assert [events[0].line for events in verdicts] == [1, 1]


def test_weave_logs_one_packet_twice():
    """Two rules' lines within a millisecond are one packet; a retransmission a second later is another."""
    line = "WARN: 2026/01/05 10:00:{} TCP connection from 10.32.0.3:33702 to 10.40.0.1:80 blocked by Weave NPC.\n"
    stamps = ("10.232988", "10.233008", "11.255958", "11.255980", "13.400000")

    assert _denied(WeaveNpc(), "".join(line.format(stamp) for stamp in stamps).encode()) == 3


ACL = '2026-01-05T05:55:03.{:03d}Z|{:05d}|acl_log(ovn_pinctrl0)|INFO|name="NP:a:Ingress", verdict=drop, severity=alert, direction=to-lport: tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=1,tp_dst=2\n'


@pytest.mark.parametrize(("lines", "gaps"), [(19, 0), (20, 1), (35, 1)])
def test_a_full_second_of_acl_lines_is_a_gap(lines, gaps):
    """OVN-Kubernetes logs 20 messages a second at most, and does not say what it left out."""
    data = "".join(ACL.format(number, number) for number in range(lines)).encode()
    found = [e for e in _events(OvnAcl(), [Block(data=data, last=True)]) if isinstance(e, GapEvent)]

    assert [gap.kind for gap in found] == ["rate-limited"] * gaps


@settings(max_examples=60, deadline=None)
@given(
    namespace=st.from_regex(r"[a-z][a-z0-9-]{0,40}[a-z0-9]", fullmatch=True),
    policy=st.from_regex(r"[a-z][a-z0-9.-]{0,60}[a-z0-9]", fullmatch=True),
    way=st.sampled_from(["Ingress", "Egress"]),
    index=st.integers(min_value=0, max_value=120),
)
def test_a_cut_acl_name_never_names_another_policy(namespace, policy, way, index):
    """What OVN cut at 63 characters is left out or right, never half a name."""
    full = f"NP:{namespace}:{policy}:{way}:{index}"
    hit = policy_of(full[:63], "allow")

    assert hit.namespace in (None, namespace)
    assert hit.name in (None, policy)
    assert hit.rule in (None, f"{way.lower()}[{index}]")
    if len(full) < 63:
        assert (hit.namespace, hit.name, hit.rule) == (namespace, policy, f"{way.lower()}[{index}]")


@pytest.mark.parametrize(
    ("namespace", "way"), [("n" * 58, "Ingress"), ("n" * 57, "Egress"), ("n" * 53, "Ingress")]
)
def test_a_cut_direction_is_still_the_namespaces_isolation(namespace, way):
    """Policies' names are lower case, so what begins as a direction does is one."""
    hit = policy_of(f"NP:{namespace}:{way}"[:63], "drop")

    assert (hit.namespace, hit.name, hit.rule) == (namespace, None, "default-deny")


def test_weave_puts_no_brackets_around_ipv6():
    """The port is what follows the last colon."""
    line = b"WARN: 2020/09/09 13:43:10.963438 UDP connection from fd00::1:33702 to fd00::2:53 blocked by Weave NPC.\n"
    (event,) = _events(WeaveNpc(), [Block(data=line, last=True)])

    assert [(end.ip, end.port) for end in (event.src, event.dst)] == [("fd00::1", 33702), ("fd00::2", 53)]


@pytest.mark.parametrize("upstream", ["-", "127.0.0.6:40001"])
def test_a_request_that_a_proxy_refused_goes_from_the_caller_to_the_server(upstream):
    """The proxy's own address towards the server, where one was taken, is no end of the call."""
    line = (
        '[2026-01-05T10:00:55.932Z] "GET / HTTP/1.1" 403 - rbac_access_denied_matched_policy[ns[shop]-policy[deny]-rule[0]] - '
        f'"-" 0 19 0 - "-" "curl/8" "66146f25" "web:8000" "-" inbound|8080|| {upstream} 192.0.2.14:8080 192.0.2.12:54616 '
        "outbound_.8000_._.web.shop.svc.cluster.local default\n"
    )
    (event,) = _events(EnvoyRbac(), [Block(data=line.encode(), last=True)])

    assert (event.src.ip, event.dst.ip, event.dst.port) == ("192.0.2.12", "192.0.2.14", 8080)


@pytest.mark.parametrize("interface", ["eni-1235b8ca123456789", "eni-12b8ca12", "eni-a1"])
def test_a_flow_log_is_known_by_its_columns_and_not_by_how_long_an_id_is(interface):
    """Old accounts' interfaces have short ids, and documentation shorter ones."""
    line = (
        f"2 123456789012 {interface} 10.0.1.5 10.0.2.9 40000 5432 6 3 180 1793707200 1793707260 REJECT OK\n"
    )
    assert AwsVpcFlow().sniff(line.encode()) > 0.5
