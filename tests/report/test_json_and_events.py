"""JSON for programs: it validates against its own schema, repeats byte for byte, and reads back."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.model.errors import InputError
from flowdiag.model.event import (
    L7,
    Cause,
    ChangeEvent,
    Direction,
    Event,
    FlowEvent,
    GapEvent,
    Icmp,
    LogEvent,
    ObjectRef,
    ParseWarning,
    Peer,
    PolicyHit,
    TimeSource,
    Verdict,
    WorkloadRef,
)
from flowdiag.model.policy import (
    Condition,
    ConnectionDecision,
    DecidedBy,
    EndDecision,
    Miss,
    NearestRule,
    PolicyRef,
)
from flowdiag.report.events import event_line
from flowdiag.report.json_report import JsonReporter, json_bytes
from flowdiag.report.protocol import Options
from flowdiag.report.query_types import (
    ConnectionChange,
    FlowChanges,
    WhatifResult,
    explain_result,
    query_result,
    verify_result,
)
from flowdiag.report.read import read_report
from flowdiag.report.schema import SCHEMAS
from tests.report.sample_reports import SAMPLES, SAMPLES_AND_HOSTILE, dns_story


def validate(word: str, value: object) -> None:
    schema = SCHEMAS[word]()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(value)


def rendered(sample: str) -> bytes:
    return JsonReporter().render(SAMPLES_AND_HOSTILE[sample](), Options()).encode()


@pytest.mark.parametrize("sample", SAMPLES_AND_HOSTILE)
def test_a_report_validates_against_its_schema(sample: str) -> None:
    validate("report", json.loads(rendered(sample)))


@pytest.mark.parametrize("sample", SAMPLES_AND_HOSTILE)
def test_the_same_report_is_the_same_bytes(sample: str) -> None:
    assert rendered(sample) == rendered(sample)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_report_reads_back_as_it_was(sample: str) -> None:
    assert SAMPLES[sample]() == read_report(rendered(sample))


def test_the_schema_refuses_what_is_not_a_report() -> None:
    value = json.loads(rendered("dns-story"))
    for damage in ({"schema": "flowdiag.report/2"}, {"totals": None}, {"problems": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            validate("report", value | damage)


def test_gaps_say_from_and_to() -> None:
    """The contract's word is from; Python keeps it for itself."""
    gap = json.loads(rendered("dns-story"))["evidence"]["gaps"][0]

    assert {"node", "from", "to", "kind", "lost"} == set(gap)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a flowdiag report"),
        (b"{", "not a flowdiag report"),
        (b"[]", "not a flowdiag report"),
        (b"{}", "JSON, but not a flowdiag report"),
        (b'{"schema": "flowdiag.report/9"}', "version 9 is not known"),
        (b'{"schema": "flowdiag.report/1"}', "a damaged report"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"schema": "flowdiag.report/1", "problems": ' + b"[" * 100_000, "nested too deeply"),
        (b"<html></html>", "no flowdiag report in this HTML"),
    ],
)
def test_what_is_no_report_is_said_to_be_none(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_report(data, "x.json")


def peer(**more) -> Peer:
    return Peer(
        ip="10.0.0.1",
        port=53,
        namespace="shop",
        pod="web-574f-*",
        workload=WorkloadRef("Deployment", "web"),
        labels=(("k8s:app", "web"), ("reserved:host", "")),
        **more,
    )


EVENTS: list[Event] = [
    FlowEvent(
        line=1,
        at=1_700_000_000_123_456_789,
        time_source=TimeSource.RECORD,
        src=peer(),
        dst=Peer(),
        protocol="UDP",
        direction=Direction.EGRESS,
        verdict=Verdict.DENIED,
        cause=Cause.POLICY,
        reason_code=133,
        is_reply=False,
        tcp_flags=("SYN",),
        icmp=Icmp(8, 0),
        l7=L7(kind="dns", query="a.example"),
        policies=(PolicyHit(kind="NetworkPolicy", name="x", effect="deny"),),
        raw="verbatim",
    ),
    FlowEvent(line=2, src=Peer(), dst=Peer(), verdict=Verdict.UNKNOWN),
    LogEvent(line=3, message="m", fields={"a": "b"}, signal="agent-started"),
    ChangeEvent(line=4, object=ObjectRef("Pod", "", "shop", "web"), change="created"),
    GapEvent(line=5, kind="lost-events", lost=None, until=1_700_000_001_000_000_000),
    ParseWarning(line=6, code="bad-json", message="cut off"),
]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("with_raw", [False, True])
def test_every_event_validates_and_carries_raw_only_when_asked(event: Event, with_raw: bool) -> None:
    value = json.loads(event_line(event, "hubble-json", "a/b.jsonl", with_raw))

    validate("event", value)
    assert with_raw == ("raw" in value)
    assert ("hubble-json", "a/b.jsonl", event.line) == (value["parser"], value["input"], value["line"])


def test_a_flow_line_has_the_contract_s_keys_and_no_others() -> None:
    value = json.loads(event_line(EVENTS[0], "p", "i", False))

    assert set(value) == {
        "type",
        "at",
        "time_source",
        "parser",
        "input",
        "line",
        "node",
        "src",
        "dst",
        "protocol",
        "direction",
        "verdict",
        "verdict_raw",
        "cause",
        "reason",
        "reason_raw",
        "is_reply",
        "tcp_flags",
        "icmp",
        "l7",
        "policies",
        "interface_in",
        "interface_out",
        "count",
    }
    for end in ("src", "dst"):
        assert set(value[end]) == {
            "ip",
            "port",
            "mac",
            "namespace",
            "pod",
            "node",
            "service",
            "workload",
            "entity",
            "identity",
            "labels",
            "dns_names",
        }
    assert value["at"] == "2023-11-14T22:13:20.123456789Z"
    assert value["src"]["labels"] == {"k8s:app": "web", "reserved:host": ""}
    assert value["dst"]["labels"] is None


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters()), st.integers(-(10**18), 4 * 10**18))
def test_any_text_and_time_is_one_line_of_json(text: str, at: int) -> None:
    """Also text that UTF-8 cannot carry, and times before 1970."""
    event = LogEvent(line=1, at=at, message=text)
    line = event_line(event, "p", "odd\udcff.log", False)

    assert b"\n" not in line
    assert json.loads(line)["input"].startswith("odd")


def test_no_event_acts_on_a_terminal() -> None:
    """As in reports: the same text, by JSON's escapes."""
    text = "a\x1b[2J\x7f\x9b31m\u202eb\u2028\U000e0041 caf\xe9"
    line = event_line(LogEvent(line=1, message=text), "p", "x.log", False)

    assert json.loads(line)["message"] == text
    assert [one for one in line.decode() if not one.isprintable()] == []
    assert "caf\xe9".encode() in line


REF = PolicyRef("NetworkPolicy", "networking.k8s.io", "a", "deny")


def test_answers_validate_and_hold_flat_policy_refs() -> None:
    end = EndDecision(
        allowed=False,
        isolated_by=(REF,),
        decided_by=DecidedBy(REF, "egress[0]", "deny"),
        nearest=(
            NearestRule(policy=REF, rule="egress[1].to[0]", misses=(Miss(Condition.POD, "a=b", None),)),
        ),
    )
    answer = query_result(
        0, "a/b", "c/d", "TCP", "http", expected=False, allowed=False, egress=end, ingress=None, error=None
    )
    erred = query_result(
        1,
        "a/?",
        "c/d",
        None,
        None,
        expected=True,
        allowed=None,
        egress=None,
        ingress=None,
        error="no such end",
    )
    verify = json.loads(json_bytes(verify_result([answer, erred])))
    validate("verify", verify)

    assert (verify["total"], verify["passed"], verify["failed"]) == (2, 1, 1)
    assert verify["results"][0]["egress"]["decided_by"] == {
        "kind": "NetworkPolicy",
        "group": "networking.k8s.io",
        "namespace": "a",
        "name": "deny",
        "rule": "egress[0]",
        "action": "deny",
    }
    decision = ConnectionDecision(allowed=False, egress=end, ingress=None)
    explain = json.loads(json_bytes(explain_result("a/b", "c/d", "TCP", 80, decision)))
    validate("explain", explain)
    assert set(verify["results"][0]) | {"schema", "observed"} == set(explain)


def test_whatif_validates() -> None:
    change = ConnectionChange(
        src="a/b", dst="0.0.0.0-9.9.9.9", change="changed", old={"TCP": ("80",)}, new={}
    )
    result = WhatifResult(
        connections=(change,), flows=FlowChanges(newly_denied=(), newly_allowed=(), unchanged=1, unknown=0)
    )
    value = json.loads(json_bytes(result))
    validate("whatif", value)

    assert value["schema"] == "flowdiag.whatif/1"
    assert msgspec.json.decode(json_bytes(result), type=WhatifResult) == result


def test_file_names_that_are_not_utf8_do_not_stop_a_report() -> None:
    report = dns_story()
    odd = msgspec.structs.replace(report.inputs[0], path="bad\udcff.jsonl")
    text = JsonReporter().render(msgspec.structs.replace(report, inputs=(odd,)), Options())

    assert json.loads(text)["inputs"][0]["path"] == "bad\\udcff.jsonl"
