"""Policy names, traces and ends of Calico's flow records."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.ingest import Gathered, ReadOptions, iter_events
from flowdiag.parserkit import Block, Cause, Direction, FlowEvent, ParseContext, Verdict
from flowdiag_parsers.calico.flow_log import CalicoFlowDocument, CalicoFlowLog
from flowdiag_parsers.calico.policy_names import named_policy, policy_string

RECORD = {
    "start_time": "2026-03-02T10:00:00Z",
    "action": "Deny",
    "source_name": "client-*",
    "source_namespace": "shop",
    "dest_name": "web-*",
    "dest_namespace": "shop",
    "protocol": "tcp",
    "dest_port": 8080,
    "reporter": "Dst",
    "policies": {"enforced": [], "pending": []},
    "packets_in": 3,
    "packets_out": 0,
}


def _event(**changes):
    record = {key: value for key, value in (RECORD | changes).items() if value is not ...}
    (event,) = CalicoFlowLog().parse(
        Block(data=json.dumps(record).encode(), last=True), ParseContext(input="flows")
    )
    return event


@pytest.mark.parametrize(
    ("tier", "name", "kind", "group", "namespace", "proper"),
    [
        ("default", "default.deny.all", "GlobalNetworkPolicy", "projectcalico.org", None, "deny.all"),
        ("default", "shop/default.web", "NetworkPolicy", "projectcalico.org", "shop", "web"),
        ("default", "shop/knp.default.a.b", "NetworkPolicy", "networking.k8s.io", "shop", "a.b"),
        ("sec", "shop/sec.staged:web", "StagedNetworkPolicy", "projectcalico.org", "shop", "web"),
        ("sec", "shop/staged:sec.web", "StagedNetworkPolicy", "projectcalico.org", "shop", "web"),
        ("sec", "sec.staged:web", "StagedGlobalNetworkPolicy", "projectcalico.org", None, "web"),
        (
            "default",
            "shop/staged:knp.default.web",
            "StagedKubernetesNetworkPolicy",
            "projectcalico.org",
            "shop",
            "web",
        ),
        (
            "adminnetworkpolicy",
            "kanp.adminnetworkpolicy.lock",
            "AdminNetworkPolicy",
            "policy.networking.k8s.io",
            None,
            "lock",
        ),
        ("__PROFILE__", "__PROFILE__.kns.shop", "Profile", "projectcalico.org", None, "kns.shop"),
        ("tier", "np:shop/tier.web", "NetworkPolicy", "projectcalico.org", "shop", "tier.web"),
        ("kube-admin", "kcnp:lock", "ClusterNetworkPolicy", "policy.networking.k8s.io", None, "lock"),
    ],
)
def test_both_generations_of_names_lead_to_the_object(tier, name, kind, group, namespace, proper):
    """Before v3.32 the tier is part of the name, since then the kind stands before it."""
    ref = named_policy(tier, name)

    assert (ref.kind, ref.group, ref.namespace, ref.name) == (kind, group, namespace, proper)


@pytest.mark.parametrize(
    "text", ["", "0|default", "x|default|a|deny|0", "0|default|a|deny|0|more", "0|a|b|c|--1"]
)
def test_other_text_is_no_policy_string(text):
    """What has not the five parts (four in old logs) is left alone."""
    assert policy_string(text) is None


def test_an_unknown_policy_stays_unknown():
    """The mark for "no match known" is not a name."""
    place, hit = policy_string("3|default|eot:__NO_MATCH__|deny|-1")

    assert (place, hit.kind, hit.name, hit.effect, hit.rule) == (3, None, None, "deny", "end-of-tier")


def test_the_end_of_a_tier_names_the_policy_that_isolates():
    """Its trigger says which policy made the tier apply; the trigger's own action and index mean nothing."""
    hit = {
        "kind": "EndOfTier",
        "name": "",
        "namespace": "",
        "tier": "default",
        "action": "Deny",
        "policy_index": 0,
        "rule_index": -1,
        "trigger": {
            "kind": "NetworkPolicy",
            "name": "web",
            "namespace": "shop",
            "tier": "default",
            "action": "ActionUnspecified",
            "policy_index": 0,
            "rule_index": 0,
        },
    }

    event = _event(policies={"enforced": [hit], "pending": []})

    assert (event.verdict, event.cause, event.reason) == (Verdict.DENIED, Cause.POLICY, "end-of-tier")
    (found,) = event.policies
    assert (found.kind, found.group, found.namespace, found.name) == (
        "NetworkPolicy",
        "networking.k8s.io",
        "shop",
        "web",
    )
    assert (found.rule, found.effect) == ("end-of-tier", "deny")


def test_a_denial_without_packets_is_stale():
    """Goldmane repeats old denials with zero packets: they are kept, and marked as noise."""
    assert _event(packets_in=0).cause is Cause.NOISE
    assert _event(packets_in=0).reason == "stale-zero-packets"


def test_a_denial_that_counts_no_packets_is_not_called_stale():
    """A missing counter is unknown, not zero."""
    assert _event(packets_in=..., packets_out=...).cause is Cause.POLICY


@pytest.mark.parametrize(
    ("trace", "verdict"),
    [
        (["0|sec|sec.staged:lock|deny|0", "1|__PROFILE__|pro:kns.shop|allow|0"], Verdict.AUDITED),
        # A staged policy that allows stands before the staged denial.
        (
            [
                "2|default|default.staged:x|deny|-1",
                "1|sec|sec.staged:y|allow|2",
                "3|__PROFILE__|pro:kns.shop|allow|0",
            ],
            Verdict.ALLOWED,
        ),
        (["0|default|shop/default.web|allow|0", "1|default|default.staged:x|deny|0"], Verdict.ALLOWED),
    ],
)
def test_staged_policies_audit_only_what_they_would_reach(trace, verdict):
    """The first hit that allows or denies would decide, in the order of the indexes."""
    event = _event(action="allow", policies={"all_policies": trace})

    assert event.verdict is verdict


def test_a_denial_stays_one_whatever_staged_policies_would_do():
    """What is enforced is what happened."""
    trace = ["0|sec|sec.staged:open|allow|0", "1|default|shop/default.web|deny|0"]

    event = _event(action="deny", policies={"all_policies": trace})

    assert (event.verdict, event.reason) == (Verdict.DENIED, "denied-by-rule")
    assert [hit.kind for hit in event.policies] == ["NetworkPolicy", "StagedGlobalNetworkPolicy"]


@pytest.mark.parametrize(
    ("reporter", "direction"),
    [("Src", "egress"), ("dst", "ingress"), ("dst, fwd", "ingress"), ("fwd", None), ("out", None)],
)
def test_the_reporter_says_whose_check_it_was(reporter, direction):
    """The source checks egress, the destination ingress, a forwarder neither."""
    assert _event(reporter=reporter).direction == (Direction(direction) if direction else None)


@pytest.mark.parametrize(
    ("end", "found"),
    [
        ({"source_name": "PUBLIC NETWORK", "source_namespace": "-"}, {"entity": "public-network"}),
        ({"source_name": "pvt", "source_namespace": ""}, {"entity": "private-network"}),
        (
            {"source_name": "node-2", "source_namespace": "-", "source_type": "HostEndpoint"},
            {"node": "node-2"},
        ),
        ({"source_name": "partners", "source_namespace": "-", "source_type": "ns"}, {"entity": "partners"}),
        ({"source_name": "node-2", "source_namespace": ""}, {"entity": "node-2"}),
        (
            {"source_name": "-", "source_name_aggr": "client-*", "source_type": "wep"},
            {"pod": "client-*", "namespace": "shop"},
        ),
    ],
)
def test_ends_are_what_the_record_says(end, found):
    """Names stay verbatim; no end is taken for the internet or for a pod without being called so."""
    peer = _event(**end).src

    for name in ("entity", "node", "pod", "namespace"):
        assert getattr(peer, name) == found.get(name), name


@pytest.mark.parametrize("value", [1772445600, "1772445600", 1772445600000, "2026-03-02T10:00:00Z"])
def test_times_in_every_form(value):
    """Seconds, seconds as text, milliseconds and RFC 3339 are the same instant."""
    assert _event(start_time=value).at == 1_772_445_600_000_000_000


def test_lists_and_lines_give_the_same_events():
    """A reply with many records holds what its records say one by one."""
    records = [RECORD, RECORD | {"action": "Allow"}, RECORD | {"dest_port": 9090}]
    reply = json.dumps({"meta": {"totalPages": 1}, "items": records}).encode()
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    context = ParseContext(input="flows")

    assert list(CalicoFlowDocument().parse(Block(data=reply, last=True), context)) == list(
        CalicoFlowLog().parse(Block(data=lines, last=True), context)
    )


_ACTIONS = st.sampled_from(["Allow", "Deny", "allow", "deny", "Pass"])
_STRINGS = st.lists(
    st.builds(
        "{}|{}|{}|{}|{}".format,
        st.integers(0, 3),
        st.sampled_from(["default", "sec", "__PROFILE__"]),
        st.sampled_from(["shop/default.web", "default.staged:x", "snp:shop/y", "pro:kns.shop"]),
        st.sampled_from(["allow", "deny", "pass"]),
        st.integers(-2, 4),
    ),
    max_size=4,
)


@given(action=_ACTIONS, trace=_STRINGS, blanks=st.booleans())
def test_no_refusal_is_lost_by_skipping(action, trace, blanks):
    """Every record that is a denial or an audit holds one of the marks, however it is spaced."""
    record = RECORD | {"action": action, "policies": {"all_policies": trace}}
    line = json.dumps(record, separators=(", ", ": ") if blanks else (",", ":")).encode()
    parser = CalicoFlowLog()
    (event,) = parser.parse(Block(data=line, last=True), ParseContext(input="flows"))
    marks = parser.denied_marks(line)

    assert isinstance(event, FlowEvent)
    if event.verdict in (Verdict.DENIED, Verdict.AUDITED):
        assert any(mark in line for mark in marks)


@pytest.mark.parametrize("policies", [{"all_policies": []}, {"allPolicies": []}])
def test_times_in_camel_case_beside_snake_case_names_are_read(policies):
    """Some exports write ``startTime`` and leave the rest as Enterprise does."""
    event = _event(start_time=..., startTime=1_772_445_600, endTime=1_772_445_900, policies=policies)

    assert event.at == 1_772_445_600 * 1_000_000_000
    assert (event.src.pod, event.dst.port) == ("client-*", 8080)


def test_a_row_of_kibanas_table_is_read_as_its_record():
    """Dotted names, traces and labels in one cell, and digits in groups."""
    event = _event(
        start_time="Mar 2, 2026 @ 10:00:00.000",
        source_name="-",
        source_name_aggr="web-*",
        dest_port="8,080",
        num_flows="1,004",
        policies=...,
        **{
            "source_labels.labels": "app=web, tier=a",
            "policies.all_policies": "1|default|shop/staged:default.x|allow|0, 0|default|shop/default.web|deny|0",
        },
    )

    assert (event.src.pod, event.dst.port, event.count) == ("web-*", 8080, 1004)
    assert event.src.labels == (("app", "web"), ("tier", "a"))
    assert [(hit.kind, hit.name, hit.effect) for hit in event.policies] == [
        ("NetworkPolicy", "web", "deny"),
        ("StagedNetworkPolicy", "x", "allow"),
    ]


@pytest.mark.parametrize("port", ["80,443", "8,08", ",080", "8080,"])
def test_what_only_looks_like_grouped_digits_is_no_number(port):
    """A port that is two, or cut, is unknown rather than another port."""
    assert _event(dest_port=port).dst.port is None


@pytest.mark.parametrize(
    "reply", [b'{"meta":{"totalPages":0},"items":[]}\n', b'{"meta": {"totalPages": 1}, "items": null}']
)
def test_a_reply_without_flows_is_known_for_what_it_is(reply):
    """Whisker answered, and had seen nothing: no unknown format, and no event."""
    parser = CalicoFlowDocument()

    assert parser.sniff(reply) > 0.5
    assert list(parser.parse(Block(data=reply, last=True), ParseContext(input="flows.json"))) == []


@pytest.mark.parametrize("indent", [None, 2])
def test_records_in_the_texts_of_a_search_are_lines_of_their_own(tmp_path, indent):
    """A shipper keeps each line as a message: the answer is peeled, also where the line is an answer's record itself."""
    texts = [json.dumps(RECORD), json.dumps({"_index": "tigera_secure_ee_flows", "_source": RECORD})]
    hits = [
        {"_index": "logs", "_source": {"@timestamp": "2026-03-02T10:00:00Z", "message": text}}
        for text in texts
    ]
    (tmp_path / "answer.json").write_text(json.dumps({"took": 3, "hits": {"hits": hits}}, indent=indent))
    with Gathered([str(tmp_path / "answer.json")]) as sources:
        found = list(iter_events(sources, ReadOptions()))

    assert [(parser, type(event)) for _, parser, event in found] == [("calico-flowlog", FlowEvent)] * 2


def test_a_record_cut_off_inside_a_collector_s_whole_json_is_said():
    line = b'{"logName":"stdout","jsonPayload":{"message":"{\\"reporter\\":\\"dst\\",\\"action\\":\\"deny\\",\\"pol"}}\n'
    (warning,) = CalicoFlowLog().parse(Block(data=line), ParseContext(input="x"))
    assert (warning.code, warning.line) == ("malformed-json", 1)
