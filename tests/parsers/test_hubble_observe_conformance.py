"""The same flows in every printer of ``hubble observe`` give the same events, but for what a form cannot carry."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.parserkit import (
    Block,
    Event,
    FlowEvent,
    GapEvent,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    TimeSource,
    Witness,
    is_mac,
    parse_rfc3339,
    reason_by_text,
    rfc3339,
    split_address,
)
from flowdiag_parsers.hubble.flow_json import HubbleJson
from flowdiag_parsers.hubble.observe_compact import HubbleCompact
from flowdiag_parsers.hubble.observe_dict import HubbleDict
from flowdiag_parsers.hubble.observe_table import HubbleTable

# What a form cannot carry; everything else must be equal.
CANNOT = {
    "compact": set(),
    "dict": {"is_reply", "identity", "entity"},
    "table": {"is_reply", "identity", "entity"},
}
ARROWS = {True: "<-", False: "->", None: "<>"}

pods = st.builds(
    "{}/{}".format,
    st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True),
)
v4 = st.ip_addresses(v=4).map(str)
v6 = st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None).map(str)
names = st.sampled_from(["www.example.com", "a.example.com,b.example.com"])
macs = st.just("16:70:99:db:d9:69")
identities = st.one_of(
    st.integers(256, 2**25).map("ID:{}".format),
    st.sampled_from(["world", "host", "remote-node", "kube-apiserver", "health", "unknown", "world-ipv6"]),
)
kinds = st.sampled_from(
    [
        ("policy-verdict:none EGRESS", "DENIED"),
        ("policy-verdict:none INGRESS", "AUDITED"),
        ("policy-verdict:L3-L4 INGRESS", "ALLOWED"),
        ("policy-verdict:all EGRESS", "ALLOWED"),
        ("Policy denied", "DROPPED"),
        ("CT: Can't create entry from packet", "DROPPED"),
        ("No tunnel/encapsulation endpoint (datapath BUG!)", "DROPPED"),
        ("LB, sock cgroup: Reverse entry stale", "DROPPED"),
        ("250", "DROPPED"),
        ("to-endpoint", "FORWARDED"),
        ("from-stack", "FORWARDED"),
        ("to-proxy", "REDIRECTED"),
        ("pre-xlate-fwd", "TRACED"),
        ("http-request", "ERROR"),
    ]
)
policies = st.lists(
    st.builds(
        "{} ({})".format,
        st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
        st.sampled_from(["NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]),
    ),
    max_size=3,
)
ported = st.sampled_from(
    [
        "TCP Flags: SYN",
        "TCP Flags: SYN, ACK",
        "TCP Flags: ACK, FIN",
        "UDP",
        "SCTP",
        "TCP Flags: SYN; Auth: SPIRE",
    ]
)
portless = st.sampled_from(["ICMPv4 EchoRequest", "ICMPv6 RouterSolicitation", "ICMPv6 143(0)", "Ethernet"])
stamps = st.sampled_from(["Mar  7 14:09:41.852", "Mar 17 14:09:41.852", "2026-03-17T14:09:41.852123456Z"])


@st.composite
def flows(draw: st.DrawFn) -> dict[str, Any]:
    """One flow as the words that every printer starts from."""
    summary = draw(st.one_of(ported, portless))
    has_ports = summary.startswith(("TCP", "UDP", "SCTP"))

    def end() -> str:
        host = draw(st.one_of(pods, v4, v6, names, macs) if not has_ports else st.one_of(pods, v4, v6, names))
        if not has_ports:
            return host
        port = draw(st.integers(1, 65_535))
        return f"[{host}]:{port}" if host.count(":") > 1 else f"{host}:{port}"

    kind, verdict = draw(kinds)
    is_reply = draw(st.sampled_from([True, False, None]))
    if is_reply is False and "SYN, ACK" in summary:
        is_reply = None  # "->" with SYN, ACK is an old client that knows no replies
    return {
        "stamp": draw(stamps),
        "node": draw(st.sampled_from([None, "k8s1", "shop-prod/worker-1"])),
        "src": end(),
        "dst": end(),
        "src_id": draw(identities),
        "dst_id": draw(identities),
        "kind": kind,
        "verdict": verdict,
        "by": ", ".join(draw(policies)) if kind.startswith("policy-verdict") else "",
        "summary": summary,
        "is_reply": is_reply,
    }


def verdict_column(flow: dict[str, Any]) -> str:
    return flow["verdict"] + (f" BY {flow['by']}" if flow["by"] else "")


def compact(all_flows: list[dict[str, Any]]) -> str:
    lines = []
    for f in all_flows:
        node = f" [{f['node']}]" if f["node"] else ""
        left, right = f"{f['src']} ({f['src_id']})", f"{f['dst']} ({f['dst_id']})"
        if f["is_reply"]:
            left, right = right, left
        lines.append(
            f"{f['stamp']}{node}: {left} {ARROWS[f['is_reply']]} {right} {f['kind']} {verdict_column(f)} ({f['summary']})\n"
        )
    return "".join(lines)


def as_dict(all_flows: list[dict[str, Any]]) -> str:
    records = []
    for f in all_flows:
        fields = {
            "TIMESTAMP": f["stamp"],
            **({"NODE": f["node"]} if f["node"] else {}),
            "SOURCE": f["src"],
            "DESTINATION": f["dst"],
            "TYPE": f["kind"],
            "VERDICT": verdict_column(f),
            "SUMMARY": f["summary"],
        }
        records.append("".join(f"{key:>11}: {value}\n" for key, value in fields.items()))
    return "------------\n".join(records)


def table(all_flows: list[dict[str, Any]]) -> str:
    with_node = any(f["node"] for f in all_flows)
    head = [
        "TIMESTAMP",
        *(["NODE"] if with_node else []),
        "SOURCE",
        "DESTINATION",
        "TYPE",
        "VERDICT",
        "SUMMARY",
    ]
    rows = [head] + [
        [
            f["stamp"],
            *([f["node"] or ""] if with_node else []),
            f["src"],
            f["dst"],
            f["kind"],
            verdict_column(f),
            f["summary"],
        ]
        for f in all_flows
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "".join(
        "".join(cell.ljust(widths[i] + 3) for i, cell in enumerate(row[:-1])) + row[-1] + "\n" for row in rows
    )


def parsed(parser: Any, text: str) -> list[Event]:
    context = ParseContext(input="x", year=2026)
    return list(parser.parse(Block(data=text.encode(), last=True), context))


def comparable(event: Event, cannot: set[str]) -> FlowEvent:
    """The event without its line and without what the form cannot carry."""
    assert isinstance(event, FlowEvent), event

    def peer(end: Peer) -> Peer:
        gone = {name: None for name in ("identity", "entity") if name in cannot}
        return msgspec.structs.replace(end, **gone)

    gone = {"is_reply": None} if "is_reply" in cannot else {}
    return msgspec.structs.replace(event, line=0, src=peer(event.src), dst=peer(event.dst), **gone)


@given(st.lists(flows(), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_every_printer_tells_the_same(all_flows):
    """Compact, dict and table agree on every field that they can carry."""
    for flow in all_flows:
        flow["node"] = all_flows[0]["node"]
    by_compact = parsed(HubbleCompact(), compact(all_flows))
    forms = {
        "dict": parsed(HubbleDict(), as_dict(all_flows)),
        "table": parsed(HubbleTable(), table(all_flows)),
    }

    assert len(by_compact) == len(all_flows)
    for form, events in forms.items():
        cannot = CANNOT[form]
        assert [comparable(e, cannot) for e in by_compact] == [comparable(e, cannot) for e in events], form


@given(st.lists(flows(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_compact_carries_everything_printed(all_flows):
    """Identities, arrows, ports and flags come back as they were printed."""
    for flow, event in zip(all_flows, parsed(HubbleCompact(), compact(all_flows)), strict=True):
        assert isinstance(event, FlowEvent)
        assert event.is_reply is flow["is_reply"]
        assert event.node == flow["node"]
        assert event.verdict_raw == flow["verdict"]
        for end, peer, identity in (
            (flow["src"], event.src, flow["src_id"]),
            (flow["dst"], event.dst, flow["dst_id"]),
        ):
            host = (
                f"{peer.namespace}/{peer.pod}"
                if peer.pod
                else peer.ip or peer.mac or ",".join(peer.dns_names or ())
            )
            shown = (
                host
                if peer.port is None
                else f"[{host}]:{peer.port}"
                if ":" in host
                else f"{host}:{peer.port}"
            )
            assert shown == end
            number = f"ID:{peer.identity}"
            assert identity in {number, peer.entity} or (identity == "unknown" and peer.identity is None)


# What the compact form cannot carry of a JSON record; everything else must be equal:
# - an end's address where a pod or a name is printed instead, its MAC where it has an address, its labels,
#   workloads, Service and DNS names
# - the direction on lines that are no policy verdict
# - the enum's spelling of verdict and reason (it prints its own words), a policy's namespace
# - that a SYN, ACK is no reply (see `flows`)
@pytest.mark.usefixtures("never_endless")
def test_blanks_before_lost_events_are_read_once():
    """However many stand in a row of the table; lost events have a column of their own, and are none in a summary."""
    stamp, blanks = "Mar 17 14:06:31.204", "  " * 2_000
    row = f"{stamp}   shop/web:40000   data/db:80   policy-verdict:none INGRESS   DENIED   x{{}}EVENTS LOST 1"
    lines = [
        f"{stamp}   a{blanks}x EVENTS LOST 1",
        f"{stamp}   HUBBLE_RING_BUFFER{blanks}EVENTS LOST{blanks}-   CPU(3) - 37",
        row.format("   "),
    ]
    unread, gap, denied = parsed(HubbleTable(), "\n".join(lines) + "\n")

    assert isinstance(unread, ParseWarning)
    assert isinstance(gap, GapEvent)
    assert gap.lost == 37
    assert isinstance(denied, FlowEvent)


@pytest.mark.usefixtures("never_endless")
@pytest.mark.parametrize("text", ["a{}", "a  b{}", "a{0}b{0}c{0}"])
def test_wide_gaps_are_told_from_a_table_at_once(text):
    """Every file is asked about: one whose lines are padded, or whose first words stand far apart, too."""
    head = f"2026-10-10T10:10:10  {text.format(' ' * 20_000)}\nDROPPED\n"

    assert HubbleTable().sniff(head.encode()) == 0.0


def json_end(host_and_port: str, identity: str, mac: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Endpoint object of an end, and what of it stands elsewhere in the record."""
    host, port = split_address(host_and_port)
    end: dict[str, Any] = {}
    if identity.startswith("ID:"):
        end["identity"] = int(identity[3:])
    elif identity != "unknown":
        end["identity"] = RESERVED[identity]
        end["labels"] = [f"reserved:{identity}"]
    beside: dict[str, Any] = {"port": port, "mac": mac}
    if "/" in host:
        end["namespace"], end["pod_name"] = host.split("/")
        beside["ip"] = "10.9.8.7"
    elif is_mac(host):
        beside["mac"] = host
    elif host[0].isalpha() and ":" not in host:
        beside |= {"ip": "10.9.8.7", "names": host.split(",")}
    else:
        beside["ip"] = host
    return end, beside


RESERVED = {
    "host": 1,
    "world": 2,
    "health": 4,
    "remote-node": 6,
    "kube-apiserver": 7,
    "world-ipv6": 10,
}
ICMP = {
    "ICMPv4 EchoRequest": {"ICMPv4": {"type": 8}},
    "ICMPv6 RouterSolicitation": {"ICMPv6": {"type": 133}},
    "ICMPv6 143(0)": {"ICMPv6": {"type": 143}},
}
NOT_IN_JSON = {"http-request", "LB, sock cgroup: Reverse entry stale"}
MASKED = {"DENIED": "DROPPED", "ALLOWED": "FORWARDED", "AUDITED": "AUDIT"}


def as_json(f: dict[str, Any]) -> dict[str, Any]:
    """The record that Hubble would print as this flow's words."""
    source, s = json_end(f["src"], f["src_id"], "02:00:00:00:00:01")
    destination, d = json_end(f["dst"], f["dst_id"], "02:00:00:00:00:02")
    at = rfc3339(parse_rfc3339("2026-03-07T14:09:41.852Z"))
    flow: dict[str, Any] = {
        "time": at,
        "verdict": MASKED.get(f["verdict"], f["verdict"]),
        "ethernet": {"source": s["mac"], "destination": d["mac"]},
        "source": source,
        "destination": destination,
        "source_names": s.get("names", []),
        "destination_names": d.get("names", []),
        "Summary": f["summary"],
    }
    if "ip" in s and "ip" in d:
        flow["IP"] = {"source": s["ip"], "destination": d["ip"]}
    summary = f["summary"].partition("; Auth")[0]
    ports = {"source_port": s["port"], "destination_port": d["port"]}
    if summary.startswith("TCP Flags: "):
        flow["l4"] = {"TCP": {**ports, "flags": dict.fromkeys(summary[11:].split(", "), True)}}
    elif summary in {"UDP", "SCTP"}:
        flow["l4"] = {summary: ports}
    elif summary in ICMP:
        flow["l4"] = ICMP[summary]
    if f["is_reply"] is not None:
        flow["is_reply"] = f["is_reply"]
    kind = f["kind"]
    if kind.startswith("policy-verdict:"):
        flow |= {"event_type": {"type": 5}, "traffic_direction": kind.split()[1]}
        if f["verdict"] == "DENIED":
            flow |= {"drop_reason": 133, "drop_reason_desc": "POLICY_DENIED"}
        way = flow["traffic_direction"].lower()
        said = "allowed" if f["verdict"] == "ALLOWED" else "denied"
        named = [entry.rstrip(")").split(" (") for entry in f["by"].split(", ") if entry]
        flow[f"{way}_{said}_by"] = [{"name": name, "kind": policy_kind} for name, policy_kind in named]
    elif f["verdict"] == "DROPPED":
        known = reason_by_text(kind)
        flow["event_type"] = {"type": 1}
        flow["drop_reason"] = known.code if known else int(kind)
        if known:
            flow["drop_reason_desc"] = known.name
    else:
        flow["event_type"] = {"type": 4}
    return {"flow": flow, "node_name": f["node"] or "", "time": at}


def carried_end(peer: Peer) -> Peer:
    named = peer.pod is not None or peer.dns_names is not None
    return msgspec.structs.replace(
        peer,
        ip=None if named else peer.ip,
        mac=None if named or peer.ip else peer.mac,
        labels=None,
        dns_names=None if peer.pod else peer.dns_names,
    )


def carried(event: Event) -> FlowEvent:
    """What both the JSON record and the compact line carry of a flow."""
    assert isinstance(event, FlowEvent), event
    return msgspec.structs.replace(
        event,
        line=0,
        time_source=TimeSource.RECORD,
        node=event.node or None,
        src=carried_end(event.src),
        dst=carried_end(event.dst),
        protocol=event.protocol if event.protocol != "Ethernet" else None,
        direction=event.direction if event.witness is Witness.VERDICT else None,
        verdict_raw=None,
        reason_raw=None,
        policies=tuple(PolicyHit(name=p.name, kind=p.kind, effect=p.effect) for p in event.policies),
    )


@given(st.lists(flows(), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_json_and_compact_tell_the_same(all_flows):
    """A flow exported as JSON and the same flow printed give one event, but for what the print cannot carry."""
    told = [f for f in all_flows if f["kind"] not in NOT_IN_JSON and "Auth" not in f["summary"]]
    for flow in told:
        flow["stamp"] = "Mar  7 14:09:41.852"
        # One end without an address is a frame without IP: then both have none.
        if is_mac(flow["src"]) != is_mac(flow["dst"]):
            flow["src"] = flow["dst"] = "16:70:99:db:d9:69"
    records = "".join(json.dumps(as_json(flow)) + "\n" for flow in told)

    exported = [carried(e) for e in parsed(HubbleJson(), records)]
    printed = [carried(e) for e in parsed(HubbleCompact(), compact(told))]

    assert exported == printed
