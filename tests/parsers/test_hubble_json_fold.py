"""Folding Hubble records gives what parsing and adding them gives, wherever blocks are cut."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flowdiag.parserkit import Block, FlowEvent, GapEvent, ParseContext, Verdict
from flowdiag.tally import Tally
from flowdiag_parsers.hubble.flow_json import HubbleJson
from tests.parsers.lower_camel_case import camelled

NAME = "flows.json"
PARSER = HubbleJson()


ends = st.sampled_from(
    [
        {"identity": 100, "namespace": "a", "pod_name": "p", "labels": ["k8s:app=p"]},
        {"ID": 7, "identity": 100, "namespace": "a", "pod_name": "p", "labels": ["k8s:app=p"]},
        {"namespace": "b", "pod_name": "q", "workloads": [{"name": "q", "kind": "Deployment"}]},
        {"identity": 2, "labels": ["reserved:world"]},
        {"podName": "camel", "namespace": "c"},
        {},
        None,
        [],
    ]
)
addresses = st.sampled_from(
    ["10.0.0.1", "10.0.0.2", "2001:DB8::1", "fe80::1", "::ffff:10.0.0.1", "", "nonsense"]
)
ports = st.sampled_from([0, 53, 80, 8080, 40_000, 50_001, "443", 70_000, -1])
flags = st.sampled_from(
    [{"SYN": True}, {"SYN": True, "ACK": True}, {"ACK": True, "PSH": True}, {"FIN": False}, {}, 3]
)
transports = st.one_of(
    st.fixed_dictionaries(
        {
            "TCP": st.fixed_dictionaries(
                {}, optional={"source_port": ports, "destination_port": ports, "flags": flags}
            )
        }
    ),
    st.fixed_dictionaries({"UDP": st.fixed_dictionaries({"source_port": ports, "destination_port": ports})}),
    st.sampled_from(
        [{"SCTP": {"destination_port": 3868}}, {"ICMPv4": {}}, {"ICMPv6": {"type": 128}}, {"IGMP": {}}, {}]
    ),
)
times = st.sampled_from(
    [
        "2026-04-01T10:00:00.123456789Z",
        "2026-04-01T10:00:00.9Z",
        "2026-04-01T10:00:01.000000001Z",
        "2026-04-01T10:00:07Z",
        "2026-04-01T10:03:00.500000000Z",
        "2026-04-01T12:00:59.999999999+02:00",
        "2026-04-01T10:00:99.000000000Z",
        "2026-04-01T10:00:00,500000000Z",
        "2026-04-01T10:00:00.5000000001",
        "2026-04-01T10:00:00.1_5Z",
        "2026-04-01T10:00:00.²Z",
        "2026-04-01T10:00:00.٣Z",
        "soon",
    ]
)
policy = {
    "name": "deny",
    "namespace": "a",
    "kind": "NetworkPolicy",
    "labels": [
        "k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy",
        "k8s:io.cilium.k8s.policy.name=deny",
    ],
}
implicit = ["reserved:io.cilium.policy.derived-from=allow-any-egress"]
dns = {"type": "RESPONSE", "dns": {"query": "x.example.com.", "ips": ["192.0.2.1", "2001:DB8::2"], "ttl": 30}}
flows = st.fixed_dictionaries(
    {},
    optional={
        "time": times,
        "node_name": st.sampled_from(["n1", "c/n2", ""]),
        "verdict": st.sampled_from(
            ["FORWARDED", "DROPPED", "DROPPED", "AUDIT", "ERROR", "REDIRECTED", "NEW", 2, 1, None]
        ),
        "IP": st.fixed_dictionaries({}, optional={"source": addresses, "destination": addresses}),
        "ethernet": st.sampled_from(
            [{"source": "02:00:00:00:00:01", "destination": "02:00:00:00:00:02"}, {}]
        ),
        "l4": transports,
        "source": ends,
        "destination": ends,
        "traffic_direction": st.sampled_from(["INGRESS", "EGRESS", 1, "UP"]),
        "is_reply": st.sampled_from([True, False, None, "yes"]),
        "event_type": st.sampled_from(
            [{"type": 1, "sub_type": 133}, {"type": 5}, {"type": 4}, {"type": "5"}, {}]
        ),
        "drop_reason": st.sampled_from([133, 132, 150, 0, "133", 999]),
        "drop_reason_desc": st.sampled_from(
            ["POLICY_DENIED", "POLICY_DENY", "DROP_REASON_UNKNOWN", "LATER", 133]
        ),
        "source_names": st.sampled_from([["a.example.com."], [], ["", "b.example.com"]]),
        "destination_names": st.sampled_from([["a.example.com."], None]),
        "source_service": st.sampled_from([{"name": "s", "namespace": "a"}, {"namespace": "a"}, {}]),
        "destination_service": st.just({"name": "t", "namespace": "b"}),
        "egress_denied_by": st.sampled_from([[policy], [], [{}], [{"labels": implicit}]]),
        "interface": st.sampled_from([{"name": "cali0123456789a"}, {"index": 3}]),
        "ingress_allowed_by": st.just([policy | {"kind": 7}]),
        "l7": st.sampled_from(
            [dns, {"type": "REQUEST", "http": {"method": "GET", "url": "http://x/y?z"}}, {}]
        ),
        "aggregate": st.sampled_from([{"ingress_flow_count": "4"}, {}]),
        "file": st.just({"name": "bpf_lxc.c", "line": "9"}),
        "Summary": st.sampled_from(["TCP Flags: SYN", "größer"]),
    },
)


good = st.fixed_dictionaries(
    {
        "time": st.sampled_from(
            [f"2026-04-01T10:0{m}:0{s}.{f:09d}Z" for m in (0, 3) for s in (0, 1) for f in (0, 7)]
        ),
        "node_name": st.sampled_from(["n1", "n2", ""]),
        "verdict": st.sampled_from(["FORWARDED", "DROPPED", "AUDIT", "REDIRECTED"]),
        "IP": st.sampled_from(
            [{"source": a, "destination": b} for a in ("10.0.0.1", "fe80::1") for b in ("10.0.0.2",)]
        ),
        "l4": st.sampled_from(
            [
                {"TCP": {"source_port": a, "destination_port": b, "flags": f}}
                for a, b in ((40_000, 80), (80, 40_000))
                for f in ({"SYN": True}, {"ACK": True}, {"SYN": True, "ACK": True})
            ]
        ),
        "source": st.sampled_from(
            [{"namespace": "a", "pod_name": "p"}, {"ID": 7, "namespace": "a", "pod_name": "p"}]
        ),
        "destination": st.sampled_from([{"namespace": "b", "pod_name": "q"}, {"labels": ["reserved:world"]}]),
        "event_type": st.sampled_from([{"type": 1}, {"type": 5}, {"type": 4}]),
    },
    optional={
        "traffic_direction": st.sampled_from(["INGRESS", "EGRESS"]),
        "is_reply": st.booleans(),
        "drop_reason": st.sampled_from([133, 132]),
        "ingress_denied_by": st.sampled_from([[{"labels": implicit}], [policy]]),
        "interface": st.just({"name": "cali0123456789a"}),
    },
)


@st.composite
def lines(draw):
    """One line of an export, whole, odd or broken."""
    flow = draw(st.one_of(good, good, flows, st.builds(dict.__or__, good, flows)))
    record = flow
    if draw(st.integers(0, 4)):
        record = {"flow": flow} | draw(
            st.fixed_dictionaries({}, optional={"node_name": st.sampled_from(["n1", ""]), "time": times})
        )
    how = draw(st.integers(0, 20))
    if how == 20:
        # A packet's two records.
        pair = [json.dumps(flow | {"verdict": "DROPPED", "event_type": {"type": kind}}) for kind in (5, 1)]
        return "\n".join(pair).encode()
    if how == 0:
        record = camelled(record)
    text = json.dumps(
        record, ensure_ascii=how > 2, separators=(", ", ": ") if how == 3 else (",", ":")
    ).encode()
    odd = {
        4: b"",
        5: b"garbage",
        6: text[: len(text) // 2],
        7: text.replace(b"T", b"\xff", 1),
        8: b'{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"5"},"time":"2026-04-01T10:00:00Z"}',
        9: text + text,
        10: b"  " + text + b"\r",
        11: b'{"agent_event":{"type":"AGENT_STARTED"}}',
    }
    return odd.get(how, text)


exports = st.lists(lines(), max_size=30).map(lambda found: b"\n".join(found) + b"\n" * (len(found) % 3 > 0))


def whole(data):
    """Parsed and added."""
    tally = Tally()
    for event in PARSER.parse(Block(data=data, last=True), ParseContext(input=NAME, keep_raw=True)):
        tally.add(event, PARSER.name, NAME)
    return tally


def folded(data, cuts):
    """Folded in blocks that end after these numbers of lines."""
    tally = Tally()
    rows = [row + b"\n" for row in data.split(b"\n")]
    rows[-1] = rows[-1][:-1]
    rows = [row for row in rows if row]
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(rows)}), len(rows)]
    for start, end in pairwise(edges):
        block = Block(data=b"".join(rows[start:end]), first_line=start + 1, last=end == len(rows))
        tally.take(PARSER, block, ParseContext(input=NAME))
    return tally


def results(tally):
    """Everything a tally says."""
    return (
        tally.flows(),
        tally.inputs,
        tally.dns,
        tally.gaps,
        tally.logs,
        tally.changes,
        tally.warnings,
        tally.warning_counts,
    )


def starts_like_lines(data):
    """Not what `parse` takes for a document: where blocks are cut then is ingest's affair."""
    return not data.lstrip().startswith(b"[") and data.lstrip()[:65_536].partition(b"\n")[0].strip() != b"{"


@settings(max_examples=150, deadline=None)
@given(data=exports.filter(starts_like_lines), cuts=st.lists(st.integers(1, 30), max_size=4))
def test_folding_is_parsing_and_adding(data, cuts):
    """Flows, counters, answers, gaps, warnings: the same by both ways, for any cut into blocks."""
    assert results(folded(data, cuts)) == results(whole(data))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=exports)
def test_marks_leave_out_nothing_that_was_refused(data):
    """Every line with a denial, an audit, an error or a gap holds a mark, where marks are promised."""
    marks = PARSER.denied_marks(data)
    assume(marks is not None)
    rows = data.split(b"\n")
    for event in PARSER.parse(Block(data=data, last=True), ParseContext(input=NAME)):
        refused = isinstance(event, FlowEvent) and event.verdict in {
            Verdict.DENIED,
            Verdict.AUDITED,
            Verdict.ERROR,
        }
        if refused or isinstance(event, GapEvent):
            assert any(mark in rows[event.line - 1] for mark in marks)
