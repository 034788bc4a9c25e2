"""The same flows in every printer of ``hubble observe`` give the same events, but for what a form cannot carry."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.parserkit import Block, Event, FlowEvent, ParseContext, Peer
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
@settings(max_examples=150, deadline=None)
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
@settings(max_examples=100, deadline=None)
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
