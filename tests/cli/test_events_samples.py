"""Every row of the published Cilium samples through the command: detection, peeling, parser, JSON."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from flowdiag.cli.main import _run

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "cilium"
INDEX = SAMPLES / "index.csv"
NO_EVENTS = {"cilium-metrics-json", "cilium-metrics-text", "endpoint-list-table", "policy", "policy-case"}
"""Kinds of samples that are no records: counters, a node's endpoints, policies."""

VERDICTS = {
    "DROPPED": "denied",
    "DENIED": "denied",
    "DENY": "denied",
    "FORWARDED": "allowed",
    "ALLOWED": "allowed",
    "ALLOW": "allowed",
    "AUDIT": "audited",
    "AUDITED": "audited",
    "REDIRECTED": "redirected",
    "VERDICT_UNKNOWN": "unknown",
}
# Where the index and the line differ, and the line is right.
SAID_OTHERWISE = {
    ("monitor-ct-unknown-l4.txt", 2): {"proto": "LLC"},  # the line ends in LLC, no ICMP is in it
    ("monitor-verbose-llc.txt", 5): {"proto": "LLC"},  # EthernetType=LLC
    ("compact-starwars-l7.txt", 3): {"drop_reason": ""},  # the index repeats the type
    ("dict-printer.txt", 1): {"proto": "TCP"},  # the summary says TCP Flags
    ("dict-printer.txt", 9): {"proto": "TCP"},
}

pytestmark = pytest.mark.skipif(not INDEX.is_file(), reason="the shared samples are not here")


def index_rows():
    found = defaultdict(list)
    with INDEX.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] not in NO_EVENTS:
                fixed = SAID_OTHERWISE.get((row["file"], int(row["line"] or 0)), {})
                found[row["file"]].append({**row, **fixed})
    return found


def events_of(name, capfdbinary):
    """What the command prints for one sample, and its complaints."""
    assert _run(["events", str(SAMPLES / name), "--year", "2024"], "flowdiag") == 0
    out, err = capfdbinary.readouterr()
    return [json.loads(line) for line in out.splitlines()], err.decode()


def end(peer):
    if peer["pod"] is not None:
        return f"{peer['namespace']}/{peer['pod']}"
    return peer["ip"] or peer["mac"] or ""


def protocols(event):
    found = {event["protocol"] or "", (event["protocol"] or "").lower()}
    if event["protocol"] in ("ICMP", "ICMPv6"):
        found |= {"icmp", "ICMPv4" if event["protocol"] == "ICMP" else "ICMPv6"}
    l7 = event["l7"]
    return found | ({l7.get("protocol") or "", l7["kind"].upper()} if l7 else set())


def identities(peer):
    if peer["identity"] is None:
        return {"", "0", "unknown", peer["entity"] or ""}
    return {str(peer["identity"]), f"ID:{peer['identity']}", peer["entity"] or ""}


def policies(event):
    names = [hit["name"] or "" for hit in event["policies"]]
    full = [f"{hit['namespace']}/{hit['name']}" for hit in event["policies"]]
    return {";".join(names), ",".join(full)}


def differences(row, event):
    """What of a row the event does not say."""
    checks = [
        ("src", {end(event["src"]), event["src"]["ip"] or ""}),
        ("dst", {end(event["dst"]), event["dst"]["ip"] or ""}),
        ("port", {"" if event["dst"]["port"] is None else str(event["dst"]["port"])}),
        ("proto", protocols(event)),
        ("direction", {(event["direction"] or "").upper()}),
        ("drop_reason", {event["reason_raw"] or "", event["reason"] or ""}),
        ("policy", policies(event)),
    ]
    for side in ("src", "dst"):
        wanted = row[f"{side}_identity"]
        if wanted and not wanted.startswith("4294967"):  # an error's number, not an identity
            checks.append((f"{side}_identity", identities(event[side])))
    found = [
        f"{what}: wanted {row[what]!r}, got {sorted(got)}" for what, got in checks if row[what] not in got
    ]
    if event["verdict"] != VERDICTS[row["verdict"]]:
        found.append(f"verdict: wanted {row['verdict']}, got {event['verdict']}")
    return found


def test_every_row_comes_out_right(capfdbinary):
    """All rows of the index, printed where they differ; nothing warns and nothing is ambiguous."""
    wrong, checked = [], 0
    for name, rows in index_rows().items():
        events, complaints = events_of(name, capfdbinary)
        wrong += [f"{name}: {complaints}"] if complaints else []
        wrong += [f"{name}: {one['message']}" for one in events if one["type"] == "warning"]
        by_line = defaultdict(list)
        for event in events:
            by_line[event["line"]].append(event)
        for row in rows:
            if not row["line"]:
                continue
            checked += 1
            wanted = "log" if row["kind"] == "agent-log" else "flow"
            got = [one for one in by_line[int(row["line"])] if one["type"] == wanted]
            where = f"{name}:{row['line']}"
            if len(got) != 1:
                wrong.append(f"{where}: {len(got)} records of type {wanted}")
            elif wanted == "flow":
                wrong += [f"{where}: {what}" for what in differences(row, got[0])]
    assert checked > 120
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "name", ["metrics-drop-bytes.txt", "sysdump-metrics-drop.json", "endpoint-list-old.txt"]
)
def test_what_is_no_record_is_not_taken_for_one(name, capfdbinary):
    """Counters and lists give no events, and the command says that there was no evidence."""
    assert _run(["events", str(SAMPLES / name)], "flowdiag") == 3
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"no evidence" in err
