"""Folding text lines by their shape is reading every one of them, and the prefilter drops no refusal."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.marks import marked
from flowdiag.model.event import FlowEvent, GapEvent, Verdict
from flowdiag.parserkit import Block, Envelope, ParseContext
from flowdiag.tally import Tally
from flowdiag_parsers.cilium.monitor import CiliumMonitor
from flowdiag_parsers.hubble.observe_compact import HubbleCompact

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
FORMS = [(HubbleCompact(), compact_lines), (CiliumMonitor(), monitor_lines)]


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


def busy(parser, seed):
    """Sixty lines of few shapes: two connections either way round, from ever new client ports."""
    dice = random.Random(seed)  # noqa: S311 - test data
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
    for block in blocks:
        folded.take(parser, block, context)
        for event in parser.parse(block, ParseContext(**{**as_dict(context), "keep_raw": True})):
            added.add(event, parser.name, context.input)
    return folded, added


def as_dict(context):
    return {name: getattr(context, name) for name in context.__struct_fields__}


@pytest.mark.parametrize(("parser", "lines"), FORMS, ids=lambda one: getattr(one, "name", ""))
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_folding_is_reading_and_adding(parser, lines, data):
    """Whatever the blocks, the envelopes and the years: the same flows, counts, examples and warnings."""
    chosen = data.draw(st.lists(lines, min_size=1, max_size=10))
    for line in busy(parser, data.draw(st.integers(0, 1 << 32))):
        chosen.insert(data.draw(st.integers(0, 3)) * len(chosen) // 3, line)
    cut = data.draw(st.integers(0, len(chosen)))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    enveloped = data.draw(st.sampled_from(["no", "lines", "times"]))
    blocks, first = [], 1
    for index, part in enumerate((chosen[:cut], chosen[cut:])):
        if not part:
            continue
        last = index == 1
        text = end.join(part) + ("" if last and data.draw(st.booleans()) else end)
        numbers = list(range(first * 2, (first + len(part)) * 2, 2))
        envelope = None
        if enveloped == "lines":
            envelope = Envelope(lines=numbers)
        elif enveloped == "times":
            times = [1_776_762_600 * NS + number for number in numbers]
            nodes = data.draw(st.sampled_from([None, ["n1"] * len(part)]))
            envelope = Envelope(lines=numbers, at=times, node=nodes)
        blocks.append(Block(data=text.encode(), first_line=first, envelope=envelope, last=last))
        first += len(part)
    context = ParseContext(
        input="in",
        year=data.draw(st.sampled_from([2026, None])),
        node=data.draw(st.sampled_from([None, "k8s9"])),
        endpoint_ids=data.draw(st.sampled_from([{}, {61: "shop/api-1"}])),
    )
    folded, added = both(parser, blocks, context)

    assert said(folded) == said(added)


@pytest.mark.parametrize(("parser", "lines"), FORMS, ids=lambda one: getattr(one, "name", ""))
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_prefilter_drops_no_refusal(parser, lines, data):
    """Every refusal, audit, error and gap that reading finds is found among the lines with a mark."""
    chosen = data.draw(st.lists(lines, min_size=1, max_size=25))
    text = ("\n".join(chosen) + "\n").encode()
    rows = Rows(data=text, lines=range(1, len(chosen) + 1))
    marks = parser.denied_marks(text)
    kept = marked(rows, marks)
    context = ParseContext(input="in", year=2026)

    def wanted(block):
        return [
            event
            for event in parser.parse(block, context)
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
