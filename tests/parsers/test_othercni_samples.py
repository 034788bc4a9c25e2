"""Every row of the sample index of the other CNIs, read as ``flowdiag events`` reads a file, column by column."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, Selection, read_events
from flowdiag.parserkit import from_datetime, parse_rfc3339, rfc3339
from flowdiag.report.events import event_line

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "othercni"
YEAR = 2024
PARSERS = {
    "aws-npa-json-fields": "aws-network-policy-agent",
    "aws-npa-json-msg": "aws-network-policy-agent",
    "aws-npa-json-other": "aws-network-policy-agent",
    "aws-npa-cloudwatch": "aws-network-policy-agent",
    "ovn-acl": "ovn-acl",
    "ovn-acl-wrapped": "ovn-acl",
    "ovn-controller-other": "ovn-acl",
    "antrea-np-log": "antrea-np-log",
    "antrea-flow-csv": "antrea-flows",
    "gke-policy-action": "gke-policy-action",
    "kube-network-policies": "kube-network-policies",
    "k3s-ulogd": "nflog",
    "weave-npc": "weave-npc",
    "weave-npc-other": "weave-npc",
    "netfilter-log": "netfilter",
    "envoy-rbac": "envoy-rbac",
    "aws-vpc-flow": "aws-vpc-flow",
    "flannel-other": "flanneld",
    "netobserv-loki": "netobserv-flow",
    "netobserv-flow": "netobserv-flow",
    "k8s-audit": "kubernetes-audit",
}
VERDICTS = {
    "allow": {"allowed"},
    "deny": {"denied"},
    # EXPIRED, pass, a packet whose verdict is not in the file
    "none": {"unknown"},
    # k3s logged it as dropped, and it may have passed: never "denied"
    "uncertain": {"logged"},
    "log": {"logged"},
    "drop-not-policy": {"denied"},
}


def _rows():
    index = SAMPLES / "index.csv"
    if not index.exists():
        return []
    with index.open(newline="") as file:
        return list(csv.DictReader(file))


ROWS = _rows()
pytestmark = pytest.mark.skipif(not ROWS, reason="shared/samples/othercni is not beside this checkout")


@cache
def _events(name):
    found = read_events(
        [str(SAMPLES / name)],
        evidence=EvidenceOptions(year=YEAR, processes=1),
        selection=Selection(),
        keep_raw=False,
        by_time=False,
        problems=[],
    )
    return [json.loads(event_line(event, parser, path, with_raw=False)) for path, parser, event in found]


def _time(text):
    """RFC 3339 of the index's stamps, as the events have it; uptimes are no instants."""
    if not text or text.startswith("uptime"):
        return None
    if text.endswith(" ms"):
        return rfc3339(int(text[:-3]) * 1_000_000)
    yearless = re.match(r"(\d\d-\d\dT[\d:.]+) \(no year", text)
    if yearless:
        moment = datetime.fromisoformat(f"{YEAR}-{yearless[1]}").replace(tzinfo=UTC)
        return rfc3339(from_datetime(moment))
    return rfc3339(parse_rfc3339(text, UTC))


def _peer_names(peer):
    workload = peer["workload"]
    names = {f"{peer['namespace']}/{peer['pod']}", peer["pod"], peer["node"]}
    if workload:
        names.add(f"{peer['namespace']}/{workload['name']}")
    return names


def _policy_names(event):
    for hit in event["policies"]:
        place = f"{hit['namespace']}/" if hit["namespace"] else ""
        yield hit["raw"]
        yield f"{place}{hit['name']}"
        yield f"{hit['kind']} {place}{hit['name']} rule {hit['rule']}"


def _differences(row, event):
    """What the event says otherwise than the row: every filled column, and the empty ones that must be empty."""
    wanted = {
        "src_ip": event["src"]["ip"],
        "dst_ip": event["dst"]["ip"],
        "src_port": event["src"]["port"],
        "dst_port": event["dst"]["port"],
        "protocol": event["protocol"],
        "direction": event["direction"],
        "count": event["count"],
    }
    found = []
    for column, value in wanted.items():
        text = row[column]
        if column.endswith("_port") and text == "0":
            # ICMP has no port, and Envoy does not know the client's: the contract says null, never 0.
            text = ""
        if column == "count" and not text:
            continue
        if column == "direction" and row["kind"] in ("netfilter-log", "k3s-ulogd") and not text:
            # A packet line's interfaces tell which side it is; the index has no opinion.
            continue
        if text != ("" if value is None else str(value)):
            found.append(f"{column}: wanted {text!r}, found {value!r}")
    if row["action"] and event["verdict"] not in VERDICTS[row["action"]]:
        found.append(f"action: wanted {row['action']}, found {event['verdict']}")
    if row["action"] == "drop-not-policy" and event["cause"] in (None, "policy"):
        found.append(f"cause: a drop that is no policy's has {event['cause']}")
    at = _time(row["timestamp"])
    if at != event["at"]:
        found.append(f"timestamp: wanted {at}, found {event['at']}")
    for side, peer in (("src_pod", event["src"]), ("dst_pod", event["dst"])):
        if row[side] and row[side] not in _peer_names(peer):
            found.append(f"{side}: wanted {row[side]}, found {peer}")
        if not row[side] and peer["pod"] is not None:
            found.append(f"{side}: wanted nothing, found {peer['pod']}")
    names = list(_policy_names(event))
    if row["policy"] and row["policy"] not in names:
        found.append(f"policy: wanted {row['policy']}, found {names}")
    if not row["policy"] and any(hit["name"] for hit in event["policies"]):
        found.append(f"policy: wanted nothing, found {names}")
    interfaces = re.search(r"in=(\S*) out=(\S*)$", row["notes"])
    if interfaces and [interfaces[1] or None, interfaces[2] or None] != [
        event["interface_in"],
        event["interface_out"],
    ]:
        found.append(f"interfaces: found {event['interface_in']} and {event['interface_out']}")
    return found


def _id(row):
    return f"{row['file']}:{row['line'] or row['timestamp']}"


def _here(row):
    events = _events(row["file"])
    if row["line"]:
        return [event for event in events if event["line"] == int(row["line"])]
    # Inside Loki's document a row is found by its time and ends.
    return [
        event
        for event in events
        if (event["at"], event["src"]["ip"], str(event["src"]["port"]))
        == (_time(row["timestamp"]), row["src_ip"], row["src_port"])
    ]


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r["kind"] != "k8s-audit" and (r["src_ip"] or r["action"] != "none")], ids=_id
)
def test_row_gives_its_event(row):
    """Each indexed record gives one event that its columns describe, read by the parser of its kind."""
    here = _here(row)

    if row["kind"] == "ovn-acl-wrapped":
        # Its author cut the message behind the verdict: no packet is left, but verdict, policy and time are.
        (event,) = here
        assert (event["verdict"], event["policies"][0]["raw"]) == ("denied", row["policy"])
        assert event["at"] == _time(row["timestamp"])
        return
    assert [event["type"] for event in here] == ["flow"]
    assert here[0]["parser"] == PARSERS[row["kind"]]
    assert _differences(row, here[0]) == []


@pytest.mark.parametrize(
    "row",
    [r for r in ROWS if r["kind"] != "k8s-audit" and not r["src_ip"] and r["action"] == "none"],
    ids=_id,
)
def test_other_messages_are_no_flows(row):
    """A component's message is a message, read by the parser of its component."""
    here = _here(row)

    assert [event["type"] for event in here if event["type"] != "log"] == []
    assert {event["parser"] for event in here} <= {PARSERS[row["kind"]]}


@pytest.mark.parametrize("row", [r for r in ROWS if r["kind"] == "k8s-audit"], ids=_id)
def test_audit_row_is_a_change(row):
    """A policy's creation and deletion are changes with who made them; a refused list is none."""
    here = _here(row)
    if row["action"] == "none":
        assert here == []
        return
    (event,) = here
    group, _, place = row["policy"].partition(" ")
    namespace, _, name = place.partition("/")
    user = re.match(r"user=(\w+)", row["notes"])[1]

    assert event["type"] == "change"
    assert event["object"] == {"kind": "NetworkPolicy", "group": group, "namespace": namespace, "name": name}
    assert event["change"] == {"policy-create": "created", "policy-delete": "deleted"}[row["action"]]
    assert (event["by"], event["at"]) == (user, _time(row["timestamp"]))


def test_every_record_of_the_files_is_in_the_index_or_explained():
    """No file gives a refusal that the index does not list (the Loki export has fifty, all TCP's own)."""
    listed = {(row["file"], row["line"]) for row in ROWS}
    extra = [
        (name, event["line"])
        for name in sorted({row["file"] for row in ROWS})
        for event in _events(name)
        if event["type"] == "flow" and (name, str(event["line"])) not in listed
    ]

    assert [name for name, _ in extra if name != "netobserv_loki_dropped.json"] == []
    loki = [event for event in _events("netobserv_loki_dropped.json") if event["type"] == "flow"]
    assert [event["cause"] for event in loki if event["cause"] in (None, "policy")] == []
