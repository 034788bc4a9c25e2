"""Records of ``cilium monitor`` that stand on one line, of every age from 2017 to 1.20.

Source of the forms: pkg/monitor/datapath_drop.go, datapath_trace.go, datapath_policy.go, logrecord.go
and agent.go of Cilium 1.20; older ones from dated issues.
"""

from __future__ import annotations

import re

from flowdiag.parserkit import (
    L7,
    Cause,
    Direction,
    Event,
    FlowEvent,
    GapEvent,
    Peer,
    Verdict,
    Witness,
    port_number,
)
from flowdiag_parsers.cilium.agent_notices import notice
from flowdiag_parsers.cilium.carrier import Carrier
from flowdiag_parsers.cilium.connection import Packet, identity_of, local_pod, peer_of, read_packet
from flowdiag_parsers.cilium.verdicts import (
    ACTIONS,
    L7_VERDICTS,
    NO_REASON,
    Why,
    between,
    read_reason,
    reply_of,
    verdict_reason,
)

__all__ = ["read_line"]

# "xx drop (FIB lookup failed, 8) flow 0xaf898720 to endpoint 0, ifindex 255, file bpf_lxc.c:1325, , identity
#  41720->world-ipv4: 10.42.0.232:443 -> 172.20.24.11:58988 tcp ACK"                                   1.14 to 1.20
# "xx drop (Policy denied) flow 0x1 to endpoint 5, file bpf_lxc.c line 123, , identity 1->2: ..."      1.13
# "xx drop (CT: Unknown L4 protocol) flow 0x3a01649d to endpoint 0, , identity host->unknown: ..."     1.10 to 1.12
# "xx drop (Policy denied (L3)) flow 0xd6b1738a to endpoint 2749, identity 57700->36043: ..."          1.5 to 1.9
# "xx drop (Policy denied) to endpoint 25729, identity 261->264: ..."                                  2018
# A reason can hold parentheses and commas; it ends where " flow " or " to endpoint" follows.
_DROP = re.compile(
    r"xx drop \((?P<reason>.{1,150}?)\)(?: flow 0x[0-9a-f]{1,16})? to endpoint (?P<endpoint>\d{1,10}),"
    r"(?: ifindex (?P<ifindex>[^\s,]{1,40}),)?(?: file [^,]{0,120},)?(?: ,)?"
    r" (?:encrypted )?identity (?P<s>[^\s>]{1,40})->(?P<d>[^\s:]{1,40}): (?P<packet>.*)"
)
# "drop [ifindex 397 / endpoint 38061] (Policy denied)"                                                2017
_DROP_2017 = re.compile(
    r"drop \[ifindex (?P<ifindex>\d{1,10}) / endpoint \d{1,10}\] \((?P<reason>.{1,150})\)"
)
# "[2018-10-17 06:34:51] k8s2: drop: Policy denied (L3) ( 10.10.1.209:58903) => (kube-system/coredns-779ffd89bd-2s4df
#  10.10.1.182:53)"                                                                                    cilium microscope
_MICROSCOPE = re.compile(
    r"(?P<node>\S{1,255}): (?P<what>drop: (?P<reason>.{1,150}?)|trace)"
    r" \((?P<s>\S{0,300}) (?P<src>\S{1,100})\) => \((?P<d>\S{0,300}) (?P<dst>\S{1,100})\)"
)
# "Policy verdict log: flow 0x5010b5bf local EP ID 609, remote ID 61389, proto 17, ingress, action allow,
#  auth: disabled, match L3-Only, 10.0.0.1:52607 -> 10.0.0.2:53 udp"                                   1.14 to 1.20
# "Policy verdict log: flow 0x0 local EP ID 643, remote ID 2, proto 58, ingress, action deny, match none, ..."   1.9
# "Policy verdict log: flow 0x0 local EP ID 1, remote ID 2, dst port 80, proto 6, ingress true, action audit, match none, ..."  1.8
_POLICY = re.compile(
    r"Policy verdict log: flow 0x[0-9a-f]{1,16} local EP ID (?P<endpoint>\d{1,10}), remote ID (?P<remote>[^\s,]{1,40}),"
    r"(?: dst port (?P<port>\d{1,5}),)?(?: proto (?P<proto>\d{1,3}),)?"
    r" (?P<direction>ingress|egress)(?P<flag> true| false)?, action (?P<action>[a-z]{1,20}),"
    r"(?: auth: (?P<auth>[a-z-]{1,30}),)? match (?P<match>[A-Za-z0-9-]{1,30}), (?P<packet>.*)"
)
# "-> endpoint 2099 flow 0xe283457a , identity world->5431 state new ifindex 0 orig-ip 192.168.1.119: a:1 -> b:2 tcp SYN"  1.11
# "<- host flow 0x8e1ede6c identity 1->0 state new ifindex 0: 172.16.3.1:45072 -> 172.16.3.43:9093 tcp ACK"                1.5
# "-> host from flow 0xbb87db6e identity 31253->1 state reply ifindex cilium_net: ..."                                     1.5
_TRACE = re.compile(
    r"(?P<arrow>->|<-) (?P<place>[a-z]{1,20})(?: (?P<endpoint>\d{1,10}))?(?: port \d{1,5})?(?: from)?(?: encrypted)?"
    r"(?: flow 0x[0-9a-f]{1,16})? ?,?(?: encrypted)? identity (?P<s>[^\s>]{1,40})->(?P<d>\S{1,40})"
    r" state (?P<state>[a-z-]{1,20})(?: ifindex (?P<ifindex>[^\s:]{1,40}))?(?: orig-ip (?P<orig>\S{1,50}))?: (?P<packet>.*)"
)
# e.g. "-> Request http from 1 ([k8s:id=app2]) to 2 ([k8s:id=app1]), identity 3->4, verdict Denied PUT http://app1/private => 403"
# e.g. "-> Response dns to 1767 ([k8s:...]) from 0 ([k8s:...]), identity 5254->61389, verdict Forwarded DNS proxy: a. AAAA TTL: 0 Answer: ''"
#                                                                                                                          1.18
_L7 = re.compile(
    r"(?:->|<-|\?\?) (?P<way>Request|Response) (?P<kind>[a-z0-9_]{1,30})"
    r" (?:from|to) (?P<a>\d{1,10}) \((?P<a_labels>[^()]{0,4000})\)"
    r" (?:from|to) (?P<b>\d{1,10}) \((?P<b_labels>[^()]{0,4000})\),"
    r" identity (?P<s>[^\s>]{1,40})->(?P<d>[^\s,]{1,40}), verdict (?P<verdict>[A-Za-z]{1,20}) ?(?P<said>.*)"
)
# e.g. "GET http://app1/public => 200"
_HTTP = re.compile(r"(?P<method>[A-Z]{1,20}) (?P<url>\S{1,4000}) => (?P<code>\d{1,3})")
# e.g. "DNS Query: example.com. A"   "DNS proxy: example.com. AAAA TTL: 30 Answer: '2001:db8::1'"
_DNS = re.compile(
    r"DNS [A-Za-z]{1,20}: (?P<query>\S{1,255}) (?P<types>[A-Z0-9,]{1,100})"
    r"(?: TTL: (?P<ttl>\d{1,10}))?(?: Answer: '(?P<answer>[^']{0,4000})')?.*"
)
# e.g. "CPU 03: Lost 12 events"
_LOST = re.compile(r"(?:CPU \d{1,5}: )?Lost (?P<count>\d{1,18}) (?:events|samples)\b.*")
# ">> Policy updated: {"labels":["k8s:..."],"revision":5,"rule_count":1}"
_NOTICE = re.compile(r">> (?P<subject>[A-Z][A-Za-z ]{2,60}): (?P<body>.*)")

_PROTOCOLS = {"1": "ICMP", "6": "TCP", "17": "UDP", "58": "ICMPv6", "132": "SCTP"}


def read_line(text: str, c: Carrier) -> list[Event] | None:
    """Events of one line, prefixes peeled; ``None`` where it is no record of the monitor."""
    head = text[:3]
    if head == "xx ":
        return _drop(text, c)
    if head in {"-> ", "<- ", "?? "}:
        return _trace(text, c) or _l7(text, c)
    if head == "Pol":
        return _policy(text, c)
    if head == ">> ":
        match = _NOTICE.fullmatch(text)
        return None if match is None else notice(match["subject"], match["body"], c)
    if match := _LOST.fullmatch(text):
        lost = int(match["count"])
        return [
            GapEvent(
                line=c.line,
                at=c.at,
                time_source=c.time_source,
                node=c.node,
                raw=c.raw,
                kind="lost-events",
                lost=lost,
            )
        ]
    if head == "dro":
        return _drop_2017(text, c)
    if " => (" in text:
        return _microscope(text, c)
    return None


def _flow(
    c: Carrier,
    packet: Packet,
    src: Peer,
    dst: Peer,
    verdict: Verdict,
    *,
    node: str | None = None,
    protocol: str | None = None,
    direction: Direction | None = None,
    verdict_raw: str | None = None,
    why: Why = NO_REASON,
    is_reply: bool | None = None,
    l7: L7 | None = None,
    witness: Witness | None = None,
    interface_in: str | None = None,
    interface_out: str | None = None,
) -> FlowEvent:
    why = between(why, src.ip, dst.ip)
    return FlowEvent(
        line=c.line,
        at=c.at,
        time_source=c.time_source,
        node=node or c.node,
        raw=c.raw,
        src=src,
        dst=dst,
        protocol=packet.protocol or protocol,
        direction=direction,
        verdict=verdict,
        verdict_raw=verdict_raw,
        cause=why.cause,
        reason=why.reason,
        reason_code=why.code,
        reason_raw=why.raw,
        is_reply=is_reply,
        tcp_flags=packet.tcp_flags,
        icmp=packet.icmp,
        l7=l7,
        interface_in=interface_in,
        interface_out=interface_out,
        witness=witness,
    )


def _drop(text: str, c: Carrier) -> list[Event] | None:
    match = _DROP.fullmatch(text)
    packet = read_packet(match["packet"], cut=c.cut) if match is not None else None
    if match is None or packet is None:
        return None
    src = peer_of(packet.src, packet.src_port, match["s"], None, c.context)
    dst = peer_of(packet.dst, packet.dst_port, match["d"], int(match["endpoint"]), c.context)
    return [
        _flow(
            c,
            packet,
            src,
            dst,
            Verdict.DENIED,
            verdict_raw="drop",
            why=read_reason(match["reason"]),
            witness=Witness.DROP,
            interface_in=_interface(match["ifindex"]),
        )
    ]


def _drop_2017(text: str, c: Carrier) -> list[Event] | None:
    match = _DROP_2017.fullmatch(text)
    if match is None:
        return None
    nothing = Peer()
    return [
        _flow(
            c,
            Packet(),
            nothing,
            nothing,
            Verdict.DENIED,
            verdict_raw="drop",
            why=read_reason(match["reason"]),
            witness=Witness.DROP,
            interface_in=_interface(match["ifindex"]),
        )
    ]


def _microscope(text: str, c: Carrier) -> list[Event] | None:
    match = _MICROSCOPE.fullmatch(text)
    if match is None:
        return None
    packet = read_packet(f"{match['src']} -> {match['dst']}", ends_alone=True) or Packet()
    dropped = match["reason"] is not None
    return [
        _flow(
            c,
            packet,
            _named(match["s"], packet.src, packet.src_port),
            _named(match["d"], packet.dst, packet.dst_port),
            Verdict.DENIED if dropped else Verdict.ALLOWED,
            node=match["node"],
            verdict_raw="drop" if dropped else "trace",
            why=read_reason(match["reason"]) if dropped else NO_REASON,
            witness=Witness.DROP if dropped else None,
        )
    ]


def _named(name: str, ip: str | None, port: int | None) -> Peer:
    if name.startswith("reserved:"):
        number, entity = identity_of(name[9:])
        return Peer(ip=ip, port=port, identity=number, entity=entity)
    namespace, slash, pod = name.partition("/")
    return Peer(ip=ip, port=port, namespace=namespace if slash else None, pod=pod if slash else None)


def _policy(text: str, c: Carrier) -> list[Event] | None:
    match = _POLICY.fullmatch(text)
    packet = read_packet(match["packet"], cut=c.cut) if match is not None else None
    if match is None or packet is None:
        return None
    ingress = (match["direction"] == "ingress") == (match["flag"] != " false")
    endpoint, remote = int(match["endpoint"]), match["remote"]
    port = packet.dst_port if packet.dst_port is not None or not match["port"] else port_number(match["port"])
    src = peer_of(
        packet.src, packet.src_port, remote if ingress else None, None if ingress else endpoint, c.context
    )
    dst = peer_of(packet.dst, port, None if ingress else remote, endpoint if ingress else None, c.context)
    action = match["action"]
    return [
        _flow(
            c,
            packet,
            src,
            dst,
            ACTIONS.get(action, Verdict.UNKNOWN),
            protocol=_PROTOCOLS.get(match["proto"] or "", match["proto"]),
            direction=Direction.INGRESS if ingress else Direction.EGRESS,
            verdict_raw=action,
            why=verdict_reason(action, match["match"], match["auth"]),
            witness=Witness.VERDICT,
        )
    ]


def _trace(text: str, c: Carrier) -> list[Event] | None:
    match = _TRACE.fullmatch(text)
    packet = read_packet(match["packet"], cut=c.cut) if match is not None else None
    if match is None or packet is None:
        return None
    to = match["arrow"] == "->"
    endpoint = int(match["endpoint"]) if match["endpoint"] and match["place"] == "endpoint" else None
    src = peer_of(packet.src, packet.src_port, match["s"], None if to else endpoint, c.context)
    dst = peer_of(packet.dst, packet.dst_port, match["d"], endpoint if to else None, c.context)
    interface = _interface(match["ifindex"])
    return [
        _flow(
            c,
            packet,
            src,
            dst,
            Verdict.ALLOWED,
            is_reply=reply_of(match["state"], before_conntrack=not to),
            interface_in=None if to else interface,
            interface_out=interface if to else None,
        )
    ]


def _interface(text: str | None) -> str | None:
    return None if text in {None, "0"} else text


def _l7(text: str, c: Carrier) -> list[Event] | None:
    match = _L7.fullmatch(text)
    if match is None:
        return None
    # "Request from A to B" and "Response to A from B": A asked, and the identities are A's and B's.
    asker = _labelled(match["a"], match["a_labels"], match["s"], c)
    server = _labelled(match["b"], match["b_labels"], match["d"], c)
    response = match["way"] == "Response"
    verdict = L7_VERDICTS.get(match["verdict"], Verdict.UNKNOWN)
    # An L7 refusal has no drop reason of the datapath; it is a policy's all the same.
    why = Why(Cause.POLICY, None, None, None) if verdict is Verdict.DENIED else NO_REASON
    said = _said(match["kind"], match["way"].lower(), match["said"])
    return [
        _flow(
            c,
            Packet(),
            server if response else asker,
            asker if response else server,
            verdict,
            protocol="TCP" if said.kind in ("http", "kafka") else None,
            verdict_raw=match["verdict"],
            is_reply=response,
            why=why,
            l7=said,
        )
    ]


def _labelled(endpoint: str, labels: str, identity: str, c: Carrier) -> Peer:
    number, entity = identity_of(identity)
    namespace, pod = local_pod(int(endpoint), c.context)
    pairs = tuple(
        sorted(
            (key, value)
            for label in labels.strip("[]").split()
            if ":" in label
            for key, _, value in [label.partition("=")]
        )
    )
    named = dict(pairs).get("k8s:io.kubernetes.pod.namespace")
    return Peer(namespace=namespace or named, pod=pod, identity=number, entity=entity, labels=pairs or None)


def _said(kind: str, way: str, text: str) -> L7:
    if kind == "http" and (match := _HTTP.match(text)):
        code = int(match["code"])
        return L7(kind=kind, type=way, method=match["method"], url=match["url"], code=code or None)
    if kind == "dns" and (match := _DNS.fullmatch(text)):
        answers = tuple(part for part in (match["answer"] or "").strip('"').split(",") if part)
        return L7(
            kind=kind,
            type=way,
            query=match["query"].removesuffix("."),
            qtypes=tuple(match["types"].split(",")),
            ttl=int(match["ttl"]) if match["ttl"] else None,
            ips=answers or None,
        )
    return L7(kind=kind, type=way, summary=text[:2000] or None)
