"""Folding text records is reading every one of them, and the prefilter drops no refusal."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.marks import marked
from flowdiag.ingest.skim import leaves_out_lines
from flowdiag.model.event import FlowEvent, GapEvent, Verdict
from flowdiag.parserkit import Block, Envelope, ParseContext
from flowdiag.tally import Tally
from flowdiag_parsers.aci.drop_log import OpflexDropLog
from flowdiag_parsers.antrea.flow_records import AntreaFlows
from flowdiag_parsers.antrea.np_log import AntreaNpLog
from flowdiag_parsers.aws.policy_agent import AwsPolicyAgent
from flowdiag_parsers.aws.vpc_flow import AwsVpcFlow
from flowdiag_parsers.azure.firewall_log import AzureFirewall
from flowdiag_parsers.calico.bpf import CalicoBpf
from flowdiag_parsers.calico.component_log import CalicoLog
from flowdiag_parsers.calico.flow_log import CalicoFlowLog
from flowdiag_parsers.cilium.agent_log import CiliumAgentLog
from flowdiag_parsers.cilium.monitor import CiliumMonitor
from flowdiag_parsers.hubble.observe_compact import HubbleCompact
from flowdiag_parsers.hubble.observe_dict import HubbleDict
from flowdiag_parsers.hubble.observe_table import HubbleTable
from flowdiag_parsers.kindnet.policy_log import KubeNetworkPolicies
from flowdiag_parsers.netfilter.kernel_log import NetfilterLog
from flowdiag_parsers.nflog.ulogd import UlogdPackets
from flowdiag_parsers.nsx.packet_log import NsxFirewall
from flowdiag_parsers.ovn.acl_log import OvnAcl
from flowdiag_parsers.weave.npc_log import WeaveNpc

NS = 1_000_000_000

ports = st.sampled_from([53, 80, 8080, 32767, 32768, 40_001, 65_535])
names = st.sampled_from(
    [
        "shop/web-1",
        "shop/api-1",
        "10.0.1.7",
        "[fd00::7]",
        "api.example.com",
        "a.example.com,b.example.com",
        "shop/ä",
    ]
)
idents = st.sampled_from(["", " (ID:84671)", " (world)", " (host)"])
tails = st.sampled_from(
    [
        "to-endpoint FORWARDED (TCP Flags: ACK)",
        "to-endpoint FORWARDED (TCP Flags: SYN, ACK)",
        "Policy denied DROPPED (TCP Flags: SYN)",
        "policy-verdict:none INGRESS DENIED (TCP Flags: SYN)",
        "policy-verdict:none EGRESS DENIED BY guard (CiliumNetworkPolicy) (UDP)",
        "policy-verdict:L3-L4 INGRESS ALLOWED (TCP Flags: SYN)",
        "policy-verdict:none INGRESS AUDITED (TCP Flags: SYN)",
        "http-request DROPPED (HTTP/1.1 PUT http://api/v1)",
        'dns-response proxy FORWARDED (DNS Answer "192.0.2.7" TTL: 30 (Proxy a.example.com. A))',
        "not a verdict at all",
    ]
)
stamps = st.sampled_from(
    [
        "Apr 21 09:10:00.000",
        "Apr 21 09:10:00.999",
        "Apr 21 09:10:01.500",
        "Apr 31 09:10:00.000",
        "2026-04-21T09:10:00.5Z",
    ]
)
compact_lines = st.one_of(
    st.builds(
        lambda at, node, a, ap, ai, way, b, bp, bi, tail: (
            f"{at}{node}: {a}:{ap}{ai} {way} {b}:{bp}{bi} {tail}"
        ),
        stamps,
        st.sampled_from(["", " [k8s1]"]),
        names,
        ports,
        idents,
        st.sampled_from(["->", "<-", "<>"]),
        names,
        ports,
        idents,
        tails,
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            "Apr 21 09:10:02.000 [k8s1]: EVENTS LOST: HUBBLE_RING_BUFFER CPU(3) 12",
            "Apr 21 09:10:02.000: 10.0.1.7 -> 10.0.1.8 to-endpoint FORWARDED (ICMPv4 EchoRequest)",
            "\x1b[31mApr 21 09:10:00.000: shop/web-1:40001 <> shop/api-1:80 Policy denied DROPPED (UDP)\x1b[0m",
        ]
    ),
)
pairs = st.builds(
    lambda a, ap, b, bp: f"{a}:{ap} -> {b}:{bp}",
    st.sampled_from(["10.0.1.7", "10.0.2.9", "[fd00::7]"]),
    ports,
    st.sampled_from(["10.0.1.7", "10.0.2.9", "[fd00::9]"]),
    ports,
)
protocols = st.sampled_from(["tcp SYN", "tcp SYN, ACK", "tcp ACK, FIN", "udp", "sctp", "EchoRequest"])
flow_hash = st.sampled_from(["0x1d8a6a2", "0x9bdd31c4", "0x0"])
monitor_lines = st.one_of(
    st.builds(
        lambda head, number, rest, pair, proto: f"{head} flow {number} {rest} {pair} {proto}",
        st.sampled_from(["xx drop (Policy denied)", "xx drop (FIB lookup failed, 4)", "xx drop (119, 0)"]),
        flow_hash,
        st.sampled_from(
            [
                "to endpoint 61, ifindex 14, file bpf_lxc.c:2067, , identity 1000->2000:",
                "to endpoint 0, , identity world->2000:",
            ]
        ),
        pairs,
        protocols,
    ),
    st.builds(
        lambda number, way, action, pair, proto: (
            f"Policy verdict log: flow {number} local EP ID 61, remote ID 1000, proto 6, {way}, action {action}, "
            f"auth: disabled, match none, {pair} {proto}"
        ),
        flow_hash,
        st.sampled_from(["ingress", "egress"]),
        st.sampled_from(["allow", "deny", "audit", "redirect"]),
        pairs,
        protocols,
    ),
    st.builds(
        lambda head, number, state, pair, proto: (
            f"{head} flow {number} , identity 1000->2000 state {state} ifindex lxc61 orig-ip 10.0.1.7: {pair} {proto}"
        ),
        st.sampled_from(["-> endpoint 61", "-> stack", "<- endpoint 61", "<- host"]),
        flow_hash,
        st.sampled_from(["new", "established", "reply"]),
        pairs,
        protocols,
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            "CPU 03: Lost 12 events",
            "Listening for events on 8 CPUs with 64x4096 of shared memory",
            "CPU 01: MARK 0xa902d52e FROM 61 DROP: 74 bytes, reason Policy denied, to endpoint 0",
            "IPv4\t{Contents=[..20..] Payload=[..40..] Version=4 Protocol=TCP SrcIP=10.0.1.7 DstIP=10.0.2.9}",
            '>> Policy updated: {"labels":[],"revision":5,"rule_count":1}',
        ]
    ),
)
cells = st.builds(
    lambda name, port: f"{name}{port}", names, st.sampled_from(["", ":80", ":40001", ":40002", ":32767"])
)
kinds = st.sampled_from(
    [
        ("to-endpoint", "FORWARDED"),
        ("Policy denied", "DROPPED"),
        ("policy-verdict:none EGRESS", "DENIED"),
        ("policy-verdict:none EGRESS", "DENIED BY guard (CiliumNetworkPolicy)"),
        ("policy-verdict:none INGRESS", "AUDITED"),
        ("http-request", "DROPPED"),
        ("EVENTS LOST", "-"),
    ]
)
summaries = st.sampled_from(
    [
        "TCP Flags: SYN",
        "TCP Flags: SYN, ACK",
        "TCP Flags: ACK",
        "UDP",
        "ICMPv4 EchoRequest",
        "HTTP/1.1 GET http://a/",
        "",
    ]
)
hubble_stamps = st.sampled_from(
    [
        "Apr 21 09:10:00.000",
        "Apr 21 09:10:00.999",
        "Apr 31 09:10:00.000",
        "Apr 21 09:10:00",
        "Apr 21 09:10:00.000Z",
        "2026-04-21T09:10:00.5Z",
        "2026-04-21T09:10:00Z",
        "2026-04-21T09:10:00.5+02:00",
    ]
)
table_rows = st.one_of(
    st.builds(
        lambda at, gap, node, src, dst, kind, summary: gap.join([at, *node, src, dst, *kind, summary]),
        hubble_stamps,
        st.sampled_from(["   ", "      "]),
        st.sampled_from([[], [], [], ["k8s1"]]),
        cells,
        cells,
        kinds,
        summaries,
    ),
    st.sampled_from(["", "TIMESTAMP   SOURCE   DESTINATION   TYPE   VERDICT   SUMMARY", "what is   this"]),
)
dict_records = st.one_of(
    st.builds(
        lambda at, node, src, dst, kind, summary, end: (
            f"  TIMESTAMP: {at}\n{node}     SOURCE: {src}\nDESTINATION: {dst}\n       TYPE: {kind[0]}\n"
            f"    VERDICT: {kind[1]}\n    SUMMARY: {summary}{end}"
        ),
        hubble_stamps,
        st.sampled_from(["", "       NODE: k8s1\n"]),
        cells,
        cells,
        kinds,
        summaries,
        st.sampled_from(
            ["\n------------", "\n------------", "", "\n    DETAILS: more", "\nwhat is this\n------------"]
        ),
    ),
    st.sampled_from(
        [
            "",
            "------------",
            "what is this",
            "    SUMMARY: UDP",
            "  TIMESTAMP: Apr 21 09:10:00.000\n------------",
        ]
    ),
)
packet_prefixes = st.sampled_from(
    [
        "",
        "[307753.360525] ",
        "[    1.000001] ",
        "Mar  2 10:00:00 node-1 kernel: ",
        "Mar  2 10:00:01 node-1 kernel: [  100.000001] ",
        "2026-03-02T10:00:05+0000 node-1 kernel: ",
        "kern  :notice: [307753.360525] ",
    ]
)
packets = st.builds(
    lambda at, rule, ends, number, rest: (
        f"{at}{rule}{ends} LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID={number} DF {rest} "
    ),
    packet_prefixes,
    st.sampled_from(["calico-packet: ", "[UFW BLOCK] ", "calico-packet np:shop/web:default: ", "", "DROP: "]),
    st.sampled_from(
        [
            "IN=cali43878a68a0a OUT=eth0 MAC=ee:ee:ee:ee:ee:ee:02:42:0a:00:01:05:08:00 SRC=10.0.1.5 DST=192.0.2.10",
            "IN=eth0 OUT=calia4fc3c48bd8 SRC=192.0.2.10 DST=10.0.1.5",
            "IN=eth0 OUT= MAC= SRC=198.51.100.7 DST=192.0.2.2",
        ]
    ),
    st.integers(1, 65_535),
    st.builds(
        lambda proto, a, b, tail: (
            f"PROTO={proto} SPT={a} DPT={b} {tail}" if proto in ("TCP", "UDP") else f"PROTO={proto}"
        ),
        st.sampled_from(
            [
                "TCP",
                "TCP",
                "UDP",
                "ICMP TYPE=8 CODE=0 ID=7 SEQ=1",
                "ICMP TYPE=3 CODE=1 [SRC=10.0.1.9 ]",
                "132",
            ]
        ),
        ports,
        ports,
        st.sampled_from(
            [
                "WINDOW=64240 RES=0x00 SYN URGP=0",
                "WINDOW=64240 RES=0x00 ACK SYN URGP=0",
                "WINDOW=1 RES=0x00 ACK PSH URGP=0",
                "SEQ=1 ACK=0 WINDOW=9 RES=0x00 SYN URGP=0 MARK=0x1",
                "LEN=36",
            ]
        ),
    ),
)
kernel_lines = st.one_of(
    packets,
    st.sampled_from(["", "[  113.000001] net_ratelimit: 12 callbacks suppressed", "IN=eth0 OUT= SRC=10.0.0"]),
)
traces = st.one_of(
    st.builds(
        lambda cpu, up, hook, word, a, b: (
            f"            curl-5288    [00{cpu}] ..s2.  {up}.982021: bpf_trace_printk: cali43878a68a0a-{hook}: "
            f"policy {word} proto 6 src 10.0.1.5:{a} dest 192.0.2.12:{b}"
        ),
        st.integers(0, 3),
        st.integers(1, 99),
        st.sampled_from("IEX"),
        st.sampled_from(["ALLOWED", "DENIED ", "DENIED"]),
        ports,
        ports,
    ),
    st.sampled_from(
        [
            "",
            "cali43878a68a0a-E: policy DENIED proto 17 src 10.0.1.5:53 dest 10.0.1.6:40001",
            "IfaceName: calia4fc3c48bd8",
            "// Start of tier default",
            '// Start of rule action:"deny"  rule_id:"x"',
            "// count = 9",
            "| Dropped  | by policy                      |       2 |     11 | N/A |",
        ]
    ),
)
agent_records = st.one_of(
    st.builds(
        lambda at, level, message, rest: f"{at}level={level} {message} {rest}",
        st.sampled_from(
            [
                "",
                "time=2026-03-17T14:03:13.123Z ",
                'time="2026-03-17T14:03:14Z" ',
                "time=2026-03-17T25:03:13Z ",
                "2026-03-17T14:03:13.5Z ",
            ]
        ),
        st.sampled_from(["info", "warning", "error"]),
        st.sampled_from(
            [
                'msg="Rewrote endpoint BPF program"',
                'msg="Upserted policy to repository"',
                'source=/go/x.go:1 msg="Rewrote endpoint BPF program"',
                'msg="hubble events queue is full: dropping messages"',
                'msg="a \\"quoted\\" word"',
                "msg=bare",
            ]
        ),
        st.sampled_from(["", "resource=knp/shop/web", 'error="range is full"', 'k="open', "subsys=daemon"]),
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            '{"flow":{"time":"2026-03-17T14:03:13Z","verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED"}}',
            '{"flow": {"verdict":"FORWARDED","IP":{"source":"10.0.1.7","destination":"10.0.2.9"}}}',
            '{"flow":{"verdict":',
            '{"lost_events":{"num_events_lost":"5"},"node_name":"n1"}',
            "E0512 10:11:12.123456       1 x.go:1] failed to list *v1.Pod",
            "goroutine 1 [running]:",
        ]
    ),
)
calico_records = st.one_of(
    st.builds(
        lambda at, level, head, text: f"{at} [{level}][70] {head} 12: {text}",
        st.sampled_from(
            [
                "2026-03-02 10:00:00.077",
                "2026-03-02 10:00:01.000",
                "0001-01-01 00:00:00.000",
                "2026-13-02 10:00:00.000",
            ]
        ),
        st.sampled_from(["INFO", "WARNING", "PANIC", "DEBUG"]),
        st.sampled_from(["felix/table.go", "felix/int_dataplane.go", "ipam.go", "felix/other.go", "<nil>"]),
        st.sampled_from(
            [
                "",
                "Failed to program iptables, will retry error=exit status 4",
                'Received *proto.ActivePolicyUpdate update from calculation graph msg=id:<tier:"default" name:"shop/default.web" > ',
                "Finished loading iptables state ipVersion=0x4",
                "No IPs available in pools: [10.0.0.0/24]",
                "calico/node is not ready: x",
            ]
        ),
    ),
    st.sampled_from(
        [
            "",
            "a line that goes on",
            "bird: Mesh_10_0_1_1: State changed to down",
            "... dropped 12 logs ...",
            "2026-03-02 10:00:00.077 [INFO][70",
            "panic: x",
            "goroutine 405 [running]:",
            "W0918 07:33:56.992682       1 client_config.go:549] text",
        ]
    ),
)
calico_flows = st.one_of(
    st.builds(
        lambda action, reporter, source, port, sport, labels, extra, start, packets, flows: json.dumps(
            {
                "start_time": start,
                "end_time": 1,
                "action": action,
                "reporter": reporter,
                "source_name": source,
                "source_namespace": "shop",
                "source_port": sport,
                "source_labels": labels,
                "dest_name": "web-*",
                "dest_namespace": "shop",
                "dest_port": port,
                "protocol": "tcp",
                "policies": {"enforced": [], "pending": []},
                "packets_in": packets,
                "packets_out": 0,
                "num_flows": flows,
                **extra,
            }
        ),
        st.sampled_from(["Allow", "Deny", "deny", "Pass", 1]),
        st.sampled_from(["Src", "Dst", "dst, fwd"]),
        st.sampled_from(["client-*", "-", "pub", 5, None]),
        st.sampled_from([80, 40_001, 0, "443", None, True]),
        st.sampled_from([None, 40_001, 40_002, 80]),
        st.sampled_from(["app=client | tier=a", {"labels": ["app=client"]}, None, []]),
        st.sampled_from(
            [
                {},
                {},
                {"host": "node-1"},
                {"message": "x"},
                {"_source": {"action": "deny"}},
                {"proto": "udp"},
                {"policies": {"all_policies": ["0|default|shop/default.web|deny|0"]}},
            ]
        ),
        st.sampled_from(["2026-03-02T10:00:00Z", "2026-03-02T10:00:15Z", 1_772_445_600, "soon", None]),
        st.sampled_from([0, 4, "4", None]),
        st.sampled_from([None, 1, 7]),
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            '{"type":"LOG","qname":"a"}',
            '{"action":"deny","reporter":"src","source_name":',
            "[]",
            " ",
        ]
    ),
)
AWS_SHAPES = [
    "Src IP: {src} Src Port: {a} Dest IP: {dst} Dest Port: {b} Proto {proto} Verdict {verdict} Direction {way}{tier}",
    "Src IP: {src} Src Port: {a} Dest IP: {dst} Dest Port: {b} Proto: {proto} Verdict: {verdict} Direction: {way}{tier}",
    '","Src IP":"{src}","Src Port":{a},"Dest IP":"{dst}","Dest Port":{b},"Proto":"{proto}","Verdict":"{verdict}',
    '","Src IP":"{src}","Src Port":{a},"Dest IP":"{dst}","Dest Port":{b},"Proto":"{proto}","Verdict":"{verdict}","n":"',
]
aws_records = st.one_of(
    st.builds(
        lambda at, who, shape, said: (
            f'{{"level":"info","ts":"{at}",{who}"msg":"Flow Info: ' + shape.format_map(said) + '"}'
        ),
        st.sampled_from(
            [
                "2025-11-21T03:24:44.553Z",
                "2025-11-21T03:24:45.586000000Z",
                "2025-13-21T03:24:45.586Z",
                "2025-11-21T03:24:44.553+0000",
                "1969-12-31T23:59:59.9Z",
            ]
        ),
        st.sampled_from(
            ["", '"caller":"events/events.go:193",', '"logger":"ebpf-client","caller":"a.s:1",', '"ts":"",']
        ),
        st.sampled_from(AWS_SHAPES),
        st.fixed_dictionaries(
            {
                "src": st.sampled_from(["10.0.1.5", "2001:db8::1", "64.6.160"]),
                "dst": st.sampled_from(["10.0.1.6", "2001:DB8::53"]),
                "a": st.one_of(ports, st.just(0)),
                "b": st.one_of(ports, st.just(0)),
                "proto": st.sampled_from(["TCP", "TCP", "UDP", "ICMP", "UNKNOWN", "ANY PROTOCOL"]),
                "verdict": st.sampled_from(["DENY", "ACCEPT", "EXPIRED/DELETED"]),
                "way": st.sampled_from(["ingress", "egress", "sideways"]),
                "tier": st.sampled_from(["", ", Tier ADMIN", " Tier: DEFAULT", ", Tier ERROR"]),
            }
        ),
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            '{"level":"info","ts":"2025-11-21T03:24:44.553Z","msg":"Flow Info: Src IP: 10.0.0.1',
            '{"level":"error","ts":"2025-11-21T03:24:44.553Z","msg":"failed to attach probe"}',
            "Node: n;SIP: 10.0.1.5;SPORT: 1;DIP: 10.0.1.6;DPORT: 2;PROTOCOL: TCP;PolicyVerdict: DENY",
        ]
    ),
)
ovn_records = st.one_of(
    st.builds(
        lambda at, name, verdict, rest, flow: (
            f"{at}|00004|acl_log(ovn_pinctrl0)|INFO|name={name}, verdict={verdict}, severity=alert{rest}:"
            f" {flow[0]},vlan_tci=0x0000,dl_src=0a:58:0a:81:02:01,dl_dst=0a:58:0a:81:02:23,{flow[1]}"
        ),
        st.sampled_from(
            [
                "2026-01-05T16:28:54.139Z",
                "2026-01-05T16:28:54.14Z",
                "2026-01-05T16:28:55Z",
                "2026-13-05T16:28:54.139Z",
                "2026-01-05 16:28:54.139Z",
            ]
        ),
        st.sampled_from(
            ['"NP:shop:Ingress"', '"a, b"', "<unnamed>", '"neutron-1"', '"Dropped 4 log"', '"ä"']
        ),
        st.sampled_from(["drop", "reject", "allow", "pass", "DROP"]),
        st.sampled_from(["", ", direction=to-lport", ", direction=from-lport", ", direction=up"]),
        st.one_of(
            st.builds(
                lambda src, a, b, flags: (
                    "tcp",
                    f"nw_src={src},nw_dst=10.129.2.35,nw_tos=0,nw_ecn=0,nw_ttl=62,nw_frag=no,tp_src={a},tp_dst={b}{flags}",
                ),
                st.sampled_from(["10.131.0.39", "10.131.0.4"]),
                st.one_of(ports, st.just(0)),
                st.one_of(ports, st.just(0)),
                st.sampled_from(
                    ["", ",tcp_flags=syn", ",tcp_flags=syn|ack", ",tcp_flags=0", ",tcp_flags=syn.ack"]
                ),
            ),
            st.sampled_from(
                [
                    (
                        "icmp",
                        "nw_src=10.131.0.39,nw_dst=10.129.2.35,nw_tos=0,nw_ttl=64,icmp_type=8,icmp_code=0",
                    ),
                    ("icmp", "nw_src=10.131.0.39,nw_dst=10.129.2.35,nw_tos=0,nw_ttl=64,icmp_type=8"),
                    ("tcp6", "ipv6_src=fd01::9,ipv6_dst=fd01::7,ipv6_label=0x0,nw_tos=0,tp_src=1,tp_dst=53"),
                    ("tcp6", "ipv6_src=fd01::9,ipv6_dst=fd01::7,nw_tos=0,nw_src=abc,tp_src=1,tp_dst=53"),
                    ("arp", "arp_spa=10.131.0.39,arp_tpa=10.129.2.35"),
                    ("udp", "nw_src=10.131.0.39,nw_dst=10.1"),
                ]
            ),
        ),
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            '2026-01-05T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:shop',
            "2026-01-05T16:28:54.2Z|00009|acl_log(ovn_pinctrl0)|WARN|Dropped 47 log messages in last 12 seconds",
            "2026-01-05T16:28:54.204Z|00025|binding|INFO|shop_web-1: Claiming 0a:58:0a:81:02:23 10.129.2.35",
        ]
    ),
)
antrea_lines = st.one_of(
    st.builds(
        lambda at, ref, rule, action, src, a, dst, b, end: (
            f"{at} {ref} {rule} {action} shop/web-1 {src} {a} {dst} {b} TCP 60 {end}"
        ),
        st.sampled_from(
            [
                "2026/01/05 12:45:21.804416",
                "2026/01/05 12:46:02.000000",
                "2026/13/05 12:45:21.804416",
                "2026-01-05 12:45:21.804416",
            ]
        ),
        st.sampled_from(
            [
                "AntreaPolicyIngressRule AntreaNetworkPolicy:shop/web",
                "IngressDefaultRule K8sNetworkPolicy",
                "IngressRule K8sNetworkPolicy:shop/ä",
                "IngressRule Something:shop/web",
            ]
        ),
        st.sampled_from(["<nil>", "Drop", "Deny80"]),
        st.sampled_from(
            [
                "Ingress Drop 16",
                "Egress Reject <nil>",
                "Ingress Allow -1",
                "Ingress Redirect 1",
                "Drop 44900",
                "Ingress Lose 1",
            ]
        ),
        st.sampled_from(["10.10.1.7", "fd00::7", "1.2"]),
        st.one_of(ports, st.sampled_from(["<nil>", 0])),
        st.sampled_from(["10.10.1.14", "DEST:"]),
        st.one_of(ports, st.sampled_from(["<nil>", 0])),
        st.sampled_from(
            [
                "<nil>",
                "label-1",
                "10.10.1.99",
                "two words",
                "<nil> [3 packets in 1.011379442s]",
                "label-1 [2 packets in 999ms]",
                "<nil> [0 packets in 1s]",
                "<nil> [5 packets in 1s",
            ]
        ),
    ),
    st.sampled_from(
        ["", "what is this", "2026/01/05 23:24:43.422233 IngressDefaultRule K8sNetworkPolicy <nil> Ingress "]
    ),
)
antrea_rows = st.one_of(
    st.builds(
        lambda start, end, src, a, b, pod, action, spare: (
            f"{start},{end},{src},10.10.0.80,{a},{b},TCP,{pod},shop,n1,web-1,shop,n2,10.96.0.10,10.96.0.10,80,"
            f"shop/web:http,web,shop,rule-1,{action},K8sNetworkPolicy,,,,Invalid,Invalid,,{spare}"
        ),
        st.sampled_from(["1767607200", "1767607201", "17676072001", "176760720"]),
        st.sampled_from(["1767607260", "1767607299", ""]),
        st.sampled_from(["10.10.0.79", "fd00::7", "", '"10.10.0.79,10.10.0.78"']),
        st.one_of(ports, st.sampled_from([0, "00", ""])),
        st.one_of(ports, st.sampled_from([0, "00", ""])),
        st.sampled_from(["client-1", '"client,1"', "ä", ""]),
        st.sampled_from(["Drop", "Allow", "2", "Invalid"]),
        st.sampled_from(["", ",", "x y,", ",,"]),
    ),
    st.sampled_from(
        ["", "what is this", "1767607200,1767607260,10.10.0.79", '{"sourceIP":"10.10.0.79"}', '{"sourceIP":']
    ),
)
weave_lines = st.one_of(
    st.builds(
        lambda at, proto, src, a, dst, b: (
            f"{at}{proto} connection from {src}:{a} to {dst}:{b} blocked by Weave NPC."
        ),
        st.sampled_from(
            [
                "WARN: 2026/01/05 10:00:06.963438 ",
                "WARN: 2026/01/05 10:00:06.963487 ",
                "WARN: 2026/01/05 10:00:06.964900 ",
                "WARN: 2026/01/05 10:01:07.000000 ",
                "WARN: 2026/13/05 10:01:07.000000 ",
                'time="2016-10-06T00:17:09Z" level=warning msg="',
                "",
            ]
        ),
        st.sampled_from(["TCP", "UDP", "SCTP"]),
        st.sampled_from(["10.32.0.17", "[fd00::a]", "<unknown IP>", "0.0.0.0", "10.32.0\t1"]),  # noqa: S104 - an address in a log
        st.sampled_from([68, 40_001, 0]),
        st.sampled_from(["10.32.0.5", "255.255.255.255", "fd00::b"]),
        st.sampled_from([67, 8080, 40_003]),
    ),
    st.sampled_from(
        [
            "",
            "panic: something else entirely",
            "INFO: 2026/01/05 10:00:00.000001 Starting Weave NPC 2.8.1",
            'INFO: 2026/01/05 12:00:01.210224 EVENT AddNetworkPolicy {"metadata":{"name":"we',
            "WARN: 2026/01/05 10:00:06.963438 TCP connection from 10.32.0.17",
        ]
    ),
)
ulogd_lines = st.one_of(
    st.builds(
        lambda at, host, prefix, number, a, b, tail: (
            f"{at} {host} {prefix}IN=cni0 OUT=cni0 MAC=a6:7c:4a:a7:8e:7c:06:15:37:ba:07:a9:08:00 SRC=10.42.0.9 DST=10.42.0.10 "
            f"LEN=60 TOS=00 PREC=0x00 TTL=64 ID={number} DF PROTO={tail[0]} SPT={a} DPT={b} {tail[1]}"
        ),
        st.sampled_from(
            ["Nov  3 16:23:17", "Nov  3 16:23:18", "Nov  3 16:63:18", "Xyz  3 16:23:18", "Nov 31 16:23:17"]
        ),
        st.sampled_from(["worker-1", "worker-1", "worker-2 kernel:"]),
        st.sampled_from(
            [
                "DROP by policy shop/web ",
                "DROP by policy shop/api ",
                "DROP by policy shop ",
                " ",
                " ",
                "my-drop: ",
                "DROP by policy shop/ä ",
            ]
        ),
        st.sampled_from([18210, 18211]),
        st.sampled_from([35218, 80]),
        st.sampled_from([80, 8080, 35218]),
        st.sampled_from(
            [
                ("TCP", "SEQ=949388975 ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 "),
                ("TCP", "SEQ=949388975 ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 "),
                ("TCP", "SEQ=949388975 ACK=1 WINDOW=62377 ACK PSH URGP=0"),
                ("TCP", "WINDOW=62377 RES=0x00 SYN URGP=0 "),
                ("UDP", "LEN=40 MARK=0"),
                ("SCTP", ""),
            ]
        ),
    ),
    st.sampled_from(
        [
            "",
            "a foreign line",
            "Nov  3 16:23:17 worker-1 DROP by policy shop/web IN=cni0 OUT=cni0 MAC=a6 SRC=10.42",
            "Nov  3 16:23:17 worker-1  IN=cni0 OUT= SRC=10.42.0.9 DST=10.42.0.10 LEN=84 TOS=00 PREC=0x00 TTL=64 ID=9 PROTO=ICMP TYPE=8 CODE=0 ID=1 SEQ=1",
        ]
    ),
)
judged_packets = st.one_of(
    st.builds(
        lambda at, number, way, pods, end, dump: (
            f'I0712 09:53:{at} 1 engine.go:67] "Evaluating packet" id={number} direction="{way}" {pods} packet=<\n'
            f"\t[{number}] {end}\n{dump} >"
        ),
        st.sampled_from(["52.257809", "53.000001", "61.000001"]),
        st.sampled_from([9, 10, "09"]),
        st.sampled_from(["Egress", "Ingress", "Sideways"]),
        st.sampled_from(
            [
                'srcPod="shop/client" dstPod="shop/web"',
                'srcPod="external" dstPod="shop/web"',
                'srcPod="a \\"b" dstPod="ä/b"',
            ]
        ),
        st.sampled_from(
            [
                "10.0.1.3:40243 10.0.2.2:8080 TCP",
                "10.0.1.3:40244 10.0.2.2:8080 TCP",
                "fd00::a:5000 fd00::b:53 UDP",
                "10.0.1.3:0 10.0.2.2:0 ICMP",
                "nothing",
            ]
        ),
        st.sampled_from(
            [
                "",
                "\t00000000  00 00 a0 02 fa f0 19 33  |.......3|\n",
                "\t00000000 [9] 10.9.9.9:1 10.9.9.8:2 TCP\n",
                "\n",
            ]
        ),
    ),
    st.builds(
        lambda at, words, number: f"I0712 09:53:{at} 1 engine.go:67] {words} id={number}",
        st.sampled_from(["52.257909", "53.000101"]),
        st.sampled_from(
            [
                '"Packet denied by egress policy"',
                '"Packet denied by ingress policy"',
                '"Packet accepted by policy"',
                '"Egress NetworkPolicies" npolicies=1 allowed=false',
            ]
        ),
        st.sampled_from([9, 10, 11]),
    ),
    st.builds(
        lambda number, verdict: (
            f'I0712 09:53:52.258909 1 engine.go:67] "Finished syncing packet" id={number} duration="102µs" verdict="{verdict}"'
        ),
        st.sampled_from([9, 10]),
        st.sampled_from(["drop", "accept", "other"]),
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            "\t[9] 10.0.1.3:40243 10.0.2.2:8080 TCP",
            '"Evaluating packet" id=9 direction="Egress" srcPod="a/b" dstPod="c/d" packet=<',
            "I0712 09:53:52.257809 1 engine.go:67] Evaluating packet [7] 10.0.1.3:40243 10.0.2.2:8080 TCP",
            "I0712 09:53:52.257810 1 engine.go:67] Finished syncing packet 7 took: 1.2ms accepted: false",
            'I0712 09:53:52.257810 1 main.go:1] "Starting" x="y"',
            '{"ts":1752314032257.8,"msg":"Packet denied by egress policy","v":2,"id":9}',
            '{"ts":17523140',
        ]
    ),
)
VPC_HEADER = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
vpc_records = st.builds(
    lambda version, interface, src, dst, sport, dport, protocol, packets, at, action, status: (
        f"{version} 123456789010 {interface} {src} {dst} {sport} {dport} {protocol} {packets} 240 {at} {at + 60} {action} {status}"
    ),
    st.sampled_from([2, 2, 2, 5, "x"]),
    st.sampled_from(["eni-1235b8ca123456789", "eni-0a", "igw-1"]),
    st.sampled_from(["198.51.100.9", "2001:db8::9", "-", "10.0.1.28"]),
    st.sampled_from(["10.0.1.28", "10.0.1.29", "nobody"]),
    st.sampled_from([40_001, 40_002, 443, 0]),
    st.sampled_from([443, 80, 40_001, 0, 99_999]),
    st.sampled_from([6, 6, 17, 1, 300, "-"]),
    st.sampled_from([1, 4, 0, 1_000_000_000, "-"]),
    st.sampled_from([1_767_607_200, 1_767_607_260]),
    st.sampled_from(["ACCEPT", "ACCEPT", "REJECT", "-"]),
    st.sampled_from(["OK", "OK", "OK", "SKIPDATA", "NODATA"]),
)
vpc_lines = st.one_of(
    *[vpc_records] * 6,
    vpc_records.map(lambda line: line.rpartition(" ")[0]),
    vpc_records.map(lambda line: line.replace(" ", "  ", 1)),
    st.sampled_from(
        [
            VPC_HEADER,
            "interface-id dstaddr srcaddr dstport srcport protocol packets bytes start end action log-status version account-id",
            "eni-1235b8ca123456789 10.0.1.28 198.51.100.9 3389 49761 6 4 240 1767607200 1767607260 REJECT OK 2 123456789010",
            "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1767607200 1767607260 - SKIPDATA",
            '{"srcAddr":"10.0.1.28","dstAddr":"203.0.113.7","protocol":"6","action":"REJECT","start":1767607200}',
            "what is this",
            "",
        ]
    ),
)


nsx_packets = st.one_of(
    st.builds(
        lambda at, before, action, rule, way, protocol, ends, flags, behind: (
            f"{at}{before}INET match {action} {rule} {way} 60 {protocol} {ends}{flags}{behind}"
        ),
        st.sampled_from(
            ["", "2026-01-05T10:00:00.5Z ", "2026-01-05T10:00:00.678Z ", "2026-13-05T10:00:00.678Z "]
        ),
        st.sampled_from(["", "7396c504 ", "No(13) FIREWALL-PKTLOG[1069031]: 8b4a1980 ", "<1 55f1:b0e0> "]),
        st.sampled_from(["PASS", "DROP", "REJECT", "PUNT", "OTHER"]),
        st.sampled_from(["1006", "mainrs/1024", "domain-c46/1005"]),
        st.sampled_from(["IN", "OUT"]),
        st.sampled_from(["TCP", "UDP", "ICMP"]),
        st.builds(
            lambda a, ap, b, bp: f"{a}/{ap}->{b}/{bp}",
            st.sampled_from(["10.0.1.7", "2001:db8::7", "10.0.1.777"]),
            st.sampled_from([53, 40_001, 99_999, "00080"]),
            st.sampled_from(["10.0.2.9", "2001:db8::9"]),
            ports,
        ),
        st.sampled_from(["", " S", " SEW", " X"]),
        st.sampled_from(["", " rule-tag", " a b"]),
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            "2026-01-05T10:00:00.647Z 028cd586 INET match DROP mainrs/1027 IN 36 PROTO 2 0.0.0.0->224.0.0.1",
            "2026-01-05T10:00:00.647Z INET TERM PASS 5096 OUT TCP RST 192.0.2.11/60517->192.0.2.10/443 9/8 1461/4677 x",
            "2026-01-05T10:00:00.647Z 028cd586 INET match DROP mainrs/1027 IN 36 TCP 10.0.1.7/4",
        ]
    ),
)


def firewall_object(at, first, kind, ends, action, space):
    """A record of Azure Firewall, with its time before or behind all else."""
    src, sport, dst, dport = ends
    if kind == "columns":
        own = {
            "Action": action,
            "DestinationIp": dst,
            "DestinationPort": dport,
            "Rule": "r",
            "RuleCollection": "c",
        }
        own |= {"Protocol": "TCP", "SourceIp": src, "SourcePort": sport}
        body = {"category": "AZFWNetworkRule", "properties": own}
    elif kind == "source first":
        own = {"Protocol": "UDP", "SourceIp": src, "SourcePort": str(sport), "DestinationIp": dst}
        own |= {"DestinationPort": str(dport), "Action": action, "RuleCollection": "c"}
        body = own
    elif kind == "icmp":
        own = {"Action": action, "DestinationIp": dst, "DestinationPort": dport, "Protocol": "ICMP Type=8"}
        body = {"category": "AZFWNetworkRule", "properties": own | {"SourceIp": src, "SourcePort": sport}}
    else:
        said = f"TCP request from {src}:{sport} to {dst}:{dport}. Action: {action}. {kind}"
        body = {"category": "AzureFirewallNetworkRule", "properties": {"msg": said}}
    key = "time" if "category" in body else "TimeGenerated"
    body = {key: at, **body} if first else {**body, key: at}
    return json.dumps(body, separators=(", ", ": ") if space else (",", ":"))


firewall_lines = st.one_of(
    st.builds(
        firewall_object,
        st.sampled_from(
            ["2026-01-05T10:00:00.5Z", "2026-01-05T10:00:01.259698+00:00", "2026-01-05T10:00:01+01:00", "x"]
        ),
        st.booleans(),
        st.sampled_from(
            ["columns", "source first", "icmp", "", "Policy: p. Rule Collection: c. Rule: r", '"quoted"']
        ),
        st.tuples(
            st.sampled_from(["10.0.1.4", "2001:db8::4", "10.0.1.444"]),
            st.sampled_from([53, 40_001, 40_002, 99_999]),
            st.sampled_from(["203.0.113.7", "a.example.com", ""]),
            ports,
        ),
        st.sampled_from(["Allow", "Deny", "alert"]),
        st.booleans(),
    ),
    st.sampled_from(
        [
            "",
            "what is this",
            '{"category":"AZFWDnsQuery","properties":{}}',
            '{"category":"AZFWNetworkRule","proper',
        ]
    ),
)
aci_packets = st.one_of(
    st.builds(
        lambda at, by, table, word, rule, tenants, macs, ends, ip, what, end: (
            f"{at}{by}{table} {word}{rule}{tenants}  {macs} {ends} LEN=60 {ip} PROTO={what}{end}"
        ),
        st.sampled_from(
            [
                "[2026-Jan-05 10:00:00.5] ",
                "[2026-Jan-05 10:00:01.845663] ",
                "[2026-Jum-05 10:00:01.845663] ",
                "[2026-Feb-31 10:00:01.845663] ",
                "",
            ]
        ),
        st.sampled_from(["", "[info] [ovs/PacketLogHandler.cpp:262:parseLog] "]),
        st.sampled_from(["Acc-SEC_GROUP_IN_TABLE", "Acc-SEC_GROUP_OUT_TABLE", "Int-POL_TABLE"]),
        st.sampled_from(["MISS", "DENY", "PERMIT"]),
        st.sampled_from(["", " /PolicyUniverse/PolicySpace/t/GbpeL24Classifier/c/"]),
        st.sampled_from(["", "", " common N/A"]),
        st.sampled_from(
            [
                "MAC=5a:08:66:ce:0b:49:9e:72:a6:94:18:af:IPv4",
                "SMAC=00:22:bd:f8:19:ff DMAC=0a:58:0a:02:00:c3 ETYP=IPv4",
                "SMAC=00:22:bd:f8:19:ff DMAC=0a:58:0a:02:00:c3 ETYP=35020_unrecognized",
            ]
        ),
        st.builds(
            lambda a, b: f"SRC={a} DST={b}",
            st.sampled_from(["10.2.0.2", "2001:db8::7", "10.2.0.777"]),
            st.sampled_from(["10.2.0.9", "2001:db8::9"]),
        ),
        st.sampled_from(
            [
                "DSCP=0 TTL=62 ID=58352 FLAGS=2 FRAG=0",
                "DSCP=0 TTL=62 ID=58352 FLAGS=2 FRAG=185",
                "TC=0 HL=1 FL=0",
            ]
        ),
        st.one_of(
            st.builds(
                lambda a, b, flags: f"TCP SPT={a} DPT={b} SEQ=1 ACK=0 LEN=10 WINDOWS=62020 {flags} URGP=0",
                st.sampled_from([53, 40_001, 99_999, "00080"]),
                ports,
                st.sampled_from(["SYN ", "ACK SYN ", "", "XYZ SYN"]),
            ),
            st.builds(lambda a, b: f"UDP SPT={a} DPT={b} LEN=74", ports, ports),
            st.sampled_from(
                ["ICMP TYPE=8 CODE=0 ID=0 SEQ=0", "2_unrecognized", "T", "TCP SPT=1 DPT=2", "UDP"]
            ),
        ),
        st.sampled_from(["", " ", " behind"]),
    ),
    st.sampled_from(["", "what is this", "[2026-Jan-05 10:00:00.845663] [info] [lib/Agent.cpp:120:start] x"]),
)
FORMS = [
    (OpflexDropLog(), aci_packets),
    (AzureFirewall(), firewall_lines),
    (AwsVpcFlow(), vpc_lines),
    (KubeNetworkPolicies(), judged_packets),
    (UlogdPackets(), ulogd_lines),
    (OvnAcl(), ovn_records),
    (AntreaNpLog(), antrea_lines),
    (AntreaFlows(), antrea_rows),
    (WeaveNpc(), weave_lines),
    (AwsPolicyAgent(), aws_records),
    (HubbleCompact(), compact_lines),
    (HubbleTable(), table_rows),
    (HubbleDict(), dict_records),
    (CiliumMonitor(), monitor_lines),
    (CiliumAgentLog(), agent_records),
    (CalicoLog(), calico_records),
    (CalicoFlowLog(), calico_flows),
    (CalicoBpf(), traces),
    (NetfilterLog(), kernel_lines),
    (NsxFirewall(), nsx_packets),
]


COMPACT_TAILS = [
    "to-endpoint FORWARDED (TCP Flags: ACK)",
    "to-endpoint FORWARDED (TCP Flags: SYN, ACK)",
    "Policy denied DROPPED (TCP Flags: SYN)",
    "Policy denied DROPPED (TCP Flags: ACK)",
    "policy-verdict:none INGRESS DENIED (TCP Flags: SYN)",
    "policy-verdict:none EGRESS AUDITED (TCP Flags: SYN)",
    "http-request DROPPED (HTTP/1.1 PUT http://api/v1)",
]
MONITOR_HEADS = [
    ("xx drop (Policy denied)", "to endpoint 61, ifindex 14, file bpf_lxc.c:2067, , identity 1000->2000:"),
    ("xx drop (Policy denied)", "to endpoint 0, , identity world->2000:"),
    ("xx drop (119, 0)", "to endpoint 0, , identity world->2000:"),
    ("Policy verdict log:", "local EP ID 61, remote ID 1000, proto 6, ingress, action deny, match none,"),
    ("Policy verdict log:", "local EP ID 61, remote ID 1000, proto 6, egress, action audit, match none,"),
    ("-> endpoint 61", ", identity 1000->2000 state new ifindex lxc61 orig-ip 10.0.1.7:"),
    ("<- endpoint 61", ", identity 1000->2000 state reply ifindex 0 orig-ip 10.0.1.7:"),
]


def flow_of_few_kinds(dice):
    """A record whose times, counters and client's port vary, and little else."""
    staged = {
        "kind": "StagedNetworkPolicy",
        "name": "g",
        "namespace": "shop",
        "tier": "default",
        "action": "Deny",
    }
    return json.dumps(
        {
            "start_time": dice.choice(["2026-03-02T10:01:00Z", "2026-03-02T10:02:00Z", 1_772_445_600.0]),
            "action": dice.choice(["Allow", "Deny"]),
            "reporter": "Dst",
            "source_name": "client-*",
            "source_namespace": "shop",
            "source_port": dice.choice([None, 0, 80, 40_001, 40_002]),
            "dest_name": "web-*",
            "dest_namespace": "shop",
            "dest_port": dice.choice([80, 40_003]),
            "protocol": dice.choice(["tcp", "icmp"]),
            "policies": {"enforced": [], "pending": dice.choice([[], [staged]])},
            "packets_in": dice.choice([0, 3]),
            "packets_out": dice.choice([0, 3, None]),
            "num_flows": dice.choice([1, 7]),
        }
    )


OTHERS = {
    "ovn-acl": (
        (
            '{0}Z|00004|acl_log(ovn_pinctrl0)|INFO|name="NP:shop:Ingress", verdict={3}, severity=alert, direction=to-lport: tcp,'
            "vlan_tci=0x0000,dl_src=0a:58:0a:81:02:01,dl_dst=0a:58:0a:81:02:23,nw_src=10.131.0.39,nw_dst=10.129.2.35,nw_tos=0,"
            "nw_ecn=0,nw_ttl=62,nw_frag=no,tp_src={1},tp_dst={2},tcp_flags=syn"
        ),
        ["2026-01-05T16:28:54.139", "2026-01-05T16:28:54.9", "2026-01-05T16:28:55.586"],
    ),
    "antrea-np-log": (
        (
            "{0} AntreaPolicyIngressRule AntreaNetworkPolicy:shop/web RejectTCP Ingress {3} 16 shop/web-1 10.10.1.7 {1} "
            "10.10.1.14 {2} TCP 60 tcp-label"
        ),
        ["2026/01/05 12:45:21.804416", "2026/01/05 12:45:22.000000", "2026/01/05 12:47:22.000001"],
    ),
    "antrea-flows": (
        (
            "{0},1767607260,10.10.0.79,10.10.0.80,{1},{2},TCP,client-1,shop,n1,web-1,shop,n2,10.96.0.10,10.96.0.10,80,"
            "shop/web:http,web,shop,rule-1,{3},K8sNetworkPolicy,,,,Invalid,Invalid,,,"
        ),
        ["1767607200", "1767607201", "1767607290"],
    ),
    "weave-npc": (
        "WARN: {0} TCP connection from 10.32.0.17:{1} to 10.32.0.5:{2} blocked by Weave NPC.",
        ["2026/01/05 10:00:06.963438", "2026/01/05 10:00:06.963900", "2026/01/05 10:01:06.963438"],
    ),
}
"""Parser -> a line, and its stamps: two connections either way round."""


def packets_in_turn(dice):
    """Packets that are looked at, in both directions some, and judged; seldom two at a time, or not at all."""
    found = []
    for number in range(dice.randrange(5, 30)):
        at = f"I0712 09:53:{dice.choice([52, 53])}.{dice.randrange(10**6):06d}       1 engine.go:67]"
        ends = f"10.0.1.3:{dice.choice([40_001, 40_002])} 10.0.2.2:{dice.choice([80, 443])} TCP"
        for way in dice.choice(
            [["Egress"], ["Ingress"], ["Egress", "Ingress"], ["Egress", "Ingress", "Egress"]]
        ):
            other = ends if dice.random() < 0.95 else "10.0.1.9:40001 10.0.2.2:80 TCP"
            piece = (
                f'{at} "Evaluating packet" id={number % 12} direction="{way}" srcPod="shop/a" dstPod="shop/b" packet=<\n'
                f"\t[{number % 12}] {other}\n\t00000000  00 00 a0 02  |....|\n >"
            )
            found.insert(len(found) - (dice.random() < 0.1), piece)
        if dice.random() < 0.9:
            words = dice.choice(["denied by egress policy", "denied by ingress policy", "accepted by policy"])
            found.append(f'{at} "Packet {words}" id={number % 12}')
        found.append(f'{at} "Finished syncing packet" id={number % 12} duration="80µs" verdict="drop"')
    return found


def refused_packets(dice):
    """Packets of kube-router, each with lines of one to three policies and mostly the last rule's, a little mixed up."""
    found = []
    for number in range(dice.randrange(4, 30)):
        at = f"Nov  3 16:23:{dice.choice([17, 18])}"
        ends = [dice.choice([40_001, 40_002]), dice.choice([80, 443])]
        packet = (
            f"IN=cni0 OUT=cni0 MAC=a6:7c SRC=10.42.0.9 DST=10.42.0.10 LEN=60 TOS=00 PREC=0x00 TTL=64 ID={number % 40} DF "
            f"PROTO=TCP SPT={ends[0]} DPT={ends[1]} SEQ=9 ACK=0 WINDOW=6 SYN URGP=0 MARK=0 "
        )
        policies = dice.sample(["web", "api", "db"], dice.randrange(1, 4))
        prefixes = [f"DROP by policy shop/{name}" for name in policies]
        lines = [f"{at} worker-1 {prefix} {packet}" for prefix in prefixes]
        if dice.random() < 0.8:
            lines.append(f"{at} worker-1  {packet}")
        for line in lines:
            found.insert(max(0, len(found) - dice.choice([0, 0, 0, 2, 70])), line)
    return found


def busy(parser, seed):
    """Sixty lines of few kinds: two connections either way round, from ever new client ports."""
    dice = random.Random(seed)  # noqa: S311 - test data
    if parser.name == "calico-flowlog":
        return [flow_of_few_kinds(dice) for _ in range(40)]
    if parser.name == "aws-network-policy-agent":
        shape = dice.choice(AWS_SHAPES[::2])
        ends = [dice.choice([40_001, 40_002, 443]), dice.choice([80, 443, 40_003])]
        stamps = ["2025-11-21T03:24:44.553Z", "2025-11-21T03:24:44.7Z", "2025-11-21T03:26:45.586Z"]
        said = {"src": "10.0.1.5", "dst": "10.0.1.6", "proto": "TCP", "way": "ingress", "tier": ""}
        return [
            f'{{"level":"info","ts":"{dice.choice(stamps)}","caller":"a.s:1","msg":"Flow Info: '
            + shape.format(a=a, b=b, verdict=dice.choice(["DENY", "ACCEPT"]), **said)
            + '"}'
            for a, b in (dice.sample(ends, 2) for _ in range(40))
        ]
    if parser.name == "kube-network-policies":
        return packets_in_turn(dice)
    if parser.name == "nflog":
        return refused_packets(dice)
    if parser.name in OTHERS:
        shape, stamps = OTHERS[parser.name]
        second = dice.choice(stamps)
        return [
            shape.format(
                second if dice.random() < 0.8 else dice.choice(stamps),
                *dice.sample([dice.choice([40_001, 40_002]), dice.choice([80, 443, 40_003])], 2),
                dice.choice(["drop", "allow"])
                if parser.name == "ovn-acl"
                else dice.choice(["Drop", "Allow"]),
            )
            for _ in range(60)
        ]
    if parser.name not in {"hubble-compact", "cilium-monitor"}:
        return []
    found = []
    for _ in range(60):
        client, server = dice.choice([40_001, 40_002, 59_999, 32_768]), dice.choice([80, 8080, 32_767])
        ends = [client, server] if dice.random() < 0.7 else [server, client]
        if parser.name == "hubble-compact":
            stamp = dice.choice(["Apr 21 09:10:00.000", "Apr 21 09:10:00.750", "Apr 21 09:11:07.500"])
            way, tail = dice.choice(["->", "<>", "<-"]), dice.choice(COMPACT_TAILS)
            found.append(f"{stamp}: shop/web-1:{ends[0]} (ID:7) {way} shop/api-1:{ends[1]} {tail}")
        else:
            head, rest = dice.choice(MONITOR_HEADS)
            flags = dice.choice(["tcp SYN", "tcp ACK", "udp"])
            found.append(
                f"{head} flow 0x{dice.getrandbits(32):x} {rest} 10.0.1.7:{ends[0]} -> 10.0.2.9:{ends[1]} {flags}"
            )
    return found


def whisker_record(dice):
    """A record with exactly Whisker's fields; rarely one that is not."""
    hit = {"kind": "NetworkPolicy", "name": "web", "namespace": "shop", "tier": "default", "action": "Deny"}
    return json.dumps(
        {
            "start_time": dice.choice(
                ["2026-03-02T10:01:00Z", "2026-03-02T10:01:15.5Z", "soon"][: 2 + (dice.random() < 0.1)]
            ),
            "end_time": "2026-03-02T10:02:00Z",
            "action": dice.choice(["Allow", "Deny", "Pass"]),
            "source_name": dice.choice(["client-*", "-", "pub"]),
            "source_namespace": "shop",
            "source_labels": dice.choice(["app=client | tier=a", ""]),
            "dest_name": "web-*",
            "dest_namespace": "shop",
            "dest_labels": "app=web",
            "protocol": dice.choice(["tcp", "icmp"]),
            "dest_port": dice.choice([80, 0, 40_001]),
            "reporter": dice.choice(["Src", "Dst"]),
            "policies": {"enforced": [hit], "pending": dice.choice([[], [hit]])},
            "packets_in": dice.choice([0, 3]),
            "packets_out": 0,
            "bytes_in": 0,
            "bytes_out": 1,
        }
        | ({"host": "n1"} if dice.random() < 0.02 else {})
    )


def node_record(dice):
    """A record of calico-node on one line; rarely of no day, or from before the one before it."""
    text = dice.choice(
        [
            "Finished loading iptables state ipVersion=0x4",
            'Received *proto.ActivePolicyUpdate update from calculation graph msg=id:<tier:"default" name:"shop/default.web" > ',
            "Failed to program iptables, will retry error=exit status 4",
            "No IPs available in pools: [10.0.0.0/24]",
            "",
        ]
    )
    day = dice.choice(["2026-03-02"] * 40 + ["2026-13-02", "0001-01-01"])
    file = dice.choice(["felix/table.go", "felix/int_dataplane.go", "ipam.go"])
    return f"{day} 10:00:0{dice.randrange(3)}.{dice.randrange(3)}77 [{dice.choice(['INFO', 'DEBUG'])}][70] {file} 12: {text}"


def agent_record(dice):
    """A record of cilium-agent with its time."""
    message = dice.choice(
        [
            "Rewrote endpoint BPF program",
            "Upserted policy to repository",
            "hubble events queue is full: dropping messages",
            'a \\"quoted\\" word',
        ]
    )
    rest = dice.choice(
        ["", " resource=knp/shop/web policyRevision=4", ' error="range is full"', " subsys=daemon"]
    )
    stamp = f"2026-03-1{dice.choice('7' * 30 + 'x')}T14:03:1{dice.randrange(3)}.{dice.randrange(3)}23Z"
    stamp = dice.choice([stamp, f'"{stamp}"'])
    return f'time={stamp} level=info {dice.choice(["", "source=/go/x.go:1 "])}msg="{message}"{rest}'


def vpc_record(dice):
    """A record of a few connections, either way round; now and then the header of a further file."""
    if dice.random() < 0.03:
        return VPC_HEADER
    ends = [("203.0.113.9", 40_001), (f"10.0.1.2{dice.randrange(2)}", dice.choice([443, 80]))]
    (src, sport), (dst, dport) = dice.sample(ends, 2)
    at = 1_767_607_200 + 60 * dice.randrange(3)
    told = f"{dice.choice([6, 6, 17])} {dice.choice([1, 1, 7])} 240 {at} {at + 59}"
    action = dice.choice(["ACCEPT"] * 3 + ["REJECT"])
    return f"2 123456789010 eni-1235b8ca123456789 {src} {dst} {sport} {dport} {told} {action} OK"


@pytest.mark.parametrize(
    ("parser", "record"),
    [
        (CalicoFlowLog(), whisker_record),
        (CalicoLog(), node_record),
        (CiliumAgentLog(), agent_record),
        (AwsVpcFlow(), vpc_record),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_folding_usual_records_alone(parser, record, data):
    """Blocks in which nothing but the usual stands are counted as a whole: the same, too."""
    dice = random.Random(data.draw(st.integers(0, 1 << 32)))  # noqa: S311 - test data
    blocks, first = [], 1
    for last in (False, False, True):
        rows = [record(dice) for _ in range(dice.randrange(1, 12))]
        end = "" if last and data.draw(st.booleans()) else "\n"
        envelope = None
        if data.draw(st.integers(0, 3)) == 0:
            envelope = Envelope(lines=list(range(first, first + len(rows))), node=["n1"] * len(rows))
        text = "\n".join(rows) + end
        blocks.append(Block(data=text.encode(), first_line=first, envelope=envelope, last=last))
        first += len(rows)
    context = ParseContext(input="in", node=data.draw(st.sampled_from([None, "k8s9"])))
    folded, added = both(parser, blocks, context)

    assert said(folded) == said(added)


def is_skimmed(parser):
    """Whether reading refusals alone leaves out lines of this parser, or whole records."""
    records = hasattr(parser, "record_mark") and not parser.sequential
    return hasattr(parser, "denied_marks") and (records or leaves_out_lines(parser))


def said(tally):
    return (
        tally.flows(),
        tally.inputs,
        tally.dns,
        tally.logs,
        tally.gaps,
        tally.changes,
        tally.warnings,
        tally.warning_counts,
    )


def both(parser, blocks, context):
    """The tally of folding, and of reading and adding."""
    folded, added = Tally(), Tally()
    # What a sequential parser remembers between blocks is each way's own.
    ways = [ParseContext(**{**as_dict(context), "keep_raw": True, "memory": {}}) for _ in "ab"]
    for block in blocks:
        folded.take(parser, block, ways[0])
        for event in parser.parse(block, ways[1]):
            added.add(event, parser.name, context.input)
    return folded, added


def as_dict(context):
    return {name: getattr(context, name) for name in context.__struct_fields__}


@pytest.mark.parametrize(("parser", "lines"), FORMS, ids=lambda one: getattr(one, "name", ""))
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_folding_is_reading_and_adding(parser, lines, data):
    """Whatever the blocks, the envelopes and the years: the same flows, counts, examples and warnings."""
    chosen = data.draw(st.lists(lines, min_size=1, max_size=16))
    for line in busy(parser, data.draw(st.integers(0, 1 << 32))):
        chosen.insert(data.draw(st.integers(0, 3)) * len(chosen) // 3, line)
    # What comes again is what folding is for.
    chosen += data.draw(st.lists(st.sampled_from(chosen), max_size=16))
    cut = data.draw(st.integers(0, len(chosen)))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    enveloped = data.draw(st.sampled_from(["no", "lines", "times", "times", "yearless"]))
    blocks, first = [], 1
    for index, part in enumerate((chosen[:cut], chosen[cut:])):
        if not part:
            continue
        # What joins lines holds some back until the input ends; folding counts them as soon as they are sure.
        last = index == 1 or (cut == len(chosen) and parser.name in {"nflog", "kube-network-policies"})
        rows = [line for piece in part for line in piece.split("\n")]
        text = end.join(rows) + ("" if last and data.draw(st.booleans()) else end)
        numbers = list(range(first * 2, (first + len(rows)) * 2, 2))
        envelope = None
        if enveloped == "lines":
            envelope = Envelope(lines=numbers)
        elif enveloped != "no":
            times = [1_776_762_600 * NS + number for number in numbers]
            some = data.draw(st.sampled_from([None, "n1"]))
            nodes = None if some is None else [some if number % 3 else None for number in numbers]
            pods = data.draw(st.sampled_from([None, ["a"], ["a", "b"]]))
            envelope = Envelope(
                lines=numbers,
                at=[None if number % 14 == 0 else at for number, at in zip(numbers, times, strict=True)],
                node=nodes,
                pod=None if pods is None else [pods[number // 2 % len(pods)] for number in numbers],
                year_inferred=enveloped == "yearless" and getattr(parser, "tells_inferred_years", False),
            )
        blocks.append(Block(data=text.encode(), first_line=first, envelope=envelope, last=last))
        first += len(rows)
    context = ParseContext(
        input="in",
        year=data.draw(st.sampled_from([2026, None])),
        node=data.draw(st.sampled_from([None, "k8s9"])),
        endpoint_ids=data.draw(st.sampled_from([{}, {61: "shop/api-1"}])),
    )
    folded, added = both(parser, blocks, context)

    assert said(folded) == said(added)


@pytest.mark.usefixtures("never_endless")
@pytest.mark.parametrize("parser", [parser for parser, _ in FORMS], ids=lambda one: one.name)
def test_a_long_last_line_without_an_end_is_read_once(parser):
    """Its end is not looked for from each of its bytes, and what stands before it is counted."""
    text = "\n".join([*busy(parser, 1), "a" * 200_000])
    block = Block(data=text.encode(), first_line=1, last=True)
    folded, added = both(parser, [block], ParseContext(input="in", year=2026))

    assert said(folded) == said(added)


@pytest.mark.parametrize(
    ("parser", "lines"),
    [(parser, lines) for parser, lines in FORMS if is_skimmed(parser)],
    ids=lambda one: getattr(one, "name", ""),
)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_prefilter_drops_no_refusal(parser, lines, data):
    """Every refusal, audit, error and gap that reading finds is found among the lines with a mark."""
    chosen = data.draw(st.lists(lines, min_size=1, max_size=25))
    text = ("\n".join(chosen) + "\n").encode()
    rows = Rows(data=text, lines=range(1, text.count(b"\n") + 1))
    marks = parser.denied_marks(text)
    kept = marked(rows, marks, getattr(parser, "record_mark", None))

    def wanted(block):
        return [
            event
            for event in parser.parse(block, ParseContext(input="in", year=2026))
            if isinstance(event, GapEvent)
            or (isinstance(event, FlowEvent) and event.verdict in (Verdict.DENIED, Verdict.AUDITED))
        ]

    left = Block(data=kept.data, first_line=1, envelope=Envelope(lines=list(kept.lines)))
    assert wanted(left) == wanted(Block(data=text))


def test_two_inputs_share_shapes_and_keep_their_own_counts():
    """A shape met in one file is counted in the next one under that file's name, inferred year and all."""
    line = b"Apr 21 09:10:00.000: shop/web-1:40001 <> shop/api-1:80 Policy denied DROPPED (TCP Flags: SYN)\n"
    folded = Tally()
    for name in ("a.txt", "b.txt"):
        folded.take(HubbleCompact(), Block(data=line * 3, last=True), ParseContext(input=name, year=2026))
    (flow,) = folded.flows()

    assert flow.count == 6
    assert {name: (one.flows, one.year_inferred) for name, one in folded.inputs.items()} == {
        "a.txt": (3, True),
        "b.txt": (3, True),
    }


@pytest.mark.parametrize("parser", [UlogdPackets(), KubeNetworkPolicies()], ids=lambda one: one.name)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_was_learnt_of_lines_that_stand_together_holds_in_later_blocks(parser, data):
    """The same lines again and again, by one node or several, with the year known or not."""
    seed, times = data.draw(st.integers(0, 1 << 32)), data.draw(st.integers(2, 4))
    nodes = data.draw(st.sampled_from([None, ["n1"], ["n1", "n2"]]))
    blocks, first = [], 1
    for turn in range(times):
        rows = [line for piece in busy(parser, seed + turn // 2) for line in piece.split("\n")]
        envelope = None
        if nodes is not None:
            envelope = Envelope(
                lines=list(range(first, first + len(rows))),
                node=[nodes[number % len(nodes)] for number in range(len(rows))],
            )
        text = "\n".join(rows) + "\n"
        blocks.append(Block(data=text.encode(), first_line=first, envelope=envelope, last=turn == times - 1))
        first += len(rows)
    context = ParseContext(
        input="in",
        year=data.draw(st.sampled_from([2026, None])),
        node=data.draw(st.sampled_from([None, "k8s9"])),
    )
    folded, added = both(parser, blocks, context)

    assert said(folded) == said(added)


WHISKER = (
    '{{"start_time":"{at}","end_time":"{at}","action":"{action}","source_name":"c-*","source_namespace":"shop","source_labels":"a=b",'
    '"dest_name":"w-*","dest_namespace":"shop","dest_labels":"","protocol":"tcp","dest_port":80,"reporter":"Dst",'
    '"policies":{{}}{more},"packets_in":{count},"packets_out":0,"bytes_in":{count},"bytes_out":0}}{end}'
)
ODD = {
    "twice": {"more": ',"start_time":"2026-03-02T11:00:00Z"'},
    "spelt": {"more": ',"start\\u005ftime":"2026-03-02T11:00:00Z"'},
    "counted twice": {"more": ',"packets_in":0'},
    "unknown": {"more": ',"num_flows":3'},
    "nested": {"more": ',"policies":{"enforced":[{"start_time":"x"}]}'},
    "no JSON": {"more": ',"policies"'},
    "not a number": {"count": "007"},
    "none": {"count": "0"},
    "behind": {"end": " "},
    "two": {"end": "{}"},
    "not a time": {"at": "2026-02-30T10:00:00Z"},
    "wide": {"at": "2026-03-02T10:00:00Z \\u0041"},
    "other": {"action": "D\udcffny"},
}


@pytest.mark.parametrize("odd", [None, *ODD])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_whisker_lines_that_only_look_usual_are_read(odd, end):
    """Whatever a line holds beside what is usual, it is told as reading tells it, and so are those after it."""
    usual = {"action": "Deny", "count": 3, "more": "", "end": ""}
    rows = []
    for second in range(0, 60, 10):
        for action in ("Deny", "Allow"):
            words = {**usual, "at": f"2026-03-02T10:00:{second:02d}Z", "action": action}
            rows.append(WHISKER.format(**words))
            if odd is not None:
                rows.append(WHISKER.format(**{**words, **ODD[odd]}))
    text = (end or "\n").join(rows) + end
    data = text.encode("utf-8", "surrogateescape")
    blocks = [Block(data=data, first_line=1), Block(data=data, first_line=len(rows) + 1, last=True)]

    folded, added = both(CalicoFlowLog(), blocks, ParseContext(input="in"))

    assert said(folded) == said(added)


TAILS = [
    "WINDOW=64240 RES=0x00 SYN URGP=0",
    "WINDOW=64240 RES=0x00 ACK PSH URGP=0",
    "WINDOW=64240 RES=0x00 URGP=0",
    "SEQ=1 ACK=2 WINDOW=64240 RES=0x00 SYN URGP=0",
    "LEN=40",
    "LEN=40 MARK=0x1",
    "",
]


@pytest.mark.parametrize("enveloped", [False, True])
def test_packets_are_told_by_their_protocol_whatever_stands_behind_their_ports(enveloped):
    """What is usual of one protocol stands behind the other one's ports too, and all come again and again."""
    shape = "[  1.{n:06d}] calico-drop: IN=cali1 OUT=eth0 SRC=10.0.1.5 DST=10.0.1.6 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID={n} "
    rows = [
        shape.format(n=number) + f"PROTO={protocol} SPT={sport} DPT={dport} {tail}".rstrip()
        for number, (tail, protocol, (sport, dport)) in enumerate(
            (tail, protocol, ports)
            for _ in range(3)
            for tail in TAILS
            for protocol in ("TCP", "UDP")
            for ports in ((40_001, 80), (80, 40_001), (40_002, 40_001), (53, 80), (6, 32_768))
        )
    ]
    blocks, size = [], len(rows) // 5
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        lines = list(range(start + 1, start + 1 + len(some)))
        envelope = Envelope(lines=lines, at=[line * NS for line in lines]) if enveloped else None
        text = "\n".join(some) + "\n"
        blocks.append(
            Block(
                data=text.encode(),
                first_line=start + 1,
                envelope=envelope,
                last=start + size >= len(rows),
            )
        )
    folded, added = both(NetfilterLog(), blocks, ParseContext(input="in"))

    assert said(folded) == said(added)


@pytest.mark.parametrize(
    "odd",
    [
        "10.0.1.28\t5 203.0.113.9 40001 443 6 4",
        "10.0.1.28 203.0.113.9\x1f 40001 443 6 4",
        "10.0.1.28 203.0.113.9 40001 0 255 4",
        "10.0.1.28 203.0.113.9 0 40001 255 4",
    ],
)
@pytest.mark.parametrize("action", ["ACCEPT", "REJECT"])
def test_vpc_records_that_only_look_usual_are_read(odd, action):
    """Two fields where a tab stands in one, and numbers in place of the ports of a protocol that has none."""
    usual = ["10.0.1.28 203.0.113.9 40001 443 6 4", "10.0.1.28 203.0.113.9 0 0 255 4"]
    rows = [
        f"2 123456789010 eni-0a {ends} 240 1767607200 1767607260 {action} OK" for ends in [*usual, odd] * 3
    ]
    block = Block(data=("\n".join(rows) + "\n").encode(), first_line=1, last=True)
    folded, added = both(AwsVpcFlow(), [block], ParseContext(input="in"))

    assert said(folded) == said(added)


@pytest.mark.parametrize("seed", range(40))
def test_full_seconds_are_told_wherever_blocks_are_cut(seed):
    """Some more than the limit of lines in a second, or fewer, among each other here and there."""
    dice = random.Random(seed)  # noqa: S311 - test data
    shape, _ = OTHERS["ovn-acl"]
    seconds = [second for second in range(6) for _ in range(dice.choice([3, 12, 19, 20, 25]))]
    for _ in range(dice.choice([0, 0, 3])):
        seconds.insert(dice.randrange(len(seconds)), dice.randrange(6))
    rows = [
        shape.format(f"2026-04-21T09:10:{second:02d}.{number:03d}", 40_000 + number % 7, 80, "drop")
        for number, second in enumerate(seconds)
    ]
    blocks, first = [], 0
    while first < len(rows):
        some = rows[first : first + dice.randrange(1, 40)]
        last = first + len(some) == len(rows)
        blocks.append(Block(data=("\n".join(some) + "\n").encode(), first_line=first + 1, last=last))
        first += len(some)
    folded, added = both(OvnAcl(), blocks, ParseContext(input="in"))

    assert said(folded) == said(added)
