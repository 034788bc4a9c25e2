"""Hubble flow exports in JSON: encodings, wrappers, other events, and what is broken."""

from __future__ import annotations

import json

import pytest

from flowdiag.parserkit import (
    Block,
    Cause,
    ChangeEvent,
    Direction,
    Envelope,
    FlowEvent,
    GapEvent,
    Icmp,
    LogEvent,
    ObjectRef,
    ParseContext,
    ParseWarning,
    TimeSource,
    Verdict,
    Witness,
    WorkloadRef,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.flow_json import HubbleJson
from tests.parsers.lower_camel_case import camelled

TIME = "2026-04-01T10:00:00.123456789Z"
FLOW = {
    "time": TIME,
    "verdict": "DROPPED",
    "drop_reason": 133,
    "drop_reason_desc": "POLICY_DENIED",
    "IP": {"source": "10.0.1.5", "destination": "10.0.2.9", "ipVersion": "IPv4"},
    "l4": {"TCP": {"source_port": 41000, "destination_port": 8080, "flags": {"SYN": True}}},
    "source": {
        "ID": 12,
        "identity": 4711,
        "namespace": "shop",
        "labels": ["k8s:app=web", "k8s:empty=", "k8s:eq=a=b"],
        "pod_name": "web-1",
        "workloads": [{"name": "web", "kind": "Deployment"}],
    },
    "destination": {"identity": 4712, "namespace": "db", "labels": ["k8s:app=db"], "pod_name": "db-0"},
    "node_name": "c1/n1",
    "event_type": {"type": 1, "sub_type": 133},
    "traffic_direction": "EGRESS",
}


def parse(*records, context=None, **block):
    """Events of records, dicts or bytes, one a line."""
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    block.setdefault("data", b"".join(line + b"\n" for line in lines))
    return list(HubbleJson().parse(Block(**block), context or ParseContext(input="x")))


def one(record, **context):
    """The only event of a record."""
    (event,) = parse(record, context=ParseContext(input="x", **context))
    return event


def flow(**changes):
    """The event of `FLOW` with changes; None removes a field."""
    record = {key: value for key, value in (FLOW | changes).items() if value is not None}
    return one({"flow": record, "node_name": "c1/n1", "time": TIME})


def test_everything_a_drop_says_is_there():
    """Ends, ports, labels with their prefixes, workload, reason, direction, witness, nanoseconds."""
    event = flow()

    assert parse_rfc3339(TIME) == event.at
    assert (event.time_source, event.node, event.line) == (TimeSource.RECORD, "c1/n1", 1)
    assert (
        event.src.ip,
        event.src.port,
        event.src.namespace,
        event.src.pod,
        event.src.identity,
    ) == ("10.0.1.5", 41000, "shop", "web-1", 4711)
    assert event.src.labels == (("k8s:app", "web"), ("k8s:empty", ""), ("k8s:eq", "a=b"))
    assert WorkloadRef("Deployment", "web") == event.src.workload
    assert (event.protocol, event.dst.port, event.tcp_flags) == ("TCP", 8080, ("SYN",))
    assert (event.verdict, event.verdict_raw, event.cause) == (Verdict.DENIED, "DROPPED", Cause.POLICY)
    assert (event.reason, event.reason_code, event.reason_raw) == ("POLICY_DENIED", 133, "POLICY_DENIED")
    assert (event.direction, event.witness, event.is_reply) == (Direction.EGRESS, Witness.DROP, None)


def test_bare_flows_and_wrapped_ones_say_the_same():
    """The old format without a wrapper gives the same event."""
    assert flow() == one(FLOW)


def test_camel_case_says_the_same():
    """Re-encoded names are read."""
    assert flow() == one(camelled({"flow": FLOW, "node_name": "c1/n1", "time": TIME}))


def test_numbers_for_enums_and_text_for_numbers_say_the_same():
    """Integer enums, 64-bit and other numbers as strings."""
    numbered = json.loads(json.dumps(FLOW))
    numbered |= {"verdict": 2, "traffic_direction": 2, "drop_reason": "133", "drop_reason_desc": 133}
    numbered["event_type"]["type"] = "1"
    numbered["l4"]["TCP"]["destination_port"] = "8080"
    numbered["source"]["identity"] = "4711"
    event = one({"flow": numbered})

    assert event.reason_raw == "133"
    assert flow(drop_reason_desc=133) == event


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        ("FORWARDED", Verdict.ALLOWED),
        ("DROPPED", Verdict.DENIED),
        ("ERROR", Verdict.ERROR),
        ("AUDIT", Verdict.AUDITED),
        ("REDIRECTED", Verdict.REDIRECTED),
        ("TRACED", Verdict.UNKNOWN),
        ("TRANSLATED", Verdict.UNKNOWN),
        ("SOMETHING_NEW", Verdict.UNKNOWN),
    ],
)
def test_verdicts(raw, verdict):
    """Only DROPPED is denied; a new verdict is unknown and kept."""
    event = flow(verdict=raw)

    assert (verdict, raw) == (event.verdict, event.verdict_raw)
    assert (event.cause is not None) == (raw == "DROPPED")


@pytest.mark.parametrize(
    ("description", "code", "cause"),
    [
        ("POLICY_DENY", 181, Cause.POLICY),
        ("AUTH_REQUIRED", 189, Cause.POLICY),
        ("SERVICE_BACKEND_NOT_FOUND", 158, Cause.CONFIGURATION),
        ("CT_MAP_INSERTION_FAILED", 155, Cause.FAULT),
        ("UNSUPPORTED_L3_PROTOCOL", 139, Cause.NOISE),
        ("CT_MISSING_TCP_ACK_FLAG", 136, Cause.FAULT),
        ("BRAND_NEW_REASON", 250, None),
    ],
)
def test_reasons(description, code, cause):
    """The reason's cause follows the table; a reason of a later release is kept and blames nobody."""
    event = flow(drop_reason_desc=description, drop_reason=code)

    assert (description, code, cause) == (event.reason, event.reason_code, event.cause)


def test_reason_by_code_alone():
    """Masks and old releases leave only the number."""
    event = flow(drop_reason_desc=None, drop_reason=181)

    assert (event.reason, event.reason_code, event.reason_raw) == ("POLICY_DENY", 181, "181")


def test_drop_without_a_reason_blames_nobody():
    """Only a policy verdict speaks for itself."""
    nothing = {"drop_reason": None, "drop_reason_desc": None}

    assert flow(**nothing, event_type={"type": 1}).cause is None
    assert flow(**nothing, event_type={"type": 5}).cause is Cause.POLICY


def test_a_drop_event_tells_its_reason_where_nothing_else_does():
    """Its sub type is the datapath's code; other numbers, and those of other events, are none."""
    nothing = {"drop_reason": None, "drop_reason_desc": None}
    event = flow(**nothing, event_type={"type": 1, "sub_type": 133})

    assert (event.reason, event.reason_code, event.cause) == ("POLICY_DENIED", 133, Cause.POLICY)
    assert flow(**nothing, event_type={"type": 1, "sub_type": 11}).reason_code is None
    assert flow(**nothing, event_type={"type": 4, "sub_type": 133}).reason_code is None


def test_neighbour_discovery_is_noise():
    """132 from fe80:: is housekeeping; from a pod's address it is configuration."""
    local = {"source": "fe80::1", "destination": "ff02::2"}
    reason = {"drop_reason": 132, "drop_reason_desc": "INVALID_SOURCE_IP"}

    assert flow(**reason, IP=local).cause is Cause.NOISE
    assert flow(**reason).cause is Cause.CONFIGURATION


def test_zeroes_are_left_out():
    """An echo reply is an empty message; absent ports are unknown; no flags are none."""
    assert Icmp(0, 0) == flow(l4={"ICMPv4": {}}).icmp
    assert Icmp(8, 0) == flow(l4={"ICMPv4": {"type": 8}}).icmp
    assert flow(l4={"ICMPv6": {"type": 128}}).protocol == "ICMPv6"
    empty = flow(l4={"TCP": {}})
    assert (empty.src.port, empty.dst.port, empty.tcp_flags) == (None, None, None)
    assert flow(verdict=None).verdict is Verdict.UNKNOWN
    assert flow(l4={"SCTP": {"destination_port": 3868}}).protocol == "SCTP"
    assert flow(l4={"VRRP": {"type": 1}}).protocol == "VRRP"
    assert flow(l4=None).protocol is None


def test_is_reply_has_three_states():
    """Absent is unknown, not false."""
    assert [flow(is_reply=value).is_reply for value in (True, False, None)] == [True, False, None]


def test_ipv6_is_canonical():
    """One spelling of one address; IPv4-mapped is IPv4."""
    event = flow(IP={"source": "2001:DB8:0:0::1", "destination": "::ffff:192.0.2.7"})

    assert (event.src.ip, event.dst.ip) == ("2001:db8::1", "192.0.2.7")


def test_field_masks_fall_back_to_the_wrapper_and_the_envelope():
    """Time and node come from where they are left; a flow without addresses is an event."""
    event = one({"flow": {"verdict": "DROPPED", "source": {}}, "node_name": "c1/n2", "time": TIME})
    assert (parse_rfc3339(TIME), "c1/n2", None) == (event.at, event.node, event.src.ip)

    envelope = Envelope(lines=[7], at=[5], node=["n3"])
    (event,) = parse({"flow": {"verdict": "DROPPED"}}, envelope=envelope)
    assert (event.at, event.time_source, event.node, event.line) == (5, TimeSource.ENVELOPE, "n3", 7)

    assert one({"flow": {}}, node="n4").node == "n4"


def test_reserved_identities_become_entities():
    """By label, and by number where labels are masked; an apiserver outside is the apiserver."""
    assert flow(source={"labels": ["reserved:world"]}).src.entity == "world"
    assert flow(source={"identity": 6}).src.entity == "remote-node"
    assert (
        flow(source={"labels": ["reserved:kube-apiserver", "reserved:world"]}).src.entity == "kube-apiserver"
    )
    assert (
        flow(source={"labels": ["cidr:192.0.2.0/24", "reserved:world"], "identity": 1 << 24}).src.entity
        == "world"
    )
    assert flow().src.entity is None


def test_services_and_names():
    """Service by namespace and name; names without their trailing dot."""
    event = flow(
        destination_service={"name": "user-api", "namespace": "backend"}, destination_names=["a.example.com."]
    )

    assert (event.dst.service, event.dst.dns_names) == ("backend/user-api", ("a.example.com",))


def test_policies_with_and_without_kind():
    """Before 1.18 the labels tell the kind; a rule without a name is kept with its label."""
    labels = [
        "k8s:io.cilium.k8s.policy.derived-from=NetworkPolicy",
        "k8s:io.cilium.k8s.policy.name=p",
        "k8s:io.cilium.k8s.policy.namespace=shop",
    ]
    implicit = ["reserved:io.cilium.policy.derived-from=allow-any-egress"]
    event = flow(
        verdict="FORWARDED",
        egress_allowed_by=[{"name": "p", "namespace": "shop", "labels": labels}, {"labels": implicit}],
        ingress_denied_by=[{"name": "wide", "kind": "CiliumClusterwideNetworkPolicy"}],
        drop_reason=None,
        drop_reason_desc=None,
    )
    first, second, third = event.policies

    assert (
        first.kind,
        first.group,
        first.namespace,
        first.name,
        first.effect,
    ) == ("NetworkPolicy", "networking.k8s.io", "shop", "p", "allow")
    assert (None, implicit[0]) == (second.name, second.raw)
    assert (third.group, third.namespace, third.name, third.effect) == ("cilium.io", None, "wide", "deny")


@pytest.mark.parametrize(
    ("code", "name", "effect"), [(133, "POLICY_DENIED", "no-match"), (181, "POLICY_DENY", "deny")]
)
def test_policies_of_a_default_deny_hold_no_deny_rule(code, name, effect):
    """Later agents name those that isolate an end in `*_denied_by` too; a rule that denies is 181 alone."""
    by = [{"name": "wide", "namespace": "shop", "kind": "CiliumNetworkPolicy"}]

    (hit,) = flow(drop_reason=code, drop_reason_desc=name, egress_denied_by=by).policies

    assert (hit.name, hit.effect) == ("wide", effect)


@pytest.mark.parametrize(
    "around",
    [
        {"result": None},
        {"event": None, "host": "k1", "source": "hubble", "sourcetype": "_json", "time": 1775037600.1},
        {"insertId": "1x", "jsonPayload": None, "timestamp": TIME},
    ],
    ids=lambda around: next(iter(around)),
)
def test_what_a_collector_put_around_the_wrapper(around):
    """The wrapper inside is read as it would be alone."""
    inside = {"flow": FLOW, "node_name": "c1/n1", "time": TIME}

    assert one({name: inside if value is None else value for name, value in around.items()}) == one(inside)


def test_a_word_called_source_makes_no_flow():
    """Collectors write where a record came from under names that flows have for their ends."""
    event = one({"source": "hubble", "destination": "index-1", "message": "x"})

    assert (type(event), event.code) == (ParseWarning, "not-a-flow")


def test_l7():
    """HTTP, DNS and Kafka; a refused request is a policy's, though it has no reason."""
    nothing = {"drop_reason": None, "drop_reason_desc": None, "event_type": {"type": 129}}
    http = {"type": "REQUEST", "http": {"method": "PUT", "url": "http://x/y?z", "protocol": "HTTP/1.1"}}
    event = flow(**nothing, l7=http)
    assert (
        event.l7.kind,
        event.l7.type,
        event.l7.method,
        event.l7.url,
    ) == ("http", "request", "PUT", "http://x/y?z")
    assert (event.cause, event.reason, event.witness) == (Cause.POLICY, None, None)

    dns = {"query": "db.example.com.", "ips": ["192.0.2.1", "2001:DB8::1"], "ttl": 30, "qtypes": ["A"]}
    answer = flow(verdict="FORWARDED", l7={"type": "RESPONSE", "latency_ns": "1000", "dns": dns}).l7
    assert (
        answer.query,
        answer.ips,
        answer.ttl,
        answer.rcode,
        answer.latency_ns,
    ) == ("db.example.com", ("192.0.2.1", "2001:db8::1"), 30, 0, 1000)
    refused = flow(l7={"type": "RESPONSE", "dns": {"query": "x.", "rcode": 5}}).l7
    assert refused.rcode == 5

    kafka = flow(l7={"type": "REQUEST", "kafka": {"api_key": "produce", "topic": "orders"}}).l7
    assert (kafka.kind, kafka.summary) == ("kafka", "produce orders")


def test_aggregated_records_stand_for_many():
    """The sum of the three counts; none of them is one."""
    assert flow(aggregate={"ingress_flow_count": "3", "unknown_direction_flow_count": 4}).count == 7
    assert flow(aggregate={}).count == 1


def test_lost_events_are_gaps():
    """Counts are strings; the span is there in new releases."""
    gap = one(
        {
            "lost_events": {
                "source": "HUBBLE_RING_BUFFER",
                "num_events_lost": "5",
                "cpu": 3,
                "first": "2026-04-01T09:59:58Z",
                "last": TIME,
            },
            "node_name": "n1",
            "time": TIME,
        }
    )

    assert isinstance(gap, GapEvent)
    assert (gap.kind, gap.lost, gap.message, gap.node) == (
        "lost-events",
        5,
        "HUBBLE_RING_BUFFER, CPU 3",
        "n1",
    )
    assert (parse_rfc3339("2026-04-01T09:59:58Z"), parse_rfc3339(TIME)) == (gap.at, gap.until)
    assert one({"lost_events": {"cpu": None, "num_events_lost": 0}, "time": TIME}).lost == 0


def test_node_status():
    """An unavailable node is a gap of each node named; a connected one is a message."""
    status = {"state_change": "NODE_UNAVAILABLE", "node_names": ["a", "b"], "message": "m"}
    gaps = parse({"node_status": status, "time": TIME})
    assert [(gap.kind, gap.node) for gap in gaps] == [("node-unavailable", "a"), ("node-unavailable", "b")]

    log = one({"node_status": {"state_change": "NODE_CONNECTED", "node_names": ["a"]}, "time": TIME})
    assert isinstance(log, LogEvent)
    assert log.signal == "node-connected"


def test_agent_events():
    """What names its object is a change; the rest are messages with signals."""
    labels = [
        "k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy",
        "k8s:io.cilium.k8s.policy.name=p",
        "k8s:io.cilium.k8s.policy.namespace=shop",
    ]
    updated = {"type": "POLICY_UPDATED", "policy_update": {"labels": labels, "revision": "5"}}
    change = one({"agent_event": updated, "time": TIME})
    assert isinstance(change, ChangeEvent)
    assert (ObjectRef("CiliumNetworkPolicy", "cilium.io", "shop", "p"), "updated") == (
        change.object,
        change.change,
    )

    pod = {
        "type": "ENDPOINT_DELETED",
        "endpoint_update": {"id": "7", "pod_name": "web-1", "namespace": "shop"},
    }
    assert ObjectRef("Pod", None, "shop", "web-1") == one({"agent_event": pod, "time": TIME}).object

    unnamed = one({"agent_event": {"type": "POLICY_UPDATED", "policy_update": {"revision": "5"}}})
    assert (unnamed.signal, unnamed.fields) == ("policy-imported", {"revision": "5"})
    assert (
        one({"agent_event": {"type": "AGENT_STARTED", "agent_start": {"time": TIME}}}).signal
        == "agent-started"
    )
    assert (
        one({"agent_event": {"type": 9, "ipcache_update": {"cidr": "10.0.0.0/8"}}}).message
        == "IPCACHE_UPSERTED"
    )
    assert one({"debug_event": {"type": "DBG_GENERIC", "message": "hm"}}).message == "hm"


@pytest.mark.parametrize("kind", ["POLICY_REORDERED", "ENDPOINT_MOVED", "SERVICE_RENAMED", 99])
def test_agent_events_of_later_versions(kind):
    """A type that is not known is a message, whatever object it names."""
    labels = ["k8s:io.cilium.k8s.policy.derived-from=NetworkPolicy", "k8s:io.cilium.k8s.policy.name=p"]
    for body in (
        {"policy_update": {"labels": labels}},
        {"service_upsert": {"namespace": "shop", "name": "web"}},
    ):
        log = one({"agent_event": {"type": kind, **body}, "time": TIME})
        assert (type(log), log.message) == (LogEvent, str(kind))


def test_broken_lines_cost_themselves_only():
    """Garbage, a cut last line, other JSON: warnings at their lines, and every flow beside them."""
    good = json.dumps({"flow": FLOW}).encode()
    data = b"\n".join([good, b"not json", b"", b'{"a":1}', b"[1]", b"17", good, good[:99]])
    events = parse(data=data, last=True)

    assert [event.line for event in events if isinstance(event, FlowEvent)] == [1, 7]
    assert [(event.line, event.code) for event in events if isinstance(event, ParseWarning)] == [
        (2, "malformed-json"),
        (4, "not-a-flow"),
        (5, "not-an-object"),
        (6, "not-an-object"),
        (8, "truncated"),
    ]


def test_bytes_that_are_not_utf8():
    """The flow is there, the byte is shown as U+FFFD, and it is said."""
    record = json.dumps({"flow": FLOW}).encode().replace(b"web-1", b"web-\xff")
    warning, event = parse(record)

    assert (warning.code, event.src.pod) == ("invalid-utf8", "web-\ufffd")


def test_bad_time_is_said_and_the_flow_kept():
    """No time is better than a wrong one."""
    warning, event = parse({"flow": FLOW | {"time": "yesterday"}})

    assert (warning.code, event.at, event.time_source) == ("bad-time", None, TimeSource.NONE)


@pytest.mark.parametrize(
    "broken",
    [
        {"IP": 5, "l4": [], "source": "x", "destination": None, "event_type": 7, "l7": 1},
        {"IP": {"source": 9}, "l4": {"TCP": {"destination_port": 99999, "flags": 3}}},
        {"source": {"labels": [1, None, ""], "identity": 1 << 80, "workloads": [None, {"kind": "x"}]}},
        {"egress_denied_by": [1, {}], "source_names": [3], "aggregate": {"ingress_flow_count": "x"}},
        {
            "drop_reason": True,
            "drop_reason_desc": [],
            "is_reply": "yes",
            "traffic_direction": {},
            "verdict": [],
        },
    ],
)
def test_wrong_types_are_unknown(broken):
    """A field of another type says nothing; the rest of the record stands."""
    event = flow(**{key: value for key, value in broken.items() if value is not None})

    assert isinstance(event, FlowEvent)
    assert parse_rfc3339(TIME) == event.at


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_arrays_and_objects_over_several_lines(indent):
    """`jq -s` and pretty printers: numbered by element."""
    records = [{"flow": FLOW}, {"flow": FLOW | {"verdict": "AUDIT"}}]
    array = json.dumps(records, indent=indent).encode()
    pretty = b"\n".join(json.dumps(record, indent=4).encode() for record in records)

    for data in (array, pretty):
        events = parse(data=data, last=True)
        assert [(event.line, event.verdict) for event in events] == [
            (1, Verdict.DENIED),
            (2, Verdict.AUDITED),
        ]


def test_a_broken_element_does_not_end_a_document():
    """What follows is found again."""
    data = b'[\n{"flow": {"verdict": "DROPPED"}},\n{"flow": {"verdict": oops}},\n{"flow": {"verdict": "AUDIT"}}\n]\n'
    first, broken, last = parse(data=data)

    assert (first.line, broken.code, last.verdict) == (1, "malformed-json", Verdict.AUDITED)


def test_objects_glued_together_on_one_line():
    """A lost line break loses nothing."""
    record = json.dumps({"flow": FLOW}).encode()

    assert [event.line for event in parse(record + record)] == [1, 1]


def test_deep_nesting_is_a_warning():
    """No recursion limit is hit in vain."""
    (event,) = parse(b'{"flow":' * 100_000)

    assert isinstance(event, ParseWarning)


def test_marks_are_promised_only_where_they_hold():
    """Numbers for verdicts, arrays and heads without a verdict promise nothing."""
    line = json.dumps({"flow": FLOW}).encode()
    marks = HubbleJson().denied_marks

    assert b'"DROPPED"' in marks(line)
    assert marks(line.replace(b'"DROPPED"', b"2")) is None
    assert marks(b"[" + line) is None
    assert marks(json.dumps(FLOW, indent=1).encode()) is None
    assert marks(b'{"flow":{"source":{}}}') is None


def test_raw_is_kept_on_request():
    """Verbatim, and only then."""
    record = json.dumps(FLOW)

    assert one(FLOW, keep_raw=True).raw == record
    assert one(FLOW).raw is None
