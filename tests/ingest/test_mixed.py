"""Objects and records in one stream are both read, with their lines; neither is lost without a word."""

import io
import json
import sys

import pytest

from flowdiag.cli.main import _run

OBJECTS = """apiVersion: v1
items:
- apiVersion: v1
  kind: Pod
  metadata:
    name: web
    namespace: shop
    labels:
      app: web
  status:
    phase: Running
    podIP: 10.0.0.5
kind: List
metadata:
  resourceVersion: ""
"""
POLICY = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress]}
"""
RECORD = {
    "flow": {
        "time": "2026-03-01T12:00:01.000000000Z",
        "verdict": "DROPPED",
        "drop_reason_desc": "POLICY_DENIED",
        "IP": {"source": "10.0.0.5", "destination": "203.0.113.9", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": 443, "flags": {"SYN": True}}},
        "source": {"identity": 1000, "namespace": "shop", "pod_name": "web", "labels": ["k8s:app=web"]},
        "destination": {"identity": 2, "labels": ["reserved:world"]},
        "Type": "L3_L4",
        "node_name": "node-a",
        "traffic_direction": "EGRESS",
        "is_reply": False,
    }
}
RECORDS = (json.dumps(RECORD) + "\n") * 3
PRETTY = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, indent=4) + "\n"
LINE = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}) + "\n"


def analyzed(monkeypatch, capsys, text, *options):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert _run(["analyze", "-", "-o", "json", *options], "flowdiag") == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ([OBJECTS, POLICY, RECORDS], [20, 21, 22]),
        ([RECORDS, OBJECTS, POLICY], [1, 2, 3]),
        ([RECORDS, OBJECTS, RECORDS, "---\n", POLICY, PRETTY], [1, 2, 3, 19, 20, 21]),
        ([PRETTY, LINE, OBJECTS, POLICY, RECORDS], [28, 29, 30]),
        ([OBJECTS, POLICY, PRETTY.rstrip("\n"), RECORDS], [26, 27, 28]),
        (["# how it was taken\n", OBJECTS, POLICY, RECORDS.rstrip("\n")], [21, 22, 23]),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_both_are_read_from_standard_input(monkeypatch, capsys, parts, lines, processes):
    """Whatever the order; each record has its line in the whole, and the policies are replayed."""
    report = analyzed(monkeypatch, capsys, "".join(parts), "--processes", processes)

    assert report["complete"] is True
    assert report["warnings"] == []
    assert [(one["path"], one["records"]) for one in report["inputs"]] == [
        ("-", len(lines)),
        ("-!objects", 0),
    ]
    (problem,) = report["problems"]
    assert [ref["name"] for ref in problem["isolating"]] == ["deny"]
    assert [one["line"] for one in problem["evidence"]] == lines[:2]

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(parts).encode())))
    assert _run(["events", "-", "--processes", processes], "flowdiag") == 0
    assert [json.loads(line)["line"] for line in capsys.readouterr().out.splitlines()] == lines


@pytest.mark.parametrize("parts", [[OBJECTS, POLICY, RECORDS], [RECORDS, OBJECTS, POLICY]])
def test_both_are_read_from_a_file(tmp_path, capsys, parts):
    """As ``cat state.yaml flows.jsonl > all`` leaves it; its checksum is the whole file's."""
    path = tmp_path / "all.txt"
    path.write_text("".join(parts))

    assert _run(["analyze", str(path), "-o", "json", "--checksum"], "flowdiag") == 0
    report = json.loads(capsys.readouterr().out)

    assert report["complete"] is True
    assert [ref["name"] for ref in report["problems"][0]["isolating"]] == ["deny"]
    assert len({one["sha256"] for one in report["inputs"]}) == 1


def test_what_is_wrong_with_an_object_has_its_line_in_the_whole(monkeypatch, capsys):
    """Also behind records."""
    nameless = "apiVersion: v1\nkind: Pod\nmetadata: {}\n"
    report = analyzed(monkeypatch, capsys, RECORDS + OBJECTS + nameless + POLICY)

    assert [(one["input"], one["line"]) for one in report["warnings"]] == [("-!objects", 19)]


def test_audit_records_are_no_objects(monkeypatch, capsys):
    """They begin with the same keys."""
    audit = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestURI": "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/deny",
        "verb": "create",
        "user": {"username": "ann"},
        "objectRef": {
            "resource": "networkpolicies",
            "namespace": "shop",
            "name": "deny",
            "apiGroup": "networking.k8s.io",
            "apiVersion": "v1",
        },
        "responseStatus": {"code": 201},
        "requestReceivedTimestamp": "2026-03-01T12:00:00.000000Z",
        "stageTimestamp": "2026-03-01T12:00:00.000000Z",
    }
    report = analyzed(monkeypatch, capsys, OBJECTS + POLICY + (json.dumps(audit) + "\n") * 3)

    assert [(one["path"], one["parser"]) for one in report["inputs"]] == [
        ("-", "kubernetes-audit"),
        ("-!objects", None),
    ]
